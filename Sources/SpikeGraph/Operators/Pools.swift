/// The mean over a window. Input `[N, C, spatial…]`.
public struct AveragePool: OperatorPayload {
    package static let name = "AveragePool"
    /// Kernel, strides, padding and dilations.
    public var window: Window
    /// Whether padded places count in the divisor. Places beyond the pads, which `ceilMode` may reach, never do.
    public var countsPadding: Bool

    /// Mean pooling.
    public init(window: Window, countsPadding: Bool = false) {
        self.window = window
        self.countsPadding = countsPadding
    }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        try inputs.requireFloat()
        let shape = inputs[0].shape
        return [ValueType(.float32, try countsPadding ? window.outputShape(shape) : window.pooledShape(shape))]
    }

    package func linearity(isConstant: [Bool]) -> Linearity { .linear }

    package var summary: String { window.summary + (countsPadding ? ", counts padding" : "") }
}

/// The maximum over a window; padded places do not take part. Input `[N, C, spatial…]`.
public struct MaxPool: OperatorPayload {
    package static let name = "MaxPool"
    /// Kernel, strides, padding and dilations.
    public var window: Window

    /// Max pooling.
    public init(window: Window) {
        self.window = window
    }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        try inputs.requireFloat()
        return [ValueType(.float32, try window.pooledShape(inputs[0].shape))]
    }

    package func linearity(isConstant: [Bool]) -> Linearity { .maximum }

    package var summary: String { window.summary }
}

/// Max pooling of spike trains: the pool keeps Σ, the sum of each input over time, and emits the growth of the window's
/// maximum, y(t) = max Σ(t) − max Σ(t−1). Summed over time that is the maximum of the sums: exact for rates, and binary
/// for binary inputs of one size.
///
/// Source: the same rule is Burst's LIPooling (Li & Zeng, "Efficient and Accurate Conversion of Spiking Neural Network with
/// Burst Spikes", IJCAI 2022), written there by subtraction.
public struct RunningMaximumPool: OperatorPayload {
    package static let name = "RunningMaximumPool"
    /// Kernel, strides, padding and dilations.
    public var window: Window

    /// Max pooling of spikes.
    public init(window: Window) {
        self.window = window
    }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        try MaxPool(window: window).outputTypes(inputs, constants: constants)
    }

    package func linearity(isConstant: [Bool]) -> Linearity { .neuron }

    package var summary: String { window.summary }
}

/// The mean over all spatial axes: `[N, C, spatial…]` → `[N, C, 1…]`.
public struct GlobalAveragePool: OperatorPayload {
    package static let name = "GlobalAveragePool"

    /// An operator without attributes.
    public init() {}

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] { try globalType(inputs) }

    package func linearity(isConstant: [Bool]) -> Linearity { .linear }
}

/// The maximum over all spatial axes: `[N, C, spatial…]` → `[N, C, 1…]`.
public struct GlobalMaxPool: OperatorPayload {
    package static let name = "GlobalMaxPool"

    /// An operator without attributes.
    public init() {}

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] { try globalType(inputs) }

    package func linearity(isConstant: [Bool]) -> Linearity { .maximum }
}

private func globalType(_ inputs: [ValueType]) throws -> [ValueType] {
    try inputs.requireFloat()
    let shape = inputs[0].shape
    guard shape.rank >= 3 else {
        throw SpikeletError(.invalidModel, "a global pool over an input of shape \(shape), [N, C, spatial…] is needed")
    }
    return [ValueType(.float32, Shape(Array(shape.dimensions.prefix(2)) + shape.dimensions.dropFirst(2).map { _ in 1 }))]
}

/// The mean over `axes` (all of them where none are named).
public struct ReduceMean: OperatorPayload {
    package static let name = "ReduceMean"
    /// The axes of the mean; empty: all.
    public var axes: [Int]
    /// Whether they stay, with the size 1.
    public var keepsDimensions: Bool

    /// A mean over axes.
    public init(axes: [Int] = [], keepsDimensions: Bool = true) {
        self.axes = axes
        self.keepsDimensions = keepsDimensions
    }

    /// The reduced axes of a value of `rank` axes, counted from the front.
    public func reducedAxes(rank: Int) throws -> Set<Int> {
        axes.isEmpty ? Set(0..<rank) : Set(try axes.map { try Shape.axis($0, rank: rank) })
    }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        try inputs.requireFloat()
        let shape = inputs[0].shape
        let reduced = try reducedAxes(rank: shape.rank)
        let dimensions = shape.dimensions.enumerated().compactMap { axis, size -> Dimension? in
            reduced.contains(axis) ? (keepsDimensions ? 1 : nil) : size
        }
        return [ValueType(.float32, Shape(dimensions))]
    }

    package func linearity(isConstant: [Bool]) -> Linearity { .linear }

    package var summary: String { "axes \(axes.isEmpty ? "all" : "\(axes)")" + (keepsDimensions ? "" : ", dropped") }
}
