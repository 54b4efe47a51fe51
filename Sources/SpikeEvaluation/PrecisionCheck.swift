import Foundation
public import SpikeGraph
public import SpikeRuntime

/// Whether int8 says what float32 says: both run on some samples.
///
/// What 8 bits cannot say in general is float32 by itself (`Program.floatStages`). But what a network is asked may lie in small
/// differences between large numbers, and that only its data shows.
public struct PrecisionCheck: Codable, Sendable, Equatable {
    /// The samples that were run in both.
    public var samples: Int
    /// The share of answers that are the same; absent where the network is judged by values.
    public var agreement: Double?
    /// The root of the mean square difference of the first output, over the deviation of float32's; absent where that does not vary.
    public var deviation: Double?

    /// The most samples that are run.
    static let mostSamples = 100
    /// From here on people are warned: of 100 answers that differ by chance in 1 %, hardly ever more than 3 do.
    private static let (leastAgreement, mostDeviation) = (0.97, 0.1)

    /// - Parameters:
    ///   - program: the network in int8.
    ///   - task: what is asked of the first output.
    ///   - inputs: of the first samples.
    public init(_ program: Program, task: OutputTask, inputs: [Tensor], steps: Int) throws {
        let snn = program.graph
        let outputs = try [Compiler(precision: .float32)(snn), program].map { try Simulation($0).run(inputs, steps: steps)[0] }
        samples = inputs.first?.shape.first ?? 0
        if task.kind != .values {
            let (exact, small) = (try task.answers(outputs[0], of: snn), try task.answers(outputs[1], of: snn))
            agreement = Double(zip(exact, small).count { $0 == $1 }) / Double(max(1, exact.count))
        }
        var square = 0.0
        for (exact, small) in zip(outputs[0].floats, outputs[1].floats) {
            square += (Double(exact) - Double(small)) * (Double(exact) - Double(small))
        }
        let mean = square / Double(max(1, outputs[0].count))
        deviation = Spread(outputs[0]).variance.map { (mean / $0).squareRoot() }
    }

    /// The first samples of some data; those of a pass of its own.
    init?(_ program: Program, task: OutputTask, data: any BatchSource, steps: Int) throws {
        let inputs = try data.first(Self.mostSamples).joinedInputs
        if inputs.isEmpty { return nil }
        try self.init(program, task: task, inputs: inputs, steps: steps)
    }

    /// What people should know, if there is anything.
    public var warning: String? {
        let difference = deviation.map { String(format: "its output is off by %.1f %% of its deviation", 100 * $0) }
        if let agreement {
            guard agreement < Self.leastAgreement else { return nil }
            return String(format: "int8 gives another answer than float32 on %.1f %% of \(samples) samples", 100 * (1 - agreement))
                + (difference.map { "; \($0)" } ?? "") + ": use float32 for this network"
        }
        guard let difference, let deviation, deviation > Self.mostDeviation else { return nil }
        return "int8 is not float32 on \(samples) samples: \(difference); use float32 for this network"
    }

    /// What was found, in a line.
    var line: String {
        if let agreement { return String(format: "int8 answers as float32 does on %.1f %% of \(samples) samples", 100 * agreement) }
        guard let deviation else { return "int8 beside float32: the outputs of \(samples) samples are all the same" }
        return String(format: "int8 is off from float32 by %.2f %% of its deviation on \(samples) samples", 100 * deviation)
    }

    func check(_ key: String) throws {
        try FileCheck.count(samples, "\(key).samples", in: 1...FileCheck.mostCount)
        try FileCheck.number(agreement, "\(key).agreement", in: 0...1)
        try FileCheck.number(deviation, "\(key).deviation")
    }
}
