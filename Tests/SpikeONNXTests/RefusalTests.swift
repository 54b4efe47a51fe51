import SpikeGraph
import SpikeONNX
import SwiftProtobuf
import Testing

@Suite struct RefusalTests {
    @Test func `every unsupported node is listed, with its name, a reason and a hint`() throws {
        var builder = ModelBuilder()
        builder.node("Bernoulli", ["x"], ["a"], name: "/block/act1/Bernoulli")
        builder.node("Conv", ["a", "w"], ["b"], ["group": .int(1)], name: "/block/conv/Conv")
        builder.weight("w", [3, 3, 1, 1])
        builder.node("Bernoulli", ["b"], ["c"], name: "/block/act2/Bernoulli")
        builder.node("FusedThing", ["c"], ["d"], name: "fused", domain: "com.microsoft")
        builder.node("MaxPool", ["d"], ["e"], ["kernel_shape": .ints([2, 2]), "shiny": .int(1)], name: "pool")
        builder.node("LSTM", ["e"], ["y"])
        let error = try #require(throws: SpikeletError.self) { _ = try builder.imported() }
        #expect(error.code == .unsupported)
        let text = error.description
        #expect(text.contains("5 nodes cannot be imported"))
        #expect(text.contains("Bernoulli, opset 17: 2 nodes: block.act1 (Bernoulli), block.act2 (Bernoulli)"))
        #expect(text.contains("com.microsoft.FusedThing") && text.contains("not part of ONNX"))
        #expect(text.contains("'shiny'") && text.contains("feed-forward") && text.contains("LSTM_y"))
    }

    @Test func `functions of the model's own are told apart`() {
        var builder = ModelBuilder()
        builder.model.functions = [.with { ($0.name, $0.domain) = ("Mine", "pkg.mine") }]
        builder.model.opsetImport.append(.with { ($0.domain, $0.version) = ("pkg.mine", 1) })
        builder.node("Mine", ["x"], ["y"], domain: "pkg.mine")
        #expect(builder.failure().contains("inline_local_functions"))
    }

    @Test func `ONNX's domain may be spelled out`() throws {
        var builder = ModelBuilder()
        builder.model.opsetImport[0].domain = "ai.onnx"
        builder.node("Relu", ["x"], ["y"], domain: "ai.onnx")
        #expect(try builder.onlyOperator() == .relu(Relu()))
    }

    @Test func `attributes of a wrong type, given twice, or of a function`() {
        func failure(_ attribute: ONNXAttributeProto, twice: Bool = false) -> String {
            var builder = ModelBuilder.single("Flatten")
            builder.model.graph.node[0].attribute = twice ? [attribute, attribute] : [attribute]
            return builder.failure()
        }
        let axis = ModelBuilder.attribute("axis", .int(1))
        #expect(failure(axis).isEmpty)
        #expect(failure(axis, twice: true).contains("given twice"))
        #expect(failure(ModelBuilder.attribute("axis", .float(1))).contains("float, int is needed"))
        #expect(failure(ModelBuilder.attribute("axis", .graph(ONNXGraphProto()))).contains("graph, int is needed"))
        var untyped = axis
        untyped.type = .undefined
        #expect(failure(untyped).isEmpty)
        var reference = axis
        reference.refAttrName = "outer"
        #expect(failure(reference).contains("outside a function"))
    }

    @Test(arguments: ["Relu", "Conv", "Add", "Reshape", "Flatten", "BatchNormalization", "Clip"])
    func `a wrong number of inputs or outputs is refused before the operator looks`(type: String) {
        var many = ModelBuilder()
        many.node(type, [String](repeating: "x", count: 9))
        #expect(many.failure().contains("9 inputs"))
        var none = ModelBuilder()
        none.node(type, [])
        #expect(none.failure().contains("0 inputs"))
        var outputs = ModelBuilder()
        outputs.node(type, ["x"], ["y", "z", "u", "v", "w", "t"])
        #expect(outputs.failure().contains("are needed") || outputs.failure().contains("6 outputs"))
        var empty = ModelBuilder()
        empty.node(type, ["", "", "", "", ""])
        #expect(!empty.failure().isEmpty)
    }

    @Test func `outputs that are sizes of the batch are refused, constants are shown`() throws {
        var constant = ModelBuilder()
        constant.node("Shape")
        #expect(constant.failure().contains("depends on the batch alone"))
        var fixed = ModelBuilder(input: [2, 3])
        fixed.node("Shape")
        let graph = try fixed.graph()
        #expect(graph.nodes.isEmpty && graph.constants[graph.outputs[0].value] == Tensor([Int64(2), 3], shape: [2]))
        var data = ModelBuilder()
        data.node("Shape", ["x"], ["s"])
        data.node("Add", ["x", "s"])
        #expect(data.failure().contains("as data"))
    }
}

@Suite struct NodeNameTests {
    /// The names that a chain of `Relu`s gets.
    func names(_ given: [String], scopes: [String?] = []) throws -> [String] {
        var builder = ModelBuilder()
        for (i, name) in given.enumerated() {
            builder.node("Relu", [i == 0 ? "x" : "v\(i)"], [i == given.count - 1 ? "y" : "v\(i + 1)"], name: name)
            if i < scopes.count, let scope = scopes[i] {
                builder.model.graph.node[i].metadataProps = [.with { ($0.key, $0.value) = ("pkg.torch.onnx.name_scopes", scope) }]
            }
        }
        return try builder.graph().nodes.map(\.name)
    }

    @Test func `TorchScript's paths become module names`() throws {
        #expect(
            try names(["/features/features.0/conv/conv.2/Relu", "/layer1/layer1.0/relu/Relu", "/Relu", "/layer1/layer1.0/Relu"]) == [
                "features.0.conv.2", "layer1.0.relu", "Relu", "layer1.0.Relu",
            ])
        #expect(try names(["/act/Relu", "/act/Relu_1"]) == ["act.Relu", "act.Relu_1"])
    }

    @Test func `dynamo's scopes become module names`() throws {
        #expect(
            try names(
                ["node_relu", "node_relu_1", "node_relu_2"],
                scopes: ["['', 'relu1', 'relu']", "['', 'b', 'b.relu', 'relu_1']", "['', 'relu_2']"])
                == ["relu1", "b.relu", "relu_2"])
    }

    @Test func `a chain that became one operator has the module's name, where nothing else of the module is left`() throws {
        var builder = ModelBuilder()
        builder.node("Sigmoid", ["x"], ["a"], name: "/block/act/Sigmoid")
        builder.node("Mul", ["x", "a"], ["b"], name: "/block/act/Mul")
        builder.node("Sigmoid", ["b"], ["c"], name: "/block/Sigmoid")
        builder.node("Mul", ["b", "c"], ["y"], name: "/block/Mul")
        let graph = try builder.graph()
        #expect(graph.nodes.map(\.name) == ["block.act", "block.Mul"])
        #expect(graph.outputs.map(\.value) == ["block.Mul"])
    }

    @Test func `names that are missing or double are made up`() throws {
        #expect(try names(["", "same", "same", "x"]) == ["Relu_v1", "same", "same_2", "x_2"])
    }

    @Test func `a convolution into which dynamo folded a normalisation keeps its own name`() throws {
        var builder = ModelBuilder()
        builder.weight("conv1.weight", [4, 3, 1, 1])
        builder.node("Conv", ["x", "conv1.weight"], ["y"], name: "node_Conv_25")
        builder.model.graph.node[0].metadataProps = [
            .with { ($0.key, $0.value) = ("pkg.torch.onnx.name_scopes", "['', 'norm1', 'batch_norm']") }
        ]
        #expect(try builder.graph().nodes[0].name == "conv1")
    }

    @Test func `weights that the exporter numbered are called after their node`() throws {
        var builder = ModelBuilder()
        builder.weight("onnx::Conv_39", [4, 3, 1, 1])
        builder.weight("onnx::Conv_40", [4])
        builder.node("Conv", ["x", "onnx::Conv_39", "onnx::Conv_40"], ["y"], name: "/conv1/Conv")
        #expect(try builder.graph().nodes[0].inputs == ["x", "conv1.weight", "conv1.bias"])
    }
}
