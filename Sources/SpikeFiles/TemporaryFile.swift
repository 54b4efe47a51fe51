import Foundation
import SpikeGraph

/// The files that ``AtomicFile`` writes into before it renames them: `.spikelet-`, 16 hexadecimal digits and `.tmp`, in the
/// folder of the file to be.
///
/// Each is locked while its writer lives, and the lock goes with the process, however that ends. So what is not locked was left
/// by a writer that was killed, and the next write into the folder removes it. Where a file system has no locks, it stays.
package enum TemporaryFile {
    /// An empty file in the folder of `destination`, of a name that nobody else has and that no long name makes too long.
    ///
    /// - Parameter name: for messages.
    static func create(beside destination: String, name: String) throws -> OpenFile {
        let folder = folder(of: destination)
        for _ in 0..<16 {
            let digits = String(UInt64.random(in: .min ... .max), radix: 16)
            let path = folder + prefix + String(repeating: "0", count: 16 - digits.count) + digits + suffix
            let file = try OpenFile(path, O_WRONLY | O_CREAT | O_EXCL, for: .write, name: name)
            let isLocked = flock(file.descriptor, LOCK_EX | LOCK_NB) == 0
            // Between the two calls another process may have taken it for a left one.
            if !isLocked, errno == EWOULDBLOCK { continue }
            if try !isLocked || file.isInPlace { return file }
        }
        throw SpikeletError(
            .fileSystem, "cannot write: temporary files vanish from its folder", at: name, remedy: "write to another folder")
    }

    /// Removes the temporary files that nobody writes any more from the folder of `destination`.
    static func removeLeft(beside destination: String) {
        let folder = folder(of: destination)
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.isEmpty ? "." : folder)) ?? [] where isTemporary(name) {
            let path = folder + name
            // Others' files cannot be opened, and stay. A link was made by somebody else.
            guard let file = try? OpenFile(path, O_WRONLY | O_NOFOLLOW, for: .write) else { continue }
            withExtendedLifetime(file) {
                guard flock(file.descriptor, LOCK_EX | LOCK_NB) == 0, (try? file.isInPlace) == true else { return }
                unlink(path)
            }
        }
    }

    private static let (prefix, suffix) = (".spikelet-", ".tmp")

    /// Whether a name is one of those that ``create(beside:name:)`` makes, and nobody else would choose.
    package static func isTemporary(_ name: String) -> Bool {
        guard name.hasPrefix(prefix), name.hasSuffix(suffix) else { return false }
        let digits = name.dropFirst(prefix.count).dropLast(suffix.count)
        return digits.utf8.count == 16 && digits.allSatisfy { $0.isHexDigit && !$0.isUppercase }
    }

    private static func folder(of path: String) -> String { path.lastIndex(of: "/").map { String(path[...$0]) } ?? "" }
}
