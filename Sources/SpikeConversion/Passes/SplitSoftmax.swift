package import SpikeGraph

/// Divides an attention's softmax after the product that reads it, by the sum of the very digits that the product has read: rows of the
/// weights then add up to 1 exactly, which rounding a softmax's quotients does not give.
///
/// Given: an ANN.
///
/// Result: the same function. Of A = softmax(S) over the last axis, read by nothing but A · V, there are the exponentials
/// E = exp(S − max S), and (E · V) / ΣE. Only there has every term of a sum the same denominator.
package struct SplitSoftmax: Pass {
    package static let id = "split-softmax"

    /// A pass without options.
    package init() {}

    /// The graph whose attention is divided last.
    package func run(_ graph: Graph) throws -> Graph {
        var patch = Patch()
        let consumers = graph.consumers
        let shown = Set(graph.outputs.map(\.value))
        for node in graph.nodes {
            guard case .softmax(let softmax) = node.operator, let rank = graph.types[node.outputs[0]]?.shape.rank, rank > 1,
                softmax.axis == -1 || softmax.axis == rank - 1, let readers = consumers[node.outputs[0]], readers.count == 1,
                case .matMul = readers[0].operator, graph.isProduct(readers[0]), readers[0].inputs[0] == node.outputs[0],
                !shown.contains(node.outputs[0])
            else { continue }
            let product = readers[0]
            func name(_ part: String) -> String { graph.freshName("\(node.name).\(part)") }
            let largest = Node(name("largest"), .reduce(Reduce(.maximum, axes: [-1])), inputs: node.inputs)
            let distance = Node(name("distance"), .binary(Binary(.subtract)), inputs: [node.inputs[0], largest.outputs[0]])
            let sum = Node(name("sum"), .reduce(Reduce(.sum, axes: [-1])), inputs: node.outputs)
            let division = Node(
                graph.freshName("\(product.name).divided"), .binary(Binary(.divide)), inputs: [product.outputs[0], sum.outputs[0]])
            for new in [largest, distance, sum, division] { patch.insert(new) }
            patch.replace(Node(node.name, .unary(Unary(.exp)), inputs: distance.outputs, outputs: node.outputs))
            patch.redirect(product.outputs[0], to: division.outputs[0])
        }
        return patch.isEmpty ? graph : try graph.applying(patch)
    }
}
