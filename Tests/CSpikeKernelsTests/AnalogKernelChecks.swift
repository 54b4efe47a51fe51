import CSpikeKernels
import Testing

/// Dyadic images and weights: sums are exact in any order, so that rounding and limits are all that is left to agree on.
func checkAnalog(_ table: spike_kernel_table, _ random: inout SeededGenerator) {
    let (channels, height, width) = (random.int(1...3), random.int(1...8), random.int(1...24))
    let place = window(&random, height: height, width: width, largest: 5)
    let lanes = random.int(1...18) * 8
    let block = random.pick([1, 2, 4])
    let columns = (Int(place.out_width) + block - 1) / block
    let stride = block * lanes + random.pick([0, 8])
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    let image = random.dyadic(channels * height * width)
    let weights = random.dyadic(channels * Int(place.kernel_height * place.kernel_width) * lanes)
    let bias = random.dyadic(lanes)
    var job = spike_analog()
    job.image = UnsafePointer(arena.make(image, filler: 0))
    job.window = place
    (job.channels, job.lanes, job.block) = (Int32(channels), Int32(lanes), Int32(block))
    (job.columns, job.stride) = (Int32(columns), Int32(stride))
    job.row_begin = Int32(random.int(0...Int(place.out_height) - 1))
    job.row_end = Int32(random.int(Int(job.row_begin) + 1...Int(place.out_height)))
    job.weights = UnsafePointer(arena.make(weights, filler: 0))
    job.bias = UnsafePointer(arena.make(bias, filler: 0))
    job.limit = random.pick([20, 1_000_000])
    let target = arena.make([Int32](repeating: -7, count: Int(place.out_height) * columns * stride), filler: 0)
    job.target = target
    table.analog_i32(&job)
    var limited = 0
    for y in 0..<Int(place.out_height) {
        for x in 0..<columns * block {
            for lane in 0..<lanes {
                let found = target[(y * columns + x / block) * stride + x % block * lanes + lane]
                guard y >= job.row_begin, y < job.row_end, x < Int(place.out_width) else {
                    #expect(found == -7)
                    continue
                }
                var sum = bias[lane]
                for seen in places(place, y, x) {
                    for c in 0..<channels {
                        let row = (c * Int(place.kernel_height) + seen.ky) * Int(place.kernel_width) + seen.kx
                        sum += image[(c * height + seen.y) * width + seen.x] * weights[row * lanes + lane]
                    }
                }
                if abs(sum) > job.limit { limited += 1 }
                #expect(found == Int32(min(max(sum, -job.limit), job.limit).rounded()))
            }
        }
    }
    #expect(Int(job.limited) == limited)
}
