public import SpikeGraph

/// Where the samples of a ``Dataset`` come from: an array in memory, a folder of pictures, several arrays for a network of
/// several inputs. Conform to it to read samples from another kind of place.
public protocol SampleSource: Sendable {
    /// The number of samples.
    var count: Int { get }
    /// The shape of one sample, without the sample axis, for each input of the network.
    var sampleShapes: [[Int]] { get }
    /// The samples `indices` (each of `0 ..< count`: ``Dataset`` asks for no others), in this order: one float32 tensor
    /// `[indices.count, …]` for each input.
    func inputs(at indices: ArraySlice<Int>) throws -> [Tensor]
}

/// Samples, with the class of each where it is known.
public struct Dataset: Sendable {
    /// Where it comes from, for messages.
    public let name: String
    /// The class of each sample, counted from 0.
    public let labels: [Int]?
    /// What a regression should give for each sample, `[N, …]` float32.
    public let targets: Tensor?
    private let samples: any SampleSource

    /// The number of samples; never 0.
    public var count: Int { samples.count }
    /// The shape of one sample, without the sample axis, for each input of the network.
    public var sampleShapes: [[Int]] { samples.sampleShapes }

    /// - Throws: ``SpikeletError`` (`invalidData`) where there are no samples, or not one label for each, or labels below 0.
    public init(_ samples: any SampleSource, labels: [Int]? = nil, targets: Tensor? = nil, name: String = "dataset") throws {
        guard samples.count > 0 else {
            throw SpikeletError(
                .invalidData, "the dataset is empty: it has 0 samples", at: name, remedy: "give data with at least one sample")
        }
        if let labels {
            guard labels.count == samples.count else {
                throw SpikeletError(
                    .invalidData, "\(samples.count) samples, but \(labels.count) labels", at: name,
                    remedy: "give one label for each sample; perhaps the files belong to two datasets or splits")
            }
            if let place = labels.firstIndex(where: { $0 < 0 }) {
                throw SpikeletError(
                    .invalidData, "label \(labels[place]) of sample \(place) is below 0", at: name,
                    remedy: "labels count the classes from 0")
            }
        }
        if let targets, targets.elementType != .float32 || targets.shape.first != samples.count {
            throw SpikeletError(
                .invalidData, "\(samples.count) samples, but targets \(ValueType(targets))", at: name,
                remedy: "give one row of float32 targets for each sample: [\(samples.count), …]")
        }
        self.name = name
        self.labels = labels
        self.targets = targets
        self.samples = samples
    }

    /// Samples and labels that are arrays.
    ///
    /// - Parameters:
    ///   - inputs: `[N, …]` of any type. uint8 becomes float by 1/255; other numbers are taken as they are.
    ///   - labels: `[N]` or `[N, 1]`, whole numbers.
    ///   - targets: `[N, …]`, numbers; what a regression should give.
    ///   - normalization: per channel, after that.
    /// - Throws: ``SpikeletError``: `invalidData`; `invalidOption` for a normalisation that does not fit.
    public init(
        _ inputs: NumericArray, labels: NumericArray? = nil, targets: NumericArray? = nil, normalization: Normalization? = nil,
        name: String = "dataset"
    ) throws {
        let samples = try ArraySamples(inputs, name: name, normalization: normalization)
        let values = targets.map { Tensor($0.floats(), shape: $0.shape) }
        if let place = values?.floats.firstIndex(where: { !$0.isFinite }) {
            throw SpikeletError(
                .invalidData, "the targets hold \(values?.floats[place] ?? 0) at position \(place)", at: name,
                remedy: "targets must be finite numbers")
        }
        try self.init(
            samples, labels: try labels.map { try Self.classes($0, samples: samples.count, name: name) }, targets: values, name: name)
    }

    /// The samples `indices` (each of `0 ..< count`), in this order, with their labels or targets.
    ///
    /// - Throws: ``SpikeletError``: `invalidData` for an index that no sample has, for inputs with NaN or infinity, and where a source
    ///   gives something else than it says; what reading a source throws.
    public func batch(at indices: ArraySlice<Int>) throws -> Batch {
        if let wrong = indices.first(where: { $0 < 0 || $0 >= count }) {
            throw SpikeletError(
                .invalidData, "there is no sample \(wrong) among \(count)", at: name, remedy: "samples are counted from 0 to \(count - 1)")
        }
        let inputs = try samples.inputs(at: indices)
        guard inputs.map(\.shape) == sampleShapes.map({ [indices.count] + $0 }), inputs.allSatisfy({ $0.elementType == .float32 }) else {
            throw SpikeletError(
                .invalidData, "\(indices.count) samples come as \(inputs.map { "\(ValueType($0))" }.joined(separator: ", "))", at: name,
                remedy: "a SampleSource gives float32 of its sampleShapes, behind an axis of the samples")
        }
        var batch = Batch(inputs: inputs, labels: labels.map { labels in indices.map { labels[$0] } })
        if let targets {
            let (values, size) = (targets.floats, targets.count / max(1, count))
            batch.targets = Tensor(
                indices.flatMap { values[$0 * size..<($0 + 1) * size] }, shape: [indices.count] + targets.shape.dropFirst())
        }
        return batch
    }

    private static func classes(_ array: NumericArray, samples: Int, name: String) throws -> [Int] {
        let labelShape = array.shape.dropFirst()
        guard !array.shape.isEmpty, labelShape.isEmpty || labelShape == [1] else {
            let isOneHot = array.shape.count == 2 && array.shape[0] == samples
            throw SpikeletError(
                .invalidData, "the labels have the shape \(array.shape), not [\(samples)]", at: name,
                remedy: isOneHot ? "save class numbers, as in labels.argmax(axis=1)" : "save one class number for each sample")
        }
        do {
            return try array.integers().map { Int($0) }
        } catch let error as SpikeletError {
            throw SpikeletError(
                .invalidData, "the labels are no class numbers: \(error.message)", at: name,
                remedy: "save the labels as integers, as in labels.astype('int64')")
        }
    }
}
