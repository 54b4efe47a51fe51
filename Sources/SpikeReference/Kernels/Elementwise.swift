#if canImport(Darwin)
internal import Darwin
#else
internal import Glibc
#endif
internal import SpikeGraph

/// What each operator computes, written to be read. Shapes have been checked by the graph's verifier.
enum Kernels {}

/// NumPy's broadcasting.
enum Broadcast {
    /// For each element of `shape` in order, the flat index of the element of `operand` that it reads.
    static func indices(of operand: [Int], in shape: [Int]) -> [Int] {
        var indices = [0]
        let padded = [Int](repeating: 1, count: shape.count - operand.count) + operand
        for (axis, size) in shape.enumerated() {
            let stride = padded[axis] == 1 ? 0 : padded[(axis + 1)...].reduce(1, *)
            indices = indices.flatMap { base in (0..<size).map { base + $0 * stride } }
        }
        return indices
    }
}

extension Kernels {
    static func elementwise(_ a: Tensor, _ b: Tensor, _ combine: (Float, Float) -> Float) -> Tensor {
        if a.shape == b.shape { return Tensor(zip(a.floats, b.floats).map(combine), shape: a.shape) }
        let rank = max(a.rank, b.rank)
        func padded(_ shape: [Int]) -> [Int] { [Int](repeating: 1, count: rank - shape.count) + shape }
        let shape = zip(padded(a.shape), padded(b.shape)).map { $0 == 1 ? $1 : $0 }
        let (x, y) = (a.floats, b.floats)
        let pairs = zip(Broadcast.indices(of: a.shape, in: shape), Broadcast.indices(of: b.shape, in: shape))
        return Tensor(pairs.map { combine(x[$0], y[$1]) }, shape: shape)
    }

    static func clip(_ clip: Clip, _ x: Tensor) -> Tensor {
        x.map { value in
            let raised = clip.minimum.map { Swift.max(value, $0) } ?? value
            return clip.maximum.map { Swift.min(raised, $0) } ?? raised
        }
    }

    static func sigmoid(_ x: Tensor) -> Tensor {
        x.map { 1 / (1 + exp(-$0)) }
    }

    /// The channel's affine map, with the factor γ/√(σ²+ε) in float32.
    static func batchNormalization(_ normalization: BatchNormalization, _ inputs: [Tensor]) -> Tensor {
        let (gamma, beta, mean, variance) = (inputs[1].floats, inputs[2].floats, inputs[3].floats, inputs[4].floats)
        var values = inputs[0].floats
        let channels = inputs[0].shape[1]
        let size = inputs[0].shape[2...].reduce(1, *)
        for row in 0..<inputs[0].shape[0] * channels {
            let channel = row % channels
            let factor = gamma[channel] / (variance[channel] + normalization.epsilon).squareRoot()
            for index in row * size..<(row + 1) * size { values[index] = (values[index] - mean[channel]) * factor + beta[channel] }
        }
        return Tensor(values, shape: inputs[0].shape)
    }

    /// Softmax or, with `logarithmic`, log-softmax along an axis; the maximum is subtracted first.
    static func softmax(_ x: Tensor, axis: Int, flattensTail: Bool, logarithmic: Bool) throws -> Tensor {
        let position = try Shape.axis(axis, rank: x.rank)
        let outer = x.shape[..<position].reduce(1, *)
        let length = flattensTail ? x.shape[position...].reduce(1, *) : x.rank == 0 ? 1 : x.shape[position]
        let inner = flattensTail ? 1 : x.shape.dropFirst(position + 1).reduce(1, *)
        var values = x.floats
        for row in 0..<outer {
            for column in 0..<inner {
                let indices = (0..<length).map { (row * length + $0) * inner + column }
                let largest = indices.map { values[$0] }.max() ?? 0
                let total = indices.reduce(Float(0)) { $0 + exp(values[$1] - largest) }
                for index in indices {
                    values[index] = logarithmic ? values[index] - largest - log(total) : exp(values[index] - largest) / total
                }
            }
        }
        return Tensor(values, shape: x.shape)
    }
}
