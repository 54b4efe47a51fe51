internal import SpikeGraph

extension OperatorSpec {
    static let arithmetic: [OperatorSpec] =
        legacy("Add", .add) + legacy("Sub", .subtract) + legacy("Mul", .multiply) + legacy("Div", .divide) + legacy("Pow", .power)
        + legacy("Equal", .equal, since: 1) + legacy("Greater", .greater, since: 1) + legacy("Less", .less, since: 1)
        + legacy("And", .and, since: 1) + legacy("Or", .or, since: 1) + legacy("Xor", .xor, since: 1) + [
            OperatorSpec("GreaterOrEqual", since: 12, inputs: 2...2) { [try binary($0, .greaterOrEqual)] },
            OperatorSpec("LessOrEqual", since: 12, inputs: 2...2) { [try binary($0, .lessOrEqual)] },
            OperatorSpec("Mod", since: 10, inputs: 2...2, attributes: [.int("fmod", 0)]) {
                [try binary($0, $0.flag("fmod") ? .remainder : .modulo)]
            },
            OperatorSpec("Neg", since: 6, inputs: 1...1, build: negate),
            OperatorSpec("Sum", since: 6, inputs: 1...Int.max, build: sum),
            OperatorSpec("Mean", since: 6, inputs: 1...Int.max) { node in
                let total = try sum(node)[0]
                return [try combine(node, total, node.builder.constant(Tensor(scalar: Float(node.inputs.count))), .divide)]
            },
            OperatorSpec("Where", since: 9, inputs: 3...3, build: select),
        ]

    /// An operator that broadcasts as NumPy does from opset 7 on, and before that as its attributes say.
    private static func legacy(_ name: String, _ function: Binary.Function, since: Int = 6) -> [OperatorSpec] {
        [
            OperatorSpec(name, since: since, inputs: 2...2, attributes: [.int("broadcast", 0), .int("axis")]) { node in
                let b = try node.input(1)
                guard node.flag("broadcast"), let axis = node.int("axis"), let shape = b.type?.shape else {
                    return [try binary(node, function)]
                }
                // b's axes are a's from `axis` on.
                let rank = try node.type(0).shape.rank
                let behind = rank - (axis < 0 ? axis + rank : axis) - shape.rank
                guard behind >= 0, behind < 64 else { throw SpikeletError(.invalidModel, "axis \(axis) for a value of shape \(shape)") }
                let sizes = (shape.dimensions + [Dimension](repeating: 1, count: behind)).map { Reshape.Size($0) }
                let aligned = try node.builder.emit(.reshape(Reshape(sizes: sizes)), [b], source: node.index)
                return [try combine(node, node.input(0), aligned, function)]
            },
            OperatorSpec(name, since: 7, inputs: 2...2) { [try binary($0, function)] },
        ]
    }

    private static func binary(_ node: NodeContext, _ function: Binary.Function) throws -> Value {
        try combine(node, node.input(0), node.input(1), function)
    }

    /// Sums and products of activations become the operators that know about linearity.
    static func combine(_ node: NodeContext, _ a: Value, _ b: Value, _ function: Binary.Function) throws -> Value {
        if let indices = try BatchIndices.combine(a, b, function) { return .batchIndices(indices) }
        if let folded = try Elementwise.fold(a, b, function, node) { return folded }
        func emit(_ operator: Operator, _ inputs: [Value]) throws -> Value {
            try node.builder.emit(`operator`, inputs, source: node.index)
        }
        let isFloat = a.type?.elementType == .float32 && b.type?.elementType == .float32
        switch function {
        case .add where isFloat: return try emit(.add(Add()), [a, b])
        case .multiply where isFloat: return try emit(.mul(Mul()), [a, b])
        case .subtract where isFloat:
            // a − b becomes a + (−b): exact, as a sign costs no rounding.
            if let constant = b.tensor { return try emit(.add(Add()), [a, node.builder.constant(constant.map { -$0 })]) }
            return try emit(.add(Add()), [a, try emit(.mul(Mul()), [b, node.builder.constant(Tensor(scalar: -1))])])
        case .divide where isFloat && b.tensor != nil:
            // x / c becomes x · (1/c), which may differ from the quotient in the last bit.
            guard let constant = b.tensor, case .float32 = constant.storage else { break }
            node.builder.note("divisions became multiplications by the reciprocal")
            return try emit(.mul(Mul()), [a, node.builder.constant(constant.map { 1 / $0 })])
        default: break
        }
        return try emit(.binary(Binary(function)), [a, b])
    }

    @Sendable private static func negate(_ node: NodeContext) throws -> [Value] {
        let value = try node.input(0)
        if try node.type(0).elementType == .float32 {
            return [try combine(node, value, node.builder.constant(Tensor(scalar: -1)), .multiply)]
        }
        return [try combine(node, node.builder.constant(Tensor([Int64(0)], shape: [])), value, .subtract)]
    }

    @Sendable private static func sum(_ node: NodeContext) throws -> [Value] {
        let terms = try node.allInputs()
        if terms.count == 1 { return node.pass(terms[0], because: "removed: a sum of one term") }
        return [try terms.dropFirst().reduce(terms[0]) { try combine(node, $0, $1, .add) }]
    }

    @Sendable private static func select(_ node: NodeContext) throws -> [Value] {
        let inputs = try node.allInputs()
        if let condition = inputs[0].tensor, case .bool(let choices) = condition.storage, condition.rank <= 1,
            let a = SizeVector(inputs[1]), let b = SizeVector(inputs[2]), inputs[1].tensor == nil || inputs[2].tensor == nil
        {
            let counts = [choices.count, a.dimensions.count, b.dimensions.count]
            guard let count = counts.max(), counts.allSatisfy({ $0 == 1 || $0 == count }) else {
                throw SpikeletError(.invalidModel, "a choice of \(counts) sizes")
            }
            let chosen = (0..<count).map { i in
                choices[choices.count == 1 ? 0 : i]
                    ? a.dimensions[a.dimensions.count == 1 ? 0 : i] : b.dimensions[b.dimensions.count == 1 ? 0 : i]
            }
            return [node.builder.value(SizeVector(chosen, isNumber: a.isNumber && b.isNumber && condition.rank == 0))]
        }
        return try node.emit(.select(Where()), inputs)
    }
}
