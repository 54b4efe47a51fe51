/// What of a spiking network is spikes, and which of them meet.
extension Graph {
    /// The values that are spikes, at their own places or at others: what neurons send, scaled, moved, copied or added up, with no weights
    /// between.
    package var spikeTrains: Set<String> {
        var trains: Set<String> = []
        for node in nodes {
            let read = node.inputs.filter { constants[$0] == nil }
            if node.operator.isStateful || movesValues(node) && !read.isEmpty && read.allSatisfy(trains.contains) {
                trains.formUnion(node.outputs)
            }
        }
        return trains
    }

    /// Whether a node only says where numbers are, by what they are multiplied, or that they are added up.
    package func movesValues(_ node: Node) -> Bool {
        switch node.operator {
        case .concat, .dropout, .expand, .flatten, .identity, .pad, .reshape, .slice, .tile, .transpose, .voltageScaler: true
        case .add: !node.inputs.contains { constants[$0] != nil }
        case .mul: node.inputs.contains { constants[$0] != nil }
        case .gather, .select: linearity(of: node) == .linear
        case .unary(let unary): unary.function == .negate
        case .resize(let resize): resize.mode == .nearest
        default: false
        }
    }

    /// Whether a node multiplies two values, neither of which is a constant.
    package func isProduct(_ node: Node) -> Bool {
        switch node.operator {
        case .mul, .matMul: node.inputs.count == 2 && node.inputs.allSatisfy { constants[$0] == nil } && node.inputs[0] != node.inputs[1]
        default: false
        }
    }

    /// The products of spikes with spikes, or with numbers that do not depend on any: for each node's name, which of the two inputs is
    /// kept as a number (the trace), to which the other's spikes add. It is the one that waits for fewer layers; of two that arrive
    /// together the first, for which the second waits.
    package var traces: [String: Int] {
        guard spiking?.schedule == .layerSynchronous else { return [:] }
        let (trains, spiking, readout) = (spikeTrains, spikingValues, readoutNodes)
        // The layers of neurons that a value waits for.
        var arrivals: [String: Int] = [:]
        var traces: [String: Int] = [:]
        for node in nodes {
            let waits = node.inputs.map { arrivals[$0] ?? 0 }
            var wait = waits.max() ?? 0
            if case .neuron = node.operator { wait += 1 }
            if isProduct(node), !readout.contains(node.name), node.inputs.contains(where: trains.contains),
                node.inputs.allSatisfy({ trains.contains($0) || !spiking.contains($0) })
            {
                traces[node.name] = waits[1] < waits[0] ? 1 : 0
                if waits[0] == waits[1], node.inputs.allSatisfy(trains.contains) { wait += 1 }
            }
            for output in node.outputs { arrivals[output] = wait }
        }
        return traces
    }

    /// How many steps pass from the input to the last digit of the outputs, where each layer takes so many, or as many as it sends digits: the
    /// sum along the longest way. A factor of a product waits until the other, its trace, is complete.
    package func stepsEndToEnd(of steps: Int) -> Int {
        let arrivals = timing(of: steps).arrivals
        return outputs.map { arrivals[$0.value] ?? 0 }.max() ?? 0
    }

    /// How many of those steps bring spikes, of the values that are trains of them.
    package func stepsWithSpikes(of steps: Int) -> [String: Int] { timing(of: steps).lengths }

    private func timing(of steps: Int) -> (arrivals: [String: Int], lengths: [String: Int]) {
        let (trains, traces) = (spikeTrains, traces)
        var arrivals: [String: Int] = [:]
        // Of spikes, how many of the steps up to their arrival bring them.
        var lengths: [String: Int] = [:]
        for node in nodes {
            var wait = node.inputs.map { arrivals[$0] ?? 0 }.max() ?? 0
            var length = node.inputs.compactMap { lengths[$0] }.max()
            if case .neuron(let neurons) = node.operator {
                length = min(neurons.digits ?? steps, steps)
                wait += length ?? 0
            } else if let trace = traces[node.name], node.inputs.allSatisfy(trains.contains) {
                let spikes = node.inputs[1 - trace]
                length = lengths[spikes]
                wait = max(wait, (arrivals[node.inputs[trace]] ?? 0) + (length ?? 0))
            }
            for output in node.outputs { (arrivals[output], lengths[output]) = (wait, length) }
        }
        return (arrivals, lengths)
    }
}
