import SpikeGraph
import SpikeONNX
import SpikeReference
import Testing

@Suite struct ActivationImportTests {
    @Test func `Relu and Sigmoid are read as they are`() throws {
        #expect(try ModelBuilder.single("Relu").onlyOperator() == .relu(Relu()))
        #expect(try ModelBuilder.single("Sigmoid").onlyOperator() == .sigmoid(Sigmoid()))
    }

    @Test func `Clip's attributes before opset 11`() throws {
        #expect(
            try ModelBuilder.single("Clip", opset: 10, ["min": .float(0), "max": .float(6)]).onlyOperator()
                == .clip(Clip(minimum: 0, maximum: 6)))
        #expect(try ModelBuilder.single("Clip", opset: 10, ["min": .float(0)]).onlyOperator() == .relu(Relu()))
        #expect(try ModelBuilder.single("Clip", opset: 10, ["max": .float(2)]).onlyOperator() == .clip(Clip(maximum: 2)))
        #expect(ModelBuilder.single("Clip", opset: 11, ["min": .float(0)]).failure().contains("'min'"))
    }

    /// A clip whose bounds come from initialisers, or are left out.
    func clip(_ bounds: [Float?], shape: [Int] = []) -> ModelBuilder {
        var builder = ModelBuilder()
        for (i, bound) in bounds.enumerated() {
            if let bound { builder.weight("b\(i)", shape, [bound]) }
        }
        builder.node("Clip", ["x"] + bounds.enumerated().map { $1 == nil ? "" : "b\($0)" }, ["c"])
        builder.node("Relu", ["c"])
        return builder
    }

    @Test func `Clip's bounds as inputs, each of them optional`() throws {
        #expect(try clip([0, 6]).operators() == [.clip(Clip(minimum: 0, maximum: 6)), .relu(Relu())])
        #expect(try clip([0, 6], shape: [1]).operators() == [.clip(Clip(minimum: 0, maximum: 6)), .relu(Relu())])
        #expect(try clip([nil, 6]).operators() == [.clip(Clip(minimum: 0, maximum: 6))])
        #expect(try clip([0, nil]).operators() == [.relu(Relu()), .relu(Relu())])
        #expect(try clip([0]).operators() == [.relu(Relu()), .relu(Relu())])
        #expect(try clip([nil, nil]).operators() == [.relu(Relu())])
        #expect(try clip([]).operators() == [.relu(Relu())])
        #expect(try clip([-.infinity, .infinity]).operators() == [.relu(Relu())])
    }

    @Test func `bounds that make no sense are refused`() throws {
        #expect(clip([.nan, 6]).failure().contains("NaN"))
        #expect(clip([.infinity, nil]).failure().contains("nothing of the input"))
        #expect(ModelBuilder.single("Clip", weights: [[2]]).failure().contains("a single number"))
        var computed = ModelBuilder()
        computed.node("GlobalMaxPool", ["x"], ["m"])
        computed.node("Clip", ["x", "", "m"])
        #expect(try computed.operators() == [.globalMaxPool(GlobalMaxPool()), .binary(Binary(.minimum))])
    }

    @Test func `bounds from Constant nodes and through Identity`() throws {
        var builder = ModelBuilder()
        builder.node("Constant", [], ["six"], ["value": .tensor(ModelBuilder.tensor("", [], [6]))])
        builder.node("Constant", [], ["zero"], ["value_float": .float(0)])
        builder.node("Identity", ["six"], ["alsoSix"])
        builder.node("Clip", ["x", "zero", "alsoSix"])
        #expect(try builder.onlyOperator() == .clip(Clip(minimum: 0, maximum: 6)))
    }

    /// `Max` or `Min` of `x` and one constant.
    func extremum(_ type: String, _ values: [Float], shape: [Int] = [], constantFirst: Bool = false) -> ModelBuilder {
        var builder = ModelBuilder()
        builder.weight("c", shape, values)
        builder.node(type, constantFirst ? ["c", "x"] : ["x", "c"])
        return builder
    }

    @Test func `Max and Min with a constant are clips`() throws {
        #expect(try extremum("Max", [0]).onlyOperator() == .relu(Relu()))
        #expect(try extremum("Max", [0], constantFirst: true).onlyOperator() == .relu(Relu()))
        #expect(try extremum("Max", [0, 0, 0], shape: [3, 1, 1]).onlyOperator() == .relu(Relu()))
        #expect(try extremum("Max", [-1], shape: [1]).onlyOperator() == .clip(Clip(minimum: -1)))
        #expect(try extremum("Min", [6]).onlyOperator() == .clip(Clip(maximum: 6)))
        #expect(try extremum("Max", [0, 1, 0], shape: [3, 1, 1]).onlyOperator() == .binary(Binary(.maximum)))
        #expect(try extremum("Max", [0], shape: [1, 1, 1, 1, 1]).onlyOperator() == .binary(Binary(.maximum)))
    }

    @Test func `Max of one input is that input, and of two activations an operator of its own`() throws {
        var one = ModelBuilder()
        one.node("Max", ["x"], ["t"])
        one.node("Relu", ["t"])
        #expect(try one.onlyOperator() == .relu(Relu()))
        var two = ModelBuilder()
        two.node("Sigmoid", ["x"], ["r"])
        two.node("Max", ["x", "r"])
        #expect(try two.operators().last == .binary(Binary(.maximum)))
    }

    @Test func `Softmax flattens the tail before opset 13`() throws {
        #expect(try ModelBuilder.single("Softmax", opset: 12).onlyOperator() == .softmax(Softmax(axis: 1, flattensTail: true)))
        #expect(try ModelBuilder.single("Softmax").onlyOperator() == .softmax(Softmax(axis: -1)))
        #expect(try ModelBuilder.single("Softmax", ["axis": .int(1)]).onlyOperator() == .softmax(Softmax(axis: 1)))
        #expect(try ModelBuilder.single("LogSoftmax", opset: 11).onlyOperator() == .logSoftmax(LogSoftmax(axis: 1, flattensTail: true)))
        #expect(try ModelBuilder.single("LogSoftmax").onlyOperator() == .logSoftmax(LogSoftmax(axis: -1)))
        #expect(try ModelBuilder.single("LogSoftmax", ["axis": .int(-3)]).onlyOperator() == .logSoftmax(LogSoftmax(axis: -3)))
        #expect(ModelBuilder.single("Softmax", ["axis": .int(4)]).failure().contains("axis 4"))
    }
}

@Suite struct ArithmeticImportTests {
    /// What the imported network makes of one sample.
    func run(_ builder: ModelBuilder, _ input: [Float]) throws -> [Float] {
        try ReferenceExecutor(builder.graph()).run([Tensor(input, shape: [1, input.count])])[0].floats
    }

    /// `x` and a constant `c`, in either order.
    func model(_ type: String, _ inputs: [String], _ c: [Float] = [2, 4]) -> ModelBuilder {
        var builder = ModelBuilder(input: [nil, 2])
        builder.weight("c", [c.count], c)
        builder.node(type, inputs)
        return builder
    }

    @Test func `arithmetic with a constant`() throws {
        #expect(try run(model("Add", ["x", "c"]), [1, 8]) == [3, 12])
        #expect(try run(model("Mul", ["c", "x"]), [1, 8]) == [2, 32])
        #expect(try run(model("Sub", ["x", "c"]), [1, 8]) == [-1, 4])
        #expect(try run(model("Sub", ["c", "x"]), [1, 8]) == [1, -4])
        #expect(try run(model("Div", ["x", "c"]), [1, 8]) == [0.5, 2])
        #expect(try run(model("Sub", ["x", "x"]), [1, 8]) == [0, 0])
        #expect(try run(model("Neg", ["x"]), [1, 8]) == [-1, -8])
        #expect(try run(model("Div", ["c", "x"]), [1, 8]) == [2, 0.5])
        #expect(model("Div", ["x", "c"], [0]).failure().contains("not finite"))
        #expect(model("Add", ["x", "c"], [1, 2, 3]).failure().contains("broadcast"))
    }

    @Test func `Sum takes any number of terms`() throws {
        var builder = model("Sum", ["x", "c", "x"])
        #expect(try run(builder, [1, 8]) == [4, 20])
        #expect(try builder.operators() == [.add(Add()), .add(Add())])
        builder = model("Sum", ["x"])
        builder.model.graph.node[0].output = ["t"]
        builder.node("Relu", ["t"])
        #expect(try builder.onlyOperator() == .relu(Relu()))
    }

    @Test(arguments: [("Add", Float(14)), ("Sub", 10), ("Mul", 24), ("Div", 6), ("Max", 12), ("Min", 2), ("Sum", 14)])
    func `constants among themselves are folded`(type: String, result: Float) throws {
        var builder = ModelBuilder(input: [nil, 2])
        builder.weight("a", [1], [12])
        builder.weight("b", [], [2])
        builder.node(type, ["a", "b"], ["c"])
        builder.node("Add", ["x", "c"])
        let graph = try builder.graph()
        #expect(graph.nodes.count == 1)
        #expect(graph.constants.values.map(\.floats) == [[result]])
    }

    @Test func `folding follows NumPy's broadcasting`() throws {
        var builder = ModelBuilder(input: [nil, 2, 3])
        builder.weight("a", [2, 1], [10, 20])
        builder.weight("b", [3], [1, 2, 3])
        builder.node("Sub", ["a", "b"], ["c"])
        builder.node("Add", ["x", "c"])
        #expect(try builder.graph().constants.values.map(\.floats) == [[9, 8, 7, 19, 18, 17]])
    }

    @Test func `a fold that asks for absurd memory is refused`() {
        var builder = ModelBuilder(input: [nil, 2])
        builder.weight("a", [30000, 1], [Float](repeating: 1, count: 30000))
        builder.weight("b", [30000], [Float](repeating: 1, count: 30000))
        builder.node("Add", ["a", "b"], ["c"])
        builder.node("Add", ["x", "c"])
        #expect(builder.failure().contains("too large"))
    }
}
