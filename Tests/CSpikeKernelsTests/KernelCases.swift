import CSpikeKernels

/// A kernel's arguments, drawn at random, and the memory behind them.
final class Arena {
    private var blocks: [UnsafeMutableRawPointer] = []

    deinit { for block in blocks { block.deallocate() } }

    /// Exactly as large as asked for (and what kernels may touch beyond), so that a sanitizer sees every step too far.
    func make<Element>(_ values: [Element], slack: Int = 0, filler: Element) -> UnsafeMutablePointer<Element> {
        let count = values.count + slack
        let raw = UnsafeMutableRawPointer.allocate(byteCount: max(1, count * MemoryLayout<Element>.stride), alignment: 64)
        blocks.append(raw)
        let pointer = raw.bindMemory(to: Element.self, capacity: max(1, count))
        for index in 0..<count { (pointer + index).initialize(to: index < values.count ? values[index] : filler) }
        return pointer
    }
}

/// The same numbers on every machine (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: Int) { state = UInt64(bitPattern: Int64(seed)) &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
    mutating func chance(_ probability: Double) -> Bool { Double.random(in: 0..<1, using: &self) < probability }
    mutating func pick<Element>(_ choices: [Element]) -> Element { choices[int(0...choices.count - 1)] }
    /// Multiples of 1/8: their sums are exact in any order.
    mutating func dyadic(_ count: Int, limit: Int = 64) -> [Float] { (0..<count).map { _ in Float(int(-limit...limit)) / 8 } }
    mutating func whole(_ count: Int, limit: Int) -> [Int32] { (0..<count).map { _ in Int32(int(-limit...limit)) } }
}

/// Spikes of one sample: [steps][height][width][channels].
struct Spikes {
    let steps, height, width, channels: Int
    var values: [Int]

    init(_ random: inout SeededGenerator, steps: Int, height: Int, width: Int, channels: Int, density: Double, most: Int = 1) {
        (self.steps, self.height, self.width, self.channels) = (steps, height, width, channels)
        values = (0..<steps * height * width * channels).map { _ in random.chance(density) ? random.int(1...most) : 0 }
    }

    func at(_ step: Int, _ y: Int, _ x: Int, _ c: Int) -> Int { values[((step * height + y) * width + x) * channels + c] }

    var pixelBytes: Int { (channels + 7) / 8 }
    var rowBytes: Int { (pixelBytes * width + 7) / 8 * 8 }
    var strides: spike_strides { spike_strides(pixel: pixelBytes, row: rowBytes, step: rowBytes * height) }

    /// Bits of what `keep` accepts.
    func bits(_ keep: (Int) -> Bool = { $0 > 0 }) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: steps * height * rowBytes)
        for step in 0..<steps {
            for y in 0..<height {
                for x in 0..<width {
                    for c in 0..<channels where keep(at(step, y, x, c)) {
                        bytes[(step * height + y) * rowBytes + x * pixelBytes + c / 8] |= 1 << UInt8(c % 8)
                    }
                }
            }
        }
        return bytes
    }

    var countStrides: spike_strides { spike_strides(pixel: channels, row: channels * width, step: channels * width * height) }
    var counts: [Int16] { values.map { Int16($0) } }
}

func window(_ random: inout SeededGenerator, height: Int, width: Int, largest: Int = 3, dilates: Bool = true) -> spike_window {
    var window = spike_window()
    (window.height, window.width) = (Int32(height), Int32(width))
    window.kernel_height = Int32(random.int(1...min(largest, height)))
    window.kernel_width = Int32(random.int(1...min(largest, width)))
    (window.stride_y, window.stride_x) = (Int32(random.int(1...2)), Int32(random.int(1...2)))
    let dilation: Int32 = dilates && random.chance(0.2) ? 2 : 1
    (window.dilation_y, window.dilation_x) = (dilation, dilation)
    (window.pad_top, window.pad_left) = (Int32(random.int(0...1)), Int32(random.int(0...1)))
    let extentY = (window.kernel_height - 1) * dilation + 1
    let extentX = (window.kernel_width - 1) * dilation + 1
    window.out_height = max(1, (window.height + 2 * window.pad_top - extentY) / window.stride_y + 1)
    window.out_width = max(1, (window.width + 2 * window.pad_left - extentX) / window.stride_x + 1)
    return window
}

/// The input places that an output place sees, with the place in the kernel.
func places(_ w: spike_window, _ y: Int, _ x: Int) -> [(ky: Int, kx: Int, y: Int, x: Int)] {
    var found: [(ky: Int, kx: Int, y: Int, x: Int)] = []
    for ky in 0..<Int(w.kernel_height) {
        for kx in 0..<Int(w.kernel_width) {
            let sy = y * Int(w.stride_y) + ky * Int(w.dilation_y) - Int(w.pad_top)
            let sx = x * Int(w.stride_x) + kx * Int(w.dilation_x) - Int(w.pad_left)
            if sy >= 0, sy < Int(w.height), sx >= 0, sx < Int(w.width) { found.append((ky, kx, sy, sx)) }
        }
    }
    return found
}

/// Rows that each see one row.
func singleRows(_ window: spike_window) -> spike_rows {
    spike_rows(out_height: window.out_height, kernel_height: 1, stride: 1, dilation: 1, pad: 0)
}

/// Lists as plain Swift makes them: for each step and output row, for each column, the rows that it sees.
func lists(
    _ spikes: Spikes, channels: Range<Int>, window w: spike_window, rows: spike_rows
) -> (entries: [UInt16], starts: [UInt32]) {
    let stride = (channels.count + 7) / 8 * 8
    var (entries, starts): ([UInt16], [UInt32]) = ([], [])
    for step in 0..<spikes.steps {
        for out in 0..<Int(rows.out_height) {
            for x in 0..<Int(w.out_width) {
                starts.append(UInt32(entries.count))
                for ky in 0..<Int(rows.kernel_height) {
                    let y = out * Int(rows.stride) + ky * Int(rows.dilation) - Int(rows.pad)
                    guard y >= 0, y < Int(w.out_height) else { continue }
                    for place in places(w, y, x) {
                        for c in channels {
                            for _ in 0..<max(0, spikes.at(step, place.y, place.x, c)) {
                                let column = x * Int(rows.kernel_height) + ky
                                entries.append(UInt16(truncatingIfNeeded: column * stride + c - channels.lowerBound))
                            }
                        }
                    }
                }
            }
            starts.append(UInt32(entries.count))
        }
    }
    return (entries, starts)
}

/// Every kernel of kernels.def, for each instruction set that it is written for.
let registrations: [(name: String, isa: spike_isa)] = (0..<spike_kernel_count()).flatMap { kernel in
    (0..<SPIKE_ISA_COUNT.rawValue).map { spike_isa(rawValue: $0) }.filter { spike_kernel_isa(kernel, $0) == $0 }
        .map { (String(cString: spike_kernel_name(kernel)), $0) }
}
