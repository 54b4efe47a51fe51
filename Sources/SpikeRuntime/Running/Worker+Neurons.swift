internal import CSpikeKernels
internal import SpikeGraph

extension Worker {
    /// Synapses, integration, firing and packing of one layer, for all samples and the steps of a block.
    func run(_ stage: NeuronStage, _ index: Int, _ block: Block) throws {
        for branch in stage.branches where !makeNumbers(branch, block) {
            if let view = branch.view { try makeLists(view, block) }
        }
        let added = stage.branches.map { branch -> Buffer? in
            switch branch.kind {
            case .values(let name): return unitValues(name, branch, stage, block)
            case .counted(let signal, let isMinus, let channels, let pool):
                return counts(of: signal, isMinus: isMinus, channels: channels, pool: pool, block)
            default: return nil
            }
        }
        let train = stage.target.map { makeTrain($0, block) }
        let lanes = stage.lanes
        let stateBytes = samples * lanes.blocks * lanes.count * 4
        let keepsState = stage.target == nil || program.schedule == .streaming && !block.isWhole
        if keepsState, memory.membranes[index] == nil {
            let membrane = Buffer()
            membrane.reserve(stateBytes)
            for block in 0..<samples * lanes.blocks {
                (membrane.start + block * lanes.count * 4).copyMemory(from: stage.initial.start, byteCount: lanes.count * 4)
            }
            memory.membranes[index] = membrane
            if stage.rule.kind == SPIKE_NEURON_SIGNED {
                memory.memories[index] = Buffer(zeros: stateBytes)
            }
        }
        if stage.target == nil, recording.keepsSteps {
            let record = memory.records[index] ?? Buffer()
            record.reserve(stateBytes * block.steps)
            memory.records[index] = record
        }

        // A tile's weights stay in the cache for all samples and rows; rows are split only where there are too few pieces.
        let pieces = lanes.tiles * samples
        let parts = threads.count > 1 ? min(stage.layout.height, (4 * threads.count + pieces - 1) / pieces) : 1
        var saturated = [UInt64](repeating: 0, count: threads.count)
        // Where numbers are read, several places of the output are worked on together.
        let together = block.hasNumbers ? Int(SPIKE_POSITIONS) : 1
        for slot in 0..<threads.count { _ = memory.scratch(slot, bytes: together * block.steps * lanes.tile * 4) }
        saturated.withUnsafeMutableBufferPointer { saturated in
            nonisolated(unsafe) let saturated = saturated
            threads.forEach(pieces * parts) { piece, slot in
                let (part, number) = (piece % parts, piece / parts)
                let height = stage.layout.height
                run(
                    stage, index, block, tile: number / samples, sample: number % samples,
                    rows: part * height / parts..<(part + 1) * height / parts, added: added,
                    scratch: memory.scratch(slot, bytes: 0), saturations: saturated.baseAddress.map { $0 + slot })
            }
        }
        saturations += saturated.reduce(0, +)
        if let target = stage.target, train != nil { record(stage, target, block) }
    }

    private func run(
        _ stage: NeuronStage, _ index: Int, _ block: Block, tile: Int, sample: Int, rows: Range<Int>, added: [Buffer?],
        scratch: UnsafeMutableRawPointer, saturations: UnsafeMutablePointer<UInt64>?
    ) {
        let lanes = stage.lanes
        let first = tile * lanes.tile
        let size = lanes.blocks * lanes.count
        var branches: [spike_branch] = []
        branches.reserveCapacity(stage.branches.count)
        for (branch, added) in zip(stage.branches, added)
        where lanes.block > 1 || branch.firstTarget < first + lanes.tile && branch.firstTarget + branch.targetCount > first {
            branches.append(self.branch(branch, stage, block, tile: tile, sample: sample, added: added))
        }
        var job = spike_stage()
        job.branch_count = Int32(branches.count)
        job.tile = Int32(lanes.tile)
        job.out_width = Int32(lanes.columns)
        job.pixels = Int64(lanes.blocks)
        job.row_begin = Int32(rows.lowerBound)
        job.row_end = Int32(rows.upperBound)
        job.steps = Int32(block.steps)
        job.integers = stage.isInteger
        job.shift = Int32(stage.shift)
        if stage.evaluatesOffset, let offset = memory.offsets[index] {
            let varies = block.variesInTime && !stage.hasConstantOffset
            let part = stage.hasConstantOffset ? 0 : sample * (varies ? block.steps : 1)
            job.offsets = UnsafeRawPointer(offset.start + (part * size + first) * 4)
            job.offset_pixel_stride = Int64(lanes.count)
            job.offset_step_stride = varies ? Int64(size) : 0
        } else if let offset = stage.offsets {
            job.offsets = UnsafeRawPointer(offset.start + first * 4)
        }
        job.offsets_last_only = program.code.constantsComeLast
        job.layer_synchronous = program.schedule == .layerSynchronous
        job.growth = Int32(stage.rule.growth)
        job.neuron = stage.rule.kind
        job.rounding = stage.rounding.map { UnsafeRawPointer($0.start + first * 4) }
        job.fire.threshold = UnsafeRawPointer(stage.threshold.start + first * 4)
        job.fire.reset = stage.reset.map { UnsafeRawPointer($0.start + first * 4) }
        job.fire.limit = Int32(clamping: stage.rule.limit)
        job.fire.halving = stage.rule.exponent != nil
        job.fire.exponent = Int32(stage.rule.exponent ?? 0)
        job.silent = stage.rule.exponent.map { Int32(max(0, block.steps - 1 - $0)) } ?? 0
        let isProven = steps + block.steps <= stage.provenSteps
        job.fire.saturations = isProven ? nil : saturations
        let state = (sample * size + first) * 4
        job.membranes = memory.membranes[index].map { $0.start + state }
        job.memories = memory.memories[index].map { $0.start + state }
        job.state_stride = Int64(lanes.count)
        job.initial = UnsafeRawPointer(stage.initial.start + first * 4)
        if let target = stage.target, let plane = plane(target, sample: sample, isMinus: false, block) {
            let signal = program.signals[target]
            let firing = lanes.firing(tile: tile)
            job.fire.lanes = Int32(firing.usual)
            job.last_lanes = Int32(firing.last)
            var strides = signal.strides
            strides.pixel *= lanes.block
            if signal.encoding == .counts {
                job.counts = plane.assumingMemoryBound(to: Int16.self) + first
                job.count_strides = strides
            } else {
                job.plus = plane.assumingMemoryBound(to: UInt8.self) + first / 8
                job.strides = strides
            }
            if signal.encoding == .signed {
                job.minus = self.plane(target, sample: sample, isMinus: true, block).map {
                    $0.assumingMemoryBound(to: UInt8.self) + first / 8
                }
            }
        }
        if stage.target == nil, let record = memory.records[index] {
            job.record = record.start + (sample * block.steps * size + first) * 4
            job.record_pixel_stride = Int64(lanes.count)
            job.record_step_stride = Int64(size)
        }
        job.scratch = scratch
        branches.withUnsafeBufferPointer { branches in
            job.branches = branches.baseAddress
            spike_run_stage(&job, table)
        }
    }

    /// A branch as the kernels see it, for one tile and one sample.
    private func branch(_ branch: Branch, _ stage: NeuronStage, _ block: Block, tile: Int, sample: Int, added: Buffer?) -> spike_branch {
        var result = spike_branch()
        result.window = branch.window
        result.negative = branch.isNegative
        result.channels = Int32(branch.entryStride)
        result.rows = Int32(branch.rows)
        result.each_column = branch.window.dilation_x != 1 || branch.rows > Limits.column
        result.weights = UnsafeRawPointer(branch.weights.start + tile * branch.tileBytes)
        let first = tile * stage.lanes.tile
        switch branch.kind {
        case .gather(let number), .scatter(let number):
            if case .gather = branch.kind {
                result.kind = SPIKE_BRANCH_GATHER
            } else {
                result.kind = SPIKE_BRANCH_SCATTER
                result.scatter_offset = Int32(branch.firstTarget - first)
            }
            let stride = program.views[number].startCount
            if let list = memory.lists[number] {
                result.lists.entries = UnsafePointer(list.entries.entries + sample * list.stride)
                result.lists.starts = UnsafePointer(list.starts.starts + sample * block.steps * stride)
                result.lists.step_stride = stride
            } else if let dense = branch.dense,
                let numbers = numbers(
                    of: program.views[number].signal, channel: program.views[number].channels.lowerBound, sample: sample)
            {
                result.kind = SPIKE_BRANCH_DENSE
                (result.numbers, result.zeros, result.strides) = (numbers.start, numbers.zeros, numbers.strides)
                result.largest = 1 << Int32(block.steps) - 1
                result.weights = UnsafeRawPointer(dense.weights.start + tile * dense.tileBytes)
            }
        case .masked(let signal, let isMinus, let firstChannel):
            let channel = firstChannel + first - branch.firstTarget
            result.masked_shift = Int32(branch.shift)
            if branch.readsNumbers, let numbers = numbers(of: signal, channel: channel, sample: sample) {
                result.kind = SPIKE_BRANCH_WEIGHTED
                (result.bits, result.strides) = (numbers.start, numbers.strides)
            } else {
                result.kind = SPIKE_BRANCH_MASKED
                result.strides = program.signals[signal].strides
                result.bits = plane(signal, sample: sample, isMinus: isMinus, block).map {
                    UnsafePointer($0.assumingMemoryBound(to: UInt8.self) + channel / 8)
                }
            }
        case .counted(_, _, let channels, _):
            result.kind = SPIKE_BRANCH_COUNTED
            result.rows = Int32(channels.count)
            result.value_stride = Int64(branch.entryStride)
            result.values = added.map { UnsafeRawPointer($0.start + sample * block.steps * branch.entryStride * 4) }
        case .values:
            result.kind = SPIKE_BRANCH_VALUES
            result.value_stride = Int64(stage.lanes.count)
            result.values = added.map {
                UnsafeRawPointer($0.start + (sample * block.steps * stage.lanes.blocks * stage.lanes.count + first) * 4)
            }
        }
        return result
    }

    /// The spikes of each channel in a pool that is the whole picture: [samples][steps][channels, whole bytes of them].
    private func counts(of number: Int, isMinus: Bool, channels: Range<Int>, pool: spike_window, _ block: Block) -> Buffer {
        let signal = program.signals[number]
        let bytes = (channels.count + 7) / 8
        let sums = Buffer(zeros: samples * block.steps * bytes * 8 * 4)
        threads.forEach(samples) { sample, _ in
            guard let plane = plane(number, sample: sample, isMinus: isMinus, block) else { return }
            spike_sum_bits(
                plane.assumingMemoryBound(to: UInt8.self) + channels.lowerBound / 8, signal.strides, Int32(block.steps),
                pool.kernel_height, pool.kernel_width, Int32(bytes), sums.floats + sample * block.steps * bytes * 8)
        }
        return sums
    }

    /// Counts a layer's spikes.
    private func record(_ stage: NeuronStage, _ target: Int, _ block: Block) {
        let signal = program.signals[target]
        var total = 0
        let size = stage.layout.count
        if recording.countsSpikes, memory.counts[stage.name] == nil {
            memory.counts[stage.name] = Buffer(zeros: samples * size * 4)
        }
        for sample in 0..<samples {
            for isMinus in signal.encoding == .signed ? [false, true] : [false] {
                guard let plane = plane(target, sample: sample, isMinus: isMinus, block) else { continue }
                total += count(plane, signal, steps: block.steps)
                guard recording.countsSpikes, let counts = memory.counts[stage.name] else { continue }
                addCounts(of: target, sample: sample, isMinus: isMinus, block, to: counts.floats + sample * size)
            }
        }
        totals[stage.name, default: 0] += total
    }

    /// Adds what each neuron sends (or takes back) in a block to numbers [channels][pixels].
    func addCounts(of number: Int, sample: Int, isMinus: Bool, _ block: Block, to target: UnsafeMutablePointer<Float>) {
        let signal = program.signals[number]
        guard let plane = plane(number, sample: sample, isMinus: isMinus, block) else { return }
        guard signal.encoding == .counts else {
            spike_count_bits(
                plane.assumingMemoryBound(to: UInt8.self), signal.strides, Int32(block.steps), Int32(signal.layout.height),
                Int32(signal.layout.width), Int32(signal.layout.channels), target)
            return
        }
        let spikes = plane.assumingMemoryBound(to: Int16.self)
        let pixels = signal.layout.pixels
        for place in 0..<block.steps * pixels {
            for channel in 0..<signal.layout.channels {
                target[channel * pixels + place % pixels] += Float(
                    spikes[place / pixels * signal.strides.step + place % pixels * signal.channelStride + channel])
            }
        }
    }

    /// Max pooling of a spike train.
    func run(_ stage: PoolStage, _ index: Int, _ block: Block) {
        let (source, target) = (program.signals[stage.source], program.signals[stage.target])
        _ = makeTrain(stage.target, block)
        let isCounts = source.encoding == .counts
        let sumStride = (source.channelStride + 15) / 16 * 16
        let sumBytes = samples * source.layout.pixels * sumStride * 4
        let keepsSums = !block.isWhole && !stage.isInstantaneous
        if keepsSums, memory.poolSums[index] == nil {
            memory.poolSums[index] = Buffer(zeros: sumBytes)
        }
        // A latency code is not run in spikes.
        let growth = Int32(program.code.base)
        let parts = threads.parts(of: target.layout.height, samples: samples)
        threads.forEach(samples * parts.count) { piece, _ in
            let (sample, rows) = (piece / parts.count, parts[piece % parts.count])
            var job = spike_pool()
            let plus = plane(stage.source, sample: sample, isMinus: false, block)
            let out = plane(stage.target, sample: sample, isMinus: false, block)
            if isCounts {
                job.counts = plus.map { UnsafePointer($0.assumingMemoryBound(to: Int16.self)) }
                job.out_counts = out?.assumingMemoryBound(to: Int16.self)
            } else {
                job.plus = plus.map { UnsafePointer($0.assumingMemoryBound(to: UInt8.self)) }
                job.out_plus = out?.assumingMemoryBound(to: UInt8.self)
            }
            if source.encoding == .signed {
                job.minus = plane(stage.source, sample: sample, isMinus: true, block).map {
                    UnsafePointer($0.assumingMemoryBound(to: UInt8.self))
                }
                job.out_minus = plane(stage.target, sample: sample, isMinus: true, block)?.assumingMemoryBound(to: UInt8.self)
            }
            job.strides = source.strides
            job.out_strides = target.strides
            job.channels = Int32(source.layout.channels)
            job.sum_stride = Int32(sumStride)
            job.steps = Int32(block.steps)
            job.row_begin = Int32(rows.lowerBound)
            job.row_end = Int32(rows.upperBound)
            job.growth = growth
            job.instantaneous = stage.isInstantaneous
            job.sums = memory.poolSums[index].map { UnsafePointer($0.integers + sample * source.layout.pixels * sumStride) }
            job.window = stage.window
            (isCounts ? table.pointee.pool_counts : table.pointee.pool_bits)?(&job)
        }
        guard keepsSums else { return }
        threads.forEach(samples) { sample, _ in
            var update = spike_pool_sums()
            let plus = plane(stage.source, sample: sample, isMinus: false, block)
            if isCounts {
                update.counts = plus.map { UnsafePointer($0.assumingMemoryBound(to: Int16.self)) }
            } else {
                update.plus = plus.map { UnsafePointer($0.assumingMemoryBound(to: UInt8.self)) }
            }
            if source.encoding == .signed {
                update.minus = plane(stage.source, sample: sample, isMinus: true, block).map {
                    UnsafePointer($0.assumingMemoryBound(to: UInt8.self))
                }
            }
            update.sums = memory.poolSums[index].map { $0.integers + sample * source.layout.pixels * sumStride }
            update.strides = source.strides
            update.sum_stride = Int32(sumStride)
            update.height = Int32(source.layout.height)
            update.width = Int32(source.layout.width)
            update.channels = Int32(source.layout.channels)
            update.steps = Int32(block.steps)
            update.growth = growth
            table.pointee.pool_sums?(&update)
        }
    }

    /// A spike train's pixels at other places.
    func run(_ stage: MoveStage, _ block: Block) {
        let (source, target) = (program.signals[stage.source], program.signals[stage.target])
        _ = makeTrain(stage.target, block)
        // Counts are two bytes each.
        let unit = source.encoding == .counts ? 2 : 1
        func bytes(_ strides: spike_strides) -> spike_strides {
            spike_strides(pixel: strides.pixel * unit, row: strides.row * unit, step: strides.step * unit)
        }
        let planes = source.encoding == .signed ? [false, true] : [false]
        let parts = threads.parts(of: target.layout.height, samples: samples)
        threads.forEach(samples * parts.count) { piece, _ in
            let (sample, rows) = (piece / parts.count, parts[piece % parts.count])
            for isMinus in planes {
                guard let from = plane(stage.source, sample: sample, isMinus: isMinus, block),
                    let to = plane(stage.target, sample: sample, isMinus: isMinus, block)
                else { continue }
                stage.pixels.withUnsafeBufferPointer { pixels in
                    var job = spike_move()
                    job.source = UnsafeRawPointer(from).assumingMemoryBound(to: UInt8.self)
                    job.target = to.assumingMemoryBound(to: UInt8.self)
                    (job.strides, job.out_strides) = (bytes(source.strides), bytes(target.strides))
                    job.pixels = pixels.baseAddress
                    (job.width, job.out_width) = (Int32(source.layout.width), Int32(target.layout.width))
                    (job.row_begin, job.row_end) = (Int32(rows.lowerBound), Int32(rows.upperBound))
                    job.steps = Int32(block.steps)
                    spike_move_pixels(&job)
                }
            }
        }
    }
}
