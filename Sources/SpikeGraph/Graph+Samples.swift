/// How the samples of a batch lie in a value.
///
/// Most values are `[N, …]`: one sample behind the other. Attention as PyTorch's module computes it has tokens in front, `[T, N, …]`, and
/// flattens them, `[T·N, …]`; there each sample is `T` pieces, and portions of a batch are put together piece by piece.
extension Graph {
    /// For each value with an open batch, how many pieces a sample lies in: 1 for `[N, …]`, `T` for `[T, N, …]` and `[T·N, …]` that a
    /// reshape has made of it.
    ///
    /// Values that do not depend on the batch are not in it.
    package func piecesOfSamples() -> [String: Int] {
        var pieces: [String: Int] = [:]
        func front(_ value: String) -> Int? {
            guard let shape = types[value]?.shape, let axis = shape.batchAxis else { return nil }
            return shape.dimensions[..<axis].reduce(1) { $0 * max(1, $1.constant) }
        }
        for input in inputs { pieces[input.name] = front(input.name) }
        for node in nodes {
            // Within an axis of k·N, the order that it came in stays.
            let (source, within) =
                node.inputs.lazy.compactMap { name -> (Int, Int)? in
                    guard let whole = pieces[name], let front = front(name) else { return nil }
                    return (whole, max(1, whole / front))
                }.first ?? (1, 1)
            for output in node.outputs {
                guard let front = front(output) else { continue }
                switch node.operator {
                case .reshape, .flatten: pieces[output] = source
                default: pieces[output] = front * within
                }
            }
        }
        return pieces
    }

    /// What portions of a batch gave for a value, put together.
    ///
    /// - Parameters:
    ///   - portions: at least one; their shapes differ in the axis of the batch alone.
    ///   - pieces: ``piecesOfSamples()``.
    package func joined(_ portions: [Tensor], of value: String, pieces: [String: Int]) -> Tensor {
        guard let pieces = pieces[value], pieces > 1, portions.count > 1 else { return Tensor.joined(portions) }
        let axis = types[value]?.shape.batchAxis ?? 0
        var shape = portions[0].shape
        shape[axis] = portions.reduce(0) { $0 + $1.shape[axis] }
        let rows = (0..<pieces).flatMap { piece in
            portions.map { portion in
                let length = portion.count / pieces
                return portion.reshaped(to: [pieces, length]).samples(piece..<piece + 1).reshaped(to: [length])
            }
        }
        return Tensor.joined(rows).reshaped(to: shape)
    }

    /// A value of a batch with one sample behind the other: `[N, T, C]` of `[T, N, C]` and of `[T·N, C]`; `[N, …]` as it is.
    ///
    /// - Parameter pieces: ``piecesOfSamples()``.
    package func samplesFirst(_ tensor: Tensor, of value: String, pieces: [String: Int]) -> Tensor {
        guard let shape = types[value]?.shape, let axis = shape.batchAxis, let pieces = pieces[value] else { return tensor }
        let dimension = shape.dimensions[axis]
        guard dimension.constant == 0, pieces > 1 || dimension != .batch else { return tensor }
        let samples = tensor.shape[axis] / dimension.batchFactor
        var sizes = tensor.shape
        if dimension == .batch { sizes.remove(at: axis) } else { sizes[axis] = dimension.batchFactor }
        guard samples > 1, pieces > 1 else { return tensor.reshaped(to: [samples] + sizes) }
        let rows = tensor.reshaped(to: [pieces * samples, tensor.count / (pieces * samples)])
        let order = (0..<samples).flatMap { sample in (0..<pieces).map { $0 * samples + sample } }
        return Tensor.joined(order.map { rows.samples($0..<$0 + 1) }).reshaped(to: [samples] + sizes)
    }

    /// The axis that a value's channels lie along: 1; `nil` where samples lie there.
    package func channelAxis(of value: String) -> Int? { types[value]?.shape.batchAxis == 1 ? nil : 1 }
}
