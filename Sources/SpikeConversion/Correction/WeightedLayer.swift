package import SpikeGraph

/// A layer of constant weights as matrices, one a group: each of its outputs at each place is a sum over one column of inputs.
package struct WeightedLayer {
    package let node: Node
    /// The parts that channels fall into.
    package let groups: Int
    /// The numbers of a column, and of outputs, of one group.
    package let inputs: Int
    /// See `inputs`.
    package let outputs: Int
    private let weights: Tensor
    private let form: Form

    private enum Form {
        /// Rows of numbers. `isTransposed`: weights are `[outputs, inputs]`.
        case rows(isTransposed: Bool)
        case conv(Conv)
        case transposed(ConvTranspose)
    }

    /// `nil` for what has no weights, or not on this side of the product, or others for each sample, and where biases are not one an output.
    package init?(_ node: Node, in graph: Graph) {
        guard node.inputs.count >= 2, graph.constants[node.inputs[0]] == nil, let weights = graph.constants[node.inputs[1]],
            node.inputs.dropFirst(2).allSatisfy({ graph.constants[$0] != nil })
        else { return nil }
        self.node = node
        self.weights = weights
        let shape = weights.shape
        switch node.operator {
        case .conv(let conv):
            (groups, form) = (conv.groups, .conv(conv))
            (inputs, outputs) = (shape.dropFirst().reduce(1, *), shape[0] / conv.groups)
        case .convTranspose(let conv):
            (groups, form) = (conv.groups, .transposed(conv))
            (inputs, outputs) = (shape[0] / conv.groups * shape.dropFirst(2).reduce(1, *), shape[1])
        case .gemm(let gemm) where !gemm.transposeA && gemm.alpha == 1 && gemm.beta == 1:
            (groups, form) = (1, .rows(isTransposed: gemm.transposeB))
            (inputs, outputs) = gemm.transposeB ? (shape[1], shape[0]) : (shape[0], shape[1])
            // A bias that differs by row is none of the outputs'.
            if node.inputs.count > 2, let bias = graph.constants[node.inputs[2]] {
                guard bias.count == 1 || bias.count == outputs && bias.shape.last == outputs else { return nil }
            }
        case .matMul where weights.rank == 2:
            (groups, form) = (1, .rows(isTransposed: false))
            (inputs, outputs) = (shape[0], shape[1])
        default: return nil
        }
    }

    // MARK: Weights

    /// Of all groups, `[groups · outputs, inputs]`.
    package var matrix: [Float] {
        let values = weights.floats
        return (0..<groups * outputs).flatMap { row in (0..<inputs).map { values[place(row, $0)] } }
    }

    /// Such a matrix as the node takes it.
    package func tensor(_ matrix: [Float]) -> Tensor {
        var values = [Float](repeating: 0, count: matrix.count)
        for row in 0..<groups * outputs {
            for column in 0..<inputs { values[place(row, column)] = matrix[row * inputs + column] }
        }
        return Tensor(values, shape: weights.shape)
    }

    /// Where the node has a weight of the matrix.
    private func place(_ row: Int, _ column: Int) -> Int {
        switch form {
        case .rows(let isTransposed): isTransposed ? row * inputs + column : column * outputs + row
        case .conv: row * inputs + column
        case .transposed(let conv):
            {
                let taps = conv.window.kernel.reduce(1, *)
                let channel = row / outputs * (inputs / taps) + column / taps
                return (channel * outputs + row % outputs) * taps + column % taps
            }()
        }
    }

    // MARK: Columns

    /// The number of columns that a group sees in a value that the layer reads, with its output.
    package func count(_ output: Tensor) -> Int { output.count / max(1, groups * outputs) }

    /// Some outputs, `[positions, outputs]` of one group; also of a value of the same shape.
    package func outputs(of output: Tensor, at positions: [Int], group: Int) -> [Float] {
        let (channels, first) = (groups * outputs, group * outputs)
        let places = isRows ? 1 : output.shape.dropFirst(2).reduce(1, *)
        return output.withFloats { values in
            positions.flatMap { position in
                let (sample, place) = (position / places, position % places)
                return (first..<first + outputs).map { values[(sample * channels + $0) * places + place] }
            }
        }
    }

    /// Some columns, `[positions, inputs]` of one group.
    package func columns(of input: Tensor, for output: Tensor, at positions: [Int], group: Int) throws -> [Float] {
        switch form {
        case .rows:
            return input.withFloats { values in positions.flatMap { values[$0 * inputs..<($0 + 1) * inputs] } }
        case .conv(let conv):
            let sizes = Array(input.shape.dropFirst(2))
            let placement = try conv.window.placement(over: sizes)
            return gather(
                input, at: positions, group: group, places: placement.output, sizes, kernel: conv.window.kernel
            ) { axis, place, tap in
                place * conv.window.strides[axis] - placement.padsBegin[axis] + tap * conv.window.dilations[axis]
            }
        case .transposed(let conv):
            let (sizes, window) = (Array(input.shape.dropFirst(2)), conv.window)
            return gather(
                input, at: positions, group: group, places: Array(output.shape.dropFirst(2)), sizes, kernel: window.kernel
            ) { axis, place, tap in
                let reach = place + window.padsBegin[axis] - tap * window.dilations[axis]
                return reach % window.strides[axis] == 0 ? reach / window.strides[axis] : -1
            }
        }
    }

    private var isRows: Bool { if case .rows = form { true } else { false } }

    /// - Parameter source: the place of the input that a tap reads for a place of the output, along one axis.
    private func gather(
        _ input: Tensor, at positions: [Int], group: Int, places: [Int], _ sizes: [Int], kernel: [Int],
        source: (_ axis: Int, _ place: Int, _ tap: Int) -> Int
    ) -> [Float] {
        let (taps, count, size) = (kernel.reduce(1, *), places.reduce(1, *), sizes.reduce(1, *))
        let (channels, own) = (input.shape[1], inputs / taps)
        var columns = [Float](repeating: 0, count: positions.count * inputs)
        input.withFloats { values in
            for (index, position) in positions.enumerated() {
                let sample = position / count
                var (rest, place) = (position % count, [Int](repeating: 0, count: places.count))
                for axis in places.indices.reversed() { (rest, place[axis]) = (rest / places[axis], rest % places[axis]) }
                for tap in 0..<taps {
                    var (rest, offset, stride) = (tap, 0, 1)
                    for axis in kernel.indices.reversed() {
                        let at = source(axis, place[axis], rest % kernel[axis])
                        rest /= kernel[axis]
                        guard (0..<sizes[axis]).contains(at) else {
                            offset = -1
                            break
                        }
                        offset += at * stride
                        stride *= sizes[axis]
                    }
                    guard offset >= 0 else { continue }
                    let base = (sample * channels + group * own) * size + offset
                    for channel in 0..<own { columns[index * inputs + channel * taps + tap] = values[base + channel * size] }
                }
            }
        }
        return columns
    }
}
