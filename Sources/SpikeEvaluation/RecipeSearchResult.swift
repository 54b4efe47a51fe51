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
        /// T, or K for radix codes.
        public var steps: Int
        /// The share of judged samples whose largest output is the label's, where there are labels.
        public var accuracy: Double?
        /// The share of judged samples on which ANN and spiking network have the same largest output.
        public var agreement: Double
        /// In points, 0…100; below zero for a gain.
        public var drop: Double
        /// The 95 % interval of the drop, in points (see ``PairedDrop``).
        public var drop95: [Double]
        /// How sure it is, 0…1, that the drop is within the target.
        public var confidence: Double
        /// The samples that were judged; fewer than there are where the decision was clear before.
        public var samples: Int
        /// Samples lost and gained against the ANN (see ``PairedDrop``).
        public var lost: Int
        /// Samples that only the spiking network answered rightly.
        public var gained: Int
        /// Total spikes / number of neurons, mean over the judged samples.
        public var spikesPerNeuron: Double
        /// Steps × spikes per neuron: what the search keeps small.
        public var cost: Double { Double(steps) * spikesPerNeuron }
        /// What became of the trial.
        public var decision: Decision
        /// Conversion and judging.
        public var seconds: Double
    }

    /// The network's name.
    public var network: String
    /// In points.
    public var targetDrop: Double
    /// What a right answer was.
    public var criterion: PairedDrop.Criterion
    /// How sure a choice has to be, 0…1.
    public var requiredConfidence: Double
    /// The samples that thresholds were chosen from.
    public var fittedSamples: Int
    /// The samples that trials were judged on.
    public var judgedSamples: Int
    /// The ANN's accuracy on the samples that judge, where there are labels.
    public var annAccuracy: Double?
    /// In the order in which they were tried.
    public var trials: [Trial]
    /// What makes the result doubtful.
    public var warnings: [String] = []
    /// The position in ``trials`` of the cheapest network that reached the target, if one did.
    public var chosen: Int?

    /// The chosen trial.
    public var choice: Trial? { chosen.map { trials[$0] } }

    /// What came nearest to the target: the trial with the largest confidence, the cheapest of several.
    public var nearest: Trial? {
        trials.min { ($1.confidence, $0.cost) < ($0.confidence, $1.cost) }
    }

    /// - Returns: the chosen trial.
    /// - Throws: ``SpikeletError`` that says what came nearest, where nothing reached the target.
    public func require() throws -> Trial {
        if let choice { return choice }
        let target = Self.points(targetDrop)
        guard let nearest else { throw SpikeletError(.invalidOption, "no recipe was tried") }
        var message = "none of \(trials.count) trials keeps the drop within \(target) points of \(criterion.rawValue)"
        message += "; nearest came \(nearest.recipe) with \(nearest.steps) steps: \(nearest.summary)"
        let isUnsure = trials.contains { $0.decision == .unsure }
        throw SpikeletError(
            .notConvertible, message,
            remedy: isUnsure
                ? "\(judgedSamples) judging samples leave the drop unsure: give more calibration data, or a larger target"
                : "give a larger target, or convert with --recipe and --steps and judge the result yourself")
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

extension RecipeSearchResult.Trial {
    fileprivate static func points(_ value: Double) -> String { RecipeSearchResult.points(value) }

    /// The drop in words.
    var summary: String {
        "drop \(Self.points(drop)) points (95 % interval \(interval)) on \(samples) samples"
    }

    var interval: String { drop95.map(Self.points).joined(separator: "…") }
}

extension RecipeSearchResult: CustomStringConvertible {
    /// The table for a terminal, and the choice in words.
    public var description: String {
        var text = "search for a drop of at most \(Self.points(targetDrop)) points of \(criterion.rawValue)"
        text += criterion == .agreement ? " with the ANN (the data have no labels)\n" : "\n"
        text += "thresholds fitted on \(fittedSamples) samples, judged on \(judgedSamples) others"
        if let annAccuracy { text += "; ANN accuracy there \(String(format: "%.2f %%", 100 * annAccuracy))" }
        let header = ["recipe", "steps", "accuracy", "agreement", "drop", "95 % interval", "spikes/neuron", "samples", "decision"]
        var rows = trials.enumerated().map { position, trial in
            [
                trial.recipe, "\(trial.steps)", trial.accuracy.map { String(format: "%.2f %%", 100 * $0) } ?? "–",
                String(format: "%.2f %%", 100 * trial.agreement), Self.points(trial.drop), trial.interval,
                String(format: "%.3f", trial.spikesPerNeuron), "\(trial.samples)",
                position == chosen ? "chosen" : trial.decision.rawValue,
            ]
        }
        rows.insert(header, at: 0)
        if annAccuracy == nil { for row in rows.indices { rows[row].remove(at: 2) } }
        let last = rows[0].count - 1
        for warning in warnings { text += "\nwarning: \(warning.visible)" }
        text += "\n\n" + TextTable.format(rows, rightAligned: Set(1..<last)) + "\n"
        guard let choice else {
            return text + "nothing reached the target\n"
        }
        text += "chosen: \(choice.recipe) with \(choice.steps) steps, \(choice.summary); within the target with "
        return text + "\(Self.percent(choice.confidence)) confidence\n"
    }
}
