import SpikeGraph

extension NIRFolding {
    mutating func neurons(_ value: FoldedValue, _ neuronNode: NeuronNode, _ node: Node) throws -> FoldedValue? {
        guard value.postponed.isEmpty else { return try neurons(inFrontOfPools: value, neuronNode, node) }
        let reader = RateStandIn.Reader(
            resetsToZero: profile.dynamics.reset == .value, sendsSeveral: profile.dynamics.isMultiSpike, steps: steps)
        guard let rate = neuronNode.neuron.rateStandIn(for: reader) else {
            return refuse(node, "neurons of the kind \(type(of: neuronNode.neuron).kind)")
        }
        for change in rate.changes { find(change.subject, replacement: change.replacement, node: node.name) }
        if !rate.isReaders { runOtherwise.append(node.name) }
        var result = FoldedValue(terms: [], shape: value.shape, phases: value.phases)
        for side in rate.sides {
            var current = value
            if rate.sides.count > 1 {
                for index in current.terms.indices { current.terms[index].isExclusive = false }
            }
            if side.sign < 0 { current = profile.isExact ? exactly(current, scaledBy: [-1], node) : current.scaled(by: [-1]) }
            var membranes = [Float](repeating: side.membrane, count: value.channels)
            for (channel, offset) in value.spread(neuronNode.initialOffsets).enumerated() where channel < membranes.count {
                membranes[channel] += side.sign * offset
            }
            let name = layer(of: side.threshold, isReaders: rate.isReaders, reading: current, membranes: membranes, node)
            result.terms.append(
                .init(node: name, shape: value.shape, scale: [Float](repeating: side.sign * side.gain, count: value.channels)))
            result.most = side.sign > 0 ? [Float](repeating: side.gain * side.most, count: value.channels) : nil
        }
        return result
    }

    /// relu(max z) = max relu(z): the neurons come first, and then the pools, of spikes.
    private mutating func neurons(inFrontOfPools value: FoldedValue, _ neuronNode: NeuronNode, _ node: Node) throws -> FoldedValue? {
        // Behind a flattened pool each place may have a number of its own.
        guard neuronNode.initialOffsets.isEmpty || neuronNode.initialOffsets.count * value.places == value.channels else {
            return refuse(node, "initial membranes that differ from place to place")
        }
        var bare = value
        bare.postponed = []
        guard var result = try neurons(bare, neuronNode, node) else { return nil }
        for step in value.postponed {
            switch step.operator {
            case .flatten, .reshape:
                if result.postponed.isEmpty {
                    guard let flat = flattened(result, step) else { return nil }
                    result = flat
                } else {
                    result.postponed.append(step)
                }
            default:
                guard let pooled = try maximumPool(result, step) else { return nil }
                result = pooled
                note("'\(step.name)' stands behind '\(node.name)': the maximum of rectified values is the rectified maximum")
            }
        }
        return result
    }

    /// - Parameters:
    ///   - threshold: the current that makes one spike a step.
    ///   - membranes: v₀ of each channel.
    private mutating func layer(
        of threshold: Float, isReaders: Bool, reading value: FoldedValue, membranes: [Float], _ node: Node
    ) -> String {
        var metadata: [String: NIRMetadata] = [:]
        if profile.isExact {
            if membranes.contains(where: { $0 != 0 }) { metadata["v_init"] = .numbers(Tensor(membranes, shape: [membranes.count])) }
            let sources = materialize(value, for: node.name)
            let name = addNeurons(shape: value.shape, threshold: threshold, named: node.name, metadata: metadata)
            connect(sources, to: name)
            return name
        }
        var current = value.scaled(by: [1 / threshold])
        let initial = membranes.map { $0 / threshold }
        if profile.isArrays {
            metadata["v_init"] = .numbers(Tensor(initial, shape: [initial.count]))
        } else if initial.contains(where: { $0 != 0 }) {
            find("initial membrane potentials", replacement: "v₀/\(steps) more current in each of \(steps) steps", node: node.name)
            current = current.adding(initial.map { $0 / Float(steps) })
        }
        let sources = materialize(current, for: node.name)
        // The network's neurons spike where v ≥ θ.
        let own = profile.dynamics.isStrict ? Float(1).nextDown : 1
        let name = addNeurons(
            shape: value.shape, threshold: isReaders ? own : profile.threshold, named: node.name, metadata: metadata)
        connect(sources, to: name)
        return name
    }

    mutating func addNeurons(shape: [Int], threshold: Float, named name: String, metadata: [String: NIRMetadata] = [:]) -> String {
        let zeros = Tensor(repeating: 0, shape: shape)
        let thresholds = Tensor(repeating: threshold, shape: shape)
        let neuron: NIRNeuron
        if profile.usesLeakyNeurons {
            // 1 − dt/τ is 1 in float32, and R·dt/τ is 1.
            neuron = NIRNeuron(
                .leaky,
                [
                    "tau": Tensor(repeating: 1e4, shape: shape), "r": Tensor(repeating: 1e8, shape: shape), "v_leak": zeros,
                    "v_threshold": thresholds, "v_reset": zeros,
                ])
        } else {
            neuron = NIRNeuron(
                .integrateAndFire, ["r": Tensor(repeating: 1, shape: shape), "v_threshold": thresholds, "v_reset": zeros])
        }
        return add(.neuron(neuron), named: name, metadata: metadata)
    }
}
