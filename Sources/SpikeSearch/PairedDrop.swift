import Foundation
import SpikeEvaluation
import SpikeGraph

/// How much is lost on samples that two networks have both predicted, and how sure that is.
///
/// The samples are paired: what counts is on how many the networks differ, not how well each does by itself. That makes the
/// interval several times narrower than one between two separate accuracies.
package struct PairedDrop: Codable, Sendable, Equatable {
    package typealias Criterion = RecipeSearchResult.Criterion

    /// What a correct prediction is.
    package var criterion: Criterion
    /// The samples that were judged.
    package var samples: Int
    /// The predictions of a sample: 1, or the places of a segmentation.
    package var places: Int
    /// Accuracy: predictions that the ANN has right, the spiking network wrong. Agreement: the two differ.
    package var lost: Int
    /// Accuracy: predictions that the spiking network has right, the ANN wrong. Agreement: 0.
    package var gained: Int
    /// The sum over samples of what one loses. Of values: the difference of the two networks' mean squared errors over the targets'
    /// variance; or the mean squared difference of the two networks over the variance of the ANN's values.
    private(set) var sum = 0.0
    /// The sum of its squares.
    private(set) var squares = 0.0

    /// By values the fewest samples of which a mean is taken for normal.
    static let fewestMeans = 30

    /// Counts of a comparison.
    package init(criterion: Criterion, samples: Int = 0, places: Int = 1, lost: Int = 0, gained: Int = 0) {
        self.criterion = criterion
        self.samples = samples
        self.places = places
        self.lost = lost
        self.gained = gained
    }

    /// Takes in a sample's predictions.
    package mutating func add(lost: Int, gained: Int) {
        self.lost += lost
        self.gained += gained
        add(Double(lost - gained) / Double(places))
    }

    /// Takes in what a sample loses.
    package mutating func add(_ loss: Double) {
        samples += 1
        sum += loss
        squares += loss * loss
    }

    /// The measured drop, in points (hundredths of the predictions, or of R²). Below zero where more is gained than lost. By
    /// ``Criterion/deviation`` the distance, in per cent.
    package var points: Double {
        guard samples > 0 else { return 0 }
        switch criterion {
        case .accuracy, .agreement: return 100 * Double(lost - gained) / Double(predictions)
        case .determination: return 100 * sum / Double(samples)
        case .deviation: return 100 * (sum / Double(samples)).squareRoot()
        }
    }

    /// The 95 % interval of ``points``.
    ///
    /// Accuracy: D. G. Bonett, R. M. Price, "Adjusted Wald confidence interval for a difference of binomial proportions based
    /// on paired data", Journal of Educational and Behavioral Statistics 37 (2012). Agreement: Wilson's interval of the lost
    /// share (see ``wilsonInterval(successes:trials:)``). Where a sample has many places, they are not independent of each other: the
    /// error is at least that of the mean of the samples' own shares. Values: normal, of the samples' means; the variance that they
    /// are divided by is taken as given.
    package var interval95: ClosedRange<Double> {
        let z = 1.959963984540054
        switch criterion {
        case .agreement:
            guard samples > 0 else { return -100...100 }
            let independent = wilsonInterval(successes: lost, trials: predictions)
            guard places > 1 else { return 100 * independent.lowerBound...100 * independent.upperBound }
            let (share, error) = (Double(lost) / Double(predictions), z * meanError)
            return 100 * max(0, min(independent.lowerBound, share - error))...100 * min(1, max(independent.upperBound, share + error))
        case .accuracy:
            guard samples > 0 else { return -100...100 }
            let (centre, error) = adjusted
            let spread = z * max(error, meanError)
            return max(-100, 100 * (centre - spread))...min(100, 100 * (centre + spread))
        case .determination, .deviation:
            guard samples > 1 else { return criterion == .deviation ? 0...100 : -100...100 }
            let (mean, spread) = (sum / Double(samples), z * meanError)
            guard criterion == .deviation else { return ClosedRange(from: 100 * (mean - spread), to: 100 * (mean + spread)) }
            return ClosedRange(from: 100 * max(0, mean - spread).squareRoot(), to: 100 * (mean + spread).squareRoot())
        }
    }

    /// How sure it is, 0…1, that the drop on all data like these samples is at most `target` points: the level of the
    /// one-sided interval, by the same method as ``interval95``, that ends at `target`.
    package func confidence(within target: Double) -> Double {
        guard samples > 0 else { return 0 }
        let share = target / 100
        switch criterion {
        case .agreement:
            guard share > 0, share < 1 else { return share >= 1 ? 1 : 0 }
            let error = (share * (1 - share) / Double(predictions)).squareRoot()
            return Self.normal((share - Double(lost) / Double(predictions)) / max(error, meanError))
        case .accuracy:
            let (centre, error) = adjusted
            return Self.normal((share - centre) / max(error, meanError))
        case .determination, .deviation:
            guard samples > 1 else { return 0 }
            let limit = criterion == .deviation ? share * share : share
            let (mean, error) = (sum / Double(samples), meanError)
            return error > 0 ? Self.normal((limit - mean) / error) : mean <= limit ? 1 : 0
        }
    }

    /// The fewest samples with which a drop of `target` points can be told with this confidence: those of a network that
    /// loses none. `nil` where no number would do.
    package static func fewestSamples(_ criterion: Criterion, target: Double, confidence: Double, places: Int = 1) -> Int? {
        guard criterion == .accuracy || criterion == .agreement else { return fewestMeans }
        func suffices(_ samples: Int) -> Bool {
            PairedDrop(criterion: criterion, samples: samples, places: places).confidence(within: target) >= confidence
        }
        guard var enough = (0..<40).lazy.map({ 1 << $0 }).first(where: suffices) else { return nil }
        var short = enough / 2
        while enough - short > 1 {
            let middle = (enough + short) / 2
            if suffices(middle) { enough = middle } else { short = middle }
        }
        return places > 1 ? max(enough, fewestMeans) : enough
    }

    private var predictions: Int { samples * places }

    /// The standard error of the mean of what the samples lose; 0 where their predictions are single ones, which have a better one.
    private var meanError: Double {
        let isSingle = places == 1 && (criterion == .accuracy || criterion == .agreement)
        guard !isSingle, samples > 1 else { return 0 }
        let count = Double(samples)
        return (max(0, squares - sum * sum / count) / (count - 1) / count).squareRoot()
    }

    /// Bonett and Price's centre and standard error, as shares: one prediction is added to each of the two kinds of difference.
    private var adjusted: (centre: Double, error: Double) {
        let size = Double(predictions) + 2
        let (lost, gained) = ((Double(lost) + 1) / size, (Double(gained) + 1) / size)
        return (lost - gained, ((lost + gained - (lost - gained) * (lost - gained)) / size).squareRoot())
    }

    /// The standard normal distribution.
    private static func normal(_ z: Double) -> Double { erfc(-z / 2.0.squareRoot()) / 2 }
}

extension RecipeSearchResult {
    /// What the networks are judged by.
    public enum Criterion: String, Codable, Sendable {
        /// The share of predictions that are the label's.
        case accuracy
        /// The share of predictions that are the same of both networks. What is lost of it bounds the loss of accuracy from above.
        case agreement
        /// R², the share of the targets' variance that the values explain.
        case determination = "R²"
        /// The root mean square of the values' differences from the ANN's, over the standard deviation of the ANN's.
        case deviation

        /// What a drop is counted in.
        var unit: String {
            switch self {
            case .deviation: "per cent of the deviation of the ANN's values"
            default: "points of \(rawValue)"
            }
        }
    }
}
