extension Graph {
    /// The number of samples that every batch must have; `nil` where any number will do.
    package var fixedBatch: Int? { inputs.first?.type.shape.dimensions.first?.known }

    /// The batch size that shapes are counted at: 1, or the one that the network is fixed to.
    package var countedBatch: Int { max(1, fixedBatch ?? 1) }

    /// The shape of a value at ``countedBatch`` samples.
    package func countedShape(of value: String) -> [Int]? { types[value]?.shape.resolved(batch: countedBatch) }

    /// The number of elements of a value that belong to one sample.
    package func sizePerSample(of value: String) -> Int? { countedShape(of: value).map { $0.reduce(1, *) / countedBatch } }

    /// The neurons of a spiking network, for one sample.
    package var neuronCount: Int {
        nodes.reduce(0) { sum, node in
            guard case .neuron = node.operator, let shape = types[node.outputs[0]]?.shape.resolved(batch: 1) else { return sum }
            return sum + shape.reduce(1, *)
        }
    }
}
