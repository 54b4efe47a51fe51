#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif
import SpikeGraph

/// A file that appears whole or not at all: written under a temporary name beside its destination, flushed to the disk,
/// then renamed.
package struct AtomicFile {
    private let file: RawFile

    /// Appends bytes.
    package func write(_ bytes: UnsafeRawBufferPointer) throws {
        try file.write(bytes)
    }

    /// Appends bytes.
    package func write(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try file.write($0) }
    }

    /// Calls `body` with an empty file, and puts what it wrote at `path`. If anything fails, `path` is as it was.
    ///
    /// - Throws: ``SpikeletError`` (`fileSystem`), and what `body` throws.
    package static func create(_ path: String, _ body: (AtomicFile) throws -> Void) throws {
        let destination = try target(of: path)
        let temporary = "\(destination).\(getpid()).\(UInt32.random(in: 0 ... .max)).tmp"
        do {
            let file = try RawFile(temporary, O_WRONLY | O_CREAT | O_EXCL, action: "write")
            try body(AtomicFile(file: file))
            try file.synchronize()
            guard rename(temporary, destination) == 0 else { throw SpikeletError.fileSystem("write", path, errno: errno) }
            synchronizeFolder(folder(of: destination))
        } catch {
            unlink(temporary)
            // The reader knows the destination; the temporary name would only confuse.
            guard var known = error as? SpikeletError, known.location == temporary else { throw error }
            known.location = path
            throw known
        }
    }

    /// Where the file really goes: through symbolic links, and never over a folder or a device.
    static func target(of path: String) throws -> String {
        var status = stat()
        guard stat(path, &status) == 0 else { return path }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR: throw SpikeletError.fileSystem("write", path, errno: EISDIR)
        default:
            throw SpikeletError(.fileSystem, "cannot write: it is not an ordinary file", at: path, remedy: "give the path of a file")
        }
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }
}
