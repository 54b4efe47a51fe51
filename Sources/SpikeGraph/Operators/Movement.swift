/// The axes in another order: axis k of the result is axis `permutation[k]` of the input.
public struct Transpose: OperatorPayload {
    package static let name = "Transpose"
    /// For each axis of the result, the axis of the input.
    public var permutation: [Int]

    /// An exchange of axes.
    public init(permutation: [Int]) {
        self.permutation = permutation
    }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        let shape = inputs[0].shape
        guard permutation.count == shape.rank, permutation.sorted() == Array(0..<shape.rank) else {
            throw SpikeletError(.invalidModel, "the axes \(permutation) of a value of shape \(shape)")
        }
        return [ValueType(inputs[0].elementType, Shape(permutation.map { shape[$0] }))]
    }

    package func linearity(isConstant: [Bool]) -> Linearity { .linear }

    package var summary: String { "\(permutation)" }
}

/// A part of the input: on each cut axis the places start, start + step, … before end.
public struct Slice: OperatorPayload {
    /// One axis of the cut, with ONNX's rules: negative bounds count from the end, and bounds beyond the axis are cut to it.
    public struct Cut: Codable, Hashable, Sendable {
        /// The axis that is cut.
        public var axis: Int
        /// The first position.
        public var start: Int
        /// The position that the cut stops before.
        public var end: Int
        /// The distance of positions; negative goes backwards.
        public var step: Int

        /// A cut along one axis.
        public init(axis: Int, start: Int, end: Int, step: Int = 1) {
            self.axis = axis
            self.start = start
            self.end = end
            self.step = step
        }

        /// The places of an axis of this size that are kept: start, start + step, ….
        ///
        /// - Throws: for a step of 0.
        public func places(size: Int) throws -> (start: Int, count: Int, step: Int) {
            guard step != 0 else { throw SpikeletError(.invalidModel, "a slice with step 0") }
            // A longer step than the axis changes nothing, and cannot overflow.
            let step = min(max(step, -size - 1), size + 1)
            func position(_ index: Int, _ range: ClosedRange<Int>) -> Int {
                min(max(index < 0 ? index + size : index, range.lowerBound), range.upperBound)
            }
            let range = step > 0 ? 0...size : -1...max(-1, size - 1)
            let (first, last) = (position(start, range), position(end, range))
            let length = step > 0 ? last - first : first - last
            return (first, length <= 0 ? 0 : (length - 1) / abs(step) + 1, step)
        }
    }

    package static let name = "Slice"
    /// What is cut, one axis each.
    public var cuts: [Cut]

    /// Cuts along some axes.
    public init(cuts: [Cut]) {
        self.cuts = cuts
    }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        var shape = inputs[0].shape
        guard Set(cuts.map { $0.axis < 0 ? $0.axis + shape.rank : $0.axis }).count == cuts.count else {
            throw SpikeletError(.invalidModel, "an axis is cut twice")
        }
        for cut in cuts {
            let axis = try Shape.axis(cut.axis, rank: shape.rank)
            guard let size = shape[axis].known else {
                throw SpikeletError(
                    .unsupported, "it cuts a part out of axis \(axis) of \(shape), the batch", remedy: "samples must stay whole")
            }
            shape.dimensions[axis] = Dimension(try cut.places(size: size).count)
        }
        return [ValueType(inputs[0].elementType, shape)]
    }

    package func linearity(isConstant: [Bool]) -> Linearity { .linear }

    package var summary: String {
        cuts.map { cut in
            let end = cut.end >= Int(Int32.max) ? "" : "\(cut.end)"
            return "axis \(cut.axis): \(cut.start)..<\(end)" + (cut.step == 1 ? "" : " by \(cut.step)")
        }.joined(separator: "; ")
    }
}

/// The parts of x along `axis` that the indices name. Inputs: x, indices (int64, negative ones count from the end).
///
/// The result is `[x before axis, indices…, x behind axis]`.
public struct Gather: OperatorPayload {
    package static let name = "Gather"
    /// The axis along which positions are picked.
    public var axis: Int

    /// A pick along an axis.
    public init(axis: Int = 0) {
        self.axis = axis
    }

    package var arity: ClosedRange<Int> { 2...2 }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        let (shape, indices) = (inputs[0].shape, inputs[1])
        let axis = try Shape.axis(axis, rank: shape.rank)
        guard indices.elementType == .int64 else { throw SpikeletError(.invalidModel, "the indices are \(indices), int64 is needed") }
        guard let size = shape[axis].known else {
            throw SpikeletError(
                .unsupported, "it picks samples from axis \(axis) of \(shape), the batch", remedy: "samples must stay whole")
        }
        if let tensor = constants[1], let bad = tensor.integers.first(where: { $0 < -Int64(size) || $0 >= Int64(size) }) {
            throw SpikeletError(
                .invalidModel, "index \(bad) is outside an axis of size \(size)",
                remedy: "if it counts places of a sequence, the table has no more of them: give shorter sequences")
        }
        let dimensions = Array(shape.dimensions[..<axis]) + indices.shape.dimensions + shape.dimensions[(axis + 1)...]
        return [ValueType(inputs[0].elementType, Shape(dimensions))]
    }

    package func linearity(isConstant: [Bool]) -> Linearity { isConstant.last == true ? .linear : .nonlinear }

    package var summary: String { "axis \(axis)" }
}

/// The input repeated along axes of size 1, and along new ones in front, up to the given sizes.
public struct Expand: OperatorPayload {
    package static let name = "Expand"
    /// All fixed; they may hold the open batch.
    public var sizes: [Reshape.Size]

    /// Repeats axes of size 1 up to these sizes.
    public init(sizes: [Reshape.Size]) {
        self.sizes = sizes
    }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        let target = try sizes.map { size -> Dimension in
            guard case .fixed(let constant, let factor) = size, Dimension(constant, batchFactor: factor).isSize else {
                throw SpikeletError(.invalidModel, "a value cannot be expanded to [\(summary)]")
            }
            return Dimension(constant, batchFactor: factor)
        }
        return [ValueType(inputs[0].elementType, try inputs[0].shape.broadcast(with: Shape(target)))]
    }

    package func linearity(isConstant: [Bool]) -> Linearity { .linear }

    /// The same with numbers for sizes that name the batch.
    public func closed(batch: Int) -> Expand { Expand(sizes: Reshape(sizes: sizes).closed(batch: batch).sizes) }

    package var summary: String { Reshape(sizes: sizes).summary }
}

/// The input repeated as a whole, `repeats[k]` times along axis k.
public struct Tile: OperatorPayload {
    package static let name = "Tile"
    /// How often each axis is repeated.
    public var repeats: [Int]

    /// A repetition.
    public init(repeats: [Int]) {
        self.repeats = repeats
    }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        let shape = inputs[0].shape
        let sizes = zip(shape.dimensions, repeats).compactMap { size, count in count >= 0 ? size * Dimension(count) : nil }
        guard repeats.count == shape.rank, sizes.count == shape.rank else {
            throw SpikeletError(.invalidModel, "a value of shape \(shape) cannot be repeated \(repeats) times")
        }
        return [ValueType(inputs[0].elementType, Shape(sizes))]
    }

    package func linearity(isConstant: [Bool]) -> Linearity { .linear }

    package var summary: String { "\(repeats)" }
}

/// More places before and after each axis; negative numbers take places away.
public struct Pad: OperatorPayload {
    /// What the new places hold; named as in ONNX.
    public enum Mode: String, Codable, Hashable, Sendable, CaseIterable {
        /// ``Pad/value``
        case constant
        /// The input mirrored at its outermost place, which is not repeated.
        case reflect
        /// The outermost place again.
        case edge
        /// The other end of the input.
        case wrap
    }

    package static let name = "Pad"
    /// What stands in the new places.
    public var mode: Mode
    /// One for each axis.
    public var begins: [Int]
    /// How many places are added behind each axis.
    public var ends: [Int]
    /// What they hold, in the mode constant.
    public var value: Float

    /// New places around a value; negative numbers cut.
    public init(mode: Mode = .constant, begins: [Int], ends: [Int], value: Float = 0) {
        self.mode = mode
        self.begins = begins
        self.ends = ends
        self.value = value
    }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        var shape = inputs[0].shape
        guard begins.count == shape.rank, ends.count == shape.rank,
            (begins + ends).allSatisfy({ $0.magnitude < 1 << 30 })
        else { throw SpikeletError(.invalidModel, "pads \(begins) and \(ends) for a value of shape \(shape)") }
        for axis in 0..<shape.rank where begins[axis] != 0 || ends[axis] != 0 {
            guard let size = shape[axis].known else {
                throw SpikeletError(.unsupported, "it pads axis \(axis) of \(shape), the batch", remedy: "samples must stay as they are")
            }
            let room = min(begins[axis], 0) + min(ends[axis], 0) + size
            let isPossible =
                switch mode {
                case .constant: room >= 0
                case .edge, .wrap: room >= 1
                case .reflect: room >= 1 && max(begins[axis], ends[axis]) < size
                }
            guard isPossible else {
                throw SpikeletError(
                    .invalidModel, "pads \(begins[axis]) and \(ends[axis]) (\(mode.rawValue)) for axis \(axis) of \(shape)")
            }
            shape.dimensions[axis] = Dimension(size + begins[axis] + ends[axis])
        }
        return [ValueType(inputs[0].elementType, shape)]
    }

    package func linearity(isConstant: [Bool]) -> Linearity { mode != .constant || value == 0 ? .linear : .nonlinear }

    package var summary: String {
        "\(begins) \(ends)" + (mode == .constant ? "" : " \(mode.rawValue)") + (value == 0 ? "" : ", value \(value)")
    }
}
