internal import CSpikeKernels
internal import SpikeGraph

// From an expression to a stage: tiles, units, packed weights.

extension Assembly {
    /// A stage for an expression. In int8, if its numbers do not fit, the stage stays float32.
    mutating func makeStage(
        name: String, input: String, target: Int?, expression: Expression, parameters: NeuronParameters, isInteger: Bool
    ) -> NeuronStage {
        let channels = expression.layout.channels
        var units = Units(channels: channels)
        if isInteger, let found = Units(expression, parameters: parameters, signals: builder.signals, description: description) {
            units = found
        }
        let lanes = self.lanes(expression, parameters: parameters, units: units, isOutput: target == nil)
        func constant(_ value: Float) -> Memory { units.memory([Float](repeating: value, count: channels), lanes) }
        let initial = (0..<channels).map { parameters.initial + (parameters.initialOffsets.isEmpty ? 0 : parameters.initialOffsets[$0]) }
        var stage = NeuronStage(
            name: name, input: input, target: target, layout: expression.layout, isFlat: expression.isFlat, rule: parameters.rule,
            isInteger: units.isInteger, shift: units.shift, lanes: lanes, branches: [], threshold: constant(parameters.threshold),
            initial: units.memory(initial, lanes), evaluatesOffset: false, unitScale: units.fine, currentBound: units.currentBound,
            offsetLimit: units.offsetLimit)
        // Lanes that only fill a byte or a tile never fire.
        for lane in 0..<lanes.count where lanes.neuron(lane) == nil {
            if units.isInteger {
                stage.threshold.integers[lane] = parameters.rule.exponent == nil ? .max : 1 << 13
            } else {
                stage.threshold.floats[lane] = .infinity
            }
        }
        if let reset = parameters.reset { stage.reset = constant(reset) }
        if parameters.rounding != nil {
            let rounding = constant(0.5)
            // Half a threshold, rounded down: the same comparisons as with the exact half.
            for lane in 0..<lanes.count where units.isInteger && lanes.neuron(lane) != nil {
                rounding.integers[lane] = stage.threshold.integers[lane] / 2
            }
            stage.rounding = rounding
        }
        switch expression.offset {
        case .channels(let values) where values.contains { $0 != 0 }: stage.offsets = units.memory(values, lanes)
        case .channels: break
        case .evaluated: stage.evaluatesOffset = true
        }
        for term in expression.terms { addBranches(of: term, to: &stage, units: units) }
        return stage
    }

    /// Tiles for a stage, by what a pixel and step costs, in cycles: some for itself, some for each row that is added. Rows are
    /// estimated at a density of a tenth.
    private func lanes(_ expression: Expression, parameters: NeuronParameters, units: Units, isOutput: Bool) -> Lanes {
        let isInteger = units.isInteger
        let layout = expression.layout
        let widths = isInteger ? [32, 64, 128] : [8, 16, 32, 64]
        let vector = isInteger ? 32 : 8
        var blocks = [1]
        if !isOutput, parameters.encoding != .counts, expression.terms.allSatisfy({ allowsBlocks($0, of: layout, units: units) }) {
            blocks += [2, 4, 8]
        }
        var best: (cost: Double, lanes: Lanes)?
        for block in blocks where block <= layout.width {
            for width in widths {
                let lanes = Lanes(layout: layout, block: block, tile: width)
                if block > 1, block * lanes.channelStride > width || block * lanes.channelStride * 2 <= width { continue }
                let rows = expression.terms.reduce(0.0) { sum, term in
                    guard case .dense(_, _, let window) = term.synapses else { return sum }
                    let columns = Int(window.kernel_width) + (block - 1) * Int(window.stride_x)
                    return sum + Double(term.channels.count * Int(window.kernel_height) * columns * (term.pool?.places ?? 1)) * 0.1
                }
                // A tile's weights have to stay in the second-level cache.
                let weightBytes = rows * 10 * Double(width * (isInteger ? 1 : 4))
                let missing = weightBytes > 700_000 ? 1.5 : 1
                let cost = missing * (40 + rows * (1.5 + 1.1 * Double(width / vector))) * Double(lanes.tiles * lanes.columns)
                if cost < best?.cost ?? .infinity { best = (cost, lanes) }
            }
        }
        return best?.lanes ?? Lanes(layout: layout, block: 1, tile: widths[0])
    }

    /// Whether several neighbouring pixels may be a tile as far as this term is concerned.
    private func allowsBlocks(_ term: Term, of layout: Layout, units: Units) -> Bool {
        guard case .spikes(let number) = term.source else { return true }
        switch term.synapses {
        case .dense(_, _, let window): return window.dilation_x == 1 && Int(window.kernel_width) + 8 * Int(window.stride_x) <= 512
        case .identity:
            // The spikes of neighbouring pixels are neighbouring bits.
            return term.pool == nil && builder.signals[number].encoding != .counts && term.firstTarget == 0
                && term.channels == 0..<builder.signals[number].layout.channels && term.channels.count == layout.channels
                && units.fitsMasks(term.scale, term: term, places: 1)
        case .depthwise: return false
        }
    }

    private mutating func addBranches(of term: Term, to stage: inout NeuronStage, units: Units) {
        guard case .spikes(let number) = term.source else {
            if case .values(let name) = term.source {
                stage.branches.append(
                    Branch(
                        kind: .values(name), isNegative: false, window: spike_window(identity: stage.layout), entryStride: 0,
                        firstTarget: term.firstTarget, targetCount: term.channels.count, rows: 0, weights: Memory(count: 0), tileBytes: 0))
            }
            return
        }
        let signal = builder.signals[number]
        let source = term.pool ?? spike_window(identity: signal.layout)
        for isMinus in signal.encoding == .signed ? [false, true] : [false] {
            func branch(_ kind: Branch.Kind, _ window: spike_window, _ packed: (Memory, Int)) -> Branch {
                let isGathered = if case .gather = kind { true } else { false }
                return Branch(
                    kind: kind, isNegative: isMinus, window: Self.blocked(window, stage.lanes, isWidened: isGathered),
                    entryStride: (term.channels.count + 7) / 8 * 8,
                    firstTarget: term.firstTarget, targetCount: term.targetCount,
                    rows: window.places == 0 ? 0 : packed.1 / max(1, stage.lanes.tile * (units.isInteger ? 1 : 4)) - 1, weights: packed.0,
                    tileBytes: packed.1)
            }
            var made: Branch
            switch term.synapses {
            case .dense(let weights, _, let window):
                let view = view(number, isMinus: isMinus, channels: term.channels, window: source)
                made = branch(.gather(view: view), window, units.packRows(weights, term: term, window: window, lanes: stage.lanes))
                if allowsDense(term, of: stage, window: window) {
                    made.dense = units.packDense(weights, term: term, window: window, lanes: stage.lanes)
                }
            case .identity, .depthwise:
                let (weights, window) = diagonal(term, over: source)
                if term.pool == nil, signal.encoding != .counts, Self.linesUp(term, stage),
                    units.fitsMasks(weights, term: term, places: window.places)
                {
                    let packed = units.packDiagonal(weights, term: term, places: window.places, lanes: stage.lanes)
                    made = branch(
                        .masked(signal: number, isMinus: isMinus, firstChannel: term.channels.lowerBound), window,
                        (packed.0, packed.1))
                    made.shift = packed.shift
                } else {
                    let view = view(number, isMinus: isMinus, channels: term.channels, window: source)
                    made = branch(
                        .scatter(view: view), window, (units.scatterWeights(weights, term: term, places: window.places), 0))
                }
            }
            stage.branches.append(made)
        }
    }

    /// Whether the dense kernel can stand in for gathering: numbers below 128, whole bytes of channels, several pixels to share the
    /// reading of weights.
    private func allowsDense(_ term: Term, of stage: NeuronStage, window: spike_window) -> Bool {
        guard case .spikes(let number) = term.source, stage.isInteger, let exponent = stage.rule.exponent else { return false }
        return exponent < 7 && term.pool == nil && builder.signals[number].encoding == .bits && term.channels.lowerBound % 8 == 0
            && stage.lanes.block == 1 && stage.lanes.blocks >= 4 && window.places <= Int(SPIKE_LARGEST_DENSE)
    }

    /// The window that a block of pixels has together.
    static func blocked(_ window: spike_window, _ lanes: Lanes, isWidened: Bool) -> spike_window {
        guard lanes.block > 1 else { return window }
        var wide = window
        if isWidened { wide.kernel_width += Int32(lanes.block - 1) * window.stride_x }
        wide.stride_x *= Int32(lanes.block)
        wide.out_width = Int32(lanes.columns)
        return wide
    }

    /// Weights [channels][places] and window of a term without synapses between channels.
    private func diagonal(_ term: Term, over source: spike_window) -> ([Float], spike_window) {
        if case .depthwise(let weights, let window) = term.synapses { return (weights, window) }
        return (term.scale, spike_window(identity: source.output(channels: 1)))
    }

    /// Whether the bits of each tile start at a byte.
    private static func linesUp(_ term: Term, _ stage: NeuronStage) -> Bool {
        let shift = term.channels.lowerBound - term.firstTarget
        let firstTile = term.firstTarget / stage.lanes.tile * stage.lanes.tile
        return shift % 8 == 0 && firstTile + shift >= 0
    }
}

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

    /// Rows for gathering: [tile][kernel row][kernel column][position of the list's pixel][lane], and a row of zeros.
    func packRows(_ weights: [Float], term: Term, window: spike_window, lanes: Lanes) -> (Memory, tileBytes: Int) {
        let (inputs, tile) = (term.channels.count, lanes.tile)
        let entryStride = (inputs + 7) / 8 * 8
        let (height, width, stride) = (Int(window.kernel_height), Int(window.kernel_width), Int(window.stride_x))
        let columns = width + (lanes.block - 1) * stride
        let rows = height * columns * entryStride
        let tileBytes = (rows + 1) * tile * (isInteger ? 1 : 4)
        let memory = Memory(count: lanes.tiles * tileBytes)
        var levels = [Int8](repeating: 0, count: tile)
        for number in 0..<lanes.tiles {
            let bytes = memory.start.assumingMemoryBound(to: UInt8.self) + number * tileBytes
            let floats = memory.floats + number * tileBytes / 4
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
                        let column = place % columns - pixel * stride
                        guard column >= 0, column < width else { continue }
                        let weight = weights[(feature * inputs + input) * height * width + place / columns * width + column]
                        if isInteger {
                            levels[lane] = level(weight, channel: feature + term.firstTarget)
                        } else {
                            floats[row * tile + lane] = weight
                        }
                    }
                }
                if isInteger { spike_pack_i8(levels, Int32(tile), bytes + row * tile) }
            }
        }
        return (memory, tileBytes)
    }

    /// For the dense kernel: [tile][place][four channels][lane][channel of the four].
    func packDense(_ weights: [Float], term: Term, window: spike_window, lanes: Lanes) -> (Memory, tileBytes: Int) {
        let (inputs, places, tile) = (term.channels.count, window.places, lanes.tile)
        let entryStride = (inputs + 7) / 8 * 8
        let tileBytes = places * entryStride * tile
        let memory = Memory(count: lanes.tiles * tileBytes)
        for lane in 0..<lanes.count {
            guard let neuron = lanes.neuron(lane), (0..<term.targetCount).contains(neuron.channel - term.firstTarget) else { continue }
            let levels = (memory.start + lane / tile * tileBytes).assumingMemoryBound(to: Int8.self)
            let row = (neuron.channel - term.firstTarget) * inputs * places
            for input in 0..<inputs {
                for place in 0..<places {
                    levels[((place * entryStride + input) / 4 * tile + lane % tile) * 4 + input % 4] =
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
