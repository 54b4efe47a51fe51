import SpikeGraph

/// What is done to inputs after bytes have become 0…1: (x − mean) / deviation, per channel (axis 1 of `[N, C, …]`).
public struct Normalization: Sendable, Equatable {
    /// One number a channel, or one for all.
    public let mean: [Float]
    /// One number a channel, or one for all; none is zero.
    public let standardDeviation: [Float]

    /// None: mean 0, deviation 1.
    static let none = Normalization()

    private init() { (mean, standardDeviation) = ([0], [1]) }

    /// - Throws: ``SpikeletError`` (`invalidOption`) for numbers that cannot be a mean or a deviation.
    public init(mean: [Float], standardDeviation: [Float]) throws {
        guard !mean.isEmpty, mean.allSatisfy(\.isFinite) else {
            throw SpikeletError(
                .invalidOption, "the mean of a normalisation needs finite numbers", remedy: "give one number, or one a channel")
        }
        guard !standardDeviation.isEmpty, standardDeviation.allSatisfy({ $0.isFinite && $0 > 0 }) else {
            throw SpikeletError(
                .invalidOption, "the standard deviation of a normalisation needs finite numbers above 0",
                remedy: "give one number, or one a channel")
        }
        self.mean = mean
        self.standardDeviation = standardDeviation
    }

    /// The mean and deviation of each of `channels` channels.
    ///
    /// - Throws: ``SpikeletError`` (`invalidOption`) where there are too few or too many.
    func perChannel(_ channels: Int) throws -> [(mean: Float, deviation: Float)] {
        func spread(_ values: [Float], _ what: String) throws -> [Float] {
            if values.count == channels { return values }
            guard values.count == 1 else {
                throw SpikeletError(
                    .invalidOption, "\(values.count) numbers as \(what), but the data has \(channels) channel\(channels == 1 ? "" : "s")",
                    remedy: "give one number, or one a channel")
            }
            return [Float](repeating: values[0], count: channels)
        }
        return Array(zip(try spread(mean, "mean"), try spread(standardDeviation, "standard deviation"))).map { (mean: $0, deviation: $1) }
    }
}
