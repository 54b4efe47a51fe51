/// A neuron that is a ``Quantizer``, whatever its levels and however it rounds; layer-synchronous.
///
///     integrating, t = 1…T:   u ← g·u + I(t)                       g = 1 unary, 2 radix
///     then once:              n ← min(L, max(l, round(u / θ)))
///     emitting, unary:        s(t) = sign(n)·[|n| ≥ 1],            n ← n − s(t)
///     emitting, radix:        s(k) = sign(n)·[|n| ≥ 2^(K−k)],      n ← n − 2^(K−k)·s(k)
///
/// A ``VoltageScaler`` of 1/Δ stands in front of it. Unary: θ = T, since T steps of a rate add up to T activations, and one
/// of Δ·T stands behind it; radix: θ = 1, and Δ. With l < 0 its spikes may be negative.
///
/// Where L = T (or 2^K − 1), l = 0 and halves go up, ``IFNode`` (or ``RadixNeuron``) does the same and is used instead.
/// Source: unary counts are "Parallel conversion" (Hao et al., ICML 2025); bounded and signed counts are SpikeZIP's (You et
/// al., ICML 2024), of the whole current at once.
public struct QuantizerNeuron: Neuron {
    public static let kind = "QuantizerNeuron"
    public static let schedules: Set<SpikingDescription.Schedule> = [.layerSynchronous]
    /// θ, in the unit of the current that arrives.
    public let threshold: Float
    /// L, the largest count; zero of a neuron whose spikes are all negative.
    public let levels: Int
    /// l, the smallest count: zero, or below.
    public let lowest: Int
    /// How ties are rounded.
    public let rounding: Quantizer.Rounding
    /// The quantiser's ``Quantizer/divisor``.
    public let divisor: Int?
    /// K of a radix code; `nil` for unary spikes.
    public let digits: Int?

    /// - Throws: for a threshold that is not positive, levels that a ``Quantizer`` cannot have or K digits cannot express,
    ///   and for K outside 1…16.
    public init(threshold: Float, levels: Int, lowest: Int = 0, rounding: Quantizer.Rounding, divisor: Int? = nil, digits: Int? = nil)
        throws
    {
        self.threshold = threshold
        self.levels = levels
        self.lowest = lowest
        self.rounding = rounding
        self.divisor = divisor
        self.digits = digits
        try validate()
    }

    public func validate() throws {
        _ = try Quantizer(step: threshold, levels: levels, lowest: lowest, rounding: rounding, divisor: divisor)
        if let digits {
            _ = try RadixNeuron(digits: digits)
            guard max(levels, -lowest) < 1 << digits else {
                throw SpikeletError(.invalidOption, "the levels \(lowest)…\(levels) in \(digits) binary digits")
            }
        }
    }

    public var currentOfSpike: NeuronParameter { NeuronParameter(threshold) }
    public var spikesPerStep: ClosedRange<Int>? { (lowest < 0 ? -1 : 0)...(levels > 0 ? 1 : 0) }

    public func integrate(_ current: Tensor, state: inout NeuronState, at time: TimeStep) {
        state.add(current, afterScaling: digits == nil ? 1 : 2)
    }

    public func emit(_ state: inout NeuronState, at time: TimeStep) -> Tensor {
        guard let place = digits.map({ time.place(ofDigits: $0) }) ?? time.index else {
            return Tensor(repeating: 0, shape: state.membrane.shape)
        }
        let (least, most) = (bound(lowest, at: time), bound(levels, at: time))
        let weight = digits.map { Float(sign: .plus, exponent: $0 - 1 - place, significand: 1) } ?? 1
        return state.emit { membrane in
            if place == 0 { membrane = min(most, max(least, rounding(membrane / threshold, divisor: divisor))) }
            let spike: Float = membrane >= weight ? 1 : membrane <= -weight ? -1 : 0
            membrane -= weight * spike
            return spike
        }
    }

    /// A bound of the count. Unary spikes in other steps than the network was made for keep the same bound of the rate.
    private func bound(_ level: Int, at time: TimeStep) -> Float {
        guard digits == nil, let count = time.count else { return Float(level) }
        return Float((Double(level) * Double(count) / Double(threshold)).rounded(.towardZero))
    }

    public func rateStandIn(for reader: RateStandIn.Reader) -> RateStandIn? {
        // T steps of a current x/Δ are rounded to counts of Δ; so many in the largest activation.
        let sides = [(Float(1), levels), (Float(-1), -lowest)].filter { $0.1 > 0 }.map { sign, levels in
            let most = Float(levels)
            return RateStandIn.Side(sign: sign, threshold: most, gain: most / threshold, membrane: rounding == .down ? 0 : most / 2)
        }
        let count = levels - lowest
        let bounds = "of the same largest activation, not rounded to \(count) level\(count == 1 ? "" : "s")"
        let change =
            lowest < 0
            ? (subject: "signed quantisers", replacement: "two rate codes, one of each sign, \(bounds)")
            : (subject: "quantisers", replacement: "rate codes \(bounds)")
        return sides.isEmpty ? nil : RateStandIn(sides, changes: [change])
    }

    public var summary: String {
        "threshold \(threshold), counts \(lowest)…\(levels), \(rounding.rawValue)" + (digits.map { ", \($0) digits" } ?? "")
    }
}
