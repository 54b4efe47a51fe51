internal import CSpikeKernels
package import SpikeGraph
internal import SpikeReference

/// Simulates a streaming network one layer of neurons at a time, each over all steps: a layer's spikes depend on nothing behind it, so
/// that calibration can change a layer once everything in front of it is final.
///
/// Of each layer its spikes alone are kept, as bits; pools and what else lies between two layers are made again for each that reads them.
package final class LayerSimulation: Sendable {
    /// What a layer of neurons sends, of one portion of the samples.
    package struct Spikes: @unchecked Sendable {
        /// Block after block of steps.
        fileprivate var trains: [Buffer] = []
        /// The same of neurons that the reference path computes, step after step.
        fileprivate var values: [[Tensor]] = []
    }

    private let program: Program
    private let steps: Int
    private let inputs: [[Tensor]]
    /// The steps of a block: as many as a portion's lists have memory for.
    private let blocks: [Range<Int>]
    private let numbers: [String: Int]

    /// Bytes that the lists of one portion may take.
    private static let listBytes = 64 << 20

    /// - Parameters:
    ///   - snn: a network of the streaming schedule.
    ///   - inputs: the samples, in portions: for each the network's inputs.
    package init(_ snn: Graph, steps: Int, inputs: [[Tensor]]) throws {
        let compiler = Compiler(precision: .float32, readsOutputs: false)
        var program = try compiler(snn)
        // A vector's neurons get an offset each, which the engine has for channels alone: these are the reference path's.
        var patch = Patch()
        for case .neurons(let stage) in program.stages where stage.isFlat && stage.layout.pixels > 1 {
            guard var node = snn.node(named: stage.name), case .neuron(var neurons) = node.operator else { continue }
            neurons.initialOffsets = [Float](repeating: 0, count: stage.layout.count)
            node.operator = .neuron(neurons)
            patch.replace(node)
        }
        if !patch.isEmpty { program = try compiler(snn.applying(patch)) }
        self.program = program
        self.steps = steps
        self.inputs = inputs
        numbers = Dictionary(program.stages.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { _, last in last })
        let samples = inputs.map { $0.first?.shape.first ?? 1 }.max() ?? 1
        // At a density of a quarter.
        let bytes = program.views.map { view in
            let entries = program.signals[view.signal].layout.pixels * view.channels.count * view.multiplicity / 4
            return samples * (2 * entries + 4 * view.startCount)
        }
        let length = max(1, min(program.longestBlock, Self.listBytes / max(1, bytes.max() ?? 1)))
        blocks = stride(from: 0, to: steps, by: length).map { $0..<min($0 + length, steps) }
    }

    /// The stages between layers of neurons that a layer needs, in order.
    private func segment(before index: Int) -> [Int] {
        var wanted = program.stages[index].reads(program.views, densified: program.densified)
        var found: [Int] = []
        for number in (0..<index).reversed() {
            switch program.stages[number] {
            case .neurons: continue
            case .generic(let stage):
                if case .neuron = stage.node.operator { continue }
                guard !wanted.values.isDisjoint(with: stage.node.outputs) else { continue }
            case .pool, .move: guard program.stages[number].target.map(wanted.signals.contains) == true else { continue }
            }
            let reads = program.stages[number].reads(program.views, densified: program.densified)
            wanted = (wanted.signals.union(reads.signals), wanted.values.union(reads.values))
            found.append(number)
        }
        return found.reversed()
    }

    /// What the neurons of a node send, of one portion of the samples.
    ///
    /// - Parameters:
    ///   - node: with its initial membranes, which may differ from those that the network had at first.
    ///   - known: the spikes of the layers in front of it.
    /// - Returns: also the spikes a step, those taken back subtracted: the mean over all steps, `[N, …]`.
    package func run(_ node: Node, portion: Int, behind known: [String: Spikes]) throws -> (spikes: Spikes, rate: Tensor) {
        guard let index = numbers[node.name], case .neuron(let neurons) = node.operator else {
            throw SpikeletError(.illegalGraph, "node '\(node.name)' is no layer of the program")
        }
        let between = segment(before: index)
        let stage = try changed(program.stages[index], to: node, neurons)
        let samples = inputs[portion].first?.shape.first ?? 1
        let worker = Worker(program, samples: samples, threads: Threads(count: 1), isa: spike_isa_default(), recording: [])
        let shape = program.graph.types[node.outputs[0]]?.shape.resolved(batch: samples) ?? [samples]
        var sums = [Float](repeating: 0, count: shape.reduce(1, *))
        var spikes = Spikes()
        var readsStill = between.contains { if case .generic = program.stages[$0] { true } else { false } }
        switch stage {
        case .neurons(let stage): readsStill = readsStill || stage.evaluatesOffset
        default: readsStill = true
        }
        for (number, range) in blocks.enumerated() {
            let block = Worker.Block(steps: range.count, isFirst: number == 0, isWhole: blocks.count == 1, variesInTime: false)
            for (name, layer) in known {
                guard let source = numbers[name] else { continue }
                if let target = program.stages[source].target {
                    worker.memory.trains[target] = layer.trains[number]
                } else if let value = program.graph.node(named: name)?.outputs[0] {
                    worker.values[value] = layer.values[number]
                }
            }
            if number == 0, readsStill { try worker.computeStill([inputs[portion]], block, for: index) }
            for number in between { try worker.run(program.stages[number], number, block) }
            try worker.run(stage, index, block)
            if let target = stage.target, let train = worker.memory.trains[target] {
                spikes.trains.append(train)
                sums.withUnsafeMutableBufferPointer { sums in
                    guard let start = sums.baseAddress else { return }
                    worker.addRates(of: target, block, to: start)
                }
            } else if let values = worker.values[node.outputs[0]] {
                spikes.values.append(values)
                for step in values { for (place, value) in step.floats.enumerated() { sums[place] += value } }
            }
            worker.memory.forgetSpikes()
            worker.end(block)
        }
        return (spikes, Tensor(sums.map { $0 / Float(steps) }, shape: shape))
    }

    /// A layer with other initial membranes.
    private func changed(_ stage: Stage, to node: Node, _ neurons: NeuronNode) throws -> Stage {
        switch stage {
        case .neurons(var stage):
            guard let parameters = NeuronParameters(neurons, isStreaming: true) else {
                throw SpikeletError(.illegalGraph, "node '\(node.name)': its membranes are no numbers")
            }
            stage.initial = Units(channels: stage.layout.channels).memory(
                parameters.initialMembranes(channels: stage.layout.channels), stage.lanes)
            return .neurons(stage)
        case .generic(var stage):
            stage.node = node
            return .generic(stage)
        case .pool, .move: return stage
        }
    }
}

extension Worker {
    /// Adds what a layer sends in a block to [samples][channels][pixels], less what it takes back.
    fileprivate func addRates(of number: Int, _ block: Block, to target: UnsafeMutablePointer<Float>) {
        let signal = program.signals[number]
        let size = signal.layout.count
        for sample in 0..<samples {
            addCounts(of: number, sample: sample, isMinus: false, block, to: target + sample * size)
            guard signal.encoding == .signed else { continue }
            let back = Buffer(zeros: size * 4)
            addCounts(of: number, sample: sample, isMinus: true, block, to: back.floats)
            for place in 0..<size { target[sample * size + place] -= back.floats[place] }
        }
    }
}

extension WorkerMemory {
    /// Lets go of trains, lists and numbers; others may hold on to trains.
    fileprivate func forgetSpikes() { (trains, lists, numbers) = ([:], [:], [:]) }
}
