/// Uniform quantisation:
///
///     y = Δ · min(L, max(l, round(x / Δ)))
///
/// With l = 0 it is a rectifier that a spiking neuron can be, exactly. QCFS with its learned λ is Δ = λ/L, rounded by
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
        /// To the nearest; halves, and what float32's rounding of sums cannot tell from them, to the even one.
        ///
        /// A mean of four levels that is quantised again, as QDQ files have it behind every average pool, is a half one time in
        /// four. Computed as Σ Δ·nᵢ/4/Δ it misses the half by a rounding or two, to either side, differently for each order of
        /// the sum. So a number within 2⁻¹⁸ of itself (but no more than 2⁻⁸) of a half is taken for one: the answer is that of
        /// exact arithmetic, for an ANN and for spikes, as it is for the integers of ONNX Runtime.
        case halfToEven = "half-to-even"
        /// ⌊u⌋.
        case down

        /// The whole number for `number`. The ½ is added in float32, as those who export QCFS do.
        @inlinable
        public func callAsFunction(_ number: Float) -> Float {
            switch self {
            case .halfUp: (number + 0.5).rounded(.down)
            case .halfToEven: halfToEven(number)
            case .down: number.rounded(.down)
            }
        }

        @inlinable
        func halfToEven(_ number: Float) -> Float {
            let half = (2 * number).rounded(.toNearestOrEven) / 2
            let isTie = abs(number - half) <= min(abs(number) * 0x1p-18, 0x1p-8)
            return (isTie ? half : number).rounded(.toNearestOrEven)
        }
    }

    public static let name = "Quantizer"
    /// Δ, the activation between two levels.
    public let step: Float
    /// L, the number of levels above zero.
    public let levels: Int
    /// l, the lowest level: zero, or below.
    public let lowest: Int
    /// How ties are rounded.
    public let rounding: Rounding

    /// No more levels than float32 can count.
    static let limit = 1 << 24

    /// - Throws: for a step that is no positive finite number, and for levels without zero among them, none above it, or more
    ///   than 2²⁴.
    public init(step: Float, levels: Int, lowest: Int = 0, rounding: Rounding) throws {
        guard step > 0, step.isFinite, (1 / step).isFinite else {
            throw SpikeletError(.invalidModel, "a quantiser of step \(step); a positive number is needed")
        }
        guard (1...Self.limit).contains(levels), (-Self.limit...0).contains(lowest) else {
            throw SpikeletError(.invalidModel, "a quantiser of the levels \(lowest)…\(levels); zero and some above it are needed")
        }
        self.step = step
        self.levels = levels
        self.lowest = lowest
        self.rounding = rounding
    }

    private enum CodingKeys: String, CodingKey { case step, levels, lowest, rounding }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        try self.init(
            step: container.decode(Float.self, forKey: .step), levels: container.decode(Int.self, forKey: .levels),
            lowest: container.decode(Int.self, forKey: .lowest), rounding: container.decode(Rounding.self, forKey: .rounding))
    }

    /// The level of an activation, before it is multiplied by Δ. A NaN stays one.
    @inlinable
    public func level(of activation: Float) -> Float {
        let rounded = rounding(activation / step)
        let raised = rounded < Float(lowest) ? Float(lowest) : rounded
        return raised > Float(levels) ? Float(levels) : raised
    }

    public var arity: ClosedRange<Int> { 1...1 }

    public func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] { try unaryType(inputs) }

    public func linearity(isConstant: [Bool]) -> Linearity { lowest == 0 ? .rectifier : .nonlinear }

    public var summary: String { "step \(step), levels \(lowest)…\(levels), \(rounding.rawValue)" }
}
