/// How the samples of a batch lie in a value.
///
/// Most values are `[N, …]`: one sample behind the other. Attention as PyTorch's module computes it has tokens in front, `[T, N, …]`, and
/// flattens them, `[T·N, …]`; there each sample is `T` pieces, and portions of a batch are put together piece by piece.
extension Graph {
    /// For each value with an open batch, how many pieces a sample lies in: 1 for `[N, …]`, `T` for `[T, N, …]` and `[T·N, …]` that a
    /// reshape has made of it.
    ///
    /// Values that do not depend on the batch are not in it.
    package func piecesOfSamples() -> [String: Int] { SampleLayout(self).pieces }

    /// The nodes in which samples of a batch meet, so that what one gives depends on the others, each with a reason. A network with such nodes
    /// would give other numbers for other batches.
    package func meetingsOfSamples() -> [(node: String, reason: String)] { SampleLayout(self).meetings }

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

/// How the samples lie in all values, from the inputs on.
private struct SampleLayout {
    private(set) var pieces: [String: Int] = [:]
    private(set) var meetings: [(node: String, reason: String)] = []
    private let graph: Graph

    init(_ graph: Graph) {
        self.graph = graph
        for input in graph.inputs { pieces[input.name] = front(input.name) }
        for node in graph.nodes { take(node) }
    }

    /// The places of the axes before the batch's.
    private func front(_ value: String) -> Int? {
        guard let shape = graph.types[value]?.shape, let axis = shape.batchAxis else { return nil }
        return shape.dimensions[..<axis].reduce(1) { $0 * max(1, $1.constant) }
    }

    /// Of an axis of k·N, in how many runs of whole batches its places come.
    private func runs(_ value: String) -> Int {
        guard let whole = pieces[value], let front = front(value) else { return 1 }
        return max(1, whole / front)
    }

    /// The places of an axis of k·N that each sample has: k.
    private func places(_ value: String) -> Int {
        guard let shape = graph.types[value]?.shape, let axis = shape.batchAxis else { return 1 }
        return max(1, shape.dimensions[axis].batchFactor)
    }

    private mutating func take(_ node: Node) {
        let read = node.inputs.filter { pieces[$0] != nil }
        let axes = read.compactMap { graph.types[$0]?.shape.batchAxis }
        guard let first = read.first, let axis = axes.first, let shape = graph.types[first]?.shape else {
            for output in node.outputs { pieces[output] = front(output) }
            return
        }
        if let reason = reason(node, read, axis: axis, rank: shape.rank) { meetings.append((node.name, reason)) }
        for output in node.outputs {
            guard let front = front(output) else { continue }
            switch node.operator {
            case .reshape, .flatten: pieces[output] = pieces[first]
            case .concat(let concat) where Shape.isAxis(concat.axis, axis, rank: shape.rank):
                pieces[output] = front * read.reduce(0) { $0 + runs($1) }
            case .tile(let tile) where axis < tile.repeats.count: pieces[output] = front * runs(first) * max(1, tile.repeats[axis])
            default: pieces[output] = front * runs(first)
            }
        }
    }

    /// Why samples meet in a node; `nil`: they do not.
    private func reason(_ node: Node, _ read: [String], axis: Int, rank: Int) -> String? {
        for output in node.outputs {
            guard let shape = graph.types[output]?.shape else { continue }
            let open = shape.dimensions.filter { $0.batchFactor != 0 }
            if open.count > 1 { return "its result \(shape) has a number for each pair of samples" }
            if let size = open.first, size.constant != 0 { return "its result \(shape) has places beside those of the samples" }
            if open.isEmpty { return "its result \(shape) no longer has a part for each sample" }
        }
        func along(_ axes: [Int]) -> Bool { axes.contains { Shape.isAxis($0, axis, rank: rank) } }
        let sums = "it adds up over the batch, axis \(axis)"
        switch node.operator {
        case .softmax(let softmax):
            let isTail = softmax.flattensTail && (softmax.axis < 0 ? softmax.axis + rank : softmax.axis) <= axis
            if isTail || along([softmax.axis]) { return "it normalises over the batch, axis \(axis)" }
        case .logSoftmax(let softmax):
            if along([softmax.axis]) { return "it normalises over the batch, axis \(axis)" }
        case .layerNormalization(let norm):
            let first = norm.axis < 0 ? norm.axis + rank : norm.axis
            if axis >= first { return "it normalises over the batch, axis \(axis)" }
        case .cumSum(let sum): if along([sum.axis]) { return sums }
        case .groupNormalization, .localResponseNormalization, .averagePool, .maxPool, .runningMaximumPool, .globalAveragePool,
            .globalMaxPool, .conv, .convTranspose:
            if axis != 0 { return "it takes axis \(axis), the batch, for channels or places" }
        case .matMul:
            for (position, value) in node.inputs.enumerated() {
                guard let shape = graph.types[value]?.shape, let axis = shape.batchAxis, shape.rank > 0 else { continue }
                if axis == (position == 0 ? shape.rank - 1 : max(0, shape.rank - 2)) { return sums }
            }
        case .gemm(let gemm):
            for (value, isTransposed, inner) in [(node.inputs[0], gemm.transposeA, 1), (node.inputs[1], gemm.transposeB, 0)] {
                guard let axis = graph.types[value]?.shape.batchAxis else { continue }
                if axis == (isTransposed ? 1 - inner : inner) { return sums }
            }
        case .concat(let concat) where along([concat.axis]):
            let lengths = Set(read.map { places($0) / runs($0) })
            let isEven = lengths.count == 1 && read.count == node.inputs.count
            return isEven ? nil : "it joins values along the batch in which samples lie differently"
        case .reshape, .flatten:
            guard let output = node.outputs.first, let whole = pieces[read[0]], let front = front(output), front > 0 else {
                return nil
            }
            let isWhole = whole % front == 0 && places(output) % max(1, whole / front) == 0
            return isWhole ? nil : "it takes numbers of several samples for those of one"
        default: break
        }
        return Set(read.map { runs($0) }).count > 1 ? "its inputs have their samples in different orders" : nil
    }
}

extension Shape {
    /// Whether an axis, counted from the front or the end, is the one at `position`.
    fileprivate static func isAxis(_ axis: Int, _ position: Int, rank: Int) -> Bool { (axis < 0 ? axis + rank : axis) == position }
}
