internal import SpikeGraph

/// Opens the batch of a network that was exported for a fixed number of samples, which is what exporters do when nobody says otherwise.
///
/// Given: a graph all of whose inputs have the same number as their first axis.
///
/// Result: the same function of any number of samples; or nothing, where the network does more with the first axis than to keep it: where
/// samples would mix, or somewhere else an axis would depend on their number.
struct OpenBatch {
    /// - Returns: `nil` where the batch has to stay as it is.
    func run(_ graph: Graph) -> Graph? {
        let sizes = Set(graph.inputs.map { $0.type.shape.rank > 1 ? $0.type.shape[0].known : nil })
        guard sizes.count == 1, case .some(.some(let size)) = sizes.first, size >= 1 else { return nil }
        let inputs = graph.inputs.map { input -> Graph.Input in
            var opened = input
            opened.type.shape.dimensions[0] = .batch
            return opened
        }
        var types = graph.constants.mapValues { ValueType($0) }
        for input in inputs { types[input.name] = input.type }
        var nodes: [Node] = []
        for node in graph.nodes {
            guard let opened = open(node, size, graph, &types, &nodes) else { return nil }
            nodes.append(opened)
        }
        // What the network gives has a row for each sample.
        guard graph.outputs.allSatisfy({ types[$0.value]?.shape.dimensions.first == .batch }) else { return nil }
        return try? Graph(
            name: graph.name, inputs: inputs, outputs: graph.outputs, nodes: nodes, constants: graph.constants, origin: graph.origin)
    }

    /// The node for any number of samples. Nodes that it needs in front are appended to `nodes`.
    private func open(_ node: Node, _ size: Int, _ graph: Graph, _ types: inout [String: ValueType], _ nodes: inout [Node]) -> Node? {
        var node = node
        let operands = node.inputs.compactMap { types[$0] }
        guard operands.count == node.inputs.count, node.outputs.count == 1, let before = graph.types[node.outputs[0]] else { return nil }
        let isOpen = operands.map { $0.shape.dimensions.first == .batch }
        if isOpen.contains(true) {
            guard Self.keepsSamples(node.operator, operands, isOpen) else { return nil }
            switch node.operator {
            case .reshape(var reshape):
                // A size that was the batch's when the file was written.
                if case .fixed(size, batchFactor: 0)? = reshape.sizes.first { reshape.sizes[0] = .same }
                node.operator = .reshape(reshape)
            case .expand(var expand):
                guard expand.sizes.count == operands[0].shape.rank, case .fixed(let first, batchFactor: 0)? = expand.sizes.first,
                    [1, size].contains(first)
                else { return nil }
                expand.sizes[0] = .fixed(constant: 0, batchFactor: 1)
                node.operator = .expand(expand)
            case .concat:
                // A constant row, such as a class token, is every sample's.
                for (index, input) in node.inputs.enumerated() where !isOpen[index] {
                    guard size == 1, operands[index].shape.dimensions.first == 1 else { return nil }
                    let rows = graph.freshName("\(input).rows")
                    var sizes = operands[index].shape.dimensions.map { Reshape.Size($0) }
                    sizes[0] = .fixed(constant: 0, batchFactor: 1)
                    if types[rows] == nil {
                        nodes.append(Node(rows, .expand(Expand(sizes: sizes)), inputs: [input]))
                        types[rows] = operands[index]
                        types[rows]?.shape.dimensions[0] = .batch
                    }
                    node.inputs[index] = rows
                }
            default: break
            }
        }
        let constants = node.inputs.map { graph.constants[$0] }
        guard let made = try? node.operator.payload.outputTypes(node.inputs.compactMap { types[$0] }, constants: constants).first else {
            return nil
        }
        // The batch is the first axis, and nothing else depends on it.
        guard made.shape.rank == before.shape.rank, made.elementType == before.elementType,
            made.shape.dimensions.dropFirst().elementsEqual(before.shape.dimensions.dropFirst()),
            made.shape.dimensions.first == before.shape.dimensions.first
                || made.shape.dimensions.first == .batch && before.shape.dimensions.first == Dimension(size),
            !isOpen.contains(true) || made.shape.dimensions.first == .batch
        else { return nil }
        types[node.outputs[0]] = made
        return node
    }

    /// Whether an operator takes the samples, the rows of its first axis, one by one.
    private static func keepsSamples(_ operator: Operator, _ operands: [ValueType], _ isOpen: [Bool]) -> Bool {
        let rank = operands[0].shape.rank
        func isFirst(_ axis: Int) -> Bool { (try? Shape.axis(axis, rank: rank)) ?? 0 == 0 }
        switch `operator` {
        case .softmax(let softmax): return !isFirst(softmax.axis)
        case .logSoftmax(let softmax): return !isFirst(softmax.axis)
        case .argExtremum(let extremum): return !isFirst(extremum.axis)
        case .cumSum(let sum): return !isFirst(sum.axis)
        case .concat(let concat): return !isFirst(concat.axis)
        case .gather(let gather): return !isFirst(gather.axis) && isOpen[0] && !isOpen.dropFirst().contains(true)
        case .layerNormalization(let normalization): return !isFirst(normalization.axis)
        case .slice(let slice): return !slice.cuts.contains { isFirst($0.axis) }
        case .reduce(let reduce): return !((try? reduce.reducedAxes(rank: rank)) ?? [0]).contains(0)
        case .reduceMean(let mean): return !((try? mean.reducedAxes(rank: rank)) ?? [0]).contains(0)
        case .transpose(let transpose): return transpose.permutation.first == 0
        case .tile(let tile): return tile.repeats.first == 1
        case .flatten(let flatten): return flatten.axis == 1 || flatten.axis + rank == 1
        case .gemm(let gemm): return isOpen[0] && !gemm.transposeA && !isOpen[1]
        case .matMul: return isOpen[0] ? rank > 1 && (!isOpen[1] || rank > 2) : operands[1].shape.rank > 2
        case .conv, .convTranspose, .batchNormalization, .groupNormalization: return isOpen[0] && !isOpen.dropFirst().contains(true)
        // Rows of numbers that were computed for a sample meet those of the same sample: not by broadcasting to another axis.
        default: return zip(operands, isOpen).allSatisfy { !$1 || $0.shape.rank == operands.map(\.shape.rank).max() }
        }
    }
}
