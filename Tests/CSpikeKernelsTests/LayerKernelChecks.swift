import CSpikeKernels
import Testing

// Layers of numbers, and what is around them, against plain Swift.

/// Synapses of one branch: what each output reads, and with which weight.
private struct DrawnBranch {
    var groups, stride, rows, columns, shift: Int
    var lanes: Range<Int>
    var height, width, pixel: Int
    var image: [UInt8]
    /// Between channels [lane][run][channel], to itself [run][lane].
    var weights: [Int]
    var allLanes: Int

    init(_ random: inout SeededGenerator, isDense: Bool, lanes all: Int, outHeight: Int, outWidth: Int, largest: Int, shift: Int) {
        (groups, stride, rows, columns) = (isDense ? random.int(1...9) : 0, random.int(1...2), random.int(1...3), random.int(1...3))
        self.shift = isDense ? shift : random.int(0...3)
        let begin = random.chance(0.3) ? random.int(0...all - 1) : 0
        lanes = begin..<(random.chance(0.3) ? random.int(begin + 1...all) : all)
        allLanes = all
        (height, width) = ((outHeight - 1) * stride + rows, (outWidth - 1) * stride + columns)
        pixel = isDense ? 4 * groups : all
        let isExtreme = random.chance(0.2)
        image = (0..<height * width * pixel).map { _ in UInt8(isExtreme ? largest : random.int(0...largest)) }
        let limit = isDense ? 127 : 3000
        weights = (0..<rows * columns * (isDense ? all * 4 * groups : all)).map { _ in isExtreme ? -limit : random.int(-limit...limit) }
    }

    func sum(_ y: Int, _ x: Int, lane: Int) -> Int {
        guard lanes.contains(lane) else { return 0 }
        var sum = 0
        for run in 0..<rows * columns {
            let place = ((y * stride + run / columns) * width + x * stride + run % columns) * pixel
            guard groups > 0 else {
                sum += Int(image[place + lane]) * weights[run * allLanes + lane]
                continue
            }
            for channel in 0..<4 * groups {
                sum += Int(image[place + channel]) * weights[(lane * rows * columns + run) * 4 * groups + channel]
            }
        }
        return sum << shift
    }

    func branch(_ arena: Arena) -> spike_layer_branch {
        var branch = spike_layer_branch()
        // Vectors of each channel to itself may look beyond the last.
        branch.image = UnsafePointer(arena.make(image, slack: groups > 0 ? 0 : 16, filler: 0))
        (branch.row, branch.pixel) = (stride * width * pixel, stride * pixel)
        (branch.run_rows, branch.run_columns, branch.groups) = (Int32(rows), Int32(columns), Int32(groups))
        (branch.run_row, branch.run_column) = (width * pixel, pixel)
        (branch.lane_begin, branch.lane_end, branch.shift) = (Int32(lanes.lowerBound), Int32(lanes.upperBound), Int32(shift))
        guard groups > 0 else {
            let kept = weights.enumerated().map { Int16(lanes.contains($0 % allLanes) ? $1 : 0) }
            branch.weights = UnsafeRawPointer(arena.make(kept, filler: 0))
            return branch
        }
        var packed = [Int8](repeating: 0, count: weights.count)
        for lane in lanes {
            let first = lane / 32 * 32
            let block = min(32, allLanes - first)
            for run in 0..<rows * columns {
                for channel in 0..<4 * groups {
                    let group = run * groups + channel / 4
                    packed[4 * (first * rows * columns * groups + group * block + lane - first) + channel % 4] = Int8(
                        weights[(lane * rows * columns + run) * 4 * groups + channel])
                }
            }
        }
        branch.weights = UnsafeRawPointer(arena.make(packed, filler: 0))
        return branch
    }
}

func checkLayer(_ table: spike_kernel_table, _ random: inout SeededGenerator) {
    let channels = 8 * random.int(1...9)
    let (lanes, height, width) = ((channels + 15) / 16 * 16, random.int(1...4), random.int(1...11))
    let largestRead = random.pick([1, 3, 15, 63, 127])
    let shift = random.int(0...4)
    let dense = random.int(0...2)
    let drawn = (0..<dense + random.int(0...2)).map {
        DrawnBranch(&random, isDense: $0 < dense, lanes: lanes, outHeight: height, outWidth: width, largest: largestRead, shift: shift)
    }
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    let start = random.whole(lanes, limit: 40000)
    let added = random.chance(0.5) ? random.whole(height * width * lanes, limit: 100_000) : nil
    let thresholds = (0..<lanes).map { _ in Int32(random.int(1...random.pick([3, 1000, 1 << 20]))) }
    let largest = random.pick([1, 3, 15, 127])
    var job = spike_layer()
    job.branches = UnsafePointer(arena.make(drawn.map { $0.branch(arena) }, filler: spike_layer_branch()))
    (job.dense_count, job.branch_count) = (Int32(dense), Int32(drawn.count))
    (job.row_begin, job.row_end, job.width) = (Int32(random.int(0...height - 1)), Int32(height), Int32(width))
    job.lanes = Int32(lanes)
    (job.lane_begin, job.lane_end) = (Int32(32 * random.int(0...(lanes - 1) / 32)), Int32(lanes))
    job.start = UnsafePointer(arena.make(start, filler: 0))
    job.threshold = UnsafePointer(arena.make(thresholds, filler: 1))
    job.inverse = UnsafePointer(arena.make(thresholds.map { 1 / Float($0) }, filler: 1))
    if let added { job.added = UnsafePointer(arena.make(added, filler: 0)) }
    (job.added_row, job.added_pixel) = (width * lanes, lanes)
    (job.largest, job.largest_read) = (Int32(largest), Int32(largestRead))
    let target = arena.make([UInt8](repeating: 200, count: height * width * channels), filler: 0)
    (job.target, job.target_row, job.target_pixel, job.channels) = (target, width * channels, channels, Int32(channels))
    table.layer_u8(&job)
    for place in 0..<height * width {
        for lane in 0..<channels {
            let (y, x) = (place / width, place % width)
            let sum = drawn.reduce(Int(start[lane]) + Int(added?[place * lanes + lane] ?? 0)) { $0 + $1.sum(y, x, lane: lane) }
            let number = max(0, min(largest, Int((Double(sum) / Double(thresholds[lane])).rounded(.down))))
            let isComputed = y >= Int(job.row_begin) && lane >= Int(job.lane_begin)
            #expect(Int(target[place * channels + lane]) == (isComputed ? number : 200))
        }
    }
}

@Suite struct `Images of numbers` {
    @Test func `a pool shows the largest, or the sum`() {
        var random = SeededGenerator(4)
        for seed in 0..<60 {
            let (channels, height, width) = (8 * random.int(1...6), random.int(3...9), random.int(3...9))
            let (places, stride, dilation) = (random.int(1...3), random.int(1...3), random.int(1...(seed % 2 + 1)))
            let reach = (places - 1) * dilation
            guard reach < height, reach < width else { continue }
            // Eight bytes behind the last channel are read.
            let image = (0..<height * width * channels + 8).map { _ in UInt8(random.int(0...15)) }
            let (outHeight, outWidth) = ((height - reach - 1) / stride + 1, (width - reach - 1) / stride + 1)
            var target = [UInt8](repeating: 200, count: outHeight * outWidth * channels)
            var job = spike_image_pool()
            image.withUnsafeBufferPointer { image in
                target.withUnsafeMutableBufferPointer { target in
                    (job.image, job.target) = (image.baseAddress, target.baseAddress)
                    (job.row, job.pixel) = (stride * width * channels, stride * channels)
                    (job.place_row, job.place_column) = (dilation * width * channels, dilation * channels)
                    (job.places_y, job.places_x, job.sums) = (Int32(places), Int32(places), seed % 2 == 0)
                    (job.row_end, job.width) = (Int32(outHeight), Int32(outWidth))
                    (job.target_row, job.target_pixel, job.channels) = (outWidth * channels, channels, Int32(channels))
                    spike_pool_image(&job)
                }
            }
            for index in target.indices {
                let (y, x, c) = (index / channels / outWidth * stride, index / channels % outWidth * stride, index % channels)
                let window = (0..<places * places).map {
                    Int(image[((y + $0 / places * dilation) * width + x + $0 % places * dilation) * channels + c])
                }
                #expect(Int(target[index]) == (job.sums ? window.reduce(0, +) : window.max()))
            }
        }
    }

    @Test func `ones are counted, however many words there are`() {
        var random = SeededGenerator(6)
        for count in 0..<40 {
            let words = (0..<count).map { _ in count % 5 == 0 ? UInt64.max : random.next() }
            #expect(spike_popcount(words, count) == UInt64(words.reduce(0) { $0 + $1.nonzeroBitCount }))
        }
    }

    @Test func `digits are the steps, and are counted`() {
        var random = SeededGenerator(5)
        for steps in 1...7 {
            let (height, width, channels) = (random.int(1...5), random.int(1...5), 16)
            let image = (0..<height * width * channels).map { _ in UInt8(random.int(0...(1 << steps - 1))) }
            let bytes = image.count / 8
            var bits = [UInt8](repeating: 0, count: steps * bytes)
            spike_digits_of(image, bytes, Int32(steps), &bits, bytes)
            var counts = [Float](repeating: 1, count: image.count)
            spike_count_digits(image, width * channels, channels, Int32(height), Int32(width), Int32(channels), &counts)
            for (index, number) in image.enumerated() {
                let digits = (0..<steps).map { Int(bits[$0 * bytes + index / 8] >> UInt8(index % 8) & 1) }
                #expect(digits.reduce(0) { 2 * $0 + $1 } == Int(number))
                #expect(counts[index % channels * height * width + index / channels] == Float(1 + number.nonzeroBitCount))
            }
        }
    }
}
