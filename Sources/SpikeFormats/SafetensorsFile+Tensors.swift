package import SpikeFiles
public import SpikeGraph

extension SafetensorsFile {
    /// The bytes of a tensor of any data type, as they stand in the file.
    ///
    /// - Throws: ``SpikeletError`` where there is no such tensor, or the file cannot be read.
    public func bytes(named name: String) throws -> [UInt8] {
        try values(try existing(name), as: UInt8.self)
    }

    /// Where the bytes of a tensor stand; `nil` where there is none.
    package func part(named name: String) -> FilePart? {
        entry(named: name).map { FilePart(source, dataStart + $0.byteRange.lowerBound..<dataStart + $0.byteRange.upperBound) }
    }

    /// A tensor in one of the types that graphs compute with.
    ///
    /// `F32`, `I64` and `BOOL` come as they are, to the bit. `F16`, `BF16` and `F64` become float32 (`F64` rounded to the
    /// nearest); all other integers become int64.
    ///
    /// - Throws: ``SpikeletError``: `unsupported` for the other types, `malformedFile` for a number that does not fit or a
    ///   truth value that is neither 0 nor 1.
    public func tensor(named name: String) throws -> Tensor {
        let entry = try existing(name)
        switch entry.dataType {
        case .float32: return Tensor(try values(entry, as: Float.self), shape: entry.shape)
        case .float64: return Tensor(try convert(entry, Double.self) { try narrowed($0, entry) }, shape: entry.shape)
        case .float16: return Tensor(try convert(entry, UInt16.self) { Float(halfBits: $0) }, shape: entry.shape)
        case .bfloat16: return Tensor(try convert(entry, UInt16.self) { Float(bitPattern: UInt32($0) << 16) }, shape: entry.shape)
        case .int64: return Tensor(try values(entry, as: Int64.self), shape: entry.shape)
        case .int32: return Tensor(try convert(entry, Int32.self) { Int64($0) }, shape: entry.shape)
        case .int16: return Tensor(try convert(entry, Int16.self) { Int64($0) }, shape: entry.shape)
        case .int8: return Tensor(try convert(entry, Int8.self) { Int64($0) }, shape: entry.shape)
        case .uint64:
            let numbers = try convert(entry, UInt64.self) { number in
                guard let fitting = Int64(exactly: number) else { throw failure(entry, "\(number) does not fit int64") }
                return fitting
            }
            return Tensor(numbers, shape: entry.shape)
        case .uint32: return Tensor(try convert(entry, UInt32.self) { Int64($0) }, shape: entry.shape)
        case .uint16: return Tensor(try convert(entry, UInt16.self) { Int64($0) }, shape: entry.shape)
        case .uint8: return Tensor(try convert(entry, UInt8.self) { Int64($0) }, shape: entry.shape)
        case .bool:
            let truths = try convert(entry, UInt8.self) { byte in
                guard byte <= 1 else { throw failure(entry, "a truth value of \(byte), 0 or 1 is needed") }
                return byte == 1
            }
            return Tensor(truths, shape: entry.shape)
        case .float4, .float6e2m3, .float6e3m2, .float8e5m2, .float8e4m3, .float8e8m0, .complex64:
            throw SpikeletError(
                .unsupported, "data of type \(entry.dataType.rawValue) cannot be computed with", at: "\(source.name): tensor '\(name)'",
                remedy: "write it as F32, F16 or BF16")
        }
    }

    private func existing(_ name: String) throws -> Entry {
        guard let entry = entry(named: name) else {
            let known = entries.prefix(5).map { "'\($0.name)'" }.joined(separator: ", ") + (entries.count > 5 ? ", …" : "")
            throw SpikeletError(
                .invalidData, "there is no tensor '\(name)'", at: source.name,
                remedy: entries.isEmpty ? "the file holds no tensors" : "the file holds \(known)")
        }
        return entry
    }

    private func values<Value: BitwiseCopyable>(_ entry: Entry, as type: Value.Type) throws -> [Value] {
        let count = entry.byteRange.count / MemoryLayout<Value>.size
        return try source.values(at: dataStart + entry.byteRange.lowerBound, count: count, as: type)
    }

    private func convert<Stored: BitwiseCopyable, Value>(
        _ entry: Entry, _ type: Stored.Type, _ transform: (Stored) throws -> Value
    ) throws -> [Value] {
        try values(entry, as: type).map(transform)
    }

    private func failure(_ entry: Entry, _ message: String) -> SpikeletError {
        SpikeletError(
            .malformedFile, message, at: "\(source.name): tensor '\(entry.name)'",
            remedy: "write the tensor in a type that fits its values, or fetch the file again")
    }

    private func narrowed(_ number: Double, _ entry: Entry) throws -> Float {
        let narrow = Float(number)
        guard narrow.isFinite || !number.isFinite else { throw failure(entry, "\(number) does not fit float32") }
        return narrow
    }
}
