import CSpikelet
import Spikelet

/// Arrays that a call gave, where C can read them.
final class ArraysBox {
    private var arrays: [spikelet_array] = []
    private var memory: [UnsafeMutableRawPointer] = []

    init(_ tensors: [(name: String, tensor: Tensor)]) {
        for (name, tensor) in tensors { add(name, tensor) }
    }

    deinit { for place in memory { place.deallocate() } }

    var count: Int { arrays.count }

    func array(_ index: Int) -> spikelet_array? { arrays.indices.contains(index) ? arrays[index] : nil }

    private func add(_ name: String, _ tensor: Tensor) {
        let type: spikelet_type
        let values: UnsafeMutableRawPointer
        switch tensor.elementType {
        case .float32:
            type = SPIKELET_FLOAT32
            values = tensor.withFloats { place(of: $0) }
        case .int64:
            type = SPIKELET_INT64
            values = tensor.integers.withUnsafeBufferPointer { place(of: $0) }
        case .bool:
            type = SPIKELET_BOOL
            values = tensor.booleans.map { UInt8($0 ? 1 : 0) }.withUnsafeBufferPointer { place(of: $0) }
        }
        let shape = tensor.shape.map { Int64($0) }.withUnsafeBufferPointer { place(of: $0) }
        let text = Array(name.utf8CString).withUnsafeBufferPointer { place(of: $0) }
        arrays.append(
            spikelet_array(
                name: UnsafePointer(text.assumingMemoryBound(to: CChar.self)), type: type, rank: Int32(tensor.rank),
                shape: UnsafePointer(shape.assumingMemoryBound(to: Int64.self)), values: UnsafeRawPointer(values)))
    }

    /// A copy, which goes with the box.
    private func place<Value>(of values: UnsafeBufferPointer<Value>) -> UnsafeMutableRawPointer {
        let bytes = UnsafeRawBufferPointer(values)
        let copy = UnsafeMutableRawPointer.allocate(byteCount: max(1, bytes.count), alignment: 64)
        if let start = bytes.baseAddress { copy.copyMemory(from: start, byteCount: bytes.count) }
        memory.append(copy)
        return copy
    }
}

extension spikelet_array {
    /// - Throws: ``SpikeletError`` (`invalidOption`) for a shape that is none.
    func checkedShape(_ what: String) throws -> [Int] {
        guard rank >= 0, rank <= 64, rank == 0 || shape != nil else {
            throw SpikeletError(.invalidOption, "\(what) has \(rank) axes and \(shape == nil ? "no shape" : "a shape")")
        }
        let sizes = (0..<Int(rank)).map { Int(shape[$0]) }
        guard let count = Shape.count(of: sizes), count == 0 || values != nil else {
            throw SpikeletError(.invalidOption, "\(what) of shape \(sizes) has no values")
        }
        return sizes
    }

    /// The values, where they are, as a network's input of some type.
    ///
    /// - Parameter scalesBytes: whether bytes become 0…1 by 1/255.
    func tensor(_ what: String, as wanted: ElementType, scalesBytes: Bool = true) throws -> Tensor {
        let shape = try checkedShape(what)
        let count = shape.reduce(1, *)
        func values<Value>(_ type: Value.Type) -> UnsafeBufferPointer<Value> {
            UnsafeBufferPointer(start: count == 0 ? nil : self.values.assumingMemoryBound(to: type), count: count)
        }
        switch (type, wanted) {
        case (SPIKELET_FLOAT32, .float32): return Tensor(borrowing: values(Float.self), shape: shape, owner: 0)
        case (SPIKELET_UINT8, .float32):
            return Tensor(values(UInt8.self).map { scalesBytes ? Float($0) / 255 : Float($0) }, shape: shape)
        case (SPIKELET_INT64, .float32): return Tensor(values(Int64.self).map { Float($0) }, shape: shape)
        case (SPIKELET_BOOL, .float32): return Tensor(values(UInt8.self).map { Float($0 == 0 ? 0 : 1) }, shape: shape)
        case (SPIKELET_INT64, .int64): return Tensor(Array(values(Int64.self)), shape: shape)
        case (SPIKELET_UINT8, .int64), (SPIKELET_BOOL, .int64): return Tensor(values(UInt8.self).map { Int64($0) }, shape: shape)
        case (SPIKELET_BOOL, .bool): return Tensor(values(UInt8.self).map { $0 != 0 }, shape: shape)
        default:
            throw SpikeletError(
                .invalidData, "\(what) is \(typeName), the network takes \(wanted.rawValue)", remedy: "cast it to \(wanted.rawValue)")
        }
    }

    /// A copy of the values in their own type.
    func numbers(_ what: String) throws -> NumericArray {
        let shape = try checkedShape(what)
        let (kind, size): (NumericType, Int) =
            switch type {
            case SPIKELET_FLOAT32: (.float32, 4)
            case SPIKELET_INT64: (.int64, 8)
            case SPIKELET_BOOL: (.bool, 1)
            case SPIKELET_UINT8: (.uint8, 1)
            default: throw SpikeletError(.invalidOption, "\(what) has the type \(type.rawValue), which there is none of")
            }
        let bytes = UnsafeRawBufferPointer(start: values, count: shape.reduce(1, *) * size)
        return NumericArray(kind, shape: shape, bytes: Array(bytes)[...])
    }

    private var typeName: String {
        switch type {
        case SPIKELET_FLOAT32: "float32"
        case SPIKELET_UINT8: "uint8"
        case SPIKELET_INT64: "int64"
        case SPIKELET_BOOL: "bool"
        default: "of type \(type.rawValue)"
        }
    }
}

extension Graph {
    /// A network's inputs, where they are; bytes become 0…1 by 1/255 but where `scalesBytes` is false.
    ///
    /// - Throws: ``SpikeletError`` (`invalidData`) where they are not as many, or of other types.
    func tensors(_ arrays: UnsafePointer<spikelet_array>?, _ count: Int32, scalesBytes: Bool = true) throws -> [Tensor] {
        let names = inputs.map { "'\($0.name)'" }.joined(separator: ", ")
        guard count == inputs.count, let arrays else {
            throw SpikeletError(
                .invalidData, "\(count) inputs for a network of \(inputs.count)", remedy: "give an array for each, in this order: \(names)")
        }
        return try inputs.enumerated().map {
            try arrays[$0].tensor("input '\($1.name)'", as: $1.type.elementType, scalesBytes: scalesBytes)
        }
    }
}

@_cdecl("spikelet_arrays_count")
public func spikeletArraysCount(_ arrays: OpaquePointer?) -> Int64 {
    ((try? Door.object(arrays, "arrays", as: ArraysBox.self))?.count).map { Int64($0) } ?? 0
}

@_cdecl("spikelet_arrays_at")
public func spikeletArraysAt(_ arrays: OpaquePointer?, _ index: Int64, _ place: UnsafeMutableRawPointer?) -> Int32 {
    Door.status {
        let box = try Door.object(arrays, "arrays", as: ArraysBox.self)
        guard let array = box.array(Int(index)) else {
            throw SpikeletError(.invalidOption, "there is no array \(index) of \(box.count)", remedy: "they are counted from 0")
        }
        guard let place else { throw Door.missing("array") }
        place.assumingMemoryBound(to: spikelet_array.self).pointee = array
    }
}
