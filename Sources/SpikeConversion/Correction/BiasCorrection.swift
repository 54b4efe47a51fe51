import SpikeGraph

/// Removes the mean error that conversion leaves in each channel, layer by layer from the front, each with the layers before
/// it already corrected: the difference between the ANN's mean activation and the mean rate becomes a bias current.
///
/// A layer's correction is fitted on one half of the calibration samples, and kept only if it brings the rates of the other
/// half nearer to the ANN's activations. Source: "light" bias calibration of Li et al., "A Free Lunch from ANN", ICML 2021.
struct BiasCorrection {
    let steps: Int
    /// For each neuron node, the rectifier that it replaced.
    let rectifiers: [String: Operator]
    /// Samples used at most.
    static let samples = 128

    /// - Returns: the corrected network, and for each layer of neurons whether its correction was kept.
    func callAsFunction(_ snn: Graph, data: any BatchSource) throws -> (graph: Graph, kept: [String: Bool]) {
        let portions = try portions(of: data)
        guard portions.count >= 2 else { return (snn, [:]) }
        var simulation = LayerwiseSimulation(snn, steps: steps, rectifiers: rectifiers, inputs: portions)
        let neurons = snn.nodes.filter { if case .neuron = $0.operator { true } else { false } }
        let bar = ProgressBar("correcting biases", total: neurons.count, unit: "layers")
        defer { bar.finish() }
        var patch = Patch()
        var kept: [String: Bool] = [:]
        for (position, node) in neurons.enumerated() {
            guard case .neuron(let neuronNode) = node.operator else { continue }
            let plain = try simulation.simulate(node, neuron: neuronNode.neuron, bias: nil)
            let bias = meanError(plain.enumerated().filter { $0.offset % 2 == 0 }.map(\.element))
            let corrected = try simulation.simulate(node, neuron: neuronNode.neuron, bias: bias)
            let isBetter = heldOutError(corrected) < heldOutError(plain)
            kept[node.name] = isBetter
            if isBetter {
                let shape = [1, bias.count] + [Int](repeating: 1, count: max(0, plain[0].target.rank - 2))
                let name = "\(node.name).bias"
                patch.setConstant("\(name).current", Tensor(bias, shape: shape))
                patch.insert(Node(name, .add(Add()), inputs: [node.inputs[0], "\(name).current"]))
                var copy = node
                copy.inputs = [name]
                patch.replace(copy)
            }
            let later = Set(neurons[(position + 1)...].flatMap { simulation.segment(before: $0).sources })
            simulation.finish(node, isBetter ? corrected : plain, stillNeeded: later)
            bar.advance()
        }
        return (try snn.applying(patch), kept)
    }

    /// Mean activation − mean rate of each channel, in spikes a step.
    private func meanError(_ layers: [LayerwiseSimulation.Layer]) -> [Float] {
        var sums: [Double] = []
        for layer in layers {
            let difference = zip(layer.target.channelMeans, layer.rate.channelMeans).map { $0 - $1 }
            sums = sums.isEmpty ? difference : zip(sums, difference).map(+)
        }
        return sums.map { Float($0 / Double(layers.count)) }
    }

    /// The squared difference of rate and activation, over the portions that no correction was fitted on.
    private func heldOutError(_ layers: [LayerwiseSimulation.Layer]) -> Double {
        layers.enumerated().filter { $0.offset % 2 == 1 }.reduce(0) { sum, layer in
            zip(layer.element.target.floats, layer.element.rate.floats).reduce(sum) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
        }
    }

    /// The first samples, in an even number of equal portions.
    private func portions(of data: any BatchSource) throws -> [[Tensor]] {
        let size = 16
        var portions: [[Tensor]] = []
        var pass = try data.makePass()
        while let batch = try pass.next() {
            for start in stride(from: 0, to: batch.count - batch.count % size, by: size) {
                portions.append(batch.inputs.map { $0.samples(start..<start + size) })
                if portions.count * size >= Self.samples { return portions }
            }
        }
        return portions
    }
}
