package import SpikeGraph

/// What a layer of neurons sends in a step, in the place of what its own rule would; `nil`: its own.
package typealias Emission = (_ node: Node, _ step: Int) -> Tensor?

extension NeuronNode {
    /// Lets neurons that have integrated their current emit: `spikes`, where the membranes that these leave behind are known; else
    /// what their rule says.
    ///
    /// - Returns: what was emitted.
    package func emit(_ spikes: Tensor?, state: inout NeuronState, at time: TimeStep) -> Tensor {
        guard let spikes, let rule = neuron.fastRule else { return neuron.emit(&state, at: time) }
        rule.take(spikes, from: &state.membrane, at: time)
        return spikes
    }
}
