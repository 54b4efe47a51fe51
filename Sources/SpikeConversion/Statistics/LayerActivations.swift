/// The activations of a layer's channels.
public struct LayerActivations: Sendable, Hashable {
    /// One histogram a channel.
    public internal(set) var channels: [ActivationHistogram]
    /// Of each channel, how far its rectifier's inputs were below zero; histograms of nothing where that is not known.
    public internal(set) var negatives: [ActivationHistogram]
    /// The number of samples; `nil` where the histograms are exact, such as those of a known distribution.
    public internal(set) var samples: Int?

    /// The exact distributions of channels, in their order.
    init(exactly channels: [ActivationHistogram]) {
        self.channels = channels
        negatives = []
    }

    /// Nothing yet of so many channels.
    init(channels count: Int) {
        channels = [ActivationHistogram](repeating: ActivationHistogram(), count: count)
        negatives = channels
        samples = 0
    }

    /// All channels' activations together.
    public var whole: ActivationHistogram { channels.reduce(into: ActivationHistogram()) { $0.merge($1) } }

    /// With all that other samples have shown.
    func merging(_ other: LayerActivations) -> LayerActivations {
        var sum = channels.isEmpty ? LayerActivations(channels: other.channels.count) : self
        for (index, channel) in other.channels.enumerated() { sum.channels[index].merge(channel) }
        for (index, channel) in other.negatives.enumerated() { sum.negatives[index].merge(channel) }
        sum.samples = (sum.samples ?? 0) + (other.samples ?? 0)
        return sum
    }
}
