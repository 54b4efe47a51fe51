import Foundation
import SpikeConversion
import SpikeData
import SpikeFormats
import SpikeGraph
import SpikeONNX
import SpikeReference
import SpikeRuntime
import TestSupport
import Testing

/// Networks made at random, with what a NumPy program that reads their SNN files makes of them (`Tools/Generate/generate.py --fixtures`).
@Suite struct GeneratedTests {
    static let archive = Result { try NPZ(path: Repository.fixture("generated.npz")) }
    static let names: [String] = ((try? archive.get().names) ?? []).compactMap { $0.hasSuffix("/snn") ? String($0.dropLast(4)) : nil }

    private func bytes(_ name: String) throws -> [UInt8] {
        try Self.archive.get().array(name).integers().map { UInt8($0) }
    }

    private func tensor(_ name: String) throws -> Tensor { try Self.archive.get().array(name).tensor() }

    private func whole(_ name: String) throws -> Int { Int(try Self.archive.get().array(name).integers()[0]) }

    private func snn(_ name: String) throws -> Graph {
        let folder = try TemporaryFolder()
        return try SNNFile.read(folder.write(bytes("\(name)/snn"), "snn.safetensors"))
    }

    /// The outputs within rounding of those of the archive, and as many spikes of each layer.
    private func expectTheSame(_ outputs: [Tensor], _ spikes: [String: Tensor], _ network: Graph, _ name: String, _ who: String) throws {
        for (found, output) in zip(outputs, network.outputs) {
            let expected = try tensor("\(name)/output/\(output.name)")
            #expect(found.shape == expected.shape)
            let largest = expected.floats.map(abs).max() ?? 0
            let worst = zip(found.floats, expected.floats).map { abs($0 - $1) }.max() ?? 0
            #expect(worst <= 2e-5 * (largest + 1e-3), "\(who): '\(output.name)' is off by \(worst) of \(largest)")
        }
        for (node, counts) in spikes {
            let total = Int(counts.floats.reduce(0, +))
            #expect(try total == whole("\(name)/spikes/\(node)"), "\(who): spikes of '\(node)'")
        }
    }

    @Test(arguments: names) func `engine and reference do what a program says that shares no code with them`(name: String) throws {
        let (network, input, steps) = (try snn(name), try tensor("\(name)/input"), try whole("\(name)/steps"))
        let reference = try ReferenceSimulation(network)
        try expectTheSame(reference.run([input], steps: steps), reference.spikeCounts, network, name, "reference")
        let simulation = try Simulation(network)
        simulation.recording = [.spikeCounts]
        try expectTheSame(simulation.run([input], steps: steps), simulation.spikeCounts, network, name, "engine")
    }

    @Test(arguments: names) func `their models still convert, with as many layers of neurons`(name: String) throws {
        guard let recipe = Recipe.named(String(name.dropFirst(3))), !name.hasSuffix("quantised") else { return }
        let model = Data(try bytes("\(name)/model"))
        let ann = try ONNXImporter.importModel(model, fileName: "\(name).onnx", folder: FileManager.default.temporaryDirectory).graph
        let calibration = [Batch(try tensor("\(name)/calibration"))]
        let made = try RecipeConverter(recipe.options(try whole("\(name)/steps")), calibration: calibration)(ann)
        func layers(_ graph: Graph) -> Int { graph.nodes.count { if case .neuron = $0.operator { true } else { false } } }
        #expect(try layers(made) == layers(snn(name)))
    }

    @Test func `the archive holds networks of every recipe`() {
        let found = Set(Self.names.map { String($0.dropFirst(3)) })
        #expect(found == Set(["calibrated", "radix", "signed", "burst", "local-threshold-balancing", "rate-coding", "quantised"]))
    }
}
