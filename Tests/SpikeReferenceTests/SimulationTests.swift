import SpikeGraph
import SpikeReference
import Testing

/// A spiking graph with one input `x`.
func spikingGraph(
    _ input: Shape, _ nodes: [Node], outputs: [String], constants: [String: Tensor] = [:],
    schedule: SpikingDescription.Schedule = .streaming
) throws -> Graph {
    try Graph(
        name: "snn", inputs: [Graph.Input("x", ValueType(.float32, input))],
        outputs: outputs.map { Graph.Output("out_\($0)", value: $0) }, nodes: nodes, constants: constants,
        spiking: SpikingDescription(recipe: "test", schedule: schedule))
}

func fires(_ name: String, _ input: String, _ neuron: any Neuron = IFNode()) -> Node {
    Node(name, .neuron(NeuronNode(neuron)), inputs: [input])
}

@Suite struct SimulationTests {
    /// x → · 1/4 → IF → · 4 → · 2 + 0.5, all in powers of two.
    private func tiny() throws -> Graph {
        try spikingGraph(
            [.batch, 1],
            [
                Node("down", .voltageScaler(VoltageScaler(scale: 0.25)), inputs: ["x"]), fires("s", "down"),
                Node("up", .voltageScaler(VoltageScaler(scale: 4)), inputs: ["s"]),
                Node("fc", .gemm(Gemm()), inputs: ["up", "w", "b"]),
            ], outputs: ["fc", "s"], constants: ["w": Tensor([2] as [Float], shape: [1, 1]), "b": Tensor([0.5] as [Float], shape: [1])])
    }

    @Test func `a tiny network runs as worked out by hand`() throws {
        let simulation = try ReferenceSimulation(try tiny())
        // Current 0.375 a step; the membrane after each step, and whether it fired.
        let membranes: [Float] = [0.375, 0.75, 0.125, 0.5, 0.875, 0.25, 0.625, 0]
        let spikes: [Float] = [0, 0, 1, 0, 0, 1, 0, 1]
        let x = Tensor([1.5] as [Float], shape: [1, 1])
        var count: Float = 0
        for step in 0..<8 {
            let outputs = try simulation.step([x], isSameInput: step > 0)
            count += spikes[step]
            #expect(outputs.map(\.floats) == [[8 * spikes[step] + 0.5], [spikes[step]]])
            #expect(simulation.neuronStates["s"]?.membrane.floats == [membranes[step]])
            #expect(simulation.spikeCounts["s"]?.floats == [count])
            #expect(simulation.steps == step + 1)
            let mean = try simulation.outputs()
            #expect(mean[0].floats == [(8 * count + 0.5 * Float(step + 1)) / Float(step + 1)])
            #expect(mean[1].floats == [count / Float(step + 1)])
        }
        #expect(try simulation.run([x], steps: 8).map(\.floats) == [[3.5], [0.375]])
    }

    @Test func `every layer advances in every step`() throws {
        // Both neurons fire in the first step already: the second sees the first one's spike in the same step.
        let graph = try spikingGraph(
            [.batch, 1], [fires("a", "x"), fires("b", "a"), fires("c", "b", IFNode(threshold: 2))], outputs: ["c"])
        let simulation = try ReferenceSimulation(graph)
        let x = Tensor([1] as [Float], shape: [1, 1])
        #expect(try (0..<4).map { _ in try simulation.step([x])[0].floats } == [[0], [1], [0], [1]])
        #expect(simulation.spikeCounts.mapValues(\.floats) == ["a": [4], "b": [4], "c": [2]])
    }

    @Test func `residual sums and concatenations join branches step by step`() throws {
        let graph = try spikingGraph(
            [.batch, 2],
            [
                fires("a", "x", IFNode(threshold: 1)), fires("b", "x", IFNode(threshold: 2, initialMembrane: 1)),
                Node("b2", .voltageScaler(VoltageScaler(scale: 2)), inputs: ["b"]), Node("sum", .add(Add()), inputs: ["a", "b2"]),
                fires("c", "sum", IFNode(threshold: 1.5, reset: .to(0.25))),
                Node("both", .concat(Concat(axis: 1)), inputs: ["c", "b2", "x"]),
            ], outputs: ["both"])
        let currents: [Float] = [0.75, 1.5]
        var expected: [[Float]] = []
        var v: [[Float]] = [[0, 0], [1, 1], [0, 0]]
        for _ in 0..<8 {
            var row: [Float] = []
            for i in 0..<2 {
                v[0][i] += currents[i]
                let a: Float = v[0][i] >= 1 ? 1 : 0
                v[0][i] -= a
                v[1][i] += currents[i]
                let b: Float = v[1][i] >= 2 ? 2 : 0
                v[1][i] -= b
                v[2][i] += a + b
                let c: Float = v[2][i] >= 1.5 ? 1 : 0
                if c == 1 { v[2][i] = 0.25 }
                row += [c, b]
            }
            expected.append([row[0], row[2], row[1], row[3]] + currents)
        }
        let simulation = try ReferenceSimulation(graph)
        let x = Tensor(currents, shape: [1, 2])
        #expect(try (0..<8).map { try simulation.step([x], isSameInput: $0 > 0)[0].floats } == expected)
        let means = (0..<6).map { column in expected.map { $0[column] }.reduce(0, +) / 8 }
        #expect(try simulation.run([x], steps: 8)[0].floats == means)
    }

    @Test func `a trailing softmax acts on the mean, and a step shows what it reads`() throws {
        let graph = try spikingGraph(
            [.batch, 3],
            [fires("s", "x"), Node("p", .softmax(Softmax()), inputs: ["s"]), Node("q", .logSoftmax(LogSoftmax()), inputs: ["s"])],
            outputs: ["p", "s", "q"])
        let simulation = try ReferenceSimulation(graph)
        let x = Tensor([0.25, 0.5, 1] as [Float], shape: [1, 3])
        let steps = try (0..<4).map { try simulation.step([x], isSameInput: $0 > 0).map(\.floats) }
        #expect(steps == [[0, 0, 1], [0, 1, 1], [0, 0, 1], [1, 1, 1]].map { [$0, $0, $0] })
        let outputs = try simulation.outputs()
        let mean = Tensor([0.25, 0.5, 1] as [Float], shape: [1, 3])
        #expect(outputs[0] == (try run(.softmax(Softmax()), [mean])))
        #expect(outputs[1] == mean)
        #expect(outputs[2] == (try run(.logSoftmax(LogSoftmax()), [mean])))
    }

    @Test func `a readout of two nodes in a row is applied in order`() throws {
        let graph = try spikingGraph(
            [.batch, 2],
            [fires("s", "x"), Node("sig", .sigmoid(Sigmoid()), inputs: ["s"]), Node("p", .softmax(Softmax()), inputs: ["sig"])],
            outputs: ["p"])
        let simulation = try ReferenceSimulation(graph)
        let x = Tensor([0.5, 1] as [Float], shape: [1, 2])
        let expected = try run(.softmax(Softmax()), [run(.sigmoid(Sigmoid()), [x])])
        #expect(try simulation.run([x], steps: 4)[0] == expected)
        #expect(try simulation.step([x])[0].floats == [0, 1])
    }

    @Test func `outputs that do not spike are the same in every step`() throws {
        let graph = try spikingGraph(
            [.batch, 2], [Node("r", .relu(Relu()), inputs: ["x"]), fires("s", "r")], outputs: ["r", "w", "x", "s"],
            constants: ["w": Tensor([7] as [Float], shape: [1])])
        let outputs = try ReferenceSimulation(graph).run([Tensor([-1, 0.5] as [Float], shape: [1, 2])], steps: 4)
        #expect(outputs.map(\.floats) == [[0, 0.5], [7], [-1, 0.5], [0, 0.5]])
    }

    @Test func `spikes taken back count as spikes, and a neuron's memory is kept`() throws {
        let simulation = try ReferenceSimulation(spikingGraph([.batch, 2], [fires("s", "x", SignTestNeuron())], outputs: ["s"]))
        let trains = try simulation.run([Tensor([1, -1] as [Float], shape: [1, 2])], steps: 5)[0].floats
        #expect(trains == [1, -1])
        #expect(simulation.spikeCounts["s"]?.floats == [5, 5])
        #expect(simulation.neuronStates["s"]?.memory["steps"]?.floats == [5, 5])
        simulation.reset()
        #expect(simulation.spikeCounts.isEmpty && simulation.neuronStates.isEmpty && simulation.steps == 0)
    }
}

/// Emits the sign of its current, and counts its steps.
struct SignTestNeuron: Neuron {
    static let kind = "SignTestNeuron"
    static let schedules: Set<SpikingDescription.Schedule> = [.streaming]
    var currentOfSpike: NeuronParameter { 1 }

    func initialState(shape: [Int]) -> NeuronState {
        var state = NeuronState(membrane: Tensor(repeating: 0, shape: shape))
        state.memory["steps"] = state.membrane
        return state
    }

    func integrate(_ current: Tensor, state: inout NeuronState, at time: TimeStep) {
        state.memory["steps"] = state.memory["steps"]?.map { $0 + 1 }
        state.membrane = current
    }

    func emit(_ state: inout NeuronState, at time: TimeStep) -> Tensor {
        state.membrane.map { $0 > 0 ? 1 : $0 < 0 ? -1 : 0 }
    }

    var summary: String { "" }
}
