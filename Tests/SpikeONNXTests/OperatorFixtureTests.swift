import Foundation
import SpikeData
import SpikeGraph
import SpikeONNX
import SpikeReference
import SwiftProtobuf
import TestSupport
import Testing

/// Small models with ONNX Runtime's answers, as `Tools/Fixtures/make_operator_fixtures.py` writes them.
struct OperatorFixtures {
    let archive: NPZ

    static let operators = Result { try OperatorFixtures(archive: NPZ(path: Repository.fixture("operators.npz"))) }

    /// The names of all cases.
    static let names: [String] = {
        let names = (try? operators.get().archive.names) ?? []
        return names.compactMap { $0.hasSuffix("/model") ? String($0.dropLast(6)) : nil }
    }()

    func graph(_ name: String) throws -> Graph {
        let bytes = try archive.array("\(name)/model").integers().map { UInt8($0) }
        return try ONNXImporter.importModel(Data(bytes), fileName: "\(name).onnx", folder: FileManager.default.temporaryDirectory).graph
    }

    func tensor(_ name: String) throws -> Tensor { try archive.array(name).tensor() }
}

@Suite struct OperatorFixtureTests {
    @Test(arguments: OperatorFixtures.names) func `the answer is ONNX Runtime's`(name: String) throws {
        let fixtures = try OperatorFixtures.operators.get()
        let graph = try fixtures.graph(name)
        let outputs = try ReferenceExecutor(graph).run(graph.inputs.map { try fixtures.tensor("\(name)/input/\($0.name)") })
        for (output, found) in zip(graph.outputs, outputs) {
            let expected = try fixtures.tensor("\(name)/output/\(output.name)")
            #expect(found.shape == expected.shape && found.elementType == expected.elementType)
            guard case .float32(let values) = found.storage else {
                #expect(found == expected)
                continue
            }
            let largest = expected.floats.map { abs($0) }.max() ?? 0
            let difference = zip(values, expected.floats).map { abs($0 - $1) }.max() ?? 0
            #expect(difference <= 1e-5 * max(largest, 1))
        }
    }

    @Test func `there is a case for every family`() {
        #expect(OperatorFixtures.names.count > 150)
    }

    /// What both exporters' chains become.
    @Test(
        arguments: [
            ("gelu", ["Gelu"]), ("gelu_tanh", ["Gelu"]), ("silu", ["Swish"]), ("hardswish", ["HardSwish"]), ("softmax", ["Softmax"]),
            ("layer_norm", ["LayerNormalization"]), ("pad_conv", ["Conv"]), ("clamp", ["Relu"]), ("view", ["Reshape"]),
        ], ["script", "dynamo"])
    func `chains become one operator`(idiom: (name: String, operators: [String]), exporter: String) throws {
        let graph = try OperatorFixtures.operators.get().graph("torch_\(idiom.name)_\(exporter)")
        #expect(graph.nodes.map(\.operator.name) == idiom.operators)
    }

    @Test func `softmax written out is one operator`() throws {
        var builder = ModelBuilder(input: [nil, 4])
        builder.integers("axis", [1])
        builder.node("ReduceMax", ["x"], ["m"], ["axes": .ints([1])])
        builder.node("Sub", ["x", "m"], ["d"])
        builder.node("Exp", ["d"], ["e"])
        builder.node("ReduceSum", ["e", "axis"], ["s"])
        builder.node("Div", ["e", "s"])
        #expect(try builder.onlyOperator() == .softmax(Softmax(axis: 1)))
    }

    @Test func `a chain that something else reads keeps what is read`() throws {
        var builder = ModelBuilder(input: [nil, 4])
        builder.node("Sigmoid", ["x"], ["s"])
        builder.node("Mul", ["x", "s"])
        builder.model.graph.output.append(.with { $0.name = "s" })
        #expect(try builder.operators() == [.sigmoid(Sigmoid()), .unary(Unary(.swish, parameters: [1]))])
    }

    @Test func `activations with parameters that make them ReLUs are ReLUs`() throws {
        #expect(try ModelBuilder.single("LeakyRelu", ["alpha": .float(0)]).onlyOperator() == .relu(Relu()))
        #expect(try ModelBuilder.single("ThresholdedRelu", ["alpha": .float(0)]).onlyOperator() == .relu(Relu()))
        #expect(try ModelBuilder.single("PRelu", weights: [[1]]).onlyOperator() == .relu(Relu()))
        #expect(try ModelBuilder.single("LeakyRelu").onlyOperator() == .unary(Unary(.leakyRelu, parameters: [0.01])))
    }
}

@Suite struct OperatorTableTests {
    @Test func `the documentation lists what the table holds`() throws {
        let file = Repository.root.appendingPathComponent("Documentation/Operators.md")
        if ProcessInfo.processInfo.environment["SPIKELET_UPDATE"] != nil {
            try OperatorTable.documentation.write(to: file, atomically: true, encoding: .utf8)
        }
        #expect(try String(contentsOf: file, encoding: .utf8) == OperatorTable.documentation, "run the tests with SPIKELET_UPDATE=1")
    }
}
