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

    /// What the samples have not shown counts as a quarter of a sample of the layer's activations. Beside the n samples seen that
    /// is little, and moves θ only where levels are so many that rounding costs nothing: then θ grows towards the layer's
    /// largest activations. (`Documentation/Accuracy.md` has what other weights gave.)
    private static let unseenSamples = 0.25

    public func threshold(_ histogram: ActivationHistogram) -> Float {
        let largest = Double(histogram.maximum)
        return threshold(histogram.bins, from: largest / 32, to: largest)
    }

    public func threshold(_ channel: ActivationHistogram, of layer: ActivationHistogram, samples: Int) -> Float {
        // In the mixture an activation of the layer counts so much that all together make `unseenSamples` samples of the channel.
        let weight = Self.unseenSamples / Double(samples) * Double(channel.count) / Double(layer.count)
        let largest = Double(layer.maximum)
        let smallest = channel.nonZeroCount == 0 ? largest : Double(channel.maximum)
        return threshold(channel.bins(with: layer, weight: weight), from: smallest / 32, to: largest)
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
