import Foundation
import SpikeGraph

/// Writes a file as a whole or not at all: into a temporary file in the same folder, flushed to the disk, then renamed. A
/// failure leaves what was there before. So does the end of the process; the temporary file that it leaves then is removed by
/// the next write into the folder.
package enum AtomicFile {
    /// - Parameters:
    ///   - path: a new file or an existing regular one, whose permissions stay. A symbolic link stays, and the file that it
    ///     points to is replaced.
    ///   - body: writes the content to the file that it is given.
    /// - Throws: ``SpikeletError`` (`fileSystem`), and whatever `body` throws.
    package static func write(to path: String, _ body: (OpenFile) throws -> Void) throws {
        let (destination, permissions) = try resolve(path)
        TemporaryFile.removeLeft(beside: destination)
        let file = try TemporaryFile.create(beside: destination, name: path)
        do {
            // Before the content comes: who may not read the old file may not read the new one's beginning.
            if let permissions { fchmod(file.descriptor, permissions) }
            try body(file)
            try file.move(to: destination, unlocking: true)
        } catch {
            unlink(file.path)
            throw error
        }
    }

    /// The file that writing to `path` would replace: `path` itself, or where its symbolic links lead.
    ///
    /// - Throws: ``SpikeletError`` (`fileSystem`) for a folder, a device, a link to nowhere, or what may not be written.
    package static func destination(of path: String) throws -> String { try resolve(path).destination }

    /// The permissions are those of an existing file.
    private static func resolve(_ path: String) throws -> (destination: String, permissions: mode_t?) {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            guard !path.isEmpty, !path.hasSuffix("/") else {
                throw SpikeletError(
                    .fileSystem, "cannot write: this is no file's name", at: path.isEmpty ? "''" : path, remedy: "give the path of a file")
            }
            return (path, nil)
        }
        guard let resolved = realpath(path, nil) else {
            guard errno == ENOENT else { throw SpikeletError.fileSystem(.write, path, errno: errno) }
            throw SpikeletError(
                .fileSystem, "cannot write: it is a symbolic link that leads nowhere", at: path, remedy: "remove the link, or make its file"
            )
        }
        defer { free(resolved) }
        guard stat(resolved, &status) == 0 else { throw SpikeletError.fileSystem(.write, path, errno: errno) }
        try requireRegularFile(status, .write, path)
        guard access(resolved, W_OK) == 0 else { throw SpikeletError.fileSystem(.write, path, errno: errno) }
        return (String(cString: resolved), status.st_mode & 0o7777)
    }
}
