import SpikeFiles
public import SpikeGraph

/// The element types of array files.
public enum NumericType: String, Sendable, Hashable, CaseIterable {
    /// IEEE 754's numbers of 16, 32 and 64 bits.
    case float16, float32, float64
    /// Whole numbers, with and without a sign.
    case int8, uint8, int16, uint16, int32, uint32, int64, uint64
    /// A byte that is 0 or 1.
    case bool

    /// The bytes of an element.
    public var size: Int {
        switch self {
        case .int8, .uint8, .bool: 1
        case .float16, .int16, .uint16: 2
        case .float32, .int32, .uint32: 4
        case .float64, .int64, .uint64: 8
        }
    }

    /// Whether its numbers have fractions.
    public var isFloatingPoint: Bool { self == .float16 || self == .float32 || self == .float64 }
}

/// What is known of an array before its values are read.
package struct ArrayHead: Equatable, Sendable {
    package var elementType: NumericType
    package var shape: [Int]
}

/// An array as a file holds it: in the file's own element type, so that 60,000 images of bytes stay bytes, and row-major
/// (the last axis varies fastest), whatever the file's order was.
public struct NumericArray: Sendable, Equatable {
    /// The type of every element.
    public let elementType: NumericType
    /// The size of each axis.
    public let shape: [Int]
    /// Little-endian; `count * elementType.size` of them.
    private let bytes: ArraySlice<UInt8>

    package var head: ArrayHead { ArrayHead(elementType: elementType, shape: shape) }

    /// The number of elements.
    public var count: Int { bytes.count / elementType.size }

    /// Values that are in memory, such as the bytes of images.
    ///
    /// - Parameter bytes: little-endian, row-major.
    /// - Precondition: they are as many as the shape needs.
    public init(_ elementType: NumericType, shape: [Int], bytes: ArraySlice<UInt8>) {
        precondition(
            Shape.count(of: shape, elementSize: elementType.size) == bytes.count, "an array needs as many bytes as its shape has places")
        self.elementType = elementType
        self.shape = shape
        self.bytes = bytes
    }

    /// The same values under another shape with as many places.
    package func reshaped(to shape: [Int]) -> NumericArray {
        NumericArray(elementType, shape: shape, bytes: bytes)
    }

    /// Of bytes, the largest, if it is at most `limit`: then they are counts or marks, perhaps, rather than grey levels.
    func largestByte(atMost limit: UInt8) -> UInt8? {
        guard elementType == .uint8, !bytes.contains(where: { $0 > limit }) else { return nil }
        return bytes.max()
    }

    // MARK: Values

    /// All values as float32, rounded where float32 is narrower. Values are not scaled: a byte 255 is 255.
    public func floats() -> [Float] { floats(in: 0..<count) }

    /// The values at flat positions `range` as float32.
    ///
    /// - Precondition: all of them are positions of the array.
    public func floats(in range: Range<Int>) -> [Float] {
        switch elementType {
        case .float16: map(UInt16.self, range) { Float(halfBits: $0) }
        case .float32: map(UInt32.self, range) { Float(bitPattern: $0) }
        case .float64: map(UInt64.self, range) { Float(Double(bitPattern: $0)) }
        case .int8: map(Int8.self, range) { Float($0) }
        case .uint8, .bool: map(UInt8.self, range) { Float($0) }
        case .int16: map(Int16.self, range) { Float($0) }
        case .uint16: map(UInt16.self, range) { Float($0) }
        case .int32: map(Int32.self, range) { Float($0) }
        case .uint32: map(UInt32.self, range) { Float($0) }
        case .int64: map(Int64.self, range) { Float($0) }
        case .uint64: map(UInt64.self, range) { Float($0) }
        }
    }

    /// All values as int64.
    ///
    /// - Throws: ``SpikeletError`` (`invalidData`) for a value that is no whole number, or too large.
    public func integers() throws -> [Int64] {
        let all = 0..<count
        switch elementType {
        case .int8: return map(Int8.self, all) { Int64($0) }
        case .uint8, .bool: return map(UInt8.self, all) { Int64($0) }
        case .int16: return map(Int16.self, all) { Int64($0) }
        case .uint16: return map(UInt16.self, all) { Int64($0) }
        case .int32: return map(Int32.self, all) { Int64($0) }
        case .uint32: return map(UInt32.self, all) { Int64($0) }
        case .int64: return map(Int64.self, all) { $0 }
        case .uint64: return try map(UInt64.self, all) { try whole($0, Int64(exactly: $0)) }
        case .float64: return try map(UInt64.self, all) { try whole(Double(bitPattern: $0), Int64(exactly: Double(bitPattern: $0))) }
        case .float16, .float32: return try floats().map { try whole($0, Int64(exactly: $0)) }
        }
    }

    private func whole(_ value: some CustomStringConvertible, _ integer: Int64?) throws -> Int64 {
        guard let integer else {
            throw SpikeletError(
                .invalidData, "\(value) is not a whole number of 64 bits", remedy: "save the array as integers, as in array.astype('int64')"
            )
        }
        return integer
    }

    /// The array as a tensor: floating point becomes float32, integers become int64, bool stays.
    ///
    /// - Throws: ``SpikeletError`` (`invalidData`) for an unsigned integer of 2⁶³ or more.
    public func tensor() throws -> Tensor {
        switch elementType {
        case .float16, .float32, .float64: Tensor(floats(), shape: shape)
        case .bool: Tensor(map(UInt8.self, 0..<count) { $0 != 0 }, shape: shape)
        default: Tensor(try integers(), shape: shape)
        }
    }

    /// The tensor's numbers in its own type.
    public init(_ tensor: Tensor) {
        let elementType: NumericType =
            switch tensor.elementType {
            case .float32: .float32
            case .int64: .int64
            case .bool: .bool
            }
        self.init(elementType, shape: tensor.shape, bytes: tensor.withUnsafeBytes { ArraySlice($0) })
    }

    /// The bytes of values `range`; an array of bytes is its own.
    func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try bytes.withUnsafeBytes(body)
    }

    private func map<T: FixedWidthInteger, R>(_: T.Type, _ range: Range<Int>, _ transform: (T) throws -> R) rethrows -> [R] {
        // The buffer below checks nothing.
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "values \(range) of an array of \(count)")
        return try bytes.withUnsafeBytes { buffer in
            try [R](unsafeUninitializedCapacity: range.count) { output, initialized in
                for (place, position) in range.enumerated() {
                    let raw = buffer.loadUnaligned(fromByteOffset: position * MemoryLayout<T>.size, as: T.self)
                    output.initializeElement(at: place, to: try transform(T(littleEndian: raw)))
                    initialized = place + 1
                }
            }
        }
    }
}

extension Tensor {
    /// The values as array files hold them: little-endian, row-major.
    func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        switch storage {
        case .float32(let values): try values.withUnsafeBytes(body)
        case .int64(let values): try values.withUnsafeBytes(body)
        case .bool(let values): try values.withUnsafeBytes(body)
        }
    }
}

/// Reverses the bytes of every element: big-endian to little-endian and back.
func swapBytes(_ bytes: inout [UInt8], from start: Int, elementSize: Int) {
    guard elementSize > 1 else { return }
    bytes.withUnsafeMutableBufferPointer { buffer in
        for element in stride(from: start, to: buffer.count, by: elementSize) {
            for offset in 0..<elementSize / 2 {
                buffer.swapAt(element + offset, element + elementSize - 1 - offset)
            }
        }
    }
}
