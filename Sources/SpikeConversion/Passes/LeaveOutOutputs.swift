package import SpikeGraph

/// Takes out the outputs that say nothing of what a spiking network computes: the ids of tokens, masks and sizes, passed through.
///
/// Given: an ANN.
///
/// Result: the same without those outputs that are no float32 numbers and that no spikes lead to, and without the nodes that led to
/// them alone. Positions and truth values that are made of the accumulated output stay.
package struct LeaveOutOutputs: Pass {
    package static let id = "leave-out-outputs"

    /// The names of the outputs that are left out, in the network's order.
    package let names: [String]

    /// Looks for such outputs.
    ///
    /// - Parameter inDigits: whether spikes begin behind the first weights, instead of at the first ReLU (or quantiser).
    package init(of ann: Graph, inDigits: Bool = false) {
        var spiking: Set<String> = []
        for node in ann.nodes {
            let begins = inDigits ? ann.hasWeights(node) || ann.picksEmbeddings(node) : ann.becomesNeurons(node) || node.isQuantizer
            if begins || node.inputs.contains(where: spiking.contains) { spiking.formUnion(node.outputs) }
        }
        names = ann.outputs.compactMap { output in
            ann.types[output.value]?.elementType == .float32 || spiking.contains(output.value) ? nil : output.name
        }
    }

    /// What people should know of it.
    package var notes: [String] {
        guard !names.isEmpty else { return [] }
        let list = names.map { "'\($0)'" }.joined(separator: ", ")
        return [
            names.count == 1
                ? "output \(list) is left out: it holds no numbers that are computed by spikes, but whole numbers or truth values passed through"
                : "outputs \(list) are left out: they hold no numbers that are computed by spikes, but whole numbers or truth values passed through"
        ]
    }

    /// - Throws: ``SpikeletError`` where no output would be left.
    package func run(_ graph: Graph) throws -> Graph {
        guard !names.isEmpty else { return graph }
        guard graph.outputs.contains(where: { !names.contains($0.name) }) else {
            throw SpikeletError(
                .notConvertible,
                "the network '\(graph.name)' has no output that spikes would lead to: \(names.map { "'\($0)'" }.joined(separator: ", ")) "
                    + "hold\(names.count == 1 ? "s" : "") whole numbers or truth values passed through",
                remedy: "export the model with its scores or features among the outputs")
        }
        return try graph.keepingOutputs { !names.contains($0.name) }
    }
}

extension Graph {
    /// Whether a node picks rows of a stored table of numbers: an embedding, which is read like a first layer's weights.
    func picksEmbeddings(_ node: Node) -> Bool {
        guard case .gather = node.operator else { return false }
        return constants[node.inputs[0]]?.elementType == .float32
    }
}

extension Node {
    fileprivate var isQuantizer: Bool { if case .quantizer = `operator` { true } else { false } }
}
