/// The activations of a layer's channels.
package struct LayerActivations: Codable, Sendable, Hashable {
    /// One histogram a channel.
    package internal(set) var channels: [ActivationHistogram]
    /// Of each channel, how far its ReLU's inputs were below zero; histograms of nothing where that is not known.
    package internal(set) var negatives: [ActivationHistogram]
    /// Samples in parts of `ActivationHistogram.wholeShare`.
    private var sampleShares: Int?

    /// The number of samples; `nil` where the histograms are exact, such as those of a known distribution.
    package var samples: Int? { sampleMass.map { Int($0.rounded(.up)) } }

    /// The same; samples that belong here in part count in part.
    var sampleMass: Double? { sampleShares.map { Double($0) / Double(ActivationHistogram.wholeShare) } }

    /// The exact distributions of channels, in their order.
    init(exactly channels: [ActivationHistogram]) {
        self.channels = channels
        negatives = []
    }

    /// Nothing yet of so many channels.
    init(channels count: Int) {
        channels = [ActivationHistogram](repeating: ActivationHistogram(), count: count)
        negatives = channels
        sampleShares = 0
    }

    /// Takes in one sample, channel by channel.
    ///
    /// - Parameters:
    ///   - before: what the ReLU made them from, where that is known.
    ///   - share: how much of the sample belongs here, in parts of `ActivationHistogram.wholeShare`.
    mutating func add(_ values: ArraySlice<Float>, before: ArraySlice<Float>?, share: Int) {
        sampleShares = (sampleShares ?? 0) + share
        let size = values.count / max(1, channels.count)
        for channel in channels.indices {
            let row = values.startIndex + channel * size..<values.startIndex + (channel + 1) * size
            channels[channel].add(values[row], share: share)
            if let before { negatives[channel].add(before[row].lazy.map { -$0 }, share: share) }
        }
    }

    /// All channels' activations together.
    package var whole: ActivationHistogram { channels.reduce(into: ActivationHistogram()) { $0.merge($1) } }

    /// With all that other samples have shown.
    func merging(_ other: LayerActivations) -> LayerActivations {
        var sum = channels.isEmpty ? LayerActivations(channels: other.channels.count) : self
        for (index, channel) in other.channels.enumerated() { sum.channels[index].merge(channel) }
        for (index, channel) in other.negatives.enumerated() { sum.negatives[index].merge(channel) }
        sum.sampleShares = (sum.sampleShares ?? 0) + (other.sampleShares ?? 0)
        return sum
    }
}
