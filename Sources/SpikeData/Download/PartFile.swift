import Foundation
import SpikeFiles
import SpikeGraph

/// The part of a download that has arrived: `FILE.part`, and beside it `FILE.part.json`, which says of what it is a part.
///
/// One download at a time uses it: the file is locked while it is open. Accessed by one thread after the other.
final class PartFile: @unchecked Sendable {
    /// What the server said about the file that this is a part of.
    struct Record: Codable, Equatable {
        /// The SHA-256 of the address: addresses may hold secrets.
        var source: String
        /// A strong `ETag`.
        var entityTag: String?
        /// `Last-Modified`, as the server wrote it.
        var lastModified: String?
        /// The size of the whole file in bytes.
        var size: Int?

        /// What `If-Range` names the file by.
        var validator: String? { entityTag ?? lastModified }
    }

    let destination: String
    var path: String { Self.path(for: destination) }
    private var recordPath: String { path + ".json" }
    private(set) var file: OpenFile
    private let systemWrite: SystemWrite
    /// The bytes that have arrived.
    private(set) var size: Int
    /// `nil` for a part that cannot be continued.
    private(set) var record: Record?

    private static func path(for destination: String) -> String { destination + ".part" }

    /// Opens what an earlier download left, or an empty part.
    ///
    /// - Throws: ``SpikeletError`` (`fileSystem`), also where another download is writing this part.
    init(for destination: String, systemWrite: @escaping SystemWrite) throws {
        self.destination = destination
        self.systemWrite = systemWrite
        let path = Self.path(for: destination)
        file = try Self.openLocked(path)
        size = try file.size
        guard lseek(file.descriptor, 0, SEEK_END) >= 0 else { throw SpikeletError.fileSystem(.write, path, errno: errno) }
        record = (try? ByteSource(path: recordPath)).flatMap { source in
            guard source.count < 1 << 16, let bytes = try? source.bytes(at: 0, count: source.count) else { return nil }
            return try? JSON.decode(Record.self, from: bytes)
        }
    }

    private static func openLocked(_ path: String) throws -> OpenFile {
        while true {
            // O_NOFOLLOW: a link of this name was not made by a download.
            let file = try OpenFile(path, O_RDWR | O_CREAT | O_NOFOLLOW, for: .write)
            guard flock(file.descriptor, LOCK_EX | LOCK_NB) == 0 else {
                guard errno == EWOULDBLOCK else { throw SpikeletError.fileSystem(.lock, path, errno: errno) }
                throw SpikeletError(
                    .fileSystem, "another download is writing this file", at: path,
                    remedy: "wait until it has ended, or choose another destination")
            }
            // The other download may have renamed the file between the two calls: then this is no part any more.
            if try file.isInPlace { return file }
        }
    }

    /// Lets another download have the part.
    func unlock() {
        flock(file.descriptor, LOCK_UN)
    }

    /// Empties the part: another file, or the same from its first byte, begins.
    func restart(_ record: Record?) throws {
        // First the bytes, then what they are: at no time does a record stand beside bytes of another file.
        guard ftruncate(file.descriptor, 0) == 0, lseek(file.descriptor, 0, SEEK_SET) == 0 else {
            throw SpikeletError.fileSystem(.write, path, errno: errno)
        }
        size = 0
        self.record = record
        guard let record else {
            unlink(recordPath)
            return
        }
        let text = try JSON.encode(record, isPretty: true)
        try AtomicFile.write(to: recordPath) { try $0.write(text) }
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        do {
            try file.write(bytes, with: systemWrite)
            size += bytes.count
        } catch {
            // Some of the bytes may have been written.
            size = (try? file.size) ?? 0
            throw error
        }
    }

    /// The SHA-256 of the bytes that have arrived.
    func hash() throws -> String { try SHA256Hash.of(file) }

    /// Removes the part and what is known of it.
    func discard() {
        unlink(path)
        unlink(recordPath)
    }

    /// Makes the part the destination, in one step.
    func finish() throws {
        try file.move(to: destination)
        unlink(recordPath)
    }

    /// The bytes that the disk still takes, if it says so.
    var freeSpace: Int? {
        var status = statvfs()
        guard fstatvfs(file.descriptor, &status) == 0 else { return nil }
        let (bytes, overflow) = Int(clamping: status.f_bavail).multipliedReportingOverflow(by: Int(clamping: status.f_frsize))
        return overflow ? nil : bytes
    }
}
