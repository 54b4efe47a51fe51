import CSpikeKernels
import Testing

// Each check draws arguments, computes what should come out in plain Swift, and compares. All numbers are exact.

private func identity(_ height: Int, _ width: Int) -> spike_window {
    var window = spike_window()
    (window.height, window.width, window.out_height, window.out_width) = (Int32(height), Int32(width), Int32(height), Int32(width))
    (window.kernel_height, window.kernel_width, window.stride_y, window.stride_x) = (1, 1, 1, 1)
    (window.dilation_y, window.dilation_x) = (1, 1)
    return window
}

func checkGather(_ table: spike_kernel_table, isFloat: Bool, _ random: inout SeededGenerator) {
    let tile = random.pick(isFloat ? [8, 16, 32, 64] : [32, 64, 128])
    let (height, width) = (random.int(1...4), random.int(1...9))
    let channels = random.pick([1, 3, 8, 16, 24, 70])
    let isDense = random.chance(0.15)
    let spikes = Spikes(
        &random, steps: random.int(1...5), height: height, width: width, channels: isDense ? 300 : channels,
        density: isDense ? 0.9 : random.pick([0, 0.05, 0.3, 1]))
    let stride = (spikes.channels + 7) / 8 * 8
    let image = identity(height, width)
    // An output row that sees all rows; one run, as a window over some columns sees it.
    let seen = spike_rows(out_height: 1, kernel_height: Int32(height), stride: 1, dilation: 1, pad: 0)
    let (entries, starts) = lists(spikes, channels: 0..<spikes.channels, window: image, rows: seen)
    let first = random.int(0...width - 1)
    let last = random.int(first...width)
    let rows = height * (last - first) * stride
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    var job = spike_gather()
    job.lists.entries = UnsafePointer(arena.make(entries, slack: 4, filler: 0))
    job.lists.starts = UnsafePointer(arena.make(starts, filler: 0))
    job.lists.step_stride = width + 1
    (job.from, job.to, job.base) = (UInt32(first), UInt32(last), UInt16(truncatingIfNeeded: first * height * stride))
    job.tile = Int32(tile)
    job.steps = Int32(spikes.steps)
    job.negative = random.chance(0.3)
    job.first = random.chance(0.5)
    job.shift = isFloat ? 0 : Int32(random.int(0...8))
    job.zeros = rows * tile * (isFloat ? 4 : 1)

    let weights = (0..<(rows + 1) * tile).map { $0 < rows * tile ? random.int(-127...127) : 0 }
    if isFloat {
        job.weights = UnsafeRawPointer(arena.make(weights.map { Float($0) / 8 }, filler: 0))
    } else {
        var packed = [UInt8](repeating: 0, count: weights.count)
        packed.withUnsafeMutableBufferPointer { packed in
            for row in 0...rows {
                let levels = weights[row * tile..<(row + 1) * tile].map { Int8($0) }
                if let start = packed.baseAddress { spike_pack_i8(levels, Int32(tile), start + row * tile) }
            }
        }
        job.weights = UnsafeRawPointer(arena.make(packed, filler: 0))
    }
    let before = random.whole(spikes.steps * tile, limit: 1000)
    let current = arena.make(before, filler: 0)
    let floatCurrent = arena.make(before.map { Float($0) / 8 }, filler: 0)
    job.current = isFloat ? UnsafeMutableRawPointer(floatCurrent) : UnsafeMutableRawPointer(current)
    if isFloat { table.gather_f32(&job) } else { table.gather_i8(&job) }
    var sums = [Int](repeating: 0, count: spikes.steps * tile)
    for step in 0..<spikes.steps {
        for x in first..<last {
            for y in 0..<height {
                for c in 0..<spikes.channels where spikes.at(step, y, x, c) > 0 {
                    let row = ((x - first) * height + y) * stride + c
                    for lane in 0..<tile { sums[step * tile + lane] += weights[row * tile + lane] }
                }
            }
        }
    }
    for index in before.indices {
        let sum = (job.negative ? -sums[index] : sums[index]) << Int(job.shift)
        let expected = (job.first ? 0 : Int(before[index])) + sum
        #expect(isFloat ? floatCurrent[index] == Float(expected) / 8 : Int(current[index]) == expected)
    }
}

/// Gathering and firing at once, against one after the other.
func checkGatherFire(_ table: spike_kernel_table, _ random: inout SeededGenerator) throws {
    let plain = try #require(spike_table(SPIKE_ISA_SCALAR)).pointee
    let tile = random.pick([32, 64, 128])
    let (width, steps) = (random.int(1...4), random.int(1...6))
    let channels = random.pick([8, 24, 70, 300])
    let spikes = Spikes(&random, steps: steps, height: 1, width: width, channels: channels, density: random.pick([0, 0.1, 0.5, 1]))
    let stride = (channels + 7) / 8 * 8
    let (entries, starts) = lists(spikes, channels: 0..<channels, window: identity(1, width), rows: singleRows(identity(1, width)))
    let rows = width * stride
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    var packed = [UInt8](repeating: 0, count: (rows + 1) * tile)
    packed.withUnsafeMutableBufferPointer { packed in
        for row in 0...rows {
            let levels = (0..<tile).map { _ in row < rows ? Int8(random.int(-127...127)) : 0 }
            if let start = packed.baseAddress { spike_pack_i8(levels, Int32(tile), start + row * tile) }
        }
    }
    var job = spike_gather_fire()
    job.gather.lists.entries = UnsafePointer(arena.make(entries, slack: 4, filler: 0))
    job.gather.lists.starts = UnsafePointer(arena.make(starts, filler: 0))
    job.gather.lists.step_stride = width + 1
    job.gather.to = UInt32(width)
    (job.gather.tile, job.gather.steps, job.gather.shift) = (Int32(tile), Int32(steps), Int32(random.int(0...4)))
    (job.gather.negative, job.gather.first) = (random.chance(0.3), random.chance(0.5))
    job.gather.weights = UnsafeRawPointer(arena.make(packed, filler: 0))
    job.gather.zeros = rows * tile
    let lanes = random.chance(0.7) ? tile : random.int(1...tile / 8) * 8
    (job.fire.tile, job.fire.lanes, job.fire.steps, job.fire.limit) = (Int32(tile), Int32(lanes), Int32(steps), -1)
    job.fire.threshold = UnsafeRawPointer(arena.make((0..<tile).map { _ in Int32(random.int(100...4000)) }, filler: 0))
    if random.chance(0.5) { job.fire.offset = UnsafeRawPointer(arena.make(random.whole(tile, limit: 900), filler: 0)) }
    if random.chance(0.2) { job.fire.reset = UnsafeRawPointer(arena.make(random.whole(tile, limit: 90), filler: 0)) }
    job.fire.step_bytes = tile / 8
    let (membrane, current) = (random.whole(tile, limit: 3000), random.whole(steps * tile, limit: 900))
    var saturations: UInt64 = 0
    let counts = random.chance(0.2)
    let results = [table, plain].map { table -> ([Int32], [UInt8], UInt64) in
        let (v, bits) = (arena.make(membrane, filler: 0), arena.make([UInt8](repeating: 0, count: steps * tile / 8), filler: 0))
        job.gather.current = UnsafeMutableRawPointer(arena.make(current, filler: 0))
        (job.fire.membrane, job.fire.plus) = (UnsafeMutableRawPointer(v), bits)
        saturations = 0
        withUnsafeMutablePointer(to: &saturations) {
            job.fire.saturations = counts ? $0 : nil
            table.gather_fire_i8(&job)
        }
        return (
            Array(UnsafeBufferPointer(start: v, count: tile)), Array(UnsafeBufferPointer(start: bits, count: steps * tile / 8)), saturations
        )
    }
    #expect(results[0] == results[1])
}

func checkNumbers(_ table: spike_kernel_table, _ random: inout SeededGenerator) {
    // Rows are padded to whole words of 64 spikes, as signals are.
    let (steps, channels) = (random.int(1...7), random.int(1...5) * 64)
    let spikes = Spikes(&random, steps: steps, height: 2, width: random.int(1...3), channels: channels, density: 0.5)
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    let count = 2 * spikes.width * channels
    var job = spike_digits()
    job.bits = UnsafePointer(arena.make(spikes.bits(), filler: 0))
    (job.step_bytes, job.steps, job.words) = (spikes.strides.step, Int32(steps), count / 64)
    let numbers = arena.make([UInt8](repeating: 255, count: count), filler: 0)
    job.numbers = numbers
    table.numbers_u8(&job)
    for index in 0..<count {
        let pixel = index / channels
        let expected = (0..<steps).reduce(0) { 2 * $0 + spikes.at($1, pixel / spikes.width, pixel % spikes.width, index % channels) }
        #expect(Int(numbers[index]) == expected)
    }
}

func checkWeighted(_ table: spike_kernel_table, _ random: inout SeededGenerator) {
    let (tile, taps) = (random.pick([8, 24, 32, 64, 128]), random.int(0...9))
    let largest = random.pick([1, 15, 127])
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    let numbers = (0..<taps * tile).map { _ in UInt8(random.int(0...largest)) }
    let weights = (0..<taps * tile).map { _ in Int16(random.chance(0.1) ? -32768 : random.int(-32767...32767)) }
    let (bits, words) = (arena.make(numbers, filler: 0), arena.make(weights, filler: 0))
    var job = spike_weighted()
    let pointers = (0..<taps).map { spike_tap(bits: UnsafePointer(bits + $0 * tile), weights: UnsafeRawPointer(words + $0 * tile)) }
    job.taps = UnsafePointer(arena.make(pointers, filler: spike_tap()))
    (job.tap_count, job.tile, job.shift, job.negative) = (Int32(taps), Int32(tile), Int32(random.int(0...4)), random.chance(0.3))
    let before = random.whole(tile, limit: 1000)
    let current = arena.make(before, filler: 0)
    job.current = current
    table.weighted_i16(&job)
    for lane in 0..<tile {
        let sum = (0..<taps).reduce(0) { $0 + Int(numbers[$1 * tile + lane]) * Int(weights[$1 * tile + lane]) }
        #expect(Int(current[lane]) == Int(before[lane]) + (job.negative ? -sum : sum) << Int(job.shift))
    }
}

func checkCounted(_ table: spike_kernel_table, _ random: inout SeededGenerator) {
    let (tile, channels, steps) = (random.pick([8, 16, 24, 64]), random.int(1...70), random.int(1...9))
    let stride = channels + random.int(0...3)
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    let counts = (0..<steps * stride).map { _ in Float(random.int(0...300)) }
    let weights = random.dyadic(channels * tile)
    var job = spike_counted()
    (job.counts, job.count_stride) = (UnsafePointer(arena.make(counts, filler: 0)), stride)
    (job.channels, job.tile, job.steps, job.negative) = (Int32(channels), Int32(tile), Int32(steps), random.chance(0.3))
    job.weights = UnsafePointer(arena.make(weights, filler: 0))
    let before = random.dyadic(steps * tile)
    let current = arena.make(before, filler: 0)
    job.current = current
    table.counted_f32(&job)
    for index in before.indices {
        let sum = (0..<channels).reduce(Float(0)) { $0 + counts[index / tile * stride + $1] * weights[$1 * tile + index % tile] }
        #expect(current[index] == before[index] + (job.negative ? -sum : sum))
    }
}

func checkMasked(_ table: spike_kernel_table, isFloat: Bool, _ random: inout SeededGenerator) {
    let tile = random.pick(isFloat ? [8, 16, 32, 64] : [32, 64, 128])
    let taps = random.int(0...9)
    let spikes = Spikes(&random, steps: random.int(1...9), height: 1, width: max(1, taps), channels: tile, density: 0.4)
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    let bits = arena.make(spikes.bits(), filler: 0)
    let weights = (0..<taps * tile).map { _ in random.int(-900...900) }
    var job = spike_masked()
    job.step_bytes = spikes.strides.step
    (job.tap_count, job.tile, job.steps) = (Int32(taps), Int32(tile), Int32(spikes.steps))
    job.shift = isFloat ? 0 : Int32(random.int(0...8))
    job.negative = random.chance(0.3)
    let floats = arena.make(weights.map { Float($0) / 8 }, filler: 0)
    let words = arena.make(weights.map { Int16($0) }, filler: 0)
    let pointers = (0..<taps).map { tap in
        spike_tap(
            bits: UnsafePointer(bits + tap * spikes.pixelBytes),
            weights: isFloat ? UnsafeRawPointer(floats + tap * tile) : UnsafeRawPointer(words + tap * tile))
    }
    job.taps = UnsafePointer(arena.make(pointers, filler: spike_tap()))
    let before = random.whole(spikes.steps * tile, limit: 100)
    let floatCurrent = arena.make(before.map { Float($0) }, filler: 0)
    let current = arena.make(before, filler: 0)
    job.current = isFloat ? UnsafeMutableRawPointer(floatCurrent) : UnsafeMutableRawPointer(current)
    if isFloat { table.masked_f32(&job) } else { table.masked_i16(&job) }
    for step in 0..<spikes.steps {
        for lane in 0..<tile {
            var sum = 0
            for tap in 0..<taps where spikes.at(step, 0, tap, lane) > 0 { sum += (job.negative ? -1 : 1) * weights[tap * tile + lane] }
            let index = step * tile + lane
            if isFloat {
                #expect(floatCurrent[index] == Float(before[index]) + Float(sum) / 8)
            } else {
                #expect(Int(current[index]) == Int(before[index]) + sum << Int(job.shift))
            }
        }
    }
}

func checkScatter(_ table: spike_kernel_table, isFloat: Bool, _ random: inout SeededGenerator) {
    let tile = random.pick([8, 32, 64])
    let channels = random.int(1...90)
    let stride = (channels + 7) / 8 * 8
    let width = random.int(1...5)
    let spikes = Spikes(&random, steps: random.int(1...5), height: 1, width: width, channels: channels, density: 0.4, most: 3)
    let (entries, starts) = lists(
        spikes, channels: 0..<channels, window: identity(1, width), rows: singleRows(identity(1, width)))
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    let weights = (0..<width * stride).map { _ in random.int(-500...500) }
    let segments = (0..<width).map { x in
        spike_segment(from: UInt32(x), to: UInt32(x + 1), row: UInt32(x * stride), base: UInt16(x * stride))
    }
    var job = spike_scatter()
    job.lists.entries = UnsafePointer(arena.make(entries, filler: 0))
    job.lists.starts = UnsafePointer(arena.make(starts, filler: 0))
    job.lists.step_stride = width + 1
    job.segments = UnsafePointer(arena.make(segments, filler: spike_segment()))
    (job.segment_count, job.tile, job.steps) = (Int32(width), Int32(tile), Int32(spikes.steps))
    job.offset = Int32(random.int(-40...20))
    job.negative = random.chance(0.3)
    let (floats, words) = (arena.make(weights.map { Float($0) / 8 }, filler: 0), arena.make(weights.map { Int32($0) }, filler: 0))
    job.weights = isFloat ? UnsafeRawPointer(floats) : UnsafeRawPointer(words)
    let floatCurrent = arena.make([Float](repeating: 0, count: spikes.steps * tile), filler: 0)
    let current = arena.make([Int32](repeating: 0, count: spikes.steps * tile), filler: 0)
    job.current = isFloat ? UnsafeMutableRawPointer(floatCurrent) : UnsafeMutableRawPointer(current)
    if isFloat { table.scatter_f32(&job) } else { table.scatter_i32(&job) }
    for step in 0..<spikes.steps {
        for lane in 0..<tile {
            let channel = lane - Int(job.offset)
            var sum = 0
            if (0..<channels).contains(channel) {
                for x in 0..<width { sum += spikes.at(step, 0, x, channel) * weights[x * stride + channel] * (job.negative ? -1 : 1) }
            }
            if isFloat { #expect(floatCurrent[step * tile + lane] == Float(sum) / 8) }
            if !isFloat { #expect(Int(current[step * tile + lane]) == sum) }
        }
    }
}

func checkLists(_ table: spike_kernel_table, isCounts: Bool, _ random: inout SeededGenerator) {
    let (height, width) = (random.int(1...6), random.int(1...8))
    let channels = random.pick([1, 5, 8, 16, 17, 32, 64, 70, 130])
    let spikes = Spikes(
        &random, steps: random.int(1...4), height: height, width: width, channels: channels, density: random.pick([0, 0.1, 0.5, 1]),
        most: isCounts ? 4 : 1)
    let begin = random.chance(0.6) ? 0 : random.int(0...channels - 1)
    let range = begin..<(begin == 0 && random.chance(0.7) ? channels : random.int(begin + 1...channels))
    let place = random.chance(0.5) ? identity(height, width) : window(&random, height: height, width: width)
    // Rows that see each other's, the padding, or nothing but the padding.
    var rows = singleRows(place)
    if random.chance(0.7) {
        (rows.out_height, rows.kernel_height) = (Int32(random.int(1...5)), Int32(random.int(1...4)))
        (rows.stride, rows.dilation, rows.pad) = (Int32(random.int(1...2)), Int32(random.int(1...2)), Int32(random.int(0...2)))
    }
    let (entries, starts) = lists(spikes, channels: range, window: place, rows: rows)
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    var job = spike_list_job()
    job.bits = UnsafePointer(arena.make(spikes.bits(), slack: 8, filler: 0))
    job.counts = UnsafePointer(arena.make(spikes.counts, filler: 0))
    job.strides = isCounts ? spikes.countStrides : spikes.strides
    (job.channel_begin, job.channel_count) = (Int32(range.lowerBound), Int32(range.count))
    job.entry_stride = Int32((range.count + 7) / 8 * 8)
    job.step_end = Int32(spikes.steps)
    job.window = place
    job.rows = rows
    let made = arena.make([UInt16](repeating: 0, count: entries.count), slack: 32, filler: 0)
    let madeStarts = arena.make([UInt32](repeating: 0, count: starts.count), filler: 0)
    (job.entries, job.starts) = (made, madeStarts)
    if isCounts { table.list_counts(&job) } else { table.list_bits(&job) }
    #expect(Int(job.end_entry) == entries.count)
    #expect(Array(UnsafeBufferPointer(start: made, count: entries.count)) == entries)
    #expect(Array(UnsafeBufferPointer(start: madeStarts, count: starts.count)) == starts)
}

func checkDense(_ table: spike_kernel_table, _ random: inout SeededGenerator) {
    let (tile, positions, places) = (random.pick([32, 64, 128]), random.int(1...8), random.int(1...5))
    let groups = random.pick([2, 4, 6, 18, 40])
    let largest = random.pick([1, 3, 15, 63, 127])
    // The largest of all, now and then: sums in 16 bits must not overflow.
    let isExtreme = random.chance(0.2)
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    let rows = (0..<places * positions).map { _ in
        (0..<4 * groups).map { _ in UInt8(isExtreme ? largest : random.int(0...largest)) }
    }
    let weights = (0..<places * groups * tile * 4).map { _ in Int8(isExtreme ? -127 : random.int(-127...127)) }
    let before = random.whole(positions * tile, limit: 1000)
    var job = spike_dense()
    let numbers = arena.make(rows.map { Optional(UnsafePointer(arena.make($0, filler: 0))) }, filler: nil)
    job.numbers = UnsafePointer(numbers)
    (job.places, job.positions, job.groups, job.tile) = (Int32(places), Int32(positions), Int32(groups), Int32(tile))
    // Programs choose shifts at which the largest sum fits 32 bits: here 2^24 at most before shifting.
    (job.shift, job.negative, job.largest) = (Int32(random.int(0...6)), random.chance(0.3), Int32(largest))
    job.weights = UnsafePointer(arena.make(weights, filler: 0))
    let current = arena.make(before, filler: 0)
    (job.current, job.current_stride) = (current, tile)
    table.dense_i8(&job)
    for position in 0..<positions {
        for lane in 0..<tile {
            var sum = 0
            for place in 0..<places {
                for channel in 0..<4 * groups {
                    let weight = weights[(((lane / 32 * places + place) * groups + channel / 4) * 32 + lane % 32) * 4 + channel % 4]
                    sum += Int(weight) * Int(rows[place * positions + position][channel])
                }
            }
            sum = (job.negative ? -sum : sum) << Int(job.shift)
            #expect(Int(current[position * tile + lane]) == Int(before[position * tile + lane]) + sum)
        }
    }
}
