import SpikeConversion
import SpikeData
import SpikeFormats
import SpikeGraph
import SpikeONNX
import SpikeReference
import TestSupport
import Testing

/// The bundled networks, converted, written as NIR, read again and simulated: the same spikes, neuron by neuron.
@Suite struct NIRRoundTripTests {
    private static let steps = 16

    private static func images(_ file: String, _ count: Int) throws -> DataLoader {
        try DataLoader(Dataset(path: Repository.model("FashionMNIST/\(file).npz")), batchSize: count, limit: count)
    }

    private static func network(_ name: String) throws -> Graph {
        let ann = try ONNXImporter.read(Repository.model("FashionMNIST/\(name)/\(name)_torchscript.onnx")).graph
        return try RecipeConverter(Recipe.calibrated.options(steps), calibration: images("train_2000", 32))(ann)
    }

    /// Through a file where this build has libhdf5.
    private static func written(_ graph: NIRGraph) throws -> NIRGraph {
        guard NIRFile.isSupported else { return graph }
        let folder = try TemporaryFolder()
        try NIRFile.write(graph, to: folder.file("a.nir"))
        return try NIRFile.read(folder.file("a.nir"))
    }

    /// How often each neuron fired, by the names that layers have in NIR, and the outputs.
    private static func run(_ graph: Graph) throws -> (counts: [String: [Float]], output: [Float]) {
        let simulation = try ReferenceSimulation(graph)
        var pass = try images("test_1000", 3).makePass()
        let batch = try #require(try pass.next())
        let output = try simulation.run(batch.inputs, steps: steps)[0].floats
        let counts = simulation.spikeCounts.map { ($0.key.replacing(/[^A-Za-z0-9]/, with: "_"), $0.value.floats) }
        return (Dictionary(uniqueKeysWithValues: counts), output)
    }

    @Test(arguments: ["cnn", "resnet", "mobile"])
    func `written for Spikelet itself, a network has the same spikes and outputs, to the bit`(name: String) throws {
        let snn = try Self.network(name)
        let export = try NIRExporter(.spikelet)(snn)
        #expect(export.approximations.isEmpty)
        let again = try NIRImporter(NIRProfile.spikelet.dynamics)(Self.written(export.graph))
        let (expected, found) = (try Self.run(snn), try Self.run(again))
        #expect(expected.counts.count == snn.nodes.count { if case .neuron = $0.operator { true } else { false } })
        #expect(expected.counts.values.allSatisfy { $0.contains { $0 > 0 } })
        #expect(found.counts == expected.counts)
        #expect(found.output == expected.output)
    }

    @Test func `max pooling has to be approximated once, and what came of it has the same spikes from then on`() throws {
        let snn = try Self.network("vgg")
        expectError(.unsupported, "max pooling") { _ = try NIRExporter(.spikelet)(snn) }
        let export = try NIRExporter(.spikelet, approximate: true)(snn)
        #expect(export.approximations.map(\.subject) == ["max pooling"])
        let approximated = try NIRImporter(NIRProfile.spikelet.dynamics)(Self.written(export.graph))
        let (original, expected) = (try Self.run(snn), try Self.run(approximated))
        // Up to the first pool nothing is approximated.
        for layer in ["snn_tailor_0_1", "snn_tailor_1_1"] { #expect(expected.counts[layer] == original.counts[layer]) }
        let second = try NIRExporter(.spikelet)(approximated)
        let again = try Self.run(NIRImporter(NIRProfile.spikelet.dynamics)(Self.written(second.graph)))
        #expect(again.counts == expected.counts && again.output == expected.output)
    }

    /// Folding rounds W·θ: a membrane within rounding of its threshold may cross it a step earlier or later, and what reads it
    /// follows. Without v₀ nothing else differs.
    @Test(arguments: ["cnn", "resnet"])
    func `folded for others, a network has the same spikes but for what rounding moves`(name: String) throws {
        let ann = try ONNXImporter.read(Repository.model("FashionMNIST/\(name)/\(name)_torchscript.onnx")).graph
        let converter = try Converter(dataloader: Self.images("train_2000", 32), mode: .percentile(99.9), momentum: 0.1, fuseFlag: true)
        let snn = try converter(ann)
        let export = try NIRExporter()(snn)
        #expect(export.approximations.isEmpty)
        let (expected, found) = (try Self.run(snn), try Self.run(NIRImporter()(Self.written(export.graph))))
        #expect(found.counts.keys.sorted() == expected.counts.keys.sorted())
        let pairs = expected.counts.flatMap { zip($0.value, found.counts[$0.key] ?? []) }
        let differing = pairs.count { $0 != $1 }
        #expect(differing * 200 <= pairs.count, "\(differing) of \(pairs.count)")
    }
}
