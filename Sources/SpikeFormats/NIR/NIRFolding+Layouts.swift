import SpikeGraph

/// Values whose places lie side by side among the channels (``LayerPlan``), and those that are flattened in name alone.
extension NIRFolding {
    /// The most weights of a layer that puts the output's places in order. It reads each of them for each.
    static let mostOrderingWeights = 1 << 22

    /// The same places, so many of them along each axis side by side.
    mutating func turned(_ value: FoldedValue, to phases: [Int], _ node: Node) -> FoldedValue? {
        if (value.isInterleaved ? value.phases : phases.map { _ in 1 }) == phases { return value }
        let sizes = [value.channels / value.places] + value.sizes
        var source = value
        source.bias = []
        let same = LinearMap(over: sizes, sources: sizes.map { LinearMap.kept($0) })
        guard let result = applied(same, to: source, phases: phases, [node]) else { return nil }
        return value.bias.isEmpty ? result : result.adding(result.spread(value.gathered(value.bias)))
    }

    /// Pixel shuffling: a reshaping, an exchange of axes and a reshaping, which put side by side among the channels what then lies side by
    /// side in the map. It is a matter of how places are counted.
    mutating func shuffled(_ value: FoldedValue, _ shape: [Int], _ node: Node) -> FoldedValue? {
        let rank = (shape.count - 1) / 2
        guard let given = sampleShape(node.inputs[0]), value.shape == given, !value.isInterleaved, given.count == rank + 1,
            shape.count == 2 * rank + 1, Array(shape.suffix(rank)) == Array(given.dropFirst()),
            let turn = onlyReader(of: node.outputs[0]), case .transpose(let transpose) = turn.operator,
            let last = onlyReader(of: turn.outputs[0]), case .reshape = last.operator, let made = sampleShape(last.outputs[0])
        else { return nil }
        // The axes of channels, and then those of phases, or the other way round (ONNX's CRD and DCR).
        let isOuter = transpose.permutation == [0, 1] + (0..<rank).flatMap { [2 + rank + $0, 2 + $0] }
        let isInner = transpose.permutation == [0, 1 + rank] + (0..<rank).flatMap { [2 + rank + $0, 1 + $0] }
        guard isOuter || isInner else { return nil }
        let (channels, phases) = isOuter ? (shape[0], Array(shape[1...rank])) : (shape[rank], Array(shape[..<rank]))
        guard made == [channels] + zip(phases, given.dropFirst()).map({ $0 * $1 }) else { return nil }
        // A number for each channel is one for all of its places from here on.
        var result = value.bias.isEmpty ? value : plain(value, for: node.name)
        if isInner, phases.contains(where: { $0 != 1 }) {
            let count = phases.reduce(1, *)
            let order = LinearMap.picked((0..<given[0]).map { $0 % count * channels + $0 / count })
            let map = LinearMap(over: given, sources: [order] + given.dropFirst().map { LinearMap.kept($0) })
            guard let turned = applied(map, to: profile.isExact ? plain(result, for: node.name) : result, [node]) else { return nil }
            result = turned
        }
        result.phases = phases.allSatisfy { $0 == 1 } ? [] : phases
        if !isReadOnce(last.outputs[0]) { for index in result.terms.indices { result.terms[index].isExclusive = false } }
        set(turn.outputs[0], result)
        set(last.outputs[0], result)
        return result
    }

    /// Values of as many axes, and of the same size with as many places side by side in all of them.
    mutating func aligned(_ values: [FoldedValue], _ node: Node) -> [FoldedValue]? {
        var values = values
        if Set(values.map(\.shape.count)).count > 1 {
            // What was flattened in name alone is flattened.
            for (index, value) in values.enumerated() where value.shape.count > 1 && !value.isInterleaved {
                guard let flat = flattened(plain(value, for: node.name), node) else { return nil }
                values[index] = flat
            }
        }
        guard values.contains(where: \.isInterleaved), values.allSatisfy({ $0.sizes == values[0].sizes }) else { return values }
        func multiple(_ a: Int, _ b: Int) -> Int {
            var (x, y) = (a, b)
            while y != 0 { (x, y) = (y, x % y) }
            return a / x * b
        }
        var phases = values[0].sizes.map { _ in 1 }
        for value in values where value.isInterleaved { phases = zip(phases, value.phases).map(multiple) }
        var result: [FoldedValue] = []
        for value in values {
            guard let turned = turned(value, to: phases, node) else { return nil }
            result.append(turned)
        }
        return result
    }

    /// A value that is flattened in name alone, as the channels of a single place.
    mutating func flat(_ value: FoldedValue, _ node: Node) -> FoldedValue? {
        guard let settled = settled(value), var result = turned(settled, to: settled.sizes, node) else { return nil }
        result.phases = []
        return result
    }

    /// The columns of a matrix that reads a flattened value, as the value's places lie.
    func interleaved(_ matrix: [Float], _ value: FoldedValue) -> [Float] {
        let (sizes, stored) = (value.sizes, Array(value.shape.dropFirst()))
        let columns = value.shape.reduce(1, *)
        var places: [Int] = []
        for column in 0..<columns {
            var (rest, phase, place, phaseStep, placeStep) = (column, 0, 0, 1, 1)
            for axis in sizes.indices.reversed() {
                let position = rest % sizes[axis]
                rest /= sizes[axis]
                phase += position % value.phases[axis] * phaseStep
                place += position / value.phases[axis] * placeStep
                phaseStep *= value.phases[axis]
                placeStep *= stored[axis]
            }
            places.append((rest * phaseStep + phase) * placeStep + place)
        }
        var result = matrix
        for index in matrix.indices { result[index / columns * columns + places[index % columns]] = matrix[index] }
        return result
    }

    /// The output with its places in order: flattened by a layer where that is small, else by the reader.
    mutating func arranged(_ value: FoldedValue, _ name: String) -> FoldedValue? {
        guard var value = settled(value), let node = snn.nodes.last else { return value }
        let isFlat = sampleShape(name)?.count == 1
        if value.isInterleaved {
            let (channels, sizes) = (value.channels / value.places, value.sizes)
            let weights = Double(value.shape.reduce(1, *)) * Double(value.shape.reduce(1, *))
            if weights <= Double(Self.mostOrderingWeights) {
                guard let single = flat(value, node) else { return nil }
                value = single
                if !isFlat { leaveShape([channels] + sizes) }
            } else {
                graph.metadata["output_phases"] = .numbers(Tensor(value.phases.map { Int64($0) }, shape: [value.phases.count]))
                let stored = Array(value.shape.dropFirst())
                let axes = [0] + stored.indices.flatMap { [1 + stored.count + $0, 1 + $0] }
                let isShuffling = stored.count == 2 && value.phases[0] == value.phases[1]
                note(
                    "the output's places are to be put in order: reshape each sample to \([channels] + value.phases + stored), take its axes "
                        + "in the order \(axes), and reshape it to \([channels] + sizes)"
                        + (isShuffling ? ", as torch.nn.functional.pixel_shuffle(output, \(value.phases[0])) does" : ""))
            }
        }
        // Only in name so far.
        let isReshaped = graph.metadata["output_shape"] != nil
        if !profile.flattensSamples, value.shape.count > 1, !value.isInterleaved, isFlat || isReshaped {
            return flattened(plain(value, for: node.name), node)
        }
        return value
    }

    /// A last change of shape is the reader's: no number changes its place.
    mutating func leaveShape(_ shape: [Int]) {
        if graph.metadata["output_shape"] != nil { return }
        graph.metadata["output_shape"] = .numbers(Tensor(shape.map { Int64($0) }, shape: [shape.count]))
        note("the output comes flattened: reshape each sample to \(shape), for which NIR has no node")
    }
}
