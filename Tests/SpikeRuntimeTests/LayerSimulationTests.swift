import SpikeGraph
import SpikeReference
import SpikeRuntime
import Testing

/// A network simulated layer by layer is the same network.
@Suite struct `Layers one at a time` {
    /// The mean of what each layer of neurons sends in a step, as the reference has it.
    private func rates(_ graph: Graph, _ input: Tensor, steps: Int) throws -> [String: [Float]] {
        var sums: [String: [Float]] = [:]
        _ = try ReferenceSimulation(graph).run(
            [input], steps: steps,
            observe: { node, _, results in
                guard case .neuron = node.operator else { return }
                let values = results[0].floats
                sums[node.name] = sums[node.name].map { zip($0, values).map(+) } ?? values
            })
        return sums.mapValues { $0.map { $0 / Float(steps) } }
    }

    @Test(arguments: [RandomNetwork.Family.integrateAndFire, .hardReset, .signed, .burst])
    func `every layer sends what it sends in a whole run, whatever its initial membranes`(family: RandomNetwork.Family) throws {
        var (layers, offsets) = (0, 0)
        for seed in 0..<40 {
            let (random, input, _) = try RandomNetwork.make(seed: seed, family: family)
            let steps = [1, 7, 64, 150][seed % 4]
            var generator = SeededGenerator(seed)
            // Some layers get initial membranes of their own, a number a channel.
            var patch = Patch()
            for node in random.nodes {
                guard case .neuron(var neurons) = node.operator, let shape = random.types[node.outputs[0]]?.shape, shape.rank > 1,
                    let channels = shape[1].known, generator.chance(0.5)
                else { continue }
                neurons.initialOffsets = generator.dyadic(channels, bits: 3, limit: 4)
                var changed = node
                changed.operator = .neuron(neurons)
                patch.replace(changed)
                offsets += 1
            }
            let graph = try random.applying(patch)
            let count = input.shape[0]
            let portions = count > 1 ? [0..<1, 1..<count] : [0..<count]
            let simulation = try LayerSimulation(random, steps: steps, inputs: portions.map { [input.samples($0)] })
            let expected = try rates(graph, input, steps: steps)
            for (index, portion) in portions.enumerated() {
                var known: [String: LayerSimulation.Spikes] = [:]
                for node in graph.nodes {
                    guard case .neuron = node.operator, let wanted = expected[node.name] else { continue }
                    let (spikes, rate) = try simulation.run(node, portion: index, behind: known)
                    known[node.name] = spikes
                    let size = wanted.count / count
                    #expect(
                        rate.floats == Array(wanted[portion.lowerBound * size..<portion.upperBound * size]),
                        "seed \(seed), \(family), \(steps) steps, '\(node.name)'\n\(graph)")
                    layers += 1
                }
            }
        }
        #expect(layers > 100 && offsets > 30)
    }

    @Test func `the neurons of a flattened image have membranes of their own`() throws {
        var random = SeededGenerator(5)
        var network = NetworkSketch(input: [2, 3, 4])
        let first = network.fire(network.input, IFNode(threshold: 1, initialMembrane: 0.5))
        let flat = network.add(.flatten(Flatten()), [first], shape: [24])
        let second = network.fire(flat, IFNode(threshold: 0.5, initialMembrane: 0.25))
        let output = network.linear(second, random.dyadic([3, 24], bits: 3, limit: 4))
        let graph = try network.graph([output], SpikingDescription(recipe: "test"))
        guard var node = graph.node(named: second.name), case .neuron(var neurons) = node.operator else { throw Missing() }
        neurons.initialOffsets = random.dyadic(24, bits: 3, limit: 5)
        node.operator = .neuron(neurons)
        var patch = Patch()
        patch.replace(node)
        let changed = try graph.applying(patch)
        let input = random.dyadic([3, 2, 3, 4], bits: 2, limit: 5)
        let simulation = try LayerSimulation(graph, steps: 9, inputs: [input.samples(0..<2), input.samples(2..<3)].map { [$0] })
        let expected = try rates(changed, input, steps: 9)
        for portion in 0..<2 {
            guard let before = changed.node(named: first.name) else { throw Missing() }
            let known = [first.name: try simulation.run(before, portion: portion, behind: [:]).spikes]
            let rate = try simulation.run(node, portion: portion, behind: known).rate
            #expect(rate.floats == Array(expected[second.name]?[portion == 0 ? 0..<48 : 48..<72] ?? []))
        }
    }

    private struct Missing: Error {}
}
