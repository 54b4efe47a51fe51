import Foundation
import SpikeData
import SpikeGraph
import TestSupport
import Testing

@Suite struct IDXTests {
    static func file(_ type: UInt8, _ shape: [Int], _ data: [UInt8]) -> [UInt8] {
        [0, 0, type, UInt8(shape.count)] + shape.flatMap { size in [24, 16, 8, 0].map { UInt8(size >> $0 & 0xFF) } } + data
    }

    func error(_ bytes: [UInt8]) async -> SpikeletError {
        let error = await spikeletError { _ = try IDX.read(bytes: bytes, name: "a-idx") }
        #expect(error.code == .malformedFile)
        #expect(error.location == "a-idx")
        return error
    }

    @Test(arguments: [false, true])
    func `every type is read, plain and compressed`(isCompressed: Bool) throws {
        func read(_ type: UInt8, _ data: [UInt8]) throws -> NumericArray {
            let file = Self.file(type, [1, 2], data)
            return try IDX.read(bytes: isCompressed ? try gzip(file) : file)
        }
        #expect(try read(0x08, [1, 255]).integers() == [1, 255])
        #expect(try read(0x09, [1, 255]).integers() == [1, -1])
        #expect(try read(0x0B, [1, 2, 255, 254]).integers() == [258, -2])
        #expect(try read(0x0C, [0, 0, 1, 2, 255, 255, 255, 254]).integers() == [258, -2])
        #expect(try read(0x0D, [0x3F, 0x80, 0, 0, 0xC0, 0, 0, 0]).floats() == [1, -2])
        #expect(try read(0x0E, [0x3F, 0xF0, 0, 0, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0]).floats() == [1, -2])
        #expect(try read(0x0E, [UInt8](repeating: 0, count: 16)).elementType == .float64)
        #expect(try read(0x08, [1, 255]).shape == [1, 2])
    }

    @Test func `labels are looked at before images are decompressed`() throws {
        let folder = try TemporaryFolder()
        let header: [UInt8] = [0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 100, 0, 0, 0, 100]
        var images = try gzip(header + noise(30_000))
        images[images.count / 2] ^= 0xFF
        try folder.write(images, "train-images-idx3-ubyte.gz")
        try folder.write([0, 0, 8, 1, 0, 0, 0, 2, 1, 1], "train-labels-idx1-ubyte")
        expectError(.invalidData, "3 samples, but 2 labels") { _ = try Dataset(path: folder.path) }
        try folder.write([0, 0, 8, 1, 0, 0, 0, 3, 1, 1, 0], "train-labels-idx1-ubyte")
        expectError(.malformedFile, "images-idx3") { _ = try Dataset(path: folder.path) }
    }

    @Test func `several gzip members are one file`() throws {
        let file = Self.file(0x08, [6], [1, 2, 3, 4, 5, 6])
        #expect(try IDX.read(bytes: gzip(Array(file[..<9])) + gzip(Array(file[9...]))).integers() == [1, 2, 3, 4, 5, 6])
    }

    @Test func `bad files are refused`() async throws {
        #expect(await error([]).message.contains("header"))
        #expect(await error([0, 0, 8]).message.contains("header"))
        #expect(await error([0, 0, 8, 3, 0, 0, 0, 1]).message.contains("header"))
        #expect(await error([0, 0, 7, 0]).message.hasPrefix("not an IDX file"))
        #expect(await error([1, 0, 8, 0, 1]).message.hasPrefix("not an IDX file"))
        #expect(await error(Self.file(0x08, [5], [1, 2])).message.hasPrefix("truncated"))
        #expect(await error(Self.file(0x08, [2], [1, 2, 3])).message.hasPrefix("1 bytes follow"))
        #expect(await error(Self.file(0x0E, [0xFFFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFF], [])).message.contains("absurd"))
        #expect(await error(Self.file(0x0E, [0xFFFF_FFFF, 0x7FFF_FFFF], [])).code == .malformedFile)
    }

    @Test func `bad compressed files are refused`() async throws {
        let good = try gzip(Self.file(0x08, [1000], noise(1000)))
        #expect(await error(Array(good.dropLast(4))).message.hasPrefix("truncated"))
        #expect(await error(Array(good.prefix(500))).message.hasPrefix("truncated"))
        #expect(await error(good + [1, 2, 3, 4]).message.contains("damaged"))
        #expect(await error(try gzip(Self.file(0x08, [5], [1, 2]))).message.hasPrefix("truncated"))
        #expect(await error(try gzip(Self.file(0x08, [2], [1, 2, 3]))).message.hasPrefix("more bytes follow"))
        #expect(await error(try gzip(Self.file(0x08, [0xFFFF_FFFF], [1]))).message.hasPrefix("truncated"))
        var flipped = good
        flipped[flipped.count - 6] ^= 1
        #expect(await error(flipped).message.contains("damaged"))
    }
}
