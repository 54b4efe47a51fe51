#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif
import Foundation
import SpikeFiles
import SpikeGraph
import TestSupport
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
        #expect(folder.contents == ["f"])
    }

    @Test func `an old file is replaced and keeps its permissions`() throws {
        try write("a long old text", to: folder.file("f"))
        #expect(chmod(folder.file("f"), 0o640) == 0)
        try write("new", to: folder.file("f"))
        #expect(try text("f") == "new")
        var status = stat()
        #expect(stat(folder.file("f"), &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o640)
        #expect(folder.contents == ["f"])
    }

    @Test func `a failure in the middle leaves the old file, and no other`() throws {
        try write("old", to: folder.file("f"))
        #expect(throws: SpikeletError(.network, "cut")) {
            try AtomicFile.write(to: folder.file("f")) { file in
                try file.write([1, 2, 3])
                throw SpikeletError(.network, "cut")
            }
        }
        #expect(try text("f") == "old")
        #expect(folder.contents == ["f"])
    }

    @Test func `a missing folder is an error`() throws {
        #expect(try error(writingTo: folder.file("missing/f")).message == "cannot write: its folder does not exist")
        #expect(folder.contents.isEmpty)
    }

    @Test func `a folder is no file to write`() throws {
        #expect(try error(writingTo: folder.path).message == "cannot write: it is a folder")
        #expect(try error(writingTo: folder.path + "/").message == "cannot write: it is a folder")
        #expect(try error(writingTo: folder.file("new/")).message == "cannot write: this is no file's name")
        #expect(try #require(throws: SpikeletError.self) { try write("", to: "") }.message == "cannot write: this is no file's name")
        #expect(folder.contents.isEmpty)
    }

    @Test func `a device is not replaced by a file`() throws {
        #expect(try error(writingTo: "/dev/null").message == "cannot write: it is not a regular file")
        #expect(mkfifo(folder.file("pipe"), 0o600) == 0)
        #expect(try error(writingTo: folder.file("pipe")).message == "cannot write: it is not a regular file")
    }

    @Test func `a link stays a link, and the file behind it is replaced`() throws {
        try FileManager.default.createDirectory(atPath: folder.file("behind"), withIntermediateDirectories: false)
        try write("old", to: folder.file("behind/f"))
        #expect(symlink("behind/f", folder.file("link")) == 0)
        try write("new", to: folder.file("link"))
        #expect(try text("behind/f") == "new")
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder.file("link")) == "behind/f")
        #expect(symlink("nowhere", folder.file("lost")) == 0)
        #expect(try error(writingTo: folder.file("lost")).message == "cannot write: it is a symbolic link that leads nowhere")
    }

    @Test(.disabled(if: geteuid() == 0, "permissions do not stop root"))
    func `what may not be written is left alone`() throws {
        try write("old", to: folder.file("f"))
        #expect(chmod(folder.file("f"), 0o444) == 0)
        #expect(try error(writingTo: folder.file("f")).message == "cannot write: permission denied")
        #expect(try text("f") == "old")
        #expect(chmod(folder.path, 0o555) == 0)
        defer { chmod(folder.path, 0o755) }
        #expect(try error(writingTo: folder.file("g")).message == "cannot write: permission denied")
    }

    @Test func `a full disk is an error that says so, and the old file stays`() throws {
        try write("old", to: folder.file("f"))
        let error = try #require(throws: SpikeletError.self) {
            try AtomicFile.write(to: folder.file("f")) { file in
                try [UInt8](repeating: 1, count: 10).withUnsafeBytes { bytes in
                    try file.write(bytes) { descriptor, bytes, count in
                        errno = ENOSPC
                        return lseek(descriptor, 0, SEEK_CUR) < 4 ? writeBytes(descriptor, bytes, 4) : -1
                    }
                }
            }
        }
        #expect(error.code == .fileSystem)
        #expect(error.message == "cannot write: the disk is full")
        #expect(error.location == folder.file("f"))
        #expect(error.remedy == "free some space, or write to another disk")
        #expect(try text("f") == "old")
        #expect(folder.contents == ["f"])
    }

    @Test func `the content is never readable by more than the old file was`() throws {
        try write("old", to: folder.file("f"))
        #expect(chmod(folder.file("f"), 0o600) == 0)
        try AtomicFile.write(to: folder.file("f")) { file in
            var status = stat()
            #expect(fstat(file.descriptor, &status) == 0)
            #expect(status.st_mode & 0o7777 == 0o600)
        }
    }

    @Test func `a name as long as names may be`() throws {
        let name = String(repeating: "n", count: 255)
        try write("new", to: folder.file(name))
        #expect(folder.contents == [name])
        #expect(try error(writingTo: folder.file(name + "n")).message == "cannot write: the name is too long")
    }

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
                    try AtomicFile.write(to: path) { file in
                        for _ in 0..<50 { try file.write([UInt8](repeating: UInt8(number), count: 1000)) }
                    }
                }
            }
            try await group.waitForAll()
        }
        let bytes = try folder.bytes("f")
        #expect(bytes.count == 50_000)
        #expect(Set(bytes).count == 1)
        #expect(folder.contents == ["f"])
    }

    // MARK: What killed writers leave

    /// A temporary file as a killed writer leaves it: its name is one of those that a writer had.
    private func leave() throws -> String {
        var path = ""
        try AtomicFile.write(to: folder.file("f")) { path = $0.path }
        let name = String(path.dropFirst(folder.path.count + 1))
        #expect(TemporaryFile.isTemporary(name))
        try folder.write([1, 2, 3], name)
        return name
    }

    @Test func `what a killed writer left is removed by the next write into the folder`() throws {
        let names = try [leave(), leave()]
        #expect(folder.contents == (names.suffix(1) + ["f"]).sorted(), "the second write has removed the first")
        try write("new", to: folder.file("g"))
        #expect(folder.contents == ["f", "g"])
    }

    @Test func `what somebody is still writing stays`() throws {
        try AtomicFile.write(to: folder.file("slow")) { file in
            try write("fast", to: folder.file("fast"))
            #expect(try file.isInPlace)
            try file.write(Array("slow".utf8))
        }
        #expect(try text("slow") == "slow")
        #expect(folder.contents == ["fast", "slow"])
    }

    @Test func `files of similar names stay, and links`() throws {
        let name = try leave()
        let others = [".spikelet-cache", ".spikelet-0123456789abcdef", "spikelet-0123456789abcdef.tmp", ".spikelet-0123456789ABCDEF.tmp"]
        for other in others { try folder.write([1], other) }
        let link = ".spikelet-0123456789abcdef.tmp"
        #expect(symlink("f", folder.file(link)) == 0)
        try FileManager.default.createDirectory(atPath: folder.file(".spikelet-0000000000000000.tmp"), withIntermediateDirectories: false)
        try write("new", to: folder.file("f"))
        #expect(folder.contents == (others + [link, ".spikelet-0000000000000000.tmp", "f"]).sorted())
        #expect(!folder.contents.contains(name))
    }
}
