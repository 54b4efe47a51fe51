import SpikeGraph
import TestSupport
import Testing

@Suite struct GraphTests {
    private static let spike = SpikeGraph.Operator.neuron(NeuronNode(IFNode()))

    @Test func `producers and consumers are looked up by value`() throws {
        let graph = try Graph(
            name: "g", inputs: [Graph.Input("x", float([.batch, 2]))], outputs: [Graph.Output("y", value: "sum")],
            nodes: [Node("double", .add(Add()), inputs: ["x", "x"]), Node("sum", .add(Add()), inputs: ["double", "x"])], constants: [:])
        #expect(graph.producers.mapValues(\.name) == ["double": "double", "sum": "sum"])
        #expect(graph.consumers.mapValues { $0.map(\.name) } == ["x": ["double", "sum"], "double": ["sum"]])
        #expect(graph.node(named: "sum")?.inputs == ["double", "x"])
        #expect(graph.node(named: "x") == nil)
    }

    @Test func `spiking values are those behind a neuron or a running maximum`() throws {
        let graph = try chain(
            [.batch, 2, 4],
            [
                .relu(Relu()), .voltageScaler(VoltageScaler(scale: 2)), Self.spike,
                .runningMaximumPool(RunningMaximumPool(window: Window(kernel: [2]))), .flatten(Flatten()),
            ])
        #expect(graph.spikingValues == ["n2", "n3", "n4"])
        #expect(try chain([.batch, 2], [.relu(Relu())]).spikingValues.isEmpty)
    }

    @Test func `trailing nonlinear nodes on spikes are the readout`() throws {
        func readout(_ operators: [SpikeGraph.Operator]) throws -> Set<String> { try chain([.batch, 2], operators).readoutNodes }
        #expect(try readout([Self.spike, .softmax(Softmax())]) == ["n1"])
        #expect(try readout([Self.spike, .sigmoid(Sigmoid()), .logSoftmax(LogSoftmax())]) == ["n1", "n2"])
        #expect(try readout([Self.spike, .softmax(Softmax()), .voltageScaler(VoltageScaler())]) == ["n1", "n2"])
        #expect(
            try readout([Self.spike, .unary(Unary(.tanh)), .flatten(Flatten()), .reduceMean(ReduceMean(axes: [1]))]) == ["n1", "n2", "n3"])
        #expect(try readout([Self.spike, .flatten(Flatten()), .voltageScaler(VoltageScaler())]) == [])
        #expect(try readout([Self.spike, .softmax(Softmax()), Self.spike]) == [])
        #expect(try readout([.softmax(Softmax()), Self.spike]) == [])
        #expect(try readout([.relu(Relu()), .softmax(Softmax())]) == [])
    }

    @Test func `whatever reads a function of the output is the readout too, but no weights`() throws {
        let graph = try Graph(
            name: "g", inputs: [Graph.Input("x", float([.batch, 2]))],
            outputs: [
                Graph.Output("p", value: "shown"), Graph.Output("q", value: "both"), Graph.Output("r", value: "sum"),
                Graph.Output("t", value: "last"),
            ],
            nodes: [
                Node("s", Self.spike, inputs: ["x"]), Node("shown", .softmax(Softmax()), inputs: ["s"]),
                Node("both", .softmax(Softmax()), inputs: ["s"]), Node("sum", .add(Add()), inputs: ["both", "s"]),
                Node("hidden", .softmax(Softmax()), inputs: ["s"]), Node("weights", .matMul(MatMul()), inputs: ["hidden", "w"]),
                Node("last", .softmax(Softmax()), inputs: ["weights"]),
            ], constants: ["w": Tensor(repeating: 1, shape: [2, 2])])
        #expect(graph.readoutNodes == ["shown", "both", "sum", "last"])
    }
}

@Suite struct GraphInputTests {
    private func graph(_ types: [ValueType]) throws -> Graph {
        try Graph(
            name: "g", inputs: types.enumerated().map { Graph.Input("in\($0)", $1) }, outputs: [Graph.Output("y", value: "in0")], nodes: [],
            constants: [:])
    }

    private func zeros(_ shape: [Int]) -> Tensor { Tensor(repeating: 0, shape: shape) }

    @Test func `the batch size follows from the first open axis`() throws {
        #expect(try graph([float([.batch, 3])]).check(inputs: [zeros([7, 3])]) == 7)
        #expect(try graph([float([3, .batch])]).check(inputs: [zeros([3, 7])]) == 7)
        #expect(try graph([float([Dimension(0, batchFactor: 2), 3])]).check(inputs: [zeros([14, 3])]) == 7)
        #expect(try graph([float([Dimension(1, batchFactor: 2), .batch])]).check(inputs: [zeros([15, 7])]) == 7)
        #expect(try graph([float([1, 3])]).check(inputs: [zeros([1, 3])]) == 1)
        #expect(try graph([float([])]).check(inputs: [zeros([])]) == 1)
        #expect(
            try graph([float([.batch]), ValueType(.int64, [.batch])]).check(inputs: [zeros([3]), Tensor([1, 2, 3] as [Int64], shape: [3])])
                == 3)
    }

    @Test func `an input of fixed size does not decide the batch of the others`() throws {
        let graph = try graph([float([4]), float([]), float([.batch, 2])])
        #expect(try graph.check(inputs: [zeros([4]), zeros([]), zeros([9, 2])]) == 9)
    }

    @Test func `inputs that do not fit are an error that says what would`() throws {
        let graph = try graph([float([.batch, 3]), float([.batch])])
        expectError(.invalidData, "1 input is given, the network takes 2", "in0 float32[N, 3], in1 float32[N]") {
            try graph.check(inputs: [zeros([7, 3])])
        }
        expectError(.invalidData, "0 inputs") { try graph.check(inputs: []) }
        for (wrong, named) in [
            ([zeros([7, 4]), zeros([7])], "in0"), ([zeros([7]), zeros([7])], "in0"), ([zeros([7, 3, 1]), zeros([7])], "in0"),
            ([zeros([7, 3]), zeros([6])], "in1"), ([zeros([]), zeros([7])], "in0"), ([zeros([7, 3]), zeros([])], "in1"),
            ([Tensor([Int64](repeating: 0, count: 21), shape: [7, 3]), zeros([7])], "in0"),
            ([Tensor([Bool](repeating: true, count: 21), shape: [7, 3]), zeros([7])], "in0"),
        ] { expectError(.invalidData, "input '\(named)' is", "the network takes float32[N") { try graph.check(inputs: wrong) } }
        expectError(.invalidData, "holds no samples") { try graph.check(inputs: [zeros([0, 3]), zeros([0])]) }
    }

    @Test func `sizes that no batch gives are an error`() throws {
        let graph = try graph([float([Dimension(0, batchFactor: 2)])])
        expectError(.invalidData) { try graph.check(inputs: [zeros([3])]) }
        let shifted = try self.graph([float([Dimension(5, batchFactor: 1)])])
        #expect(try shifted.check(inputs: [zeros([6])]) == 1)
        expectError(.invalidData) { try shifted.check(inputs: [zeros([5])]) }
        expectError(.invalidData) { try shifted.check(inputs: [zeros([3])]) }
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity]) func `a strange number is reported with its sample`(_ strange: Float) throws {
        let graph = try graph([float([.batch, 3])])
        for position in 0..<12 {
            var values = [Float](repeating: 0, count: 12)
            values[position] = strange
            expectError(.invalidData, "'in0' holds \(strange) in sample \(position / 3)") {
                try graph.check(inputs: [Tensor(values, shape: [4, 3])])
            }
        }
    }
}
