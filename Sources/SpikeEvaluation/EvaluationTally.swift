import SpikeCost
import SpikeGraph

/// Sums over samples; whole numbers, so that they do not depend on the order of the batches, and can be kept in a file.
struct Tally: Accumulator, Equatable {
    /// The numbers of steps that are reported.
    var steps: [Int]
    var samples = 0
    /// The samples among them on which spikes and operations were counted.
    var countedSamples = 0
    var hasLabels = true
    var annCorrect = 0
    var correct: [Int]
    var agreeing: [Int]
    /// [number of steps reported][sample]: the correct predictions of a sample, or without labels those that are the ANN's; empty where a
    /// sample has one prediction.
    var ofSamples: [[Int]]
    /// The same after each step; empty where layers do not stream.
    var correctByStep: [Int] = []
    var agreeingByStep: [Int] = []
    /// By their numbers of steps.
    var runs: [Int: OperationCounter.Run] = [:]
    /// The ANN's operations on the counted samples, by node.
    var annOperations: [String: Int] = [:]
    /// Labels × predictions at the largest number of steps, and the ANN's; empty if they are not counted.
    var confusion: [Int] = []
    var annConfusion: [Int] = []
    var exits = ExitPaths()
    /// Of a regression.
    var distances: Distances
    /// How often a current or a membrane met the bounds of whole numbers; absent in files from before it was counted.
    var saturations: Int?
    /// Spent in the engine, of all threads.
    var engineNanoseconds = 0

    init(steps: [Int]) {
        self.steps = steps
        correct = steps.map { _ in 0 }
        agreeing = correct
        ofSamples = steps.map { _ in [] }
        distances = Distances(columns: steps.count)
    }

    /// Takes in what a batch's samples predict after one number of steps.
    mutating func judge(_ predictions: [Int], _ column: Int, labels: [Int]?, annPredictions: [Int]?, places: Int) {
        if let labels { correct[column] = zip(labels, predictions).count { $0 == $1 } }
        if let annPredictions { agreeing[column] = zip(annPredictions, predictions).count { $0 == $1 } }
        guard places > 1, let wanted = labels ?? annPredictions else { return }
        ofSamples[column] = stride(from: 0, to: predictions.count, by: places).map { start in
            (start..<start + places).count { predictions[$0] == wanted[$0] }
        }
    }

    /// The 95 % interval of the share of correct predictions (without labels: of those that are the ANN's): Wilson's. Where a sample has many
    /// places, they are not independent of each other: then it holds that of the samples' own shares too, which is normal.
    func interval(_ column: Int, places: Int) -> ClosedRange<Double> {
        let successes = hasLabels ? correct[column] : agreeing[column]
        let wilson = wilsonInterval(successes: successes, trials: samples * places)
        guard places > 1 else { return wilson }
        guard samples > 1 else { return 0...1 }
        let shares = ofSamples[column].map { Double($0) / Double(places) }
        let (mean, count) = (Double(successes) / Double(samples * places), Double(samples))
        let variance = shares.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
        let spread = 1.959963984540054 * (variance / count).squareRoot()
        return max(0, min(wilson.lowerBound, mean - spread))...min(1, max(wilson.upperBound, mean + spread))
    }

    /// Labels × predictions.
    static func confusion(_ labels: [Int], _ predictions: [Int], classes: Int) -> [Int] {
        var counts = [Int](repeating: 0, count: classes * classes)
        for (label, prediction) in zip(labels, predictions) { counts[label * classes + prediction] += 1 }
        return counts
    }

    /// Takes in what later samples gave.
    mutating func merge(_ later: Tally) {
        samples += later.samples
        countedSamples += later.countedSamples
        hasLabels = hasLabels && later.hasLabels
        annCorrect += later.annCorrect
        Self.add(later.correct, to: &correct)
        Self.add(later.agreeing, to: &agreeing)
        for column in ofSamples.indices { ofSamples[column] += later.ofSamples[column] }
        Self.add(later.correctByStep, to: &correctByStep)
        Self.add(later.agreeingByStep, to: &agreeingByStep)
        Self.add(later.confusion, to: &confusion)
        Self.add(later.annConfusion, to: &annConfusion)
        for (steps, run) in later.runs { runs[steps, default: OperationCounter.Run()].merge(run) }
        annOperations.merge(later.annOperations, uniquingKeysWith: +)
        exits.paths += later.exits.paths
        distances.add(later.distances)
        if let more = later.saturations { saturations = (saturations ?? 0) + more }
        engineNanoseconds += later.engineNanoseconds
    }

    private static func add(_ numbers: [Int], to sums: inout [Int]) {
        if sums.isEmpty { sums = numbers } else { for (index, number) in numbers.enumerated() { sums[index] += number } }
    }
}
