import CSpikeKernels
import SpikeGraph
import SpikeReference
import SpikeRuntime
import Testing

/// Layers that run in numbers give what spikes give, bit for bit: by every instruction set, in parts of any number of threads.
@Suite struct `Numbers from layer to layer` {
    private static let sets = (0..<SPIKE_ISA_COUNT.rawValue).filter { spike_isa_supported(spike_isa(rawValue: $0)) }

    private func runsInNumbers(_ program: Program) -> Bool { program.description.contains("numbers go from layer to layer") }

    private func compare(_ program: Program, _ input: Tensor, threads: [Int] = [1, 3], _ seed: String) throws {
        let steps = program.graph.spiking?.code.steps ?? 0
        for set in Self.sets {
            let spikes = Simulation(program, isaNumber: set)
            spikes.denseCrossover = .infinity
            spikes.recording = .spikeCounts
            let expected = try spikes.run([input], steps: steps)
            for threads in threads {
                let numbers = Simulation(program, threads: threads, isaNumber: set)
                for recording in [Recording.spikeCounts, []] {
                    numbers.recording = recording
                    // A second run finds the memory of the first.
                    for _ in 0..<2 {
                        #expect(try numbers.run([input], steps: steps) == expected, "\(seed), set \(set), \(threads) threads\n\(program)")
                    }
                    #expect(numbers.spikeTotals == spikes.spikeTotals && numbers.saturations == spikes.saturations, "\(seed)")
                    #expect(recording.isEmpty || numbers.spikeCounts == spikes.spikeCounts, "\(seed)")
                }
            }
        }
    }

    @Test(arguments: 1...7)
    func `networks of random shapes`(digits: Int) throws {
        var (count, all) = (0, 0)
        for seed in 0..<30 {
            let (graph, input, _) = try GridNetwork.make(
                seed: seed * 12 + digits + 1000, neuron: try RadixNeuron(digits: digits), digits: digits)
            let program = try Compiler(precision: .int8)(graph)
            all += 1
            guard runsInNumbers(program) else { continue }
            count += 1
            try compare(program, input, "seed \(seed)")
        }
        #expect(count * 2 >= all, "\(count) of \(all)")
    }

    @Test func `layers of different digits`() throws {
        var count = 0
        for seed in 0..<24 {
            let (graph, input, _) = try GridNetwork.make(seed: seed + 500, digits: 5) { random in try RadixNeuron(digits: random.int(1...5))
            }
            let program = try Compiler(precision: .int8)(graph)
            guard runsInNumbers(program) else { continue }
            count += 1
            try compare(program, input, "seed \(seed), \(graph.digits)")
        }
        #expect(count >= 8)
    }

    /// Ordinary weights: residual branches, depthwise, strides, a global pool in front of the output.
    @Test(arguments: [1, 4, 7])
    func `an ordinary network, in batches of any size`(digits: Int) throws {
        let description = SpikingDescription(recipe: "test", schedule: .layerSynchronous, code: .radix(digits: digits))
        let program = try Compiler(precision: .int8)(
            try ordinaryNetwork(seed: 8, neuron: try RadixNeuron(digits: digits), spiking: description))
        guard digits > 2 else { return #expect(!program.floatStages.isEmpty || runsInNumbers(program)) }
        #expect(runsInNumbers(program), "\(program)")
        var random = SeededGenerator(12)
        for samples in [1, 2, 9, 20] {
            try compare(program, random.uniform([samples, 3, 11, 13], -1...2), threads: [1, 2, 5], "\(samples) samples")
        }
    }

    /// Lists have weights of 32 bits for it, where masks have 16.
    @Test(arguments: [4, 5])
    func `each channel to itself, out of line or behind a mean`(digits: Int) throws {
        var random = SeededGenerator(digits)
        var network = NetworkSketch(input: [2, 10, 10])
        func layer(_ x: NetworkSketch.Value, _ features: Int, groups: Int = 1) throws -> NetworkSketch.Value {
            let depth = x.shape[0] / groups
            let spread = 4 / Float(depth * 9).squareRoot()
            return try network.conv(
                x, random.uniform([features, depth, 3, 3], -spread...spread), bias: random.uniform([features], -1...2), pads: [1, 1])
        }
        let neuron = try RadixNeuron(digits: digits)
        let a = network.fire(try layer(network.input, 12), neuron)
        let b = network.fire(try layer(a, 15), neuron)
        let both = network.add(.concat(Concat(axis: 1)), [a, b], shape: [27, 10, 10])
        let c = network.fire(network.add(.add(Add()), [try layer(both, 27), both], shape: both.shape), neuron)
        let mean = try network.pool(c, [2, 2]) { .averagePool(AveragePool(window: $0)) }
        let d = network.fire(try layer(mean, 27, groups: 27), neuron)
        let y = network.linear(d, random.uniform([10, d.shape.reduce(1, *)], -0.1...0.1))
        let code = SpikingDescription(recipe: "test", schedule: .layerSynchronous, code: .radix(digits: digits))
        let program = try Compiler(precision: .int8)(try network.graph([y], code))
        #expect(runsInNumbers(program) && program.description.contains("by lists"), "\(program)")
        try compare(program, random.uniform([40, 2, 10, 10], -4...8), "\(digits) digits")
    }

    /// Weights that the cache does not hold, and layers that are worth sharing.
    @Test func `large layers go layer by layer, in rows and lanes`() throws {
        var random = SeededGenerator(31)
        var network = NetworkSketch(input: [3, 12, 12])
        let code = SpikingDescription(recipe: "test", schedule: .layerSynchronous, code: .radix(digits: 4))
        func fire(_ x: NetworkSketch.Value) throws -> NetworkSketch.Value { network.fire(x, try RadixNeuron(digits: 4)) }
        var x = network.input
        for (features, stride) in [(72, 1), (64, 1), (264, 2), (256, 1)] {
            let depth = x.shape[0] * 9
            let spread = 2 / Float(depth).squareRoot()
            x = try network.conv(
                x, random.uniform([features, x.shape[0], 3, 3], -spread...spread), bias: random.uniform([features], -1...2),
                strides: [stride, stride], pads: [1, 1])
            x = try fire(x)
        }
        let y = network.linear(x, random.uniform([10, x.shape.reduce(1, *)], -0.1...0.1))
        let program = try Compiler(precision: .int8)(try network.graph([y], code))
        #expect(runsInNumbers(program), "\(program)")
        for samples in [1, 3, 9] {
            try compare(program, random.uniform([samples, 3, 12, 12], 0...8), threads: [1, 2, 3, 7], "\(samples) samples")
        }
    }

    /// Its border of zeros would take 80 GB.
    @Test func `a window that reaches far beyond an image reads spikes`() throws {
        var random = SeededGenerator(17)
        var network = NetworkSketch(input: [2, 4, 4])
        let neuron = try RadixNeuron(digits: 4)
        let a = network.fire(try network.conv(network.input, random.uniform([5, 2, 1, 1], -2...2)), neuron)
        let far = try network.conv(a, random.uniform([6, 5, 3, 3], -1...1), pads: [50_000, 50_000], dilation: 50_000)
        let y = network.linear(network.fire(far, neuron), random.uniform([3, 96], -1...1))
        let code = SpikingDescription(recipe: "test", schedule: .layerSynchronous, code: .radix(digits: 4))
        let program = try Compiler(precision: .int8)(try network.graph([y], code))
        #expect(!runsInNumbers(program) && program.floatStages.isEmpty, "\(program)")
        try compare(program, random.uniform([2, 2, 4, 4], 0...8), "far")
    }

    @Test func `what single steps say is what spikes say`() throws {
        let description = SpikingDescription(recipe: "test", schedule: .layerSynchronous, code: .radix(digits: 4))
        let program = try Compiler(precision: .int8)(try ordinaryNetwork(seed: 9, neuron: try RadixNeuron(digits: 4), spiking: description))
        var random = SeededGenerator(13)
        let input = random.uniform([3, 3, 11, 13], 0...1)
        let (numbers, steps) = (try Simulation(program), try Simulation(program))
        steps.recording = .stepOutputs
        let outputs = try steps.run([input], steps: 4)
        #expect(try numbers.run([input], steps: 4) == outputs)
        #expect(try steps.stepOutputs().last == outputs)
    }
}
