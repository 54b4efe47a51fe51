internal import Dispatch
internal import Foundation
package import SpikeGraph

/// How long a network takes: what `spikelet benchmark` prints. Loading and compiling are not counted.
package struct NetworkBenchmark: Codable, Sendable {
    /// The network's name.
    package var network: String
    /// The recipe's name.
    package var recipe: String
    /// The engine's numbers.
    package var precision: String
    /// The number of time steps.
    package var steps: Int
    /// Samples a run.
    package var batchSize: Int
    /// How many threads worked.
    package var threads: Int
    /// Measured runs, after one that warms up.
    package var runs: Int
    /// The median over the runs, wall clock.
    package var secondsPerSample: Double
    /// First and third quartile.
    package var quartiles: [Double]
    /// The processor time of all threads, for each sample, mean over the runs: unlike the wall clock, other programs do not disturb it, and
    /// the system does not add a thread's up at once.
    package var processorSecondsPerSample: Double
    /// Spikes over neurons and steps.
    package var density: Double
    /// Spikes of a neuron over the whole inference, mean over neurons and samples.
    package var spikesPerNeuron: Double
    /// Packed weights, and the most that spikes, lists, membranes and sums took.
    package var peakBytes: Int
    /// The most memory that the process held so far, with everything it read and compiled.
    package var processBytes: Int

    /// Measures `runs` runs or more: short ones are repeated for half a second, up to ten thousand times.
    ///
    /// - Parameter batches: the inputs; runs take them in turn, since time depends on the spikes that samples cause. All have
    ///   the same number of samples.
    /// - Throws: where the inputs do not fit the network.
    package init(_ simulation: Simulation, batches: [[Tensor]], steps: Int, runs: Int = 9) throws {
        guard let first = batches.first, let size = first.first?.shape.first, size > 0 else {
            throw SpikeletError(.invalidData, "there is no sample to measure with", remedy: "give at least one")
        }
        var walls: [Double] = []
        var processors = 0.0
        let samples = Double(size)
        var spikes = 0
        var peak = 0
        _ = try simulation.run(first, steps: steps)
        var elapsed = 0.0
        while walls.count < max(1, runs) || walls.count < 10_000 && elapsed < 0.5 {
            let inputs = batches[walls.count % batches.count]
            let (wall, processor) = (DispatchTime.now().uptimeNanoseconds, Self.processorSeconds())
            _ = try simulation.run(inputs, steps: steps)
            processors += (Self.processorSeconds() - processor) / samples
            let seconds = Double(DispatchTime.now().uptimeNanoseconds - wall) / 1e9
            elapsed += seconds
            walls.append(seconds / samples)
            spikes += simulation.spikeTotals.values.reduce(0, +)
            peak = max(peak, simulation.peakBytes)
        }
        walls.sort()
        let graph = simulation.program.graph
        let neurons = graph.nodes.reduce(0) { sum, node in
            guard case .neuron = node.operator, let shape = graph.types[node.outputs[0]]?.shape else { return sum }
            return sum + shape.resolved(batch: 1).reduce(1, *)
        }
        network = graph.name
        recipe = graph.spiking?.recipe ?? ""
        precision = simulation.program.precision.rawValue
        self.steps = steps
        batchSize = size
        threads = simulation.threads
        self.runs = walls.count
        secondsPerSample = walls[walls.count / 2]
        quartiles = [walls[walls.count / 4], walls[walls.count * 3 / 4]]
        processorSecondsPerSample = processors / Double(walls.count)
        spikesPerNeuron = Double(spikes) / samples / Double(walls.count) / Double(max(1, neurons))
        density = spikesPerNeuron / Double(steps)
        peakBytes = peak + simulation.program.weightBytes
        processBytes = Self.processBytes()
    }

    /// Processor time of all threads so far.
    private static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private static func processBytes() -> Int {
        var usage = rusage()
        #if canImport(Darwin)
        getrusage(RUSAGE_SELF, &usage)
        return usage.ru_maxrss
        #else
        // What getrusage tells may be that of the process which started this one.
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        if let kibibytes = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) }) { return kibibytes * 1024 }
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss * 1024
        #endif
    }
}

extension NetworkBenchmark: CustomStringConvertible {
    package var description: String {
        func milliseconds(_ seconds: Double) -> String { String(format: "%.3f ms", seconds * 1000) }
        func mebibytes(_ bytes: Int) -> String { String(format: "%.1f MiB", Double(bytes) / 1_048_576) }
        return """
            '\(network.visible)' (\(recipe.visible)), \(precision): \(steps) steps, batches of \(batchSize), \(threads) thread\(threads == 1 ? "" : "s")
            \(milliseconds(secondsPerSample)) a sample (median of \(runs) runs; quartiles \(milliseconds(quartiles[0])), \
            \(milliseconds(quartiles[1]))), \(milliseconds(processorSecondsPerSample)) of processor time
            density \(String(format: "%.2f", density * 100)) %, \(String(format: "%.3f", spikesPerNeuron)) spikes per neuron
            peak \(mebibytes(peakBytes)) (weights, spikes, membranes), the whole process \(mebibytes(processBytes))
            """
    }
}
