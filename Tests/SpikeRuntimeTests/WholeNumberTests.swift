import SpikeGraph
import SpikeReference
import SpikeRuntime
import Testing

/// int8 at the ends of what its whole numbers hold, against exact arithmetic.
@Suite struct `Whole numbers` {
    private static let rates: [any Neuron] = [
        IFNode(threshold: 1, initialMembrane: 0.5), SignedIFNeuron(threshold: 1, initialMembrane: 0.5),
        BurstIFNeuron(threshold: 1, initialMembrane: 0.5, maximumBurst: 4),
    ]

    /// x → linear → neurons → linear → neurons → linear (ones on the diagonal).
    private func chain(
        _ first: Tensor, _ second: Tensor, bias: Tensor? = nil, _ neuron: any Neuron, _ description: SpikingDescription
    ) throws -> Graph {
        let features = second.shape[1]
        var constants = ["w1": first, "w2": second]
        constants["b"] = bias
        constants["one"] = eye(features)
        return try Graph(
            name: "chain", inputs: [.init("x", ValueType(.float32, [.batch, Dimension(first.shape[0])]))],
            outputs: [.init("y", value: "y")],
            nodes: [
                Node("first", .gemm(Gemm()), inputs: ["x", "w1"]), Node("a", .neuron(NeuronNode(neuron)), inputs: ["first"]),
                Node("second", .gemm(Gemm()), inputs: ["a", "w2"] + (bias == nil ? [] : ["b"])),
                Node("b2", .neuron(NeuronNode(neuron)), inputs: ["second"]), Node("y", .gemm(Gemm()), inputs: ["b2", "one"]),
            ], constants: constants, spiking: description)
    }

    private func eye(_ size: Int) -> Tensor { Tensor((0..<size * size).map { $0 % (size + 1) == 0 ? Float(1) : 0 }, shape: [size, size]) }

    /// Weights are 64ths of a threshold, the largest 127 of them, and inputs whole numbers of quanta from under nothing to twice the range.
    @Test(arguments: 3...16)
    func `a radix code counts what whole numbers count`(digits: Int) throws {
        var random = SeededGenerator(digits)
        let (inputs, features, samples) = (6, 9, 40)
        let range = 1 << digits
        let weights = (0..<inputs).map { input in (0..<features).map { $0 % inputs == input ? 127 : random.int(-127...127) } }
        let bias = (0..<features).map { _ in random.int(-range...range) }
        let description = SpikingDescription(recipe: "test", schedule: .layerSynchronous, code: .radix(digits: digits))
        let graph = try chain(
            eye(inputs), Tensor(weights.joined().map { Float($0) / 64 }, shape: [inputs, features]),
            bias: Tensor(bias.map(Float.init), shape: [features]), RadixNeuron(digits: digits), description)
        let values = (0..<samples).map { sample in
            (0..<inputs).map { _ in sample == 0 ? range - 1 : sample == 1 ? 2 * range : random.int(-range / 4...range * 5 / 4) }
        }
        let simulation = try Simulation(graph, precision: .int8)
        #expect(simulation.program.floatStages.isEmpty, "\(simulation.program)")
        let x = Tensor(values.joined().map { Float($0) }, shape: [samples, inputs])
        let found = try simulation.run([x], steps: digits)[0].floats.map { Int($0) }
        for sample in 0..<samples {
            let numbers = values[sample].map { min(max($0, 0), range - 1) }
            for feature in 0..<features {
                // In 64ths; halves round up.
                let current = 64 * bias[feature] + (0..<inputs).reduce(0) { $0 + numbers[$1] * weights[$1][feature] }
                let expected = min(max(0, (current + 32) >> 6), range - 1)
                #expect(found[sample * features + feature] == expected, "K = \(digits), sample \(sample), neuron \(feature)")
            }
        }
        #expect(simulation.saturations == 0)
    }

    /// All inputs spike in each step, or every other, through weights of −127 … 127 64ths.
    @Test(arguments: 0..<3)
    func `a rate code counts what whole numbers count, in many steps too`(neuron: Int) throws {
        var random = SeededGenerator(neuron)
        let (inputs, features) = (300, 8)
        let rule = Self.rates[neuron]
        let weights = (0..<inputs).map { input in (0..<features).map { $0 == input ? 127 : random.int(-127...127) } }
        for (planned, steps) in [(32, 32), (32, 700), (1 << 20, 300)] {
            let graph = try chain(
                Tensor((0..<inputs).map { $0 % 2 == 0 ? 1 : 0.5 }, shape: [1, inputs]),
                Tensor(weights.joined().map { Float($0) / 64 }, shape: [inputs, features]), rule,
                SpikingDescription(recipe: "test", code: .rate(steps: planned)))
            let reference = try ReferenceSimulation(graph)
            let simulation = try Simulation(graph, precision: .int8)
            #expect(simulation.program.floatStages.isEmpty, "\(simulation.program)")
            simulation.recording = .spikeCounts
            let x = Tensor([1] as [Float], shape: [1, 1])
            #expect(try simulation.run([x], steps: steps) == reference.run([x], steps: steps))
            #expect(simulation.spikeCounts == reference.spikeCounts && simulation.saturations == 0)
        }
    }

    /// A neuron that is only inhibited must never come round to the other end of its numbers.
    @Test func `a membrane that would leave 32 bits stays at its bound, and that is counted`() throws {
        for schedule in [SpikingDescription.Schedule.streaming, .layerSynchronous] {
            for rule in schedule == .streaming ? Self.rates : [IFNode(threshold: 1, initialMembrane: 0.5)] {
                let inputs = 512
                let graph = try chain(
                    Tensor(repeating: 4, shape: [1, inputs]),
                    Tensor((0..<2 * inputs).map { $0 % 2 == 0 ? -2 : 0.01 }, shape: [inputs, 2]), rule,
                    SpikingDescription(recipe: "test", schedule: schedule, code: .rate(steps: 32)))
                let simulation = try Simulation(graph, precision: .int8)
                #expect(simulation.program.floatStages.isEmpty, "\(simulation.program)")
                let x = Tensor([1] as [Float], shape: [1, 1])
                let planned = try simulation.run([x], steps: 32)[0].floats
                #expect(planned[0] == 0 && planned[1] >= 1 && simulation.saturations == 0)
                let steps = schedule == .streaming ? 20_000 : 4_000
                let long = try simulation.run([x], steps: steps)[0].floats
                // Under the layer-synchronous schedule a membrane holds no more spikes than its bound.
                #expect(long[0] == 0 && long[1] >= (schedule == .streaming ? 1 : 0.1) && simulation.saturations > 0, "\(rule.summary)")
            }
        }
    }

    @Test func `small weights of many inputs add up`() throws {
        // As a linear layer from 20,000 neurons, and through the mean of 64 pictures of 128 × 128: 1,048,576 of them.
        let wide = 20_000
        let linear = try chain(
            Tensor(repeating: 1, shape: [1, wide]), Tensor(repeating: 0.75 / Float(wide), shape: [wide, 4]),
            IFNode(threshold: 1, initialMembrane: 0.5), SpikingDescription(recipe: "test", code: .rate(steps: 32)))
        let pictures = try Graph(
            name: "mean", inputs: [.init("x", ValueType(.float32, [.batch, 1, 128, 128]))], outputs: [.init("y", value: "y")],
            nodes: [
                Node("first", .conv(Conv(window: Window(kernel: [1, 1]))), inputs: ["x", "w1"]),
                Node("a", .neuron(NeuronNode(IFNode(threshold: 1, initialMembrane: 0.5))), inputs: ["first"]),
                Node("mean", .globalAveragePool(GlobalAveragePool()), inputs: ["a"]), Node("flat", .flatten(Flatten()), inputs: ["mean"]),
                Node("second", .gemm(Gemm()), inputs: ["flat", "w2"]),
                Node("b2", .neuron(NeuronNode(IFNode(threshold: 1, initialMembrane: 0.5))), inputs: ["second"]),
                Node("y", .identity(Identity()), inputs: ["b2"]),
            ], constants: ["w1": Tensor(repeating: 1, shape: [64, 1, 1, 1]), "w2": Tensor(repeating: 0.75 / 64, shape: [64, 3])],
            spiking: SpikingDescription(recipe: "test", code: .rate(steps: 16)))
        for (graph, shape, steps) in [(linear, [3, 1], 32), (pictures, [1, 1, 128, 128], 16)] {
            let samples = shape[0]
            let size = shape.dropFirst().reduce(1, *)
            let x = Tensor((0..<samples * size).map { [1, 0.5, 0.25][$0 / size] }, shape: shape)
            let simulation = try Simulation(graph, precision: .int8)
            #expect(simulation.program.floatStages.isEmpty, "\(simulation.program)")
            let found = try simulation.run([x], steps: steps)[0].floats
            for sample in 0..<samples {
                // ¾ of the input's rate, in spikes.
                let expected = 0.75 * [1, 0.5, 0.25][sample] * Float(steps)
                let size = found.count / samples
                for value in found[sample * size..<(sample + 1) * size] {
                    #expect(abs(value * Float(steps) - expected) <= 1, "\(graph.name): \(value * Float(steps)), not \(expected)")
                }
            }
            #expect(simulation.saturations == 0)
        }
    }

    @Test func `a layer that 8 bits cannot say is float32, is listed, and is what float32 makes of it`() throws {
        var random = SeededGenerator(5)
        let inputs = 64
        func small(_ scale: Float) -> Tensor { random.uniform([inputs, 6], -scale...scale) }
        // One weight so large that the others are nothing beside it; one beyond 127 thresholds.
        for (largest, reason) in [(Float(100), "would move"), (200, "200 thresholds")] {
            var values = small(0.2).floats
            for feature in 0..<6 { values[feature] = largest }
            let graph = try chain(
                random.uniform([3, inputs], 0...0.3), Tensor(values, shape: [inputs, 6]), IFNode(threshold: 1, initialMembrane: 0.5),
                SpikingDescription(recipe: "test", code: .rate(steps: 32)))
            let program = try Compiler(precision: .int8)(graph)
            #expect(program.floatStages.map(\.node) == ["b2"])
            #expect(program.floatStages.first?.reason.contains(reason) == true, "\(program.floatStages)")
            #expect(program.description.contains("float32 in spite of int8: b2 ("))
        }
        // With few levels each spike that rounding moves is much of an activation, and layers add up: the worst ones are float32.
        for digits in [1, 2, 8] {
            let program = try Compiler(precision: .int8)(deep(&random, digits: digits))
            #expect(program.floatStages.isEmpty == (digits == 8), "\(program)")
            #expect(program.floatStages.allSatisfy { $0.reason.contains("all layers together") })
        }
        #expect(try Compiler()(ordinaryNetwork(seed: 1)).floatStages.isEmpty)
    }

    /// Sixteen layers of 64 neurons.
    private func deep(_ random: inout SeededGenerator, digits: Int) throws -> Graph {
        var nodes = [Node("n0", .neuron(NeuronNode(try RadixNeuron(digits: digits))), inputs: ["x"])]
        var constants: [String: Tensor] = [:]
        for layer in 1...16 {
            constants["w\(layer)"] = random.uniform([64, 64], -0.3...0.35)
            nodes.append(Node("l\(layer)", .gemm(Gemm()), inputs: ["n\(layer - 1)", "w\(layer)"]))
            nodes.append(Node("n\(layer)", .neuron(NeuronNode(try RadixNeuron(digits: digits))), inputs: ["l\(layer)"]))
        }
        nodes.append(Node("y", .identity(Identity()), inputs: ["n16"]))
        return try Graph(
            name: "deep", inputs: [.init("x", ValueType(.float32, [.batch, 64]))], outputs: [.init("y", value: "y")], nodes: nodes,
            constants: constants,
            spiking: SpikingDescription(recipe: "test", schedule: .layerSynchronous, code: .radix(digits: digits)))
    }

    @Test func `a current beyond all bounds is limited and counted`() throws {
        let graph = try ordinaryNetwork(seed: 3)
        for value in [Float(1e30), -1e30] {
            var random = SeededGenerator(1)
            var values = random.uniform([1, 3, 11, 13], 0...1).floats
            let simulation = try Simulation(graph, precision: .int8)
            _ = try simulation.run([Tensor(values, shape: [1, 3, 11, 13])], steps: 8)
            #expect(simulation.saturations == 0)
            values[40] = value
            _ = try simulation.run([Tensor(values, shape: [1, 3, 11, 13])], steps: 8)
            #expect(simulation.saturations > 0, "\(value)")
        }
    }
}
