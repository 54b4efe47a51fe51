#if os(Linux)
import Foundation
import SpikeData
import Testing

/// The program where its address space is limited, as on clusters.
@Suite struct MemoryLimitTests {
    @Test(arguments: [350_000, 450_000]) func `under too low a limit it ends with the way out`(kibibytes: Int) async throws {
        let folder = try Folder()
        try NPY.write(manyImages(2), to: folder.file("x.npy"))
        let run = try await folder.shell("ulimit -v \(kibibytes); exec \"$0\" run \(Repository.tiny) --input x.npy")
        #expect(run.status == 1)
        #expect(run.errors == "Error: the limit of virtual memory is too low\n  → allow 1 GiB or more: ulimit -v 1048576\n")
    }

    @Test func `under a limit it gives the same as without`() async throws {
        let folder = try Folder()
        try NPY.write(manyImages(40), to: folder.file("x.npy"))
        try await folder.succeeding("run", Repository.tiny, "--input", "x.npy", "--output", "y.npy")
        let run = try await folder.shell("ulimit -v 1048576; exec \"$0\" run \(Repository.tiny) --input x.npy --output z.npy")
        #expect(run.status == 0, "\(run.errors)")
        #expect(try folder.data("y.npy") == folder.data("z.npy"))
    }

    @Test func `more data than there may be is an error`() async throws {
        let folder = try Folder()
        // 2 GiB of zeros that take no room on the disk.
        let samples = 1 << 23
        try folder.write(npy("<f4", [samples, 1, 8, 8], []), "x.npy")
        let header = try folder.data("x.npy").count
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: folder.file("x.npy")))
        try file.truncate(atOffset: UInt64(header + samples * 256))
        try file.close()
        let run = try await folder.shell("ulimit -v 1048576; exec \"$0\" run \(Repository.tiny) --input x.npy")
        #expect(run.status == 1)
        #expect(run.errors.contains("x.npy: ") && run.errors.contains("bytes are more than the memory"), "\(run.errors)")
    }
}
#endif
