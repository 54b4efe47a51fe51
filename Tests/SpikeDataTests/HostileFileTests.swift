import Foundation
import SpikeData
import SpikeGraph
import Testing

/// Files that are cut or changed anywhere are read, or refused with an error of ours; nothing crashes, and nothing is allocated
/// on the word of a damaged size.
@Suite struct HostileFileTests {
    static let kinds: [(name: String, bytes: [UInt8], read: @Sendable ([UInt8]) throws -> Void)] = {
        let npy = { @Sendable (bytes: [UInt8]) in _ = try NPY.read(bytes: bytes).tensor() }
        let npz = { @Sendable (bytes: [UInt8]) in
            let archive = try NPZ(bytes: bytes)
            for name in archive.names { _ = try archive.array(name).tensor() }
        }
        let idx = { @Sendable (bytes: [UInt8]) in _ = try IDX.read(bytes: bytes).tensor() }
        let plain = IDXTests.file(0x0B, [3, 2, 2], noise(24))
        return [
            ("npy", NPYTests.file(NPYTests.header("<f4", "(2, 3)"), noise(24)), npy),
            ("fortran npy", NPYTests.file(NPYTests.header(">i2", "(2, 3)", fortran: "True"), noise(12), version: 3), npy),
            ("stored npz", (try? ZIPBuilder().archive()) ?? [], npz), ("deflated npz", (try? ZIPBuilder(method: 8).archive()) ?? [], npz),
            ("zip64 npz", (try? ZIPBuilder(method: 8, isZIP64: true).archive()) ?? [], npz),
            ("large npz", (try? NPZTests.written(compressed: true)) ?? [], npz), ("idx", plain, idx),
            ("idx.gz", (try? gzip(plain)) ?? [], idx),
        ]
    }()

    /// Anything but one of our errors is a failure; so is an error without a remedy.
    private func read(_ kind: Int, _ bytes: [UInt8]) -> Bool {
        do {
            try Self.kinds[kind].read(bytes)
            return true
        } catch let error as SpikeletError {
            if error.remedy == nil { Issue.record("no remedy: \(error)") }
        } catch {
            Issue.record("not a SpikeletError: \(error)")
        }
        return false
    }

    @Test(arguments: kinds.indices)
    func `a file that is cut anywhere is refused`(kind: Int) {
        let bytes = Self.kinds[kind].bytes
        #expect(read(kind, bytes))
        for length in bytes.indices { #expect(!read(kind, Array(bytes[..<length])), "\(Self.kinds[kind].name) cut at \(length)") }
    }

    @Test(arguments: kinds.indices)
    func `a file with changed bytes is read or refused`(kind: Int) {
        let bytes = Self.kinds[kind].bytes
        var generator = SplitMix64(seed: UInt64(kind) + 1)
        let telling: [UInt8] = [0, 1, 0x7F, 0x80, 0xFE, 0xFF]
        for _ in 0..<20_000 {
            var changed = bytes
            for _ in 0...generator.next() % 4 {
                let place = Int(generator.next() % UInt64(changed.count))
                switch generator.next() % 4 {
                case 0: changed[place] = UInt8(truncatingIfNeeded: generator.next())
                case 1: changed[place] = telling[Int(generator.next() % UInt64(telling.count))]
                case 2:
                    for offset in place..<min(place + 1 << Int(generator.next() % 4), changed.count) { changed[offset] = 0xFF }
                default: changed.removeSubrange(place..<min(place + Int(generator.next() % 8), changed.count - 1))
                }
            }
            _ = read(kind, changed)
        }
    }

    @Test(arguments: kinds.indices)
    func `a file with any one byte changed to any value is read or refused`(kind: Int) {
        var bytes = Self.kinds[kind].bytes
        for place in bytes.indices where place < 400 {
            let before = bytes[place]
            for value in stride(from: UInt8(0), to: 255, by: 5) {
                bytes[place] = value
                _ = read(kind, bytes)
            }
            bytes[place] = before
        }
    }
}
