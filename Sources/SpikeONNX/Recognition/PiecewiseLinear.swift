/// A function of one number that is linear between a few places, in exact arithmetic: what clips, extrema, comparisons, choices and
/// products with masks make of a number.
struct PiecewiseLinear: Equatable {
    /// A straight line.
    struct Line: Equatable {
        var slope: Double
        var intercept: Double

        func callAsFunction(_ x: Double) -> Double { slope * x + intercept }
    }

    /// Where the line changes, ascending.
    private(set) var breaks: [Double] = []
    /// The lines between them, one more than ``breaks``.
    private(set) var lines: [Line]
    /// The values at the breaks.
    private(set) var values: [Double] = []

    /// x itself.
    static let identity = PiecewiseLinear(lines: [Line(slope: 1, intercept: 0)])

    static func constant(_ number: Double) -> PiecewiseLinear { PiecewiseLinear(lines: [Line(slope: 0, intercept: number)]) }

    /// 0 below zero, x from there on, and no more than `bound`.
    static func rectifier(bound: Double?) -> PiecewiseLinear {
        var result = PiecewiseLinear(
            breaks: [0], lines: [Line(slope: 0, intercept: 0), Line(slope: 1, intercept: 0)], values: [0])
        guard let bound else { return result }
        result.breaks.append(bound)
        result.lines.append(Line(slope: 0, intercept: bound))
        result.values.append(bound)
        return result
    }

    /// Two functions joined number by number.
    ///
    /// - Parameters:
    ///   - line: of two lines that do not cross where they stand; at `x`, a place among them, they can be told apart. `nil`: the result is
    ///     no line.
    ///   - value: of two numbers.
    static func combine(
        _ a: Self, _ b: Self, line: (Line, Line, _ x: Double) -> Line?, value: (Double, Double) -> Double
    ) -> PiecewiseLinear? {
        var places = Set(a.breaks + b.breaks)
        // Where the two cross, an extremum or a comparison changes.
        for (first, second, range) in pairs(a, b, at: places.sorted()) where first.slope != second.slope {
            let crossing = (second.intercept - first.intercept) / (first.slope - second.slope)
            if crossing.isFinite, crossing > range.lowerBound, crossing < range.upperBound { places.insert(crossing) }
        }
        let breaks = places.sorted()
        var lines: [Line] = []
        for (first, second, range) in pairs(a, b, at: breaks) {
            guard let joined = line(first, second, middle(range)) else { return nil }
            lines.append(joined)
        }
        let values = breaks.map { value(a($0), b($0)) }
        return PiecewiseLinear(breaks: breaks, lines: lines, values: values).simplified
    }

    func callAsFunction(_ x: Double) -> Double {
        if let index = breaks.firstIndex(of: x) { return values[index] }
        return lines[breaks.count { $0 < x }](x)
    }

    /// Whether the same up to the rounding of float32 constants.
    func isNear(_ other: Self) -> Bool {
        func near(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-6 * max(1e-30, abs(a), abs(b)) || a == b }
        return breaks.count == other.breaks.count && zip(breaks, other.breaks).allSatisfy(near)
            && zip(values, other.values).allSatisfy(near)
            && zip(lines, other.lines).allSatisfy { near($0.slope, $1.slope) && near($0.intercept, $1.intercept) }
    }

    /// The lines of both in each interval between the places.
    private static func pairs(_ a: Self, _ b: Self, at places: [Double]) -> [(Line, Line, ClosedRange<Double>)] {
        let ends = [-Double.infinity] + places + [.infinity]
        return zip(ends, ends.dropFirst()).map { low, high in
            let x = middle(low...high)
            return (a.lines[a.breaks.count { $0 < x }], b.lines[b.breaks.count { $0 < x }], low...high)
        }
    }

    private static func middle(_ range: ClosedRange<Double>) -> Double {
        switch (range.lowerBound.isFinite, range.upperBound.isFinite) {
        case (true, true): range.lowerBound / 2 + range.upperBound / 2
        case (true, false): range.lowerBound + max(1, abs(range.lowerBound))
        case (false, true): range.upperBound - max(1, abs(range.upperBound))
        case (false, false): 0
        }
    }

    /// Without breaks at which nothing changes.
    private var simplified: PiecewiseLinear {
        var result = PiecewiseLinear(lines: [lines[0]])
        for (index, place) in breaks.enumerated() {
            let isSmooth = result.lines[result.lines.count - 1] == lines[index + 1] && values[index] == lines[index + 1](place)
            guard !isSmooth else { continue }
            result.breaks.append(place)
            result.values.append(values[index])
            result.lines.append(lines[index + 1])
        }
        return result
    }
}
