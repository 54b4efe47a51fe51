internal import SpikeGraph

extension AttributeSpec {
    /// The window's attributes, as convolutions and pools of every opset have them.
    static let window: [AttributeSpec] = [.string("auto_pad", "NOTSET"), .ints("pads"), .ints("strides")]
}

extension OperatorSpec {
    static let convolutions: [OperatorSpec] = [
        OperatorSpec(
            "Conv", since: 1, inputs: 2...3,
            attributes: AttributeSpec.window + [.ints("dilations"), .int("group", 1), .ints("kernel_shape")], build: conv),
        OperatorSpec(
            "ConvTranspose", since: 1, inputs: 2...3,
            attributes: AttributeSpec.window + [
                .ints("dilations"), .int("group", 1), .ints("kernel_shape"), .ints("output_padding"), .ints("output_shape"),
            ], build: convTranspose),
    ]

    static let pools: [OperatorSpec] = [
        OperatorSpec("MaxPool", since: 1, inputs: 1...1, attributes: pooling(), build: maxPool),
        OperatorSpec("MaxPool", since: 8, inputs: 1...1, outputs: 1...2, attributes: pooling(.int("storage_order", 0)), build: maxPool),
        OperatorSpec(
            "MaxPool", since: 10, inputs: 1...1, outputs: 1...2,
            attributes: pooling(.int("storage_order", 0), .int("ceil_mode", 0), .ints("dilations")), build: maxPool),
        OperatorSpec("AveragePool", since: 1, inputs: 1...1, attributes: pooling(), build: averagePool),
        OperatorSpec("AveragePool", since: 7, inputs: 1...1, attributes: pooling(.int("count_include_pad", 0)), build: averagePool),
        OperatorSpec(
            "AveragePool", since: 10, inputs: 1...1, attributes: pooling(.int("count_include_pad", 0), .int("ceil_mode", 0)),
            build: averagePool),
        OperatorSpec(
            "AveragePool", since: 19, inputs: 1...1,
            attributes: pooling(.int("count_include_pad", 0), .int("ceil_mode", 0), .ints("dilations")), build: averagePool),
        OperatorSpec("GlobalAveragePool", since: 1, inputs: 1...1) { try $0.emit(.globalAveragePool(GlobalAveragePool()), [$0.input(0)]) },
        OperatorSpec("GlobalMaxPool", since: 1, inputs: 1...1) { try $0.emit(.globalMaxPool(GlobalMaxPool()), [$0.input(0)]) },
    ]

    private static func pooling(_ more: AttributeSpec...) -> [AttributeSpec] {
        AttributeSpec.window + [AttributeSpec.ints("kernel_shape").required] + more
    }

    /// The window of a convolution, whose kernel is that of its weights; and the number of groups.
    private static func convolution(_ node: NodeContext) throws -> (window: Window, groups: Int) {
        let weights = try node.type(1).shape
        guard weights.rank >= 3, let sizes = weights.known else {
            throw SpikeletError(.invalidModel, "weights of shape \(weights); two axes of channels and then the kernel's are needed")
        }
        let kernel = Array(sizes[2...])
        if let stated = node.ints("kernel_shape"), stated != kernel {
            throw SpikeletError(.invalidModel, "kernel_shape is \(stated), the weights have \(kernel)")
        }
        let groups = node.int("group") ?? 1
        guard groups >= 1, groups <= sizes[0] else {
            throw SpikeletError(.invalidModel, "\(groups) groups for \(sizes[0]) channels")
        }
        return (try window(node, kernel: kernel), groups)
    }

    private static func operands(_ node: NodeContext) throws -> [Value] {
        [try node.input(0), try node.input(1)] + [node.optionalInput(2)].compactMap { $0 }
    }

    @Sendable private static func conv(_ node: NodeContext) throws -> [Value] {
        let (window, groups) = try convolution(node)
        return try node.emit(.conv(Conv(window: window, groups: groups)), operands(node))
    }

    /// `auto_pad` and `output_shape` become pads: the sizes are known.
    @Sendable private static func convTranspose(_ node: NodeContext) throws -> [Value] {
        var (window, groups) = try convolution(node)
        let autoPad = window.autoPad
        window.autoPad = .notSet
        let rank = window.rank
        var outputPadding = node.ints("output_padding") ?? [Int](repeating: 0, count: rank)
        let spatial = try node.type(0).shape.dimensions.dropFirst(2).compactMap(\.known)
        guard outputPadding.count == rank, spatial.count == rank else {
            throw SpikeletError(.invalidModel, "output_padding \(outputPadding) for a kernel of \(rank) axes over \(try node.type(0))")
        }
        var target = node.ints("output_shape").map { Array($0.suffix(rank)) }
        if target == nil, autoPad == .sameUpper || autoPad == .sameLower {
            target = zip(spatial, window.strides).map { $0.multipliedReportingOverflow(by: $1).partialValue }
        }
        if let target {
            // The size without any pads; the shape rule checks the numbers that it is made of.
            (window.padsBegin, window.padsEnd) = ([Int](repeating: 0, count: rank), [Int](repeating: 0, count: rank))
            let whole = try ConvTranspose(window: window, groups: groups, outputPadding: outputPadding).outputSizes(spatial)
            guard target.count == rank, target.allSatisfy({ $0 >= 1 && $0 < 1 << 30 }) else {
                throw SpikeletError(.invalidModel, "output_shape \(target) for a kernel of \(rank) axes")
            }
            for axis in 0..<rank {
                let total = whole[axis] - target[axis]
                if total < 0 { outputPadding[axis] -= total }
                let half = max(0, total) / 2
                window.padsBegin[axis] = autoPad == .sameUpper ? half : max(0, total) - half
                window.padsEnd[axis] = max(0, total) - window.padsBegin[axis]
            }
        }
        return try node.emit(.convTranspose(ConvTranspose(window: window, groups: groups, outputPadding: outputPadding)), operands(node))
    }

    @Sendable private static func maxPool(_ node: NodeContext) throws -> [Value] {
        guard !node.isUsed(output: 1) else {
            throw SpikeletError(.unsupported, "the positions of the maxima (output 1) are used", remedy: "max unpooling cannot be spiking")
        }
        guard !node.flag("storage_order") else {
            throw SpikeletError(.unsupported, "storage_order is 1 (column major)", remedy: "export the model with storage_order 0")
        }
        return try node.emit(.maxPool(MaxPool(window: window(node, kernel: node.ints("kernel_shape") ?? []))), [node.input(0)])
    }

    @Sendable private static func averagePool(_ node: NodeContext) throws -> [Value] {
        let window = try window(node, kernel: node.ints("kernel_shape") ?? [])
        return try node.emit(.averagePool(AveragePool(window: window, countsPadding: node.flag("count_include_pad"))), [node.input(0)])
    }

    /// The node's window. What does not fit its input is found by the shape rule.
    private static func window(_ node: NodeContext, kernel: [Int]) throws -> Window {
        let rank = kernel.count
        guard rank >= 1 else { throw SpikeletError(.invalidModel, "kernel_shape is empty") }
        for name in ["strides", "dilations"] {
            if let given = node.ints(name), given.count != rank {
                throw SpikeletError(.invalidModel, "\(name) \(given) for a kernel of \(rank) axes")
            }
        }
        let autoPad = node.string("auto_pad") ?? "NOTSET"
        guard let padding = Window.AutoPad(rawValue: autoPad) else {
            throw SpikeletError(.invalidModel, "auto_pad is '\(autoPad)'; NOTSET, SAME_UPPER, SAME_LOWER and VALID exist")
        }
        var pads = node.ints("pads") ?? [Int](repeating: 0, count: 2 * rank)
        if pads.isEmpty { pads = [Int](repeating: 0, count: 2 * rank) }
        guard pads.count == 2 * rank else {
            throw SpikeletError(.invalidModel, "pads \(pads) for a kernel of \(rank) axes; \(2 * rank) numbers are needed")
        }
        guard padding == .notSet || pads.allSatisfy({ $0 == 0 }) else {
            throw SpikeletError(.invalidModel, "both auto_pad \(autoPad) and pads \(pads) are given; they exclude each other")
        }
        return Window(
            kernel: kernel, strides: node.ints("strides"), dilations: node.ints("dilations"), padsBegin: Array(pads[..<rank]),
            padsEnd: Array(pads[rank...]), autoPad: padding, ceilMode: node.flag("ceil_mode"))
    }
}
