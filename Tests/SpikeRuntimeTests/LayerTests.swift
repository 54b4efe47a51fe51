import SpikeGraph
import SpikeReference
import SpikeRuntime
import Testing

/// Ordinary weights: sums in another order round differently, so the engine's spikes may differ from the reference's, but only
/// where a membrane lies within rounding of a threshold.
@Suite struct `Layer by layer` {
    /// What the reference saw of a layer of neurons.
    private struct Layer {
        var node: NeuronNode
        var initial: [Float]
        var currents: [[Float]] = []
        var spikes: [Tensor] = []
        /// What the engine's layer sent on the same input spikes.
        var found: [[Float]] = []
    }

    /// The reference's run, each layer's currents and spikes.
    private func observe(_ graph: Graph, _ input: Tensor, steps: Int) throws -> (output: Tensor, layers: [String: Layer]) {
        var layers: [String: Layer] = [:]
        let reference = try ReferenceSimulation(graph)
        let output = try reference.run(
            [input], steps: steps,
            observe: { node, operands, results in
                guard case .neuron(let neuron) = node.operator else { return }
                layers[
                    node.name, default: Layer(node: neuron, initial: neuron.initialState(shape: operands[0].shape).membrane.floats)
                ].currents.append(operands[0].floats)
                layers[node.name]?.spikes.append(results[0])
            })[0]
        return (output, layers)
    }

    /// How far a membrane is from where its neuron would do something else.
    private func distance(_ neuron: any Neuron, _ membrane: Double, step: Int) -> Double {
        switch neuron {
        case let neuron as IFNode: return abs(membrane - Double(neuron.threshold))
        case let neuron as SignedIFNeuron: return min(abs(membrane - Double(neuron.threshold)), abs(membrane))
        case let neuron as BurstIFNeuron:
            let threshold = Double(neuron.threshold)
            return abs(membrane - threshold * max(1, (membrane / threshold).rounded()))
        case let neuron as RadixNeuron: return abs(membrane - Double(1 << (neuron.digits - 1 - step)))
        default: return .infinity
        }
    }

    /// The membranes of neuron `index` before it sends anything in each step, by the reference's currents and spikes; and the sum of
    /// the layer's largest currents so far, which rounding errors are in proportion to.
    private func membranes(_ layer: Layer, _ index: Int, isStreaming: Bool) -> [(membrane: Double, sum: Double)] {
        var membrane = Double(layer.initial[index])
        var sum = 0.0
        let growth = layer.node.neuron is RadixNeuron ? 2.0 : 1
        func integrate(_ step: Int) {
            membrane = growth * membrane + Double(layer.currents[step][index])
            sum = growth * sum + Double(layer.currents[step].reduce(0) { max($0, abs($1)) })
        }
        if !isStreaming { layer.currents.indices.forEach(integrate) }
        if layer.node.neuron is RadixNeuron { membrane += 0.5 }
        return layer.spikes.indices.map { step in
            if isStreaming { integrate(step) }
            let before = membrane
            let spikes = Double(layer.spikes[step].floats[index])
            switch layer.node.neuron {
            case let neuron as IFNode:
                if case .to(let value) = neuron.reset {
                    if spikes > 0 { membrane = Double(value) }
                } else {
                    membrane -= spikes * Double(neuron.threshold)
                }
            case let neuron as SignedIFNeuron: membrane -= spikes * Double(neuron.threshold)
            case let neuron as BurstIFNeuron: membrane -= spikes * Double(neuron.threshold)
            case let neuron as RadixNeuron: membrane -= spikes * Double(1 << (neuron.digits - 1 - step))
            default: break
            }
            return (before, sum)
        }
    }

    @Test(arguments: RandomNetwork.Family.allCases)
    func `on the reference's spikes a layer differs only where a membrane lies within rounding of its threshold`(
        family: RandomNetwork.Family
    ) throws {
        var (neurons, differing) = (0, 0)
        for seed in 0..<60 {
            let (graph, input, steps) = try RandomNetwork.make(seed: seed, family: family, isDyadic: false)
            let isStreaming = graph.spiking?.schedule == .streaming
            var layers = try observe(graph, input, steps: steps).layers
            let simulation = try Simulation(graph)
            simulation.forcing = { name, step, spikes in
                layers[name]?.found.append(spikes.floats)
                return layers[name]?.spikes[step] ?? spikes
            }
            _ = try simulation.run([input], steps: steps)
            let generic = Set(simulation.program.genericNodes.map(\.node))
            for (name, layer) in layers where !generic.contains(name) {
                try #require(layer.found.count == steps, "seed \(seed), '\(name)'")
                for index in layer.initial.indices {
                    neurons += 1
                    // What comes after a first difference is another membrane's.
                    guard let step = (0..<steps).first(where: { layer.found[$0][index] != layer.spikes[$0].floats[index] }) else {
                        continue
                    }
                    differing += 1
                    let (membrane, sum) = membranes(layer, index, isStreaming: isStreaming)[step]
                    let rounding = (1 + sum) * 0x1p-19
                    #expect(
                        distance(layer.node.neuron, membrane, step: step) <= rounding,
                        "seed \(seed), '\(name)' \(index), step \(step): \(membrane)\n\(simulation.program)")
                }
            }
        }
        #expect(neurons > 5000)
        // Ties are rare.
        #expect(differing * 500 < neurons, "\(differing) of \(neurons)")
    }

    @Test(arguments: RandomNetwork.Family.allCases)
    func `end to end the outputs are the reference's, where no spike fell to the other side of a threshold`(
        family: RandomNetwork.Family
    ) throws {
        var other = 0
        for seed in 100..<160 {
            let (graph, input, steps) = try RandomNetwork.make(seed: seed, family: family, isDyadic: false)
            let reference = try ReferenceSimulation(graph)
            let expected = try reference.run([input], steps: steps)
            let simulation = try Simulation(graph)
            simulation.recording = .spikeCounts
            let found = try simulation.run([input], steps: steps)
            guard simulation.spikeCounts == reference.spikeCounts else {
                other += 1
                continue
            }
            for (a, b) in zip(expected, found) {
                let largest = a.floats.reduce(1) { max($0, abs($1)) }
                for (x, y) in zip(a.floats, b.floats) { #expect(abs(x - y) <= 1e-4 * largest, "seed \(seed), \(family)") }
            }
        }
        #expect(other < 12, "\(other) of 60 networks")
    }
}
