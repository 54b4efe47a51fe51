import Spikelet

/// An array for each of the network's inputs, by name, from an `.npz` file: bytes become 0…1 by 1/255 where float32 is needed.
func readInputs(_ path: String, of graph: Graph) throws -> [Tensor] {
    let archive = try NPZ(path)
    return try graph.inputs.map { input in
        let array = try archive.array(input.name)
        switch input.type.elementType {
        case .float32:
            let tensor = Tensor(array.floats(), shape: array.shape)
            return array.elementType == .uint8 ? tensor.map { $0 / 255 } : tensor
        case .int64: return Tensor(try array.integers(), shape: array.shape)
        case .bool: return try array.tensor()
        }
    }
}

/// Writes the first output (`.npy`), or all by their names (`.npz`).
func writeOutputs(_ outputs: [Tensor], of graph: Graph, to path: String) throws {
    if path.lowercased().hasSuffix(".npz") {
        try NPZ.write(zip(graph.outputs, outputs).map { ($0.name, $1) }, to: path)
    } else {
        try NPY.write(outputs[0], to: path)
    }
}

extension DataOptions {
    /// The data at `path` for a network: where it has several inputs, an `.npz` file with an array for each.
    func loader(_ path: String, for graph: Graph) throws -> DataLoader {
        guard graph.inputs.count > 1 else { return try loader(path) }
        guard split == nil, labels == nil, !preparation.isGiven else {
            throw SpikeletError(
                .invalidOption, "the inputs of a network of several are taken as they are", at: path,
                remedy: "leave out --split, --labels, --mean, --std and the options of pictures, and prepare the arrays themselves")
        }
        return try DataLoader(Dataset(path: path, inputs: graph.inputs.map(\.name)), batchSize: batchSize, limit: limit)
    }
}
