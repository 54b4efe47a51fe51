import Foundation
import SpikeGraph
import TestSupport
import Testing

@Suite struct QuantizerTests {
    @Test func `a quantiser of levels above zero is a rectifier, a signed one is not linear`() throws {
        #expect(try Quantizer(step: 1, levels: 4, rounding: .halfUp).linearity(isConstant: [false]) == .rectifier)
        #expect(try Quantizer(step: 1, levels: 4, lowest: -4, rounding: .halfUp).linearity(isConstant: [false]) == .nonlinear)
    }

    @Test func `the three rules at ties`() {
        let ties: [Float] = [-1.5, -0.5, 0.5, 1.5, 2.5, 2.4999, 2.5001]
        #expect(ties.map { Quantizer.Rounding.halfUp($0) } == [-1, 0, 1, 2, 3, 2, 3])
        #expect(ties.map { Quantizer.Rounding.halfToEven($0) } == [-2, 0, 0, 2, 2, 2, 3])
        #expect(ties.map { Quantizer.Rounding.down($0) } == [-2, -1, 0, 1, 2, 2, 2])
    }

    @Test func `a half that float32 has rounded is one still, where halves go to even`() {
        let rule = Quantizer.Rounding.halfToEven
        #expect(rule(2.5000002) == 2 && rule(Float(3.5).nextDown) == 4 && rule(-2.5000002) == -2)
        #expect(rule(100.5002) == 100 && rule(100.502) == 101)
        // No more than 2⁻⁸, however large the number.
        #expect(rule(40000.51) == 40001 && rule(65534.25) == 65534)
        #expect(rule(.infinity) == .infinity && rule(.nan).isNaN)
        #expect(Quantizer.Rounding.halfUp(2.4999998) == 2)
    }

    @Test func `steps and levels outside their ranges are refused, in files too`() {
        for step in [0, -1, .infinity, .nan, Float.leastNonzeroMagnitude] {
            expectError(.invalidModel, "step") { _ = try Quantizer(step: step, levels: 4, rounding: .down) }
        }
        for (lowest, levels) in [(0, 0), (1, 4), (0, 1 << 25), (-1 << 25, 4), (0, -1)] {
            expectError(.invalidModel, "levels") { _ = try Quantizer(step: 1, levels: levels, lowest: lowest, rounding: .down) }
        }
        for text in [#"{"step": 0, "levels": 4, "lowest": 0, "rounding": "down"}"#, #"{"step": 1, "levels": 4}"#] {
            #expect(throws: (any Error).self) { try JSONDecoder().decode(Quantizer.self, from: Data(text.utf8)) }
        }
        expectError(.invalidOption, "4 binary digits") { _ = try QuantizerNode(threshold: 1, levels: 16, rounding: .halfUp, digits: 4) }
        expectError(.invalidOption, "3 binary digits") {
            _ = try QuantizerNode(threshold: 1, levels: 7, lowest: -8, rounding: .halfUp, digits: 3)
        }
        expectError(.invalidOption) { _ = try QuantizerNode(threshold: 1, levels: 16, rounding: .halfUp, digits: 17) }
    }

    /// The sum of a neuron's spikes, weighted, for a current that comes in any parts.
    private func emitted(_ neuron: QuantizerNode, _ currents: [Float]) -> Float {
        var state = neuron.initialState(shape: [1])
        let steps = currents.count
        for (index, current) in currents.enumerated() {
            neuron.integrate(Tensor([current], shape: [1]), state: &state, at: TimeStep(index, of: steps))
        }
        return (0..<steps).reduce(0) { sum, index in
            let spike = neuron.emit(&state, at: TimeStep(index, of: steps)).floats[0]
            #expect(abs(spike) <= 1)
            return (neuron.digits == nil ? 1 : 2) * sum + spike
        }
    }

    @Test(arguments: Quantizer.Rounding.allCases) func `a neuron emits the quantiser's level, unary and radix`(
        rounding: Quantizer.Rounding
    ) throws {
        for (lowest, levels) in [(0, 1), (0, 3), (0, 5), (-3, 5), (-6, 2)] {
            let quantizer = try Quantizer(step: 1, levels: levels, lowest: lowest, rounding: rounding)
            for sixteenths in -160...160 {
                let activation = Float(sixteenths) / 16
                // Six steps of a rate add up to six activations.
                let unary = try QuantizerNode(threshold: 6, levels: levels, lowest: lowest, rounding: rounding)
                #expect(emitted(unary, [2, 0, 1, 0, -4, 7].map { $0 * activation }) == quantizer.level(of: activation))
                let radix = try QuantizerNode(threshold: 1, levels: levels, lowest: lowest, rounding: rounding, digits: 3)
                #expect(emitted(radix, [activation, -2 * activation, activation]) == quantizer.level(of: activation))
            }
        }
    }

    @Test func `in other steps than it was made for, a unary neuron keeps the bound of its rate`() throws {
        let neuron = try QuantizerNode(threshold: 8, levels: 4, rounding: .halfUp)
        #expect(emitted(neuron, [Float](repeating: 100, count: 16)) == 8)
        #expect(emitted(neuron, [Float](repeating: 100, count: 8)) == 4)
        #expect(emitted(neuron, [Float](repeating: 100, count: 4)) == 2)
    }
}
