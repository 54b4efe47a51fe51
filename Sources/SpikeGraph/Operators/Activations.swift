/// y = max(0, x).
public struct Relu: OperatorPayload {
    package static let name = "Relu"

    /// A ReLU.
    public init() {}

    package func linearity(isConstant: [Bool]) -> Linearity { .activation }
}

/// y = min(max(x, minimum), maximum), applied in this order; an absent bound does not bound. ReLU6 is `Clip(0, 6)`.
public struct Clip: OperatorPayload {
    package static let name = "Clip"
    /// The lower bound; `nil`: none.
    public var minimum: Float?
    /// The upper bound; `nil`: none.
    public var maximum: Float?

    /// Bounds on either side, or none.
    public init(minimum: Float? = nil, maximum: Float? = nil) {
        self.minimum = minimum
        self.maximum = maximum
    }

    package func linearity(isConstant: [Bool]) -> Linearity {
        if minimum == nil, maximum == nil { return .linear }
        return minimum == 0 && (maximum ?? 1) > 0 ? .activation : .nonlinear
    }

    package var summary: String {
        [minimum.map { "minimum \($0)" }, maximum.map { "maximum \($0)" }].compactMap { $0 }.joined(separator: ", ")
    }
}

/// y = 1 / (1 + e⁻ˣ).
public struct Sigmoid: OperatorPayload {
    package static let name = "Sigmoid"

    /// A logistic function.
    public init() {}
}

/// y = eˣ / Σ eˣ along `axis`.
public struct Softmax: OperatorPayload {
    package static let name = "Softmax"
    /// The axis of the sum; negative counts from the end.
    public var axis: Int
    /// Opsets before 13 flatten the input to a matrix at `axis` and normalise whole rows.
    public var flattensTail: Bool

    /// A softmax along an axis.
    public init(axis: Int = -1, flattensTail: Bool = false) {
        self.axis = axis
        self.flattensTail = flattensTail
    }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        _ = try Shape.axis(axis, rank: inputs[0].shape.rank)
        return try unaryType(inputs)
    }

    package var summary: String { "axis \(axis)" }
}

/// y = x − log Σ eˣ along `axis`.
public struct LogSoftmax: OperatorPayload {
    package static let name = "LogSoftmax"
    /// The axis of the sum; negative counts from the end.
    public var axis: Int
    /// See ``Softmax/flattensTail``.
    public var flattensTail: Bool

    /// A logarithmic softmax along an axis.
    public init(axis: Int = -1, flattensTail: Bool = false) {
        self.axis = axis
        self.flattensTail = flattensTail
    }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        _ = try Shape.axis(axis, rank: inputs[0].shape.rank)
        return try unaryType(inputs)
    }

    package var summary: String { "axis \(axis)" }
}

/// y = x. Exporters leave it behind; the importer removes it.
public struct Identity: OperatorPayload {
    package static let name = "Identity"

    /// An operator without attributes.
    public init() {}

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] { [inputs[0]] }

    package func linearity(isConstant: [Bool]) -> Linearity { .linear }
}

/// Dropout at inference: y = x.
public struct Dropout: OperatorPayload {
    package static let name = "Dropout"

    /// An operator without attributes.
    public init() {}

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] { [inputs[0]] }

    package func linearity(isConstant: [Bool]) -> Linearity { .linear }
}

/// The type of an elementwise operator's output.
func unaryType(_ inputs: [ValueType]) throws -> [ValueType] {
    try inputs.requireFloat()
    return [inputs[0]]
}
