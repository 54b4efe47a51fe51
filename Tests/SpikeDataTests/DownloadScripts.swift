import CZlib
import SpikeData

extension DownloadOptions {
    /// For tests: no bar, short pauses.
    static var impatient: DownloadOptions {
        var options = DownloadOptions(showsProgress: false)
        options.pause = 0.01
        options.timeout = 10
        return options
    }
}

extension LocalServer.Connection {
    /// Answers as a good server does, but for what the parameters say.
    ///
    /// - Parameters:
    ///   - cutAfter: so many bytes of the body come; the headers promise all.
    ///   - validator: header lines that name the file.
    func serve(
        _ file: [UInt8], _ request: LocalServer.Request, cutAfter: Int? = nil, isReset: Bool = false, validator: String = "ETag: \"1\"",
        ignoresRange: Bool = false, ignoresIfRange: Bool = false
    ) {
        let names = request.headers["if-range"].map { validator.contains($0) } ?? true
        let start = ignoresRange || !(names || ignoresIfRange) ? nil : request.rangeStart
        var headers = [validator, "Accept-Ranges: bytes", "Content-Length: \(file.count - (start ?? 0))"]
        if let start {
            guard start < file.count else { return send(416, ["Content-Range: bytes */\(file.count)", "Content-Length: 0"]) }
            headers.append("Content-Range: bytes \(start)-\(file.count - 1)/\(file.count)")
        }
        let body = file.dropFirst(start ?? 0)
        send(start == nil ? 200 : 206, headers, Array(body.prefix(cutAfter ?? body.count)))
        if isReset { reset() }
    }

    /// Answers in chunks; a cut one ends within a chunk.
    func sendChunks(_ file: [UInt8], isCut: Bool) {
        send(200, ["Transfer-Encoding: chunked"])
        var rest = file[...]
        while !rest.isEmpty {
            let chunk = rest.prefix(40_000)
            rest = rest.dropFirst(40_000)
            let isLast = isCut && rest.count < 100_000
            send(Array((String(chunk.count, radix: 16) + "\r\n").utf8) + (isLast ? chunk.prefix(1000) : chunk))
            if isLast { return }
            send(Array("\r\n".utf8))
        }
        send(Array("0\r\n\r\n".utf8))
    }
}

struct CompressionFailure: Error {}

/// The bytes as one gzip member.
func gzip(_ bytes: [UInt8]) throws -> [UInt8] {
    var stream = z_stream()
    guard spike_deflate_init(&stream, 6, 15 + 16) == Z_OK else { throw CompressionFailure() }
    defer { deflateEnd(&stream) }
    var output = [UInt8](repeating: 0, count: bytes.count + bytes.count / 100 + 1000)
    var input = bytes
    let status = input.withUnsafeMutableBufferPointer { source in
        output.withUnsafeMutableBufferPointer { target in
            stream.next_in = source.baseAddress
            stream.avail_in = UInt32(source.count)
            stream.next_out = target.baseAddress
            stream.avail_out = UInt32(target.count)
            return deflate(&stream, Z_FINISH)
        }
    }
    guard status == Z_STREAM_END else { throw CompressionFailure() }
    return Array(output[..<Int(stream.total_out)])
}
