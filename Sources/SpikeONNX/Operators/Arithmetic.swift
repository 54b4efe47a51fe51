internal import SpikeGraph

extension OperatorSpec {
    static let arithmetic: [OperatorSpec] = [
        OperatorSpec("Add", since: 7, inputs: 2...2, build: add),
        OperatorSpec("Sub", since: 7, inputs: 2...2, build: subtract),
        OperatorSpec("Mul", since: 7, inputs: 2...2, build: multiply),
        OperatorSpec("Div", since: 7, inputs: 2...2, build: divide),
        OperatorSpec("Neg", since: 6, inputs: 1...1, build: negate),
        OperatorSpec("Sum", since: 6, inputs: 1...Int.max, build: sum),
    ]

    @Sendable private static func add(_ node: NodeContext) throws -> [Value] {
        let (a, b) = (try node.input(0), try node.input(1))
        if let folded = try Elementwise.fold(a, b, Elementwise.add, node.builder) { return [folded] }
        return try node.emit(.add(Add()), [a, b])
    }

    @Sendable private static func multiply(_ node: NodeContext) throws -> [Value] {
        let (a, b) = (try node.input(0), try node.input(1))
        if let folded = try Elementwise.fold(a, b, Elementwise.multiply, node.builder) { return [folded] }
        return try node.emit(.mul(Mul()), [a, b])
    }

    /// a − b becomes a + (−b): exact, as a sign costs no rounding.
    @Sendable private static func subtract(_ node: NodeContext) throws -> [Value] {
        let (a, b) = (try node.input(0), try node.input(1))
        if let folded = try Elementwise.fold(a, b, Elementwise.subtract, node.builder) { return [folded] }
        if let constant = b.tensor, case .float32 = constant.storage {
            return try node.emit(.add(Add()), [a, node.builder.constant(constant.map { -$0 })])
        }
        let negated = try node.emit(.mul(Mul()), [b, node.builder.constant(Tensor(scalar: -1))])
        return try node.emit(.add(Add()), [a] + negated)
    }

    @Sendable private static func negate(_ node: NodeContext) throws -> [Value] {
        let value = try node.input(0)
        let minusOne = try node.type(0).elementType == .int64 ? Tensor([Int64(-1)], shape: []) : Tensor(scalar: -1)
        if let folded = try Elementwise.fold(value, node.builder.constant(minusOne), Elementwise.multiply, node.builder) { return [folded] }
        return try node.emit(.mul(Mul()), [value, node.builder.constant(minusOne)])
    }

    /// x / c becomes x · (1/c), which may differ from the quotient in the last bit.
    @Sendable private static func divide(_ node: NodeContext) throws -> [Value] {
        let (a, b) = (try node.input(0), try node.input(1))
        if let folded = try Elementwise.fold(a, b, Elementwise.divide, node.builder) { return [folded] }
        guard let constant = b.tensor, case .float32 = constant.storage else {
            throw SpikeletError(
                .unsupported, "the divisor is computed when the network runs", remedy: "only divisions by constants can be spiking")
        }
        node.builder.note("divisions became multiplications by the reciprocal")
        return try node.emit(.mul(Mul()), [a, node.builder.constant(constant.map { 1 / $0 })])
    }

    @Sendable private static func sum(_ node: NodeContext) throws -> [Value] {
        let terms = try node.allInputs()
        var total = terms[0]
        if terms.count == 1 { return node.pass(total, because: "removed: a sum of one term") }
        for term in terms.dropFirst() { total = try node.builder.emit(.add(Add()), [total, term], source: node.index) }
        return [total]
    }
}
