import Foundation
import SpikeGraph
import TestSupport
import Testing

@Suite("What spikes say")
struct SpikeCodeTests {
    /// A number of `steps` spikes, as the sum that a reader of the code builds.
    private func sum(_ spikes: [Int], _ code: SpikeCode) -> Double {
        spikes.reduce(0.0) { Double(code.growth) * $0 + Double($1) } * code.weight(of: spikes.count)
    }

    @Test(arguments: [2, 3, 10, 16], [1, 2, 4])
    func `digits of any base are what numbers are written in`(base: Int, digits: Int) {
        let code = SpikeCode.radix(digits: digits, base: base)
        let levels = code.levels(digits)
        #expect(levels == Int(pow(Double(base), Double(digits))) - 1)
        for number in stride(from: 0, through: levels, by: max(1, levels / 7)) {
            var (rest, spikes) = (number, [Int]())
            for _ in 0..<digits {
                spikes.insert(rest % base, at: 0)
                rest /= base
            }
            #expect(sum(spikes, code) == Double(number))
        }
        #expect(code.divisor(after: digits) == 1)
        #expect((0..<digits).map { code.hasConstants(inStep: $0, of: digits) } == (0..<digits).map { $0 == digits - 1 })
    }

    @Test func `rates are means over any number of steps`() throws {
        let code = SpikeCode.rate(steps: 8)
        #expect(sum([1, 0, 1, 1], code) == 0.75)
        #expect(code.levels(5) == 5 && code.divisor(after: 5) == 5)
        #expect(code.steps(asked: 3) == 3 && code.steps(asked: [4, 1, 4]) == [1, 4])
        #expect((0..<3).allSatisfy { code.hasConstants(inStep: $0, of: 3) })
        try code.check(steps: 1 << 20)
        expectError(.invalidOption, "from 1 to 1048576") { try code.check(steps: 0) }
        expectError(.invalidOption, "from 1 to 1048576") { try code.check(steps: 1 << 21) }
        expectError(.invalidOption, "1,2,4") { try SpikeCode.check(steps: [4, 0]) }
        expectError(.invalidOption, "1,2,4") { try SpikeCode.check(steps: []) }
    }

    @Test func `a radix code has its own number of steps alone`() throws {
        let code = SpikeCode.radix(digits: 4)
        #expect(code.steps(asked: 7) == 4 && code.steps(asked: [1, 2]) == [4])
        try code.check(steps: 4)
        expectError(.invalidOption, "convert again") { try code.check(steps: 5) }
        #expect(SpikeCode.radix(digits: 200).levels(200) == Int.max)
    }

    @Test func `descriptions are read as they always were`() throws {
        func read(_ text: String) throws -> SpikingDescription { try JSONDecoder().decode(SpikingDescription.self, from: Data(text.utf8)) }
        let start = #"{"recipe": "radix", "schedule": "layer-synchronous", "facts": {}, "warnings": [], "code": "radix", "steps": 6"#
        #expect(try read(start + "}").code == .radix(digits: 6))
        let ternary = try read(start + #", "base": 3}"#)
        #expect(ternary.code == .radix(digits: 6, base: 3))
        #expect(try JSONDecoder().decode(SpikingDescription.self, from: JSONEncoder().encode(ternary)) == ternary)
        let binary = String(decoding: try JSONEncoder().encode(try read(start + "}")), as: UTF8.self)
        #expect(!binary.contains("base"))
    }
}
