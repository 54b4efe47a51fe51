internal import SpikeGraph

extension OperatorSpec {
    static let activations: [OperatorSpec] = [
        OperatorSpec("Relu", since: 6, inputs: 1...1) { try $0.emit(.relu(Relu()), [$0.input(0)]) },
        OperatorSpec("Sigmoid", since: 6, inputs: 1...1) { try $0.emit(.sigmoid(Sigmoid()), [$0.input(0)]) },
        OperatorSpec(
            "Clip", since: 6, inputs: 1...1,
            attributes: [.float("min", -Float.greatestFiniteMagnitude), .float("max", Float.greatestFiniteMagnitude)]
        ) { try clip($0, minimum: $0.float("min"), maximum: $0.float("max")) },
        OperatorSpec("Clip", since: 11, inputs: 1...3) {
            try clipByInputs($0)
        },
        OperatorSpec("Max", since: 6, inputs: 1...Int.max) { node in
            try extremum(node, .maximum) { Clip(minimum: $0) }
        },
        OperatorSpec("Min", since: 6, inputs: 1...Int.max) { node in
            try extremum(node, .minimum) { Clip(maximum: $0) }
        },
        OperatorSpec("Hardmax", since: 13, inputs: 1...1, attributes: [.int("axis", -1)], build: hardmax),
        OperatorSpec("Softmax", since: 1, inputs: 1...1, attributes: [.int("axis", 1)]) {
            try $0.emit(.softmax(Softmax(axis: $0.int("axis") ?? 1, flattensTail: true)), [$0.input(0)])
        },
        OperatorSpec("Softmax", since: 13, inputs: 1...1, attributes: [.int("axis", -1)]) {
            try $0.emit(.softmax(Softmax(axis: $0.int("axis") ?? -1)), [$0.input(0)])
        },
        OperatorSpec("LogSoftmax", since: 1, inputs: 1...1, attributes: [.int("axis", 1)]) {
            try $0.emit(.logSoftmax(LogSoftmax(axis: $0.int("axis") ?? 1, flattensTail: true)), [$0.input(0)])
        },
        OperatorSpec("LogSoftmax", since: 13, inputs: 1...1, attributes: [.int("axis", -1)]) {
            try $0.emit(.logSoftmax(LogSoftmax(axis: $0.int("axis") ?? -1)), [$0.input(0)])
        },
    ]

    /// From opset 11 on bounds are inputs: usually constants with one element, wherever they come from.
    private static func clipByInputs(_ node: NodeContext) throws -> [Value] {
        let bounds = [node.optionalInput(1), node.optionalInput(2)]
        let isInteger = try node.type(0).elementType == .int64
        if !isInteger || node.quantizedInput, bounds.allSatisfy({ $0 == nil || $0?.tensor != nil }) {
            return try clip(node, minimum: bound(bounds[0], "minimum"), maximum: bound(bounds[1], "maximum"))
        }
        var value = try node.input(0)
        if let low = bounds[0] { value = try combine(node, value, low, .maximum) }
        if let high = bounds[1] { value = try combine(node, value, high, .minimum) }
        return [value]
    }

    private static func bound(_ value: Value?, _ meaning: String) throws -> Float? {
        guard let tensor = value?.tensor else { return nil }
        guard tensor.count == 1 else {
            throw SpikeletError(.invalidModel, "the \(meaning) has shape \(tensor.shape), a single number is needed")
        }
        return switch tensor.storage {
        case .float32(let values): values[0]
        case .int64(let values): Float(values[0])
        case .bool: throw SpikeletError(.invalidModel, "the \(meaning) is a truth value")
        }
    }

    private static func clip(_ node: NodeContext, minimum: Float?, maximum: Float?) throws -> [Value] {
        if case .quantized(let value) = try node.input(0) {
            // The same clip, of what the integers stand for.
            func activation(_ bound: Float) -> Float { (bound - Float(value.zeroPoint)) * value.scale }
            let clip = Clip(minimum: minimum.map(activation), maximum: maximum.map(activation))
            let made = try node.builder.emit(.clip(clip), [.computed(name: value.activation, value.type)], source: node.index)
            guard case .computed(let name, let type) = made else { return [made] }
            return [.quantized(QuantizedValue(activation: name, type: type, scale: value.scale, zeroPoint: value.zeroPoint))]
        }
        // The largest finite number and infinity are how exporters write "no bound".
        let low = minimum.flatMap { $0 <= -Float.greatestFiniteMagnitude ? nil : $0 }
        let high = maximum.flatMap { $0 >= Float.greatestFiniteMagnitude ? nil : $0 }
        guard low?.isNaN != true, high?.isNaN != true else { throw SpikeletError(.invalidModel, "a bound is NaN") }
        return try clip(node, Clip(minimum: low, maximum: high), try node.input(0))
    }

    private static func clip(_ node: NodeContext, _ clip: Clip, _ input: Value) throws -> [Value] {
        if clip.minimum == nil, clip.maximum == nil { return node.pass(input, because: "removed: a clip without bounds") }
        // ±∞ the wrong way round would make a constant of everything: a broken model, not a bound.
        guard clip.minimum?.isFinite != false, clip.maximum?.isFinite != false else {
            throw SpikeletError(.invalidModel, "the bounds \(clip.summary) leave nothing of the input")
        }
        if clip.minimum == 0, clip.maximum == nil { return try node.emit(.relu(Relu()), [input]) }
        return try node.emit(.clip(clip), [input])
    }

    /// 1 at the (first) maximum along the axis, else 0.
    @Sendable private static func hardmax(_ node: NodeContext) throws -> [Value] {
        let shape = try node.type(0).shape
        let axis = try Shape.axis(node.int("axis") ?? -1, rank: shape.rank)
        guard let size = shape[axis].known else { throw SpikeletError(.unsupported, "the maximum over the batch") }
        try node.builder.reserve([Dimension(size)])
        let largest = try node.emit(.argExtremum(ArgExtremum(axis: axis)), [node.input(0)])
        let places = Tensor((0..<size).map { Int64($0) }, shape: [size] + [Int](repeating: 1, count: shape.rank - axis - 1))
        let isLargest = try node.emit(.binary(Binary(.equal)), largest + [node.builder.constant(places)])
        return try node.emit(.cast(Cast(to: .float32)), isLargest)
    }

    /// `Max(x, c)` and `Min(x, c)` with a constant number are one-sided clips: `clamp(min=0)`, as dynamo writes it.
    private static func extremum(_ node: NodeContext, _ function: Binary.Function, _ makeClip: (Float) -> Clip) throws -> [Value] {
        var result = try node.input(0)
        for value in try node.allInputs().dropFirst() {
            let (constant, input) = result.tensor != nil ? (result, value) : (value, result)
            if input.tensor == nil, let tensor = constant.tensor, case .float32(let values) = tensor.storage, let number = values.first,
                values.allSatisfy({ $0 == number }), let type = input.type,
                try type.shape.broadcast(with: Shape(tensor.shape)) == type.shape, !number.isNaN
            {
                result = try clip(node, makeClip(number), input)[0]
            } else {
                result = try combine(node, result, value, function)
            }
        }
        return [result]
    }
}
