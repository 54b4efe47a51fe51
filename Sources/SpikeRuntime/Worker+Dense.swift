internal import CSpikeKernels
internal import Foundation

// Radix-coded spikes as the numbers that they are the digits of, where so many neurons spike that a dense product is faster.

extension Program {
    /// From how many spikes a neuron on the dense kernel is faster than gathering, for 576, 1152, 2304 and 4608 weight rows (3×3
    /// synapses from 64, 128, 256 and 512 channels), as `spikelet kernels --measure` found it on an EPYC of the Zen 5 generation.
    /// With AVX-512 they are a third lower: in whole networks, whose weights are not in the cache, gathering is slower than it
    /// measures. For NEON they are estimated from the number of instructions. Results are the same, whichever kernel runs.
    static var measuredCrossovers: [Double] {
        switch spike_isa_default() {
        case SPIKE_ISA_AVX512: [0.03, 0.09, 0.17, 0.22]
        case SPIKE_ISA_AVX2: [0.27, 0.78, 0.97, 1.22]
        default: [3, 3, 3, 3]
        }
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
    /// Whether a branch is better off with the dense kernel on what it has to read in this block; makes the numbers if so.
    func makeNumbers(_ branch: Branch, _ block: Block) -> Bool {
        guard branch.dense != nil, case .gather(let number) = branch.kind, block.steps < 8 else { return false }
        if numbers[number] != nil { return true }
        // Lists that are there already cost nothing.
        guard entries[number] == nil else { return false }
        let view = program.views[number]
        let signal = program.signals[view.signal]
        var spikes = 0
        for sample in 0..<samples {
            guard let plane = plane(view.signal, sample: sample, isMinus: false, block) else { return false }
            spikes += count(plane, signal, block)
        }
        let crossover = denseCrossover ?? Program.denseCrossover(rows: branch.rows)
        guard Double(spikes) > crossover * Double(samples * signal.layout.count) else { return false }
        let bytes = signal.layout.pixels * view.entryStride
        let buffer = buffer(samples * bytes + view.entryStride)
        (buffer.start + samples * bytes).initializeMemory(as: UInt8.self, repeating: 0, count: view.entryStride)
        numbers[number] = buffer
        threads.forEach(samples) { sample, _ in
            guard let plane = plane(view.signal, sample: sample, isMinus: false, block) else { return }
            spike_radix_numbers(
                plane.assumingMemoryBound(to: UInt8.self) + view.channels.lowerBound / 8, signal.strides, Int32(block.steps),
                Int32(signal.layout.height), Int32(signal.layout.width), Int32(view.entryStride / 8),
                buffer.start.assumingMemoryBound(to: UInt8.self) + sample * bytes)
        }
        return true
    }

    /// A branch as the dense kernel sees it.
    func setDense(_ branch: Branch, _ result: inout spike_branch, _ block: Block, tile: Int, sample: Int) {
        guard case .gather(let number) = branch.kind, let buffer = numbers[number], let dense = branch.dense else { return }
        let view = program.views[number]
        let bytes = program.signals[view.signal].layout.pixels * view.entryStride
        let start = UnsafePointer(buffer.start.assumingMemoryBound(to: UInt8.self))
        result.kind = SPIKE_BRANCH_DENSE
        result.numbers = start + sample * bytes
        result.zeros = start + samples * bytes
        result.largest = 1 << Int32(block.steps) - 1
        result.weights = UnsafeRawPointer(dense.weights.start + tile * dense.tileBytes)
    }
}
