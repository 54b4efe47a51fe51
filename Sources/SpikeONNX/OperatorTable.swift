/// Every operator the importer knows, by domain, name and opset. A new one is a line in its family's table in
/// `Operators/`, with the version numbers of ONNX's `docs/Operators.md` and `docs/Changelog.md`.
enum OperatorTable {
    /// The opsets whose specifications the tables were checked against.
    static let opsets = 6...27

    private static let families: [[OperatorSpec]] = [
        OperatorSpec.activations, OperatorSpec.arithmetic, OperatorSpec.constants, OperatorSpec.convolutions, OperatorSpec.layout,
        OperatorSpec.linear, OperatorSpec.movement, OperatorSpec.normalization, OperatorSpec.pools, OperatorSpec.quantization,
        OperatorSpec.reductions, OperatorSpec.resizing, OperatorSpec.shapeArithmetic, OperatorSpec.unary,
    ]

    private struct Key: Hashable {
        let domain: String
        let name: String
    }

    /// For each operator its entries, newest first.
    private static let entries: [Key: [OperatorSpec]] = Dictionary(grouping: families.joined()) { Key(domain: $0.domain, name: $0.name) }
        .mapValues { $0.sorted { $0.since > $1.since } }

    /// What the operator is in that opset of its domain; `nil` if it is not known.
    static func spec(domain: String, name: String, opset: Int) -> OperatorSpec? {
        entries[Key(domain: domain, name: name)]?.first { $0.since <= opset }
    }

    /// The names of all operators, in order.
    static let names: [String] = entries.keys.map(\.name).sorted()
}
