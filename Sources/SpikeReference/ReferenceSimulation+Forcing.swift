package import SpikeGraph

/// What a layer of neurons sends in a step, in the place of what its own rule would; `nil`: its own.
package typealias Emission = (_ node: Node, _ step: Int) -> Tensor?

extension NeuronNode {
    /// Whether the membranes that given spikes leave behind are known: of subtraction, of a reset to a value, of digits.
    package var canBeForced: Bool {
        switch neuron {
        case is IFNode, is SignedIFNode, is BurstIFNode, is RadixNode: true
        default: false
        }
    }

    /// Lets neurons that have integrated their current emit `spikes`: membranes then are what these leave.
    package func emit(_ spikes: Tensor, state: inout NeuronState, at time: TimeStep) {
        let sent = spikes.floats
        var membranes = state.membrane.floats
        func take(_ threshold: Float) { for index in membranes.indices { membranes[index] -= threshold * sent[index] } }
        switch neuron {
        case let neuron as IFNode:
            switch neuron.reset {
            case .subtraction: take(neuron.threshold)
            case .to(let value): for index in membranes.indices where sent[index] != 0 { membranes[index] = value }
            }
        case let neuron as SignedIFNode: take(neuron.threshold)
        case let neuron as BurstIFNode: take(neuron.threshold)
        case let neuron as RadixNode:
            if time.index == 0 { for index in membranes.indices { membranes[index] += 0.5 } }
            take(Float(sign: .plus, exponent: neuron.digits - 1 - time.index, significand: 1))
        default: break
        }
        state.membrane = Tensor(membranes, shape: state.membrane.shape)
    }
}
