import SpikeConversion
import SpikeData
import SpikeGraph
import SpikeReference
import TestSupport
import Testing

@Suite("Recipes")
struct RecipeTests {
    @Test(arguments: Recipe.all.map(\.name)) func `every recipe converts a network with max pooling, and its output approaches the ANN's`(
        name: String
    ) throws {
        var random = Random(60)
        let recipe = try #require(Recipe.named(name))
        let steps = ["radix": 12, "latency": 64, "two-spike": 24][name] ?? 512
        let ann = try smallNetwork(&random)
        let images = random.tensor([64, 2, 6, 6], in: 0...1)
        let snn = try RecipeConverter(recipe.options(steps), calibration: [Batch(images)])(ann)
        #expect(snn.spiking?.recipe == name)
        #expect(snn.spiking?.steps == steps)
        let input = images.samples(0..<8)
        let expected = try ReferenceExecutor(ann).run([input])[0].floats
        let found = try ReferenceSimulation(snn).run([input], steps: steps)[0].floats
        let size = expected.reduce(0) { $0 + abs($1) }
        let error = zip(found, expected).reduce(0) { $0 + abs($1.0 - $1.1) }
        // Local threshold balancing clips what it has had too few batches to reach.
        #expect(error < (name == "local-threshold-balancing" ? 0.25 : 0.03) * size, "error \(error / size)")
    }

    @Test func `a rule of twice the threshold sends the same spikes, corrected as well`() throws {
        var random = Random(67)
        let ann = try smallNetwork(&random)
        let images = random.tensor([64, 2, 6, 6], in: 0...1)
        let found = try [Float(1), 2].map { threshold in
            // Rounding down leaves a mean error to correct.
            let rule = IFNode(threshold: threshold)
            let snn = try RecipeConverter(Recipe.calibrated.options(8), calibration: [Batch(images)], neuron: rule)(ann)
            let simulation = try ReferenceSimulation(snn)
            _ = try simulation.run([images], steps: 8)
            return (spikes: simulation.spikeCounts, corrected: snn.spiking?.facts["correctedLayers"])
        }
        #expect(found[0].corrected?.hasPrefix("0") == false)
        #expect(found[0].corrected == found[1].corrected)
        #expect(found[0].spikes == found[1].spikes)
    }

    private func thresholds(_ ann: Graph, _ data: [Batch]) throws -> [Float] {
        let snn = try RecipeConverter(Recipe.radix.options(6), calibration: data)(ann)
        guard case .voltageScaler(let scaler) = snn.node(named: "snn tailor.1.2")?.operator else { return [] }
        return scaler.scales.map { $0 * 63 }
    }

    @Test func `thresholds of few samples leave room for what these have not shown`() throws {
        var random = Random(61)
        let ann = try smallNetwork(&random)
        let two = Batch(random.tensor([2, 2, 6, 6], in: 0...1))
        // The same distribution, seen once and seen a hundred times.
        let few = try thresholds(ann, [two])
        let many = try thresholds(ann, [Batch](repeating: two, count: 100))
        #expect(few.count == 5)
        // Both come from a grid of half a per cent.
        #expect(zip(few, many).allSatisfy { $0 >= 0.99 * $1 })
        #expect(zip(few, many).contains { $0 > 1.1 * $1 })
    }

    @Test func `the bounds of ReLUs bound thresholds`() throws {
        var random = Random(64)
        let ann = try smallNetwork(&random, activation: .clip(Clip(minimum: 0, maximum: 0.5)))
        let found = try thresholds(ann, [Batch(random.tensor([16, 2, 6, 6], in: 0...1))])
        #expect(found.allSatisfy { $0 > 0 && $0 <= 0.5 })
    }

    @Test func `options outside their range or at odds with each other are refused`() {
        let bad = [
            Recipe.calibrated.options(0), Recipe.radix.options(17), ConversionOptions(recipe: "x", steps: 4, neuron: .radix),
            ConversionOptions(recipe: "x", steps: 4, neuron: .burst(0)), ConversionOptions(recipe: "x", steps: 1 << 21),
            ConversionOptions(recipe: "x", steps: 4, neuron: .signed, schedule: .layerSynchronous),
            ConversionOptions(recipe: "x", steps: 4, threshold: .percentile(101, countingZeros: false)),
            ConversionOptions(recipe: "x", steps: 4, initialMembrane: 2),
            ConversionOptions(recipe: "x", steps: 4, threshold: .localThresholdBalancing(passes: 0)),
        ]
        for options in bad { #expect(throws: SpikeletError.self) { try RecipeConverter(options, calibration: [Batch]()) } }
    }

    @Test func `a recipe of one's own is one value`() throws {
        var random = Random(62)
        let coarse = Recipe(name: "coarse", summary: "one threshold a layer", usualSteps: 64) {
            ConversionOptions(recipe: "coarse", steps: $0, threshold: .maximum, isPerChannel: false)
        }
        let snn = try RecipeConverter(coarse.options(64), calibration: [Batch(random.tensor([4, 2, 6, 6], in: 0...1))])(
            smallNetwork(&random))
        guard case .voltageScaler(let scaler) = snn.node(named: "snn tailor.0.2")?.operator else {
            Issue.record("no scaler")
            return
        }
        #expect(scaler.scales.count == 1)
    }

    @Test func `potential correction brings mean outputs nearer to the ANN's`() throws {
        /// The summed difference of the mean outputs, on samples that calibration has not seen.
        func error(seed: UInt64, correctsPotential: Bool) throws -> Float {
            var random = Random(seed)
            let ann = try smallNetwork(&random)
            let images = random.tensor([256, 2, 6, 6], in: 0...1)
            let (fitted, test) = (images.samples(0..<128), images.samples(128..<256))
            let expected = try ReferenceExecutor(ann).run([test])[0].floats
            let options = ConversionOptions(recipe: "test", steps: 8, correctsPotential: correctsPotential)
            let snn = try RecipeConverter(options, calibration: [Batch(fitted)])(ann)
            let found = try ReferenceSimulation(snn).run([test], steps: 8)[0].floats
            return (0..<3).reduce(0) { sum, output in
                sum + abs(stride(from: output, to: found.count, by: 3).reduce(Float(0)) { $0 + found[$1] - expected[$1] })
            }
        }
        // One network may be unlucky; eight are not.
        let seeds: [UInt64] = Array(63..<71)
        let corrected = try seeds.map { try error(seed: $0, correctsPotential: true) }
        let plain = try seeds.map { try error(seed: $0, correctsPotential: false) }
        #expect(corrected.reduce(0, +) < plain.reduce(0, +), "\(corrected) against \(plain)")
    }
}
