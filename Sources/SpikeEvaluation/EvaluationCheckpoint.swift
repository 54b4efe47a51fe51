import SpikeGraph

/// Where an evaluation was broken off: what ``Evaluator/run(_:from:onProgress:)`` needs to go on with the samples that are left,
/// to the result of a run that was not. It holds whole numbers alone, so nothing depends on where the break was.
public struct EvaluationCheckpoint: Codable, Sendable, Equatable {
    var tally: Tally
    var seconds: Double

    /// The samples that are done.
    public var samples: Int { tally.samples }
}
