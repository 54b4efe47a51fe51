internal import SpikeGraph

/// Makes one quantiser of what is one.
///
/// Given: a graph with ``Quantizer``s.
///
/// Result: the same function, in which
/// 1. a clip behind a quantiser, with bounds on its levels, is the quantiser's own range;
/// 2. a clip in front of it is too, since rounding keeps the order of numbers;
/// 3. a quantiser of what is never negative has no levels below zero: it is a ReLU, and can be a neuron;
/// 4. a quantiser of numbers that are levels of it already (behind another's max pool, reshaping) is gone;
/// 5. one that rounds halves to even behind a mean of its own levels knows of how many (``Quantizer/divisor``).
///
/// Bit for bit, but for 5: there it is that of exact arithmetic, where float32 leaves ties to chance.
struct SimplifyQuantizers {
    /// - Returns: the graph, and the number of nodes that were taken into quantisers.
    func run(_ graph: Graph) throws -> (graph: Graph, count: Int) {
        var graph = graph
        var count = 0
        while let (patch, removed) = try nextChange(graph) {
            graph = try graph.applying(patch)
            count += removed
        }
        return (graph, count)
    }

    private func nextChange(_ graph: Graph) throws -> (Patch, removed: Int)? {
        let consumers = graph.consumers
        let producers = graph.producers
        let shown = Set(graph.outputs.map(\.value))
        func onlyReader(_ node: Node) -> Node? {
            guard let readers = consumers[node.outputs[0]], readers.count == 1, !shown.contains(node.outputs[0]) else { return nil }
            return readers[0]
        }
        for node in graph.nodes {
            guard case .quantizer(let quantizer) = node.operator, let reader = onlyReader(node),
                let bounds = Self.bounds(of: reader), let merged = clipped(quantizer, behind: bounds)
            else { continue }
            return (replacing(node, by: merged, instead: reader), 1)
        }
        for node in graph.nodes {
            guard case .quantizer(let quantizer) = node.operator, let producer = producers[node.inputs[0]],
                onlyReader(producer) != nil, let bounds = Self.bounds(of: producer), let merged = clipped(quantizer, inFrontOf: bounds)
            else { continue }
            return (replacing(node, by: merged, instead: producer), 1)
        }
        let nonNegative = graph.nonNegativeValues
        for node in graph.nodes {
            guard case .quantizer(let quantizer) = node.operator else { continue }
            if quantizer.lowest < 0, nonNegative.contains(node.inputs[0]), let merged = quantizer.with(lowest: 0, levels: quantizer.levels)
            {
                var patch = Patch()
                patch.replace(Node(node.name, .quantizer(merged), inputs: node.inputs, outputs: node.outputs))
                return (patch, 0)
            }
            if let (source, divisor) = graph.levels(of: node.inputs[0], producers), divisor == 1, source.step == quantizer.step,
                source.lowest >= quantizer.lowest, source.levels <= quantizer.levels, quantizer.rounding != .down
            {
                var patch = Patch()
                patch.remove(node)
                patch.redirect(node.outputs[0], to: node.inputs[0])
                return (patch, 1)
            }
            if let merged = ofMeans(quantizer, node, graph, producers) {
                var patch = Patch()
                patch.replace(Node(node.name, .quantizer(merged), inputs: node.inputs, outputs: node.outputs))
                return (patch, 0)
            }
        }
        return nil
    }

    /// The quantiser with what it reads: means of levels of its own Δ.
    private func ofMeans(_ quantizer: Quantizer, _ node: Node, _ graph: Graph, _ producers: [String: Node]) -> Quantizer? {
        guard quantizer.rounding == .halfToEven, quantizer.divisor == nil,
            let (source, divisor) = graph.levels(of: node.inputs[0], producers), source.step == quantizer.step,
            // A mean of an odd number of levels is never a half.
            divisor.isMultiple(of: 2)
        else { return nil }
        // Sums of so many terms are rounded by less than a quarter of 1/divisor, scales and the steps of spikes included.
        let largest = Double(max(source.levels, -source.lowest))
        guard largest * Double(divisor) * Double(divisor + 32) <= 0x1p22 else { return nil }
        return try? Quantizer(
            step: quantizer.step, levels: quantizer.levels, lowest: quantizer.lowest, rounding: quantizer.rounding, divisor: divisor)
    }

    private func replacing(_ node: Node, by quantizer: Quantizer, instead clip: Node) -> Patch {
        var patch = Patch()
        patch.remove(clip)
        patch.redirect(clip.outputs[0], to: clip.inputs[0] == node.outputs[0] ? node.outputs[0] : clip.inputs[0])
        let inputs = node.inputs[0] == clip.outputs[0] ? clip.inputs : node.inputs
        patch.replace(Node(node.name, .quantizer(quantizer), inputs: inputs, outputs: node.outputs))
        return patch
    }

    private static func bounds(of node: Node) -> (low: Float, high: Float)? {
        switch node.operator {
        case .relu: (0, .infinity)
        case .clip(let clip): (clip.minimum ?? -.infinity, clip.maximum ?? .infinity)
        default: nil
        }
    }

    /// The quantiser and then the clip. Bounds between levels would not be levels: they are left.
    private func clipped(_ quantizer: Quantizer, behind bounds: (low: Float, high: Float)) -> Quantizer? {
        func level(_ bound: Float) -> Int? {
            let number = bound / quantizer.step
            guard number.magnitude < 0x1p24, abs(number - number.rounded()) < 1e-3 else { return nil }
            return Int(number.rounded())
        }
        var (lowest, levels) = (quantizer.lowest, quantizer.levels)
        if bounds.low > quantizer.step * Float(lowest) {
            guard let bound = level(bounds.low) else { return nil }
            lowest = max(lowest, bound)
        }
        if bounds.high < quantizer.step * Float(levels) {
            guard let bound = level(bounds.high) else { return nil }
            levels = min(levels, bound)
        }
        return quantizer.with(lowest: lowest, levels: levels)
    }

    /// The clip and then the quantiser.
    private func clipped(_ quantizer: Quantizer, inFrontOf bounds: (low: Float, high: Float)) -> Quantizer? {
        guard bounds.low <= bounds.high else { return nil }
        return quantizer.with(lowest: Int(quantizer.level(of: bounds.low)), levels: Int(quantizer.level(of: bounds.high)))
    }
}

extension Quantizer {
    fileprivate func with(lowest: Int, levels: Int) -> Quantizer? {
        try? Quantizer(step: step, levels: levels, lowest: lowest, rounding: rounding, divisor: divisor)
    }
}

extension Graph {
    /// The quantiser whose levels a value is made of, through what only picks and moves numbers, and through means: multiples of
    /// Δ/divisor.
    fileprivate func levels(of value: String, _ producers: [String: Node]) -> (Quantizer, divisor: Int)? {
        guard let node = producers[value] else { return nil }
        var own = 1
        switch node.operator {
        case .quantizer(let quantizer): return (quantizer, 1)
        case .maxPool, .globalMaxPool, .flatten, .reshape, .identity, .dropout: break
        case .averagePool(let pool):
            guard let divisor = divisor(of: pool, over: node.inputs[0]) else { return nil }
            own = divisor
        case .globalAveragePool:
            guard let count = types[node.inputs[0]].flatMap({ product($0.shape.dimensions.dropFirst(2)) }) else { return nil }
            own = count
        case .reduceMean(let mean):
            guard let shape = types[node.inputs[0]]?.shape, let axes = try? mean.reducedAxes(rank: shape.rank),
                let count = product(axes.map { shape[$0] })
            else { return nil }
            own = count
        default: return nil
        }
        guard let (quantizer, divisor) = levels(of: node.inputs[0], producers) else { return nil }
        let (result, overflow) = divisor.multipliedReportingOverflow(by: own)
        return overflow ? nil : (quantizer, result)
    }

    private func product(_ sizes: some Sequence<Dimension>) -> Int? {
        var result = 1
        for size in sizes {
            guard let size = size.known, case let (count, overflow) = result.multipliedReportingOverflow(by: size), !overflow else {
                return nil
            }
            result = count
        }
        return result
    }

    /// A multiple of all numbers that a pool divides by: fewer at borders, where padding does not count.
    private func divisor(of pool: AveragePool, over value: String) -> Int? {
        let sizes = types[value]?.shape.dimensions.dropFirst(2).compactMap(\.known) ?? []
        guard let placement = try? pool.window.placement(over: sizes) else { return nil }
        var result = 1
        for axis in sizes.indices {
            let (low, high) = pool.countsPadding ? (-placement.padsBegin[axis], sizes[axis] + placement.padsEnd[axis]) : (0, sizes[axis])
            var ofAxis = 1
            for position in 0..<placement.output[axis] {
                let start = position * pool.window.strides[axis] - placement.padsBegin[axis]
                let count = (0..<pool.window.kernel[axis]).count { low..<high ~= start + $0 * pool.window.dilations[axis] }
                guard count > 0, ofAxis < 1 << 20 else { return nil }
                ofAxis *= count / greatestCommonDivisor(ofAxis, count)
            }
            let (product, overflow) = result.multipliedReportingOverflow(by: ofAxis)
            guard !overflow else { return nil }
            result = product
        }
        return result
    }

    private func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int { b == 0 ? a : greatestCommonDivisor(b, a % b) }

    /// The values that are never negative, whatever the input.
    var nonNegativeValues: Set<String> {
        var values = Set(constants.filter { constant in isNonNegative(constant.value) }.keys)
        for node in nodes {
            let isNonNegative =
                switch node.operator {
                case .relu, .sigmoid, .softmax: true
                case .clip(let clip): (clip.maximum ?? 0) >= 0 && ((clip.minimum ?? -1) >= 0 || values.contains(node.inputs[0]))
                case .quantizer(let quantizer): quantizer.lowest == 0 || values.contains(node.inputs[0])
                case .add, .mul, .averagePool, .globalAveragePool, .reduceMean, .maxPool, .globalMaxPool, .concat, .flatten, .reshape,
                    .identity, .dropout, .floor, .round:
                    node.inputs.allSatisfy(values.contains)
                default: false
                }
            if isNonNegative { values.formUnion(node.outputs) }
        }
        return values
    }

    private func isNonNegative(_ tensor: Tensor) -> Bool {
        tensor.elementType == .float32 && tensor.withFloats { $0.allSatisfy { $0 >= 0 } }
    }
}
