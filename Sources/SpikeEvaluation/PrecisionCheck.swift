import Foundation
package import SpikeGraph
package import SpikeRuntime

/// Whether int8 says what float32 says: both run on some samples.
///
/// What 8 bits cannot say in general is float32 by itself (`Program.floatStages`). But what a network is asked may lie in small
/// differences between large numbers, and that only its data shows.
public struct PrecisionCheck: Codable, Sendable, Equatable {
    /// The samples that were run in both.
    public var samples: Int
    /// The share of predictions that are the same; absent where the network is judged by values.
    public var agreement: Double?
    /// The root of the mean square difference of the first output, over the deviation of float32's; absent where that does not vary.
    public var deviation: Double?

    /// The most samples that are run.
    static let mostSamples = 100
    /// From here on people are warned: of 100 predictions that differ by chance in 1 %, hardly ever more than 3 do.
    private static let (leastAgreement, mostDeviation) = (0.97, 0.1)

    /// Runs a network in both.
    ///
    /// - Parameters:
    ///   - program: the network in int8.
    ///   - task: what is asked of the first output.
    ///   - inputs: of the first samples, `[N, …]`; or, if `timeVarying`, `[N, T, …]`.
    package static func measure(
        _ program: Program, task: OutputTask, inputs: [Tensor], steps: Int, timeVarying: Bool = false
    ) throws -> PrecisionCheck {
        let snn = program.graph
        let shown = try timeVarying ? inputs.stepsFirst(steps) : inputs
        let outputs = try [Compiler(precision: .float32)(snn), program].map {
            try Simulation($0).run(shown, steps: steps, timeVarying: timeVarying)[0]
        }
        var check = PrecisionCheck(samples: inputs.first?.shape.first ?? 0)
        if task.kind != .values {
            let (exact, small) = (try task.predictions(outputs[0], of: snn), try task.predictions(outputs[1], of: snn))
            check.agreement = Double(zip(exact, small).count { $0 == $1 }) / Double(max(1, exact.count))
        }
        var square = 0.0
        for (exact, small) in zip(outputs[0].floats, outputs[1].floats) {
            square += (Double(exact) - Double(small)) * (Double(exact) - Double(small))
        }
        let mean = square / Double(max(1, outputs[0].count))
        check.deviation = Spread(outputs[0]).variance.map { (mean / $0).squareRoot() }
        return check
    }

    /// The same on the first samples of some data, in a pass of its own; `nil` where there are none.
    static func measure(
        _ program: Program, task: OutputTask, data: any BatchSource, steps: Int, timeVarying: Bool
    ) throws -> PrecisionCheck? {
        let inputs = try data.first(mostSamples).joinedInputs
        return inputs.isEmpty ? nil : try measure(program, task: task, inputs: inputs, steps: steps, timeVarying: timeVarying)
    }

    /// What people should know, if there is anything.
    public var warning: String? {
        if let agreement {
            return agreement < Self.leastAgreement ? "\(line): use float32 for this network" : nil
        }
        guard let deviation, deviation > Self.mostDeviation else { return nil }
        return "\(line): use float32 for this network"
    }

    /// What was found, in a line. Predictions can be the same where the numbers behind them are not.
    var line: String {
        let difference = deviation.map { String(format: "its outputs are off by %.1f %% of their deviation", 100 * $0) }
        guard let agreement else {
            return difference.map { "int8 beside float32 on \(samples) samples: \($0)" }
                ?? "int8 beside float32: the outputs of \(samples) samples are all the same"
        }
        let isFar = (deviation ?? 0) > Self.mostDeviation
        return String(format: "int8 predicts as float32 does on %.1f %% of \(samples) samples", 100 * agreement)
            + (difference.map { isFar || agreement < Self.leastAgreement ? "; \($0)" : "" } ?? "")
    }

    func check(_ key: String) throws {
        try FileCheck.count(samples, "\(key).samples", in: 1...FileCheck.mostCount)
        try FileCheck.number(agreement, "\(key).agreement", in: 0...1)
        try FileCheck.number(deviation, "\(key).deviation")
    }
}
