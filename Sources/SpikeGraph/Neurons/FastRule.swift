/// A neuron's rule in the terms that the engine's kernels have: what they need to know, and all that they need.
///
/// Membranes add up currents, and lose what spikes are worth. Sources are with the neurons that state it.
public struct FastRule: Sendable, Hashable {
    /// How many spikes a step.
    public enum Kind: Sendable, Hashable {
        /// One, where v ≥ θ.
        case single
        /// One, or minus one where v < 0 and some stand.
        case signed
        /// ⌊v/θ⌋.
        case burst
    }

    /// How many spikes a step.
    public var kind: Kind
    /// θ.
    public var threshold: Float
    /// v₀.
    public var initialMembrane: Float
    /// What a spike sets the membrane to; `nil` where it takes θ.
    public var reset: Float?
    /// The most spikes of a burst, or that may stand; `nil` for no bound.
    public var limit: Int?
    /// K: the membrane is doubled before each step's current, gets θ/2 before the first digit, and digit k takes 2^(K−k) θ. Of T > K steps
    /// the last K are those of the digits.
    public var digits: Int?

    /// A rule that takes θ for each spike.
    public init(
        _ kind: Kind, threshold: Float, initialMembrane: Float = 0, reset: Float? = nil, limit: Int? = nil, digits: Int? = nil
    ) {
        self.kind = kind
        self.threshold = threshold
        self.initialMembrane = initialMembrane
        self.reset = reset
        self.limit = limit
        self.digits = digits
    }

    /// Lets neurons that have integrated their current emit `spikes`: membranes then are what these leave.
    package func take(_ spikes: Tensor, from membrane: inout Tensor, at time: TimeStep) {
        let sent = spikes.floats
        var values = membrane.floats
        if let digits {
            guard let place = time.place(ofDigits: digits) else { return }
            if place == 0 { for index in values.indices { values[index] += threshold / 2 } }
            let weight = threshold * Float(sign: .plus, exponent: digits - 1 - place, significand: 1)
            for index in values.indices { values[index] -= weight * sent[index] }
        } else if let reset {
            for index in values.indices where sent[index] != 0 { values[index] = reset }
        } else {
            for index in values.indices { values[index] -= threshold * sent[index] }
        }
        membrane = Tensor(values, shape: membrane.shape)
    }
}
