import SpikeFiles
import SpikeGraph

extension DataLoader {
    /// A number that tells these samples from others, without going through them all: the SHA-256 of their count, their labels,
    /// and the first and the last of them. Batches of other sizes have the same.
    package func digest() throws -> String {
        let hash = SHA256Hash()
        func take(_ values: [some BitwiseCopyable]) { values.withUnsafeBytes { hash.update($0) } }
        take([count])
        for index in [0, count - 1] {
            for input in try DataLoader(self, only: index).first(1).joinedInputs {
                take(input.shape)
                switch input.storage {
                case .float32(let values): take(values)
                case .int64(let values): take(values)
                case .bool(let values): take(values)
                }
            }
        }
        take(orderedLabels ?? [])
        switch dataset.targets?.storage {
        case .float32(let values): take(values)
        case .int64(let values): take(values)
        case .bool(let values): take(values)
        case nil: take([Float]())
        }
        return try hash.finish()
    }
}

extension Dataset {
    /// The SHA-256 of a file.
    package static func digest(ofFile path: String) throws -> String {
        let (source, hash, piece) = (try ByteSource(path: path), SHA256Hash(), 1 << 20)
        for start in stride(from: 0, to: source.count, by: piece) {
            try source.bytes(at: start, count: min(piece, source.count - start)).withUnsafeBytes { hash.update($0) }
        }
        return try hash.finish()
    }
}
