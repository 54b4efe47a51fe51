import SpikeGraph
import SpikeReference
import SpikeRuntime
import Testing

/// With dyadic weights every sum is exact in float32, whatever its order: the engine has to give the reference's bits.
@Suite struct `Engine against reference` {
    @Test(arguments: RandomNetwork.Family.allCases, 0..<8)
    func `random networks give the same bits`(family: RandomNetwork.Family, part: Int) throws {
        for seed in part * 25..<part * 25 + 25 {
            let (graph, input, steps) = try RandomNetwork.make(seed: seed, family: family)
            let reference = try ReferenceSimulation(graph)
            var each: [[Tensor]] = []
            let expected = try reference.run([input], steps: steps, onStep: { _ in each.append(try reference.outputs()) })
            let simulation = try Simulation(graph)
            simulation.recording = [.spikeCounts, .stepOutputs]
            let outputs = try simulation.run([input], steps: steps)
            #expect(outputs == expected, "seed \(seed), \(family)\n\(simulation.program)\n\(graph)")
            let counts = simulation.spikeCounts
            for (name, expected) in reference.spikeCounts {
                #expect(counts[name] == expected, "seed \(seed), \(family), spikes of '\(name)'\n\(simulation.program)\n\(graph)")
            }
            if try simulation.stepOutputs() != each { Issue.record("seed \(seed), \(family): outputs after each step") }
            #expect(simulation.spikeTotals.count == reference.spikeCounts.count)
            for (name, tensor) in reference.spikeCounts {
                #expect(simulation.spikeTotals[name] == Int(tensor.floats.reduce(0, +)), "seed \(seed), total of '\(name)'")
            }
        }
    }

    @Test func `the random networks reach every kind of stage, and spike`() throws {
        var seen: [String: Int] = [:]
        var (spikes, silent, networks) = (0, 0, 0)
        for family in RandomNetwork.Family.allCases {
            for seed in 0..<80 {
                let (graph, input, steps) = try RandomNetwork.make(seed: seed, family: family)
                let simulation = try Simulation(graph)
                _ = try simulation.run([input], steps: steps)
                let total = simulation.spikeTotals.values.reduce(0, +)
                spikes += total
                networks += 1
                if total == 0 { silent += 1 }
                let text = simulation.program.description
                for kind in [
                    "← gather", ", sums of", "on counts of", "by masks", "by lists", "← values", "maximum", "running maximum",
                    "reference path (",
                    "real-valued current", "spikes moved",
                ]
                where text.contains(kind) { seen[kind, default: 0] += 1 }
            }
        }
        #expect(seen.count == 11 && seen.values.allSatisfy { $0 >= 10 })
        #expect(silent < networks / 4)
    }
}
