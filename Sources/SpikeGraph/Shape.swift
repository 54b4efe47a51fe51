/// A size that may depend on the batch: `constant + batchFactor · N`.
///
/// Exporters leave the batch open, and compute with it (`x.view(x.size(0), -1)`); this little arithmetic is all that
/// shape computations of feed-forward networks need. A result outside it is `nil`, never a guess.
public struct Dimension: Hashable, Sendable, ExpressibleByIntegerLiteral, CustomStringConvertible {
    /// What does not depend on the batch.
    public let constant: Int
    /// What is multiplied with the batch size.
    public let batchFactor: Int

    /// constant + batchFactor · N.
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
    ///
    /// - Precondition: it fits an `Int`.
    public func resolved(batch: Int) -> Int {
        guard let number = number(batch: batch) else { preconditionFailure("\(self) at a batch of \(batch) is more than can be counted") }
        return number
    }

    /// The number at batch size `batch`; `nil` where it fits no `Int`.
    func number(batch: Int) -> Int? {
        let (product, overflow0) = batchFactor.multipliedReportingOverflow(by: batch)
        let (sum, overflow1) = constant.addingReportingOverflow(product)
        return overflow0 || overflow1 ? nil : sum
    }

    /// - Precondition: both numbers are sizes of a legal graph (see ``isSize``), so that the sum cannot overflow.
    public static func + (a: Dimension, b: Dimension) -> Dimension {
        Dimension(a.constant + b.constant, batchFactor: a.batchFactor + b.batchFactor)
    }

    /// See ``+(_:_:)``.
    public static func - (a: Dimension, b: Dimension) -> Dimension {
        Dimension(a.constant - b.constant, batchFactor: a.batchFactor - b.batchFactor)
    }

    /// Whether this can be the size of an axis: never negative, whatever the batch, and below 2³¹ a sample, which is as far
    /// as dense products count.
    public var isSize: Bool {
        let limit = 1 << 31
        return batchFactor >= 0 && batchFactor < limit && constant > -limit && constant < limit && constant + batchFactor >= 0
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
        // The smallest number has no opposite: a product by −1 says so, a quotient would trap.
        if b == -1 { return a * b }
        guard let divisor = b.known else {
            // Open by open: only a multiple of the whole divisor has a quotient at every batch size.
            guard let quotient = Dimension(a.batchFactor) / Dimension(b.batchFactor), quotient * b == a else { return nil }
            return quotient
        }
        guard divisor != 0, a.constant % divisor == 0, a.batchFactor % divisor == 0 else { return nil }
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
    /// The size of each axis.
    public var dimensions: [Dimension]

    /// A shape whose sizes may depend on the batch.
    public init(_ dimensions: [Dimension]) {
        self.dimensions = dimensions
    }

    /// A shape whose sizes are known.
    public init(_ sizes: [Int]) {
        self.dimensions = sizes.map { Dimension($0) }
    }

    public init(arrayLiteral elements: Dimension...) {
        self.dimensions = elements
    }

    /// The number of axes.
    public var rank: Int { dimensions.count }

    /// The size of an axis.
    ///
    /// - Precondition: `axis` is one of `0 ..< rank`; ``axis(_:rank:)`` checks and counts from the end.
    public subscript(axis: Int) -> Dimension {
        precondition(dimensions.indices.contains(axis), "axis \(axis) of a shape of \(rank) axes")
        return dimensions[axis]
    }

    /// Concrete sizes at batch size `batch`.
    ///
    /// - Precondition: they fit an `Int`.
    public func resolved(batch: Int) -> [Int] { dimensions.map { $0.resolved(batch: batch) } }

    /// The sizes at batch size `batch`; `nil` where one fits no `Int`.
    func sizes(batch: Int) -> [Int]? {
        let sizes = dimensions.compactMap { $0.number(batch: batch) }
        return sizes.count == rank ? sizes : nil
    }

    /// The number of elements of an array of these sizes: what every array, from a file or not, is held against.
    ///
    /// - Parameter elementSize: counts something else than elements, such as their bytes.
    /// - Returns: `nil` where a size is below 0, and where there are more than can be counted. A zero does not hide what stands
    ///   beside it, so that the sizes may be multiplied in any order later.
    package static func count(of sizes: [Int], elementSize: Int = 1) -> Int? {
        var product = elementSize
        for size in sizes {
            guard size >= 0 else { return nil }
            let (next, overflow) = product.multipliedReportingOverflow(by: max(size, 1))
            guard !overflow else { return nil }
            product = next
        }
        return sizes.contains(0) ? 0 : product
    }

    /// The sizes, where none depends on the batch.
    public var known: [Int]? {
        let sizes = dimensions.compactMap(\.known)
        return sizes.count == rank ? sizes : nil
    }

    /// The axis along which samples lie, where it is open: of `[tokens, N, …]` 1.
    package var batchAxis: Int? { dimensions.firstIndex { $0.batchFactor != 0 } }

    /// The number of elements; `nil` outside ``Dimension``'s arithmetic.
    public var count: Dimension? { Self.product(dimensions) }

    /// Whether every axis has a size (see ``Dimension/isSize``), and one sample has fewer than 2³¹ elements.
    package var isLegal: Bool {
        guard dimensions.allSatisfy(\.isSize) else { return false }
        var count = 1
        for size in resolved(batch: 1) {
            // Below 2³¹ by below 2³²: the product does not overflow.
            count *= size
            guard count < 1 << 31 else { return false }
        }
        return true
    }

    static func product(_ dimensions: some Sequence<Dimension>) -> Dimension? {
        var product: Dimension? = 1
        for dimension in dimensions { product = product.flatMap { $0 * dimension } }
        return product
    }

    public var description: String {
        "[" + dimensions.map(\.description).joined(separator: ", ") + "]"
    }

    /// `axis` counted from the front: negative axes count from the end, as in ONNX. A scalar has none.
    public static func axis(_ axis: Int, rank: Int) throws -> Int {
        let position = axis < 0 ? axis + rank : axis
        guard position >= 0, position < rank else {
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
    /// The type of its elements.
    public var elementType: ElementType
    /// Its sizes, some of which may depend on the batch.
    public var shape: Shape

    /// The type of a value.
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
