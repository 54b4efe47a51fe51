public import SpikeGraph

/// Where the samples of a ``Dataset`` come from: an array in memory, a folder of pictures, several arrays for a network of
/// several inputs. Conform to it to read samples from another kind of place.
public protocol SampleSource: Sendable {
    /// The number of samples.
    var count: Int { get }
    /// The shape of one sample, without the sample axis, for each input of the network.
    var sampleShapes: [[Int]] { get }
    /// The samples `indices` (each of `0 ..< count`), in this order: one float32 tensor `[indices.count, …]` for each input.
    func inputs(at indices: ArraySlice<Int>) throws -> [Tensor]
}

/// Samples, with the class of each where it is known.
public struct Dataset: Sendable {
    /// Where it comes from, for messages.
    public let name: String
    /// The class of each sample, counted from 0.
    public let labels: [Int]?
    /// What the network should give for each sample, `[N, …]`: float32, the values of a regression; int64, the class of each place.
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
        if let targets, targets.shape.first != samples.count {
            throw SpikeletError(
                .invalidData, "\(samples.count) samples, but targets of shape \(targets.shape)", at: name,
                remedy: "give one row of targets for each sample: [\(samples.count), …]")
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
        try self.init(
            ArraySamples(inputs, name: name, normalization: normalization), labels: labels, targets: targets, name: name)
    }

    /// Samples from anywhere, with labels or targets that are arrays.
    init(_ samples: any SampleSource, labels: NumericArray?, targets: NumericArray?, name: String) throws {
        let places = try labels.flatMap { try Self.classesOfPlaces($0, samples: samples.count, name: name) }
        guard let places else {
            try self.init(samples, labels: labels, values: targets, name: name)
            return
        }
        guard targets == nil else {
            throw SpikeletError(
                .invalidData, "both labels and targets are given", at: name,
                remedy: "keep one: labels are class numbers, targets what a regression should give")
        }
        try self.init(samples, targets: places, name: name)
    }

    /// One label, or the values of a regression, for each sample.
    init(_ samples: any SampleSource, labels: NumericArray?, values targets: NumericArray?, name: String) throws {
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
    /// - Throws: ``SpikeletError``: `invalidData` for inputs with NaN or infinity; what reading a source throws.
    public func batch(at indices: ArraySlice<Int>) throws -> Batch {
        var batch = Batch(inputs: try samples.inputs(at: indices), labels: labels.map { labels in indices.map { labels[$0] } })
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

    /// Integers `[N, …]` of several places a sample as classes of these places; `nil` for one class a sample.
    private static func classesOfPlaces(_ array: NumericArray, samples: Int, name: String) throws -> Tensor? {
        guard array.shape.first == samples, array.shape.dropFirst().reduce(1, *) > 1, !array.elementType.isFloatingPoint else { return nil }
        let values = try array.integers()
        guard array.shape.count > 2 || !isOneHot(values, samples: samples) else { return nil }
        if let place = values.firstIndex(where: { $0 < 0 }) {
            throw SpikeletError(
                .invalidData, "label \(values[place]) of sample \(place / (values.count / samples)) is below 0", at: name,
                remedy: "labels count the classes from 0")
        }
        return Tensor(values, shape: array.shape)
    }

    /// Whether each row is a single 1 among zeros.
    static func isOneHot(_ values: [Int64], samples: Int) -> Bool {
        let size = values.count / max(1, samples)
        return size > 1
            && (0..<samples).allSatisfy { sample in
                let row = values[sample * size..<(sample + 1) * size]
                return row.allSatisfy { $0 == 0 || $0 == 1 } && row.count { $0 == 1 } == 1
            }
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
