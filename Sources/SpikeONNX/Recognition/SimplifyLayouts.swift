internal import SpikeGraph

/// Takes out what only the order of axes asks for: networks of Keras keep channels last, and their exporters turn values round between
/// layers.
///
/// Given: a graph as it was imported.
///
/// Result: the same function up to rounding. Transposes in a row are one, or none; a transpose in front of a flattened value is in the
/// order of the weights that read it; the mean or the maximum over a transposed value's places is that over the value's own, and the mean of
/// a mean is one mean. A maximum
/// over other axes than the places is a global max pool, which spiking networks can have, and the constant that a `Pad` puts around a
/// value is added to it.
struct SimplifyLayouts {
    /// - Returns: the graph, and for each kind of change how often it was made.
    func run(_ graph: Graph) throws -> (graph: Graph, found: [String: Int]) {
        var graph = graph
        var found: [String: Int] = [:]
        for (what, change) in [
            ("constant padding as a sum", Self.separatedPad), ("maximum over axes as a global max pool", Self.pooledMaximum),
            ("means of means taken together", Self.mergedMeans), ("transposes taken together", Self.mergedTransposes),
            ("transposes taken into weights and means", Self.absorbedTransposes),
        ] as [(String, Change)] {
            var patch = Patch()
            let producers = graph.producers
            let count = graph.nodes.count { change(graph, producers, $0, &patch) }
            guard count > 0 else { continue }
            graph = try graph.applying(patch).withoutUnreadNodes()
            found[what] = count
        }
        return (graph, found)
    }

    /// Looks at one node, and says whether it changed something.
    private typealias Change = (_ graph: Graph, _ producers: [String: Node], _ node: Node, inout Patch) -> Bool

    /// pad(x, v) = pad(x, 0) + (v where there is padding, else 0)
    private static func separatedPad(_ graph: Graph, _: [String: Node], _ node: Node, _ patch: inout Patch) -> Bool {
        guard case .pad(var pad) = node.operator, pad.mode == .constant, pad.value != 0, pad.value.isFinite,
            let input = graph.types[node.inputs[0]], input.elementType == .float32, pad.begins.first == 0, pad.ends.first == 0,
            graph.types[node.outputs[0]]?.shape.rank == pad.begins.count
        else { return false }
        let inner = input.shape.dimensions.dropFirst().compactMap(\.known)
        guard inner.count == input.shape.rank - 1 else { return false }
        let outer = inner.indices.map { inner[$0] + pad.begins[$0 + 1] + pad.ends[$0 + 1] }
        let count = outer.reduce(1, *)
        guard count > 0, count < 1 << 24 else { return false }
        var values = [Float](repeating: pad.value, count: count)
        for flat in 0..<count {
            var (rest, isInside) = (flat, true)
            for axis in outer.indices.reversed() {
                let place = rest % outer[axis] - pad.begins[axis + 1]
                isInside = isInside && place >= 0 && place < inner[axis]
                rest /= outer[axis]
            }
            if isInside { values[flat] = 0 }
        }
        let (padded, constant) = (graph.freshName("\(node.name).zeros"), graph.freshName("\(node.name).padding"))
        pad.value = 0
        patch.setConstant(constant, Tensor(values, shape: [1] + outer))
        patch.insert(Node(padded, .pad(pad), inputs: node.inputs))
        patch.replace(Node(node.name, .add(Add()), inputs: [padded, constant], outputs: node.outputs))
        return true
    }

    private static func pooledMaximum(_ graph: Graph, _: [String: Node], _ node: Node, _ patch: inout Patch) -> Bool {
        guard case .reduce(let reduce) = node.operator, reduce.function == .maximum, let type = graph.types[node.inputs[0]],
            type.elementType == .float32, let output = graph.types[node.outputs[0]]?.shape,
            let reduced = try? reduce.reducedAxes(rank: type.shape.rank).sorted(), let first = reduced.first, first > 0
        else { return false }
        let kept = (1..<type.shape.rank).filter { !reduced.contains($0) }
        let channels = kept.compactMap { type.shape[$0].known }
        guard channels.count == kept.count, reduced.allSatisfy({ type.shape[$0].known != nil }) else { return false }
        var value = node.inputs[0]
        let order = [0] + kept + reduced
        if order != Array(order.indices) {
            let turned = graph.freshName("\(node.name).turned")
            patch.insert(Node(turned, .transpose(Transpose(permutation: order)), inputs: [value]))
            value = turned
        }
        let (places, pooled) = (graph.freshName("\(node.name).places"), graph.freshName("\(node.name).pooled"))
        let sizes: [Reshape.Size] = [.same, .fixed(constant: channels.reduce(1, *), batchFactor: 0), .rest]
        patch.insert(Node(places, .reshape(Reshape(sizes: sizes)), inputs: [value]))
        patch.insert(Node(pooled, .globalMaxPool(GlobalMaxPool()), inputs: [places]))
        let shape = Reshape(sizes: [.same] + output.dimensions.dropFirst().map { Reshape.Size($0) })
        patch.replace(Node(node.name, .reshape(shape), inputs: [pooled], outputs: node.outputs))
        return true
    }

    /// The mean along some axes of the mean along others, which nothing else reads.
    private static func mergedMeans(_ graph: Graph, _ producers: [String: Node], _ node: Node, _ patch: inout Patch) -> Bool {
        guard case .reduceMean(var mean) = node.operator, let before = producers[node.inputs[0]],
            case .reduceMean(let inner) = before.operator,
            graph.nodes.count(where: { $0.inputs.contains(before.outputs[0]) }) == 1,
            !graph.outputs.contains(where: { $0.value == before.outputs[0] }), inner.keepsDimensions == mean.keepsDimensions,
            let rank = graph.types[before.inputs[0]]?.shape.rank, let innerAxes = try? inner.reducedAxes(rank: rank),
            let middle = graph.types[before.outputs[0]]?.shape.rank, let axes = try? mean.reducedAxes(rank: middle)
        else { return false }
        // The axes that were left, by their places in the first value.
        let left = (0..<rank).filter { inner.keepsDimensions || !innerAxes.contains($0) }
        mean.axes = innerAxes.union(axes.map { left[$0] }).sorted()
        patch.replace(Node(node.name, .reduceMean(mean), inputs: before.inputs, outputs: node.outputs))
        return true
    }

    private static func mergedTransposes(
        _ graph: Graph, _ producers: [String: Node], _ node: Node, _ patch: inout Patch
    ) -> Bool {
        guard case .transpose(let own) = node.operator else { return false }
        // Back through all transposes, to what they turn.
        var (order, source) = (own.permutation, node.inputs[0])
        while let before = producers[source], case .transpose(let transpose) = before.operator {
            (order, source) = (order.map { transpose.permutation[$0] }, before.inputs[0])
        }
        let isStill = order == Array(order.indices)
        guard source != node.inputs[0] || isStill else { return false }
        guard isStill else {
            patch.replace(Node(node.name, .transpose(Transpose(permutation: order)), inputs: [source], outputs: node.outputs))
            return true
        }
        // An output of the network has to be some node's.
        guard !graph.outputs.contains(where: { $0.value == node.outputs[0] }) else {
            patch.replace(Node(node.name, .identity(Identity()), inputs: [source], outputs: node.outputs))
            return true
        }
        patch.remove(node)
        patch.redirect(node.outputs[0], to: source)
        return true
    }

    private static func absorbedTransposes(
        _ graph: Graph, _ producers: [String: Node], _ node: Node, _ patch: inout Patch
    ) -> Bool {
        func transposed(_ value: String) -> (source: String, order: [Int])? {
            guard let node = producers[value], case .transpose(let transpose) = node.operator else { return nil }
            return transpose.permutation.first == 0 ? (node.inputs[0], transpose.permutation) : nil
        }
        switch node.operator {
        case .reduceMean(var mean):
            // The axes that stay have to stay in order.
            guard let (source, order) = transposed(node.inputs[0]), let axes = try? mean.reducedAxes(rank: order.count), !axes.contains(0),
                !mean.keepsDimensions
            else { return false }
            let kept = order.indices.filter { !axes.contains($0) }.map { order[$0] }
            guard kept == kept.sorted() else { return false }
            mean.axes = axes.map { order[$0] }.sorted()
            patch.replace(Node(node.name, .reduceMean(mean), inputs: [source], outputs: node.outputs))
            return true
        case .gemm, .matMul:
            guard let flat = producers[node.inputs[0]], graph.flattensSamples(flat), let (source, order) = transposed(flat.inputs[0]),
                let weights = graph.constants[node.inputs[1]], weights.rank == 2,
                let sizes = graph.types[source]?.shape.dimensions.dropFirst().compactMap(\.known), sizes.count == order.count - 1
            else { return false }
            var isTransposed = false
            if case .gemm(let gemm) = node.operator {
                guard !gemm.transposeA else { return false }
                isTransposed = gemm.transposeB
            }
            let (value, name) = (graph.freshName("\(flat.name).\(node.name)"), graph.freshName("\(node.name).turned"))
            patch.insert(Node(value, .flatten(Flatten()), inputs: [source]))
            patch.setConstant(name, weights.turned(sizes, order: order.dropFirst().map { $0 - 1 }, alongRows: !isTransposed))
            patch.replace(Node(node.name, node.operator, inputs: [value, name] + node.inputs.dropFirst(2), outputs: node.outputs))
            return true
        default: return false
        }
    }
}

extension Graph {
    /// Whether a node makes a row of each sample.
    fileprivate func flattensSamples(_ node: Node) -> Bool {
        switch node.operator {
        case .flatten, .reshape:
            guard let input = types[node.inputs[0]]?.shape, let output = types[node.outputs[0]]?.shape else { return false }
            return output.rank == 2 && input.rank > 2 && output[0] == input[0]
        default: return false
        }
    }
}

extension Tensor {
    /// A matrix whose rows (or columns) read a value in its own order, where they read it transposed.
    ///
    /// - Parameters:
    ///   - sizes: the value's axes.
    ///   - order: which of them each axis of the transposed value is.
    fileprivate func turned(_ sizes: [Int], order: [Int], alongRows: Bool) -> Tensor {
        let turnedSizes = order.map { sizes[$0] }
        let (rows, columns, values) = (shape[0], shape[1], floats)
        var result = values
        for place in 0..<sizes.reduce(1, *) {
            // The place's index along each axis of the value, then its place in the transposed one.
            var (index, rest) = ([Int](repeating: 0, count: sizes.count), place)
            for axis in sizes.indices.reversed() { (index[axis], rest) = (rest % sizes[axis], rest / sizes[axis]) }
            let other = zip(order, turnedSizes).reduce(0) { $0 * $1.1 + index[$1.0] }
            if alongRows {
                for column in 0..<columns { result[place * columns + column] = values[other * columns + column] }
            } else {
                for row in 0..<rows { result[row * columns + place] = values[row * columns + other] }
            }
        }
        return Tensor(result, shape: shape)
    }
}
