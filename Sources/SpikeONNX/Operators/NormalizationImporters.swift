internal import SpikeGraph

extension OperatorSpec {
    static let normalization: [OperatorSpec] =
        [
            batchNormalization(since: 6, outputs: 1...5, .int("is_test", 0), .int("spatial", 1)),
            batchNormalization(since: 7, outputs: 1...5, .int("spatial", 1)), batchNormalization(since: 9, outputs: 1...5),
            batchNormalization(since: 14, outputs: 1...3, .int("training_mode", 0)),
            OperatorSpec("InstanceNormalization", since: 6, inputs: 3...3, attributes: [.float("epsilon", 1e-5)]) {
                try $0.emit(.groupNormalization(GroupNormalization(groups: nil, epsilon: epsilon($0))), $0.allInputs())
            },
            OperatorSpec("GroupNormalization", since: 18, inputs: 3...3, attributes: groupAttributes) { node in
                // One scale and one bias a group; later opsets have them for each channel.
                let channels = try node.type(0).shape.dimensions.dropFirst().first?.known ?? 0
                let parameters = try node.allInputs().dropFirst().map { value -> Value in
                    guard let tensor = value.tensor, case .float32(let values) = tensor.storage, !values.isEmpty,
                        channels % values.count == 0
                    else { throw SpikeletError(.unsupported, "its scale or bias is no constant of one number a group") }
                    return node.builder.constant(Tensor((0..<channels).map { values[$0 / (channels / values.count)] }, shape: [channels]))
                }
                return try groupNormalization(node, [try node.input(0)] + parameters)
            },
            OperatorSpec("GroupNormalization", since: 21, inputs: 3...3, attributes: groupAttributes + [.int("stash_type", 1)]) {
                try groupNormalization($0, $0.allInputs())
            },
            OperatorSpec(
                "LayerNormalization", since: 17, inputs: 2...3, outputs: 1...3,
                attributes: [.int("axis", -1), .float("epsilon", 1e-5), .int("stash_type", 1)]
            ) { node in
                let normalized = try layerNormalization(node, isCentered: true)
                return node.usedOutputs.dropFirst().contains(true) ? try normalized + statistics(node) : normalized
            },
            OperatorSpec(
                "RMSNormalization", since: 23, inputs: 2...2,
                attributes: [.int("axis", -1), .float("epsilon", 1e-5), .int("stash_type", 1)]
            ) { try layerNormalization($0, isCentered: false) },
            OperatorSpec(
                "LRN", since: 1, inputs: 1...1,
                attributes: [.float("alpha", 1e-4), .float("beta", 0.75), .float("bias", 1), AttributeSpec.int("size").required]
            ) { node in
                try node.emit(
                    .localResponseNormalization(
                        LocalResponseNormalization(
                            size: node.int("size") ?? 1, alpha: node.float("alpha") ?? 1e-4, beta: node.float("beta") ?? 0.75,
                            bias: node.float("bias") ?? 1)), [node.input(0)])
            },
            OperatorSpec("LpNormalization", since: 1, inputs: 1...1, attributes: [.int("axis", -1), .int("p", 2)]) { node in
                let (value, p) = (try node.input(0), node.int("p") ?? 2)
                guard p == 1 || p == 2 else { throw SpikeletError(.invalidModel, "p is \(p); 1 and 2 exist") }
                let reduce = Reduce(p == 1 ? .l1 : .l2, axes: [node.int("axis") ?? -1])
                let norm = try node.builder.emit(.reduce(reduce), [value], source: node.index)
                // A vector of zeros stays one.
                let zero = node.builder.constant(Tensor(scalar: 0))
                let isZero = try node.builder.emit(.binary(Binary(.equal)), [norm, zero], source: node.index)
                let one = node.builder.constant(Tensor(scalar: 1))
                let divisor = try node.builder.emit(.select(Where()), [isZero, one, norm], source: node.index)
                return [try combine(node, value, divisor, .divide)]
            },
        ]

    private static let groupAttributes: [AttributeSpec] = [AttributeSpec.int("num_groups").required, .float("epsilon", 1e-5)]

    private static func epsilon(_ node: NodeContext) throws -> Float {
        let epsilon = node.float("epsilon") ?? 1e-5
        guard epsilon.isFinite, epsilon >= 0 else { throw SpikeletError(.invalidModel, "epsilon is \(epsilon)") }
        return epsilon
    }

    private static func groupNormalization(_ node: NodeContext, _ inputs: [Value]) throws -> [Value] {
        let groups = node.int("num_groups") ?? 1
        guard groups >= 1, groups < 1 << 31 else { throw SpikeletError(.invalidModel, "\(groups) groups") }
        return try node.emit(.groupNormalization(GroupNormalization(groups: groups, epsilon: epsilon(node))), inputs)
    }

    private static func layerNormalization(_ node: NodeContext, isCentered: Bool) throws -> [Value] {
        let payload = LayerNormalization(axis: node.int("axis") ?? -1, epsilon: try epsilon(node), isCentered: isCentered)
        return try node.emit(
            .layerNormalization(payload), [node.input(0), node.input(1)] + [node.optionalInput(2)].compactMap { $0 })
    }

    /// The mean, and one over the deviation, that a layer normalisation divides by.
    private static func statistics(_ node: NodeContext) throws -> [Value] {
        let value = try node.input(0)
        let rank = try node.type(0).shape.rank
        let axes = Array(try Shape.axis(node.int("axis") ?? -1, rank: rank)..<rank)
        func emit(_ operator: Operator, _ inputs: [Value]) throws -> Value {
            try node.builder.emit(`operator`, inputs, source: node.index)
        }
        let mean = try emit(.reduceMean(ReduceMean(axes: axes)), [value])
        let centered = try combine(node, value, mean, .subtract)
        let variance = try emit(.reduceMean(ReduceMean(axes: axes)), [try combine(node, centered, centered, .multiply)])
        let shifted = try combine(node, variance, node.builder.constant(Tensor(scalar: epsilon(node))), .add)
        return [mean, try emit(.unary(Unary(.reciprocal)), [emit(.unary(Unary(.sqrt)), [shifted])])]
    }

    private static func batchNormalization(since: Int, outputs: ClosedRange<Int>, _ more: AttributeSpec...) -> OperatorSpec {
        OperatorSpec(
            "BatchNormalization", since: since, inputs: 5...5, outputs: outputs,
            attributes: [.float("epsilon", 1e-5), .float("momentum", 0.9)] + more
        ) { node in
            let evaluation = "export the model in evaluation mode: model.eval() before torch.onnx.export"
            // Before opset 14 nothing but its outputs tells a training node.
            guard !node.flag("training_mode"), !node.usedOutputs.dropFirst().contains(true) else {
                throw SpikeletError(
                    .unsupported, "it is in training mode: it would normalise with each batch's own statistics", remedy: evaluation)
            }
            guard node.int("spatial") != 0 else {
                throw SpikeletError(.unsupported, "spatial is 0: statistics for each place instead of each channel")
            }
            return try node.emit(.batchNormalization(BatchNormalization(epsilon: epsilon(node))), node.allInputs())
        }
    }
}
