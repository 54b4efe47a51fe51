import Dispatch
import Foundation
import SpikeConversion
import SpikeEvaluation
public import SpikeGraph
import SpikeRuntime

/// Finds the cheapest way to convert an ANN that keeps what is lost under a target, on calibration data alone.
///
///     let (snn, result) = try RecipeSearch(targetDrop: 0.5)(ann, calibration: loader)
///     print(result)
///
/// Thresholds are fitted on one part of the data (half of it, at most 512 samples) and judged on the rest. What a prediction is says
/// ``OutputTask``: classes are judged by accuracy where every sample has labels, else by agreement with the ANN; values by R² where
/// there are targets (100 · R² falls by at most the target), else by the root mean square of their differences from the ANN's (at
/// most so many per cent of the ANN's standard deviation). Several outputs are judged by the first. What a network costs says the
/// ``RecipeSearch/Preference``: its steps × its spikes per neuron, unless told otherwise. Of all ladders' next rungs the cheapest is tried first; a rung's
/// cost is extrapolated from those measured on its ladder. The first network that is surely enough within the target ends the search; two
/// more trials then look for fewer steps between it and the rung below, and where these are neighbours, two for fewer digits in the mean
/// over all layers (``ConversionOptions/mixed(meanSteps:)``). Judging stops early where the drop is clear, either way. A recipe that does not take the network
/// is left out where others do.
///
/// The network that comes out is converted anew, on all data. Nothing here is random: the same data give the same choice.
///
/// What the ANN was trained on flatters every candidate alike, since its predictions are clearest there; samples that it has not
/// seen judge better.
public struct RecipeSearch: Sendable {
    /// In points: hundredths of the predictions, or of R²; of values without targets in per cent of the ANN's deviation.
    public let targetDrop: Double
    /// The recipes tried, each with its rungs from cheap to dear.
    public let ladders: [RecipeLadder]
    /// How sure it has to be, 0…1, that the drop is within the target (see ``PairedDrop/confidence(within:)``).
    public let requiredConfidence: Double
    /// What is kept small.
    public let preference: Preference
    /// How many batches are worked on at a time.
    public let threads: Int

    /// The choice of a search asks for so much confidence, unless told otherwise. At 95 % a target of half a point would take
    /// hundreds of samples more, and end in networks that lose nothing at all.
    public static let usualConfidence = 0.8
    /// Judging stops early where the confidence is below this, or as far from 1.
    private static let clear = 0.001

    /// - Parameters:
    ///   - targetDrop: the most that may be lost, in points, above 0 and below 100.
    ///   - ladders: what to try; ``RecipeLadder/usual(_:)`` where it is `nil`.
    ///   - threads: how many to work with; results do not depend on it.
    /// - Throws: ``SpikeletError`` (`invalidOption`) for numbers outside their ranges.
    public init(
        targetDrop: Double, ladders: [RecipeLadder]? = nil, prefer preference: Preference = .balance,
        requiredConfidence: Double = RecipeSearch.usualConfidence, threads: Int = 1
    ) throws {
        let ladders = ladders ?? RecipeLadder.usual(preference)
        guard targetDrop > 0, targetDrop < 100 else {
            throw SpikeletError(
                .invalidOption, "a target drop of \(targetDrop) points",
                remedy: "give a number above 0 and below 100; 0.5 is usual, and a drop of exactly 0 cannot be shown on any data")
        }
        guard !ladders.isEmpty else { throw SpikeletError(.invalidOption, "no recipe to search", remedy: "give at least one") }
        guard requiredConfidence >= 0.5, requiredConfidence < 1 else {
            throw SpikeletError(
                .invalidOption, "a required confidence of \(requiredConfidence)", remedy: "give a number from 0.5 to below 1, such as 0.95")
        }
        try checkThreads(threads)
        self.targetDrop = targetDrop
        self.ladders = ladders
        self.preference = preference
        self.requiredConfidence = requiredConfidence
        self.threads = threads
    }

    /// - Returns: the chosen network, or `nil` where nothing reached the target; and all that was tried
    ///   (``RecipeSearchResult/require()`` makes an error of nothing).
    /// - Throws: ``SpikeletError`` where the data are too few to tell a drop of this size, or do not fit the network; or where
    ///   the network cannot spike at all.
    public func callAsFunction(_ ann: Graph, calibration: any BatchSource) throws -> (snn: Graph?, result: RecipeSearchResult) {
        let judged = try LeaveOutOutputs(of: ann, inDigits: Convertibility(ann).isForDigits(allowAnalog: true)).run(ann)
        let split = try CalibrationSplit(calibration, ann: judged, threads: threads)
        let judge = TrialJudge(split: split, targetDrop: targetDrop, clear: Self.clear, threads: threads)
        try checkCount(split, judge.criterion)
        var result = RecipeSearchResult(
            network: ann.name, targetDrop: targetDrop, criterion: judge.criterion, requiredConfidence: requiredConfidence,
            fittedSamples: split.fittedCount, judgedSamples: split.judgedCount, trials: [], warnings: warnings(split),
            preference: preference)
        if split.task.kind == .values { result.annDetermination = split.annQuality } else { result.annAccuracy = split.annQuality }
        if !split.task.isUsual { result.judgedBy = split.task.description }

        func leaveOut(_ what: String, _ error: SpikeletError) {
            let reason = error.message.hasSuffix(":") ? String(error.message.dropLast()) : error.message
            result.warnings.append("\(what) left out: \(reason)")
        }
        var layers = 0
        /// Tries one network; the trial is then the result's last.
        func attempt(_ ladder: RecipeLadder, steps: Double) throws -> RecipeSearchResult.Trial {
            let start = DispatchTime.now()
            let snn = try convert(ann, ladder, steps: steps, split.fitted)
            layers = snn.digits.count
            let isMixed = steps != steps.rounded()
            // The mean that was asked for may lie between two that so many layers can have.
            let mean = Double(snn.digits.reduce(0, +)) / Double(max(1, layers))
            var trial = try judge(
                snn, recipe: ladder.recipe, steps: isMixed ? snn.spiking?.steps ?? 1 : Int(steps), meanSteps: isMixed ? mean : nil)
            trial.seconds = Double(DispatchTime.now().uptimeNanoseconds - start.uptimeNanoseconds) / 1e9
            trial.decision = decision(trial)
            result.trials.append(trial)
            return trial
        }

        var climbs = ladders.map { Climb($0, preference) }
        var chosen: (ladder: RecipeLadder, steps: Double)?
        while let index = climbs.indices.filter({ climbs[$0].next != nil }).min(by: { climbs[$0].nextCost < climbs[$1].nextCost }) {
            guard let steps = climbs[index].next else { break }
            let trial: RecipeSearchResult.Trial
            do {
                trial = try attempt(climbs[index].ladder, steps: Double(steps))
            } catch let error as SpikeletError where climbs.count > 1 && [.notConvertible, .unsupported].contains(error.code) {
                leaveOut("the recipe \(climbs[index].ladder.recipe) is", error)
                climbs.remove(at: index)
                continue
            }
            if trial.decision == .reached {
                result.chosen = result.trials.count - 1
                chosen = (climbs[index].ladder, Double(steps))
                try refine(climbs[index], reachedAt: steps, layers: { layers }, leaveOut: leaveOut) { ladder, steps in
                    let (known, trial) = (result.choice, try attempt(ladder, steps: steps))
                    guard trial.decision == .reached else { return false }
                    if known.map({ preference.cost(trial) < preference.cost($0) }) ?? true {
                        result.chosen = result.trials.count - 1
                        chosen = (ladder, steps)
                    }
                    return true
                }
                break
            }
            climbs[index].advance(past: trial)
            if result.trials.count == 1 {
                for other in climbs.indices { climbs[other].learnScale(from: trial, of: climbs[index].ladder) }
            }
        }
        guard let choice = result.choice, let chosen else { return (nil, result) }
        return (try convert(ann, chosen.ladder, steps: chosen.steps, choice, result, calibration), result)
    }

    /// A network that knows nothing has nothing to lose: any conversion of it would reach the target.
    private func warnings(_ split: CalibrationSplit) -> [String] {
        guard let quality = split.annQuality else { return [] }
        guard split.task.kind != .values else {
            return quality >= 0.1
                ? [] : ["the ANN itself has an R² of only \(String(format: "%.2f", quality)): do the targets and the normalisation fit it?"]
        }
        let chance = 1 / Double(split.task.classCount)
        guard quality < min(1.5 * chance, chance + 0.1 * (1 - chance)) else { return [] }
        return [
            "the ANN itself is right on only \(RecipeSearchResult.percent(quality)) of the samples, no better than by chance: "
                + "do the labels and the normalisation (`mean`, `std`) fit the network?"
        ]
    }

    /// Halves the gap between the rung that reached the target and the last one that did not, twice at most; and where none is left, the gap
    /// of the mean number of digits.
    ///
    /// - Parameter layers: how many layers of digits the network has.
    private func refine(
        _ climb: Climb, reachedAt: Int, layers: () -> Int, leaveOut: (String, SpikeletError) -> Void,
        attempt: (RecipeLadder, Double) throws -> Bool
    ) throws {
        var (below, above) = (climb.tried, reachedAt)
        for _ in 0..<2 where above - below > 1 {
            let middle = (below + above) / 2
            if try attempt(climb.ladder, Double(middle)) { above = middle } else { below = middle }
        }
        guard climb.ladder.convertMixed != nil, above - below == 1, below > 0 else { return }
        var (few, enough) = (Double(below), Double(above))
        for _ in 0..<2 {
            let middle = (few + enough) / 2
            // As many digits in all as a network that was too few has.
            guard Int(middle * Double(layers())) > Int(few * Double(layers())) else { return }
            do {
                if try attempt(climb.ladder, middle) { enough = middle } else { few = middle }
            } catch let error as SpikeletError where error.code == .invalidData {
                // As of data of few batches of a fixed size; whole digits have reached the target.
                return leaveOut("digits by layer are", error)
            }
        }
    }

    /// - Parameter steps: of all layers alike; where it is no whole number, in the mean.
    private func convert(_ ann: Graph, _ ladder: RecipeLadder, steps: Double, _ data: any BatchSource) throws -> Graph {
        if steps != steps.rounded(), let convertMixed = ladder.convertMixed { return try convertMixed(ann, steps, data) }
        return try ladder.convert(ann, Int(steps), data)
    }

    private func convert(
        _ ann: Graph, _ ladder: RecipeLadder, steps: Double, _ choice: RecipeSearchResult.Trial, _ result: RecipeSearchResult,
        _ data: any BatchSource
    ) throws -> Graph {
        let snn = try convert(ann, ladder, steps: steps, data)
        var description = snn.spiking ?? SpikingDescription(recipe: ladder.recipe)
        if choice.meanSteps == nil { description.code.steps = choice.steps }
        description.facts["targetDrop"] = "\(targetDrop) \(result.criterion.unit)"
        description.facts["heldOutDrop"] = result.summary(of: choice)
        return try snn.applying(Patch(), spiking: description)
    }

    private func decision(_ trial: RecipeSearchResult.Trial) -> RecipeSearchResult.Decision {
        if trial.confidence >= requiredConfidence { return .reached }
        if trial.confidence < Self.clear { return .hopeless }
        return trial.drop <= targetDrop ? .unsure : .beyond
    }

    /// Refuses data on which not even a network that loses nothing could be told from one that loses too much.
    private func checkCount(_ split: CalibrationSplit, _ criterion: PairedDrop.Criterion) throws {
        let needed = PairedDrop.fewestSamples(
            criterion, target: targetDrop, confidence: requiredConfidence, places: split.task.places)
        guard let needed, split.judgedCount < needed else { return }
        let total = needed + min(needed, CalibrationSplit.mostFitted)
        throw SpikeletError(
            .invalidData,
            "too little data: of \(split.judgedCount + split.fittedCount) samples \(split.judgedCount) judge, on which a drop of "
                + "\(RecipeSearchResult.points(targetDrop)) \(criterion.unit) cannot be told from none",
            remedy:
                "give at least \(total) samples, several times as many to be surer; or a larger target; or choose with `recipe` and `steps`"
        )
    }
}

/// How far a search has come on one ladder.
private struct Climb {
    let ladder: RecipeLadder
    private let preference: RecipeSearch.Preference
    /// The position of the next rung.
    private var position = 0
    /// The steps of the last rung tried, 0 before the first.
    private(set) var tried = 0
    /// What a measured cost is of an expected one; another ladder's until this one's is known.
    private var scale = RecipeSearch.Preference.Cost(first: 1, second: 1)

    init(_ ladder: RecipeLadder, _ preference: RecipeSearch.Preference) {
        (self.ladder, self.preference) = (ladder, preference)
    }

    /// The steps of the next rung.
    var next: Int? { position < ladder.steps.count ? ladder.steps[position] : nil }

    /// The next rung's cost.
    var nextCost: RecipeSearch.Preference.Cost {
        let expected = expected(next ?? 0)
        return .init(first: expected.first * scale.first, second: expected.second * scale.second)
    }

    private func expected(_ steps: Int) -> RecipeSearch.Preference.Cost {
        preference.cost(steps: Double(steps), spikesPerNeuron: ladder.expectedSpikes(steps))
    }

    private func scale(_ trial: RecipeSearchResult.Trial) -> RecipeSearch.Preference.Cost? {
        let (expected, measured) = (expected(trial.steps), preference.cost(trial))
        guard measured.first > 0, expected.first > 0 else { return nil }
        return .init(
            first: measured.first / expected.first, second: expected.second > 0 ? measured.second / expected.second : 1)
    }

    mutating func advance(past trial: RecipeSearchResult.Trial) {
        position += 1
        tried = trial.steps
        if let known = scale(trial) { scale = known }
    }

    /// Takes the units of spikes a sample, or of seconds, from a network of another ladder: until then all expectations are in the same ones.
    mutating func learnScale(from trial: RecipeSearchResult.Trial, of other: RecipeLadder) {
        guard tried == 0, preference == .spikes || preference == .time, let known = Climb(other, preference).scale(trial) else { return }
        scale = known
    }
}
