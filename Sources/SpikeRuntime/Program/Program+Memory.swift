internal import CSpikeKernels
internal import Foundation
internal import SpikeGraph

/// The memory that simulating one sample takes, in bytes, as it follows from the program: what a stage made is given back after
/// the last stage that reads it.
package struct MemoryPlan: Sendable, Equatable {
    /// The number of time steps planned for.
    package var steps: Int
    /// Packed weights, once for all samples and threads.
    package var weights: Int
    /// Spike trains at the stage where most memory is in use. Only this part and the lists grow with the steps.
    package var spikes: Int
    /// Lists of active rows there, at a density of a tenth.
    package var lists: Int
    /// Float32 values of the nodes on the reference path there; in a network of digit neurons of all nodes.
    package var values = 0
    /// What these are called.
    package var valuesLabel = "reference path"
    /// Accumulated outputs and real-valued currents; membranes, where they outlast a block of steps.
    package var state: Int
    /// The stage where most is in use.
    package var stage: String

    /// All of it together.
    package var peak: Int { weights + spikes + lists + values + state }
}

extension Program {
    /// How many steps of the streaming schedule go through a stage together.
    static let longestBlock = 64
    /// The same of programs with nodes on the reference path, whose values are float32 and kept for all steps of a block.
    static let longestGenericBlock = 8

    /// - Parameter steps: T, or K; numbers outside of 1 … 2²⁰ count as the nearest of these.
    package func memoryPlan(steps: Int) -> MemoryPlan {
        let steps = min(max(steps, 1), SpikeCode.mostSteps)
        let longestBlock = longestBlock
        let isWhole = schedule == .layerSynchronous || steps <= longestBlock
        let block = isWhole ? steps : longestBlock
        var plan = MemoryPlan(steps: steps, weights: weightBytes, spikes: 0, lists: 0, state: 0, stage: "")
        if let numbers {
            (plan.spikes, plan.values, plan.stage) = numbers.memory(of: graph)
            plan.valuesLabel = "float32"
            return plan
        }
        var (alive, values) = (Set<Int>(), Set<String>())
        func size(_ value: String) -> Int { 4 * (graph.sizePerSample(of: value) ?? 0) }
        for (index, stage) in stages.enumerated() {
            var working = 0
            if let target = stage.target { alive.insert(target) }
            switch stage {
            case .neurons(let stage):
                let lanes = stage.lanes.blocks * stage.lanes.count * 4
                if stage.evaluatesOffset { plan.state += lanes }
                // Values of the reference path are put into the stage's order first.
                for branch in stage.branches { if case .values = branch.kind { working += lanes * block } }
                if stage.target == nil || !isWhole { plan.state += lanes }
            case .pool(let pool):
                if !isWhole, !pool.isInstantaneous { plan.state += signals[pool.source].layout.count * 4 }
            case .move: break
            case .generic(let stage):
                values.formUnion(stage.node.outputs)
                // Spikes as numbers: of one step, or where something is remembered of all.
                working += stage.node.inputs.reduce(0) { $0 + size($1) } * (stage.node.operator.isStateful ? block : 1)
            }
            let real = values.reduce(0) { $0 + size($1) * block } + working
            let spikes = alive.reduce(0) { $0 + signals[$1].stepBytes * block }
            let lists = views.filter { $0.readers.contains(index) }.reduce(0) { sum, view in
                let source = signals[view.signal].layout
                let entries = source.pixels * view.channels.count * block * view.multiplicity / 10
                return sum + 2 * entries + 4 * block * view.startCount
            }
            if spikes + lists + real >= plan.spikes + plan.lists + plan.values {
                (plan.spikes, plan.lists, plan.values, plan.stage) = (spikes, lists, real, stage.name)
            }
            alive = alive.filter { lastReads[$0] > index }
            values = values.filter { lastValueReads[$0, default: -1] > index }
        }
        return plan
    }
}

extension MemoryPlan: CustomStringConvertible {
    package var description: String {
        func size(_ bytes: Int) -> String {
            bytes < 1 << 20 ? String(format: "%.1f KiB", Double(bytes) / 1024) : String(format: "%.1f MiB", Double(bytes) / 1_048_576)
        }
        return """
            memory of one sample at \(steps) steps: peak \(size(peak)) = weights \(size(weights)), spikes \(size(spikes)), \
            lists \(size(lists)) (at a density of 10 %),\(values > 0 ? " \(valuesLabel) \(size(values))," : "") state \(size(state))
            most is in use at \(stage.visible)
            """
    }
}
