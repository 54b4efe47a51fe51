/// A size that may depend on the batch: `constant + batchFactor · N`.
///
/// Exporters leave the batch open, and compute with it (`x.view(x.size(0), -1)`); this little arithmetic is all that
/// shape computations of feed-forward networks need. A result outside it is `nil`, never a guess.
public struct Dimension: Hashable, Sendable, ExpressibleByIntegerLiteral, CustomStringConvertible {
    public let constant: Int
    public let batchFactor: Int

    public init(_ constant: Int, batchFactor: Int = 0) {
        self.constant = constant
        self.batchFactor = batchFactor
    }

    public init(integerLiteral value: Int) {
        self.init(value)
    }

    /// The open batch size N.
    public static let batch = Dimension(0, batchFactor: 1)

    /// The number, where it does not depend on the batch.
    public var known: Int? { batchFactor == 0 ? constant : nil }

    /// The number at batch size `batch`.
    public func resolved(batch: Int) -> Int { constant + batchFactor * batch }

    public static func + (a: Dimension, b: Dimension) -> Dimension {
        Dimension(a.constant + b.constant, batchFactor: a.batchFactor + b.batchFactor)
    }

    public static func - (a: Dimension, b: Dimension) -> Dimension {
        Dimension(a.constant - b.constant, batchFactor: a.batchFactor - b.batchFactor)
    }

    /// `nil` for a product of two open sizes, and where the number would overflow.
    public static func * (a: Dimension, b: Dimension) -> Dimension? {
        guard a.batchFactor == 0 || b.batchFactor == 0 else { return nil }
        let (constant, overflow0) = a.constant.multipliedReportingOverflow(by: b.constant)
        let (factor1, overflow1) = a.constant.multipliedReportingOverflow(by: b.batchFactor)
        let (factor2, overflow2) = b.constant.multipliedReportingOverflow(by: a.batchFactor)
        guard !overflow0, !overflow1, !overflow2 else { return nil }
        return Dimension(constant, batchFactor: factor1 + factor2)
    }

    /// The exact quotient; `nil` where there is a remainder for some batch size.
    public static func / (a: Dimension, b: Dimension) -> Dimension? {
        if a.constant == 0, b.constant == 0, b.batchFactor > 0, a.batchFactor % b.batchFactor == 0 {
            return Dimension(a.batchFactor / b.batchFactor)
        }
        guard let divisor = b.known, divisor > 0, a.constant % divisor == 0, a.batchFactor % divisor == 0 else { return nil }
        return Dimension(a.constant / divisor, batchFactor: a.batchFactor / divisor)
    }

    public var description: String {
        switch (batchFactor, constant) {
        case (0, _): "\(constant)"
        case (1, 0): "N"
        case (_, 0): "\(batchFactor)N"
        default: "\(batchFactor == 1 ? "" : "\(batchFactor)")N\(constant < 0 ? "-" : "+")\(constant.magnitude)"
        }
    }
}

/// The sizes of a value's axes; the batch may be open.
public struct Shape: Hashable, Sendable, ExpressibleByArrayLiteral, CustomStringConvertible {
    public var dimensions: [Dimension]

    public init(_ dimensions: [Dimension]) {
        self.dimensions = dimensions
    }

    public init(_ sizes: [Int]) {
        self.dimensions = sizes.map { Dimension($0) }
    }

    public init(arrayLiteral elements: Dimension...) {
        self.dimensions = elements
    }

    public var rank: Int { dimensions.count }

    public subscript(axis: Int) -> Dimension { dimensions[axis] }

    /// Concrete sizes at batch size `batch`.
    public func resolved(batch: Int) -> [Int] { dimensions.map { $0.resolved(batch: batch) } }

    /// The sizes, where none depends on the batch.
    public var known: [Int]? {
        let sizes = dimensions.compactMap(\.known)
        return sizes.count == rank ? sizes : nil
    }

    /// The number of elements; `nil` outside ``Dimension``'s arithmetic.
    public var count: Dimension? { Self.product(dimensions) }

    static func product(_ dimensions: some Sequence<Dimension>) -> Dimension? {
        var product: Dimension? = 1
        for dimension in dimensions { product = product.flatMap { $0 * dimension } }
        return product
    }

    public var description: String {
        "[" + dimensions.map(\.description).joined(separator: ", ") + "]"
    }

    /// `axis` counted from the front: negative axes count from the end, as in ONNX.
    public static func axis(_ axis: Int, rank: Int) throws -> Int {
        let position = axis < 0 ? axis + rank : axis
        guard position >= 0, position < max(rank, 1) else {
            throw SpikeletError(.invalidModel, "axis \(axis) does not exist in \(rank) dimensions")
        }
        return position
    }

    /// NumPy's broadcasting of two shapes.
    public func broadcast(with other: Shape) throws -> Shape {
        let length = max(rank, other.rank)
        func padded(_ shape: Shape) -> [Dimension] { [Dimension](repeating: 1, count: length - shape.rank) + shape.dimensions }
        return try Shape(
            zip(padded(self), padded(other)).map { a, b in
                if a == b || b == 1 { return a }
                if a == 1 { return b }
                throw SpikeletError(.invalidModel, "shapes \(self) and \(other) cannot be broadcast together")
            })
    }
}

/// What is known of a value before anything runs: element type and shape.
public struct ValueType: Hashable, Sendable, CustomStringConvertible {
    public var elementType: ElementType
    public var shape: Shape

    public init(_ elementType: ElementType = .float32, _ shape: Shape) {
        self.elementType = elementType
        self.shape = shape
    }

    /// The type of a tensor.
    public init(_ tensor: Tensor) {
        self.init(tensor.elementType, Shape(tensor.shape))
    }

    public var description: String { "\(elementType.rawValue)\(shape)" }
}
