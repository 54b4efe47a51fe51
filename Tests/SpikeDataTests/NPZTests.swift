import Foundation
import SpikeData
import SpikeGraph
import TestSupport
import Testing

@Suite struct NPZTests {
    static let arrays: [(name: String, tensor: Tensor)] = [
        ("x", Tensor((0..<600).map { Float($0 % 7) }, shape: [2, 300])), ("labels", Tensor([Int64(3), -1], shape: [2])),
        ("mask/ä", Tensor([true, false, true], shape: [3])), ("empty", Tensor([Float](), shape: [0, 5])),
    ]

    static func written(compressed: Bool) throws -> [UInt8] {
        let folder = try TemporaryFolder()
        try NPZ.write(arrays, to: folder.file("a.npz"), compressed: compressed)
        #expect(folder.contents == ["a.npz"])
        return try #require(folder.read("a.npz"))
    }

    @Test(arguments: [false, true])
    func `what is written is read again`(compressed: Bool) throws {
        let archive = try NPZ(bytes: try Self.written(compressed: compressed))
        #expect(archive.names == Self.arrays.map(\.name))
        for (name, tensor) in Self.arrays { #expect(try archive.array(name).tensor() == tensor) }
    }

    /// What unpacking an array would find is found after what can be told without.
    @Test(arguments: [
        (Tensor([1, 2] as [Int64], shape: [2]), "labels", "3 samples, but 2 labels"),
        (Tensor([1, -2, 3] as [Int64], shape: [3]), "labels", "label -2 of sample 1"),
        (Tensor([1, 0, 0, 0, 1, 0, 0, 0, 1] as [Int64], shape: [3, 3]), "y", "the labels have the shape"),
        (Tensor([1, 2] as [Float], shape: [2]), "targets", "3 samples, but targets of shape [2]"),
        (Tensor([1, 2, 3] as [Int64], shape: [3]), "labels", "wrong checksum"),
    ])
    func `labels are looked at before images are unpacked`(other: Tensor, name: String, message: String) throws {
        let folder = try TemporaryFolder()
        let images = Tensor((0..<3000).map { Float($0) }, shape: [3, 1000])
        try NPZ.write([("images", images), (name, other)], to: folder.file("a.npz"))
        var bytes = try #require(folder.read("a.npz"))
        // In the middle of the images, which come first.
        bytes[6000] ^= 1
        try folder.write(bytes, "a.npz")
        expectError(nil, message) { _ = try Dataset(path: folder.file("a.npz")) }
        expectError(nil, message) { _ = try Dataset(path: folder.file("a.npz"), inputs: ["images"]) }
    }

    @Test func `an array of another kind of file is not unpacked`() throws {
        // 64 MiB of zeros in 64 KiB.
        let archive = try ZIPBuilder(method: 8, contents: [UInt8](repeating: 0, count: 1 << 26)).archive()
        let npz = try NPZ(bytes: archive)
        let start = ContinuousClock.now
        for _ in 0..<20 { expectError(.malformedFile, "not an .npy file") { _ = try npz.array("x") } }
        #expect(ContinuousClock.now - start < .seconds(2))
    }

    @Test func `the same arrays give the same bytes, fewer when compressed`() throws {
        #expect(try Self.written(compressed: false) == Self.written(compressed: false))
        #expect(try Self.written(compressed: true).count < Self.written(compressed: false).count / 2)
    }

    @Test func `an archive of no arrays`() throws {
        let folder = try TemporaryFolder()
        try NPZ.write([], to: folder.file("a.npz"))
        #expect(try NPZ(path: folder.file("a.npz")).names.isEmpty)
    }

    @Test func `names that cannot be told apart are refused`() async throws {
        let folder = try TemporaryFolder()
        let one = tensor([1], [1])
        #expect(await spikeletError { try NPZ.write([("a", one), ("a", one)], to: folder.file("a.npz")) }.code == .invalidData)
        #expect(await spikeletError { try NPZ.write([("", one)], to: folder.file("a.npz")) }.code == .invalidData)
        #expect(folder.contents.isEmpty)
    }

    @Test func `a name that is not there is answered with those that are`() async throws {
        let archive = try NPZ(bytes: try Self.written(compressed: false), name: "a.npz")
        let error = await spikeletError { _ = try archive.array("y") }
        #expect(error.message == "it has no array 'y'")
        #expect(error.remedy == "it holds 'x', 'labels', 'mask/ä', 'empty'")
    }

    // MARK: As other writers make them

    @Test(arguments: [false, true], [false, true])
    func `sizes in ZIP64 fields and after the data`(zip64: Bool, descriptor: Bool) throws {
        for method: UInt16 in [0, 8] {
            let bytes = try ZIPBuilder(method: method, isZIP64: zip64, hasDescriptor: descriptor).archive()
            #expect(try NPZ(bytes: bytes).array("x").integers() == [1, 2, 3])
        }
    }

    @Test func `a comment at the end does not hide the directory`() throws {
        var builder = ZIPBuilder()
        builder.comment = Array("a comment PK\u{5}\u{6} with a false end".utf8)
        #expect(try NPZ(bytes: builder.archive()).array("x").integers() == [1, 2, 3])
    }

    // MARK: Bad files

    func error(_ change: (inout ZIPBuilder) -> Void) async -> SpikeletError {
        await spikeletError {
            var builder = ZIPBuilder(method: 8)
            change(&builder)
            _ = try NPZ(bytes: builder.archive(), name: "a.npz").array("x")
        }
    }

    @Test func `hostile sizes are refused before anything is allocated`() async {
        #expect(await error { $0.claimedSize = 4_000_000_000 }.message.contains("deflate cannot do"))
        #expect(
            await error {
                $0.isZIP64 = true
                $0.claimedSize = 1 << 62
            }.message.contains("deflate cannot do"))
        #expect(await error { $0.claimedCompressedSize = 4_000_000_000 }.message.contains("past the end"))
        #expect(
            await error {
                $0.isZIP64 = true
                $0.claimedCompressedSize = Int.max
            }.code == .malformedFile)
        #expect(await error { $0.claimedOffset = 4_000_000_000 }.message.contains("past the end of the file"))
        #expect(await error { $0.claimedCount = 65000 }.message.contains("cannot list"))
        #expect(await error { $0.claimedDirectorySize = 60000 }.message.contains("past the end"))
        #expect(await error { $0.claimedDirectoryOffset = 60000 }.code == .malformedFile)
    }

    @Test func `wrong contents are refused`() async {
        #expect(await error { $0.claimedSize = 60 }.message.contains("more than the 60 bytes"))
        #expect(await error { $0.claimedSize = 200 }.message.contains("fewer than the 200 bytes"))
        #expect(await error { $0.claimedChecksum = 1 }.message.contains("checksum"))
        #expect(await error { $0.claimedOffset = 3 }.message.contains("does not start where"))
        #expect(await error { $0.claimedMethod = 12 }.code == .unsupported)
        #expect(await error { $0.flags = 1 }.message.contains("encrypted"))
        #expect(await error { $0.repeats = 2 }.message.contains("two entries of the name"))
    }

    @Test func `entries inside each other are refused`() async throws {
        var builder = ZIPBuilder(method: 8)
        builder.repeats = 2
        builder.sharesData = true
        let bytes = try builder.archive()
        #expect(await spikeletError { _ = try NPZ(bytes: bytes) }.message.contains("lies inside another"))
    }

    @Test func `an archive that is cut says so`() async throws {
        let bytes = try Self.written(compressed: true)
        let error = await spikeletError { _ = try NPZ(bytes: Array(bytes.dropLast(10))) }
        #expect(error.message.hasPrefix("truncated"))
        #expect(error.remedy == "the file is incomplete: download or write it again")
        #expect(await spikeletError { _ = try NPZ(bytes: [1, 2, 3]) }.message.hasPrefix("not a ZIP archive"))
    }

    @Test func `a damaged array is named`() async throws {
        let error = await error { $0.contents = Array("no array".utf8) }
        #expect(error.location == "a.npz: array 'x'")
    }
}
