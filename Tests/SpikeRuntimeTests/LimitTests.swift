import SpikeGraph
import SpikeReference
import SpikeRuntime
import Testing

/// Networks beyond each number that the kernels keep in fewer bits, or in an array: the reference's bits all the same.
@Suite struct `Beyond the kernels' limits` {
    private static let integrate = IFNode(threshold: 1, initialMembrane: 0.5)

    /// Runs the network with the engine and the reference, which have to agree on every bit of outputs and spikes.
    ///
    /// - Returns: what the engine made of it.
    @discardableResult
    private func compare(
        _ graph: Graph, _ input: Tensor, steps: Int, precision: Precision = .float32, _ sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Program {
        let reference = try ReferenceSimulation(graph)
        let simulation = try Simulation(graph, precision: precision)
        simulation.recording = .spikeCounts
        #expect(
            try simulation.run([input], steps: steps) == reference.run([input], steps: steps), "\(simulation.program)",
            sourceLocation: sourceLocation)
        #expect(simulation.spikeCounts == reference.spikeCounts, "\(simulation.program)", sourceLocation: sourceLocation)
        #expect(reference.spikeCounts.values.allSatisfy { $0.floats.contains { $0 > 0 } }, "silent", sourceLocation: sourceLocation)
        return simulation.program
    }

    private func neurons(_ random: inout SeededGenerator) -> any Neuron {
        random.pick([
            Self.integrate, IFNode(threshold: 1, reset: .to(0.25)), SignedIFNeuron(), BurstIFNeuron(threshold: 0.5, maximumBurst: 7),
        ])
    }

    /// A sum of branches that part and meet again has a synapse for each window, not for each way through.
    @Test(arguments: [4, 60]) func `branches part and meet again and again`(count: Int) throws {
        var random = SeededGenerator(count)
        var network = NetworkSketch(input: [3, 4, 4])
        var x = network.fire(network.input, Self.integrate)
        let half = Tensor([0.5], shape: [1])
        for index in 0..<count {
            // Each half of x, together x again; and every 20th time a product beside it.
            let left = network.add(.mul(Mul()), [x], [half], shape: x.shape)
            let right = network.add(.mul(Mul()), [x], [half], shape: x.shape)
            x = network.add(.add(Add()), [left, right], shape: x.shape)
            if index % 20 == 0 {
                let product = try network.conv(x, random.dyadic([3, 3, 1, 1], bits: 2, limit: 1))
                x = network.add(.add(Add()), [x, product], shape: x.shape)
            }
        }
        x = network.fire(x, SignedIFNeuron())
        let y = network.linear(x, random.dyadic([2, 48], bits: 3, limit: 6))
        let program = try compare(
            try network.graph([y], SpikingDescription(recipe: "test")), random.dyadic([2, 3, 4, 4], bits: 2, limit: 5), steps: 6)
        #expect(program.genericNodes.isEmpty)
    }

    @Test(arguments: 0..<3)
    func `a depthwise window joined with a mean has more places than the kernels take at a time`(seed: Int) throws {
        for (kernel, stride, mean) in [(9, 9, 4), (16, 16, 4), (33, 1, 2), (16, 4, 4)] {
            var random = SeededGenerator(seed)
            let side = kernel + stride * (mean - 1) + random.int(0...stride)
            let channels = random.pick([1, 1, 3, 9])
            var network = NetworkSketch(input: [channels, side, side + 2])
            var x = network.fire(network.input, neurons(&random))
            let weights = random.dyadic([channels, 1, kernel, kernel], bits: 3, limit: 6).map { $0 + 0.25 }
            x = try network.conv(x, weights, strides: [stride, stride])
            x = try network.pool(x, [mean, mean]) { .averagePool(AveragePool(window: $0)) }
            x = network.fire(x, Self.integrate)
            let y = network.linear(x, random.dyadic([2, x.shape.reduce(1, *)], bits: 3, limit: 6))
            let input = random.dyadic([2] + network.input.shape, bits: 2, limit: 5)
            let program = try compare(try network.graph([y], SpikingDescription(recipe: "test")), input, steps: 5)
            #expect(program.genericNodes.isEmpty)
        }
    }

    /// Positions in lists are 16-bit numbers for a column of the window.
    @Test(arguments: 0..<2)
    func `a column of a window has more than 65,536 rows`(seed: Int) throws {
        for shape in 0..<4 {
            var random = SeededGenerator(seed * 4 + shape)
            let channels = [22_000, 4_200, 33_000, 70_000][shape] + random.int(0...40)
            var network = NetworkSketch(input: [1, shape == 1 ? 16 : 3, 2])
            var x = try network.conv(network.input, random.dyadic([channels, 1, 1, 1], bits: 2, limit: 3))
            x = network.fire(x, neurons(&random))
            switch shape {
            case 0:
                // Two convolutions with no neuron between.
                x = try network.conv(x, random.dyadic([2, channels, 1, 1], bits: 4, limit: 2))
                x = try network.conv(x, random.dyadic([2, 2, 3, 3], bits: 2, limit: 3), pads: [1, 1])
            case 1:
                x = try network.conv(x, random.dyadic([3, channels, 1, 1], bits: 4, limit: 2))
                x = try network.pool(x, [16, 1]) { .averagePool(AveragePool(window: $0)) }
            case 2: x = try network.conv(x, random.dyadic([3, channels, 2, 2], bits: 4, limit: 2))
            default: x = try network.conv(x, random.dyadic([3, channels, 1, 1], bits: 4, limit: 2))
            }
            x = network.fire(x, Self.integrate)
            let y = network.linear(x, random.dyadic([2, x.shape.reduce(1, *)], bits: 3, limit: 6))
            let input = random.dyadic([1] + network.input.shape, bits: 2, limit: 5)
            let program = try compare(try network.graph([y], SpikingDescription(recipe: "test")), input, steps: 4)
            #expect(program.genericNodes.isEmpty)
        }
    }

    /// Lists that are read by channel hold the channel's number in 16 bits.
    @Test(arguments: 0..<2)
    func `a layer has more than 65,536 channels, and a spike counts more than one`(seed: Int) throws {
        var random = SeededGenerator(seed)
        let channels = 65_536 + random.int(1...900)
        var network = NetworkSketch(input: [channels, 2, 2])
        var x = network.fire(network.input, seed == 0 ? BurstIFNeuron(threshold: 0.5, maximumBurst: 5) : SignedIFNeuron())
        let residual = x
        x = try network.conv(x, random.dyadic([channels, 1, 1, 1], bits: 1, limit: 3))
        x = network.add(.add(Add()), [x, residual], shape: x.shape)
        x = try network.pool(network.fire(x, BurstIFNeuron()), [2, 2]) { .averagePool(AveragePool(window: $0)) }
        x = network.fire(x, BurstIFNeuron(threshold: 0.5))
        let y = network.linear(x, random.dyadic([2, channels], bits: 4, limit: 2))
        let input = random.dyadic([1] + network.input.shape, bits: 2, limit: 5)
        let program = try compare(try network.graph([y, x], SpikingDescription(recipe: "test")), input, steps: 3)
        #expect(program.genericNodes.isEmpty)
    }

    @Test(arguments: 0..<2)
    func `bursts go through pools for 20,000 steps`(seed: Int) throws {
        var random = SeededGenerator(seed)
        let burst = BurstIFNeuron(threshold: 0.25, maximumBurst: random.int(5...12))
        var network = NetworkSketch(input: [2, 3, 3])
        var x = network.fire(network.input, burst)
        x = try network.pool(x, [2, 2], strides: [1, 1]) { .runningMaximumPool(RunningMaximumPool(window: $0)) }
        x = network.fire(try network.conv(x, random.dyadic([3, 2, 2, 2], bits: 3, limit: 4)), seed == 0 ? burst : Self.integrate)
        x = network.add(.runningMaximumPool(RunningMaximumPool(window: Window(kernel: [1, 1]))), [x], shape: x.shape)
        let input = Tensor((0..<18).map { Float($0 % 7 + 2) / 4 }, shape: [1, 2, 3, 3])
        let program = try compare(try network.graph([x], SpikingDescription(recipe: "test")), input, steps: 20_000)
        #expect(program.genericNodes.isEmpty && program.description.contains("running maximum"))
    }

    /// One place of a pool runs 40,000 spikes ahead of the other, which then overtakes it: more than 16 bits apart.
    @Test func `a pool's places may lie any number of spikes apart`() throws {
        for neuron: any Neuron in [IFNode(threshold: 1), BurstIFNeuron(threshold: 1, initialMembrane: 0, maximumBurst: 3)] {
            var network = NetworkSketch(input: [1, 1, 2])
            let spikes = network.fire(network.input, neuron)
            let y = try network.pool(spikes, [1, 2]) { .runningMaximumPool(RunningMaximumPool(window: $0)) }
            let simulation = try Simulation(try network.graph([y], SpikingDescription(recipe: "test")))
            let steps = 120_000
            let input: [Float] = (0..<steps).flatMap { $0 < 40_000 ? [1, 0] : [0, 1] }
            for end in [40_000, 80_000, 80_001, steps] {
                let moving = Tensor(Array(input[..<(2 * end)]), shape: [end, 1, 1, 1, 2])
                let mean = try simulation.run([moving], steps: end, timeVarying: true)[0].floats[0]
                #expect(mean == Float(max(min(end, 40_000), end - 40_000)) / Float(end))
            }
        }
    }

    @Test func `seventy thousand steps go through a pool at once`() throws {
        var network = NetworkSketch(input: [1, 1, 2])
        let spikes = network.fire(network.input, IFNode(threshold: 1))
        let y = try network.pool(spikes, [1, 2]) { .runningMaximumPool(RunningMaximumPool(window: $0)) }
        let simulation = try Simulation(try network.graph([y], SpikingDescription(recipe: "test", schedule: .layerSynchronous)))
        #expect(try simulation.run([Tensor([0.5, 1], shape: [1, 1, 1, 2])], steps: 70_000)[0].floats == [1])
    }

    @Test func `a million steps are exact`() throws {
        var network = NetworkSketch(input: [1, 2, 2])
        let spikes = network.fire(network.input, IFNode(threshold: 1))
        let y = try network.pool(spikes, [2, 2]) { .runningMaximumPool(RunningMaximumPool(window: $0)) }
        let simulation = try Simulation(try network.graph([y, spikes], SpikingDescription(recipe: "test")))
        let input = Tensor([0.5, 0.25, 0.125, 0], shape: [1, 1, 2, 2])
        let outputs = try simulation.run([input], steps: 1 << 20)
        #expect(outputs[0].floats == [0.5] && outputs[1].floats == input.floats)
        #expect(simulation.spikeTotals.values.reduce(0, +) == 7 << 17)
    }

    @Test func `sixteen digits go through pools`() throws {
        for digits in [7, 8, 15, 16] {
            var random = SeededGenerator(digits)
            var network = NetworkSketch(input: [2, 4, 4])
            var x = network.fire(network.input, try RadixNeuron(digits: digits))
            x = try network.pool(x, [2, 2]) { .runningMaximumPool(RunningMaximumPool(window: $0)) }
            x = network.fire(x, try RadixNeuron(digits: digits))
            let description = SpikingDescription(recipe: "test", schedule: .layerSynchronous, code: .radix(digits: digits))
            let input = Tensor((0..<64).map { _ in Float(random.int(-9...1 << digits)) }, shape: [2, 2, 4, 4])
            let program = try compare(try network.graph([x], description), input, steps: digits)
            #expect(program.genericNodes.isEmpty)
        }
    }

    @Test func `strides whose product no 32-bit number holds are left to the reference, with the reason`() throws {
        var random = SeededGenerator(1)
        var network = NetworkSketch(input: [2, 2, 2])
        var x = network.fire(network.input, Self.integrate)
        x = try network.conv(x, random.dyadic([2, 2, 2, 2], bits: 2, limit: 4), strides: [1 << 20, 1 << 20])
        x = try network.conv(x, random.dyadic([2, 2, 1, 1], bits: 2, limit: 4), strides: [1 << 20, 1 << 20])
        x = try network.pool(x, [1, 1], strides: [1 << 29, 1 << 29]) { .averagePool(AveragePool(window: $0)) }
        x = network.fire(x, Self.integrate)
        let graph = try network.graph([x], SpikingDescription(recipe: "test"))
        let program = try compare(graph, Tensor(repeating: 0.75, shape: [1, 2, 2, 2]), steps: 4)
        #expect(program.genericNodes.contains { $0.reason.contains("stride") })
    }

    @Test func `windows that are too large between channels are left to the reference, with the reason`() throws {
        var random = SeededGenerator(2)
        var network = NetworkSketch(input: [2, 40, 40])
        var x = network.fire(network.input, Self.integrate)
        x = try network.conv(x, random.dyadic([2, 2, 10, 10], bits: 3, limit: 2).map { $0 + 0.125 }, strides: [10, 10])
        x = network.fire(try network.pool(x, [4, 4]) { .averagePool(AveragePool(window: $0)) }, Self.integrate)
        let program = try compare(
            try network.graph([x], SpikingDescription(recipe: "test")), random.dyadic([1, 2, 40, 40], bits: 2, limit: 5), steps: 4)
        #expect(program.genericNodes.contains { $0.reason.contains("40×40 places, more than 1024") })
    }

    @Test func `lists that would be longer than their starts can say are refused`() throws {
        // Each of 160,000 pixels lies in 10,000 windows of the mean, and is listed for each of them.
        var network = NetworkSketch(input: [1, 400, 400])
        let spikes = network.fire(network.input, Self.integrate)
        var x = try network.pool(spikes, [100, 100], strides: [1, 1]) { .averagePool(AveragePool(window: $0)) }
        x = network.fire(try network.conv(x, Tensor(repeating: 1, shape: [1, 1, 1, 1])), Self.integrate)
        let graph = try network.graph([x], SpikingDescription(recipe: "test", schedule: .layerSynchronous))
        let error = #expect(throws: SpikeletError.self) {
            try Simulation(graph).run([Tensor(repeating: 1, shape: [1, 1, 400, 400])], steps: 8)
        }
        #expect(error?.description.contains("entries of lists") == true)
    }

    @Test func `pools know how many steps their sums have room for`() throws {
        var network = NetworkSketch(input: [1, 1, 2])
        let spikes = network.fire(network.input, BurstIFNeuron(threshold: 1, maximumBurst: 4096))
        let y = try network.pool(spikes, [1, 2]) { .runningMaximumPool(RunningMaximumPool(window: $0)) }
        let graph = try network.graph([y], SpikingDescription(recipe: "test"))
        let error = #expect(throws: SpikeletError.self) {
            try Simulation(graph).run([Tensor(repeating: 0, shape: [1, 1, 1, 2])], steps: 1 << 19)
        }
        #expect(error?.description.contains("up to 524287") == true)
    }

    @Test func `spikes that cannot be counted are an error, in the reference too`() throws {
        var network = NetworkSketch(input: [2])
        let x = network.linear(network.input, Tensor([3e38, 3e38], shape: [1, 2]))
        let y = network.fire(x, MultiSpikeIFNeuron(threshold: 1))
        let graph = try network.graph([y], SpikingDescription(recipe: "test"))
        for value: Float in [0.5, 1] {
            let input = Tensor(repeating: value, shape: [1, 2])
            let error = #expect(throws: SpikeletError.self) { try Simulation(graph).run([input], steps: 2) }
            #expect(error?.description.contains("spikes in a step") == true)
            #expect(throws: SpikeletError.self) { try ReferenceSimulation(graph).run([input], steps: 2) }
        }
        let few = Tensor([1e-32, 0], shape: [1, 2])
        #expect(try Simulation(graph).run([few], steps: 2) == ReferenceSimulation(graph).run([few], steps: 2))
    }

    @Test func `a membrane that is no number sends nothing`() throws {
        // ∞ − ∞.
        var network = NetworkSketch(input: [2])
        let weights = Tensor([3e38, 3e38, -3e38, -3e38], shape: [2, 2])
        var x = network.fire(network.linear(network.input, weights), BurstIFNeuron(threshold: 1, initialMembrane: 0, maximumBurst: 9))
        x = network.linear(x, Tensor([3e38, 1], shape: [1, 2]))
        x = network.add(.add(Add()), [x, network.linear(network.input, Tensor([-3e38, -3e38], shape: [1, 2]))], shape: [1])
        x = network.fire(x, BurstIFNeuron(threshold: 1, initialMembrane: 0, maximumBurst: 9))
        let graph = try network.graph([x], SpikingDescription(recipe: "test"))
        let input = Tensor(repeating: 1, shape: [1, 2])
        #expect(try Simulation(graph).run([input], steps: 3) == ReferenceSimulation(graph).run([input], steps: 3))
    }
}
