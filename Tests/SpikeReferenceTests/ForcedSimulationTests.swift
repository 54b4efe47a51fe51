import SpikeGraph
import SpikeReference
import Testing

@Suite struct `Spikes from elsewhere` {
    private static let neurons: [(any Neuron, SpikingDescription.Schedule)] = [
        (IFNode(threshold: 0.5), .streaming), (IFNode(reset: .to(0.25), initialMembrane: 0.5), .streaming), (SignedIFNeuron(), .streaming),
        (BurstIFNeuron(threshold: 0.25), .streaming), (LIFNeuron(decay: 0.5), .streaming), (IFNode(), .layerSynchronous),
    ]

    private func graph(_ neuron: any Neuron, _ schedule: SpikingDescription.Schedule) throws -> Graph {
        try spikingGraph(
            [.batch, 3],
            [
                fires("s", "x", neuron), Node("mix", .gemm(Gemm()), inputs: ["s", "w"]), fires("t", "mix", neuron),
                Node("up", .voltageScaler(VoltageScaler(scale: 2)), inputs: ["t"]),
            ], outputs: ["up"],
            constants: ["w": Tensor([1, -0.5, 0.25, 0.5, 0.75, -0.25, -1, 0.5, 1] as [Float], shape: [3, 3])], schedule: schedule)
    }

    @Test(arguments: 0..<6)
    func `a network fed with its own spikes is itself`(index: Int) throws {
        let (neuron, schedule) = Self.neurons[index]
        let graph = try graph(neuron, schedule)
        let x = Tensor([0.75, 0.5, 1.25, -0.25, 0.875, 0.125] as [Float], shape: [2, 3])
        let simulation = try ReferenceSimulation(graph)
        var sent: [String: [Tensor]] = [:]
        let outputs = try simulation.run(
            [x], steps: 9,
            observe: { node, _, results in
                if case .neuron = node.operator { sent[node.name, default: []].append(results[0]) }
            })
        #expect(sent["t"]?.contains { $0.floats.contains { $0 != 0 } } == true)
        let membranes = simulation.neuronStates.mapValues(\.membrane)
        let again = try ReferenceSimulation(graph)
        #expect(try again.run([x], steps: 9, emission: { sent[$0.name]?[$1] }) == outputs)
        #expect(again.neuronStates.mapValues(\.membrane) == membranes && again.spikeCounts == simulation.spikeCounts)
    }

    @Test func `other spikes reach the layers behind, and take from the membrane`() throws {
        let graph = try graph(IFNode(), .streaming)
        let simulation = try ReferenceSimulation(graph)
        let x = Tensor([0.25, 0.5, 0.75] as [Float], shape: [1, 3])
        let spikes = Tensor([1, 0, 1] as [Float], shape: [1, 3])
        var currents: [Tensor] = []
        _ = try simulation.run(
            [x], steps: 2, emission: { node, _ in node.name == "s" ? spikes : nil },
            observe: { node, operands, _ in if node.name == "t" { currents.append(operands[0]) } })
        // The sum of the first and the third row of weights.
        #expect(currents.map(\.floats) == [[0, 0, 1.25], [0, 0, 1.25]])
        #expect(simulation.neuronStates["s"]?.membrane.floats == [-1.5, 1, -0.5])
    }
}
