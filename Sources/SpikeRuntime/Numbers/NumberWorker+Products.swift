internal import CSpikeKernels
internal import SpikeGraph

// What weights, and other numbers, make of numbers.

extension NumberWorker {
    /// Rows that one thread takes at a time: they stay in its cache while it goes through the panels.
    private static let rowsTogether = 384

    /// The last axis, times weights.
    func rows(_ value: NumberValue, _ panels: NumberStage.Panels) -> NumberValue {
        let x = inOrder(numbers(panels.kind, value))
        let result = pool.value(x.shape.dropLast() + [panels.columns])
        let count = x.shape.dropLast().reduce(1, *)
        products(panels, rows: x.start, stride: panels.depth, count: count, out: result.floats, outStride: panels.columns)
        return result
    }

    /// The kind of numbers that a kernel reads.
    private func numbers(_ kind: NumberKind, _ value: NumberValue) -> NumberValue {
        precondition(kind == .floats || kind == value.kind, "8-bit weights read the numbers that they were packed for")
        return kind == .floats ? floats(value) : value
    }

    private func products(
        _ panels: NumberStage.Panels, rows: UnsafeMutableRawPointer, stride: Int, count: Int, out: UnsafeMutablePointer<Float>,
        outStride: Int
    ) {
        var job = spike_row_products()
        (job.row_stride, job.depth, job.out_stride) = (stride, Int32(panels.groups), outStride)
        let blocks = (count + Self.rowsTogether - 1) / Self.rowsTogether
        let width = Int(SPIKE_PANEL)
        let all = (panels.columns + width - 1) / width
        // Few rows: threads share the columns.
        let shares = blocks >= threads.count ? 1 : min(all, (threads.count + blocks - 1) / max(1, blocks))
        nonisolated(unsafe) let (rows, out) = (rows, out)
        threads.forEach(blocks * shares) { [job] index, _ in
            var job = job
            let (block, share) = (index / shares, index % shares)
            let first = block * Self.rowsTogether
            let columns = share * all / shares * width..<min((share + 1) * all / shares * width, panels.columns)
            guard !columns.isEmpty else { return }
            job.row_count = Int32(min(Self.rowsTogether, count - first))
            job.columns = Int32(columns.count)
            job.rows = UnsafeRawPointer(rows + first * stride * panels.kind.size)
            job.panels = UnsafeRawPointer(panels.weights.start + columns.lowerBound * panels.groups * 4)
            job.start = panels.start.map { UnsafePointer($0.integers + columns.lowerBound) }
            job.scale = panels.scale.map { UnsafePointer($0.floats + columns.lowerBound) }
            job.bias = panels.bias.map { UnsafePointer($0.floats + columns.lowerBound) }
            job.out = out + first * outStride + columns.lowerBound
            run(panels.kind, &job)
        }
    }

    private func run(_ kind: NumberKind, _ job: inout spike_row_products) {
        switch kind {
        case .floats: kernels.rows_f32(&job)
        case .bytes: kernels.rows_i8(&job)
        case .shorts: kernels.rows_i16(&job)
        }
    }

    func convolution(_ value: NumberValue, _ convolution: NumberStage.Convolution) throws -> NumberValue {
        let kind = convolution.groups[0].kind
        let x = channelsLast(numbers(kind, value))
        let places = Array(x.shape[2...])
        let layout = Layout(
            channels: convolution.inputChannels, height: places.count > 1 ? places[0] : 1, width: places.last ?? 1)
        let window = try spike_window(convolution.window, over: layout)
        let placement = try convolution.window.placement(over: places)
        let result = pool.value([x.shape[0], convolution.outputChannels] + placement.output, isChannelsLast: true)
        let positions = placement.output.reduce(1, *)
        let groupChannels = convolution.inputChannels / convolution.groups.count
        let groupFeatures = convolution.outputChannels / convolution.groups.count
        if window.isPointwise {
            for (group, panels) in convolution.groups.enumerated() {
                products(
                    panels, rows: x.start + group * groupChannels * kind.size, stride: convolution.inputChannels,
                    count: x.shape[0] * positions,
                    out: result.floats + group * groupFeatures, outStride: convolution.outputChannels)
            }
            return result
        }
        // Rows of what each position sees, made for some positions at a time.
        let depth = groupChannels * window.places
        let stride = (depth + kind.group - 1) / kind.group * kind.group
        let together = max(6, min(positions, (1 << 18) / max(1, stride * kind.size)))
        let pieces = (positions + together - 1) / together
        let rowBytes = stride * kind.size
        let buffers = (0..<min(threads.count, pieces * x.shape[0])).map { _ in pool.value([together * rowBytes], kind: .bytes(offset: 0)) }
        nonisolated(unsafe) let (x0, out, spaces) = (x.start, result.floats, buffers.map(\.start))
        threads.forEach(pieces * x.shape[0]) { index, slot in
            let (sample, piece) = (index / pieces, index % pieces)
            let first = piece * together
            let count = min(together, positions - first)
            for (group, panels) in convolution.groups.enumerated() {
                var unrolling = spike_unrolling()
                unrolling.window = window
                (unrolling.pixel_bytes, unrolling.channel_bytes) = (convolution.inputChannels * kind.size, groupChannels * kind.size)
                (unrolling.row_bytes, unrolling.padding) = (rowBytes, UInt8(kind.offset))
                unrolling.image = UnsafeRawPointer(
                    x0 + (sample * layout.height * layout.width * convolution.inputChannels + group * groupChannels) * kind.size)
                spike_unroll_rows(&unrolling, Int32(first), Int32(count), spaces[slot])
                var job = spike_row_products()
                (job.rows, job.row_stride, job.panels) = (UnsafeRawPointer(spaces[slot]), stride, UnsafeRawPointer(panels.weights.start))
                (job.depth, job.row_count, job.columns) = (Int32(panels.groups), Int32(count), Int32(panels.columns))
                job.start = panels.start.map { UnsafePointer($0.integers) }
                job.scale = panels.scale.map { UnsafePointer($0.floats) }
                job.bias = panels.bias.map { UnsafePointer($0.floats) }
                job.out = out + (sample * positions + first) * convolution.outputChannels + group * groupFeatures
                job.out_stride = convolution.outputChannels
                run(kind, &job)
            }
        }
        return result
    }

    func depthwise(_ value: NumberValue, _ depthwise: NumberStage.Depthwise) throws -> NumberValue {
        let x = channelsLast(floats(value))
        let places = Array(x.shape[2...])
        let layout = Layout(channels: x.shape[1], height: places.count > 1 ? places[0] : 1, width: places.last ?? 1)
        var job = spike_depthwise()
        job.window = try spike_window(depthwise.window, over: layout)
        let placement = try depthwise.window.placement(over: places)
        let result = pool.value([x.shape[0], x.shape[1]] + placement.output, isChannelsLast: true)
        (job.channels, job.weights) = (Int32(x.shape[1]), UnsafePointer(depthwise.weights.floats))
        job.bias = depthwise.bias.map { UnsafePointer($0.floats) }
        let height = Int(job.window.out_height)
        let (size, outSize) = (layout.height * layout.width * x.shape[1], placement.output.reduce(1, *) * x.shape[1])
        let shares = min(height, max(1, (threads.count + x.shape[0] - 1) / x.shape[0]))
        threads.forEach(x.shape[0] * shares) { [job] index, _ in
            var job = job
            let (sample, share) = (index / shares, index % shares)
            (job.image, job.out) = (UnsafePointer(x.floats + sample * size), result.floats + sample * outSize)
            (job.row_begin, job.row_end) = (Int32(share * height / shares), Int32((share + 1) * height / shares))
            kernels.depthwise_f32(&job)
        }
        return result
    }

    /// NumPy's matmul of two values of two or more axes: in whole numbers where both are, and their sums stay within 32 bits.
    func matrices(_ first: NumberValue, _ second: NumberValue) throws -> NumberValue {
        func isWhole(_ value: NumberValue) -> Bool { value.kind != .floats && value.steps.count == 1 }
        let (a0, b0) = (inOrder(first), inOrder(second))
        let (rows, depth, columns) = (a0.shape[a0.shape.count - 2], a0.shape[a0.shape.count - 1], b0.shape[b0.shape.count - 1])
        let largest = Double(a0.largest) * Double(b0.largest) * Double(depth)
        let usesWhole = isWhole(a0) && isWhole(b0) && largest < Double(1 << 31)
        let (a, b) = usesWhole ? (shorts(a0), shorts(b0)) : (floats(a0), floats(b0))
        let (aLead, bLead) = (Array(a.shape.dropLast(2)), Array(b.shape.dropLast(2)))
        let lead = try Shape(aLead).broadcast(with: Shape(bLead)).resolved(batch: 0)
        let result = pool.value(lead + [rows, columns])
        let (aStarts, bStarts) = (Self.starts(aLead, in: lead), Self.starts(bLead, in: lead))
        let width = Int(SPIKE_PANEL)
        let all = (columns + width - 1) / width
        let groups = (depth + a.kind.group - 1) / a.kind.group
        let scales = usesWhole ? [Float](repeating: a.steps[0] * b.steps[0], count: all * width) : []
        let slots = min(threads.count, max(1, aStarts.count))
        let spaces = (0..<slots).map { _ in pool.value([all * width * groups]) }
        // Rows of an odd number of shorts end in the next one, whose weight is 0.
        let stride = depth
        nonisolated(unsafe) let (aStart, bStart, out, packs) = (a.start, b.start, result.floats, spaces.map(\.start))
        let size = a.kind.size
        threads.forEach(aStarts.count) { index, slot in
            let (i, j) = (aStarts[index], bStarts[index])
            let matrix = bStart + j * depth * columns * size
            if usesWhole {
                spike_pack_i16(
                    matrix.assumingMemoryBound(to: Int16.self), columns, 1, Int32(depth), Int32(columns),
                    packs[slot].assumingMemoryBound(to: Int16.self))
            } else {
                spike_pack_f32(
                    matrix.assumingMemoryBound(to: Float.self), columns, 1, Int32(depth), Int32(columns),
                    packs[slot].assumingMemoryBound(to: Float.self))
            }
            scales.withUnsafeBufferPointer { scales in
                var job = spike_row_products()
                (job.rows, job.row_stride) = (UnsafeRawPointer(aStart + i * rows * depth * size), stride)
                (job.panels, job.depth, job.row_count, job.columns) = (
                    UnsafeRawPointer(packs[slot]), Int32(groups), Int32(rows), Int32(columns)
                )
                job.scale = usesWhole ? scales.baseAddress : nil
                (job.out, job.out_stride) = (out + index * rows * columns, columns)
                run(a.kind, &job)
            }
        }
        return result
    }

    private func shorts(_ value: NumberValue) -> NumberValue {
        guard case .bytes(let offset) = value.kind else { return value }
        let result = pool.value(
            value.shape, isChannelsLast: value.isChannelsLast, kind: .shorts, steps: value.steps, largest: value.largest)
        forParts(value.count) { range in
            spike_widen(value.bytes + range.lowerBound, offset, range.count, result.shorts + range.lowerBound)
        }
        return result
    }

    /// For each matrix of a broadcast, the number of the one that is read.
    static func starts(_ lead: [Int], in shape: [Int]) -> [Int] {
        let padded = [Int](repeating: 1, count: shape.count - lead.count) + lead
        let strides = strides(padded)
        var starts = [0]
        for axis in shape.indices {
            let stride = padded[axis] == 1 ? 0 : strides[axis]
            starts = starts.flatMap { start in (0..<shape[axis]).map { start + $0 * stride } }
        }
        return starts
    }
}
