import SpikeGraph
import SpikeONNX
import SwiftProtobuf
import Testing

@Suite struct ConvolutionImportTests {
    @Test func `a Conv without attributes has ONNX's defaults and the kernel of its weights`() throws {
        let builder = ModelBuilder.single("Conv", weights: [[4, 3, 3, 2]])
        #expect(try builder.onlyOperator() == .conv(Conv(window: Window(kernel: [3, 2]))))
        #expect(try builder.outputShape() == [.batch, 4, 6, 7])
    }

    @Test func `every attribute of Conv is read`() throws {
        let builder = ModelBuilder.single(
            "Conv", input: [nil, 4, 9, 9], weights: [[6, 2, 3, 3], [6]],
            [
                "auto_pad": .string("NOTSET"), "dilations": .ints([2, 1]), "group": .int(2), "kernel_shape": .ints([3, 3]),
                "pads": .ints([1, 0, 2, 3]), "strides": .ints([2, 1]),
            ])
        let window = Window(kernel: [3, 3], strides: [2, 1], dilations: [2, 1], padsBegin: [1, 0], padsEnd: [2, 3])
        #expect(try builder.onlyOperator() == .conv(Conv(window: window, groups: 2)))
        #expect(try builder.graph().nodes[0].inputs == ["x", "w0", "w1"])
        #expect(try builder.outputShape() == [.batch, 6, 4, 10])
    }

    @Test(arguments: ["SAME_UPPER", "SAME_LOWER", "VALID"]) func `auto_pad is kept`(mode: String) throws {
        let builder = ModelBuilder.single("Conv", weights: [[4, 3, 3, 3]], ["auto_pad": .string(mode), "strides": .ints([2, 2])])
        guard case .conv(let conv) = try builder.onlyOperator() else { throw SpikeletError(.invalidData, "no convolution") }
        #expect(conv.window.autoPad.rawValue == mode)
        #expect(try builder.outputShape() == (mode == "VALID" ? [.batch, 4, 3, 3] : [.batch, 4, 4, 4]))
    }

    @Test func `one and three spatial axes work`() throws {
        #expect(try ModelBuilder.single("Conv", input: [nil, 3, 9], weights: [[5, 3, 3]]).outputShape() == [.batch, 5, 7])
        #expect(
            try ModelBuilder.single("Conv", input: [nil, 3, 9, 9, 9], weights: [[5, 3, 3, 2, 1]]).outputShape() == [.batch, 5, 7, 8, 9])
    }

    @Test func `an absent bias may be written as an empty name`() throws {
        var builder = ModelBuilder()
        builder.weight("w", [4, 3, 1, 1])
        builder.node("Conv", ["x", "w", ""])
        #expect(try builder.graph().nodes[0].inputs == ["x", "w"])
    }

    @Test func `what does not fit is refused with the numbers`() {
        let wrong = ModelBuilder.single("Conv", weights: [[4, 2, 3, 3]])
        #expect(wrong.failure().contains("[4, 2, 3, 3]"))
        #expect(ModelBuilder.single("Conv", weights: [[4, 3, 3, 3]], ["kernel_shape": .ints([5, 5])]).failure().contains("kernel_shape"))
        #expect(ModelBuilder.single("Conv", weights: [[4, 3, 3, 3]], ["pads": .ints([1, 1])]).failure().contains("4 numbers"))
        #expect(ModelBuilder.single("Conv", weights: [[4, 3, 3, 3]], ["pads": .ints([-1, 0, 0, 0])]).failure().contains("at least 0"))
        #expect(ModelBuilder.single("Conv", weights: [[4, 3, 3, 3]], ["strides": .ints([0, 1])]).failure().contains("at least 1"))
        #expect(ModelBuilder.single("Conv", weights: [[4, 3, 3, 3]], ["strides": .ints([1])]).failure().contains("strides"))
        #expect(ModelBuilder.single("Conv", weights: [[4, 3, 3, 3]], ["group": .int(0)]).failure().contains("0 groups"))
        #expect(ModelBuilder.single("Conv", weights: [[4, 3, 3, 3]], ["group": .int(.max)]).failure().contains("groups"))
        #expect(ModelBuilder.single("Conv", weights: [[4, 3, 3, 3]], ["auto_pad": .string("SAME")]).failure().contains("auto_pad"))
        let both = ModelBuilder.single("Conv", weights: [[4, 3, 3, 3]], ["auto_pad": .string("VALID"), "pads": .ints([1, 1, 1, 1])])
        #expect(both.failure().contains("exclude each other"))
        #expect(ModelBuilder.single("Conv", weights: [[4, 3, 30, 30]]).failure().contains("does not fit"))
        #expect(ModelBuilder.single("Conv", weights: [[4]]).failure().contains("weights of shape [4]"))
    }
}

@Suite struct PoolImportTests {
    @Test func `pools without attributes but the kernel have ONNX's defaults`() throws {
        let window = Window(kernel: [2, 3])
        #expect(try ModelBuilder.single("MaxPool", ["kernel_shape": .ints([2, 3])]).onlyOperator() == .maxPool(MaxPool(window: window)))
        #expect(
            try ModelBuilder.single("AveragePool", ["kernel_shape": .ints([2, 3])]).onlyOperator()
                == .averagePool(AveragePool(window: window)))
        #expect(ModelBuilder.single("MaxPool").failure().contains("'kernel_shape' is missing"))
    }

    @Test func `every attribute of MaxPool is read`() throws {
        let builder = ModelBuilder.single(
            "MaxPool",
            [
                "kernel_shape": .ints([3, 2]), "strides": .ints([2, 1]), "pads": .ints([1, 0, 0, 1]), "dilations": .ints([1, 2]),
                "ceil_mode": .int(1), "auto_pad": .string("NOTSET"), "storage_order": .int(0),
            ])
        let window = Window(kernel: [3, 2], strides: [2, 1], dilations: [1, 2], padsBegin: [1, 0], padsEnd: [0, 1], ceilMode: true)
        #expect(try builder.onlyOperator() == .maxPool(MaxPool(window: window)))
        #expect(try builder.outputShape() == [.batch, 3, 4, 7])
    }

    @Test func `every attribute of AveragePool is read`() throws {
        let builder = ModelBuilder.single(
            "AveragePool", opset: 19,
            [
                "kernel_shape": .ints([3, 3]), "strides": .ints([2, 2]), "pads": .ints([1, 1, 1, 1]), "dilations": .ints([1, 1]),
                "ceil_mode": .int(1), "count_include_pad": .int(1), "auto_pad": .string("NOTSET"),
            ])
        let window = Window(kernel: [3, 3], strides: [2, 2], padsBegin: [1, 1], padsEnd: [1, 1], ceilMode: true)
        #expect(try builder.onlyOperator() == .averagePool(AveragePool(window: window, countsPadding: true)))
    }

    @Test func `an attribute that the opset does not have yet is refused`() {
        let kernel = ModelBuilder.Attribute.ints([2, 2])
        #expect(ModelBuilder.single("MaxPool", opset: 8, ["kernel_shape": kernel, "ceil_mode": .int(1)]).failure().contains("'ceil_mode'"))
        #expect(
            ModelBuilder.single("AveragePool", opset: 17, ["kernel_shape": kernel, "dilations": kernel]).failure().contains("'dilations'"))
    }

    @Test func `positions of maxima may be declared but not used`() throws {
        var builder = ModelBuilder()
        builder.node("MaxPool", ["x"], ["y", "indices"], ["kernel_shape": .ints([2, 2])])
        #expect(try builder.outputShape() == [.batch, 3, 7, 7])
        builder.model.graph.output.append(.with { $0.name = "indices" })
        #expect(builder.failure().contains("positions of the maxima"))
        #expect(
            ModelBuilder.single("MaxPool", ["kernel_shape": .ints([2, 2]), "storage_order": .int(1)]).failure().contains("storage_order"))
    }

    @Test func `a window without axes, or with more than the input, is refused`() {
        #expect(ModelBuilder.single("MaxPool", ["kernel_shape": .ints([])]).failure().contains("empty"))
        #expect(ModelBuilder.single("MaxPool", ["kernel_shape": .ints([2])]).failure().contains("3 axes"))
        #expect(ModelBuilder.single("MaxPool", ["kernel_shape": .ints([Int.max, 2])]).failure().contains("kernel"))
    }

    @Test func `global pools keep the spatial axes`() throws {
        #expect(try ModelBuilder.single("GlobalAveragePool").onlyOperator() == .globalAveragePool(GlobalAveragePool()))
        #expect(try ModelBuilder.single("GlobalMaxPool").onlyOperator() == .globalMaxPool(GlobalMaxPool()))
        #expect(try ModelBuilder.single("GlobalMaxPool").outputShape() == [.batch, 3, 1, 1])
    }

    @Test func `ReduceMean takes its axes as an attribute before opset 18`() throws {
        #expect(try ModelBuilder.single("ReduceMean", input: [4, 3, 8, 8]).onlyOperator() == .reduceMean(ReduceMean()))
        let builder = ModelBuilder.single("ReduceMean", ["axes": .ints([-1, 2]), "keepdims": .int(0)])
        #expect(try builder.onlyOperator() == .reduceMean(ReduceMean(axes: [-1, 2], keepsDimensions: false)))
        #expect(try builder.outputShape() == [.batch, 3])
        #expect(ModelBuilder.single("ReduceMean", integers: [[2, 3]]).failure().contains("2 inputs"))
    }

    @Test func `ReduceMean takes its axes as an input from opset 18 on`() throws {
        let builder = ModelBuilder.single("ReduceMean", opset: 18, integers: [[2, 3]])
        #expect(try builder.onlyOperator() == .reduceMean(ReduceMean(axes: [2, 3])))
        #expect(try builder.outputShape() == [.batch, 3, 1, 1])
        #expect(ModelBuilder.single("ReduceMean", opset: 18, ["axes": .ints([2])]).failure().contains("'axes'"))
        let all = ModelBuilder.single("ReduceMean", opset: 18, input: [2, 3], ["noop_with_empty_axes": .int(0), "keepdims": .int(1)])
        #expect(try all.outputShape() == [1, 1])
    }

    @Test func `no axes can mean nothing to do`() throws {
        var builder = ModelBuilder.single("ReduceMean", opset: 18, ["noop_with_empty_axes": .int(1)])
        builder.model.graph.node[0].output = ["t"]
        builder.node("Relu", ["t"])
        #expect(try builder.onlyOperator() == .relu(Relu()))
    }

    @Test func `a mean over the batch is refused`() {
        #expect(ModelBuilder.single("ReduceMean", ["axes": .ints([0])]).failure().contains("batch"))
        #expect(ModelBuilder.single("ReduceMean").failure().contains("batch"))
        #expect(ModelBuilder.single("ReduceMean", ["axes": .ints([4])]).failure().contains("axis 4"))
    }
}
