import SpikeGraph
import SpikeReference
import TestSupport
import Testing

@Suite struct ExecutorTests {
    private static func spatial(_ stride: Int = 1) -> Window {
        Window(kernel: [3, 3], strides: [stride, stride], padsBegin: [1, 1], padsEnd: [1, 1])
    }

    /// A network with something of everything, and weights from the seed.
    static func network(seed: UInt64) throws -> Graph {
        var generator = SeededGenerator(seed)
        let width = 2 * Int.random(in: 2...5, using: &generator)
        let classes = Int.random(in: 2...17, using: &generator)
        var constants: [String: Tensor] = [
            "w1": .uniform([width, 3, 3, 3], &generator), "b1": .uniform([width], &generator),
            "w2": .uniform([width, 1, 3, 3], &generator), "w3": .uniform([width, width / 2, 1, 1], &generator),
            "fw": .uniform([classes, width * 9], &generator), "fb": .uniform([classes], &generator),
            "mw": .uniform([9, 7], &generator), "nw": .uniform([classes, 5], &generator),
        ]
        for name in ["gamma", "beta", "mean"] { constants[name] = .uniform([width], &generator) }
        constants["variance"] = .uniform([width], in: 0.1...2, &generator)
        let half = Window(kernel: [2, 2], strides: [2, 2], ceilMode: true)
        return try Graph(
            name: "random", inputs: [Graph.Input("x", ValueType(.float32, [.batch, 3, 11, 9]))],
            outputs: [
                Graph.Output("classes", value: "softmax"), Graph.Output("tokens", value: "tokens"), Graph.Output("means", value: "means"),
            ],
            nodes: [
                Node("conv1", .conv(Conv(window: spatial(2))), inputs: ["x", "w1", "b1"]), Node("relu1", .relu(Relu()), inputs: ["conv1"]),
                Node("depthwise", .conv(Conv(window: spatial(), groups: width)), inputs: ["relu1", "w2"]),
                Node("norm", .batchNormalization(BatchNormalization()), inputs: ["depthwise", "gamma", "beta", "mean", "variance"]),
                Node("clip", .clip(Clip(minimum: 0, maximum: 6)), inputs: ["norm"]),
                Node("grouped", .conv(Conv(window: Window(kernel: [1, 1]), groups: 2)), inputs: ["clip", "w3"]),
                Node("sum", .add(Add()), inputs: ["grouped", "relu1"]), Node("max", .maxPool(MaxPool(window: half)), inputs: ["sum"]),
                Node("average", .averagePool(AveragePool(window: spatial(), countsPadding: true)), inputs: ["max"]),
                Node("flat", .flatten(Flatten()), inputs: ["average"]),
                Node("fc", .gemm(Gemm(alpha: 0.5, transposeB: true)), inputs: ["flat", "fw", "fb"]),
                Node("softmax", .softmax(Softmax()), inputs: ["fc"]), Node("features", .matMul(MatMul()), inputs: ["fc", "nw"]),
                Node(
                    "sequence",
                    .reshape(Reshape(sizes: [.fixed(constant: 0, batchFactor: 1), .rest, .fixed(constant: 9, batchFactor: 0)])),
                    inputs: ["average"]),
                Node("tokens", .matMul(MatMul()), inputs: ["sequence", "mw"]),
                Node("global", .globalAveragePool(GlobalAveragePool()), inputs: ["average"]),
                Node("squeezed", .reduceMean(ReduceMean(axes: [2, 3])), inputs: ["sum"]),
                Node("means", .concat(Concat(axis: 1)), inputs: ["global", "squeezed"]),
            ], constants: constants)
    }

    @Test(arguments: 1...12) func `a sample's result does not depend on its batch, bit for bit`(seed: UInt64) throws {
        let executor = ReferenceExecutor(try Self.network(seed: seed))
        var generator = SeededGenerator(seed + 100)
        let x = Tensor.uniform([7, 3, 11, 9], &generator)
        let whole = try executor.run([x])
        let alone = try (0..<7).map { try executor.run([x.samples($0..<$0 + 1)]) }
        let split = try [executor.run([x.samples(0..<3)]), executor.run([x.samples(3..<7)])]
        for output in whole.indices {
            #expect(whole[output] == .joined(alone.map { $0[output] }))
            #expect(whole[output] == .joined(split.map { $0[output] }))
            #expect(whole[output].floats.contains { $0 != 0 })
        }
    }

    @Test func `results do not depend on what other threads do`() async throws {
        let executor = ReferenceExecutor(try Self.network(seed: 5))
        var generator = SeededGenerator(6)
        let x = Tensor.uniform([4, 3, 11, 9], &generator)
        let expected = try executor.run([x])
        try await withThrowingTaskGroup(of: [Tensor].self) { group in
            for _ in 0..<8 { group.addTask { try executor.run([x]) } }
            for try await result in group { #expect(result == expected) }
        }
    }

    @Test func `every value has the type that the graph promises`() throws {
        let graph = try Self.network(seed: 3)
        var generator = SeededGenerator(4)
        var seen: [String] = []
        _ = try ReferenceExecutor(graph).run([.uniform([5, 3, 11, 9], &generator)]) { node, operands, results in
            seen.append(node.name)
            for (name, value) in zip(node.inputs + node.outputs, operands + results) {
                let type = try #require(graph.types[name])
                #expect(value.shape == type.shape.resolved(batch: 5) && value.elementType == type.elementType, "\(name)")
            }
        }
        #expect(seen == graph.nodes.map(\.name))
    }

    @Test func `outputs may show inputs, constants, inner values and one value twice`() throws {
        let graph = try Graph(
            name: "g", inputs: [Graph.Input("x", ValueType(.float32, [.batch]))],
            outputs: ["b", "x", "a", "w", "b"].enumerated().map { Graph.Output("y\($0)", value: $1) },
            nodes: [Node("a", .add(Add()), inputs: ["x", "w"]), Node("b", .mul(Mul()), inputs: ["a", "a"])],
            constants: ["w": Tensor([1] as [Float], shape: [1])])
        let outputs = try ReferenceExecutor(graph).run([Tensor([1, 2] as [Float], shape: [2])])
        #expect(outputs.map(\.floats) == [[4, 9], [1, 2], [2, 3], [1], [4, 9]])
    }

    @Test func `spiking operators act as in a first step`() throws {
        let x = Tensor([0.5, 1, 2, -1] as [Float], shape: [1, 1, 4])
        #expect(try run(.neuron(NeuronNode(IFNode())), [x]).floats == [0, 1, 1, 0])
        #expect(try run(.neuron(NeuronNode(IFNode(initialMembrane: 0.5))), [x]).floats == [1, 1, 1, 0])
        let pool = RunningMaximumPool(window: Window(kernel: [2], strides: [2]))
        #expect(try run(.runningMaximumPool(pool), [x]).floats == [1, 2])
    }

    @Test func `an error from the observer stops the run`() throws {
        struct Stop: Error {}
        let executor = ReferenceExecutor(try Self.network(seed: 3))
        #expect(throws: Stop.self) { try executor.run([Tensor(repeating: 0, shape: [1, 3, 11, 9])]) { _, _, _ in throw Stop() } }
    }
}
