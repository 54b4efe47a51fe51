import Spikelet

/// Samples in portions that a network takes one after the other. Memory then depends on the size of a
/// portion and of the results; the results do not depend on it.
struct SamplePortions {
    private let path: String
    private let loader: DataLoader
    /// The number of samples.
    let count: Int

    /// The samples of an `.npy` file.
    ///
    /// - Parameter path: `[N, …]`. Bytes become 0…1 by 1/255, other numbers float32.
    init(_ path: String, for graph: Graph) throws {
        let dataset = try Dataset(readArray(path), name: path)
        noteCautions(of: dataset)
        try self.init(dataset, at: path, for: graph)
    }

    /// - Parameter path: where they come from.
    init(_ dataset: Dataset, at path: String, for graph: Graph) throws {
        self.path = path
        count = dataset.count
        loader = try DataLoader(dataset, batchSize: graph.portionSize(of: count))
    }

    /// Calls `body` with one portion after the other. ``Progress`` tells how far it has come.
    func forEach(_ title: String, _ body: (Batch) throws -> Void) throws {
        try loader.forEach(title) { portion in try locating(path) { try body(portion.batch) } }
    }
}

/// Tells that the slow way was taken, and why.
func noteReference(_ reason: String?) {
    if let reason { note("note: the reference executor simulates, which is slow: \(reason)") }
}

/// Tells what a person should know of the data.
func noteCautions(of dataset: Dataset) {
    for caution in dataset.cautions { note("note: \(caution)") }
}

/// An `.npy` file as a network's input, all samples at once: bytes become 0…1 by 1/255, other numbers float32.
func readInput(_ path: String) throws -> Tensor { try floats(readArray(path), at: path) }

/// An array as a network's input: bytes become 0…1 by 1/255, other numbers float32.
///
/// - Parameter path: where it comes from, for notes.
func floats(_ array: NumericArray, at path: String) throws -> Tensor {
    guard array.elementType == .uint8, array.count > 0 else { return Tensor(array.floats(), shape: array.shape) }
    let dataset = try Dataset(array, name: path)
    noteCautions(of: dataset)
    return try dataset.batch(at: Array(0..<dataset.count)[...]).inputs[0]
}

/// An `.npy` file of an input that is another one in every step, `[T, N, …]`. Bytes are counts or marks of events there, and are taken
/// as they are.
func readEvents(_ path: String) throws -> Tensor {
    let array = try readArray(path)
    if array.elementType == .uint8 {
        note("note: \(Dataset.cautionOfBytes(path))")
    }
    return Tensor(array.floats(), shape: array.shape)
}

private func readArray(_ path: String) throws -> NumericArray {
    guard !path.lowercased().hasSuffix(".npz") else {
        throw SpikeletError(
            .invalidData, "--input takes one array (.npy), this is an archive of them", at: path,
            remedy: "save the inputs by themselves, as in numpy.save('x.npy', numpy.load('\(path)')['images'])")
    }
    return try NPY.read(path)
}
