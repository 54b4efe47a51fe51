#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif
import SpikeGraph

/// The memory of this machine in bytes. An allocation of more ends the program, so that large claims are held against it first.
let physicalMemory = max(1 << 30, sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)))

/// Bytes to parse: a file that is read piece by piece, or memory. Every access is checked against what is there.
struct ByteSource {
    /// The file's path, for messages.
    let name: String
    let count: Int
    private let storage: Storage

    private enum Storage {
        case file(RawFile)
        case memory([UInt8])
    }

    init(path: String) throws {
        let file = try RawFile(reading: path)
        self.name = path
        self.count = try file.size
        self.storage = .file(file)
    }

    init(_ bytes: [UInt8], name: String) {
        self.name = name
        self.count = bytes.count
        self.storage = .memory(bytes)
    }

    /// - Throws: ``SpikeletError`` (`malformedFile`) for a range that is not all there. Nothing is allocated before the check.
    func bytes(at offset: Int, count length: Int) throws -> [UInt8] {
        guard offset >= 0, length >= 0, offset <= count, length <= count - offset else {
            throw malformed("\(length) bytes at offset \(offset) were expected, but the file ends at \(count)", remedy: .incomplete)
        }
        guard length <= physicalMemory else {
            throw malformed(
                "\(length) bytes are more than this machine's memory (\(physicalMemory))",
                remedy: .other("split the file, or use a larger machine"))
        }
        switch storage {
        case .memory(let bytes):
            return offset == 0 && length == bytes.count ? bytes : Array(bytes[offset..<offset + length])
        case .file(let file):
            let bytes = try [UInt8](unsafeUninitializedCapacity: length) { buffer, initialized in
                initialized = try file.read(at: offset, into: UnsafeMutableRawBufferPointer(buffer))
            }
            guard bytes.count == length else { throw malformed("the file became shorter while it was read", remedy: .incomplete) }
            return bytes
        }
    }

    /// What a reader can do about a file with wrong bytes.
    enum Remedy {
        case incomplete, damaged
        case other(String)
    }

    /// An error that names this file.
    func malformed(_ message: String, remedy: Remedy = .damaged) -> SpikeletError {
        let text =
            switch remedy {
            case .incomplete: "the file is incomplete: download or write it again"
            case .damaged: "the file is damaged, or is of another kind than its name says: make it again"
            case .other(let text): text
            }
        return SpikeletError(.malformedFile, message, at: name, remedy: text)
    }
}

/// Reads little-endian numbers one after the other, and never past the end.
struct ByteCursor {
    let bytes: [UInt8]
    private(set) var position = 0

    init(_ bytes: [UInt8], at position: Int = 0) {
        self.bytes = bytes
        self.position = position
    }

    var rest: Int { bytes.count - position }

    /// The next number; `nil` past the end.
    mutating func next<T: FixedWidthInteger & UnsignedInteger>(_: T.Type) -> T? {
        guard let part = take(T.bitWidth / 8) else { return nil }
        return part.reversed().reduce(T(0)) { $0 << 8 | T($1) }
    }

    /// The next `count` bytes; `nil` where there are fewer.
    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count >= 0, count <= rest else { return nil }
        defer { position += count }
        return bytes[position..<position + count]
    }
}
