internal import Foundation
internal import NIOHTTP1

/// What a request asks for, once nothing speaks against answering it.
enum Route: Equatable {
    case page
    case network
    case pictures(Range<Int>)
    case run(Int)
}

/// Why a request is not answered.
struct Refusal: Error, Equatable {
    let status: HTTPResponseStatus
    let reason: String
}

/// Decides by a request's head alone. A page on this machine's loopback can be reached by every program and, through a browser,
/// by every web page: so nothing is answered without the token, nor under a foreign name (DNS rebinding).
package struct RequestRules: Sendable {
    /// The longest address of a request, in bytes.
    static let longestTarget = 512

    let token: String
    let port: Int
    /// The number of samples.
    let samples: Int

    private var hosts: [String] { ["127.0.0.1:\(port)", "localhost:\(port)"] }

    /// - Throws: ``Refusal``.
    func route(_ head: HTTPRequestHead) throws -> Route {
        guard head.method == .GET else { throw Refusal(status: .methodNotAllowed, reason: "only GET is answered here") }
        let named = head.headers["host"]
        guard named.count == 1, hosts.contains(named[0].lowercased()) else {
            throw Refusal(status: .misdirectedRequest, reason: "this is not the host that was asked for")
        }
        for origin in head.headers["origin"] where !hosts.contains(where: { origin.lowercased() == "http://" + $0 }) {
            throw Refusal(status: .forbidden, reason: "other sites may not ask")
        }
        guard head.headers["transfer-encoding"].isEmpty, head.headers["content-length"].allSatisfy({ $0 == "0" }) else {
            throw Refusal(status: .payloadTooLarge, reason: "no request has a body here")
        }
        guard head.uri.utf8.count <= Self.longestTarget else { throw Refusal(status: .uriTooLong, reason: "the address is too long") }
        return try route(head.uri)
    }

    /// By the address: /TOKEN/, /TOKEN/network, /TOKEN/pictures?from=A&count=N, /TOKEN/run?sample=I. There are no files behind it.
    private func route(_ target: String) throws -> Route {
        let isPlain = target.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "%") && $0 != UInt8(ascii: "\\") }
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = parts[0].split(separator: "/", omittingEmptySubsequences: false)
        guard isPlain, path.count >= 2, path[0].isEmpty, !path.contains(".."), !path.contains(".") else {
            throw Refusal(status: .badRequest, reason: "the address is malformed")
        }
        guard Self.isEqual(String(path[1]), token) else {
            throw Refusal(status: .forbidden, reason: "open the address that 'spikelet explore' printed: it holds the token")
        }
        let query = try numbers(parts.count > 1 ? parts[1] : "")
        switch (path.dropFirst(2).joined(separator: "/"), Set(query.keys)) {
        case ("", []) where path.count == 3: return .page
        case ("network", []): return .network
        case ("pictures", ["from", "count"]):
            let (from, count) = (query["from"] ?? 0, query["count"] ?? 0)
            guard (0..<samples).contains(from), (1...Explorer.mostPictures).contains(count) else { throw Self.notThere }
            return .pictures(from..<min(samples, from + count))
        case ("run", ["sample"]):
            let sample = query["sample"] ?? 0
            guard (0..<samples).contains(sample) else { throw Self.notThere }
            return .run(sample)
        default: throw Self.notThere
        }
    }

    private static let notThere = Refusal(status: .notFound, reason: "there is nothing at this address")

    private func numbers(_ query: Substring) throws -> [String: Int] {
        var numbers: [String: Int] = [:]
        for item in query.split(separator: "&") {
            let pair = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2, let number = Int(pair[1]), numbers.updateValue(number, forKey: String(pair[0])) == nil else {
                throw Refusal(status: .badRequest, reason: "the address is malformed")
            }
        }
        return numbers
    }

    /// Whether two texts are equal, in a time that tells nothing of where they differ.
    package static func isEqual(_ given: String, _ secret: String) -> Bool {
        let (given, secret) = (Array(given.utf8), Array(secret.utf8))
        var difference = given.count ^ secret.count
        for index in secret.indices { difference |= Int(secret[index] ^ (index < given.count ? given[index] : 0)) }
        return difference == 0
    }

    /// 128 random bits.
    package static func makeToken() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<16).map { _ in
            let digits = String(UInt8.random(in: 0...255, using: &generator), radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }
}
