import SpikeConversion
import SpikeGraph
import TestSupport
import Testing

/// How calibration data is batched is nothing that a conversion depends on. (But for SpikingJelly's own, whose moving average is
/// over batches.)
@Suite struct BatchIndependenceTests {
    private func batches(_ images: Tensor, size: Int) -> [Batch] {
        stride(from: 0, to: images.shape[0], by: size).map { Batch(images.samples($0..<min($0 + size, images.shape[0]))) }
    }

    /// All that a converted network is but for its weights, which conversion leaves alone.
    private func text(_ snn: Graph) -> String {
        let facts = (snn.spiking?.facts ?? [:]).sorted { $0.key < $1.key }
        return String(reflecting: snn.nodes)
            + "\(facts) \(snn.spiking?.warnings ?? []) \(String(describing: snn.spiking?.readoutDelay))"
    }

    private func offsets(_ snn: Graph) -> [Float] {
        snn.nodes.flatMap { node in if case .neuron(let neurons) = node.operator { neurons.initialOffsets } else { [Float]() } }
    }

    @Test(arguments: Recipe.all.map(\.name)) func `batches of 1, 7, 64 and 100 give the same network to the bit`(name: String) throws {
        var random = Random(120)
        let recipe = try #require(Recipe.named(name))
        let ann = try smallNetwork(&random)
        let images = random.tensor([130, 2, 6, 6], in: 0...1)
        var options = recipe.options(8)
        let streams = options.schedule == .streaming
        for delay in streams ? [ConversionOptions.ReadoutDelay.steps(0), .estimated] : [.steps(0)] {
            options.readoutDelay = delay
            // Weights are for the mean of all steps.
            if delay != .steps(0) { options.correctsWeights = false }
            let found = try [130, 1, 7, 64, 100].map { size in
                text(try RecipeConverter(options, calibration: batches(images, size: size))(ann))
            }
            #expect(Set(found).count == 1)
        }
    }

    @Test(arguments: [2, 3, 15, 16, 31, 100, 130]) func `potentials are corrected on all samples, up to 128, however few there are`(
        samples: Int
    ) throws {
        var random = Random(121)
        var found: [Float] = []
        // Of one network no correction may be worth keeping.
        for _ in 0..<12 {
            let ann = try smallNetwork(&random)
            let images = random.tensor([samples, 2, 6, 6], in: 0...1)
            let networks = try [samples, 15, 1].map { size in
                try RecipeConverter(Recipe.calibrated.options(4), calibration: batches(images, size: size))(ann)
            }
            #expect(Set(networks.map(text)).count == 1)
            #expect(networks[0].spiking?.facts["correctionSamples"] == "\(min(samples, 128))")
            found += offsets(networks[0])
        }
        #expect(found.contains { $0 != 0 })
    }

    @Test func `one sample corrects nothing, and the network says so`() throws {
        var random = Random(122)
        let snn = try RecipeConverter(Recipe.calibrated.options(4), calibration: [Batch(random.tensor([1, 2, 6, 6], in: 0...1))])(
            smallNetwork(&random))
        #expect(snn.spiking?.facts["correctionSamples"] == "0")
        #expect(snn.spiking?.warnings == ["potentials are not corrected: that takes two calibration samples, or batches, at least"])
    }

    @Test(arguments: [Recipe.calibrated.name, Recipe.localThresholdBalancing.name])
    func `a network of a fixed batch size is corrected and balanced on whole batches`(name: String) throws {
        var random = Random(123)
        let recipe = try #require(Recipe.named(name))
        var found: [Float] = []
        for _ in 0..<6 {
            let open = try smallNetwork(&random)
            let fixed = try Graph(
                name: open.name, inputs: [.init("input", ValueType(.float32, [3, 2, 6, 6]))], outputs: open.outputs, nodes: open.nodes,
                constants: open.constants)
            let snn = try RecipeConverter(recipe.options(8), calibration: batches(random.tensor([27, 2, 6, 6], in: 0...1), size: 3))(fixed)
            if name == "calibrated" { #expect(snn.spiking?.facts["correctionSamples"] == "24") }
            found += offsets(snn)
        }
        #expect(name != "calibrated" || found.contains { $0 != 0 })
    }
}
