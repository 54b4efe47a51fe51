import Foundation
import SpikeAnalysis
import SpikeConversion
import SpikeData
import SpikeGraph
import SpikeONNX
import SpikeReference
import SpikeRuntime
import TestSupport
import Testing

/// Small networks of each kind that people convert, as PyTorch exports them (`Tools/Fixtures/make_operator_fixtures.py`).
@Suite struct NetworkKindTests {
    static let archive = Result { try NPZ(path: Repository.fixture("dags.npz")) }
    static let names: [String] = ((try? archive.get().names) ?? []).compactMap { $0.hasSuffix("/model") ? String($0.dropLast(6)) : nil }

    private func graph(_ name: String) throws -> Graph {
        let bytes = try Self.archive.get().array("\(name)/model").integers().map { UInt8($0) }
        return try ONNXImporter.importModel(Data(bytes), fileName: "\(name).onnx", folder: FileManager.default.temporaryDirectory).graph
    }

    /// ‖found − expected‖ / ‖expected‖, both without their mean over the samples.
    private func error(_ found: Tensor, _ expected: Tensor) -> Double {
        let (samples, size) = (expected.shape[0], expected.count / expected.shape[0])
        var (difference, total) = (0.0, 0.0)
        for index in 0..<size {
            let a = (0..<samples).map { Double(found.floats[$0 * size + index]) }
            let b = (0..<samples).map { Double(expected.floats[$0 * size + index]) }
            // Of one sample there is no mean to take out.
            let count = samples > 1 ? Double(samples) : .infinity
            let (meanA, meanB) = (a.reduce(0, +) / count, b.reduce(0, +) / count)
            for (x, y) in zip(a, b) {
                difference += (x - meanA - y + meanB) * (x - meanA - y + meanB)
                total += (y - meanB) * (y - meanB)
            }
        }
        return (difference / total).squareRoot()
    }

    @Test(arguments: names) func `every kind of network converts, and eight digits reproduce its outputs`(name: String) throws {
        let ann = try graph(name)
        let images = try Self.archive.get().array("\(name)/input/\(ann.inputs[0].name)").tensor()
        let expected = try ann.outputs.map { try Self.archive.get().array("\(name)/output/\($0.name)").tensor() }
        let outputs = try ReferenceExecutor(ann).run([images])
        // A head of one class varies so little over the images that the last bits of its sums, whose order is the processor's, are 1.2e-5 of it.
        for (found, expected) in zip(outputs, expected) { #expect(error(found, expected) < (name == "head_one_class" ? 5e-5 : 1e-5)) }
        let snn = try RecipeConverter(Recipe.radix.options(8), calibration: [Batch(images)])(ann)
        for (found, expected) in zip(try ReferenceSimulation(snn).run([images], steps: 8), expected) {
            #expect(error(found, expected) < 0.05, "the reference is off by \(error(found, expected))")
        }
    }

    @Test(arguments: names.filter { $0 != "three_axes" }) func `the engine agrees with the reference`(name: String) throws {
        let ann = try graph(name)
        let images = try Self.archive.get().array("\(name)/input/\(ann.inputs[0].name)").tensor()
        // Of nodes on the reference path a block has 8 steps: 20 are two of them and a half.
        for options in [Recipe.radix.options(8), Recipe.calibrated.options(20)] {
            let snn = try RecipeConverter(options, calibration: [Batch(images)])(ann)
            let found = try Simulation(snn).run([images], steps: options.steps)
            for (a, b) in zip(found, try ReferenceSimulation(snn).run([images], steps: options.steps)) { #expect(error(a, b) < 1e-3) }
        }
    }

    @Test func `the memory plan counts what the reference path keeps`() throws {
        var planned: [String] = []
        for name in Self.names where name != "three_axes" {
            let ann = try graph(name)
            let images = try Self.archive.get().array("\(name)/input/\(ann.inputs[0].name)").tensor()
            let program = try Compiler()(RecipeConverter(Recipe.calibrated.options(64), calibration: [Batch(images)])(ann))
            let sizes = program.genericNodes.compactMap { program.graph.node(named: $0.node)?.outputs[0] }.compactMap(
                program.graph.sizePerSample)
            let plan = program.memoryPlan(steps: 64)
            #expect("\(plan)".contains("reference path") == !sizes.isEmpty)
            guard let largest = sizes.max() else { continue }
            // No value is kept for more than 8 steps, and some are kept for so many.
            #expect(plan.values >= 4 * 8 * largest && plan.values <= 3 * 4 * 8 * sizes.reduce(0, +), "\(name): \(plan)")
            planned.append(name)
        }
        #expect(!planned.isEmpty && !planned.contains("unet"), "\(planned)")
    }

    @Test(arguments: names.filter { $0.hasPrefix("relu_") || $0.hasPrefix("leaky") || $0 == "parametric" })
    func `ReLUs by any spelling are neurons, one layer each or two`(name: String) throws {
        let ann = try graph(name)
        #expect(Convertibility(ann).activations.count == 2 && Convertibility(ann).obstacles.isEmpty)
        let images = try Self.archive.get().array("\(name)/input/\(ann.inputs[0].name)").tensor()
        for options in [Recipe.radix.options(6), Recipe.calibrated.options(16), Recipe.signed.options(8)] {
            let snn = try RecipeConverter(options, calibration: [Batch(images)])(ann)
            let layers = snn.nodes.count { if case .neuron = $0.operator { true } else { false } }
            #expect(layers == (name.hasPrefix("relu_") ? 2 : 4))
            // Every layer's errors can be told, by the names of the ANN's activations.
            let errors = try ErrorDecomposition(snn, ann: ann, steps: options.steps).run([Batch(images)])
            #expect(errors.count == layers)
        }
        let seeds = try Converter(dataloader: [Batch(images)])(ann)
        #expect(try error(ReferenceSimulation(seeds).run([images], steps: 400)[0], ReferenceExecutor(ann).run([images])[0]) < 0.2)
    }

    @Test func `channels last cost nothing between layers`() throws {
        let ann = try graph("channels_last")
        #expect(ann.nodes.count { if case .transpose = $0.operator { true } else { false } } == 1)
        let images = try Self.archive.get().array("channels_last/input/\(ann.inputs[0].name)").tensor()
        let snn = try RecipeConverter(Recipe.radix.options(8), calibration: [Batch(images)])(ann)
        #expect(try Compiler()(snn).genericNodes.isEmpty)
    }

    @Test(arguments: ["fixed_one", "fixed_six"]) func `a network that was exported for some samples takes any number`(name: String) throws {
        let ann = try graph(name)
        #expect(ann.inputs[0].type.shape[0] == .batch)
    }

    @Test func `what stands in the way is listed, all of it`() throws {
        let window = Window(kernel: [1])
        let ann = try Graph(
            name: "g", inputs: [Graph.Input("x", ValueType(.float32, [.batch, 2, 4]))], outputs: [Graph.Output("y", value: "sum")],
            nodes: [
                Node("relu", .relu(Relu()), inputs: ["x"]), Node("gelu", .unary(Unary(.gelu, parameters: [0])), inputs: ["relu"]),
                Node("elu", .unary(Unary(.elu, parameters: [1])), inputs: ["relu"]),
                Node("gate", .mul(Mul()), inputs: ["gelu", "elu"]),
                Node("conv", .conv(Conv(window: window)), inputs: ["gate", "w"]), Node("sum", .add(Add()), inputs: ["conv", "relu"]),
            ], constants: ["w": Tensor(repeating: 1, shape: [2, 2, 1])])
        let error = try #require(throws: SpikeletError.self) { _ = try Convertibility(ann).check(allowAnalog: false) }
        #expect(error.message.contains("3 nodes cannot be part of a spiking network"))
        let details = error.details.joined()
        #expect(details.contains("1 × Gelu") && details.contains("1 × Elu") && details.contains("'gate'"))
    }

    @Test func `of a network without ReLUs all that stands in their places is listed`() throws {
        let ann = try Graph(
            name: "g", inputs: [Graph.Input("x", ValueType(.float32, [.batch, 3, 4]))], outputs: [Graph.Output("y", value: "softmax")],
            nodes: [
                Node("norm", .layerNormalization(LayerNormalization(axis: -1, epsilon: 1e-5)), inputs: ["x", "gamma", "beta"]),
                Node("linear", .matMul(MatMul()), inputs: ["norm", "w"]),
                Node("turned", .transpose(Transpose(permutation: [0, 2, 1])), inputs: ["linear"]),
                Node("scores", .matMul(MatMul()), inputs: ["linear", "turned"]),
                Node("gelu", .unary(Unary(.gelu, parameters: [0])), inputs: ["scores"]),
                Node("softmax", .softmax(Softmax(axis: -1)), inputs: ["gelu"]),
            ],
            constants: [
                "w": Tensor(repeating: 1, shape: [4, 4]), "gamma": Tensor(repeating: 1, shape: [4]),
                "beta": Tensor(repeating: 0, shape: [4]),
            ])
        let convertibility = Convertibility(ann)
        #expect(convertibility.obstacles.map(\.node) == ["norm", "scores", "gelu"])
        #expect(convertibility.roles["scores"] == .obstacle && convertibility.roles["softmax"] == .readout)
        let error = try #require(throws: SpikeletError.self) { _ = try convertibility.check(allowAnalog: true) }
        for part in ["no ReLU", "1 × LayerNormalization", "1 × MatMul: a product of two", "1 × Gelu", "'gelu'"] {
            #expect(error.description.contains(part), "\(part)")
        }
    }
}
