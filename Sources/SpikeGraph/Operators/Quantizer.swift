/// Uniform quantisation:
///
///     y = Δ · min(L, max(l, round(x / Δ)))
///
/// With l = 0 it is a ReLU that a spiking neuron can be, exactly. QCFS with its learned λ is Δ = λ/L, rounded by
/// ``Rounding/halfUp``. `QuantizeLinear` and `DequantizeLinear` are l = q_min − zero point, L = q_max − zero point, rounded
/// by ``Rounding/halfToEven``.
///
/// Sources: QCFS is Bu et al., "Optimal ANN-SNN Conversion for High-accuracy and Ultra-low-latency Spiking Neural
/// Networks", ICLR 2022; the other is ONNX's specification.
public struct Quantizer: OperatorPayload {
    /// How numbers between two levels go to one of them.
    public enum Rounding: String, Sendable, Hashable, Codable, CaseIterable {
        /// ⌊u + ½⌋.
        case halfUp = "half-up"
        /// To the nearest; halves to the even one. As IEEE 754, PyTorch's `round` and ONNX Runtime's `QuantizeLinear`.
        case halfToEven = "half-to-even"
        /// ⌊u⌋.
        case down

        /// The whole number for `number`. The ½ is added in float32, as those who export QCFS do.
        @inlinable
        public func callAsFunction(_ number: Float) -> Float {
            switch self {
            case .halfUp: (number + 0.5).rounded(.down)
            case .halfToEven: number.rounded(.toNearestOrEven)
            case .down: number.rounded(.down)
            }
        }

        /// The whole number for `number`, which is a multiple of 1/`divisor` in exact arithmetic: its rounding is undone first.
        @inlinable
        public func callAsFunction(_ number: Float, divisor: Int?) -> Float {
            guard let divisor, number.isFinite else { return self(number) }
            let exact = (number * Float(divisor)).rounded(.toNearestOrEven) / Float(divisor)
            return self(exact)
        }
    }

    package static let name = "Quantizer"
    /// Δ, the activation between two levels.
    public let step: Float
    /// L, the highest level: above zero, or zero where there are levels below it.
    public let levels: Int
    /// l, the lowest level: zero, or below.
    public let lowest: Int
    /// How ties are rounded.
    public let rounding: Rounding
    /// Of what arrives, x/Δ is a multiple of one over this, if something is known of it.
    ///
    /// A mean of four levels that is quantised again with the same Δ is a half one time in four. Computed as Σ Δ·nᵢ/4/Δ it misses
    /// the half by a rounding or two, to either side, differently for each order of the sum; so for an ANN and for its spikes. With
    /// a divisor of 4 the result is that of exact arithmetic, as it is for ONNX Runtime's pools of integers.
    public let divisor: Int?

    /// No more levels than float32 can count.
    static let limit = 1 << 24

    /// - Throws: for a step that is no positive finite number; for levels without zero among them, no other, or more than 2²⁴;
    ///   and for a divisor outside 1…2²⁴.
    public init(step: Float, levels: Int, lowest: Int = 0, rounding: Rounding, divisor: Int? = nil) throws {
        self.step = step
        self.levels = levels
        self.lowest = lowest
        self.rounding = rounding
        self.divisor = divisor
        try validate()
    }

    private func validate() throws {
        guard step > 0, step.isFinite, (1 / step).isFinite else {
            throw SpikeletError(.invalidModel, "a quantiser of step \(step); a positive number is needed")
        }
        guard (0...Self.limit).contains(levels), (-Self.limit...0).contains(lowest), lowest < levels else {
            throw SpikeletError(.invalidModel, "a quantiser of the levels \(lowest)…\(levels); zero and at least one other are needed")
        }
        guard divisor.map((1...Self.limit).contains) ?? true else {
            throw SpikeletError(.invalidModel, "a quantiser of levels divided by \(divisor ?? 0)")
        }
    }

    /// The level of an activation, before it is multiplied by Δ. A NaN stays one.
    @inlinable
    public func level(of activation: Float) -> Float {
        let rounded = rounding(activation / step, divisor: divisor)
        let raised = rounded < Float(lowest) ? Float(lowest) : rounded
        return raised > Float(levels) ? Float(levels) : raised
    }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        // A quantiser out of a file has not been through the initialiser.
        try validate()
        return try unaryType(inputs)
    }

    package func linearity(isConstant: [Bool]) -> Linearity { lowest == 0 ? .activation : .nonlinear }

    package var summary: String {
        "step \(step), levels \(lowest)…\(levels), \(rounding.rawValue)" + (divisor.map { ", of means of \($0)" } ?? "")
    }
}
