import SpikeGraph
import TestSupport
import Testing

@Suite struct IFNodeTests {
    static let neurons = [
        IFNode(), IFNode(threshold: 0.7), IFNode(threshold: 1, initialMembrane: 0.5), IFNode(threshold: 2.3, initialMembrane: -0.4),
        IFNode(reset: .to(0)), IFNode(threshold: 0.6, reset: .to(-0.2), initialMembrane: 0.3),
    ]

    /// One neuron in plain numbers.
    private func spikes(of neuron: IFNode, currents: [Float]) -> (spikes: [Float], membrane: Float) {
        var v = neuron.initialMembrane
        var spikes: [Float] = []
        for current in currents {
            v += current
            if v >= neuron.threshold {
                spikes.append(1)
                if case .to(let value) = neuron.reset { v = value } else { v -= neuron.threshold }
            } else {
                spikes.append(0)
            }
        }
        return (spikes, v)
    }

    @Test(arguments: neurons) func `a layer of neurons is many single ones, bit for bit`(_ neuron: IFNode) {
        var generator = SeededGenerator(4)
        let (count, steps) = (60, 40)
        let currents = (0..<steps).map { _ in (0..<count).map { _ in Float.random(in: -1...1.5, using: &generator) } }
        var state = neuron.initialState(shape: [5, 3, 4])
        #expect(state.membrane == Tensor(repeating: neuron.initialMembrane, shape: [5, 3, 4]))
        let trains = currents.map { neuron.step(Tensor($0, shape: [5, 3, 4]), state: &state, at: TimeStep(0)).floats }
        var total: Float = 0
        for index in 0..<count {
            let expected = spikes(of: neuron, currents: currents.map { $0[index] })
            #expect(trains.map { $0[index] } == expected.spikes)
            #expect(state.membrane.floats[index] == expected.membrane)
            total += expected.spikes.reduce(0, +)
        }
        #expect(total > 50)
        #expect(state.membrane.shape == [5, 3, 4] && state.memory.isEmpty)
    }

    @Test func `a constant current fires at its rate, and at most once a step`() {
        let neuron = IFNode(threshold: 1)
        var state = neuron.initialState(shape: [4])
        var counts = [Float](repeating: 0, count: 4)
        for _ in 0..<16 {
            let spikes = neuron.step(Tensor([0.25, 0.75, 5, -1] as [Float], shape: [4]), state: &state, at: TimeStep(0))
            counts = zip(counts, spikes.floats).map(+)
        }
        #expect(counts == [4, 12, 16, 0])
        // Nothing is lost under the soft reset.
        #expect(state.membrane.floats == [0, 0, 64, -16])
    }

    @Test func `a membrane exactly at the threshold fires`() {
        var state = IFNode(threshold: 0.5).initialState(shape: [2])
        let spikes = IFNode(threshold: 0.5).step(Tensor([0.5, Float(0.5).nextDown], shape: [2]), state: &state, at: TimeStep(0))
        #expect(spikes.floats == [1, 0])
    }
}
