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
    /// θ, in the unit of the current that arrives.
    public var threshold: Float
    public var reset: Reset
    /// v₀, the membrane before the first step.
    public var initialMembrane: Float

    public init(threshold: Float = 1, reset: Reset = .subtraction, initialMembrane: Float = 0) {
        self.threshold = threshold
        self.reset = reset
        self.initialMembrane = initialMembrane
    }

    public func initialState(shape: [Int]) -> NeuronState {
        NeuronState(membrane: Tensor(repeating: initialMembrane, shape: shape))
    }

    public func step(_ current: Tensor, state: inout NeuronState) -> Tensor {
        var membrane = state.membrane.floats
        var spikes = current.floats
        precondition(membrane.count == spikes.count, "a state of \(membrane.count) neurons for \(spikes.count) currents")
        membrane.withUnsafeMutableBufferPointer { membrane in
            spikes.withUnsafeMutableBufferPointer { spikes in
                for index in membrane.indices {
                    let potential = membrane[index] + spikes[index]
                    let fires = potential >= threshold
                    spikes[index] = fires ? 1 : 0
                    switch reset {
                    case .subtraction: membrane[index] = fires ? potential - threshold : potential
                    case .to(let value): membrane[index] = fires ? value : potential
                    }
                }
            }
        }
        state.membrane = Tensor(membrane, shape: current.shape)
        return Tensor(spikes, shape: current.shape)
    }

    public var summary: String {
        var text = "threshold \(threshold)"
        if case .to(let value) = reset { text += ", reset to \(value)" }
        if initialMembrane != 0 { text += ", v₀ \(initialMembrane)" }
        return text
    }
}
