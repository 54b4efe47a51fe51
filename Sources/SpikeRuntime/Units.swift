internal import CSpikeKernels
internal import SpikeGraph

/// The units of a stage's currents: 1 in float32; in int8, for each channel, a fraction of the threshold.
///
/// A weight of 1 is θ/N with a whole N, so that the threshold is exact; N is as large as ±127 allows. Biases, membranes and
/// the weights of depthwise and identity synapses are finer by 2^shift.
struct Units {
    var isInteger = false
    var shift = 0
    /// What a number is multiplied with to be in the unit of currents and membranes.
    var fine: [Float]
    /// The same for 8-bit weights.
    var coarse: [Float]
    var currentBound = 0
    /// What the analog part of a current is limited to.
    var offsetLimit: Float = 0

    init(channels: Int) {
        fine = [Float](repeating: 1, count: channels)
        coarse = fine
    }

    /// `nil` where whole numbers cannot hold it.
    init?(_ expression: Expression, parameters: NeuronParameters, signals: [Signal], description: SpikingDescription) {
        let channels = expression.layout.channels
        let threshold = parameters.threshold
        guard threshold > 0, expression.isFoldable || expression.terms.allSatisfy({ !$0.scale.isEmpty }) else { return nil }
        var largest = [Float](repeating: 0, count: channels)
        var sums = [Float](repeating: 0, count: channels)
        for term in expression.terms {
            guard case .spikes(let number) = term.source else { continue }
            let spikes = Float(signals[number].largestCount * (term.pool?.places ?? 1))
            func see(_ channel: Int, _ weight: Float, isGathered: Bool) {
                if isGathered { largest[channel] = max(largest[channel], abs(weight)) }
                sums[channel] += abs(weight) * spikes
            }
            switch term.synapses {
            case .identity: for (index, weight) in term.scale.enumerated() { see(term.firstTarget + index, weight, isGathered: false) }
            case .depthwise(let weights, let window):
                for (index, weight) in weights.enumerated() { see(term.firstTarget + index / window.places, weight, isGathered: false) }
            case .dense(let weights, let features, _):
                let size = max(1, weights.count / max(1, features))
                for (index, weight) in weights.enumerated() { see(term.firstTarget + index / size, weight, isGathered: true) }
            }
        }
        if case .channels(let values) = expression.offset {
            for (channel, value) in values.enumerated() { sums[channel] += abs(value) }
        }
        guard sums.allSatisfy(\.isFinite) else { return nil }
        isInteger = true
        coarse = largest.map { largest in
            let levels = largest > 0 ? (127 * threshold / largest).rounded(.down) : 127
            return min(max(levels, 1), 4096) / threshold
        }
        // A weight beyond 127 thresholds cannot be told from one of 127.
        guard largest.allSatisfy({ $0 <= 127 * threshold }) else { return nil }
        // Rounding adds at most half a unit a weight; 2 is more than that makes of any sum, except sums near nothing.
        let bound = zip(sums, coarse).map { 2 * $0 * $1 }.max() ?? 0
        let thresholds = (coarse.max() ?? 1) * threshold
        let total = parameters.rule.exponent.map { 1 << ($0 + 1) } ?? max(description.steps ?? 32, 32)
        let growth = Float(total)
        let room = Float(SPIKE_MEMBRANE_LIMIT) / 2
        var shift = 8
        while shift > 0, max(bound, thresholds) * growth * Float(1 << shift) > room { shift -= 1 }
        guard max(bound, thresholds) * Float(1 << shift) <= room, parameters.rule.exponent == nil || max(bound, thresholds) * growth <= room
        else { return nil }
        self.shift = shift
        let factor = Float(1 << shift)
        fine = coarse.map { $0 * factor }
        currentBound = Int(max(bound, thresholds)) << shift
        offsetLimit = room / growth
    }

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
    ///   - window: what the weights are for.
    ///   - gathered: the window over the spikes: the same, or with a pool taken in.
    func packRows(
        _ weights: [Float], term: Term, window: spike_window, gathered: spike_window, lanes: Lanes
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
                        let weight = weights[(feature * inputs + input) * window.places + source]
                        if isInteger {
                            levels[lane] = level(weight, channel: feature + term.firstTarget)
                        } else {
                            start.assumingMemoryBound(to: Float.self)[row * tile + lane] = weight
                        }
                    }
                }
                if isInteger { spike_pack_i8(levels, Int32(tile), start.assumingMemoryBound(to: UInt8.self) + row * tile) }
            }
        }
        return (memory, tileBytes)
    }

    /// For the dense kernel: [tile][32 lanes][place][four channels][lane][channel of the four].
    func packDense(_ weights: [Float], term: Term, window: spike_window, lanes: Lanes) -> (Memory, tileBytes: Int) {
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
                        level(weights[row + input * places + place], channel: neuron.channel)
                }
            }
        }
        return (memory, tileBytes)
    }

    /// A weight in 8 bits.
    private func level(_ weight: Float, channel: Int) -> Int8 { Int8(max(-127, min(127, (weight * coarse[channel]).rounded()))) }

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
