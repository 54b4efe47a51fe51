import SpikeGraph

extension Graph {
    /// The batch size that shapes are counted at: 1, or the one that the network is fixed to.
    var countedBatch: Int { max(1, inputs.first?.type.shape.dimensions.first?.known ?? 1) }

    /// The shape of a value at ``countedBatch`` samples.
    func countedShape(of value: String) -> [Int]? { types[value]?.shape.resolved(batch: countedBatch) }

    /// The number of elements of a value that belong to one sample.
    func sizePerSample(of value: String) -> Int? { countedShape(of: value).map { $0.reduce(1, *) / countedBatch } }
}
