import SpikeGraph

/// Removes the mean error that conversion leaves in each channel, layer by layer from the front, each with the layers before
/// it already corrected: what the ANN's mean activation and the mean rate differ by over T steps is put into the membranes
/// before the first step.
///
/// A bias current of the same size would have the same effect after T steps, but goes on adding after them: files corrected by
/// bias at T = 32 lose accuracy at T = 256, files corrected by potential do not (`Documentation/Accuracy.md`).
///
/// A layer's correction is fitted on one half of the calibration samples, and kept only if it brings the rates of the other
/// half nearer to the ANN's activations. Source: Li et al., "A Free Lunch from ANN", ICML 2021, who correct the potential of
/// each neuron, and the bias of each channel.
struct PotentialCorrection {
    let steps: Int
    /// Samples used at most.
    static let samples = 128

    /// - Returns: the corrected network, the number of layers whose correction was kept, and of the samples used: 0 where there are not
    ///   enough, and nothing is corrected.
    func callAsFunction(_ snn: Graph, data: any BatchSource) throws -> (graph: Graph, kept: Int, samples: Int) {
        let portions = try CalibrationPortions(of: data, first: Self.samples, for: snn)
        guard portions.samples > 0 else { return (snn, 0, 0) }
        var simulation = LayerwiseSimulation(snn, steps: steps, inputs: portions.inputs)
        let layers = snn.nodes.filter { if case .neuron = $0.operator { true } else { false } }
        let bar = Progress.begin("correcting potentials", total: layers.count, unit: "layers")
        defer { bar.finish() }
        var patch = Patch()
        var kept = 0
        for (position, node) in layers.enumerated() {
            guard case .neuron(var neurons) = node.operator else { continue }
            let plain = try simulation.simulate(node, as: neurons)
            // Portions take turns: the even ones fit, the odd ones judge.
            let missing = meanError(plain.enumerated().filter { $0.offset % 2 == 0 }.map(\.element))
            neurons.initialOffsets = missing.map { $0 * Float(steps) * neurons.neuron.currentOfSpike[0] }
            // Neurons without channels, one a sample, have nothing that an offset could be of.
            let hasChannels = snn.types[node.outputs[0]].map { $0.shape.rank > 1 } ?? false
            let corrected = hasChannels ? try simulation.simulate(node, as: neurons) : plain
            let isBetter = hasChannels && heldOutError(corrected) < heldOutError(plain)
            if isBetter {
                kept += 1
                var copy = node
                copy.operator = .neuron(neurons)
                patch.replace(copy)
            }
            let later = Set(layers[(position + 1)...].flatMap { simulation.segment(before: $0).sources })
            simulation.finish(node, isBetter ? corrected : plain, stillNeeded: later)
            bar.advance()
        }
        return (try snn.applying(patch), kept, portions.samples)
    }

    /// Mean activation − mean rate of each channel, in spikes a step.
    private func meanError(_ layers: [LayerwiseSimulation.Layer]) -> [Float] {
        var (sums, samples): ([Double], Double) = ([], 0)
        for layer in layers {
            let count = Double(layer.target.shape[0])
            let difference = zip(layer.target.channelMeans, layer.rate.channelMeans).map { count * ($0 - $1) }
            sums = sums.isEmpty ? difference : zip(sums, difference).map(+)
            samples += count
        }
        return sums.map { Float($0 / samples) }
    }

    /// The squared difference of rate and activation, over the portions that no correction was fitted on.
    private func heldOutError(_ layers: [LayerwiseSimulation.Layer]) -> Double {
        layers.enumerated().filter { $0.offset % 2 == 1 }.reduce(0) { sum, layer in
            zip(layer.element.target.floats, layer.element.rate.floats).reduce(sum) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
        }
    }
}
