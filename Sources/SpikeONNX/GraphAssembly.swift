internal import SpikeGraph

/// Names everything, and checks the weights: the last step before there is a ``Graph``.
struct GraphAssembly {
    private(set) var nodes: [Node] = []
    private(set) var constants: [String: Tensor] = [:]
    private(set) var outputs: [Graph.Output] = []

    init(_ session: ImportSession) throws {
        for output in session.model.graph.output {
            if case .constant(let name, let tensor)? = session.values[output.name] { session.builder.keep(tensor, named: name) }
        }
        let pending = session.builder.nodes
        var taken = Set(session.inputs.map(\.name))
        var names: [String: String] = [:]
        for name in session.builder.constants.keys.sorted() where Self.isGiven(name) {
            names[name] = NodeNames.unique(name, &taken)
        }
        let origins = pending.map { NodeNames.origin(of: session.model.graph.node[$0.source], index: $0.source) }
        let nodeNames = NodeNames.choose(origins, taken: &taken)
        for (node, name) in zip(pending, nodeNames) { names[node.value] = name }
        for (node, name) in zip(pending, nodeNames) {
            for (position, input) in node.inputs.enumerated() where names[input] == nil && session.builder.constants[input] != nil {
                names[input] = NodeNames.unique("\(name).\(Self.role(of: position, in: node.operator))", &taken)
            }
        }
        for output in session.model.graph.output {
            guard case .constant(let name, _)? = session.values[output.name], names[name] == nil else { continue }
            names[name] = NodeNames.unique(Self.isGiven(output.name) ? output.name : "constant", &taken)
        }
        constants = Dictionary(
            session.builder.constants.compactMap { key, tensor in names[key].map { ($0, tensor) } }, uniquingKeysWith: { first, _ in first }
        )
        nodes = zip(pending, nodeNames).map { node, name in
            Node(name, node.operator, inputs: node.inputs.map { names[$0] ?? $0 })
        }
        outputs = try session.model.graph.output.map { output in
            switch session.values[output.name] {
            case .computed(let name, _)?: return Graph.Output(output.name, value: names[name] ?? name)
            case .constant(let name, _)?: return Graph.Output(output.name, value: names[name] ?? name)
            case .sizes?, .batchIndices?:
                throw SpikeletError(
                    .unsupported, "output '\(output.name)' is a size that depends on the batch alone",
                    remedy: "export a model without this output")
            case .quantized?:
                throw SpikeletError(
                    .unsupported, "output '\(output.name)' is the integers of a QuantizeLinear",
                    remedy: "end the model with the DequantizeLinear that belongs to it")
            case .unknown?, nil:
                throw SpikeletError(
                    .invalidModel, "output '\(output.name)' is defined by nothing in the model", remedy: "export the model again")
            }
        }
        try Self.checkFinite(nodes, constants, outputs)
    }

    /// Whether a constant's name was given by a person. Exporters number those that they make themselves.
    private static func isGiven(_ name: String) -> Bool {
        guard let first = name.first, first.isLetter || first == "_" else { return false }
        return !name.contains("::") && !name.contains("/") && !name.hasPrefix("val_") && !name.hasPrefix("_val_")
    }

    /// What a constant input is to a node, for its name.
    private static func role(of position: Int, in operator: Operator) -> String {
        let roles: [String] =
            switch `operator` {
            case .conv, .convTranspose, .gemm, .groupNormalization, .layerNormalization: ["input", "weight", "bias"]
            case .matMul: ["weight", "weight"]
            case .batchNormalization: ["input", "weight", "bias", "running_mean", "running_var"]
            default: []
            }
        return position < roles.count ? roles[position] : "constant"
    }

    private static func checkFinite(_ nodes: [Node], _ constants: [String: Tensor], _ outputs: [Graph.Output]) throws {
        var bad: [String: String] = [:]
        let masked = scores(nodes, outputs)
        for (name, tensor) in constants {
            guard let position = tensor.firstNonFinite else { continue }
            if masked.contains(name), tensor.floats.allSatisfy({ $0.isFinite || $0 == -.infinity }) { continue }
            bad[name] = "'\(name)' \(tensor.shape) holds \(tensor.floats[position]) at place \(position)"
        }
        guard !bad.isEmpty else { return }
        let lines = nodes.flatMap { node in
            node.inputs.compactMap { bad[$0] }.map { "node '\(node.name)' (\(node.operator.name)): tensor \($0)" }
        }
        throw SpikeletError(
            .invalidModel, "weights are not finite numbers:", details: SpikeletError.list(lines),
            remedy:
                "a mask may hold −∞ where it is added to a softmax's scores, or stands for them, alone: write −1e9 elsewhere; else the training diverged or the file is damaged: check the weights, and export again"
        )
    }

    /// The values that softmaxes alone read, added to others, in their place or at other places: −∞ among them takes no part.
    private static func scores(_ nodes: [Node], _ outputs: [Graph.Output]) -> Set<String> {
        var scores: Set<String> = []
        var others = Set(outputs.map(\.value))
        for node in nodes.reversed() {
            let readsScores =
                switch node.operator {
                case .softmax, .logSoftmax: true
                case .add, .concat, .dropout, .expand, .flatten, .gather, .identity, .reshape, .select, .slice, .tile, .transpose:
                    node.outputs.allSatisfy { scores.contains($0) && !others.contains($0) }
                default: false
                }
            if readsScores { scores.formUnion(node.inputs) } else { others.formUnion(node.inputs) }
        }
        return scores.subtracting(others)
    }
}
