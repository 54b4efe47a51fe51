internal import SpikeGraph

/// What chooses among graphs: taken where the choice follows from constants and shapes, so that one of them is the network.
extension OperatorSpec {
    static let control: [OperatorSpec] = [
        OperatorSpec(
            "If", since: 1, inputs: 1...1, outputs: 1...Int(Int32.max),
            attributes: [AttributeSpec.graph("then_branch").required, AttributeSpec.graph("else_branch").required], build: branch)
    ]

    @Sendable private static func branch(_ node: NodeContext) throws -> [Value] {
        guard let condition = try node.input(0).tensor else {
            throw SpikeletError(
                .unsupported, "its condition is computed when the network runs: which branch is the network is not known before",
                remedy: "write the choice as a product or as torch.where, or export with fixed sizes if it follows from them")
        }
        guard case .bool(let values) = condition.storage, values.count == 1 else {
            throw SpikeletError(.invalidModel, "its condition is \(ValueType(condition)), a single bool is needed")
        }
        guard case .graph(let branch)? = node.attributes[values[0] ? "then_branch" : "else_branch"] else { return [] }
        guard branch.output.count == node.proto.output.count else {
            throw SpikeletError(
                .invalidModel, "it has \(node.proto.output.count) outputs, its branch has \(branch.output.count)",
                remedy: "export the model again")
        }
        node.builder.note("choices that follow from shapes and constants made")
        return try node.inline(branch)
    }
}
