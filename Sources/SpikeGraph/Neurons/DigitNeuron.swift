/// A neuron that sends its potential as a sign and K binary digits, most significant first; layer-synchronous.
///
///     integrating, k = 1…K:   u ← 2u + I(k)
///     then once:              n ← sign(u) · min(⌊|u| + ½⌋, 2^K − 1)
///     emitting, k = 1…K:      s(k) = sign(n) · (digit of 2^(K−k) in |n|)
///
/// in units of the step q of the last digit: a ``VoltageScaler`` of 1/q stands in front of it, one of q behind it. What reads it
/// reads u rounded to a multiple of q, halves away from zero, and limited to ± (2^K − 1) q. Of numbers that are never negative the
/// spikes are those of a ``RadixNeuron``, sent in the last K of more steps like those.
///
/// Where functions of a potential are sent (GELU, a layer normalisation, a softmax), they stand in front of it in the graph and are
/// computed from the whole potential, inside the neuron.
///
/// Sources: few-spikes neurons (Stöckl & Maass, Nature Machine Intelligence 2021), with a sign.
public struct DigitNeuron: Neuron {
    public static let kind = "DigitNeuron"
    public static let schedules: Set<SpikingDescription.Schedule> = [.layerSynchronous]
    /// K, the number of binary digits of a magnitude.
    public var digits: Int

    /// - Throws: for fewer than 1 or more than 16 digits.
    public init(digits: Int) throws {
        self.digits = digits
        try validate()
    }

    public func validate() throws { _ = try RadixNeuron(digits: digits) }

    public var currentOfSpike: NeuronParameter { 1 }
    public var spikesPerStep: ClosedRange<Int>? { -1...1 }

    public func integrate(_ current: Tensor, state: inout NeuronState, at time: TimeStep) {
        state.add(current, afterScaling: 2)
    }

    public func emit(_ state: inout NeuronState, at time: TimeStep) -> Tensor {
        guard let place = time.place(ofDigits: digits) else { return Tensor(repeating: 0, shape: state.membrane.shape) }
        let isFirst = place == 0
        let weight = Float(sign: .plus, exponent: digits - 1 - place, significand: 1)
        return state.emit { membrane in
            // What is no number must not pass for silence: whoever counts the spikes says so.
            if membrane.isNaN { return membrane }
            if isFirst { membrane = rounded(membrane) }
            guard membrane.magnitude >= weight else { return 0 }
            let spike = Float(signOf: membrane, magnitudeOf: 1)
            membrane -= spike * weight
            return spike
        }
    }

    /// The number of a potential.
    private func rounded(_ potential: Float) -> Float {
        Float(signOf: potential, magnitudeOf: min((potential.magnitude + 0.5).rounded(.down), Float(1 << digits) - 1))
    }

    public func numbers(of potentials: Tensor) -> Tensor? { potentials.map(rounded) }

    public var summary: String { "sign and \(digits) digits" }
}
