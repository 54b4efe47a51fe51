internal import Foundation
internal import SpikeFiles
internal import SpikeGraph

/// Turns ONNX's tensors into ours: float16, bfloat16 and float64 become float32, narrow integers int64.
final class TensorReader {
    /// No axis may be longer; products of two sizes stay far from overflow.
    static let axisLimit = Int64(Int32.max)
    /// Weights of fewer bytes are read rather than mapped: a mapping is a few pages of the system's own.
    private static let mappingLimit = 1 << 16
    private let external: ExternalData
    /// The bytes read or mapped from other files than the model's.
    private(set) var externalBytes = 0

    /// - Parameter folder: where external data lies.
    init(folder: URL) {
        external = ExternalData(folder: folder)
    }

    /// - Parameter place: where `raw_data` lies, if it is not in the message.
    /// - Throws: ``SpikeletError`` where type, shape and data do not go together. Shapes are compared with the bytes that
    ///   are there before memory is asked for.
    func read(_ proto: ONNXTensorProto, at place: FilePart? = nil, named name: String) throws -> Tensor {
        do {
            return try read(proto, place)
        } catch let error as SpikeletError {
            throw error.located("tensor '\(name)'")
        }
    }

    private func read(_ proto: ONNXTensorProto, _ place: FilePart?) throws -> Tensor {
        let (shape, count) = try shape(of: proto)
        guard !proto.hasSegment else {
            throw SpikeletError(
                .unsupported, "its data is split into segments", remedy: "save the model again with a current version of onnx")
        }
        switch proto.dataType {
        case .float: return try floats(proto, place, count, shape)
        case .float16: return Tensor(try narrow(proto, place, count) { Float(halfBits: $0) }, shape: shape)
        case .bfloat16: return Tensor(try narrow(proto, place, count) { Float(bitPattern: UInt32($0) << 16) }, shape: shape)
        case .double: return Tensor(try values(proto, place, count, Double.self, typed: proto.doubleData).map { Float($0) }, shape: shape)
        case .int64: return Tensor(try values(proto, place, count, Int64.self, typed: proto.int64Data), shape: shape)
        case .int32: return Tensor(try values(proto, place, count, Int32.self, typed: proto.int32Data).map { Int64($0) }, shape: shape)
        case .int8: return try integers(proto, place, count, Int8.self, shape)
        case .uint8: return try integers(proto, place, count, UInt8.self, shape)
        case .int16: return try integers(proto, place, count, Int16.self, shape)
        case .uint16: return try integers(proto, place, count, UInt16.self, shape)
        case .bool: return Tensor(try booleans(proto, place, count), shape: shape)
        default:
            throw SpikeletError(
                .unsupported,
                "its element type is \(proto.dataType.label); float32, float16, bfloat16, float64, bool and integers of 8 to 64 bits are read",
                remedy: "export the model in float32")
        }
    }

    /// The sizes, and their product.
    private func shape(of proto: ONNXTensorProto) throws -> (shape: [Int], count: Int) {
        let shape = proto.dims.map { Int($0) }
        guard shape.count <= 64, shape.allSatisfy({ $0 <= Self.axisLimit }), let count = Shape.count(of: shape), count <= 1 << 40 else {
            throw SpikeletError(
                .malformedFile, "its shape \(proto.dims.prefix(64)) is impossible", remedy: "the file is damaged: export the model again")
        }
        return (shape, count)
    }

    /// Large external weights stay in their file, mapped into memory.
    private func floats(_ proto: ONNXTensorProto, _ place: FilePart?, _ count: Int, _ shape: [Int]) throws -> Tensor {
        let byteCount = count * MemoryLayout<Float>.size
        if proto.dataLocation == .external, byteCount >= Self.mappingLimit {
            let (file, offset) = try external.place(of: proto, byteCount: byteCount)
            if let mapped = try file.mappedFloats(at: offset, count: count) {
                externalBytes += byteCount
                return Tensor(borrowing: mapped, shape: shape)
            }
        }
        return Tensor(try values(proto, place, count, Float.self, typed: proto.floatData), shape: shape)
    }

    /// Narrow integers: in `raw_data`, or one in each `int32_data`.
    private func integers<Integer: FixedWidthInteger & BitwiseCopyable>(
        _ proto: ONNXTensorProto, _ place: FilePart?, _ count: Int, _: Integer.Type, _ shape: [Int]
    ) throws -> Tensor {
        let values = try values(
            proto, place, count, Integer.self, typed: proto.int32Data.map { Integer(truncatingIfNeeded: $0) })
        return Tensor(values.map { Int64($0) }, shape: shape)
    }

    /// 16-bit floats: in `raw_data`, or one in each `int32_data`.
    private func narrow(_ proto: ONNXTensorProto, _ place: FilePart?, _ count: Int, _ convert: (UInt16) -> Float) throws -> [Float] {
        try values(proto, place, count, UInt16.self, typed: proto.int32Data.map { UInt16(truncatingIfNeeded: $0) }).map(convert)
    }

    private func booleans(_ proto: ONNXTensorProto, _ place: FilePart?, _ count: Int) throws -> [Bool] {
        try values(proto, place, count, UInt8.self, typed: proto.int32Data.map { $0 == 0 ? 0 : 1 }).map { $0 != 0 }
    }

    /// `count` values from wherever they are: an external file, `raw_data` (little-endian) in a file or in the message,
    /// or the typed field.
    private func values<Value: BitwiseCopyable>(
        _ proto: ONNXTensorProto, _ place: FilePart?, _ count: Int, _: Value.Type, typed: @autoclosure () -> [Value]
    ) throws -> [Value] {
        let byteCount = count * MemoryLayout<Value>.size
        if proto.dataLocation == .external {
            let (file, offset) = try external.place(of: proto, byteCount: byteCount)
            externalBytes += byteCount
            return try file.values(at: offset, count: count, as: Value.self)
        }
        if let place {
            guard place.range.count == byteCount else {
                throw misfit(proto, needed: "\(byteCount) bytes", found: "\(place.range.count)")
            }
            return try place.source.values(at: place.range.lowerBound, count: count, as: Value.self)
        }
        if !proto.rawData.isEmpty {
            guard proto.rawData.count == byteCount else {
                throw misfit(proto, needed: "\(byteCount) bytes", found: "\(proto.rawData.count)")
            }
            return [Value](unsafeUninitializedCapacity: count) { buffer, initialized in
                _ = proto.rawData.copyBytes(to: buffer)
                initialized = count
            }
        }
        let typed = typed()
        guard typed.count == count else { throw misfit(proto, needed: "\(count) values", found: "\(typed.count)") }
        return typed
    }

    private func misfit(_ proto: ONNXTensorProto, needed: String, found: String) -> SpikeletError {
        SpikeletError(
            .malformedFile, "its shape \(proto.dims) of \(proto.dataType.label) needs \(needed), the file holds \(found)",
            remedy: "the file is damaged: export or download the model again")
    }
}

extension ONNXTensorProto.DataType {
    /// The bytes of an element; `nil` of types that have none of their own.
    var byteWidth: Int? {
        switch self {
        case .int8, .uint8, .bool: 1
        case .float16, .bfloat16, .int16, .uint16: 2
        case .float, .int32, .uint32: 4
        case .double, .int64, .uint64: 8
        default: nil
        }
    }

    /// The type's name as ONNX writes it.
    var label: String {
        if case .UNRECOGNIZED(let number) = self { return "type \(number)" }
        return "\(self)".lowercased()
    }
}
