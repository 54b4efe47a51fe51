/// The element types that graphs compute with. Other types in files (float16, float64, …) are converted on reading.
public enum ElementType: String, Codable, Hashable, Sendable, CaseIterable {
    /// 32-bit floating point, 64-bit whole numbers, truth values.
    case float32, int64, bool
}

/// A dense array of numbers in row-major order (the last axis varies fastest). Activations are `[N, C, …]`.
public struct Tensor: Sendable, Equatable {
    /// The numbers, in the type that they have.
    public enum Storage: Sendable, Equatable {
        /// Floating-point numbers.
        case float32([Float])
        /// Whole numbers.
        case int64([Int64])
        /// Truth values.
        case bool([Bool])
    }

    /// Where the values are: in an array of its own, or in memory that somebody else keeps.
    private enum Contents: Sendable {
        case array(Storage)
        case borrowed(BorrowedFloats)
    }

    /// The size of each axis.
    public let shape: [Int]
    private let contents: Contents

    /// The values, as an array. Of a tensor that borrows them it is a copy: see ``withFloats(_:)``.
    public var storage: Storage {
        switch contents {
        case .array(let storage): storage
        case .borrowed(let floats): .float32(Array(floats.values))
        }
    }

    /// - Precondition: `values` are exactly as many as the product of `shape`.
    public init(_ values: [Float], shape: [Int]) {
        self.init(storage: .float32(values), shape: shape)
    }

    /// - Precondition: `values` are exactly as many as the product of `shape`.
    public init(_ values: [Int64], shape: [Int]) {
        self.init(storage: .int64(values), shape: shape)
    }

    /// - Precondition: `values` are exactly as many as the product of `shape`.
    public init(_ values: [Bool], shape: [Int]) {
        self.init(storage: .bool(values), shape: shape)
    }

    /// A tensor of any type.
    ///
    /// - Precondition: there are exactly as many values as the product of `shape`, whose sizes are none below 0.
    public init(storage: Storage, shape: [Int]) {
        self.shape = shape
        contents = .array(storage)
        requirePlaces(shape)
    }

    /// A float32 tensor whose numbers stay where they are: in a NumPy array, in a file that is mapped into memory.
    ///
    /// - Parameters:
    ///   - values: exactly as many as the product of `shape`, in row-major order. Nobody may change them as long as the tensor, or a
    ///     tensor made of it, lives.
    ///   - owner: keeps the memory; it is let go with the last such tensor.
    /// - Precondition: `values` are exactly as many as the product of `shape`.
    public init(borrowing values: UnsafeBufferPointer<Float>, shape: [Int], owner: any Sendable) {
        self.init(borrowing: BorrowedFloats(values, owner: owner), shape: shape)
    }

    package init(borrowing values: BorrowedFloats, shape: [Int]) {
        self.init(.borrowed(values), shape: shape)
        requirePlaces(shape)
    }

    private init(_ contents: Contents, shape: [Int]) {
        self.shape = shape
        self.contents = contents
    }

    /// The same number everywhere.
    ///
    /// - Precondition: the sizes are none below 0, and their product can be counted.
    public init(repeating value: Float, shape: [Int]) {
        guard let count = Shape.count(of: shape) else { preconditionFailure("\(shape) is no shape of a tensor") }
        self.init([Float](repeating: value, count: count), shape: shape)
    }

    private func requirePlaces(_ shape: [Int]) {
        precondition(Shape.count(of: shape) == count, "a tensor of shape \(shape) needs as many values as its shape has places")
    }

    /// A rank-0 tensor.
    public init(scalar value: Float) {
        self.init([value], shape: [])
    }

    /// The number of elements.
    public var count: Int {
        switch contents {
        case .array(.float32(let values)): values.count
        case .array(.int64(let values)): values.count
        case .array(.bool(let values)): values.count
        case .borrowed(let floats): floats.values.count
        }
    }

    /// The number of axes.
    public var rank: Int { shape.count }

    /// The type of its elements.
    public var elementType: ElementType {
        switch contents {
        case .array(.float32), .borrowed: .float32
        case .array(.int64): .int64
        case .array(.bool): .bool
        }
    }

    /// The values of a float32 tensor. Asking another type for them is a programmer's error: types are inferred and
    /// verified before anything runs.
    public var floats: [Float] {
        guard case .float32(let values) = storage else { preconditionFailure("\(elementType) tensor read as float32") }
        return values
    }

    /// Calls `body` with the values of a float32 tensor, where they are: no copy is made. See ``floats``.
    public func withFloats<Result>(_ body: (UnsafeBufferPointer<Float>) throws -> Result) rethrows -> Result {
        switch contents {
        case .borrowed(let floats): try withExtendedLifetime(floats) { try body(floats.values) }
        case .array: try floats.withUnsafeBufferPointer(body)
        }
    }

    /// The values of an int64 tensor. See ``floats``.
    public var integers: [Int64] {
        guard case .int64(let values) = storage else { preconditionFailure("\(elementType) tensor read as int64") }
        return values
    }

    /// The values of a bool tensor. See ``floats``.
    public var booleans: [Bool] {
        guard case .bool(let values) = storage else { preconditionFailure("\(elementType) tensor read as bool") }
        return values
    }

    /// The same values under another shape.
    ///
    /// - Precondition: it has as many places.
    public func reshaped(to shape: [Int]) -> Tensor {
        requirePlaces(shape)
        return Tensor(contents, shape: shape)
    }

    /// Samples `range` of the first axis.
    ///
    /// - Precondition: the tensor has such an axis, and it has all of these.
    public func samples(_ range: Range<Int>) -> Tensor {
        precondition(range.lowerBound >= 0 && range.upperBound <= shape.first ?? 0, "samples \(range) of a tensor of shape \(shape)")
        let size = shape.dropFirst().reduce(1, *)
        let bounds = range.lowerBound * size..<range.upperBound * size
        let part = [range.count] + shape.dropFirst()
        if case .borrowed(let floats) = contents {
            let values = UnsafeBufferPointer(rebasing: floats.values[bounds])
            let firstNonFinite = floats.firstNonFinite == nil ? nil : values.firstNonFinite
            return Tensor(borrowing: BorrowedFloats(values, firstNonFinite: firstNonFinite, owner: floats), shape: part)
        }
        return switch elementType {
        case .float32: Tensor(withFloats { Array($0[bounds]) }, shape: part)
        case .int64: Tensor(Array(integers[bounds]), shape: part)
        case .bool: Tensor(Array(booleans[bounds]), shape: part)
        }
    }

    /// Tensors of one type joined along the first axis.
    ///
    /// - Precondition: there is at least one; where there are several, all have a first axis, and the same sizes behind it.
    public static func joined(_ parts: [Tensor]) -> Tensor {
        guard let first = parts.first, first.rank > 0 || parts.count == 1 else {
            preconditionFailure("nothing to join: \(parts.count) tensors of rank 0")
        }
        if parts.count == 1 { return first }
        let misfit = parts.first { $0.rank != first.rank || $0.shape.dropFirst() != first.shape.dropFirst() }
        precondition(misfit == nil, "a tensor of shape \(misfit?.shape ?? []) joined to one of shape \(first.shape)")
        let samples = parts.reduce(0) { $0 + $1.shape[0] }
        let shape = [samples] + first.shape.dropFirst()
        return switch first.elementType {
        case .float32: Tensor(parts.flatMap(\.floats), shape: shape)
        case .int64: Tensor(parts.flatMap(\.integers), shape: shape)
        case .bool: Tensor(parts.flatMap(\.booleans), shape: shape)
        }
    }

    /// Elementwise map of a float32 tensor.
    @inlinable
    public func map(_ transform: (Float) -> Float) -> Tensor {
        Tensor(floats.map(transform), shape: shape)
    }

    /// The flat position of the first NaN or infinity, if any.
    public var firstNonFinite: Int? {
        guard elementType == .float32 else { return nil }
        if case .borrowed(let floats) = contents { return floats.firstNonFinite }
        return withFloats(\.firstNonFinite)
    }
}

extension UnsafeBufferPointer<Float> {
    /// The position of the first NaN or infinity, if any.
    package var firstNonFinite: Int? {
        // x·0 is NaN exactly for NaN and ±∞, so that one sum decides the ordinary case.
        reduce(Float(0)) { $0 + $1 * 0 }.isNaN ? firstIndex { !$0.isFinite } : nil
    }
}

extension Tensor {
    public static func == (one: Tensor, other: Tensor) -> Bool {
        one.shape == other.shape && one.storage == other.storage
    }
}

/// Numbers that lie in memory which somebody else keeps.
package final class BorrowedFloats: @unchecked Sendable {
    /// Nobody changes them.
    package let values: UnsafeBufferPointer<Float>
    /// The position of the first NaN or infinity, if any. They are looked through once: they may be more than the memory holds.
    package let firstNonFinite: Int?
    /// Keeps the memory as long as it lives.
    private let owner: any Sendable

    convenience init(_ values: UnsafeBufferPointer<Float>, owner: any Sendable) {
        self.init(values, firstNonFinite: values.firstNonFinite, owner: owner)
    }

    package init(_ values: UnsafeBufferPointer<Float>, firstNonFinite: Int?, owner: any Sendable) {
        self.values = values
        self.firstNonFinite = firstNonFinite
        self.owner = owner
    }
}
