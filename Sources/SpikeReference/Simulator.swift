public import SpikeGraph

/// What simulates a spiking network: ``ReferenceSimulation``, the law, or the engine's `Simulation`.
public protocol Simulator: AnyObject {
    /// The network.
    var graph: Graph { get }

    /// Resets, then simulates `steps` steps.
    ///
    /// - Parameters:
    ///   - inputs: one tensor for each input: `[N, …]`, the same in every step; or, if `timeVarying`, `[T, N, …]` with at least
    ///     `steps` steps.
    ///   - steps: T; for a radix code its K.
    ///   - recording: what is wanted besides the outputs.
    /// - Throws: where the inputs do not fit, or the network cannot be simulated for so many steps.
    func run(_ inputs: [Tensor], steps: Int, timeVarying: Bool, recording: Recording) throws -> SimulatedRun
}

/// What a run notes down besides its outputs.
public struct Recording: OptionSet, Sendable {
    public let rawValue: Int

    public init(rawValue: Int) { self.rawValue = rawValue }

    /// The spikes of each neuron.
    public static let spikeCounts = Recording(rawValue: 1)
    /// The outputs after each step.
    public static let stepOutputs = Recording(rawValue: 2)
}

/// What came of a run.
public struct SimulatedRun: Sendable {
    /// After the last step: accumulated, averaged for rate codes, and read out.
    public var outputs: [Tensor]
    /// The same after each step, if it was recorded.
    public var stepOutputs: [[Tensor]] = []
    /// For each neuron node the number of spikes of each neuron, `[N, …]` (spikes taken back count too), if it was recorded.
    public var spikeCounts: [String: Tensor] = [:]
    /// For each neuron node the spikes of all its neurons and samples (spikes taken back count too).
    public var spikeTotals: [String: Int] = [:]
    /// How often a number met the bound of its precision.
    public var saturations: UInt64 = 0

    /// A run's outputs.
    public init(outputs: [Tensor]) {
        self.outputs = outputs
    }
}

extension SpikingDescription {
    /// Whether the outputs after a step are the result of a run of so many steps. Layer by layer they are not, but for the last
    /// step: each number of steps is a run of its own.
    public var isReadAtEveryStep: Bool { schedule == .streaming }

    /// Whether there can be another input in each step.
    ///
    /// - Throws: ``SpikeletError`` (`unsupported`) under the layer-synchronous schedule.
    package func checkTimeVarying() throws {
        guard schedule == .streaming else {
            throw SpikeletError(
                .unsupported, "time-varying input under the layer-synchronous schedule", remedy: "use a streaming recipe for it")
        }
    }

    /// The runs that tell the outputs after each of some numbers of steps, which are in order.
    public func runs(for steps: [Int]) -> [Int] { isReadAtEveryStep ? steps.suffix(1) : steps }
}

extension Simulator {
    /// The outputs after each of some numbers of steps, in as few runs as the schedule permits.
    ///
    /// - Parameters:
    ///   - inputs: one tensor for each input, `[N, …]`; or, if `timeVarying`, `[T, N, …]`.
    ///   - steps: in order.
    /// - Returns: for each number of steps its outputs; and how often a number met its bound.
    public func outputs(_ inputs: [Tensor], after steps: [Int], timeVarying: Bool = false) throws -> (
        outputs: [[Tensor]], saturations: UInt64
    ) {
        var (found, saturations): ([[Tensor]], UInt64) = ([], 0)
        let description = graph.spiking
        for count in description?.runs(for: steps) ?? [] {
            let keepsAll = description?.isReadAtEveryStep == true && steps.count > 1
            let run = try run(inputs, steps: count, timeVarying: timeVarying, recording: keepsAll ? .stepOutputs : [])
            saturations += run.saturations
            found += keepsAll ? steps.map { run.stepOutputs[$0 - 1] } : [run.outputs]
        }
        return (found, saturations)
    }
}

extension ReferenceSimulation: Simulator {
    public func run(_ inputs: [Tensor], steps: Int, timeVarying: Bool, recording: Recording) throws -> SimulatedRun {
        var after: [[Tensor]] = []
        let keepsSteps = recording.contains(.stepOutputs)
        // What varies is long: its own progress, step by step.
        let display = timeVarying ? Progress.begin("simulating", total: steps, unit: "steps") : nil
        defer { display?.finish() }
        let last = try run(
            inputs, steps: steps, timeVarying: timeVarying, observe: nil,
            onStep: { _ in
                display?.advance()
                if keepsSteps { after.append(try self.outputs()) }
            })
        var result = SimulatedRun(outputs: last)
        result.stepOutputs = after
        if recording.contains(.spikeCounts) { result.spikeCounts = spikeCounts }
        result.spikeTotals = spikeCounts.mapValues { Int($0.floats.reduce(0.0) { $0 + Double($1) }) }
        return result
    }
}
