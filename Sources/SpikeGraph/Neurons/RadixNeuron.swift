/// A neuron whose K spikes are the binary digits of its activation, most significant first; layer-synchronous.
///
///     integrating, k = 1…K:   u ← 2u + I(k)
///     then once:              u ← u + ½
///     emitting, k = 1…K:      s(k) = [u ≥ 2^(K−k)],   u ← u − 2^(K−k)·s(k)
///
/// In a run of T > K steps, which other layers need for more digits, it integrates all of them, and sends its digits in the last K:
/// a spike in step t is worth 2^(T−t) of its layer's quanta, whatever the layer.
///
/// in units of the quantum q = θ/(2^K − 1): a ``VoltageScaler`` of 1/q stands in front of it, one of q behind it. Together
/// that is uniform quantisation of max(0, x) to 2^K − 1 levels of q, rounded to the nearest, halves up, clipped at θ.
/// Biases and real-valued inputs arrive with the last input step only, so that no doubling reaches them.
///
/// Sources: few-spikes neurons (Stöckl & Maass, Nature Machine Intelligence 2021) with thresholds α·2^(−k); radix encoding
/// (Wang et al., TNNLS 2024).
public struct RadixNeuron: Neuron {
    public static let kind = "RadixNeuron"
    public static let schedules: Set<SpikingDescription.Schedule> = [.layerSynchronous]
    /// K, the number of binary digits.
    public var digits: Int

    /// - Throws: for fewer than 1 or more than 16 digits.
    public init(digits: Int) throws {
        self.digits = digits
        try validate()
    }

    public func validate() throws {
        guard (1...16).contains(digits) else {
            throw SpikeletError(.invalidOption, "a radix code of \(digits) steps", remedy: "K is from 1 to 16; 4 to 8 are usual")
        }
    }

    public var currentOfSpike: NeuronParameter { 1 }
    public var spikesPerStep: ClosedRange<Int>? { 0...1 }
    public var fastRule: FastRule? { FastRule(.single, threshold: 1, digits: digits) }

    public func integrate(_ current: Tensor, state: inout NeuronState, at time: TimeStep) {
        state.add(current, afterScaling: 2)
    }

    public func emit(_ state: inout NeuronState, at time: TimeStep) -> Tensor {
        guard let place = time.place(ofDigits: digits) else { return Tensor(repeating: 0, shape: state.membrane.shape) }
        let rounding: Float = place == 0 ? 0.5 : 0
        let weight = Float(sign: .plus, exponent: digits - 1 - place, significand: 1)
        return state.emit { membrane in
            membrane += rounding
            guard membrane >= weight else { return 0 }
            membrane -= weight
            return 1
        }
    }

    public func numbers(of potentials: Tensor) -> Tensor? {
        let largest = Float(1 << digits) - 1
        return potentials.map { min(max(0, ($0 + 0.5).rounded(.down)), largest) }
    }

    public func rateStandIn(for reader: RateStandIn.Reader) -> RateStandIn? {
        let levels = Float(1 << digits) - 1
        return RateStandIn(
            [.init(threshold: levels, gain: levels, membrane: levels / 2)],
            changes: [("radix codes", "rate codes of the same largest activation, not rounded to \(Int(levels)) levels")])
    }

    public var summary: String { "\(digits) digits" }
}
