package import SpikeGraph

/// Counts synaptic operations: for every input that is not zero, the outputs that it reaches through weights that are not
/// zero. Exact at borders, strides, dilations and groups; biases do not count.
///
/// Source: NeuroBench's synaptic operations (Yik et al., "NeuroBench", 2023). Layers that read values made of spikes are
/// counted here step by step; layers that read the real-valued input, and all layers of an ANN, by ``effectiveOperations(_:operands:)``.
package struct SynapseCounter: Sendable {
    /// A layer with synapses.
    package struct Layer: Sendable {
        /// The node's name.
        package var name: String
        /// Whether it reads what spikes are made of; else the real-valued input, or an ANN's activations.
        package var readsSpikes: Bool
        /// Multiply–accumulates of one dense pass, one sample.
        package var denseOperations: Int
    }

    /// In the network's order.
    package let layers: [Layer]
    /// For each layer, how far its inputs reach.
    private let fanOuts: [String: [FanOut]]
    /// The layers that read spikes.
    private let spiking: Set<String>

    fileprivate struct FanOut {
        /// Which of the node's inputs arrives through the synapses.
        var operand: Int
        /// For each element of it, the outputs that it reaches. Repeats over the samples of a batch.
        var reach: [Int]
        /// The value of one spike at each element of one sample, as ``SpikeUnits`` finds it; `nil` where values are graded.
        var units: [Float]?
    }

    /// A counter for a spiking network; nothing is counted yet.
    package init(_ graph: Graph) {
        var fanOuts: [String: [FanOut]] = [:]
        var layers: [Layer] = []
        let (spiking, traces) = (graph.spikingValues, graph.traces)
        let units = SpikeUnits(graph)
        for node in graph.nodes {
            if let product = Product(node, trace: traces[node.name], graph: graph) {
                let name = node.inputs[product.operand]
                layers.append(Layer(name: node.name, readsSpikes: spiking.contains(name), denseOperations: product.denseCount))
                fanOuts[node.name] = [FanOut(operand: product.operand, reach: product.fanOut, units: units[name])]
                let kept = node.inputs[1 - product.operand]
                // Each spike of the number that is kept changes it.
                if spiking.contains(kept) {
                    fanOuts[node.name]?.append(FanOut(operand: 1 - product.operand, reach: [1], units: units[kept]))
                }
                continue
            }
            // Weights stand second, but a matrix product may have them first.
            guard let operand = node.inputs.prefix(2).firstIndex(where: { graph.constants[$0] == nil }),
                let input = graph.countedShape(of: node.inputs[operand]),
                let synapses = Synapses(node, operand: operand, graph: graph, input: input)
            else { continue }
            layers.append(
                Layer(
                    name: node.name, readsSpikes: spiking.contains(node.inputs[operand]),
                    denseOperations: synapses.denseCount / graph.countedBatch))
            fanOuts[node.name] = [FanOut(operand: operand, reach: synapses.fanOut, units: units[node.inputs[operand]])]
        }
        self.fanOuts = fanOuts
        self.layers = layers
        self.spiking = Set(layers.filter(\.readsSpikes).map(\.name))
    }

    /// Multiply–accumulates of one dense pass through all layers with weights, one sample.
    package var denseOperations: Int { layers.reduce(0) { $0 + $1.denseOperations } }

    /// The part of them in layers that read the real-valued input.
    package var analogOperations: Int { layers.reduce(0) { $0 + ($1.readsSpikes ? 0 : $1.denseOperations) } }

    /// The synaptic operations of one step in one node, summed over the samples of the batch; 0 for nodes without synapses,
    /// and for those that read the real-valued input.
    ///
    /// - Parameter operands: what the node read, as ``ReferenceSimulation`` shows it to its observer.
    package func count(_ node: Node, operands: [Tensor]) -> Int {
        guard spiking.contains(node.name), let fanOuts = fanOuts[node.name] else { return 0 }
        return fanOuts.reduce(0) { $0 + $1.operations(operands[$1.operand].floats, samples: 1)[0].operations }
    }

    /// The effective operations of each sample in one pass through one node, whatever it reads.
    ///
    /// - Parameters:
    ///   - operands: what the node read, as an executor shows it to its observer.
    ///   - samples: how many samples they hold.
    /// - Returns: for each sample its operations, and whether NeuroBench would class them as accumulates: every value that
    ///   the layer read is −1, 0 or 1 once the value of a spike is folded into the weights. Empty for nodes without synapses.
    package func effectiveOperations(_ node: Node, operands: [Tensor], samples: Int) -> [(operations: Int, isBinary: Bool)] {
        let counted = (fanOuts[node.name] ?? []).map { $0.operations(operands[$0.operand].floats, samples: samples) }
        guard var sum = counted.first else { return [] }
        for more in counted.dropFirst() {
            for index in sum.indices { sum[index] = (sum[index].0 + more[index].0, sum[index].1 && more[index].1) }
        }
        return sum
    }
}

extension SynapseCounter.FanOut {
    fileprivate func operations(_ values: [Float], samples: Int) -> [(operations: Int, isBinary: Bool)] {
        let size = values.count / max(1, samples)
        let count = reach.count
        return (0..<samples).map { sample in
            var (total, isBinary) = (0, true)
            for index in sample * size..<(sample + 1) * size where values[index] != 0 {
                total += reach[index % count]
                let unit = abs(units.map { $0[index % $0.count] } ?? 1)
                // Sums over steps, as running maxima take them, carry their rounding along.
                isBinary = isBinary && abs(abs(values[index]) - unit) <= 1e-3 * unit
            }
            return (total, isBinary)
        }
    }
}

/// A product of two values, one of which is kept as a number: the other's spikes meet it as they would meet weights.
private struct Product {
    /// Which of the inputs arrives spike by spike.
    let operand: Int
    /// For each element of it the outputs that it reaches, one sample or all.
    let fanOut: [Int]
    /// Multiply–accumulates of the product, one sample.
    let denseCount: Int

    /// - Parameter trace: the input that is kept; `nil`: of an ANN, whose products of matrices are counted.
    init?(_ node: Node, trace: Int?, graph: Graph) {
        let isMatrix = if case .matMul = node.operator { true } else { false }
        guard trace != nil || graph.spiking == nil && isMatrix && graph.isProduct(node),
            let result = graph.countedShape(of: node.outputs[0])
        else { return nil }
        operand = 1 - (trace ?? 0)
        guard let own = graph.countedShape(of: node.inputs[operand]), let other = graph.countedShape(of: node.inputs[1 - operand]),
            own.count > 1, other.count > 1
        else { return nil }
        let (size, made) = (own.reduce(1, *), result.reduce(1, *))
        let inner = isMatrix ? (operand == 0 ? own[own.count - 1] : own[own.count - 2]) : 1
        // Every element reaches as many outputs as every other: all of them together the whole product.
        fanOut = [Int](repeating: size == 0 ? 0 : made * inner / size, count: 1)
        denseCount = made * inner / graph.countedBatch
    }
}

/// The synapses of one layer.
private struct Synapses {
    /// For each element of the input, the outputs it reaches through non-zero weights. A period of it, where it repeats.
    let fanOut: [Int]
    /// Multiply–accumulates with all inputs and all weights: those inside the input only.
    let denseCount: Int

    /// - Parameters:
    ///   - operand: the input that is no weight.
    ///   - input: its shape, with all samples.
    init?(_ node: Node, operand: Int, graph: Graph, input: [Int]) {
        guard node.inputs.count > 1, let weights = graph.constants[node.inputs[1 - operand]] else { return nil }
        switch node.operator {
        case .conv(let conv) where operand == 0: self.init(conv, weights: weights, input: input)
        case .convTranspose(let conv) where operand == 0: self.init(conv, weights: weights, input: input)
        case .gemm(let gemm) where operand == 0 && !gemm.transposeA:
            let matrix = gemm.transposeB ? weights.transposedMatrix : weights
            self.init(product: input, matrix, isLeft: true)
        case .matMul: self.init(product: input, weights, isLeft: operand == 0)
        default: return nil
        }
    }

    /// A matrix product, with NumPy's rules for axes before the matrices and for vectors.
    private init(product input: [Int], _ weights: Tensor, isLeft: Bool) {
        func matrix(_ shape: [Int], isLeft: Bool) -> [Int] { shape.count > 1 ? shape : isLeft ? [1] + shape : shape + [1] }
        let (x, w) = (matrix(input, isLeft: isLeft), matrix(weights.shape, isLeft: !isLeft))
        let (rows, columns) = (x[x.count - 2], x[x.count - 1])
        // How many outputs one element of x's row (or column) reaches: the non-zero weights it meets, in each matrix of them.
        let (height, width) = (w[w.count - 2], w[w.count - 1])
        let inner = isLeft ? height : width
        var met = [Int](repeating: 0, count: weights.count / max(1, height * width) * inner)
        for (index, weight) in weights.floats.enumerated() where weight != 0 {
            let (matrix, place) = (index / (height * width), index % (height * width))
            met[matrix * inner + (isLeft ? place / width : place % width)] += 1
        }
        // The axes before the matrices, as long on both sides.
        let rank = max(x.count, w.count) - 2
        func padded(_ shape: [Int]) -> [Int] { [Int](repeating: 1, count: rank + 2 - shape.count) + shape.dropLast(2) }
        let (xAxes, wAxes) = (padded(x), padded(w))
        let axes = zip(xAxes, wAxes).map { $0 == 1 ? $1 : $0 }
        func position(_ index: [Int], _ sizes: [Int]) -> Int {
            zip(index, sizes).reduce(0) { $0 * $1.1 + ($1.1 == 1 ? 0 : $1.0) }
        }
        var fanOut = [Int](repeating: 0, count: input.reduce(1, *))
        forEachIndex(axes) { _, index in
            let (start, matrix) = (position(index, xAxes) * rows * columns, position(index, wAxes))
            for row in 0..<rows {
                for column in 0..<columns { fanOut[start + row * columns + column] += met[matrix * inner + (isLeft ? column : row)] }
            }
        }
        self.fanOut = fanOut
        denseCount = axes.reduce(1, *) * rows * columns * (isLeft ? width : height)
    }

    private init?(_ conv: Conv, weights: Tensor, input: [Int]) {
        let spatial = Array(input.dropFirst(2))
        guard let placement = try? conv.window.placement(over: spatial) else { return nil }
        let size = spatial.reduce(1, *)
        let (features, groupChannels, places) = (weights.shape[0], weights.shape[1], conv.window.kernel.reduce(1, *))
        let groupFeatures = features / conv.groups

        // Axis by axis, since windows are products: [place of the kernel][input position], the output positions that read it there.
        let reachOfAxes = spatial.indices.map { axis in
            (0..<conv.window.kernel[axis]).map { k -> [Int] in
                var reach = [Int](repeating: 0, count: spatial[axis])
                for position in 0..<placement.output[axis] {
                    let x = position * conv.window.strides[axis] + k * conv.window.dilations[axis] - placement.padsBegin[axis]
                    if reach.indices.contains(x) { reach[x] += 1 }
                }
                return reach
            }
        }
        let values = weights.floats
        var fanOut = [Int](repeating: 0, count: input[1] * size)
        var dense = 0
        forEachIndex(conv.window.kernel) { place, k in
            let axes = spatial.indices.map { reachOfAxes[$0][k[$0]] }
            let reach = axes.reduce([1]) { sums, axis in sums.flatMap { sum in axis.map { sum * $0 } } }
            let total = reach.reduce(0, +)
            guard total > 0 else { return }
            dense += total
            for channel in 0..<input[1] {
                let (group, member) = (channel / groupChannels, channel % groupChannels)
                let count = (group * groupFeatures..<(group + 1) * groupFeatures).count {
                    values[($0 * groupChannels + member) * places + place] != 0
                }
                guard count > 0 else { continue }
                for offset in 0..<size { fanOut[channel * size + offset] += count * reach[offset] }
            }
        }
        self.fanOut = fanOut
        denseCount = dense * groupChannels * features * input[0]
    }
}

extension Synapses {
    /// A transposed convolution: an input place reaches those places of its window that lie in the output.
    fileprivate init?(_ conv: ConvTranspose, weights: Tensor, input: [Int]) {
        let spatial = Array(input.dropFirst(2))
        guard let output = try? conv.outputSizes(spatial) else { return nil }
        let size = spatial.reduce(1, *)
        let (channels, groupFeatures, places) = (weights.shape[0], weights.shape[1], conv.window.kernel.reduce(1, *))
        let values = weights.floats
        var fanOut = [Int](repeating: 0, count: input[1] * size)
        var dense = 0
        forEachIndex(conv.window.kernel) { place, k in
            // For each channel, the features that this place of its kernel has a weight for.
            let features = (0..<channels).map { channel in
                (0..<groupFeatures).reduce(0) { $0 + (values[(channel * groupFeatures + $1) * places + place] != 0 ? 1 : 0) }
            }
            forEachIndex(spatial) { offset, position in
                let isInside = output.indices.allSatisfy { axis in
                    let x = position[axis] * conv.window.strides[axis] + k[axis] * conv.window.dilations[axis] - conv.window.padsBegin[axis]
                    return x >= 0 && x < output[axis]
                }
                guard isInside else { return }
                dense += channels * groupFeatures
                for channel in 0..<channels { fanOut[channel * size + offset] += features[channel] }
            }
        }
        self.fanOut = fanOut
        denseCount = dense * input[0]
    }
}

extension Tensor {
    /// `[a, b]` → `[b, a]`.
    fileprivate var transposedMatrix: Tensor {
        let (height, width, values) = (shape[0], shape[1], floats)
        return Tensor((0..<values.count).map { values[$0 % height * width + $0 / height] }, shape: [width, height])
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
