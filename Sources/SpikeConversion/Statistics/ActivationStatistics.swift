public import SpikeGraph
import SpikeReference

/// What calibration data says of a network's activations: for each observed value one histogram a channel, gathered in one
/// pass, in memory that does not grow with the data. Neither the order nor the size of the batches matters, and statistics
/// of parts merge to exactly those of the whole.
///
/// Each value's samples are kept in two halves, so that what is chosen on the one can be tried on the other.
public struct ActivationStatistics: Sendable, Hashable {
    /// For each value, the histograms of its two halves.
    private var halves: [String: [LayerActivations.Half]] = [:]
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
        var halves =
            self.halves.removeValue(forKey: value) ?? [LayerActivations.Half(channels: count), LayerActivations.Half(channels: count)]
        let size = tensor.shape.dropFirst(2).reduce(1, *)
        let values = tensor.floats
        values.withUnsafeBufferPointer { values in
            for sample in 0..<tensor.shape[0] {
                let start = sample * count * size
                let half = Self.half(of: values[start..<start + count * size])
                halves[half].samples += 1
                for channel in 0..<count {
                    halves[half].channels[channel].add(values[start + channel * size..<start + (channel + 1) * size])
                }
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

    /// What was seen of a value.
    public func activations(of value: String) -> LayerActivations {
        guard let halves = halves[value] else { return LayerActivations(channels: []) }
        return LayerActivations(channels: halves[0].merging(halves[1]).channels, halves: halves, samples: samples)
    }
}

/// The activations of a layer's channels.
public struct LayerActivations: Sendable {
    /// One histogram a channel.
    public let channels: [ActivationHistogram]
    /// All channels' together.
    public let whole: ActivationHistogram
    /// Those of two halves of the samples, where they are samples of anything.
    public let halves: [Half]
    /// The number of samples; `nil` where the histograms are exact, such as those of a known distribution.
    public let samples: Int?

    /// Histograms put together.
    public init(channels: [ActivationHistogram], halves: [Half] = [], samples: Int? = nil) {
        self.channels = channels
        self.halves = halves
        self.samples = samples
        whole = channels.reduce(into: ActivationHistogram()) { $0.merge($1) }
    }

    /// A part of the samples.
    public struct Half: Sendable, Hashable {
        /// One histogram a channel.
        public var channels: [ActivationHistogram]
        /// How many samples are in it.
        public var samples = 0

        init(channels count: Int) {
            channels = [ActivationHistogram](repeating: ActivationHistogram(), count: count)
        }

        /// With all that another part has seen.
        func merging(_ other: Half) -> Half {
            var sum = self
            for (index, channel) in other.channels.enumerated() { sum.channels[index].merge(channel) }
            sum.samples += other.samples
            return sum
        }
    }
}
