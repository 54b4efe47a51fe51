import Foundation
public import SpikeFormats
public import SpikeEvaluation
public import SpikeGraph
import SpikeRuntime

/// Finds out what a NIR file will do at its reader, before anybody takes it there: simulates the exported network under the
/// reader's own dynamics, and compares.
///
///     let check = try PortabilityCheck(snn, exported: NIRFile.read("network.nir"), for: .sinabs, steps: 32)
///     print(try check.run(loader))
public struct PortabilityCheck: Sendable {
    /// What was measured; accuracies are fractions.
    public struct Result: Sendable, Codable, Hashable {
        /// The reader whose rules were simulated.
        public var target: String
        /// How many samples were measured.
        public var samples: Int
        /// The number of time steps of the exported network.
        public var steps: Int
        /// The number of time steps of the network itself: as many, but its own where its layers wait for each other.
        public var ownSteps: Int
        /// Of the network itself.
        public var accuracy: Double?
        /// Of the exported one under its reader's dynamics.
        public var predicted: Double?
        /// Of a regression the root mean square error of the network itself.
        public var error: Double?
        /// Of the exported one under its reader's dynamics.
        public var predictedError: Double?
    }

    private let original: Evaluator
    private let exported: Evaluator
    private let target: String
    private let steps: Int
    private let ownSteps: Int

    /// - Parameters:
    ///   - snn: the network that was exported.
    ///   - exported: what the file holds.
    ///   - task: what the network's first output says; `nil`: what is decided from the network alone.
    ///   - steps: T; ``NIRExport/steps`` is the number that the file was written for.
    ///   - threads: how many batches are worked on at a time.
    /// - Throws: ``SpikeletError`` where a network cannot be judged, or the graph cannot be read.
    public init(
        _ snn: Graph, exported graph: NIRGraph, for profile: NIRProfile, task: OutputTask? = nil, steps: Int, threads: Int = 1
    ) throws {
        let network = try NIRImporter(profile.dynamics, name: snn.name)(graph)
        let task = try task ?? OutputTask(of: snn)
        // A softmax or a sigmoid is left to the reader: that changes the values, and of predictions only the threshold.
        guard task.kind == .values ? snn.outputFunction == network.outputFunction : snn.outputFunction != .other else {
            throw SpikeletError(
                .unsupported, "a check of a network whose last function NIR leaves to the reader, which changes what it says",
                remedy: "compare what the reader makes of the file; or convert the model without its last function")
        }
        ownSteps = snn.spiking?.comparableSteps(steps) ?? steps
        original = try Evaluator(snn, task: task, steps: [ownSteps], executor: .engine(.float32, countedSamples: 1), threads: threads)
        exported = try Evaluator(network, task: task, steps: [steps], executor: .engine(.float32, countedSamples: 1), threads: threads)
        target = profile.name
        self.steps = steps
    }

    /// - Throws: ``SpikeletError`` where the data does not fit, or has no labels.
    public func run(_ data: any BatchSource) throws -> Result {
        let before = try original.run(data)
        let after = try exported.run(data)
        return Result(
            target: target, samples: after.samples, steps: steps, ownSteps: ownSteps, accuracy: before.steps.last?.accuracy,
            predicted: after.steps.last?.accuracy, error: before.steps.last?.error?.rootMeanSquare,
            predictedError: after.steps.last?.error?.rootMeanSquare)
    }
}

extension SpikingDescription {
    /// The number of steps to simulate the network itself in where another form of it is simulated in `steps`. Layers that wait
    /// for each other give what they stand for in their own number of steps; with another they are another network.
    package func comparableSteps(_ steps: Int) -> Int { schedule == .layerSynchronous ? self.steps ?? steps : steps }
}

extension PortabilityCheck.Result: CustomStringConvertible {
    public var description: String {
        if let error, let predictedError {
            func number(_ value: Double) -> String { String(format: "%.4g", value) }
            return """
                RMS error on \(samples) samples, T = \(steps): \(number(error)) as it is, \(number(predictedError)) predicted for \(target)
                """
        }
        func percent(_ fraction: Double?) -> String { fraction.map { String(format: "%.1f %%", $0 * 100) } ?? "unknown" }
        let drop = accuracy.flatMap { accuracy in predicted.map { (accuracy - $0) * 100 } }
        let own = ownSteps == steps ? "" : " in its own \(ownSteps) steps"
        return """
            accuracy on \(samples) samples, T = \(steps): \(percent(accuracy)) as it is\(own), \(percent(predicted)) predicted for \(target)
            predicted drop: \(drop.map { String(format: "%.1f points", $0) } ?? "unknown")
            """
    }
}
