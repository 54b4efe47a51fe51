import SpikeGraph
import SpikeReference
import TestSupport
import Testing

/// Sources: LIPooling (Li & Zeng, IJCAI 2022): max pooling of the sums, emitted as their growth.
@Suite struct RunningMaximumTests {
    private static let windows = [
        Window(kernel: [2, 2], strides: [2, 2]), Window(kernel: [3, 3], strides: [2, 2], padsBegin: [1, 1], padsEnd: [1, 1]),
        Window(kernel: [2, 3], strides: [1, 2], padsBegin: [0, 1], padsEnd: [1, 0], ceilMode: true),
        Window(kernel: [2, 2], dilations: [2, 1], autoPad: .sameLower),
    ]

    private func sum(_ tensors: [Tensor]) -> Tensor {
        Tensor(tensors.dropFirst().reduce(tensors[0].floats) { zip($0, $1.floats).map(+) }, shape: tensors[0].shape)
    }

    /// What each of the nodes emitted, step by step.
    private func trains(_ graph: Graph, _ frames: [Tensor]) throws -> [String: [Tensor]] {
        let simulation = try ReferenceSimulation(graph)
        var trains: [String: [Tensor]] = [:]
        for frame in frames { try simulation.step([frame]) { node, _, results in trains[node.name, default: []] += results } }
        return trains
    }

    @Test(arguments: windows, [0...1, -1...1, -3...3])
    func `the sum of what is emitted is the maximum of the sums, after every step`(window: Window, numbers: ClosedRange<Int>) throws {
        var generator = SeededGenerator(61)
        let graph = try spikingGraph(
            [.batch, 2, 7, 7], [Node("pool", .runningMaximumPool(RunningMaximumPool(window: window)), inputs: ["x"])], outputs: ["pool"])
        let frames = (0..<12).map { _ in Tensor.whole([2, 2, 7, 7], in: numbers, &generator) }
        let emitted = try #require(try trains(graph, frames)["pool"])
        for step in 1...12 {
            let pooled = try run(.maxPool(MaxPool(window: window)), [sum(Array(frames[..<step]))])
            #expect(sum(Array(emitted[..<step])) == pooled)
        }
        if numbers == 0...1 { #expect(emitted.allSatisfy { $0.floats.allSatisfy { $0 == 0 || $0 == 1 } }) }
        if numbers == -1...1 { #expect(emitted.allSatisfy { $0.floats.allSatisfy { abs($0) <= 1 } }) }
    }

    @Test func `pools behind pools are exact at any depth, with linear layers between`() throws {
        var generator = SeededGenerator(62)
        let small = Window(kernel: [2, 2])
        func pool(_ name: String, _ input: String) -> Node {
            Node(name, .runningMaximumPool(RunningMaximumPool(window: small)), inputs: [input])
        }
        let conv = SpikeGraph.Operator.conv(Conv(window: Window(kernel: [2, 2])))
        let w = Tensor.whole([2, 2, 2, 2], &generator)
        let graph = try spikingGraph(
            [.batch, 2, 8, 8],
            [pool("a", "x"), pool("b", "a"), Node("mixed", conv, inputs: ["b", "w"]), pool("c", "mixed"), pool("d", "c")], outputs: ["d"],
            constants: ["w": w])
        let frames = (0..<10).map { _ in Tensor.whole([2, 2, 8, 8], in: 0...1, &generator) }
        let emitted = try trains(graph, frames)
        for step in 1...10 {
            var expected = sum(Array(frames[..<step]))
            let maximum = SpikeGraph.Operator.maxPool(MaxPool(window: small))
            for stage in [maximum, maximum, conv, maximum, maximum] {
                if case .conv = stage { expected = try run(stage, [expected, w]) } else { expected = try run(stage, [expected]) }
            }
            #expect(sum(Array(try #require(emitted["d"])[..<step])) == expected)
        }
    }

    @Test func `behind neurons it is the maximum of their spike counts`() throws {
        var generator = SeededGenerator(63)
        let window = Window(kernel: [2, 2], strides: [2, 2])
        let graph = try spikingGraph(
            [.batch, 3, 6, 6], [fires("s", "x"), Node("pool", .runningMaximumPool(RunningMaximumPool(window: window)), inputs: ["s"])],
            outputs: ["pool"])
        let simulation = try ReferenceSimulation(graph)
        let mean = try simulation.run([.uniform([4, 3, 6, 6], in: -0.5...1.5, &generator)], steps: 16)[0]
        let counts = try #require(simulation.spikeCounts["s"])
        #expect(mean.map { $0 * 16 } == (try run(.maxPool(MaxPool(window: window)), [counts])))
        #expect(simulation.spikeCounts.keys.sorted() == ["s"])
        // A maximum a step, as without memory, would be too much: the window's spikes do not come together.
        var instantaneous = Tensor(repeating: 0, shape: mean.shape)
        simulation.reset()
        let x = Tensor.uniform([4, 3, 6, 6], in: 0...1, &generator)
        for step in 0..<16 {
            try simulation.step([x], isSameInput: step > 0) { node, _, results in
                guard node.name == "s" else { return }
                instantaneous = sum([instantaneous, try run(.maxPool(MaxPool(window: window)), results)])
            }
        }
        let running = try simulation.outputs()[0].floats
        #expect(zip(running, instantaneous.floats).contains { $0 * 16 < $1 })
    }

    @Test func `a run forgets the sums of the one before`() throws {
        let graph = try spikingGraph(
            [.batch, 1, 2], [Node("pool", .runningMaximumPool(RunningMaximumPool(window: Window(kernel: [2]))), inputs: ["x"])],
            outputs: ["pool"])
        let simulation = try ReferenceSimulation(graph)
        _ = try simulation.run([Tensor([5, 0] as [Float], shape: [1, 1, 2])], steps: 4)
        #expect(try simulation.run([Tensor([0, 1] as [Float], shape: [1, 1, 2])], steps: 4)[0].floats == [1])
    }
}
