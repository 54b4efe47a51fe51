import Foundation
package import SpikeGraph

/// A part of a file in memory: its pages are read when somebody looks at them, and the system may forget them again.
///
/// The file must not become shorter meanwhile: looking at what is no longer there ends the program (SIGBUS). Replacing it, as
/// ``AtomicFile`` does, is harmless: the old content stays until the mapping goes.
private final class Mapping: Sendable {
    private let start: UInt
    private let length: Int

    /// - Parameter offset: a multiple of the page size.
    init?(_ descriptor: Int32, offset: Int, length: Int) {
        guard let address = mmap(nil, length, PROT_READ, MAP_PRIVATE, descriptor, off_t(offset)), address != MAP_FAILED else { return nil }
        start = UInt(bitPattern: address)
        self.length = length
    }

    deinit { munmap(UnsafeMutableRawPointer(bitPattern: start), length) }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: start), count: length) }

    /// Takes the pages out of this program's memory, until somebody looks again.
    func forget() { madvise(UnsafeMutableRawPointer(bitPattern: start), length, MADV_DONTNEED) }
}

extension OpenFile {
    /// Numbers of the file, mapped into memory, and looked through once for those that are not finite.
    ///
    /// - Parameter offset: in bytes.
    /// - Returns: `nil` where they cannot be mapped: they do not lie at a multiple of 4 bytes, or the file system has no mappings.
    /// - Throws: ``SpikeletError`` (`fileSystem`) where the file has become too short.
    package func mappedFloats(at offset: Int, count: Int) throws -> BorrowedFloats? {
        let page = sysconf(Int32(_SC_PAGESIZE))
        let (before, length) = (offset % page, count * MemoryLayout<Float>.size)
        guard count > 0, offset % MemoryLayout<Float>.alignment == 0 else { return nil }
        guard try size >= offset + length else {
            throw SpikeletError(
                .fileSystem, "became shorter while it was read", at: path, remedy: "read it again when nothing writes to it")
        }
        guard let mapping = Mapping(descriptor, offset: offset - before, length: before + length) else { return nil }
        let values = UnsafeRawBufferPointer(rebasing: mapping.bytes[before..<before + length]).bindMemory(to: Float.self)
        // In pieces, so that not all of it is in memory at once.
        let piece = 1 << 20
        var firstNonFinite: Int?
        for start in stride(from: 0, to: count, by: piece) where firstNonFinite == nil {
            let part = UnsafeBufferPointer(rebasing: values[start..<min(count, start + piece)])
            firstNonFinite = part.firstNonFinite.map { start + $0 }
            mapping.forget()
        }
        return BorrowedFloats(values, firstNonFinite: firstNonFinite, owner: mapping)
    }
}
