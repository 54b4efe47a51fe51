import SpikeConversion
import SpikeGraph
import SpikeReference
import TestSupport
import Testing

/// Statements about codes that hold exactly. Weights are dyadic, so that float32 sums are exact, and equal means equal.
@Suite("Theorems of the codes")
struct TheoremTests {
    /// The network's activations where every ReLU is a quantiser: Q(x) = Δ · min(L, max(0, ⌊x/Δ + ½⌋)).
    private func quantised(_ ann: Graph, input: Tensor, levels: Int, threshold: Float) throws -> [String: Tensor] {
        var values: [String: Tensor] = [:]
        let step = threshold / Float(levels)
        _ = try ReferenceExecutor(ann).run(
            [input],
            rewrite: { node, output in
                guard case .relu = node.operator else { return output }
                // The ReLU has cut below zero already; what is above passes through.
                let quantised = output.map { step * min(Float(levels), ($0 / step + 0.5).rounded(.down)) }
                values[node.name] = quantised
                return quantised
            })
        return values
    }

    private func place(_ ann: Graph, neuron: any Neuron, scale: Float, description: SpikingDescription) throws -> Graph {
        let activations = ann.nodes.filter { if case .relu = $0.operator { true } else { false } }
        let scales = Dictionary(uniqueKeysWithValues: activations.map { ($0.name, [scale]) })
        return try UseRunningMaximum().run(PlaceNeurons(scales: scales, neuron: neuron, description: description).run(ann))
    }

    @Test(arguments: [1, 2, 4, 8, 16, 32]) func `layer-synchronous unary counts are the clip–floor quantiser at L = T`(steps: Int) throws {
        for (seed, maxPool) in [(UInt64(20), true), (21, false), (22, true)] {
            var random = Random(seed)
            let ann = try smallNetwork(&random, maxPool: maxPool, dyadic: true)
            // θ = T/4 makes Δ = θ/T = 1/4, exact.
            let input = random.dyadic([3, 2, 6, 6])
            let expected = try quantised(ann, input: input, levels: steps, threshold: Float(steps) / 4)
            let snn = try place(
                ann, neuron: IFNode(threshold: 1, initialMembrane: 0.5), scale: Float(steps) / 4,
                description: SpikingDescription(recipe: "test", schedule: .layerSynchronous, code: .rate(steps: steps)))
            let simulation = try ReferenceSimulation(snn)
            _ = try simulation.run([input], steps: steps)
            for (layer, name) in ["relu1", "relu2"].enumerated() {
                let counts = try #require(simulation.spikeCounts["snn tailor.\(layer).1"])
                #expect(counts.map { $0 / 4 } == expected[name])
            }
        }
    }

    @Test(arguments: 1...8) func `radix at K is uniform quantisation at 2^K − 1 levels, max pooling included`(digits: Int) throws {
        let levels = 1 << digits - 1
        for (seed, maxPool) in [(UInt64(30), true), (31, false), (32, true)] {
            var random = Random(seed)
            let ann = try smallNetwork(&random, maxPool: maxPool, dyadic: true)
            let input = random.dyadic([3, 2, 6, 6])
            // A quantum of 1/8, exact.
            let expected = try quantised(ann, input: input, levels: levels, threshold: Float(levels) / 8)
            let snn = try place(
                ann, neuron: RadixNeuron(digits: digits), scale: 0.125,
                description: SpikingDescription(recipe: "test", schedule: .layerSynchronous, code: .radix(digits: digits)))
            let simulation = try ReferenceSimulation(snn)
            var decoded: [String: Tensor] = [:]
            let outputs = try simulation.run(
                [input], steps: digits,
                observe: { node, _, results in
                    guard case .neuron = node.operator else { return }
                    let doubled = decoded[node.name]?.map { 2 * $0 } ?? Tensor(repeating: 0, shape: results[0].shape)
                    decoded[node.name] = Tensor(zip(doubled.floats, results[0].floats).map(+), shape: doubled.shape)
                })
            for (layer, name) in ["relu1", "relu2"].enumerated() {
                #expect(decoded["snn tailor.\(layer).1"]?.map { $0 / 8 } == expected[name])
            }
            // The output is the last layer's on the quantised activations, its bias once.
            let last = try #require(expected["relu2"])
            let flat = last.reshaped(to: [3, 45])
            let readout = try ReferenceExecutor.evaluate(
                .gemm(Gemm(transposeB: true)), [flat, try #require(ann.constants["w3"]), try #require(ann.constants["b3"])])
            #expect(outputs == readout)
        }
    }

    @Test func `signed neurons with flush steps reach the same counts for any order of arrival`() throws {
        var random = Random(40)
        for _ in 0..<200 {
            let steps = Int.random(in: 1...24, using: &random)
            let currents = (0..<steps).map { _ in Float(Int.random(in: -24...24, using: &random)) / 16 }
            let total = currents.reduce(0, +)
            let expected = max(0, min(Float(steps), (total + 0.5).rounded(.down)))
            for _ in 0..<4 {
                let neuron = SignedIFNeuron(threshold: 1, initialMembrane: 0.5, maximumCount: steps)
                var state = neuron.initialState(shape: [1, 1])
                var count: Float = 0
                let flush = [Float](repeating: 0, count: 2 * steps)
                for (index, current) in (currents.shuffled(using: &random) + flush).enumerated() {
                    count += neuron.step(Tensor([current], shape: [1, 1]), state: &state, at: TimeStep(index)).floats[0]
                    #expect(count >= 0 && count <= Float(steps))
                }
                #expect(count == expected)
            }
        }
    }

    @Test func `bursts of b in T steps have the levels of T·b binary steps`() throws {
        var random = Random(41)
        for _ in 0..<200 {
            let (steps, most) = (Int.random(in: 1...8, using: &random), Int.random(in: 1...5, using: &random))
            let current = Float(Int.random(in: -64...128, using: &random)) / 16
            let neuron = BurstIFNeuron(threshold: 1, initialMembrane: 0.5, maximumBurst: most)
            var state = neuron.initialState(shape: [1])
            for index in 0..<steps { neuron.integrate(Tensor([current], shape: [1]), state: &state, at: TimeStep(index, of: steps)) }
            let count = (0..<steps).reduce(Float(0)) { sum, index in sum + neuron.emit(&state, at: TimeStep(index, of: steps)).floats[0] }
            #expect(count == max(0, min(Float(steps * most), (current * Float(steps) + 0.5).rounded(.down))))
        }
    }
}
