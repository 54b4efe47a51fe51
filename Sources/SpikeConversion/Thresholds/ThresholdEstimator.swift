/// Chooses θ, the largest activation that a neuron can express, from the distribution of the activations it is to express.
public protocol ThresholdEstimator: Sendable {
    /// The estimator's name in options, reports and documentation.
    var name: String { get }

    /// - Parameter histogram: of the activations of a channel or a layer; at least one is not zero.
    /// - Returns: θ > 0.
    func threshold(_ histogram: ActivationHistogram) -> Float

    /// The threshold of one channel where it is known from few samples, which may not have shown its largest activations: it
    /// leans towards what the whole layer does.
    ///
    /// - Parameters:
    ///   - channel: the channel's activations; all of them may be zero.
    ///   - layer: those of all channels of its layer; at least one is not zero.
    ///   - samples: the number of samples that they come from.
    func threshold(_ channel: ActivationHistogram, of layer: ActivationHistogram, samples: Int) -> Float
}

extension ThresholdEstimator {
    /// θ = w·θ_channel + (1 − w)·θ_layer where the channel's is the smaller; w = n/(n + 16) for n samples.
    public func threshold(_ channel: ActivationHistogram, of layer: ActivationHistogram, samples: Int) -> Float {
        let own = channel.nonZeroCount == 0 ? 0 : threshold(channel)
        let ofLayer = threshold(layer)
        let weight = Float(samples) / Float(samples + 16)
        return own >= ofLayer ? own : weight * own + (1 - weight) * ofLayer
    }
}

/// θ is the largest activation seen: nothing that was seen is clipped. (Diehl et al., IJCNN 2015, data-based normalisation.)
public struct MaximumEstimator: ThresholdEstimator {
    /// An estimator without options.
    public init() {}

    public var name: String { "maximum" }

    public func threshold(_ histogram: ActivationHistogram) -> Float { histogram.maximum }
}

/// θ is a percentile of the activations. (Rueckauer et al., Frontiers in Neuroscience 2017: 99.9 % of the non-zero ones.)
public struct PercentileEstimator: ThresholdEstimator {
    /// The percentile, above 0 and up to 100.
    public var percent: Double
    /// Whether activations of 0 count.
    public var countingZeros: Bool

    /// A percentile of the activations.
    public init(percent: Double = 99.9, countingZeros: Bool = false) {
        self.percent = percent
        self.countingZeros = countingZeros
    }

    public var name: String { "percentile \(percent)" + (countingZeros ? " with zeros" : "") }

    public func threshold(_ histogram: ActivationHistogram) -> Float {
        let quantile = histogram.quantile(percent / 100, countingZeros: countingZeros)
        return quantile > 0 ? quantile : histogram.maximum
    }
}
