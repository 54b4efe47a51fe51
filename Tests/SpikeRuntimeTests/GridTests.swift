import SpikeGraph
import SpikeReference
import SpikeRuntime
import Testing

/// int8 on weights that 8 bits can say, in graphs of random shapes.
@Suite struct `int8 on its own grid` {
    private func compare(_ graph: Graph, _ input: Tensor, steps: Int, _ seed: String) throws {
        let reference = try ReferenceSimulation(graph)
        let expected = try reference.run([input], steps: steps)
        let program = try Compiler(precision: .int8)(graph)
        #expect(program.genericNodes.isEmpty, "\(seed)\n\(program)")
        for (threads, crossover) in [(1, nil), (3, 0), (1, Double.infinity)] {
            let simulation = try Simulation(program, threads: threads)
            simulation.denseCrossover = crossover
            simulation.recording = .spikeCounts
            #expect(try simulation.run([input], steps: steps) == expected, "\(seed), \(threads) threads\n\(program)\n\(graph)")
            #expect(simulation.spikeCounts == reference.spikeCounts, "\(seed), \(threads) threads\n\(program)\n\(graph)")
            #expect(simulation.saturations == 0, "\(seed)")
        }
    }

    @Test(arguments: 1...12)
    func `radix codes give the reference's bits`(digits: Int) throws {
        for seed in 0..<12 {
            let (graph, input, steps) = try Self.radix(seed, digits: digits)
            try compare(graph, input, steps: steps, "seed \(seed)")
        }
    }

    @Test(arguments: 2...9)
    func `layers of different digits read each other exactly`(steps: Int) throws {
        for seed in 0..<12 {
            let (graph, input, _) = try GridNetwork.make(seed: seed * 9 + steps, digits: steps) { random in
                try RadixNeuron(digits: random.int(1...steps))
            }
            try compare(graph, input, steps: steps, "seed \(seed), \(graph.digits)")
        }
    }

    private static func radix(_ seed: Int, digits: Int) throws -> (graph: Graph, input: Tensor, steps: Int) {
        try GridNetwork.make(seed: seed * 12 + digits, neuron: try RadixNeuron(digits: digits), digits: digits)
    }

    @Test func `the networks reach every kind of synapse, nearly all of it in whole numbers`() throws {
        var seen = ""
        for digits in 1...12 {
            for seed in 0..<12 { seen += try Compiler(precision: .int8)(Self.radix(seed, digits: digits).graph).description }
        }
        for kind in ["← gather", ", sums of", "dense above", "by numbers", "by masks", "running maximum", "real-valued current"] {
            #expect(seen.contains(kind), "\(kind)")
        }
        let stages = seen.split(separator: "\n").filter { $0.contains(": radix ") }
        #expect(stages.count { $0.contains("int8") } * 10 >= stages.count * 9)
    }

    @Test(arguments: 0..<4)
    func `rate codes give the reference's bits`(kind: Int) throws {
        let neuron: any Neuron = [
            IFNode(threshold: 1), IFNode(threshold: 1, reset: .to(0)), SignedIFNeuron(initialMembrane: 0),
            BurstIFNeuron(initialMembrane: 0, maximumBurst: 20),
        ][kind]
        for seed in 0..<12 {
            let (graph, input, steps) = try GridNetwork.make(seed: seed * 4 + kind, neuron: neuron, digits: nil)
            try compare(graph, input, steps: steps, "seed \(seed)")
        }
    }
}
