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
        /// To the nearest, halves to the even one.
        case halfToEven = "half-to-even"
        /// ⌊u⌋.
        case down

        /// The whole number for `number`. As a source computes it: the ½ is added in float32.
        @inlinable
        public func callAsFunction(_ number: Float) -> Float {
            switch self {
            case .halfUp: (number + 0.5).rounded(.down)
            case .halfToEven: number.rounded(.toNearestOrEven)
            case .down: number.rounded(.down)
            }
        }
    }

    public static let name = "Quantizer"
    /// Δ, the activation between two levels.
    public let step: Float
    /// L, the number of levels above zero.
    public let levels: Int
    /// l, the lowest level: zero, or below.
    public let lowest: Int
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
