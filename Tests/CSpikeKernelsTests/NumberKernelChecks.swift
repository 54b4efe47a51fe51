import CSpikeKernels
import Foundation
import Testing

// Kernels of whole values against plain Swift. Sums are of dyadic numbers, exact in any order.

func checkRowProducts(_ table: spike_kernel_table, _ kind: spike_numbers, _ random: inout SeededGenerator) {
    let group = kind == SPIKE_NUMBERS_BYTES ? 4 : kind == SPIKE_NUMBERS_SHORTS ? 2 : 1
    let (groups, rows, columns) = (random.int(1...40), random.int(0...13), random.int(1...140))
    let (depth, filled) = (groups * group, (columns + 63) / 64 * 64)
    let stride = depth + random.int(0...2) * group
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    let limit = kind == SPIKE_NUMBERS_SHORTS ? 4095 : 127
    let a = (0..<rows * stride).map { _ in random.int(kind == SPIKE_NUMBERS_BYTES ? 0...255 : -limit...limit) }
    let w = (0..<depth * filled).map { _ in random.int(-127...127) }
    func weight(_ k: Int, _ column: Int) -> Int { w[((column / 64 * groups + k / group) * 64 + column % 64) * group + k % group] }
    var job = spike_row_products()
    switch kind {
    case SPIKE_NUMBERS_BYTES:
        job.rows = UnsafeRawPointer(arena.make(a.map { UInt8($0) }, filler: 0))
        job.panels = UnsafeRawPointer(arena.make(w.map { Int8($0) }, filler: 0))
    case SPIKE_NUMBERS_SHORTS:
        job.rows = UnsafeRawPointer(arena.make(a.map { Int16($0) }, filler: 0))
        job.panels = UnsafeRawPointer(arena.make(w.map { Int16($0) }, filler: 0))
    default:
        job.rows = UnsafeRawPointer(arena.make(a.map { Float($0) }, filler: 0))
        job.panels = UnsafeRawPointer(arena.make(w.map { Float($0) }, filler: 0))
    }
    (job.row_stride, job.depth, job.row_count, job.columns) = (stride, Int32(groups), Int32(rows), Int32(columns))
    let (start, scale, bias) = (random.whole(filled, limit: 5000), random.dyadic(filled), random.dyadic(filled))
    let isWhole = kind != SPIKE_NUMBERS_FLOAT
    let (hasStart, hasScale, hasBias) = (isWhole && random.chance(0.7), isWhole && random.chance(0.7), random.chance(0.7))
    if hasStart { job.start = UnsafePointer(arena.make(start, filler: 0)) }
    if hasScale { job.scale = UnsafePointer(arena.make(scale, filler: 0)) }
    if hasBias { job.bias = UnsafePointer(arena.make(bias, filler: 0)) }
    job.out_stride = columns + random.int(0...3)
    let out = arena.make([Float](repeating: -7, count: rows * job.out_stride), filler: 0)
    job.out = out
    switch kind {
    case SPIKE_NUMBERS_BYTES: table.rows_i8(&job)
    case SPIKE_NUMBERS_SHORTS: table.rows_i16(&job)
    default: table.rows_f32(&job)
    }
    for row in 0..<rows {
        for column in 0..<job.out_stride {
            guard column < columns else {
                #expect(out[row * job.out_stride + column] == -7)
                continue
            }
            let sum = (0..<depth).reduce(0) { $0 + a[row * stride + $1] * weight($1, column) }
            let whole = sum + (hasStart ? Int(start[column]) : 0)
            #expect(out[row * job.out_stride + column] == Float(whole) * (hasScale ? scale[column] : 1) + (hasBias ? bias[column] : 0))
        }
    }
}

/// Each function within a few units of the last place of what float64 makes of it; of what is beyond float32 the same.
func checkFunctions(_ table: spike_kernel_table, _ random: inout SeededGenerator) {
    let (alpha, beta) = (Float(random.int(1...16)) / 8, Float(random.int(17...40)) / 8)
    let odd: [Float] = [0, -0.0, .infinity, -.infinity, .nan, 88.7, -100, 1e-30, -1e-30, 1e30]
    let x = odd + (0..<random.int(0...60)).map { _ in Float.random(in: -12...12, using: &random) }
    func inner(_ x: Double) -> Double { 0.797_884_56 * (x + 0.044715 * x * x * x) }
    let (a, b) = (Double(alpha), Double(beta))
    let expected: [(spike_function, (Double) -> Double)] = [
        (SPIKE_FUNCTION_ABS, { abs($0) }), (SPIKE_FUNCTION_CLIP, { min(max($0, a), b) }),
        (SPIKE_FUNCTION_ELU, { $0 > 0 ? $0 : a * expm1($0) }),
        (SPIKE_FUNCTION_ERF, { erf($0) }), (SPIKE_FUNCTION_EXP, { exp($0) }),
        (SPIKE_FUNCTION_GELU, { 0.5 * $0 * (1 + erf($0 / 2.0.squareRoot())) }),
        (SPIKE_FUNCTION_GELU_TANH, { 0.5 * $0 * (1 + tanh(inner($0))) }),
        (SPIKE_FUNCTION_HARD_SIGMOID, { max(0, min(1, a * $0 + b)) }), (SPIKE_FUNCTION_HARD_SWISH, { $0 * max(0, min(1, $0 / 6 + 0.5)) }),
        (SPIKE_FUNCTION_LEAKY, { $0 < 0 ? a * $0 : $0 }), (SPIKE_FUNCTION_RECIPROCAL, { 1 / $0 }), (SPIKE_FUNCTION_SCALE, { a * $0 }),
        (SPIKE_FUNCTION_SIGMOID, { 1 / (1 + exp(-$0)) }), (SPIKE_FUNCTION_SWISH, { $0 / (1 + exp(-a * $0)) }),
        (SPIKE_FUNCTION_SQRT, { $0.squareRoot() }), (SPIKE_FUNCTION_TANH, { tanh($0) }),
    ]
    #expect(expected.count == Int(SPIKE_FUNCTION_COUNT.rawValue))
    var y = [Float](repeating: 0, count: x.count)
    for (function, exact) in expected {
        y.withUnsafeMutableBufferPointer { y in
            x.withUnsafeBufferPointer { x in
                var job = spike_function_job()
                (job.function, job.alpha, job.beta, job.count) = (function, alpha, beta, x.count)
                (job.x, job.y) = (x.baseAddress, y.baseAddress)
                table.function_f32(&job)
            }
        }
        for (x, y) in zip(x, y) {
            // What is no number stays none.
            let wanted = x.isNaN ? .nan : exact(Double(x))
            if wanted.isNaN {
                #expect(y.isNaN, "\(function) of \(x)")
            } else if abs(wanted) > 3e38 {
                #expect(y == (wanted > 0 ? .infinity : -.infinity) || abs(y) > 3e38, "\(function) of \(x)")
            } else {
                // Functions that rest on others lose what those do, of numbers of about 1.
                #expect(abs(Double(y) - wanted) <= 4e-7 * max(1, abs(wanted), abs(Double(x))), "\(function) of \(x): \(y), not \(wanted)")
            }
        }
    }
}

func checkPairs(_ table: spike_kernel_table, _ random: inout SeededGenerator) {
    let count = random.int(0...70)
    let (a, b) = (random.dyadic(count + 1), random.dyadic(count + 1).map { $0 == 0 ? 1 : $0 })
    let (aStep, bStep) = (random.int(0...1), random.int(0...1))
    let operations: [(spike_pair, (Float, Float) -> Float)] = [
        (SPIKE_PAIR_ADD, { $0 + $1 }), (SPIKE_PAIR_SUBTRACT, { $0 - $1 }), (SPIKE_PAIR_MULTIPLY, { $0 * $1 }),
        (SPIKE_PAIR_DIVIDE, { $0 / $1 }),
    ]
    for (pair, operation) in operations {
        var y = [Float](repeating: 0, count: count + 1)
        a.withUnsafeBufferPointer { a in
            b.withUnsafeBufferPointer { b in
                y.withUnsafeMutableBufferPointer { y in
                    var job = spike_pair_job()
                    (job.pair, job.a, job.b, job.y, job.count) = (pair, a.baseAddress, b.baseAddress, y.baseAddress, count)
                    (job.a_step, job.b_step) = (UInt8(aStep), UInt8(bStep))
                    table.pair_f32(&job)
                }
            }
        }
        #expect(y == (0..<count).map { operation(a[$0 * aStep], b[$0 * bStep]) } + [0])
    }
}

func checkEncoding(_ table: spike_kernel_table, _ random: inout SeededGenerator) {
    let (columns, isSigned) = (random.int(1...40), random.chance(0.5))
    let count = columns * random.int(0...4)
    let kind = random.pick([SPIKE_NUMBERS_FLOAT, SPIKE_NUMBERS_BYTES, SPIKE_NUMBERS_SHORTS])
    let largest = 1 << random.int(1...(kind == SPIKE_NUMBERS_BYTES ? (isSigned ? 7 : 8) : 12)) - 1
    let offset = kind == SPIKE_NUMBERS_BYTES && isSigned ? 128 : 0
    var x = (0..<count).map { _ in Float.random(in: -300...300, using: &random) }
    if random.chance(0.3), count > 2 { (x[0], x[1], x[2]) = (.nan, .infinity, -.infinity) }
    let (inverse, step) = (random.dyadic(columns).map { abs($0) + 0.125 }, random.dyadic(columns).map { abs($0) + 0.125 })
    let hasColumns = random.chance(0.5)
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    var job = spike_encoding()
    (job.x, job.count, job.columns) = (UnsafePointer(arena.make(x, filler: 0)), count, columns)
    (job.inverse, job.step) = (UnsafePointer(arena.make(inverse, filler: 0)), UnsafePointer(arena.make(step, filler: 0)))
    (job.has_columns, job.is_signed, job.largest, job.kind, job.offset) = (hasColumns, isSigned, Float(largest), kind, Int32(offset))
    let out = UnsafeMutableRawPointer(arena.make([Float](repeating: 0, count: max(1, count)), filler: 0))
    job.out = out
    table.encode_f32(&job)
    var (spikes, invalid) = (0, 0)
    for index in 0..<count {
        let at = hasColumns ? index % columns : 0
        let u = x[index] * inverse[at]
        guard !u.isNaN else {
            invalid += 1
            continue
        }
        let size = Int(min((isSigned ? abs(u) : max(0, u)) + 0.5, Float(largest)))
        let number = u < 0 ? -size : size
        spikes += size.nonzeroBitCount
        switch kind {
        case SPIKE_NUMBERS_BYTES: #expect(Int(out.assumingMemoryBound(to: UInt8.self)[index]) == number + offset)
        case SPIKE_NUMBERS_SHORTS: #expect(Int(out.assumingMemoryBound(to: Int16.self)[index]) == number)
        default: #expect(out.assumingMemoryBound(to: Float.self)[index] == Float(number) * step[at])
        }
    }
    #expect(Int(job.spikes) == spikes && Int(job.invalid) == invalid)
}

/// The same of a latency code: each potential goes down the ladder by itself.
func checkLadder(_ table: spike_kernel_table, _ random: inout SeededGenerator) {
    let (columns, steps, most) = (random.int(1...70), random.int(1...24), random.int(1...2))
    let count = columns * random.int(0...4)
    let base = Float.random(in: 1.05...2.5, using: &random)
    var weights: [Float] = [1]
    while weights.count < steps { weights.insert(weights[0] * base, at: 0) }
    let (first, last) = (weights.map { $0 * Float(most == 1 ? 0.9 : 0.97) }, weights.map { $0 * 0.9 })
    var x = (0..<count).map { _ in Float.random(in: -1...1.5, using: &random) * weights[0] }
    if random.chance(0.3), count > 2 { (x[0], x[1], x[2]) = (.nan, .infinity, -.infinity) }
    let (inverse, step) = (random.dyadic(columns).map { abs($0) + 0.125 }, random.dyadic(columns).map { abs($0) + 0.125 })
    let hasColumns = random.chance(0.5)
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    var job = spike_encoding()
    (job.x, job.count, job.columns, job.has_columns) = (UnsafePointer(arena.make(x, filler: 0)), count, columns, hasColumns)
    (job.inverse, job.step) = (UnsafePointer(arena.make(inverse, filler: 0)), UnsafePointer(arena.make(step, filler: 0)))
    (job.steps, job.most_spikes, job.kind) = (Int32(steps), Int32(most), SPIKE_NUMBERS_FLOAT)
    job.weights = UnsafePointer(arena.make(weights, filler: 0))
    (job.first, job.last) = (UnsafePointer(arena.make(first, filler: 0)), UnsafePointer(arena.make(last, filler: 0)))
    let out = arena.make([Float](repeating: 0, count: max(1, count)), filler: 0)
    job.out = UnsafeMutableRawPointer(out)
    table.encode_f32(&job)
    var (spikes, invalid) = (0, 0)
    for index in 0..<count {
        let at = hasColumns ? index % columns : 0
        var (u, number, sent) = (x[index] * inverse[at], Float(0), 0)
        guard !u.isNaN else {
            invalid += 1
            continue
        }
        for t in 0..<steps where sent < most && u >= (sent == most - 1 ? last : first)[t] {
            u -= weights[t]
            number += weights[t]
            sent += 1
        }
        spikes += sent
        #expect(out[index] == number * step[at])
    }
    #expect(Int(job.spikes) == spikes && Int(job.invalid) == invalid)
}

func checkStandardisation(_ table: spike_kernel_table, _ random: inout SeededGenerator) {
    let (rows, length, isCentred) = (random.int(0...3), random.int(1...90), random.chance(0.7))
    let (x, gain, bias) = (random.dyadic(rows * length), random.dyadic(length), random.dyadic(length))
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    let y = arena.make([Float](repeating: 0, count: rows * length), filler: 0)
    var job = spike_standardisation()
    (job.x, job.y, job.rows, job.length) = (UnsafePointer(arena.make(x, filler: 0)), y, rows, length)
    (job.epsilon, job.is_centred) = (1e-5, isCentred)
    let (hasGain, hasBias) = (random.chance(0.7), random.chance(0.7))
    if hasGain { job.gain = UnsafePointer(arena.make(gain, filler: 0)) }
    if hasBias { job.bias = UnsafePointer(arena.make(bias, filler: 0)) }
    table.standardise_f32(&job)
    for row in 0..<rows {
        let values = x[row * length..<(row + 1) * length].map { Double($0) }
        let mean = isCentred ? values.reduce(0, +) / Double(length) : 0
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(length)
        for (place, value) in values.enumerated() {
            let normal = Float((value - mean) / (variance + 1e-5).squareRoot())
            let wanted = normal * (hasGain ? gain[place] : 1) + (hasBias ? bias[place] : 0)
            #expect(abs(y[row * length + place] - wanted) <= 2e-6 * max(1, abs(wanted)))
        }
    }
}

func checkReduction(_ table: spike_kernel_table, _ random: inout SeededGenerator) {
    let (outer, length, inner) = (random.int(0...3), random.int(1...60), random.chance(0.5) ? 1 : random.int(1...90))
    var x = random.dyadic(outer * length * inner)
    let isOdd = random.chance(0.2) && !x.isEmpty
    if isOdd { x[random.int(0...x.count - 1)] = .nan }
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    let y = arena.make([Float](repeating: 0, count: outer * inner), filler: 0)
    for reduction in [SPIKE_REDUCE_SUM, SPIKE_REDUCE_MEAN, SPIKE_REDUCE_MAXIMUM] {
        var job = spike_reduction_job()
        (job.reduction, job.x, job.y) = (reduction, UnsafePointer(arena.make(x, filler: 0)), y)
        (job.outer, job.length, job.inner) = (outer, length, inner)
        table.reduce_f32(&job)
        for index in 0..<outer * inner {
            let values = (0..<length).map { x[(index / inner * length + $0) * inner + index % inner] }
            let sum = values.reduce(0) { $0 + Double($1) }
            let wanted =
                switch reduction {
                case SPIKE_REDUCE_SUM: Float(sum)
                case SPIKE_REDUCE_MEAN: Float(sum / Double(length))
                default: values.contains(where: \.isNaN) ? .nan : values.max() ?? 0
                }
            #expect(y[index] == wanted || y[index].isNaN && wanted.isNaN)
        }
    }
}

func checkDepthwise(_ table: spike_kernel_table, _ random: inout SeededGenerator) {
    let (height, width, channels) = (random.int(1...6), random.int(1...8), random.int(1...140))
    let place = window(&random, height: height, width: width, largest: 5)
    let (image, bias) = (random.dyadic(height * width * channels), random.dyadic(channels))
    let weights = random.dyadic(Int(place.kernel_height * place.kernel_width) * channels)
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    let count = Int(place.out_height * place.out_width) * channels
    let out = arena.make([Float](repeating: -7, count: count), filler: 0)
    var job = spike_depthwise()
    (job.window, job.channels, job.out) = (place, Int32(channels), out)
    (job.image, job.weights) = (UnsafePointer(arena.make(image, filler: 0)), UnsafePointer(arena.make(weights, filler: 0)))
    let hasBias = random.chance(0.7)
    if hasBias { job.bias = UnsafePointer(arena.make(bias, filler: 0)) }
    job.row_begin = Int32(random.int(0...Int(place.out_height) - 1))
    job.row_end = Int32(random.int(Int(job.row_begin) + 1...Int(place.out_height)))
    table.depthwise_f32(&job)
    for index in 0..<count {
        let (channel, x, y) = (index % channels, index / channels % Int(place.out_width), index / channels / Int(place.out_width))
        guard y >= job.row_begin, y < job.row_end else {
            #expect(out[index] == -7)
            continue
        }
        var sum: Float = 0
        for seen in places(place, y, x) {
            sum +=
                image[(seen.y * width + seen.x) * channels + channel]
                * weights[(seen.ky * Int(place.kernel_width) + seen.kx) * channels + channel]
        }
        #expect(out[index] == sum + (hasBias ? bias[channel] : 0))
    }
}
