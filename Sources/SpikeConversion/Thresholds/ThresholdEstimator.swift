/// Chooses θ, the largest activation that a neuron can express, from the distribution of the activations it is to express.
package protocol ThresholdEstimator: Sendable {
    /// The estimator's name in options, reports and documentation.
    var name: String { get }

    /// - Parameter histogram: of the activations of a channel or a layer; at least one is not zero.
    /// - Returns: θ > 0.
    func threshold(_ histogram: ActivationHistogram) -> Float

    /// The threshold of each channel of a layer; 0 where nothing is known. Few samples may not have shown a channel's largest
    /// activations: where they are samples, a channel learns from its layer.
    ///
    /// - Parameters:
    ///   - layer: at least one activation is not zero; those of a channel may all be.
    ///   - halves: two halves of the samples, to choose on the one and try on the other; none where there are no samples.
    func thresholds(_ layer: LayerActivations, halves: [LayerActivations]) -> [Float]
}

extension ThresholdEstimator {
    /// θ = w·θ_channel + (1 − w)·θ_layer where the channel's is the smaller; w = n/(n + 16) for n samples.
    package func thresholds(_ layer: LayerActivations, halves: [LayerActivations]) -> [Float] {
        let ofLayer = threshold(layer.whole)
        return layer.indices.map { index in
            let channel = layer[index]
            let own = channel.nonZeroCount == 0 ? 0 : threshold(channel)
            guard let samples = layer.samples, own < ofLayer else { return own }
            let weight = Float(samples) / Float(samples + 16)
            return weight * own + (1 - weight) * ofLayer
        }
    }
}

/// θ is the largest activation seen: nothing that was seen is clipped. (Diehl et al., IJCNN 2015, data-based normalisation.)
package struct MaximumEstimator: ThresholdEstimator {
    /// An estimator without options.
    package init() {}

    package var name: String { "maximum" }

    package func threshold(_ histogram: ActivationHistogram) -> Float { histogram.maximum }
}

/// θ is a percentile of the activations. (Rueckauer et al., Frontiers in Neuroscience 2017: 99.9 % of the non-zero ones.)
package struct PercentileEstimator: ThresholdEstimator {
    /// The percentile, above 0 and up to 100.
    package var percent: Double
    /// Whether activations of 0 count.
    package var countingZeros: Bool

    /// A percentile of the activations.
    package init(percent: Double = 99.9, countingZeros: Bool = false) {
        self.percent = percent
        self.countingZeros = countingZeros
    }

    package var name: String { "percentile \(percent)" + (countingZeros ? " with zeros" : "") }

    package func threshold(_ histogram: ActivationHistogram) -> Float {
        let quantile = histogram.quantile(percent / 100, countingZeros: countingZeros)
        return quantile > 0 ? quantile : histogram.maximum
    }
}
