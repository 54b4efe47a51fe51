import SpikeGraph
import TestSupport
import Testing

@Suite struct VerifierTests {
    private func graph(
        _ nodes: [Node], inputs: [Graph.Input] = [Graph.Input("x", float([.batch, 4]))], outputs: [Graph.Output] = [],
        constants: [String: Tensor] = [:]
    ) throws -> Graph {
        try Graph(name: "g", inputs: inputs, outputs: outputs, nodes: nodes, constants: constants)
    }

    private func relu(_ name: String, _ input: String) -> Node { Node(name, .relu(Relu()), inputs: [input]) }

    @Test func `nodes may come in any order, and keep the given one where it is legal`() throws {
        let legal = ["a", "b", "c", "d", "e"].map { relu($0, "x") }
        #expect(try graph(legal).nodes.map(\.name) == ["a", "b", "c", "d", "e"])
        let backwards = [relu("d", "c"), relu("c", "b"), relu("side", "x"), relu("b", "a"), relu("a", "x")]
        #expect(try graph(backwards).nodes.map(\.name) == ["side", "a", "b", "c", "d"])
    }

    @Test func `a random graph is put in an order in which all is defined before it is read`() throws {
        var generator = SeededGenerator(1)
        for _ in 0..<50 {
            var nodes: [Node] = []
            for number in 0..<30 {
                let sources = ["x"] + nodes.map(\.name)
                nodes.append(
                    Node("n\(number)", .add(Add()), inputs: (0..<2).map { _ in sources.randomElement(using: &generator) ?? "x" }))
            }
            let ordered = try graph(nodes.shuffled(using: &generator)).nodes
            var defined: Set<String> = ["x"]
            for node in ordered {
                #expect(defined.isSuperset(of: node.inputs))
                defined.formUnion(node.outputs)
            }
            #expect(ordered.count == 30)
        }
    }

    @Test func `names of nodes are unique`() {
        expectError(.invalidModel, "two nodes are named 'a'") {
            _ = try graph([
                Node("a", .relu(Relu()), inputs: ["x"], outputs: ["p"]), Node("a", .relu(Relu()), inputs: ["x"], outputs: ["q"]),
            ])
        }
    }

    @Test func `a value is defined once`() throws {
        expectError(.invalidModel, "value 'x' is defined by an input and by an input") {
            _ = try graph([], inputs: [Graph.Input("x", float([1])), Graph.Input("x", float([1]))])
        }
        expectError(.invalidModel, "value 'x' is defined by an input and by a constant") {
            _ = try graph([], constants: ["x": Tensor(scalar: 1)])
        }
        expectError(.invalidModel, "value 'x' is defined by an input and by node 'x'") { _ = try graph([relu("x", "x")]) }
        expectError(.invalidModel, "value 'w' is defined by a constant and by node 'w'") {
            _ = try graph([relu("w", "x")], constants: ["w": Tensor(scalar: 1)])
        }
        // What reads the constant does not read the node: there is no cycle to report.
        do {
            _ = try graph([relu("a", "w"), relu("w", "a")], constants: ["w": Tensor(scalar: 1)])
            Issue.record("no error was thrown")
        } catch let error as SpikeletError { #expect(!error.message.contains("cycle")) }
        expectError(.invalidModel, "value 'p' is defined by node 'a' and by node 'b'") {
            _ = try graph([
                Node("a", .relu(Relu()), inputs: ["x"], outputs: ["p"]), Node("b", .relu(Relu()), inputs: ["x"], outputs: ["p"]),
            ])
        }
        expectError(.invalidModel, "value 'p' is defined by node 'a' and by node 'a'") {
            _ = try graph([Node("a", .relu(Relu()), inputs: ["x"], outputs: ["p", "p"])])
        }
    }

    @Test func `what is read is defined`() {
        expectError(.invalidModel, "node 'a' reads 'nothing'") { _ = try graph([relu("a", "nothing")]) }
        expectError(.invalidModel, "node 'a' reads ''") { _ = try graph([relu("a", "")]) }
    }

    @Test func `a cycle is named node by node`() {
        expectError(.invalidModel, "cycle: 'a' → 'a'") { _ = try graph([relu("a", "a")]) }
        // What stands behind the cycle, or between two, is no part of it.
        expectError(.invalidModel, "'c' → 'a' → 'b' → 'c'") {
            _ = try graph([relu("behind", "c"), relu("a", "c"), relu("b", "a"), relu("c", "b"), relu("before", "x")])
        }
    }

    @Test func `a node has as many inputs as its operator takes`() {
        let window = Window(kernel: [1])
        let wrong: [(SpikeGraph.Operator, Int, String)] = [
            (.relu(Relu()), 0, "0 inputs, 1 are needed"), (.relu(Relu()), 2, "2 inputs, 1 are needed"),
            (.add(Add()), 1, "1 inputs, 2 are needed"), (.conv(Conv(window: window)), 1, "1 inputs, 2 to 3 are needed"),
            (.conv(Conv(window: window)), 4, "4 inputs, 2 to 3 are needed"),
            (.concat(Concat(axis: 0)), 0, "0 inputs, 1 or more are needed"),
            (.batchNormalization(BatchNormalization()), 4, "4 inputs, 5 are needed"), (.gemm(Gemm()), 1, "2 to 3"),
            (.matMul(MatMul()), 3, "3 inputs, 2"), (.maxPool(MaxPool(window: window)), 0, "0 inputs"),
            (.neuron(NeuronNode(IFNode())), 0, "0 inputs"), (.softmax(Softmax()), 0, "0 inputs"), (.flatten(Flatten()), 0, "0 inputs"),
            (.reshape(Reshape(sizes: [])), 0, "0 inputs"), (.reduceMean(ReduceMean()), 0, "0 inputs"),
            (.voltageScaler(VoltageScaler()), 0, "0 inputs"),
        ]
        for (anOperator, count, text) in wrong {
            expectError(.invalidModel, "node 'a'", anOperator.name, text) {
                _ = try graph([Node("a", anOperator, inputs: [String](repeating: "x", count: count))])
            }
        }
    }

    @Test(arguments: [0, 2]) func `a node has as many outputs as its operator makes`(count: Int) {
        expectError(.invalidModel, "node 'a' (Relu): \(count) outputs, 1 are made") {
            _ = try graph([Node("a", .relu(Relu()), inputs: ["x"], outputs: (0..<count).map { "o\($0)" })])
        }
    }

    @Test func `shapes have to fit, and one cause is one report`() throws {
        let nodes = [Node("sum", .add(Add()), inputs: ["x", "w"]), relu("behind", "sum"), relu("further", "behind")]
        expectError(.invalidModel, "node 'sum' (Add): shapes [N, 4] and [3]") {
            _ = try graph(nodes, constants: ["w": Tensor([1, 2, 3] as [Float], shape: [3])])
        }
        do {
            _ = try graph(nodes, constants: ["w": Tensor([1, 2, 3] as [Float], shape: [3])])
        } catch let error as SpikeletError {
            #expect(error.details.count == 1)
        }
    }

    @Test func `outputs show defined values under names of their own`() throws {
        expectError(.invalidModel, "output 'y' shows 'nothing'") { _ = try graph([], outputs: [Graph.Output("y", value: "nothing")]) }
        expectError(.invalidModel, "two outputs have the same name") {
            _ = try graph([], outputs: [Graph.Output("y", value: "x"), Graph.Output("y", value: "x")])
        }
        // An output may show an input, a constant, or what another output shows.
        let outputs = [Graph.Output("a", value: "x"), Graph.Output("b", value: "w"), Graph.Output("c", value: "x")]
        #expect(try graph([], outputs: outputs, constants: ["w": Tensor(scalar: 1)]).outputs == outputs)
    }

    @Test func `every size is one`() throws {
        for wrong: Shape in [
            [-1], [.batch, -3], [Dimension(-2, batchFactor: 1)], [Dimension(1 << 31)], [Dimension(.max, batchFactor: .max)],
            [.batch, 65536, 65536], [1_000_000_000, 1_000_000_000, 1_000_000_000, 0],
        ] { expectError(.invalidModel, "input 'x' cannot be") { _ = try graph([], inputs: [Graph.Input("x", float(wrong))]) } }
        expectError(.invalidModel, "node 'n' (Add): its output cannot be float32[N, 65536, 65536]") {
            _ = try graph(
                [Node("n", .add(Add()), inputs: ["a", "b"])],
                inputs: [Graph.Input("a", float([.batch, 65536, 1])), Graph.Input("b", float([1, 65536]))])
        }
        #expect(try graph([], inputs: [Graph.Input("x", float([.batch, 0]))]).types["x"] == float([.batch, 0]))
        expectError(.invalidModel, "constant 'w' cannot be float32[1099511627776, 0]") {
            _ = try graph([], constants: ["w": Tensor([Float](), shape: [1 << 40, 0])])
        }
    }

    @Test func `what reads a size that is none is not added up`() {
        let join = Node("join", .concat(Concat(axis: 1)), inputs: ["x", "x"])
        expectError(.invalidModel, "input 'x' cannot be") {
            _ = try graph([join], inputs: [Graph.Input("x", float([.batch, Dimension(.max)]))])
        }
        expectError(.invalidModel, "constant 'x' cannot be") {
            _ = try graph([join], inputs: [], constants: ["x": Tensor([Float](), shape: [0, .max])])
        }
    }

    @Test func `no batch size is too large to be refused`() throws {
        let network = try graph([], inputs: [Graph.Input("x", float([.batch, Dimension(0, batchFactor: 1 << 30)]))])
        expectError(.invalidData, "input 'x' is float32[1099511627776, 0]") {
            try network.check(inputs: [Tensor([Float](), shape: [1 << 40, 0])])
        }
    }

    @Test func `everything that is wrong is reported at once`() {
        expectError(
            .invalidModel, "value 'x' is defined by an input and by a constant", "two nodes are named 'twin'", "reads 'nothing'",
            "output 'y' shows 'nowhere'", "cycle: 'l' → 'm' → 'l'", "node 'sum' (Add): shapes", "node 'few' (Add): 1 inputs"
        ) {
            _ = try graph(
                [
                    relu("twin", "x"), Node("twin", .relu(Relu()), inputs: ["x"], outputs: ["other"]), relu("r", "nothing"), relu("l", "m"),
                    relu("m", "l"), Node("sum", .add(Add()), inputs: ["w", "v"]), Node("few", .add(Add()), inputs: ["w"]),
                ], outputs: [Graph.Output("y", value: "nowhere")],
                constants: [
                    "x": Tensor(scalar: 1), "w": Tensor(repeating: 0, shape: [3]), "v": Tensor(repeating: 0, shape: [4]),
                ])
        }
    }

    @Test func `a long list of problems is cut, and says so`() {
        expectError(.invalidModel, "'nothing0'", "'nothing19'", "and 5 more") {
            _ = try graph((0..<25).map { relu("n\($0)", "nothing\($0)") })
        }
    }
}

@Suite("Neurons in a graph")
struct NeuronValidityTests {
    @Test(
        arguments: [
            IFNode(threshold: 0), IFNode(threshold: -1), IFNode(threshold: .nan), IFNode(threshold: .infinity),
            IFNode(initialMembrane: .nan),
            SignedIFNeuron(threshold: 0), SignedIFNeuron(maximumCount: 0), BurstIFNeuron(threshold: -2), BurstIFNeuron(maximumBurst: 0),
        ] as [any Neuron])
    func `a neuron whose numbers mean nothing is no part of a graph`(neuron: any Neuron) {
        #expect(throws: SpikeletError.self) {
            try Graph(
                name: "g", inputs: [.init("x", ValueType(.float32, [.batch, 2]))], outputs: [.init("y", value: "n")],
                nodes: [Node("n", .neuron(NeuronNode(neuron)), inputs: ["x"])], constants: [:], spiking: SpikingDescription(recipe: "test"))
        }
    }

    @Test(arguments: [
        SpikingDescription(recipe: "test", code: .rate(steps: 0)), SpikingDescription(recipe: "test", code: .rate(steps: 1 << 21)),
        .delayed(-1), .delayed(4, schedule: .layerSynchronous), .delayed(4, schedule: .layerSynchronous, code: .radix(digits: 8)),
        SpikingDescription(recipe: "test", schedule: .layerSynchronous, code: .radix(digits: 4, base: 1)),
    ])
    func `a description whose numbers mean nothing is no part of a graph`(description: SpikingDescription) {
        #expect(throws: SpikeletError.self) {
            try Graph(
                name: "g", inputs: [.init("x", ValueType(.float32, [.batch, 2]))], outputs: [.init("y", value: "n")],
                nodes: [Node("n", .neuron(NeuronNode(IFNode())), inputs: ["x"])], constants: [:], spiking: description)
        }
    }
}

extension SpikingDescription {
    fileprivate static func delayed(_ delay: Int, schedule: Schedule = .streaming, code: SpikeCode = .rate(steps: 8)) -> Self {
        var description = SpikingDescription(recipe: "test", schedule: schedule, code: code)
        description.readoutDelay = delay
        return description
    }
}
