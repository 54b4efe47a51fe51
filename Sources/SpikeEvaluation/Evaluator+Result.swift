import Dispatch
import SpikeCost
import SpikeGraph
import SpikeRuntime

extension Evaluator {
    /// Sums as shares and means.
    func result(_ total: Tally, counter: OperationCounter, seconds: Double) -> EvaluationResult {
        let counts = counter.means(
            total.runs, steps: steps, samples: total.countedSamples, timeVarying: timeVarying, ann: total.annOperations)
        let layers = layers(counts)
        let neurons = Double(max(1, layers.reduce(0) { $0 + $1.neurons }))
        let predictions = Double(max(1, total.samples * task.places))
        let rows = steps.indices.map { column -> EvaluationResult.Step in
            let counted = counts.steps[column]
            // A time-varying input's other numbers than events are multiplied.
            let products = counted.input?.multiplyAccumulates
            let isClassification = task.kind != .values
            return EvaluationResult.Step(
                steps: steps[column],
                accuracy: total.hasLabels ? Double(total.correct[column]) / predictions : nil,
                agreement: ann == nil || !isClassification ? nil : Double(total.agreeing[column]) / predictions,
                error: isClassification ? nil : total.distances.error(column),
                deviation: isClassification ? nil : total.distances.deviation(column),
                confidence95: isClassification ? total.interval(column, places: task.places) : total.distances.interval(column),
                spikesPerNeuron: counted.spikes / neurons,
                synapticOperations: counted.synapticOperations,
                energy: .horowitz45nm(
                    annOperations: Double(counts.ann.multiplyAccumulates),
                    analogOperations: products ?? Double(counts.inputMultiplyAccumulates),
                    synapticOperations: counted.synapticOperations - (products ?? 0)))
        }
        func matrix(_ counts: [Int]) -> [[Int]]? {
            guard total.hasLabels, !counts.isEmpty else { return nil }
            return stride(from: 0, to: counts.count, by: task.classCount).map { Array(counts[$0..<$0 + task.classCount]) }
        }
        var result = EvaluationResult(
            network: snn.name, recipe: snn.spiking?.recipe ?? "", samples: total.samples,
            ann: ann == nil
                ? nil : .init(accuracy: total.hasLabels ? Double(total.annCorrect) / predictions : nil, error: total.distances.annError),
            countedSamples: total.countedSamples, steps: rows, layers: layers, confusion: matrix(total.confusion),
            precision: precision.rawValue, seconds: seconds, warnings: snn.spiking?.warnings ?? [])
        if timeVarying { result.frames = steps.last }
        result.floatLayers = FloatLayer.all(program)
        if precision == .int8 { result.saturations = total.saturations ?? 0 }
        result.annConfusion = matrix(total.annConfusion)
        if !task.isUsual { result.judgedBy = task.description }
        if task.kind == .values, !total.distances.annSquares.isEmpty || result.steps.contains(where: { $0.error != nil }),
            total.distances.targets.variance == nil
        {
            result.warnings.append("the targets are the same for all samples: R² is not defined")
        }
        result.counts = counts
        result.energies = EnergyModel.all.map { $0.estimate(counts, levels: levels) }
        result.curve = curve(total)
        result.stepsToANN = StepsToANN.all(ann: result.ann?.accuracy, result: result)
        return result
    }

    /// How many values an activation can take, above zero, after so many steps; where layers differ, with their mean number of digits.
    private func levels(_ steps: Int) -> Int {
        let digits = snn.hasMixedDigits ? snn.digits : []
        let steps = digits.isEmpty ? steps : (digits.reduce(0, +) + digits.count / 2) / digits.count
        let neurons = snn.nodes.compactMap { node -> (any Neuron)? in
            if case .neuron(let neuronNode) = node.operator { neuronNode.neuron } else { nil }
        }
        if let few = neurons.compactMap({ $0 as? LatencyNeuron }).map(\.levels.count).max() { return few }
        let most = neurons.compactMap { $0.spikesPerStep?.upperBound }
        // A file may hold any burst.
        let (levels, overflow) = snn.spikeCode.levels(steps).multipliedReportingOverflow(by: max(1, most.max() ?? 1))
        return overflow ? Int.max : levels
    }

    private func layers(_ counts: OperationCounts) -> [EvaluationResult.Layer] {
        counts.neurons.map { counted in
            let node = snn.node(named: counted.name)
            let spike = node.map(snn.spike) ?? [1]
            var layer = EvaluationResult.Layer(
                name: counted.name, neurons: counted.neurons, threshold: ClosedRange(spanning: spike) ?? 1...1,
                spikesPerNeuron: counted.spikes.reduce(0, +) / Double(max(1, counted.neurons)))
            layer.label = node?.label
            return layer
        }
    }

    /// Shares after each step.
    private func curve(_ total: Tally) -> EvaluationResult.Curve? {
        guard !total.correctByStep.isEmpty else { return nil }
        func shares(_ counts: [Int]) -> [Double] { counts.map { Double($0) / Double(max(1, total.samples * task.places)) } }
        return EvaluationResult.Curve(
            accuracy: total.hasLabels ? shares(total.correctByStep) : nil, agreement: ann == nil ? nil : shares(total.agreeingByStep))
    }

    /// Measures how long one sample takes by itself, the median of some runs, beside the mean over all samples.
    func timing(_ sample: [Tensor]?, simulated total: Tally) throws -> EvaluationResult.Timing? {
        guard let program, let sample, let steps = steps.last, total.engineNanoseconds > 0 else { return nil }
        let (simulation, inputs) = (try Simulation(program), try shown(sample, steps: steps))
        var measured: [Double] = []
        while measured.count < 3 || measured.count < 51 && measured.reduce(0, +) < 0.2 {
            let start = DispatchTime.now()
            _ = try simulation.run(inputs, steps: steps, timeVarying: timeVarying)
            measured.append(Double(DispatchTime.now().uptimeNanoseconds - start.uptimeNanoseconds) / 1e9)
        }
        // The first run prepares memory.
        let sorted = measured.dropFirst().sorted()
        return EvaluationResult.Timing(
            secondsOfOneSample: sorted[sorted.count / 2], steps: steps, runs: sorted.count,
            samplesPerSecondAndThread: Double(total.samples) / (Double(total.engineNanoseconds) / 1e9))
    }
}

/// What an evaluation has found so far.
public struct EvaluationProgress: Sendable {
    let evaluator: Evaluator
    let counter: OperationCounter
    let tally: Tally
    let seconds: Double

    /// The samples that are done.
    public var samples: Int { tally.samples }

    /// The result of the samples so far, with the checkpoint to go on from in it.
    public func partialResult() -> EvaluationResult {
        var result = evaluator.result(tally, counter: counter, seconds: seconds)
        result.partial = EvaluationCheckpoint(tally: tally, seconds: seconds)
        return result
    }
}
