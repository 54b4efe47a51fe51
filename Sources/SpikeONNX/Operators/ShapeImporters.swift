internal import SpikeGraph

/// What exporters compute shapes with. Sizes that depend on the batch stay open; all else is folded.
extension OperatorSpec {
    static let shapeArithmetic: [OperatorSpec] = [
        OperatorSpec("Shape", since: 1, inputs: 1...1, build: shape),
        OperatorSpec("Shape", since: 15, inputs: 1...1, attributes: [.int("start", 0), .int("end")], build: shape),
        OperatorSpec("Size", since: 1, inputs: 1...1) { node in
            guard let count = try node.type(0).shape.count else {
                throw SpikeletError(.unsupported, "the number of elements of \(try node.type(0))")
            }
            return [node.builder.value(SizeVector([count], isNumber: true))]
        },
        OperatorSpec("ConstantOfShape", since: 9, inputs: 1...1, attributes: [.tensor("value")], build: constantOfShape),
        OperatorSpec("Range", since: 11, inputs: 3...3, build: range),
        OperatorSpec("Range", since: 27, inputs: 3...3, attributes: [.int("stash_type", 1)], build: range),
        OperatorSpec("Cast", since: 6, inputs: 1...1, attributes: [AttributeSpec.int("to").required], build: cast),
        OperatorSpec("Cast", since: 19, inputs: 1...1, attributes: [AttributeSpec.int("to").required, .int("saturate", 1)], build: cast),
        OperatorSpec(
            "Cast", since: 24, inputs: 1...1,
            attributes: [AttributeSpec.int("to").required, .int("saturate", 1), .string("round_mode", "up")], build: cast),
        OperatorSpec("CastLike", since: 15, inputs: 2...2, build: castLike),
        OperatorSpec("CastLike", since: 19, inputs: 2...2, attributes: [.int("saturate", 1)], build: castLike),
        OperatorSpec(
            "CastLike", since: 24, inputs: 2...2, attributes: [.int("saturate", 1), .string("round_mode", "up")], build: castLike),
    ]

    @Sendable private static func shape(_ node: NodeContext) throws -> [Value] {
        let dimensions = try node.type(0).shape.dimensions
        /// Counts from the end where negative, and stays inside, as ONNX says.
        func position(_ index: Int) -> Int { min(max(index < 0 ? index + dimensions.count : index, 0), dimensions.count) }
        let start = position(node.int("start") ?? 0)
        let end = position(node.int("end") ?? dimensions.count)
        return [node.builder.value(SizeVector(Array(dimensions[start..<max(start, end)])))]
    }

    @Sendable private static func constantOfShape(_ node: NodeContext) throws -> [Value] {
        var number = Tensor(scalar: 0)
        if case .tensor(let proto)? = node.attributes["value"] { number = try node.reader.read(proto, named: "value") }
        guard number.count == 1 else {
            throw SpikeletError(.invalidModel, "its value has shape \(number.shape), a single number is needed")
        }
        guard let sizes = try node.sizes(0, "sizes"), sizes.count <= 64, sizes.allSatisfy(\.isSize) else {
            throw SpikeletError(.invalidModel, "the sizes are left out, or are none")
        }
        let scalar = node.builder.constant(number.reshaped(to: []))
        return try node.emit(.expand(Expand(sizes: sizes.map { Reshape.Size($0) })), [scalar])
    }

    @Sendable private static func range(_ node: NodeContext) throws -> [Value] {
        let bounds = try node.allInputs()
        let sizes = bounds.map { SizeVector($0)?.dimensions }
        if sizes == [[0], [.batch], [1]] { return [.batchIndices(.samples)] }
        let tensors = try bounds.map { value -> Tensor in
            guard let tensor = value.tensor else {
                throw SpikeletError(.unsupported, "its bounds are computed when the network runs; only constants are taken")
            }
            guard tensor.count == 1 else { throw SpikeletError(.invalidModel, "a bound of shape \(tensor.shape), a number is needed") }
            return tensor
        }
        func count(_ start: Double, _ end: Double, _ step: Double) throws -> Int {
            let count = ((end - start) / step).rounded(.up)
            guard count.isFinite, count < 0x1p31 else { throw SpikeletError(.invalidModel, "a range from \(start) to \(end) by \(step)") }
            let steps = Int(max(0, count))
            try node.builder.reserve([Dimension(steps)])
            return steps
        }
        switch (tensors[0].storage, tensors[1].storage, tensors[2].storage) {
        case (.int64(let start), .int64(let end), .int64(let step)):
            guard [start[0], end[0], step[0]].allSatisfy({ $0.magnitude < 1 << 53 }) else {
                throw SpikeletError(.invalidModel, "a range from \(start[0]) to \(end[0]) by \(step[0])")
            }
            let count = try count(Double(start[0]), Double(end[0]), Double(step[0]))
            return [node.builder.constant(Tensor((0..<count).map { start[0] &+ Int64($0) &* step[0] }, shape: [count]))]
        case (.float32(let start), .float32(let end), .float32(let step)):
            let count = try count(Double(start[0]), Double(end[0]), Double(step[0]))
            return [node.builder.constant(Tensor((0..<count).map { start[0] + Float($0) * step[0] }, shape: [count]))]
        default: throw SpikeletError(.invalidModel, "the bounds are of several types")
        }
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
        return try node.emit(.cast(Cast(to: target)), [value])
    }

    @Sendable private static func castLike(_ node: NodeContext) throws -> [Value] {
        let (from, target) = (try node.type(0).elementType, try node.type(1).elementType)
        if from == target { return node.pass(try node.input(0), because: "removed: casts between float types, all computed in float32") }
        return try node.emit(.cast(Cast(to: target)), [node.input(0)])
    }
}
