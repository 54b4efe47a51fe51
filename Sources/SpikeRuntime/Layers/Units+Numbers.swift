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
                    levels[start + 4 * width * (place * groups + input / 4) + input % 4] = known[(feature * inputs + input) * places + place]
                }
            }
        }
        return memory
    }
}
