#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif
import Foundation

/// An HTTP server on the loopback interface that answers each request as a test's script says, however wrong that is.
final class LocalServer: @unchecked Sendable {
    struct Request: Sendable {
        var path: String
        /// Names in lower case.
        var headers: [String: String]
        /// 0 for the first request.
        var number: Int

        /// The first byte asked for; `nil` for the whole file.
        var rangeStart: Int? {
            headers["range"].flatMap { range in
                range.hasPrefix("bytes=") && range.hasSuffix("-") ? Int(range.dropFirst(6).dropLast()) : nil
            }
        }
    }

    /// Where an answer is written.
    final class Connection: @unchecked Sendable {
        fileprivate let descriptor: Int32
        fileprivate init(_ descriptor: Int32) { self.descriptor = descriptor }

        func send(_ bytes: [UInt8]) {
            var done = 0
            while done < bytes.count {
                let sent = bytes[done...].withUnsafeBytes { sendQuietly(descriptor, $0.baseAddress, $0.count) }
                guard sent > 0 else { return }
                done += sent
            }
        }

        func send(_ status: Int, _ headers: [String] = [], _ body: [UInt8] = []) {
            send(Array(("HTTP/1.1 \(status) Scripted\r\nConnection: close\r\n" + headers.map { $0 + "\r\n" }.joined() + "\r\n").utf8))
            send(body)
        }

        /// Ends the connection with a reset instead of an ordinary close.
        func reset() {
            var option = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        }
    }

    private let listener: Int32
    private let lock = NSLock()
    private var recorded: [Request] = []
    private let script: @Sendable (Request, Connection) -> Void
    let port: Int

    /// The requests so far.
    var requests: [Request] { lock.withLock { recorded } }

    var url: String { "http://127.0.0.1:\(port)/file.bin" }

    struct Failure: Error {}

    init(_ script: @escaping @Sendable (Request, Connection) -> Void) throws {
        self.script = script
        #if canImport(Darwin)
        listener = socket(AF_INET, SOCK_STREAM, 0)
        #else
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #endif
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 16) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard isBound else { throw Failure() }
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [weak self] in
            while true {
                let descriptor = accept(listener, nil, nil)
                guard descriptor >= 0, let self else { return }
                Thread.detachNewThread { self.serve(descriptor) }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private func serve(_ descriptor: Int32) {
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while !text.ends(with: "\r\n\r\n") {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else {
                close(descriptor)
                return
            }
            text += buffer[..<count]
        }
        let lines = String(decoding: text, as: UTF8.self).components(separatedBy: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
        }
        let words = lines[0].split(separator: " ")
        let request = lock.withLock {
            let request = Request(path: words.count > 1 ? String(words[1]) : "", headers: headers, number: recorded.count)
            recorded.append(request)
            return request
        }
        script(request, Connection(descriptor))
        close(descriptor)
    }
}

extension [UInt8] {
    fileprivate func ends(with text: String) -> Bool { suffix(text.utf8.count).elementsEqual(text.utf8) }
}

/// `send(2)` without the signal that a closed connection raises.
private func sendQuietly(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    #if canImport(Darwin)
    var on: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_NOSIGPIPE, &on, socklen_t(MemoryLayout<Int32>.size))
    return send(descriptor, bytes, count, 0)
    #else
    return send(descriptor, bytes, count, Int32(MSG_NOSIGNAL))
    #endif
}
