import SpikeGraph

extension NIRFolding {
    /// What a neuron is as integrate-and-fire with threshold 1 and a rate code.
    private struct RateNeuron {
        /// Neurons that say one sign of the value.
        struct Side {
            /// −1 for neurons that count what is below zero.
            var sign: Float = 1
            /// The current that makes one spike a step.
            var threshold: Float
            /// What a spike stands for, in the unit of the neuron's own spikes.
            var gain: Float = 1
            /// v₀.
            var membrane: Float = 0
            /// The most spikes a step.
            var most: Float = 1
        }

        var sides: [Side]
        /// What is lost, and what comes instead.
        var changes: [(subject: String, replacement: String)] = []
        /// The reader's neurons do the same as these, if their threshold is.
        var isReaders = false
    }

    /// - Returns: `nil` for neurons that no integrate-and-fire neuron with one threshold is like.
    private func rateNeuron(_ neuron: any Neuron) -> RateNeuron? {
        switch neuron {
        case let neuron as IFNode:
            guard neuron.threshold > 0 else { return nil }
            var result = RateNeuron(sides: [.init(threshold: neuron.threshold, membrane: neuron.initialMembrane)])
            if case .to(let value) = neuron.reset {
                result.isReaders = profile.dynamics.reset == .value && value == 0
                if !result.isReaders {
                    let instead = profile.dynamics.reset == .subtraction ? "reset by subtraction" : "to 0"
                    result.changes = [("hard resets to \(value)", instead)]
                }
            }
            return result
        case let neuron as MultiSpikeIFNode:
            // What it can say has no bound: nothing that sends one spike a step stands for it.
            guard profile.dynamics.isMultiSpike, neuron.threshold.values.count == 1 else { return nil }
            return RateNeuron(sides: [.init(threshold: neuron.threshold[0])], isReaders: true)
        case let neuron as SignedIFNode:
            guard neuron.threshold > 0 else { return nil }
            var result = RateNeuron(
                sides: [.init(threshold: neuron.threshold, membrane: neuron.initialMembrane)],
                changes: [("spikes that are taken back", "spikes that stand")])
            if let most = neuron.maximumCount, most < steps {
                result.changes.append(("at most \(most) spikes in all", "at most \(steps), one a step"))
            }
            return result
        case let neuron as BurstIFNode:
            guard neuron.threshold > 0 else { return nil }
            let burst = Float(neuron.maximumBurst)
            if profile.dynamics.isMultiSpike {
                return RateNeuron(
                    sides: [.init(threshold: neuron.threshold, membrane: neuron.initialMembrane, most: burst)],
                    changes: [("at most \(neuron.maximumBurst) spikes a step", "any number")])
            }
            return RateNeuron(
                sides: [.init(threshold: burst * neuron.threshold, gain: burst, membrane: burst * neuron.initialMembrane)],
                changes: burst == 1
                    ? [] : [("up to \(neuron.maximumBurst) spikes a step", "one spike a step, worth \(neuron.maximumBurst) of them")])
        case let neuron as RadixNode:
            let levels = Float(1 << neuron.digits) - 1
            return RateNeuron(
                sides: [.init(threshold: levels, gain: levels, membrane: levels / 2)],
                changes: [("radix codes", "rate codes of the same largest activation, not rounded to \(Int(levels)) levels")])
        case let neuron as QuantizerNode:
            guard neuron.threshold > 0 else { return nil }
            var result = RateNeuron(sides: [])
            // T steps of a current x/Δ are rounded to counts of Δ; so many in the largest activation.
            for (sign, levels) in [(Float(1), neuron.levels), (Float(-1), -neuron.lowest)] where levels > 0 {
                let most = Float(levels)
                result.sides.append(
                    .init(
                        sign: sign, threshold: most, gain: most / neuron.threshold, membrane: neuron.rounding == .down ? 0 : most / 2))
            }
            let count = neuron.levels - neuron.lowest
            let bounds = "of the same largest activation, not rounded to \(count) level\(count == 1 ? "" : "s")"
            result.changes = [
                neuron.lowest < 0
                    ? ("signed quantisers", "two rate codes, one of each sign, \(bounds)") : ("quantisers", "rate codes \(bounds)")
            ]
            return result.sides.isEmpty ? nil : result
        default: return nil
        }
    }

    mutating func neurons(_ value: FoldedValue, _ neuronNode: NeuronNode, _ node: Node) throws -> FoldedValue? {
        guard value.postponed.isEmpty else { return try neurons(inFrontOfPools: value, neuronNode, node) }
        guard let rate = rateNeuron(neuronNode.neuron) else {
            return refuse(node, "neurons of the kind \(type(of: neuronNode.neuron).kind)")
        }
        let isArrays = profile.name == NIRProfile.arrays.name
        if !isArrays {
            for change in rate.changes { find(change.subject, replacement: change.replacement, node: node.name) }
            if !rate.isReaders { runOtherwise.append(node.name) }
        }
        var result = FoldedValue(terms: [], shape: value.shape)
        // Plain arrays hold a layer's weights and thresholds; signs are for who reads them.
        for side in isArrays ? Array(rate.sides.prefix(1)) : rate.sides {
            var current = value
            if rate.sides.count > 1 {
                for index in current.terms.indices { current.terms[index].isExclusive = false }
            }
            if side.sign < 0, !isArrays { current = profile.isExact ? exactly(current, scaledBy: [-1], node) : current.scaled(by: [-1]) }
            var membranes = [Float](repeating: side.membrane, count: value.channels)
            for (channel, offset) in neuronNode.initialOffsets.enumerated() where channel < membranes.count {
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
        guard neuronNode.initialOffsets.isEmpty || neuronNode.initialOffsets.count == value.channels else {
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
        if profile.name == NIRProfile.arrays.name {
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
