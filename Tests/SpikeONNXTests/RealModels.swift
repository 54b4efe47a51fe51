import Foundation
import SpikeGraph
import SpikeONNX
import Testing

/// The models in the repository: what PyTorch's exporters really write.
enum RealModels {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Every `.onnx` file among the models and the golden files.
    static let files: [URL] = ["Models", "Tests/Fixtures/Golden"].flatMap { folder -> [URL] in
        let url = root.appendingPathComponent(folder)
        let names = FileManager.default.enumerator(atPath: url.path)?.compactMap { $0 as? String } ?? []
        return names.filter { $0.hasSuffix(".onnx") }.sorted().map { url.appendingPathComponent($0) }
    }
}

@Suite struct RealModelTests {
    @Test(arguments: RealModels.files) func `every exported model imports, with its batch open`(file: URL) throws {
        let model = try ONNXImporter.importModel(at: file)
        #expect(model.graph.inputs.first?.type.shape.dimensions.first == .batch)
        for output in model.graph.outputs { #expect(model.graph.types[output.value]?.shape.dimensions.first == .batch) }
        #expect(model.report.warnings.isEmpty)
    }
}
