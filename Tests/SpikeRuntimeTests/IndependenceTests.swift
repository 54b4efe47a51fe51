import CSpikeKernels
import SpikeGraph
import SpikeReference
import SpikeRuntime
import Testing

/// A network of ordinary weights, so that a sum in another order would show.
func ordinaryNetwork(seed: Int, neuron: any Neuron = IFNode(threshold: 1, initialMembrane: 0.5), spiking: SpikingDescription? = nil) throws
    -> Graph
{
    var random = SeededGenerator(seed)
    var constants: [String: Tensor] = [:]
    var nodes: [Node] = []
    func conv(_ name: String, _ input: String, _ shape: [Int], stride: Int = 1, groups: Int = 1) {
        let spread = 2 / Float(shape.dropFirst().reduce(1, *)).squareRoot()
        constants["\(name).w"] = random.uniform(shape, -spread...spread)
        constants["\(name).b"] = random.uniform([shape[0]], 0...0.2)
        let pad = shape[2] / 2
        let window = Window(
            kernel: [shape[2], shape[3]], strides: [stride, stride], padsBegin: [pad, pad], padsEnd: [pad, pad])
        nodes.append(Node(name, .conv(Conv(window: window, groups: groups)), inputs: [input, "\(name).w", "\(name).b"]))
    }
    func fire(_ name: String, _ input: String, channels: Int) -> String {
        let scales = (0..<channels).map { _ in Float.random(in: 0.3...0.8, using: &random) }
        nodes.append(Node("\(name).0", .voltageScaler(VoltageScaler(scales: scales.map { 1 / $0 })), inputs: [input]))
        nodes.append(Node("\(name).1", .neuron(NeuronNode(neuron)), inputs: ["\(name).0"]))
        nodes.append(Node("\(name).2", .voltageScaler(VoltageScaler(scales: scales)), inputs: ["\(name).1"]))
        return "\(name).2"
    }
    conv("c1", "x", [16, 3, 3, 3])
    let a = fire("n1", "c1", channels: 16)
    conv("c2", a, [16, 16, 3, 3])
    nodes.append(Node("s2", .add(Add()), inputs: ["c2", a]))
    let b = fire("n2", "s2", channels: 16)
    nodes.append(Node("p2", .runningMaximumPool(RunningMaximumPool(window: Window(kernel: [2, 2], strides: [2, 2]))), inputs: [b]))
    conv("d3", "p2", [16, 1, 3, 3], groups: 16)
    let c = fire("n3", "d3", channels: 16)
    conv("c4", c, [140, 16, 3, 3], stride: 2)
    let d = fire("n4", "c4", channels: 140)
    nodes.append(Node("g", .globalAveragePool(GlobalAveragePool()), inputs: [d]))
    nodes.append(Node("f", .flatten(Flatten()), inputs: ["g"]))
    constants["l.w"] = random.uniform([10, 140], -0.5...0.5)
    nodes.append(Node("y", .gemm(Gemm(transposeB: true)), inputs: ["f", "l.w"]))
    return try Graph(
        name: "ordinary", inputs: [.init("x", ValueType(.float32, [.batch, 3, 11, 13]))], outputs: [.init("y", value: "y")], nodes: nodes,
        constants: constants, spiking: spiking ?? SpikingDescription(recipe: "test"))
}

private func images(_ count: Int) -> Tensor {
    var random = SeededGenerator(77)
    return random.uniform([count, 3, 11, 13], 0...1)
}

/// An own result for whoever computes it must not exist: same bits for every split of the work.
@Suite struct `Splitting the work` {
    @Test(arguments: Precision.allCases, [1, 2, 3, 5])
    func `threads and batches do not change a bit`(precision: Precision, threads: Int) throws {
        let program = try Compiler(precision: precision)(try ordinaryNetwork(seed: 3))
        let input = images(5)
        let alone = try (0..<5).map { try Simulation(program).run([input.samples($0..<$0 + 1)], steps: 9)[0] }
        let simulation = try Simulation(program, threads: threads)
        simulation.recording = .spikeCounts
        for chunk in [1, 2, 8] {
            simulation.largestChunk = chunk
            #expect(try simulation.run([input], steps: 9) == [Tensor.joined(alone)])
        }
        #expect(simulation.spikeCounts.count == 4)
        #expect(try simulation.run([input.samples(2..<3)], steps: 9) == [alone[2]])
    }

    @Test(arguments: Precision.allCases)
    func `single steps, blocks of steps and time-varying input agree`(precision: Precision) throws {
        let program = try Compiler(precision: precision)(try ordinaryNetwork(seed: 4))
        let input = images(3)
        let simulation = try Simulation(program, threads: 2)
        // More than a block.
        let whole = try simulation.run([input], steps: 70)
        let moving = Tensor.joined((0..<70).map { _ in input }).reshaped(to: [70] + input.shape)
        #expect(try simulation.run([moving], steps: 70, timeVarying: true) == whole)
        simulation.reset()
        for step in 0..<70 { try simulation.step([input], isSameInput: step % 3 != 0) }
        #expect(try simulation.outputs() == whole)
        #expect(simulation.steps == 70)
        for other in [[images(2)], [images(4)], [images(9)], [], [input, input], [Tensor(repeating: 0, shape: [3, 3, 11, 12])]] {
            for isSameInput in [false, true] {
                #expect(throws: SpikeletError.self) { try simulation.step(other, isSameInput: isSameInput) }
            }
        }
        #expect(try simulation.outputs() == whole)
        // A run starts afresh, whatever was before.
        #expect(try simulation.run([images(2)], steps: 1).first?.shape == [2, 10])
    }

    @Test func `an input that changes over time is the reference's`() throws {
        for seed in 0..<30 {
            let (graph, input, steps) = try RandomNetwork.make(seed: 900 + seed, family: seed % 2 == 0 ? .integrateAndFire : .signed)
            var random = SeededGenerator(seed)
            let moving = random.dyadic([steps] + input.shape, bits: 2, limit: 4)
            let expected = try ReferenceSimulation(graph).run([moving], steps: steps, timeVarying: true)
            #expect(try Simulation(graph).run([moving], steps: steps, timeVarying: true) == expected, "seed \(seed)")
        }
    }

    @Test func `whole numbers may change over time, too`() throws {
        let graph = try Graph(
            name: "whole", inputs: [.init("x", ValueType(.int64, [.batch, 2]))], outputs: [.init("y", value: "y")],
            nodes: [
                Node("c", .cast(Cast(to: .float32)), inputs: ["x"]),
                Node("y", .neuron(NeuronNode(BurstIFNeuron(threshold: 1, initialMembrane: 0))), inputs: ["c"]),
            ], constants: [:], spiking: SpikingDescription(recipe: "test"))
        let moving = Tensor((0..<24).map { Int64($0 % 5) }, shape: [4, 3, 2])
        let simulation = try Simulation(graph)
        simulation.largestChunk = 2
        let expected = try ReferenceSimulation(graph).run([moving], steps: 4, timeVarying: true)
        #expect(try simulation.run([moving], steps: 4, timeVarying: true) == expected)
    }

    @Test(arguments: [SPIKE_ISA_SCALAR, SPIKE_ISA_AVX2, SPIKE_ISA_NEON, SPIKE_ISA_AVX512].map(\.rawValue))
    func `int8 gives the same bits on every instruction set, random networks the reference's`(isa: UInt32) throws {
        guard spike_isa_supported(spike_isa(rawValue: isa)) else { return }
        for seed in 0..<6 {
            let program = try Compiler(precision: .int8)(try ordinaryNetwork(seed: seed))
            let expected = try Simulation(program, isaNumber: SPIKE_ISA_SCALAR.rawValue).run([images(2)], steps: 12)
            let found = try Simulation(program, isaNumber: isa).run([images(2)], steps: 12)
            // The readout adds float32 numbers in the instruction set's order.
            for (a, b) in zip(expected[0].floats, found[0].floats) { #expect(abs(a - b) < 1e-5) }
        }
        for family in RandomNetwork.Family.allCases {
            for seed in 200..<220 {
                let (graph, input, steps) = try RandomNetwork.make(seed: seed, family: family)
                let simulation = Simulation(try Compiler()(graph), isaNumber: isa)
                #expect(
                    try simulation.run([input], steps: steps) == ReferenceSimulation(graph).run([input], steps: steps),
                    "seed \(seed), \(family)\n\(simulation.program)\n\(graph)")
            }
        }
    }

    @Test func `samples stop when they are sure, and say when`() throws {
        let simulation = try Simulation(try ordinaryNetwork(seed: 5), threads: 2)
        let input = images(6)
        simulation.recording = .stepOutputs
        let steps = 30
        let outputs = try simulation.run([input], steps: steps)
        // What has been accumulated, divided by all steps.
        let each = try simulation.stepOutputs().enumerated().map { index, outputs in
            try ReferenceExecutor.evaluate(.softmax(Softmax()), [outputs[0].map { $0 * Float(index + 1) / Float(steps) }])[0]
        }
        let certainties = each[steps - 1].floats.sorted()
        // A confidence that some reach.
        let confidence = certainties[certainties.count - 3] * 0.9
        let early = try simulation.run([input], steps: steps, exitConfidence: confidence)
        for sample in 0..<6 {
            let first = (0..<steps).first { step in
                each[step].floats[sample * 10..<sample * 10 + 10].max() ?? 0 >= confidence
            }
            #expect(simulation.stepsUsed[sample] == first.map { $0 + 1 } ?? steps)
        }
        #expect(simulation.stepsUsed.contains { $0 < steps })
        #expect(early[0].shape == outputs[0].shape)
        #expect(throws: SpikeletError.self) { try simulation.run([input], steps: steps, exitConfidence: 2) }
    }

    @Test func `what does not fit is refused`() throws {
        let simulation = try Simulation(try ordinaryNetwork(seed: 6))
        #expect(throws: SpikeletError.self) { try simulation.run([images(1)], steps: 0) }
        #expect(throws: SpikeletError.self) { try simulation.run([Tensor(repeating: 0, shape: [1, 3, 11, 12])], steps: 1) }
        #expect(throws: SpikeletError.self) { try simulation.run([Tensor(repeating: .nan, shape: [1, 3, 11, 13])], steps: 1) }
        #expect(throws: SpikeletError.self) { try simulation.outputs() }
        #expect(throws: SpikeletError.self) { try Simulation(simulation.program, threads: 0) }
        let ann = try Graph(
            name: "ann", inputs: [.init("x", ValueType(.float32, [.batch, 2]))], outputs: [.init("y", value: "y")],
            nodes: [Node("y", .relu(Relu()), inputs: ["x"])], constants: [:])
        #expect(throws: SpikeletError.self) { try Simulation(ann) }
    }
}
