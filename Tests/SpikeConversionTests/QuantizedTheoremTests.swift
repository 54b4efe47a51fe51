import SpikeConversion
import SpikeGraph
import SpikeReference
import TestSupport
import Testing

/// A network whose activations are quantisers, with dyadic weights: float32 sums are exact, and equal means equal.
func quantizedNetwork(
    _ random: inout Random, _ first: Quantizer, _ second: Quantizer, maxPool: Bool = true
) throws -> Graph {
    let graph = try smallNetwork(&random, maxPool: maxPool, dyadic: true, activation: .quantizer(first))
    guard var last = graph.node(named: "relu2") else { return graph }
    last.operator = .quantizer(second)
    var patch = Patch()
    patch.replace(last)
    return try graph.applying(patch)
}

/// What the neurons of a simulation have said, decoded: for each of them the sum of its spikes, weighted by the code.
func decoded(_ snn: Graph, _ input: Tensor) throws -> (levels: [String: Tensor], outputs: [Tensor]) {
    let growth: Float = snn.spiking?.code.kind == .radix ? 2 : 1
    var levels: [String: Tensor] = [:]
    let outputs = try ReferenceSimulation(snn).run(
        [input], steps: snn.spiking?.steps ?? 0,
        observe: { node, _, results in
            guard case .neuron = node.operator else { return }
            let before = levels[node.name] ?? Tensor(repeating: 0, shape: results[0].shape)
            levels[node.name] = Tensor(zip(before.floats, results[0].floats).map { growth * $0 + $1 }, shape: before.shape)
        })
    return (levels, outputs)
}

@Suite("Theorems of quantised networks")
struct QuantizedTheoremTests {
    /// Checks that every layer's levels, and the outputs, are the ANN's bit for bit.
    private func check(_ ann: Graph, steps: Int? = nil, input: Tensor, _ comment: Comment = "") throws -> Graph {
        var activations: [Tensor] = []
        let expected = try ReferenceExecutor(ann).run(
            [input],
            observe: { node, _, results in
                guard case .quantizer(let quantizer) = node.operator else { return }
                activations.append(results[0].map { $0 / quantizer.step })
            })
        let snn = try QuantizedConverter(steps: steps)(ann)
        let found = try decoded(snn, input)
        #expect(found.outputs == expected, comment)
        #expect(found.levels.count == activations.count, comment)
        for (index, levels) in activations.enumerated() { #expect(found.levels["snn tailor.\(index).1"] == levels, comment) }
        return snn
    }

    @Test(arguments: Quantizer.Rounding.allCases) func `spikes are the quantiser's levels, unary and radix, at any number of levels`(
        rounding: Quantizer.Rounding
    ) throws {
        for levels in [1, 2, 3, 4, 5, 7, 8, 11, 16, 31, 32] {
            for maxPool in [true, false] {
                var random = Random(UInt64(70 + levels))
                let quantizer = try Quantizer(step: 0.25, levels: levels, rounding: rounding)
                let ann = try quantizedNetwork(&random, quantizer, quantizer, maxPool: maxPool)
                let input = random.dyadic([3, 2, 6, 6])
                _ = try check(ann, input: input)
                let digits = Int.bitWidth - levels.leadingZeroBitCount
                for steps in [levels, digits] {
                    let snn = try check(ann, steps: steps, input: input, "\(levels) levels in \(steps) steps, \(rounding)")
                    #expect(snn.spiking?.steps == steps && snn.spiking?.schedule == .layerSynchronous)
                }
            }
        }
    }

    @Test func `layers of different levels and steps keep their own, in one number of steps`() throws {
        for (first, second) in [(4, 7), (8, 3), (5, 1), (15, 16), (127, 255), (3, 200)] {
            for rounding in [Quantizer.Rounding.halfUp, .halfToEven] {
                var random = Random(UInt64(90 + first))
                let ann = try quantizedNetwork(
                    &random, Quantizer(step: 0.125, levels: first, rounding: rounding),
                    Quantizer(step: 0.5, levels: second, rounding: .halfUp))
                let input = random.dyadic([3, 2, 6, 6])
                let most = max(first, second)
                _ = try check(ann, input: input, "\(first), \(second)")
                _ = try check(ann, steps: Int.bitWidth - most.leadingZeroBitCount, input: input, "\(first), \(second), radix")
                _ = try check(ann, steps: most, input: input, "\(first), \(second), unary")
            }
        }
    }

    @Test func `ties are where the rules differ, and there are some`() throws {
        var random = Random(71)
        let up = try Quantizer(step: 0.25, levels: 7, rounding: .halfUp)
        let even = try Quantizer(step: 0.25, levels: 7, rounding: .halfToEven)
        let ann = try quantizedNetwork(&random, up, up)
        let input = random.dyadic([3, 2, 6, 6])
        let (a, b) = try (decoded(QuantizedConverter()(ann), input), ReferenceExecutor(ann).run([input]))
        #expect(a.outputs == b)
        random = Random(71)
        let other = try quantizedNetwork(&random, even, even)
        #expect(try ReferenceExecutor(other).run([input]) != b)
        #expect(try decoded(QuantizedConverter()(other), input).outputs != b)
    }

    @Test func `signed levels on a residual branch are spikes of both signs`() throws {
        let window = Window(kernel: [3, 3], padsBegin: [1, 1], padsEnd: [1, 1])
        for (steps, maxPool) in [(nil, true), (6, false), (3, true)] as [(Int?, Bool)] {
            var random = Random(72)
            let ann = try Graph(
                name: "residual", inputs: [.init("input", ValueType(.float32, [.batch, 2, 6, 6]))],
                outputs: [.init("logits", value: "linear")],
                nodes: [
                    Node("conv1", .conv(Conv(window: window)), inputs: ["input", "w1", "b1"]),
                    Node("act1", .quantizer(Quantizer(step: 0.25, levels: 5, rounding: .halfUp)), inputs: ["conv1"]),
                    Node("conv2", .conv(Conv(window: window)), inputs: ["act1", "w2", "b2"]),
                    Node("act2", .quantizer(Quantizer(step: 0.5, levels: 4, lowest: -6, rounding: .halfToEven)), inputs: ["conv2"]),
                    Node(
                        "pool",
                        maxPool
                            ? .maxPool(MaxPool(window: Window(kernel: [3, 3], padsBegin: [1, 1], padsEnd: [1, 1])))
                            : .identity(Identity()), inputs: ["act2"]),
                    Node("add", .add(Add()), inputs: ["act1", "pool"]),
                    Node("act3", .quantizer(Quantizer(step: 0.25, levels: 6, rounding: .halfToEven)), inputs: ["add"]),
                    Node("flatten", .flatten(Flatten()), inputs: ["act3"]),
                    Node("linear", .gemm(Gemm(transposeB: true)), inputs: ["flatten", "w3", "b3"]),
                ],
                constants: [
                    "w1": random.dyadic([4, 2, 3, 3]), "b1": random.dyadic([4]), "w2": random.dyadic([4, 4, 3, 3]),
                    "b2": random.dyadic([4]),
                    "w3": random.dyadic([3, 144]), "b3": random.dyadic([3]),
                ])
            let input = random.dyadic([3, 2, 6, 6])
            let snn = try check(ann, steps: steps, input: input)
            #expect(snn.spiking?.warnings.contains { $0.contains("'act2'") && $0.contains("negative") } == true)
            #expect(try decoded(snn, input).levels["snn tailor.1.1"]?.floats.contains { $0 < 0 } == true)
        }
    }

    @Test func `QCFS becomes the neurons of its paper: θ = λ, v₀ = θ/2, T = L`() throws {
        var random = Random(73)
        let quantizer = try Quantizer(step: 0.75, levels: 4, rounding: .halfUp)
        let snn = try QuantizedConverter()(quantizedNetwork(&random, quantizer, quantizer))
        #expect(snn.spiking?.steps == 4 && snn.spiking?.code.kind == .rate)
        // In units of Δ: θ = 4 Δ = λ. A spike is worth λ a step.
        func layer(_ name: String, of snn: Graph) throws -> NeuronNode {
            try #require(snn.node(named: name)?.operator.payload as? NeuronNode)
        }
        #expect(try AnyHashable(layer("snn tailor.0.1", of: snn).neuron) == AnyHashable(IFNode(threshold: 4, initialMembrane: 2)))
        #expect(try layer("snn tailor.0.1", of: snn).site?.spike == [3])
        #expect(try layer("snn tailor.0.1", of: snn).site?.bound == 3)
        #expect(snn.node(named: "snn tailor.0.2")?.operator == .voltageScaler(VoltageScaler(scale: 3)))
        let radix = try QuantizedConverter()(quantizedNetwork(&random, Quantizer(step: 0.75, levels: 15, rounding: .halfUp), quantizer))
        #expect(radix.spiking?.steps == 4 && radix.spiking?.code.kind == .radix)
        #expect(try AnyHashable(layer("snn tailor.0.1", of: radix).neuron) == AnyHashable(RadixNeuron(digits: 4)))
        let bounded = try QuantizerNeuron(threshold: 1, levels: 4, rounding: .halfUp, digits: 4)
        #expect(try AnyHashable(layer("snn tailor.1.1", of: radix).neuron) == AnyHashable(bounded))
    }
}
