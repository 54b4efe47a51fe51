internal import Foundation
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

    /// The same in runs along the last axis: the element `column` of row `row` reads `starts[row] + column · stride`.
    struct Runs {
        let starts: [Int]
        let length: Int
        /// 1, or 0 where the operand has one element for the whole run.
        let stride: Int

        init(of operand: [Int], in shape: [Int]) {
            length = shape.last ?? 1
            stride = operand.last ?? 1 == 1 ? 0 : 1
            let width = operand.last ?? 1
            starts = Broadcast.indices(of: operand.dropLast(), in: shape.dropLast()).map { $0 * width }
        }
    }
}

extension Kernels {
    /// `combine` of every pair of float32 numbers, with broadcasting.
    @inline(__always)
    static func elementwise(_ a: Tensor, _ b: Tensor, _ combine: (Float, Float) -> Float) -> Tensor {
        let (values, shape) = pairs(a.floats, a.shape, b.floats, b.shape, combine)
        return Tensor(values, shape: shape)
    }

    /// `combine` of every pair, with broadcasting.
    @inline(__always)
    static func pairs<A, B, Result>(
        _ a: [A], _ aShape: [Int], _ b: [B], _ bShape: [Int], _ combine: (A, B) throws -> Result
    ) rethrows -> (values: [Result], shape: [Int]) {
        let rank = max(aShape.count, bShape.count)
        func padded(_ shape: [Int]) -> [Int] { [Int](repeating: 1, count: rank - shape.count) + shape }
        let shape = zip(padded(aShape), padded(bShape)).map { $0 == 1 ? $1 : $0 }
        // Equal shapes are one long run.
        let runShape = aShape == bShape ? [a.count] : shape
        let left = Broadcast.Runs(of: aShape == bShape ? runShape : aShape, in: runShape)
        let right = Broadcast.Runs(of: aShape == bShape ? runShape : bShape, in: runShape)
        let count = runShape.reduce(1, *)
        let values = try a.withUnsafeBufferPointer { x in
            try b.withUnsafeBufferPointer { y in
                try [Result](unsafeUninitializedCapacity: count) { output, initialized in
                    for row in left.starts.indices {
                        let (xStart, yStart, start) = (left.starts[row], right.starts[row], row * left.length)
                        for column in 0..<left.length {
                            let result = try combine(x[xStart + column * left.stride], y[yStart + column * right.stride])
                            output.initializeElement(at: start + column, to: result)
                            initialized += 1
                        }
                    }
                }
            }
        }
        return (values, shape)
    }

    static func clip(_ clip: Clip, _ x: Tensor) -> Tensor {
        x.map { value in
            // Comparisons in this order let a NaN through.
            let raised = clip.minimum.map { value < $0 ? $0 : value } ?? value
            return clip.maximum.map { raised > $0 ? $0 : raised } ?? raised
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

    /// Softmax or, with `logarithmic`, log-softmax along an axis; the maximum is subtracted first. A score of −∞ is a masked one.
    ///
    /// - Throws: where all scores of a row are −∞: there is nothing to share out.
    static func softmax(_ x: Tensor, axis: Int, flattensTail: Bool, logarithmic: Bool) throws -> Tensor {
        let position = try Shape.axis(axis, rank: x.rank)
        let outer = x.shape[..<position].reduce(1, *)
        let length = flattensTail ? x.shape[position...].reduce(1, *) : x.rank == 0 ? 1 : x.shape[position]
        let inner = flattensTail ? 1 : x.shape.dropFirst(position + 1).reduce(1, *)
        var values = x.floats
        for row in 0..<outer {
            for column in 0..<inner {
                let start = row * length * inner + column
                let indices = Swift.stride(from: start, to: start + length * inner, by: max(1, inner))
                let largest = indices.reduce(-Float.infinity) { max($0, values[$1]) }
                if largest == -.infinity, length > 0, !indices.contains(where: { values[$0].isNaN }) {
                    let places = x.place(start).enumerated().map { $0 < position || !flattensTail && $0 > position ? "\($1)" : ":" }
                    throw SpikeletError(
                        .invalidData, "the row [\(places.joined(separator: ", "))] of a softmax is masked whole: all its scores are −∞",
                        remedy: "leave each row a score that is not −∞, or write −1e9 there, which shares out equally")
                }
                let total = indices.reduce(Float(0)) { $0 + exp(values[$1] - largest) }
                for index in indices {
                    values[index] = logarithmic ? values[index] - largest - log(total) : exp(values[index] - largest) / total
                }
            }
        }
        return Tensor(values, shape: x.shape)
    }
}
