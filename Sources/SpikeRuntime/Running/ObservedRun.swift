package import SpikeGraph
package import SpikeReference

/// A run shown node by node, with the spikes that are really sent: those of a program of the engine, in its own numbers, or the reference
/// executor's.
///
/// The engine shows spikes alone. The reference makes of them what lies between the layers, and membranes: float32 sums, from which each
/// layer's own spikes are taken.
package struct ObservedRun: Sendable {
    package let snn: Graph
    /// `nil`: the reference executor by itself.
    package let program: Program?

    package typealias Observer = (_ simulation: ReferenceSimulation, _ node: Node, _ operands: [Tensor], _ results: [Tensor]) throws -> Void

    package init(_ snn: Graph, program: Program?) {
        self.snn = snn
        self.program = program
    }

    /// - Parameters:
    ///   - inputs: as a ``Simulator`` takes them: `[N, …]`, or, if `timeVarying`, `[T, N, …]`.
    ///   - observe: called as ``ReferenceSimulation`` calls its observer, with the simulation that holds membranes.
    ///   - onStep: called after each step.
    package func callAsFunction(
        _ inputs: [Tensor], steps: Int, timeVarying: Bool = false, observe: @escaping Observer,
        onStep: @escaping (ReferenceSimulation, Int) throws -> Void = { _, _ in }
    ) throws {
        let reference = try ReferenceSimulation(snn)
        func see(_ node: Node, _ operands: [Tensor], _ results: [Tensor]) throws { try observe(reference, node, operands, results) }
        guard let program else {
            _ = try reference.run(
                inputs, steps: steps, timeVarying: timeVarying, observe: see, onStep: { try onStep(reference, $0) })
            return
        }
        let engine = try Simulation(program)
        var sent: [String: [Tensor]] = [:]
        engine.forcing = { name, _, spikes in
            sent[name, default: []].append(spikes)
            return spikes
        }
        guard snn.spiking?.schedule == .streaming else {
            _ = try engine.run(inputs, steps: steps, timeVarying: timeVarying)
            _ = try reference.run(
                inputs, steps: steps, emission: { sent[$0.name]?[$1] }, observe: see, onStep: { try onStep(reference, $0) })
            return
        }
        // Step by step together, so that no more than one step's spikes are kept.
        for step in 0..<steps {
            sent = [:]
            let isSame = !timeVarying && step > 0
            let inputs = timeVarying ? inputs.map { $0.step(step) } : inputs
            try engine.step(inputs, isSameInput: isSame)
            try reference.step(inputs, isSameInput: isSame, emission: { node, _ in sent[node.name]?.first }, observe: see)
            try onStep(reference, step + 1)
        }
    }
}
