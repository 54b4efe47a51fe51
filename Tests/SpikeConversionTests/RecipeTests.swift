import SpikeConversion
import SpikeData
import SpikeGraph
import SpikeReference
import Testing

@Suite("Recipes")
struct RecipeTests {
    @Test(arguments: Recipe.all.map(\.name)) func `every recipe converts a network with max pooling, and its output approaches the ANN's`(name: String) throws {
        var random = Random(60)
        let recipe = try #require(Recipe.named(name))
        let steps = name == "radix" ? 12 : 512
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

    @Test func `thresholds of few samples lean towards their layer's, and rectifiers' bounds hold`() throws {
        var random = Random(61)
        let ann = try smallNetwork(&random, rectifier: .clip(Clip(minimum: 0, maximum: 0.5)))
        let images = random.tensor([256, 2, 6, 6], in: 0...1)
        func scales(_ count: Int) throws -> [Float] {
            let snn = try RecipeConverter(Recipe.radix.options(6), calibration: [Batch(images.samples(0..<count))])(ann)
            guard case .voltageScaler(let scaler) = snn.node(named: "snn tailor.1.2")?.operator else { return [] }
            return scaler.scales.map { $0 * 63 }
        }
        let (few, many) = (try scales(2), try scales(256))
        #expect(few.count == 5)
        #expect((few + many).allSatisfy { $0 <= 0.5 && $0 > 0 })
        #expect((few.max() ?? 0) - (few.min() ?? 0) <= (many.max() ?? 0) - (many.min() ?? 0) + 1e-6)
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
        let snn = try RecipeConverter(coarse.options(64), calibration: [Batch(random.tensor([4, 2, 6, 6], in: 0...1))])(smallNetwork(&random))
        guard case .voltageScaler(let scaler) = snn.node(named: "snn tailor.0.2")?.operator else {
            Issue.record("no scaler")
            return
        }
        #expect(scaler.scales.count == 1)
    }

    @Test func `bias correction brings the rates nearer to the activations`() throws {
        var random = Random(63)
        let ann = try smallNetwork(&random)
        let images = random.tensor([160, 2, 6, 6], in: 0...1)
        let (fitted, test) = (images.samples(0..<128), images.samples(128..<160))
        let expected = try ReferenceExecutor(ann).run([test])[0].floats
        func error(correctsBias: Bool) throws -> Float {
            let options = ConversionOptions(recipe: "test", steps: 8, correctsBias: correctsBias)
            let snn = try RecipeConverter(options, calibration: [Batch(fitted)])(ann)
            let found = try ReferenceSimulation(snn).run([test], steps: 8)[0].floats
            return zip(found, expected).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        }
        #expect(try error(correctsBias: true) < error(correctsBias: false))
    }
}
