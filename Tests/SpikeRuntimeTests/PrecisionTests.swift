import SpikeGraph
import SpikeReference
import SpikeRuntime
import Testing

/// Ordinary weights: float32 up to rounding, int8 near it.
@Suite struct `Ordinary weights` {
    private static let neurons: [any Neuron] = [
        IFNode(threshold: 1, initialMembrane: 0.5), IFNode(threshold: 1, reset: .to(0)), SignedIFNeuron(), BurstIFNeuron(),
    ]

    private func images(_ count: Int) -> Tensor {
        var random = SeededGenerator(78)
        return random.uniform([count, 3, 11, 13], 0...1)
    }

    @Test(arguments: 0..<4)
    func `float32 is the reference up to rounding`(neuron: Int) throws {
        for seed in 0..<3 {
            let graph = try ordinaryNetwork(seed: seed, neuron: Self.neurons[neuron])
            let reference = try ReferenceSimulation(graph)
            let expected = try reference.run([images(2)], steps: 16)[0].floats
            let simulation = try Simulation(graph)
            let found = try simulation.run([images(2)], steps: 16)[0].floats
            let spikes = reference.spikeCounts.mapValues { $0.floats.reduce(0, +) }
            #expect(!simulation.spikeTotals.isEmpty)
            for (name, total) in simulation.spikeTotals {
                let of = Double(spikes[name] ?? 0)
                #expect(abs(Double(total) - of) <= 2 + 0.002 * of, "\(name): \(total) spikes, the reference has \(of)")
            }
            for (a, b) in zip(expected, found) { #expect(abs(a - b) < 0.02) }
        }
    }

    @Test(arguments: 0..<4)
    func `int8 is near float32, and nothing saturates`(neuron: Int) throws {
        let graph = try ordinaryNetwork(seed: 9, neuron: Self.neurons[neuron])
        let exact = try Simulation(graph)
        let small = try Simulation(graph, precision: .int8)
        #expect(small.program.floatStages.isEmpty && small.program.genericNodes.isEmpty)
        let (a, b) = (try exact.run([images(4)], steps: 32)[0].floats, try small.run([images(4)], steps: 32)[0].floats)
        #expect(small.saturations == 0)
        let spread = (a.max() ?? 0) - (a.min() ?? 0)
        for (x, y) in zip(a, b) { #expect(abs(x - y) < 0.1 * spread + 0.01) }
        for (name, total) in exact.spikeTotals {
            let found = Double(small.spikeTotals[name] ?? 0)
            #expect(abs(found - Double(total)) < 0.03 * Double(total) + 50, "\(name): \(found) against \(total)")
        }
    }

    @Test func `radix int8 counts what float32 counts, nearly`() throws {
        let description = SpikingDescription(recipe: "test", schedule: .layerSynchronous, code: .radix(digits: 4))
        let graph = try ordinaryNetwork(seed: 2, neuron: try RadixNeuron(digits: 4), spiking: description)
        let reference = try ReferenceSimulation(graph).run([images(2)], steps: 4)[0].floats
        let exact = try Simulation(graph).run([images(2)], steps: 4)[0].floats
        let small = try Simulation(graph, precision: .int8).run([images(2)], steps: 4)[0].floats
        let spread = (reference.max() ?? 0) - (reference.min() ?? 0)
        for (x, y) in zip(reference, exact) { #expect(abs(x - y) < 0.01 * spread) }
        for (x, y) in zip(reference, small) { #expect(abs(x - y) < 0.1 * spread) }
        #expect(throws: SpikeletError.self) { try Simulation(graph).run([images(1)], steps: 5) }
    }

    @Test func `crossovers of one's own are four numbers`() throws {
        #expect(try Program.chosenCrossovers([:]) == nil)
        #expect(try Program.chosenCrossovers(["SPIKELET_CROSSOVERS": "0.2,0.4,0.46,3"]) == [0.2, 0.4, 0.46, 3])
        for text in ["1,2,3", "1,2,3,4,5", "1,2,,4", "1,2,3,-4", "often"] {
            let error = #expect(throws: SpikeletError.self) { try Program.chosenCrossovers(["SPIKELET_CROSSOVERS": text]) }
            #expect(error?.description.contains("SPIKELET_CROSSOVERS is '\(text)'") == true)
        }
    }

    @Test func `on numbers or spike by spike, a radix network gives the same bits`() throws {
        for digits in [3, 4, 7] {
            let description = SpikingDescription(recipe: "test", schedule: .layerSynchronous, code: .radix(digits: digits))
            let program = try Compiler(precision: .int8)(
                try ordinaryNetwork(seed: 5, neuron: try RadixNeuron(digits: digits), spiking: description))
            #expect(program.description.contains("dense above") && program.description.contains("by numbers"))
            for threads in [1, 3] {
                let results = try [0, Double.infinity].map { crossover in
                    let simulation = try Simulation(program, threads: threads)
                    simulation.denseCrossover = crossover
                    simulation.recording = .spikeCounts
                    return (try simulation.run([images(3)], steps: digits), simulation.spikeCounts, simulation.saturations)
                }
                #expect(results[0] == results[1])
                #expect(results[0].1.values.allSatisfy { $0.floats.contains { $0 > 0 } })
            }
        }
    }

    /// Currents that change from step to step may be many thresholds, and be taken back later.
    @Test func `what the reference path computes is read in float32, and listed`() throws {
        var random = SeededGenerator(90)
        var network = NetworkSketch(input: [4, 1, 1])
        let spikes = network.fire(network.input, SignedIFNeuron())
        let squares = network.add(.mul(Mul()), [spikes, spikes], shape: spikes.shape)
        let x = network.fire(try network.conv(squares, random.dyadic([5, 4, 1, 1], bits: 3, limit: 40)), SignedIFNeuron(threshold: 2))
        let y = network.linear(x, random.dyadic([3, 5], bits: 3, limit: 6))
        let graph = try network.graph([y], SpikingDescription(recipe: "test", code: .rate(steps: 64)))
        let input = random.dyadic([3, 4, 1, 1], bits: 3, limit: 9)
        let small = try Simulation(graph, precision: .int8)
        #expect(small.program.floatStages.map(\.reason).contains { $0.contains("reference path") })
        #expect(try small.run([input], steps: 4000) == ReferenceSimulation(graph).run([input], steps: 4000))
        #expect(small.saturations == 0)
    }

    /// Weights on the grid of 8 bits: nothing is rounded, so int8 and float32 are one network.
    @Test func `int8 is exact where weights are whole fractions of the threshold`() throws {
        for seed in 0..<20 {
            var random = SeededGenerator(seed)
            let channels = random.int(1...40)
            let weights = Tensor(
                (0..<channels * 6 * 9).map { $0 % 54 == 0 ? 127.0 / 64 : Float(random.int(-127...127)) / 64 }, shape: [channels, 6, 3, 3])
            let first = random.dyadic([6, 1, 1, 1], bits: 3, limit: 8)
            let window = Window(kernel: [3, 3], padsBegin: [1, 1], padsEnd: [1, 1])
            let neuron = IFNode(threshold: 1, initialMembrane: 0.5)
            let graph = try Graph(
                name: "grid", inputs: [.init("x", ValueType(.float32, [.batch, 1, 5, 7]))], outputs: [.init("y", value: "y")],
                nodes: [
                    Node("a", .conv(Conv(window: Window(kernel: [1, 1]))), inputs: ["x", "w0"]),
                    Node("b", .neuron(NeuronNode(neuron)), inputs: ["a"]),
                    Node("c", .conv(Conv(window: window)), inputs: ["b", "w1"]),
                    Node("y", .neuron(NeuronNode(neuron)), inputs: ["c"]),
                ], constants: ["w0": first, "w1": weights], spiking: SpikingDescription(recipe: "test"))
            let input = random.dyadic([2, 1, 5, 7], bits: 3, limit: 8)
            let small = try Simulation(graph, precision: .int8)
            small.recording = .spikeCounts
            let reference = try ReferenceSimulation(graph)
            #expect(try small.run([input], steps: 20) == reference.run([input], steps: 20))
            #expect(small.spikeCounts == reference.spikeCounts)
        }
    }
}
