import SpikeGraph
import SpikeONNX
import SwiftProtobuf
import Testing

@Suite struct LayoutImportTests {
    @Test func `Flatten with and without its axis`() throws {
        #expect(try ModelBuilder.single("Flatten").onlyOperator() == .flatten(Flatten()))
        #expect(try ModelBuilder.single("Flatten").outputShape() == [.batch, 192])
        #expect(try ModelBuilder.single("Flatten", ["axis": .int(-1)]).onlyOperator() == .flatten(Flatten(axis: -1)))
        #expect(ModelBuilder.single("Flatten", ["axis": .int(5)]).failure().contains("axis 5"))
        #expect(ModelBuilder.single("Flatten", ["axis": .int(.min)]).failure().contains("axis"))
    }

    @Test func `Reshape copies zeros and infers what is left`() throws {
        let builder = ModelBuilder.single("Reshape", integers: [[0, -1]])
        #expect(try builder.onlyOperator() == .reshape(Reshape(sizes: [.same, .rest])))
        #expect(try builder.outputShape() == [.batch, 192])
        #expect(try ModelBuilder.single("Reshape", integers: [[-1, 3, 64]]).outputShape() == [.batch, 3, 64])
        #expect(ModelBuilder.single("Reshape", ["allowzero": .int(1)]).failure().contains("needed"))
        #expect(try ModelBuilder.single("Reshape", integers: [[-1, 192]], ["allowzero": .int(1)]).outputShape() == [.batch, 192])
        #expect(ModelBuilder.single("Reshape", integers: [[0, 3, 64]], ["allowzero": .int(1)]).failure().contains("reshaped"))
    }

    @Test func `a reshape that fixes the batch says what to do`() {
        let failure = ModelBuilder.single("Reshape", integers: [[1, 192]]).failure()
        #expect(failure.contains("[N, 3, 8, 8]") && failure.contains("[1, 192]") && failure.contains("x.flatten(1)"))
        #expect(ModelBuilder.single("Reshape", integers: [[-1, -1]]).failure().contains("reshaped"))
        #expect(ModelBuilder.single("Reshape", integers: [[-1, 7]]).failure().contains("reshaped"))
        #expect(ModelBuilder.single("Reshape", integers: [[-1, -2]]).failure().contains("-2"))
        #expect(ModelBuilder.single("Reshape", integers: [[-1, .max]]).failure().contains("vector of sizes"))
    }

    @Test func `a target shape from the data is refused`() {
        var builder = ModelBuilder()
        builder.model.graph.input.append(ModelBuilder.info("shape", [2], type: .int64))
        builder.node("Reshape", ["x", "shape"])
        #expect(builder.failure().contains("computed from the data"))
    }

    @Test(arguments: [12, 13]) func `Squeeze with and without axes`(opset: Int) throws {
        let all = ModelBuilder.single("Squeeze", opset: opset, input: [nil, 3, 1, 1])
        #expect(try all.outputShape() == [.batch, 3])
        let some =
            opset < 13
            ? ModelBuilder.single("Squeeze", opset: opset, input: [nil, 3, 1, 1], ["axes": .ints([-1])])
            : ModelBuilder.single("Squeeze", opset: opset, input: [nil, 3, 1, 1], integers: [[-1]])
        #expect(try some.outputShape() == [.batch, 3, 1])
        let wrong =
            opset < 13
            ? ModelBuilder.single("Squeeze", opset: opset, ["axes": .ints([1])])
            : ModelBuilder.single("Squeeze", opset: opset, integers: [[1]])
        #expect(wrong.failure().contains("size is not 1"))
    }

    @Test(arguments: [12, 13]) func `Unsqueeze`(opset: Int) throws {
        func unsqueeze(_ axes: [Int]) -> ModelBuilder {
            opset < 13
                ? ModelBuilder.single("Unsqueeze", opset: opset, input: [nil, 3], ["axes": .ints(axes)])
                : ModelBuilder.single("Unsqueeze", opset: opset, input: [nil, 3], integers: [axes.map { Int64($0) }])
        }
        #expect(try unsqueeze([2, -1]).outputShape() == [.batch, 3, 1, 1])
        #expect(try unsqueeze([0]).outputShape() == [1, .batch, 3])
        #expect(unsqueeze([1, 1]).failure().contains("axes"))
        #expect(unsqueeze([5]).failure().contains("axis 5"))
        #expect(ModelBuilder.single("Unsqueeze", opset: opset).failure().contains(opset < 13 ? "'axes' is missing" : "needed"))
    }

    @Test func `Concat of activations, of one input, and without its axis`() throws {
        var two = ModelBuilder()
        two.node("Relu", ["x"], ["r"])
        two.node("Concat", ["r", "x"], ["y"], ["axis": .int(1)])
        #expect(try two.operators() == [.relu(Relu()), .concat(Concat(axis: 1))])
        #expect(try two.outputShape() == [.batch, 6, 8, 8])
        var one = ModelBuilder()
        one.node("Concat", ["x"], ["t"], ["axis": .int(1)])
        one.node("Relu", ["t"])
        #expect(try one.onlyOperator() == .relu(Relu()))
        #expect(ModelBuilder.single("Concat", weights: [[1, 3, 8, 8]]).failure().contains("'axis' is missing"))
    }

    @Test func `Identity is removed, over activations and over weights`() throws {
        var builder = ModelBuilder(input: [nil, 4])
        builder.weight("w", [4, 3])
        builder.node("Identity", ["w"], ["w2"])
        builder.node("Identity", ["x"], ["x2"])
        builder.node("MatMul", ["x2", "w2"], ["t"])
        builder.node("Identity", ["t"])
        let model = try builder.imported()
        #expect(model.graph.nodes.map(\.operator) == [.matMul(MatMul())])
        #expect(model.graph.nodes[0].inputs == ["x", "w"])
        #expect(model.graph.outputs.map(\.name) == ["y"])
        #expect(model.report.actions == ["2 × removed: Identity"])
    }

    @Test func `Dropout is removed in every form`() throws {
        func dropout(_ opset: Int, _ inputs: [String], _ attributes: [String: ModelBuilder.Attribute] = [:]) -> ModelBuilder {
            var builder = ModelBuilder(opset: opset)
            builder.weight("ratio", [], [0.5])
            builder.model.graph.initializer.append(.with { ($0.name, $0.dataType, $0.int32Data) = ("off", .bool, [0]) })
            builder.model.graph.initializer.append(.with { ($0.name, $0.dataType, $0.int32Data) = ("on", .bool, [1]) })
            builder.node("Dropout", inputs, ["t", "mask"], attributes)
            builder.node("Relu", ["t"])
            return builder
        }
        for builder in [
            dropout(7, ["x"], ["ratio": .float(0.25)]), dropout(10, ["x"]), dropout(13, ["x"], ["seed": .int(1)]),
            dropout(13, ["x", "ratio"]),
            dropout(13, ["x", "ratio", "off"]), dropout(13, ["x", "", "off"]),
        ] {
            #expect(try builder.onlyOperator() == .relu(Relu()))
        }
        #expect(dropout(13, ["x", "ratio", "on"]).failure().contains("training mode"))
        var mask = dropout(13, ["x"])
        mask.model.graph.output.append(.with { $0.name = "mask" })
        // Everything is kept.
        let graph = try mask.graph()
        #expect(graph.types[graph.outputs[1].value] == ValueType(.bool, [.batch, 3, 8, 8]))
    }
}

@Suite struct ShapeArithmeticTests {
    @Test(arguments: [12, 17]) func `x.view(x.size(0), -1) as TorchScript writes it`(opset: Int) throws {
        var builder = ModelBuilder(opset: opset)
        builder.node("Shape", ["x"], ["shape"])
        builder.node("Constant", [], ["zero"], ["value": .tensor(ModelBuilder.integers("", [0], shape: []))])
        builder.node("Gather", ["shape", "zero"], ["size"], ["axis": .int(0)])
        builder.integers("first", [0])
        if opset < 13 {
            builder.node("Unsqueeze", ["size"], ["vector"], ["axes": .ints([0])])
        } else {
            builder.node("Unsqueeze", ["size", "first"], ["vector"])
        }
        builder.node("Constant", [], ["rest"], ["value": .tensor(ModelBuilder.integers("", [-1]))])
        builder.node("Concat", ["vector", "rest"], ["target"], ["axis": .int(0)])
        builder.node("Reshape", ["x", "target"])
        #expect(try builder.onlyOperator() == .reshape(Reshape(sizes: [.fixed(constant: 0, batchFactor: 1), .rest])))
        #expect(try builder.outputShape() == [.batch, 192])
    }

    @Test func `arithmetic on sizes keeps the batch open`() throws {
        var builder = ModelBuilder()
        builder.node("Shape", ["x"], ["shape"])
        builder.integers("one", [1])
        builder.integers("three", [3])
        builder.integers("eight", [8], shape: [])
        builder.node("Slice", ["shape", "zero", "one"], ["n"])
        builder.integers("zero", [0])
        builder.node("Mul", ["n", "three"], ["3n"])
        builder.node("Cast", ["3n"], ["cast"], ["to": .int(7)])
        builder.node("Add", ["cast", "n"], ["4n"])
        builder.node("Sub", ["4n", "n"], ["again"])
        builder.node("Div", ["again", "one"], ["rows"])
        builder.node("Squeeze", ["rows"], ["number"])
        builder.node("Mul", ["eight", "eight"], ["64"])
        builder.node("Unsqueeze", ["64", "zero"], ["columns"])
        builder.node("Unsqueeze", ["number", "zero"], ["rows2"])
        builder.node("Concat", ["rows2", "columns"], ["target"], ["axis": .int(0)])
        builder.node("Reshape", ["x", "target"])
        #expect(try builder.outputShape() == [Dimension(0, batchFactor: 3), 64])
        #expect(try builder.operators().count == 1)
    }

    @Test func `Shape cuts out a part from opset 15 on`() throws {
        var builder = ModelBuilder()
        builder.node("Shape", ["x"], ["a"], ["end": .int(-2)])
        builder.node("Shape", ["x"], ["b"], ["start": .int(2), "end": .int(9)])
        builder.node("Concat", ["a", "b"], ["target"], ["axis": .int(-1)])
        builder.node("Reshape", ["x", "target"])
        #expect(try builder.outputShape() == [.batch, 3, 8, 8])
        #expect(ModelBuilder.single("Shape", opset: 14, ["start": .int(1)]).failure().contains("'start'"))
    }

    @Test func `sizes that hold for some batches only are refused`() {
        var builder = ModelBuilder()
        builder.node("Shape", ["x"], ["shape"])
        builder.integers("two", [2])
        builder.node("Div", ["shape", "two"], ["half"])
        builder.node("Reshape", ["x", "half"])
        #expect(builder.failure().contains("does not hold for every batch"))
    }

    @Test func `constants are sliced and gathered along any axis`() throws {
        var builder = ModelBuilder(input: [nil, 2])
        builder.weight("w", [3, 4])
        builder.integers("starts", [2, -1])
        builder.integers("ends", [0, Int64.min])
        builder.integers("axes", [0, 1])
        builder.integers("steps", [-1, -2])
        builder.integers("columns", [1, -2])
        builder.node("Slice", ["w", "starts", "ends", "axes", "steps"], ["a"])
        builder.node("Gather", ["a", "columns"], ["b"], ["axis": .int(1)])
        builder.node("MatMul", ["x", "b"])
        let constant = try #require(try builder.graph().constants.values.first)
        // Rows 2 and 1, columns 3 and 1, of which column 1 and column 0 are picked.
        #expect(constant == Tensor([9, 11, 5, 7] as [Float], shape: [2, 2]))
    }

    @Test func `weights are transposed at once, activations when the network runs`() throws {
        for (perm, expected) in [(nil, [0, 3, 1, 4, 2, 5]), ([1, 0], [0, 3, 1, 4, 2, 5]), ([0, 1], [0, 1, 2, 3, 4, 5])]
            as [([Int]?, [Float])]
        {
            var builder = ModelBuilder(input: [nil, perm == [0, 1] ? 2 : 3])
            builder.weight("w", [2, 3])
            builder.node("Transpose", ["w"], ["t"], perm.map { ["perm": .ints($0)] } ?? [:])
            builder.node("MatMul", ["x", "t"])
            #expect(try builder.graph().constants.values.first?.floats == expected)
        }
        #expect(try ModelBuilder.single("Transpose").onlyOperator() == .transpose(Transpose(permutation: [3, 2, 1, 0])))
        #expect(ModelBuilder.single("Transpose", ["perm": .ints([0, 0, 1, 2])]).failure().contains("[0, 0, 1, 2]"))
    }

    @Test func `the attributes of Slice before opset 10`() throws {
        var builder = ModelBuilder(opset: 9, input: [nil, 2])
        builder.weight("w", [2, 4])
        builder.node("Slice", ["w"], ["a"], ["starts": .ints([1]), "ends": .ints([100]), "axes": .ints([1])])
        builder.node("MatMul", ["x", "a"])
        #expect(try builder.graph().constants.values.first?.shape == [2, 3])
    }

    @Test func `indices outside, and parts of the batch, are refused`() {
        var outside = ModelBuilder(input: [nil, 2])
        outside.weight("w", [2, 4])
        outside.integers("i", [4])
        outside.node("Gather", ["w", "i"], ["g"], ["axis": .int(1)])
        outside.node("MatMul", ["x", "g"])
        #expect(outside.failure().contains("index 4"))
        #expect(ModelBuilder.single("Gather", integers: [[0]]).failure().contains("the batch"))
        #expect(ModelBuilder.single("Slice", integers: [[0], [1]]).failure().contains("the batch"))
        var zero = ModelBuilder()
        zero.node("Shape", ["x"], ["s"])
        for (name, value) in [("a", Int64(0)), ("b", 4), ("c", 0), ("d", 0)] { zero.integers(name, [value]) }
        zero.node("Slice", ["s", "a", "b", "c", "d"], ["t"])
        zero.node("Reshape", ["x", "t"])
        #expect(zero.failure().contains("step 0"))
    }

    @Test func `casts of constants, and of activations between float types`() throws {
        var builder = ModelBuilder(input: [nil, 2])
        builder.integers("i", [2, 3])
        builder.node("Cast", ["i"], ["f"], ["to": .int(1)])
        builder.node("Cast", ["x"], ["half"], ["to": .int(10)])
        builder.node("Mul", ["half", "f"])
        let graph = try builder.graph()
        #expect(graph.constants.values.map(\.floats) == [[2, 3]])
        #expect(try ModelBuilder.single("Cast", ["to": .int(7)]).onlyOperator() == .cast(Cast(to: .int64)))
        #expect(ModelBuilder.single("Cast", ["to": .int(8)]).failure().contains("string"))
        #expect(ModelBuilder.single("Cast").failure().contains("'to' is missing"))
    }

    @Test func `every form of Constant`() throws {
        func constant(_ attribute: String, _ value: ModelBuilder.Attribute, opset: Int = 17) -> ModelBuilder {
            var builder = ModelBuilder(opset: opset, input: [nil, 2])
            builder.node("Constant", [], ["i"], [attribute: value])
            builder.node("Cast", ["i"], ["c"], ["to": .int(1)])
            builder.node("Add", ["x", "c"])
            return builder
        }
        func values(_ builder: ModelBuilder) throws -> [Float]? { try builder.graph().constants.values.first?.floats }
        #expect(try values(constant("value_float", .float(1.5))) == [1.5])
        #expect(try values(constant("value_floats", .floats([1, 2]))) == [1, 2])
        #expect(try values(constant("value_int", .int(3))) == [3])
        #expect(try values(constant("value_ints", .ints([3, 4]))) == [3, 4])
        #expect(try values(constant("value", .tensor(ModelBuilder.tensor("", [2], [5, 6])), opset: 9)) == [5, 6])
        #expect(constant("value_string", .string("a")).failure().contains("text"))
        #expect(constant("sparse_value", .graph(ONNXGraphProto())).failure().contains("'sparse_value'"))
        #expect(constant("value_float", .float(1), opset: 11).failure().contains("'value_float'"))
        var empty = ModelBuilder()
        empty.node("Constant", [], ["c"])
        empty.node("Add", ["x", "c"])
        #expect(empty.failure().contains("one is needed"))
    }
}
