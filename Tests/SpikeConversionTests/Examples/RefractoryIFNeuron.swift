import SpikeGraph

/// Integrate-and-fire that rests after a spike: it goes on integrating, but cannot fire in the next `rest` steps.
struct RefractoryIFNeuron: Neuron {
    static let kind = "RefractoryIFNeuron"
    static let schedules: Set<SpikingDescription.Schedule> = [.streaming]
    var rest: Int
    /// A membrane of 1 is worth a spike.
    var currentOfSpike: NeuronParameter { 1 }

    func initialState(shape: [Int]) -> NeuronState {
        NeuronState(membrane: Tensor(repeating: 0.5, shape: shape))
    }

    func emit(_ state: inout NeuronState, at time: TimeStep) -> Tensor {
        state.emit(remembering: "resting") { membrane, resting in
            let spike: Float = membrane >= 1 && resting == 0 ? 1 : 0
            membrane -= spike
            resting = spike == 1 ? Float(rest) : max(0, resting - 1)
            return spike
        }
    }

    var summary: String { "rests \(rest) steps" }
}
