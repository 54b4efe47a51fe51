public import SpikeGraph

/// Simulates a spiking network step by step, as it is written: every layer advances in every step (streaming schedule).
///
///     let simulation = try ReferenceSimulation(snn)
///     let outputs = try simulation.run([images], steps: 32)
///
/// The output of a step is whatever the network's last layer gives; outputs are accumulated over the steps and divided by
/// their number, and a trailing softmax acts on that mean.
public final class ReferenceSimulation {
    public let graph: Graph
    private let readout: Set<String>
    /// For each value that the readout makes, its node.
    private let readoutProducers: [String: Node]
    private let spiking: Set<String>
    /// The values whose sum over time the outputs are made of.
    private let accumulated: [String]
    private var states: [String: NeuronState] = [:]
    private var pools: [String: (sum: Tensor, maximum: Tensor)] = [:]
    private var sums: [String: Tensor] = [:]
    private var counts: [String: Tensor] = [:]
    /// Values that do not depend on spikes, kept from the first step while the input stays the same.
    private var still: [String: Tensor] = [:]
    private var batch: Int?
    /// The number of steps since the last reset.
    public private(set) var steps = 0

    /// - Throws: where the graph is no spiking network, or has a schedule that this simulation does not know.
    public init(_ graph: Graph) throws {
        guard let description = graph.spiking else {
            throw SpikeletError(.invalidData, "'\(graph.name)' is an ANN, not a spiking network", remedy: "convert it first")
        }
        guard description.schedule == .streaming else {
            throw SpikeletError(.unsupported, "the \(description.schedule.rawValue) schedule is not known here")
        }
        self.graph = graph
        let readout = graph.readoutNodes
        self.readout = readout
        spiking = graph.spikingValues
        readoutProducers = graph.producers.filter { readout.contains($1.name) }
        let shown = graph.outputs.map(\.value) + readoutProducers.values.flatMap(\.inputs)
        accumulated = Set(shown).subtracting(readoutProducers.keys).subtracting(graph.constants.keys).sorted()
    }

    /// Forgets everything: membranes, sums, counts, the batch size.
    public func reset() {
        states = [:]
        pools = [:]
        sums = [:]
        counts = [:]
        still = [:]
        batch = nil
        steps = 0
    }

    /// One time step.
    ///
    /// - Parameters:
    ///   - inputs: what arrives in this step, one tensor `[N, …]` for each input of the network.
    ///   - isSameInput: whether the inputs are those of the step before; what depends on them alone is then not
    ///     computed again.
    ///   - observe: called after each node with what it read and what it made.
    /// - Returns: this step's own outputs, before accumulation and readout.
    /// - Throws: where the inputs do not fit, or their batch size is not that of the steps before.
    @discardableResult
    public func step(
        _ inputs: [Tensor], isSameInput: Bool = false, observe: ((Node, [Tensor], [Tensor]) throws -> Void)? = nil
    ) throws -> [Tensor] {
        let size = try graph.check(inputs: inputs)
        if let batch, batch != size {
            throw SpikeletError(
                .invalidData, "a batch of \(size) samples in the middle of a simulation of \(batch)",
                remedy: "call reset() before a new batch")
        }
        batch = size
        if !isSameInput { still = [:] }
        var values = graph.constants
        for (input, tensor) in zip(graph.inputs, inputs) { values[input.name] = tensor }
        for node in graph.nodes where !readout.contains(node.name) {
            if let kept = node.outputs.first.flatMap({ still[$0] }) {
                values[node.outputs[0]] = kept
                try observe?(node, node.inputs.compactMap { values[$0] }, [kept])
                continue
            }
            let operands = node.inputs.compactMap { values[$0] }
            let results = try advance(node, operands, batch: size)
            try observe?(node, operands, results)
            for (name, result) in zip(node.outputs, results) {
                values[name] = result
                if !spiking.contains(name) { still[name] = result }
            }
        }
        steps += 1
        for name in accumulated {
            guard let value = values[name] else { continue }
            sums[name] = sums[name].map { Kernels.elementwise($0, value, +) } ?? value
        }
        return graph.outputs.compactMap { values[beforeReadout($0.value)] }
    }

    /// What a step's output is before the readout: the value that a trailing softmax reads.
    private func beforeReadout(_ value: String) -> String {
        var value = value
        while let node = readoutProducers[value] { value = node.inputs[0] }
        return value
    }

    private func advance(_ node: Node, _ operands: [Tensor], batch: Int) throws -> [Tensor] {
        switch node.operator {
        case .neuron(let neuronNode):
            var state = states[node.name] ?? neuronNode.neuron.initialState(shape: operands[0].shape)
            let spikes = neuronNode.neuron.step(operands[0], state: &state)
            states[node.name] = state
            counts[node.name] = counts[node.name].map { Kernels.elementwise($0, spikes) { $0 + abs($1) } } ?? spikes.map(abs)
            return [spikes]
        case .runningMaximumPool(let pool):
            let sum = pools[node.name].map { Kernels.elementwise($0.sum, operands[0], +) } ?? operands[0]
            let maximum = try Kernels.maxPool(pool.window, sum)
            let growth = pools[node.name].map { Kernels.elementwise(maximum, $0.maximum, -) } ?? maximum
            pools[node.name] = (sum, maximum)
            return [growth]
        default:
            return try ReferenceExecutor.evaluate(node.operator, operands, batch: batch)
        }
    }

    /// The outputs so far: accumulated, divided by the number of steps, and read out.
    public func outputs() throws -> [Tensor] {
        guard steps > 0 else { throw SpikeletError(.invalidData, "no step has been simulated yet") }
        var values = graph.constants
        let count = Float(steps)
        for (name, sum) in sums { values[name] = sum.map { $0 / count } }
        for node in graph.nodes where readout.contains(node.name) {
            let results = try ReferenceExecutor.evaluate(node.operator, node.inputs.compactMap { values[$0] }, batch: batch)
            for (name, result) in zip(node.outputs, results) { values[name] = result }
        }
        return graph.outputs.compactMap { values[$0.value] }
    }

    /// Resets, then simulates `steps` steps.
    ///
    /// - Parameters:
    ///   - inputs: one tensor for each input: `[N, …]`, the same in every step; or, if `timeVarying`, `[T, N, …]` with at
    ///     least `steps` steps.
    ///   - onStep: called after each step with the number of steps done.
    /// - Returns: ``outputs()`` after the last step.
    public func run(_ inputs: [Tensor], steps: Int, timeVarying: Bool = false, onStep: ((Int) throws -> Void)? = nil) throws -> [Tensor] {
        guard steps >= 1, steps <= 1 << 20 else {
            throw SpikeletError(.invalidOption, "\(steps) time steps", remedy: "a simulation has from 1 to \(1 << 20) steps")
        }
        reset()
        if timeVarying, let short = inputs.first(where: { ($0.shape.first ?? 0) < steps }) {
            throw SpikeletError(
                .invalidData, "a time-varying input of shape \(short.shape) for \(steps) steps",
                remedy: "its first axis counts time steps: [T, N, …]")
        }
        for step in 0..<steps {
            if timeVarying {
                try self.step(inputs.map { $0.samples(step..<step + 1).reshaped(to: Array($0.shape.dropFirst())) })
            } else {
                try self.step(inputs, isSameInput: step > 0)
            }
            try onStep?(step + 1)
        }
        return try outputs()
    }

    /// For each neuron node, the number of spikes of each neuron since the last reset, `[N, …]` (spikes taken back count too).
    public var spikeCounts: [String: Tensor] { counts }

    /// For each neuron node, the state after the last step.
    public var neuronStates: [String: NeuronState] { states }
}
