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
        let ordered = tensors.sorted { a, b in
            let (first, second) = (a.value.dataType.bits, b.value.dataType.bits)
            return first == second ? a.key.utf8.lexicographicallyPrecedes(b.key.utf8) : first > second
        }
        let header = try header(ordered, metadata: metadata, path: path)
        try AtomicFile.write(to: path) { file in
            try file.write([UInt64(header.count).littleEndian])
            try file.write(header)
            for (_, tensor) in ordered {
                switch tensor.storage {
                case .float32(let values): try file.write(values)
                case .int64(let values): try file.write(values)
                case .bool(let values): try file.write(values.map { $0 ? UInt8(1) : 0 })
                }
            }
        }
    }

    /// The header, padded with spaces so that the data begin at a multiple of 8.
    private static func header(
        _ tensors: [(key: String, value: Tensor)], metadata: [String: String], path: String
    ) throws -> [UInt8] {
        var members = SafetensorsHeader.Members(metadata: metadata, tensors: [:])
        var position = 0
        for (name, tensor) in tensors {
            guard name != metadataKey else {
                throw SpikeletError(.invalidData, "no tensor can be named '\(name)'", at: path, remedy: "give it another name")
            }
            let end = position + tensor.count * tensor.dataType.bits / 8
            members.tensors[name] = SafetensorsHeader.TensorMember(
                dtype: tensor.dataType.rawValue, shape: tensor.shape, dataOffsets: [position, end])
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

extension Tensor {
    /// The format's name for the element type.
    fileprivate var dataType: SafetensorsFile.DataType {
        switch elementType {
        case .float32: .float32
        case .int64: .int64
        case .bool: .bool
        }
    }
}
