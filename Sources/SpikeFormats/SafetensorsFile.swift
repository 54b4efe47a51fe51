import SpikeFiles
import SpikeGraph

/// A safetensors file: named tensors and a little text beside them. Any such file, not only Spikelet's own.
///
/// Layout: the header's length (8 bytes, little-endian), the header (JSON: for each tensor its data type, shape and place;
/// under `__metadata__` a map of strings), then the tensors' bytes one after another. Opening a file checks all of the
/// header against the file's length; a tensor's bytes are read when they are asked for.
///
/// Source: the format's description at <https://github.com/huggingface/safetensors>, whose limits hold here too.
public struct SafetensorsFile: Sendable {
    /// The types of elements that the format knows.
    public enum DataType: String, Sendable, Hashable, CaseIterable {
        /// A byte that is 0 or 1.
        case bool = "BOOL"
        /// 4 bits: a sign, two of exponent, one of mantissa.
        case float4 = "F4"
        /// 6 bits: two of exponent, three of mantissa.
        case float6e2m3 = "F6_E2M3"
        /// 6 bits: three of exponent, two of mantissa.
        case float6e3m2 = "F6_E3M2"
        /// A whole number of 8 bits without a sign.
        case uint8 = "U8"
        /// A whole number of 8 bits.
        case int8 = "I8"
        /// 8 bits: five of exponent, two of mantissa.
        case float8e5m2 = "F8_E5M2"
        /// 8 bits: four of exponent, three of mantissa.
        case float8e4m3 = "F8_E4M3"
        /// 8 bits of exponent alone.
        case float8e8m0 = "F8_E8M0"
        /// A whole number of 16 bits.
        case int16 = "I16"
        /// A whole number of 16 bits without a sign.
        case uint16 = "U16"
        /// IEEE 754's number of 16 bits.
        case float16 = "F16"
        /// The upper half of a float32.
        case bfloat16 = "BF16"
        /// A whole number of 32 bits.
        case int32 = "I32"
        /// A whole number of 32 bits without a sign.
        case uint32 = "U32"
        /// IEEE 754's number of 32 bits.
        case float32 = "F32"
        /// Two float32: real and imaginary part.
        case complex64 = "C64"
        /// IEEE 754's number of 64 bits.
        case float64 = "F64"
        /// A whole number of 64 bits.
        case int64 = "I64"
        /// A whole number of 64 bits without a sign.
        case uint64 = "U64"

        /// The bits of one element.
        public var bits: Int {
            switch self {
            case .float4: 4
            case .float6e2m3, .float6e3m2: 6
            case .bool, .uint8, .int8, .float8e5m2, .float8e4m3, .float8e8m0: 8
            case .int16, .uint16, .float16, .bfloat16: 16
            case .int32, .uint32, .float32: 32
            case .complex64, .float64, .int64, .uint64: 64
            }
        }
    }

    /// What the header says of one tensor.
    public struct Entry: Sendable, Hashable {
        /// The tensor's name in the file.
        public let name: String
        /// The type of its elements.
        public let dataType: DataType
        /// The size of each axis.
        public let shape: [Int]
        /// Where its bytes stand, counted from the end of the header.
        public let byteRange: Range<Int>
    }

    /// The longest header that is read or written, in bytes; the format's own limit.
    public static let headerLimit = 100_000_000
    static let metadataKey = "__metadata__"

    /// The text under `__metadata__`.
    public let metadata: [String: String]
    /// The tensors, in the order of their bytes.
    public let entries: [Entry]
    let source: ByteSource
    let dataStart: Int
    private let positions: [String: Int]

    /// Opens a file and checks its header. The file stays open as long as the value lives.
    ///
    /// - Throws: ``SpikeletError``: `fileSystem` where there is no such file, `malformedFile` with the byte or the tensor
    ///   where it is not what the format says.
    public init(path: String) throws {
        try self.init(ByteSource(path: path))
    }

    /// Reads a file that is in memory.
    ///
    /// - Parameter name: for messages.
    /// - Throws: ``SpikeletError``, as ``init(path:)``.
    public init(bytes: [UInt8], name: String = "safetensors data") throws {
        try self.init(ByteSource(bytes, name: name))
    }

    private init(_ source: ByteSource) throws {
        do {
            let header = try SafetensorsHeader(source)
            self.metadata = header.metadata
            self.entries = header.entries
            self.dataStart = header.end
            self.source = source
            self.positions = Dictionary(uniqueKeysWithValues: header.entries.enumerated().map { ($1.name, $0) })
        } catch var error as SpikeletError where error.code == .malformedFile {
            error.remedy = error.remedy ?? "the file is damaged or not a safetensors file: fetch or write it again"
            throw error.located(source.name)
        }
    }

    /// The tensor of this name, if the file holds it.
    public func entry(named name: String) -> Entry? { positions[name].map { entries[$0] } }
}
