import SpikeData
import SpikeGraph
import SpikeRuntime

/// When a sample may stop before the last step: as soon as the network is sure enough of its accumulated prediction
/// (``Simulation/stepConfidences()``).
public enum EarlyExit: Sendable, Hashable {
    /// At the first step with at least this probability.
    case confidence(Float)
    /// The probability is chosen: the least that loses at most this share of the predictions that are right after all steps. It is
    /// chosen on one half of the samples, drawn at random (the same every time), and the result is measured on the other half.
    case allowedLoss(Double)

    /// - Throws: for numbers that are none of these.
    func check() throws {
        switch self {
        case .confidence(let probability):
            guard probability > 0, probability <= 1 else {
                throw SpikeletError(.invalidOption, "an exit confidence of \(probability)", remedy: "give a probability, such as 0.95")
            }
        case .allowedLoss(let share):
            guard share >= 0, share < 1 else {
                throw SpikeletError(
                    .invalidOption, "an exit loss of \(share * 100) points", remedy: "give points of accuracy from 0 on, such as 0.5")
            }
        }
    }
}

/// One sample on its way through the steps.
struct ExitPath: Codable, Sendable, Equatable {
    /// After each step.
    var confidence: [Float]
    var isCorrect: [Bool]
    var isAgreeing: [Bool]

    /// The first step, from 0, that is sure enough; else the last.
    func stop(_ least: Float) -> Int { confidence.firstIndex { $0 >= least } ?? confidence.count - 1 }
}

/// The paths of many samples, and what early exits make of them.
struct ExitPaths: Codable, Sendable, Equatable {
    var paths: [ExitPath] = []

    /// The probabilities that are tried, from the most careful on.
    static let candidates: [Float] =
        [0.99999, 0.9999, 0.9998, 0.9995, 0.999, 0.998, 0.995] + stride(from: 99, to: 29, by: -1).map { Float($0) / 100 }

    /// How many predictions an exit at this confidence gets right, and all steps.
    fileprivate func right(_ confidence: Float, _ predictions: (ExitPath) -> [Bool]) -> (early: Int, late: Int) {
        paths.reduce(into: (0, 0)) { sum, path in
            let predictions = predictions(path)
            if predictions[path.stop(confidence)] { sum.0 += 1 }
            if predictions.last == true { sum.1 += 1 }
        }
    }

    private func result(_ confidence: Float, hasLabels: Bool, hasANN: Bool) -> EvaluationResult.EarlyExit {
        let count = Double(max(1, paths.count))
        let (correct, agreeing) = (right(confidence) { $0.isCorrect }, right(confidence) { $0.isAgreeing })
        return EvaluationResult.EarlyExit(
            confidence: confidence,
            averageSteps: Double(paths.reduce(0) { $0 + $1.stop(confidence) + 1 }) / count,
            accuracy: hasLabels ? Double(correct.early) / count : nil, agreement: hasANN ? Double(agreeing.early) / count : nil,
            steps: paths.first?.confidence.count ?? 0,
            accuracyOfAllSteps: hasLabels ? Double(correct.late) / count : nil,
            agreementOfAllSteps: hasANN ? Double(agreeing.late) / count : nil, samples: paths.count)
    }

    /// - Throws: where there are too few samples to choose a confidence on.
    func result(_ rule: EarlyExit, hasLabels: Bool, hasANN: Bool) throws -> EvaluationResult.EarlyExit {
        switch rule {
        case .confidence(let confidence): return result(confidence, hasLabels: hasLabels, hasANN: hasANN)
        case .allowedLoss(let share):
            var generator = SplitMix64(seed: 0)
            var (chosen, judged) = (ExitPaths(), ExitPaths())
            for path in paths {
                if generator.next() & 1 == 0 { chosen.paths.append(path) } else { judged.paths.append(path) }
            }
            guard chosen.paths.count >= 10, judged.paths.count >= 10 else {
                throw SpikeletError(
                    .invalidData, "\(paths.count) samples are too few to choose an exit confidence on",
                    remedy: "one half chooses it, the other is measured; give some hundred samples")
            }
            // From the most careful down to the first that loses too much.
            let predictions: (ExitPath) -> [Bool] = { hasLabels ? $0.isCorrect : $0.isAgreeing }
            func loss(_ confidence: Float) -> Double {
                let (early, late) = chosen.right(confidence, predictions)
                return Double(late - early) / Double(chosen.paths.count)
            }
            // A confidence of 1 is the most careful of all, and taken where every other one loses too much.
            let confidence = Self.candidates.prefix { loss($0) <= share }.last ?? 1
            var result = judged.result(confidence, hasLabels: hasLabels, hasANN: hasANN)
            result.allowedLoss = share
            result.choosingSamples = chosen.paths.count
            result.choosingLoss = loss(confidence)
            return result
        }
    }
}
