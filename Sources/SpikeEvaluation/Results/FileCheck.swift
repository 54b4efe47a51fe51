import SpikeGraph

/// Whether numbers and lists that a result file held can be what an evaluation wrote. What reads them after that may count on it.
enum FileCheck {
    /// The most that a count in a file may be: a JSON number is exact until here, and a few of them can be added.
    static let mostCount = 1 << 53
    /// The most that any other number may be.
    static let mostNumber = 1e30
    /// The most time steps of a simulation.
    static let mostSteps = SpikeCode.mostSteps

    static func damaged(_ key: String, _ what: String) -> SpikeletError {
        SpikeletError(
            .malformedFile, "\(key) \(what)",
            remedy: "the file is damaged, and was left as it is: fetch it again, or evaluate again (without `resume`, or into another file)"
        )
    }

    static func count(_ value: Int?, _ key: @autoclosure () -> String, in range: ClosedRange<Int> = 0...mostCount) throws {
        guard let value, !range.contains(value) else { return }
        throw damaged(key(), "is \(value), not within \(range.lowerBound)…\(range.upperBound)")
    }

    static func counts(_ values: [Int]?, _ key: @autoclosure () -> String, in range: ClosedRange<Int> = 0...mostCount) throws {
        guard let index = values?.firstIndex(where: { !range.contains($0) }) else { return }
        try count(values?[index], "\(key())[\(index)]", in: range)
    }

    static func number(
        _ value: Double?, _ key: @autoclosure () -> String, in range: ClosedRange<Double> = 0...mostNumber
    ) throws {
        // NaN is in no range.
        guard let value, !range.contains(value) else { return }
        throw damaged(key(), "is \(value), not within \(range.lowerBound)…\(range.upperBound)")
    }

    static func numbers(
        _ values: [Double]?, _ key: @autoclosure () -> String, in range: ClosedRange<Double> = 0...mostNumber
    ) throws {
        guard let index = values?.firstIndex(where: { !range.contains($0) }) else { return }
        try number(values?[index], "\(key())[\(index)]", in: range)
    }

    static func numbers(
        _ values: [Float]?, _ key: @autoclosure () -> String, in range: ClosedRange<Double> = 0...mostNumber
    ) throws {
        try numbers(values?.map(Double.init), key(), in: range)
    }

    static func length(_ found: Int?, _ key: @autoclosure () -> String, in wanted: ClosedRange<Int>) throws {
        guard let found, !wanted.contains(found) else { return }
        let (least, most) = (wanted.lowerBound, wanted.upperBound)
        throw damaged(key(), "has \(found) entries, not \(least == most ? "\(most)" : "\(least)…\(most)")")
    }

    static func length(_ found: Int?, _ key: @autoclosure () -> String, _ wanted: Int) throws {
        try length(found, key(), in: wanted...wanted)
    }

    /// Lists of something that may be left out as a whole.
    static func length(_ found: Int, _ key: @autoclosure () -> String, noneOr wanted: Int) throws {
        if found != 0 { try length(found, key(), wanted) }
    }

    /// Numbers of steps, ascending from 1.
    static func steps(_ steps: [Int], _ key: @autoclosure () -> String) throws {
        try counts(steps, key(), in: 1...mostSteps)
        guard !steps.isEmpty, zip(steps, steps.dropFirst()).allSatisfy({ $0 < $1 }) else {
            throw damaged(key(), steps.isEmpty ? "has no entry" : "is not in rising order")
        }
    }
}
