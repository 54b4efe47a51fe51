import SpikeConversion
import SpikeGraph
import TestSupport
import Testing

/// Thresholds of few samples: how much of the layer's activations is added to a channel's.
@Suite struct UnseenSamplesTests {
    private let estimator = MeanSquaredErrorEstimator(levels: 255)

    /// `[N, 16, 4]`: rectified sums of uniform numbers; each sample has a strength of its own, as bright and dark images have.
    private func activations(_ random: inout Random, samples: Int, scale: (Int) -> Float) -> Tensor {
        var values: [Float] = []
        for _ in 0..<samples {
            let strength = Float.random(in: 0.5...1.5, using: &random)
            for channel in 0..<16 {
                for _ in 0..<4 {
                    let sum = (0..<6).reduce(Float(0)) { sum, _ in sum + Float.random(in: -1...1, using: &random) }
                    values.append(max(0, sum * strength * scale(channel)))
                }
            }
        }
        return Tensor(values, shape: [samples, 16, 4])
    }

    private func layer(_ tensor: Tensor) throws -> LayerActivations {
        var statistics = ActivationStatistics()
        try statistics.add(tensor, to: "layer")
        return statistics.activations(of: "layer")
    }

    /// The squared error of the thresholds on samples that they were not chosen from.
    private func error(_ thresholds: [Float], _ tensor: Tensor) -> Double {
        var sum = 0.0
        for (position, value) in tensor.floats.enumerated() {
            let step = thresholds[position / 4 % 16] / 255
            let difference = Double(value - step * min(255, (value / step + 0.5).rounded(.down)))
            sum += difference * difference
        }
        return sum
    }

    @Test func `channels that are alike learn from each other, and lose less on samples not seen`() throws {
        var random = Random(95)
        var (found, least) = (0.0, 0.0)
        for _ in 0..<8 {
            let seen = try layer(activations(&random, samples: 16, scale: { _ in 1 }))
            let unseen = activations(&random, samples: 200, scale: { _ in 1 })
            #expect(estimator.unseenSamples(seen) > 0.25)
            found += error(estimator.thresholds(seen), unseen)
            // Without halves to try on, the least weight is taken.
            least += error(estimator.thresholds(LayerActivations(channels: seen.channels, samples: 16)), unseen)
        }
        #expect(found < 0.9 * least, "\(found) against \(least)")
    }

    @Test func `channels of other sizes than their neighbours keep to themselves`() throws {
        var random = Random(96)
        // Beside the largest channel the smallest would have less than one level.
        let seen = try layer(activations(&random, samples: 64, scale: { Float(sign: .plus, exponent: -$0, significand: 1) }))
        #expect(estimator.unseenSamples(seen) <= 1)
        let thresholds = estimator.thresholds(seen)
        for (channel, threshold) in thresholds.enumerated() { #expect(threshold < 3 * seen.channels[channel].maximum) }
    }

    @Test func `with samples that are all the same there is nothing to try on`() throws {
        var random = Random(97)
        let one = activations(&random, samples: 1, scale: { _ in 1 })
        let same = Tensor([[Float]](repeating: one.floats, count: 12).flatMap { $0 }, shape: [12, 16, 4])
        #expect(estimator.unseenSamples(try layer(same)) == 0.25)
        #expect(estimator.unseenSamples(try layer(one)) == 0.25)
    }
}
