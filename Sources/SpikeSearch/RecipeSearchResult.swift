import Foundation
import SpikeGraph

/// What a ``RecipeSearch`` tried and chose. Its JSON is stable: other programs read it.
public struct RecipeSearchResult: Codable, Sendable, Equatable {
    /// What a trial came to.
    public enum Decision: String, Codable, Sendable {
        /// The drop is within the target, as surely as asked for.
        case reached
        /// The measured drop is within the target, but so few samples do not make it sure enough.
        case unsure
        /// The measured drop is beyond the target.
        case beyond
        /// So far beyond the target that judging stopped early.
        case hopeless
    }

    /// One network that was converted and judged.
    public struct Trial: Codable, Sendable, Equatable {
        /// The recipe's name.
        public var recipe: String
        /// T, or K for radix codes; of digits by layer those of the layer with the most.
        public var steps: Int
        /// Of digits by layer their mean over all layers.
        public var meanSteps: Double?
        /// The share of judged predictions that are the label's, where there are labels.
        public var accuracy: Double?
        /// The share of judged predictions that are the same of ANN and spiking network; `nil` of values.
        public var agreement: Double?
        /// R² of values, where there are targets.
        public var determination: Double?
        /// The root mean square of the differences from the ANN's values over their standard deviation, of values without targets.
        public var deviation: Double?
        /// In points, 0…100; below zero for a gain. Of values without targets the distance, in per cent of the ANN's deviation.
        public var drop: Double
        /// The 95 % interval of the drop, in points (see ``PairedDrop``).
        public var drop95: ClosedRange<Double>
        /// How sure it is, 0…1, that the drop is within the target.
        public var confidence: Double
        /// The samples that were judged; fewer than there are where the decision was clear before.
        public var samples: Int
        /// Predictions lost and gained against the ANN (see ``PairedDrop``); 0 of values.
        public var lost: Int
        /// Predictions that only the spiking network has right.
        public var gained: Int
        /// Total spikes / number of neurons, mean over the judged samples.
        public var spikesPerNeuron: Double
        /// Spikes of all neurons, mean over the judged samples.
        public var spikes: Double
        /// What the simulation took for one sample, in batches, on all threads of the search.
        public var simulationSeconds: Double
        /// What became of the trial.
        public var decision: Decision
        /// Conversion and judging.
        public var seconds: Double
    }

    /// The network's name.
    public var network: String
    /// In points.
    public var targetDrop: Double
    /// What a correct prediction was.
    public var criterion: Criterion
    /// How sure a choice has to be, 0…1.
    public var requiredConfidence: Double
    /// The samples that thresholds were chosen from.
    public var fittedSamples: Int
    /// The samples that trials were judged on.
    public var judgedSamples: Int
    /// What is judged (``OutputTask``); `nil` for the largest of the class scores.
    public var judgedBy: String?
    /// The ANN's accuracy on the samples that judge, where there are labels.
    public var annAccuracy: Double?
    /// The ANN's R² on the samples that judge, where there are targets.
    public var annDetermination: Double?
    /// In the order in which they were tried.
    public var trials: [Trial]
    /// What makes the result doubtful.
    public var warnings: [String] = []
    /// What the search kept small.
    public var preference = RecipeSearch.Preference.balance
    /// The position in ``trials`` of the cheapest network that reached the target, if one did.
    public var chosen: Int?

    /// The chosen trial.
    public var choice: Trial? { chosen.map { trials[$0] } }

    /// What came nearest to the target: the trial with the largest confidence, the cheapest of several.
    public var nearest: Trial? {
        trials.min { ($1.confidence, preference.cost($0)) < ($0.confidence, preference.cost($1)) }
    }

    /// - Returns: the chosen trial.
    /// - Throws: ``SpikeletError`` that says what came nearest, where nothing reached the target.
    public func require() throws -> Trial {
        if let choice { return choice }
        let target = Self.points(targetDrop)
        guard let nearest else { throw SpikeletError(.invalidOption, "no recipe was tried") }
        var message = "none of \(trials.count) trials keeps the drop within \(target) \(criterion.unit)"
        message += "; nearest came \(nearest.recipe) with \(stepsText(of: nearest)): \(summary(of: nearest))"
        let isUnsure = trials.contains { $0.decision == .unsure }
        throw SpikeletError(
            .notConvertible, message,
            remedy: isUnsure
                ? "\(judgedSamples) judging samples leave the drop unsure: give more calibration data, or a larger target"
                : "give a larger target, or convert with `recipe` and `steps` and judge the result yourself")
    }

    /// A number of steps as short as it is.
    static func number(_ steps: Double) -> String { String(format: "%.3g", steps) }

    /// A trial's steps in words.
    package func stepsText(of trial: Trial) -> String {
        trial.meanSteps.map { "\(Self.number($0)) steps in the mean over layers" } ?? "\(trial.steps) steps"
    }

    static func points(_ value: Double) -> String {
        let text = String(format: "%.2f", value)
        return text == "-0.00" ? "0.00" : text.replacingOccurrences(of: "-", with: "−")
    }

    static func percent(_ share: Double) -> String {
        // 100 % would claim what no sample can show.
        share > 0.9995 ? "> 99.9 %" : String(format: "%.1f %%", 100 * share)
    }
}

extension RecipeSearchResult: CustomStringConvertible {
    /// A trial's drop in words.
    func summary(of trial: Trial) -> String {
        let (what, unit) =
            switch criterion {
            case .deviation: ("distance", "% of the deviation of the ANN's values")
            case .determination: ("drop", "points of R²")
            case .accuracy, .agreement: ("drop", "points")
            }
        return "\(what) \(Self.points(trial.drop)) \(unit) (95 % interval \(interval(trial))) on \(trial.samples) samples"
    }

    private func interval(_ trial: Trial) -> String { trial.drop95.ends.map(Self.points).joined(separator: "…") }

    /// The table for a terminal, and the choice in words.
    public var description: String {
        var text = "search for a drop of at most \(Self.points(targetDrop)) \(criterion.unit)"
        if criterion == .deviation { text = "search for values at most \(Self.points(targetDrop)) \(criterion.unit) away from them" }
        text += criterion == .agreement ? " with the ANN (the data have no labels)\n" : "\n"
        if let judgedBy { text += "judged by: \(judgedBy)\n" }
        text += "thresholds fitted on \(fittedSamples) samples, judged on \(judgedSamples) others"
        if let annAccuracy { text += "; ANN accuracy there \(String(format: "%.2f %%", 100 * annAccuracy))" }
        if let annDetermination { text += "; the ANN's R² there \(String(format: "%.4f", annDetermination))" }
        for warning in warnings { text += "\nwarning: \(warning.visible)" }
        text += "\n\n" + table + "\n"
        guard let choice else {
            return text + "nothing reached the target\n"
        }
        text += "chosen: \(choice.recipe) with \(stepsText(of: choice)), \(summary(of: choice)); within the target with "
        return text + "\(Self.percent(choice.confidence)) confidence\n"
    }

    private var table: String {
        func percent(_ share: Double?) -> String { share.map { String(format: "%.2f %%", 100 * $0) } ?? "–" }
        typealias Column = (title: String, cell: (Trial) -> String)
        var columns: [Column] = [("recipe", { $0.recipe }), ("steps", { $0.meanSteps.map(Self.number) ?? "\($0.steps)" })]
        if annAccuracy != nil { columns.append(("accuracy", { percent($0.accuracy) })) }
        switch criterion {
        case .accuracy, .agreement: columns.append(("agreement", { percent($0.agreement) }))
        case .determination: columns.append(("R²", { $0.determination.map { String(format: "%.4f", $0) } ?? "–" }))
        case .deviation: break
        }
        columns.append((criterion == .deviation ? "distance, %" : "drop", { Self.points($0.drop) }))
        columns.append(("95 % interval", { interval($0) }))
        switch preference {
        case .balance, .steps: columns.append(("spikes/neuron", { String(format: "%.3f", $0.spikesPerNeuron) }))
        case .spikes: columns.append(("spikes/sample", { String(format: "%.0f", $0.spikes) }))
        case .time: columns.append(("ms/sample", { String(format: "%.3f", 1000 * $0.simulationSeconds) }))
        }
        columns.append(("samples", { "\($0.samples)" }))
        let rows = trials.enumerated().map { position, trial in
            columns.map { $0.cell(trial) } + [position == chosen ? "chosen" : trial.decision.rawValue]
        }
        return TextTable.format([columns.map(\.title) + ["decision"]] + rows, rightAligned: Set(1..<columns.count))
    }
}
