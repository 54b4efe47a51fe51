import Foundation
import SpikeGraph
import SpikeONNX
import SpikeReference
import TestSupport
import Testing

/// The models in the repository: what PyTorch's exporters really write.
enum RealModels {
    /// Every `.onnx` file among the models and the golden files.
    static let files: [URL] = ["Models", "Tests/Fixtures/Golden"].flatMap { folder -> [URL] in
        let url = Repository.root.appendingPathComponent(folder)
        let names = FileManager.default.enumerator(atPath: url.path)?.compactMap { $0 as? String } ?? []
        return names.filter { $0.hasSuffix(".onnx") }.sorted().map { url.appendingPathComponent($0) }
    }

    /// Different exports of one network, by the network's name: `…/cnn/cnn_dynamo.onnx` is one of `cnn`.
    static let families: [[URL]] = Dictionary(grouping: files.filter { $0.path.contains("/Models/") }) {
        $0.deletingLastPathComponent().lastPathComponent
    }.sorted { $0.key < $1.key }.map(\.value)
}

@Suite struct RealModelTests {
    @Test(arguments: RealModels.files) func `every exported model imports, with its batch open`(file: URL) throws {
        let model = try ONNXImporter.read(file.path)
        #expect(model.graph.inputs.first?.type.shape.dimensions.first == .batch)
        for output in model.graph.outputs { #expect(model.graph.types[output.value]?.shape.dimensions.first == .batch) }
        #expect(model.report.warnings.isEmpty)
        // Module names, not the exporter's own.
        #expect(model.graph.nodes.allSatisfy { !$0.name.contains("/") && !$0.name.hasPrefix("node_") })
    }

    @Test(arguments: RealModels.families) func `all exports of a network compute the same`(files: [URL]) throws {
        var outputs: [[Float]] = []
        for file in files {
            let graph = try ONNXImporter.read(file.path).graph
            let shape = graph.inputs[0].type.shape.resolved(batch: 2)
            let image = Tensor((0..<shape.reduce(1, *)).map { Float($0 * 37 % 101) / 101 }, shape: shape)
            outputs.append(try ReferenceExecutor(graph).run([image])[0].floats)
        }
        for output in outputs.dropFirst() {
            #expect(zip(outputs[0], output).allSatisfy { abs($0 - $1) < 1e-3 * max(1, abs($0)) })
        }
    }
}
