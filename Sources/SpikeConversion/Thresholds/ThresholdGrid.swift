import Foundation

/// The thresholds that are tried: on a grid that all channels share, so many to a doubling, coarsely first.
///
/// The least of some errors is no smooth function of them: where two thresholds are as good, the slightest change of the data takes the
/// one or the other. So what is chosen is a mean: each threshold counts by how near its error is to the least. In a flat minimum that
/// is its middle; between two minima it moves from the one to the other as their errors pass each other.
struct ThresholdGrid {
    /// Thresholds of a doubling, and how many of them a coarse step passes over.
    static let (ofDoubling, coarseStep) = (152, 8)
    /// Errors this much larger than the least, as a share of it, count for 1/e of it: coarsely and finely.
    private static let (coarseTemperature, fineTemperature) = (0.02, 0.01)

    /// The largest threshold of use.
    let largest: Double
    /// The power of two that numbers count from: a grid moves with its data, so that data times a power of two has the same.
    private let exponent: Int
    /// Thresholds tried first, from the smallest up, numbered from the power of two on.
    private let coarse: ClosedRange<Int>
    /// How much the first and the last count: one that has just come within reach must not make a difference.
    private let (first, last): (Double, Double)
    /// Where `largest` lies.
    private let end: Double

    /// - Parameter least: the smallest threshold of use, above 0.
    init(from least: Double, to largest: Double) {
        self.largest = largest
        exponent = Int(largest.exponent)
        end = log2(largest.significand) * Double(Self.ofDoubling)
        let start = Double((Int(least.exponent) - exponent) * Self.ofDoubling) + log2(least.significand) * Double(Self.ofDoubling)
        let (low, high) = (start / Double(Self.coarseStep), end / Double(Self.coarseStep))
        let (first, last) = (low.rounded(.down), max(low.rounded(.down), high.rounded(.up)))
        coarse = Int(first)...Int(last)
        self.first = first == last ? 1 : 1 - (low - first)
        self.last = first == last ? 1 : 1 - (last - high)
    }

    /// The threshold of a number on the shared grid.
    static func threshold(_ number: Int) -> Double {
        let doublings = Int((Double(number) / Double(ofDoubling)).rounded(.down))
        return Double(sign: .plus, exponent: doublings, significand: withinDoubling[number - doublings * ofDoubling])
    }

    private static let withinDoubling = (0..<ofDoubling).map { exp2(Double($0) / Double(ofDoubling)) }

    /// The errors of the thresholds tried first.
    ///
    /// - Parameter error: of a number on the shared grid.
    func coarseErrors<Error>(_ error: (Int) -> Error) -> [Error] {
        coarse.map { error($0 * Self.coarseStep + exponent * Self.ofDoubling) }
    }

    /// Where the least error is, as far as ``coarseErrors(_:)`` tell.
    func place(_ errors: [Double]) -> Double {
        Self.mean(errors, temperature: Self.coarseTemperature) { index in
            let weight = (index == 0 ? first : 1) * (index == errors.count - 1 ? last : 1)
            return (Double((coarse.lowerBound + index) * Self.coarseStep), weight)
        }
    }

    /// The place of least error around another one.
    func refined(_ place: Double, _ error: (Int) -> Double) -> Double {
        let middle = Int(place.rounded())
        let numbers = middle - Self.coarseStep...max(middle - Self.coarseStep, min(middle + Self.coarseStep, Int(end.rounded(.up))))
        return Self.mean(numbers.map { error($0 + exponent * Self.ofDoubling) }, temperature: Self.fineTemperature) { index in
            let number = Double(numbers.lowerBound + index)
            let distance = (number - place) / Double(Self.coarseStep + 1)
            return (number, (1 - distance * distance) * (number > end ? 1 - (number - end) : 1))
        }
    }

    /// The threshold at a place, at most `largest`.
    func threshold(at place: Double) -> Double {
        min(largest, exp2(place / Double(Self.ofDoubling)) * Double(sign: .plus, exponent: exponent, significand: 1))
    }

    /// The mean of places, each of which counts by its weight and by how near its error is to the least.
    private static func mean(_ errors: [Double], temperature: Double, _ at: (Int) -> (place: Double, weight: Double)) -> Double {
        let least = errors.min() ?? 0
        var (sum, total) = (0.0, 0.0)
        for (index, error) in errors.enumerated() {
            // Less than e⁻⁴⁰ is nothing beside the least error's own part.
            let excess = error > least ? (error - least) / (least * temperature) : 0
            guard excess < 40 else { continue }
            let (place, weight) = at(index)
            let part = weight * exp(-excess)
            sum += place * part
            total += part
        }
        return sum / total
    }
}
