import SpikeGraph

extension NIRFolding {
    /// What a neuron is as integrate-and-fire with threshold 1 and a rate code.
    private struct RateNeuron {
        /// The current that makes one spike a step.
        var threshold: Float
        /// What a spike stands for, in the unit of the neuron's own spikes.
        var gain: Float = 1
        /// v₀.
        var membrane: Float = 0
        /// What is lost, and what comes instead.
        var change: (subject: String, replacement: String)?
    }

    private func rateNeuron(_ neuron: any Neuron) -> RateNeuron? {
        switch neuron {
        case let neuron as IFNode:
            guard neuron.threshold > 0 else { return nil }
            var result = RateNeuron(threshold: neuron.threshold, membrane: neuron.initialMembrane)
            if case .to(let value) = neuron.reset, profile.dynamics.reset == .subtraction || value != 0 {
                result.change = ("hard resets", "reset by subtraction")
            }
            return result
        case let neuron as SignedIFNode:
            guard neuron.threshold > 0 else { return nil }
            return RateNeuron(
                threshold: neuron.threshold, membrane: neuron.initialMembrane,
                change: ("spikes that are taken back", "spikes that stand"))
        case let neuron as BurstIFNode:
            guard neuron.threshold > 0 else { return nil }
            return RateNeuron(
                threshold: neuron.threshold, membrane: neuron.initialMembrane,
                change: profile.dynamics.isMultiSpike
                    ? ("a most number of spikes a step", "any number") : ("several spikes a step", "one spike a step"))
        case let neuron as RadixNode:
            let levels = Float(1 << neuron.digits) - 1
            return RateNeuron(
                threshold: levels, gain: levels, membrane: levels / 2,
                change: ("radix codes", "rate codes with the same largest activation"))
        case let neuron as QuantizerNode:
            guard neuron.threshold > 0, neuron.levels > 0 else { return nil }
            // T steps of a current x/Δ are rounded to counts of Δ; so many in the largest activation.
            return RateNeuron(
                threshold: Float(neuron.levels), gain: Float(neuron.levels) / neuron.threshold, membrane: Float(neuron.levels) / 2,
                change: (neuron.lowest < 0 ? "signed quantisers" : "quantisers", "rate codes with the same largest activation"))
        default: return nil
        }
    }

    mutating func neurons(_ value: FoldedValue, _ neuronNode: NeuronNode, _ node: Node) -> FoldedValue? {
        guard let rate = rateNeuron(neuronNode.neuron) else { return refuse(node, "neurons of the kind \(node.operator.name)") }
        let isArrays = profile.name == NIRProfile.arrays.name
        if let change = rate.change, !isArrays { find(change.subject, replacement: change.replacement, node: node.name) }
        var membranes = [Float](repeating: rate.membrane, count: value.channels)
        for (channel, offset) in neuronNode.initialOffsets.enumerated() where channel < membranes.count { membranes[channel] += offset }
        let gain = [Float](repeating: rate.gain, count: value.channels)
        if profile.isExact {
            let metadata =
                membranes.contains { $0 != 0 } ? ["v_init": NIRMetadata.numbers(Tensor(membranes, shape: [membranes.count]))] : [:]
            let sources = materialize(value, for: node.name)
            let name = addNeurons(shape: value.shape, threshold: rate.threshold, named: node.name, metadata: metadata)
            connect(sources, to: name)
            return FoldedValue(terms: [.init(node: name, shape: value.shape, scale: gain)], shape: value.shape)
        }
        var current = value.scaled(by: [1 / rate.threshold])
        let initial = membranes.map { $0 / rate.threshold }
        var metadata: [String: NIRMetadata] = [:]
        if isArrays {
            metadata["v_init"] = .numbers(Tensor(initial, shape: [initial.count]))
        } else if initial.contains(where: { $0 != 0 }) {
            find("initial membrane potentials", replacement: "v₀/\(steps) more current in each of \(steps) steps", node: node.name)
            current = current.adding(initial.map { $0 / Float(steps) })
        }
        let sources = materialize(current, for: node.name)
        let name = addNeurons(shape: value.shape, threshold: profile.threshold, named: node.name, metadata: metadata)
        connect(sources, to: name)
        return FoldedValue(terms: [.init(node: name, shape: value.shape, scale: gain)], shape: value.shape)
    }

    private mutating func addNeurons(shape: [Int], threshold: Float, named name: String, metadata: [String: NIRMetadata] = [:]) -> String {
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

    // MARK: Max pooling

    /// One side of a comparison: places of the window, and neurons that say how much more another place has.
    private struct Maximum {
        var place: Int
        var neurons: [String] = []
    }

    /// max(a, b) = a + relu(b − a), for rates: one layer of neurons for each comparison, in a tree.
    mutating func maximumPool(_ value: FoldedValue, _ window: Window, _ node: Node) throws -> FoldedValue? {
        guard profile.name != NIRProfile.arrays.name else {
            return opaque([value], shape: sampleShape(node.outputs[0]) ?? value.shape, node)
        }
        let placement = try window.placement(over: Array(value.shape.dropFirst()))
        let places = window.kernel.reduce(1, *)
        guard value.bias.isEmpty, value.terms.allSatisfy({ $0.scale.allSatisfy { $0 >= 0 } }),
            !window.dilations.contains(where: { $0 != 1 }),
            places > 1, !value.terms.contains(where: { $0.node == "input" })
        else { return refuse(node, "max pooling of other things than spikes") }
        find("max pooling", replacement: "m + relu(x − m), by \(places - 1) neurons for each output", node: node.name)
        // Spikes of each channel are counted in units of the largest that arrives.
        var unit = [Float](repeating: 0, count: value.channels)
        for term in value.terms {
            for (channel, scale) in term.scale.enumerated() { unit[term.offset + channel] = max(unit[term.offset + channel], scale) }
        }
        unit = unit.map { $0 > 0 ? $0 : 1 }
        var counted = value
        for (index, term) in value.terms.enumerated() {
            // Divided, not multiplied by the inverse: that would not always make 1 of the largest.
            counted.terms[index].scale = term.scale.enumerated().map { $1 / unit[term.offset + $0] }
        }
        let shape = [value.channels] + placement.output
        var round = (0..<places).map { Maximum(place: $0) }
        while round.count > 1 {
            var next: [Maximum] = []
            for index in stride(from: 0, to: round.count - 1, by: 2) {
                let (a, b) = (round[index], round[index + 1])
                let difference = layer(
                    counted, taps(value.shape, window, placement, [(b.place, 1), (a.place, -1)]), bias: nil, shape: shape,
                    base: "\(node.name)_difference")
                // A hard reset to 0 of a membrane that is 1 is a subtraction; v > θ would miss v = θ.
                let neurons = addNeurons(
                    shape: shape, threshold: profile.dynamics.reset == .value ? 0.5 : profile.threshold, named: "\(node.name)_more")
                connect(materialize(difference, for: node.name), to: neurons)
                connect(b.neurons, to: neurons)
                for name in a.neurons {
                    let minus = FoldedValue.Term(node: name, shape: shape, scale: [Float](repeating: -1, count: value.channels))
                    connect([diagonal(minus, channels: value.channels, base: node.name)], to: neurons)
                }
                next.append(Maximum(place: a.place, neurons: a.neurons + [neurons]))
            }
            if round.count % 2 == 1 { next.append(round[round.count - 1]) }
            round = next
        }
        var result = layer(
            counted, taps(value.shape, window, placement, [(round[0].place, 1)]), bias: nil, shape: shape,
            base: "\(node.name)_first")
        for neurons in round[0].neurons {
            result.terms.append(.init(node: neurons, shape: shape, scale: [Float](repeating: 1, count: value.channels)))
        }
        return result.scaled(by: unit)
    }

    /// A kernel that picks places of a window, each with a weight, channel by channel.
    private func taps(_ shape: [Int], _ window: Window, _ placement: Window.Placement, _ picked: [(place: Int, weight: Float)])
        -> SymmetricKernel
    {
        let (channels, size) = (shape[0], window.kernel.reduce(1, *))
        var weight = [Float](repeating: 0, count: channels * size)
        for channel in 0..<channels { for (place, number) in picked { weight[channel * size + place] = number } }
        let conv = Conv(window: Window(kernel: window.kernel, strides: window.strides), groups: channels)
        let tensor = Tensor(weight, shape: [channels, 1] + window.kernel)
        // Undilated: there is always a way to make the padding even.
        return SymmetricKernel(conv, weight: tensor, over: Array(shape.dropFirst()), placement: placement)
            ?? SymmetricKernel(dense: tensor, strides: window.strides, padding: placement.padsBegin)
    }
}
