#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif
import SpikeFiles
import SpikeGraph
import TestSupport
import Testing

@Suite struct ByteSourceTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// The same bytes, in memory and on the disk.
    private func sources(_ bytes: [UInt8]) throws -> [ByteSource] {
        [ByteSource(bytes, name: "f"), try ByteSource(path: folder.write(bytes, "f"), name: "f")]
    }

    @Test func `bytes and numbers are read from any place`() throws {
        for source in try sources([1, 2, 3, 0, 255, 255, 7]) {
            #expect(source.count == 7)
            #expect(try source.bytes(at: 0, count: 7) == [1, 2, 3, 0, 255, 255, 7])
            #expect(try source.bytes(at: 6, count: 1) == [7])
            #expect(try source.bytes(at: 7, count: 0) == [])
            #expect(try source.values(at: 1, count: 2, as: UInt16.self) == [0x0302, 0xFF00])
            #expect(try source.values(at: 3, count: 1, as: Int32.self) == [0x07FF_FF00])
        }
    }

    @Test(arguments: [(0, 4), (3, 1), (4, 0), (-1, 1), (0, -1), (1, .max), (.max, 1), (.max, .max), (.min, 0), (0, .min)])
    func `a place that is not all there is refused`(offset: Int, count: Int) throws {
        for source in try sources([1, 2, 3]) {
            let error = try #require(throws: SpikeletError.self) { try source.bytes(at: offset, count: count) }
            #expect(error.code == .malformedFile)
            #expect(error.location == "f")
            #expect(error.remedy == "the file is incomplete: download or write it again")
            #expect(throws: SpikeletError.self) { try source.values(at: offset, count: count, as: Double.self) }
        }
    }

    @Test func `nothing is allocated for more than the machine has`() throws {
        try folder.write([], "huge")
        // The file is all holes: it takes no space on the disk.
        try #require(truncate(folder.file("huge"), off_t(1) << 42) == 0)
        let source = try ByteSource(path: folder.file("huge"))
        let error = try #require(throws: SpikeletError.self) { try source.bytes(at: 0, count: source.count) }
        #expect(error.message.contains("the memory that this machine has to give"))
        #expect(try source.bytes(at: 1 << 41, count: 2) == [0, 0])
    }

    @Test func `a file that becomes shorter while it is open is an error`() throws {
        let source = try ByteSource(path: folder.write([1, 2, 3, 4], "f"))
        #expect(truncate(folder.file("f"), 2) == 0)
        let error = try #require(throws: SpikeletError.self) { try source.bytes(at: 1, count: 3) }
        #expect(error.message == "became shorter while it was read")
        #expect(error.location == "\(folder.file("f")): byte 2")
        #expect(try source.bytes(at: 0, count: 2) == [1, 2])
    }

    @Test func `a file stays readable when its name is gone`() throws {
        let file = try OpenFile(reading: folder.write([1, 2], "f"))
        #expect(try file.isInPlace)
        #expect(unlink(folder.file("f")) == 0)
        #expect(try !file.isInPlace)
        try folder.write([3], "f")
        #expect(try !file.isInPlace)
        #expect(try file.size == 2)
    }

    @Test func `what is no file to read is refused, with its name and the way out`() throws {
        func error(_ path: String, name: String? = nil) throws -> SpikeletError {
            try #require(throws: SpikeletError.self) { try ByteSource(path: path, name: name) }
        }
        #expect(
            try error(folder.file("none")).description == """
                \(folder.file("none")): cannot read: it, or a folder on the way to it, does not exist
                  → check the path
                """)
        #expect(try error(folder.file("none"), name: "the weights").location == "the weights")
        #expect(try error("").message.hasPrefix("cannot read"))
        #expect(try error(folder.path).message == "cannot read: it is a folder")
        #expect(try error("/dev/zero").message == "cannot read: it is not a regular file")
        #expect(mkfifo(folder.file("pipe"), 0o600) == 0)
        #expect(try error(folder.file("pipe")).message == "cannot read: it is not a regular file")
        try folder.write([1], "f")
        #expect(try error(folder.file("f/g")).message == "cannot read: a part of its path is a file, not a folder")
    }

    @Test(.disabled(if: geteuid() == 0, "permissions do not stop root"))
    func `a file that may not be read`() throws {
        try folder.write([1], "f")
        #expect(chmod(folder.file("f"), 0) == 0)
        let error = try #require(throws: SpikeletError.self) { try ByteSource(path: folder.file("f")) }
        #expect(error.message == "cannot read: permission denied")
    }
}
