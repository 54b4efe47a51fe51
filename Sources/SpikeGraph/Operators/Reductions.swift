/// What becomes of the shape under a reduction.
func reducedShape(_ shape: Shape, axes: Set<Int>, keepsDimensions: Bool) -> Shape {
    Shape(
        shape.dimensions.enumerated().compactMap { axis, size -> Dimension? in
            axes.contains(axis) ? (keepsDimensions ? 1 : nil) : size
        })
}

/// Many numbers to one over `axes` (all of them where none are named). The mean is ``ReduceMean``.
public struct Reduce: OperatorPayload {
    /// Named as in ONNX.
    public enum Function: String, Codable, Hashable, Sendable, CaseIterable {
        /// Σ |x|
        case l1 = "ReduceL1"
        /// √Σ x²
        case l2 = "ReduceL2"
        /// ln Σ x
        case logSum = "ReduceLogSum"
        /// ln Σ eˣ
        case logSumExp = "ReduceLogSumExp"
        /// The largest.
        case maximum = "ReduceMax"
        /// The smallest.
        case minimum = "ReduceMin"
        /// The product.
        case product = "ReduceProd"
        /// The sum.
        case sum = "ReduceSum"
        /// Σ x²
        case sumSquare = "ReduceSumSquare"
    }

    package static let name = "Reduce"
    /// Which function.
    public var function: Function
    /// The axes that go; empty: all.
    public var axes: [Int]
    /// Whether they stay, with the size 1.
    public var keepsDimensions: Bool

    /// A reduction over axes.
    public init(_ function: Function, axes: [Int] = [], keepsDimensions: Bool = true) {
        self.function = function
        self.axes = axes
        self.keepsDimensions = keepsDimensions
    }

    /// The reduced axes of a value of `rank` axes, counted from the front.
    public func reducedAxes(rank: Int) throws -> Set<Int> {
        try ReduceMean(axes: axes).reducedAxes(rank: rank)
    }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        switch function {
        case .maximum, .minimum: break
        case .sum, .product: try inputs.require([.float32, .int64])
        default: try inputs.requireFloat()
        }
        let shape = inputs[0].shape
        return [
            ValueType(
                inputs[0].elementType, reducedShape(shape, axes: try reducedAxes(rank: shape.rank), keepsDimensions: keepsDimensions))
        ]
    }

    package func linearity(isConstant: [Bool]) -> Linearity { function == .sum ? .linear : .nonlinear }

    package var label: String { function.rawValue }

    package var summary: String { "axes \(axes.isEmpty ? "all" : "\(axes)")" + (keepsDimensions ? "" : ", dropped") }
}

/// The position of the largest (or smallest) number along `axis`, as int64.
public struct ArgExtremum: OperatorPayload {
    package static let name = "ArgExtremum"
    /// Of the smallest number: `ArgMin` instead of `ArgMax`.
    public var isMinimum: Bool
    /// The axis along which the extremum is sought.
    public var axis: Int
    /// Whether it stays, with the size 1.
    public var keepsDimensions: Bool
    /// Of several equal numbers the last counts, not the first.
    public var selectsLast: Bool

    /// The position of an extremum.
    public init(isMinimum: Bool = false, axis: Int = 0, keepsDimensions: Bool = true, selectsLast: Bool = false) {
        self.isMinimum = isMinimum
        self.axis = axis
        self.keepsDimensions = keepsDimensions
        self.selectsLast = selectsLast
    }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        try inputs.require([.float32, .int64])
        let shape = inputs[0].shape
        let position = try Shape.axis(axis, rank: shape.rank)
        guard let size = shape[position].known, size >= 1 else {
            throw SpikeletError(.unsupported, "the position of an extremum along axis \(axis) of \(shape)")
        }
        return [ValueType(.int64, reducedShape(shape, axes: [position], keepsDimensions: keepsDimensions))]
    }

    package var label: String { isMinimum ? "ArgMin" : "ArgMax" }

    package var summary: String { "axis \(axis)" + (selectsLast ? ", the last" : "") }
}

/// y[i] = Σ x[0…i] along `axis`.
public struct CumSum: OperatorPayload {
    package static let name = "CumSum"
    /// The axis of the sum.
    public var axis: Int
    /// Without x[i] itself.
    public var isExclusive: Bool
    /// From the end.
    public var isReverse: Bool

    /// A running sum along an axis.
    public init(axis: Int, isExclusive: Bool = false, isReverse: Bool = false) {
        self.axis = axis
        self.isExclusive = isExclusive
        self.isReverse = isReverse
    }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        try inputs.require([.float32, .int64])
        _ = try Shape.axis(axis, rank: inputs[0].shape.rank)
        return [inputs[0]]
    }

    package func linearity(isConstant: [Bool]) -> Linearity { .linear }

    package var summary: String { "axis \(axis)" + (isExclusive ? ", exclusive" : "") + (isReverse ? ", reverse" : "") }
}
