import SpikeEvaluation
package import SpikeGraph
package import SpikeReference
package import SpikeRuntime

/// What simulations of one portion of samples after the other gave, put together as if all had been one.
package struct SimulationRecord {
    private let snn: Graph
    /// How the samples of its values lie.
    private let pieces: [String: Int]
    private let steps: Int
    private let keepsSteps: Bool
    private let keepsCounts: Bool
    /// For each portion, all outputs.
    private var results: [[Tensor]] = []
    /// For each portion, the output after each step.
    private var stepOutputs: [[Tensor]] = []
    /// For each portion, the counts by node name.
    private var counts: [[String: Tensor]] = []
    private var spikes = 0
    private var neurons = 0
    package private(set) var samples = 0
    /// int8: how often a number met its bound.
    package private(set) var saturations: UInt64 = 0
    /// int8: if its first predictions are not float32's.
    package private(set) var precisionWarning: String?

    private let choice: SimulatorChoice
    private let simulator: any Simulator
    /// Why the engine does not simulate, where it was asked.
    package var referenceReason: String? { choice.reason }

    /// - Parameters:
    ///   - simulator: of `choice`.
    ///   - keepsSteps: whether ``outputOfEachStep`` will be asked for.
    ///   - keepsCounts: whether ``countsByName`` will be asked for.
    package init(_ choice: SimulatorChoice, simulator: any Simulator, steps: Int, keepsSteps: Bool, keepsCounts: Bool) {
        snn = choice.graph
        pieces = snn.piecesOfSamples()
        self.steps = steps
        self.keepsSteps = keepsSteps
        self.keepsCounts = keepsCounts
        self.choice = choice
        self.simulator = simulator
    }

    /// Simulates one portion.
    package mutating func simulate(_ inputs: [Tensor], timeVarying: Bool = false) throws {
        // A unary code under the layer-synchronous schedule has no output before its last step: each T is a run of its own.
        let runsEach = keepsSteps && snn.spiking?.isReadAtEveryStep == false && snn.spiking?.code.isReadAsAWhole == false
        var after: [Tensor] = []
        if runsEach {
            for count in 1..<steps {
                after.append(try simulator.run(inputs, steps: count, timeVarying: false, recording: []).outputs[0])
            }
        }
        let run = try simulator.run(
            inputs, steps: steps, timeVarying: timeVarying,
            recording: Recording(keepsSteps && !runsEach ? [.stepOutputs] : []).union(keepsCounts ? [.spikeCounts] : []))
        if samples == 0, let program = choice.program, program.precision == .int8, !timeVarying, let task = try? OutputTask(of: snn) {
            let few = inputs.map { $0.samples(0..<min($0.shape[0], 16)) }
            precisionWarning = try PrecisionCheck.measure(program, task: task, inputs: few, steps: steps).warning
        }
        results.append(run.outputs)
        if keepsSteps { stepOutputs.append(after + (runsEach ? [run.outputs[0]] : run.stepOutputs.map { $0[0] })) }
        spikes += run.spikeTotals.values.reduce(0, +)
        if keepsCounts { counts.append(run.spikeCounts.mapValues { Tensor($0.floats.map { Int64($0) }, shape: $0.shape) }) }
        let count = inputs.first?.shape.dropFirst(timeVarying ? 1 : 0).first ?? 0
        neurons += run.spikeTotals.keys.reduce(0) { sum, name in
            let shape = snn.node(named: name).flatMap { snn.types[$0.outputs[0]]?.shape.resolved(batch: count) } ?? []
            return sum + shape.reduce(1, *)
        }
        samples += count
        saturations += run.saturations
    }

    /// All outputs after the last step.
    package var outputs: [Tensor] {
        snn.outputs.enumerated().map { index, output in snn.joined(results.map { $0[index] }, of: output.value, pieces: pieces) }
    }

    /// The first output after each step, `[T, N, …]`.
    package var outputOfEachStep: Tensor {
        let whole = (0..<steps).map { step in snn.joined(stepOutputs.map { $0[step] }, of: snn.outputs[0].value, pieces: pieces) }
        return Tensor.joined(whole.map { $0.reshaped(to: [1] + $0.shape) })
    }

    /// For each neuron node its counts, int64 `[N, …]`, in the order of the names.
    package var countsByName: [(name: String, tensor: Tensor)] {
        (counts.first?.keys.sorted() ?? []).map { name in
            (name, snn.joined(counts.compactMap { $0[name] }, of: snn.node(named: name)?.outputs[0] ?? name, pieces: pieces))
        }
    }

    /// All spikes / all neurons, of all samples.
    package var spikesPerNeuron: Double { Double(spikes) / Double(max(1, neurons)) }

    /// What a person should know of the numbers.
    package var warnings: [String] {
        var warnings = [precisionWarning].compactMap(\.self)
        if saturations > 0 {
            warnings.append("\(saturations) currents or membranes met the bounds of int8's whole numbers; float32 has none")
        }
        return warnings
    }
}

extension Graph {
    /// How many of so many samples go through together, so that memory does not depend on their number.
    ///
    /// A network of a fixed batch size takes just that. One whose outputs do not begin with the batch takes all samples at once, since its
    /// outputs could not be put together again.
    package func portionSize(of samples: Int) -> Int {
        let batch = inputs.first?.type.shape.dimensions.first
        let isSeparable = outputs.allSatisfy {
            guard let type = types[$0.value], let first = type.shape.dimensions.first else { return false }
            return type.elementType == .float32 && (batch?.known == nil ? first.batchFactor > 0 && first.constant == 0 : first == batch)
        }
        guard isSeparable else { return samples }
        guard let fixed = fixedBatch else { return DataRequest.usualBatchSize }
        return fixed > 0 && samples % fixed == 0 ? fixed : samples
    }
}
