import Foundation

/// How much is lost on samples that two networks have both answered, and how sure that is.
///
/// The samples are paired: what counts is on how many the networks differ, not how well each does by itself. That makes the
/// interval several times narrower than one between two separate accuracies.
public struct PairedDrop: Codable, Sendable, Equatable {
    /// What the networks are judged by.
    public enum Criterion: String, Codable, Sendable {
        /// The share of samples whose largest output is the label's.
        case accuracy
        /// The share of samples on which both networks have the same largest output. What is lost of it bounds the loss of
        /// accuracy from above.
        case agreement
    }

    /// What a right answer is.
    public var criterion: Criterion
    /// The samples that were judged.
    public var samples: Int
    /// Accuracy: the ANN is right, the spiking network wrong. Agreement: the two differ.
    public var lost: Int
    /// Accuracy: the spiking network is right, the ANN wrong. Agreement: 0.
    public var gained: Int

    /// Counts of a comparison.
    public init(criterion: Criterion, samples: Int = 0, lost: Int = 0, gained: Int = 0) {
        self.criterion = criterion
        self.samples = samples
        self.lost = lost
        self.gained = gained
    }

    /// The measured drop, in points (hundredths of the samples). Below zero where more is gained than lost.
    public var points: Double { samples == 0 ? 0 : 100 * Double(lost - gained) / Double(samples) }

    /// The 95 % interval of the drop, in points.
    ///
    /// Accuracy: D. G. Bonett, R. M. Price, "Adjusted Wald confidence interval for a difference of binomial proportions based
    /// on paired data", Journal of Educational and Behavioral Statistics 37 (2012). Agreement: Wilson's interval of the lost
    /// share (see ``wilsonInterval(successes:trials:)``).
    public var interval95: [Double] {
        guard samples > 0 else { return [-100, 100] }
        switch criterion {
        case .agreement: return wilsonInterval(successes: lost, trials: samples).map { 100 * $0 }
        case .accuracy:
            let (centre, error) = adjusted
            let spread = 1.959963984540054 * error
            return [max(-100, 100 * (centre - spread)), min(100, 100 * (centre + spread))]
        }
    }

    /// How sure it is, 0…1, that the drop on all data like these samples is at most `target` points: the level of the
    /// one-sided interval, by the same method as ``interval95``, that ends at `target`.
    public func confidence(within target: Double) -> Double {
        guard samples > 0 else { return 0 }
        let share = target / 100
        switch criterion {
        case .agreement:
            guard share > 0, share < 1 else { return share >= 1 ? 1 : 0 }
            let error = (share * (1 - share) / Double(samples)).squareRoot()
            return Self.normal((share - Double(lost) / Double(samples)) / error)
        case .accuracy:
            let (centre, error) = adjusted
            return Self.normal((share - centre) / error)
        }
    }

    /// The fewest samples with which a drop of `target` points can be told with this confidence: those of a network that
    /// loses none. `nil` where no number would do.
    public static func fewestSamples(_ criterion: Criterion, target: Double, confidence: Double) -> Int? {
        func suffices(_ samples: Int) -> Bool {
            PairedDrop(criterion: criterion, samples: samples).confidence(within: target) >= confidence
        }
        guard var enough = (0..<40).lazy.map({ 1 << $0 }).first(where: suffices) else { return nil }
        var short = enough / 2
        while enough - short > 1 {
            let middle = (enough + short) / 2
            if suffices(middle) { enough = middle } else { short = middle }
        }
        return enough
    }

    /// Bonett and Price's centre and standard error, as shares: one sample is added to each of the two kinds of difference.
    private var adjusted: (centre: Double, error: Double) {
        let size = Double(samples) + 2
        let (lost, gained) = ((Double(lost) + 1) / size, (Double(gained) + 1) / size)
        return (lost - gained, ((lost + gained - (lost - gained) * (lost - gained)) / size).squareRoot())
    }

    /// The standard normal distribution.
    private static func normal(_ z: Double) -> Double { erfc(-z / 2.0.squareRoot()) / 2 }
}
