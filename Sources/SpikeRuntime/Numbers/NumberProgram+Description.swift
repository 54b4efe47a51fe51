internal import CSpikeKernels
internal import SpikeGraph

extension NumberProgram {
    /// A line for each stage.
    func lines() -> [String] {
        stages.map { stage in
            let text =
                switch stage.work {
                case .encode(let encoding):
                    encoding.name + "\(encoding.kind.name), " + encoding.scales
                case .panels(let panels): "\(panels.depth)×\(panels.columns)\(panels.kind.name) weights"
                case .convolution(let convolution):
                    "convolution of \(convolution.inputChannels) channels, \(convolution.outputChannels) features, "
                        + "kernel \(convolution.window.kernel)\(convolution.groups[0].kind.name)"
                case .depthwise(let depthwise): "depthwise convolution, kernel \(depthwise.window.kernel), float32"
                case .matrices: "product of two values, in whole numbers where both are digits"
                case .generic(let reason): "reference path (\(reason))"
                default: ""
                }
            return "  \(stage.node.label): \(stage.node.operator.name)" + (text.isEmpty ? "" : ", \(text)")
        }
    }

    /// What the reference path computes, and why.
    var genericNodes: [(node: String, reason: String)] {
        stages.compactMap { if case .generic(let reason) = $0.work { ($0.node.name, reason) } else { nil } }
    }

    var encodings: [NumberStage.Encoding] {
        stages.compactMap { if case .encode(let encoding) = $0.work { encoding } else { nil } }
    }

    /// The most that the values of a sample take together, in bytes: whole numbers, and float32; and at which stage.
    func memory(of graph: Graph) -> (numbers: Int, values: Int, stage: String) {
        var kinds: [String: NumberKind] = [:]
        var alive: Set<String> = []
        var most = (numbers: 0, values: 0, stage: "")
        for (stage, lastReads) in zip(stages, lastReads) {
            if case .encode(let encoding) = stage.work { kinds[stage.output] = encoding.kind }
            alive.insert(stage.output)
            var (numbers, values) = (0, 0)
            for name in alive.union(stage.inputs) where graph.constants[name] == nil {
                let size = graph.sizePerSample(of: name) ?? 0
                let kind = kinds[name] ?? .floats
                if kind == .floats { values += 4 * size } else { numbers += kind.size * size }
            }
            // A value that lies in another order first.
            values += (stage.inputs.map { 4 * (graph.sizePerSample(of: $0) ?? 0) }.max() ?? 0)
            if numbers + values > most.numbers + most.values { most = (numbers, values, stage.node.label) }
            alive.subtract(lastReads)
        }
        return most
    }
}

extension NumberStage.Encoding {
    /// How many numbers spikes stand for, for people.
    fileprivate var scales: String {
        let word = latency == nil ? "step" : "scale"
        return steps.count == 1 ? "one \(word)" : "\(steps.count) \(word)s"
    }

    /// What it sends, for people.
    fileprivate var name: String {
        guard let rule = latency?.rule else { return "\(isSigned ? "sign and " : "")\(digits) digits" }
        return "\(rule.mostSpikes == 1 ? "one spike" : "up to \(rule.mostSpikes) spikes") in \(rule.weights.count) steps"
    }
}

extension NumberKind {
    /// Behind a comma, for people.
    fileprivate var name: String {
        switch self {
        case .floats: ""
        case .bytes: ", 8 bits"
        case .shorts: ", 16 bits"
        }
    }
}
