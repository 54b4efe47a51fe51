import SpikeGraph
import SpikeReference
import TestSupport
import Testing

@Suite struct SimulationStateTests {
    /// A convolutional network with random weights, a branch past its neurons, and a readout.
    static func network(seed: UInt64) throws -> Graph {
        var generator = SeededGenerator(seed)
        let same = Window(kernel: [3, 3], padsBegin: [1, 1], padsEnd: [1, 1])
        let half = Window(kernel: [2, 2], strides: [2, 2])
        return try spikingGraph(
            [.batch, 2, 6, 6],
            [
                Node("conv1", .conv(Conv(window: same)), inputs: ["x", "w1", "b1"]), Node("still", .relu(Relu()), inputs: ["conv1"]),
                fires("s1", "still", IFNode(threshold: 0.8, initialMembrane: 0.4)),
                Node("pool", .runningMaximumPool(RunningMaximumPool(window: half)), inputs: ["s1"]),
                Node("stillPool", .averagePool(AveragePool(window: half)), inputs: ["still"]),
                // What changes meets what does not.
                Node("sum", .add(Add()), inputs: ["pool", "stillPool"]), Node("conv2", .conv(Conv(window: same)), inputs: ["sum", "w2"]),
                fires("s2", "conv2", IFNode(threshold: 0.7)), Node("flat", .flatten(Flatten()), inputs: ["s2"]),
                Node("fc", .gemm(Gemm(transposeB: true)), inputs: ["flat", "w3", "b3"]), Node("p", .softmax(Softmax()), inputs: ["fc"]),
            ], outputs: ["p", "fc"],
            constants: [
                "w1": .uniform([3, 2, 3, 3], &generator), "b1": .uniform([3], &generator), "w2": .uniform([4, 3, 3, 3], &generator),
                "w3": .uniform([5, 36], &generator), "b3": .uniform([5], &generator),
            ])
    }

    private func images(_ count: Int, seed: UInt64 = 9) -> Tensor {
        var generator = SeededGenerator(seed)
        return .uniform([count, 2, 6, 6], &generator)
    }

    private func repeated(_ x: Tensor, steps: Int) -> Tensor {
        Tensor((0..<steps).flatMap { _ in x.floats }, shape: [steps] + x.shape)
    }

    @Test(arguments: 1...4) func `a constant input that is kept gives the bits of one that is computed again`(seed: UInt64) throws {
        let x = images(3)
        let (kept, again) = (try ReferenceSimulation(Self.network(seed: seed)), try ReferenceSimulation(Self.network(seed: seed)))
        let constant = try kept.run([x], steps: 13)
        #expect(try again.run([repeated(x, steps: 13)], steps: 13, timeVarying: true) == constant)
        #expect(kept.spikeCounts == again.spikeCounts)
        #expect(kept.neuronStates == again.neuronStates)
        #expect(kept.spikeCounts.keys.sorted() == ["s1", "s2"])
        #expect(try #require(kept.spikeCounts["s2"]).floats.contains { $0 > 0 })
        // More steps than needed may be given.
        #expect(try again.run([repeated(x, steps: 20)], steps: 13, timeVarying: true) == constant)
    }

    @Test(arguments: 1...4) func `a sample's spikes do not depend on its batch, bit for bit`(seed: UInt64) throws {
        let simulation = try ReferenceSimulation(Self.network(seed: seed))
        let x = images(5)
        let whole = try simulation.run([x], steps: 9)
        let counts = simulation.spikeCounts
        for sample in 0..<5 {
            let alone = try simulation.run([x.samples(sample..<sample + 1)], steps: 9)
            #expect(alone == whole.map { $0.samples(sample..<sample + 1) })
            #expect(simulation.spikeCounts == counts.mapValues { $0.samples(sample..<sample + 1) })
        }
    }

    @Test func `a run begins afresh, whatever came before`() throws {
        let simulation = try ReferenceSimulation(Self.network(seed: 1))
        let x = images(2)
        let first = try simulation.run([x], steps: 6)
        #expect(try simulation.run([x], steps: 6) == first)
        // Another batch size, and half a simulation by hand, leave nothing behind.
        _ = try simulation.run([images(3)], steps: 4)
        #expect(try simulation.run([x], steps: 6) == first)
        try simulation.step([x])
        #expect(try simulation.run([x], steps: 6) == first)
        simulation.reset()
        for step in 0..<6 { try simulation.step([x], isSameInput: step > 0) }
        #expect(try simulation.outputs() == first)
        #expect(simulation.steps == 6)
    }

    @Test func `steps by hand go on where the last one stopped`() throws {
        let (x, graph) = (images(2), try Self.network(seed: 2))
        let (one, other) = (try ReferenceSimulation(graph), try ReferenceSimulation(graph))
        var seen: [Int] = []
        let ten = try one.run([x], steps: 10, onStep: { seen.append($0) })
        _ = try other.run([x], steps: 4)
        for _ in 0..<6 { try other.step([x], isSameInput: true) }
        #expect(try other.outputs() == ten)
        #expect(seen == Array(1...10))
    }

    @Test func `another batch size in the middle of a simulation is an error`() throws {
        let simulation = try ReferenceSimulation(Self.network(seed: 1))
        let x = images(2)
        try simulation.step([x])
        for isSameInput in [false, true] {
            expectError(.invalidData, "a batch of 3 samples", "simulation of 2", "reset()") {
                try simulation.step([images(3)], isSameInput: isSameInput)
            }
            expectError(.invalidData, "0 inputs are given") { try simulation.step([], isSameInput: isSameInput) }
        }
        #expect(simulation.steps == 1)
        simulation.reset()
        try simulation.step([images(3)])
    }

    @Test func `each frame of a time-varying input is one step's`() throws {
        let graph = try spikingGraph([.batch, 2], [fires("s", "x")], outputs: ["s", "x"])
        let frames = Tensor([1, 0, 0, 0.5, 0, 0.5, -2, 1, 1.5, 0] as [Float], shape: [5, 1, 2])
        let simulation = try ReferenceSimulation(graph)
        var steps: [[Float]] = []
        let outputs = try simulation.run(
            [frames], steps: 5, timeVarying: true,
            onStep: { _ in
                steps.append(simulation.neuronStates["s"]?.membrane.floats ?? [])
            })
        #expect(steps == [[0, 0], [0, 0.5], [0, 0], [-2, 0], [-0.5, 0]])
        #expect(outputs[0].floats == [1, 2].map { $0 / 5 })
        #expect(outputs[1].floats == [0.5, 2].map { $0 / 5 })
        #expect(simulation.spikeCounts["s"]?.floats == [1, 2])
    }

    @Test func `the observer sees every node in every step, kept or not`() throws {
        let graph = try Self.network(seed: 1)
        let simulation = try ReferenceSimulation(graph)
        let x = images(1)
        var still: [Tensor] = []
        for step in 0..<3 {
            var seen: [String] = []
            try simulation.step([x], isSameInput: step > 0) { node, operands, results in
                seen.append(node.name)
                #expect(operands.count == node.inputs.count && results.count == 1)
                if node.name == "still" { still += results }
            }
            #expect(seen == graph.nodes.map(\.name).filter { $0 != "p" })
        }
        #expect(still.count == 3 && still[0] == still[1] && still[1] == still[2])
    }
}
