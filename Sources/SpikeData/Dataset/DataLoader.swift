public import SpikeGraph

/// Batches of a ``Dataset``, in the dataset's order or in a random one. Every pass gives the same batches in the same order, on every
/// platform.
public struct DataLoader: BatchSource {
    /// Where the samples come from.
    public let dataset: Dataset
    /// Samples a batch; the last batch of a pass may have fewer.
    public let batchSize: Int
    /// The samples of a pass, in their order.
    private let order: [Int]

    /// The number of samples of a pass.
    public var count: Int { order.count }

    /// The number of batches of a pass; the last may be smaller than the others.
    public var batchCount: Int? { (order.count - 1) / batchSize + 1 }

    /// - Parameters:
    ///   - batchSize: samples a batch, at least 1.
    ///   - limit: at most so many samples a pass, at least 1: the first ones, or with a seed a random choice.
    ///   - shuffleSeed: draws a random order, the same for the same seed; `nil` keeps the dataset's order.
    /// - Throws: ``SpikeletError`` (`invalidOption`) for sizes below 1.
    public init(_ dataset: Dataset, batchSize: Int = 100, limit: Int? = nil, shuffleSeed: UInt64? = nil) throws {
        guard batchSize >= 1 else {
            throw SpikeletError(
                .invalidOption, "a batch size of \(batchSize) is not possible", remedy: "use 1 or more, as in `batchSize: 100`")
        }
        guard limit ?? 1 >= 1 else {
            throw SpikeletError(
                .invalidOption, "a limit of \(limit ?? 0) samples leaves nothing to do",
                remedy: "use 1 or more, or no limit for all samples")
        }
        self.dataset = dataset
        self.batchSize = batchSize
        let kept = min(limit ?? dataset.count, dataset.count)
        if let shuffleSeed {
            var generator = SplitMix64(seed: shuffleSeed)
            order = Array(generator.permutation(of: dataset.count).prefix(kept))
        } else {
            order = Array(0..<kept)
        }
    }

    /// One sample of another loader's pass, by its place.
    init(_ other: DataLoader, only index: Int) throws {
        dataset = other.dataset
        batchSize = 1
        order = [other.order[index]]
    }

    /// The labels of a pass, in its order.
    var orderedLabels: [Int]? { dataset.labels.map { labels in order.map { labels[$0] } } }

    public func makePass() -> any BatchPass {
        Pass(dataset: dataset, batchSize: batchSize, rest: order[...])
    }

    private struct Pass: BatchPass {
        let dataset: Dataset
        let batchSize: Int
        var rest: ArraySlice<Int>

        mutating func next() throws -> Batch? {
            guard !rest.isEmpty else { return nil }
            let batch = try dataset.batch(at: rest.prefix(batchSize))
            rest = rest.dropFirst(batchSize)
            return batch
        }
    }
}
