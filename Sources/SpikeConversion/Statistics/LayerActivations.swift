/// The activations of a layer's channels.
package struct LayerActivations: Codable, Sendable, Hashable {
    /// Of each channel, the activations that are not negative.
    private(set) var positives: [ActivationHistogram]
    /// Of each channel, how far its ReLU's inputs, or activations that have signs, were below zero; histograms of nothing where that is
    /// not known.
    private(set) var negatives: [ActivationHistogram]
    /// Whether activations have signs: what is asked of them is then their magnitudes.
    let isSigned: Bool
    /// Samples in parts of `ActivationHistogram.wholeShare`.
    private var sampleShares: Int?

    /// The number of samples; `nil` where the histograms are exact, such as those of a known distribution.
    package var samples: Int? { sampleMass.map { Int($0.rounded(.up)) } }

    /// The same; samples that belong here in part count in part.
    var sampleMass: Double? { sampleShares.map { Double($0) / Double(ActivationHistogram.wholeShare) } }

    /// The exact distributions of channels, in their order.
    init(exactly channels: [ActivationHistogram]) {
        positives = channels
        negatives = []
        isSigned = false
    }

    /// Nothing yet of so many channels.
    init(channels count: Int, isSigned: Bool = false) {
        positives = [ActivationHistogram](repeating: ActivationHistogram(), count: count)
        negatives = positives
        self.isSigned = isSigned
        sampleShares = 0
    }

    /// The numbers of channels.
    package var indices: Range<Int> { positives.indices }

    /// A channel's activations, or their magnitudes.
    package subscript(channel: Int) -> ActivationHistogram {
        var activations = positives[channel]
        if isSigned { activations.fold(negatives[channel]) }
        return activations
    }

    /// Takes in one sample, channel by channel.
    ///
    /// - Parameters:
    ///   - before: what the ReLU made them from, where that is known; activations with signs themselves.
    ///   - share: how much of the sample belongs here, in parts of `ActivationHistogram.wholeShare`.
    mutating func add(_ values: ArraySlice<Float>, before: ArraySlice<Float>?, share: Int) {
        sampleShares = (sampleShares ?? 0) + share
        let size = values.count / max(1, positives.count)
        for channel in positives.indices {
            let row = values.startIndex + channel * size..<values.startIndex + (channel + 1) * size
            positives[channel].add(values[row], share: share)
            if let before { negatives[channel].add(before[row].lazy.map { -$0 }, share: share) }
        }
    }

    /// All channels' activations together.
    package var whole: ActivationHistogram { indices.reduce(into: ActivationHistogram()) { $0.merge(self[$1]) } }

    /// With all that other samples have shown.
    func merging(_ other: LayerActivations) -> LayerActivations {
        guard !positives.isEmpty else { return other }
        var sum = self
        for (index, channel) in other.positives.enumerated() { sum.positives[index].merge(channel) }
        for (index, channel) in other.negatives.enumerated() { sum.negatives[index].merge(channel) }
        sum.sampleShares = (sum.sampleShares ?? 0) + (other.sampleShares ?? 0)
        return sum
    }
}
