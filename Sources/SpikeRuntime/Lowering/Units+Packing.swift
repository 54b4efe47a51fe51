internal import CSpikeKernels

// Weights and numbers of a layer in its units, as the kernels read them.

extension Units {
    /// Chosen so that nothing comes near the limit; a crash is none the less no answer.
    private func whole(_ value: Float, _ factor: Float) -> Int32 {
        let limit = Float(SPIKE_MEMBRANE_LIMIT) / 2
        return Int32(min(max((value * factor).rounded(), -limit), limit))
    }

    /// One number for each channel, in the unit, for all lanes.
    func memory(_ values: [Float], _ lanes: Lanes) -> Memory {
        let memory = Memory(count: lanes.count * 4)
        for lane in 0..<lanes.count {
            if let neuron = lanes.neuron(lane) { put(values[neuron.channel], channel: neuron.channel, at: lane, in: memory) }
        }
        return memory
    }

    /// Rows for gathering: [tile][kernel column][kernel row][position of the list's pixel][lane], and a row of zeros.
    ///
    /// - Parameters:
    ///   - known: the same weights in 8 bits, for whole numbers.
    ///   - window: what the weights are for.
    ///   - gathered: the window over the spikes: the same, or with a pool taken in.
    func packRows(
        _ weights: [Float], levels known: [Int8], term: Term, window: spike_window, gathered: spike_window, lanes: Lanes
    ) -> (Memory, tileBytes: Int) {
        let (inputs, tile) = (term.channels.count, lanes.tile)
        let entryStride = (inputs + 7) / 8 * 8
        let (height, width, stride) = (Int(gathered.kernel_height), Int(gathered.kernel_width), Int(gathered.stride_x))
        // A place of a pool has the weight of its pixel.
        let (poolHeight, poolWidth) = (height / Int(window.kernel_height), width / Int(window.kernel_width))
        let columns = width + (lanes.block - 1) * stride
        let rows = height * columns * entryStride
        let tileBytes = (rows + 1) * tile * (isInteger ? 1 : 4)
        let memory = Memory(count: lanes.tiles * tileBytes)
        var levels = [Int8](repeating: 0, count: tile)
        for number in 0..<lanes.tiles {
            let start = memory.start + number * tileBytes
            // What each lane adds to: a pixel of the block, and a feature of the term.
            let targets = (0..<tile).map { lane -> (pixel: Int, feature: Int)? in
                guard let neuron = lanes.neuron(number * tile + lane), (0..<term.targetCount).contains(neuron.channel - term.firstTarget)
                else { return nil }
                return (neuron.pixel, neuron.channel - term.firstTarget)
            }
            for row in 0..<rows + 1 {
                let (place, input) = (row / entryStride, row % entryStride)
                if isInteger { for lane in 0..<tile { levels[lane] = 0 } }
                if row < rows, input < inputs {
                    for lane in 0..<tile {
                        guard let (pixel, feature) = targets[lane] else { continue }
                        let column = place / height - pixel * stride
                        guard column >= 0, column < width else { continue }
                        let source = place % height / poolHeight * Int(window.kernel_width) + column / poolWidth
                        let index = (feature * inputs + input) * window.places + source
                        if isInteger {
                            levels[lane] = known[index]
                        } else {
                            start.assumingMemoryBound(to: Float.self)[row * tile + lane] = weights[index]
                        }
                    }
                }
                if isInteger { spike_pack_i8(levels, Int32(tile), start.assumingMemoryBound(to: UInt8.self) + row * tile) }
            }
        }
        return (memory, tileBytes)
    }

    /// For the dense kernel: [tile][32 lanes][place][four channels][lane][channel of the four].
    func packDense(_ known: [Int8], term: Term, window: spike_window, lanes: Lanes) -> (Memory, tileBytes: Int) {
        let (inputs, places, tile) = (term.channels.count, window.places, lanes.tile)
        let entryStride = (inputs + 7) / 8 * 8
        let tileBytes = places * entryStride * tile
        let memory = Memory(count: lanes.tiles * tileBytes)
        for lane in 0..<lanes.count {
            guard let neuron = lanes.neuron(lane), (0..<term.targetCount).contains(neuron.channel - term.firstTarget) else { continue }
            let levels = (memory.start + lane / tile * tileBytes).assumingMemoryBound(to: Int8.self)
            let row = (neuron.channel - term.firstTarget) * inputs * places
            let block = lane % tile / 32 * places * entryStride * 32
            for input in 0..<inputs {
                for place in 0..<places {
                    levels[block + ((place * entryStride + input) / 4 * 32 + lane % 32) * 4 + input % 4] =
                        known[row + input * places + place]
                }
            }
        }
        return (memory, tileBytes)
    }

    /// [tile][place][lane]; int8: in 16 bits, as fine as the sum over all places allows.
    func packDiagonal(_ weights: [Float], term: Term, places: Int, lanes: Lanes) -> (Memory, tileBytes: Int, shift: Int) {
        let tile = lanes.tile
        var taken = 0
        if isInteger {
            let sums = (0..<term.channels.count).map { channel in
                (0..<places).reduce(Float(0)) { $0 + abs(weights[channel * places + $1]) } * fine[channel + term.firstTarget]
            }
            while taken < shift, sums.contains(where: { $0 / Float(1 << taken) + Float(places) > 32767 }) { taken += 1 }
        }
        let width = isInteger ? 2 : 4
        let memory = Memory(count: lanes.count * places * width)
        let words = memory.start.assumingMemoryBound(to: Int16.self)
        for lane in 0..<lanes.count {
            guard let neuron = lanes.neuron(lane), (0..<term.channels.count).contains(neuron.channel - term.firstTarget) else { continue }
            for place in 0..<places {
                let weight = weights[(neuron.channel - term.firstTarget) * places + place]
                let index = (lane / tile * places + place) * tile + lane % tile
                if isInteger {
                    words[index] = Int16(max(-32767, min(32767, (weight * fine[neuron.channel] / Float(1 << taken)).rounded())))
                } else {
                    memory.floats[index] = weight
                }
            }
        }
        return (memory, places * tile * width, taken)
    }

    /// Whether 16 bits hold a depthwise or identity term without giving up the unit of 8-bit weights.
    func fitsMasks(_ weights: [Float], term: Term, places: Int) -> Bool {
        guard isInteger else { return true }
        return (0..<term.channels.count).allSatisfy { channel in
            let sum = (0..<places).reduce(Float(0)) { $0 + abs(weights[channel * places + $1]) }
            return sum * coarse[channel + term.firstTarget] + Float(places) <= 32767
        }
    }

    /// [place][channel].
    func scatterWeights(_ weights: [Float], term: Term, places: Int) -> Memory {
        let entryStride = (term.channels.count + 7) / 8 * 8
        let memory = Memory(count: entryStride * places * 4)
        for channel in 0..<term.channels.count {
            for place in 0..<places {
                put(
                    weights[channel * places + place], channel: channel + term.firstTarget, at: place * entryStride + channel, in: memory)
            }
        }
        return memory
    }

    private func put(_ weight: Float, channel: Int, at index: Int, in memory: Memory) {
        if isInteger {
            memory.integers[index] = whole(weight, fine[channel])
        } else {
            memory.floats[index] = weight
        }
    }
}
