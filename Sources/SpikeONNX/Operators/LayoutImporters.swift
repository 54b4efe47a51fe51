internal import SpikeGraph

extension OperatorSpec {
    static let layout: [OperatorSpec] = [
        OperatorSpec("Flatten", since: 1, inputs: 1...1, attributes: [.int("axis", 1)]) {
            try $0.emit(.flatten(Flatten(axis: $0.int("axis") ?? 1)), [$0.input(0)])
        },
        OperatorSpec("Reshape", since: 5, inputs: 2...2, build: reshape),
        OperatorSpec("Reshape", since: 14, inputs: 2...2, attributes: [.int("allowzero", 0)], build: reshape),
        OperatorSpec("Squeeze", since: 1, inputs: 1...1, attributes: [.ints("axes")]) { try squeeze($0, axes: $0.ints("axes")) },
        OperatorSpec("Squeeze", since: 13, inputs: 1...2) { try squeeze($0, axes: $0.constantIntegers(1, "axes")) },
        OperatorSpec("Unsqueeze", since: 1, inputs: 1...1, attributes: [AttributeSpec.ints("axes").required]) {
            try unsqueeze($0, axes: $0.ints("axes") ?? [])
        },
        OperatorSpec("Unsqueeze", since: 13, inputs: 2...2) { node in
            guard let axes = try node.constantIntegers(1, "axes") else { throw SpikeletError(.invalidModel, "the axes are left out") }
            return try unsqueeze(node, axes: axes)
        },
        OperatorSpec("Concat", since: 4, inputs: 1...Int.max, attributes: [AttributeSpec.int("axis").required], build: concat),
        OperatorSpec("Identity", since: 1, inputs: 1...1) { $0.pass(try $0.input(0), because: "removed: Identity") },
        OperatorSpec(
            "Dropout", since: 6, inputs: 1...1, outputs: 1...2, attributes: [.float("ratio", 0.5), .int("is_test", 0)], build: dropout),
        OperatorSpec("Dropout", since: 7, inputs: 1...1, outputs: 1...2, attributes: [.float("ratio", 0.5)], build: dropout),
        OperatorSpec("Dropout", since: 12, inputs: 1...3, outputs: 1...2, attributes: [.int("seed")], build: dropout),
    ]

    @Sendable private static func reshape(_ node: NodeContext) throws -> [Value] {
        let value = try node.input(0)
        guard let target = SizeVector(try node.input(1)) else {
            if let constant = try node.input(1).tensor {
                throw SpikeletError(.invalidModel, "the target shape is a constant \(ValueType(constant)), a vector of sizes is needed")
            }
            throw SpikeletError(
                .unsupported, "the target shape is computed from the data when the network runs",
                remedy: "flatten with x.flatten(1), and export with fixed image sizes")
        }
        guard target.dimensions.count <= 64 else { throw SpikeletError(.invalidModel, "a target shape of \(target.dimensions.count) axes") }
        if case .sizes(let sizes) = value { return [.sizes(try reshaped(sizes, to: target))] }
        let keepsZero = node.flag("allowzero")
        let sizes = try target.dimensions.map { size -> Reshape.Size in
            if let number = size.known {
                if number == -1 { return .rest }
                if number == 0, !keepsZero { return .same }
                guard number >= 0 else { throw SpikeletError(.invalidModel, "the target shape holds \(number)") }
            }
            return .fixed(constant: size.constant, batchFactor: size.batchFactor)
        }
        do {
            return try node.emit(.reshape(Reshape(sizes: sizes)), [value])
        } catch var error as SpikeletError {
            if error.remedy == nil, value.type?.shape.known == nil {
                error.remedy = "the sizes were perhaps fixed at export; leave the batch open there, and flatten with x.flatten(1)"
            }
            throw error
        }
    }

    /// Sizes keep their order; only a vector of one and a number can become each other.
    private static func reshaped(_ sizes: SizeVector, to target: SizeVector) throws -> SizeVector {
        let count = sizes.dimensions.count
        switch target.dimensions.map(\.known) {
        case [] where count == 1: return SizeVector(sizes.dimensions, isNumber: true)
        case [-1], [0], [count]: return SizeVector(sizes.dimensions)
        default: throw SpikeletError(.unsupported, "\(count) sizes that depend on the batch are reshaped to \(target.dimensions)")
        }
    }

    /// Axes from the front, checked: each once, each there.
    private static func axes(_ axes: [Int], rank: Int) throws -> Set<Int> {
        let positions = try axes.map { try Shape.axis($0, rank: rank) }
        guard Set(positions).count == axes.count, positions.allSatisfy({ $0 < rank }) else {
            throw SpikeletError(.invalidModel, "axes \(axes) of \(rank)")
        }
        return Set(positions)
    }

    private static func squeeze(_ node: NodeContext, axes given: [Int]?) throws -> [Value] {
        let value = try node.input(0)
        let shape = try node.type(0).shape
        let dropped =
            if let given { try axes(given, rank: shape.rank) } else { Set(shape.dimensions.indices.filter { shape[$0] == 1 }) }
        if let axis = dropped.sorted().first(where: { shape[$0] != 1 }) {
            throw SpikeletError(.invalidModel, "axis \(axis) of \(shape) cannot be dropped: its size is not 1")
        }
        if case .sizes(let sizes) = value { return [.sizes(SizeVector(sizes.dimensions, isNumber: sizes.isNumber || !dropped.isEmpty))] }
        return try reshape(node, value, to: shape.dimensions.indices.filter { !dropped.contains($0) }.map { shape[$0] })
    }

    private static func unsqueeze(_ node: NodeContext, axes given: [Int]) throws -> [Value] {
        let value = try node.input(0)
        let shape = try node.type(0).shape
        guard given.count <= 64 else { throw SpikeletError(.invalidModel, "\(given.count) new axes") }
        let rank = shape.rank + given.count
        let added = try axes(given, rank: rank)
        if case .sizes(let sizes) = value {
            guard rank <= 1 else { throw SpikeletError(.unsupported, "sizes that depend on the batch in a tensor of \(rank) axes") }
            return [.sizes(SizeVector(sizes.dimensions, isNumber: rank == 0))]
        }
        if case .batchIndices(let indices) = value { return [.batchIndices(indices.unsqueezed(added))] }
        var rest = shape.dimensions[...]
        let sizes = (0..<rank).map { axis in added.contains(axis) ? 1 : rest.popFirst() ?? 1 }
        return try reshape(node, value, to: sizes)
    }

    private static func reshape(_ node: NodeContext, _ value: Value, to sizes: [Dimension]) throws -> [Value] {
        try node.emit(.reshape(Reshape(sizes: sizes.map { .fixed(constant: $0.constant, batchFactor: $0.batchFactor) })), [value])
    }

    @Sendable private static func concat(_ node: NodeContext) throws -> [Value] {
        let values = try node.allInputs()
        if values.count == 1 { return node.pass(values[0], because: "removed: a Concat of one input") }
        guard let axis = node.int("axis") else { throw SpikeletError(.invalidModel, "the axis is missing") }
        let types = try values.indices.map { try node.type($0) }
        if types.allSatisfy({ $0.elementType == .int64 && $0.shape.rank == 1 }), let joined = try joinedIntegers(values) {
            _ = try Shape.axis(axis, rank: 1)
            try node.builder.reserve([Dimension(types.reduce(0) { $0 + ($1.shape[0].known ?? 0) })])
            return [joined(node.builder)]
        }
        return try node.emit(.concat(Concat(axis: axis)), values)
    }

    /// Vectors of integers joined: as constants, or as sizes where one depends on the batch. `nil` where one is computed.
    private static func joinedIntegers(_ values: [Value]) throws -> ((GraphBuilder) -> Value)? {
        let tensors = values.compactMap(\.tensor)
        if tensors.count == values.count {
            return { $0.constant(Tensor(tensors.flatMap(\.integers), shape: [tensors.reduce(0) { $0 + $1.count }])) }
        }
        let sizes = values.compactMap { SizeVector($0) }
        guard sizes.count == values.count else { return nil }
        return { $0.value(SizeVector(sizes.flatMap(\.dimensions))) }
    }

    /// Whether a node in training mode drops nothing either.
    private static func dropsNothing(_ node: NodeContext) -> Bool {
        guard let ratio = node.optionalInput(1)?.tensor, case .float32(let values) = ratio.storage else { return false }
        return values == [0]
    }

    /// At inference dropout does nothing.
    @Sendable private static func dropout(_ node: NodeContext) throws -> [Value] {
        let evaluation = "export the model in evaluation mode: model.eval() before torch.onnx.export"
        if let mode = node.optionalInput(2) {
            guard let tensor = mode.tensor, case .bool(let values) = tensor.storage, values == [false] || dropsNothing(node) else {
                throw SpikeletError(.unsupported, "it is in training mode", remedy: evaluation)
            }
        }
        let result = node.pass(try node.input(0), because: "removed: Dropout")
        guard node.isUsed(output: 1) else { return result }
        // Everything is kept.
        let sizes = try node.type(0).shape.dimensions.map { Reshape.Size($0) }
        return try result + node.emit(.expand(Expand(sizes: sizes)), [node.builder.constant(Tensor([true], shape: []))])
    }
}
