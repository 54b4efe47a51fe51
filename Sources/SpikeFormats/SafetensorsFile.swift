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
        case bool = "BOOL"
        case float4 = "F4"
        case float6e2m3 = "F6_E2M3"
        case float6e3m2 = "F6_E3M2"
        case uint8 = "U8"
        case int8 = "I8"
        case float8e5m2 = "F8_E5M2"
        case float8e4m3 = "F8_E4M3"
        case float8e8m0 = "F8_E8M0"
        case int16 = "I16"
        case uint16 = "U16"
        case float16 = "F16"
        case bfloat16 = "BF16"
        case int32 = "I32"
        case uint32 = "U32"
        case float32 = "F32"
        case complex64 = "C64"
        case float64 = "F64"
        case int64 = "I64"
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
        public let name: String
        public let dataType: DataType
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
