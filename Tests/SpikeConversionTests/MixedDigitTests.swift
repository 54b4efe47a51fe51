import Foundation
import SpikeConversion
import SpikeCost
import SpikeData
import SpikeFormats
import SpikeGraph
import SpikeONNX
import SpikeReference
import SpikeRuntime
import TestSupport
import Testing

/// Digits by layer: `ConversionOptions.meanSteps`.
@Suite struct MixedDigitTests {
    @Test func `the best digits of a budget are found, whatever the errors`() {
        var random = Random(700)
        for trial in 0..<200 {
            let (layers, most) = (Int.random(in: 1...4, using: &random), Int.random(in: 1...4, using: &random))
            let total = Int.random(in: layers...layers * most, using: &random)
            let errors = (0..<layers).map { _ in (0..<most).map { _ in Double.random(in: 0...1, using: &random) } }
            var best = Double.infinity
            for number in 0..<Int(pow(Double(most), Double(layers))) {
                let digits = (0..<layers).map { number / Int(pow(Double(most), Double($0))) % most + 1 }
                guard digits.reduce(0, +) <= total else { continue }
                best = min(best, digits.enumerated().reduce(0) { $0 + errors[$1.offset][$1.element - 1] })
            }
            let found = DigitBudget(total: total, most: most).digits(errors)
            #expect(found.count == layers && found.reduce(0, +) <= total && found.allSatisfy { (1...most).contains($0) })
            let error = found.enumerated().reduce(0) { $0 + errors[$1.offset][$1.element - 1] }
            #expect(abs(error - best) < 1e-12, "trial \(trial)")
        }
    }

    @Test func `errors that a quarter is left of with each digit are evened out`() {
        // Sixteen times the error: two digits more.
        let errors = [1.0, 16, 256].map { share in (1...6).map { share * pow(0.25, Double($0)) } }
        #expect(DigitBudget(total: 9, most: 6).digits(errors) == [1, 3, 5])
        // A layer that is wrong nowhere takes one.
        #expect(DigitBudget(total: 9, most: 6).digits(errors.prefix(2) + [[0, 0, 0, 0, 0, 0]]).last == 1)
    }

    private func options(_ mean: Double, corrects: Bool) -> ConversionOptions {
        var options = Recipe.radix.options(4).mixed(meanSteps: mean)
        options.correctsWeights = corrects
        return options
    }

    private func neurons(_ snn: Graph) -> [NeuronNode] {
        snn.nodes.compactMap { if case .neuron(let neurons) = $0.operator { neurons } else { nil } }
    }

    @Test(arguments: [1.0, 2, 2.5, 3, 4.5]) func `the budget is kept, and each layer's steps are those of its own digits`(mean: Double)
        throws
    {
        var random = Random(710)
        let ann = try smallNetwork(&random)
        let seen = random.tensor([96, 2, 6, 6], in: 0...1)
        let snn = try RecipeConverter(options(mean, corrects: false), calibration: [Batch(seen)])(ann)
        let digits = snn.digits
        #expect(digits.count == 2 && Double(digits.reduce(0, +)) <= 2 * mean && digits.reduce(0, +) == Int(2 * mean))
        #expect(snn.spiking?.facts["digits"] == snn.digitsByLayer)
        #expect(snn.spiking?.code == .radix(digits: digits.max()) && snn.spiking?.facts["meanSteps"] == "\(mean)")
        for (layer, neurons) in neurons(snn).enumerated() {
            var uniform = Recipe.radix.options(digits[layer])
            uniform.correctsWeights = false
            let other = try RecipeConverter(uniform, calibration: [Batch(seen)])(ann)
            #expect(neurons == self.neurons(other)[layer])
        }
    }

    @Test(arguments: [false, true]) func `the engine sends what the reference sends, corrected or not, and a file brings it back`(
        corrects: Bool
    )
        throws
    {
        var random = Random(720)
        let folder = try TemporaryFolder()
        for (maxPool, mean) in [(false, 2.5), (true, 3.5)] {
            let ann = try smallNetwork(&random, maxPool: maxPool)
            let (seen, unseen) = (random.tensor([128, 2, 6, 6], in: 0...1), random.tensor([32, 2, 6, 6], in: 0...1))
            let snn = try RecipeConverter(options(mean, corrects: corrects), calibration: [Batch(seen)])(ann)
            try #require(snn.hasMixedDigits)
            #expect((snn.spiking?.facts["correctedWeights"] != nil) == corrects)
            let steps = try #require(snn.spiking?.steps)
            let reference = try ReferenceSimulation(snn).run([unseen], steps: steps)[0]
            // What is rounded once is what the digits say.
            let rounded = try ReferenceExecutor(snn.rounded()).run([unseen])[0]
            for other in [rounded, try Simulation(snn).run([unseen], steps: steps)[0]] {
                #expect((zip(reference.floats, other.floats).map { abs($0 - $1) }.max() ?? 0) < 1e-3)
            }
            let path = folder.file("mixed.safetensors")
            try SNNFile.write(snn, to: path)
            let back = try SNNFile.read(path)
            #expect(back.nodes == snn.nodes && back.spiking == snn.spiking && back.digits == snn.digits)
            #expect(try SafetensorsFile(path: path).metadata["spikelet"]?.contains("\"formatVersion\":4") == true)
        }
        // Where all layers are alike, older readers can read on.
        let uniform = try RecipeConverter(Recipe.radix.options(3), calibration: [Batch(random.tensor([32, 2, 6, 6]))])(
            smallNetwork(&random))
        try SNNFile.write(uniform, to: folder.file("uniform.safetensors"))
        let file = try SafetensorsFile(path: folder.file("uniform.safetensors"))
        #expect(file.metadata["spikelet"]?.contains("\"formatVersion\":2") == true)
    }

    @Test func `a layer that the outputs hang on gets more digits, and outputs are nearer to the ANN's`() throws {
        var random = Random(730)
        // Of two branches, one counts a hundred times as much.
        let ann = try Graph(
            name: "unequal", inputs: [.init("x", ValueType(.float32, [.batch, 8]))], outputs: [.init("y", value: "y")],
            nodes: [
                Node("a", .gemm(Gemm()), inputs: ["x", "wa"]), Node("strong", .relu(Relu()), inputs: ["a"]),
                Node("b", .gemm(Gemm()), inputs: ["x", "wb"]), Node("weak", .relu(Relu()), inputs: ["b"]),
                Node("p", .gemm(Gemm()), inputs: ["strong", "wp"]), Node("q", .gemm(Gemm()), inputs: ["weak", "wq"]),
                Node("y", .add(Add()), inputs: ["p", "q"]),
            ],
            constants: [
                "wa": random.tensor([8, 12]), "wb": random.tensor([8, 12]), "wp": random.tensor([12, 4]),
                "wq": random.tensor([12, 4]).map { $0 / 100 },
            ])
        let (seen, unseen) = (random.tensor([128, 8]), random.tensor([64, 8]))
        func error(_ snn: Graph) throws -> Float {
            let expected = try ReferenceExecutor(ann).run([unseen])[0].floats
            let found = try Simulation(snn).run([unseen], steps: snn.spiking?.steps ?? 0)[0].floats
            return zip(expected, found).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
        }
        let mixed = try RecipeConverter(options(3, corrects: false), calibration: [Batch(seen)])(ann)
        var alike = Recipe.radix.options(3)
        alike.correctsWeights = false
        let uniform = try RecipeConverter(alike, calibration: [Batch(seen)])(ann)
        #expect(mixed.digits == [5, 1])
        #expect(try error(mixed) < 0.5 * error(uniform))
        let counter = try OperationCounter(mixed, program: nil)
        let counts = counter.means(
            [5: try counter.count([unseen], steps: 5) { _, _ in }], steps: [5], samples: 64, ann: [:])
        #expect(counts.stepsPerLayer == 5 && counts.fewestStepsPerLayer == 1 && counts.meanStepsPerLayer == 3 && counts.stepsEndToEnd == 5)
        #expect(counts.description(samples: 64).contains("1 to 5 (3.0 in the mean) steps a layer, layer by layer: 5 from"))
        // Spikes over the steps in which a layer could send.
        let outputs = 12.0 * 5 + 12 * 1
        let sent = counts.neurons.flatMap(\.spikes).reduce(0, +)
        #expect(abs(counts.steps[0].activationSparsity - (1 - sent / outputs)) < 1e-6)
        // Each layer is billed for its own steps: weights of "q" are reached in one step, all other parameters' in five.
        #expect(counts.neuronSteps == 12 * 5 + 12 * 1)
        #expect(counts.parameterSteps == (96 + 96 + 48) * 5 + 48 * 1)
        let loihi = try #require(EnergyModel.all.first { $0.name == "Loihi" }?.estimate(counts) { _ in 31 }.steps[0].snn)
        let operations = counts.steps[0].accumulates + counts.steps[0].multiplyAccumulates
        let least = (operations + Double(counts.inputMultiplyAccumulates)) * 27.1e-12 + Double(12 * 5 + 12 * 1) * 81e-12
        #expect(abs(loihi[0] - least) < 1e-6 * least)
    }

    @Test func `outputs that are no real numbers, or not finite, do not hide where digits are needed`() throws {
        var random = Random(735)
        let ann = try smallNetwork(&random)
        let seen = random.tensor([96, 2, 6, 6], in: 0...1)
        let value = ann.outputs[0].value
        func ending(_ nodes: [Node], _ outputs: [String], _ constants: [String: Tensor] = [:]) throws -> Graph {
            try Graph(
                name: ann.name, inputs: ann.inputs, outputs: outputs.map { .init($0, value: $0) }, nodes: ann.nodes + nodes,
                constants: ann.constants.merging(constants) { _, new in new })
        }
        let wanted = try RecipeConverter(options(2.5, corrects: false), calibration: [Batch(seen)])(ann).digits
        // The same as of the numbers that it is made of.
        let classes = try ending([Node("class", .argExtremum(ArgExtremum(axis: 1)), inputs: [value])], ["class"])
        #expect(try RecipeConverter(options(2.5, corrects: false), calibration: [Batch(seen)])(classes).digits == wanted)
        // A second output with a place that is not finite, as the logarithm of 0 is.
        let infinite = try ending(
            [Node("huge", .mul(Mul()), inputs: [value, "huge.factor"])], [value, "huge"],
            ["huge.factor": Tensor([Float](repeating: .infinity, count: 1), shape: [1])])
        #expect(try RecipeConverter(options(2.5, corrects: false), calibration: [Batch(seen)])(infinite).digits == wanted)
        expectError(.invalidData, "too few calibration samples") {
            _ = try RecipeConverter(options(2.5, corrects: false), calibration: [Batch(random.tensor([1, 2, 6, 6]))])(ann)
        }
        // Where the network is dead on the data, nothing tells its layers apart.
        expectError(.invalidData, "do not tell where digits are needed") {
            _ = try RecipeConverter(options(2.5, corrects: false), calibration: [Batch(seen)])(
                ending([Node("dead", .mul(Mul()), inputs: [value, "zero"])], ["dead"], ["zero": Tensor(repeating: 0, shape: [1])]))
        }
    }

    @Test func `a file whose layers have more digits than the network has steps is refused`() throws {
        var random = Random(745)
        let ann = try smallNetwork(&random)
        let images = random.tensor([64, 2, 6, 6], in: 0...1)
        let snn = try RecipeConverter(options(2.5, corrects: false), calibration: [Batch(images)])(ann)
        let most = try #require(snn.digits.max())
        for code in [SpikeCode.radix(digits: most - 1), .radix(digits: most, base: 10), .rate(steps: most)] {
            var description = try #require(snn.spiking)
            description.code = code
            #expect(throws: SpikeletError.self) {
                let other = try snn.applying(Patch(), spiking: description)
                _ = try ReferenceSimulation(other)
            }
            #expect(throws: SpikeletError.self) {
                let other = try snn.applying(Patch(), spiking: description)
                _ = try Simulation(other)
            }
        }
    }

    private static let archive = Result { try NPZ(path: Repository.fixture("digits.npz")) }
    private static let names: [String] = ((try? archive.get().names) ?? []).compactMap {
        $0.hasSuffix("/model") ? String($0.dropLast(6)) : nil
    }

    @Test(arguments: names) func `networks of any activations have digits by value, which serve at other sizes too`(name: String) throws {
        let bytes = try Self.archive.get().array("\(name)/model").integers().map { UInt8($0) }
        let ann = try ONNXImporter.importModel(
            Data(bytes), fileName: "\(name).onnx", folder: FileManager.default.temporaryDirectory
        ).graph
        let inputs = try ann.inputs.map { try Self.archive.get().array("\(name)/input/\($0.name)").tensor() }
        let options = Recipe.radix.options(5).mixed(meanSteps: 5)
        let snn = try RecipeConverter(options, calibration: [Batch(inputs: inputs)])(ann)
        let digits = snn.digits
        #expect(digits.reduce(0, +) <= 5 * digits.count && snn.spiking?.steps == digits.max())
        let steps = try #require(snn.spiking?.steps)
        let expected = try ReferenceExecutor(snn.rounded()).run(inputs)[0].floats
        let largest = expected.map(abs).max() ?? 1
        let reference = try ReferenceSimulation(snn)
        for found in [try reference.run(inputs, steps: steps)[0], try Simulation(snn).run(inputs, steps: steps)[0]] {
            #expect((zip(found.floats, expected).map { abs($0 - $1) }.max() ?? 0) < 2e-3 * max(1, largest))
        }
        let again = try RecipeConverter.convert(ann, withStepsOf: snn)
        #expect(again.nodes == snn.nodes && again.digits == digits)
    }

    @Test func `what cannot be mixed is refused with a reason`() throws {
        expectError(.invalidOption, "other neurons than radix") { try Recipe.calibrated.options(8).mixed(meanSteps: 3).validate() }
        for mean in [0.5, 17, .nan] {
            expectError(.invalidOption, "digits a layer") { try Recipe.radix.options(4).mixed(meanSteps: mean).validate() }
        }
        var options = Recipe.radix.options(4)
        options.meanSteps = 5
        expectError(.invalidOption, "has 4 at most") { try options.validate() }
        options = Recipe.radix.options(4).mixed(meanSteps: 3)
        #expect(options.steps == 6)
        expectError(.invalidOption, "a rule of one's own") {
            _ = try RecipeConverter(options, calibration: nil, neuron: try RadixNeuron(digits: 4))
        }
        options.threshold = .localThresholdBalancing(passes: 2)
        expectError(.invalidOption, "local balancing") { try options.validate() }
        options.threshold = .meanSquaredError
        var random = Random(740)
        let ann = try smallNetwork(&random, activation: .clip(Clip(minimum: 0, maximum: 6)))
        expectError(.invalidOption, "digits by layer without data") { _ = try RecipeConverter(options, calibration: nil)(ann) }
    }
}
