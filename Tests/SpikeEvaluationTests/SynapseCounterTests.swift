import SpikeEvaluation
import SpikeCost
import SpikeGraph
import SpikeReference
import Testing

@Suite struct SynapseCounterTests {
    /// A layer with weights, and what arrives at it.
    struct Layer: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var `operator`: SpikeGraph.Operator
        /// Without the batch.
        var input: [Int]
        var weights: [Int]
        var bias: Int? = nil
        /// Whether the weights stand in front, `W · x`.
        var weightsFirst = false

        static func conv(_ name: String, _ input: [Int], _ features: Int, groups: Int = 1, _ window: Window) -> Layer {
            Layer(
                testDescription: name, operator: .conv(Conv(window: window, groups: groups)), input: input,
                weights: [features, input[0] / groups] + window.kernel, bias: features)
        }
    }

    static let layers: [Layer] = [
        .conv("conv", [3, 7, 6], 5, Window(kernel: [3, 3])),
        .conv("padded", [3, 7, 6], 4, Window(kernel: [3, 3], padsBegin: [1, 1], padsEnd: [1, 1])),
        .conv("stride", [2, 9, 8], 4, Window(kernel: [3, 2], strides: [2, 3])),
        .conv("stride, pads of four sizes", [2, 9, 8], 4, Window(kernel: [3, 3], strides: [2, 2], padsBegin: [0, 2], padsEnd: [1, 3])),
        .conv("dilation", [2, 9, 9], 3, Window(kernel: [3, 3], dilations: [2, 3], padsBegin: [2, 1], padsEnd: [1, 2])),
        .conv("groups", [6, 5, 5], 4, groups: 2, Window(kernel: [3, 3], padsBegin: [1, 1], padsEnd: [1, 1])),
        .conv("depthwise", [4, 6, 6], 4, groups: 4, Window(kernel: [3, 3], strides: [2, 2], padsBegin: [1, 1], padsEnd: [1, 1])),
        .conv("depthwise, two features a channel", [3, 6, 6], 6, groups: 3, Window(kernel: [3, 3])),
        .conv("1×1 with a stride that skips inputs", [3, 7, 7], 4, Window(kernel: [1, 1], strides: [2, 2])),
        .conv("SAME_UPPER", [2, 7, 8], 3, Window(kernel: [4, 3], strides: [2, 2], autoPad: .sameUpper)),
        .conv("one axis", [3, 11], 4, Window(kernel: [3], strides: [2], dilations: [2], padsBegin: [1], padsEnd: [2])),
        .conv("three axes", [2, 4, 5, 3], 3, Window(kernel: [2, 3, 2], strides: [1, 2, 1], padsBegin: [1, 0, 1], padsEnd: [0, 1, 0])),
        Layer(
            testDescription: "transposed",
            operator: .convTranspose(
                ConvTranspose(
                    window: Window(kernel: [3, 2], strides: [2, 1], dilations: [1, 2], padsBegin: [1, 0], padsEnd: [0, 1]), groups: 2,
                    outputPadding: [1, 0])),
            input: [4, 3, 5], weights: [4, 3, 3, 2], bias: 6),
        Layer(testDescription: "linear", operator: .gemm(Gemm()), input: [7], weights: [7, 5], bias: 5),
        Layer(testDescription: "linear, transposed", operator: .gemm(Gemm(transposeB: true)), input: [7], weights: [5, 7], bias: 5),
        Layer(testDescription: "matmul", operator: .matMul(MatMul()), input: [6], weights: [6, 4]),
        Layer(testDescription: "matmul of rows", operator: .matMul(MatMul()), input: [3, 6], weights: [6, 4]),
        Layer(testDescription: "matmul with a vector", operator: .matMul(MatMul()), input: [3, 6], weights: [6]),
        Layer(testDescription: "matmul, a matrix a head", operator: .matMul(MatMul()), input: [2, 3, 6], weights: [2, 6, 4]),
        Layer(testDescription: "matmul, broadcast over heads", operator: .matMul(MatMul()), input: [1, 3, 6], weights: [2, 6, 4]),
        Layer(testDescription: "matmul from the left", operator: .matMul(MatMul()), input: [5, 3], weights: [4, 5], weightsFirst: true),
    ]

    private static func graph(_ layer: Layer, _ weights: Tensor, batch: Dimension = .batch, spiking: Bool = true) throws -> Graph {
        let source = spiking ? "neurons" : "x"
        var nodes = [
            Node("layer", layer.operator, inputs: (layer.weightsFirst ? ["w", source] : [source, "w"]) + (layer.bias == nil ? [] : ["b"]))
        ]
        if spiking { nodes.append(Node("neurons", .neuron(NeuronNode(IFNode())), inputs: ["x"])) }
        return try Graph(
            name: "layer", inputs: [.init("x", ValueType(.float32, Shape([batch] + layer.input.map { Dimension($0) })))],
            outputs: [.init("y", value: "layer")], nodes: nodes,
            constants: layer.bias.map { ["w": weights, "b": Tensor(repeating: 0.5, shape: [$0])] } ?? ["w": weights],
            spiking: SpikingDescription(recipe: "test"))
    }

    /// NeuroBench's definition, by the operator itself: ones for all inputs and weights that are not zero, no biases, and
    /// the sum of everything that comes out.
    private static func bruteForce(_ layer: Layer, _ input: Tensor, _ weights: Tensor) throws -> Int {
        let (x, w) = (input.map { $0 == 0 ? 0 : 1 }, weights.map { $0 == 0 ? 0 : 1 })
        return Int(try ReferenceExecutor.evaluate(layer.operator, layer.weightsFirst ? [w, x] : [x, w])[0].floats.reduce(0, +))
    }

    @Test(arguments: layers) func `operations are those of NeuroBench's definition`(layer: Layer) throws {
        var generator = SeededGenerator(1)
        for samples in [1, 3] {
            let weights = generator.sparse(layer.weights)
            let counter = SynapseCounter(try Self.graph(layer, weights))
            let spikes = generator.spikes([samples] + layer.input)
            let operands = layer.weightsFirst ? [weights, spikes] : [spikes, weights]
            let node = try #require(Self.graph(layer, weights).node(named: "layer"))
            #expect(counter.count(node, operands: operands) == (try Self.bruteForce(layer, spikes, weights)))
        }
    }

    @Test(arguments: layers) func `a dense pass counts every weight and every input inside the border`(layer: Layer) throws {
        let weights = Tensor(repeating: 0, shape: layer.weights)
        let counter = SynapseCounter(try Self.graph(layer, weights))
        let ones = Tensor(repeating: 1, shape: [1] + layer.input)
        let expected = try Self.bruteForce(layer, ones, Tensor(repeating: 1, shape: layer.weights))
        #expect(counter.denseOperations == expected)
        #expect(counter.analogOperations == 0)
        let analog = SynapseCounter(try Self.graph(layer, weights, spiking: false))
        #expect((analog.denseOperations, analog.analogOperations) == (expected, expected))
        // A network that is fixed to a batch size counts one sample all the same.
        #expect(SynapseCounter(try Self.graph(layer, weights, batch: 4)).denseOperations == expected)
    }

    @Test func `rows that are folded into the batch belong to their sample`() throws {
        let graph = try Graph(
            name: "rows", inputs: [.init("x", ValueType(.float32, [.batch, 6, 4]))], outputs: [.init("y", value: "linear")],
            nodes: [
                Node("neurons", .neuron(NeuronNode(IFNode())), inputs: ["x"]),
                Node(
                    "rows", .reshape(Reshape(sizes: [.fixed(constant: 0, batchFactor: 6), .fixed(constant: 4, batchFactor: 0)])),
                    inputs: ["neurons"]),
                Node("linear", .gemm(Gemm()), inputs: ["rows", "w"]),
            ],
            constants: ["w": Tensor(repeating: 1, shape: [4, 5])], spiking: SpikingDescription(recipe: "test"))
        let counter = SynapseCounter(graph)
        #expect(counter.denseOperations == 6 * 4 * 5)
        let node = try #require(graph.node(named: "linear"))
        #expect(
            counter.count(node, operands: [Tensor(repeating: 1, shape: [12, 4]), Tensor(repeating: 1, shape: [4, 5])]) == 2 * 6 * 4 * 5)
    }

    @Test func `operators without weights count nothing`() throws {
        let graph = try Graph(
            name: "sum", inputs: [.init("x", ValueType(.float32, [.batch, 2]))], outputs: [.init("y", value: "sum")],
            nodes: [
                Node("neurons", .neuron(NeuronNode(IFNode())), inputs: ["x"]),
                Node("sum", .add(Add()), inputs: ["neurons", "x"]),
            ],
            constants: [:], spiking: SpikingDescription(recipe: "test"))
        let counter = SynapseCounter(graph)
        #expect(counter.denseOperations == 0)
        for node in graph.nodes {
            #expect(counter.count(node, operands: node.inputs.map { _ in Tensor(repeating: 1, shape: [1, 2]) }) == 0)
        }
    }
}
