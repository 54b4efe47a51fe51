internal import SpikeGraph

/// What exporters compute shapes with. All of it is folded, with the batch left open; on activations these operators are
/// refused.
extension OperatorSpec {
    static let shapeArithmetic: [OperatorSpec] = [
        OperatorSpec("Shape", since: 1, inputs: 1...1, build: shape),
        OperatorSpec("Shape", since: 15, inputs: 1...1, attributes: [.int("start", 0), .int("end")], build: shape),
        OperatorSpec("Gather", since: 1, inputs: 2...2, attributes: [.int("axis", 0)], build: gather),
        OperatorSpec(
            "Slice", since: 1, inputs: 1...1,
            attributes: [AttributeSpec.ints("starts").required, AttributeSpec.ints("ends").required, .ints("axes")]
        ) { try slice($0, starts: $0.ints("starts"), ends: $0.ints("ends"), axes: $0.ints("axes"), steps: nil) },
        OperatorSpec("Slice", since: 10, inputs: 3...5) {
            try slice(
                $0, starts: $0.constantIntegers(1, "starts"), ends: $0.constantIntegers(2, "ends"), axes: $0.constantIntegers(3, "axes"),
                steps: $0.constantIntegers(4, "steps"))
        },
        OperatorSpec("Transpose", since: 1, inputs: 1...1, attributes: [.ints("perm")], build: transpose),
        OperatorSpec("Cast", since: 6, inputs: 1...1, attributes: [AttributeSpec.int("to").required], build: cast),
        OperatorSpec("Cast", since: 19, inputs: 1...1, attributes: [AttributeSpec.int("to").required, .int("saturate", 1)], build: cast),
        OperatorSpec(
            "Cast", since: 24, inputs: 1...1,
            attributes: [AttributeSpec.int("to").required, .int("saturate", 1), .string("round_mode", "up")], build: cast),
    ]

    @Sendable private static func shape(_ node: NodeContext) throws -> [Value] {
        let dimensions = try node.type(0).shape.dimensions
        /// Counts from the end where negative, and stays inside, as ONNX says.
        func position(_ index: Int) -> Int { min(max(index < 0 ? index + dimensions.count : index, 0), dimensions.count) }
        let start = position(node.int("start") ?? 0)
        let end = position(node.int("end") ?? dimensions.count)
        return [node.builder.value(SizeVector(Array(dimensions[start..<max(start, end)])))]
    }

    /// Where the data is only known when the network runs.
    private static func dynamic(_ what: String) -> SpikeletError {
        SpikeletError(
            .unsupported, "it \(what) an activation; only constants and shapes are taken",
            remedy: "export with fixed image sizes, or change the model there")
    }

    @Sendable private static func gather(_ node: NodeContext) throws -> [Value] {
        let (data, indices) = (try node.input(0), try node.input(1))
        guard let picks = indices.tensor, case .int64(let positions) = picks.storage else { throw dynamic("picks by") }
        if case .sizes(let sizes) = data {
            guard picks.rank <= 1, !sizes.isNumber else {
                throw SpikeletError(.unsupported, "sizes that depend on the batch are gathered into \(picks.rank) axes")
            }
            _ = try Shape.axis(node.int("axis") ?? 0, rank: 1)
            let picked = try positions.map { sizes.dimensions[try index($0, size: sizes.dimensions.count)] }
            return [node.builder.value(SizeVector(picked, isNumber: picks.rank == 0))]
        }
        guard let tensor = data.tensor else { throw dynamic("picks from") }
        guard tensor.rank >= 1 else { throw SpikeletError(.invalidModel, "it gathers from a single number") }
        let axis = try Shape.axis(node.int("axis") ?? 0, rank: tensor.rank)
        let rows = try positions.map { try index($0, size: tensor.shape[axis]) }
        let shape = Array(tensor.shape[..<axis]) + picks.shape + tensor.shape[(axis + 1)...]
        try node.builder.reserve(Shape(shape))
        return [node.builder.constant(picked(tensor, rows, axis: axis, shape: shape))]
    }

    private static func index(_ index: Int64, size: Int) throws -> Int {
        guard index >= -Int64(size), index < Int64(size) else {
            throw SpikeletError(.invalidModel, "index \(index) is outside an axis of size \(size)")
        }
        return Int(index) + (index < 0 ? size : 0)
    }

    /// The slices `rows` of `axis`, in this order.
    private static func picked(_ tensor: Tensor, _ rows: [Int], axis: Int, shape: [Int]) -> Tensor {
        let outer = tensor.shape[..<axis].reduce(1, *)
        let inner = tensor.shape[(axis + 1)...].reduce(1, *)
        func pick<T>(_ values: [T]) -> [T] {
            var result: [T] = []
            result.reserveCapacity(outer * rows.count * inner)
            for block in 0..<outer {
                for row in rows {
                    let start = (block * tensor.shape[axis] + row) * inner
                    result += values[start..<start + inner]
                }
            }
            return result
        }
        return switch tensor.storage {
        case .float32(let values): Tensor(pick(values), shape: shape)
        case .int64(let values): Tensor(pick(values), shape: shape)
        case .bool(let values): Tensor(pick(values), shape: shape)
        }
    }

    private static func slice(_ node: NodeContext, starts: [Int]?, ends: [Int]?, axes: [Int]?, steps: [Int]?) throws -> [Value] {
        guard let starts, let ends else { throw SpikeletError(.invalidModel, "starts or ends are left out") }
        let axes = axes ?? Array(starts.indices)
        let steps = steps ?? starts.map { _ in 1 }
        guard starts.count == ends.count, starts.count == axes.count, starts.count == steps.count else {
            throw SpikeletError(.invalidModel, "\(starts.count) starts, \(ends.count) ends, \(axes.count) axes and \(steps.count) steps")
        }
        let data = try node.input(0)
        if case .sizes(let sizes) = data {
            guard !sizes.isNumber else { throw SpikeletError(.invalidModel, "a slice of a single number") }
            var dimensions = sizes.dimensions
            for (i, axis) in axes.enumerated() {
                _ = try Shape.axis(axis, rank: 1)
                dimensions = try rows(from: starts[i], to: ends[i], by: steps[i], size: dimensions.count).map { dimensions[$0] }
            }
            return [node.builder.value(SizeVector(dimensions))]
        }
        guard var tensor = data.tensor else { throw dynamic("cuts a part out of") }
        guard tensor.rank >= 1 else { throw SpikeletError(.invalidModel, "a slice of a single number") }
        for (i, axis) in axes.enumerated() {
            let axis = try Shape.axis(axis, rank: tensor.rank)
            let rows = try rows(from: starts[i], to: ends[i], by: steps[i], size: tensor.shape[axis])
            var shape = tensor.shape
            shape[axis] = rows.count
            try node.builder.reserve(Shape(shape))
            tensor = picked(tensor, rows, axis: axis, shape: shape)
        }
        return [node.builder.constant(tensor)]
    }

    /// The positions of one axis that a slice keeps; bounds beyond the axis are cut to it, as ONNX says.
    private static func rows(from start: Int, to end: Int, by step: Int, size: Int) throws -> [Int] {
        guard step != 0 else { throw SpikeletError(.invalidModel, "a slice with step 0") }
        // A longer step than the axis changes nothing, and cannot overflow.
        let step = min(max(step, -size - 1), size + 1)
        func position(_ index: Int, _ range: ClosedRange<Int>) -> Int {
            min(max(index < 0 ? index + size : index, range.lowerBound), range.upperBound)
        }
        let (first, last) =
            step > 0 ? (position(start, 0...size), position(end, 0...size)) : (position(start, -1...size - 1), position(end, -1...size - 1))
        return Array(stride(from: first, to: last, by: step))
    }

    @Sendable private static func transpose(_ node: NodeContext) throws -> [Value] {
        let value = try node.input(0)
        let rank = try node.type(0).shape.rank
        let order = node.ints("perm") ?? Array((0..<rank).reversed())
        guard order.sorted() == Array(0..<rank) else { throw SpikeletError(.invalidModel, "perm \(order) of \(rank) axes") }
        if order == Array(0..<rank) { return node.pass(value, because: "removed: a Transpose that changes nothing") }
        guard let tensor = value.tensor else { throw dynamic("reorders the axes of") }
        let shape = order.map { tensor.shape[$0] }
        try node.builder.reserve(Shape(shape))
        let strides = tensor.shape.indices.map { tensor.shape[($0 + 1)...].reduce(1, *) }
        let steps = order.map { strides[$0] }
        func reordered<T>(_ values: [T]) -> [T] {
            var index = [Int](repeating: 0, count: rank)
            var place = 0
            return values.indices.map { _ in
                let result = values[place]
                for axis in shape.indices.reversed() {
                    index[axis] += 1
                    place += steps[axis]
                    if index[axis] < shape[axis] { break }
                    place -= steps[axis] * shape[axis]
                    index[axis] = 0
                }
                return result
            }
        }
        let result =
            switch tensor.storage {
            case .float32(let values): Tensor(reordered(values), shape: shape)
            case .int64(let values): Tensor(reordered(values), shape: shape)
            case .bool(let values): Tensor(reordered(values), shape: shape)
            }
        return [node.builder.constant(result)]
    }

    @Sendable private static func cast(_ node: NodeContext) throws -> [Value] {
        let value = try node.input(0)
        let number = node.int("to") ?? 0
        let type = ONNXTensorProto.DataType(rawValue: Int(Int32(truncatingIfNeeded: number))) ?? .undefined
        let target: ElementType
        switch type {
        case .float, .double: target = .float32
        // A weight keeps its precision in float32; an activation would be rounded by a cast that we leave out.
        case .float16, .bfloat16: target = .float32
        case .int64, .int32: target = .int64
        case .bool: target = .bool
        default: throw SpikeletError(.unsupported, "a cast to \(type.label)", remedy: "export the model in float32")
        }
        let from = try node.type(0).elementType
        if from == target { return node.pass(value, because: "removed: casts between float types, all computed in float32") }
        guard let tensor = value.tensor else {
            throw SpikeletError(.unsupported, "a cast of \(from.rawValue) to \(target.rawValue) when the network runs")
        }
        try node.builder.reserve(Shape(tensor.shape))
        return [node.builder.constant(try cast(tensor, to: target))]
    }

    private static func cast(_ tensor: Tensor, to target: ElementType) throws -> Tensor {
        switch (tensor.storage, target) {
        case (.float32(let values), .int64):
            return Tensor(
                try values.map {
                    guard let whole = Int64(exactly: $0.rounded(.towardZero)) else {
                        throw SpikeletError(.invalidModel, "\($0) has no integer value")
                    }
                    return whole
                }, shape: tensor.shape)
        case (.float32(let values), .bool): return Tensor(values.map { $0 != 0 }, shape: tensor.shape)
        case (.int64(let values), .float32): return Tensor(values.map { Float($0) }, shape: tensor.shape)
        case (.int64(let values), .bool): return Tensor(values.map { $0 != 0 }, shape: tensor.shape)
        case (.bool(let values), .float32): return Tensor(values.map { $0 ? Float(1) : 0 }, shape: tensor.shape)
        case (.bool(let values), .int64): return Tensor(values.map { $0 ? Int64(1) : 0 }, shape: tensor.shape)
        default: return tensor
        }
    }
}
