public import SpikeGraph
import SpikeReference

/// What calibration data says of a network's activations: for each observed value one histogram a channel, gathered in one
/// pass, in memory that does not grow with the data. Neither the order nor the size of the batches matters, and statistics
/// of parts merge to exactly those of the whole.
public struct ActivationStatistics: Sendable, Hashable {
    /// For each value, one histogram for each channel (axis 1).
    public private(set) var channels: [String: [ActivationHistogram]] = [:]
    /// The number of samples seen.
    public private(set) var samples = 0

    /// Statistics of nothing.
    public init() {}

    /// Runs the network over all data and observes `values`. A bar on standard error shows the progress.
    ///
    /// - Parameter values: names of values `[N, C, …]` of the graph.
    /// - Throws: where the data is empty or does not fit the network, or makes NaN or infinity.
    public init(of values: Set<String>, in graph: Graph, data: any BatchSource) throws {
        let executor = ReferenceExecutor(graph)
        let bar = ProgressBar("observing activations", total: data.batchCount, unit: "batches")
        defer { bar.finish() }
        var pass = try data.makePass()
        var batches = 0
        // An optional closure escapes, so it cannot change self.
        var gathered = self
        while let batch = try pass.next() {
            _ = try executor.run(batch.inputs) { node, _, results in
                for (name, result) in zip(node.outputs, results) where values.contains(name) {
                    do {
                        try gathered.add(result, to: name)
                    } catch let error as SpikeletError {
                        throw error.located("batch \(batches + 1): node '\(node.name)'")
                    }
                }
            }
            gathered.samples += batch.count
            batches += 1
            bar.advance()
        }
        self = gathered
        guard samples > 0 else {
            throw SpikeletError(
                .invalidData, "the calibration data holds no sample", remedy: "give at least one sample; some hundred are usual")
        }
    }

    /// Takes in one batch of one value.
    ///
    /// - Parameter tensor: `[N, C, …]`.
    public mutating func add(_ tensor: Tensor, to value: String) throws {
        if let position = tensor.firstNonFinite {
            throw SpikeletError(
                .invalidData, "the activations hold \(tensor.floats[position])",
                remedy: "look for NaN or infinity in the calibration data, and for weights that overflow")
        }
        let count = tensor.rank > 1 ? tensor.shape[1] : 1
        var histograms = channels.removeValue(forKey: value) ?? [ActivationHistogram](repeating: ActivationHistogram(), count: count)
        let size = tensor.shape.dropFirst(2).reduce(1, *)
        let values = tensor.floats
        values.withUnsafeBufferPointer { values in
            for row in 0..<tensor.shape[0] * count { histograms[row % count].add(values[row * size..<(row + 1) * size]) }
        }
        channels[value] = histograms
    }

    /// Takes in all that other statistics have seen.
    public mutating func merge(_ other: ActivationStatistics) {
        samples += other.samples
        channels.merge(other.channels) { mine, theirs in
            zip(mine, theirs).map { pair in
                var sum = pair.0
                sum.merge(pair.1)
                return sum
            }
        }
    }

    /// The whole layer's histogram.
    public func layer(_ value: String) -> ActivationHistogram {
        (channels[value] ?? []).reduce(into: ActivationHistogram()) { $0.merge($1) }
    }
}
