/// A number for every neuron of a layer: one for all, or one for each neuron of a sample.
public struct NeuronParameter: Hashable, Sendable, Codable, ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral {
    /// One, or as many as a sample has neurons, in the layer's order.
    public let values: [Float]

    /// One number for all neurons.
    public init(_ value: Float) {
        values = [value]
    }

    /// - Parameter values: at least one. Where all are the same they are kept as one.
    public init(_ values: [Float]) {
        self.values = values.isEmpty ? [0] : values.allSatisfy { $0 == values[0] } ? [values[0]] : values
    }

    public init(floatLiteral value: Float) {
        self.init(value)
    }

    public init(integerLiteral value: Int) {
        self.init(Float(value))
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let values = try (try? container.decode(Float.self)).map { [$0] } ?? container.decode([Float].self)
        guard !values.isEmpty else { throw SpikeletError(.invalidModel, "a neuron's parameter without a value") }
        self.values = values
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if values.count == 1 { try container.encode(values[0]) } else { try container.encode(values) }
    }

    /// The number of the neuron at a flat position of `[N, …]`.
    @inlinable public subscript(position: Int) -> Float { values.count == 1 ? values[0] : values[position % values.count] }

    /// The quotient of two, neuron by neuron.
    static func / (a: NeuronParameter, b: NeuronParameter) -> NeuronParameter {
        NeuronParameter((0..<max(a.values.count, b.values.count)).map { a[$0] / b[$0] })
    }

    /// Throws where a number is not above 0, as thresholds are.
    func validateAsThreshold() throws {
        for value in values { try SpikeGraph.validate(threshold: value, initialMembrane: 0) }
    }

    /// For people: one number, or a range.
    public var summary: String {
        let (least, most) = (values.min() ?? 0, values.max() ?? 0)
        return least == most ? "\(least)" : "\(least)…\(most)"
    }
}

/// Leaky integrate-and-fire, in steps of any length:
///
///     v ← a·v + b·x + c,   s = [v ≥ θ] (or [v > θ]),   v ← v − θ·s,  or v_reset where s = 1
///
/// From τ·v' = (v_leak − v) + R·x by Euler's rule: a = 1 − dt/τ, b = R·dt/τ, c = v_leak·dt/τ. With a = 1, b = 1, c = 0 it is
/// ``IFNode``. Source: NIR's `LIF` and `IF` (Pedersen et al., Nature Communications 2024).
public struct LIFNeuron: Neuron {
    public static let kind = "LIFNeuron"
    public static let schedules: Set<SpikingDescription.Schedule> = [.streaming]
    /// a, what of a membrane is left after a step.
    public var decay: NeuronParameter
    /// b.
    public var gain: NeuronParameter
    /// c, which arrives in every step.
    public var drive: NeuronParameter
    /// θ.
    public var threshold: NeuronParameter
    /// v_reset; `nil` for reset by subtraction.
    public var resetValue: NeuronParameter?
    /// Whether a spike needs v > θ.
    public var isStrict: Bool

    /// A leaky neuron.
    public init(
        decay: NeuronParameter = 1, gain: NeuronParameter = 1, drive: NeuronParameter = 0, threshold: NeuronParameter = 1,
        resetValue: NeuronParameter? = nil, isStrict: Bool = false
    ) {
        self.decay = decay
        self.gain = gain
        self.drive = drive
        self.threshold = threshold
        self.resetValue = resetValue
        self.isStrict = isStrict
    }

    public func validate() throws { try threshold.validateAsThreshold() }

    public var currentOfSpike: NeuronParameter { threshold / gain }
    public var spikesPerStep: ClosedRange<Int>? { 0...1 }

    public func integrate(_ current: Tensor, state: inout NeuronState, at time: TimeStep) {
        state.leak(current, decay: decay, gain: gain, drive: drive)
    }

    public func emit(_ state: inout NeuronState, at time: TimeStep) -> Tensor {
        state.fire(threshold: threshold, resetValue: resetValue, isStrict: isStrict)
    }

    public var summary: String {
        var text = "threshold \(threshold.summary), decay \(decay.summary)"
        if let resetValue { text += ", reset to \(resetValue.summary)" }
        return text
    }
}

/// A leaky integrator that does not spike: v ← a·v + b·x + c, and gives v. Source: NIR's `LI` and (a = 1, c = 0) `I`.
public struct LINeuron: Neuron {
    public static let kind = "LINeuron"
    public static let schedules: Set<SpikingDescription.Schedule> = [.streaming]
    /// a, what of a membrane is left after a step.
    public var decay: NeuronParameter
    /// b.
    public var gain: NeuronParameter
    /// c, which arrives in every step.
    public var drive: NeuronParameter

    /// A leaky integrator that never fires: v ← decay·v + gain·current + drive.
    public init(decay: NeuronParameter = 1, gain: NeuronParameter = 1, drive: NeuronParameter = 0) {
        self.decay = decay
        self.gain = gain
        self.drive = drive
    }

    public var currentOfSpike: NeuronParameter { 1 }

    public func integrate(_ current: Tensor, state: inout NeuronState, at time: TimeStep) {
        state.leak(current, decay: decay, gain: gain, drive: drive)
    }

    public func emit(_ state: inout NeuronState, at time: TimeStep) -> Tensor { state.membrane }

    public var summary: String { "decay \(decay.summary), no spikes" }
}

extension NeuronState {
    /// v ← a·v + b·x + c.
    mutating func leak(_ current: Tensor, decay: NeuronParameter, gain: NeuronParameter, drive: NeuronParameter) {
        var values = membrane.floats
        let added = current.floats
        for index in values.indices { values[index] = decay[index] * values[index] + gain[index] * added[index] + drive[index] }
        membrane = Tensor(values, shape: membrane.shape)
    }

    /// Spikes of membranes at their thresholds, which are then reset: by subtraction without a value.
    mutating func fire(threshold: NeuronParameter, resetValue: NeuronParameter?, isStrict: Bool) -> Tensor {
        var values = membrane.floats
        var spikes = [Float](repeating: 0, count: values.count)
        for index in values.indices {
            let limit = threshold[index]
            guard isStrict ? values[index] > limit : values[index] >= limit else { continue }
            spikes[index] = 1
            values[index] = resetValue.map { $0[index] } ?? values[index] - limit
        }
        membrane = Tensor(values, shape: membrane.shape)
        return Tensor(spikes, shape: membrane.shape)
    }
}
