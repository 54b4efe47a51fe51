import Foundation
import SpikeData
import SpikeGraph
import SpikeONNX
import SpikeReference
import TestSupport
import Testing

/// Whole networks against what other programs computed from the same files.
@Suite struct OnnxRuntimeOutputTests {
    static let models = RealModels.files.filter { $0.path.contains("/Models/FashionMNIST/") }
    static let golden = RealModels.files.filter { $0.path.contains("/Golden/") }

    private static func path(_ name: String) -> String { Repository.root.appendingPathComponent(name).path }

    private static func tensor(_ archive: NPZ, _ name: String, scale: Float = 1) throws -> Tensor {
        let array = try archive.array(name)
        return Tensor(array.floats().map { $0 / scale }, shape: array.shape)
    }

    /// Expects no difference above 10⁻⁴ of the largest expected number.
    private static func expect(_ output: Tensor, near expected: Tensor) {
        #expect(output.shape == expected.shape)
        let largest = expected.floats.map(abs).max() ?? 0
        let difference = zip(output.floats, expected.floats).map { abs($0 - $1) }.max() ?? .infinity
        #expect(largest > 0 && difference <= 1e-4 * largest, "differs by \(difference) where the largest is \(largest)")
    }

    @Test func `all exports and four golden files are here`() {
        #expect(Self.models.count == 17)
        #expect(Self.golden.count == 4)
    }

    @Test(arguments: models) func `every export computes what ONNX Runtime does, on 100 images`(file: URL) throws {
        let images = try Self.tensor(NPZ(path: Self.path("Models/FashionMNIST/test_1000.npz")), "images", scale: 255).samples(0..<100)
        let expected = try Self.tensor(
            NPZ(path: Self.path("Tests/Fixtures/onnxruntime_outputs.npz")), file.deletingLastPathComponent().lastPathComponent)
        let graph = try ONNXImporter.read(file.path).graph
        try Self.expect(ReferenceExecutor(graph).run([images])[0], near: expected)
    }

    @Test(arguments: golden) func `the golden networks compute what PyTorch did`(file: URL) throws {
        let name = file.lastPathComponent.hasPrefix("tiny") ? "tiny" : "cnn"
        let archive = try NPZ(path: Self.path("Tests/Fixtures/Golden/\(name)_sj0.0.0.0.14.npz"))
        let graph = try ONNXImporter.read(file.path).graph
        try Self.expect(ReferenceExecutor(graph).run([Self.tensor(archive, "input")])[0], near: Self.tensor(archive, "ann_output"))
    }
}
