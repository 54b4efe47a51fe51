#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif
import SpikeGraph

#if _endian(big)
#error("safetensors files are little-endian, and so are the machines that Spikelet is made for")
#endif

/// Bytes to read piece by piece: of a file, of which only what is asked for comes into memory, or of an array.
struct ByteSource: Sendable {
    private enum Storage: Sendable {
        case file(OpenFile)
        case bytes([UInt8])
    }

    /// For messages: the file's path.
    let name: String
    let count: Int
    private let storage: Storage

    init(path: String) throws {
        let file = try OpenFile(path)
        self.name = path
        self.count = file.count
        self.storage = .file(file)
    }

    init(bytes: [UInt8], name: String) {
        self.name = name
        self.count = bytes.count
        self.storage = .bytes(bytes)
    }

    /// The bytes of `range`, which lies within the source, as little-endian numbers.
    ///
    /// - Parameter type: one whose every bit pattern is a value; its size divides the range's length.
    func values<Value: BitwiseCopyable>(_ range: Range<Int>, as type: Value.Type) throws -> [Value] {
        let count = range.count / MemoryLayout<Value>.size
        return try [Value](unsafeUninitializedCapacity: count) { buffer, initialized in
            let target = UnsafeMutableRawBufferPointer(buffer)
            switch storage {
            case .file(let file): try file.read(into: target, from: range.lowerBound)
            case .bytes(let bytes): bytes.withUnsafeBytes { target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[range])) }
            }
            initialized = count
        }
    }
}

/// A regular file, open for reading as long as the object lives.
private final class OpenFile: Sendable {
    let path: String
    let count: Int
    private let descriptor: Int32

    init(_ path: String) throws {
        self.path = path
        // Opening a pipe would wait for its writer; without blocking it opens, and is then refused.
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw SpikeletError(.fileSystem, "cannot be opened: \(systemMessage())", at: path, remedy: "check the path and its permissions")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw SpikeletError(.fileSystem, "is not a regular file", at: path, remedy: "name a file, not a folder or a device")
        }
        count = Int(status.st_size)
    }

    deinit { close(descriptor) }

    func read(into target: UnsafeMutableRawBufferPointer, from offset: Int) throws {
        var done = 0
        while done < target.count, let base = target.baseAddress {
            let step = pread(descriptor, base + done, target.count - done, off_t(offset + done))
            if step < 0, errno == EINTR { continue }
            guard step >= 0 else {
                throw SpikeletError(.fileSystem, "cannot be read: \(systemMessage())", at: "\(path): byte \(offset + done)")
            }
            guard step > 0 else {
                throw SpikeletError(
                    .fileSystem, "became shorter while it was read", at: "\(path): byte \(offset + done)",
                    remedy: "read it again when nothing writes to it")
            }
            done += step
        }
    }
}

/// What the last system call complained about.
func systemMessage(_ code: Int32 = errno) -> String { String(cString: strerror(code)) }
