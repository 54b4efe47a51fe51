import SpikeGraph
import SpikeReference
import Testing

/// An operator, its inputs, and what onnxruntime 1.23.2 made of them.
struct OracleCase: Sendable, CustomTestStringConvertible {
    let name: String
    let `operator`: SpikeGraph.Operator
    let inputs: [Tensor]
    let expected: Tensor

    init(_ name: String, _ operator: SpikeGraph.Operator, _ inputs: [Tensor], _ shape: [Int], _ values: [Float]) {
        (self.name, self.`operator`, self.inputs, expected) = (name, `operator`, inputs, Tensor(values, shape: shape))
    }

    var testDescription: String { name }
}

@Suite struct OnnxRuntimeTests {
    /// (i · factor + offset) mod modulus − shift, for i = 0, 1, …: inputs that can be written down anywhere.
    private static func sequence(_ shape: [Int], _ factor: Int, _ offset: Int, _ modulus: Int, _ shift: Int) -> Tensor {
        Tensor((0..<shape.reduce(1, *)).map { Float(($0 * factor + offset) % modulus - shift) }, shape: shape)
    }

    static let cases: [OracleCase] = {
        let x = sequence([1, 2, 5, 4], 7, 3, 11, 5)
        let row = Tensor(Array(x.floats[0..<4]) + Array(x.floats[20..<24]), shape: [1, 2, 1, 4])
        let (w, b) = (sequence([4, 1, 2, 3], 5, 1, 7, 3), sequence([4], 3, 1, 5, 2))
        let (x3, w3) = (sequence([1, 1, 3, 3, 3], 7, 3, 11, 5), sequence([1, 1, 2, 2, 2], 5, 1, 7, 3))
        let s = sequence([2, 3, 2], 7, 3, 11, 5)
        return [
            OracleCase(
                "max pool, ceil mode, asymmetric pads",
                .maxPool(MaxPool(window: Window(kernel: [2, 3], strides: [2, 2], padsBegin: [1, 0], padsEnd: [0, 1], ceilMode: true))), [x],
                [1, 2, 3, 2],
                [
                    5, 1, 4, 3, 5, 4, 2, 5, 4, 4, 5, 5,
                ]),
            OracleCase(
                "max pool, dilated", .maxPool(MaxPool(window: Window(kernel: [2, 2], strides: [1, 2], dilations: [2, 1]))), [x],
                [1, 2, 3, 2],
                [
                    5, 2, 5, 4, 0, 3, 3, 5, 2, 5, 4, 0,
                ]),
            OracleCase(
                "max pool, SAME_LOWER", .maxPool(MaxPool(window: Window(kernel: [3, 2], strides: [2, 3], autoPad: .sameLower))), [x],
                [1, 2, 3, 2],
                [
                    4, 3, 5, 4, 5, 4, 1, 5, 2, 5, 2, 5,
                ]),
            OracleCase(
                "average pool, ceil mode, pads counted",
                .averagePool(
                    AveragePool(
                        window: Window(kernel: [3, 2], strides: [2, 2], padsBegin: [1, 1], padsEnd: [1, 0], ceilMode: true),
                        countsPadding: true)), [x], [1, 2, 3, 3],
                [
                    0.33333334, 0.33333334, 0, 1.3333334, -1.5, 1.6666666, 0.8333333, -0.5, 1, -0.6666667, 0.16666667,
                    1.6666666, -0.16666667, 1, -1.3333334, -0.16666667, 1.1666666, -1,
                ]),
            OracleCase(
                "average pool, ceil mode, pads not counted",
                .averagePool(
                    AveragePool(window: Window(kernel: [3, 2], strides: [2, 2], padsBegin: [1, 1], padsEnd: [1, 0], ceilMode: true))), [x],
                [1, 2, 3, 3],
                [
                    1, 0.5, 0, 2.6666667, -1.5, 1.6666666, 2.5, -0.75, 1.5, -2, 0.25, 2.5, -0.33333334, 1, -1.3333334,
                    -0.5, 1.75, -1.5,
                ]),
            OracleCase(
                "average pool, SAME_UPPER",
                .averagePool(AveragePool(window: Window(kernel: [2, 3], strides: [1, 2], autoPad: .sameUpper))), [x], [1, 2, 5, 2],
                [
                    0.6666667, -0.75, -0.6666667, -0.25, -0.16666667, 0.25, 0.33333334, 0.75, -0.33333334, 1, -0.5, 1.75,
                    0, -0.5, 0.5, 0, 1, 0.5, 0.33333334, -2,
                ]),
            OracleCase(
                "average pool, dilated, pads counted",
                .averagePool(
                    AveragePool(
                        window: Window(kernel: [2, 2], dilations: [2, 2], padsBegin: [1, 0], padsEnd: [0, 1]), countsPadding: true)), [x],
                [1, 2, 4, 3],
                [
                    0, 0.75, -1, 0, -1.25, 0.75, 0.5, 2, -1.75, 1, -3, 1.25, 1.25, -0.75, 1, -3, 1.25, -0.75, 3, -1, 2.25,
                    -2, -0.5, -0.25,
                ]),
            OracleCase(
                "convolution, groups, asymmetric pads",
                .conv(Conv(window: Window(kernel: [2, 3], strides: [2, 1], padsBegin: [0, 1], padsEnd: [1, 0]), groups: 2)), [x, w, b],
                [1, 4, 3, 3],
                [
                    -14, 7, 7, -22, -26, 29, -5, -10, 15, 17, 11, -14, -19, 31, -16, -10, 19, -7, 0, -10, -11, -2, -7, 14,
                    -8, -6, 16, -12, 10, 6, -6, 11, 7, -8, 15, -14,
                ]),
            OracleCase(
                "convolution, dilated, no bias",
                .conv(Conv(window: Window(kernel: [2, 3], dilations: [3, 1], padsBegin: [1, 1], padsEnd: [0, 0]), groups: 2)), [x, w],
                [1, 4, 3, 3],
                [
                    -7, 20, -5, -14, 6, 6, 4, 6, -16, 16, -2, -1, 11, 6, -19, 4, -17, 13, -7, -8, 13, 0, -7, -8, -1, -11,
                    10, -9, 16, -14, -6, 14, 10, -3, 9, 5,
                ]),
            OracleCase(
                "convolution, SAME_LOWER", .conv(Conv(window: Window(kernel: [2, 3], strides: [2, 2], autoPad: .sameLower), groups: 2)),
                [x, w], [1, 4, 3, 2],
                [
                    16, -14, 5, -14, 8, -14, -13, 13, 8, 16, 5, 14, -7, -1, -1, 7, -3, 10, -13, -5, -7, 3, -1, 4,
                ]),
            OracleCase(
                "convolution in 3-D", .conv(Conv(window: Window(kernel: [2, 2, 2], padsBegin: [0, 1, 0], padsEnd: [1, 0, 0]))), [x3, w3],
                [1, 1, 3, 3, 2],
                [
                    -11, 8, 29, -7, -2, -5, -5, 14, 13, -23, -7, 1, 4, 4, -5, -20, -6, 12,
                ]),
            OracleCase(
                "softmax", .softmax(Softmax(axis: 1)), [s], [2, 3, 2],
                [
                    0.002355633, 0.9929763, 0.047314156, 0.00033310644, 0.95033026, 0.006690622, 0.002355633, 0.9929763,
                    0.047314156, 0.00033310644, 0.95033026, 0.006690622,
                ]),
            OracleCase(
                "softmax of opset 11", .softmax(Softmax(axis: 1, flattensTail: true)), [s], [2, 3, 2],
                [
                    0.00065406313, 0.71726733, 0.01313721, 0.00024061638, 0.2638679, 0.0048329094, 0.00065406313,
                    0.71726733, 0.01313721, 0.00024061638, 0.2638679, 0.0048329094,
                ]),
            OracleCase(
                "log-softmax of opset 11", .logSoftmax(LogSoftmax(axis: 1, flattensTail: true)), [s], [2, 3, 2],
                [
                    -7.332307, -0.33230665, -4.332307, -8.332307, -1.3323066, -5.332307, -7.332307, -0.33230665, -4.332307,
                    -8.332307, -1.3323066, -5.332307,
                ]),
            OracleCase(
                "batch normalisation", .batchNormalization(BatchNormalization(epsilon: 0.5)),
                [row, sequence([2], 1, 1, 3, 0), sequence([2], 1, 0, 3, 1), sequence([2], 2, 1, 5, 2), sequence([2], 3, 1, 7, 0)],
                [1, 2, 1, 4],
                [
                    -1.8164966, 3.8989794, 0.6329931, -2.632993, -5.6568546, 0.9428091, -2.8284273, 3.7712364,
                ]),
            OracleCase(
                "general product", .gemm(Gemm(alpha: 0.5, beta: 2, transposeA: true, transposeB: true)),
                [sequence([3, 2], 7, 3, 11, 5), sequence([4, 3], 5, 1, 7, 3), sequence([4], 3, 1, 5, 2)], [2, 4],
                [
                    3.5, 7.5, 5, -11.5, -11.5, 6, 3, 0,
                ]),
        ]
    }()

    @Test(arguments: cases) func `onnxruntime gives the same numbers`(_ test: OracleCase) throws {
        let result = try run(test.`operator`, test.inputs)
        #expect(result.shape == test.expected.shape)
        #expect(result.difference(from: test.expected) < 1e-6, "\(result)")
    }
}
