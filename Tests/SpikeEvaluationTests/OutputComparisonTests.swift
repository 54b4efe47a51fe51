import SpikeConversion
import SpikeData
import SpikeEvaluation
import SpikeGraph
import SpikeReference
import Testing

@Suite("Outputs against the ANN's")
struct OutputComparisonTests {
    /// conv → ReLU → conv, and a mean of the ReLU's output: two heads, neither of them a row of class scores.
    private func twoHeads(_ random: inout SplitMix64) throws -> Graph {
        func weights(_ shape: [Int]) -> Tensor {
            Tensor((0..<shape.reduce(1, *)).map { _ in Float.random(in: -0.5...1, using: &random) }, shape: shape)
        }
        let window = Window(kernel: [3, 3], padsBegin: [1, 1], padsEnd: [1, 1])
        return try Graph(
            name: "heads", inputs: [.init("input", ValueType(.float32, [.batch, 2, 6, 6]))],
            outputs: [.init("map", value: "conv2"), .init("price", value: "linear")],
            nodes: [
                Node("conv1", .conv(Conv(window: window)), inputs: ["input", "w1", "b1"]),
                Node("relu", .relu(Relu()), inputs: ["conv1"]),
                Node("conv2", .conv(Conv(window: window)), inputs: ["relu", "w2"]),
                Node("mean", .globalAveragePool(GlobalAveragePool()), inputs: ["relu"]),
                Node("flatten", .flatten(Flatten()), inputs: ["mean"]),
                Node("linear", .gemm(Gemm(transposeB: true)), inputs: ["flatten", "w3", "b3"]),
            ],
            constants: [
                "w1": weights([4, 2, 3, 3]), "b1": weights([4]), "w2": weights([2, 4, 3, 3]), "w3": weights([1, 4]),
                // A house has a price in thousands, not in units of an activation.
                "b3": tensor([300], [1]),
            ])
    }

    @Test(arguments: [(Recipe.radix, 5), (.signed, 6), (.calibrated, 6)])
    func `both errors are those of their definitions`(recipe: Recipe, steps: Int) throws {
        var random = SplitMix64(seed: 91)
        let ann = try twoHeads(&random)
        let images = random.images(24)
        let snn = try RecipeConverter(recipe.options(steps), calibration: [Batch(images)])(ann)
        let result = try OutputComparison(snn, ann: ann, steps: [steps]).run(batches(images, nil, size: 10))
        #expect(result.samples == 24 && result.steps.map(\.steps) == [steps])
        let expected = try ReferenceExecutor(ann).run([images])
        let found = try ReferenceSimulation(snn).run([images], steps: steps)
        for (index, output) in try #require(result.steps.first).outputs.enumerated() {
            let (y, r) = (found[index].floats.map(Double.init), expected[index].floats.map(Double.init))
            let size = r.count / 24
            func norm(_ values: [Double], withoutMean: Bool) -> Double {
                var mean = [Double](repeating: 0, count: size)
                if withoutMean { for (index, value) in values.enumerated() { mean[index % size] += value / 24 } }
                var sum = 0.0
                for (index, value) in values.enumerated() {
                    let rest = value - mean[index % size]
                    sum += rest * rest
                }
                return sum.squareRoot()
            }
            let difference = zip(y, r).map { $0 - $1 }
            let whole = try #require(output.error)
            let variation = try #require(output.errorOfVariation)
            // A membrane within rounding of its threshold may decide otherwise in the engine.
            #expect(abs(whole - norm(difference, withoutMean: false) / norm(r, withoutMean: false)) < 0.02 * whole + 1e-6)
            #expect(abs(variation - norm(difference, withoutMean: true) / norm(r, withoutMean: true)) < 0.02 * variation + 1e-6)
        }
    }

    @Test func `outputs that conversion leaves out are left out of the ANN beside it`() throws {
        let weights = tensor([1, -1, 0.5, 2, -0.5, 1], [2, 3])
        let ann = try Graph(
            name: "passing", inputs: [.init("x", ValueType(.float32, [.batch, 2])), .init("ids", ValueType(.int64, [.batch, 1]))],
            outputs: [.init("passed", value: "same"), .init("y", value: "y")],
            nodes: [
                Node("same", .identity(Identity()), inputs: ["ids"]), Node("relu", .relu(Relu()), inputs: ["x"]),
                Node("y", .matMul(MatMul()), inputs: ["relu", "w"]),
            ], constants: ["w": weights])
        var random = SplitMix64(seed: 92)
        let x = Tensor((0..<64).map { _ in Float.random(in: -1...1, using: &random) }, shape: [32, 2])
        let data = [Batch(inputs: [x, Tensor((0..<32).map { Int64($0) }, shape: [32, 1])])]
        let snn = try RecipeConverter(Recipe.radix.options(8), calibration: data)(ann)
        #expect(snn.outputs.map(\.name) == ["y"])
        let errors = try OutputComparison(snn, ann: ann, steps: [8]).run(data)
        #expect(errors.steps.last?.outputs.map(\.name) == ["y"] && (errors.steps.last?.outputs.first?.error ?? 1) < 0.05)
        #expect((try Evaluator(snn, ann: ann, steps: [8]).run(data).steps.last?.agreement ?? 0) > 0.9)
        // Other networks keep their outputs, and are refused.
        let other = try ann.keepingOutputs { $0.name == "passed" }
        #expect(throws: SpikeletError.self) { _ = try OutputComparison(snn, ann: other, steps: [8]) }
    }

    @Test func `a regression head keeps its magnitudes, not only their order`() throws {
        var random = SplitMix64(seed: 92)
        let ann = try twoHeads(&random)
        let images = random.images(64)
        let (chosen, tested) = (images.samples(0..<32), images.samples(32..<64))
        let prices = try ReferenceExecutor(ann).run([tested])[1].floats
        let cases: [(recipe: Recipe, steps: Int, bound: Float)] = [
            (.radix, 8, 0.005), (.signed, 64, 0.01), (.calibrated, 256, 0.02), (.burst, 64, 0.03),
        ]
        for (recipe, steps, bound) in cases {
            let snn = try RecipeConverter(recipe.options(steps), calibration: [Batch(chosen)])(ann)
            let found = try ReferenceSimulation(snn).run([tested], steps: steps)[1].floats
            // What the samples add to the bias of 300 is what has to be right.
            let most = prices.map { abs($0 - 300) }.max() ?? 0
            for (price, expected) in zip(found, prices) {
                #expect(abs(price - expected) < bound * most, "\(recipe.name): \(price) instead of \(expected)")
            }
        }
    }

    @Test func `neither batches nor threads matter, and several steps are read from one run`() throws {
        var random = SplitMix64(seed: 93)
        let ann = try twoHeads(&random)
        let images = random.images(20)
        let snn = try RecipeConverter(Recipe.calibrated.options(8), calibration: [Batch(images)])(ann)
        let one = try OutputComparison(snn, ann: ann, steps: [8, 2, 4]).run([Batch(images)])
        let other = try OutputComparison(snn, ann: ann, steps: [2, 4, 8], threads: 3).run(batches(images, nil, size: 3))
        #expect(one.steps.map(\.steps) == [2, 4, 8])
        for (a, b) in zip(one.steps, other.steps) {
            for (x, y) in zip(a.outputs, b.outputs) { #expect(abs((x.error ?? 0) - (y.error ?? 1)) < 1e-9) }
        }
        let alone = try OutputComparison(snn, ann: ann, steps: [4]).run([Batch(images)])
        #expect(alone.steps[0].outputs == one.steps[1].outputs)
        #expect(one.description.contains("price") && one.description.contains("of what varies"))
    }

    @Test func `another network, no data and senseless numbers are refused`() throws {
        var random = SplitMix64(seed: 94)
        let ann = try twoHeads(&random)
        let images = random.images(4)
        let snn = try RecipeConverter(Recipe.radix.options(4), calibration: [Batch(images)])(ann)
        let other = try branchingNetwork(&random)
        expectError("other outputs") { _ = try OutputComparison(snn, ann: other, steps: [4]) }
        expectError("no sample") { _ = try OutputComparison(snn, ann: ann, steps: [4]).run([Batch]()) }
        expectError("steps []") { _ = try OutputComparison(snn, ann: ann, steps: []) }
        expectError("0 threads") { _ = try OutputComparison(snn, ann: ann, steps: [4], threads: 0) }
    }
}
