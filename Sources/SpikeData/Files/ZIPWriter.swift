import SpikeFiles
import SpikeGraph

/// Writes ZIP files without ZIP64: up to 4 GiB. The same contents give the same bytes, whenever they are written.
struct ZIPWriter {
    private let file: OpenFile
    private let path: String
    private var directory: [UInt8] = []
    private var count: UInt16 = 0
    private var position = 0

    init(_ file: OpenFile, path: String) {
        self.file = file
        self.path = path
    }

    /// Adds an entry that holds the concatenation of `parts`.
    mutating func add(_ name: String, _ parts: [UnsafeRawBufferPointer], isCompressed: Bool) throws {
        let size = parts.reduce(0) { $0 + $1.count }
        guard position + size < Int(UInt32.max), count < .max else { throw tooLarge }
        let checksum = ZIP.checksum(parts)
        let compressed: [UInt8]?
        do {
            compressed = isCompressed ? try Deflate.deflate(parts) : nil
        } catch {
            throw SpikeletError(.fileSystem, "cannot compress '\(name)': out of memory", at: path, remedy: "write it uncompressed")
        }
        let storedSize = compressed?.count ?? size
        guard position + storedSize + directory.count < Int(UInt32.max) - 0x2_0000 else { throw tooLarge }

        // What the local header and the directory share: version 2.0, names in UTF-8, method, 1 January 1980, checksum, sizes.
        var common: [UInt8] = []
        common.append(20 as UInt16)
        common.append(0x0800 as UInt16)
        common.append(isCompressed ? 8 : 0 as UInt16)
        common.append(0 as UInt16)
        common.append(0x21 as UInt16)
        common.append(checksum)
        common.append(UInt32(storedSize))
        common.append(UInt32(size))
        let nameBytes = Array(name.utf8)
        common.append(UInt16(nameBytes.count))
        common.append(0 as UInt16)

        var header: [UInt8] = []
        header.append(0x0403_4B50 as UInt32)
        header += common + nameBytes
        try file.write(header)
        if let compressed { try file.write(compressed) } else { for part in parts { try file.write(part) } }

        directory.append(0x0201_4B50 as UInt32)
        directory.append(20 as UInt16)
        directory += common
        directory += [UInt8](repeating: 0, count: 10)
        directory.append(UInt32(position))
        directory += nameBytes
        position += header.count + storedSize
        count += 1
    }

    /// Writes the directory. Nothing can be added afterwards.
    func finish() throws {
        var end = directory
        end.append(0x0605_4B50 as UInt32)
        end.append(0 as UInt32)
        end.append(count)
        end.append(count)
        end.append(UInt32(directory.count))
        end.append(UInt32(position))
        end.append(0 as UInt16)
        try file.write(end)
    }

    private var tooLarge: SpikeletError {
        SpikeletError(
            .fileSystem, "an archive cannot become larger than 4 GiB", at: path,
            remedy: "write fewer arrays or samples, or an .npy file for each array")
    }
}

extension [UInt8] {
    /// Appends a number, little-endian.
    fileprivate mutating func append<T: FixedWidthInteger>(_ number: T) {
        Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
    }
}
