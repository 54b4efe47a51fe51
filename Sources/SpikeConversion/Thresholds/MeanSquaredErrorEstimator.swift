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
        let (bins, largest) = (histogram.bins, Double(histogram.maximum))
        return best(from: largest / 32, to: largest) { error(of: Self.threshold($0), bins: bins) }
    }

    public func thresholds(_ layer: LayerActivations, halves: [LayerActivations]) -> [Float] {
        let unseen = unseenSamples(halves)
        var whole = OfTheWhole(layer)
        return mixtures(layer, channels: layer.channels.indices).map { mixture in
            guard mixture.largest > 0 else { return 0 }
            return best(from: mixture.smallest, to: mixture.largest) { number in
                let (seen, added) = errors(of: number, mixture, &whole)
                return seen + unseen * added
            }
        }
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
        var sums = Self.unseenSamples.map { _ in 0.0 }
        for (here, there) in [(0, 1), (1, 0)] {
            var whole = OfTheWhole(halves[here])
            for (channel, mixture) in zip(tried, mixtures(halves[here], channels: tried)) where mixture.largest > 0 {
                let variance = shapes[there].variance(ofChannel: channel)
                guard variance > 0 else { continue }
                let others = halves[there].channels[channel].bins
                // Errors are sums over what is mixed: one walk serves all weights. A fine grid would not change the choice.
                let candidates = Self.coarse(from: mixture.smallest, to: mixture.largest)
                let found = candidates.map { errors(of: $0, mixture, &whole) }
                for (index, unseen) in Self.unseenSamples.enumerated() {
                    let mixed = found.map { $0.seen + unseen * $0.added }
                    let best = mixed.indices.min { mixed[$0] < mixed[$1] } ?? 0
                    sums[index] += error(of: Self.threshold(candidates[best]), bins: others) / variance
                }
            }
        }
        let best = sums.indices.min { sums[$0] < sums[$1] } ?? 0
        return sums[best] < (1 - Self.leastGain) * sums[0] ? Self.unseenSamples[best] : fewest
    }

    /// What a channel's threshold is chosen for: its own samples, a part of the layer's, and unseen ones.
    private struct Mixture {
        var own: [ActivationHistogram.Bin]
        /// One unseen sample.
        var unseen: [ActivationHistogram.Bin] = []
        /// How much of the whole layer's activations counts.
        var partOfWhole = 0.0
        /// Where the best threshold is.
        var smallest: Double
        var largest: Double
    }

    /// The squared errors of a layer's activations as a whole, each found once for all channels.
    private struct OfTheWhole {
        let bins: [ActivationHistogram.Bin]
        var errors: [Int: Double] = [:]

        init(_ layer: LayerActivations) { bins = layer.whole.bins }
    }

    private func mixtures(_ layer: LayerActivations, channels: some Sequence<Int>) -> [Mixture] {
        let (shape, whole) = (LayerShape(layer), layer.whole)
        return channels.map { index in
            let channel = layer.channels[index]
            var mixture = Mixture(own: channel.bins, smallest: 0, largest: Double(channel.maximum))
            if let shape, let samples = layer.samples {
                let ofSample = Double(channel.count) / Double(samples)
                mixture.unseen = shape.bins(ofChannel: index, count: ofSample)
                mixture.partOfWhole = Self.samplesOfTheLayer * ofSample / Double(whole.count)
                mixture.largest = max(mixture.largest, Double(whole.maximum), mixture.unseen.last?.upper ?? 0)
            }
            mixture.smallest = (channel.nonZeroCount == 0 ? mixture.largest : Double(channel.maximum)) / 32
            return mixture
        }
    }

    /// The squared errors of a threshold on what was seen, of the channel and of its layer, and on one unseen sample.
    private func errors(of number: Int, _ mixture: Mixture, _ whole: inout OfTheWhole) -> (seen: Double, added: Double) {
        let threshold = Self.threshold(number)
        let (own, unseen) = (error(of: threshold, bins: mixture.own), error(of: threshold, bins: mixture.unseen))
        guard mixture.partOfWhole > 0 else { return (own, unseen) }
        let ofWhole = whole.errors[number] ?? error(of: threshold, bins: whole.bins)
        whole.errors[number] = ofWhole
        return (own + mixture.partOfWhole * ofWhole, unseen)
    }

    /// Thresholds are on a grid that all channels share: so many to a doubling, tried coarsely first.
    private static let (thresholdsOfDoubling, coarseStep) = (152, 8)

    private static func threshold(_ number: Int) -> Double { exp2(Double(number) / Double(thresholdsOfDoubling)) }

    private static func coarse(from least: Double, to largest: Double) -> [Int] {
        let ofDoubling = Double(thresholdsOfDoubling / coarseStep)
        let (first, last) = (Int((log2(least) * ofDoubling).rounded(.down)), Int((log2(largest) * ofDoubling).rounded(.up)))
        return (first...max(first, last)).map { $0 * coarseStep }
    }

    /// The threshold of least error in a range.
    private func best(from least: Double, to largest: Double, _ error: (Int) -> Double) -> Float {
        // The error is smooth but not convex in θ: a geometric grid, refined once around its best point.
        func best(_ candidates: [Int]) -> Int { zip(candidates.map(error), candidates).min { $0.0 < $1.0 }?.1 ?? 0 }
        let coarse = best(Self.coarse(from: least, to: largest))
        let fine = best(Array(coarse - Self.coarseStep...coarse + Self.coarseStep))
        return Float(min(largest, Self.threshold(fine)))
    }

    /// The sum of squared errors at threshold `threshold`. Bins ascend.
    private func error(of threshold: Double, bins: [ActivationHistogram.Bin]) -> Double {
        let integral = SquaredError(threshold: threshold, levels: levels)
        var (sum, bound, upToBound) = (0.0, 0.0, 0.0)
        for bin in bins {
            let lower = bin.lower == bound ? upToBound : integral(to: bin.lower)
            (bound, upToBound) = (bin.upper, integral(to: bin.upper))
            sum += bin.count * (upToBound - lower) / (bin.upper - bin.lower)
        }
        return sum
    }
}

/// ∫₀ˣ (u − Q(u))² du. With n = ⌊x/Δ + ½⌋ whole cells and the offset d = x − nΔ: n·Δ³/12 + d³/3; beyond θ the error grows
/// as u − θ.
private struct SquaredError {
    private let threshold: Double
    private let levels: Double
    private let step: Double
    private let perStep: Double
    private let ofCell: Double

    init(threshold: Double, levels: Int) {
        (self.threshold, self.levels) = (threshold, Double(levels))
        step = threshold / Double(levels)
        perStep = 1 / step
        ofCell = step * step * step / 12
    }

    @inline(__always) func callAsFunction(to x: Double) -> Double {
        if x > threshold {
            let excess = x - threshold
            return levels * ofCell + excess * excess * excess / 3
        }
        // At most the number of levels: an integer rounds down faster than a library's function does.
        let cells = Double(Int(x * perStep + 0.5))
        let offset = x - cells * step
        return cells * ofCell + offset * offset * offset / 3
    }
}
