/// Current-based leaky integrate-and-fire: a synapse that leaks in front of a membrane that does.
///
///     i ← a_s·i + b_s·x,   v ← a·v + b·i + c,   s = [v ≥ θ] (or [v > θ]),   v ← v − θ·s,  or v_reset where s = 1
///
/// From τ_syn·i' = −i + w·x and τ_mem·v' = (v_leak − v) + R·i by Euler's rule: a_s = 1 − dt/τ_syn, b_s = w·dt/τ_syn, and a, b, c
/// as in ``LIFNeuron``. Without a threshold it does not spike, and gives v. Source: NIR's `CubaLIF` and `CubaLI`.
public struct CubaLIFNeuron: Neuron {
    public static let kind = "CubaLIFNeuron"
    public static let schedules: Set<SpikingDescription.Schedule> = [.streaming]
    /// a_s, what of a synaptic current is left after a step.
    public var synapticDecay: NeuronParameter
    /// b_s.
    public var synapticGain: NeuronParameter
    /// a, what of a membrane is left after a step.
    public var decay: NeuronParameter
    /// b.
    public var gain: NeuronParameter
    /// c, which arrives in every step.
    public var drive: NeuronParameter
    /// θ; `nil` for an integrator.
    public var threshold: NeuronParameter?
    /// v_reset; `nil` for reset by subtraction.
    public var resetValue: NeuronParameter?
    /// Whether a spike needs v > θ.
    public var isStrict: Bool

    /// A leaky neuron with a leaky current.
    public init(
        synapticDecay: NeuronParameter, synapticGain: NeuronParameter = 1, decay: NeuronParameter, gain: NeuronParameter = 1,
        drive: NeuronParameter = 0, threshold: NeuronParameter? = 1, resetValue: NeuronParameter? = nil, isStrict: Bool = false
    ) {
        self.synapticDecay = synapticDecay
        self.synapticGain = synapticGain
        self.decay = decay
        self.gain = gain
        self.drive = drive
        self.threshold = threshold
        self.resetValue = resetValue
        self.isStrict = isStrict
    }

    public func validate() throws { try threshold?.validateAsThreshold() }

    public var currentOfSpike: NeuronParameter { threshold.map { $0 / gain / synapticGain } ?? 1 }
    public var spikesPerStep: ClosedRange<Int>? { threshold == nil ? nil : 0...1 }

    public func initialState(shape: [Int]) -> NeuronState {
        var state = NeuronState(membrane: Tensor(repeating: 0, shape: shape))
        state.memory["synapse"] = state.membrane
        return state
    }

    public func integrate(_ current: Tensor, state: inout NeuronState, at time: TimeStep) {
        var synapse = NeuronState(membrane: state.memory["synapse"] ?? Tensor(repeating: 0, shape: current.shape))
        synapse.leak(current, decay: synapticDecay, gain: synapticGain, drive: 0)
        state.memory["synapse"] = synapse.membrane
        state.leak(synapse.membrane, decay: decay, gain: gain, drive: drive)
    }

    public func emit(_ state: inout NeuronState, at time: TimeStep) -> Tensor {
        guard let threshold else { return state.membrane }
        return state.fire(threshold: threshold, resetValue: resetValue, isStrict: isStrict)
    }

    public var summary: String {
        "decay \(decay.summary), synapses' \(synapticDecay.summary), " + (threshold.map { "threshold \($0.summary)" } ?? "no spikes")
    }
}
