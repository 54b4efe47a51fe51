internal import SpikeGraph

extension AttributeSpec {
    /// The window's attributes, as convolutions and pools of every opset have them.
    static let window: [AttributeSpec] = [.string("auto_pad", "NOTSET"), .ints("pads"), .ints("strides")]
}

extension OperatorSpec {
    static let convolutions: [OperatorSpec] = [
        OperatorSpec(
            "Conv", since: 1, inputs: 2...3,
            attributes: AttributeSpec.window + [.ints("dilations"), .int("group", 1), .ints("kernel_shape")], build: conv)
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

    @Sendable private static func conv(_ node: NodeContext) throws -> [Value] {
        let weights = try node.type(1).shape
        guard weights.rank >= 3, let sizes = weights.known else {
            throw SpikeletError(.invalidModel, "weights of shape \(weights); [outputs, inputs/groups, kernel…] is needed")
        }
        let kernel = Array(sizes[2...])
        if let stated = node.ints("kernel_shape"), stated != kernel {
            throw SpikeletError(.invalidModel, "kernel_shape is \(stated), the weights have \(kernel)")
        }
        let groups = node.int("group") ?? 1
        guard groups >= 1, groups <= sizes[0] else {
            throw SpikeletError(.invalidModel, "\(groups) groups for \(sizes[0]) output channels")
        }
        let operands = [try node.input(0), try node.input(1)] + [node.optionalInput(2)].compactMap { $0 }
        return try node.emit(.conv(Conv(window: window(node, kernel: kernel), groups: groups)), operands)
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
