internal import SpikeGraph

extension OperatorSpec {
    static let reductions: [OperatorSpec] =
        // Axes became an input of the sum in opset 13, of the others in opset 18.
        reduction("ReduceMean", since: 18, nil) + reduction("ReduceSum", since: 13, .sum) + reduction("ReduceMax", since: 18, .maximum)
        + reduction("ReduceMin", since: 18, .minimum) + reduction("ReduceProd", since: 18, .product)
        + reduction("ReduceL1", since: 18, .l1) + reduction("ReduceL2", since: 18, .l2) + reduction("ReduceLogSum", since: 18, .logSum)
        + reduction("ReduceLogSumExp", since: 18, .logSumExp) + reduction("ReduceSumSquare", since: 18, .sumSquare)
        + extremum("ArgMax") + extremum("ArgMin") + [
            OperatorSpec(
                "CumSum", since: 11, inputs: 2...2, attributes: [.int("exclusive", 0), .int("reverse", 0)]
            ) { node in
                guard let axis = try node.constantIntegers(1, "axis")?.first else {
                    throw SpikeletError(.invalidModel, "the axis is left out")
                }
                try refuseBatch([axis], of: node, "sums along")
                return try node.emit(
                    .cumSum(CumSum(axis: axis, isExclusive: node.flag("exclusive"), isReverse: node.flag("reverse"))), [node.input(0)])
            }
        ]

    /// - Parameter function: `nil` for the mean.
    private static func reduction(_ name: String, since: Int, _ function: Reduce.Function?) -> [OperatorSpec] {
        [
            OperatorSpec(name, since: 1, inputs: 1...1, attributes: [.ints("axes"), .int("keepdims", 1)]) {
                try reduce($0, function, axes: $0.ints("axes"))
            },
            OperatorSpec(name, since: since, inputs: 1...2, attributes: [.int("keepdims", 1), .int("noop_with_empty_axes", 0)]) {
                try reduce($0, function, axes: $0.constantIntegers(1, "axes"))
            },
        ]
    }

    private static func reduce(_ node: NodeContext, _ function: Reduce.Function?, axes given: [Int]?) throws -> [Value] {
        let axes = given ?? []
        let value = try node.input(0)
        let shape = try node.type(0).shape
        if axes.isEmpty, node.flag("noop_with_empty_axes") {
            // Over no axes at all: each element by itself.
            switch function {
            case .l1, .l2: return try node.emit(.unary(Unary(.abs)), [value])
            case .sumSquare: return [try combine(node, value, value, .multiply)]
            case .logSum: return try node.emit(.unary(Unary(.log)), [value])
            default: return node.pass(value, because: "removed: a reduction over no axes")
            }
        }
        let keeps = node.flag("keepdims")
        let positions = try ReduceMean(axes: axes).reducedAxes(rank: shape.rank).sorted()
        try refuseBatch(positions, of: node, "reduces")
        guard let function else { return try node.emit(.reduceMean(ReduceMean(axes: axes, keepsDimensions: keeps)), [value]) }
        // The maximum over all places is a pool, which spiking networks can have.
        if function == .maximum, shape.rank >= 3, positions == Array(2..<shape.rank), try node.type(0).elementType == .float32 {
            let pooled = try node.builder.emit(.globalMaxPool(GlobalMaxPool()), [value], source: node.index)
            return keeps ? [pooled] : try node.emit(.flatten(Flatten()), [pooled])
        }
        return try node.emit(.reduce(Reduce(function, axes: axes, keepsDimensions: keeps)), [value])
    }

    private static func extremum(_ name: String) -> [OperatorSpec] {
        let attributes: [AttributeSpec] = [.int("axis", 0), .int("keepdims", 1)]
        let build: @Sendable (NodeContext) throws -> [Value] = { node in
            let axis = node.int("axis") ?? 0
            try refuseBatch([axis], of: node, "compares along")
            return try node.emit(
                .argExtremum(
                    ArgExtremum(
                        isMinimum: name == "ArgMin", axis: axis, keepsDimensions: node.flag("keepdims"),
                        selectsLast: node.flag("select_last_index"))), [node.input(0)])
        }
        return [
            OperatorSpec(name, since: 1, inputs: 1...1, attributes: attributes, build: build),
            OperatorSpec(name, since: 12, inputs: 1...1, attributes: attributes + [.int("select_last_index", 0)], build: build),
        ]
    }

    private static func refuseBatch(_ axes: [Int], of node: NodeContext, _ what: String) throws {
        let shape = try node.type(0).shape
        for axis in axes where shape[try Shape.axis(axis, rank: shape.rank)].known == nil {
            throw SpikeletError(
                .unsupported, "it \(what) axis \(axis) of \(shape), the batch",
                remedy: "samples must not mix: reduce over channels or places only")
        }
    }
}
