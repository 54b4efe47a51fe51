internal import CSpikeKernels

// Weights as spike_layer_branch has them.

extension Units {
    /// Synapses between channels: [lanes / 32][place][four channels][32 lanes][channel of the four]; the last block may have 16 lanes.
    func packNumbers(_ known: [Int8], term: Term, window: spike_window, lanes: Int) -> Memory {
        let (inputs, places) = (term.channels.count, window.places)
        let groups = (inputs + 7) / 8 * 2
        let memory = Memory(count: lanes * places * groups * 4)
        let levels = memory.start.assumingMemoryBound(to: Int8.self)
        for feature in 0..<term.targetCount {
            let lane = term.firstTarget + feature
            let first = lane / 32 * 32
            let width = min(32, lanes - first)
            let start = 4 * (first * places * groups + lane - first)
            for input in 0..<inputs {
                for place in 0..<places {
                    levels[start + 4 * width * (place * groups + input / 4) + input % 4] =
                        known[(feature * inputs + input) * places + place]
                }
            }
        }
        return memory
    }

    /// Synapses from each channel to itself whose weights have 32 bits [place][channel]: int16 [place][lanes], in two parts where one does not
    /// hold them.
    func packWhole(_ whole: Memory, term: Term, places: Int, lanes: Int) -> [(weights: Memory, shift: Int)] {
        let entryStride = (term.channels.count + 7) / 8 * 8
        let weights = (0..<places).flatMap { place in
            term.channels.indices.map { whole.integers[place * entryStride + $0 - term.channels.lowerBound] }
        }
        func packed(_ part: (Int32) -> Int32) -> Memory {
            let memory = Memory(count: places * lanes * 2)
            let words = memory.start.assumingMemoryBound(to: Int16.self)
            for (index, weight) in weights.enumerated() {
                let (place, channel) = (index / term.channels.count, index % term.channels.count)
                words[place * lanes + term.firstTarget + channel] = Int16(part(weight))
            }
            return memory
        }
        if weights.allSatisfy({ (-32767...32767).contains($0) }) { return [(packed { $0 }, 0)] }
        // Weights stay within 2^28.
        return [(packed { $0 >> 15 }, 15), (packed { $0 & 0x7fff }, 0)]
    }
}
