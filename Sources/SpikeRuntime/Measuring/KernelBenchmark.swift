internal import CSpikeKernels
internal import Foundation

/// How fast kernels are on this machine: layers of gathering synapses over densities, beside the bound that loading weights sets.
///
/// Times are processor time of the one thread that measures, the first quartile of several runs over rotating inputs.
package struct KernelBenchmark: Codable, Sendable, CustomStringConvertible {
    /// A 3×3 layer at one density.
    package struct Row: Codable, Sendable {
        /// The layer's sizes.
        package var layer: String
        /// The numbers' type.
        package var precision: String
        /// The share of neurons that spike in a step.
        package var density: Double
        /// Of all steps: making the lists, and synapses with neurons.
        package var listMicroseconds: Double
        /// The time of one step of the stage, in microseconds.
        package var stageMicroseconds: Double
        /// Additions of weights in a nanosecond, neurons and overhead included, lists not.
        package var additionsPerNanosecond: Double
        /// The share of the additions that loads from the second-level cache would allow.
        package var shareOfBound: Double
    }

    /// Where the dense kernel overtakes gathering, for a radix code of four digits in int8.
    package struct Crossover: Codable, Sendable {
        /// The layer's sizes.
        package var layer: String
        /// The dense kernel's time, which does not depend on spikes.
        package var denseMicroseconds: Double
        /// Products of a weight and a number in a nanosecond.
        package var productsPerNanosecond: Double
        /// From so many spikes a neuron on it is faster; `nil`: not up to two.
        package var spikesPerNeuron: Double?
        /// The number that the engine goes by.
        package var assumed: Double
    }

    /// The vector instructions that were used.
    package var instructionSet: String
    /// The number of time steps.
    package var steps: Int
    /// Bytes in a nanosecond, read and added as a 256-channel layer at a density of a tenth selects them.
    package var cacheBytesPerNanosecond: Double
    /// What was measured.
    package var rows: [Row]
    /// From how many spikes a neuron on the dense kernel is the faster.
    package var crossovers: [Crossover]

    /// Channels and side of the layers measured.
    package static let layers = [(64, 32), (128, 16), (256, 8), (512, 4)]

    /// Measures.
    ///
    /// - Parameters:
    ///   - densities: shares of neurons that spike in a step.
    ///   - steps: from 1 to 64; other numbers count as the nearest of these.
    ///   - runs: for each time; at least 1.
    package init(densities: [Double] = [0.01, 0.05, 0.1, 0.2, 0.3, 0.5], steps: Int = 32, runs: Int = 15) {
        let (steps, runs) = (min(max(steps, 1), Program.longestBlock), max(runs, 1))
        let isa = spike_isa_default()
        instructionSet = String(cString: spike_isa_name(isa))
        self.steps = steps
        cacheBytesPerNanosecond = Self.cacheBandwidth(runs: runs)
        rows = []
        crossovers = Self.layers.map { Self.crossover(channels: $0.0, side: $0.1, isa: isa, runs: runs) }
        for precision in Precision.allCases {
            for (channels, side) in Self.layers {
                for density in densities {
                    let bench = LayerBench(channels: channels, side: side, steps: steps, isInteger: precision == .int8, isa: isa)
                    let (list, stage, additions) = bench.measure(density: density, runs: runs)
                    let rate = additions / stage
                    let bound = cacheBytesPerNanosecond / (precision == .int8 ? 1 : 4)
                    rows.append(
                        Row(
                            layer: "\(channels)×\(side)×\(side)", precision: precision.rawValue, density: density,
                            listMicroseconds: list / 1000, stageMicroseconds: stage / 1000, additionsPerNanosecond: rate,
                            shareOfBound: rate / bound))
                }
            }
        }
    }

    private static func crossover(channels: Int, side: Int, isa: spike_isa, runs: Int) -> Crossover {
        let bench = LayerBench(channels: channels, side: side, steps: 4, isInteger: true, isa: isa, isRadix: true)
        let (numbers, dense, _) = bench.measure(density: 0.1, runs: runs, isDense: true)
        let counts = [0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2, 2]
        var (found, before): (Double?, (count: Double, time: Double)) = (nil, (0, 0))
        for count in counts where found == nil {
            let (list, stage, _) = bench.measure(density: count / 4, runs: runs)
            let time = list + stage
            if time >= numbers + dense {
                let share = (numbers + dense - before.time) / max(time - before.time, 1)
                found = before.count + (count - before.count) * min(max(share, 0), 1)
            }
            before = (count, time)
        }
        // At a border a window has fewer places.
        let places = Double((3 * side - 2) * (3 * side - 2))
        return Crossover(
            layer: "\(channels)×\(side)×\(side)", denseMicroseconds: (numbers + dense) / 1000,
            productsPerNanosecond: places * Double(channels * channels) / dense, spikesPerNeuron: found,
            assumed: Program.denseCrossover(rows: 9 * channels))
    }

    /// Nanoseconds of processor time of this thread.
    static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }

    /// The first quartile: other programs only ever make runs longer.
    static func quartile(_ times: [Double]) -> Double { times.sorted()[times.count / 4] }

    /// Rows of 128 bytes, in ascending order with gaps as spikes select them, from a block as large as a tile's weights of a
    /// 256-channel layer.
    private static func cacheBandwidth(runs: Int) -> Double {
        let rows = 9 * 256
        let memory = Memory(count: rows * 128)
        var random = SystemRandomNumberGenerator()
        let offsets = (0..<64).flatMap { _ in
            (0..<rows).filter { _ in Int.random(in: 0..<10, using: &random) == 0 }.map { UInt32($0 * 128) }
        }
        var sum: UInt64 = 0
        let times = (0..<runs).map { _ in
            let start = now()
            for _ in 0..<20 { sum &+= spike_read_rows(memory.start, offsets, offsets.count) }
            return now() - start
        }
        withExtendedLifetime(memory) {}
        // The sum is used, so that reading is not left out.
        return Double(offsets.count * 128 * 20) / quartile(times) + (sum == 1 ? 1 : 0)
    }

    /// A table for people.
    package var description: String {
        func cell(_ value: Double, _ digits: Int) -> String {
            let text = String(format: "%.\(digits)f", value)
            return String(repeating: " ", count: max(0, 9 - text.count)) + text
        }
        var lines = [
            "kernels \(instructionSet), \(steps) steps; loads \(String(format: "%.1f", cacheBytesPerNanosecond)) bytes/ns of rows from 288 KiB",
            "precision  layer        density  lists µs  stage µs   adds/ns  of bound",
        ]
        for row in rows {
            let layer = row.layer.padding(toLength: 11, withPad: " ", startingAt: 0)
            let precision = row.precision.padding(toLength: 9, withPad: " ", startingAt: 0)
            let numbers = [
                cell(row.density * 100, 0) + " %", cell(row.listMicroseconds, 1), cell(row.stageMicroseconds, 1),
                cell(row.additionsPerNanosecond, 1), cell(row.shareOfBound * 100, 0) + " %",
            ]
            lines.append("\(precision)  \(layer)" + numbers.joined(separator: " "))
        }
        lines += ["", "radix code of 4 digits, int8   dense µs  products/ns  overtakes gathering at spikes a neuron (assumed)"]
        for crossover in crossovers {
            lines.append(
                crossover.layer.padding(toLength: 29, withPad: " ", startingAt: 0) + cell(crossover.denseMicroseconds, 1)
                    + cell(crossover.productsPerNanosecond, 1) + "    "
                    + (crossover.spikesPerNeuron.map { cell($0, 2) } ?? " above 2 ") + cell(crossover.assumed, 2))
        }
        let found = crossovers.map { String(format: "%.2f", $0.spikesPerNeuron ?? 3) }.joined(separator: ",")
        lines += ["", "SPIKELET_CROSSOVERS=\(found) takes the measured ones instead of those assumed"]
        return lines.joined(separator: "\n")
    }
}

/// One 3×3 layer with as many channels out as in, stride 1, padding 1.
private struct LayerBench {
    let channels: Int
    let side: Int
    let steps: Int
    let isInteger: Bool
    let table: UnsafePointer<spike_kernel_table>
    let tile: Int
    let rows: Int
    let tileBytes: Int
    let weights: Memory
    let isRadix: Bool

    init(channels: Int, side: Int, steps: Int, isInteger: Bool, isa: spike_isa, isRadix: Bool = false) {
        (self.channels, self.side, self.steps, self.isInteger, self.isRadix) = (channels, side, steps, isInteger, isRadix)
        table = spike_table(isa)
        tile = isInteger ? min(128, channels) : 64
        rows = 9 * channels
        tileBytes = (rows + 1) * tile * (isInteger ? 1 : 4)
        weights = Memory(count: channels / tile * tileBytes)
        if isInteger {
            let bytes = weights.start.assumingMemoryBound(to: Int8.self)
            for index in 0..<weights.count { bytes[index] = Int8(truncatingIfNeeded: index &* 2_654_435_761 >> 13) }
        }
    }

    /// Nanoseconds for lists (or numbers) and for the stage, and the additions of a run.
    func measure(density: Double, runs: Int, isDense: Bool = false) -> (list: Double, stage: Double, additions: Double) {
        let pixelBytes = channels / 8
        let planeBytes = side * side * pixelBytes
        let inputs = 8
        let bits = Memory(count: inputs * steps * planeBytes)
        let spikes = bits.start.assumingMemoryBound(to: UInt8.self)
        var random = SystemRandomNumberGenerator()
        var reached = [Double](repeating: 0, count: inputs)
        for input in 0..<inputs {
            for index in 0..<steps * side * side * channels where Double.random(in: 0..<1, using: &random) < density {
                spikes[input * steps * planeBytes + index / 8] |= 1 << UInt8(index % 8)
                let pixel = index / channels % (side * side)
                // At a border a spike reaches fewer places.
                func near(_ at: Int) -> Int { side == 1 ? 1 : at == 0 || at == side - 1 ? 2 : 3 }
                reached[input] += Double(near(pixel / side) * near(pixel % side) * channels)
            }
        }
        var window = spike_window(identity: Layout(channels: channels, height: side, width: side))
        let starts = Memory(count: steps * side * (side + 1) * 4)
        let entries = Memory(count: (3 * steps * side * side * channels + 32) * 2)
        let numbers = Memory(count: (side * side + 1) * channels)
        let scratch = Memory(count: Int(SPIKE_POSITIONS) * steps * tile * 4)
        let output = Memory(count: steps * planeBytes)
        let initial = Memory(count: tile * 4)
        let threshold = Memory(count: tile * 4)
        for lane in 0..<tile {
            if isInteger { threshold.integers[lane] = 1 << 16 } else { threshold.floats[lane] = 1 }
        }
        let identity = window
        (window.kernel_height, window.kernel_width, window.pad_top, window.pad_left) = (3, 3, 1, 1)
        let strides = spike_strides(pixel: pixelBytes, row: pixelBytes * side, step: planeBytes)
        var (listTimes, stageTimes): ([Double], [Double]) = ([], [])
        for run in 0..<runs {
            var job = spike_list_job()
            job.bits = UnsafePointer(spikes + run % inputs * steps * planeBytes)
            job.strides = strides
            (job.channel_count, job.entry_stride, job.step_end) = (Int32(channels), Int32(channels), Int32(steps))
            job.window = identity
            job.rows = spike_rows(window)
            job.entries = entries.start.assumingMemoryBound(to: UInt16.self)
            job.starts = starts.start.assumingMemoryBound(to: UInt32.self)
            let begin = KernelBenchmark.now()
            if isDense {
                var digits = spike_digits()
                (digits.bits, digits.step_bytes, digits.steps, digits.words) = (job.bits, planeBytes, Int32(steps), planeBytes / 8)
                digits.numbers = numbers.start.assumingMemoryBound(to: UInt8.self)
                table.pointee.numbers_u8?(&digits)
            } else {
                table.pointee.list_bits?(&job)
            }
            let middle = KernelBenchmark.now()
            var branch = spike_branch()
            branch.kind = SPIKE_BRANCH_GATHER
            branch.window = window
            (branch.channels, branch.rows) = (Int32(channels), Int32(rows))
            branch.lists = spike_lists(
                entries: UnsafePointer(job.entries), starts: UnsafePointer(job.starts), step_stride: side * (side + 1))
            if isDense {
                branch.kind = SPIKE_BRANCH_DENSE
                branch.numbers = UnsafePointer(numbers.start.assumingMemoryBound(to: UInt8.self))
                branch.zeros = branch.numbers + side * side * channels
                branch.largest = 1 << Int32(steps) - 1
                branch.strides = spike_strides(pixel: channels, row: channels * side, step: 0)
            }
            for number in 0..<channels / tile {
                branch.weights = UnsafeRawPointer(weights.start + number * tileBytes)
                var stage = spike_stage()
                stage.branch_count = 1
                (stage.tile, stage.out_width, stage.row_end, stage.steps) = (Int32(tile), Int32(side), Int32(side), Int32(steps))
                stage.pixels = Int64(side * side)
                stage.integers = isInteger
                stage.shift = 4
                (stage.growth, stage.layer_synchronous) = (isRadix ? 2 : 1, isRadix)
                stage.offsets_last_only = isRadix
                (stage.fire.halving, stage.fire.exponent) = (isRadix, Int32(isRadix ? steps - 1 : 0))
                stage.neuron = SPIKE_NEURON_IF
                stage.fire.threshold = UnsafeRawPointer(threshold.start)
                (stage.fire.lanes, stage.last_lanes) = (Int32(tile), Int32(tile))
                stage.initial = UnsafeRawPointer(initial.start)
                stage.plus = output.start.assumingMemoryBound(to: UInt8.self) + number * tile / 8
                stage.strides = strides
                stage.scratch = scratch.start
                withUnsafePointer(to: &branch) {
                    stage.branches = $0
                    spike_run_stage(&stage, table)
                }
            }
            listTimes.append(middle - begin)
            stageTimes.append(KernelBenchmark.now() - middle)
        }
        withExtendedLifetime((bits, starts, numbers, entries, scratch, output, initial, threshold)) {}
        let mean = reached.reduce(0, +) / Double(inputs)
        return (KernelBenchmark.quartile(listTimes), KernelBenchmark.quartile(stageTimes), mean)
    }
}
