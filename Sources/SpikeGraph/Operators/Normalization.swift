/// Batch normalisation with its running statistics: y = γ · (x − μ) / √(σ² + ε) + β, per channel.
///
/// Inputs: x `[N, C, …]`, γ, β, μ, σ², each `[C]`.
public struct BatchNormalization: OperatorPayload {
    package static let name = "BatchNormalization"
    /// What is added to the variance before its square root.
    public var epsilon: Float

    /// A batch normalisation.
    public init(epsilon: Float = 1e-5) {
        self.epsilon = epsilon
    }

    package var arity: ClosedRange<Int> { 5...5 }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        try inputs.requireFloat()
        guard inputs[0].shape.rank >= 2, let channels = inputs[0].shape[1].known else {
            throw SpikeletError(.invalidModel, "batch normalisation of an input of shape \(inputs[0].shape), [N, C, …] is needed")
        }
        for (name, type) in zip(["scale", "bias", "mean", "variance"], inputs.dropFirst()) where type.shape != [Dimension(channels)] {
            throw SpikeletError(.invalidModel, "\(name) of shape \(type.shape) for \(channels) channels")
        }
        return [inputs[0]]
    }

    package func linearity(isConstant: [Bool]) -> Linearity {
        isConstant.dropFirst().allSatisfy { $0 } ? .affine : .nonlinear
    }

    package var additiveInputs: [Int] { [2, 3] }

    package var summary: String { epsilon == 1e-5 ? "" : "epsilon \(epsilon)" }
}

/// Normalisation of each sample's last axes, from `axis` on: y = γ · (x − mean) / √(variance + ε) + β.
///
/// Inputs: x, γ, optionally β, both of a shape that broadcasts to x. Without centring it is RMS normalisation:
/// y = γ · x / √(mean x² + ε).
public struct LayerNormalization: OperatorPayload {
    package static let name = "LayerNormalization"
    /// The first of the axes that are normalised over.
    public var axis: Int
    /// What is added to the variance before its square root.
    public var epsilon: Float
    /// Whether the mean is subtracted; not by RMSNormalization.
    public var isCentered: Bool

    /// A normalisation over the last axes.
    public init(axis: Int = -1, epsilon: Float = 1e-5, isCentered: Bool = true) {
        self.axis = axis
        self.epsilon = epsilon
        self.isCentered = isCentered
    }

    package var arity: ClosedRange<Int> { 2...3 }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        try inputs.requireFloat()
        let shape = inputs[0].shape
        let position = try Shape.axis(axis, rank: shape.rank)
        guard shape.dimensions[position...].allSatisfy({ ($0.known ?? 0) >= 1 }) else {
            throw SpikeletError(.unsupported, "it normalises \(shape) from axis \(axis) on, over samples of the batch")
        }
        for parameter in inputs.dropFirst() where try shape.broadcast(with: parameter.shape) != shape {
            throw SpikeletError(.invalidModel, "a scale or bias of shape \(parameter.shape) for an input of shape \(shape)")
        }
        return [inputs[0]]
    }

    package var label: String { isCentered ? Self.name : "RMSNormalization" }

    package var summary: String { "axis \(axis)" + (epsilon == 1e-5 ? "" : ", epsilon \(epsilon)") }
}

/// Normalisation of each sample's groups of channels: y = γ · (x − mean) / √(variance + ε) + β.
///
/// Inputs: x `[N, C, …]`, γ and β, each `[C]`. With groups of one channel it is instance normalisation.
public struct GroupNormalization: OperatorPayload {
    package static let name = "GroupNormalization"
    /// `nil`: each channel by itself.
    public var groups: Int?
    /// What is added to the variance before its square root.
    public var epsilon: Float

    /// A normalisation of groups of channels; `nil`: each channel by itself.
    public init(groups: Int?, epsilon: Float = 1e-5) {
        self.groups = groups
        self.epsilon = epsilon
    }

    package var arity: ClosedRange<Int> { 3...3 }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        try inputs.requireFloat()
        let shape = inputs[0].shape
        guard shape.rank >= 2, let channels = shape[1].known, groups ?? channels >= 1, channels % (groups ?? channels) == 0,
            shape.dimensions[1...].allSatisfy({ ($0.known ?? 0) >= 1 })
        else {
            throw SpikeletError(
                .invalidModel, "normalisation of \(groups.map(String.init) ?? "single") groups of an input of shape \(shape)")
        }
        for parameter in inputs.dropFirst() where parameter.shape != [Dimension(channels)] {
            throw SpikeletError(.invalidModel, "a scale or bias of shape \(parameter.shape) for \(channels) channels")
        }
        return [inputs[0]]
    }

    package var label: String { groups == nil ? "InstanceNormalization" : Self.name }

    package var summary: String {
        [groups.map { "groups \($0)" }, epsilon == 1e-5 ? nil : "epsilon \(epsilon)"].compactMap { $0 }.joined(separator: ", ")
    }
}

/// Local response normalisation over neighbouring channels: y = x / (κ + α/size · Σ x²)^β, the sum over `size` channels around.
///
/// Source: Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks", 2012; ONNX's `LRN`.
public struct LocalResponseNormalization: OperatorPayload {
    package static let name = "LRN"
    /// How many channels count as neighbours.
    public var size: Int
    /// What the sum of squares is multiplied with.
    public var alpha: Float
    /// The power.
    public var beta: Float
    /// What is added to the sum.
    public var bias: Float

    /// A normalisation by neighbouring channels.
    public init(size: Int, alpha: Float = 1e-4, beta: Float = 0.75, bias: Float = 1) {
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.bias = bias
    }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        guard size >= 1, size < 1 << 30, inputs[0].shape.rank >= 2, inputs[0].shape[1].known != nil else {
            throw SpikeletError(.invalidModel, "a normalisation over \(size) channels of \(inputs[0].shape)")
        }
        return try unaryType(inputs)
    }

    package var summary: String { "size \(size)" }
}
