/// Every operator the importer knows, by domain, name and opset. A new one is a line in its family's table in
/// `Operators/`, with the version numbers of ONNX's `docs/Operators.md` and `docs/Changelog.md`.
package enum OperatorTable {
    /// The opsets whose specifications the tables were checked against.
    static let opsets = 6...27

    private static let families: [[OperatorSpec]] = [
        OperatorSpec.activations, OperatorSpec.arithmetic, OperatorSpec.constants, OperatorSpec.control, OperatorSpec.convolutions,
        OperatorSpec.layout, OperatorSpec.linear, OperatorSpec.movement, OperatorSpec.normalization, OperatorSpec.pools,
        OperatorSpec.quantization,
        OperatorSpec.reductions, OperatorSpec.resizing, OperatorSpec.shapeArithmetic, OperatorSpec.sumsOfProducts, OperatorSpec.unary,
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

    /// All operators as a table for people: `Documentation/Operators.md` holds it.
    package static var documentation: String {
        func text(_ range: ClosedRange<Int>) -> String {
            if range.upperBound >= 4096 { return "\(range.lowerBound) or more" }
            return range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound)–\(range.upperBound)"
        }
        let rows = families.joined().sorted { ($0.name, $0.domain, $0.since) < ($1.name, $1.domain, $1.since) }.map { spec in
            let domain = spec.domain.isEmpty ? "" : "\(spec.domain), "
            let attributes = spec.attributes.map(\.documentation).joined(separator: ", ")
            return "| `\(spec.name)` | \(domain)\(spec.since) | \(text(spec.inputs)) | \(text(spec.outputs)) | \(attributes) |"
        }
        return """
            # ONNX operators

            Opsets \(opsets.lowerBound) to \(opsets.upperBound). A row holds from its opset on, until the operator's next row. What stands in a \
            model but not here is refused, all of it in one list. Tensors are computed as float32, int64 or bool; float16, \
            bfloat16, float64 and narrower integers are read as these.

            This page is generated from the importer's table: `SPIKELET_UPDATE=1 make test FLAGS="--filter OperatorTableTests"`.

            | operator | from opset | inputs | outputs | attributes (and what they are when absent) |
            | --- | --- | --- | --- | --- |

            """ + rows.joined(separator: "\n") + "\n"
    }
}

extension AttributeSpec {
    fileprivate var documentation: String {
        if isRequired { return "`\(name)` (needed)" }
        return switch fallback {
        case .int(let value): "`\(name)` \(value)"
        case .float(let value): "`\(name)` \(value)"
        case .string(let value): "`\(name)` \(value)"
        default: "`\(name)`"
        }
    }
}
