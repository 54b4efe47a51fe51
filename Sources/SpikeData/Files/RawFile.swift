#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif
import SpikeGraph

/// An open file: whole reads and writes, with errors that name the file.
final class RawFile: Sendable {
    let path: String
    let descriptor: Int32

    /// - Throws: ``SpikeletError`` (`fileSystem`), also for what is not a regular file: a folder, a pipe, a device.
    init(_ path: String, _ flags: Int32, action: String) throws {
        // O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
        let descriptor = open(path, flags | O_CLOEXEC | O_NONBLOCK, 0o666)
        guard descriptor >= 0 else { throw SpikeletError.fileSystem(action, path, errno: errno) }
        self.path = path
        self.descriptor = descriptor
        guard try isRegular else {
            let isFolder = (try? status.st_mode & S_IFMT) == S_IFDIR
            throw SpikeletError(
                .fileSystem, "cannot \(action): it is \(isFolder ? "a folder" : "not an ordinary file")", at: path,
                remedy: "give the path of a file")
        }
    }

    convenience init(reading path: String) throws {
        try self.init(path, O_RDONLY, action: "read")
    }

    deinit { close(descriptor) }

    private var isRegular: Bool { get throws { try status.st_mode & S_IFMT == S_IFREG } }

    /// What `fstat` says.
    var status: stat {
        get throws {
            var result = stat()
            guard fstat(descriptor, &result) == 0 else { throw SpikeletError.fileSystem("read", path, errno: errno) }
            return result
        }
    }

    var size: Int { get throws { Int(try status.st_size) } }

    /// Bytes `offset ..< offset + buffer.count`, or fewer at the end of the file.
    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        var done = 0
        while done < buffer.count {
            // Linux moves at most 2 GiB a call; smaller pieces are as fast.
            let piece = min(buffer.count - done, 1 << 28)
            let got = pread(descriptor, buffer.baseAddress.map { $0 + done }, piece, off_t(offset + done))
            if got < 0 {
                if errno == EINTR { continue }
                throw SpikeletError.fileSystem("read", path, errno: errno)
            }
            if got == 0 { break }
            done += got
        }
        return done
    }

    /// Writes all of `bytes` at the current position.
    ///
    /// - Parameter system: what writes; another than `write(2)` in tests of a full disk.
    func write(_ bytes: UnsafeRawBufferPointer, with system: SystemWrite = writeBytes) throws {
        var done = 0
        while done < bytes.count {
            let written = system(descriptor, bytes.baseAddress.map { $0 + done }, min(bytes.count - done, 1 << 28))
            if written < 0 {
                if errno == EINTR { continue }
                throw SpikeletError.fileSystem("write", path, errno: errno)
            }
            done += written
        }
    }

    /// Waits until the bytes are on the disk.
    func synchronize() throws {
        guard fsync(descriptor) == 0 else { throw SpikeletError.fileSystem("write", path, errno: errno) }
    }
}

/// The signature of `write(2)`: a descriptor, bytes, their number; the number written, or −1 and `errno`.
package typealias SystemWrite = @Sendable (Int32, UnsafeRawPointer?, Int) -> Int

/// `write(2)`, under a name that the method above does not hide.
@Sendable package func writeBytes(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}

/// The folder a path lies in.
func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// Makes a rename in `folder` last over a power cut. Not every file system can; nothing is lost where it cannot.
func synchronizeFolder(_ folder: String) {
    let descriptor = open(folder, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
}
