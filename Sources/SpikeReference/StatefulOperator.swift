package import SpikeGraph

/// What an operator remembers from step to step: neurons their membranes, a pool of spikes its running sums.
///
/// The schedule is how many steps it is advanced by at a time: one under streaming, all of them layer by layer.
package protocol StatefulOperator {
    /// Takes up the inputs of some steps that follow each other, then gives as many outputs.
    ///
    /// - Parameters:
    ///   - inputs: one tensor a step; at least one.
    ///   - time: of the first of them.
    ///   - sent: what is given in a step in the place of what the rule says, by the steps' order here; `nil`: the rule's own.
    mutating func advance(by inputs: [Tensor], at time: TimeStep, sending sent: (Int) -> Tensor?) throws -> [Tensor]
}

extension StatefulOperator {
    /// The same without anything sent from outside.
    package mutating func advance(by inputs: [Tensor], at time: TimeStep) throws -> [Tensor] {
        try advance(by: inputs, at: time, sending: { _ in nil })
    }
}

extension Operator {
    /// Its state before the first step; `nil` for an operator that remembers nothing.
    package func makeState(_ code: SpikeCode) -> (any StatefulOperator)? {
        switch self {
        case .neuron(let node): NeuronLayer(node: node)
        case .runningMaximumPool(let pool): RunningMaximum(window: pool.window, growth: code.growth)
        default: nil
        }
    }
}

extension NeuronNode {
    /// Lets neurons that have integrated their current emit: `spikes`, where the membranes that these leave behind are known; else
    /// what their rule says.
    ///
    /// - Returns: what was emitted.
    package func emit(_ spikes: Tensor?, state: inout NeuronState, at time: TimeStep) -> Tensor {
        guard let spikes else { return neuron.emit(&state, at: time) }
        if let rule = neuron.fastRule {
            rule.take(spikes, from: &state.membrane, at: time)
            return spikes
        }
        // Of a number that is sent whole, nothing is left that a later step would read.
        return neuron is DigitNeuron ? spikes : neuron.emit(&state, at: time)
    }
}

/// A layer of neurons at work.
package struct NeuronLayer: StatefulOperator {
    let node: NeuronNode
    /// `nil` before the first step.
    private(set) var state: NeuronState?

    package init(node: NeuronNode) {
        self.node = node
    }

    package mutating func advance(by inputs: [Tensor], at time: TimeStep, sending sent: (Int) -> Tensor?) -> [Tensor] {
        var state = self.state ?? node.initialState(shape: inputs[0].shape)
        self.state = nil
        let times = inputs.indices.map { TimeStep(time.index + $0, of: time.count) }
        for (current, time) in zip(inputs, times) { node.neuron.integrate(current, state: &state, at: time) }
        let outputs = inputs.indices.map { step in
            let spikes = node.emit(sent(step), state: &state, at: times[step])
            precondition(
                spikes.shape == inputs[step].shape,
                "\(type(of: node.neuron).kind) emits \(spikes.shape) for a current of \(inputs[step].shape)")
            return spikes
        }
        self.state = state
        return outputs
    }
}

/// The state of a ``RunningMaximumPool``.
package struct RunningMaximum: StatefulOperator {
    let window: Window
    /// What a sum is multiplied with before the next step is added.
    let growth: Float
    private var sum: Tensor?
    private var maximum: Tensor?

    package init(window: Window, growth: Float) {
        self.window = window
        self.growth = growth
    }

    /// Σ ← g·Σ + x; gives max Σ − g·(max Σ before).
    package mutating func advance(by inputs: [Tensor], at time: TimeStep, sending sent: (Int) -> Tensor?) throws -> [Tensor] {
        try inputs.map { input in
            let sum = self.sum.map { $0.scaledSum(growth, input) } ?? input
            let maximum = try Kernels.maxPool(window, sum)
            let given = self.maximum.map { $0.scaledSum(-growth, maximum) } ?? maximum
            (self.sum, self.maximum) = (sum, maximum)
            return given
        }
    }
}

extension Tensor {
    /// growth · self + other.
    func scaledSum(_ growth: Float, _ other: Tensor) -> Tensor {
        var values = floats
        let added = other.floats
        for index in values.indices { values[index] = growth * values[index] + added[index] }
        return Tensor(values, shape: shape)
    }
}
