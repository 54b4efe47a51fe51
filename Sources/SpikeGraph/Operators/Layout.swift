/// `[a, b, …, c]` → `[a·b·…, …·c]`, cut before `axis`.
public struct Flatten: OperatorPayload {
    package static let name = "Flatten"
    /// The first axis that goes into the columns.
    public var axis: Int

    /// A flatten from this axis on.
    public init(axis: Int = 1) {
        self.axis = axis
    }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        let shape = inputs[0].shape
        // Unlike elsewhere, axis = rank is legal here.
        let cut = axis < 0 ? axis + shape.rank : axis
        guard cut >= 0, cut <= shape.rank, let rows = Shape.product(shape.dimensions[..<cut]),
            let columns = Shape.product(shape.dimensions[cut...])
        else { throw SpikeletError(.invalidModel, "a value of shape \(shape) cannot be flattened at axis \(axis)") }
        return [ValueType(inputs[0].elementType, Shape([rows, columns]))]
    }

    package func linearity(isConstant: [Bool]) -> Linearity { .linear }

    package var summary: String { axis == 1 ? "" : "axis \(axis)" }
}

/// The same values under another shape. Sizes may hold the open batch; one of them may be left to follow from the others.
public struct Reshape: OperatorPayload {
    /// One size of the target.
    public enum Size: Hashable, Sendable, Codable {
        /// A number, or a multiple of the batch.
        case fixed(constant: Int, batchFactor: Int)
        /// The input's own size on this axis.
        case same
        /// What is left (ONNX's −1).
        case rest

        /// A size that is known up to the batch.
        public init(_ dimension: Dimension) { self = .fixed(constant: dimension.constant, batchFactor: dimension.batchFactor) }

        /// The same with a number where it names the batch.
        func closed(batch: Int) -> Size {
            guard case .fixed(let constant, let factor) = self else { return self }
            return .fixed(constant: constant + factor * batch, batchFactor: 0)
        }
    }

    package static let name = "Reshape"
    /// The new sizes.
    public var sizes: [Size]

    /// A reshape to these sizes.
    public init(sizes: [Size]) {
        self.sizes = sizes
    }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        let shape = inputs[0].shape
        let misfit = SpikeletError(.invalidModel, "a value of shape \(shape) cannot be reshaped to [\(summary)]")
        var dimensions: [Dimension?] = []
        for (axis, size) in sizes.enumerated() {
            switch size {
            case .fixed(let constant, let batchFactor): dimensions.append(Dimension(constant, batchFactor: batchFactor))
            case .same:
                guard axis < shape.rank else { throw misfit }
                dimensions.append(shape[axis])
            case .rest: dimensions.append(nil)
            }
        }
        guard let total = shape.count, let known = Shape.product(dimensions.compactMap { $0 }) else { throw misfit }
        if dimensions.contains(nil) {
            guard dimensions.filter({ $0 == nil }).count == 1, let rest = total / known else { throw misfit }
            dimensions = dimensions.map { $0 ?? rest }
        } else if total != known {
            throw misfit
        }
        let sizes = dimensions.compactMap { $0 }
        // Two negative sizes multiply to a number that looks right.
        guard sizes.allSatisfy(\.isSize) else { throw misfit }
        return [ValueType(inputs[0].elementType, Shape(sizes))]
    }

    package func linearity(isConstant: [Bool]) -> Linearity { .linear }

    /// The same with numbers for sizes that name the batch.
    public func closed(batch: Int) -> Reshape { Reshape(sizes: sizes.map { $0.closed(batch: batch) }) }

    package var summary: String {
        sizes.map {
            switch $0 {
            case .fixed(let constant, let batchFactor): Dimension(constant, batchFactor: batchFactor).description
            case .same: "same"
            case .rest: "rest"
            }
        }.joined(separator: ", ")
    }
}

/// Values joined along `axis`.
public struct Concat: OperatorPayload {
    package static let name = "Concat"
    /// The axis along which values are joined; negative counts from the end.
    public var axis: Int

    /// A concatenation along an axis.
    public init(axis: Int) {
        self.axis = axis
    }

    package var arity: ClosedRange<Int> { 1...Int.max }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        var shape = inputs[0].shape
        let position = try Shape.axis(axis, rank: shape.rank)
        for other in inputs.dropFirst() {
            var expected = shape
            guard other.shape.rank == shape.rank, other.elementType == inputs[0].elementType else {
                throw SpikeletError(.invalidModel, "\(inputs[0]) and \(other) cannot be joined")
            }
            expected.dimensions[position] = other.shape[position]
            guard expected == other.shape else {
                throw SpikeletError(.invalidModel, "shapes \(shape) and \(other.shape) cannot be joined along axis \(axis)")
            }
            guard shape[position].isSize, other.shape[position].isSize else {
                throw SpikeletError(.invalidModel, "shapes \(shape) and \(other.shape) are too large to be joined")
            }
            shape.dimensions[position] = shape[position] + other.shape[position]
        }
        return [ValueType(inputs[0].elementType, shape)]
    }

    package func linearity(isConstant: [Bool]) -> Linearity { isConstant.contains(true) ? .affine : .linear }

    /// Any of them.
    package var additiveInputs: [Int] { Array(0..<1024) }

    package var summary: String { "axis \(axis)" }
}
