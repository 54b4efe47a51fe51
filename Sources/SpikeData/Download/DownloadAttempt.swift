import Foundation
#if canImport(FoundationNetworking)
import FoundationNetworking
#endif
import SpikeGraph

/// One request of a download: decides from the header of the answer what its body is, and writes that to the part.
final class DownloadAttempt: HTTPTransfer.Receiver, @unchecked Sendable {
    enum Outcome {
        /// All bytes have come. `isDelimited`: the answer said where it ends, so that a cut would have been seen.
        case complete(isDelimited: Bool)
        /// The server sent fewer bytes than were asked for, as it may: ask for the rest.
        case more
        /// What the server sent cannot continue the part: begin again without asking for a range.
        case restart
    }

    /// An answer that is no success.
    struct Refused: Error {
        var status: Int
    }

    /// The connection ended before all announced bytes had come.
    struct Short: Error {}

    private let part: PartFile
    private let source: String
    private let title: String?
    private let mayTrust: Bool
    /// The first byte that was asked for; `nil` for all.
    private let start: Int?
    private let validator: String?
    /// Whether the answer continues bytes of an earlier one.
    private(set) var isContinuation = false
    private var outcome = Outcome.restart
    /// The size of the part when this answer is complete.
    private var end: Int?
    private var total: Int?
    private var bar: (any ProgressDisplay)?

    /// - Parameters:
    ///   - source: the SHA-256 of the address.
    ///   - title: of the progress bar; `nil` for none.
    ///   - usesRange: `false`: everything is asked for, whatever has arrived.
    ///   - mayTrust: a part without a validator may be continued too, because its hash will be verified.
    init(_ part: PartFile, source: String, title: String?, usesRange: Bool, mayTrust: Bool) throws {
        self.part = part
        self.source = source
        self.title = title
        self.mayTrust = mayTrust
        let isMine = part.record?.source == source && part.size <= part.record?.size ?? .max
        let canContinue = isMine && (part.record?.validator != nil || mayTrust)
        if usesRange, canContinue, part.size > 0 {
            start = part.size
            validator = part.record?.validator
        } else {
            start = nil
            validator = nil
            if part.size > 0 || part.record != nil { try part.restart(nil) }
        }
    }

    func run(_ url: URL, timeout: TimeInterval) async throws -> Outcome {
        var request = URLRequest(url: url, timeoutInterval: timeout)
        // Offsets into a compressed body would not be offsets into the file.
        request.setValue("identity", forHTTPHeaderField: "Accept-Encoding")
        request.setValue("spikelet", forHTTPHeaderField: "User-Agent")
        if let start { request.setValue("bytes=\(start)-", forHTTPHeaderField: "Range") }
        if let validator { request.setValue(validator, forHTTPHeaderField: "If-Range") }
        defer { bar?.finish() }
        try await HTTPTransfer.run(request, receiver: self)
        guard let end else { return outcome }
        guard part.size == end else { throw Short() }
        return outcome
    }

    // MARK: The answer

    func begin(_ response: HTTPURLResponse) throws -> Bool {
        let header = Header(response)
        switch response.statusCode {
        case 200: try beginWhole(header)
        case 206:
            guard let start, try beginRest(header, from: start) else { return false }
        case 416:
            // Perhaps everything has arrived already; only the hash can tell.
            if let start, mayTrust, ContentRange(header.contentRange)?.total == start {
                isContinuation = true
                outcome = .complete(isDelimited: true)
            }
            return false
        default: throw Refused(status: response.statusCode)
        }
        if let title { bar = Progress.begin(title, total: total, unit: "bytes", completed: part.size) }
        return true
    }

    func receive(_ bytes: UnsafeRawBufferPointer) throws {
        if let end, bytes.count > end - part.size {
            // More than was announced: which bytes are the right ones, nobody knows.
            try part.restart(nil)
            throw Short()
        }
        try part.append(bytes)
        bar?.advance(by: bytes.count)
    }

    /// The whole file comes, asked for or not: a server that ignores ranges, or has another file than before, answers so.
    private func beginWhole(_ header: Header) throws {
        end = header.isEncoded ? nil : header.length
        total = end
        // A part of an encoded body was decoded: no offset of the server's fits it.
        let record = PartFile.Record(source: source, entityTag: header.strongTag, lastModified: header.usableDate, size: end)
        try part.restart(header.isEncoded ? nil : record)
        try requireSpace(end)
        outcome = .complete(isDelimited: header.length != nil || header.isChunked)
    }

    /// The rest of the file comes, if every header agrees that it is this file's and begins where the part ends.
    private func beginRest(_ header: Header, from start: Int) throws -> Bool {
        guard !header.isEncoded, let range = ContentRange(header.contentRange), let bytes = range.bytes, bytes.lowerBound == start,
            let total = range.total ?? part.record?.size, total == part.record?.size ?? total, bytes.upperBound < total,
            header.length == nil || header.length == bytes.count
        else { return false }
        // A server that does not know If-Range sends the rest of a changed file, but it says so here.
        if let tag = part.record?.entityTag, let now = header.entityTag, now != tag { return false }
        if part.record?.entityTag == nil, let date = part.record?.lastModified, let now = header.lastModified, now != date { return false }
        isContinuation = true
        end = bytes.upperBound + 1
        self.total = total
        try requireSpace(end)
        outcome = bytes.upperBound + 1 == total ? .complete(isDelimited: true) : .more
        return true
    }

    private func requireSpace(_ end: Int?) throws {
        guard let end, let free = part.freeSpace, end - part.size > free else { return }
        throw SpikeletError(
            .fileSystem, "the disk is full: \(end - part.size) bytes are to come, and \(free) are free", at: part.destination,
            remedy: "free some space, or write to another disk")
    }
}

/// The headers of an answer that a download looks at.
struct Header {
    let length: Int?
    let contentRange: String?
    let isEncoded: Bool
    let isChunked: Bool
    let entityTag: String?
    let lastModified: String?
    private let date: String?

    init(_ response: HTTPURLResponse) {
        func field(_ name: String) -> String? {
            response.value(forHTTPHeaderField: name)?.trimmingCharacters(in: .whitespaces)
        }
        length = field("Content-Length").flatMap { $0.isEmpty ? nil : ContentRange.number($0) }
        contentRange = field("Content-Range")
        isEncoded = !["", "identity"].contains(field("Content-Encoding")?.lowercased() ?? "")
        isChunked = field("Transfer-Encoding") != nil
        entityTag = field("ETag")
        lastModified = field("Last-Modified")
        date = field("Date")
    }

    /// The tag, if equal tags mean equal bytes (RFC 9110, section 8.8.1).
    var strongTag: String? {
        entityTag.flatMap { $0.count >= 2 && $0.hasPrefix("\"") && $0.hasSuffix("\"") ? $0 : nil }
    }

    /// The date, unless the file may have changed again within the same second (RFC 9110, section 8.8.2.2).
    var usableDate: String? { lastModified == date ? nil : lastModified }
}
