/// Neurons that hear each other: what a layer emitted in the step before comes back to it through weights.
///
///     x'(t) = x(t) + W·s(t−1) + b,   s(−1) = 0,   then the neurons' own rule
///
/// Graphs have no cycles, so the way back is part of the neurons. Source: the recurrent layers of NIR's Braille network
/// (Pedersen et al., Nature Communications 2024), a LIF node and an Affine node that read each other.
public struct RecurrentNeuron: Neuron {
    public static let kind = "RecurrentNeuron"
    public static let schedules: Set<SpikingDescription.Schedule> = [.streaming]
    /// The rule of the neurons.
    public let neuron: NeuronNode
    /// W, `[n, n]` row by row: row i has the weights into neuron i.
    public let weight: [Float]
    /// b, one number for each neuron.
    public let bias: [Float]

    /// - Parameters:
    ///   - weight: n·n numbers.
    ///   - bias: n numbers.
    /// - Throws: where they do not go together, or a number is not finite.
    public init(_ neuron: NeuronNode, weight: [Float], bias: [Float]) throws {
        self.neuron = neuron
        self.weight = weight
        self.bias = bias
        try validate()
    }

    public func validate() throws {
        let (count, overflow) = bias.count.multipliedReportingOverflow(by: bias.count)
        guard !overflow, !bias.isEmpty, weight.count == count else {
            throw SpikeletError(.invalidModel, "\(weight.count) recurrent weights and \(bias.count) biases")
        }
        try neuron.neuron.validate()
        guard type(of: neuron.neuron).schedules.contains(.streaming) else {
            throw SpikeletError(.invalidModel, "recurrent neurons of the kind \(type(of: neuron.neuron).kind), which wait for all steps")
        }
        guard weight.allSatisfy(\.isFinite), bias.allSatisfy(\.isFinite), neuron.initialOffsets.allSatisfy(\.isFinite) else {
            throw SpikeletError(.invalidModel, "a recurrent weight that is not finite")
        }
    }

    public var neuronsPerSample: Int? { bias.count }

    public var currentOfSpike: NeuronParameter { neuron.neuron.currentOfSpike }
    public var spikesPerStep: ClosedRange<Int>? { neuron.neuron.spikesPerStep }

    public func initialState(shape: [Int]) -> NeuronState { neuron.initialState(shape: shape) }

    public func integrate(_ current: Tensor, state: inout NeuronState, at time: TimeStep) {
        let count = bias.count
        var values = current.floats
        let echo = state.memory[Self.echo]?.floats
        for start in stride(from: 0, to: values.count, by: count) {
            for row in 0..<count {
                var sum = bias[row]
                if let echo { for column in 0..<count { sum += weight[row * count + column] * echo[start + column] } }
                values[start + row] += sum
            }
        }
        neuron.neuron.integrate(Tensor(values, shape: current.shape), state: &state, at: time)
    }

    public func emit(_ state: inout NeuronState, at time: TimeStep) -> Tensor {
        let spikes = neuron.neuron.emit(&state, at: time)
        state.memory[Self.echo] = spikes
        return spikes
    }

    /// What was emitted last.
    private static let echo = "echo"

    public var summary: String { "\(type(of: neuron.neuron).kind) that hear each other, \(neuron.summary)" }
}
