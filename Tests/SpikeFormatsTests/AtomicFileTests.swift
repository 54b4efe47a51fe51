#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif
import Foundation
import SpikeFormats
import SpikeGraph
import Testing

@Suite struct AtomicFileTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func write(_ text: String, to path: String) throws {
        try AtomicFile.write(to: path) { try $0.write(Array(text.utf8)) }
    }

    private func text(_ name: String) throws -> String { String(decoding: try folder.bytes(name), as: UTF8.self) }

    private func error(writingTo path: String) throws -> SpikeletError {
        let error = try #require(throws: SpikeletError.self) { try write("new", to: path) }
        #expect(error.code == .fileSystem)
        #expect(error.location == path)
        #expect(error.remedy != nil)
        return error
    }

    @Test func `a new file holds what was written, and nothing else is left`() throws {
        try write("one", to: folder.file("f"))
        #expect(try text("f") == "one")
        #expect(try folder.contents == ["f"])
    }

    @Test func `an old file is replaced and keeps its permissions`() throws {
        try write("a long old text", to: folder.file("f"))
        #expect(chmod(folder.file("f"), 0o640) == 0)
        try write("new", to: folder.file("f"))
        #expect(try text("f") == "new")
        var status = stat()
        #expect(stat(folder.file("f"), &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o640)
        #expect(try folder.contents == ["f"])
    }

    @Test func `a failure in the middle leaves the old file, and no other`() throws {
        try write("old", to: folder.file("f"))
        #expect(throws: SpikeletError(.network, "cut")) {
            try AtomicFile.write(to: folder.file("f")) { writer in
                try writer.write([1, 2, 3])
                throw SpikeletError(.network, "cut")
            }
        }
        #expect(try text("f") == "old")
        #expect(try folder.contents == ["f"])
    }

    @Test func `a missing folder is an error`() throws {
        #expect(try error(writingTo: folder.file("missing/f")).message == "cannot be written: No such file or directory")
        #expect(try folder.contents.isEmpty)
    }

    @Test func `a folder is no file to write`() throws {
        #expect(try error(writingTo: folder.path).message == "is a folder, and cannot be written to")
        #expect(try error(writingTo: folder.path + "/").message == "is a folder, and cannot be written to")
        #expect(try error(writingTo: folder.file("new/")).message == "is no file's name")
        #expect(try #require(throws: SpikeletError.self) { try write("", to: "") }.message == "is no file's name")
        #expect(try folder.contents.isEmpty)
    }

    @Test func `a device is not replaced by a file`() throws {
        #expect(try error(writingTo: "/dev/null").message == "is not a regular file, and cannot be written to")
        #expect(mkfifo(folder.file("pipe"), 0o600) == 0)
        #expect(try error(writingTo: folder.file("pipe")).message == "is not a regular file, and cannot be written to")
    }

    @Test func `a link stays a link, and the file behind it is replaced`() throws {
        try FileManager.default.createDirectory(atPath: folder.file("behind"), withIntermediateDirectories: false)
        try write("old", to: folder.file("behind/f"))
        #expect(symlink("behind/f", folder.file("link")) == 0)
        try write("new", to: folder.file("link"))
        #expect(try text("behind/f") == "new")
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder.file("link")) == "behind/f")
        #expect(symlink("nowhere", folder.file("lost")) == 0)
        #expect(try error(writingTo: folder.file("lost")).message.hasPrefix("is a link that leads nowhere"))
    }

    @Test(.disabled(if: geteuid() == 0, "permissions do not stop root"))
    func `what may not be written is left alone`() throws {
        try write("old", to: folder.file("f"))
        #expect(chmod(folder.file("f"), 0o444) == 0)
        #expect(try error(writingTo: folder.file("f")).message == "cannot be written: Permission denied")
        #expect(try text("f") == "old")
        #expect(chmod(folder.path, 0o555) == 0)
        defer { chmod(folder.path, 0o755) }
        #expect(try error(writingTo: folder.file("g")).message == "cannot be written: Permission denied")
    }

    #if os(Linux)
    @Test func `a full disk is an error that says so`() throws {
        let descriptor = open("/dev/full", O_WRONLY)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        let error = try #require(throws: SpikeletError.self) { try FileWriter(descriptor: descriptor, path: "f").write([1, 2, 3]) }
        #expect(error.code == .fileSystem)
        #expect(error.message == "cannot be written: No space left on device")
        #expect(error.remedy == "free some space, or choose another disk; nothing was replaced")
    }
    #endif

    @Test func `a bare name is written to the working directory's folder`() throws {
        let name = "spikelet-test-\(UUID().uuidString)"
        defer { unlink(name) }
        try write("here", to: name)
        #expect(FileManager.default.contents(atPath: name).map { String(decoding: $0, as: UTF8.self) } == "here")
    }

    @Test func `several writers of one file leave one whole file`() async throws {
        let path = folder.file("f")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<16 {
                group.addTask {
                    try AtomicFile.write(to: path) { writer in
                        for _ in 0..<50 { try writer.write([UInt8](repeating: UInt8(number), count: 1000)) }
                    }
                }
            }
            try await group.waitForAll()
        }
        let bytes = try folder.bytes("f")
        #expect(bytes.count == 50_000)
        #expect(Set(bytes).count == 1)
        #expect(try folder.contents == ["f"])
    }
}
