import SpikeConversion
import SpikeGraph
import TestSupport
import Testing

/// Thresholds of few samples: what a channel has not shown.
@Suite struct UnseenSamplesTests {
    private let estimator = MeanSquaredErrorEstimator(levels: 255)

    /// A ReLU's inputs `[N, 16, 4]`: sums of uniform numbers; each sample has a strength of its own, as bright and dark images have.
    private func inputs(_ random: inout Random, samples: Int, scale: (Int) -> Float, shift: (Int) -> Float = { _ in 0 }) -> Tensor {
        var values: [Float] = []
        for _ in 0..<samples {
            let strength = Float.random(in: 0.5...1.5, using: &random)
            for channel in 0..<16 {
                for _ in 0..<4 {
                    let sum = (0..<6).reduce(Float(0)) { sum, _ in sum + Float.random(in: -1...1, using: &random) }
                    values.append((sum * strength + shift(channel)) * scale(channel))
                }
            }
        }
        return Tensor(values, shape: [samples, 16, 4])
    }

    private func rectified(_ tensor: Tensor) -> Tensor { Tensor(tensor.floats.map { max(0, $0) }, shape: tensor.shape) }

    private typealias Seen = (layer: LayerActivations, halves: [LayerActivations])

    private func look(_ tensor: Tensor, isComplete: Bool = true) throws -> Seen {
        var statistics = ActivationStatistics()
        try statistics.add(rectified(tensor), to: "layer", before: isComplete ? tensor : nil)
        return (statistics.activations(of: "layer"), statistics.halves(of: "layer"))
    }

    private func thresholds(_ seen: Seen) -> [Float] { estimator.thresholds(seen.layer, halves: seen.halves) }

    /// The squared error of a channel's threshold on other samples.
    private func error(_ threshold: Float, _ channel: Int, _ tensor: Tensor) -> Double {
        let step = threshold / 255
        return tensor.floats.enumerated().reduce(0.0) { sum, item in
            guard item.offset / 4 % 16 == channel else { return sum }
            let difference = Double(item.element - step * min(255, (item.element / step + 0.5).rounded(.down)))
            return sum + difference * difference
        }
    }

    @Test func `channels learn from each other how large activations get, and lose less on samples not seen`() throws {
        var random = Random(95)
        var (found, least) = ([Double](repeating: 0, count: 16), [Double](repeating: 0, count: 16))
        for _ in 0..<8 {
            let seen = try look(inputs(&random, samples: 16, scale: { _ in 1 }))
            let unseen = rectified(inputs(&random, samples: 200, scale: { _ in 1 }))
            let (alone, chosen) = (seen.layer.indices.map { estimator.threshold(seen.layer[$0]) }, thresholds(seen))
            for channel in 0..<16 {
                found[channel] += error(chosen[channel], channel, unseen)
                least[channel] += error(alone[channel], channel, unseen)
                #expect(chosen[channel] < 3 * seen.layer[channel].maximum, "channel \(channel)")
            }
        }
        for channel in 0..<16 { #expect(found[channel] < least[channel], "channel \(channel)") }
        let gain = zip(found, least).reduce(0) { $0 + $1.0 / $1.1 } / 16
        #expect(gain < 0.5, "\(gain)")
    }

    @Test func `where few levels make rounding dear, or samples are many, a channel keeps to what it has shown`() throws {
        var random = Random(98)
        let coarse = MeanSquaredErrorEstimator(levels: 8)
        let seen = try look(inputs(&random, samples: 512, scale: { _ in 1 }))
        let (alone, chosen) = (
            seen.layer.indices.map { coarse.threshold(seen.layer[$0]) }, coarse.thresholds(seen.layer, halves: seen.halves)
        )
        for (own, found) in zip(alone, chosen) { #expect(abs(found / own - 1) < 0.03) }
    }

    @Test func `a channel that was hardly active, or never, has room for what its layer does`() throws {
        var random = Random(96)
        // Below zero by about 3 deviations, and by 30.
        let shift: (Int) -> Float = { $0 == 4 ? -5 : $0 == 5 ? -50 : 0 }
        let seen = try look(inputs(&random, samples: 32, scale: { _ in 1 }, shift: shift))
        let (found, largest) = (thresholds(seen), seen.layer.whole.maximum)
        #expect(seen.layer[4].maximum < 0.5 * largest && seen.layer[5].nonZeroCount == 0)
        for channel in 4...5 { #expect(found[channel] > 0.8 * largest && found[channel] < 1.2 * largest, "\(found)") }
    }

    @Test func `where nothing is known below zero, or nothing varies, a channel speaks for itself`() throws {
        var random = Random(97)
        let alone = try look(inputs(&random, samples: 8, scale: { _ in 1 }), isComplete: false)
        #expect(thresholds(alone) == alone.layer.indices.map { estimator.threshold(alone.layer[$0]) })
        let constant = try look(Tensor([Float](repeating: 2, count: 16 * 4), shape: [1, 16, 4]))
        #expect(thresholds(constant).allSatisfy { abs($0 - 2) < 0.01 })
        // Nothing to try on: all samples are one and the same.
        let one = inputs(&random, samples: 1, scale: { _ in 1 })
        let same = try look(Tensor([[Float]](repeating: one.floats, count: 12).flatMap { $0 }, shape: [12, 16, 4]))
        #expect(estimator.unseenSamples(same.halves) == 0.25)
    }

    private func lookAtSigned(_ tensor: Tensor) throws -> Seen {
        var statistics = ActivationStatistics()
        try statistics.add(tensor, to: "layer", before: tensor, isSigned: true)
        return (statistics.activations(of: "layer"), statistics.halves(of: "layer"))
    }

    @Test func `of activations with signs the histograms are those of magnitudes`() throws {
        var random = Random(101)
        let tensor = inputs(&random, samples: 9, scale: { Float($0 + 1) }, shift: { Float($0 - 8) })
        var (signed, magnitudes) = (ActivationStatistics(), ActivationStatistics())
        try signed.add(tensor, to: "layer", before: tensor, isSigned: true)
        try magnitudes.add(tensor.map { abs($0) }, to: "layer")
        let (found, expected) = (signed.activations(of: "layer"), magnitudes.activations(of: "layer"))
        for channel in expected.indices {
            #expect(found[channel].count == 36 && found[channel].maximum == expected[channel].maximum)
            #expect(found[channel].mean == expected[channel].mean && found[channel].meanSquare == expected[channel].meanSquare)
            #expect(estimator.threshold(found[channel]) == estimator.threshold(expected[channel]))
        }
    }

    @Test(arguments: [2, 8, 32]) func `channels with signs lose less on samples not seen than by what they have shown`(samples: Int) throws
    {
        var random = Random(102)
        var (found, least) = (0.0, 0.0)
        for _ in 0..<6 {
            let seen = try lookAtSigned(inputs(&random, samples: samples, scale: { $0 % 2 == 0 ? 1 : 4 }, shift: { Float($0 % 3) - 1 }))
            let unseen = inputs(&random, samples: 100, scale: { $0 % 2 == 0 ? 1 : 4 }, shift: { Float($0 % 3) - 1 }).map { abs($0) }
            let chosen = thresholds(seen)
            for channel in 0..<16 {
                found += error(chosen[channel], channel, unseen)
                least += error(estimator.threshold(seen.layer[channel]), channel, unseen)
                #expect(chosen[channel] < 4 * seen.layer.whole.maximum)
            }
        }
        #expect(found < 0.7 * least, "\(found / least)")
    }

    @Test func `what a few channels do says little of the others, what most do much of one that has done little`() throws {
        var random = Random(104)
        // Two outliers, and a channel that has hardly shown anything.
        let scale: (Int) -> Float = { $0 < 2 ? 500 : $0 == 2 ? 1e-3 : 1 }
        let seen = try lookAtSigned(inputs(&random, samples: 16, scale: scale))
        let (found, typical) = (thresholds(seen), seen.layer[8].maximum)
        for channel in 3..<16 { #expect(found[channel] < 2.5 * seen.layer[channel].maximum, "\(found)") }
        #expect(found[2] > 10 * seen.layer[2].maximum && found[2] < 1.5 * typical, "\(found)")
        #expect(found[0] > 0.8 * seen.layer[0].maximum)
    }

    @Test func `many samples leave channels with signs what they have shown`() throws {
        var random = Random(103)
        let coarse = MeanSquaredErrorEstimator(levels: 15)
        let seen = try lookAtSigned(inputs(&random, samples: 2048, scale: { Float($0 + 1) }))
        let (alone, chosen) = (
            seen.layer.indices.map { coarse.threshold(seen.layer[$0]) }, coarse.thresholds(seen.layer, halves: seen.halves)
        )
        for (own, found) in zip(alone, chosen) { #expect(found > 0.99 * own && found < 1.1 * own, "\(found / own)") }
    }
}
