/// y = a + b, with NumPy's broadcasting. Residual connections are additions of two activations.
public struct Add: OperatorPayload {
    package static let name = "Add"

    /// An operator without attributes.
    public init() {}

    package var arity: ClosedRange<Int> { 2...2 }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        try inputs.requireFloat()
        return [ValueType(.float32, try inputs[0].shape.broadcast(with: inputs[1].shape))]
    }

    package func linearity(isConstant: [Bool]) -> Linearity {
        isConstant.contains(true) ? .affine : .linear
    }

    package var additiveInputs: [Int] { [0, 1] }
}

/// y = a · b, with NumPy's broadcasting. Linear by a constant; a product of two activations is not.
public struct Mul: OperatorPayload {
    package static let name = "Mul"

    /// An operator without attributes.
    public init() {}

    package var arity: ClosedRange<Int> { 2...2 }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        try inputs.requireFloat()
        return [ValueType(.float32, try inputs[0].shape.broadcast(with: inputs[1].shape))]
    }

    package func linearity(isConstant: [Bool]) -> Linearity {
        isConstant.contains(true) ? .linear : .nonlinear
    }
}
