public import CSpikelet
import Foundation
import Spikelet

/// A spiking network that is being simulated, by one thread after the other.
final class SimulationBox: @unchecked Sendable {
    private let box: GraphBox
    private let precision: Precision?
    private let threads: Int
    private let lock = NSLock()
    /// By the network's own sizes, or those of the last inputs.
    private var prepared: (choice: SimulatorChoice, simulator: any Simulator)?
    /// The state of single steps.
    private var stepping: (simulation: any Simulator, samples: Int)?

    init(_ box: GraphBox, precision: Precision?, threads: Int) throws {
        (self.box, self.precision, self.threads) = (box, precision, threads)
        _ = try prepare(box.requireSpiking())
    }

    /// Why the reference executor simulates, where the engine was asked.
    var referenceReason: String? { lock.withLock { prepared?.choice.reason } }

    private func prepare(_ snn: Graph) throws -> (choice: SimulatorChoice, simulator: any Simulator) {
        if let prepared, prepared.choice.graph.inputs.map(\.type) == snn.inputs.map(\.type) { return prepared }
        let choice = try SimulatorChoice(snn, precision: precision)
        let made = (choice: choice, simulator: try choice.simulator(threads: threads))
        prepared = made
        return made
    }

    struct RunOptions: DoorOptions {
        static let keys: Set = ["steps", "timeVarying", "perStep", "spikeCounts", "spikes"]

        var steps: Int?
        var timeVarying: Bool?
        var perStep: Bool?
        var spikeCounts: Bool?
        var spikes: Bool?
    }

    struct Summary: Encodable {
        var samples: Int
        var steps: Int
        var spikesPerNeuron: Double
        var warnings: [String]
    }

    func run(
        _ inputs: UnsafePointer<spikelet_array>?, _ count: Int32, _ options: RunOptions
    ) throws -> ([(name: String, tensor: Tensor)], Summary) {
        lock.lock()
        defer { lock.unlock() }
        let timeVarying = options.timeVarying ?? false
        let graph = try timeVarying ? box.requireSpiking() : box.network(for: inputs, count)
        // Bytes of time-varying data are events, not pixels.
        let tensors = try graph.tensors(inputs, count, scalesBytes: !timeVarying)
        let frames = timeVarying ? tensors.first?.shape.first : nil
        let steps = graph.steps(asked: options.steps, frames: frames)
        try SpikeCode.check(steps: [steps])
        let (choice, simulator) = try prepare(graph)
        var record = SimulationRecord(
            choice, simulator: simulator, steps: steps, keepsSteps: options.perStep ?? false, keepsCounts: options.spikeCounts ?? false)
        let portions = try portions(of: tensors, graph, timeVarying: timeVarying)
        let bar = portions.count > 1 ? Progress.begin("simulating", total: tensors[0].shape[0], unit: "samples") : nil
        defer { bar?.finish() }
        for range in portions {
            try record.simulate(range.map { range in tensors.map { $0.samples(range) } } ?? tensors, timeVarying: timeVarying)
            if let range { bar?.advance(by: range.count) }
        }
        var results = zip(graph.outputs, record.outputs).map { (name: $0.name, tensor: $1) }
        if options.perStep == true { results.append(("step outputs", record.outputOfEachStep)) }
        if options.spikeCounts == true { results += record.countsByName.map { ("counts/\($0.name)", $0.tensor) } }
        if options.spikes == true {
            results += try graph.spikeTrains(choice.program, tensors, steps: steps, timeVarying: timeVarying).map {
                ("spikes/\($0.name)", $0.tensor)
            }
        }
        var warnings = record.warnings
        if let frames, frames > steps { warnings.append("the input has \(frames) time steps; the first \(steps) were simulated") }
        if let reason = choice.reason { warnings.insert("the reference executor simulates, which is slow: \(reason)", at: 0) }
        return (results, Summary(samples: record.samples, steps: steps, spikesPerNeuron: record.spikesPerNeuron, warnings: warnings))
    }

    /// Which samples go through together, so that long work can tell how far it is; `nil`: all.
    private func portions(of tensors: [Tensor], _ graph: Graph, timeVarying: Bool) throws -> [Range<Int>?] {
        guard !timeVarying else { return [nil] }
        let samples = try graph.check(inputs: tensors)
        let size = graph.portionSize(of: samples)
        guard size < samples, size > 0 else { return [nil] }
        return stride(from: 0, to: samples, by: size).map { $0..<min($0 + size, samples) }
    }

    /// One step, which goes on from the one before.
    func step(_ inputs: UnsafePointer<spikelet_array>?, _ count: Int32) throws -> [(name: String, tensor: Tensor)] {
        lock.lock()
        defer { lock.unlock() }
        let graph = try box.requireSpiking()
        let tensors = try graph.tensors(inputs, count)
        let samples = try graph.check(inputs: tensors)
        if let stepping, stepping.samples != samples {
            throw SpikeletError(
                .invalidData, "a batch of \(samples) samples in the middle of a simulation of \(stepping.samples)",
                remedy: "call reset() before a new batch")
        }
        let simulator = try stepping?.simulation ?? prepare(graph).choice.simulator(threads: threads)
        stepping = (simulator, samples)
        do {
            let outputs =
                switch simulator {
                case let engine as Simulation: try engine.ownOutputs(of: tensors)
                // It keeps what it is given for the next step.
                case let reference as ReferenceSimulation: try reference.step(tensors.map(\.owned))
                default: throw SpikeletError(.unsupported, "single steps of this network")
                }
            return zip(graph.outputs, outputs).map { ($0.name, $1) }
        } catch {
            stepping = nil
            throw error
        }
    }

    func reset() { lock.withLock { stepping = nil } }
}

extension Tensor {
    /// The same in memory of its own.
    fileprivate var owned: Tensor { Tensor(storage: storage, shape: shape) }
}

extension Graph {
    /// What every neuron sends in each step, int64 `[T, N, …]`, by the names of the nodes.
    fileprivate func spikeTrains(
        _ program: Program?, _ inputs: [Tensor], steps: Int, timeVarying: Bool
    ) throws -> [(name: String, tensor: Tensor)] {
        var sent: [String: [Tensor]] = [:]
        try ObservedRun(self, program: program)(
            inputs, steps: steps, timeVarying: timeVarying,
            observe: { _, node, _, results in
                guard case .neuron = node.operator, let spikes = results.first else { return }
                sent[node.name, default: []].append(spikes)
            })
        return sent.sorted { $0.key < $1.key }.map { name, trains in
            let shape = [trains.count] + (trains.first?.shape ?? [])
            return (name, Tensor(trains.flatMap { $0.floats.map { Int64($0) } }, shape: shape))
        }
    }
}

private struct SimulationOptions: DoorOptions {
    static let keys: Set = ["precision", "reference"]
    static var choices: [String: [String]] { ["precision": Precision.values] }

    var precision: Precision?
    var reference: Bool?
}

@_cdecl("spikelet_simulation_make")
public func spikeletSimulationMake(
    _ snn: OpaquePointer?, _ options: UnsafePointer<CChar>?, _ simulation: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    Door.status {
        let box = try Door.object(snn, "snn", as: GraphBox.self)
        let options: SimulationOptions = try Door.options(options)
        let isReference = options.reference ?? false
        guard !isReference || options.precision ?? .float32 == .float32 else {
            throw SpikeletError(.invalidOption, "the reference executor knows float32 alone", remedy: "leave out `precision`")
        }
        try Door.require(simulation, "simulation").pointee = Door.handle(
            SimulationBox(box, precision: isReference ? nil : options.precision ?? .float32, threads: Door.threads))
    }
}

@_cdecl("spikelet_simulation_run")
public func spikeletSimulationRun(
    _ simulation: OpaquePointer?, _ inputs: UnsafeRawPointer?, _ count: Int32, _ options: UnsafePointer<CChar>?,
    _ progress: spikelet_progress?, _ context: UnsafeMutableRawPointer?, _ results: UnsafeMutablePointer<OpaquePointer?>?,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
    Door.status {
        let box = try Door.object(simulation, "simulation", as: SimulationBox.self)
        let options: SimulationBox.RunOptions = try Door.options(options)
        let place = try Door.require(results, "results")
        let (tensors, summary) = try DoorProgress.report(to: progress, context) {
            try box.run(inputs?.assumingMemoryBound(to: spikelet_array.self), count, options)
        }
        try Door.give(json: summary, to: json)
        place.pointee = Door.handle(ArraysBox(tensors))
    }
}

@_cdecl("spikelet_simulation_step")
public func spikeletSimulationStep(
    _ simulation: OpaquePointer?, _ inputs: UnsafeRawPointer?, _ count: Int32, _ outputs: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    Door.status {
        let box = try Door.object(simulation, "simulation", as: SimulationBox.self)
        let tensors = try box.step(inputs?.assumingMemoryBound(to: spikelet_array.self), count)
        try Door.require(outputs, "outputs").pointee = Door.handle(ArraysBox(tensors))
    }
}

@_cdecl("spikelet_simulation_reset")
public func spikeletSimulationReset(_ simulation: OpaquePointer?) -> Int32 {
    Door.status { try Door.object(simulation, "simulation", as: SimulationBox.self).reset() }
}
