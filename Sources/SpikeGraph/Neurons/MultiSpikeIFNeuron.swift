/// Integrate-and-fire with any number of spikes a step, and a floor below the membrane:
///
///     v ← v + x,   s = max(0, ⌊v/θ⌋),   v ← max(v − θ·s, −θ)
///
/// Source: sinabs' `IAF` with `MultiSpike`, `MembraneSubtract` and `min_v_mem = −θ`, which is how sinabs 3 runs NIR's `IF`.
public struct MultiSpikeIFNeuron: Neuron {
    public static let kind = "MultiSpikeIFNeuron"
    public static let schedules: Set<SpikingDescription.Schedule> = [.streaming]
    /// θ.
    public var threshold: NeuronParameter

    /// A neuron that sends as many spikes as its membrane holds thresholds.
    public init(threshold: NeuronParameter = 1) {
        self.threshold = threshold
    }

    public func validate() throws { try threshold.validateAsThreshold() }

    public var currentOfSpike: NeuronParameter { threshold }

    public func emit(_ state: inout NeuronState, at time: TimeStep) -> Tensor {
        var values = state.membrane.floats
        var spikes = [Float](repeating: 0, count: values.count)
        for index in values.indices {
            let limit = threshold[index]
            spikes[index] = max(0, (values[index] / limit).rounded(.down))
            values[index] = max(values[index] - limit * spikes[index], -limit)
        }
        state.membrane = Tensor(values, shape: state.membrane.shape)
        return Tensor(spikes, shape: state.membrane.shape)
    }

    public func rateStandIn(for reader: RateStandIn.Reader) -> RateStandIn? {
        // What it can say has no bound: nothing that sends one spike a step stands for it.
        guard reader.sendsSeveral, threshold.values.count == 1 else { return nil }
        return RateStandIn([.init(threshold: threshold[0])], isReaders: true)
    }

    public var summary: String { "threshold \(threshold.summary), any number of spikes" }
}
