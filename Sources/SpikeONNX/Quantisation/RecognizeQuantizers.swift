internal import SpikeGraph

/// Finds activations that are quantisers, written as arithmetic.
///
/// Given: a graph with `Floor` and `Round` nodes among scalar factors, offsets and clips.
///
/// Result: where such a chain is, for some Δ, L ≥ 1 and l ≤ 0,
///
///     x → [·, +, clip]… → ⌊ ⌋ or round → [·, +, clip]…   =   Δ · min(L, max(l, round(x / Δ)))
///
/// it is one ``Quantizer``. The chain is composed as a function, so that the order of its parts does not matter: QCFS with the
/// clip before or after the floor, in units of x, of λ or of levels. Constants are compared within float32's rounding of them
/// (10⁻⁵). ⌊u + ½⌋ rounds halves up, `Round` to even. Straight-through estimators, (round(u) − u) + u, become round(u) first.
/// What does not fit stays as it is.
struct RecognizeQuantizers {
    /// - Returns: the graph, and the number of quantisers found.
    func run(_ graph: Graph) throws -> (graph: Graph, count: Int) {
        var graph = try cancelStraightThrough(graph)
        var count = 0
        while let patch = try firstMatch(graph) {
            graph = try graph.applying(patch)
            count += 1
        }
        return (graph, count)
    }

    /// (r − u) + u, with r a rounding of u, is r. The importer has made r + (−1)·u of r − u.
    private func cancelStraightThrough(_ graph: Graph) throws -> Graph {
        let (producers, consumers) = (graph.producers, graph.consumers)
        let shown = Set(graph.outputs.map(\.value))
        /// Whether a value is there for one node alone.
        func isPrivate(_ value: String) -> Bool { consumers[value]?.count == 1 && !shown.contains(value) }
        var patch = Patch()
        for sum in graph.nodes {
            guard case .add = sum.operator else { continue }
            for (difference, other) in [(sum.inputs[0], sum.inputs[1]), (sum.inputs[1], sum.inputs[0])] {
                guard let node = producers[difference], case .add = node.operator else { continue }
                for (rounded, negated) in [(node.inputs[0], node.inputs[1]), (node.inputs[1], node.inputs[0])] {
                    guard let rounding = producers[rounded], rounding.operator == .floor(Floor()) || rounding.operator == .round(Round()),
                        let negation = producers[negated], case .mul = negation.operator,
                        negation.inputs.contains(where: { graph.constants[$0]?.storage == .float32([-1]) }),
                        negation.inputs.contains(other), reads(rounding.inputs[0], other, producers, graph)
                    else { continue }
                    patch.remove(sum)
                    patch.redirect(sum.outputs[0], to: rounded)
                    guard isPrivate(difference) else { continue }
                    patch.remove(node)
                    if isPrivate(negated) { patch.remove(negation) }
                }
            }
        }
        return patch.isEmpty ? graph : try graph.applying(patch)
    }

    /// Whether `value` is `source`, or `source` with ½ added: a floor rounds u by ⌊u + ½⌋.
    private func reads(_ value: String, _ source: String, _ producers: [String: Node], _ graph: Graph) -> Bool {
        if value == source { return true }
        guard let node = producers[value], case .shift? = ScalarStep(node, in: graph) else { return false }
        return ScalarStep.input(of: node, in: graph) == source
    }

    private func firstMatch(_ graph: Graph) throws -> Patch? {
        let consumers = graph.consumers
        let producers = graph.producers
        let shown = Set(graph.outputs.map(\.value))
        let nonNegative = graph.nonNegativeValues
        for node in graph.nodes {
            guard node.operator == .floor(Floor()) || node.operator == .round(Round()) else { continue }
            /// The node that alone reads what `node` makes.
            func reader(of node: Node) -> Node? {
                guard let readers = consumers[node.outputs[0]], readers.count == 1, !shown.contains(node.outputs[0]) else { return nil }
                return readers[0]
            }
            // The nearest first, on both sides.
            var before: [Node] = []
            while let input = ScalarStep.input(of: before.last ?? node, in: graph), let producer = producers[input],
                ScalarStep(producer, in: graph) != nil, reader(of: producer) != nil
            {
                before.append(producer)
            }
            var after: [Node] = []
            while let next = reader(of: after.last ?? node), ScalarStep(next, in: graph) != nil { after.append(next) }

            let steps = (before.compactMap { ScalarStep($0, in: graph) }, after.compactMap { ScalarStep($0, in: graph) })
            var best: (quantizer: Quantizer, first: Int, last: Int)?
            for first in 0...before.count {
                let source = first == 0 ? node : before[first - 1]
                let isPositive = ScalarStep.input(of: source, in: graph).map(nonNegative.contains) ?? false
                for last in 0...after.count {
                    guard
                        let quantizer = quantizer(
                            before: steps.0.prefix(first).reversed(), rounding: node.operator, after: steps.1.prefix(last),
                            isNonNegative: isPositive)
                    else { continue }
                    // ⌊u + ½⌋ rather than ⌊ ⌋ of something that an offset has been added to; then the longest.
                    if let best, best.quantizer.rounding != .down, quantizer.rounding == .down { continue }
                    let isBetterRounding = best?.quantizer.rounding == .down && quantizer.rounding != .down
                    if let best, !isBetterRounding, best.first + best.last >= first + last { continue }
                    best = (quantizer, first, last)
                }
            }
            guard let best else { continue }
            return patch(graph, best.quantizer, Array(before.prefix(best.first).reversed()) + [node] + after.prefix(best.last))
        }
        return nil
    }

    /// The quantiser that the whole chain is, if it is one.
    private func quantizer(
        before: some Sequence<ScalarStep>, rounding: Operator, after: some Sequence<ScalarStep>, isNonNegative: Bool
    ) -> Quantizer? {
        let tolerance = 1e-5
        let argument = ScalarChain(before, low: isNonNegative ? 0 : -.infinity)
        let rule: Quantizer.Rounding
        let bounds: (low: Double, high: Double)
        if case .floor = rounding {
            if abs(argument.offset - 0.5) < tolerance {
                rule = .halfUp
            } else if abs(argument.offset) < tolerance {
                rule = .down
            } else {
                return nil
            }
            // Slightly above, since L may arrive as 3.9999998.
            func floor(_ bound: Double) -> Double { bound.isFinite ? (bound + tolerance + abs(bound) * 1e-6).rounded(.down) : bound }
            bounds = (floor(argument.low), floor(argument.high))
        } else {
            guard abs(argument.offset) < tolerance else { return nil }
            rule = .halfToEven
            bounds = (argument.low.rounded(.toNearestOrEven), argument.high.rounded(.toNearestOrEven))
        }
        let result = ScalarChain(after, low: bounds.low, high: bounds.high)
        let (lowest, levels) = (result.low / result.factor, result.high / result.factor)
        func isWhole(_ level: Double) -> Bool { abs(level) <= 0x1p24 && abs(level - level.rounded()) < 1e-3 + abs(level) * 1e-6 }
        guard abs(result.offset) < tolerance * result.factor, abs(result.factor * argument.factor - 1) < tolerance,
            isWhole(lowest), isWhole(levels)
        else { return nil }
        return try? Quantizer(
            step: Float(result.factor), levels: Int(levels.rounded()), lowest: Int(lowest.rounded()), rounding: rule)
    }

    private func patch(_ graph: Graph, _ quantizer: Quantizer, _ chain: [Node]) -> Patch? {
        guard let first = chain.first, let last = chain.last, let input = ScalarStep.input(of: first, in: graph) else { return nil }
        var patch = Patch()
        let node = Node(graph.freshName(name(of: chain)), .quantizer(quantizer), inputs: [input])
        for part in chain { patch.remove(part) }
        patch.insert(node)
        patch.redirect(last.outputs[0], to: node.outputs[0])
        return patch
    }

    /// The module that all parts are of, or else the rounding's own name.
    private func name(of chain: [Node]) -> String {
        let modules = Set(chain.map { $0.name.split(separator: ".").dropLast().joined(separator: ".") })
        if modules.count == 1, let module = modules.first, !module.isEmpty { return module }
        let rounding = chain.first {
            switch $0.operator {
            case .floor, .round: true
            default: false
            }
        }
        return rounding?.name ?? "quantizer"
    }
}
