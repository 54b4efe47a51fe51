import Foundation
import SpikeFormats
import SpikeGraph
import TestSupport
import Testing

/// Damaged files give errors, never a crash: what these tests demand is mostly that they end.
@Suite struct HostileFileTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func bytes(of graph: Graph) throws -> [UInt8] {
        try SNNFile.write(graph, to: folder.file("n"))
        return try folder.bytes("n")
    }

    /// Reads what may be no file any more. Only an error of ours may come out.
    ///
    /// - Returns: the error, or `nil` where the bytes are still a network.
    @discardableResult
    private func read(_ bytes: [UInt8]) throws -> SpikeletError? {
        do {
            _ = try SNNFile.graph(in: SafetensorsFile(bytes: bytes, name: "f"))
            return nil
        } catch let error as SpikeletError {
            #expect(error.code == .malformedFile || error.code == .unsupported, "\(error)")
            #expect(error.location?.hasPrefix("f") == true, "\(error)")
            #expect(error.remedy != nil, "\(error)")
            return error
        }
    }

    @Test func `a file cut at any byte is refused`() throws {
        let whole = try bytes(of: try Samples.smallGraph())
        for length in whole.indices { #expect(try read(Array(whole[..<length])) != nil, "cut at \(length)") }
        #expect(try read(whole) == nil)
    }

    @Test func `a file on the disk, cut at any byte, is refused`() throws {
        let whole = try bytes(of: try Samples.smallGraph())
        for length in whole.indices.reversed() {
            #expect(truncate(folder.file("n"), off_t(length)) == 0)
            let error = try #require(throws: SpikeletError.self) { try SNNFile.read(folder.file("n")) }
            #expect(error.code == .malformedFile)
        }
    }

    @Test(arguments: 0..<8)
    func `random damage gives an error or another network`(seed: Int) throws {
        var generator = SeededGenerator(UInt64(seed))
        let whole = try bytes(of: seed % 2 == 0 ? try Samples.smallGraph() : try Samples.network())
        for _ in 0..<1500 {
            var damaged = whole
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let place = Int.random(in: 0..<damaged.count, using: &generator)
                switch Int.random(in: 0..<6, using: &generator) {
                case 0: damaged[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                case 1: damaged[place] = UInt8.random(in: .min ... .max, using: &generator)
                case 2: damaged[place] = Array("[]{}\",:0123456789-.eE\\u".utf8).randomElement(using: &generator) ?? 0
                case 3: damaged.insert(damaged[place], at: place)
                case 4: if damaged.count > 1 { damaged.remove(at: place) }
                default:
                    let end = min(damaged.count, place + Int.random(in: 1...64, using: &generator))
                    damaged.replaceSubrange(place..<end, with: damaged[place..<end].reversed())
                }
            }
            try read(damaged)
        }
    }

    @Test(arguments: 0..<4)
    func `well-formed files with extreme numbers give an error or another network`(seed: Int) throws {
        var generator = SeededGenerator(100 + UInt64(seed))
        try SNNFile.write(try Samples.network(), to: folder.file("n"))
        let file = try SafetensorsFile(path: folder.file("n"))
        let text = try #require(file.metadata["spikelet"])
        let numbers = text.matches(of: /-?[0-9][0-9.e+-]*/).map(\.range)
        let extremes = [
            "0", "-1", "1", "2", "3", "-2147483648", "2147483647", "4294967296", "1073741823", "9223372036854775807",
            "-9223372036854775808",
            "1e18", "3.4e38", "-3.4e38", "1e-45", "1e308", "99999999999999999999", "0.5", "-0", "null", "[]", "{}", "\"NaN\"",
        ]
        let data = try file.entries.map { (entry: $0, bytes: try file.bytes(named: $0.name)) }
        let constants = data.map { item in
            let range = item.entry.byteRange
            return """
                \(jsonString(item.entry.name)):{"dtype":"\(item.entry.dataType.rawValue)","shape":\(item.entry.shape),\
                "data_offsets":[\(range.lowerBound),\(range.upperBound)]}
                """
        }.joined(separator: ",")
        var accepted = 0
        for _ in 0..<1000 {
            var changed = text
            for range in Set((0..<Int.random(in: 1...3, using: &generator)).map { _ in Int.random(in: numbers.indices, using: &generator) })
                .sorted(by: >)
            {
                changed.replaceSubrange(numbers[range], with: extremes.randomElement(using: &generator) ?? "0")
            }
            let header = "{\"__metadata__\":{\"spikelet\":\(jsonString(changed))},\(constants)}"
            if try read(Samples.file(header, data: data.flatMap(\.bytes))) == nil { accepted += 1 }
        }
        #expect(accepted > 0, "some numbers may be anything")
    }

    @Test func `deep nesting is refused, in the header and in the graph`() throws {
        for depth in [65, 513, 10_000, 1_000_000] {
            for bracket in ["[", "{\"a\":"] {
                let deep = String(repeating: bracket, count: depth)
                #expect(try read(Samples.file("{\"t\":\(deep)")) != nil)
                #expect(try read(Samples.file("{\"__metadata__\":{\"spikelet\":\(jsonString(deep))}}")) != nil)
            }
        }
    }

    @Test func `a flood of values is refused, or is what it says`() throws {
        let flood = String(repeating: "0,", count: 5_000_000) + "0]}"
        #expect(try read(Samples.file("{\"t\":[" + flood)) != nil)
        let shape = Samples.file("{\"t\":{\"dtype\":\"U8\",\"data_offsets\":[0,0],\"shape\":[" + flood + "}")
        #expect(try SafetensorsFile(bytes: shape).entries[0].shape.count == 5_000_001)
    }

    @Test(arguments: [[0xFF], [0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0x00], [0x5C, 0x75, 0x44, 0x38, 0x30, 0x30]] as [[UInt8]])
    func `a name that is no text is refused or made text`(bytes: [UInt8]) throws {
        let header = Array("{\"".utf8) + bytes + Array("\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}".utf8)
        try read(withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header)
    }

    private func jsonString(_ text: String) -> String {
        let encoded = (try? JSONEncoder().encode(text)) ?? Data()
        return String(decoding: encoded, as: UTF8.self)
    }
}
