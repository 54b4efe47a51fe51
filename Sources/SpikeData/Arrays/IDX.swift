import SpikeFiles
import SpikeGraph

/// The file format of the MNIST family, plain or compressed with gzip: a type, sizes, then big-endian numbers.
///
/// Source: "The IDX file format", on the page of the MNIST database.
public enum IDX {
    /// Reads an array. Whether the file is compressed is seen from its bytes, not from its name.
    ///
    /// - Throws: ``SpikeletError``: `fileSystem`, or `malformedFile` for anything else than one whole array.
    public static func read(_ path: String) throws -> NumericArray {
        try array(ByteSource(path: path))
    }

    /// Reads an array from the bytes of a file.
    ///
    /// - Parameter name: the file's name, for messages.
    public static func read(bytes: [UInt8], name: String = "array-idx") throws -> NumericArray {
        try array(ByteSource(bytes, name: name))
    }

    private static let types: [UInt8: NumericType] = [
        0x08: .uint8, 0x09: .int8, 0x0B: .int16, 0x0C: .int32, 0x0D: .float32, 0x0E: .float64,
    ]

    /// The type and the shape of the array in a file, without reading, or decompressing, the rest.
    ///
    /// - Throws: ``SpikeletError``, as ``read(_:)``.
    package static func head(_ path: String) throws -> ArrayHead { try Layout(ByteSource(path: path)).head }

    private static func array(_ source: ByteSource) throws -> NumericArray {
        let layout = try Layout(source)
        var bytes =
            layout.isCompressed
            ? try decompressed(source) { try Deflate.inflate(whole(source), format: .gzip, size: layout.offset + layout.size) }
            : try source.bytes(at: 0, count: source.count)
        let head = layout.head
        swapBytes(&bytes, from: layout.offset, elementSize: head.elementType.size)
        return NumericArray(head.elementType, shape: head.shape, bytes: bytes[layout.offset...])
    }

    private static func whole(_ source: ByteSource) -> Deflate.Input { Deflate.Input(source: source, range: 0..<source.count) }

    /// What the beginning of a file says, held against its size.
    private struct Layout {
        let head: ArrayHead
        let isCompressed: Bool
        /// Where the values begin, and how many bytes they take.
        let (offset, size): (Int, Int)

        init(_ source: ByteSource) throws {
            isCompressed = try source.bytes(at: 0, count: min(2, source.count)) == [0x1F, 0x8B]
            // 255 axes at most, of 4 bytes each.
            let longestHeader = 4 + 255 * 4
            let start =
                isCompressed
                ? try decompressed(source) { try Deflate.prefix(of: whole(source), format: .gzip, count: longestHeader) }
                : try source.bytes(at: 0, count: min(longestHeader, source.count))
            let (elementType, shape) = try header(start, source)
            head = ArrayHead(elementType: elementType, shape: shape)
            offset = 4 + 4 * shape.count
            guard let size = Shape.count(of: shape, elementSize: elementType.size), size <= Int.max - offset else {
                throw source.malformed("its shape \(shape) is absurd: no machine holds so many values")
            }
            self.size = size
            if isCompressed {
                guard Deflate.isPossible(size: offset + size, compressedSize: source.count) else {
                    throw source.malformed("truncated: \(source.count) compressed bytes cannot hold shape \(shape)", remedy: .incomplete)
                }
            } else {
                let present = source.count - offset
                guard present >= size else {
                    throw source.malformed(
                        "truncated: \(elementType) values of shape \(shape) take \(size) bytes, and only \(present) are there",
                        remedy: .incomplete)
                }
                guard present == size else {
                    throw source.malformed("\(present - size) bytes follow after the array of shape \(shape)")
                }
            }
        }
    }

    private static func header(_ start: [UInt8], _ source: ByteSource) throws -> (NumericType, shape: [Int]) {
        guard start.count >= 4 else { throw source.malformed("truncated: the file ends in its header", remedy: .incomplete) }
        guard start[0] == 0, start[1] == 0, let type = types[start[2]] else {
            throw source.malformed("not an IDX file: it does not start with two zeros and a known element type")
        }
        let rank = Int(start[3])
        guard start.count >= 4 + 4 * rank else { throw source.malformed("truncated: the file ends in its header", remedy: .incomplete) }
        let shape = (0..<rank).map { axis in start[4 + 4 * axis..<8 + 4 * axis].reduce(0) { $0 << 8 | Int($1) } }
        return (type, shape)
    }

    private static func decompressed(_ source: ByteSource, _ body: () throws -> [UInt8]) throws -> [UInt8] {
        do {
            return try body()
        } catch let error as Deflate.Failure {
            switch error {
            case .tooShort: throw source.malformed("truncated: its compressed data ends too early", remedy: .incomplete)
            case .tooLong: throw source.malformed("more bytes follow after the array")
            case .damaged(let reason): throw source.malformed("its compressed data is damaged (\(reason))")
            case .outOfMemory: throw source.malformed("out of memory while decompressing", remedy: .other("use a machine with more memory"))
            }
        }
    }
}
