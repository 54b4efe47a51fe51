import SpikeData
import SpikeEvaluation
import SpikeGraph
import SpikeReference

/// Calibration data in two parts, so that thresholds are judged on samples that they were not fitted on; with the ANN's own
/// predictions.
///
/// The parts are drawn at random (and the same every time), because data files are often sorted by class.
struct CalibrationSplit: Sendable {
    /// What the ANN says of the judged samples, in their order.
    enum Reference: Sendable {
        /// Its predictions, `[sample][place]`.
        case predictions([Int32])
        /// The mean squares of its distance from the targets, and the targets' variance.
        case errors([Double], variance: Double)
        /// Its values, `[sample][number]`, and their variance.
        case values([Float], variance: Double)
    }

    /// One part of a source, in the source's order, in batches of its size.
    let fitted: any BatchSource
    let judged: any BatchSource
    let fittedCount: Int
    let judgedCount: Int
    /// What is judged.
    let task: OutputTask
    let reference: Reference
    /// Whether all samples have labels.
    let hasLabels: Bool
    /// The share of judged predictions that are right, where there are labels; R², where there are targets.
    let annQuality: Double?
    /// The most samples that thresholds are fitted on; more hardly move them, and are better used to judge.
    static let mostFitted = 512

    /// Runs the ANN over all data.
    init(_ data: any BatchSource, ann: Graph, threads: Int) throws {
        var pass = try data.makePass()
        let head = try pass.next()
        let batchSize = max(1, head?.count ?? 1)
        let task = try OutputTask(of: ann, hasLabels: head?.labels != nil, targets: head?.targets)
        let executor = ReferenceExecutor(ann)
        let found = try data.reduce("running the ANN", into: Found(), threads: threads) { portion in
            try Found(try executor.run(portion.batch.inputs)[0], of: ann, batch: portion.batch, task: task)
        }
        guard found.samples >= 2 else {
            throw SpikeletError(
                .invalidData, "the calibration data holds \(found.samples) sample\(found.samples == 1 ? "" : "s"), too few for a search",
                remedy: "a search fits thresholds on one part and judges them on the other; give some hundred samples")
        }
        guard found.withTargets == 0 || found.withTargets == found.samples else {
            throw SpikeletError(
                .invalidData, "\(found.withTargets) of \(found.samples) samples have targets", remedy: "give targets for all, or for none")
        }
        var generator = SplitMix64(seed: 0)
        let order = generator.permutation(of: found.samples)
        let wanted = min(found.samples / 2, Self.mostFitted)
        // A network of a fixed batch size takes whole batches only.
        let isFixed = ann.fixedBatch != nil
        fittedCount = isFixed ? max(batchSize, wanted - wanted % batchSize) : wanted
        var isFitted = [Bool](repeating: false, count: found.samples)
        for position in order.prefix(fittedCount) { isFitted[position] = true }
        let isJudged = isFitted.map { !$0 }
        fitted = SelectedSamples(base: data, isSelected: isFitted, batchSize: batchSize)
        judged = SelectedSamples(base: data, isSelected: isJudged, batchSize: batchSize)
        judgedCount = isJudged.count { $0 }
        self.task = task
        hasLabels = task.kind != .values && found.withLabels == found.samples
        (reference, annQuality) = try found.reference(task, isJudged, hasLabels: hasLabels)
    }
}

/// What the ANN says of some samples, by sample.
private struct Found: Accumulator {
    var samples = 0
    var (withLabels, withTargets) = (0, 0)
    var predictions: [Int32] = []
    /// The correct predictions of a sample.
    var right: [Int] = []
    var values: [Float] = []
    /// Of the targets, or of the values.
    var spread = Spread()
    var errors: [Double] = []

    init() {}

    init(_ output: Tensor, of ann: Graph, batch: Batch, task: OutputTask) throws {
        samples = batch.count
        let labels = try task.labels(of: batch)
        if task.kind == .values {
            if let targets = batch.targets {
                withTargets = samples
                errors = try Distances.differences(output, targets, what: "targets").squares
                spread = Spread(targets)
            } else {
                _ = try Distances.differences(output, output, what: "outputs")
                values = output.floats
                spread = Spread(output)
            }
            return
        }
        let found = try task.predictions(output, of: ann)
        predictions = found.map { Int32($0) }
        guard let labels else { return }
        withLabels = samples
        right = (0..<samples).map { sample in
            (sample * task.places..<(sample + 1) * task.places).count { labels[$0] == found[$0] }
        }
    }

    mutating func merge(_ later: Found) {
        samples += later.samples
        withLabels += later.withLabels
        withTargets += later.withTargets
        predictions += later.predictions
        right += later.right
        values += later.values
        spread.add(later.spread)
        errors += later.errors
    }

    /// What the judged samples are compared with, and how good the ANN is on them.
    func reference(_ task: OutputTask, _ isJudged: [Bool], hasLabels: Bool) throws -> (CalibrationSplit.Reference, Double?) {
        func judged<Value>(_ numbers: [Value]) -> [Value] {
            let size = numbers.count / samples
            return isJudged.indices.filter { isJudged[$0] }.flatMap { numbers[$0 * size..<($0 + 1) * size] }
        }
        guard task.kind == .values else {
            let own = judged(right)
            let share = Double(own.reduce(0, +)) / Double(max(1, own.count * task.places))
            return (.predictions(judged(predictions)), hasLabels ? share : nil)
        }
        let what = errors.isEmpty ? "the ANN's outputs" : "the targets"
        guard let variance = spread.filtered(isJudged).variance else {
            throw SpikeletError(
                .invalidData, "\(what) are the same for all judged samples, so a drop cannot be told in shares of their variance",
                remedy: "give samples that differ; or choose with `recipe` and `steps`")
        }
        guard !errors.isEmpty else { return (.values(judged(values), variance: variance), nil) }
        let own = judged(errors)
        return (.errors(own, variance: variance), 1 - own.reduce(0, +) / Double(max(1, own.count)) / variance)
    }
}

/// Some samples of a source, in its order.
struct SelectedSamples: BatchSource {
    let base: any BatchSource
    /// For each sample of the source.
    let isSelected: [Bool]
    let batchSize: Int

    var batchCount: Int? { (isSelected.count { $0 } + batchSize - 1) / batchSize }

    func makePass() throws -> any BatchPass {
        Pass(base: try base.makePass(), isSelected: isSelected[...], batchSize: batchSize)
    }

    private struct Pass: BatchPass {
        var base: any BatchPass
        var isSelected: ArraySlice<Bool>
        let batchSize: Int
        private var waiting: Batch?

        init(base: any BatchPass, isSelected: ArraySlice<Bool>, batchSize: Int) {
            self.base = base
            self.isSelected = isSelected
            self.batchSize = batchSize
        }

        mutating func next() throws -> Batch? {
            while (waiting?.count ?? 0) < batchSize, let batch = try base.next() {
                let rows = isSelected.prefix(batch.count).enumerated().filter(\.element).map(\.offset)
                isSelected = isSelected.dropFirst(batch.count)
                guard !rows.isEmpty else { continue }
                let chosen = batch.rows(rows)
                waiting = waiting.map { $0.followed(by: chosen) } ?? chosen
            }
            guard let whole = waiting, whole.count > 0 else { return nil }
            let size = min(batchSize, whole.count)
            waiting = size < whole.count ? whole.rows(Array(size..<whole.count)) : nil
            return whole.rows(Array(0..<size))
        }
    }
}

extension Batch {
    /// The samples at `positions`, in this order.
    fileprivate func rows(_ positions: [Int]) -> Batch {
        Batch(
            inputs: inputs.map { $0.rows(positions) },
            labels: labels.flatMap { labels in labels.count == count ? positions.map { labels[$0] } : nil },
            targets: targets?.rows(positions))
    }

    fileprivate func followed(by other: Batch) -> Batch {
        let labels = labels.flatMap { mine in other.labels.map { mine + $0 } }
        let targets = targets.flatMap { mine in other.targets.map { mine.appending($0) } }
        return Batch(inputs: zip(inputs, other.inputs).map { $0.appending($1) }, labels: labels, targets: targets)
    }
}

extension Tensor {
    /// Some samples of the first axis.
    fileprivate func rows(_ positions: [Int]) -> Tensor {
        let size = shape.dropFirst().reduce(1, *)
        func gather<Element>(_ values: [Element]) -> [Element] {
            positions.flatMap { values[$0 * size..<($0 + 1) * size] }
        }
        let part = [positions.count] + shape.dropFirst()
        return switch storage {
        case .float32(let values): Tensor(gather(values), shape: part)
        case .int64(let values): Tensor(gather(values), shape: part)
        case .bool(let values): Tensor(gather(values), shape: part)
        }
    }

    /// More samples behind these; of the same shape and type.
    fileprivate func appending(_ other: Tensor) -> Tensor {
        let joined = [shape[0] + other.shape[0]] + shape.dropFirst()
        return switch (storage, other.storage) {
        case (.int64(let mine), .int64(let theirs)): Tensor(mine + theirs, shape: joined)
        case (.bool(let mine), .bool(let theirs)): Tensor(mine + theirs, shape: joined)
        default: Tensor(floats + other.floats, shape: joined)
        }
    }
}
