import Foundation

/// θ minimises the mean squared error of the quantiser that the neuron really is:
///
///     Q(x) = Δ · min(L, ⌊x/Δ + ½⌋),   Δ = θ/L
///
/// rounding to the nearest of L levels (v₀ = θ/2 makes an integrate-and-fire neuron round) and clipping at θ. L = T for
/// binary spikes, T·b for bursts, 2^K − 1 for radix codes.
///
/// Within a histogram bin activations count as evenly spread, and the integral of the squared error is exact. Source of the
/// idea: Li et al., "A Free Lunch from ANN", ICML 2021 (there: floor, a grid of 95 candidates, batches averaged).
public struct MeanSquaredErrorEstimator: ThresholdEstimator {
    /// L.
    public var levels: Int

    /// For a quantiser with as many levels above 0.
    public init(levels: Int) {
        self.levels = levels
    }

    public var name: String { "mean-squared-error at \(levels) levels" }

    /// What the samples have not shown of a channel counts as so many samples more, drawn from what the channel would do if its
    /// rectifier's inputs were distributed as its layer's are (``LayerShape``). How many serve a layer best is found on its own samples:
    /// thresholds of the one half are tried on the other. (`Documentation/Accuracy.md` has what other guesses gave.)
    static let unseenSamples = [0.25, 1, 4, 16, 64]
    /// So many samples are added of the whole layer's activations as they are: a channel may also do what it has never shown.
    private static let samplesOfTheLayer = 0.25
    /// Fewer samples than this in a half say nothing, and the fewest are taken.
    private static let fewestToTry = 4
    /// More have to gain this share of the squared error: less is chance.
    private static let leastGain = 0.02
    /// So many channels are enough to choose for all.
    private static let mostTried = 32

    public func threshold(_ histogram: ActivationHistogram) -> Float {
        let largest = Double(histogram.maximum)
        return threshold(histogram.bins, from: largest / 32, to: largest)
    }

    public func thresholds(_ layer: LayerActivations, halves: [LayerActivations]) -> [Float] {
        thresholds(layer, channels: layer.channels.indices, unseen: unseenSamples(halves))
    }

    /// The number whose thresholds, chosen on one half of the samples, have the least squared error on the other, every channel's
    /// relative to its variance.
    package func unseenSamples(_ halves: [LayerActivations]) -> Double {
        let fewest = Self.unseenSamples[0]
        guard halves.count == 2, halves.allSatisfy({ $0.samples ?? 0 >= Self.fewestToTry }) else { return fewest }
        let shapes = halves.compactMap { LayerShape($0) }
        guard shapes.count == 2 else { return fewest }
        let count = halves[0].channels.count
        let tried = Array(stride(from: 0, to: count, by: max(1, count / Self.mostTried)).prefix(Self.mostTried))
        let errors = Self.unseenSamples.map { unseen in
            zip([0, 1], [1, 0]).reduce(0.0) { sum, pair in
                let chosen = thresholds(halves[pair.0], channels: tried, unseen: unseen)
                return zip(tried, chosen).reduce(sum) { sum, found in
                    let variance = shapes[pair.1].variance(ofChannel: found.0)
                    guard variance > 0, found.1 > 0 else { return sum }
                    return sum + error(of: Double(found.1), bins: halves[pair.1].channels[found.0].bins) / variance
                }
            }
        }
        let best = errors.indices.min { errors[$0] < errors[$1] } ?? 0
        return errors[best] < (1 - Self.leastGain) * errors[0] ? Self.unseenSamples[best] : fewest
    }

    /// - Parameter unseen: how many samples are added to those seen.
    private func thresholds(_ layer: LayerActivations, channels: some Sequence<Int>, unseen: Double) -> [Float] {
        let (shape, whole) = (LayerShape(layer), layer.whole)
        return channels.map { index in
            let channel = layer.channels[index]
            var added: [ActivationHistogram.Bin] = []
            if let shape, let samples = layer.samples {
                let ofSample = Double(channel.count) / Double(samples)
                let weight = Self.samplesOfTheLayer * ofSample / Double(whole.count)
                added = shape.bins(ofChannel: index, count: unseen * ofSample) + whole.bins.map { ($0.lower, $0.upper, $0.count * weight) }
            }
            let largest = max(Double(channel.maximum), added.map(\.upper).max() ?? 0)
            guard largest > 0 else { return 0 }
            let smallest = channel.nonZeroCount == 0 ? largest : Double(channel.maximum)
            return threshold(channel.bins + added, from: smallest / 32, to: largest)
        }
    }

    /// The best of the thresholds in a range.
    private func threshold(_ bins: [ActivationHistogram.Bin], from least: Double, to largest: Double) -> Float {
        // The error is smooth but not convex in θ: a fine geometric grid, refined once around its best point.
        func best(from: Double, to: Double, ratio: Double) -> Double {
            let count = max(2, Int((log(to / from) / log(ratio)).rounded(.up)) + 1)
            let candidates = (0..<count).map { from * pow(to / from, Double($0) / Double(count - 1)) }
            return candidates.min { error(of: $0, bins: bins) < error(of: $1, bins: bins) } ?? to
        }
        let coarse = best(from: least, to: largest, ratio: 1.037)
        return Float(best(from: coarse / 1.04, to: min(coarse * 1.04, largest), ratio: 1.005))
    }

    /// The sum of squared errors at threshold `threshold`.
    func error(of threshold: Double, bins: [ActivationHistogram.Bin]) -> Double {
        bins.reduce(0) { sum, bin in
            sum + bin.count * (integral(to: bin.upper, threshold: threshold) - integral(to: bin.lower, threshold: threshold))
                / (bin.upper - bin.lower)
        }
    }

    /// ∫₀ˣ (u − Q(u))² du. With n = ⌊x/Δ + ½⌋ whole cells and the offset d = x − nΔ: n·Δ³/12 + d³/3; beyond θ the error grows
    /// as u − θ.
    private func integral(to x: Double, threshold: Double) -> Double {
        let step = threshold / Double(levels)
        if x > threshold {
            let excess = x - threshold
            return Double(levels) * step * step * step / 12 + excess * excess * excess / 3
        }
        let cells = (x / step + 0.5).rounded(.down)
        let offset = x - cells * step
        return cells * step * step * step / 12 + offset * offset * offset / 3
    }
}
