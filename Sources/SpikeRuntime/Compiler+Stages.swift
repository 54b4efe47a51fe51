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
        let tile = Self.tile(channels: channels, isInteger: units.isInteger)
        let padded = (channels + tile - 1) / tile * tile
        var stage = NeuronStage(
            name: name, input: input, target: target, layout: expression.layout, isFlat: expression.isFlat, rule: parameters.rule,
            isInteger: units.isInteger, shift: units.shift, tile: tile, paddedChannels: padded, branches: [],
            threshold: units.memory([Float](repeating: parameters.threshold, count: channels), count: padded),
            initial: units.memory([Float](repeating: parameters.initial, count: channels), count: padded),
            evaluatesOffset: false, unitScale: units.fine, currentBound: units.currentBound)
        // Channels that only fill a tile never fire.
        for channel in channels..<padded {
            if units.isInteger {
                stage.threshold.integers[channel] = parameters.rule.exponent == nil ? .max : 1 << 13
            } else {
                stage.threshold.floats[channel] = .infinity
            }
        }
        if let reset = parameters.reset { stage.reset = units.memory([Float](repeating: reset, count: channels), count: padded) }
        if parameters.rounding != nil {
            stage.rounding =
                units.isInteger
                ? Memory(count: padded * 4)
                : Memory(
                    [Float](repeating: 0.5, count: channels) + [Float](repeating: 0, count: padded - channels))
            // Half a threshold, rounded down: the same comparisons as with the exact half.
            if units.isInteger, let rounding = stage.rounding {
                for channel in 0..<channels { rounding.integers[channel] = stage.threshold.integers[channel] / 2 }
            }
        }
        switch expression.offset {
        case .channels(let values) where values.contains { $0 != 0 }: stage.offsets = units.memory(values, count: padded)
        case .channels: break
        case .evaluated: stage.evaluatesOffset = true
        }
        for term in expression.terms { addBranches(of: term, to: &stage, units: units) }
        return stage
    }

    /// The width of a tile: little padding, then wide.
    private static func tile(channels: Int, isInteger: Bool) -> Int {
        let widths = isInteger ? [128, 64, 32] : [64, 32, 16, 8]
        func cost(_ width: Int) -> Double { Double((channels + width - 1) / width * width) * (1 + 16 / Double(width)) }
        return widths.min { cost($0) < cost($1) } ?? 32
    }

    private mutating func addBranches(of term: Term, to stage: inout NeuronStage, units: Units) {
        guard case .spikes(let number) = term.source else {
            if case .values(let name) = term.source {
                stage.branches.append(
                    Branch(
                        kind: .values(name), isNegative: false, window: spike_window(identity: stage.layout), channels: term.channels.count,
                        firstTarget: 0, targetCount: stage.layout.channels, weights: Memory(count: 0), tileBytes: 0))
            }
            return
        }
        let signal = builder.signals[number]
        let source = term.pool ?? spike_window(identity: signal.layout)
        for isMinus in signal.encoding == .signed ? [false, true] : [false] {
            func branch(_ kind: Branch.Kind, _ window: spike_window, _ packed: (Memory, Int)) -> Branch {
                Branch(
                    kind: kind, isNegative: isMinus, window: window, channels: term.channels.count, firstTarget: term.firstTarget,
                    targetCount: term.targetCount, weights: packed.0, tileBytes: packed.1)
            }
            let made: Branch
            switch term.synapses {
            case .dense(let weights, _, let window):
                let view = view(number, isMinus: isMinus, channels: term.channels, window: source)
                made = branch(.gather(view: view), window, units.packRows(weights, term: term, window: window, stage: stage))
            case .identity, .depthwise:
                let (weights, window) = diagonal(term, over: source)
                if term.pool == nil, signal.encoding != .counts, Self.linesUp(term, stage) {
                    made = branch(
                        .masked(signal: number, isMinus: isMinus, firstChannel: term.channels.lowerBound), window,
                        units.packDiagonal(weights, term: term, places: window.places, stage: stage))
                } else {
                    let view = view(number, isMinus: isMinus, channels: term.channels, window: source)
                    made = branch(
                        .scatter(view: view), window, (units.scatterWeights(weights, term: term, places: window.places), 0))
                }
            }
            stage.branches.append(made)
        }
    }

    /// Weights [channels][places] and window of a term without synapses between channels.
    private func diagonal(_ term: Term, over source: spike_window) -> ([Float], spike_window) {
        if case .depthwise(let weights, let window) = term.synapses { return (weights, window) }
        return (term.scale, spike_window(identity: source.output(channels: 1)))
    }

    /// Whether the bits of each tile start at a byte.
    private static func linesUp(_ term: Term, _ stage: NeuronStage) -> Bool {
        let shift = term.channels.lowerBound - term.firstTarget
        let firstTile = term.firstTarget / stage.tile * stage.tile
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
        currentBound = Int(bound) << shift
    }

    private func whole(_ value: Float, _ factor: Float) -> Int32 {
        let limit = Float(SPIKE_MEMBRANE_LIMIT) / 2
        return Int32(min(max((value * factor).rounded(), -limit), limit))
    }

    /// One number for each channel, in the unit.
    func memory(_ values: [Float], count: Int) -> Memory {
        let memory = Memory(count: count * 4)
        for (channel, value) in values.enumerated() {
            if isInteger {
                memory.integers[channel] = whole(value, fine[channel])
            } else {
                memory.floats[channel] = value
            }
        }
        return memory
    }

    /// Rows for gathering: [tile][kernel row][kernel column][input channel][channel of the tile].
    func packRows(_ weights: [Float], term: Term, window: spike_window, stage: NeuronStage) -> (Memory, tileBytes: Int) {
        let (inputs, places, tile) = (term.channels.count, window.places, stage.tile)
        let tileBytes = inputs * places * tile * (isInteger ? 1 : 4)
        let memory = Memory(count: stage.tiles * tileBytes)
        var row = [Int8](repeating: 0, count: tile)
        for number in 0..<stage.tiles {
            for place in 0..<places {
                for input in 0..<inputs {
                    let start = (place * inputs + input) * tile
                    if isInteger { for lane in 0..<tile { row[lane] = 0 } }
                    for lane in 0..<tile {
                        let feature = number * tile + lane - term.firstTarget
                        guard feature >= 0, feature < term.targetCount else { continue }
                        let weight = weights[(feature * inputs + input) * places + place]
                        if isInteger {
                            let level = (weight * coarse[feature + term.firstTarget]).rounded()
                            row[lane] = Int8(max(-127, min(127, level)))
                        } else {
                            memory.floats[number * tileBytes / 4 + start + lane] = weight
                        }
                    }
                    guard isInteger else { continue }
                    spike_pack_i8(
                        row, Int32(tile), memory.start.assumingMemoryBound(to: UInt8.self) + number * tileBytes + start)
                }
            }
        }
        return (memory, tileBytes)
    }

    /// [tile][place][channel of the tile].
    func packDiagonal(_ weights: [Float], term: Term, places: Int, stage: NeuronStage) -> (Memory, tileBytes: Int) {
        let tile = stage.tile
        let memory = Memory(count: stage.paddedChannels * places * 4)
        for channel in 0..<term.channels.count {
            let target = channel + term.firstTarget
            for place in 0..<places {
                put(
                    weights[channel * places + place], channel: target,
                    at: (target / tile * places + place) * tile + target % tile, in: memory)
            }
        }
        return (memory, places * tile * 4)
    }

    /// [place][channel].
    func scatterWeights(_ weights: [Float], term: Term, places: Int) -> Memory {
        let memory = Memory(count: weights.count * 4)
        for channel in 0..<term.channels.count {
            for place in 0..<places {
                put(
                    weights[channel * places + place], channel: channel + term.firstTarget, at: place * term.channels.count + channel,
                    in: memory)
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
