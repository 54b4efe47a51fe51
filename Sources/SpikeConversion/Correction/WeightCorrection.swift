import Foundation
import SpikeGraph
import SpikeReference

/// Gives each layer, from the front to the back, the weights and biases with which it comes nearest to the ANN's own currents from the
/// numbers that spikes will really bring it: W' = W + (Z − WX̂)X̂ᵀ(X̂X̂ᵀ + λI)⁻¹. When the network runs it costs nothing, but for a bias of
/// layers that had none.
///
/// Z are the ANN's currents, X̂ the inputs behind the layers that are corrected already; where a layer ends a residual branch, Z has what the
/// sum's other side lacks too. Weights are fitted on one half of the samples with each λ and judged on the other, and where no λ helps that half, the layer
/// stays as it is. Of digits and latencies X̂ are the numbers that they say; streaming, the mean of what neurons send in T steps, simulated
/// (``LayerwiseSpikes``): there it makes up also for spikes that come before the current that should have prevented them.
///
/// Source: ridge regression of a layer's outputs, as He et al., "Channel Pruning for Accelerating Very Deep Neural Networks", ICCV 2017, and
/// Yao et al., "ERQ", ICML 2024, use it.
struct WeightCorrection {
    /// The samples that are used at most, and the bytes that what is kept of them may take: of large networks it is fewer samples.
    static let (mostSamples, bytes) = (1024, 2 << 30)
    /// The columns of a layer that are used at most, and for each of a channel's weights.
    private static let (mostColumns, columnsPerWeight) = (20_000, 20)
    /// Layers with more weights a channel, or in all, stay as they are: their sums of products alone would take gigabytes.
    private static let (mostInputs, mostWeights) = (4608, 1 << 25)
    /// From so many samples on every layer is corrected; with fewer only those that see so many columns for each of a channel's weights.
    static let (enoughSamples, enoughColumns) = (64, 10)
    /// λ as shares of the mean of the diagonal of X̂X̂ᵀ.
    private static let shares = [1e-4, 1e-3, 1e-2, 1e-1, 1]

    struct Outcome {
        var graph: Graph
        var corrected = 0
        var layers = 0
        var samples = 0
    }

    /// - Parameters:
    ///   - snn: a spiking network, whose nodes with weights are the ANN's, by name.
    ///   - ann: the network that it was made from.
    func callAsFunction(_ snn: Graph, ann: Graph, data: any BatchSource) throws -> Outcome {
        let isStreaming = snn.spiking?.schedule == .streaming
        let steps = snn.spiking?.steps ?? 1
        var bytes = max(1, NodewiseRun.bytesPerRun(snn) + NodewiseRun.bytesPerRun(ann))
        if isStreaming { bytes += LayerwiseSpikes.bytesPerSample(snn, steps: steps) * (snn.fixedBatch ?? 1) }
        let most = min(Self.mostSamples, Self.bytes / bytes * (snn.fixedBatch ?? 1))
        let portions = try CalibrationPortions(of: data, first: max(2, most), for: snn)
        let layers = snn.nodes.filter { WeightedLayer($0, in: snn) != nil }
        var outcome = Outcome(graph: snn, layers: layers.count, samples: portions.samples)
        guard portions.samples > 1, !layers.isEmpty else { return outcome }
        var spikes = isStreaming ? try LayerwiseSpikes(snn, steps: steps, inputs: portions.inputs) : nil
        var isChanged = false
        var (found, wanted) = (NodewiseRun(snn, inputs: portions.inputs), NodewiseRun(ann, inputs: portions.inputs))
        let bar = Progress.begin("correcting weights", total: layers.count, unit: "layers")
        defer { bar.finish() }
        // Values that are the ANN's own: what no spikes have come to.
        var exact = Set(snn.inputs.map(\.name))
        // Streaming, what a function makes of each step is not what it makes of their mean.
        var unknown: Set<String> = []
        var patch = Patch()
        for node in snn.nodes {
            try Cancellation.check()
            let dynamic = node.inputs.filter { snn.constants[$0] == nil }
            let isExact = dynamic.allSatisfy(exact.contains) && ann.node(named: node.name).map { $0.operator == node.operator } == true
            if isExact { exact.formUnion(node.outputs) }
            if case .neuron = node.operator, spikes != nil {
                if isChanged { try spikes?.change(to: snn.applying(patch)) }
                isChanged = false
                let runs = try spikes?.run(node) { ($1, $2) } ?? []
                found.finish(node, runs.map { [$0.1] })
                spikes?.keep(runs.map(\.0), of: node)
                continue
            }
            if isStreaming, !isExact {
                let isFunction = [.nonlinear, .activation].contains(snn.linearity(of: node))
                if isFunction || dynamic.contains(where: unknown.contains) { unknown.formUnion(node.outputs) }
            }
            let inputs = found.values[node.inputs[0]]
            try found.run(node)
            guard let layer = WeightedLayer(node, in: snn) else { continue }
            defer { bar.advance() }
            guard !isExact, unknown.isDisjoint(with: node.outputs), let own = ann.node(named: node.name), let inputs,
                let outputs = found.values[node.outputs[0]],
                let targets = try wanted.value(own.outputs[0])
            else { continue }
            let other = try otherSide(of: node, snn, ann, found, &wanted, unknown: unknown)
            let changes = try Self.changes(
                layer, inputs: inputs, outputs: outputs, targets: targets, other: other, samples: portions.samples)
            guard let changes else { continue }
            outcome.corrected += 1
            isChanged = true
            let corrected = CorrectedLayer(layer, changes, in: snn, readers: found.readers)
            corrected.add(to: &patch)
            found.replace(node.outputs[0], by: try inputs.map { try corrected.output($0, batch: $0.shape.first) })
        }
        outcome.graph = try snn.applying(patch)
        return outcome
    }

    /// Where a layer's output is one side of a sum alone: what the ANN has on the other side, and what is there.
    private func otherSide(
        of node: Node, _ snn: Graph, _ ann: Graph, _ found: NodewiseRun, _ wanted: inout NodewiseRun, unknown: Set<String>
    ) throws -> (wanted: [Tensor], found: [Tensor])? {
        var value = node.outputs[0]
        while true {
            guard let readers = found.readers[value], readers.count == 1, !snn.outputs.contains(where: { $0.value == value }) else {
                return nil
            }
            let reader = readers[0]
            guard case .add = reader.operator, let position = reader.inputs.firstIndex(where: { $0 != value }) else { return nil }
            let side = reader.inputs[position]
            if snn.constants[side] != nil {
                value = reader.outputs[0]
                continue
            }
            guard !unknown.contains(side), let present = found.values[side], let sum = ann.node(named: reader.name), sum.inputs.count == 2,
                snn.types[side]?.shape == snn.types[node.outputs[0]]?.shape
            else { return nil }
            return try wanted.value(sum.inputs[position]).map { ($0, present) }
        }
    }

    /// What is added to a layer's matrix and biases, one a group; `nil` where nothing helps.
    private static func changes(
        _ layer: WeightedLayer, inputs: [Tensor], outputs: [Tensor], targets: [Tensor], other: (wanted: [Tensor], found: [Tensor])?,
        samples: Int
    ) throws -> [ColumnSums.Change?]? {
        guard layer.inputs <= mostInputs, layer.inputs * layer.outputs <= mostWeights else { return nil }
        let counts = outputs.map { layer.count($0) }
        let columns = counts.reduce(0, +)
        guard samples >= enoughSamples || columns >= enoughColumns * layer.inputs else { return nil }
        let wanted = min(mostColumns, max(mostColumns / 5, columnsPerWeight * layer.inputs))
        let positions = counts.enumerated().map { portion, count -> [Int] in
            let share = min(count, (wanted + counts.count - 1) / counts.count)
            guard share < count else { return Array(0..<count) }
            // Spread by the golden ratio, so that no grid of places meets another.
            return (0..<share).map { Int((UInt64($0 + 1) &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(portion)) % UInt64(count)) }
        }
        let threads = ProcessInfo.processInfo.activeProcessorCount
        let changes = try concurrentMap(Array(0..<layer.groups), atMost: threads) { group -> ColumnSums.Change? in
            // Portions take turns: the even ones fit, the odd ones judge.
            var halves = [ColumnSums](repeating: ColumnSums(inputs: layer.inputs, outputs: layer.outputs), count: 2)
            for portion in inputs.indices {
                let at = positions[portion]
                func numbers(_ value: Tensor) -> [Float] { layer.outputs(of: value, at: at, group: group) }
                var missing = zip(numbers(targets[portion]), numbers(outputs[portion])).map { $0 - $1 }
                if let other {
                    let more = zip(numbers(other.wanted[portion]), numbers(other.found[portion]))
                    for (index, (wanted, found)) in more.enumerated() { missing[index] += wanted - found }
                }
                let columns = try layer.columns(of: inputs[portion], for: outputs[portion], at: at, group: group)
                halves[portion % 2].add(columns, missing: missing)
            }
            let before = halves[1].error(nil)
            let trials = shares.map { share in (share, halves[0].ridge(share).map { halves[1].error($0) } ?? .infinity) }
            guard let best = trials.min(by: { $0.1 < $1.1 }), best.1 < before else { return nil }
            var all = halves[0]
            all.add(halves[1])
            return all.ridge(best.0)
        }
        return changes.contains { $0 != nil } ? changes : nil
    }
}

extension Graph {
    /// The network with corrected weights, and a word on it among its facts.
    func correctingWeights(ann: Graph, data: any BatchSource) throws -> Graph {
        let outcome = try WeightCorrection()(self, ann: ann, data: data)
        guard var description = outcome.graph.spiking else { return outcome.graph }
        description.facts["correctedWeights"] = "\(outcome.corrected) of \(outcome.layers) layers, on \(outcome.samples) samples"
        if outcome.corrected > 0 { description.facts["uncorrectedWeights"] = fingerprint(ofWeightsCorrectedIn: outcome.graph) }
        return try outcome.graph.applying(Patch(), spiking: description)
    }
}
