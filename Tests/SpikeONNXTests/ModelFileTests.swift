import Foundation
import SpikeGraph
import SpikeONNX
import SwiftProtobuf
import TestSupport
import Testing

@Suite struct ModelFileTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// The error that importing these bytes ends with.
    func failure(_ data: Data, _ name: String = "model.onnx") throws -> SpikeletError {
        let file = try folder.write(data, name)
        return try #require(throws: SpikeletError.self) { _ = try ONNXImporter.read(file) }
    }

    @Test func `a missing file, a folder and an empty file`() throws {
        let missing = try #require(throws: SpikeletError.self) { _ = try ONNXImporter.read(folder.url.path + "/none.onnx") }
        #expect(missing.code == .fileSystem && missing.description.contains("none.onnx") && missing.remedy != nil)
        let directory = try #require(throws: SpikeletError.self) { _ = try ONNXImporter.read(folder.url.path) }
        #expect(directory.message.contains("folder"))
        #expect(try failure(Data()).message.contains("empty"))
    }

    @Test(arguments: [
        ("version https://git-lfs.github.com/spec/v1\noid sha256:00", "Git LFS"), ("PK\u{3}\u{4}zipped", "zip archive"),
        ("<!DOCTYPE html><html>", "web page"), ("{\"json\": 1}", "JSON"), ("abcdTFL3", "TensorFlow Lite"), ("xHDF\r\n", "HDF5"),
        ("just some text that someone named model.onnx", "not an ONNX model"),
    ]) func `files that are something else are recognised`(text: String, what: String) throws {
        let error = try failure(Data(text.utf8))
        #expect(error.code == .malformedFile && error.message.contains(what) && error.remedy != nil)
    }

    @Test func `a named pipe does not hang the importer`() throws {
        let path = folder.url.appendingPathComponent("pipe.onnx").path
        #expect(mkfifo(path, 0o600) == 0)
        let error = try #require(throws: SpikeletError.self) { _ = try ONNXImporter.read(path) }
        #expect(error.message.contains("regular file"))
    }

    @Test func `a model without graph, opset, output or input`() throws {
        var model = ModelBuilder.single("Relu").model
        model.opsetImport = []
        #expect(try failure(model.serializedData()).message.contains("opset"))
        model = ModelBuilder.single("Relu").model
        model.clearGraph()
        #expect(try failure(model.serializedData()).message.contains("no network"))
        model = ModelBuilder.single("Relu").model
        model.graph.output = []
        #expect(try failure(model.serializedData()).message.contains("no output"))
        model = ModelBuilder.single("Relu").model
        model.graph.input = []
        #expect(try failure(model.serializedData()).message.contains("'x'"))
        model = ModelBuilder.single("Relu").model
        model.graph.output[0].name = "nobody"
        #expect(try failure(model.serializedData()).message.contains("'nobody'"))
    }

    @Test func `opsets that are too old are refused, newer ones noted`() throws {
        #expect(ModelBuilder.single("Relu", opset: 5).failure().contains("version_converter"))
        #expect(try ModelBuilder.single("Relu", opset: 99).imported().report.warnings.count == 1)
        #expect(try ModelBuilder.single("Relu", opset: 27).imported().report.warnings.isEmpty)
    }

    @Test func `the report says where the model comes from`() throws {
        let report = try ModelBuilder.single("Relu").imported().report
        #expect(report.producerName == "tests" && report.irVersion == 8 && report.opsets == ["ai.onnx": 17])
        #expect(report.operators == ["Relu": 1] && report.fileOperators == ["Relu": 1])
        #expect(report.description.contains("opset ai.onnx 17"))
    }

    @Test func `nodes that are out of order are put in order`() throws {
        var builder = ModelBuilder()
        builder.node("Relu", ["b"], ["y"])
        builder.node("Sigmoid", ["a"], ["b"])
        builder.node("Relu", ["x"], ["a"])
        #expect(try builder.operators() == [.relu(Relu()), .sigmoid(Sigmoid()), .relu(Relu())])
    }

    @Test func `broken wiring is named`() {
        var undefined = ModelBuilder()
        undefined.node("Relu", ["nothing"], ["y"], name: "act")
        #expect(undefined.failure().contains("'nothing'") && undefined.failure().contains("act"))
        var cycle = ModelBuilder()
        cycle.node("Add", ["x", "y"], ["a"], name: "first")
        cycle.node("Relu", ["a"], ["y"], name: "second")
        #expect(cycle.failure().contains("circle") && cycle.failure().contains("first"))
        var twice = ModelBuilder()
        twice.node("Relu")
        twice.node("Relu")
        #expect(twice.failure().contains("defined twice"))
        var weights = ModelBuilder.single("Add", weights: [[1]])
        weights.weight("w0", [1])
        #expect(weights.failure().contains("'w0' is defined twice"))
        var inputs = ModelBuilder.single("Relu")
        inputs.model.graph.input.append(inputs.model.graph.input[0])
        #expect(inputs.failure().contains("two inputs"))
    }

    @Test func `what no output needs is left out, and said`() throws {
        var builder = ModelBuilder.single("Relu")
        builder.node("Exotic", ["x"], ["unused"])
        builder.model.graph.initializer.append(.with { ($0.name, $0.dataType) = ("unused2", .string) })
        let model = try builder.imported()
        #expect(model.graph.nodes.count == 1)
        #expect(model.report.warnings.count == 1)
    }
}

@Suite struct ModelInputTests {
    /// A model that reads `x` of these sizes.
    func graph(_ sizes: [Int?]) throws -> Graph { try ModelBuilder(input: sizes).withRelu().graph() }

    @Test func `an open first axis is the batch, and a fixed one is opened`() throws {
        #expect(try graph([nil, 3]).inputs[0].type.shape == [.batch, 3])
        #expect(try graph([0, 3]).inputs[0].type.shape == [.batch, 3])
        #expect(try graph([-1, 3]).inputs[0].type.shape == [.batch, 3])
        var unset = ModelBuilder(input: [nil, 3]).withRelu()
        unset.model.graph.input[0].type.tensorType.shape.dim[0] = .init()
        #expect(try unset.graph().inputs[0].type.shape == [.batch, 3])
        let fixed = try ModelBuilder(input: [1, 3]).withRelu().imported()
        #expect(fixed.graph.inputs[0].type.shape == [.batch, 3])
        #expect(fixed.report.actions.contains { $0.contains("batch of 1 opened") })
    }

    @Test func `other open axes and absurd sizes are refused`() {
        let open = ModelBuilder(input: [nil, 3, nil, 8]).withRelu().failure()
        #expect(open.contains("axis 2") && open.contains("'batch'") && open.contains("fixed sizes"), "\(open)")
        #expect(ModelBuilder(input: [nil, .max]).withRelu().failure().contains("impossible"))
        #expect(ModelBuilder(input: [nil, 1 << 20, 1 << 20, 1 << 20, 1 << 20]).withRelu().failure().contains("impossible"))
    }

    @Test func `types other than float32 are converted or refused`() throws {
        for type in [ONNXTensorProto.DataType.float16, .bfloat16, .double] {
            var builder = ModelBuilder.single("Relu")
            builder.model.graph.input[0] = ModelBuilder.info("x", [nil, 3], type: type)
            #expect(try builder.imported().report.warnings.first?.contains("float32") == true)
        }
        var builder = ModelBuilder.single("Relu")
        builder.model.graph.input[0] = ModelBuilder.info("x", [nil, 3], type: .uint8)
        #expect(builder.failure().contains("uint8"))
        builder.model.graph.input[0] = ModelBuilder.info("x", [nil, 3], type: .int64)
        #expect(builder.failure().contains("float32 is needed"))
        builder.model.graph.input[0].clearType()
        #expect(builder.failure().contains("not a tensor"))
        builder.model.graph.input[0].type.tensorType.elemType = .float
        #expect(builder.failure().contains("shape is not given"))
    }

    @Test func `weights that are listed as inputs too are weights`() throws {
        var builder = ModelBuilder.single("MatMul", input: [nil, 4], weights: [[4, 2]])
        builder.model.graph.input.append(ModelBuilder.info("w0", [4, 2]))
        #expect(try builder.graph().inputs.map(\.name) == ["x"])
        #expect(try builder.graph().constants["w0"]?.shape == [4, 2])
    }
}

extension ModelBuilder {
    /// The same with a `Relu` from `x` to `y`.
    func withRelu() -> ModelBuilder {
        var copy = self
        copy.node("Relu")
        return copy
    }
}

@Suite struct OpenAxesTests {
    private var model: ModelBuilder {
        var builder = ModelBuilder(input: [nil, 3, nil, 8]).withRelu()
        builder.model.graph.input[0].type.tensorType.shape.dim[2] = .with { $0.dimParam = "H" }
        builder.model.graph.input[0].type.tensorType.shape.dim[3] = .with { $0.dimParam = "W" }
        return builder
    }

    private func shape(_ axes: OpenAxes) throws -> Shape {
        try ONNXImporter.importModel(model.model, fileName: "m.onnx", folder: FileManager.default.temporaryDirectory, openAxes: axes).graph
            .inputs[0].type.shape
    }

    @Test func `open axes are closed by name, by position, or by the data`() throws {
        #expect(try shape(OpenAxes(["H": 5, "W": 7])) == [.batch, 3, 5, 7])
        #expect(try shape(OpenAxes(["2": 5, "W": 7])) == [.batch, 3, 5, 7])
        #expect(try shape(OpenAxes(["W": 9], sample: { _, _ in [3, 5, 7] })) == [.batch, 3, 5, 9])
        #expect(try shape(OpenAxes(sample: { _, _ in [3, 5, 7] })) == [.batch, 3, 5, 7])
        expectError(.unsupported, "axis 2 ('H') and axis 3 ('W') are open", "`openAxes: H=320,W=320`") {
            _ = try shape(OpenAxes(sample: { _, _ in [5, 7] }))
        }
        expectError(.invalidOption, "leaves no axis 'Q' open", "'H'") { _ = try shape(OpenAxes(["Q": 1])) }
        expectError(.invalidOption, "the size 0 of the open axis 'H'") { _ = try OpenAxes(["H": 0]) }
    }

    @Test func `axes that share a mark for no name are axes of their own`() throws {
        var builder = model
        for axis in [2, 3] { builder.model.graph.input[0].type.tensorType.shape.dim[axis].dimParam = "?" }
        let axes = try OpenAxes(sample: { _, _ in [3, 5, 7] })
        let imported = try ONNXImporter.importModel(
            builder.model, fileName: "m.onnx", folder: FileManager.default.temporaryDirectory, openAxes: axes)
        #expect(imported.graph.inputs[0].type.shape == [.batch, 3, 5, 7])
        #expect(imported.openAxes.map(\.description) == ["2=5", "3=7"])
    }

    @Test func `all that stands in the way is one list`() throws {
        var builder = model
        builder.model.graph.node[0].output = ["a"]
        builder.node("NonZero", ["a"], ["b"])
        builder.node("LSTM", ["b"], ["y"])
        let text = builder.failure()
        for part in ["sizes of the input are open, and 2 nodes cannot be imported", "'H'", "'W'", "NonZero", "LSTM"] {
            #expect(text.contains(part), "\(text)")
        }
    }
}
