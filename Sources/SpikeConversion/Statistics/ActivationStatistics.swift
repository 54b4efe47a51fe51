public import SpikeGraph
import SpikeReference

/// What calibration data says of a network's activations: for each observed value one histogram a channel, gathered in one
/// pass, in memory that does not grow with the data. Neither the order nor the size of the batches matters, and statistics
/// of parts merge to exactly those of the whole.
///
/// Each value's samples are kept in two halves, so that what is chosen on the one can be tried on the other.
public struct ActivationStatistics: Sendable, Hashable {
    /// For each value, what was seen of it in either half of the samples.
    private var halves: [String: [LayerActivations]] = [:]
    /// The number of samples seen.
    public private(set) var samples = 0

    /// Statistics of nothing.
    public init() {}

    /// Runs the network over all data and observes `values`, the outputs of rectifiers. A bar on standard error shows the progress.
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
            _ = try executor.run(batch.inputs) { node, inputs, results in
                for (name, result) in zip(node.outputs, results) where values.contains(name) {
                    do {
                        try gathered.add(result, to: name, before: inputs.first)
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
    /// - Parameters:
    ///   - tensor: `[N, C, …]`, not negative.
    ///   - before: what the rectifier made it from, in the same shape: its negative numbers say more than zeros do.
    public mutating func add(_ tensor: Tensor, to value: String, before: Tensor? = nil) throws {
        for tensor in [tensor, before].compactMap({ $0 }) {
            guard let position = tensor.firstNonFinite else { continue }
            throw SpikeletError(
                .invalidData, "the activations hold \(tensor.floats[position])",
                remedy: "look for NaN or infinity in the calibration data, and for weights that overflow")
        }
        let count = tensor.rank > 1 ? tensor.shape[1] : 1
        let size = tensor.shape.dropFirst(2).reduce(1, *)
        let known = before.flatMap { $0.shape == tensor.shape ? $0.floats : nil }
        let values = tensor.floats
        var halves = self.halves.removeValue(forKey: value) ?? [LayerActivations](repeating: LayerActivations(channels: count), count: 2)
        for sample in 0..<tensor.shape[0] {
            let start = sample * count * size
            let half = Self.half(of: values[start..<start + count * size])
            halves[half].samples = (halves[half].samples ?? 0) + 1
            for channel in 0..<count {
                let row = start + channel * size..<start + (channel + 1) * size
                halves[half].channels[channel].add(values[row])
                if let known { halves[half].negatives[channel].add(known[row].lazy.map { -$0 }) }
            }
        }
        self.halves[value] = halves
    }

    /// Which half a sample belongs to: by what its activations are, since its place in the data must not matter. (FNV-1a, a number
    /// at a time.)
    private static func half(of activations: some Sequence<Float>) -> Int {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for value in activations { hash = (hash ^ UInt64(value.bitPattern)) &* 0x100_0000_01b3 }
        return Int((hash ^ hash >> 32) & 1)
    }

    /// Takes in all that other statistics have seen.
    public mutating func merge(_ other: ActivationStatistics) {
        samples += other.samples
        halves.merge(other.halves) { mine, theirs in zip(mine, theirs).map { $0.merging($1) } }
    }

    /// What was seen of a value; nothing where it was not observed.
    public func activations(of value: String) -> LayerActivations {
        halves(of: value).reduce(LayerActivations(channels: 0)) { $0.merging($1) }
    }

    /// The same in two halves.
    public func halves(of value: String) -> [LayerActivations] { halves[value] ?? [] }
}
