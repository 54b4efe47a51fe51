import Foundation
import SpikeGraph
import SpikeReference

/// Gives each layer, from the front to the back, the weights and biases with which it comes nearest to the ANN's own currents from the
/// numbers that spikes will really bring it: W' = W + (Z − WX̂)X̂ᵀ(X̂X̂ᵀ + λI)⁻¹. When the network runs it costs nothing, but for a bias of
/// layers that had none.
///
/// Z are the ANN's currents, X̂ the inputs behind the layers that are corrected already; where a layer ends a residual branch, Z has what the
/// sum's other side lacks too. λ is fitted on one half of the samples and judged on the other, and where no λ helps that half, the layer stays as
/// it is. For networks of digits, whose inputs are the ANN's, rounded.
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
    ///   - snn: a network of digits, whose nodes with weights are the ANN's, by name.
    ///   - ann: the network that it was made from.
    func callAsFunction(_ snn: Graph, ann: Graph, data: any BatchSource) throws -> Outcome {
        let bytes = max(1, NodewiseRun.bytesPerRun(snn) + NodewiseRun.bytesPerRun(ann))
        let most = min(Self.mostSamples, Self.bytes / bytes * (snn.fixedBatch ?? 1))
        let portions = try CalibrationPortions(of: data, first: max(2, most), for: snn)
        let layers = snn.nodes.filter { WeightedLayer($0, in: snn) != nil }
        var outcome = Outcome(graph: snn, layers: layers.count, samples: portions.samples)
        guard portions.samples > 1, !layers.isEmpty else { return outcome }
        var (found, wanted) = (NodewiseRun(snn, inputs: portions.inputs), NodewiseRun(ann, inputs: portions.inputs))
        let bar = Progress.begin("correcting weights", total: layers.count, unit: "layers")
        defer { bar.finish() }
        // Values that are the ANN's own: what no spikes have come to.
        var exact = Set(snn.inputs.map(\.name))
        var patch = Patch()
        for node in snn.nodes {
            let dynamic = node.inputs.filter { snn.constants[$0] == nil }
            let isExact = dynamic.allSatisfy(exact.contains) && ann.node(named: node.name).map { $0.operator == node.operator } == true
            if isExact { exact.formUnion(node.outputs) }
            let inputs = found.values[node.inputs[0]]
            try found.run(node)
            guard let layer = WeightedLayer(node, in: snn) else { continue }
            defer { bar.advance() }
            guard !isExact, let own = ann.node(named: node.name), let inputs, let outputs = found.values[node.outputs[0]],
                let targets = try wanted.value(own.outputs[0])
            else { continue }
            let other = try otherSide(of: node, snn, ann, found, &wanted)
            let changes = try Self.changes(
                layer, inputs: inputs, outputs: outputs, targets: targets, other: other, samples: portions.samples)
            guard let changes else { continue }
            outcome.corrected += 1
            let corrected = CorrectedLayer(layer, changes, in: snn, readers: found.readers)
            corrected.add(to: &patch)
            found.replace(node.outputs[0], by: try inputs.map { try corrected.output($0, batch: $0.shape.first) })
        }
        outcome.graph = try snn.applying(patch)
        return outcome
    }

    /// Where a layer's output is one side of a sum alone: what the ANN has on the other side, and what is there.
    private func otherSide(
        of node: Node, _ snn: Graph, _ ann: Graph, _ found: NodewiseRun, _ wanted: inout NodewiseRun
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
            guard let present = found.values[side], let sum = ann.node(named: reader.name), sum.inputs.count == 2,
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

/// A layer with other weights and biases.
struct CorrectedLayer {
    private let node: Node
    /// What adds the biases, where the layer has none itself: the sum behind a product of matrices, of one or of the correction's own.
    private let sum: Node?
    private let weights: (name: String, tensor: Tensor)
    private let bias: (name: String, tensor: Tensor)
    /// What is added to the output of the layer as it was, to be what the sum behind it is to read.
    private let change: Tensor

    private static let endings = [".corrected.weight", ".corrected.bias"]

    /// Whether a constant of this name is corrected weights or biases.
    static func isName(_ name: String) -> Bool { endings.contains { name.hasSuffix($0) } }

    init(_ layer: WeightedLayer, _ changes: [ColumnSums.Change?], in snn: Graph, readers: [String: [Node]]) {
        var (matrix, biases) = (layer.matrix, [Float](repeating: 0, count: layer.groups * layer.outputs))
        for (group, change) in changes.enumerated() {
            guard let change else { continue }
            let first = group * layer.outputs
            for (index, weight) in change.weights.enumerated() {
                let at = first * layer.inputs + index
                matrix[at] = Float(Double(matrix[at]) + weight)
            }
            for (index, bias) in change.biases.enumerated() { biases[first + index] = Float(bias) }
        }
        var node = layer.node
        weights = (snn.freshName("\(node.name)\(Self.endings[0])"), layer.tensor(matrix))
        change = Tensor(biases, shape: [biases.count])
        let biasName = snn.freshName("\(node.name)\(Self.endings[1])")
        node.inputs[1] = weights.name
        if case .matMul = node.operator {
            if let (sum, position, before) = Self.bias(behind: node, biases.count, in: snn, readers: readers) {
                var sum = sum
                sum.inputs[position] = biasName
                bias = (biasName, Tensor(zip(before.floats, biases).map { $0 + $1 }, shape: before.shape))
                self.sum = sum
            } else {
                let (product, output) = (snn.freshName("\(node.name).corrected"), node.outputs[0])
                node.outputs = [product]
                bias = (biasName, change)
                sum = Node(product, .add(Add()), inputs: [product, biasName], outputs: [output])
            }
        } else {
            let before = node.inputs.count > 2 ? snn.constants[node.inputs[2]]?.floats ?? [] : []
            let spread = before.count == biases.count ? before : [Float](repeating: before.first ?? 0, count: biases.count)
            bias = (biasName, Tensor(zip(spread, biases).map { $0 + $1 }, shape: [biases.count]))
            node.inputs = [node.inputs[0], weights.name, biasName]
            sum = nil
        }
        self.node = node
    }

    /// The sum that alone reads a product, and whose other operand is a constant number for each output.
    private static func bias(
        behind product: Node, _ outputs: Int, in snn: Graph, readers: [String: [Node]]
    ) -> (node: Node, position: Int, before: Tensor)? {
        let value = product.outputs[0]
        guard let reader = readers[value], reader.count == 1, case .add = reader[0].operator,
            !snn.outputs.contains(where: { $0.value == value }),
            let position = reader[0].inputs.firstIndex(where: { $0 != value }), let before = snn.constants[reader[0].inputs[position]],
            before.elementType == .float32, before.count == outputs, before.shape.last == outputs
        else { return nil }
        return (reader[0], position, before)
    }

    func add(to patch: inout Patch) {
        patch.setConstant(weights.name, weights.tensor)
        patch.setConstant(bias.name, bias.tensor)
        patch.replace(node)
        guard let sum else { return }
        if node.outputs[0] == sum.name { patch.insert(sum) } else { patch.replace(sum) }
    }

    /// What stands in place of the layer's output where everything behind it is still as it was.
    func output(_ input: Tensor, batch: Int?) throws -> Tensor {
        let operands = [input, weights.tensor] + (sum == nil ? [bias.tensor] : [])
        let product = try ReferenceExecutor.evaluate(node.operator, operands, batch: batch)[0]
        return sum == nil ? product : try ReferenceExecutor.evaluate(.add(Add()), [product, change], batch: batch)[0]
    }
}

extension Graph {
    /// The network with corrected weights, and a word on it among its facts.
    func correctingWeights(ann: Graph, data: any BatchSource) throws -> Graph {
        let outcome = try WeightCorrection()(self, ann: ann, data: data)
        guard var description = outcome.graph.spiking else { return outcome.graph }
        description.facts["correctedWeights"] = "\(outcome.corrected) of \(outcome.layers) layers"
        description.facts["correctionSamples"] = "\(outcome.samples)"
        if outcome.samples < 2 {
            description.warnings.append("weights are not corrected: that takes two calibration samples, or batches, at least")
        } else if outcome.corrected == 0, outcome.layers > 0 {
            description.warnings.append(
                "no layer has other weights for the correction: what one half of \(outcome.samples) calibration samples says does not hold for "
                    + "the other, or they are too few (\(WeightCorrection.enoughSamples) are enough)")
        }
        if outcome.corrected > 0 { description.facts["uncorrectedWeights"] = fingerprint(ofWeightsCorrectedIn: outcome.graph) }
        return try outcome.graph.applying(Patch(), spiking: description)
    }

    /// The network with the corrected weights and biases of the same network at other sizes of its inputs.
    ///
    /// - Throws: ``SpikeletError`` where the weights that were corrected there are others here.
    func takingCorrectedWeights(of other: Graph) throws -> Graph {
        let layers = other.nodes.filter { $0.inputs.contains(where: CorrectedLayer.isName) }
        guard !layers.isEmpty, let known = other.spiking?.facts["uncorrectedWeights"] else { return self }
        guard fingerprint(ofWeightsCorrectedIn: other) == known else {
            throw SpikeletError(
                .notConvertible, "weights that were corrected where the network was calibrated are others at these sizes",
                remedy:
                    "convert the model at the sizes that are needed, or without correction: correctsWeights = false, --no-weight-correction"
            )
        }
        var patch = Patch()
        for layer in layers {
            for name in layer.inputs where CorrectedLayer.isName(name) {
                if let constant = other.constants[name] { patch.setConstant(name, constant) }
            }
            guard var node = node(named: layer.name) else {
                patch.insert(layer)
                continue
            }
            for (position, name) in layer.inputs.enumerated() where CorrectedLayer.isName(name) {
                if position < node.inputs.count { node.inputs[position] = name } else { node.inputs.append(name) }
            }
            node.outputs = layer.outputs
            patch.replace(node)
        }
        return try applying(patch)
    }

    /// What tells the weights here, of the layers that have corrected ones in another network, from other weights: FNV-1a of their bits.
    private func fingerprint(ofWeightsCorrectedIn other: Graph) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func take(_ bits: UInt32) { hash = (hash ^ UInt64(bits)) &* 0x0000_0100_0000_01b3 }
        for layer in other.nodes where layer.inputs.count > 1 && CorrectedLayer.isName(layer.inputs[1]) {
            guard let node = node(named: layer.name), node.inputs.count > 1, let weights = constants[node.inputs[1]] else { continue }
            for size in weights.shape { take(UInt32(truncatingIfNeeded: size)) }
            weights.withFloats { for weight in $0 { take(weight.bitPattern) } }
        }
        return String(hash, radix: 16)
    }
}
