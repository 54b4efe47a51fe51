#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif
import SpikeGraph

/// Writes a file as a whole or not at all: into a temporary file in the same folder, flushed to the disk, then renamed. A
/// failure leaves what was there before.
package enum AtomicFile {
    /// - Parameters:
    ///   - path: a new file or an existing regular one, whose permissions stay. A symbolic link stays, and the file that it
    ///     points to is replaced.
    ///   - body: writes the content.
    /// - Throws: ``SpikeletError``, and whatever `body` throws.
    package static func write(to path: String, _ body: (FileWriter) throws -> Void) throws {
        let (target, permissions) = try resolve(path)
        let folder = target.lastIndex(of: "/").map { String(target[...$0]) } ?? "./"
        let (temporary, descriptor) = try createTemporaryFile(in: folder, for: path)
        do {
            do {
                defer { close(descriptor) }
                if let permissions { fchmod(descriptor, permissions) }
                try body(FileWriter(descriptor: descriptor, path: path))
                guard fsync(descriptor) == 0 else { throw failure("cannot be flushed to the disk", path, errno) }
            }
            guard rename(temporary, target) == 0 else { throw failure("cannot be put in place", path, errno) }
        } catch {
            unlink(temporary)
            throw error
        }
        // The rename itself is on the disk once the folder is. Not every file system can flush a folder; the file is whole
        // either way.
        let folderDescriptor = open(folder, O_RDONLY | O_CLOEXEC)
        if folderDescriptor >= 0 {
            fsync(folderDescriptor)
            close(folderDescriptor)
        }
    }

    /// The file behind any symbolic links, and its permissions where it exists.
    private static func resolve(_ path: String) throws -> (target: String, permissions: mode_t?) {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            guard !path.isEmpty, !path.hasSuffix("/") else {
                throw SpikeletError(.fileSystem, "is no file's name", at: path.isEmpty ? "''" : path, remedy: "name a file to write")
            }
            return (path, nil)
        }
        guard let resolved = realpath(path, nil) else { throw failure("is a link that leads nowhere", path, errno) }
        defer { free(resolved) }
        let target = String(cString: resolved)
        guard stat(target, &status) == 0 else { throw failure("cannot be examined", path, errno) }
        // Renaming onto a device would replace the device.
        guard status.st_mode & S_IFMT == S_IFREG else {
            let kind = status.st_mode & S_IFMT == S_IFDIR ? "is a folder" : "is not a regular file"
            throw SpikeletError(.fileSystem, "\(kind), and cannot be written to", at: path, remedy: "name a file to write")
        }
        guard access(target, W_OK) == 0 else { throw failure("cannot be written", path, errno) }
        return (target, status.st_mode & 0o7777)
    }

    private static func createTemporaryFile(in folder: String, for path: String) throws -> (path: String, descriptor: Int32) {
        while true {
            let temporary = folder + ".spikelet-" + String(UInt64.random(in: .min ... .max), radix: 36)
            let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
            if descriptor >= 0 { return (temporary, descriptor) }
            guard errno == EEXIST || errno == EINTR else { throw failure("cannot be written", path, errno) }
        }
    }

    fileprivate static func failure(_ what: String, _ path: String, _ code: Int32) -> SpikeletError {
        let remedy =
            switch code {
            case ENOENT: "make the folder first, or check the path"
            case EACCES, EPERM, EROFS: "choose a place that you may write to"
            case ENOSPC, EDQUOT: "free some space, or choose another disk; nothing was replaced"
            default: "check the path and the disk; nothing was replaced"
            }
        return SpikeletError(.fileSystem, "\(what): \(systemMessage(code))", at: path, remedy: remedy)
    }
}

/// Where ``AtomicFile`` lets its content be written.
package struct FileWriter {
    private let descriptor: Int32
    private let path: String

    /// - Parameter path: for messages.
    package init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    /// Appends bytes, all of them.
    package func write(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes
        while let base = rest.baseAddress, rest.count > 0 {
            let step = writeBytes(descriptor, base, rest.count)
            if step < 0, errno == EINTR { continue }
            guard step > 0 else { throw AtomicFile.failure("cannot be written", path, errno) }
            rest = UnsafeRawBufferPointer(rebasing: rest[step...])
        }
    }

    /// Appends the memory of an array of numbers: little-endian on every machine that Spikelet runs on.
    package func write<Value: BitwiseCopyable>(_ values: [Value]) throws {
        try values.withUnsafeBytes { try write($0) }
    }
}

/// `write(2)`, under a name that the methods above do not hide.
private func writeBytes(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
