import Spikelet

/// An array for each of the network's inputs, by name, from an `.npz` file: bytes become 0…1 by 1/255 where float32 is needed.
func readInputs(_ path: String, of graph: Graph) throws -> [Tensor] {
    let archive = try NPZ(path: path)
    for input in graph.inputs { _ = try archive.head(input.name) }
    for input in graph.inputs {
        // Before anything is unpacked: a few bytes can become gigabytes.
        let (head, wanted) = (try archive.head(input.name), input.type.shape)
        guard head.shape.count == wanted.rank, zip(head.shape, wanted.dimensions).allSatisfy({ $1.known ?? $0 == $0 }) else {
            throw SpikeletError(
                .invalidData, "input '\(input.name)' is \(head.elementType.rawValue)\(Shape(head.shape)), the network takes \(input.type)",
                at: path,
                remedy: "N is the number of samples; save each input in the network's own shape")
        }
    }
    return try graph.inputs.map { input in
        let array = try archive.array(input.name)
        switch input.type.elementType {
        case .float32: return try floats(array, at: "\(path): '\(input.name)'")
        case .int64: return Tensor(try array.integers(), shape: array.shape)
        case .bool: return try array.tensor()
        }
    }
}

/// The shape of one sample of an input that an `.npz` file holds under its name, without unpacking it; `nil` where there is none.
func sampleShape(of input: String, in path: String) throws -> [Int]? {
    guard path.lowercased().hasSuffix(".npz") else { return nil }
    let archive = try NPZ(path: path)
    return archive.names.contains(input) ? try Array(archive.head(input).shape.dropFirst()) : nil
}

/// The shape of one sample of an input: of the array under its name, or, of the first, of the samples of the file.
func inputShape(of input: String, _ position: Int, in path: String) throws -> [Int]? {
    if let shape = try sampleShape(of: input, in: path) { return shape }
    guard position == 0 else { return nil }
    let isArray = path.lowercased().hasSuffix(".npy")
    return try isArray ? Array(NPY.read(path).shape.dropFirst()) : Dataset(path: path).sampleShapes.first
}

/// Whether an archive is data as `evaluate` takes it, images with labels or without, and not the network's inputs by name.
func holdsDataset(_ path: String, for graph: Graph) throws -> Bool {
    guard path.lowercased().hasSuffix(".npz"), graph.inputs.count == 1 else { return false }
    let names = try NPZ(path: path).names
    return !names.contains(graph.inputs[0].name) && !Set(names).isDisjoint(with: Dataset.inputNames)
}

/// Writes the first output (`.npy`), or all by their names (`.npz`).
func writeOutputs(_ outputs: [Tensor], of graph: Graph, to path: String) throws {
    if path.lowercased().hasSuffix(".npz") {
        try NPZ.write(zip(graph.outputs, outputs).map { ($0.name, $1) }, to: path)
    } else {
        try NPY.write(outputs[0], to: path)
    }
}
