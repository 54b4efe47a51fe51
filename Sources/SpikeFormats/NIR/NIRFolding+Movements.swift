import SpikeGraph

/// What only moves, copies or mixes places, and has no node in NIR: cuts, pads, picks, copies, resizings, transposed convolutions. All are
/// linear, so convolutions say them (``LayerPlan``).
extension NIRFolding {
    /// The most weights of a layer that stands for what NIR has no node for: 64 MiB in float32.
    static let mostWeights = 1 << 24

    /// Whether the node can be put together with the maps that wait in front of it.
    func takesPending(_ node: Node) -> Bool {
        switch node.operator {
        case .slice, .pad, .gather, .tile, .expand, .resize, .cumSum, .convTranspose, .identity, .dropout, .voltageHook: true
        case .reduce(let reduce): reduce.function == .sum
        case .conv: !profile.isExact
        default: false
        }
    }

    // MARK: Operators

    /// Every place of the node's result is a weighted sum of places, axis by axis.
    mutating func moved(_ value: FoldedValue, shape: [Int], _ node: Node) throws -> FoldedValue? {
        guard !profile.isArrays else { return opaque([value], shape: shape, node) }
        guard let given = sampleShape(node.inputs[0]) else { return refuse(node, "\(node.operator.name) of an open size") }
        guard var sources = try sources(of: node, over: given) else { return nil }
        var (value, sizes) = (value, given)
        if given.count == 1, value.shape.count > 1 {
            guard let flat = flat(value, node) else { return nil }
            value = flat
            sizes += [Int](repeating: 1, count: value.shape.count - 1)
            sources += [LinearMap.Sources](repeating: LinearMap.kept(1), count: value.shape.count - 1)
        }
        guard value.shape.count == sizes.count, sizes.count <= 3 else {
            return refuse(node, "\(node.operator.name) over \(sizes.count - 1) axes: NIR has convolutions over 1 and 2")
        }
        let made = sources.map(\.count)
        let isFlattening = made != shape && given.count > 1
        guard !isFlattening || shape == [made.reduce(1, *)] else {
            return refuse(
                node, "\(node.operator.name) that takes an axis away, for which NIR has no node",
                advice: "convert a network that keeps its axes")
        }
        let isIdentity = zip(sizes, sources).allSatisfy { size, sources in
            sources.count == size && sources.enumerated().allSatisfy { $1.count == 1 && $1[0].place == $0 && $1[0].weight == 1 }
        }
        if !isIdentity {
            guard isSmall(Double(made[0]) * Double(sizes[0]), node),
                let result = waiting(LinearMap(over: sizes, sources: sources), behind: value, node)
            else { return nil }
            value = result
        }
        return isFlattening ? settled(value).flatMap { flattened($0, node) } : value
    }

    /// For each axis, channels first, what places of it the places of the result are made of; `nil` where that cannot be said.
    private mutating func sources(of node: Node, over sizes: [Int]) throws -> [LinearMap.Sources]? {
        var sources = sizes.map { LinearMap.kept($0) }
        /// Counted without the samples' axis.
        func position(_ axis: Int) throws -> Int? {
            let position = try Shape.axis(axis, rank: sizes.count + 1) - 1
            return position >= 0 ? position : nil
        }
        let ofSamples = "\(node.operator.name) of samples"
        switch node.operator {
        case .slice(let slice):
            for cut in slice.cuts {
                guard let axis = try position(cut.axis) else { refuse(node, ofSamples); return nil }
                let places = try cut.places(size: sizes[axis])
                sources[axis] = LinearMap.picked((0..<places.count).map { places.start + $0 * places.step })
            }
        case .gather(let gather):
            guard let indices = snn.constants[node.inputs[1]] else { refuse(node, "Gather of computed places"); return nil }
            guard let axis = try position(gather.axis) else { refuse(node, ofSamples); return nil }
            guard indices.rank <= 1 else { refuse(node, "Gather that adds an axis, for which NIR has no node"); return nil }
            sources[axis] = LinearMap.picked(indices.integers.map { Int($0) + ($0 < 0 ? sizes[axis] : 0) })
        case .pad(let pad):
            guard pad.mode != .constant || pad.value == 0 else {
                refuse(node, "padding with \(pad.value): NIR's convolutions pad with zeros", advice: "pad with zeros")
                return nil
            }
            for (axis, size) in sizes.enumerated() {
                let places = -pad.begins[axis + 1]..<size + pad.ends[axis + 1]
                sources[axis] = LinearMap.picked(places.map { pad.source(of: $0, size: size) })
            }
        case .tile(let tile):
            for (axis, size) in sizes.enumerated() {
                sources[axis] = LinearMap.picked((0..<size * tile.repeats[axis + 1]).map { $0 % size })
            }
        case .expand:
            guard let shape = sampleShape(node.outputs[0]), shape.count == sizes.count else {
                refuse(node, "Expand that adds an axis, for which NIR has no node", advice: "convert a network that keeps its axes")
                return nil
            }
            for (axis, size) in sizes.enumerated() where size == 1 {
                sources[axis] = LinearMap.picked([Int](repeating: 0, count: shape[axis]))
            }
        case .resize(let resize):
            for resized in resize.axes {
                guard let axis = try position(resized.axis) else { refuse(node, ofSamples); return nil }
                guard (resized.region?.outside ?? 0) == 0 else {
                    refuse(node, "Resize that sets what lies outside to a number", advice: "resize within the map")
                    return nil
                }
                // An axis that is named twice is resized twice.
                let before = sources[axis]
                sources[axis] = (0..<resized.size).map { place in
                    (resize.taps(of: place, along: resized, size: before.count) ?? []).flatMap { tap in
                        before[tap.place].map { ($0.place, $0.weight * tap.weight) }
                    }
                }
            }
        case .cumSum(let sum):
            guard let axis = try position(sum.axis) else { refuse(node, ofSamples); return nil }
            let own = sum.isExclusive ? 0 : 1
            let size = sizes[axis]
            sources[axis] = (0..<size).map { place -> [(place: Int, weight: Float)] in
                let range = sum.isReverse ? place + 1 - own..<size : 0..<place + own
                return range.map { ($0, 1) }
            }
        case .reduce, .reduceMean:
            var (axes, isMean) = (Set<Int>(), false)
            if case .reduce(let reduce) = node.operator { axes = try reduce.reducedAxes(rank: sizes.count + 1) }
            if case .reduceMean(let reduce) = node.operator { (axes, isMean) = (try reduce.reducedAxes(rank: sizes.count + 1), true) }
            guard !axes.contains(0) else { refuse(node, ofSamples); return nil }
            for axis in axes.map({ $0 - 1 }) {
                let weight = isMean ? 1 / Float(sizes[axis]) : 1
                sources[axis] = [(0..<sizes[axis]).map { ($0, weight) }]
            }
        default: break
        }
        guard !sources.contains(where: \.isEmpty) else { refuse(node, "\(node.operator.name) that leaves nothing"); return nil }
        return sources
    }

    /// Concatenation along places: each part at its place among zeros, and the sum of these.
    mutating func placed(_ inputs: [FoldedValue?], along axis: Int, shape: [Int], _ node: Node) throws -> FoldedValue? {
        guard !profile.isArrays else { return opaque(inputs.compactMap { $0 }, shape: shape, node) }
        var (result, offset): (FoldedValue?, Int) = (nil, 0)
        for (index, input) in inputs.enumerated() {
            guard let input, let sizes = sampleShape(node.inputs[index]) else { return refuse(node, "concatenation with a constant") }
            guard axis >= 1, input.shape.count == sizes.count, sizes.count <= 3 else {
                return refuse(node, axis == 0 ? "concatenation of samples" : "concatenation over 3 axes: NIR has convolutions over 1 and 2")
            }
            var sources = sizes.map { LinearMap.kept($0) }
            let range = offset..<offset + sizes[axis - 1]
            let first = offset
            sources[axis - 1] = LinearMap.picked((0..<shape[axis - 1]).map { range.contains($0) ? $0 - first : nil })
            offset = range.upperBound
            guard let waiting = waiting(LinearMap(over: sizes, sources: sources), behind: input, node), let part = settled(waiting)
            else { return nil }
            if let before = result {
                guard let both = sum(before, part, node) else { return nil }
                result = both
            } else {
                result = part
            }
        }
        return result
    }

    mutating func transposed(_ value: FoldedValue?, _ conv: ConvTranspose, _ constants: [Tensor?], _ node: Node) throws -> FoldedValue? {
        guard let value, let weight = constants[1], constants.count < 3 || constants[2] != nil else {
            return refuse(node, "a transposed convolution with computed weights")
        }
        guard !profile.isArrays else {
            return arrays(of: conv, weight: weight, bias: constants.count > 2 ? constants[2] : nil, value, node)
        }
        guard value.shape.count == conv.window.rank + 1, conv.window.rank <= 2 else {
            return refuse(node, "a transposed convolution over \(conv.window.rank) axes: NIR has convolutions over 1 and 2")
        }
        if profile.isExact { roundsOtherwise(node) }
        let map = try LinearMap(conv, weight: weight, over: value.sizes)
        return waiting(map, behind: value, bias: constants.count > 2 ? constants[2]?.floats ?? [] : [], node)
    }

    /// For plain arrays a transposed convolution is one: `[C_in, C_out, kernel…]`, without groups.
    private mutating func arrays(of conv: ConvTranspose, weight: Tensor, bias: Tensor?, _ value: FoldedValue, _ node: Node) -> FoldedValue?
    {
        guard let shape = sampleShape(node.outputs[0]), value.shape.count == shape.count else {
            return refuse(node, "a transposed convolution of a flattened value")
        }
        let value = value.bias.isEmpty ? value : plain(value, for: node.name)
        let window = conv.window
        let (outputs, size) = (weight.shape[1], window.kernel.reduce(1, *))
        let (stored, perGroup) = (weight.floats, weight.shape[0] / conv.groups)
        var terms: [FoldedValue.Term] = []
        for group in groups(value) {
            let (offset, scale) = (group[0].offset, group[0].scale)
            var part = [Float](repeating: 0, count: scale.count * shape[0] * size)
            for (position, factor) in scale.enumerated() {
                let input = offset + position
                let first = input / perGroup * outputs
                for index in 0..<outputs * size {
                    part[(position * shape[0] + first) * size + index] = factor * stored[input * outputs * size + index]
                }
            }
            let zeros = Tensor(repeating: 0, shape: [shape[0]])
            let numbers = (window.strides + window.padsBegin + window.dilations).map { Int64($0) }
            // Negative numbers cut.
            let behind = window.kernel.indices.map { Int64(conv.outputPadding[$0] + window.padsBegin[$0] - window.padsEnd[$0]) }
            let name = add(
                .unsayable(node.operator.name), named: node.name,
                metadata: [
                    "weight": .numbers(Tensor(part, shape: [scale.count, shape[0]] + window.kernel)),
                    "bias": .numbers(terms.isEmpty ? bias ?? zeros : zeros),
                    "stride_padding_dilation": .numbers(Tensor(numbers, shape: [3, window.rank])),
                    "output_padding": .numbers(Tensor(behind, shape: [window.rank])),
                ])
            connect(group.map(\.node), to: name)
            terms.append(.init(node: name, shape: shape, scale: [Float](repeating: 1, count: shape[0]), isExclusive: true))
        }
        return FoldedValue(terms: terms, shape: shape)
    }

    /// A convolution of what still has to be moved, or is interleaved.
    mutating func convolution(moving value: FoldedValue, _ conv: Conv, weight: Tensor, bias: Tensor?, _ node: Node) throws -> FoldedValue? {
        var value = value
        // Padding is zero, and not what a bias would make of it.
        if let pending = value.pending, !pending.map.isMovement || !value.bias.isEmpty {
            guard let settled = settled(value) else { return nil }
            return try convolution(settled, conv, weight: weight, bias: bias, node)
        }
        if !value.bias.isEmpty || profile.isExact { value = plain(value, for: node.name) }
        if profile.isExact { roundsOtherwise(node) }
        let sizes = value.sizes
        var map = LinearMap(conv, weight: weight, over: sizes, try conv.window.placement(over: sizes))
        var nodes = [node]
        if let pending = value.pending {
            map = map.after(pending.map)
            nodes = pending.nodes + nodes
            value.pending = nil
        }
        return applied(map, to: value, bias: bias?.floats, nodes)
    }

    /// Averages over windows, each with a divisor of its own.
    mutating func summed(_ value: FoldedValue, _ window: Window, countsPadding: Bool, _ node: Node) throws -> FoldedValue? {
        let sizes = value.sizes
        let placement = try window.placement(over: sizes)
        var sources = [LinearMap.kept(value.channels / value.places)]
        for axis in sizes.indices {
            sources.append(
                (0..<placement.output[axis]).map { output in
                    let places = (0..<window.kernel[axis]).map {
                        output * window.strides[axis] - placement.padsBegin[axis] + $0 * window.dilations[axis]
                    }
                    let inside = places.filter { (0..<sizes[axis]).contains($0) }
                    let divisor = countsPadding ? places.count { $0 < sizes[axis] + placement.padsEnd[axis] } : inside.count
                    return inside.map { ($0, 1 / Float(divisor)) }
                })
        }
        if profile.isExact { roundsOtherwise(node) }
        let map = LinearMap(over: [value.channels / value.places] + sizes, sources: sources)
        return waiting(map, behind: value, node).flatMap { settled($0) }
    }

    // MARK: Maps

    /// The map behind a value, to be made together with what comes next.
    ///
    /// - Parameter bias: what is added afterwards, one number for each channel.
    private mutating func waiting(_ map: LinearMap, behind value: FoldedValue, bias: [Float] = [], _ node: Node) -> FoldedValue? {
        var (value, map) = (value, map)
        if let pending = value.pending, !pending.map.isMovement, !map.isMovement {
            guard let settled = settled(value) else { return nil }
            value = settled
        }
        if profile.isExact, value.pending == nil { value = plain(value, for: node.name) }
        if !value.bias.isEmpty {
            if let kept = map.constant(value.pending == nil ? value.gathered(value.bias) : value.bias) {
                value.bias = kept
            } else {
                guard let settled = settled(value) else { return nil }
                value = plain(settled, for: node.name)
            }
        }
        if !bias.isEmpty { value.bias = value.bias.isEmpty ? bias : zip(value.bias, bias).map { $0 + $1 } }
        if let pending = value.pending { map = map.after(pending.map) }
        value.pending = PendingMap(map: map, nodes: (value.pending?.nodes ?? []) + [node])
        return value
    }

    /// The value without a map that waits.
    mutating func settled(_ value: FoldedValue) -> FoldedValue? {
        guard let pending = value.pending else { return value }
        var source = value
        (source.pending, source.bias) = (nil, [])
        guard let result = applied(pending.map, to: source, pending.nodes) else { return nil }
        return value.bias.isEmpty ? result : result.adding(result.spread(value.bias))
    }

    /// Layers that apply a map to the sum of a value's terms.
    ///
    /// - Parameters:
    ///   - wanted: the phases of the result; `nil`: those that take the fewest weights.
    ///   - bias: one number for each channel of the network.
    ///   - nodes: what the map stands for; its last node names the layers.
    mutating func applied(
        _ map: LinearMap, to value: FoldedValue, phases wanted: [Int]? = nil, bias: [Float]? = nil, _ nodes: [Node]
    ) -> FoldedValue? {
        guard let node = nodes.last, let plan = planned(map, value, phases: wanted, node) else { return nil }
        let kernel = plan.kernel(map)
        var outline = FoldedValue(terms: [], shape: [kernel.shape[0]] + plan.output)
        if plan.phases.contains(where: { $0 != 1 }) { outline.phases = plan.phases }
        var result = layer(value, kernel, bias: bias.map(outline.spread), shape: outline.shape, base: node.name)
        result.phases = outline.phases
        result.most = value.most.flatMap { bias == nil ? kernel.most($0) : nil }
        if profile.isExact { for index in result.terms.indices { result.terms[index].isExclusive = false } }
        let names = nodes.map { "'\($0.name)' (\($0.operator.name))" }.joined(separator: ", ")
        let places =
            outline.isInterleaved
            ? ", with \(outline.phases.map(String.init).joined(separator: "×")) places side by side among the channels" : ""
        note("\(names): a layer of \(Int(plan.weightCount(map))) weights\(places)")
        return result
    }

    /// - Returns: `nil` where a layer would be too large.
    mutating func planned(_ map: LinearMap, _ value: FoldedValue, phases wanted: [Int]? = nil, _ node: Node) -> LayerPlan? {
        guard var plan = LayerPlan(map, phases: value.phases, to: wanted) else {
            refuse(node, "\(node.operator.name) of places in an order that no convolution has")
            return nil
        }
        if plan.weightCount(map) <= Double(Self.mostWeights) { plan.squareUp(map, upTo: Double(Self.mostWeights)) }
        return isSmall(plan.weightCount(map), node) ? plan : nil
    }

    private mutating func isSmall(_ weights: Double, _ node: Node) -> Bool {
        if weights <= Double(Self.mostWeights) { return true }
        let advice =
            switch node.operator {
            case .resize: "resize smaller maps, or by whole factors to the nearest place, or by a transposed convolution"
            case .pad: "pad smaller maps, or with zeros"
            case .averagePool: "average smaller maps, or count the padding (count_include_pad)"
            default: "convert a network with smaller maps or fewer channels there"
            }
        // Numbers that no Int holds are as large as they look.
        let count = weights < 1e15 ? "\(Int(weights))" : "\(weights)"
        refuse(
            node,
            "\(node.operator.name), which NIR has no node for, and whose layer would take \(count) weights (the most are \(Self.mostWeights))",
            advice: advice)
        return false
    }
}

extension Pad {
    /// The place of an axis that a place before, in or behind it takes its number from; `nil` for a constant.
    fileprivate func source(of place: Int, size: Int) -> Int? {
        switch mode {
        case .constant: (0..<size).contains(place) ? place : nil
        case .edge: min(max(place, 0), size - 1)
        case .reflect: place < 0 ? -place : place < size ? place : 2 * (size - 1) - place
        case .wrap: (place % size + size) % size
        }
    }
}
