import SpikeGraph

/// NIR files: HDF5, read and written through libhdf5, where Spikelet is built with it (the package trait `NIR`).
public enum NIRFile {
    /// The version of NIR that files name.
    public static let version = "1.0.8"

    /// Whether this build has libhdf5.
    public static var isSupported: Bool {
        #if NIR
        true
        #else
        false
        #endif
    }

    /// Writes a graph, as a whole or not at all. The same graph gives the same bytes.
    ///
    /// - Throws: ``SpikeletError``: `fileSystem`; `unsupported` for a node that NIR does not have, or without libhdf5.
    public static func write(_ graph: NIRGraph, to path: String) throws {
        do {
            try HDF5Tree.group(["version": .text(version), "node": try graph.tree()]).write(to: path)
        } catch let error as SpikeletError {
            throw error.location == nil ? error.located(path) : error
        }
    }

    /// Reads a graph of any version so far. libhdf5 works in a process of its own, so that a damaged file ends in an error.
    ///
    /// - Throws: ``SpikeletError``: `fileSystem`, `malformedFile`; `unsupported` for a node of a kind that is not known, or
    ///   without libhdf5.
    public static func read(_ path: String) throws -> NIRGraph {
        guard case .group(let members) = try HDF5Tree.read(path), let node = members["node"] else {
            throw SpikeletError(
                .malformedFile, "this HDF5 file holds no NIR graph", at: path,
                remedy: "give a file that nir.write made; of a Keras model tf2onnx makes an ONNX file")
        }
        return try NIRGraph(node, at: path)
    }
}
