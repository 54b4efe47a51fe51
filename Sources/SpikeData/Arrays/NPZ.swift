import SpikeFiles
public import SpikeGraph

/// NumPy's archive of named arrays, `.npz`: a ZIP file of `.npy` files, stored or compressed.
public struct NPZ: Sendable {
    private let path: String
    private let archive: ZIPReader

    /// Opens an archive. Its arrays are read when they are asked for.
    ///
    /// - Throws: ``SpikeletError``: `fileSystem`, `malformedFile`.
    public init(path: String) throws {
        self.path = path
        self.archive = try ZIPReader(ByteSource(path: path))
    }

    /// Opens an archive in memory.
    ///
    /// - Parameter name: the file's name, for messages.
    public init(bytes: [UInt8], name: String = "arrays.npz") throws {
        self.path = name
        self.archive = try ZIPReader(ByteSource(bytes, name: name))
    }

    /// The names of the arrays, in the file's order.
    public var names: [String] {
        archive.entries.compactMap { $0.name.hasSuffix(".npy") ? String($0.name.dropLast(4)) : nil }
    }

    /// Reads the array `name`.
    ///
    /// - Throws: ``SpikeletError``: `invalidData` where there is none of that name, `malformedFile`.
    public func array(_ name: String) throws -> NumericArray {
        _ = try head(name)
        return try NPY.read(bytes: try archive.contents(of: entry(name)), name: "\(path): array '\(name)'")
    }

    /// The type and the shape of the array `name`, and how many bytes are there for it, without unpacking it: a few bytes of an archive can
    /// become gigabytes, so that whatever can be told from this is told first.
    ///
    /// - Throws: ``SpikeletError``, as ``array(_:)``.
    package func head(_ name: String) throws -> ArrayHead {
        let entry = try entry(name)
        let start = try archive.start(of: entry, count: NPYHeader.longestStart)
        let header = try NPYHeader(ByteSource(start, name: "\(path): array '\(name)'"), size: entry.size)
        return ArrayHead(elementType: header.elementType, shape: header.shape)
    }

    private func entry(_ name: String) throws -> ZIPReader.Entry {
        guard let entry = archive.entries.first(where: { $0.name == name + ".npy" }) else {
            throw SpikeletError(.invalidData, "it has no array '\(name)'", at: path, remedy: contentsHint)
        }
        return entry
    }

    /// What the archive holds, for messages.
    var contentsHint: String {
        let names = self.names
        guard !names.isEmpty else { return "the archive holds no arrays" }
        let shown = names.prefix(10).map { "'\($0)'" }.joined(separator: ", ")
        return "it holds \(shown)" + (names.count > 10 ? " and \(names.count - 10) more" : "")
    }

    /// Writes tensors under their names. The file appears whole or not at all; the same tensors give the same bytes.
    ///
    /// - Parameters:
    ///   - compressed: smaller, and slower to write.
    /// - Throws: ``SpikeletError``: `fileSystem`; `invalidData` for names that cannot be told apart.
    public static func write(_ tensors: [(name: String, tensor: Tensor)], to path: String, compressed: Bool = false) throws {
        guard Set(tensors.map(\.name)).count == tensors.count else {
            throw SpikeletError(.invalidData, "two arrays have the same name", at: path, remedy: "give every array a name of its own")
        }
        if let long = tensors.first(where: { $0.name.utf8.count > 1000 || $0.name.isEmpty }) {
            throw SpikeletError(
                .invalidData, "the array name '\(long.name.prefix(40))' is empty or too long", at: path, remedy: "use 1 to 1000 bytes")
        }
        try AtomicFile.write(to: path) { file in
            var archive = ZIPWriter(file, path: path)
            for (name, tensor) in tensors {
                let header = NPYHeader.encoded(tensor.elementType, shape: tensor.shape)
                try header.withUnsafeBytes { header in
                    try tensor.withUnsafeBytes { try archive.add(name + ".npy", [header, $0], isCompressed: compressed) }
                }
            }
            try archive.finish()
        }
    }
}
