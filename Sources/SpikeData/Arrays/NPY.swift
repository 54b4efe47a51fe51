import SpikeFiles
public import SpikeGraph

/// NumPy's file format for one array, `.npy`: versions 1 to 3, numbers and bools of either byte order and either memory order.
///
/// Source: NumPy Enhancement Proposal 1 and the documentation of `numpy.lib.format`.
public enum NPY {
    /// Reads the array in a file.
    ///
    /// - Throws: ``SpikeletError``: `fileSystem`, or `malformedFile` for anything else than one whole array of numbers.
    public static func read(_ path: String) throws -> NumericArray {
        try array(ByteSource(path: path))
    }

    /// Reads the array in the bytes of a file.
    ///
    /// - Parameter name: the file's name, for messages.
    public static func read(bytes: [UInt8], name: String = "array.npy") throws -> NumericArray {
        let header = try NPYHeader(ByteSource(bytes, name: name))
        return array(header, bytes, from: header.dataOffset)
    }

    /// Writes a tensor as `.npy` (version 1, little-endian). The file appears whole or not at all.
    ///
    /// - Throws: ``SpikeletError`` (`fileSystem`).
    public static func write(_ tensor: Tensor, to path: String) throws {
        try AtomicFile.write(to: path) { file in
            try file.write(NPYHeader.encoded(tensor.elementType, shape: tensor.shape))
            try tensor.withUnsafeBytes { try file.write($0) }
        }
    }

    private static func array(_ source: ByteSource) throws -> NumericArray {
        let header = try NPYHeader(source)
        return array(header, try source.bytes(at: header.dataOffset, count: source.count - header.dataOffset), from: 0)
    }

    /// - Parameter start: where in `bytes` the values begin.
    private static func array(_ header: NPYHeader, _ bytes: [UInt8], from start: Int) -> NumericArray {
        var bytes = bytes
        if header.isBigEndian { swapBytes(&bytes, from: start, elementSize: header.elementType.size) }
        let values =
            header.isFortranOrder ? rowMajor(bytes[start...], shape: header.shape, elementSize: header.elementType.size) : bytes[start...]
        return NumericArray(header.elementType, shape: header.shape, bytes: values)
    }

    /// Column-major (the first axis varies fastest) to row-major.
    private static func rowMajor(_ bytes: ArraySlice<UInt8>, shape: [Int], elementSize: Int) -> ArraySlice<UInt8> {
        guard shape.count > 1, !bytes.isEmpty else { return bytes }
        var strides = [elementSize]
        for size in shape.dropLast() { strides.append(strides[strides.count - 1] * size) }
        var index = [Int](repeating: 0, count: shape.count)
        var source = 0
        return bytes.withUnsafeBytes { input in
            ArraySlice(
                [UInt8](unsafeUninitializedCapacity: bytes.count) { output, initialized in
                    for place in stride(from: 0, to: bytes.count, by: elementSize) {
                        for offset in 0..<elementSize { output.initializeElement(at: place + offset, to: input[source + offset]) }
                        // Count like an odometer: the last axis first.
                        for axis in shape.indices.reversed() {
                            index[axis] += 1
                            source += strides[axis]
                            guard index[axis] == shape[axis] else { break }
                            source -= strides[axis] * shape[axis]
                            index[axis] = 0
                        }
                    }
                    initialized = bytes.count
                })
        }
    }
}
