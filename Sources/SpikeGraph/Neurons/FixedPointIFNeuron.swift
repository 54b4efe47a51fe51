/// Integrate-and-fire with a membrane of few bits, as chips have it:
///
///     v ← clamp(round((v + x) / q))·q,   s = [v ≥ θ] (with `isMultiSpike` ⌊v/θ⌋),   v ← v − θ·s,  or 0 where s = 1
///
/// q is the step of the membrane's whole numbers, which are kept within those of so many bits.
public struct FixedPointIFNeuron: Neuron {
    public static let kind = "FixedPointIFNeuron"
    public static let schedules: Set<SpikingDescription.Schedule> = [.streaming]
    /// θ, a multiple of q.
    public var threshold: Float
    /// q.
    public var quantum: Float
    /// The bits of the membrane, its sign among them: 2 to 24.
    public let bits: Int
    /// Whether a spike sets the membrane to 0; else θ is subtracted.
    public var resetsToZero: Bool
    /// Whether it may send several spikes in a step.
    public var isMultiSpike: Bool

    /// - Throws: for bits that float32 cannot stand for, and for a threshold or a quantum that is not positive.
    public init(threshold: Float, quantum: Float, bits: Int = 16, resetsToZero: Bool = false, isMultiSpike: Bool = false) throws {
        self.threshold = threshold
        self.quantum = quantum
        self.bits = bits
        self.resetsToZero = resetsToZero
        self.isMultiSpike = isMultiSpike
        try validate()
    }

    public func validate() throws {
        guard (2...24).contains(bits) else {
            throw SpikeletError(.invalidOption, "a membrane of \(bits) bits", remedy: "membranes have 2 to 24 bits")
        }
        try NeuronParameter(threshold).validateAsThreshold()
        try NeuronParameter(quantum).validateAsThreshold()
    }

    public var currentOfSpike: NeuronParameter { NeuronParameter(threshold) }
    public var spikesPerStep: ClosedRange<Int>? { isMultiSpike ? nil : 0...1 }

    public func integrate(_ current: Tensor, state: inout NeuronState, at time: TimeStep) {
        state.add(current)
        let most = Float(1 << (bits - 1))
        state.membrane = state.membrane.map { min(max(($0 / quantum).rounded(), -most), most - 1) * quantum }
    }

    public func emit(_ state: inout NeuronState, at time: TimeStep) -> Tensor {
        state.emit { membrane in
            guard membrane >= threshold else { return 0 }
            let spikes = isMultiSpike ? (membrane / threshold).rounded(.down) : 1
            membrane = resetsToZero ? 0 : membrane - threshold * spikes
            return spikes
        }
    }

    public var summary: String { "threshold \(threshold), \(bits) bits" }
}
