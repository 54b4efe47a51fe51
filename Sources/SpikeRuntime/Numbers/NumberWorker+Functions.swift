internal import CSpikeKernels
internal import SpikeGraph

// Functions of potentials, and where they lie.

extension NumberWorker {
    func function(_ value: NumberValue, _ function: spike_function, _ alpha: Float, _ beta: Float) -> NumberValue {
        let x = floats(value)
        let result = pool.value(x.shape, isChannelsLast: x.isChannelsLast)
        forParts(x.count) { range in
            var job = spike_function_job()
            (job.function, job.alpha, job.beta) = (function, alpha, beta)
            (job.x, job.y, job.count) = (UnsafePointer(x.floats + range.lowerBound), result.floats + range.lowerBound, range.count)
            kernels.function_f32(&job)
        }
        return result
    }

    /// Element by element, with NumPy's broadcasting.
    func pair(_ first: NumberValue, _ second: NumberValue, _ pair: spike_pair) throws -> NumberValue {
        var (a, b) = (floats(first), floats(second))
        let shape = try Shape(a.shape).broadcast(with: Shape(b.shape)).resolved(batch: 0)
        let isLast = shape.count > 2 && (a.isChannelsLast || b.isChannelsLast)
        if isLast {
            func placed(_ value: NumberValue) -> NumberValue {
                let padded = [Int](repeating: 1, count: shape.count - value.shape.count) + value.shape
                return channelsLast(value.viewedUnlessSame(as: padded))
            }
            (a, b) = (placed(a), placed(b))
        }
        let result = pool.value(shape, isChannelsLast: isLast)
        let run = PairedRuns(a.storedShape, b.storedShape)
        var job = spike_pair_job()
        (job.pair, job.a_step, job.b_step) = (pair, UInt8(run.aStep), UInt8(run.bStep))
        func part(_ row: Int, _ range: Range<Int>) {
            var job = job
            job.a = UnsafePointer(a.floats + run.aStarts[row] + range.lowerBound * run.aStep)
            job.b = UnsafePointer(b.floats + run.bStarts[row] + range.lowerBound * run.bStep)
            (job.y, job.count) = (result.floats + row * run.length + range.lowerBound, range.count)
            kernels.pair_f32(&job)
        }
        if run.aStarts.count == 1 {
            forParts(run.length) { part(0, $0) }
        } else {
            let together = max(1, 16384 / max(1, run.length))
            let rows = run.aStarts.count
            threads.forEach((rows + together - 1) / together) { index, _ in
                for row in index * together..<min((index + 1) * together, rows) { part(row, 0..<run.length) }
            }
        }
        return result
    }

    func standardised(
        _ value: NumberValue, axes: Int, epsilon: Float, isCentred: Bool, gain: Memory?, bias: Memory?
    ) -> NumberValue {
        let x = inOrder(floats(value))
        let result = pool.value(x.shape)
        let length = x.shape.suffix(axes).reduce(1, *)
        guard length > 0 else { return result }
        forParts(x.count, multipleOf: length) { range in
            var job = spike_standardisation()
            (job.x, job.y) = (UnsafePointer(x.floats + range.lowerBound), result.floats + range.lowerBound)
            (job.rows, job.length, job.epsilon, job.is_centred) = (range.count / length, length, Double(epsilon), isCentred)
            (job.gain, job.bias) = (gain.map { UnsafePointer($0.floats) }, bias.map { UnsafePointer($0.floats) })
            kernels.standardise_f32(&job)
        }
        return result
    }

    /// - Parameter axes: neighbours.
    func reduced(_ value: NumberValue, _ reduction: spike_reduction, _ axes: Set<Int>, _ keepsDimensions: Bool) -> NumberValue {
        var x = floats(value)
        let rank = x.shape.count
        let kept = x.shape.indices.compactMap { axes.contains($0) ? (keepsDimensions ? 1 : nil) : x.shape[$0] }
        let isOfPlaces = rank > 2 && axes == Set(2..<rank)
        // Where channels lie last, places are neighbours too, and so are channels.
        if x.isChannelsLast, !isOfPlaces, axes != [1] { x = inOrder(x) }
        let stored = x.storedShape
        let first = x.isChannelsLast ? (isOfPlaces ? 1 : rank - 1) : axes.min() ?? 0
        let last = first + axes.count
        let staysLast = x.isChannelsLast && keepsDimensions
        let result = pool.value(kept, isChannelsLast: staysLast)
        let (outer, length, inner) = (
            stored[..<first].reduce(1, *), stored[first..<last].reduce(1, *), stored[last...].reduce(1, *)
        )
        guard outer > 0, inner > 0 else { return result }
        let together = max(1, 16384 / max(1, length * inner))
        threads.forEach((outer + together - 1) / together) { index, _ in
            let begin = index * together
            var job = spike_reduction_job()
            (job.reduction, job.outer, job.length, job.inner) = (reduction, min(together, outer - begin), length, inner)
            (job.x, job.y) = (UnsafePointer(x.floats + begin * length * inner), result.floats + begin * inner)
            kernels.reduce_f32(&job)
        }
        return result
    }

    func softmax(_ value: NumberValue) throws -> NumberValue {
        let x = inOrder(floats(value))
        let last: Set<Int> = [x.shape.count - 1]
        let largest = reduced(x, SPIKE_REDUCE_MAXIMUM, last, true)
        let powers = function(try pair(x, largest, SPIKE_PAIR_SUBTRACT), SPIKE_FUNCTION_EXP, 0, 0)
        return try pair(powers, reduced(powers, SPIKE_REDUCE_SUM, last, true), SPIKE_PAIR_DIVIDE)
    }

    /// - Parameter operator: a reshape or the like.
    func viewed(_ value: NumberValue, _ operator: Operator) throws -> NumberValue {
        var payload = `operator`.payload
        if case .reshape(let reshape) = `operator` { payload = reshape.closed(batch: samples) }
        let shape = try payload.outputTypes([ValueType(.float32, Shape(value.shape))], constants: [nil])[0].shape.resolved(batch: samples)
        if shape == value.shape { return value }
        let x = inOrder(value.steps.count > 1 ? floats(value) : value)
        return x.viewed(as: shape)
    }

    func transposed(_ value: NumberValue, _ permutation: [Int]) -> NumberValue {
        let value = value.steps.count > 1 ? floats(value) : value
        let shape = permutation.map { value.shape[$0] }
        let rank = value.shape.count
        if rank > 2 {
            // To channels last and back is a matter of what it is called.
            if value.isChannelsLast, permutation == [0] + Array(2..<rank) + [1] { return value.viewed(as: shape) }
            if !value.isChannelsLast, permutation == [0, rank - 1] + Array(1..<rank - 1) {
                return value.viewed(as: shape, isChannelsLast: true)
            }
        }
        let x = inOrder(value)
        return permuted(x, stored: x.shape, permutation, as: shape)
    }

    func sliced(_ value: NumberValue, _ slice: Slice) throws -> NumberValue {
        let x = inOrder(value.steps.count > 1 ? floats(value) : value)
        var (shape, first) = (x.shape, 0)
        let whole = Self.strides(x.shape)
        var strides = whole
        for cut in slice.cuts {
            let axis = try Shape.axis(cut.axis, rank: x.shape.count)
            let places = try cut.places(size: x.shape[axis])
            shape[axis] = places.count
            first += places.start * whole[axis]
            strides[axis] = whole[axis] * places.step
        }
        let result = pool.value(shape, kind: x.kind, steps: x.steps, largest: x.largest)
        if shape.contains(0) { return result }
        copy(from: x.start + first * x.kind.size, to: result.start, sizes: shape, strides: strides, x.kind.size)
        return result
    }

    func picked(_ value: NumberValue, axis: Int, places: [Int], shape: [Int]) -> NumberValue {
        let x = inOrder(value.steps.count > 1 ? floats(value) : value)
        let result = pool.value(
            Array(x.shape[..<axis]) + shape + x.shape[(axis + 1)...], kind: x.kind, steps: x.steps, largest: x.largest)
        let (outer, size, bytes) = (x.shape[..<axis].reduce(1, *), x.shape[axis], x.shape[(axis + 1)...].reduce(1, *) * x.kind.size)
        for row in 0..<outer {
            for (index, place) in places.enumerated() {
                (result.start + (row * places.count + index) * bytes).copyMemory(
                    from: x.start + (row * size + place) * bytes, byteCount: bytes)
            }
        }
        return result
    }

    func joined(_ inputs: [NumberValue], axis: Int) throws -> NumberValue {
        let isLast = inputs[0].shape.count > 2 && inputs.allSatisfy(\.isChannelsLast)
        let parts = inputs.map { isLast ? floats($0) : inOrder(floats($0)) }
        let position = try Shape.axis(axis, rank: parts[0].shape.count)
        var shape = parts[0].shape
        shape[position] = parts.reduce(0) { $0 + $1.shape[position] }
        let result = pool.value(shape, isChannelsLast: isLast)
        let at = isLast ? (position == 0 ? 0 : position == 1 ? shape.count - 1 : position - 1) : position
        let stored = result.storedShape
        let (outer, row) = (stored[..<at].reduce(1, *), stored[at...].reduce(1, *))
        var begin = 0
        for part in parts {
            let length = part.storedShape[at...].reduce(1, *)
            for index in 0..<outer { (result.floats + index * row + begin).update(from: part.floats + index * length, count: length) }
            begin += length
        }
        return result
    }
}

extension NumberValue {
    fileprivate func viewedUnlessSame(as shape: [Int]) -> NumberValue {
        shape == self.shape ? self : viewed(as: shape)
    }
}

/// Two operands of a broadcast in runs: those of row r begin at `aStarts[r]` and `bStarts[r]`, and go on by their steps, 1 or 0.
private struct PairedRuns {
    let aStarts: [Int]
    let bStarts: [Int]
    let length: Int
    let aStep: Int
    let bStep: Int

    init(_ a: [Int], _ b: [Int]) {
        let rank = max(a.count, b.count)
        let first = [Int](repeating: 1, count: rank - a.count) + a
        let second = [Int](repeating: 1, count: rank - b.count) + b
        // Axes that both have, or one has, join their neighbours of the same kind.
        var sizes: [(a: Int, b: Int)] = []
        for (x, y) in zip(first, second) where x != 1 || y != 1 {
            if let last = sizes.last, (last.a == last.b) == (x == y), (last.a == 1) == (x == 1), (last.b == 1) == (y == 1) {
                sizes[sizes.count - 1] = (last.a * x, last.b * y)
            } else {
                sizes.append((x, y))
            }
        }
        let inner = sizes.popLast() ?? (1, 1)
        length = max(inner.a, inner.b)
        (aStep, bStep) = (inner.a == 1 && inner.b != 1 ? 0 : 1, inner.b == 1 && inner.a != 1 ? 0 : 1)
        let shape = sizes.map { max($0.a, $0.b) }
        aStarts = NumberWorker.starts(sizes.map(\.a), in: shape).map { [inner] in $0 * inner.a }
        bStarts = NumberWorker.starts(sizes.map(\.b), in: shape).map { [inner] in $0 * inner.b }
    }
}
