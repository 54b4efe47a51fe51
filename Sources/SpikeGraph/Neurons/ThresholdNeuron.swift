/// A spike wherever what arrives in this very step is above θ: s = [x > θ]. Source: NIR's `Threshold`.
public struct ThresholdNeuron: Neuron {
    public static let kind = "ThresholdNeuron"
    public static let schedules: Set<SpikingDescription.Schedule> = [.streaming]
    /// θ.
    public var threshold: NeuronParameter

    /// A threshold for all neurons, or one for each.
    public init(threshold: NeuronParameter) {
        self.threshold = threshold
    }

    public var currentOfSpike: NeuronParameter { threshold }
    public var spikesPerStep: ClosedRange<Int>? { 0...1 }

    public func integrate(_ current: Tensor, state: inout NeuronState, at time: TimeStep) { state.membrane = current }

    public func emit(_ state: inout NeuronState, at time: TimeStep) -> Tensor {
        let values = state.membrane.floats
        let spikes: [Float] = values.indices.map { values[$0] > threshold[$0] ? 1 : 0 }
        return Tensor(spikes, shape: state.membrane.shape)
    }

    public var summary: String { "threshold \(threshold.summary), no memory" }
}

/// What arrived some steps ago; nothing before. Source: NIR's `Delay`.
public struct DelayNeuron: Neuron {
    public static let kind = "DelayNeuron"
    public static let schedules: Set<SpikingDescription.Schedule> = [.streaming]
    /// The delay in steps, at least 0.
    public let steps: Int

    /// - Throws: for a delay below 0 or above 4096 steps.
    public init(steps: Int) throws {
        self.steps = steps
        try validate()
    }

    public func validate() throws {
        guard (0...4096).contains(steps) else {
            throw SpikeletError(.invalidOption, "a delay of \(steps) steps", remedy: "delays are from 0 to 4096 steps")
        }
    }

    public var currentOfSpike: NeuronParameter { 1 }

    public func integrate(_ current: Tensor, state: inout NeuronState, at time: TimeStep) {
        state.memory["\(time.index % (steps + 1))"] = current
    }

    public func emit(_ state: inout NeuronState, at time: TimeStep) -> Tensor {
        guard time.index >= steps else { return Tensor(repeating: 0, shape: state.membrane.shape) }
        return state.memory["\((time.index - steps) % (steps + 1))"] ?? Tensor(repeating: 0, shape: state.membrane.shape)
    }

    public var summary: String { "\(steps) steps" }
}
