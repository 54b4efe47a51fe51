/// Some samples for a network, with their labels or targets where there are any.
public struct Batch: Sendable {
    /// One tensor for each input of the network, in the network's order; the first axis counts samples.
    public var inputs: [Tensor]
    /// The class of each sample.
    public var labels: [Int]?
    /// What the network should give for each sample, `[N, …]`: float32, the values of a regression; int64, the class of each place,
    /// as for segmentation.
    public var targets: Tensor?

    /// Samples of a network with several inputs.
    public init(inputs: [Tensor], labels: [Int]? = nil, targets: Tensor? = nil) {
        self.inputs = inputs
        self.labels = labels
        self.targets = targets
    }

    /// Samples of a network with one input.
    public init(_ input: Tensor, labels: [Int]? = nil, targets: Tensor? = nil) {
        self.init(inputs: [input], labels: labels, targets: targets)
    }

    /// The number of samples.
    public var count: Int { inputs.first?.shape.first ?? 0 }
}

/// Where batches come from: calibration and evaluation data. Each pass starts at the first batch again, so that a
/// source can be gone through as often as a recipe needs.
public protocol BatchSource: Sendable {
    /// The number of batches of a pass, where it is known before the pass.
    var batchCount: Int? { get }
    /// Starts a pass from the first batch.
    func makePass() throws -> any BatchPass
}

/// One pass over a ``BatchSource``.
public protocol BatchPass {
    /// The next batch, or `nil` after the last.
    mutating func next() throws -> Batch?
}

/// Batches that are in memory already.
extension Array: BatchSource where Element == Batch {
    public var batchCount: Int? { count }

    public func makePass() -> any BatchPass { ArrayPass(rest: self[...]) }
}

private struct ArrayPass: BatchPass {
    var rest: ArraySlice<Batch>

    mutating func next() -> Batch? { rest.popFirst() }
}
