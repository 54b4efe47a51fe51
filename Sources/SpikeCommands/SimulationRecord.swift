import Foundation
import Spikelet

/// What simulations of one portion of samples after the other gave, put together as if all had been one.
struct SimulationRecord {
    private let snn: Graph
    private let steps: Int
    private let keepsSteps: Bool
    private let keepsCounts: Bool
    /// For each portion, all outputs.
    private var results: [[Tensor]] = []
    /// For each portion, the output after each step.
    private var stepOutputs: [[Tensor]] = []
    /// For each portion, the counts by node name.
    private var counts: [[String: Tensor]] = []
    private var spikes = 0.0
    private var neurons = 0
    private(set) var samples = 0
    /// int8: how often a number met its bound.
    private(set) var saturations: UInt64 = 0

    /// What simulates; `nil`: the reference.
    private let program: Program?

    /// - Parameters:
    ///   - precision: of the engine; `nil` for the reference executor.
    ///   - keepsSteps: whether ``outputOfEachStep`` will be asked for.
    ///   - keepsCounts: whether ``countsByName`` will be asked for.
    init(_ snn: Graph, steps: Int, precision: Precision?, keepsSteps: Bool, keepsCounts: Bool) throws {
        self.snn = snn
        self.steps = steps
        self.keepsSteps = keepsSteps
        self.keepsCounts = keepsCounts
        // The engine takes any number of samples at a time; a network of a fixed batch size takes no other.
        let isOpen = snn.inputs.allSatisfy { ($0.type.shape.dimensions.first?.batchFactor ?? 0) > 0 }
        guard isOpen || precision != .int8 else {
            throw SpikeletError(
                .unsupported, "a network of a fixed batch size in int8",
                remedy: "export the model with an open batch size, or leave --precision out")
        }
        program = isOpen ? try precision.map { try Compiler(precision: $0)(snn) } : nil
    }

    /// Simulates one portion.
    mutating func simulate(_ inputs: [Tensor], timeVarying: Bool = false) throws {
        let (result, after, counted): ([Tensor], [Tensor], [String: Tensor])
        if let program {
            (result, after, counted) = try simulate(inputs, by: program, timeVarying: timeVarying)
        } else {
            (result, after, counted) = try simulateByReference(inputs, timeVarying: timeVarying)
        }
        results.append(result)
        if keepsSteps { stepOutputs.append(after) }
        for tensor in counted.values {
            neurons += tensor.count
            spikes += tensor.floats.reduce(0.0) { $0 + Double($1) }
        }
        if keepsCounts { counts.append(counted.mapValues { Tensor($0.floats.map { Int64($0) }, shape: $0.shape) }) }
        samples += inputs.first?.shape.dropFirst(timeVarying ? 1 : 0).first ?? 0
    }

    /// A unary code under the layer-synchronous schedule has no answer before its last step: each T is a run of its own.
    private var eachStepIsRun: Bool { snn.spiking?.schedule == .layerSynchronous && snn.spiking?.code == .rate }

    private mutating func simulate(
        _ inputs: [Tensor], by program: Program, timeVarying: Bool
    ) throws -> (outputs: [Tensor], after: [Tensor], counts: [String: Tensor]) {
        let simulation = try Simulation(program, threads: ProcessInfo.processInfo.activeProcessorCount)
        var after: [Tensor] = []
        if keepsSteps, eachStepIsRun {
            for count in 1..<steps { after.append(try simulation.run(inputs, steps: count)[0]) }
        }
        simulation.recording = .spikeCounts
        if keepsSteps, !eachStepIsRun { simulation.recording.insert(.stepOutputs) }
        let result = try simulation.run(inputs, steps: steps, timeVarying: timeVarying)
        if keepsSteps { after += eachStepIsRun ? [result[0]] : try simulation.stepOutputs().map { $0[0] } }
        saturations += simulation.saturations
        return (result, after, simulation.spikeCounts)
    }

    /// A bar on standard error shows the steps of a time-varying input.
    private func simulateByReference(
        _ inputs: [Tensor], timeVarying: Bool
    ) throws -> (outputs: [Tensor], after: [Tensor], counts: [String: Tensor]) {
        let simulation = try ReferenceSimulation(snn)
        var after: [Tensor] = []
        let (steps, keepsSteps, eachStepIsRun) = (steps, keepsSteps, eachStepIsRun)
        if keepsSteps, eachStepIsRun {
            for count in 1..<steps { after.append(try simulation.run(inputs, steps: count)[0]) }
        }
        let bar = timeVarying ? ProgressBar("simulating", total: steps, unit: "steps") : nil
        defer { bar?.finish() }
        let results = try simulation.run(
            inputs, steps: steps, timeVarying: timeVarying,
            onStep: { step in
                bar?.advance()
                if keepsSteps, !eachStepIsRun || step == steps { after.append(try simulation.outputs()[0]) }
            })
        return (results, after, simulation.spikeCounts)
    }

    /// All outputs after the last step.
    var outputs: [Tensor] { snn.outputs.indices.map { index in joined(results.map { $0[index] }) } }

    /// The first output after each step, `[T, N, …]`.
    var outputOfEachStep: Tensor {
        let whole = (0..<steps).map { step in joined(stepOutputs.map { $0[step] }) }
        return Tensor(whole.flatMap(\.floats), shape: [steps] + whole[0].shape)
    }

    /// For each neuron node its counts, int64 `[N, …]`, in the order of the names.
    var countsByName: [(name: String, tensor: Tensor)] {
        (counts.first?.keys.sorted() ?? []).map { name in
            let parts = counts.compactMap { $0[name] }
            let size = parts.reduce(0) { $0 + ($1.shape.first ?? 1) }
            return (name, Tensor(parts.flatMap(\.integers), shape: [size] + parts[0].shape.dropFirst()))
        }
    }

    /// All spikes / all neurons, of all samples.
    var spikesPerNeuron: Double { spikes / Double(max(1, neurons)) }
}
