import SpikeGraph
import SpikeONNX
import SwiftProtobuf
import Testing

/// `If`: taken where its condition follows from shapes and constants.
@Suite struct BranchTests {
    /// A graph that reads what stands around it. The nodes are written into a model that only lends its functions.
    private static func branch(_ outputs: [String] = ["b"], _ build: (inout ModelBuilder) -> Void) -> ONNXGraphProto {
        var builder = ModelBuilder()
        build(&builder)
        return .with {
            $0.node = builder.model.graph.node
            $0.initializer = builder.model.graph.initializer
            $0.output = outputs.map { name in .with { $0.name = name } }
        }
    }

    private static func node(_ type: String, _ inputs: [String] = ["x"], _ output: String = "b") -> ONNXGraphProto {
        branch([output]) { $0.node(type, inputs, [output]) }
    }

    /// What TorchScript writes for `x.squeeze(2)`: the axis goes if its size is 1.
    private static func squeeze(_ size: Int) -> ModelBuilder {
        var builder = ModelBuilder(input: [nil, 3, size])
        builder.integers("two", [2], shape: [])
        builder.integers("one", [1], shape: [])
        builder.integers("axes", [2])
        builder.node("Relu", ["x"], ["a"])
        builder.node("Shape", ["a"], ["shape"])
        builder.node("Gather", ["shape", "two"], ["size"])
        builder.node("Equal", ["size", "one"], ["isOne"])
        builder.node(
            "If", ["isOne"], ["y"],
            ["then_branch": .graph(node("Squeeze", ["a", "axes"])), "else_branch": .graph(node("Identity", ["a"]))])
        return builder
    }

    /// One `If` on a constant.
    private static func choice(_ condition: Bool, _ first: ONNXGraphProto, _ second: ONNXGraphProto, outputs: [String] = ["y"])
        -> ModelBuilder
    {
        var builder = ModelBuilder()
        builder.integers("seven", [7], shape: [])
        builder.integers("limit", [condition ? 8 : 6], shape: [])
        builder.node("Less", ["seven", "limit"], ["isLess"])
        builder.node("If", ["isLess"], outputs, ["then_branch": .graph(first), "else_branch": .graph(second)], name: "choice")
        return builder
    }

    @Test func `the branch that follows from a shape is taken`() throws {
        #expect(try Self.squeeze(1).outputShape() == [.batch, 3])
        #expect(try Self.squeeze(4).operators() == [.relu(Relu())])
        let report = try Self.squeeze(1).imported().report
        #expect(report.actions.contains("1 × choices that follow from shapes and constants made"))
        #expect(report.fileOperators["If"] == 1 && report.fileOperators["Squeeze"] == nil && report.warnings.isEmpty)
    }

    @Test(arguments: [true, false]) func `nothing of the other branch is imported, nor what only it reads`(condition: Bool) throws {
        var builder = Self.choice(condition, Self.node("Add", ["plain", "plain"]), Self.node("Add", ["odd", "odd"]))
        builder.model.graph.node.insert(
            contentsOf: [("Sigmoid", "plain"), ("Bernoulli", "odd")].map { type, name in
                .with { ($0.opType, $0.input, $0.output) = (type, ["x"], [name]) }
            }, at: 0)
        guard condition else {
            #expect(builder.failure().contains("1 node cannot be imported") && builder.failure().contains("Bernoulli_odd"))
            return
        }
        let model = try builder.imported()
        #expect(model.graph.nodes.map(\.operator.name) == ["Sigmoid", "Add"])
        #expect(model.report.warnings == ["1 nodes of the file contribute to no output of the model; they were left out"])
    }

    @Test func `names of branches may be those of others, their weights too, and branches have branches`() throws {
        func weighted(_ value: Float) -> ONNXGraphProto {
            Self.branch {
                $0.weight("w", [1], [value])
                $0.node("Mul", ["x", "w"], ["y"])
                $0.node("Add", ["y", "w"], ["b"])
            }
        }
        let inner = Self.branch {
            $0.node("If", ["isLess"], ["b"], ["then_branch": .graph(weighted(2)), "else_branch": .graph(weighted(3))])
        }
        var builder = Self.choice(true, inner, Self.node("Bernoulli"), outputs: ["c"])
        builder.weight("w", [1], [5])
        builder.node("Mul", ["c", "w"], ["b"])
        builder.node(
            "If", ["isLess"], ["y"],
            [
                "then_branch": .graph(
                    Self.branch(["y"]) {
                        $0.weight("w", [1], [7])
                        $0.node("Add", ["b", "w"], ["y"])
                    }), "else_branch": .graph(inner),
            ])
        let graph = try builder.graph()
        #expect(graph.nodes.map(\.operator.name) == ["Mul", "Add", "Mul", "Add"])
        #expect(graph.nodes.map { graph.constants[$0.inputs[1]]?.floats } == [[2], [2], [5], [7]])
        #expect(graph.nodes.map { $0.inputs[0] } == ["x"] + graph.nodes.dropLast().map(\.name))
    }

    @Test func `a branch hands on what it reads, several outputs, constants and sizes`() throws {
        let sizes = Self.branch(["s", "x", "w"]) {
            $0.node("Shape", ["x"], ["s"])
            $0.weight("w", [1, 1, 1, 192])
        }
        var builder = Self.choice(false, Self.node("Bernoulli"), sizes, outputs: ["shape", "same", "more"])
        #expect(builder.failure().contains("defined by nothing"))
        builder.integers("flat", [0, 1, 1, -1])
        builder.node("Reshape", ["same", "flat"], ["z"])
        builder.node("Add", ["z", "more"], ["sum"])
        builder.node("Reshape", ["sum", "shape"], ["y"])
        #expect(try builder.outputShape() == [.batch, 3, 8, 8])
    }

    @Test func `what depends on the data or on the batch is refused, beside all else`() {
        var data = ModelBuilder()
        data.model.graph.input.append(ModelBuilder.info("isMore", [1], type: .bool))
        data.node("If", ["isMore"], ["a"], ["then_branch": .graph(Self.node("Relu")), "else_branch": .graph(Self.node("Identity"))])
        data.node("Bernoulli", ["a"], ["y"])
        #expect(data.failure().contains("2 nodes cannot be imported"))
        #expect(data.failure().contains("computed when the network runs"))

        var batch = ModelBuilder()
        batch.integers("zero", [0], shape: [])
        batch.integers("four", [4], shape: [])
        batch.node("Shape", ["x"], ["shape"])
        batch.node("Gather", ["shape", "zero"], ["size"])
        batch.node("Equal", ["size", "four"], ["isFour"])
        batch.node("If", ["isFour"], ["y"], ["then_branch": .graph(Self.node("Relu")), "else_branch": .graph(Self.node("Identity"))])
        #expect(batch.failure().contains("does not hold for every batch"))
    }

    @Test func `what is no choice is an error`() {
        #expect(Self.choice(true, Self.node("Relu"), Self.node("Relu"), outputs: ["y", "z"]).failure().contains("its branch has 1"))
        #expect(Self.choice(true, Self.branch([]) { _ in }, Self.node("Relu")).failure().contains("its branch has 0"))
        #expect(Self.choice(true, Self.node("Relu", ["nowhere"]), Self.node("Relu")).failure().contains("'nowhere'"))
        #expect(Self.choice(true, Self.node("Relu", ["x"], "c"), Self.node("Relu")).failure().isEmpty)
        #expect(Self.choice(true, Self.branch(["c"]) { _ in }, Self.node("Relu")).failure().contains("'c' is defined by nothing"))
        #expect(Self.choice(true, Self.node("Relu", ["y"]), Self.node("Relu")).failure().contains("in a circle: 'choice'"))
        let own = Self.branch { $0.node("Relu", ["b"], ["b"]) }
        #expect(Self.choice(true, own, own).failure().contains("in a circle"))

        var inputs = Self.node("Relu")
        inputs.input = [ModelBuilder.info("z", [1])]
        #expect(Self.choice(true, inputs, inputs).failure().contains("inputs of its own"))

        var number = ModelBuilder()
        number.integers("seven", [7])
        let branches: [String: ModelBuilder.Attribute] = [
            "then_branch": .graph(Self.node("Relu")), "else_branch": .graph(Self.node("Relu")),
        ]
        number.node("If", ["seven"], ["y"], branches)
        #expect(number.failure().contains("a single bool is needed"))
        var half = ModelBuilder()
        half.node("If", ["x"], ["y"], branches.filter { $0.key == "then_branch" })
        #expect(half.failure().contains("'else_branch' is missing"))
    }
}
