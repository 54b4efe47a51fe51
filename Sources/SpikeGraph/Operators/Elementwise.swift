/// A function of one number, applied to every element.
public struct Unary: OperatorPayload {
    /// Named as in ONNX. α and β are the ``Unary/parameters``, in this order.
    public enum Function: String, Codable, Hashable, Sendable, CaseIterable {
        /// |x|.
        case abs = "Abs"
        /// The angle in radians whose cosine is x.
        case acos = "Acos"
        /// The inverse of cosh.
        case acosh = "Acosh"
        /// The angle in radians whose sine is x.
        case asin = "Asin"
        /// The inverse of sinh.
        case asinh = "Asinh"
        /// The angle in radians whose tangent is x.
        case atan = "Atan"
        /// The inverse of tanh.
        case atanh = "Atanh"
        /// Rounds up.
        case ceil = "Ceil"
        /// max(0, x) + min(0, α·(exp(x/α) − 1))
        case celu = "Celu"
        /// The cosine of x radians.
        case cos = "Cos"
        /// (eˣ + e⁻ˣ) / 2.
        case cosh = "Cosh"
        /// x where x > 0, else α·(eˣ − 1)
        case elu = "Elu"
        /// The error function.
        case erf = "Erf"
        /// eˣ.
        case exp = "Exp"
        /// x · Φ(x); with α = 1 its approximation by tanh
        case gelu = "Gelu"
        /// max(0, min(1, α·x + β))
        case hardSigmoid = "HardSigmoid"
        /// x · max(0, min(1, x/6 + ½))
        case hardSwish = "HardSwish"
        /// Whether x is +∞ (counted with α = 1) or −∞ (with β = 1).
        case isInf = "IsInf"
        /// Whether x is not a number.
        case isNaN = "IsNaN"
        /// x where x ≥ 0, else α·x
        case leakyRelu = "LeakyRelu"
        /// The natural logarithm.
        case log = "Log"
        /// x · tanh(ln(1 + eˣ))
        case mish = "Mish"
        /// Also of int64.
        case negate = "Neg"
        /// Of bool.
        case not = "Not"
        /// 1 / x.
        case reciprocal = "Reciprocal"
        /// γ·x where x > 0, else γ·α·(eˣ − 1); the parameters are α and γ
        case selu = "Selu"
        /// x + β where x < −α, x − β where x > α, else 0
        case shrink = "Shrink"
        /// −1, 0 or 1.
        case sign = "Sign"
        /// The sine of x radians.
        case sin = "Sin"
        /// (eˣ − e⁻ˣ) / 2.
        case sinh = "Sinh"
        /// ln(1 + eˣ)
        case softplus = "Softplus"
        /// x / (1 + |x|)
        case softsign = "Softsign"
        /// The square root.
        case sqrt = "Sqrt"
        /// x / (1 + exp(−α·x)); SiLU with α = 1
        case swish = "Swish"
        /// The tangent of x radians.
        case tan = "Tan"
        /// The hyperbolic tangent.
        case tanh = "Tanh"
        /// x where x > α, else 0
        case thresholdedRelu = "ThresholdedRelu"

        /// How many ``Unary/parameters`` it has.
        var parameterCount: Int {
            switch self {
            case .celu, .elu, .gelu, .leakyRelu, .swish, .thresholdedRelu: 1
            case .hardSigmoid, .isInf, .selu, .shrink: 2
            default: 0
            }
        }
    }

    package static let name = "Unary"
    /// Which function.
    public var function: Function
    /// The function's parameters, in the order of its documentation.
    public var parameters: [Float]

    /// A function of one number.
    public init(_ function: Function, parameters: [Float] = []) {
        self.function = function
        self.parameters = parameters
    }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        guard parameters.count == function.parameterCount else {
            throw SpikeletError(
                .invalidModel, "\(parameters.count) parameters for \(function.rawValue), \(function.parameterCount) are needed")
        }
        switch function {
        case .abs, .negate, .sign: try inputs.require([.float32, .int64])
        case .not: try inputs.require([.bool])
        default: try inputs.requireFloat()
        }
        switch function {
        case .isInf, .isNaN: return [ValueType(.bool, inputs[0].shape)]
        default: return [inputs[0]]
        }
    }

    package func linearity(isConstant: [Bool]) -> Linearity { function == .negate ? .linear : .nonlinear }

    package var label: String { function.rawValue }

    package var summary: String { parameters.map { "\($0)" }.joined(separator: ", ") }
}

/// A function of two numbers, element by element, with NumPy's broadcasting.
///
/// Float32 sums and products are ``Add`` and ``Mul``, which know about linearity.
public struct Binary: OperatorPayload {
    /// Named as in ONNX.
    public enum Function: String, Codable, Hashable, Sendable, CaseIterable {
        /// a + b.
        case add = "Add"
        /// Whether both hold.
        case and = "And"
        /// Of integers it truncates.
        case divide = "Div"
        /// Whether a = b.
        case equal = "Equal"
        /// Whether a > b.
        case greater = "Greater"
        /// Whether a ≥ b.
        case greaterOrEqual = "GreaterOrEqual"
        /// Whether a < b.
        case less = "Less"
        /// Whether a ≤ b.
        case lessOrEqual = "LessOrEqual"
        /// The larger.
        case maximum = "Max"
        /// The smaller.
        case minimum = "Min"
        /// The remainder with the sign of the divisor, as Python's `%`.
        case modulo = "Mod"
        /// a · b.
        case multiply = "Mul"
        /// Whether one of them holds.
        case or = "Or"
        /// x where x ≥ 0, else slope · x
        case parametricRelu = "PRelu"
        /// a to the power of b.
        case power = "Pow"
        /// The remainder with the sign of the dividend, as C's `fmod`.
        case remainder = "Fmod"
        /// a − b.
        case subtract = "Sub"
        /// Whether just one of them holds.
        case xor = "Xor"

        /// Whether the result is of bool.
        public var isComparison: Bool {
            switch self {
            case .equal, .greater, .greaterOrEqual, .less, .lessOrEqual: true
            default: false
            }
        }
    }

    package static let name = "Binary"
    /// Which function.
    public var function: Function

    /// A function of two numbers.
    public init(_ function: Function) {
        self.function = function
    }

    package var arity: ClosedRange<Int> { 2...2 }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        let shape = try inputs[0].shape.broadcast(with: inputs[1].shape)
        switch function {
        case .and, .or, .xor: try inputs.require([.bool])
        case .equal: break
        case .parametricRelu: try inputs.requireFloat()
        default: try inputs.require([.float32, .int64])
        }
        guard inputs[0].elementType == inputs[1].elementType || function == .power else {
            throw SpikeletError(.invalidModel, "the inputs are \(inputs[0]) and \(inputs[1]); they have to be of one type")
        }
        return [ValueType(function.isComparison ? .bool : inputs[0].elementType, shape)]
    }

    package var label: String { function.rawValue }
}

/// y = a where the condition holds, else b; with NumPy's broadcasting. Inputs: condition (bool), a, b.
///
/// Linear where the condition is a constant: it then takes each element from one of the two.
public struct Where: OperatorPayload {
    package static let name = "Where"

    /// An operator without attributes.
    public init() {}

    package var arity: ClosedRange<Int> { 3...3 }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        guard inputs[0].elementType == .bool, inputs[1].elementType == inputs[2].elementType else {
            throw SpikeletError(.invalidModel, "the condition is \(inputs[0]), the choices are \(inputs[1]) and \(inputs[2])")
        }
        let shape = try inputs[0].shape.broadcast(with: inputs[1].shape).broadcast(with: inputs[2].shape)
        return [ValueType(inputs[1].elementType, shape)]
    }

    package func linearity(isConstant: [Bool]) -> Linearity {
        guard isConstant.first == true else { return .nonlinear }
        return isConstant.dropFirst().contains(true) ? .affine : .linear
    }

    package var additiveInputs: [Int] { [1, 2] }
}

/// The same numbers as another element type. To bool: whether they are not 0; to int64: without their fraction.
public struct Cast: OperatorPayload {
    package static let name = "Cast"
    /// The type of the result.
    public var type: ElementType

    /// A change of the element type.
    public init(to type: ElementType) {
        self.type = type
    }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] { [ValueType(type, inputs[0].shape)] }

    package var summary: String { "to \(type.rawValue)" }
}

extension [ValueType] {
    /// All of them are of one of these types.
    func require(_ types: Set<ElementType>) throws {
        for (position, type) in enumerated() where !types.contains(type.elementType) {
            let needed = types.map(\.rawValue).sorted().joined(separator: " or ")
            throw SpikeletError(.unsupported, "input \(position) is \(type), \(needed) is needed")
        }
    }
}
