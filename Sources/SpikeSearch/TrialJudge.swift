import Dispatch
import SpikeEvaluation
import SpikeGraph
import SpikeReference
import SpikeRuntime

/// Judges converted networks on the held-out part of calibration data, against the ANN's predictions there.
struct TrialJudge: Sendable {
    let split: CalibrationSplit
    let targetDrop: Double
    /// Judging stops once the confidence is within this of 0 or 1.
    let clear: Double
    let threads: Int
    /// No decision falls before so many samples.
    private static let fewest = 100

    var criterion: PairedDrop.Criterion {
        switch split.reference {
        case .predictions: split.hasLabels ? .accuracy : .agreement
        case .errors: .determination
        case .values: .deviation
        }
    }

    /// - Parameter meanSteps: of digits by layer, whose network has steps of its own.
    func callAsFunction(_ snn: Graph, recipe: String, steps: Int, meanSteps: Double? = nil) throws -> RecipeSearchResult.Trial {
        let task = try split.task.asked(of: snn)
        let simulation = try SimulatorChoice(snn, precision: .float32).simulator(threads: threads)
        var found = Found(drop: PairedDrop(criterion: criterion, places: task.places))
        var (spikes, nanoseconds) = (0, UInt64(0))
        let label = "judging \(recipe) with \(meanSteps.map(RecipeSearchResult.number) ?? "\(steps)") steps"
        try split.judged.forEach(label, until: { isClear(found.drop) }) { portion in
            let start = DispatchTime.now().uptimeNanoseconds
            let run = try simulation.run(portion.batch.inputs, steps: steps, timeVarying: false, recording: [])
            nanoseconds += DispatchTime.now().uptimeNanoseconds - start
            try take(run.outputs[0], of: snn, task, portion.batch, into: &found)
            spikes += run.spikeTotals.values.reduce(0, +)
        }
        let drop = found.drop
        let samples = Double(max(1, drop.samples))
        let predictions = samples * Double(task.places)
        var trial = RecipeSearchResult.Trial(
            recipe: recipe, steps: steps, meanSteps: meanSteps, drop: drop.points, drop95: drop.interval95,
            confidence: drop.confidence(within: targetDrop),
            samples: drop.samples, lost: drop.lost, gained: drop.gained,
            spikesPerNeuron: Double(spikes) / samples / Double(max(1, snn.neuronCount)), spikes: Double(spikes) / samples,
            simulationSeconds: Double(nanoseconds) / 1e9 / samples, decision: .beyond, seconds: 0)
        switch split.reference {
        case .predictions:
            trial.accuracy = split.hasLabels ? Double(found.correct) / predictions : nil
            trial.agreement = Double(found.agreeing) / predictions
        case .errors(_, let variance): trial.determination = 1 - found.error / samples / variance
        case .values: trial.deviation = drop.points / 100
        }
        return trial
    }

    private func isClear(_ drop: PairedDrop) -> Bool {
        guard drop.samples >= Self.fewest else { return false }
        let confidence = drop.confidence(within: targetDrop)
        return confidence < clear || confidence > 1 - clear
    }

    /// Sums over the samples that have been judged.
    private struct Found {
        var drop: PairedDrop
        var agreeing = 0
        var correct = 0
        /// Of mean squared distances from the targets.
        var error = 0.0
    }

    private func take(_ output: Tensor, of snn: Graph, _ task: OutputTask, _ batch: Batch, into found: inout Found) throws {
        let first = found.drop.samples
        switch split.reference {
        case .predictions(let expected):
            let predictions = try task.predictions(output, of: snn)
            let labels = split.hasLabels ? try task.labels(of: batch) : nil
            for sample in 0..<batch.count {
                var (lost, gained) = (0, 0)
                for place in sample * task.places..<(sample + 1) * task.places {
                    let (prediction, other) = (predictions[place], Int(expected[first * task.places + place]))
                    if prediction == other { found.agreeing += 1 }
                    guard let label = labels?[place] else {
                        lost += prediction == other ? 0 : 1
                        continue
                    }
                    if prediction == label { found.correct += 1 }
                    if prediction != other { lost += other == label ? 1 : 0 }
                    if prediction != other { gained += prediction == label ? 1 : 0 }
                }
                found.drop.add(lost: lost, gained: gained)
            }
        case .errors(let errors, let variance):
            guard let targets = batch.targets else { return }
            let squares = try Distances.differences(output, targets, what: "targets").squares
            for (sample, square) in squares.enumerated() {
                found.error += square
                found.drop.add((square - errors[first + sample]) / variance)
            }
        case .values(let values, let variance):
            let size = output.count / max(1, batch.count)
            let wanted = Tensor(Array(values[first * size..<(first + batch.count) * size]), shape: output.shape)
            for square in try Distances.differences(output, wanted, what: "outputs of the ANN").squares {
                found.drop.add(square / variance)
            }
        }
    }
}
