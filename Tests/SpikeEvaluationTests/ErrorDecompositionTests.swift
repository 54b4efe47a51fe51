import Foundation
import SpikeConversion
import SpikeData
import SpikeEvaluation
import SpikeAnalysis
import SpikeGraph
import SpikeReference
import Testing

@Suite("Where the error comes from")
struct ErrorDecompositionTests {
    private func convert(_ ann: Graph, _ options: ConversionOptions, _ images: Tensor) throws -> Graph {
        try RecipeConverter(options, calibration: [Batch(images)])(ann)
    }

    private func parts(_ snn: Graph, _ ann: Graph, _ steps: Int, _ images: Tensor) throws -> [LayerParts] {
        var layers: [LayerParts] = []
        try ErrorDecomposition(snn, ann: ann, steps: steps).measure([images]) { layers.append($0) }
        return layers
    }

    private static let unary = ConversionOptions(recipe: "unary", steps: 6, schedule: .layerSynchronous)
    private static let layerwise = ConversionOptions(recipe: "balanced", steps: 6, threshold: .maximum, isPerChannel: false)

    @Test(arguments: Recipe.all.map { $0.options(6) } + [unary, layerwise])
    func `the parts of every neuron sum to its whole difference from the ANN`(options: ConversionOptions) throws {
        var random = SplitMix64(seed: 80)
        let ann = try branchingNetwork(&random)
        let images = random.images(24)
        let snn = try convert(ann, options, images)
        let layers = try parts(snn, ann, 6, images)

        // Both networks once more, by themselves.
        var activations: [String: Tensor] = [:]
        _ = try ReferenceExecutor(ann).run([images]) { node, _, results in activations[node.name] = results[0] }
        let code = options.code
        var sent: [String: [Float]] = [:]
        _ = try ReferenceSimulation(snn).run([images], steps: 6) { node, _, results in
            guard case .voltageScaler = node.operator, node.name.hasSuffix(".2") else { return }
            let before = sent[node.name] ?? [Float](repeating: 0, count: results[0].count)
            sent[node.name] = zip(before, results[0].floats).map { code.growth * $0 + $1 / code.divisor(after: 6) }
        }
        let neurons = snn.nodes.compactMap { node -> (name: String, activation: String)? in
            guard case .neuron(let neurons) = node.operator, let site = neurons.site else { return nil }
            return (node.name, site.activation)
        }
        #expect(layers.count == neurons.count && (code.kind == .latency ? 3...4 : 4...4).contains(neurons.count))
        for (index, layer) in layers.enumerated() {
            // Latency codes send a max pool's result, others what it reads.
            let wanted = try #require(activations[neurons[index].activation]).floats
            let found = try #require(sent[neurons[index].name.dropLast() + "2"])
            #expect(layer.activation == wanted.map(Double.init))
            var largest = 0.0
            for position in wanted.indices {
                let sum = layer.inherited[position] + layer.clipping[position] + layer.quantization[position] + layer.unevenness[position]
                largest = max(largest, abs(sum - Double(found[position] - wanted[position])))
                #expect(abs(sum - (layer.output[position] - layer.activation[position])) < 1e-12)
            }
            #expect(largest < 1e-5, "layer \(index)")
            #expect(layer.clipping.allSatisfy { $0 <= 0 })
            #expect(layer.quantization.contains { $0 != 0 })
            // The first layer's current is the ANN's own, and the same in every step, unless its biases were corrected.
            if index == 0, !options.correctsPotential { #expect(layer.inherited.allSatisfy { abs($0) < 1e-5 }) }
        }
    }

    @Test(arguments: [Recipe.radix.options(5), unary]) func `under a layer-synchronous schedule nothing is uneven`(
        options: ConversionOptions
    ) throws {
        var random = SplitMix64(seed: 81)
        let ann = try branchingNetwork(&random)
        let images = random.images(24)
        let snn = try convert(ann, options, images)
        for layer in try parts(snn, ann, options.steps, images) { #expect(layer.unevenness.allSatisfy { $0 == 0 }) }
        let layers = try ErrorDecomposition(snn, ann: ann, steps: options.steps).run([Batch(images)])
        #expect(layers.allSatisfy { $0.unevenness == 0 && ($0.total ?? 0) > 0 })
        #expect(layers.allSatisfy { $0.levels == options.levels })
    }

    @Test func `in the bundled network streaming layers behind others are uneven, signed neurons less so`() throws {
        let ann = try Bundled.cnn()
        let data = try Bundled.training(48)
        func layers(_ neuron: ConversionOptions.NeuronRule) throws -> [LayerError] {
            let snn = try RecipeConverter(ConversionOptions(recipe: "test", steps: 8, neuron: neuron), calibration: data)(ann)
            return try ErrorDecomposition(snn, ann: ann, steps: 8).run(data)
        }
        let (plain, signed) = (try layers(.integrateAndFire), try layers(.signed))
        for index in 1...2 {
            #expect(try #require(signed[index].unevenness) < #require(plain[index].unevenness))
            #expect(try #require(signed[index].unevenness) > 0)
        }
    }

    /// One neuron: θ = 1, T = 4, v₀ = ½, so that Δ = ¼.
    @Test(arguments: [
        (Float(0.3), -0.05, 0.0), (0.375, 0.125, 0), (1.5, 0, -0.5), (-1, 0, 0), (1, 0, 0), (0.1, -0.1, 0),
    ]) func `rounding and clipping are what a person computes`(input: Float, rounding: Double, clipping: Double) throws {
        let ann = try Graph(
            name: "one", inputs: [.init("x", ValueType(.float32, [.batch, 1]))], outputs: [.init("y", value: "relu")],
            nodes: [Node("relu", .relu(Relu()), inputs: ["x"])], constants: [:])
        let snn = try PlaceNeurons(
            scales: ["relu": [1]], neuron: IFNode(threshold: 1, initialMembrane: 0.5), description: SpikingDescription(recipe: "test")
        ).run(ann)
        let parts = try #require(try parts(snn, ann, 4, Tensor([input], shape: [1, 1])).first)
        #expect(abs(parts.quantization[0] - rounding) < 1e-6)
        #expect(abs(parts.clipping[0] - clipping) < 1e-6)
        #expect(parts.inherited == [0])
        #expect(parts.unevenness == [0])
        #expect(parts.levels == 4)
    }

    @Test(arguments: ["round_minimum_torchscript", "clip_first_dynamo", "straight_through_torchscript"])
    func `where a conversion is exact no layer adds an error`(name: String) throws {
        let ann = try Bundled.network("../../Tests/Fixtures/Quantised/qcfs_\(name).onnx")
        var random = SeededGenerator(85)
        let images = random.tensor(try #require(ann.inputs.first?.type.shape.resolved(batch: 4)), in: -1...3).map {
            ($0 * 16).rounded() / 16
        }
        for steps in [nil, 4, 3] {
            let snn = try QuantizedConverter(steps: steps)(ann)
            let layers = try ErrorDecomposition(snn, ann: ann, steps: try #require(snn.spiking?.steps)).run([Batch(images)])
            #expect(layers.count == 2)
            for layer in layers {
                #expect(
                    [layer.inherited, layer.clipping, layer.quantization, layer.unevenness, layer.total].allSatisfy { abs($0 ?? 1) < 1e-6 })
            }
        }
    }

    @Test func `a neuron of the user's own is measured in its own unit`() throws {
        let ann = try Graph(
            name: "one", inputs: [.init("x", ValueType(.float32, [.batch, 1]))], outputs: [.init("y", value: "relu")],
            nodes: [Node("relu", .relu(Relu()), inputs: ["x"])], constants: [:])
        let snn = try PlaceNeurons(scales: ["relu": [1]], neuron: TripleIFNeuron(), description: SpikingDescription(recipe: "test")).run(
            ann)
        let parts = try #require(try parts(snn, ann, 4, Tensor([0.75], shape: [1, 1])).first)
        #expect(parts.inherited == [0] && parts.clipping == [0] && parts.quantization == [0] && parts.unevenness == [0])
        #expect(parts.output == [0.75])
    }

    @Test func `the order of arrival alone is unevenness`() throws {
        let ann = try Graph(
            name: "two", inputs: [.init("x", ValueType(.float32, [.batch, 1]))], outputs: [.init("y", value: "relu2")],
            nodes: [
                Node("relu1", .relu(Relu()), inputs: ["x"]),
                Node("gemm", .gemm(Gemm(transposeB: true)), inputs: ["relu1", "w", "b"]),
                Node("relu2", .relu(Relu()), inputs: ["gemm"]),
            ],
            constants: ["w": Tensor(repeating: 8, shape: [1, 1]), "b": Tensor(repeating: -1, shape: [1])])
        let snn = try PlaceNeurons(
            scales: ["relu1": [1], "relu2": [1]], neuron: IFNode(threshold: 1, initialMembrane: 0.5),
            description: SpikingDescription(recipe: "test")
        ).run(ann)
        // x = ¼: one spike, in step 2. The second neuron's currents are −1, 7, −1, −1: four spikes' worth, but three steps to send.
        let layers = try parts(snn, ann, 4, Tensor([0.25], shape: [1, 1]))
        #expect(layers[0].unevenness == [0])
        #expect(layers[1].activation == [1])
        #expect(layers[1].inherited == [0])
        #expect(layers[1].clipping == [0])
        #expect(layers[1].quantization == [0])
        #expect(layers[1].unevenness == [-0.25])
    }

    @Test func `the bundled network is measured as it comes, normalisations folded or not, on any number of threads`() throws {
        let data = try Bundled.training(40)
        let ann = try Bundled.network("cnn/cnn_unfused.onnx")
        let snn = try RecipeConverter(Recipe.signed.options(8), calibration: data)(ann)
        let one = try ErrorDecomposition(snn, ann: ann, steps: 8).run(data)
        #expect(one == (try ErrorDecomposition(snn, ann: ann, steps: 8, threads: 3).run(data)))
        #expect(one.count == 3)
        #expect(one.allSatisfy { ($0.total ?? 1) < 0.4 && ($0.added ?? 0) > 0 })
        let seed = try Converter(dataloader: data, mode: .percentile(99.9), fuseFlag: false)(ann)
        let unfused = try ErrorDecomposition(seed, ann: ann, steps: 8, limit: 20).run(data)
        // Rounding down, with v₀ = 0, costs more than rounding to the nearest.
        #expect(try #require(unfused[0].quantization) > #require(one[0].quantization))
        let evaluated = try Evaluator(snn, steps: [8]).run(data)
        #expect(abs(try #require(evaluated.layers.first).spikesPerNeuron - one[0].spikesPerNeuron) < 1e-9)
        #expect(try #require(evaluated.layers.first).threshold.lowerBound == one[0].threshold.lowerBound)
    }

    @Test func `dead layers are shown as such, in a table that fits the terminal`() throws {
        var random = SplitMix64(seed: 83)
        let alive = try branchingNetwork(&random)
        var patch = Patch()
        patch.setConstant("w3", Tensor(repeating: 0, shape: [5, 8, 3, 3]))
        patch.setConstant("b3", Tensor(repeating: -1, shape: [5]))
        let ann = try alive.applying(patch)
        let images = random.images(8)
        let layers = try ErrorDecomposition(convert(ann, Recipe.signed.options(8), images), ann: ann, steps: 8).run([Batch(images)])
        #expect(layers.map(\.isDead) == [false, false, false, true])
        #expect(layers[3].total == nil)
        let rows = ErrorDecomposition.table(layers).split(separator: "\n")
        #expect(rows[5].contains("dead"))
        #expect(rows.count { $0.contains("worst") } == 1)
        #expect(rows.count { $0.contains("adds most") } == 1)
        #expect(rows.allSatisfy { $0.count <= 100 })
    }

    @Test func `another network's ANN and numbers outside their ranges are refused`() throws {
        var random = SplitMix64(seed: 84)
        let ann = try branchingNetwork(&random)
        let images = random.images(8)
        let snn = try convert(ann, Recipe.signed.options(8), images)
        let error = try #require(throws: SpikeletError.self) { try ErrorDecomposition(snn, ann: Bundled.cnn(), steps: 8) }
        #expect(error.message.contains("snn tailor.0.1"))
        #expect(throws: SpikeletError.self) { try ErrorDecomposition(ann, ann: ann, steps: 8) }
        #expect(throws: SpikeletError.self) { try ErrorDecomposition(snn, ann: ann, steps: 0) }
        #expect(throws: SpikeletError.self) { try ErrorDecomposition(snn, ann: ann, steps: 8, limit: 0) }
        #expect(throws: SpikeletError.self) { try ErrorDecomposition(snn, ann: ann, steps: 8).run([Batch]()) }
    }
}

/// Integrate-and-fire with a threshold that is not 1.
private struct TripleIFNeuron: Neuron {
    static let kind = "TripleIFNeuron"
    static let schedules: Set<SpikingDescription.Schedule> = [.streaming]
    var currentOfSpike: NeuronParameter { 3 }
    var summary: String { "threshold 3" }

    func initialState(shape: [Int]) -> NeuronState { NeuronState(membrane: Tensor(repeating: 1.5, shape: shape)) }

    func integrate(_ current: Tensor, state: inout NeuronState, at time: TimeStep) { state.add(current) }

    func emit(_ state: inout NeuronState, at time: TimeStep) -> Tensor {
        state.emit { membrane in
            guard membrane >= 3 else { return 0 }
            membrane -= 3
            return 1
        }
    }
}
