package import SpikeGraph

extension Simulation {
    /// One time step of the streaming schedule, and what it alone adds to the outputs, before readout: what a loop over steps adds up.
    ///
    /// - Parameter inputs: what arrives in this step, one tensor `[N, …]` for each input of the network.
    /// - Returns: for each output this step's own, as ``ReferenceSimulation/step(_:isSameInput:observe:)`` gives it. ``outputs()`` is of no use
    ///   then.
    /// - Throws: as ``step(_:isSameInput:)``.
    package func ownOutputs(of inputs: [Tensor]) throws -> [Tensor] {
        try step(inputs)
        let sums = takeSums()
        let graph = program.graph
        let producers = graph.producers
        return graph.outputs.compactMap { output in
            var value = output.value
            // What a trailing softmax reads.
            while sums[value] == nil, let node = producers[value], let input = node.inputs.first(where: { graph.constants[$0] == nil }) {
                value = input
            }
            guard let sum = sums[value], let shape = graph.types[value]?.shape.resolved(batch: inputs.first?.shape.first ?? 0) else {
                return nil
            }
            return Tensor(sum, shape: shape)
        }
    }
}
