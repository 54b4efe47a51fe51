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
        if let labels { try Self.check(labels, samples: samples.count, name: name) }
        if let targets {
            try Self.checkTargets(targets.shape, samples: samples.count, name: name)
            guard targets.elementType == .float32 else {
                throw SpikeletError(.invalidData, "the targets are \(ValueType(targets))", at: name, remedy: "give them as float32")
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
    ///   - labels: `[N]` or `[N, 1]`, whole numbers.
    ///   - targets: `[N, …]`, numbers; what a regression should give.
    ///   - normalization: per channel, after that.
    /// - Throws: ``SpikeletError``: `invalidData`; `invalidOption` for a normalisation that does not fit.
    public init(
        _ inputs: NumericArray, labels: NumericArray? = nil, targets: NumericArray? = nil, normalization: Normalization? = nil,
        name: String = "dataset"
    ) throws {
        let samples = try ArraySamples(inputs, name: name, normalization: normalization)
        try self.init(
            samples, labels: try labels.map { try Self.classes($0, samples: samples.count, name: name) },
            targets: try targets.map { try Self.targets($0, name: name) }, name: name)
        cautions = [samples.caution].compactMap { $0 }
    }

    /// Several arrays, one for each input.
    init(_ parts: [ArraySamples], as source: any SampleSource, labels: [Int]?, name: String) throws {
        try self.init(source, labels: labels, name: name)
        cautions = parts.compactMap(\.caution)
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

    /// The labels in an array.
    ///
    /// - Throws: ``SpikeletError`` (`invalidData`) where they are not one class number for each of `samples`.
    static func classes(_ array: NumericArray, samples: Int, name: String) throws -> [Int] {
        try checkLabels(array.head, samples: samples, name: name)
        do {
            return try array.integers().map { Int($0) }
        } catch let error as SpikeletError {
            throw SpikeletError(
                .invalidData, "the labels are no class numbers: \(error.message)", at: name,
                remedy: "save the labels as integers, as in labels.astype('int64')")
        }
    }

    /// What can be told of labels by their shape.
    static func checkLabels(_ head: ArrayHead, samples: Int, name: String) throws {
        let labelShape = head.shape.dropFirst()
        guard let count = head.shape.first, labelShape.isEmpty || labelShape == [1] else {
            let isOneHot = head.shape.count == 2 && head.shape[0] == samples
            throw SpikeletError(
                .invalidData, "the labels have the shape \(head.shape), not [\(samples)]", at: name,
                remedy: isOneHot ? "save class numbers, as in labels.argmax(axis=1)" : "save one class number for each sample")
        }
        try checkCount(count, samples: samples, name: name)
    }

    private static func checkCount(_ labels: Int, samples: Int, name: String) throws {
        guard labels == samples else {
            throw SpikeletError(
                .invalidData, "\(samples) samples, but \(labels) labels", at: name,
                remedy: "give one label for each sample; perhaps the files belong to two datasets or splits")
        }
    }

    static func check(_ labels: [Int], samples: Int, name: String) throws {
        try checkCount(labels.count, samples: samples, name: name)
        if let place = labels.firstIndex(where: { $0 < 0 }) {
            throw SpikeletError(
                .invalidData, "label \(labels[place]) of sample \(place) is below 0", at: name, remedy: "labels count the classes from 0")
        }
    }

    /// The targets in an array.
    static func targets(_ array: NumericArray, name: String) throws -> Tensor {
        let values = array.floats()
        if let place = values.firstIndex(where: { !$0.isFinite }) {
            throw SpikeletError(
                .invalidData, "the targets hold \(values[place]) at position \(place)", at: name, remedy: "targets must be finite numbers")
        }
        return Tensor(values, shape: array.shape)
    }

    /// What can be told of targets by their shape.
    static func checkTargets(_ shape: [Int], samples: Int, name: String) throws {
        guard shape.first == samples else {
            throw SpikeletError(
                .invalidData, "\(samples) samples, but targets of shape \(shape)", at: name,
                remedy: "give one row of targets for each sample: [\(samples), …]")
        }
    }
}
