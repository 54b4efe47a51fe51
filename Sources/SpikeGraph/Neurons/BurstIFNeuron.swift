/// Integrate-and-fire with up to b spikes a step: s(t) = min(b, max(0, ⌊v/θ⌋)), v ← v − θ·s(t).
///
/// Source: Li & Zeng, "Efficient and Accurate Conversion of Spiking Neural Network with Burst Spikes", IJCAI 2022.
public struct BurstIFNeuron: Neuron {
    public static let kind = "BurstIFNeuron"
    public static let schedules: Set<SpikingDescription.Schedule> = [.streaming, .layerSynchronous]
    /// θ, in the unit of the current that arrives.
    public var threshold: Float
    /// v₀, the membrane before the first step.
    public var initialMembrane: Float
    /// b, the most spikes in one step.
    public var maximumBurst: Int

    /// A neuron that sends up to `maximumBurst` spikes a step.
    public init(threshold: Float = 1, initialMembrane: Float = 0.5, maximumBurst: Int = 5) {
        self.threshold = threshold
        self.initialMembrane = initialMembrane
        self.maximumBurst = maximumBurst
    }

    public func validate() throws {
        try SpikeGraph.validate(threshold: threshold, initialMembrane: initialMembrane)
        guard maximumBurst >= 1 else {
            throw SpikeletError(.invalidModel, "bursts of up to \(maximumBurst) spikes", remedy: "give at least 1")
        }
    }

    public var currentOfSpike: NeuronParameter { NeuronParameter(threshold) }
    public var spikesPerStep: ClosedRange<Int>? { 0...maximumBurst }
    public var fastRule: FastRule? {
        FastRule(.burst, threshold: threshold, initialMembrane: initialMembrane, limit: maximumBurst)
    }

    public func emit(_ state: inout NeuronState, at time: TimeStep) -> Tensor {
        state.emit { membrane in
            let spikes = min(Float(maximumBurst), max(0, (membrane / threshold).rounded(.down)))
            membrane -= threshold * spikes
            return spikes
        }
    }

    public func rateStandIn(for reader: RateStandIn.Reader) -> RateStandIn? {
        let burst = Float(maximumBurst)
        guard !reader.sendsSeveral else {
            return RateStandIn(
                [.init(threshold: threshold, membrane: initialMembrane, most: burst)],
                changes: [("at most \(maximumBurst) spikes a step", "any number")])
        }
        let change = (subject: "up to \(maximumBurst) spikes a step", replacement: "one spike a step, worth \(maximumBurst) of them")
        return RateStandIn(
            [.init(threshold: burst * threshold, gain: burst, membrane: burst * initialMembrane)], changes: burst == 1 ? [] : [change])
    }

    public var summary: String { "threshold \(threshold), v₀ \(initialMembrane), bursts up to \(maximumBurst)" }
}
