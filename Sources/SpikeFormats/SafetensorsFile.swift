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
        try self.init(ByteSource(bytes: bytes, name: name))
    }

    private init(_ source: ByteSource) throws {
        do {
            let header = try Header(source)
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

/// The header, checked.
private struct Header {
    var metadata: [String: String] = [:]
    var entries: [SafetensorsFile.Entry] = []
    /// Where the data begin.
    let end: Int

    init(_ source: ByteSource) throws {
        guard source.count >= 8 else {
            throw SpikeletError(.malformedFile, "the file has \(source.count) bytes, not even the 8 of the header's length", at: "byte 0")
        }
        let length = UInt64(littleEndian: try source.values(0..<8, as: UInt64.self)[0])
        guard length <= UInt64(SafetensorsFile.headerLimit) else {
            throw SpikeletError(
                .malformedFile, "a header of \(length) bytes, more than \(SafetensorsFile.headerLimit) are not allowed", at: "byte 0")
        }
        guard length <= UInt64(source.count - 8) else {
            throw SpikeletError(
                .malformedFile, "a header of \(length) bytes, but only \(source.count - 8) follow", at: "byte 0",
                remedy: "the file is cut short or not a safetensors file: fetch or write it again")
        }
        end = 8 + Int(length)
        let bytes = try source.values(8..<end, as: UInt8.self)
        guard bytes.first == UInt8(ascii: "{"), case .object(var members) = try JSONParser.parse(bytes, origin: 8) else {
            throw SpikeletError(.malformedFile, "the header is not a JSON object", at: "byte 8")
        }
        if let value = members.removeValue(forKey: SafetensorsFile.metadataKey) {
            guard let texts = value.object, case let strings = texts.compactMapValues(\.string), strings.count == texts.count else {
                throw SpikeletError(.malformedFile, "\(SafetensorsFile.metadataKey) is not a map of strings to strings", at: "header")
            }
            metadata = strings
        }
        entries = try members.map { try Self.entry($0, $1) }.sorted {
            ($0.byteRange.lowerBound, $0.byteRange.upperBound, $0.name) < ($1.byteRange.lowerBound, $1.byteRange.upperBound, $1.name)
        }
        try checkPlaces(dataLength: source.count - end)
    }

    private static func entry(_ name: String, _ value: JSONValue) throws -> SafetensorsFile.Entry {
        func failure(_ message: String) -> SpikeletError { SpikeletError(.malformedFile, message, at: "tensor '\(name)'") }
        guard let members = value.object, let typeName = members["dtype"]?.string, let shape = members["shape"]?.integers,
            let offsets = members["data_offsets"]?.integers, offsets.count == 2
        else { throw failure("dtype, shape or data_offsets is missing or malformed") }
        guard let type = SafetensorsFile.DataType(rawValue: typeName) else {
            throw SpikeletError(
                .malformedFile, "the data type '\(typeName)' is not known", at: "tensor '\(name)'",
                remedy: "known are \(SafetensorsFile.DataType.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        guard shape.allSatisfy({ $0 >= 0 }), offsets[0] >= 0, offsets[1] >= offsets[0] else {
            throw failure("a negative size or place: shape \(shape), data_offsets \(offsets)")
        }
        // Zeros are left out at first, so that the sizes may be multiplied in any order later.
        var bits = type.bits
        for size in shape where size > 0 {
            let (product, overflow) = bits.multipliedReportingOverflow(by: size)
            guard !overflow else { throw failure("the shape \(shape) has more elements than can be counted") }
            bits = product
        }
        if shape.contains(0) { bits = 0 }
        guard bits % 8 == 0, bits / 8 == offsets[1] - offsets[0] else {
            throw failure("\(offsets[1] - offsets[0]) bytes for \(typeName)\(shape), which takes \(bits) bits")
        }
        return SafetensorsFile.Entry(name: name, dataType: type, shape: shape, byteRange: offsets[0]..<offsets[1])
    }

    /// The tensors follow one another, and fill the file to its end.
    private func checkPlaces(dataLength: Int) throws {
        var position = 0
        for entry in entries {
            guard entry.byteRange.upperBound <= dataLength else {
                throw SpikeletError(
                    .malformedFile, "its data end at byte \(entry.byteRange.upperBound) of the data, of which the file has \(dataLength)",
                    at: "tensor '\(entry.name)'", remedy: "the file is cut short: fetch or write it again")
            }
            guard entry.byteRange.lowerBound == position else {
                let fault = entry.byteRange.lowerBound < position ? "overlap with another tensor's" : "leave a gap before them"
                throw SpikeletError(
                    .malformedFile,
                    "its data begin at byte \(entry.byteRange.lowerBound) of the data and \(fault); \(position) is expected",
                    at: "tensor '\(entry.name)'")
            }
            position = entry.byteRange.upperBound
        }
        guard position == dataLength else {
            throw SpikeletError(.malformedFile, "\(dataLength - position) bytes belong to no tensor", at: "byte \(end + position)")
        }
    }
}
