import SpikeGraph
import TestSupport
import Testing

@Suite struct VoltageHookTests {
    /// The scale after batches of one activation each.
    private func scale(_ values: [Float], momentum: Float = 0.1, mode: VoltageHook.Mode = .max) throws -> Float {
        var hook = try VoltageHook(momentum: momentum, mode: mode)
        for value in values { _ = try hook(Tensor([value, 0] as [Float], shape: [1, 2])) }
        return hook.scale
    }

    @Test func `the moving average gives SpikingJelly's numbers`() throws {
        #expect(abs(try scale([1, 10, 1]) - 1.81) < 1e-6)
        #expect(abs(try scale([10, 1, 1]) - 8.29) < 1e-6)
        #expect(try scale([3, 10, 1], momentum: 0) == 3)
        #expect(try scale([3, 10, 1], momentum: 1) == 1)
        #expect(try scale([]) == 1)
        // The first batch counts whole, whatever the scale was before.
        #expect(try scale([7]) == 7)
        #expect(try scale([0, 0]) == 0)
    }

    @Test func `a share of the maximum is taken of each batch`() throws {
        #expect(try scale([4], mode: .scaled(0.5)) == 2)
        #expect(try scale([4], mode: .scaled(1)) == 4)
        #expect(abs(try scale([1, 10, 1], mode: .scaled(0.5)) - 0.905) < 1e-6)
    }

    @Test func `the maximum is taken over the whole batch, negative ones included`() throws {
        var hook = try VoltageHook()
        _ = try hook(Tensor([1, -9, 3, 2] as [Float], shape: [2, 2]))
        #expect(hook.scale == 3 && hook.samplesTracked == 2)
        var negative = try VoltageHook()
        _ = try negative(Tensor([-3, -9] as [Float], shape: [2]))
        #expect(negative.scale == -3)
    }

    @Test func `a hook gives back what it was given`() throws {
        var hook = try VoltageHook(mode: .percentile(50))
        let x = Tensor([1, 5, 3] as [Float], shape: [1, 3])
        #expect(try hook(x) == x)
    }

    private static let thousand = (0..<1000).map { Float(($0 * 37 + 11) % 1009) }

    /// Values, percent, and what `numpy.percentile(values, percent)` answered in float64.
    static let percentiles: [([Float], Double, Float)] = [
        ([3, 1, 2], 99.9, 2.998), ([3, 1, 2], 50, 2), ([3, 1, 2], 10, 1.2), ([3, 1, 2], 100, 3), ([3, 1, 2], 33.3, 1.666),
        ([3, 1, 2], 0.001, 1.00002), ([0, 0, 0, 1], 99.9, 0.997), ([0, 0, 0, 1], 50, 0), ([5], 99.9, 5), ([5], 0.001, 5),
        ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 99.9, 9.991), ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 50, 5.5),
        ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 33.3, 3.997), ([-2, 7.5, 0.25, 3, 3, -1], 99.9, 7.4775), ([-2, 7.5, 0.25, 3, 3, -1], 50, 1.625),
        ([-2, 7.5, 0.25, 3, 3, -1], 33.3, -0.16875), (thousand, 99.9, 1007.001), (thousand, 99, 998.01), (thousand, 50, 499.5),
        (thousand, 12.34, 123.2766), (thousand, 100, 1008),
        // A ReLU's zeros count: half of these are zeros, so that the median is one.
        (thousand.map { max(0, $0 - 504) }, 99.9, 503.001), (thousand.map { max(0, $0 - 504) }, 50, 0),
        (thousand.map { max(0, $0 - 504) }, 60, 95.4),
    ]

    @Test func `percentiles are NumPy's`() throws {
        for (values, percent, expected) in Self.percentiles {
            var hook = try VoltageHook(mode: .percentile(percent))
            _ = try hook(Tensor(values, shape: [1, values.count]))
            #expect(abs(hook.scale - expected) <= abs(expected) * 1e-6, "\(percent)% of \(values.prefix(10)) is \(hook.scale)")
        }
    }

    @Test(arguments: [
        ("max", VoltageHook.Mode.max), (" Max ", .max), ("MAX", .max), ("99.9%", .percentile(99.9)), (" 100% ", .percentile(100)),
        ("0.001%", .percentile(0.001)), ("0.5", .scaled(0.5)), ("1", .scaled(1)), ("1.0", .scaled(1)), ("1e-3", .scaled(0.001)),
    ]) func `modes are read from text and print so that they read again`(text: String, mode: VoltageHook.Mode) throws {
        #expect(try VoltageHook.Mode(text) == mode)
        #expect(try VoltageHook.Mode(mode.description) == mode)
    }

    @Test(arguments: [
        "150%", "0", "1.5", "", "abc", "-1", "nan", "inf", "0%", "-5%", "nan%", "inf%", "%", " ", "100.1%", "-0", "0.0", "1.0001", "max%",
        "9 9%",
        "0,5", "-inf", "99.9%%", "maximum",
    ]) func `text that is no mode is an error that quotes it`(_ text: String) {
        expectError(.invalidOption, "mode '\(text)'", "'max'", "99.9%", "0.5") { _ = try VoltageHook.Mode(text) }
    }

    @Test func `numbers outside a mode's range are an error, whoever makes it`() {
        for mode in [
            VoltageHook.Mode.percentile(0), .percentile(-1), .percentile(100.5), .percentile(.nan), .percentile(.infinity), .scaled(0),
            .scaled(1.5), .scaled(-0.5), .scaled(.nan),
        ] { expectError(.invalidOption) { _ = try VoltageHook(mode: mode) } }
    }

    @Test(arguments: [-0.1, 1.1, .nan, .infinity, -.infinity] as [Float]) func `a momentum outside zero to one is an error`(momentum: Float)
    {
        expectError(.invalidOption, "momentum \(momentum)", "0…1") { _ = try VoltageHook(momentum: momentum) }
    }

    @Test(arguments: [VoltageHook.Mode.max, .percentile(99.9), .scaled(0.5)])
    func `activations that are not finite, and none at all, are an error that changes nothing`(mode: VoltageHook.Mode) throws {
        var hook = try VoltageHook(mode: mode)
        _ = try hook(Tensor([2, 2] as [Float], shape: [2]))
        let before = hook
        for strange in [Float.nan, .infinity, -.infinity] {
            expectError(.invalidData, "\(strange) at position 1", "calibration") { _ = try hook(Tensor([0, strange], shape: [1, 2])) }
        }
        expectError(.invalidData, "empty") { _ = try hook(Tensor([Float](), shape: [0, 3])) }
        #expect(hook == before)
    }

    @Test func `integers are no activations`() throws {
        var hook = try VoltageHook()
        expectError(.unsupported, "float32") { _ = try hook(Tensor([1] as [Int64], shape: [1])) }
    }
}

@Suite struct VoltageScalerTests {
    private let x = Tensor((0..<12).map(Float.init), shape: [2, 3, 2])

    @Test func `one scale multiplies everything at any rank`() throws {
        for shape in [[12], [3, 4], [2, 3, 2], [1, 2, 3, 2]] {
            #expect(try VoltageScaler(scale: 0.5)(x.reshaped(to: shape)).floats == (0..<12).map { Float($0) / 2 })
        }
        #expect(try VoltageScaler(scale: 3)(Tensor(scalar: 2)) == Tensor(scalar: 6))
        #expect(VoltageScaler().scales == [1])
    }

    @Test func `one scale a channel multiplies along axis 1`() throws {
        let scaler = VoltageScaler(scales: [1, 10, 100])
        #expect(try scaler(x).floats == [0, 1, 20, 30, 400, 500, 6, 7, 80, 90, 1000, 1100])
        #expect(try scaler(x.reshaped(to: [2, 3, 1, 2])).floats == [0, 1, 20, 30, 400, 500, 6, 7, 80, 90, 1000, 1100])
        #expect(try scaler(x.reshaped(to: [4, 3])).floats == [0, 10, 200, 3, 40, 500, 6, 70, 800, 9, 100, 1100])
        #expect(try scaler(Tensor([Float](), shape: [0, 3])).count == 0)
        #expect(try scaler(Tensor([Float](), shape: [2, 3, 0])).shape == [2, 3, 0])
    }

    @Test func `as many channels as scales are needed`() {
        for (scales, shape) in [([1, 2], [2, 3, 2]), ([1, 2, 3], [12]), ([], [2, 3, 2]), ([1, 2, 3], [3, 4])] as [([Float], [Int])] {
            expectError(.invalidModel, "\(scales.count) scales") { _ = try VoltageScaler(scales: scales)(x.reshaped(to: shape)) }
        }
        expectError(.unsupported) { _ = try VoltageScaler(scale: 2)(Tensor([1] as [Int64], shape: [1])) }
    }
}
