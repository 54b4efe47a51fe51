internal import Dispatch
internal import Foundation
public import SpikeGraph

/// How long a network takes: what `spikelet benchmark` prints. Loading and compiling are not counted.
public struct NetworkBenchmark: Codable, Sendable {
    public var network: String
    public var recipe: String
    public var precision: String
    public var steps: Int
    public var batchSize: Int
    public var threads: Int
    /// Measured runs, after one that warms up.
    public var runs: Int
    /// The median over the runs, wall clock.
    public var secondsPerSample: Double
    /// First and third quartile.
    public var quartiles: [Double]
    /// The median of the processor time of all threads, for each sample: unlike the wall clock, other programs do not disturb it.
    public var processorSecondsPerSample: Double
    /// Spikes over neurons and steps.
    public var density: Double
    public var spikesPerNeuron: Double
    public var peakBytes: Int

    /// Measures.
    ///
    /// - Throws: where the inputs do not fit the network.
    public init(_ simulation: Simulation, inputs: [Tensor], steps: Int, runs: Int = 9) throws {
        var walls: [Double] = []
        var processors: [Double] = []
        let samples = Double(inputs.first?.shape.first ?? 1)
        _ = try simulation.run(inputs, steps: steps)
        for _ in 0..<max(1, runs) {
            let (wall, processor) = (DispatchTime.now().uptimeNanoseconds, Self.processorSeconds())
            _ = try simulation.run(inputs, steps: steps)
            processors.append((Self.processorSeconds() - processor) / samples)
            walls.append(Double(DispatchTime.now().uptimeNanoseconds - wall) / 1e9 / samples)
        }
        walls.sort()
        processors.sort()
        let graph = simulation.program.graph
        let neurons = graph.nodes.reduce(0) { sum, node in
            guard case .neuron = node.operator, let shape = graph.types[node.outputs[0]]?.shape else { return sum }
            return sum + shape.resolved(batch: 1).reduce(1, *)
        }
        let spikes = Double(simulation.spikeTotals.values.reduce(0, +))
        network = graph.name
        recipe = graph.spiking?.recipe ?? ""
        precision = simulation.program.precision.rawValue
        self.steps = steps
        batchSize = Int(samples)
        threads = simulation.threads
        self.runs = walls.count
        secondsPerSample = walls[walls.count / 2]
        quartiles = [walls[walls.count / 4], walls[walls.count * 3 / 4]]
        processorSecondsPerSample = processors[processors.count / 2]
        spikesPerNeuron = spikes / samples / Double(max(1, neurons))
        density = spikesPerNeuron / Double(steps)
        peakBytes = simulation.peakBytes
    }

    /// Processor time of all threads so far.
    private static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
