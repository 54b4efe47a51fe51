import SpikeGraph
import SpikeReference
import TestSupport
import Testing

@Suite struct RoundingTests {
    private let x = Tensor([-2.5, -1.5, -0.5, -0.0, 0.5, 1.49, 1.5, 2.5, 7] as [Float], shape: [1, 9])

    @Test func `floor and round are ONNX's`() throws {
        #expect(try run(.floor(Floor()), [x]).floats == [-3, -2, -1, 0, 0, 1, 1, 2, 7])
        #expect(try run(.round(Round()), [x]).floats == [-2, -2, 0, 0, 0, 1, 2, 2, 7])
    }

    @Test func `a quantiser rounds by its rule, and keeps to its levels`() throws {
        let cases: [(Quantizer.Rounding, Int, [Float])] = [
            (.halfUp, 0, [0, 0, 0, 0, 0.5, 0.5, 1, 1.5, 2]), (.halfToEven, 0, [0, 0, 0, 0, 0, 0.5, 1, 1, 2]),
            (.down, 0, [0, 0, 0, 0, 0, 0.5, 0.5, 1, 2]), (.halfToEven, -1, [-0.5, -0.5, 0, 0, 0, 0.5, 1, 1, 2]),
            (.halfUp, -128, [-1, -0.5, 0, 0, 0.5, 0.5, 1, 1.5, 2]),
        ]
        let halved = Tensor(x.floats.map { $0 / 2 }, shape: x.shape)
        for (rounding, lowest, expected) in cases {
            let quantizer = try Quantizer(step: 0.5, levels: 4, lowest: lowest, rounding: rounding)
            #expect(try run(.quantizer(quantizer), [halved]).floats == expected, "\(quantizer.summary)")
        }
    }

    @Test func `infinity goes to a bound, a NaN stays one`() throws {
        let quantizer = try Quantizer(step: 0.5, levels: 4, lowest: -1, rounding: .halfToEven)
        let edges = Tensor([.infinity, -.infinity, 3e38, .nan] as [Float], shape: [4])
        let y = try ReferenceExecutor.evaluate(.quantizer(quantizer), [edges])[0].floats
        #expect(y[..<3] == [2, -0.5, 2] && y[3].isNaN)
    }
}
