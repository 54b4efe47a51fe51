import SpikeFiles
import SpikeGraph

/// A file's header, checked.
struct SafetensorsHeader {
    var metadata: [String: String] = [:]
    var entries: [SafetensorsFile.Entry] = []
    /// Where the data begin.
    let end: Int

    init(_ source: ByteSource) throws {
        guard source.count >= 8 else {
            throw SpikeletError(.malformedFile, "the file has \(source.count) bytes, not even the 8 of the header's length", at: "byte 0")
        }
        let length = UInt64(littleEndian: try source.values(at: 0, count: 1, as: UInt64.self)[0])
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
        let bytes = try source.bytes(at: 8, count: Int(length))
        guard bytes.first == UInt8(ascii: "{") else {
            throw SpikeletError(.malformedFile, "the header is not a JSON object", at: "byte 8")
        }
        let members: Members
        do {
            members = try JSON.decode(Members.self, from: bytes)
        } catch let error as DecodingError {
            throw Self.malformed(error)
        }
        metadata = members.metadata
        entries = try members.tensors.map { try Self.entry($0, $1) }.sorted {
            ($0.byteRange.lowerBound, $0.byteRange.upperBound, $0.name) < ($1.byteRange.lowerBound, $1.byteRange.upperBound, $1.name)
        }
        // Of two tensors of one name, the decoder keeps one; the other's bytes are then missed here.
        try checkPlaces(dataLength: source.count - end)
    }

    /// A header that is no JSON, or JSON of another form.
    private static func malformed(_ error: DecodingError) -> SpikeletError {
        switch error.codingPath.first?.stringValue {
        case nil: SpikeletError(.malformedFile, error.sentence(about: "the header"), at: "byte 8")
        case SafetensorsFile.metadataKey:
            SpikeletError(.malformedFile, "\(SafetensorsFile.metadataKey) is not a map of strings to strings", at: "header")
        case let name?: SpikeletError(.malformedFile, "dtype, shape or data_offsets is missing or malformed", at: "tensor '\(name)'")
        }
    }

    private static func entry(_ name: String, _ tensor: TensorMember) throws -> SafetensorsFile.Entry {
        func failure(_ message: String) -> SpikeletError { SpikeletError(.malformedFile, message, at: "tensor '\(name)'") }
        let (shape, offsets) = (tensor.shape, tensor.dataOffsets)
        guard offsets.count == 2 else { throw failure("dtype, shape or data_offsets is missing or malformed") }
        guard let type = SafetensorsFile.DataType(rawValue: tensor.dtype) else {
            throw SpikeletError(
                .malformedFile, "the data type '\(tensor.dtype)' is not known", at: "tensor '\(name)'",
                remedy: "known are \(SafetensorsFile.DataType.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        guard shape.allSatisfy({ $0 >= 0 }), offsets[0] >= 0, offsets[1] >= offsets[0] else {
            throw failure("a negative size or place: shape \(shape), data_offsets \(offsets)")
        }
        guard let bits = Shape.count(of: shape, elementSize: type.bits) else {
            throw failure("the shape \(shape) has more elements than can be counted")
        }
        guard bits % 8 == 0, bits / 8 == offsets[1] - offsets[0] else {
            throw failure("\(offsets[1] - offsets[0]) bytes for \(tensor.dtype)\(shape), which takes \(bits) bits")
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

extension SafetensorsHeader {
    /// What the header's JSON says of one tensor, under the format's own names.
    struct TensorMember: Codable {
        var dtype: String
        var shape: [Int]
        var dataOffsets: [Int]

        private enum CodingKeys: String, CodingKey {
            case dtype, shape
            case dataOffsets = "data_offsets"
        }
    }

    /// The header's JSON: text under `__metadata__`, and the tensors.
    struct Members: Codable {
        var metadata: [String: String] = [:]
        var tensors: [String: TensorMember] = [:]

        private struct Name: CodingKey {
            static let metadata = Name(SafetensorsFile.metadataKey)

            var stringValue: String
            var intValue: Int? { nil }

            init(_ name: String) { stringValue = name }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        init(metadata: [String: String], tensors: [String: TensorMember]) {
            self.metadata = metadata
            self.tensors = tensors
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Name.self)
            for key in container.allKeys {
                do {
                    if key.stringValue == SafetensorsFile.metadataKey {
                        metadata = try container.decode([String: String].self, forKey: key)
                    } else {
                        tensors[key.stringValue] = try container.decode(TensorMember.self, forKey: key)
                    }
                } catch {
                    // Foundation does not say where a number stands that fits no Int.
                    throw DecodingError.dataCorruptedError(forKey: key, in: container, debugDescription: "\(error)")
                }
            }
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Name.self)
            if !metadata.isEmpty { try container.encode(metadata, forKey: .metadata) }
            for (name, tensor) in tensors { try container.encode(tensor, forKey: Name(name)) }
        }
    }
}
