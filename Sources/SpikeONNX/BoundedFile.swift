internal import Foundation
internal import SpikeGraph

/// A regular file that is read at checked places.
final class BoundedFile {
    let size: Int
    private let descriptor: Int32

    /// - Throws: ``SpikeletError`` where there is no regular file or it may not be read.
    init(path: String) throws {
        // Without blocking: a named pipe must not hang us before we see that it is one.
        descriptor = open(path, O_RDONLY | O_NONBLOCK)
        guard descriptor >= 0 else {
            let missing = errno == ENOENT
            throw SpikeletError(
                .fileSystem, missing ? "there is no such file" : "the file cannot be opened: \(String(cString: strerror(errno)))",
                remedy: missing ? "check the path" : "check its permissions")
        }
        var information = stat()
        guard fstat(descriptor, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
            size = 0
            throw SpikeletError(.fileSystem, "this is not a regular file", remedy: "check the path")
        }
        size = Int(information.st_size)
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Fills `buffer` with the bytes from `offset` on.
    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
        guard let base = buffer.baseAddress else { return }
        var done = 0
        while done < buffer.count {
            let count = pread(descriptor, base + done, buffer.count - done, off_t(offset + done))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw SpikeletError(
                    .fileSystem, "the file cannot be read at byte \(offset + done)", remedy: "check the disk, and copy the file again")
            }
            done += count
        }
    }
}
