import SpikeGraph
import SpikeRuntime

/// Judges converted networks on the held-out part of calibration data, against the ANN's answers there.
struct TrialJudge: Sendable {
    let split: CalibrationSplit
    let targetDrop: Double
    /// Judging stops once the confidence is within this of 0 or 1.
    let clear: Double
    let threads: Int
    /// No decision falls before so many samples.
    private static let fewest = 100

    var criterion: PairedDrop.Criterion { split.labels == nil ? .agreement : .accuracy }

    /// The ANN's accuracy on the judging samples.
    var annAccuracy: Double? {
        split.labels.map { labels in Double(zip(labels, split.answers).count { $0 == $1 }) / Double(split.answers.count) }
    }

    func callAsFunction(_ snn: Graph, recipe: String, steps: Int) throws -> RecipeSearchResult.Trial {
        let total = split.answers.count
        let bar = ProgressBar("judging \(recipe) with \(steps) steps", total: total, unit: "samples")
        defer { bar.finish() }
        let simulation = try Simulation(snn, threads: threads)
        var drop = PairedDrop(criterion: criterion)
        var (agreeing, correct, spikes) = (0, 0, 0)
        var pass = try split.judged.makePass()
        while drop.samples < total, let batch = try pass.next() {
            let outputs = try simulation.run(batch.inputs, steps: steps)
            for (position, answer) in zip(drop.samples..<total, try Evaluator.classes(outputs[0], of: snn)) {
                let isSame = answer == split.answers[position]
                agreeing += isSame ? 1 : 0
                guard let label = split.labels?[position] else {
                    drop.lost += isSame ? 0 : 1
                    continue
                }
                correct += answer == label ? 1 : 0
                if !isSame { drop.lost += split.answers[position] == label ? 1 : 0 }
                if !isSame { drop.gained += answer == label ? 1 : 0 }
            }
            drop.samples += batch.count
            spikes += simulation.spikeTotals.values.reduce(0, +)
            bar.advance(by: batch.count)
            let confidence = drop.confidence(within: targetDrop)
            if drop.samples >= Self.fewest, confidence < clear || confidence > 1 - clear { break }
        }
        let samples = Double(max(1, drop.samples))
        return RecipeSearchResult.Trial(
            recipe: recipe, steps: steps, accuracy: split.labels == nil ? nil : Double(correct) / samples,
            agreement: Double(agreeing) / samples, drop: drop.points, drop95: drop.interval95,
            confidence: drop.confidence(within: targetDrop), samples: drop.samples, lost: drop.lost, gained: drop.gained,
            spikesPerNeuron: Double(spikes) / samples / Double(max(1, snn.neuronCount)), decision: .beyond, seconds: 0)
    }
}

extension Graph {
    /// The neurons of a spiking network, for one sample.
    var neuronCount: Int {
        nodes.reduce(0) { sum, node in
            guard case .neuron = node.operator, let shape = types[node.outputs[0]]?.shape.resolved(batch: 1) else { return sum }
            return sum + shape.reduce(1, *)
        }
    }
}
