public import SpikeGraph

/// Simulates a spiking network as it is written, in float32: the law for every faster engine.
///
///     let simulation = try ReferenceSimulation(snn)
///     let outputs = try simulation.run([images], steps: 32)
///
/// The output of a step is whatever the network's last layer gives; outputs are accumulated over the steps (those after the
/// readout's delay, if it has one) and, for rate codes, divided by their number. What is nonlinear behind the last neurons acts on the
/// accumulated output.
public final class ReferenceSimulation {
    /// What a layer of neurons sends in a step, in the place of what its own rule would; `nil`: its own.
    package typealias Emission = (_ node: Node, _ step: Int) -> Tensor?
    /// Called after each node, in each step, with what it read and what it made.
    public typealias Observer = (Node, [Tensor], [Tensor]) throws -> Void

    /// The network that is simulated.
    public let graph: Graph
    let description: SpikingDescription
    let readout: Set<String>
    /// For each value that the readout makes, its node.
    private let readoutProducers: [String: Node]
    private let spiking: Set<String>
    /// The values that are outputs as they are.
    private let shown: Set<String>
    /// The values whose sum over time the outputs are made of; and what a function of the output reads besides them, which is no sum.
    let accumulated: [String]
    /// Which input of a product of two values is kept as a number.
    let traces: [String: Int]
    private var states: [String: any StatefulOperator] = [:]
    private var sums: [String: Tensor] = [:]
    private var counts: [String: Tensor] = [:]
    /// Values that do not depend on spikes, kept from the first step while the input stays the same.
    private var still: [String: Tensor] = [:]
    var batch: Int?
    /// The number of steps since the last reset.
    public private(set) var steps = 0

    /// - Throws: where the graph is no spiking network, or a neuron's rule does not fit its schedule.
    public init(_ graph: Graph) throws {
        guard let description = graph.spiking else {
            throw SpikeletError(.invalidData, "'\(graph.name)' is an ANN, not a spiking network", remedy: "convert it first")
        }
        for node in graph.nodes {
            guard case .neuron(let neuronNode) = node.operator else { continue }
            try description.check(neuronNode, of: node.name)
        }
        self.graph = graph
        self.description = description
        let readout = graph.readoutNodes
        self.readout = readout
        spiking = graph.spikingValues
        traces = graph.traces
        readoutProducers = graph.producers.filter { readout.contains($1.name) }
        shown = Set(graph.outputs.map(\.value))
        accumulated = shown.union(readoutProducers.values.flatMap(\.inputs)).subtracting(readoutProducers.keys).subtracting(
            graph.constants.keys
        ).sorted()
        for value in accumulated where graph.types[value]?.elementType != .float32 && (spiking.contains(value) || shown.contains(value)) {
            let type = graph.types[value].map { "\($0)" } ?? "unknown"
            throw SpikeletError(.unsupported, "output '\(value)' of type \(type)", remedy: "outputs are summed over the steps: float32")
        }
    }

    /// Forgets everything: membranes, sums, counts, the batch size.
    public func reset() {
        states = [:]
        sums = [:]
        counts = [:]
        still = [:]
        batch = nil
        steps = 0
    }

    /// Resets, then simulates `steps` steps.
    ///
    /// - Parameters:
    ///   - inputs: one tensor for each input: `[N, …]`, the same in every step; or, if `timeVarying`, `[T, N, …]` with at
    ///     least `steps` steps.
    ///   - steps: T; for a radix code its K.
    ///   - onStep: called after each step with the number of steps done; ``outputs()`` then gives the outputs so far. Under
    ///     the layer-synchronous schedule these are the steps of the last layer, after all others have finished.
    /// - Returns: ``outputs()`` after the last step.
    public func run(
        _ inputs: [Tensor], steps: Int, timeVarying: Bool = false, observe: Observer? = nil, onStep: ((Int) throws -> Void)? = nil
    ) throws -> [Tensor] {
        try run(inputs, steps: steps, timeVarying: timeVarying, emission: nil, observe: observe, onStep: onStep)
    }

    /// The same with spikes that another simulator sent: layers then read those.
    package func run(
        _ inputs: [Tensor], steps: Int, timeVarying: Bool = false, emission: Emission?, observe: Observer? = nil,
        onStep: ((Int) throws -> Void)? = nil
    ) throws -> [Tensor] {
        try description.code.check(steps: steps)
        reset()
        if timeVarying, let short = inputs.first(where: { ($0.shape.first ?? 0) < steps }) {
            throw SpikeletError(
                .invalidData, "a time-varying input of shape \(short.shape) for \(steps) steps",
                remedy: "its first axis counts time steps: [T, N, …]")
        }
        switch description.schedule {
        case .streaming:
            for step in 0..<steps {
                if timeVarying {
                    try self.step(inputs.map { $0.step(step) }, emission: emission, observe: observe)
                } else {
                    try self.step(inputs, isSameInput: step > 0, emission: emission, observe: observe)
                }
                try onStep?(step + 1)
            }
        case .layerSynchronous:
            if timeVarying { try description.checkTimeVarying() }
            try runLayers(inputs, steps: steps, emission: emission, observe: observe, onStep: onStep)
        }
        return try outputs()
    }

    /// One time step of the streaming schedule.
    ///
    /// - Parameters:
    ///   - inputs: what arrives in this step, one tensor `[N, …]` for each input of the network.
    ///   - isSameInput: whether the inputs are those of the step before; what depends on them alone is then not
    ///     computed again.
    /// - Returns: this step's own outputs, before accumulation and readout.
    /// - Throws: where the inputs do not fit, or their batch size is not that of the steps before.
    @discardableResult
    public func step(_ inputs: [Tensor], isSameInput: Bool = false, observe: Observer? = nil) throws -> [Tensor] {
        try step(inputs, isSameInput: isSameInput, emission: nil, observe: observe)
    }

    /// The same with spikes that another simulator sent.
    @discardableResult
    package func step(_ inputs: [Tensor], isSameInput: Bool = false, emission: Emission?, observe: Observer? = nil) throws -> [Tensor] {
        guard description.schedule == .streaming else {
            throw SpikeletError(
                .unsupported, "single steps of a network with the \(description.schedule.rawValue) schedule", remedy: "simulate whole runs")
        }
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
            try Cancellation.check()
            let operands = node.inputs.compactMap { values[$0] }
            let result: Tensor
            if let kept = still[node.outputs[0]] {
                result = kept
            } else {
                result =
                    try advance(node, by: [operands[0]], at: TimeStep(steps), emission: emission)?[0]
                    ?? ReferenceExecutor.evaluate(node.operator, operands, batch: size)[0]
                if !spiking.contains(node.outputs[0]) { still[node.outputs[0]] = result }
            }
            values[node.outputs[0]] = result
            try observe?(node, operands, [result])
        }
        accumulate(values)
        return graph.outputs.compactMap { values[beforeReadout($0.value)] }
    }

    /// What a step's output is before the readout: the value that a trailing softmax reads; of several values the first.
    private func beforeReadout(_ value: String) -> String {
        var value = value
        while let node = readoutProducers[value], let input = node.inputs.first(where: spiking.contains) { value = input }
        return value
    }

    /// Lets a node that remembers take up some steps, and counts what neurons emit.
    ///
    /// - Returns: `nil` for a node that remembers nothing.
    /// - Throws: where spikes cannot be counted.
    func advance(_ node: Node, by inputs: [Tensor], at time: TimeStep, emission: Emission?) throws -> [Tensor]? {
        guard var state = states.removeValue(forKey: node.name) ?? node.operator.makeState(description.code) else { return nil }
        let outputs = try state.advance(by: inputs, at: time, sending: { emission?(node, time.index + $0) })
        states[node.name] = state
        guard case .neuron = node.operator else { return outputs }
        var total = counts[node.name]?.floats ?? [Float](repeating: 0, count: outputs[0].count)
        for spikes in outputs {
            _ = try spikes.spikeCount(of: node.name)
            let emitted = spikes.floats
            for index in total.indices { total[index] += abs(emitted[index]) }
        }
        counts[node.name] = Tensor(total, shape: outputs[0].shape)
        return outputs
    }

    /// Adds a step's values to the sums that outputs are made of, and counts the step.
    func accumulate(_ values: [String: Tensor]) {
        for name in accumulated {
            guard let value = values[name] else { continue }
            guard spiking.contains(name) || shown.contains(name) else {
                // It is what it is: a sum of many would be rounded.
                sums[name] = value
                continue
            }
            let isFirst = steps == description.readoutDelay ?? 0
            sums[name] = isFirst ? value : sums[name].map { $0.scaledSum(description.code.growth, value) } ?? value
        }
        steps += 1
    }

    /// The outputs so far: accumulated, for rate codes divided by the number of steps, and read out.
    public func outputs() throws -> [Tensor] {
        guard steps > 0 else { throw SpikeletError(.invalidData, "no step has been simulated yet") }
        var values = graph.constants
        let divisor = description.divisor(after: steps)
        for (name, sum) in sums {
            values[name] = divisor == 1 || !(spiking.contains(name) || shown.contains(name)) ? sum : sum.map { $0 / divisor }
        }
        for node in graph.nodes where readout.contains(node.name) {
            values[node.outputs[0]] = try ReferenceExecutor.evaluate(
                node.operator, node.inputs.compactMap { values[$0] }, batch: batch)[0]
        }
        return graph.outputs.compactMap { values[$0.value] }
    }

    /// For each neuron node, the number of spikes of each neuron since the last reset, `[N, …]` (spikes taken back count too).
    public var spikeCounts: [String: Tensor] { counts }

    /// For each neuron node, the state after the last step.
    public var neuronStates: [String: NeuronState] { states.compactMapValues { ($0 as? NeuronLayer)?.state } }
}
