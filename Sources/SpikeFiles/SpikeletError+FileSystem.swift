import Foundation
package import SpikeGraph

extension SpikeletError {
    /// What was tried with a file, as in "cannot … it".
    package enum FileAction: String, Sendable {
        case read, write, lock
    }

    /// A failed system call on a file, in words: what was tried, why it failed, what to do.
    ///
    /// - Parameter number: the `errno` of the call.
    package static func fileSystem(_ action: FileAction, _ path: String, errno number: Int32) -> SpikeletError {
        let (reason, remedy): (String, String) =
            switch number {
            // A file to be written is made where there is none, so that only its folder can be missing.
            case ENOENT where action == .write: ("its folder does not exist", "create the folder first")
            case ENOENT: ("it, or a folder on the way to it, does not exist", "check the path")
            case EACCES, EPERM: ("permission denied", "check the permissions of the file and of its folder")
            case ENOSPC: ("the disk is full", "free some space, or write to another disk")
            case EDQUOT: ("the disk quota is used up", "free some space, or write to another disk")
            case EFBIG: ("the file would be larger than this disk or account allows", "write to another disk")
            case EROFS: ("the disk is read-only", "write to another place")
            case EISDIR: ("it is a folder", "give the path of a file")
            case ENOTDIR: ("a part of its path is a file, not a folder", "check the path")
            case ENAMETOOLONG: ("the name is too long", "use a shorter name")
            case ELOOP: ("it is a symbolic link that leads nowhere or is not allowed here", "check the path")
            case EMFILE, ENFILE: ("too many files are open", "raise the limit (ulimit -n)")
            default: (String(cString: strerror(number)), "check the path and the disk")
            }
        return SpikeletError(.fileSystem, "cannot \(action.rawValue): \(reason)", at: path, remedy: remedy)
    }
}
