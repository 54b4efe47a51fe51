import SpikeConversion
import SpikeGraph
import SpikeReference
import TestSupport
import Testing

@Suite("Thresholds")
struct ThresholdTests {
    /// The scales of a network's neuron layers, in order.
    private func thresholds(_ snn: Graph) -> [[Float]] {
        snn.nodes.compactMap { node in
            if case .voltageScaler(let scaler) = node.operator, node.name.hasSuffix(".2") { scaler.scales } else { nil }
        }
    }

    /// conv → batch norm → ReLU → linear.
    private func normalised(gamma: [Float], beta: [Float], activation: Operator = .relu(Relu())) throws -> Graph {
        var random = Random(80)
        let channels = gamma.count
        let constants: [String: Tensor] = [
            "w": random.tensor([channels, 2, 3, 3]), "gamma": Tensor(gamma, shape: [channels]), "beta": Tensor(beta, shape: [channels]),
            "mean": Tensor(repeating: 0.1, shape: [channels]), "variance": Tensor(repeating: 0.5, shape: [channels]),
            "w2": random.tensor([3, channels * 36]),
        ]
        return try Graph(
            name: "normalised", inputs: [.init("input", ValueType(.float32, [.batch, 2, 6, 6]))], outputs: [.init("y", value: "linear")],
            nodes: [
                Node("conv", .conv(Conv(window: Window(kernel: [3, 3], padsBegin: [1, 1], padsEnd: [1, 1]))), inputs: ["input", "w"]),
                Node("bn", .batchNormalization(BatchNormalization()), inputs: ["conv", "gamma", "beta", "mean", "variance"]),
                Node("relu", activation, inputs: ["bn"]), Node("flatten", .flatten(Flatten()), inputs: ["relu"]),
                Node("linear", .gemm(Gemm(transposeB: true)), inputs: ["flatten", "w2"]),
            ], constants: constants)
    }

    @Test func `without data, batch normalisation gives each channel β + k·γ, with one k where β/γ is the same`() throws {
        let snn = try RecipeConverter(Recipe.radix.options(6), calibration: nil)(
            normalised(gamma: [1, 2, -4, 1], beta: [0.5, 1, 2, 3]))
        let found = try #require(thresholds(snn).first).map { $0 * 63 }
        // Two channels that differ by a factor differ so in θ; what the sign of γ is does not matter.
        #expect(abs(found[1] - 2 * found[0]) < 0.02 * found[1])
        #expect(abs(found[2] - 4 * found[0]) < 0.02 * found[2])
        // k between 2 and 4: of a normal distribution little lies beyond.
        #expect((2...4).contains(found[0] - 0.5))
        #expect((2...4).contains(found[3] - 3))
        #expect(snn.spiking?.facts["calibrationSamples"] == "0")
    }

    @Test func `without data, a bounded ReLU gives its bound where nothing else is known`() throws {
        var random = Random(81)
        let bounded = try smallNetwork(&random, activation: .clip(Clip(minimum: 0, maximum: 6)))
        let snn = try RecipeConverter(Recipe.radix.options(4), calibration: nil)(bounded)
        for scales in thresholds(snn) { #expect(scales.allSatisfy { abs($0 * 15 - 6) < 1e-5 }) }
    }

    @Test func `without data and without bounds, every ReLU that nothing is known of is named`() throws {
        var random = Random(82)
        let ann = try smallNetwork(&random)
        let error = #expect(throws: SpikeletError.self) { try RecipeConverter(Recipe.radix.options(4), calibration: nil)(ann) }
        #expect("\(error as Any)".contains("'relu1', 'relu2'"))
    }

    @Test func `recipes that need activations refuse to go without data`() throws {
        let ann = try normalised(gamma: [1, 1], beta: [0, 0])
        for options in [
            Recipe.localThresholdBalancing.options(8),
            ConversionOptions(recipe: "x", steps: 8, threshold: .percentile(99, countingZeros: false)),
            ConversionOptions(recipe: "x", steps: 8, readoutDelay: .estimated),
        ] {
            #expect(throws: SpikeletError.self) { try RecipeConverter(options, calibration: nil)(ann) }
        }
    }

    @Test func `identical images, one image, and fewer images than a batch calibrate`() throws {
        var random = Random(83)
        let ann = try smallNetwork(&random)
        let one = random.tensor([1, 2, 6, 6], in: 0...1)
        let same = Tensor([one.floats, one.floats, one.floats].flatMap { $0 }, shape: [3, 2, 6, 6])
        for recipe in Recipe.all {
            let steps = recipe.usualSteps
            for images in [one, same] {
                let snn = try RecipeConverter(recipe.options(steps), calibration: [Batch(images)])(ann)
                #expect(thresholds(snn).flatMap { $0 }.allSatisfy { $0 > 0 && $0.isFinite })
                let output = try ReferenceSimulation(snn).run([same], steps: steps)[0]
                #expect(output.firstNonFinite == nil)
            }
        }
    }

    @Test func `statistics do not depend on how images are batched, and so neither do thresholds`() throws {
        var random = Random(84)
        let ann = try smallNetwork(&random)
        let images = random.tensor([30, 2, 6, 6], in: 0...1)
        let whole = try RecipeConverter(Recipe.radix.options(4), calibration: [Batch(images)])(ann)
        let parts = try RecipeConverter(
            Recipe.radix.options(4),
            calibration: [Batch(images.samples(17..<30)), Batch(images.samples(0..<1)), Batch(images.samples(1..<17))])(ann)
        #expect(thresholds(whole) == thresholds(parts))
    }

    @Test func `the branches of a concatenation have thresholds of their own, and their activations keep their units`() throws {
        var random = Random(85)
        let window = Window(kernel: [1, 1])
        // The second branch's activations are fifty times the first's.
        let ann = try Graph(
            name: "branches", inputs: [.init("input", ValueType(.float32, [.batch, 2, 4, 4]))], outputs: [.init("y", value: "linear")],
            nodes: [
                Node("a", .conv(Conv(window: window)), inputs: ["input", "wa"]), Node("ra", .relu(Relu()), inputs: ["a"]),
                Node("b", .conv(Conv(window: window)), inputs: ["input", "wb"]), Node("rb", .relu(Relu()), inputs: ["b"]),
                Node("pool", .maxPool(MaxPool(window: Window(kernel: [3, 3], padsBegin: [1, 1], padsEnd: [1, 1]))), inputs: ["rb"]),
                Node("concat", .concat(Concat(axis: 1)), inputs: ["ra", "pool"]),
                Node("bn", .batchNormalization(BatchNormalization()), inputs: ["concat", "gamma", "beta", "mean", "variance"]),
                Node("relu", .relu(Relu()), inputs: ["bn"]), Node("flatten", .flatten(Flatten()), inputs: ["relu"]),
                Node("linear", .gemm(Gemm(transposeB: true)), inputs: ["flatten", "w"]),
            ],
            constants: [
                "wa": random.tensor([3, 2, 1, 1]), "wb": random.tensor([2, 2, 1, 1], in: -50...50), "w": random.tensor([4, 80]),
                "gamma": random.tensor([5], in: 0.5...1), "beta": random.tensor([5]), "mean": random.tensor([5]),
                "variance": Tensor([0.01, 0.01, 0.01, 30, 30], shape: [5]),
            ])
        let images = random.tensor([32, 2, 4, 4], in: 0...1)
        let expected = try ReferenceExecutor(ann).run([images])[0].floats
        let size = expected.reduce(0) { $0 + $1 * $1 }
        for (recipe, steps, bound) in [(Recipe.radix, 8, Float(0.01)), (.signed, 128, 0.03), (.calibrated, 256, 0.05)] {
            let snn = try RecipeConverter(recipe.options(steps), calibration: [Batch(images)])(ann)
            let found = try ReferenceSimulation(snn).run([images], steps: steps)[0].floats
            let error = (zip(found, expected).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / size).squareRoot()
            #expect(error < bound, "\(recipe.name): relative error \(error)")
        }
    }
}
