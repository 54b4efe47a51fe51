/// Integrate-and-fire that may take back a spike it has sent:
///
///     s(t) = +1 if v ≥ θ and n < T;   −1 if v < 0 and n > 0;   0 otherwise
///     v ← v − θ·s(t),   n ← n + s(t)
///
/// n is the number of spikes that stand. A spike sent too early, before the negative current that should have prevented it,
/// is so corrected: once the input has ended, enough further steps bring n to min(T, max(0, ⌊v/θ⌋)) of the whole current,
/// whatever the order in which it came.
///
/// Sources: the gate is SpikeZIP-TF's ST-BIF (You et al., ICML 2024) and the signed neuron of Wang et al., "Signed Neuron
/// with Memory", IJCAI 2022, with the lower threshold at 0 instead of −θ.
public struct SignedIFNeuron: Neuron {
    public static let kind = "SignedIFNeuron"
    public static let schedules: Set<SpikingDescription.Schedule> = [.streaming]
    /// θ, in the unit of the current that arrives.
    public var threshold: Float
    /// v₀, the membrane before the first step.
    public var initialMembrane: Float
    /// The most spikes that may stand. In T steps without flushing, T is never exceeded anyway.
    public var maximumCount: Int?

    /// A neuron of both signs; `maximumCount` bounds its spikes in all.
    public init(threshold: Float = 1, initialMembrane: Float = 0.5, maximumCount: Int? = nil) {
        self.threshold = threshold
        self.initialMembrane = initialMembrane
        self.maximumCount = maximumCount
    }

    public func validate() throws {
        try SpikeGraph.validate(threshold: threshold, initialMembrane: initialMembrane)
        if let maximumCount, maximumCount < 1 {
            throw SpikeletError(.invalidModel, "at most \(maximumCount) spikes that stand", remedy: "give at least 1")
        }
    }

    public var currentOfSpike: NeuronParameter { NeuronParameter(threshold) }
    public var spikesPerStep: ClosedRange<Int>? { -1...1 }
    public var fastRule: FastRule? {
        FastRule(.signed, threshold: threshold, initialMembrane: initialMembrane, limit: maximumCount)
    }

    public func emit(_ state: inout NeuronState, at time: TimeStep) -> Tensor {
        let most = maximumCount.map(Float.init) ?? .infinity
        return state.emit(remembering: "standing") { membrane, standing in
            var spike: Float = 0
            if membrane >= threshold, standing < most { spike = 1 }
            if membrane < 0, standing > 0 { spike = -1 }
            membrane -= threshold * spike
            standing += spike
            return spike
        }
    }

    public func rateStandIn(for reader: RateStandIn.Reader) -> RateStandIn? {
        var result = RateStandIn(
            [.init(threshold: threshold, membrane: initialMembrane)], changes: [("spikes that are taken back", "spikes that stand")])
        if let maximumCount, maximumCount < reader.steps {
            result.changes.append(("at most \(maximumCount) spikes in all", "at most \(reader.steps), one a step"))
        }
        return result
    }

    public var summary: String {
        "threshold \(threshold), v₀ \(initialMembrane)" + (maximumCount.map { ", at most \($0)" } ?? "")
    }
}
