import CZlib
import SpikeFiles
import SpikeGraph

/// The deflate compression of ZIP and gzip files, through zlib.
enum Deflate {
    enum Format {
        /// Bare deflate data, as in ZIP files.
        case raw
        /// One or more gzip members; their checksums are verified.
        case gzip

        fileprivate var windowBits: Int32 { self == .raw ? -15 : 15 + 16 }
    }

    /// Why bytes could not be decompressed.
    enum Failure: Error {
        /// The compressed data ends too early, or holds fewer bytes than were expected.
        case tooShort
        /// More bytes come out than were expected, or more go in than one stream takes.
        case tooLong
        case damaged(String)
        case outOfMemory
    }

    /// No deflate data becomes larger than this many times its size: 258 bytes for 2 bits. (zlib, "A massively spiffy yet delicately
    /// unobtrusive compression library", technical details: 1032:1.) A claim of more is a lie, and nothing is allocated for it.
    static func isPossible(size: Int, compressedSize: Int) -> Bool {
        size / 1032 <= compressedSize
    }

    /// Compressed bytes of a file, which are read piece by piece while they are decompressed.
    struct Input {
        var source: ByteSource
        var range: Range<Int>
    }

    /// Decompresses all of `input`, which must become `size` bytes: neither fewer nor more.
    ///
    /// - Throws: ``Failure``; what reading the file throws.
    static func inflate(_ input: Input, format: Format, size: Int) throws -> [UInt8] {
        guard isPossible(size: size, compressedSize: input.range.count) else { throw Failure.tooShort }
        let (output, state) = try run(input, format: format, capacity: size)
        switch state {
        case .ended(let rest) where output.count == size && rest == 0: return output
        case .ended where output.count < size: throw Failure.tooShort
        case .inputUsedUp: throw Failure.tooShort
        default: throw Failure.tooLong
        }
    }

    /// Decompresses the first `count` bytes, or all where there are fewer.
    ///
    /// - Throws: as ``inflate(_:format:size:)``.
    static func prefix(of input: Input, format: Format, count: Int) throws -> [UInt8] {
        try run(input, format: format, capacity: count).output
    }

    private enum State {
        /// All streams ended, with `rest` bytes of input left over.
        case ended(rest: Int)
        case inputUsedUp
        case outputFull
    }

    private static func run(_ input: Input, format: Format, capacity: Int) throws -> (output: [UInt8], State) {
        guard capacity < Int.max, hasMemory(for: capacity) else { throw Failure.outOfMemory }
        var stream = z_stream()
        guard spike_inflate_init(&stream, format.windowBits) == Z_OK else { throw Failure.outOfMemory }
        defer { inflateEnd(&stream) }
        var state = State.inputUsedUp
        // One byte more than is wanted shows whether there is more.
        let output = try [UInt8](unsafeUninitializedCapacity: capacity + 1) { target, initialized in
            let wanted = UnsafeMutableBufferPointer(rebasing: target[..<(capacity + 1)])
            state = try inflate(&stream, from: input, into: wanted, produced: &initialized, format: format)
            if initialized > capacity { state = .outputFull }
            initialized = min(initialized, capacity)
        }
        return (output, state)
    }

    private static func inflate(
        _ stream: inout z_stream, from input: Input, into target: UnsafeMutableBufferPointer<UInt8>, produced: inout Int, format: Format
    ) throws -> State {
        // zlib counts in 32 bits: large results go through it in pieces.
        let (inputPiece, outputPiece) = (1 << 18, 1 << 30)
        var place = input.range.lowerBound
        while true {
            let piece = try input.source.bytes(at: place, count: min(inputPiece, input.range.upperBound - place))
            let end = try piece.withUnsafeBufferPointer { source -> State? in
                var consumed = 0
                defer { place += consumed }
                while true {
                    let room = min(target.count - produced, outputPiece)
                    // zlib does not write through the pointer to its input, but its C type says that it may.
                    stream.next_in = source.baseAddress.map { UnsafeMutablePointer(mutating: $0 + consumed) }
                    stream.avail_in = UInt32(source.count - consumed)
                    stream.next_out = target.baseAddress.map { $0 + produced }
                    stream.avail_out = UInt32(room)
                    let status = CZlib.inflate(&stream, Z_NO_FLUSH)
                    consumed = source.count - Int(stream.avail_in)
                    produced += room - Int(stream.avail_out)
                    let rest = input.range.upperBound - place - consumed
                    switch status {
                    case Z_STREAM_END:
                        guard format == .gzip, rest > 0 else { return .ended(rest: rest) }
                        guard inflateReset(&stream) == Z_OK else { throw Failure.outOfMemory }
                    case Z_OK, Z_BUF_ERROR:
                        if produced == target.count { return .outputFull }
                        if rest == 0 { return .inputUsedUp }
                    case Z_MEM_ERROR: throw Failure.outOfMemory
                    default: throw Failure.damaged(stream.msg.map { String(cString: $0) } ?? "error \(status)")
                    }
                    if consumed == source.count { return nil }
                }
            }
            if let end { return end }
        }
    }

    /// Compresses the concatenation of `parts` to bare deflate data.
    static func deflate(_ parts: [UnsafeRawBufferPointer]) throws(Failure) -> [UInt8] {
        var stream = z_stream()
        guard spike_deflate_init(&stream, Z_DEFAULT_COMPRESSION, Format.raw.windowBits) == Z_OK else { throw .outOfMemory }
        defer { deflateEnd(&stream) }
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        for (number, part) in parts.enumerated() {
            var consumed = 0
            var status = Z_OK
            let isLast = number == parts.count - 1
            repeat {
                let available = min(part.count - consumed, 1 << 30)
                let flush = isLast && consumed + available == part.count ? Z_FINISH : Z_NO_FLUSH
                stream.next_in = part.baseAddress.map {
                    UnsafeMutableRawPointer(mutating: $0 + consumed).assumingMemoryBound(to: UInt8.self)
                }
                stream.avail_in = UInt32(available)
                let produced = chunk.withUnsafeMutableBufferPointer { target in
                    stream.next_out = target.baseAddress
                    stream.avail_out = UInt32(target.count)
                    status = CZlib.deflate(&stream, flush)
                    return target.count - Int(stream.avail_out)
                }
                guard status != Z_STREAM_ERROR else { throw .outOfMemory }
                consumed += available - Int(stream.avail_in)
                output += chunk[..<produced]
            } while consumed < part.count || (isLast && status != Z_STREAM_END)
        }
        return output
    }
}
