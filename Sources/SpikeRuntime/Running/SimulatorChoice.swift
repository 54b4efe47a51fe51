public import SpikeGraph
public import SpikeReference

/// Who simulates a network: the engine; or the reference executor, where it is asked for, or where a network is made for batches of one
/// size, or gives what the engine has no place for. It is chosen here alone.
package struct SimulatorChoice: Sendable {
    /// The network.
    package let graph: Graph
    /// What the engine runs; `nil`: the reference executor simulates.
    package let program: Program?
    /// Why the reference executor simulates although the engine was asked.
    package let reason: String?

    /// - Parameter precision: of the engine; `nil` for the reference executor.
    /// - Throws: where the graph is no spiking network, or int8 is asked of one that only the reference executor takes.
    package init(_ snn: Graph, precision: Precision?) throws {
        _ = try ReferenceSimulation(snn)
        graph = snn
        guard let precision else {
            (program, reason) = (nil, nil)
            return
        }
        let isOpen = snn.inputs.allSatisfy { ($0.type.shape.dimensions.first?.batchFactor ?? 0) > 0 }
        guard isOpen || precision != .int8 else {
            throw SpikeletError(
                .unsupported, "a network of a fixed batch size in int8",
                remedy: "export the model with an open batch size, or leave `precision` out")
        }
        guard isOpen else {
            (program, reason) = (nil, "the network is made for \(snn.countedBatch) samples at a time")
            return
        }
        do {
            (program, reason) = (try Compiler(precision: precision)(snn), nil)
        } catch let error as SpikeletError where error.code == .unsupported && precision == .float32 {
            // An output without a layout, such as neurons along three axes, or a mask that functions of the output read.
            (program, reason) = (nil, "the engine has no place for \(error.message)")
        }
    }

    /// A simulation of its own.
    package func simulator(threads: Int = 1) throws -> any Simulator {
        if let program { try Simulation(program, threads: threads) } else { try ReferenceSimulation(graph) }
    }
}

extension Simulation: Simulator {
    public var graph: Graph { program.graph }

    public func run(_ inputs: [Tensor], steps: Int, timeVarying: Bool, recording: Recording) throws -> SimulatedRun {
        let before = self.recording
        defer { self.recording = before }
        self.recording = recording
        var result = SimulatedRun(outputs: try run(inputs, steps: steps, timeVarying: timeVarying))
        if recording.contains(.stepOutputs) { result.stepOutputs = try stepOutputs() }
        if recording.contains(.spikeCounts) { result.spikeCounts = spikeCounts }
        result.spikeTotals = spikeTotals
        result.saturations = saturations
        return result
    }
}
