/// The fewest steps from which on a network loses at most so much against its ANN.
public struct StepsToANN: Codable, Sendable, Equatable {
    /// Points of accuracy (hundredths of the samples).
    public var points: Double
    /// `nil` where the steps that were measured are not enough.
    public var steps: Int?

    /// The losses that are reported.
    public static let points: [Double] = [0, 0.5, 1, 2, 5]

    /// - Parameter ann: the ANN's accuracy.
    /// - Returns: `nil` without it.
    static func all(ann: Double?, result: EvaluationResult) -> [StepsToANN]? {
        guard let ann else { return nil }
        // Every step where they are known, else those reported.
        let measured: [(steps: Int, accuracy: Double)] =
            result.curve?.accuracy.map { $0.enumerated().map { ($0.offset + 1, $0.element) } }
            ?? result.steps.compactMap { step in step.accuracy.map { (step.steps, $0) } }
        return points.map { points in
            // A half of a sample is nobody's: shares that are equal in writing are equal.
            let enough = measured.reversed().prefix { $0.accuracy >= ann - points / 100 - 1e-12 }
            return StepsToANN(points: points, steps: enough.last?.steps)
        }
    }
}
