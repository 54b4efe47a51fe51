/// How the inputs of a layer's ReLUs, or activations with signs, are distributed, apart from each channel's mean and deviation: what few samples of one
/// channel have not shown, those of all channels together have.
///
/// A channel that was hardly ever above zero is known too: by how far below it was.
struct LayerShape {
    /// The mean, the standard deviation and the mean square of each channel's inputs.
    private let channels: [(mean: Double, deviation: Double, meanSquare: Double)]
    /// All channels' inputs, less their mean, in deviations: shares of them, in bins of equal width from the lowest up.
    private let shares: [(number: Int, share: Double)]
    private let isSigned: Bool

    /// Bins to a deviation, and the number of the last one on either side.
    private static let (binsOfDeviation, lastBin) = (16.0, 16_383)
    /// What histograms hardly tell apart, as a share of the root mean square.
    private static let resolution = 1.0 / 64

    /// - Returns: `nil` where nothing is known of the inputs below zero (so of exact distributions), or none of them varies.
    init?(_ layer: LayerActivations) {
        guard layer.negatives.count == layer.positives.count, layer.negatives.contains(where: { $0.mass > 0 }) else { return nil }
        isSigned = layer.isSigned
        channels = zip(layer.positives, layer.negatives).map { above, below in
            let (mean, meanSquare) = (above.mean - below.mean, above.meanSquare + below.meanSquare)
            return (mean, max(0, meanSquare - mean * mean).squareRoot(), meanSquare)
        }
        var sums = [Double](repeating: 0, count: 2 * Self.lastBin + 2)
        for (channel, (above, below)) in zip(channels, zip(layer.positives, layer.negatives)) where channel.deviation > 0 {
            // What hardly varies says little of the shape.
            let weight = channel.deviation * channel.deviation / Self.distinct(channel)
            // Shared between the two bins whose middles an input lies between: no border is a cliff.
            func add(_ input: Double, count: Double) {
                let place = ((input - channel.mean) / channel.deviation) * Self.binsOfDeviation - 0.5
                let within = max(-Double(Self.lastBin), min(Double(Self.lastBin) - 1, place))
                let number = Int(within.rounded(.down))
                let part = within - Double(number)
                sums[number + Self.lastBin] += count * weight * (1 - part)
                sums[number + Self.lastBin + 1] += count * weight * part
            }
            for bin in above.bins { add((bin.lower + bin.upper) / 2, count: bin.count) }
            for bin in below.bins { add(-(bin.lower + bin.upper) / 2, count: bin.count) }
            add(0, count: above.mass - above.nonZeroMass - below.nonZeroMass)
        }
        let total = sums.reduce(0, +)
        guard total > 0 else { return nil }
        shares = sums.enumerated().compactMap { $0.element > 0 ? ($0.offset - Self.lastBin, $0.element / total) : nil }
    }

    /// A channel's variance, and what histograms do not tell apart.
    private static func distinct(_ channel: (mean: Double, deviation: Double, meanSquare: Double)) -> Double {
        channel.deviation * channel.deviation + resolution * resolution * channel.meanSquare
    }

    /// The variance of a channel's inputs, as far as histograms tell them apart; 0 only where all are 0.
    func variance(ofChannel index: Int) -> Double { Self.distinct(channels[index]) }

    /// What is above zero of so many activations of a channel, from the smallest up, if its inputs were distributed as the layer's are;
    /// of activations with signs their magnitudes.
    func bins(ofChannel index: Int, count: Double) -> [ActivationHistogram.Bin] {
        let (mean, deviation, _) = channels[index]
        guard deviation > 0 else { return [] }
        func above(_ mean: Double, _ width: Double) -> [ActivationHistogram.Bin] {
            shares.compactMap { number, share in
                let ends = [mean + width * Double(number), mean + width * Double(number + 1)].sorted()
                guard ends[1] > 0, ends[1] > ends[0] else { return nil }
                let lower = max(0, ends[0])
                return (lower, ends[1], count * share * (ends[1] - lower) / (ends[1] - ends[0]))
            }
        }
        let width = deviation / Self.binsOfDeviation
        guard isSigned else { return above(mean, width) }
        return (above(mean, width) + above(-mean, -width)).sorted { $0.upper < $1.upper }
    }
}
