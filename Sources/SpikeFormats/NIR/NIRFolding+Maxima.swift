import SpikeGraph

/// Max pooling.
extension NIRFolding {
    /// One side of a comparison: places of the window, and neurons that say how much more another place has.
    private struct Maximum {
        var place: Int
        var neurons: [String] = []
    }

    /// max(a, b) = a + relu(b − a), for rates: one layer of neurons for each comparison, in a tree.
    ///
    /// Each of them has to say the largest difference there may be: that is known of spikes alone. The pool of anything else
    /// is postponed until neurons have made spikes of it.
    mutating func maximumPool(_ value: FoldedValue, _ node: Node) throws -> FoldedValue? {
        guard !profile.isArrays else {
            return opaque([value], shape: sampleShape(node.outputs[0]) ?? value.shape, node)
        }
        guard value.postponed.isEmpty, let most = value.most else {
            var value = value
            value.postponed.append(node)
            return value
        }
        let sizes = value.sizes
        let window = window(of: node, over: sizes)
        let placement = try window.placement(over: sizes)
        let places = window.kernel.reduce(1, *)
        // Spikes of each channel are counted in units of the largest value.
        let unit = value.gathered(most).map { $0 > 0 ? $0 : 1 }
        let inputUnit = value.spread(unit)
        var counted = value
        counted.bias = []
        for (index, term) in value.terms.enumerated() {
            // Divided, not multiplied by the inverse: that would not always make 1 of the largest.
            counted.terms[index].scale = term.scale.enumerated().map { $1 / inputUnit[term.offset + $0] }
        }
        // Of an interleaved value the result may be another than in shape alone.
        var outline = FoldedValue(terms: [], shape: [value.channels] + placement.output)
        var plan: LayerPlan?
        if value.isInterleaved {
            guard let made = planned(Self.map(value, window, placement, picking: []), value, node) else { return nil }
            plan = made
            outline.phases = made.phases
            outline.shape = [value.channels / value.places * outline.places] + made.output
        }
        let shape = outline.shape
        func taps(_ picked: [(place: Int, weight: Float)]) -> SymmetricKernel? {
            plan?.kernel(Self.map(value, window, placement, picking: picked))
                ?? Self.kernel(value.shape, window, placement, picking: picked)
        }
        guard let first = taps([(0, 1)]) else { return refuse(node, "uneven padding of a dilated pool") }
        if places > 1 {
            describe(node, places: places)
            runOtherwise.append(node.name)
        }
        // A hard reset to 0 of a membrane that is 1 is a subtraction; v > θ would miss v = θ.
        let isWhole = counted.terms.allSatisfy { term in givesWhole(term.node) && term.scale.allSatisfy { $0 == 0 || $0 == 1 } }
        let threshold = profile.dynamics.reset == .value && isWhole ? 0.5 : profile.threshold
        var round = (0..<places).map { Maximum(place: $0) }
        while round.count > 1 {
            var next: [Maximum] = []
            for index in stride(from: 0, to: round.count - 1, by: 2) {
                let (a, b) = (round[index], round[index + 1])
                guard let kernel = taps([(b.place, 1), (a.place, -1)]) else { return nil }
                let difference = layer(counted, kernel, bias: nil, shape: shape, base: "\(node.name)_difference")
                let neurons = addNeurons(shape: shape, threshold: threshold, named: "\(node.name)_more")
                connect(materialize(difference, for: node.name), to: neurons)
                connect(b.neurons, to: neurons)
                for name in a.neurons {
                    let minus = FoldedValue.Term(node: name, shape: shape, scale: [Float](repeating: -1, count: shape[0]))
                    connect([diagonal(minus, channels: shape[0], base: node.name)], to: neurons)
                }
                next.append(Maximum(place: a.place, neurons: a.neurons + [neurons]))
            }
            if round.count % 2 == 1 { next.append(round[round.count - 1]) }
            round = next
        }
        var result = layer(counted, first, bias: nil, shape: shape, base: "\(node.name)_first")
        if isWhole { wholeNodes.formUnion(result.terms.map(\.node)) }
        for neurons in round[0].neurons {
            result.terms.append(.init(node: neurons, shape: shape, scale: [Float](repeating: 1, count: shape[0])))
        }
        result.phases = outline.phases
        result.most = [Float](repeating: 1, count: shape[0])
        result = result.scaled(by: result.spread(unit))
        return value.bias.isEmpty ? result : result.adding(result.spread(value.gathered(value.bias)))
    }

    private mutating func describe(_ node: Node, places: Int) {
        find("max pooling", replacement: "m + relu(x − m), by \(places - 1) neurons for each output", node: node.name)
        switch node.operator {
        case .maxPool, .globalMaxPool:
            guard snn.spikingValues.contains(node.inputs[0]) else { return }
            find("max pooling of each step by itself", replacement: "the largest rate", node: node.name)
        default: break
        }
    }

    /// Whether a node gives whole numbers of spikes.
    private func givesWhole(_ name: String) -> Bool {
        if case .neuron? = graph.nodes[name]?.operation { return true }
        return wholeNodes.contains(name)
    }

    private func window(of node: Node, over sizes: [Int]) -> Window {
        switch node.operator {
        case .runningMaximumPool(let pool): pool.window
        case .maxPool(let pool): pool.window
        default: Window(kernel: sizes)
        }
    }

    /// The same for interleaved values.
    private static func map(
        _ value: FoldedValue, _ window: Window, _ placement: Window.Placement, picking picked: [(place: Int, weight: Float)]
    ) -> LinearMap {
        let (channels, size) = (value.channels / value.places, window.kernel.reduce(1, *))
        var weight = [Float](repeating: 0, count: channels * size)
        for channel in 0..<channels { for (place, number) in picked { weight[channel * size + place] = number } }
        return LinearMap(
            Conv(window: window, groups: channels), weight: Tensor(weight, shape: [channels, 1] + window.kernel), over: value.sizes,
            placement)
    }

    /// A kernel that picks places of a window, each with a weight, channel by channel; `nil` where dilation leaves no room to make
    /// the padding even.
    private static func kernel(
        _ shape: [Int], _ window: Window, _ placement: Window.Placement, picking picked: [(place: Int, weight: Float)]
    ) -> SymmetricKernel? {
        let (channels, size) = (shape[0], window.kernel.reduce(1, *))
        var weight = [Float](repeating: 0, count: channels * size)
        for channel in 0..<channels { for (place, number) in picked { weight[channel * size + place] = number } }
        let conv = Conv(
            window: Window(kernel: window.kernel, strides: window.strides, dilations: window.dilations), groups: channels)
        return SymmetricKernel(
            conv, weight: Tensor(weight, shape: [channels, 1] + window.kernel), over: Array(shape.dropFirst()), placement: placement)
    }

    // MARK: Pools of what is no spike

    /// Whether a node (`nil`: the output) may read a value whose max pools are still to be made: whatever is the same for all
    /// places of a channel and keeps their order, up to the neurons.
    mutating func isRead(_ value: FoldedValue, by node: Node?) -> Bool {
        guard let pool = value.postponed.first else { return true }
        switch node?.operator {
        case .identity, .dropout, .voltageHook, .voltageScaler, .batchNormalization, .flatten, .reshape, .neuron, .runningMaximumPool,
            .maxPool, .globalMaxPool:
            return true
        case .mul, .add:
            if node?.inputs.contains(where: { snn.constants[$0] != nil }) ?? false { return true }
        default: break
        }
        refuse(pool, "max pooling of what is no spike, and that no neuron reads next")
        return false
    }

    /// Whether scales leave the largest the largest, where there is a max pool still to be made.
    mutating func keepsOrder(_ value: FoldedValue, _ scales: [Float]) -> Bool {
        guard let pool = value.postponed.first, scales.contains(where: { $0 < 0 }) else { return true }
        refuse(pool, "max pooling of what is no spike, with a negative scale before the neurons")
        return false
    }
}
