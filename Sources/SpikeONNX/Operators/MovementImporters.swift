internal import SpikeGraph

/// Operators that move elements: of activations, of constants, and of sizes that depend on the batch.
extension OperatorSpec {
    static let movement: [OperatorSpec] = [
        OperatorSpec("Transpose", since: 1, inputs: 1...1, attributes: [.ints("perm")], build: transpose),
        OperatorSpec("Gather", since: 1, inputs: 2...2, attributes: [.int("axis", 0)], build: gather),
        OperatorSpec(
            "Slice", since: 1, inputs: 1...1,
            attributes: [AttributeSpec.ints("starts").required, AttributeSpec.ints("ends").required, .ints("axes")]
        ) { node in
            try slice(
                node, starts: node.ints("starts")?.map { Dimension($0) }, ends: node.ints("ends")?.map { Dimension($0) },
                axes: node.ints("axes"), steps: nil)
        },
        OperatorSpec("Slice", since: 10, inputs: 3...5) {
            try slice(
                $0, starts: $0.sizes(1, "starts"), ends: $0.sizes(2, "ends"), axes: $0.constantIntegers(3, "axes"),
                steps: $0.constantIntegers(4, "steps"))
        },
        OperatorSpec("Split", since: 2, inputs: 1...1, outputs: 1...4096, attributes: [.int("axis", 0), .ints("split")]) {
            try split($0, sizes: $0.ints("split"))
        },
        OperatorSpec("Split", since: 13, inputs: 1...2, outputs: 1...4096, attributes: [.int("axis", 0)]) {
            try split($0, sizes: $0.constantIntegers(1, "sizes"))
        },
        OperatorSpec("Split", since: 18, inputs: 1...2, outputs: 1...4096, attributes: [.int("axis", 0), .int("num_outputs")]) {
            try split($0, sizes: $0.constantIntegers(1, "sizes"))
        },
        OperatorSpec("Expand", since: 8, inputs: 2...2, build: expand),
        OperatorSpec("Tile", since: 6, inputs: 2...2) { node in
            guard let repeats = try node.constantIntegers(1, "repeats") else {
                throw SpikeletError(.invalidModel, "the repeats are left out")
            }
            if repeats.allSatisfy({ $0 == 1 }) { return node.pass(try node.input(0), because: "removed: a Tile that repeats nothing") }
            return try node.emit(.tile(Tile(repeats: repeats)), [node.input(0)])
        },
        OperatorSpec(
            "Pad", since: 2, inputs: 1...1,
            attributes: [.string("mode", "constant"), AttributeSpec.ints("pads").required, .float("value", 0)]
        ) { try pad($0, $0.ints("pads") ?? [], value: $0.float("value") ?? 0) },
        OperatorSpec("Pad", since: 11, inputs: 2...3, attributes: [.string("mode", "constant")], build: padByInputs),
        OperatorSpec("Pad", since: 18, inputs: 2...4, attributes: [.string("mode", "constant")], build: padByInputs),
        OperatorSpec("DepthToSpace", since: 1, inputs: 1...1, attributes: [AttributeSpec.int("blocksize").required], build: depthToSpace),
        OperatorSpec(
            "DepthToSpace", since: 11, inputs: 1...1, attributes: [AttributeSpec.int("blocksize").required, .string("mode", "DCR")],
            build: depthToSpace),
        OperatorSpec("SpaceToDepth", since: 1, inputs: 1...1, attributes: [AttributeSpec.int("blocksize").required], build: spaceToDepth),
        OperatorSpec("Trilu", since: 14, inputs: 1...2, attributes: [.int("upper", 1)], build: triangle),
        OperatorSpec("OneHot", since: 9, inputs: 3...3, attributes: [.int("axis", -1)], build: oneHot),
        OperatorSpec("ScatterND", since: 11, inputs: 3...3, build: scatter),
        OperatorSpec("ScatterND", since: 16, inputs: 3...3, attributes: [.string("reduction", "none")], build: scatter),
    ]

    @Sendable private static func transpose(_ node: NodeContext) throws -> [Value] {
        let value = try node.input(0)
        let rank = try node.type(0).shape.rank
        let order = node.ints("perm") ?? Array((0..<rank).reversed())
        if order == Array(0..<rank) { return node.pass(value, because: "removed: a Transpose that changes nothing") }
        return try node.emit(.transpose(Transpose(permutation: order)), [value])
    }

    /// Among constants, such as the masks of shifted windows, which assignments to slices are exported as.
    @Sendable private static func scatter(_ node: NodeContext) throws -> [Value] {
        let tensors = try node.allInputs().compactMap(\.tensor)
        guard tensors.count == 3 else {
            throw SpikeletError(
                .unsupported, "what it writes, or where, is computed when the network runs; only constants are taken",
                remedy: "join the parts with torch.cat or torch.where instead of assigning to a slice")
        }
        let reduction = node.string("reduction") ?? "none"
        guard reduction == "none" else {
            throw SpikeletError(.unsupported, "the reduction '\(reduction)'; only values that replace others are taken")
        }
        let (data, indices, updates) = (tensors[0], tensors[1], tensors[2])
        guard data.rank > 0, let depth = indices.shape.last, depth <= data.rank, case .int64(let positions) = indices.storage,
            updates.shape == indices.shape.dropLast() + data.shape.dropFirst(depth), updates.elementType == data.elementType
        else {
            throw SpikeletError(
                .invalidModel, "values \(ValueType(updates)) are written into \(ValueType(data)) at indices \(ValueType(indices))")
        }
        let size = data.shape.dropFirst(depth).reduce(1, *)
        let places = try (0..<(depth == 0 ? updates.count / max(1, size) : positions.count / depth)).map { row in
            try (0..<depth).reduce(0) { place, axis in
                let (position, count) = (positions[row * depth + axis], Int64(data.shape[axis]))
                guard position >= -count, position < count else {
                    throw SpikeletError(.invalidModel, "index \(position) is outside an axis of size \(count)")
                }
                return place * Int(count) + Int(position < 0 ? position + count : position)
            }
        }
        func written<Element>(_ updates: [Element], into data: [Element]) -> [Element] {
            var result = data
            for (row, place) in places.enumerated() {
                result.replaceSubrange(place * size..<(place + 1) * size, with: updates[row * size..<(row + 1) * size])
            }
            return result
        }
        try node.builder.reserve(Shape(data.shape))
        let result =
            switch data.elementType {
            case .float32: Tensor(written(updates.floats, into: data.floats), shape: data.shape)
            case .int64: Tensor(written(updates.integers, into: data.integers), shape: data.shape)
            case .bool: Tensor(written(updates.booleans, into: data.booleans), shape: data.shape)
            }
        return [node.builder.constant(result)]
    }

    @Sendable private static func gather(_ node: NodeContext) throws -> [Value] {
        let (data, indices) = (try node.input(0), try node.input(1))
        if case .batchIndices(let positions) = indices, node.int("axis") ?? 0 == 0 { return try positions.gather(from: data, node) }
        guard case .sizes(let sizes) = data else {
            return try node.emit(.gather(Gather(axis: node.int("axis") ?? 0)), [data, indices])
        }
        guard let picks = indices.tensor, case .int64(let positions) = picks.storage, picks.rank <= 1, !sizes.isNumber else {
            throw SpikeletError(.unsupported, "sizes that depend on the batch are gathered by something else than a few constants")
        }
        _ = try Shape.axis(node.int("axis") ?? 0, rank: 1)
        let count = Int64(sizes.dimensions.count)
        let picked = try positions.map { position in
            guard position >= -count, position < count else {
                throw SpikeletError(.invalidModel, "index \(position) is outside an axis of size \(count)")
            }
            return sizes.dimensions[Int(position < 0 ? position + count : position)]
        }
        return [node.builder.value(SizeVector(picked, isNumber: picks.rank == 0))]
    }

    private static func slice(
        _ node: NodeContext, starts: [Dimension]?, ends: [Dimension]?, axes: [Int]?, steps: [Int]?
    ) throws -> [Value] {
        guard let starts, let ends else { throw SpikeletError(.invalidModel, "starts or ends are left out") }
        let axes = axes ?? Array(starts.indices)
        let steps = steps ?? starts.map { _ in 1 }
        guard starts.count == ends.count, starts.count == axes.count, starts.count == steps.count else {
            throw SpikeletError(.invalidModel, "\(starts.count) starts, \(ends.count) ends, \(axes.count) axes and \(steps.count) steps")
        }
        let data = try node.input(0)
        let shape = try node.type(0).shape
        guard shape.rank >= 1 else { throw SpikeletError(.invalidModel, "a slice of a single number") }
        var cuts: [Slice.Cut] = []
        for (i, given) in axes.enumerated() {
            let axis = try Shape.axis(given, rank: shape.rank)
            // All of an open axis.
            if shape[axis].known == nil, starts[i] == 0, steps[i] == 1, ends[i] == shape[axis] || ends[i].known ?? 0 >= Int(Int32.max) {
                continue
            }
            guard let start = starts[i].known, let end = ends[i].known else {
                throw SpikeletError(
                    .unsupported, "it cuts axis \(axis) of \(shape) from \(starts[i]) to \(ends[i]), which depend on the batch",
                    remedy: "samples must stay whole, and of one size")
            }
            cuts.append(Slice.Cut(axis: axis, start: start, end: end, step: steps[i]))
        }
        if cuts.isEmpty { return node.pass(data, because: "removed: a Slice of everything") }
        guard case .sizes(let sizes) = data else { return try node.emit(.slice(Slice(cuts: cuts)), [data]) }
        var dimensions = sizes.dimensions
        for cut in cuts {
            let places = try cut.places(size: dimensions.count)
            dimensions = (0..<places.count).map { dimensions[places.start + $0 * places.step] }
        }
        return [node.builder.value(SizeVector(dimensions))]
    }

    private static func split(_ node: NodeContext, sizes given: [Int]?) throws -> [Value] {
        let shape = try node.type(0).shape
        let axis = try Shape.axis(node.int("axis") ?? 0, rank: shape.rank)
        guard let size = shape[axis].known else {
            throw SpikeletError(.unsupported, "it splits axis \(axis) of \(shape), the batch", remedy: "samples must stay together")
        }
        let count = node.proto.output.count
        let parts = node.int("num_outputs") ?? count
        guard parts == count else { throw SpikeletError(.invalidModel, "\(count) outputs for num_outputs \(parts)") }
        // The last part may be smaller.
        let length = (size + parts - 1) / parts
        let sizes = given ?? (0..<parts).map { min(length, max(0, size - $0 * length)) }
        guard sizes.count == count, sizes.allSatisfy({ $0 >= 0 && $0 <= size }), sizes.reduce(0, +) == size else {
            throw SpikeletError(.invalidModel, "\(count) outputs of sizes \(sizes.prefix(64)) from an axis of size \(size)")
        }
        var start = 0
        return try sizes.enumerated().map { output, length in
            defer { start += length }
            guard node.isUsed(output: output) else { return .unknown }
            if case .sizes(let values) = try node.input(0) {
                return node.builder.value(SizeVector(Array(values.dimensions[start..<start + length])))
            }
            let cut = Slice.Cut(axis: axis, start: start, end: start + length)
            return try node.builder.emit(.slice(Slice(cuts: [cut])), [node.input(0)], source: node.index)
        }
    }

    @Sendable private static func expand(_ node: NodeContext) throws -> [Value] {
        let value = try node.input(0)
        guard let sizes = try node.sizes(1, "sizes") else { throw SpikeletError(.invalidModel, "the sizes are left out") }
        guard sizes.count <= 64 else { throw SpikeletError(.invalidModel, "a target shape of \(sizes.count) axes") }
        let expand = Expand(sizes: sizes.map { Reshape.Size($0) })
        let type = try node.type(0)
        if try expand.outputTypes([type], constants: [nil])[0] == type {
            return node.pass(value, because: "removed: an Expand that changes nothing")
        }
        return try node.emit(.expand(expand), [value])
    }

    @Sendable private static func padByInputs(_ node: NodeContext) throws -> [Value] {
        guard var pads = try node.constantIntegers(1, "pads") else { throw SpikeletError(.invalidModel, "the pads are left out") }
        var value: Float = 0
        if let given = node.optionalInput(2) {
            guard let tensor = given.tensor, tensor.count == 1 else {
                throw SpikeletError(.unsupported, "the padding value is computed when the network runs; a constant number is taken")
            }
            value =
                switch tensor.storage {
                case .float32(let values): values[0]
                case .int64(let values): Float(values[0])
                case .bool(let values): values[0] ? 1 : 0
                }
        }
        if let axes = try node.constantIntegers(3, "axes") {
            let rank = try node.type(0).shape.rank
            guard pads.count == 2 * axes.count else { throw SpikeletError(.invalidModel, "\(pads.count) pads for \(axes.count) axes") }
            var all = [Int](repeating: 0, count: 2 * rank)
            for (i, axis) in axes.enumerated() {
                let position = try Shape.axis(axis, rank: rank)
                (all[position], all[rank + position]) = (pads[i], pads[axes.count + i])
            }
            pads = all
        }
        return try pad(node, pads, value: value)
    }

    private static func pad(_ node: NodeContext, _ pads: [Int], value: Float) throws -> [Value] {
        let name = node.string("mode") ?? "constant"
        guard let mode = Pad.Mode(rawValue: name) else {
            throw SpikeletError(.invalidModel, "mode is '\(name)'; constant, reflect, edge and wrap exist")
        }
        guard pads.count % 2 == 0 else { throw SpikeletError(.invalidModel, "\(pads.count) pads") }
        if pads.allSatisfy({ $0 == 0 }) { return node.pass(try node.input(0), because: "removed: a Pad of nothing") }
        let rank = pads.count / 2
        return try node.emit(.pad(Pad(mode: mode, begins: Array(pads[..<rank]), ends: Array(pads[rank...]), value: value)), [node.input(0)])
    }

    // MARK: Blocks

    /// Sizes of an input `[N, C, H, W]`, and the block's.
    private static func blocks(_ node: NodeContext) throws -> (shape: [Dimension], c: Int, h: Int, w: Int, block: Int) {
        let shape = try node.type(0).shape
        let block = node.int("blocksize") ?? 1
        let sizes = shape.dimensions.dropFirst().compactMap(\.known)
        guard shape.rank == 4, sizes.count == 3, block >= 1, block < 1 << 15 else {
            throw SpikeletError(.invalidModel, "blocks of \(block) in an input of shape \(shape), [N, C, H, W] is needed")
        }
        return (shape.dimensions, sizes[0], sizes[1], sizes[2], block)
    }

    private static func rearrange(
        _ node: NodeContext, _ apart: [Int], _ permutation: [Int], _ together: [Int], batch: Dimension
    ) throws -> [Value] {
        func reshape(_ sizes: [Int], _ value: Value) throws -> Value {
            let all = [Reshape.Size(batch)] + sizes.map { Reshape.Size(Dimension($0)) }
            return try node.builder.emit(.reshape(Reshape(sizes: all)), [value], source: node.index)
        }
        let split = try reshape(apart, node.input(0))
        let moved = try node.builder.emit(.transpose(Transpose(permutation: permutation)), [split], source: node.index)
        return [try reshape(together, moved)]
    }

    @Sendable private static func depthToSpace(_ node: NodeContext) throws -> [Value] {
        let (shape, c, h, w, block) = try blocks(node)
        guard c % (block * block) == 0 else { throw SpikeletError(.invalidModel, "\(c) channels for blocks of \(block) · \(block)") }
        let rest = c / (block * block)
        return node.string("mode") == "CRD"
            ? try rearrange(node, [rest, block, block, h, w], [0, 1, 4, 2, 5, 3], [rest, h * block, w * block], batch: shape[0])
            : try rearrange(node, [block, block, rest, h, w], [0, 3, 4, 1, 5, 2], [rest, h * block, w * block], batch: shape[0])
    }

    @Sendable private static func spaceToDepth(_ node: NodeContext) throws -> [Value] {
        let (shape, c, h, w, block) = try blocks(node)
        guard h % block == 0, w % block == 0 else { throw SpikeletError(.invalidModel, "\(h) × \(w) places in blocks of \(block)") }
        return try rearrange(
            node, [c, h / block, block, w / block, block], [0, 3, 5, 1, 2, 4], [c * block * block, h / block, w / block], batch: shape[0])
    }

    // MARK: Masks

    /// The upper or lower triangle of the last two axes; the rest becomes 0.
    @Sendable private static func triangle(_ node: NodeContext) throws -> [Value] {
        let type = try node.type(0)
        guard type.shape.rank >= 2, let rows = type.shape[type.shape.rank - 2].known, let columns = type.shape[type.shape.rank - 1].known
        else {
            throw SpikeletError(.invalidModel, "a triangle of \(type), [… rows, columns] is needed")
        }
        let diagonal = try node.constantIntegers(1, "diagonal")?.first ?? 0
        let offset = min(max(diagonal, -rows - 1), columns + 1)
        try node.builder.reserve([Dimension(rows), Dimension(columns)])
        let isUpper = node.flag("upper")
        let mask = (0..<rows * columns).map { index in
            let distance = index % columns - index / columns - offset
            return isUpper ? distance >= 0 : distance <= 0
        }
        let zero: Tensor =
            switch type.elementType {
            case .float32: Tensor(scalar: 0)
            case .int64: Tensor([Int64(0)], shape: [])
            case .bool: Tensor([false], shape: [])
            }
        let condition = node.builder.constant(Tensor(mask, shape: [rows, columns]))
        return try node.emit(.select(Where()), [condition, node.input(0), node.builder.constant(zero)])
    }

    @Sendable private static func oneHot(_ node: NodeContext) throws -> [Value] {
        guard let depth = try node.input(1).tensor, depth.count == 1, let choices = try node.input(2).tensor, choices.count == 2 else {
            throw SpikeletError(.unsupported, "its depth or its values are not constants")
        }
        let count: Int? =
            switch depth.storage {
            case .float32(let values): Int(exactly: values[0].rounded(.towardZero))
            case .int64(let values): Int(values[0])
            case .bool: nil
            }
        guard let count, count >= 1, count < 1 << 31 else { throw SpikeletError(.invalidModel, "a depth of \(depth.storage)") }
        let shape = try node.type(0).shape
        let axis = try Shape.axis(node.int("axis") ?? -1, rank: shape.rank + 1)
        try node.builder.reserve([Dimension(count)])
        func emit(_ operator: Operator, _ inputs: [Value]) throws -> Value {
            try node.builder.emit(`operator`, inputs, source: node.index)
        }
        var indices = try node.input(0)
        if try node.type(0).elementType == .float32 { indices = try emit(.cast(Cast(to: .int64)), [indices]) }
        // Negative indices count from the end; what is outside of both ranges is no class.
        let zero = node.builder.constant(Tensor([Int64(0)], shape: []))
        let isNegative = try emit(.binary(Binary(.less)), [indices, zero])
        let fromEnd = try emit(.binary(Binary(.add)), [indices, node.builder.constant(Tensor([Int64(count)], shape: []))])
        let places = try emit(.select(Where()), [isNegative, fromEnd, indices])
        var sizes = shape.dimensions.map { Reshape.Size($0) }
        sizes.insert(Reshape.Size(1), at: axis)
        let column = try emit(.reshape(Reshape(sizes: sizes)), [places])
        let classes = Tensor((0..<count).map { Int64($0) }, shape: [count] + [Int](repeating: 1, count: shape.rank - axis))
        let isClass = try emit(.binary(Binary(.equal)), [column, node.builder.constant(classes)])
        let (off, on) = (choices.picking(0), choices.picking(1))
        return try node.emit(.select(Where()), [isClass, node.builder.constant(on), node.builder.constant(off)])
    }
}

extension Tensor {
    /// One element, as a number.
    fileprivate func picking(_ place: Int) -> Tensor {
        switch storage {
        case .float32(let values): Tensor([values[place]], shape: [])
        case .int64(let values): Tensor([values[place]], shape: [])
        case .bool(let values): Tensor([values[place]], shape: [])
        }
    }
}
