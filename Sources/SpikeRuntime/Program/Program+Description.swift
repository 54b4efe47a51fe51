internal import CSpikeKernels
internal import Foundation
internal import SpikeGraph

extension Program: CustomStringConvertible {
    /// The most steps that digits, or a latency code, are for; `nil` without such neurons. Layers of fewer digits are silent first.
    var mostDigits: Int? {
        if let numbers {
            return numbers.encodings.map(\.stepCount).max().map { max($0, min(code.steps ?? 0, Limits.radixSteps)) }
        }
        return stages.compactMap { if case .neurons(let stage) = $0, stage.rule.exponent != nil { stage.rule.doublings } else { nil } }
            .max()
    }

    /// The most steps of a simulation: the running sums of pools have room for so many.
    var mostSteps: Int {
        let counts = stages.compactMap { stage -> Int? in
            guard case .pool(let pool) = stage, !pool.isInstantaneous else { return nil }
            return signals[pool.source].largestCount
        }
        return Limits.sum / (counts.max() ?? 1)
    }

    /// How many steps of the streaming schedule go through a stage together: fewer than usual where lists of so many could become
    /// longer than their starts can say.
    var longestBlock: Int {
        let entries = views.map { view in
            let signal = signals[view.signal]
            return Double(signal.layout.count) * Double(signal.largestCount) * Double(view.multiplicity)
        }
        return Int(
            max(
                1,
                min(
                    Double(genericNodes.isEmpty ? Self.longestBlock : Self.longestGenericBlock),
                    0.99 * Double(Limits.list) / max(1, entries.max() ?? 1))))
    }

    /// The nodes that the reference path computes, step by step, and why.
    public var genericNodes: [(node: String, reason: String)] {
        if let numbers { return numbers.genericNodes }
        return stages.compactMap { if case .generic(let stage) = $0 { (stage.node.name, stage.reason) } else { nil } }
    }

    /// The layers of neurons that are float32 although int8 was asked for, and why.
    public var floatStages: [(node: String, reason: String)] {
        guard precision == .int8 else { return [] }
        if let numbers { return numbers.floatLayers }
        return stages.compactMap { stage in
            switch stage {
            case .neurons(let stage): stage.floatReason.map { (stage.name, $0) }
            case .generic(let stage): if case .neuron = stage.node.operator { (stage.node.name, stage.reason) } else { nil }
            case .pool, .move: nil
            }
        }
    }

    /// For each layer in whole numbers, how far rounding moves its activations.
    var roundingErrors: [(node: String, error: Double)] {
        stages.compactMap { stage in
            guard case .neurons(let stage) = stage, stage.isInteger else { return nil }
            return (stage.name, stage.roundingError)
        }
    }

    /// Bytes of the packed weights.
    public var weightBytes: Int {
        if let numbers { return numbers.weightBytes }
        return stages.reduce(0) { sum, stage in
            guard case .neurons(let stage) = stage else { return sum }
            return sum + (stage.analog?.weights.count ?? 0)
                + stage.branches.reduce(0) { sum, branch in
                    let numbers = branch.numbers.reduce(0) { $0 + ($1.weights === branch.dense?.weights ? 0 : $1.weights.count) }
                    return sum + branch.weights.count + (branch.dense?.weights.count ?? 0) + numbers
                }
        }
    }

    /// What runs: a line for each stage, then what is left to the reference path, and the plan for memory.
    public var description: String {
        var lines = ["\(graph.name): \(precision.rawValue), \(schedule.rawValue), \(code.kind.rawValue) code, kernels \(isaName)"]
        for stage in stages {
            switch stage {
            case .neurons(let stage): lines += self.lines(stage)
            case .pool(let pool):
                let window = pool.window
                lines.append(
                    "  \(pool.name): \(pool.isInstantaneous ? "maximum" : "running maximum") \(window.kernel_height)×\(window.kernel_width)"
                        + " → \(window.out_height)×\(window.out_width)")
            case .move(let move):
                let (from, to) = (signals[move.source].layout, signals[move.target].layout)
                lines.append("  \(move.name): spikes moved, \(from.height)×\(from.width) → \(to.height)×\(to.width)")
            case .generic(let stage): lines.append("  \(stage.node.name): \(stage.node.operator.name), reference path (\(stage.reason))")
            }
        }
        if let numbers { lines += numbers.lines() }
        let generic = genericNodes
        lines.append(
            generic.isEmpty
                ? "everything is \(numbers == nil ? "fused" : "on the engine, each layer's spikes as the numbers that they say")"
                : "\(generic.count) nodes run on the reference path" + (numbers == nil ? ", step by step" : ""))
        if let layers {
            lines.append(
                "where single steps are not recorded, numbers go from layer to layer in the place of spikes: "
                    + "\(layers.images.count) images, \(layers.images.reduce(0) { $0 + $1.byteCount } / 1024) KiB a sample")
        }
        for stage in floatStages { lines.append("float32 in spite of int8: \(stage.node) (\(stage.reason))") }
        return lines.map { $0.visible + "\n" }.joined() + "\(memoryPlan(steps: spikingDescription.steps ?? 32))"
    }

    private var isaName: String { String(cString: spike_isa_name(spike_isa_default())) }

    private func lines(_ stage: NeuronStage) -> [String] {
        let kind =
            switch stage.rule.kind {
            case SPIKE_NEURON_IF:
                stage.rule.exponent.map { $0 + 1 == stage.rule.doublings ? "radix" : "radix of \($0 + 1) digits" } ?? "integrate-and-fire"
            case SPIKE_NEURON_SIGNED: "signed"
            case SPIKE_NEURON_BURST: "burst"
            default: "accumulated output"
            }
        let layout = stage.layout
        var line = "  \(stage.name): \(kind) \(layout.channels)×\(layout.height)×\(layout.width), "
        let error = String(format: "%.2f", stage.roundingError * 100)
        line += stage.isInteger ? "int8 (membranes in 1/\(1 << stage.shift) of a weight's unit, rounding \(error) %)" : "float32"
        line += ", tiles of \(stage.lanes.tile)"
        if stage.lanes.block > 1 { line += " (\(stage.lanes.block) pixels)" }
        if stage.evaluatesOffset { line += stage.analog == nil ? ", real-valued current" : ", real-valued current in one pass" }
        return [line]
            + stage.branches.map { branch in
                let window = branch.window
                let size = "\(window.kernel_height)×\(window.kernel_width)"
                switch branch.kind {
                case .gather(let view):
                    let pooled = views[view].window.places > 1 ? ", sums of \(views[view].window.places)" : ""
                    let dense =
                        branch.dense == nil
                        ? "" : String(format: ", dense above %.2f spikes a neuron", Self.denseCrossover(rows: branch.rows))
                    return "    ← gather \(size)×\(views[view].channels.count) from \(signals[views[view].signal].stage)\(pooled)\(dense)"
                case .scatter(let view): return "    ← depthwise \(size) by lists from \(signals[views[view].signal].stage)"
                case .masked(let signal, _, _):
                    return "    ← depthwise \(size) by \(branch.readsNumbers ? "numbers" : "masks") from \(signals[signal].stage)"
                case .counted(let signal, _, let channels, let pool):
                    return "    ← \(size)×\(channels.count) on counts of \(pool.places) pixels of \(signals[signal].stage)"
                case .values(let name): return "    ← values of \(name)"
                }
            }
    }
}
