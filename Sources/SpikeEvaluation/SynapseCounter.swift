public import SpikeGraph

/// Counts synaptic operations: for every input that is not zero, the outputs that it reaches through weights that are not
/// zero. Exact at borders, strides, dilations and groups; biases do not count.
///
/// Source: NeuroBench's synaptic operations (Yik et al., "NeuroBench", 2023). Layers that read values made of spikes are
/// counted here step by step (effective accumulates); layers that read the analog input are counted as dense.
public struct SynapseCounter: Sendable {
    /// For each node with synapses that reads spikes: the number of outputs that each element of its input reaches.
    private let fanOuts: [String: [Int]]
    /// Multiply–accumulates of one dense pass through all layers with weights, one sample.
    public let denseOperations: Int
    /// The part of them in layers that read the analog input.
    public let analogOperations: Int

    public init(_ graph: Graph) {
        var fanOuts: [String: [Int]] = [:]
        var (dense, analog) = (0, 0)
        let spiking = graph.spikingValues
        for node in graph.nodes {
            guard let input = graph.types[node.inputs[0]]?.shape.resolved(batch: 1),
                let synapses = Synapses(node, graph: graph, input: input)
            else { continue }
            dense += synapses.denseCount
            if spiking.contains(node.inputs[0]) {
                fanOuts[node.name] = synapses.fanOut
            } else {
                analog += synapses.denseCount
            }
        }
        self.fanOuts = fanOuts
        denseOperations = dense
        analogOperations = analog
    }

    /// The synaptic operations of one step in one node, summed over the samples of the batch; 0 for nodes without synapses.
    public func count(_ node: Node, input: Tensor) -> Int {
        guard let fanOut = fanOuts[node.name] else { return 0 }
        var total = 0
        input.floats.withUnsafeBufferPointer { values in
            fanOut.withUnsafeBufferPointer { fanOut in
                var index = 0
                for value in values {
                    if value != 0 { total += fanOut[index] }
                    index += 1
                    if index == fanOut.count { index = 0 }
                }
            }
        }
        return total
    }
}

/// The synapses of one layer for one sample.
private struct Synapses {
    /// For each element of the input, the outputs it reaches through non-zero weights.
    let fanOut: [Int]
    /// Multiply–accumulates with all inputs and all weights: those inside the input only.
    let denseCount: Int

    init?(_ node: Node, graph: Graph, input: [Int]) {
        guard node.inputs.count > 1, let weights = graph.constants[node.inputs[1]] else { return nil }
        switch node.operator {
        case .conv(let conv): self.init(conv, weights: weights, input: input)
        case .gemm(let gemm): self.init(matrix: weights, rowsAreInputs: !gemm.transposeB, rows: 1)
        case .matMul where weights.rank == 2:
            self.init(matrix: weights, rowsAreInputs: true, rows: input.dropLast().dropFirst().reduce(1, *))
        default: return nil
        }
    }

    private init(matrix: Tensor, rowsAreInputs: Bool, rows: Int) {
        let (height, width) = (matrix.shape[0], matrix.shape[1])
        var fanOut = [Int](repeating: 0, count: rowsAreInputs ? height : width)
        for (index, weight) in matrix.floats.enumerated() where weight != 0 {
            fanOut[rowsAreInputs ? index / width : index % width] += 1
        }
        self.fanOut = fanOut
        denseCount = height * width * rows
    }

    private init?(_ conv: Conv, weights: Tensor, input: [Int]) {
        let spatial = Array(input.dropFirst(2))
        guard let placement = try? conv.window.placement(over: spatial) else { return nil }
        let size = spatial.reduce(1, *)
        let (features, groupChannels, places) = (weights.shape[0], weights.shape[1], conv.window.kernel.reduce(1, *))
        let groupFeatures = features / conv.groups

        // reach[place][offset]: how many output positions read this input position through this place of the kernel.
        var reach = [[Int]](repeating: [Int](repeating: 0, count: size), count: places)
        forEachIndex(conv.window.kernel) { place, k in
            forEachIndex(placement.output) { _, position in
                var offset = 0
                for axis in spatial.indices {
                    let x = position[axis] * conv.window.strides[axis] + k[axis] * conv.window.dilations[axis] - placement.padsBegin[axis]
                    guard x >= 0, x < spatial[axis] else { return }
                    offset = offset * spatial[axis] + x
                }
                reach[place][offset] += 1
            }
        }
        let values = weights.floats
        var fanOut = [Int](repeating: 0, count: input[1] * size)
        for channel in 0..<input[1] {
            let (group, member) = (channel / groupChannels, channel % groupChannels)
            for place in 0..<places {
                let features = (group * groupFeatures..<(group + 1) * groupFeatures).filter {
                    values[($0 * groupChannels + member) * places + place] != 0
                }
                guard !features.isEmpty else { continue }
                for offset in 0..<size { fanOut[channel * size + offset] += features.count * reach[place][offset] }
            }
        }
        self.fanOut = fanOut
        denseCount = reach.reduce(0) { $0 + $1.reduce(0, +) } * groupChannels * features
    }
}

/// Calls `body` with every multi-index below `sizes`, in row-major order, and its flat position.
private func forEachIndex(_ sizes: [Int], _ body: (Int, [Int]) -> Void) {
    var index = sizes.map { _ in 0 }
    for flat in 0..<sizes.reduce(1, *) {
        body(flat, index)
        for axis in sizes.indices.reversed() {
            index[axis] += 1
            if index[axis] < sizes[axis] { break }
            index[axis] = 0
        }
    }
}
