import Foundation
import SpikeGraph
import SpikeRuntime

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
    /// Samples used at most, and the bytes that what is kept of them may take: of a network with very many neurons it is fewer.
    static let samples = 128
    static let bytes = 512 << 20

    /// What a layer gives on one portion.
    private struct Trial: Sendable {
        var spikes: LayerSimulation.Spikes
        /// The mean rate of each channel, in spikes a step.
        var means: [Double]
        /// The squared difference of rate and activation.
        var error: Double

        init(_ spikes: LayerSimulation.Spikes, rate: Tensor, target: Tensor) {
            self.spikes = spikes
            means = rate.channelMeans
            error = zip(target.floats, rate.floats).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
        }
    }

    /// - Parameter snn: with the ANN's own weights, which say what the activations should be.
    /// - Returns: the corrected network, the number of layers whose correction was kept, and of the samples used: 0 where there are not
    ///   enough, and nothing is corrected.
    func callAsFunction(_ snn: Graph, data: any BatchSource) throws -> (graph: Graph, kept: Int, samples: Int) {
        let bytes = LayerwiseSpikes.bytesPerSample(snn, steps: steps)
        let portions = try CalibrationPortions(of: data, first: max(2, min(Self.samples, Self.bytes / max(1, bytes))), for: snn)
        guard portions.samples > 0 else { return (snn, 0, 0) }
        let threads = ProcessInfo.processInfo.activeProcessorCount
        var spikes = try LayerwiseSpikes(snn, steps: steps, inputs: portions.inputs)
        var known = LayerTargets(snn, inputs: portions.inputs)
        let bar = Progress.begin("correcting potentials", total: spikes.layers.count, unit: "layers")
        defer { bar.finish() }
        var patch = Patch()
        var kept = 0
        for node in spikes.layers {
            try Cancellation.check()
            guard case .neuron(var neurons) = node.operator else { continue }
            let targets = try concurrentMap(Array(portions.inputs.indices), atMost: threads) { [known] in
                try known.of(node, portion: $0)
            }
            func simulate(_ node: Node) throws -> [Trial] {
                try spikes.run(node) { portion, spikes, rate in Trial(spikes, rate: rate, target: targets[portion]) }
            }
            let plain = try simulate(node)
            let missing = meanError(plain, targets)
            neurons.initialOffsets = missing.map { $0 * Float(steps) * neurons.neuron.currentOfSpike[0] }
            var copy = node
            copy.operator = .neuron(neurons)
            // Neurons without channels, one a sample, have nothing that an offset could be of.
            let hasChannels = snn.types[node.outputs[0]].map { $0.shape.rank > 1 } ?? false
            let corrected = hasChannels ? try simulate(copy) : plain
            let isBetter = hasChannels && heldOutError(corrected) < heldOutError(plain)
            if isBetter {
                kept += 1
                patch.replace(copy)
            }
            spikes.keep((isBetter ? corrected : plain).map(\.spikes), of: node)
            known.keep(targets, of: node, stillNeeded: spikes.needed(behind: node))
            bar.advance()
        }
        return (try snn.applying(patch), kept, portions.samples)
    }

    /// Mean activation − mean rate of each channel, in spikes a step. Portions take turns: the even ones fit, the odd ones judge.
    private func meanError(_ trials: [Trial], _ targets: [Tensor]) -> [Float] {
        var (sums, samples): ([Double], Double) = ([], 0)
        for portion in stride(from: 0, to: trials.count, by: 2) {
            let count = Double(targets[portion].shape[0])
            let difference = zip(targets[portion].channelMeans, trials[portion].means).map { count * ($0 - $1) }
            sums = sums.isEmpty ? difference : zip(sums, difference).map(+)
            samples += count
        }
        return sums.map { Float($0 / samples) }
    }

    /// The squared difference of rate and activation, over the portions that no correction was fitted on.
    private func heldOutError(_ trials: [Trial]) -> Double {
        stride(from: 1, to: trials.count, by: 2).reduce(0) { $0 + trials[$1].error }
    }
}
