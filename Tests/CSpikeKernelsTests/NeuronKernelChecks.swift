import CSpikeKernels
import Testing

func checkIntegrate(_ table: spike_kernel_table, isFloat: Bool, _ random: inout SeededGenerator) {
    let tile = random.pick([8, 16, 32, 64, 128])
    let steps = random.int(1...9)
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    var job = spike_integrate()
    (job.tile, job.steps, job.growth) = (Int32(tile), Int32(steps), Int32(random.int(1...2)))
    job.record_stride = tile + 3
    var saturations: UInt64 = 0
    // Some beyond the bound.
    let limit = isFloat || random.chance(0.7) ? 1000 : 1 << 29
    let (currents, membranes) = (random.whole(steps * tile, limit: limit), random.whole(tile, limit: limit))
    let recorded = arena.make([Int32](repeating: 0, count: steps * (tile + 3)), filler: 0)
    if random.chance(0.7) { job.record = UnsafeMutableRawPointer(recorded) }
    let membrane = arena.make(membranes, filler: 0)
    let floatMembrane = arena.make(membranes.map { Float($0) / 8 }, filler: 0)
    job.current =
        isFloat
        ? UnsafeRawPointer(arena.make(currents.map { Float($0) / 8 }, filler: 0)) : UnsafeRawPointer(arena.make(currents, filler: 0))
    job.membrane = isFloat ? UnsafeMutableRawPointer(floatMembrane) : UnsafeMutableRawPointer(membrane)
    let bound = Int(1 << 29)
    let met = withUnsafeMutablePointer(to: &saturations) { count -> UInt64 in
        job.saturations = count
        if isFloat { table.integrate_f32(&job) } else { table.integrate_i32(&job) }
        return count.pointee
    }
    var expectedMet: UInt64 = 0
    for lane in 0..<tile {
        var v = Int(membranes[lane])
        for step in 0..<steps {
            v = Int(job.growth) * v + Int(currents[step * tile + lane])
            if !isFloat, abs(v) > bound {
                v = v > 0 ? bound : -bound
                expectedMet += 1
            }
            guard job.record != nil else { continue }
            let place = recorded + step * (tile + 3) + lane
            #expect(isFloat ? Float(bitPattern: UInt32(bitPattern: place.pointee)) == Float(v) / 8 : Int(place.pointee) == v)
        }
        #expect(isFloat ? floatMembrane[lane] == Float(v) / 8 : Int(membrane[lane]) == v)
    }
    #expect(met == expectedMet)
}

enum Rule { case integrateAndFire, signed, burst }

func checkFire(_ table: spike_kernel_table, _ rule: Rule, isFloat: Bool, _ random: inout SeededGenerator) {
    let tile = random.pick([8, 16, 32, 64, 128])
    let lanes = random.chance(0.5) ? tile : random.int(1...tile / 8) * 8
    let steps = random.int(1...9)
    let isHalving = rule == .integrateAndFire && random.chance(0.3)
    let exponent = steps - 1 + random.int(0...2)
    let isHard = rule == .integrateAndFire && !isHalving && random.chance(0.3)
    let limit = rule == .burst ? random.int(1...5) : random.pick([-1, 2, 4])
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    let bytes = tile / 8 + 2
    var job = spike_fire()
    (job.tile, job.lanes, job.steps, job.limit) = (Int32(tile), Int32(lanes), Int32(steps), Int32(limit))
    (job.halving, job.exponent) = (isHalving, Int32(exponent))
    job.step_bytes = bytes
    job.count_stride = tile + 1
    let scale = isHalving ? 1 << exponent : 1
    let thresholds = (0..<tile).map { _ in Int32(random.int(4...40)) }
    let (currents, membranes) = (random.whole(steps * tile, limit: 60), random.whole(tile, limit: 80 * scale))
    let memory = (0..<tile).map { _ in Int32(random.int(0...2)) }
    let hasCurrent = random.chance(0.8)
    let offsets = random.chance(0.5) ? random.whole(tile, limit: 30) : nil

    func numbers(_ values: [Int32]) -> UnsafeMutableRawPointer {
        isFloat
            ? UnsafeMutableRawPointer(arena.make(values.map { Float($0) / 8 }, filler: 0))
            : UnsafeMutableRawPointer(arena.make(values, filler: 0))
    }
    func value(_ pointer: UnsafeMutableRawPointer, _ index: Int) -> Int {
        isFloat ? Int(pointer.assumingMemoryBound(to: Float.self)[index] * 8) : Int(pointer.assumingMemoryBound(to: Int32.self)[index])
    }
    let membrane = numbers(membranes)
    // Counts are whole numbers in either case.
    let standing = isFloat ? UnsafeMutableRawPointer(arena.make(memory.map { Float($0) }, filler: 0)) : numbers(memory)
    job.current = hasCurrent ? UnsafeRawPointer(numbers(currents)) : nil
    job.offset = offsets.map { UnsafeRawPointer(numbers($0)) }
    (job.membrane, job.memory) = (membrane, standing)
    job.threshold = UnsafeRawPointer(numbers(thresholds))
    let resets = random.whole(tile, limit: 3)
    if isHard { job.reset = UnsafeRawPointer(numbers(resets)) }
    // What is not the kernel's to write keeps its mark.
    let (plus, minus) = (
        arena.make([UInt8](repeating: 0xA5, count: bytes * steps), filler: 0),
        arena.make([UInt8](repeating: 0xA5, count: bytes * steps), filler: 0)
    )
    let counts = arena.make([Int16](repeating: -9, count: (tile + 1) * steps), filler: 0)
    (job.plus, job.minus, job.counts) = (plus, minus, counts)
    var saturations: UInt64 = 0
    withUnsafeMutablePointer(to: &saturations) { count in
        if random.chance(0.5) || isFloat { job.saturations = count }
        switch (rule, isFloat) {
        case (.integrateAndFire, true): table.fire_if_f32(&job)
        case (.integrateAndFire, false): table.fire_if_i32(&job)
        case (.signed, true): table.fire_signed_f32(&job)
        case (.signed, false): table.fire_signed_i32(&job)
        case (.burst, true): table.fire_burst_f32(&job)
        case (.burst, false): table.fire_burst_i32(&job)
        }
    }
    for lane in 0..<tile {
        var (v, count) = (Int(membranes[lane]), Int(memory[lane]))
        for step in 0..<steps {
            var spike = 0
            if lane < lanes {
                if hasCurrent { v += Int(currents[step * tile + lane]) }
                if let offsets { v += Int(offsets[lane]) }
                var threshold = Int(thresholds[lane])
                if isHalving { threshold <<= exponent - step }
                switch rule {
                case .integrateAndFire: spike = v >= threshold ? 1 : 0
                case .signed: spike = v >= threshold ? (limit < 0 || count < limit ? 1 : 0) : v < 0 && count > 0 ? -1 : 0
                case .burst: spike = min(limit, v > 0 ? v / threshold : 0)
                }
                v = isHard && spike > 0 ? Int(resets[lane]) : v - spike * threshold
                count += spike
            }
            let sent = plus[step * bytes + lane / 8] >> UInt8(lane % 8) & 1
            let taken = minus[step * bytes + lane / 8] >> UInt8(lane % 8) & 1
            let mark = UInt8(0xA5) >> UInt8(lane % 8) & 1
            if rule == .burst {
                #expect(Int(counts[step * (tile + 1) + lane]) == (lane < lanes ? spike : -9))
            } else {
                #expect(sent == (lane < lanes ? (spike > 0 ? 1 : 0) : mark))
                if rule == .signed { #expect(taken == (lane < lanes ? (spike < 0 ? 1 : 0) : mark)) }
            }
        }
        #expect(value(membrane, lane) == v)
    }
    for step in 0..<steps { #expect(plus[step * bytes + tile / 8] == 0xA5) }
}

func checkPool(_ table: spike_kernel_table, isCounts: Bool, _ random: inout SeededGenerator) {
    let (height, width) = (random.int(1...6), random.int(1...6))
    let channels = random.pick([1, 8, 10, 16, 24, 40])
    let isSigned = !isCounts && random.chance(0.3)
    let growth = isCounts || isSigned ? 1 : random.int(1...2)
    var spikes = Spikes(
        &random, steps: random.int(1...6), height: height, width: width, channels: channels, density: 0.4, most: isCounts ? 4 : 1)
    if isSigned { spikes.values = spikes.values.map { $0 > 0 && random.chance(0.4) ? -1 : $0 } }
    let place = window(&random, height: height, width: width, dilates: false)
    // Windows that lie in the padding alone have no maximum; graphs cannot have them.
    for y in 0..<Int(place.out_height) {
        for x in 0..<Int(place.out_width) where places(place, y, x).isEmpty { return }
    }
    let out = Spikes(
        &random, steps: spikes.steps, height: Int(place.out_height), width: Int(place.out_width), channels: channels, density: 0)
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    var job = spike_pool()
    job.instantaneous = random.chance(0.2)
    (job.channels, job.steps, job.growth) = (Int32(channels), Int32(spikes.steps), Int32(growth))
    job.row_end = place.out_height
    job.window = place
    job.strides = isCounts ? spikes.countStrides : spikes.strides
    job.out_strides = isCounts ? out.countStrides : out.strides
    let sumStride = (channels + 15) / 16 * 16
    job.sum_stride = Int32(sumStride)
    let hasSums = random.chance(0.5)
    // After many steps sums are large, and lie far apart.
    let (least, spread) = growth == 1 ? random.pick([(0, 9), (0, 100_000), (2_000_000_000, 40_000)]) : (0, 9)
    let sums = (0..<height * width * sumStride).map { _ in hasSums ? Int32(random.int(least...least + spread)) : 0 }
    if hasSums { job.sums = UnsafePointer(arena.make(sums, filler: 0)) }
    // Sixteen channels are looked at together.
    let outBits = arena.make(out.bits(), slack: 8, filler: 0)
    let outMinus = arena.make(out.bits(), slack: 8, filler: 0)
    let outCounts = arena.make(out.counts, filler: 0)
    if isCounts {
        job.counts = UnsafePointer(arena.make(spikes.counts, filler: 0))
        job.out_counts = outCounts
        table.pool_counts(&job)
    } else {
        job.plus = UnsafePointer(arena.make(spikes.bits(), slack: 8, filler: 0))
        job.out_plus = outBits
        if isSigned { job.minus = UnsafePointer(arena.make(spikes.bits { $0 < 0 }, slack: 8, filler: 0)) }
        if isSigned { job.out_minus = outMinus }
        table.pool_bits(&job)
    }
    for y in 0..<out.height {
        for x in 0..<out.width {
            for c in 0..<channels {
                var totals = places(place, y, x).map { Int(sums[($0.y * width + $0.x) * sumStride + c]) }
                var before = totals.max() ?? 0
                for step in 0..<spikes.steps {
                    let arriving = places(place, y, x).map { spikes.at(step, $0.y, $0.x, c) }
                    totals = zip(totals, arriving).map { growth * $0 + $1 }
                    let most = (job.instantaneous ? arriving : totals).max() ?? 0
                    let emitted = job.instantaneous ? most : most - growth * before
                    before = most
                    let byte = step * out.strides.step + y * out.rowBytes + x * out.pixelBytes + c / 8
                    let sent = Int(outBits[byte] >> UInt8(c % 8) & 1) - (isSigned ? Int(outMinus[byte] >> UInt8(c % 8) & 1) : 0)
                    let counted = Int(outCounts[((step * out.height + y) * out.width + x) * channels + c])
                    #expect((isCounts ? counted : sent) == (isCounts || isSigned ? emitted : min(1, emitted)))
                }
            }
        }
    }
}

func checkPoolSums(_ table: spike_kernel_table, _ random: inout SeededGenerator) {
    let isCounts = random.chance(0.4)
    let spikes = Spikes(
        &random, steps: random.int(1...5), height: random.int(1...4), width: random.int(1...4), channels: random.int(1...40), density: 0.4,
        most: isCounts ? 4 : 1)
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    var job = spike_pool_sums()
    if isCounts { job.counts = UnsafePointer(arena.make(spikes.counts, filler: 0)) }
    job.plus = UnsafePointer(arena.make(spikes.bits(), filler: 0))
    job.strides = isCounts ? spikes.countStrides : spikes.strides
    (job.height, job.width, job.channels) = (Int32(spikes.height), Int32(spikes.width), Int32(spikes.channels))
    (job.steps, job.growth) = (Int32(spikes.steps), Int32(random.int(1...2)))
    job.sum_stride = Int32(spikes.channels + 2)
    let start = (0..<spikes.height * spikes.width * (spikes.channels + 2)).map { _ in Int32(random.int(0...9)) }
    let sums = arena.make(start, filler: 0)
    job.sums = sums
    table.pool_sums(&job)
    for y in 0..<spikes.height {
        for x in 0..<spikes.width {
            for c in 0..<spikes.channels {
                let index = (y * spikes.width + x) * (spikes.channels + 2) + c
                let expected = (0..<spikes.steps).reduce(Int(start[index])) { Int(job.growth) * $0 + spikes.at($1, y, x, c) }
                #expect(Int(sums[index]) == expected)
            }
        }
    }
}
