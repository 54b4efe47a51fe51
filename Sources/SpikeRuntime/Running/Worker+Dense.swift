internal import CSpikeKernels
internal import Foundation
import SpikeGraph

// Radix-coded spikes as the numbers that they are the digits of, where so many neurons spike that a dense product is faster.

extension Program {
    /// From how many spikes a neuron on the dense kernel is faster than gathering, for 576, 1152, 2304 and 4608 weight rows (3×3
    /// synapses from 64, 128, 256 and 512 channels). `SPIKELET_CROSSOVERS` may name others, such as those that `spikelet kernels
    /// --measure` finds. Those built in: AVX-512 as whole networks were fastest on an EPYC of the Zen 4 generation; AVX2 as measured
    /// on one of the Zen 5 generation; NEON estimated from the number of instructions. Results are the same, whichever kernel runs.
    static let measuredCrossovers: [Double] = (try? chosenCrossovers()) ?? builtInCrossovers

    private static var builtInCrossovers: [Double] {
        switch spike_isa_default() {
        case SPIKE_ISA_AVX512: [0.02, 0.03, 0.05, 0.06]
        case SPIKE_ISA_AVX2: [0.27, 0.78, 0.97, 1.22]
        default: [3, 3, 3, 3]
        }
    }

    /// What `SPIKELET_CROSSOVERS` says; `nil` without it.
    ///
    /// - Throws: where it is not four numbers.
    package static func chosenCrossovers(
        _ environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws -> [Double]? {
        guard let text = environment["SPIKELET_CROSSOVERS"], !text.isEmpty else { return nil }
        let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map { Double($0) ?? -1 }
        guard numbers.count == builtInCrossovers.count, numbers.allSatisfy({ $0 >= 0 }) else {
            throw SpikeletError(
                .invalidOption, "SPIKELET_CROSSOVERS is '\(text)', not four numbers of spikes a neuron",
                remedy: "unset it, or name four, such as " + builtInCrossovers.map { "\($0)" }.joined(separator: ","))
        }
        return numbers
    }

    /// The same for any number of rows: straight lines between the measured ones, over the logarithm.
    static func denseCrossover(rows: Int) -> Double {
        let table = measuredCrossovers
        let place = min(max(log2(Double(max(1, rows)) / 576), 0), Double(table.count - 1))
        let low = min(Int(place), table.count - 2)
        return table[low] + (place - Double(low)) * (table[low + 1] - table[low])
    }
}

extension Worker {
    /// Whether a branch reads numbers in the place of spikes, one by one, in this block: always where it costs no more, else where so
    /// many spike that the dense kernel is the faster. Makes the numbers if so.
    func makeNumbers(_ branch: Branch, _ block: Block) -> Bool {
        guard block.hasNumbers else { return false }
        switch branch.kind {
        case .masked(let signal, _, _) where branch.readsNumbers && denseCrossover != .infinity:
            makeNumbers(of: signal, block)
            return true
        case .gather(let number) where branch.dense != nil:
            let signal = program.views[number].signal
            // Lists that are there already cost nothing.
            guard memory.lists[number] == nil else { return memory.numbers[signal] != nil }
            let crossover = denseCrossover ?? Program.denseCrossover(rows: branch.rows)
            let neurons = samples * program.signals[signal].layout.count
            guard Double(spikes(of: signal, block)) > crossover * Double(neurons) else { return false }
            makeNumbers(of: signal, block)
            return true
        default: return false
        }
    }

    private func spikes(of number: Int, _ block: Block) -> Int {
        (0..<samples).reduce(0) { sum, sample in
            sum + (plane(number, sample: sample, isMinus: false, block).map { count($0, program.signals[number], steps: block.steps) } ?? 0)
        }
    }

    private func makeNumbers(of number: Int, _ block: Block) {
        guard memory.numbers[number] == nil else { return }
        let signal = program.signals[number]
        // A byte for each bit, and zeros for one pixel; tiles may read beyond either.
        let (bytes, zeros) = (8 * signal.planeBytes, signal.channelStride + 128)
        let buffer = memory.take(samples * bytes + zeros)
        (buffer.start + samples * bytes).initializeMemory(as: UInt8.self, repeating: 0, count: zeros)
        memory.numbers[number] = buffer
        threads.forEach(samples) { sample, _ in
            guard let plane = plane(number, sample: sample, isMinus: false, block) else { return }
            var job = spike_digits()
            job.bits = UnsafePointer(plane.assumingMemoryBound(to: UInt8.self))
            job.step_bytes = signal.planeBytes
            job.steps = Int32(block.steps)
            job.words = signal.planeBytes / 8
            job.numbers = buffer.start.assumingMemoryBound(to: UInt8.self) + sample * bytes
            table.pointee.numbers_u8?(&job)
        }
    }

    /// A sample's numbers.
    struct Numbers {
        /// At the first channel that was asked for.
        var start: UnsafePointer<UInt8>
        /// As many zeros as a pixel has.
        var zeros: UnsafePointer<UInt8>
        var strides: spike_strides
    }

    /// The numbers of a sample from a channel on; `nil` where spikes are read.
    func numbers(of number: Int, channel: Int, sample: Int) -> Numbers? {
        guard let buffer = memory.numbers[number] else { return nil }
        let signal = program.signals[number]
        let start = UnsafePointer(buffer.start.assumingMemoryBound(to: UInt8.self))
        let bits = signal.strides
        return Numbers(
            start: start + sample * 8 * signal.planeBytes + channel, zeros: start + samples * 8 * signal.planeBytes,
            strides: spike_strides(pixel: 8 * bits.pixel, row: 8 * bits.row, step: 0))
    }
}
