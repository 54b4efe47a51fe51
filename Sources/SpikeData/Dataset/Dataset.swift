public import SpikeGraph

/// Where the samples of a ``Dataset`` come from: an array in memory, a folder of pictures, several arrays for a network of
/// several inputs. Conform to it to read samples from another kind of place.
public protocol SampleSource: Sendable {
    /// The number of samples.
    var count: Int { get }
    /// The shape of one sample, without the sample axis, for each input of the network.
    var sampleShapes: [[Int]] { get }
    /// The element type of each input; by default float32.
    var elementTypes: [ElementType] { get }
    /// The samples `indices` (each of `0 ..< count`: ``Dataset`` asks for no others), in this order: one tensor `[indices.count, …]` for
    /// each input.
    func inputs(at indices: ArraySlice<Int>) throws -> [Tensor]
}

extension SampleSource {
    public var elementTypes: [ElementType] { sampleShapes.map { _ in .float32 } }
}

/// Samples, with the class of each where it is known.
public struct Dataset: Sendable {
    /// Where it comes from, for messages.
    public let name: String
    /// The class of each sample, counted from 0.
    public let labels: [Int]?
    /// What the network should give for each sample, `[N, …]`: float32, the values of a regression; int64, the class of each place.
    public let targets: Tensor?
    /// What a person should hear of the data before they are used, as sentences.
    public private(set) var cautions: [String] = []
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
        if let labels { try Answers.check(labels, samples: samples.count, name: name) }
        if let targets {
            try Answers.checkTargets(targets.shape, samples: samples.count, name: name)
            guard targets.elementType != .bool else {
                throw SpikeletError(
                    .invalidData, "the targets are \(ValueType(targets))", at: name,
                    remedy: "give values as float32, or the class of each place as int64")
            }
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
    ///   - labels: `[N]` or `[N, 1]`, whole numbers; or `[N, …]`, integers: the class of each place, which become ``targets``.
    ///   - targets: `[N, …]`, numbers; what a regression should give.
    ///   - normalization: per channel, after that.
    /// - Throws: ``SpikeletError``: `invalidData`; `invalidOption` for a normalisation that does not fit.
    public init(
        _ inputs: NumericArray, labels: NumericArray? = nil, targets: NumericArray? = nil, normalization: Normalization? = nil,
        name: String = "dataset"
    ) throws {
        let samples = try ArraySamples(inputs, name: name, normalization: normalization)
        let answers = try Answers(labels: labels, targets: targets, samples: samples.count, name: name)
        try self.init(samples, answers: answers, cautions: [samples.caution], name: name)
    }

    /// - Parameter cautions: what a person should hear of the data, if anything.
    init(_ source: any SampleSource, answers: Answers, cautions: [String?], name: String) throws {
        try self.init(source, labels: answers.labels, targets: answers.targets, name: name)
        self.cautions = cautions.compactMap { $0 }
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
        guard inputs.map(\.shape) == sampleShapes.map({ [indices.count] + $0 }), inputs.map(\.elementType) == samples.elementTypes else {
            throw SpikeletError(
                .invalidData, "\(indices.count) samples come as \(inputs.map { "\(ValueType($0))" }.joined(separator: ", "))", at: name,
                remedy: "a SampleSource gives its elementTypes, of its sampleShapes behind an axis of the samples")
        }
        var batch = Batch(inputs: inputs, labels: labels.map { labels in indices.map { labels[$0] } })
        if let targets {
            let size = targets.count / max(1, count)
            func rows<Value>(_ values: [Value]) -> [Value] { indices.flatMap { values[$0 * size..<($0 + 1) * size] } }
            let shape = [indices.count] + targets.shape.dropFirst()
            batch.targets =
                switch targets.storage {
                case .float32(let values): Tensor(rows(values), shape: shape)
                case .int64(let values): Tensor(rows(values), shape: shape)
                case .bool(let values): Tensor(rows(values), shape: shape)
                }
        }
        return batch
    }
}
