import Foundation
#if canImport(FoundationNetworking)
import FoundationNetworking
#endif
package import SpikeFiles
import SpikeGraph

/// Downloads a file over http or https, and continues where an earlier try was cut.
///
/// The bytes go to `FILE.part`, which becomes `destination` in one step when all of them are there and right; until then the destination
/// is as it was. A part is continued only if the server still has the same file (`ETag` or `Last-Modified`, sent as `If-Range`, and
/// the header `Content-Range` checked); otherwise it begins again.
///
/// An existing destination is right only if `sha256` says so; without it, the file is downloaded again. A server that does not say how
/// long the file is, and ends it by closing the connection, is asked twice, because a cut looks the same; with `sha256` once.
///
/// - Parameters:
///   - url: an address with the scheme http or https.
///   - destination: the path of the file. Its folder must exist.
///   - sha256: 64 hexadecimal digits that the file must have.
///   - showsProgress: a bar on standard error, if that is a terminal.
/// - Returns: the size of the file in bytes.
/// - Throws: ``SpikeletError``: `network` (unknown host, refused, not found, cut too often), `fileSystem` (not permitted, disk full),
///   `malformedFile` (wrong hash), `invalidOption`; `CancellationError`.
@discardableResult
public func downloadURL(_ url: String, to destination: String, sha256: String? = nil, showsProgress: Bool = true) async throws -> Int {
    try await Downloader(url, to: destination, sha256: sha256, options: DownloadOptions(showsProgress: showsProgress)).run()
}

/// How patient a download is. Tests are less so.
package struct DownloadOptions: Sendable {
    package var showsProgress: Bool
    /// Failed tries in a row, without progress to speak of, after which it gives up.
    package var tries = 5
    /// Seconds before the second try; doubled for each further one.
    package var pause = 0.5
    /// Seconds without a byte after which a connection counts as cut.
    package var timeout = 30.0
    /// What writes to the part.
    package var systemWrite: SystemWrite = writeBytes

    package init(showsProgress: Bool = true) {
        self.showsProgress = showsProgress
    }
}

/// A download from its first request to the finished file.
package struct Downloader: Sendable {
    private let url: URL
    private let address: String
    private let destination: String
    private let sha256: String?
    private let options: DownloadOptions

    package init(_ url: String, to destination: String, sha256: String?, options: DownloadOptions) throws {
        guard let parsed = URL(string: url), let scheme = parsed.scheme?.lowercased(), ["http", "https"].contains(scheme),
            let host = parsed.host, !host.isEmpty
        else {
            throw SpikeletError(
                .invalidOption, "'\(url)' is no http or https address", remedy: "give a whole address, as in https://example.org/model.onnx"
            )
        }
        let digits = sha256?.lowercased()
        if let digits, digits.utf8.count != 64 || !digits.allSatisfy(\.isHexDigit) {
            throw SpikeletError(.invalidOption, "'\(digits)' is no SHA-256", remedy: "give its 64 hexadecimal digits")
        }
        self.url = parsed
        self.address = url
        self.destination = try AtomicFile.destination(of: destination)
        self.sha256 = digits
        self.options = options
    }

    package func run() async throws -> Int {
        if let size = try existing() { return size }
        let part = try PartFile(for: destination, systemWrite: options.systemWrite)
        // The session may keep the part a little longer than this call.
        defer { part.unlock() }
        do {
            try await fill(part)
            try part.finish()
            return part.size
        } catch {
            guard part.size > 0, isResumable(part) else {
                part.discard()
                throw error
            }
            guard var known = error as? SpikeletError, known.location == part.path else { throw error }
            known.remedy = (known.remedy ?? "check the disk") + "; then run this again: it continues where it stopped"
            throw known
        }
    }

    /// The size of the destination, if it is the right file beyond doubt.
    private func existing() throws -> Int? {
        guard let sha256, access(destination, F_OK) == 0 else { return nil }
        let file = try OpenFile(reading: destination)
        return try SHA256Hash.of(file) == sha256 ? try file.size : nil
    }

    private func isResumable(_ part: PartFile) -> Bool {
        part.record.map { $0.validator != nil || sha256 != nil } ?? false
    }

    // MARK: Try after try

    /// Returns when the part is the whole, right file.
    private func fill(_ part: PartFile) async throws {
        let source = try SHA256Hash.of(address)
        if let size = part.record?.size, size == part.size, part.record?.source == source, let sha256, try part.hash() == sha256 { return }
        var usesRange = true
        var failures = 0
        var sizeAtFailure = part.size
        while true {
            let attempt = try DownloadAttempt(
                part, source: source, title: options.showsProgress ? "downloading" : nil, usesRange: usesRange, mayTrust: sha256 != nil)
            do {
                switch try await attempt.run(url, timeout: options.timeout) {
                case .more: continue
                case .restart:
                    // A server that gets one range wrong gets the next one wrong, too.
                    usesRange = false
                    throw DownloadAttempt.Short()
                case .complete(let isDelimited):
                    if let sha256 {
                        let actual = try part.hash()
                        if actual == sha256 { return }
                        try part.restart(nil)
                        // The pieces of two files, perhaps; one answer alone is what the server has.
                        guard attempt.isContinuation else { throw wrongHash(actual, expected: sha256) }
                        usesRange = false
                        throw DownloadAttempt.Short()
                    }
                    if isDelimited { return }
                    if try await isTheSameAgain(part) { return }
                    try part.restart(nil)
                    throw DownloadAttempt.Short()
                }
            } catch {
                if let final = final(error, part) { throw final }
                failures = part.size - sizeAtFailure >= 1 << 20 ? 1 : failures + 1
                sizeAtFailure = part.size
                guard failures < options.tries else { throw gaveUp(error, part) }
                try await Task.sleep(nanoseconds: UInt64(options.pause * Double(1 << min(failures - 1, 5)) * 1e9))
            }
        }
    }

    /// Whether a second answer has the same bytes. Without a length, an answer that was cut looks like a whole one; two are not cut
    /// at the same place.
    private func isTheSameAgain(_ part: PartFile) async throws -> Bool {
        let second = Comparison()
        var request = URLRequest(url: url, timeoutInterval: options.timeout)
        request.setValue("identity", forHTTPHeaderField: "Accept-Encoding")
        request.setValue("spikelet", forHTTPHeaderField: "User-Agent")
        try await HTTPTransfer.run(request, receiver: second)
        return try second.size == part.size && second.hash.finish() == part.hash()
    }

    private final class Comparison: HTTPTransfer.Receiver, @unchecked Sendable {
        let hash = SHA256Hash()
        private(set) var size = 0

        func begin(_ response: HTTPURLResponse) throws -> Bool {
            guard response.statusCode == 200 else { throw DownloadAttempt.Refused(status: response.statusCode) }
            return true
        }

        func receive(_ bytes: UnsafeRawBufferPointer) {
            hash.update(bytes)
            size += bytes.count
        }
    }

    // MARK: Errors

    /// The error to end with; `nil` where another try may help.
    private func final(_ error: any Error, _ part: PartFile) -> (any Error)? {
        switch error {
        case let error as SpikeletError:
            return error.location == nil ? error.located(address) : error
        case let refused as DownloadAttempt.Refused: return final(status: refused.status)
        case is DownloadAttempt.Short: return nil
        case let error as URLError: return final(error, hasBytes: part.size > 0)
        default: return error
        }
    }

    private func final(status: Int) -> SpikeletError? {
        let (message, remedy): (String, String) =
            switch status {
            case 404, 410: ("the server has no such file (HTTP status \(status))", "check the address")
            case 401, 402, 403, 407:
                ("the server does not allow this download (HTTP status \(status))", "check the address, or download it by hand")
            case 408, 425, 429, 500, 502, 503, 504: ("", "")
            default: ("the server answered with HTTP status \(status)", "check the address, or try again later")
            }
        return message.isEmpty ? nil : SpikeletError(.network, message, at: address, remedy: remedy)
    }

    private func final(_ error: URLError, hasBytes: Bool) -> SpikeletError? {
        let host = url.host ?? ""
        switch error.code {
        case .cannotFindHost, .dnsLookupFailed:
            return SpikeletError(
                .network, "the host '\(host)' is unknown", at: address, remedy: "check the address, and that this machine is online")
        case .notConnectedToInternet:
            return SpikeletError(.network, "this machine is not online", at: address, remedy: "connect it, and run this again")
        case .cannotConnectToHost where !hasBytes:
            return SpikeletError(
                .network, "the host '\(host)' does not accept connections", at: address, remedy: "check the address, or try again later")
        case .secureConnectionFailed, .serverCertificateUntrusted, .serverCertificateHasBadDate, .serverCertificateHasUnknownRoot,
            .serverCertificateNotYetValid, .clientCertificateRejected, .clientCertificateRequired:
            return SpikeletError(
                .network, "no secure connection to '\(host)' is possible: its certificate is not trusted", at: address,
                remedy: "check the address and this machine's clock")
        case .unsupportedURL, .badURL:
            return SpikeletError(.network, "the address cannot be opened", at: address, remedy: "check the address")
        default: return nil
        }
    }

    private func gaveUp(_ error: any Error, _ part: PartFile) -> SpikeletError {
        let reason: String =
            switch error {
            case let refused as DownloadAttempt.Refused: "the server answered with HTTP status \(refused.status)"
            case let error as URLError where error.code == .timedOut: "no more bytes came for \(Int(options.timeout)) seconds"
            default: "the connection was cut"
            }
        let size = part.record?.size.map { " of \($0)" } ?? ""
        let keeps = part.size > 0 && isResumable(part)
        return SpikeletError(
            .network, "\(reason) after \(part.size)\(size) bytes, \(options.tries) times", at: address,
            remedy: keeps ? "run this again: it continues where it stopped (\(part.path))" : "try again later")
    }

    private func wrongHash(_ actual: String, expected: String) -> SpikeletError {
        SpikeletError(
            .malformedFile, "the downloaded file has the SHA-256 \(actual), not \(expected)", at: address,
            remedy: "check the address and the hash; nothing was kept")
    }
}
