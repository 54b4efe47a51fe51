import Foundation
package import SpikeGraph

#if _endian(big)
#error("the files that Spikelet reads are little-endian, and so are the machines that it is made for")
#endif

/// The memory of this machine in bytes.
private let physicalMemory = max(1 << 30, sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)))

/// Whether so many bytes can be had. An allocation of more than there are, or than this process may have (`ulimit -v`), ends the program,
/// so that large claims are held against it first.
package func hasMemory(for bytes: Int) -> Bool {
    guard bytes <= physicalMemory else { return false }
    guard bytes >= 1 << 24 else { return true }
    guard let place = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0), place != MAP_FAILED else { return false }
    munmap(place, bytes)
    return true
}

/// Bytes to parse: a file, of which only what is asked for comes into memory, or an array. Every access is checked against
/// what is there before anything is allocated.
package struct ByteSource: Sendable {
    /// For messages: the file's path.
    package let name: String
    package let count: Int
    private let storage: Storage

    private enum Storage: Sendable {
        case file(OpenFile)
        case memory([UInt8])
    }

    /// Opens a file. It stays open as long as the value lives.
    ///
    /// - Parameter name: for messages; without it the path.
    /// - Throws: ``SpikeletError`` (`fileSystem`), also for what is not a regular file.
    package init(path: String, name: String? = nil) throws {
        let file = try OpenFile(reading: path, name: name)
        self.name = name ?? path
        self.count = try file.size
        self.storage = .file(file)
    }

    package init(_ bytes: [UInt8], name: String) {
        self.name = name
        self.count = bytes.count
        self.storage = .memory(bytes)
    }

    /// - Throws: ``SpikeletError``: `malformedFile` for a range that is not all there, `fileSystem` where it cannot be read.
    package func bytes(at offset: Int, count: Int) throws -> [UInt8] {
        if case .memory(let bytes) = storage, offset == 0, count == bytes.count { return bytes }
        return try values(at: offset, count: count, as: UInt8.self)
    }

    /// `count` little-endian numbers from byte `offset` on.
    ///
    /// - Parameter type: one whose every bit pattern is a value.
    /// - Throws: ``SpikeletError``, as ``bytes(at:count:)``.
    package func values<Value: BitwiseCopyable>(at offset: Int, count valueCount: Int, as type: Value.Type) throws -> [Value] {
        let (length, overflow) = valueCount.multipliedReportingOverflow(by: MemoryLayout<Value>.stride)
        guard !overflow, offset >= 0, length >= 0, offset <= count, length <= count - offset else {
            let size = overflow ? "more bytes than can be counted" : "\(length) bytes"
            throw malformed("\(size) at offset \(offset) were expected, but the file ends at \(count)", remedy: .incomplete)
        }
        guard hasMemory(for: length) else { throw tooLarge(length) }
        return try [Value](unsafeUninitializedCapacity: valueCount) { buffer, initialized in
            // The buffer may be larger than was asked for.
            let target = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<length])
            switch storage {
            case .memory(let bytes):
                bytes.withUnsafeBytes { target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + length])) }
            case .file(let file):
                let read = try file.read(at: offset, into: target)
                guard read == length else {
                    throw SpikeletError(
                        .fileSystem, "became shorter while it was read", at: "\(name): byte \(offset + read)",
                        remedy: "read it again when nothing writes to it")
                }
            }
            initialized = valueCount
        }
    }

    /// `count` float32 numbers from byte `offset` on, without a copy: see ``OpenFile/mappedFloats(at:count:)``.
    ///
    /// - Returns: `nil` where they cannot be mapped, also of bytes in memory; ``values(at:count:as:)`` reads them.
    package func mappedFloats(at offset: Int, count valueCount: Int) throws -> BorrowedFloats? {
        guard case .file(let file) = storage, offset >= 0, valueCount >= 0, valueCount <= count / 4, offset <= count - 4 * valueCount else {
            return nil
        }
        return try file.mappedFloats(at: offset, count: valueCount)
    }

    /// What a reader can do about a file with wrong bytes.
    package enum Remedy {
        case incomplete, damaged
        case other(String)
    }

    /// More bytes than there is memory for.
    package func tooLarge(_ bytes: Int) -> SpikeletError {
        malformed(
            "\(bytes) bytes are more than the memory that this machine has to give",
            remedy: .other("split the file, allow more (ulimit -v), or use a larger machine"))
    }

    /// An error that names this file.
    package func malformed(_ message: String, remedy: Remedy = .damaged) -> SpikeletError {
        let text =
            switch remedy {
            case .incomplete: "the file is incomplete: download or write it again"
            case .damaged: "the file is damaged, or is of another kind than its name says: make it again"
            case .other(let text): text
            }
        return SpikeletError(.malformedFile, message, at: name, remedy: text)
    }
}
