import Foundation
import SpikeAnalysis
import SpikeCost
import SpikeGraph

extension EvaluationResult: CustomStringConvertible {
    /// The table for a terminal: one row a number of steps.
    public var description: String {
        var title = "'\(network)' (\(recipe)), ".visible + "\(samples) samples" + (partial == nil ? "" : " so far")
        if let accuracy = ann?.accuracy { title += ", ANN accuracy \(Self.percent(accuracy))" }
        if let error = ann?.error { title += ", ANN error \(String(format: "%.4g", error.rootMeanSquare))" }
        if let frames { title += "\n" + Self.line(frames: frames, hasANN: ann != nil) }
        if let judgedBy { title += "\njudged by: \(judgedBy)" }
        if steps.contains(where: { $0.error != nil || $0.deviation != nil }) { return title + "\n\n" + regressionTable + rest }
        var header = ["steps", "accuracy", "95 % interval", "agreement", "spikes/neuron", "SynOps", "energy (SNN/ANN)"]
        var rows = steps.map { step in
            [
                "\(step.steps)", step.accuracy.map(Self.percent) ?? "–",
                step.confidence95.ends.map { String(format: "%.1f", $0 * 100) }.joined(separator: "–"),
                step.agreement.map(Self.percent) ?? "–", String(format: "%.3f", step.spikesPerNeuron),
                TextTable.magnitude(step.synapticOperations),
                step.energy.ann > 0 ? String(format: "%.2f", step.energy.snn / step.energy.ann) : "–",
            ]
        }
        for column in [3, 1] where steps.allSatisfy({ column == 3 ? $0.agreement == nil : $0.accuracy == nil }) {
            header.remove(at: column)
            for row in rows.indices { rows[row].remove(at: column) }
        }
        return title + "\n\n" + TextTable.format([header] + rows, rightAligned: Set(header.indices)) + rest
    }

    /// What time-varying samples are.
    package static func line(frames: Int, hasANN: Bool) -> String {
        "each step has its own input" + (hasANN ? "; the ANN saw the mean of the \(frames == 1 ? "one frame" : "\(frames) frames")" : "")
    }

    /// The table of a regression.
    private var regressionTable: String {
        func number(_ value: Double?) -> String { value.map { String(format: "%.4g", $0) } ?? "–" }
        let rows = steps.map { step in
            [
                "\(step.steps)", number(step.error?.rootMeanSquare), step.confidence95.ends.map { number($0) }.joined(separator: "–"),
                number(step.error?.meanAbsolute), number(step.error?.determination), number(step.deviation),
                String(format: "%.3f", step.spikesPerNeuron), TextTable.magnitude(step.synapticOperations),
            ]
        }
        let header = ["steps", "RMS error", "95 % interval", "mean |error|", "R²", "from the ANN", "spikes/neuron", "SynOps"]
        return TextTable.format([header] + rows, rightAligned: Set(header.indices))
    }

    /// What stands below the table.
    private var rest: String {
        var text = ""
        if let model = steps.first?.energy.model {
            text += "\nenergy: \(model.visible); \(String(format: "%.1f s", seconds)), \(precision.visible)\n"
        }
        if let precisionCheck { text += precisionCheck.line + "\n" }
        if let line = stepsToANNLine { text += line }
        if let line = confusionLine { text += line }
        if let timing { text += Self.line(timing) }
        if let earlyExit { text += "\n" + Self.line(earlyExit) }
        if let counts { text += "\n" + counts.description(samples: countedSamples) }
        text += layerTables
        if let energies { text += "\n" + EnergyEstimate.table(energies) }
        let errors = layers.compactMap(\.error)
        if !errors.isEmpty { text += "\n" + ErrorDecomposition.heading(precision) + "\n\n" + ErrorDecomposition.table(errors) }
        for note in int8Notes { text += "warning: \(note.visible)\n" }
        for warning in warnings { text += "warning: \(warning.visible)\n" }
        return text
    }

    private var stepsToANNLine: String? {
        guard let stepsToANN, !stepsToANN.isEmpty else { return nil }
        let reached = stepsToANN.reversed().compactMap { entry in
            entry.steps.map { "\(String(format: "%g", entry.points)) from step \($0)" }
        }
        let missed = stepsToANN.reversed().filter { $0.steps == nil }.map { String(format: "%g", $0.points) }
        var text = reached.isEmpty ? "" : "at most " + reached.joined(separator: ", ")
        if !missed.isEmpty { text += (text.isEmpty ? "" : "; ") + missed.joined(separator: " and ") + " not within these steps" }
        return "points lost: \(text)\n"
    }

    /// The pairs of classes that are confused most often.
    private var confusionLine: String? {
        guard let confusion else { return nil }
        let pairs = Self.confused(confusion).prefix(5).map { "\($0.label) for \($0.prediction) (\($0.count))" }
        return pairs.isEmpty ? nil : "most often confused: " + pairs.joined(separator: ", ") + "\n"
    }

    /// Wrong predictions by pairs of classes, the most frequent first.
    package static func confused(_ confusion: [[Int]]) -> [(label: Int, prediction: Int, count: Int)] {
        confusion.enumerated().flatMap { label, row in
            row.enumerated().filter { $0.offset != label && $0.element > 0 }.map {
                (label: label, prediction: $0.offset, count: $0.element)
            }
        }
        .sorted { ($0.count, $1.label, $1.prediction) > ($1.count, $0.label, $0.prediction) }
    }

    private static func line(_ timing: Timing) -> String {
        let latency = String(format: timing.secondsOfOneSample < 0.1 ? "%.2f" : "%.0f", timing.secondsOfOneSample * 1e3)
        return
            "one sample of \(timing.steps) steps: \(latency) ms; in batches \(String(format: "%.0f", timing.samplesPerSecondAndThread)) samples a second and thread\n"
    }

    private static func line(_ exit: EarlyExit) -> String {
        var text = "stopping at a confidence of \(exit.confidence): \(String(format: "%.2f", exit.averageSteps)) steps on average"
        func compare(_ name: String, _ early: Double?, _ late: Double?) {
            guard let early, let late else { return }
            text += ", \(name) \(percent(early)) (\(percent(late)) after all \(exit.steps))"
        }
        compare("accuracy", exit.accuracy, exit.accuracyOfAllSteps)
        compare("agreement", exit.agreement, exit.agreementOfAllSteps)
        guard let allowed = exit.allowedLoss, let chosen = exit.choosingSamples, let loss = exit.choosingLoss else { return text + "\n" }
        return text + """
            ;
            measured on \(exit.samples) samples; the confidence was chosen on \(chosen) others, for a loss of at most \
            \(percent(allowed)) (\(percent(loss)) there)

            """
    }

    package static func number(_ value: Double) -> String { String(format: "%.4g", value) }

    package static func percent(_ share: Double) -> String { String(format: "%.2f %%", share * 100) }
}
