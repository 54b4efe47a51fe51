import SpikeData
import SpikeGraph
import SpikeReference

/// Calibration data in two parts, so that thresholds are judged on samples that they were not fitted on; with the ANN's own
/// answers.
///
/// The parts are drawn at random (and the same every time), because data files are often sorted by class.
struct CalibrationSplit: Sendable {
    /// One part of a source, in the source's order, in batches of its size.
    let fitted: any BatchSource
    let judged: any BatchSource
    let fittedCount: Int
    /// For each judged sample in order, the position of the ANN's largest output.
    let answers: [Int]
    /// For each judged sample its class; `nil` unless all samples have one.
    let labels: [Int]?
    /// The most samples that thresholds are fitted on; more hardly move them, and are better used to judge.
    static let mostFitted = 512

    /// Runs the ANN over all data.
    init(_ data: any BatchSource, ann: Graph, threads: Int) throws {
        let bar = ProgressBar("running the ANN", total: data.batchCount, unit: "batches")
        defer { bar.finish() }
        var answers: [Int] = []
        var labels: [Int]? = []
        var batchSize = 1
        let executor = ReferenceExecutor(ann)
        var pass = try data.makePass()
        while true {
            var group: [Batch] = []
            while group.count < threads, let batch = try pass.next() { group.append(batch) }
            if group.isEmpty { break }
            let found = try concurrentMap(group) { batch in
                defer { bar.advance() }
                return try Evaluator.classes(try executor.run(batch.inputs)[0], of: ann)
            }
            for (batch, classes) in zip(group, found) {
                if answers.isEmpty { batchSize = max(1, batch.count) }
                if let own = batch.labels, own.count == batch.count { labels?.append(contentsOf: own) } else { labels = nil }
                answers += classes
            }
        }
        guard answers.count >= 2 else {
            throw SpikeletError(
                .invalidData, "the calibration data holds \(answers.count) sample\(answers.count == 1 ? "" : "s"), too few for a search",
                remedy: "a search fits thresholds on one part and judges them on the other; give some hundred samples")
        }
        var generator = SplitMix64(seed: 0)
        let order = generator.permutation(of: answers.count)
        let wanted = min(answers.count / 2, Self.mostFitted)
        // A network of a fixed batch size takes whole batches only.
        let isFixed = ann.inputs.first?.type.shape.dimensions.first?.known != nil
        fittedCount = isFixed ? max(batchSize, wanted - wanted % batchSize) : wanted
        var isFitted = [Bool](repeating: false, count: answers.count)
        for position in order.prefix(fittedCount) { isFitted[position] = true }
        fitted = SelectedSamples(base: data, isSelected: isFitted, batchSize: batchSize)
        judged = SelectedSamples(base: data, isSelected: isFitted.map { !$0 }, batchSize: batchSize)
        self.answers = zip(answers, isFitted).filter { !$0.1 }.map(\.0)
        self.labels = labels.map { zip($0, isFitted).filter { !$0.1 }.map(\.0) }
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
            labels: labels.flatMap { labels in labels.count == count ? positions.map { labels[$0] } : nil })
    }

    fileprivate func followed(by other: Batch) -> Batch {
        let labels = labels.flatMap { mine in other.labels.map { mine + $0 } }
        return Batch(inputs: zip(inputs, other.inputs).map { $0.appending($1) }, labels: labels)
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
