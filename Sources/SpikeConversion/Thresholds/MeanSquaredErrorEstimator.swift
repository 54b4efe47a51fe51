import Foundation

/// θ minimises the mean squared error of the quantiser that the neuron really is:
///
///     Q(x) = Δ · min(L, ⌊x/Δ + ½⌋),   Δ = θ/L
///
/// rounding to the nearest of L levels (v₀ = θ/2 makes an integrate-and-fire neuron round) and clipping at θ. L = T for
/// binary spikes, T·b for bursts, 2^K − 1 for radix codes. Latency codes have levels of their own (``LatencyNeuron/levels``).
///
/// Within a histogram bin activations count as evenly spread, and the integral of the squared error is exact. Source of the
/// idea: Li et al., "A Free Lunch from ANN", ICML 2021 (there: floor, a grid of 95 candidates, batches averaged).
package struct MeanSquaredErrorEstimator: ThresholdEstimator {
    /// L.
    package var levels: Int
    /// Of levels that are not evenly spaced: the integral of their squared error at θ = 1.
    private let ladder: LadderError?

    /// For a quantiser with as many levels above 0.
    package init(levels: Int) {
        (self.levels, ladder) = (levels, nil)
    }

    /// For the levels of a latency code.
    package init(_ levels: [(from: Double, value: Double, spikes: Int)], largest: Double) {
        (self.levels, ladder) = (levels.count, LadderError(levels, largest: largest))
    }

    package var name: String { "least squared error at \(levels) levels" }

    /// What the samples have not shown of a channel counts as so many samples more, drawn from what the channel would do if its
    /// ReLU's inputs were distributed as its layer's are (``LayerShape``). How many serve a layer best is found on its own samples:
    /// thresholds of the one half are tried on the other. (`Documentation/Accuracy.md` has what other guesses gave.)
    static let unseenSamples = [0.25, 1, 4, 16, 64]
    /// So many samples are added of the whole layer's activations as they are: a channel may also do what it has never shown.
    private static let samplesOfTheLayer = 0.25
    /// Up to so many samples in a half say nothing, and the fewest are taken; from so many on they count in full.
    private static let samplesToTry = (none: 3.0, full: 5.0)
    /// More have to gain a share of the squared error: up to the first it is chance, from the second on it counts in full.
    private static let gain = (none: 0.01, full: 0.11)
    /// A gain smaller than the largest by this counts for 1/e of it.
    private static let temperature = 0.02
    /// So many channels are enough to choose for all.
    private static let mostTried = 32
    /// What ``stretch(_:)`` may cost: so many samples' worth of error over the samples there are, and this share at most.
    private static let (samplesOfCost, largestCost) = (24.0, 0.5)
    /// A ``Reach`` is whole up to so many samples; a typical channel has shown more than this share of them has.
    private static let (samplesOfReach, shareBelowTypical) = (512.0, 0.6)
    /// Thresholds are at least this share of the largest activation that counts.
    private static let leastOfOwn = 1.0 / 32
    /// And this of its layer's: a layer has no threshold further below its own, so that a search would be idle.
    private static let leastOfLayer = 1.0 / 1024

    package func threshold(_ histogram: ActivationHistogram) -> Float {
        let (bins, largest) = (histogram.bins, Double(histogram.maximum))
        return best(ThresholdGrid(from: largest * Self.leastOfOwn, to: largest)) { error(of: ThresholdGrid.threshold($0), bins: bins) }
    }

    package func thresholds(_ layer: LayerActivations, halves: [LayerActivations]) -> [Float] {
        let unseen = unseenSamples(halves)
        var whole = OfTheWhole(layer)
        let found = mixtures(layer, channels: layer.indices).map { mixture -> Float in
            guard mixture.largest > 0 else { return 0 }
            return best(mixture.grid) { number in
                let (seen, added) = errors(of: number, mixture, &whole)
                return seen + unseen * added
            }
        }
        guard layer.isSigned else { return found }
        let stretch = Self.stretch(layer)
        return found.map { $0 * stretch }
    }

    /// How much further than it has shown a channel's magnitudes go. They have long tails: a threshold that is too high costs every
    /// magnitude a little precision, one that is too low the rare ones, which few samples do not show, much more. The first is limited:
    /// the squared error of rounding grows by a share, the less the more samples there are.
    private static func stretch(_ layer: LayerActivations) -> Float {
        guard let samples = independentSamples(layer) else { return 1 }
        return Float((1 + min(largestCost, samplesOfCost / samples)).squareRoot())
    }

    /// Samples, times the root of the number of places that a channel has in each: they are not independent of each other.
    private static func independentSamples(_ layer: LayerActivations) -> Double? {
        guard let samples = layer.sampleMass, samples > 0, !layer.indices.isEmpty else { return nil }
        return samples * max(1, layer[0].mass / samples).squareRoot()
    }

    /// The threshold of least error. The error is smooth but not convex in θ: the place is found on coarse steps, then refined.
    private func best(_ grid: ThresholdGrid, _ error: (Int) -> Double) -> Float {
        Float(grid.threshold(at: grid.refined(grid.place(grid.coarseErrors(error)), error)))
    }

    /// The number whose thresholds, chosen on one half of the samples, have the least squared error on the other, every channel's
    /// relative to its variance. Between numbers that are nearly as good it is a mean.
    package func unseenSamples(_ halves: [LayerActivations]) -> Double {
        let fewest = Self.unseenSamples[0]
        let samples = halves.compactMap(\.sampleMass).min() ?? 0
        let shapes = halves.compactMap { LayerShape($0) }
        guard halves.count == 2, shapes.count == 2, samples > Self.samplesToTry.none else { return fewest }
        let count = halves[0].indices.count
        let tried = Array(stride(from: 0, to: count, by: max(1, count / Self.mostTried)).prefix(Self.mostTried))
        var sums = Self.unseenSamples.map { _ in 0.0 }
        for (here, there) in [(0, 1), (1, 0)] {
            var whole = OfTheWhole(halves[here])
            for (channel, mixture) in zip(tried, mixtures(halves[here], channels: tried)) where mixture.largest > 0 {
                let variance = shapes[there].variance(ofChannel: channel)
                guard variance > 0 else { continue }
                let others = halves[there][channel].bins
                let grid = mixture.grid
                // Errors are sums over what is mixed: one walk serves all weights. A fine grid would not change the choice.
                let found = grid.coarseErrors { errors(of: $0, mixture, &whole) }
                for (index, unseen) in Self.unseenSamples.enumerated() {
                    let threshold = grid.threshold(at: grid.place(found.map { $0.seen + unseen * $0.added }))
                    sums[index] += error(of: threshold, bins: others) / variance
                }
            }
        }
        guard sums[0] > 0 else { return fewest }
        let gains = sums.map { 1 - $0 / sums[0] }
        let largest = gains.max() ?? 0
        func part(_ number: Double, _ range: (none: Double, full: Double)) -> Double {
            min(1, max(0, (number - range.none) / (range.full - range.none)))
        }
        var (sum, total) = (0.0, 0.0)
        for (gain, unseen) in zip(gains, Self.unseenSamples).dropFirst() {
            let weight = exp((gain - largest) / Self.temperature)
            sum += weight * log(unseen / fewest)
            total += weight
        }
        return fewest * exp(part(samples, Self.samplesToTry) * part(largest, Self.gain) * sum / total)
    }

    /// What a channel's threshold is chosen for: its own samples, a part of the layer's, and unseen ones.
    private struct Mixture {
        var own: [ActivationHistogram.Bin]
        /// One unseen sample.
        var unseen: [ActivationHistogram.Bin] = []
        /// How much of the whole layer's activations counts.
        var partOfWhole = 0.0
        /// Of the channel, and of all that counts.
        var (ownMaximum, largest): (Double, Double)

        /// Where the best threshold is.
        var grid: ThresholdGrid { ThresholdGrid(from: max(ownMaximum * leastOfOwn, largest * leastOfLayer), to: largest) }
    }

    /// How large a threshold of magnitudes may be: what few channels of a layer do, as features of transformers with outliers, says little
    /// of the others. A channel goes to twice what it has shown, or to what a typical channel has shown; where there are many samples,
    /// less far.
    private struct Reach {
        private let typical: Double
        private let part: Double

        /// - Returns: `nil` for activations without signs.
        init?(_ layer: LayerActivations) {
            guard layer.isSigned, let samples = independentSamples(layer) else { return nil }
            let maxima = layer.indices.map { Double(layer[$0].maximum) }.sorted()
            typical = maxima[min(maxima.count - 1, Int(shareBelowTypical * Double(maxima.count)))]
            part = min(1, samplesOfReach / samples)
        }

        func callAsFunction(of maximum: Double) -> Double {
            maximum > 0 ? max(maximum * (1 + part), typical * part) : .infinity
        }
    }

    /// The squared errors of a layer's activations as a whole, each found once for all channels.
    private struct OfTheWhole {
        let bins: [ActivationHistogram.Bin]
        var errors: [Int: Double] = [:]

        init(_ layer: LayerActivations) { bins = layer.whole.bins }
    }

    /// One after the other: they are large, and a layer may have very many channels.
    private func mixtures(_ layer: LayerActivations, channels: some Sequence<Int>) -> some Sequence<Mixture> {
        let (shape, whole, reach) = (LayerShape(layer), layer.whole, Reach(layer))
        return channels.lazy.map { index in
            let channel = layer[index]
            var mixture = Mixture(own: channel.bins, ownMaximum: Double(channel.maximum), largest: Double(channel.maximum))
            if let shape, let samples = layer.sampleMass {
                let ofSample = channel.mass / samples
                mixture.unseen = shape.bins(ofChannel: index, count: ofSample)
                mixture.partOfWhole = Self.samplesOfTheLayer * ofSample / whole.mass
                mixture.largest = max(mixture.largest, Double(whole.maximum), mixture.unseen.last?.upper ?? 0)
                if let reach { mixture.largest = min(mixture.largest, reach(of: mixture.ownMaximum)) }
            }
            return mixture
        }
    }

    /// The squared errors of a threshold on what was seen, of the channel and of its layer, and on one unseen sample.
    private func errors(of number: Int, _ mixture: Mixture, _ whole: inout OfTheWhole) -> (seen: Double, added: Double) {
        let threshold = ThresholdGrid.threshold(number)
        let (own, unseen) = (error(of: threshold, bins: mixture.own), error(of: threshold, bins: mixture.unseen))
        guard mixture.partOfWhole > 0 else { return (own, unseen) }
        let ofWhole = whole.errors[number] ?? error(of: threshold, bins: whole.bins)
        whole.errors[number] = ofWhole
        return (own + mixture.partOfWhole * ofWhole, unseen)
    }

    /// The sum of squared errors at threshold `threshold`. Bins ascend.
    private func error(of threshold: Double, bins: [ActivationHistogram.Bin]) -> Double {
        if let ladder {
            let cube = threshold * threshold * threshold
            return Self.sum(bins) { cube * ladder(to: $0 / threshold) }
        }
        let integral = SquaredError(threshold: threshold, levels: levels)
        return Self.sum(bins) { integral(to: $0) }
    }

    @inline(__always) private static func sum(_ bins: [ActivationHistogram.Bin], _ integral: (Double) -> Double) -> Double {
        var (sum, bound, upToBound) = (0.0, 0.0, 0.0)
        for bin in bins {
            let lower = bin.lower == bound ? upToBound : integral(bin.lower)
            (bound, upToBound) = (bin.upper, integral(bin.upper))
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

/// ∫₀ˣ (u − Q(u))² du of levels that are not evenly spaced, in units of θ.
private struct LadderError: Sendable {
    private let starts: [Double]
    private let values: [Double]
    /// Up to each start.
    private let sums: [Double]

    /// - Parameter largest: θ, in the unit of the levels.
    init(_ levels: [(from: Double, value: Double, spikes: Int)], largest: Double) {
        starts = [0] + levels.map { $0.from / largest }
        values = [0] + levels.map { $0.value / largest }
        var sums = [0.0]
        for index in starts.indices.dropLast() {
            sums.append(sums[index] + Self.integral(from: starts[index], to: starts[index + 1], around: values[index]))
        }
        self.sums = sums
    }

    func callAsFunction(to x: Double) -> Double {
        // The last level that x has reached.
        var (low, high) = (0, starts.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= x { low = middle } else { high = middle }
        }
        return sums[low] + Self.integral(from: starts[low], to: x, around: values[low])
    }

    private static func integral(from start: Double, to end: Double, around value: Double) -> Double {
        let (a, b) = (start - value, end - value)
        return (b * b * b - a * a * a) / 3
    }
}
