import SpikeConversion
import SpikeData
import SpikeGraph
import TestSupport
import Testing

/// What changes the data a little changes the conversion a little. (`Tools/Measuring/measure_smoothness.py` measures more networks, images
/// and recipes.)
@Suite struct SmoothnessTests {
    /// The relative width of a histogram's bin, at its least.
    private let bin: Float = 0.0219

    private static let options: [ConversionOptions] = {
        var ofLayer = Recipe.radix.options(4)
        ofLayer.isPerChannel = false
        return [Recipe.radix.options(4), Recipe.radix.options(8), Recipe.calibrated.options(32), ofLayer]
    }()

    @Test(arguments: [("cnn", 24), ("mobile", 8)]) func `images times 1 ± 10⁻⁶, or another export, move no threshold by a bin`(
        network: String, samples: Int
    ) throws {
        let pixels = try NPZ(path: Fixtures.model("train_2000.npz")).tensor("images").samples(0..<samples)
        func plans(_ export: String, times factor: Float) throws -> [[Float]] {
            let ann = try FuseConvBatchNorm().run(Fixtures.network(Fixtures.model("\(network)/\(network)_\(export).onnx")))
            let activations = ann.nodes.filter { ann.linearity(of: $0) == .activation }
            let images = pixels.map { $0 / 255 * factor }
            let seen = try ActivationStatistics(of: Set(activations.map { $0.outputs[0] }), in: ann, data: [Batch(images)])
            return Self.options.map { options in
                let plan = ThresholdPlan(options, activations: activations, seen)
                return activations.flatMap { plan.thresholds[$0.name] ?? [] }
            }
        }
        let plain = try plans("torchscript", times: 1)
        for (export, factor) in [("torchscript", Float(1.000001)), ("torchscript", 0.999999), ("dynamo", 1), ("unfused", 1)] {
            for (index, (found, expected)) in zip(try plans(export, times: factor), plain).enumerated() {
                #expect(found.count == expected.count)
                let move = zip(found, expected).reduce(Float(0)) { max($0, abs($1.0 / $1.1 - 1)) }
                #expect(move < bin, "\(Self.options[index]), \(export) times \(factor): \(move)")
            }
        }
    }

    @Test func `an activation that passes from bin to bin takes its threshold along, and no other way`() throws {
        var random = Random(110)
        let others = (0..<6).map { _ in Float.random(in: 0.2...1, using: &random) }
        for levels in [1, 3, 15, 255] {
            let estimator = MeanSquaredErrorEstimator(levels: levels)
            var last: Float?
            for step in 0...4000 {
                var histogram = ActivationHistogram()
                histogram.add(others + [1 + 0.0001 * Float(step)])
                let threshold = estimator.threshold(histogram)
                if let last { #expect(abs(threshold / last - 1) < bin, "\(levels) levels, \(step): \(last), then \(threshold)") }
                last = threshold
            }
        }
    }

    /// ``smallNetwork(_:maxPool:dyadic:activation:)`` with everything in front of the first ReLU times one power of two, everything
    /// behind that times another.
    private func scaled(_ ann: Graph, by exponents: (first: Int, second: Int)) throws -> Graph {
        var constants = ann.constants
        func scale(_ names: [String], by exponent: Int) {
            let factor = Float(sign: .plus, exponent: exponent, significand: 1)
            for name in names { constants[name] = constants[name]?.map { $0 * factor } }
        }
        scale(["w1", "b1"], by: exponents.first)
        scale(["w2"], by: exponents.second - exponents.first)
        scale(["b2"], by: exponents.second)
        return try Graph(name: ann.name, inputs: ann.inputs, outputs: ann.outputs, nodes: ann.nodes, constants: constants)
    }

    private func scales(_ snn: Graph) -> [[Float]] {
        snn.nodes.compactMap { node in
            if case .voltageScaler(let scaler) = node.operator, node.name.hasSuffix(".2") { scaler.scales } else { nil }
        }
    }

    @Test(arguments: Recipe.all.map(\.name)) func `activations times powers of two have thresholds times the same`(name: String) throws {
        var random = Random(111)
        let recipe = try #require(Recipe.named(name))
        let ann = try smallNetwork(&random)
        let images = Batch(random.tensor([24, 2, 6, 6], in: 0...1))
        for isPerChannel in [true, false] {
            var options = recipe.options(recipe.usualSteps)
            options.isPerChannel = isPerChannel
            let plain = try RecipeConverter(options, calibration: [images])(ann)
            for exponents in [(-60, -60), (-45, 0), (-20, -45), (60, 60), (0, 45), (-60, 60)] {
                let snn = try RecipeConverter(options, calibration: [images])(scaled(ann, by: exponents))
                let expected = zip(scales(plain), [exponents.0, exponents.1]).map { found, exponent in
                    found.map { $0 * Float(sign: .plus, exponent: exponent, significand: 1) }
                }
                #expect(scales(snn) == expected, "\(exponents)")
                #expect(snn.spiking?.warnings == plain.spiking?.warnings)
                #expect(snn.spiking?.facts == plain.spiking?.facts)
            }
        }
    }

    @Test func `without data, too, activations times powers of two have thresholds times the same`() throws {
        func converted(_ exponent: Int) throws -> [[Float]] {
            var random = Random(112)
            let factor = Float(sign: .plus, exponent: exponent, significand: 1)
            let ann = try Graph(
                name: "normalised", inputs: [.init("input", ValueType(.float32, [.batch, 2, 6, 6]))], outputs: [.init("y", value: "relu2")],
                nodes: [
                    Node("conv", .conv(Conv(window: Window(kernel: [3, 3]))), inputs: ["input", "w"]),
                    Node("bn", .batchNormalization(BatchNormalization()), inputs: ["conv", "gamma", "beta", "mean", "variance"]),
                    Node("relu", .relu(Relu()), inputs: ["bn"]),
                    Node("conv2", .conv(Conv(window: Window(kernel: [3, 3]))), inputs: ["relu", "w2"]),
                    Node("relu2", .relu(Relu()), inputs: ["conv2"]),
                ],
                constants: [
                    "w": random.tensor([3, 2, 3, 3]), "gamma": random.tensor([3], in: 0.5...1).map { $0 * factor },
                    "beta": random.tensor([3]).map { $0 * factor }, "mean": random.tensor([3]), "variance": random.tensor([3], in: 0.5...1),
                    "w2": random.tensor([4, 3, 3, 3]),
                ])
            return scales(try RecipeConverter(Recipe.radix.options(4), calibration: nil)(ann))
        }
        let plain = try converted(0)
        for exponent in [-60, 60] {
            let factor = Float(sign: .plus, exponent: exponent, significand: 1)
            #expect(try converted(exponent) == plain.map { $0.map { $0 * factor } })
        }
    }

    @Test func `activations that a spike cannot stand for are said to be`() throws {
        var random = Random(113)
        let ann = try scaled(smallNetwork(&random), by: (-127, 0))
        let snn = try RecipeConverter(Recipe.radix.options(8), calibration: [Batch(random.tensor([8, 2, 6, 6], in: 0...1))])(ann)
        #expect(snn.spiking?.warnings.contains { $0.hasPrefix("'relu1': a spike would stand for less than float32 divides by") } == true)
        #expect(scales(snn)[0].allSatisfy { (1 / $0).isFinite })
    }

    @Test func `histograms reach from the smallest float32 to the largest, and count beyond 32 bits`() {
        var histogram = ActivationHistogram()
        let values: [Float] = [
            .leastNonzeroMagnitude, .leastNormalMagnitude / 1024, .leastNormalMagnitude, 1e-20, 1, 1e20, .greatestFiniteMagnitude, 0, -1,
        ]
        histogram.add(values)
        #expect(histogram.count == 9 && histogram.nonZeroCount == 7 && histogram.zeros == 2)
        #expect(histogram.maximum == .greatestFiniteMagnitude)
        let mean = values.map { Double(max(0, $0)) }.reduce(0, +) / 9
        #expect(abs(histogram.mean / mean - 1) < 1e-12)
        for threshold in [1, 255].map({ MeanSquaredErrorEstimator(levels: $0).threshold(histogram) }) {
            #expect(threshold.isFinite && threshold > 1e37)
        }

        var many = ActivationHistogram()
        many.add([1, 3])
        for _ in 0..<33 { many.merge(many) }
        #expect(many.count == 1 << 34)
        #expect(many.mean == 2 && many.meanSquare == 5)
        #expect((0.96...1.04).contains(many.quantile(0.49, countingZeros: true)))
        #expect((2.9...3).contains(many.quantile(0.51, countingZeros: true)))
    }
}
