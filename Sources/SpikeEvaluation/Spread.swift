package import SpikeGraph

/// Sums of numbers by sample and channel, for their variance: each channel (axis 1) about its own mean, so that channels which differ
/// only in their level do not pass for variation. The variance is taken at the end, in the samples' order, so that it does not depend
/// on the batches.
package struct Spread: Codable, Sendable, Equatable {
    /// [sample][channel].
    package var sums: [Double] = []
    /// [sample].
    package var squares: [Double] = []
    package var channels = 0
    /// The numbers of a sample.
    package var size = 0

    package init() {}

    /// - Parameter values: `[N, C, …]`, or `[N]`.
    package init(_ values: Tensor) {
        let (numbers, samples) = (values.floats, values.shape.first ?? 0)
        channels = values.shape.count > 1 ? values.shape[1] : 1
        size = numbers.count / max(1, samples)
        let places = size / max(1, channels)
        sums.reserveCapacity(samples * channels)
        for sample in 0..<samples {
            var square = 0.0
            for channel in 0..<channels {
                var sum = 0.0
                for index in sample * size + channel * places..<sample * size + (channel + 1) * places {
                    sum += Double(numbers[index])
                    square += Double(numbers[index]) * Double(numbers[index])
                }
                sums.append(sum)
            }
            squares.append(square)
        }
    }

    /// Takes in later samples.
    package mutating func add(_ other: Spread) {
        sums += other.sums
        squares += other.squares
        channels = max(channels, other.channels)
        size = max(size, other.size)
    }

    /// Some of the samples.
    package func filtered(_ isKept: [Bool]) -> Spread {
        var kept = self
        kept.squares = zip(squares, isKept).filter(\.1).map(\.0)
        kept.sums = isKept.indices.filter { isKept[$0] }.flatMap { sums[$0 * channels..<($0 + 1) * channels] }
        return kept
    }

    /// The mean square of the numbers about their channels' means; `nil` where they do not vary.
    package var variance: Double? {
        let samples = squares.count
        guard samples > 0, channels > 0, size > 0 else { return nil }
        let ofChannel = Double(samples) * Double(size) / Double(channels)
        var means = 0.0
        for channel in 0..<channels {
            let sum = stride(from: channel, to: sums.count, by: channels).reduce(0.0) { $0 + sums[$1] }
            means += sum * sum / ofChannel
        }
        let square = squares.reduce(0, +)
        // What rounding leaves of equal numbers is no variation.
        guard square - means > 1e-12 * square else { return nil }
        return (square - means) / (Double(samples) * Double(size))
    }
}
