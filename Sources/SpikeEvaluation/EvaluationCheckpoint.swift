import SpikeGraph

/// Where an evaluation was broken off: what ``Evaluator/run(_:from:onProgress:)`` needs to go on with the samples that are left,
/// to the result of a run that was not. It holds whole numbers alone, so nothing depends on where the break was.
public struct EvaluationCheckpoint: Codable, Sendable, Equatable {
    var tally: Tally
    var seconds: Double

    /// The samples that are done.
    public var samples: Int { tally.samples }
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

/// The batches of a pass without its first samples.
struct RemainingBatches {
    private var pass: any BatchPass
    private var skipped: Int

    init(_ pass: any BatchPass, skipping samples: Int) {
        self.pass = pass
        skipped = samples
    }

    /// The next batch; of one that is done in part, the rest.
    ///
    /// - Parameter advance: called for each batch that is done already.
    mutating func next(advance: () -> Void) throws -> Batch? {
        while let batch = try pass.next() {
            guard skipped > 0 else { return batch }
            guard skipped < batch.count else {
                skipped -= batch.count
                advance()
                continue
            }
            let rest = skipped..<batch.count
            skipped = 0
            return try batch.samples(rest)
        }
        return nil
    }

    /// - Throws: where the data ended before the samples that are to be skipped.
    func checkEnd() throws {
        guard skipped > 0 else { return }
        throw SpikeletError(
            .invalidData, "the earlier run has \(skipped) samples more than the data",
            remedy: "give the data that it was run on, or start again")
    }
}

extension Batch {
    /// Some of the samples, with their labels and targets.
    ///
    /// - Throws: where there are not as many labels or targets as samples.
    func samples(_ range: Range<Int>) throws -> Batch {
        guard labels.map({ $0.count == count }) ?? true, targets.map({ $0.shape.first == count }) ?? true else {
            throw SpikeletError(
                .invalidData, "\(labels?.count ?? targets?.shape.first ?? 0) labels for \(count) samples",
                remedy: "give one label for each sample")
        }
        return Batch(
            inputs: inputs.map { $0.samples(range) }, labels: labels.map { Array($0[range]) }, targets: targets?.samples(range))
    }
}
