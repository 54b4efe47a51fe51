import Foundation

/// The distribution of non-negative activations on a logarithmic grid that does not depend on the data: 32 bins to each
/// doubling, from 2⁻⁴⁰ on. Its range grows with what it sees; parts combined give exactly the whole, in any order.
public struct ActivationHistogram: Sendable, Hashable {
    /// Bins to each doubling, as a power of two: a bin is at most 3.2 % wide.
    private static let octaveBits = 5
    private static let binShift = UInt32(23 - octaveBits)
    /// The bin of 2⁻⁴⁰; what is smaller counts as zero.
    private static let leastBin = Int(Float(sign: .plus, exponent: -40, significand: 1).bitPattern >> binShift)

    /// Activations that are zero (or negative, or below 2⁻⁴⁰).
    public private(set) var zeros = 0
    /// The largest activation.
    public private(set) var maximum: Float = 0
    /// The number of the first bin of `counts`.
    private var firstBin = 0
    private var counts: [UInt32] = []
    private var sumOfValues = ExactSum()
    private var sumOfSquares = ExactSum()

    /// A histogram of nothing.
    public init() {}

    /// All activations, zeros included.
    public var count: Int { zeros + nonZeroCount }

    /// The activations that are not zero.
    public var nonZeroCount: Int { counts.reduce(0) { $0 + Int($1) } }

    /// The mean of all activations, zeros included.
    public var mean: Double { count == 0 ? 0 : sumOfValues.value / Double(count) }

    /// The mean of the squares of all activations.
    public var meanSquare: Double { count == 0 ? 0 : sumOfSquares.value / Double(count) }

    /// Takes in activations; all are finite.
    public mutating func add(_ values: some Sequence<Float>) {
        for value in values {
            let bin = Int(value.bitPattern >> Self.binShift)
            // Negative numbers have their sign in the top bit: as integers they lie above every positive number.
            guard value > 0, bin >= Self.leastBin else {
                zeros += 1
                continue
            }
            if bin < firstBin || bin >= firstBin + counts.count { extend(to: bin) }
            counts[bin - firstBin] += 1
            maximum = max(maximum, value)
            sumOfValues.add(Double(value))
            sumOfSquares.add(Double(value) * Double(value))
        }
    }

    /// Takes in all that another histogram has seen.
    public mutating func merge(_ other: ActivationHistogram) {
        zeros += other.zeros
        maximum = max(maximum, other.maximum)
        sumOfValues.add(other.sumOfValues)
        sumOfSquares.add(other.sumOfSquares)
        guard !other.counts.isEmpty else { return }
        extend(to: other.firstBin)
        extend(to: other.firstBin + other.counts.count - 1)
        for (index, count) in other.counts.enumerated() { counts[other.firstBin - firstBin + index] += count }
    }

    private mutating func extend(to bin: Int) {
        if counts.isEmpty {
            firstBin = bin
            counts = [0]
        } else if bin < firstBin {
            counts.insert(contentsOf: [UInt32](repeating: 0, count: firstBin - bin), at: 0)
            firstBin = bin
        } else if bin >= firstBin + counts.count {
            counts += [UInt32](repeating: 0, count: bin - firstBin - counts.count + 1)
        }
    }

    /// An occupied bin: its bounds, and how many activations lie between them.
    typealias Bin = (lower: Double, upper: Double, count: Double)

    /// The occupied bins from the smallest up. The last one ends at the maximum.
    var bins: [Bin] {
        counts.indices.compactMap { index in
            counts[index] > 0 ? bin(firstBin + index, count: Double(counts[index]), maximum: maximum) : nil
        }
    }

    private func bin(_ number: Int, count: Double, maximum: Float) -> Bin {
        let lower = Float(bitPattern: UInt32(number) << Self.binShift)
        let upper = Float(bitPattern: UInt32(number + 1) << Self.binShift)
        return (Double(lower), Double(min(upper, max(maximum, lower.nextUp))), count)
    }

    /// The value below which a share of the activations lies, interpolated within its bin.
    ///
    /// - Parameter countingZeros: whether zeros are among the activations that are counted.
    public func quantile(_ share: Double, countingZeros: Bool) -> Float {
        var rank = share * Double(countingZeros ? count : nonZeroCount) - (countingZeros ? Double(zeros) : 0)
        guard rank > 0 else { return 0 }
        for bin in bins {
            if rank <= bin.count { return Float(bin.lower + (bin.upper - bin.lower) * rank / bin.count) }
            rank -= bin.count
        }
        return maximum
    }
}

/// A sum that does not depend on the order of its terms: each is rounded to a multiple of 2⁻³⁰ first, and those are added
/// exactly, in 128 bits. Terms are non-negative; beyond 2³³ they are taken as 2³³.
struct ExactSum: Sendable, Hashable {
    private var high: UInt64 = 0
    private var low: UInt64 = 0

    var value: Double { (Double(high) * 18446744073709551616.0 + Double(low)) / 1073741824.0 }

    mutating func add(_ term: Double) {
        add(high: 0, low: UInt64((min(term, 8589934592.0) * 1073741824.0).rounded()))
    }

    mutating func add(_ other: ExactSum) {
        add(high: other.high, low: other.low)
    }

    private mutating func add(high: UInt64, low: UInt64) {
        let (sum, carry) = self.low.addingReportingOverflow(low)
        self.low = sum
        self.high &+= high &+ (carry ? 1 : 0)
    }
}
