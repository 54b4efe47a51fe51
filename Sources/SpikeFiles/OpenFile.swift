import Foundation
package import SpikeGraph

/// A regular file, open as long as the object lives: whole reads and writes, with errors that name the file.
package final class OpenFile: Sendable {
    package let path: String
    package let descriptor: Int32
    /// For messages: the path, or another name that the reader knows.
    private let name: String

    /// - Parameters:
    ///   - flags: of `open(2)`.
    ///   - name: for messages; without it the path.
    /// - Throws: ``SpikeletError`` (`fileSystem`), also for what is not a regular file: a folder, a pipe, a device.
    package init(_ path: String, _ flags: Int32, for action: SpikeletError.FileAction, name: String? = nil) throws {
        self.path = path
        self.name = name ?? path
        // O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
        descriptor = openFile(path, flags | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw SpikeletError.fileSystem(action, self.name, errno: errno) }
        try requireRegularFile(status, action, self.name)
    }

    package convenience init(reading path: String, name: String? = nil) throws {
        try self.init(path, O_RDONLY, for: .read, name: name)
    }

    deinit { close(descriptor) }

    private var status: stat {
        get throws {
            var result = stat()
            guard fstat(descriptor, &result) == 0 else { throw SpikeletError.fileSystem(.read, name, errno: errno) }
            return result
        }
    }

    package var size: Int { get throws { Int(try status.st_size) } }

    /// Whether the path still leads to this file: it may have been renamed or removed since it was opened.
    package var isInPlace: Bool {
        get throws {
            var now = stat()
            let mine = try status
            return stat(path, &now) == 0 && now.st_ino == mine.st_ino && now.st_dev == mine.st_dev
        }
    }

    // MARK: Bytes

    /// Bytes `offset ..< offset + buffer.count`, or fewer at the end of the file.
    ///
    /// - Returns: how many there were.
    package func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        var done = 0
        while done < buffer.count {
            // Linux moves at most 2 GiB a call; smaller pieces are as fast.
            let piece = min(buffer.count - done, 1 << 28)
            let got = pread(descriptor, buffer.baseAddress.map { $0 + done }, piece, off_t(offset + done))
            if got < 0 {
                if errno == EINTR { continue }
                throw SpikeletError.fileSystem(.read, name, errno: errno)
            }
            if got == 0 { break }
            done += got
        }
        return done
    }

    /// Writes all of `bytes` at the current position.
    ///
    /// - Parameter system: what writes; another than `write(2)` in tests of a full disk.
    package func write(_ bytes: UnsafeRawBufferPointer, with system: SystemWrite = writeBytes) throws {
        var done = 0
        while done < bytes.count {
            let written = system(descriptor, bytes.baseAddress.map { $0 + done }, min(bytes.count - done, 1 << 28))
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw SpikeletError.fileSystem(.write, name, errno: written < 0 ? errno : EIO) }
            done += written
        }
    }

    /// Writes the memory of an array of numbers: little-endian on every machine that Spikelet runs on.
    package func write<Value: BitwiseCopyable>(_ values: [Value]) throws {
        try values.withUnsafeBytes { try write($0) }
    }

    // MARK: Places

    /// Makes this file, once it is on the disk, stand at `destination` in one step. What stood there before is gone then.
    ///
    /// - Parameter unlocking: whether a lock on it ends there. Locks go with the file, and some readers want one.
    package func move(to destination: String, unlocking: Bool = false) throws {
        guard fsync(descriptor) == 0, rename(path, destination) == 0 else { throw SpikeletError.fileSystem(.write, name, errno: errno) }
        if unlocking { flock(descriptor, LOCK_UN) }
        // The rename itself lasts over a power cut once the folder is on the disk. Not every file system can flush a folder;
        // the file is whole either way.
        let folder = openFile(Self.folder(of: destination), O_RDONLY | O_CLOEXEC)
        guard folder >= 0 else { return }
        fsync(folder)
        close(folder)
    }

    private static func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
    }
}

/// Renaming onto a device would replace the device, and reading one may never end.
func requireRegularFile(_ status: stat, _ action: SpikeletError.FileAction, _ name: String) throws {
    switch status.st_mode & S_IFMT {
    case S_IFREG: return
    case S_IFDIR: throw SpikeletError.fileSystem(action, name, errno: EISDIR)
    default:
        throw SpikeletError(
            .fileSystem, "cannot \(action.rawValue): it is not a regular file", at: name, remedy: "give the path of a file")
    }
}

/// `open(2)`, until no signal interrupts it.
private func openFile(_ path: String, _ flags: Int32) -> Int32 {
    while true {
        let descriptor = open(path, flags, 0o666)
        if descriptor >= 0 || errno != EINTR { return descriptor }
    }
}

/// The signature of `write(2)`: a descriptor, bytes, their number; the number written, or −1 and `errno`.
package typealias SystemWrite = @Sendable (Int32, UnsafeRawPointer?, Int) -> Int

/// `write(2)`, under a name that ``OpenFile``'s method does not hide.
@Sendable package func writeBytes(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
