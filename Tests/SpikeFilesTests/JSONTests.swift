import SpikeData
import SpikeFiles
import Testing

@Suite struct JSONTests {
    private func decode(_ text: String) throws -> [String: [Int]] { try JSON.decode([String: [Int]].self, from: Array(text.utf8)) }

    private func sentence(_ text: String) throws -> String {
        try #require(throws: DecodingError.self) { try decode(text) }.sentence(about: "the file")
    }

    @Test func `keys are sorted, slashes are as they are, and nothing is added`() throws {
        let value = ["b": "1/2", "a": "\"\n\u{1}🧠", "": ""]
        #expect(try String(decoding: JSON.encode(value), as: UTF8.self) == #"{"":"","a":"\"\n\u0001🧠","b":"1/2"}"#)
        #expect(try JSON.decode([String: String].self, from: JSON.encode(value, isPretty: true)) == value)
    }

    @Test func `errors are sentences with their place`() throws {
        #expect(try sentence(#"{"a": [1, "2"]}"#) == "a[1] is not of the type Int")
        #expect(try sentence(#"{"a": null}"#).hasPrefix("a "))
        #expect(try sentence("[]").hasPrefix("the file is not of the type"))
        #expect(try sentence("{").hasPrefix("the file cannot be read"))
        #expect(try sentence("").hasPrefix("the file cannot be read"))
    }

    @Test(arguments: [1, 64, 511, 512, 513, 514, 10_000, 1_000_000])
    func `a document of open brackets is refused, however deep`(depth: Int) throws {
        for bracket in ["[", "[ ", "{\"a\":", "{\"a\":["] { #expect(try !sentence(String(repeating: bracket, count: depth)).isEmpty) }
        let closed = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        #expect(try !sentence(closed).isEmpty)
    }

    @Test(arguments: 0..<4)
    func `random text is refused or read`(seed: UInt64) {
        struct Anything: Codable {
            var a: [String: String]?
            var b: [Float]?
            var c: [Int]?
            var d: Bool?
            var e: [String: [Double]]?
        }
        var generator = SplitMix64(seed: seed)
        let whole = Array(#"{"a":{"\u00e9\uD83E\uDDE0":"x\\\n","k":""},"b":[0.1,-1e-3,3.4e38],"c":[1,-2],"d":true,"e":{"f":[1]}}"#.utf8)
        let telling = Array("[]{}\",:0123456789-+.eE\\u\0\u{1}\u{7F} tfn".utf8) + [0x80, 0xC3, 0xED, 0xFF, 0xFE]
        for _ in 0..<20_000 {
            var text = whole
            for _ in 0..<Int.random(in: 1...5, using: &generator) {
                let place = Int.random(in: 0..<text.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: text[place] = telling.randomElement(using: &generator) ?? 0
                case 1: text.insert(telling.randomElement(using: &generator) ?? 0, at: place)
                case 2: text.remove(at: place)
                default: text.removeSubrange(max(1, place)...)
                }
                if text.isEmpty { break }
            }
            _ = try? JSON.decode(Anything.self, from: text)
        }
    }

    @Test func `a number that does not fit its place is found`() {
        struct Entry: Codable {
            var whole: Int
            var part: Double
            var small: Float?
        }
        func complaint(_ text: String) -> String {
            do {
                return "\(try JSON.decode([String: [Entry]].self, from: Array(text.utf8)))"
            } catch let error as DecodingError {
                return error.sentence(about: "the document")
            } catch {
                return "\(error)"
            }
        }
        let first = #"{"whole": 1, "part": 0.5}"#
        for (number, place) in [("0.5", "b[1].whole"), ("1e300", "b[1].whole"), ("18446744073709551615", "b[1].whole")] {
            let text = #"{"a": [\#(first), \#(first)], "b": [\#(first), {"whole": \#(number), "part": 1e300}], "c": [\#(first)]}"#
            let found = complaint(text)
            #expect(found.hasPrefix("\(place) cannot be read: "), "\(number): \(found)")
        }
        #expect(complaint(#"{"a": [{"whole": 1, "part": 2, "small": 1e300}]}"#).contains("a[0].small"))
        #expect(complaint("{").contains("the document cannot be read"))
    }
}
