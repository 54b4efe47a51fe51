import SpikeFiles
public import SpikeGraph

extension SafetensorsFile {
    /// Writes tensors and text as one file, as a whole or not at all: what stood at `path` before stays until the new file
    /// is on the disk.
    ///
    /// The same content gives the same bytes: the widest data type first, as the format recommends, then by name.
    ///
    /// - Throws: ``SpikeletError``: `fileSystem` where it cannot be written, `invalidData` for a name that the format keeps
    ///   for itself, or more names and text than a header may hold.
    public static func write(_ tensors: [String: Tensor], metadata: [String: String] = [:], to path: String) throws {
        try write(tensors, bytes: [:], metadata: metadata, to: path)
    }

    /// - Parameter bytes: written as tensors of type U8 and rank 1; no name of `tensors` may be among theirs.
    static func write(_ tensors: [String: Tensor], bytes: [String: FilePart], metadata: [String: String], to path: String) throws {
        let contents = tensors.mapValues { Content.tensor($0) }.merging(bytes.mapValues { .bytes($0) }) { tensor, _ in tensor }
        let ordered = contents.sorted { a, b in
            let (first, second) = (a.value.dataType.bits, b.value.dataType.bits)
            return first == second ? a.key.utf8.lexicographicallyPrecedes(b.key.utf8) : first > second
        }
        let header = try header(ordered, metadata: metadata, path: path)
        try AtomicFile.write(to: path) { file in
            try file.write([UInt64(header.count).littleEndian])
            try file.write(header)
            for (_, content) in ordered { try content.write(to: file) }
        }
    }

    /// The header, padded with spaces so that the data begin at a multiple of 8.
    private static func header(
        _ contents: [(key: String, value: Content)], metadata: [String: String], path: String
    ) throws -> [UInt8] {
        var members = SafetensorsHeader.Members(metadata: metadata, tensors: [:])
        var position = 0
        for (name, content) in contents {
            guard name != metadataKey else {
                throw SpikeletError(.invalidData, "no tensor can be named '\(name)'", at: path, remedy: "give it another name")
            }
            let end = position + content.shape.reduce(1, *) * content.dataType.bits / 8
            members.tensors[name] = SafetensorsHeader.TensorMember(
                dtype: content.dataType.rawValue, shape: content.shape, dataOffsets: [position, end])
            position = end
        }
        var header = try JSON.encode(members)
        header += [UInt8](repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
        guard header.count <= headerLimit else {
            throw SpikeletError(
                .invalidData, "a header of \(header.count) bytes, more than \(headerLimit) are not allowed", at: path,
                remedy: "shorten the metadata")
        }
        return header
    }
}

/// What stands under a name.
private enum Content {
    case tensor(Tensor)
    case bytes(FilePart)

    var shape: [Int] {
        switch self {
        case .tensor(let tensor): tensor.shape
        case .bytes(let part): [part.range.count]
        }
    }

    /// The format's name for the element type.
    var dataType: SafetensorsFile.DataType {
        switch self {
        case .bytes: .uint8
        case .tensor(let tensor):
            switch tensor.elementType {
            case .float32: .float32
            case .int64: .int64
            case .bool: .bool
            }
        }
    }

    func write(to file: OpenFile) throws {
        switch self {
        case .bytes(let part): try file.write(part.bytes())
        case .tensor(let tensor):
            switch tensor.storage {
            case .float32(let values): try file.write(values)
            case .int64(let values): try file.write(values)
            case .bool(let values): try file.write(values.map { $0 ? UInt8(1) : 0 })
            }
        }
    }
}
