import Foundation

/// A connection to a server on this machine that sends just the bytes it is given: broken and oversized requests too.
package final class Loopback {
    private let descriptor: Int32

    package struct Failure: Error, CustomStringConvertible {
        package let description: String

        package init(description: String) { self.description = description }
    }

    package init(port: Int) throws {
        descriptor = socket(AF_INET, Self.stream, 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else {
            close(descriptor)
            throw Failure(description: "no connection to port \(port): \(String(cString: strerror(errno)))")
        }
        #if canImport(Darwin)
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_NOSIGPIPE, &on, 4)
        #endif
    }

    deinit { close(descriptor) }

    /// Sends all of it, or as much as the other side takes.
    ///
    /// - Returns: the number of bytes sent.
    @discardableResult
    package func send(_ text: String) -> Int {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { systemSend(descriptor, $0.baseAddress, $0.count, Self.noSignal) }
            guard count > 0 else { break }
            sent += count
        }
        return sent
    }

    /// What comes until the other side closes, or `seconds` have passed without a byte.
    package func receive(seconds: Double = 20) -> String {
        var received: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            var query = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&query, 1, Int32(seconds * 1000)) > 0 else { break }
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            received += buffer[..<count]
        }
        return String(decoding: received, as: UTF8.self)
    }

    /// One request, and all that is answered.
    package static func exchange(_ request: String, port: Int) throws -> String {
        let connection = try Loopback(port: port)
        connection.send(request)
        return connection.receive()
    }

    /// Lets this process have this many files and connections open, where it may.
    package static func allowOpenFiles(_ count: Int) -> Bool {
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return false }
        if limit.rlim_cur >= rlim_t(count) { return true }
        limit.rlim_cur = min(limit.rlim_max, rlim_t(count))
        return setrlimit(resource, &limit) == 0 && limit.rlim_cur >= rlim_t(count)
    }

    #if canImport(Darwin)
    private static let stream = SOCK_STREAM
    private static let noSignal: Int32 = 0
    private static let resource = RLIMIT_NOFILE
    #else
    private static let stream = Int32(SOCK_STREAM.rawValue)
    private static let noSignal = Int32(MSG_NOSIGNAL)
    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #endif
}

/// `send(2)`, under a name that no method has.
private func systemSend(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int, _ flags: Int32) -> Int {
    send(descriptor, bytes, count, flags)
}
