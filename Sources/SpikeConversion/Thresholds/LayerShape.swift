/// How the inputs of a layer's rectifiers are distributed, apart from each channel's mean and deviation: what few samples of one
/// channel have not shown, those of all channels together have.
///
/// A channel that was hardly ever above zero is known too: by how far below it was.
struct LayerShape {
    /// The mean and the standard deviation of each channel's inputs.
    private let channels: [(mean: Double, deviation: Double)]
    /// All channels' inputs, less their mean, in deviations: shares of them, in bins of equal width from the lowest up.
    private let shares: [(number: Int, share: Double)]

    /// Bins to a deviation.
    private static let binsOfDeviation = 16.0

    /// - Returns: `nil` where nothing is known of the inputs below zero (so of exact distributions), or none of them varies.
    init?(_ layer: LayerActivations) {
        guard layer.negatives.count == layer.channels.count, layer.negatives.contains(where: { $0.count > 0 }) else { return nil }
        channels = zip(layer.channels, layer.negatives).map { above, below in
            let mean = above.mean - below.mean
            return (mean, max(0, above.meanSquare + below.meanSquare - mean * mean).squareRoot())
        }
        var sums: [Int: Double] = [:]
        var total = 0.0
        for (channel, (above, below)) in zip(channels, zip(layer.channels, layer.negatives)) where channel.deviation > 0 {
            func add(_ input: Double, count: Double) {
                let number = ((input - channel.mean) / channel.deviation * Self.binsOfDeviation).rounded(.down)
                sums[Int(max(-1e6, min(1e6, number))), default: 0] += count
                total += count
            }
            for bin in above.bins { add((bin.lower + bin.upper) / 2, count: bin.count) }
            for bin in below.bins { add(-(bin.lower + bin.upper) / 2, count: bin.count) }
            add(0, count: Double(above.count - above.nonZeroCount - below.nonZeroCount))
        }
        guard total > 0 else { return nil }
        shares = sums.keys.sorted().map { ($0, (sums[$0] ?? 0) / total) }
    }

    func variance(ofChannel index: Int) -> Double { channels[index].deviation * channels[index].deviation }

    /// What is above zero of so many activations of a channel, from the smallest up, if its inputs were distributed as the layer's are.
    func bins(ofChannel index: Int, count: Double) -> [ActivationHistogram.Bin] {
        let (mean, deviation) = channels[index]
        guard deviation > 0 else { return [] }
        return shares.compactMap { number, share in
            let lower = mean + deviation * Double(number) / Self.binsOfDeviation
            let upper = mean + deviation * Double(number + 1) / Self.binsOfDeviation
            guard upper > 0, share > 0 else { return nil }
            return (max(0, lower), upper, count * share * (upper - max(0, lower)) / (upper - lower))
        }
    }
}
