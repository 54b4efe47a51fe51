/// Batch normalisation with its running statistics: y = γ · (x − μ) / √(σ² + ε) + β, per channel.
///
/// Inputs: x `[N, C, …]`, γ, β, μ, σ², each `[C]`.
public struct BatchNormalization: OperatorPayload {
    public static let name = "BatchNormalization"
    public var epsilon: Float

    public init(epsilon: Float = 1e-5) {
        self.epsilon = epsilon
    }

    public var arity: ClosedRange<Int> { 5...5 }

    public func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        try inputs.requireFloat()
        guard inputs[0].shape.rank >= 2, let channels = inputs[0].shape[1].known else {
            throw SpikeletError(.invalidModel, "batch normalisation of an input of shape \(inputs[0].shape), [N, C, …] is needed")
        }
        for (name, type) in zip(["scale", "bias", "mean", "variance"], inputs.dropFirst()) where type.shape != [Dimension(channels)] {
            throw SpikeletError(.invalidModel, "\(name) of shape \(type.shape) for \(channels) channels")
        }
        return [inputs[0]]
    }

    public func linearity(isConstant: [Bool]) -> Linearity {
        isConstant.dropFirst().allSatisfy { $0 } ? .affine : .nonlinear
    }

    public var additiveInputs: [Int] { [2, 3] }

    public var summary: String { epsilon == 1e-5 ? "" : "epsilon \(epsilon)" }
}
