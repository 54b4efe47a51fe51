import Foundation

/// The distribution of non-negative activations on a logarithmic grid that does not depend on the data: 32 nodes to each
/// doubling, over all that float32 can say. Its range grows with what it sees; parts combined give exactly the whole, in any
/// order; activations times a power of two give the same histogram that power higher.
///
/// An activation counts for the two nodes that it lies between, more for the nearer: what moves it a little moves the histogram
/// a little. A node's activations count as evenly spread, from half-way to the node below to half-way to that above.
package struct ActivationHistogram: Codable, Sendable, Hashable {
    /// Nodes to each doubling, as a power of two: they are at most 3.2 % apart.
    private static let octaveBits = 5
    private static let nodeShift = UInt32(23 - octaveBits)
    /// Between two nodes an activation is rounded to so many places, as a power of two: by less than 10⁻⁴ of it.
    private static let placeBits = 8
    private static let placeShift = nodeShift - UInt32(placeBits)
    /// A whole activation, in the parts that are counted: `wholeShare` shares at each place.
    private static let unit = Double(wholeShare << placeBits)
    /// What ``add(_:share:)`` takes for a whole activation.
    static let wholeShare = 16
    /// Squares of significands lose so many of their 48 bits, to leave room for sums.
    private static let squareShift: UInt64 = 24

    /// The largest activation.
    package private(set) var maximum: Float = 0
    /// Shares of activations, in all and of those that are not zero.
    private var shares = 0
    private var nonZeroShares = 0
    /// The float32 exponent, as it is stored, of the first doubling in `counts`, `sums` and `squares`.
    private var firstOctave = 0
    /// For each node the activations that count for it; what 32 bits cannot hold is carried over.
    private var counts: [UInt32] = []
    private var carries: [Int: UInt32] = [:]
    /// For each doubling the exact sum of its significands, and of their squares: neither depends on the order of the terms.
    private var sums: [UInt64] = []
    private var squares: [UInt64] = []

    /// A histogram of nothing.
    package init() {}

    /// All activations, zeros included.
    package var count: Int { Int(mass.rounded(.up)) }

    /// Activations that are zero (or negative).
    package var zeros: Int { count - nonZeroCount }

    /// The activations that are not zero.
    package var nonZeroCount: Int { Int(nonZeroMass.rounded(.up)) }

    /// All activations; those of samples that belong here in part count in part.
    var mass: Double { Double(shares) / Double(Self.wholeShare) }

    /// The activations that are not zero, in the same way.
    var nonZeroMass: Double { Double(nonZeroShares) / Double(Self.wholeShare) }

    /// The mean of all activations, zeros included.
    package var mean: Double { moment(sums, scale: Self.significandUnit) }

    /// The mean of the squares of all activations.
    package var meanSquare: Double {
        let lost = Double(UInt64(1) << Self.squareShift)
        return moment(squares) { lost * Self.significandUnit($0) * Self.significandUnit($0) }
    }

    private func moment(_ sums: [UInt64], scale: (Int) -> Double) -> Double {
        guard shares > 0 else { return 0 }
        return sums.enumerated().reduce(0) { $0 + Double($1.element) * scale(firstOctave + $1.offset) } / Double(shares)
    }

    /// What the last bit of a significand is worth in a doubling.
    private static func significandUnit(_ octave: Int) -> Double { Double(sign: .plus, exponent: max(1, octave) - 150, significand: 1) }

    /// Takes in activations; all are finite. (NaN and infinity count as zeros: whoever may meet them looks first.)
    ///
    /// - Parameter share: how much of each belongs here, in parts of `wholeShare`.
    mutating func add(_ values: some Sequence<Float>, share: Int) {
        let part = UInt32(share)
        for value in values {
            shares += share
            let bits = value.bitPattern
            // Negative numbers have their sign in the top bit: as integers they lie above every positive number.
            guard bits != 0, bits < Float.infinity.bitPattern else { continue }
            nonZeroShares += share
            let octave = Int(bits >> 23)
            if octave < firstOctave || octave + 1 >= firstOctave + sums.count { extend(from: octave, to: octave + 1) }
            let node = Int(bits >> Self.nodeShift) - firstOctave << Self.octaveBits
            let place = (bits & (1 << Self.nodeShift - 1) + 1 << (Self.placeShift - 1)) >> Self.placeShift
            count(part * (1 << Self.placeBits - place), at: node)
            count(part * place, at: node + 1)
            let significand = UInt64(bits & 0x7F_FFFF | (octave > 0 ? 0x80_0000 : 0))
            sums[octave - firstOctave] += significand * UInt64(part)
            squares[octave - firstOctave] += (significand * significand + 1 << (Self.squareShift - 1)) >> Self.squareShift * UInt64(part)
            maximum = max(maximum, value)
        }
    }

    /// Takes in activations; all are finite.
    package mutating func add(_ values: some Sequence<Float>) { add(values, share: Self.wholeShare) }

    @inline(__always) private mutating func count(_ parts: UInt32, at node: Int) {
        let (sum, overflow) = counts[node].addingReportingOverflow(parts)
        counts[node] = sum
        if overflow { carries[firstOctave << Self.octaveBits + node, default: 0] += 1 }
    }

    /// Takes in all that another histogram has seen.
    package mutating func merge(_ other: ActivationHistogram) {
        shares += other.shares
        nonZeroShares += other.nonZeroShares
        maximum = max(maximum, other.maximum)
        guard !other.sums.isEmpty else { return }
        extend(from: other.firstOctave, to: other.firstOctave + other.sums.count - 1)
        let offset = other.firstOctave - firstOctave
        for (index, parts) in other.counts.enumerated() where parts > 0 { count(parts, at: offset << Self.octaveBits + index) }
        carries.merge(other.carries, uniquingKeysWith: +)
        for index in other.sums.indices {
            sums[offset + index] += other.sums[index]
            squares[offset + index] += other.squares[index]
        }
    }

    /// Takes in the other side of the same activations, which each side counts as zeros of its own: how far they were below zero.
    mutating func fold(_ negatives: ActivationHistogram) {
        merge(negatives)
        shares -= negatives.shares
    }

    /// Makes room for doublings `first...last`.
    private mutating func extend(from first: Int, to last: Int) {
        if sums.isEmpty { firstOctave = first }
        let before = max(0, firstOctave - first)
        let behind = max(0, last - (firstOctave + sums.count - 1))
        func extended<Number: FixedWidthInteger>(_ numbers: [Number], by size: Int) -> [Number] {
            [Number](repeating: 0, count: before * size) + numbers + [Number](repeating: 0, count: behind * size)
        }
        firstOctave -= before
        (sums, squares) = (extended(sums, by: 1), extended(squares, by: 1))
        counts = extended(counts, by: 1 << Self.octaveBits)
    }

    /// An occupied bin: its bounds, and how many activations lie between them.
    typealias Bin = (lower: Double, upper: Double, count: Double)

    /// The occupied bins from the smallest up, one a node. The last ones end at the maximum.
    var bins: [Bin] {
        let (first, largest) = (firstOctave << Self.octaveBits, Double(maximum))
        return counts.indices.compactMap { index in
            let (number, parts) = (first + index, Double(counts[index]))
            let count = (carries.isEmpty ? parts : parts + Double(carries[number] ?? 0) * 4_294_967_296) / Self.unit
            guard count > 0 else { return nil }
            let upper = min(largest, (Self.node(number) + Self.node(number + 1)) / 2)
            // The node above the maximum counts a part of it.
            let lower = min((Self.node(max(1, number) - 1) + Self.node(number)) / 2, upper * (1 - Self.leastWidth))
            return (lower, upper, count)
        }
    }

    /// The least width of a bin, as a share of its upper bound.
    private static let leastWidth = 1.0 / 256

    /// The activation at a node; nodes of what float32 says with fewer digits are evenly spaced.
    private static func node(_ number: Int) -> Double {
        let (octave, within) = (number >> octaveBits, number & (1 << octaveBits - 1))
        return Double(within + (octave > 0 ? 1 << octaveBits : 0)) * significandUnit(octave) * Double(1 << nodeShift)
    }

    /// The value below which a share of the activations lies, interpolated within its bin.
    ///
    /// - Parameter countingZeros: whether zeros are among the activations that are counted.
    package func quantile(_ share: Double, countingZeros: Bool) -> Float {
        var rank = share * (countingZeros ? mass : nonZeroMass) - (countingZeros ? mass - nonZeroMass : 0)
        guard rank > 0 else { return 0 }
        for bin in bins {
            if rank <= bin.count { return Float(bin.lower + (bin.upper - bin.lower) * rank / bin.count) }
            rank -= bin.count
        }
        return maximum
    }
}
