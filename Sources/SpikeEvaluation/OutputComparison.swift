import Dispatch
import Foundation
public import SpikeAnalysis
public import SpikeGraph
import SpikeReference
public import SpikeRuntime

/// How far a spiking network's outputs are from its ANN's, by value and for all outputs: what counts for regression,
/// segmentation and networks of several outputs, where no arg-max can be compared.
///
///     let errors = try OutputComparison(snn, ann: ann, steps: [8, 16, 32]).run(loader)
///     print(errors)
public struct OutputComparison: Sendable {
    /// The spiking network.
    public let snn: Graph
    /// The network it was made from.
    public let ann: Graph
    /// The numbers of steps to report, ascending.
    public let steps: [Int]
    /// The numbers that the engine computes with.
    public let precision: Precision
    /// How many batches are worked on at a time.
    public let threads: Int
    /// Whether samples have an input of their own in each step, `[N, T, …]`.
    public let timeVarying: Bool
    private let choice: SimulatorChoice
    /// Why the engine does not simulate.
    package var referenceReason: String? { choice.reason }
    private let decomposition: ErrorDecomposition?

    /// The numbers that one portion's outputs after all steps may have.
    private static let mostNumbers = 1 << 24

    /// - Parameters:
    ///   - ann: the network that `snn` was converted from.
    ///   - steps: the numbers of time steps to report; the largest is simulated. Of a radix code only its own can be.
    ///   - layerErrors: whether to find out what adds to the error of each layer, on the first 128 samples (``LayerError``).
    ///   - threads: how many portions of samples are worked on at a time; results do not depend on it.
    ///   - timeVarying: whether samples have an input of their own in each step, `[N, T, …]`. The ANN is shown their mean over the steps.
    /// - Throws: ``SpikeletError`` for numbers outside their ranges, for time-varying samples of a network whose layers do not stream, and where the two networks' outputs are not the same.
    public init(
        _ snn: Graph, ann: Graph, steps: [Int], precision: Precision = .float32, layerErrors: Bool = false, threads: Int = 1,
        timeVarying: Bool = false
    ) throws {
        try SpikeCode.check(steps: steps)
        try checkThreads(threads)
        if timeVarying { try snn.spiking?.checkTimeVarying() }
        choice = try SimulatorChoice(snn, precision: precision)
        let ann = try ann.showingOutputs(of: snn)
        /// Names and types, whatever number of samples an earlier export was fixed to.
        func outputs(_ graph: Graph) -> [String] {
            graph.outputs.map { output in
                let type = graph.types[output.value]
                return "\(output.name) \(type?.elementType.rawValue ?? "") \(type?.shape.dimensions.dropFirst().map(\.description) ?? [])"
            }
        }
        guard ann.spiking == nil, outputs(snn) == outputs(ann) else {
            throw SpikeletError(
                .invalidData, "the ANN '\(ann.name)' has other outputs than the spiking network",
                remedy: "pass the ONNX model that the spiking network was made from")
        }
        if let output = snn.outputs.first(where: { snn.types[$0.value]?.elementType != .float32 }) {
            throw SpikeletError(
                .unsupported, "output '\(output.name)' holds no numbers that could be compared by their distance",
                remedy: "export the model without what makes positions or truth values of them, such as ArgMax")
        }
        let pieces = snn.piecesOfSamples()
        if let output = snn.outputs.first(where: { pieces[$0.value] ?? 1 > 1 }) {
            let type = snn.types[output.value].map { "\($0)" } ?? "missing"
            throw SpikeletError(
                .unsupported, "output '\(output.name)' is \(type), not numbers of each sample",
                remedy: "export the model with the batch as its outputs' first axis")
        }
        self.snn = snn
        self.ann = ann
        self.steps = snn.spikeCode.steps(asked: steps)
        self.precision = precision
        self.threads = threads
        self.timeVarying = timeVarying
        decomposition =
            layerErrors
            ? try ErrorDecomposition(
                snn, ann: ann, steps: self.steps.last ?? 1, threads: threads, precision: precision, timeVarying: timeVarying) : nil
    }

    /// Goes through the data, and for the errors of layers through its first samples again. ``Progress`` tells how far it has come.
    ///
    /// - Throws: where the data is empty or does not fit.
    public func run(_ data: any BatchSource) throws -> OutputErrors {
        let start = DispatchTime.now()
        let size = snn.outputs.reduce(0) { $0 + (snn.sizePerSample(of: $1.value) ?? 0) }
        let portion = max(1, min(32, Self.mostNumbers / max(1, size * (steps.last ?? 1))))
        var sums = steps.map { _ in snn.outputs.map { _ in Sums() } }
        var (samples, saturations) = (0, 0)
        // In the samples' order, so that sums do not depend on the portions.
        try data.forEach(
            "comparing outputs", portion: choice.program == nil ? .max : portion, threads: threads,
            mapping: { try compared($0.batch.inputs) }
        ) { expected, found, limited in
            samples += expected.first?.shape.first ?? 0
            saturations += limited
            for (column, outputs) in found.enumerated() {
                for (index, output) in outputs.enumerated() { sums[column][index].add(output, expected[index]) }
            }
        }
        let rows = zip(steps, sums).map { step, sums in
            OutputErrors.Step(
                steps: step,
                outputs: zip(snn.outputs, sums).map { output, sums in
                    OutputErrors.Output(name: output.name, error: sums.error, errorOfVariation: sums.errorOfVariation)
                })
        }
        let seconds = Double(DispatchTime.now().uptimeNanoseconds - start.uptimeNanoseconds) / 1e9
        var errors = OutputErrors(
            network: snn.name, recipe: snn.spiking?.recipe ?? "", samples: samples, steps: rows, layers: try decomposition?.run(data),
            precision: precision.rawValue,
            seconds: seconds, warnings: snn.spiking?.warnings ?? [])
        errors.floatLayers = FloatLayer.all(choice.program)
        if precision == .int8 { errors.saturations = saturations }
        if timeVarying { errors.frames = self.steps.last }
        return errors
    }

    /// The ANN's outputs of some samples, and for each reported number of steps the spiking network's; and how many numbers met int8's bounds.
    private func compared(_ inputs: [Tensor]) throws -> (expected: [Tensor], found: [[Tensor]], saturations: Int) {
        let last = steps.last ?? 1
        let expected = try ReferenceExecutor(ann).run(timeVarying ? inputs.mean(of: last) : inputs)
        let (found, saturations) = try choice.simulator().outputs(
            timeVarying ? inputs.stepsFirst(last) : inputs, after: steps, timeVarying: timeVarying)
        if let value = (expected + found.joined()).lazy.compactMap({ $0.floats.first { !$0.isFinite } }).first {
            throw SpikeletError(
                .invalidModel, "an output holds \(value)",
                remedy:
                    "look for weights that overflow, or a sample that is masked whole, and compare with the source network: spikelet run")
        }
        return (expected, found, Int(clamping: saturations))
    }
}

/// What ``OutputComparison`` found. Its JSON is stable: other programs read it.
public struct OutputErrors: Codable, Sendable, Equatable {
    /// One output of the network.
    public struct Output: Codable, Sendable, Equatable {
        /// The output's name.
        public var name: String
        /// ‖y − r‖ / ‖r‖ over all samples: y the spiking network's output, r the ANN's. `nil` where r is zero.
        public var error: Double?
        /// The same after each number's mean over the samples has been taken from it: what is left of what distinguishes samples.
        /// `nil` where the ANN's output is the same for all.
        public var errorOfVariation: Double?
    }

    /// All outputs after a number of time steps.
    public struct Step: Codable, Sendable, Equatable {
        /// The number of time steps.
        public var steps: Int
        /// The outputs, in the network's order.
        public var outputs: [Output]
    }

    /// The network's name.
    public var network: String
    /// The recipe's name.
    public var recipe: String
    /// How many samples were compared.
    public var samples: Int
    /// Of time-varying samples: how many steps' inputs the ANN was shown the mean of.
    public var frames: Int?
    /// One for each number of steps, in rising order.
    public var steps: [Step]
    /// If it was asked for (``ErrorDecomposition``), at the largest number of steps.
    public var layers: [LayerError]?
    /// The engine's numbers.
    public var precision: String
    /// Of int8: the layers that ran in float32 all the same.
    public var floatLayers: [FloatLayer]?
    /// Of int8: how many currents and membranes met the bounds of its whole numbers.
    public var saturations: Int?
    /// How long the comparison took, in seconds.
    public var seconds: Double
    /// What the conversion has to say to people.
    public var warnings: [String]
}

extension OutputErrors: CustomStringConvertible {
    /// The table for a terminal: a row for each number of steps and each output.
    public var description: String {
        func percent(_ share: Double?) -> String { share.map { String(format: "%.2f %%", 100 * $0) } ?? "–" }
        let rows = steps.flatMap { step in
            step.outputs.map { ["\(step.steps)", $0.name, percent($0.error), percent($0.errorOfVariation)] }
        }
        var text =
            "'\(network)' (\(recipe)), ".visible + "\(samples) samples: distance of the outputs from the ANN's, over their length\n"
        if let frames { text += EvaluationResult.line(frames: frames, hasANN: true) + "\n" }
        text += "\n" + TextTable.format([["steps", "output", "error", "of what varies"]] + rows, rightAligned: [0, 2, 3])
        text += "\nof what varies: the mean over the samples removed; \(String(format: "%.1f s", seconds)), \(precision)\n"
        if let layers { text += "\n" + ErrorDecomposition.heading(precision) + "\n\n" + ErrorDecomposition.table(layers) }
        for note in FloatLayer.notes(floatLayers, saturations: saturations) { text += "warning: \(note.visible)\n" }
        for warning in warnings { text += "warning: \(warning.visible)\n" }
        return text
    }
}

/// Sums over samples, for each number of an output.
private struct Sums: Sendable {
    private var differences: [Double] = []
    private var values: [Double] = []
    private var squaredDifference = 0.0
    private var square = 0.0
    private var samples = 0.0

    mutating func add(_ found: Tensor, _ expected: Tensor) {
        let (y, r) = (found.floats, expected.floats)
        let count = max(1, expected.shape.first ?? 1)
        let size = r.count / count
        if values.isEmpty {
            values = [Double](repeating: 0, count: size)
            differences = values
        }
        for position in r.indices {
            let difference = Double(y[position]) - Double(r[position])
            values[position % size] += Double(r[position])
            differences[position % size] += difference
            square += Double(r[position]) * Double(r[position])
            squaredDifference += difference * difference
        }
        samples += Double(count)
    }

    var error: Double? { square > 0 ? (squaredDifference / square).squareRoot() : nil }

    var errorOfVariation: Double? {
        func varying(_ squares: Double, _ sums: [Double]) -> Double { max(0, squares - sums.reduce(0) { $0 + $1 * $1 } / samples) }
        let whole = varying(square, values)
        // What rounding leaves of equal numbers is no variation.
        return whole > 1e-12 * square ? (varying(squaredDifference, differences) / whole).squareRoot() : nil
    }
}
