internal import SpikeGraph

extension OperatorSpec {
    static let reductions: [OperatorSpec] = [
        OperatorSpec("ReduceMean", since: 1, inputs: 1...1, attributes: [.ints("axes"), .int("keepdims", 1)]) {
            try reduceMean($0, axes: $0.ints("axes"))
        },
        OperatorSpec("ReduceMean", since: 18, inputs: 1...2, attributes: [.int("keepdims", 1), .int("noop_with_empty_axes", 0)]) {
            try reduceMean($0, axes: $0.constantIntegers(1, "axes"))
        },
    ]

    private static func reduceMean(_ node: NodeContext, axes: [Int]?) throws -> [Value] {
        let axes = axes ?? []
        if axes.isEmpty, node.flag("noop_with_empty_axes") {
            return node.pass(try node.input(0), because: "removed: a mean over no axes")
        }
        let reduce = ReduceMean(axes: axes, keepsDimensions: node.flag("keepdims"))
        let shape = try node.type(0).shape
        let reduced = try reduce.reducedAxes(rank: shape.rank)
        if let open = reduced.sorted().first(where: { $0 < shape.rank && shape[$0].known == nil }) {
            throw SpikeletError(
                .unsupported, "it takes the mean over axis \(open) of \(shape), the batch",
                remedy: "samples must not mix: reduce over channels or places only")
        }
        return try node.emit(.reduceMean(reduce), [node.input(0)])
    }
}
