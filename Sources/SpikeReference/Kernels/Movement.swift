internal import SpikeGraph

/// What only moves elements: each operator says where each place of its result comes from.
extension Kernels {
    /// The flat places that a walk over `shape` visits, with these steps along its axes.
    static func places(_ shape: [Int], steps: [Int], from start: Int = 0) -> [Int] {
        guard let length = shape.last, let stride = steps.last else { return [start] }
        var rows = [start]
        for (size, step) in zip(shape.dropLast(), steps.dropLast()) {
            rows = rows.flatMap { base in (0..<size).map { base + $0 * step } }
        }
        var places: [Int] = []
        places.reserveCapacity(rows.count * length)
        for row in rows {
            for column in 0..<length { places.append(row + column * stride) }
        }
        return places
    }

    /// For each axis, how far apart its neighbours lie in memory.
    static func strides(_ shape: [Int]) -> [Int] {
        var strides = [Int](repeating: 1, count: shape.count)
        for axis in shape.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * shape[axis + 1] }
        return strides
    }

    /// The tensor with its axes in another order.
    static func transpose(_ x: Tensor, _ permutation: [Int]) -> Tensor {
        let (shape, strides) = (permutation.map { x.shape[$0] }, strides(x.shape))
        return x.picking(places(shape, steps: permutation.map { strides[$0] }), shape: shape)
    }

    /// The tensor repeated along axes of size 1 and along new ones.
    static func broadcast(_ x: Tensor, to shape: [Int]) -> Tensor {
        if x.shape == shape { return x }
        if x.count == 1 {
            let count = shape.reduce(1, *)
            return switch x.storage {
            case .float32(let values): Tensor([Float](repeating: values[0], count: count), shape: shape)
            case .int64(let values): Tensor([Int64](repeating: values[0], count: count), shape: shape)
            case .bool(let values): Tensor([Bool](repeating: values[0], count: count), shape: shape)
            }
        }
        let own = [Int](repeating: 1, count: shape.count - x.rank) + x.shape
        let steps = zip(own, strides(own)).map { $0 == 1 ? 0 : $1 }
        return x.picking(places(shape, steps: steps), shape: shape)
    }

    static func slice(_ slice: Slice, _ x: Tensor) throws -> Tensor {
        var (shape, steps, start) = (x.shape, strides(x.shape), 0)
        for cut in slice.cuts {
            let axis = try Shape.axis(cut.axis, rank: x.rank)
            let places = try cut.places(size: x.shape[axis])
            start += places.start * steps[axis]
            steps[axis] *= places.step
            shape[axis] = places.count
        }
        return x.picking(shape.contains(0) ? [] : places(shape, steps: steps, from: start), shape: shape)
    }

    /// - Throws: for an index outside the axis.
    static func gather(_ gather: Gather, _ x: Tensor, _ indices: Tensor) throws -> Tensor {
        let axis = try Shape.axis(gather.axis, rank: x.rank)
        let size = x.shape[axis]
        let rows = try indices.integers.map { index -> Int in
            guard index >= -Int64(size), index < Int64(size) else {
                throw SpikeletError(
                    .invalidData, "index \(index) is outside an axis of size \(size)",
                    remedy: "give token ids of the model's own vocabulary, from 0 to \(size - 1)")
            }
            return index < 0 ? Int(index) + size : Int(index)
        }
        let inner = x.shape[(axis + 1)...].reduce(1, *)
        var places: [Int] = []
        for outer in 0..<x.shape[..<axis].reduce(1, *) {
            for row in rows {
                let start = (outer * size + row) * inner
                places.append(contentsOf: start..<start + inner)
            }
        }
        return x.picking(places, shape: Array(x.shape[..<axis]) + indices.shape + x.shape[(axis + 1)...])
    }

    static func tile(_ tile: Tile, _ x: Tensor) -> Tensor {
        // [a, b] repeated [r, s] times is [1, a, 1, b] broadcast to [r, a, s, b].
        let apart = x.reshaped(to: x.shape.flatMap { [1, $0] })
        let repeated = broadcast(apart, to: zip(tile.repeats, x.shape).flatMap { [$0, $1] })
        return repeated.reshaped(to: zip(tile.repeats, x.shape).map { $0 * $1 })
    }

    static func pad(_ pad: Pad, _ x: Tensor) -> Tensor {
        let strides = strides(x.shape)
        var places = [0]
        for axis in x.shape.indices {
            let sources = (-pad.begins[axis]..<x.shape[axis] + pad.ends[axis]).map { place -> Int? in
                source(place, size: x.shape[axis], pad.mode).map { $0 * strides[axis] }
            }
            places = places.flatMap { base in
                sources.map { source in base < 0 ? -1 : source.map { base + $0 } ?? -1 }
            }
        }
        let shape = x.shape.indices.map { x.shape[$0] + pad.begins[$0] + pad.ends[$0] }
        return x.picking(places, shape: shape, fill: pad.value)
    }

    /// Where a place before, in or behind an axis takes its element from; `nil` for a constant.
    private static func source(_ place: Int, size: Int, _ mode: Pad.Mode) -> Int? {
        switch mode {
        case .constant: place >= 0 && place < size ? place : nil
        case .edge: min(max(place, 0), size - 1)
        case .reflect: place < 0 ? -place : place < size ? place : 2 * (size - 1) - place
        case .wrap: (place % size + size) % size
        }
    }
}

extension Tensor {
    /// The elements at these flat places, in this order; `fill` where a place is negative.
    func picking(_ places: [Int], shape: [Int], fill: Float = 0) -> Tensor {
        func pick<Element>(_ values: [Element], _ fill: Element) -> [Element] {
            values.withUnsafeBufferPointer { values in places.map { $0 < 0 ? fill : values[$0] } }
        }
        return switch storage {
        case .float32(let values): Tensor(pick(values, fill), shape: shape)
        case .int64(let values): Tensor(pick(values, Int64(exactly: fill) ?? 0), shape: shape)
        case .bool(let values): Tensor(pick(values, fill != 0), shape: shape)
        }
    }
}
