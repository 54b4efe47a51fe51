/// Integrate-and-fire:
///
///     h(t) = v(t−1) + x(t),   s(t) = [h(t) ≥ θ],   v(t) = h(t) − θ·s(t)        (soft reset)
///                                                  v(t) = h(t) where s = 0, else v_reset   (hard reset)
///
/// At most one spike a step, no leak. Source: SpikingJelly's `IFNode(v_threshold, v_reset)`; the soft reset is
/// reset by subtraction (Rueckauer et al., Frontiers in Neuroscience 2017).
public struct IFNode: Neuron {
    /// What happens to the membrane at a spike.
    public enum Reset: Hashable, Sendable, Codable {
        /// v ← v − θ: nothing that was integrated is lost.
        case subtraction
        /// v ← a fixed value.
        case to(Float)
    }

    public static let kind = "IFNode"
    public static let schedules: Set<SpikingDescription.Schedule> = [.streaming, .layerSynchronous]
    /// θ, in the unit of the current that arrives.
    public var threshold: Float
    /// What a spike does to the membrane.
    public var reset: Reset
    /// v₀, the membrane before the first step.
    public var initialMembrane: Float

    /// An integrate-and-fire neuron; the defaults are SpikingJelly's.
    public init(threshold: Float = 1, reset: Reset = .subtraction, initialMembrane: Float = 0) {
        self.threshold = threshold
        self.reset = reset
        self.initialMembrane = initialMembrane
    }

    public func validate() throws {
        try SpikeGraph.validate(threshold: threshold, initialMembrane: initialMembrane)
    }

    public var currentOfSpike: NeuronParameter { NeuronParameter(threshold) }
    public var spikesPerStep: ClosedRange<Int>? { 0...1 }
    public var fastRule: FastRule? {
        let value: Float? = if case .to(let value) = reset { value } else { nil }
        return FastRule(.single, threshold: threshold, initialMembrane: initialMembrane, reset: value)
    }

    public func emit(_ state: inout NeuronState, at time: TimeStep) -> Tensor {
        state.emit { membrane in
            guard membrane >= threshold else { return 0 }
            switch reset {
            case .subtraction: membrane -= threshold
            case .to(let value): membrane = value
            }
            return 1
        }
    }

    public func rateStandIn(for reader: RateStandIn.Reader) -> RateStandIn? {
        var result = RateStandIn([.init(threshold: threshold, membrane: initialMembrane)])
        if case .to(let value) = reset {
            result.isReaders = reader.resetsToZero && value == 0
            if !result.isReaders {
                result.changes = [("hard resets to \(value)", reader.resetsToZero ? "to 0" : "reset by subtraction")]
            }
        }
        return result
    }

    public var summary: String {
        var text = "threshold \(threshold)"
        if case .to(let value) = reset { text += ", reset to \(value)" }
        if initialMembrane != 0 { text += ", v₀ \(initialMembrane)" }
        return text
    }
}
