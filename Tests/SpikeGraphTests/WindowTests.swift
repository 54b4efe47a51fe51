import SpikeGraph
import TestSupport
import Testing

@Suite struct WindowTests {
    /// Where a window may start on one axis, walked position by position. Coordinates count from the first pad.
    private func count(size: Int, extent: Int, stride: Int, begin: Int, end: Int, ceil: Bool) -> Int {
        let padded = begin + size + end
        var positions = 0
        while true {
            let start = positions * stride
            let fits = start + extent <= padded
            // Rounding up adds one window that sticks out, as long as one a stride before would have room …
            let sticksOut = ceil && start - stride + extent < padded
            guard fits || sticksOut else { break }
            positions += 1
        }
        // … but then the last one, and that one alone, goes where it starts behind the input.
        return ceil && positions > 0 && (positions - 1) * stride >= begin + size ? positions - 1 : positions
    }

    @Test func `explicit pads place as many windows as walking over the axis does`() throws {
        for size in 1...9 {
            for (kernel, stride, dilation) in (0..<48).map({ ($0 % 4 + 1, $0 / 4 % 4 + 1, $0 / 16 + 1) }) {
                for (begin, end, ceil) in (0..<18).map({ ($0 % 3, $0 / 3 % 3, $0 / 9 == 1) }) {
                    let window = Window(
                        kernel: [kernel], strides: [stride], dilations: [dilation], padsBegin: [begin], padsEnd: [end], ceilMode: ceil)
                    let extent = (kernel - 1) * dilation + 1
                    let expected = count(size: size, extent: extent, stride: stride, begin: begin, end: end, ceil: ceil)
                    let placement = try? window.placement(over: [size])
                    #expect((placement?.output ?? [0]) == [expected], "\(window) over \(size)")
                }
            }
        }
    }

    @Test(arguments: [false, true]) func `automatic pads are the fewest that let every stride begin a window`(ceil: Bool) throws {
        for size in 1...9 {
            for (kernel, stride, dilation) in (0..<48).map({ ($0 % 4 + 1, $0 / 4 % 4 + 1, $0 / 16 + 1) }) {
                let extent = (kernel - 1) * dilation + 1
                let positions = (0..<size).filter { $0 % stride == 0 }.count
                var total = 0
                while (positions - 1) * stride + extent > size + total { total += 1 }
                for mode in [Window.AutoPad.sameUpper, .sameLower] {
                    // Pads that are given all the same do not count.
                    let window = Window(
                        kernel: [kernel], strides: [stride], dilations: [dilation], padsBegin: [5], padsEnd: [7], autoPad: mode,
                        ceilMode: ceil)
                    let placement = try window.placement(over: [size])
                    #expect(placement.output == [positions])
                    let (smaller, larger) = (total / 2, total - total / 2)
                    #expect(placement.padsBegin == [mode == .sameUpper ? smaller : larger])
                    #expect(placement.padsEnd == [mode == .sameUpper ? larger : smaller])
                }
                let valid = Window(
                    kernel: [kernel], strides: [stride], dilations: [dilation], padsBegin: [5], padsEnd: [7], autoPad: .valid,
                    ceilMode: ceil)
                let expected = count(size: size, extent: extent, stride: stride, begin: 0, end: 0, ceil: ceil)
                #expect(((try? valid.placement(over: [size]))?.output ?? [0]) == [expected])
            }
        }
    }

    struct NodeTest: Sendable {
        let name: String
        let window: Window
        let input: [Int]
        let output: [Int]

        init(_ name: String, _ window: Window, _ input: [Int], _ output: [Int]) {
            (self.name, self.window, self.input, self.output) = (name, window, input, output)
        }
    }

    /// Attributes and shapes of the node tests of ONNX 1.22.
    static let nodeTests: [NodeTest] = [
        NodeTest("averagepool_1d_default", Window(kernel: [2]), [32], [31]),
        NodeTest("averagepool_2d_ceil", Window(kernel: [3, 3], strides: [2, 2], ceilMode: true), [4, 4], [2, 2]),
        NodeTest(
            "averagepool_2d_ceil_last_window_starts_on_pad",
            Window(kernel: [3, 3], strides: [3, 3], padsBegin: [1, 1], padsEnd: [1, 1], ceilMode: true), [2, 2], [1, 1]),
        NodeTest("averagepool_2d_default", Window(kernel: [2, 2]), [32, 32], [31, 31]),
        NodeTest(
            "averagepool_2d_dilations", Window(kernel: [2, 2], strides: [1, 1], dilations: [2, 2], ceilMode: true), [4, 4], [2, 2]),
        NodeTest("averagepool_2d_pads", Window(kernel: [3, 3], padsBegin: [2, 2], padsEnd: [2, 2]), [28, 28], [30, 30]),
        NodeTest(
            "averagepool_2d_pads_count_include_pad", Window(kernel: [3, 3], padsBegin: [2, 2], padsEnd: [2, 2]), [28, 28], [30, 30]),
        NodeTest("averagepool_2d_precomputed_pads", Window(kernel: [5, 5], padsBegin: [2, 2], padsEnd: [2, 2]), [5, 5], [5, 5]),
        NodeTest(
            "averagepool_2d_precomputed_pads_count_include_pad", Window(kernel: [5, 5], padsBegin: [2, 2], padsEnd: [2, 2]), [5, 5], [5, 5]),
        NodeTest("averagepool_2d_precomputed_same_upper", Window(kernel: [3, 3], strides: [2, 2], autoPad: .sameUpper), [5, 5], [3, 3]),
        NodeTest("averagepool_2d_precomputed_strides", Window(kernel: [2, 2], strides: [2, 2]), [5, 5], [2, 2]),
        NodeTest("averagepool_2d_same_lower", Window(kernel: [2, 2], autoPad: .sameLower), [32, 32], [32, 32]),
        NodeTest("averagepool_2d_same_upper", Window(kernel: [2, 2], autoPad: .sameUpper), [32, 32], [32, 32]),
        NodeTest("averagepool_2d_strides", Window(kernel: [5, 5], strides: [3, 3]), [32, 32], [10, 10]),
        NodeTest("averagepool_3d_default", Window(kernel: [2, 2, 2]), [32, 32, 32], [31, 31, 31]),
        NodeTest(
            "averagepool_3d_dilations_large_count_include_pad_is_0_ceil_mode_is_False",
            Window(kernel: [5, 5, 5], strides: [3, 3, 3], dilations: [2, 2, 2]), [32, 32, 32], [8, 8, 8]),
        NodeTest(
            "averagepool_3d_dilations_large_count_include_pad_is_0_ceil_mode_is_True",
            Window(kernel: [5, 5, 5], strides: [3, 3, 3], dilations: [2, 2, 2], ceilMode: true), [32, 32, 32], [9, 9, 9]),
        NodeTest(
            "averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_False",
            Window(kernel: [5, 5, 5], strides: [3, 3, 3], dilations: [2, 2, 2]), [32, 32, 32], [8, 8, 8]),
        NodeTest(
            "averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True",
            Window(kernel: [5, 5, 5], strides: [3, 3, 3], dilations: [2, 2, 2], ceilMode: true), [32, 32, 32], [9, 9, 9]),
        NodeTest(
            "averagepool_3d_dilations_small", Window(kernel: [2, 2, 2], strides: [1, 1, 1], dilations: [2, 2, 2], ceilMode: true),
            [4, 4, 4], [2, 2, 2]),
        NodeTest("basic_conv_with_padding", Window(kernel: [3, 3], padsBegin: [1, 1], padsEnd: [1, 1]), [5, 5], [5, 5]),
        NodeTest("basic_conv_without_padding", Window(kernel: [3, 3], padsBegin: [0, 0], padsEnd: [0, 0]), [5, 5], [3, 3]),
        NodeTest("conv_with_autopad_same", Window(kernel: [3, 3], strides: [2, 2], autoPad: .sameLower), [5, 5], [3, 3]),
        NodeTest(
            "conv_with_strides_and_asymmetric_padding", Window(kernel: [3, 3], strides: [2, 2], padsBegin: [1, 0], padsEnd: [1, 0]),
            [7, 5], [4, 2]),
        NodeTest(
            "conv_with_strides_no_padding", Window(kernel: [3, 3], strides: [2, 2], padsBegin: [0, 0], padsEnd: [0, 0]), [7, 5], [3, 2]),
        NodeTest(
            "conv_with_strides_padding", Window(kernel: [3, 3], strides: [2, 2], padsBegin: [1, 1], padsEnd: [1, 1]), [7, 5], [4, 3]),
        NodeTest("maxpool_1d_default", Window(kernel: [2]), [32], [31]),
        NodeTest("maxpool_2d_ceil", Window(kernel: [3, 3], strides: [2, 2], ceilMode: true), [4, 4], [2, 2]),
        NodeTest("maxpool_2d_ceil_output_size_reduce_by_one", Window(kernel: [1, 1], strides: [2, 2], ceilMode: true), [2, 2], [1, 1]),
        NodeTest("maxpool_2d_default", Window(kernel: [2, 2]), [32, 32], [31, 31]),
        NodeTest("maxpool_2d_dilations", Window(kernel: [2, 2], strides: [1, 1], dilations: [2, 2]), [4, 4], [2, 2]),
        NodeTest("maxpool_2d_pads", Window(kernel: [3, 3], padsBegin: [2, 2], padsEnd: [2, 2]), [28, 28], [30, 30]),
        NodeTest("maxpool_2d_precomputed_pads", Window(kernel: [5, 5], padsBegin: [2, 2], padsEnd: [2, 2]), [5, 5], [5, 5]),
        NodeTest("maxpool_2d_precomputed_same_upper", Window(kernel: [3, 3], strides: [2, 2], autoPad: .sameUpper), [5, 5], [3, 3]),
        NodeTest("maxpool_2d_precomputed_strides", Window(kernel: [2, 2], strides: [2, 2]), [5, 5], [2, 2]),
        NodeTest("maxpool_2d_same_lower", Window(kernel: [2, 2], autoPad: .sameLower), [32, 32], [32, 32]),
        NodeTest("maxpool_2d_same_upper", Window(kernel: [2, 2], autoPad: .sameUpper), [32, 32], [32, 32]),
        NodeTest("maxpool_2d_strides", Window(kernel: [5, 5], strides: [3, 3]), [32, 32], [10, 10]),
        NodeTest("maxpool_3d_default", Window(kernel: [2, 2, 2]), [32, 32, 32], [31, 31, 31]),
        NodeTest("maxpool_3d_dilations", Window(kernel: [2, 2, 2], strides: [1, 1, 1], dilations: [2, 2, 2]), [4, 4, 4], [2, 2, 2]),
        NodeTest(
            "maxpool_3d_dilations_use_ref_impl", Window(kernel: [2, 2, 2], strides: [1, 1, 1], dilations: [2, 2, 2]), [4, 4, 4], [2, 2, 2]),
        NodeTest(
            "maxpool_3d_dilations_use_ref_impl_large",
            Window(kernel: [5, 5, 5], strides: [3, 3, 3], dilations: [2, 2, 2], ceilMode: true), [32, 32, 32], [9, 9, 9]),
    ]

    @Test(arguments: nodeTests) func `node tests have the output sizes that ONNX says`(_ test: NodeTest) throws {
        #expect(try test.window.placement(over: test.input).output == test.output, "\(test.name)")
    }

    /// size, kernel, stride, dilation, pad before, pad after, automatic padding, ceil mode → positions, as onnxruntime 1.23
    /// answered for a MaxPool. Left out are automatic padding with dilations, and windows that do not fit once without ceil
    /// mode: there onnxruntime does not follow the standard.
    typealias Measured = (Int, Int, Int, Int, Int, Int, Window.AutoPad, Bool, Int)
    static let measured: [Measured] = [
        (8, 2, 1, 1, 0, 1, .notSet, false, 8), (7, 1, 2, 1, 0, 0, .notSet, false, 4), (7, 2, 1, 1, 1, 0, .notSet, false, 7),
        (1, 2, 2, 1, 0, 1, .notSet, false, 1), (9, 2, 2, 3, 0, 1, .notSet, false, 4), (6, 4, 2, 1, 2, 0, .notSet, true, 3),
        (10, 1, 3, 1, 0, 0, .valid, true, 4), (8, 3, 2, 2, 1, 2, .notSet, false, 4), (5, 1, 3, 2, 0, 0, .notSet, true, 2),
        (10, 1, 4, 1, 0, 0, .notSet, false, 3), (8, 3, 3, 3, 1, 1, .notSet, true, 2), (5, 1, 4, 1, 0, 0, .sameUpper, true, 2),
        (3, 3, 3, 3, 2, 0, .notSet, true, 1), (5, 2, 1, 3, 0, 1, .notSet, false, 3), (12, 1, 1, 3, 0, 0, .notSet, true, 12),
        (5, 4, 4, 1, 0, 0, .valid, true, 2), (6, 2, 2, 3, 0, 1, .notSet, false, 2), (7, 3, 2, 1, 1, 1, .notSet, true, 4),
        (10, 2, 4, 2, 1, 1, .notSet, true, 3), (8, 4, 2, 1, 0, 0, .sameLower, true, 4), (6, 2, 1, 2, 1, 1, .notSet, true, 6),
        (12, 1, 3, 2, 0, 0, .notSet, true, 4), (8, 3, 3, 2, 1, 2, .notSet, true, 3), (10, 4, 2, 1, 1, 0, .notSet, false, 4),
        (3, 1, 2, 1, 0, 0, .notSet, false, 2), (10, 2, 2, 3, 1, 0, .notSet, true, 5), (10, 4, 2, 1, 0, 0, .valid, false, 4),
        (7, 2, 3, 3, 1, 1, .notSet, true, 3), (1, 4, 3, 1, 3, 0, .notSet, true, 1), (8, 3, 3, 3, 2, 2, .notSet, false, 2),
        (1, 4, 4, 3, 3, 3, .notSet, true, 1), (11, 2, 3, 2, 0, 0, .valid, false, 3), (12, 4, 3, 3, 3, 2, .notSet, false, 3),
        (2, 2, 3, 1, 0, 0, .notSet, true, 1), (12, 2, 3, 3, 1, 0, .notSet, false, 4), (8, 3, 3, 1, 0, 2, .notSet, false, 3),
        (10, 3, 2, 2, 0, 2, .notSet, true, 5), (5, 2, 2, 2, 1, 1, .notSet, false, 3), (12, 1, 3, 1, 0, 0, .valid, false, 4),
        (9, 4, 2, 2, 3, 3, .notSet, false, 5), (9, 1, 4, 1, 0, 0, .sameLower, false, 3), (12, 1, 1, 3, 0, 0, .notSet, true, 12),
        (6, 2, 3, 2, 1, 1, .notSet, false, 2), (10, 2, 2, 2, 0, 0, .notSet, false, 4),
    ]

    @Test func `output sizes are those of onnxruntime`() throws {
        for (size, kernel, stride, dilation, begin, end, autoPad, ceil, positions) in Self.measured {
            let window = Window(
                kernel: [kernel], strides: [stride], dilations: [dilation], padsBegin: [begin], padsEnd: [end], autoPad: autoPad,
                ceilMode: ceil)
            #expect(try window.placement(over: [size]).output == [positions], "\(window) over \(size)")
        }
    }

    @Test func `a window that is no window is an error`() {
        let wrong: [Window] = [
            Window(kernel: [0]), Window(kernel: [-1]), Window(kernel: [2], strides: [0]), Window(kernel: [2], dilations: [0]),
            Window(kernel: [2], padsBegin: [-1]), Window(kernel: [2], padsEnd: [-1]), Window(kernel: [2, 2]), Window(kernel: []),
            Window(kernel: [2], strides: [1, 1]), Window(kernel: [2], dilations: []), Window(kernel: [2], padsBegin: [0, 0]),
            Window(kernel: [2], padsEnd: []), Window(kernel: [.max]), Window(kernel: [2], strides: [.max]), Window(kernel: [.min]),
            Window(kernel: [2], dilations: [.max]), Window(kernel: [2], padsBegin: [.max], padsEnd: [.max]), Window(kernel: [6]),
            Window(kernel: [6], autoPad: .valid),
        ]
        for window in wrong { expectError(.invalidModel) { _ = try window.placement(over: [5]) } }
        for size in [0, -1, Int.max, Int.min] {
            for autoPad in [Window.AutoPad.notSet, .sameUpper, .valid] {
                expectError(.invalidModel) { _ = try Window(kernel: [1], autoPad: autoPad).placement(over: [size]) }
            }
        }
    }

    @Test func `pools refuse windows of nothing but padding, convolutions take them`() throws {
        var generator = SeededGenerator(3)
        var refused = 0
        for _ in 0..<2000 {
            func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
            let (size, kernel, stride, dilation, begin) = (number(1...5), number(1...3), number(1...3), number(1...3), number(0...4))
            let window = Window(kernel: [kernel], strides: [stride], dilations: [dilation], padsBegin: [begin], padsEnd: [number(0...4)])
            guard let positions = try? window.placement(over: [size]).output[0] else { continue }
            let isBlind = (0..<positions).contains { position in
                (0..<kernel).allSatisfy { !(0..<size).contains(position * stride - begin + $0 * dilation) }
            }
            let shape: Shape = [.batch, 2, Dimension(size)]
            for pool in [
                SpikeGraph.Operator.maxPool(MaxPool(window: window)), .averagePool(AveragePool(window: window)),
                .runningMaximumPool(RunningMaximumPool(window: window)),
            ] {
                #expect((try? outputShape(pool, [shape])) == (isBlind ? nil : [.batch, 2, Dimension(positions)]), "\(window) over \(size)")
            }
            #expect(try outputShape(.averagePool(AveragePool(window: window, countsPadding: true)), [shape])[2] == Dimension(positions))
            #expect(try outputShape(.conv(Conv(window: window)), [shape, [4, 2, Dimension(kernel)]])[2] == Dimension(positions))
            refused += isBlind ? 1 : 0
        }
        #expect(refused > 100)
    }
}
