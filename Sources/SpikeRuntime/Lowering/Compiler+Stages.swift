internal import CSpikeKernels
internal import SpikeGraph

// From an expression to a stage: tiles, units, packed weights.

extension Assembly {
    /// A stage for an expression. In int8, if its numbers do not fit, the stage stays float32.
    mutating func makeStage(
        name: String, input: String, target: Int?, expression: Expression, parameters: NeuronParameters, isInteger: Bool
    ) -> NeuronStage {
        let channels = expression.layout.channels
        var expression = expression
        expression.terms = expression.terms.flatMap { $0.split() }
        var units = Units(channels: channels)
        var floatReason = isInteger ? floats[name] ?? Self.reasonOfValues(expression) : nil
        if isInteger, floatReason == nil {
            do throws(Units.NotWhole) {
                units = try Units(
                    expression, parameters: parameters, signals: builder.signals, description: description,
                    activations: activations(of: target.map { builder.signals[$0].name } ?? name, channels: channels))
            } catch {
                floatReason = error.reason
            }
        }
        let lanes = self.lanes(expression, parameters: parameters, units: units, isOutput: target == nil)
        func constant(_ value: Float) -> Memory { units.memory([Float](repeating: value, count: channels), lanes) }
        var stage = NeuronStage(
            name: name, input: input, target: target, layout: expression.layout, isFlat: expression.isFlat, rule: parameters.rule,
            isInteger: units.isInteger, shift: units.shift, lanes: lanes, branches: [], threshold: constant(parameters.threshold),
            initial: units.memory(parameters.initialMembranes(channels: channels), lanes), evaluatesOffset: false, unitScale: units.fine,
            currentBound: units.currentBound,
            restingBound: units.restingBound, offsetLimit: units.offsetLimit, roundingError: units.error, floatReason: floatReason)
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
        case .evaluated:
            stage.evaluatesOffset = true
            stage.hasConstantOffset = !dependsOnInputs(input, besides: expression)
            if units.isInteger, expression.terms.isEmpty, !expression.isFlat {
                stage.analog = AnalogLayer(input, of: graph, lanes: lanes, unitScale: units.fine)
            }
        }
        for (index, term) in expression.terms.enumerated() {
            addBranches(of: term, levels: units.isInteger ? units.levels[index] : [], to: &stage, units: units)
        }
        return stage
    }

    /// Whether a value is made of more than spikes, constants and values that come as terms.
    private func dependsOnInputs(_ value: String, besides expression: Expression) -> Bool {
        let producers = graph.producers
        var seen = Set(expression.terms.compactMap { if case .values(let name) = $0.source { name } else { nil } })
        var open = [value]
        while let value = open.popLast() {
            guard seen.insert(value).inserted, graph.constants[value] == nil else { continue }
            guard builder.spiking.contains(value), let node = producers[value] else { return true }
            switch node.operator {
            case .neuron: break
            default: open += node.inputs
            }
        }
        return false
    }

    /// What changes from step to step may bring many thresholds at once, and take them back later: limited to what 32 bits hold it would be
    /// another current.
    private static func reasonOfValues(_ expression: Expression) -> String? {
        for term in expression.terms {
            if case .values(let value) = term.source { return "the reference path computes '\(value)' anew in each step" }
        }
        return nil
    }

    /// What a spike of each channel of a layer stands for, by the scaler behind it.
    private func activations(of value: String, channels: Int) -> [Float] {
        guard let scales = scalesBehind[value], [1, channels].contains(scales.count) else { return [1] }
        return scales
    }

    /// Tiles for a stage, by what a pixel and step costs, in cycles: some for itself, some for each row that is added. Rows are
    /// estimated at a density of a tenth.
    private func lanes(_ expression: Expression, parameters: NeuronParameters, units: Units, isOutput: Bool) -> Lanes {
        let layout = expression.layout
        var blocks = [1]
        if !isOutput, parameters.encoding != .counts, expression.terms.allSatisfy({ allowsBlocks($0, of: layout, units: units) }) {
            blocks += [2, 4, 8]
        }
        var best: (cost: Double, lanes: Lanes)?
        for block in blocks where block <= layout.width {
            for width in units.isInteger ? [32, 64, 128] : [8, 16, 32, 64] {
                let lanes = Lanes(layout: layout, block: block, tile: width)
                if block > 1, block * lanes.channelStride > width || block * lanes.channelStride * 2 <= width { continue }
                let costs = expression.terms.map { term -> Double in
                    guard case .dense(_, _, let window) = term.synapses else { return 0 }
                    let unpooled = GatherCost.unpooled(window, pool: term.pool, channels: term.channels.count)
                    let cost = GatherCost(unpooled ?? window, channels: term.channels.count, lanes: lanes, isInteger: units.isInteger)
                    return cost.cycles * (unpooled == nil ? Double(term.pool?.places ?? 1) : 1)
                }
                let cost = (GatherCost.ofPixel + costs.reduce(0, +)) * Double(lanes.tiles * lanes.columns)
                if cost < best?.cost ?? .infinity { best = (cost, lanes) }
            }
        }
        return best?.lanes ?? Lanes(layout: layout, block: 1, tile: units.isInteger ? 32 : 8)
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

    private mutating func addBranches(of term: Term, levels: [Int8], to stage: inout NeuronStage, units: Units) {
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
                    kind: kind, isNegative: isMinus, window: stage.lanes.blocked(window, isWidened: isGathered),
                    entryStride: (term.channels.count + 7) / 8 * 8,
                    firstTarget: term.firstTarget, targetCount: term.targetCount,
                    rows: window.places == 0 ? 0 : packed.1 / max(1, stage.lanes.tile * (units.isInteger ? 1 : 4)) - 1, weights: packed.0,
                    tileBytes: packed.1)
            }
            var made: Branch
            switch term.synapses {
            case .dense(let weights, _, let window):
                if let pool = term.pool, !units.isInteger, Self.isGlobal(pool, term, window), signal.encoding != .counts {
                    let packed = units.packRows(weights, levels: levels, term: term, window: window, gathered: window, lanes: stage.lanes)
                    made = branch(
                        .counted(signal: number, isMinus: isMinus, channels: term.channels, pool: pool), window, packed)
                    break
                }
                var (gathered, read) = (window, source)
                if let pool = term.pool, let unpooled = GatherCost.unpooled(window, pool: pool, channels: term.channels.count) {
                    gathered = unpooled
                    read = spike_window(
                        identity: Layout(channels: signal.layout.channels, height: Int(unpooled.height), width: Int(unpooled.width)))
                }
                let view = view(number, isMinus: isMinus, channels: term.channels, window: read, rows: spike_rows(gathered))
                let packed = units.packRows(weights, levels: levels, term: term, window: window, gathered: gathered, lanes: stage.lanes)
                made = branch(.gather(view: view), gathered, packed)
                if allowsDense(term, of: stage, window: window) {
                    made.dense = units.packDense(levels, term: term, window: window, lanes: stage.lanes)
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
                    made.readsNumbers = readsNumbers(term, of: stage)
                } else {
                    let rows = spike_rows(spike_window(identity: source.output(channels: 1)))
                    let view = view(number, isMinus: isMinus, channels: term.channels, window: source, rows: rows)
                    made = branch(
                        .scatter(view: view), window, (units.scatterWeights(weights, term: term, places: window.places), 0))
                }
            }
            made.numbers = numberSynapses(term, of: stage, levels: levels, units: units, branch: made)
            stage.branches.append(made)
        }
    }

    /// A term's synapses where numbers come in the place of spikes, with the weights of the branch; none where its neurons are no digits of
    /// whole numbers.
    private func numberSynapses(_ term: Term, of stage: NeuronStage, levels: [Int8], units: Units, branch: Branch) -> [NumberSynapses] {
        guard case .spikes(let number) = term.source, stage.isInteger, stage.rule.exponent != nil, stage.rule.doublings < 8,
            builder.signals[number].encoding == .bits
        else { return [] }
        let lanes = LayerPlan.lanes(stage.layout)
        func synapses(_ window: spike_window, groups: Int, _ weights: Memory, shift: Int) -> NumberSynapses {
            NumberSynapses(
                signal: number, firstChannel: term.channels.lowerBound, pool: term.pool, window: window, groups: groups,
                targets: term.firstTarget..<term.firstTarget + term.targetCount, weights: weights, shift: shift)
        }
        if case .dense(_, _, let window) = term.synapses {
            // What the dense kernel has lies the same way, but for blocks of 16 lanes.
            let shared = lanes % 32 == 0 ? branch.dense?.weights : nil
            return [
                synapses(
                    window, groups: (term.channels.count + 7) / 8 * 2,
                    shared ?? units.packNumbers(levels, term: term, window: window, lanes: lanes), shift: stage.shift)
            ]
        }
        let (weights, window) = diagonal(term, over: term.pool ?? spike_window(identity: builder.signals[number].layout))
        if case .masked = branch.kind {
            let layer = Lanes(layout: stage.layout, block: 1, tile: lanes)
            let packed = units.packDiagonal(weights, term: term, places: window.places, lanes: layer)
            return [synapses(window, groups: 0, packed.0, shift: packed.shift)]
        }
        return units.packWhole(branch.weights, term: term, places: window.places, lanes: lanes).map {
            synapses(window, groups: 0, $0.weights, shift: $0.shift)
        }
    }

    /// Whether synapses can take a radix code's numbers in the place of spikes: they are below 128.
    private func readsNumbers(_ term: Term, of stage: NeuronStage) -> Bool {
        guard case .spikes(let number) = term.source, stage.isInteger, stage.rule.exponent != nil else { return false }
        return stage.rule.doublings < 8 && term.pool == nil && builder.signals[number].encoding == .bits
    }

    /// Whether the dense kernel can stand in for gathering: whole bytes of channels, several pixels to share the reading of weights.
    private func allowsDense(_ term: Term, of stage: NeuronStage, window: spike_window) -> Bool {
        readsNumbers(term, of: stage) && term.channels.lowerBound % 8 == 0 && stage.lanes.block == 1 && stage.lanes.blocks >= 4
            && window.places <= Limits.densePlaces
    }

    /// Whether a pool makes one pixel of the whole picture, and synapses one of that: then spikes are counted before they meet weights.
    private static func isGlobal(_ pool: spike_window, _ term: Term, _ window: spike_window) -> Bool {
        [pool, window].allSatisfy { $0.outPixels == 1 && $0.staysInside } && window.places == 1 && pool.dilation_x == 1
            && pool.dilation_y == 1 && term.channels.lowerBound % 8 == 0
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
