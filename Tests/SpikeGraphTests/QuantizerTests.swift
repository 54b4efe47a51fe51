import Foundation
import SpikeGraph
import TestSupport
import Testing

@Suite struct QuantizerTests {
    @Test func `a quantiser of levels above zero is a ReLU, a signed one is not linear`() throws {
        #expect(try Quantizer(step: 1, levels: 4, rounding: .halfUp).linearity(isConstant: [false]) == .activation)
        #expect(try Quantizer(step: 1, levels: 4, lowest: -4, rounding: .halfUp).linearity(isConstant: [false]) == .nonlinear)
    }

    @Test func `the three rules at ties`() {
        let ties: [Float] = [-1.5, -0.5, 0.5, 1.5, 2.5, 2.4999, 2.5001]
        #expect(ties.map { Quantizer.Rounding.halfUp($0) } == [-1, 0, 1, 2, 3, 2, 3])
        #expect(ties.map { Quantizer.Rounding.halfToEven($0) } == [-2, 0, 0, 2, 2, 2, 3])
        #expect(ties.map { Quantizer.Rounding.down($0) } == [-2, -1, 0, 1, 2, 2, 2])
    }

    @Test func `halves alone are ties, as IEEE 754 has them`() throws {
        let rule = Quantizer.Rounding.halfToEven
        #expect(rule(Float(2.5).nextUp) == 3 && rule(Float(3.5).nextDown) == 3 && rule(Float(-2.5).nextDown) == -3)
        #expect(rule(127.49999) == 127 && rule(127.5) == 128 && rule(40000.51) == 40001)
        #expect(rule(.infinity) == .infinity && rule(.nan).isNaN)
        #expect(Quantizer.Rounding.halfUp(2.4999998) == 2)
        // A pixel of ½ in bytes of 1/255 is 127.49999.
        #expect(try Quantizer(step: 0.003921569, levels: 255, rounding: .halfToEven).level(of: 0.5) == 127)
    }

    @Test func `a half of a mean is one however float32 has rounded it`() throws {
        let rule = Quantizer.Rounding.halfToEven
        for divisor in [2, 4, 16] {
            #expect(rule(2.5000002, divisor: divisor) == 2 && rule(Float(3.5).nextDown, divisor: divisor) == 4)
            #expect(rule(.infinity, divisor: divisor) == .infinity && rule(.nan, divisor: divisor).isNaN)
        }
        #expect(rule(2.5000002, divisor: nil) == 3 && rule(1 / 3, divisor: 3) == 0)
        let quantizer = try Quantizer(step: 0.1, levels: 255, rounding: .halfToEven, divisor: 4)
        let neuron = try QuantizerNeuron(threshold: 1, levels: 255, rounding: .halfToEven, divisor: 4, digits: 8)
        for sum in 0...1023 {
            // Four levels in any order: the exact mean decides.
            let expected = (Float(sum) / 4).rounded(.toNearestOrEven)
            let levels = [sum / 4, sum / 3 - sum / 4, sum / 2, sum - sum / 2 - sum / 3].map { Float($0) * 0.1 }
            #expect(quantizer.level(of: levels.reduce(0, +) / 4) == min(255, expected))
            var state = neuron.initialState(shape: [1])
            let current = levels.reversed().reduce(0, +) * (1 / 0.1 as Float) / 4
            neuron.integrate(Tensor([current], shape: [1]), state: &state, at: TimeStep(0, of: 1))
            let emitted = (0..<8).reduce(Float(0)) { 2 * $0 + neuron.emit(&state, at: TimeStep($1, of: 8)).floats[0] }
            #expect(emitted == min(255, expected))
        }
        for divisor in [0, -1, 1 << 25] {
            expectError(.invalidModel, "divided by") {
                _ = try Quantizer(step: 1, levels: 4, rounding: .halfToEven, divisor: divisor)
            }
        }
    }

    @Test func `all levels may be below zero`() throws {
        let quantizer = try Quantizer(step: 0.5, levels: 0, lowest: -255, rounding: .halfToEven)
        #expect([1, 0, -0.2, -0.75, -1.25, -1000].map { quantizer.level(of: $0) } == [0, 0, 0, -2, -2, -255])
        #expect(quantizer.linearity(isConstant: [false]) == .nonlinear)
        let decoded = try JSONDecoder().decode(Quantizer.self, from: JSONEncoder().encode(quantizer))
        #expect(decoded == quantizer)
    }

    @Test func `steps and levels outside their ranges are refused, in files too`() {
        for step in [0, -1, .infinity, .nan, Float.leastNonzeroMagnitude] {
            expectError(.invalidModel, "step") { _ = try Quantizer(step: step, levels: 4, rounding: .down) }
        }
        for (lowest, levels) in [(0, 0), (1, 4), (0, 1 << 25), (-1 << 25, 4), (0, -1)] {
            expectError(.invalidModel, "levels") { _ = try Quantizer(step: 1, levels: levels, lowest: lowest, rounding: .down) }
        }
        for text in [#"{"step": 0, "levels": 4, "lowest": 0, "rounding": "down"}"#, #"{"step": 1, "levels": 4}"#] {
            #expect(throws: (any Error).self) {
                let quantizer = try JSONDecoder().decode(Quantizer.self, from: Data(text.utf8))
                // No graph holds it.
                _ = try quantizer.outputTypes([ValueType(.float32, [.batch, 2])], constants: [nil])
            }
        }
        expectError(.invalidOption, "4 binary digits") { _ = try QuantizerNeuron(threshold: 1, levels: 16, rounding: .halfUp, digits: 4) }
        expectError(.invalidOption, "3 binary digits") {
            _ = try QuantizerNeuron(threshold: 1, levels: 7, lowest: -8, rounding: .halfUp, digits: 3)
        }
        expectError(.invalidOption) { _ = try QuantizerNeuron(threshold: 1, levels: 16, rounding: .halfUp, digits: 17) }
    }

    /// The sum of a neuron's spikes, weighted, for a current that comes in any parts.
    private func emitted(_ neuron: QuantizerNeuron, _ currents: [Float]) -> Float {
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
        for (lowest, levels) in [(0, 1), (0, 3), (0, 5), (-3, 5), (-6, 2), (-5, 0)] {
            let quantizer = try Quantizer(step: 1, levels: levels, lowest: lowest, rounding: rounding)
            for sixteenths in -160...160 {
                let activation = Float(sixteenths) / 16
                // Six steps of a rate add up to six activations.
                let unary = try QuantizerNeuron(threshold: 6, levels: levels, lowest: lowest, rounding: rounding)
                #expect(emitted(unary, [2, 0, 1, 0, -4, 7].map { $0 * activation }) == quantizer.level(of: activation))
                let radix = try QuantizerNeuron(threshold: 1, levels: levels, lowest: lowest, rounding: rounding, digits: 3)
                #expect(emitted(radix, [activation, -2 * activation, activation]) == quantizer.level(of: activation))
            }
        }
    }

    @Test func `in other steps than it was made for, a unary neuron keeps the bound of its rate`() throws {
        let neuron = try QuantizerNeuron(threshold: 8, levels: 4, rounding: .halfUp)
        #expect(emitted(neuron, [Float](repeating: 100, count: 16)) == 8)
        #expect(emitted(neuron, [Float](repeating: 100, count: 8)) == 4)
        #expect(emitted(neuron, [Float](repeating: 100, count: 4)) == 2)
    }
}
