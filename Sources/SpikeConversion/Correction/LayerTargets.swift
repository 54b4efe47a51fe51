import SpikeGraph
import SpikeReference

/// The activations that the ANN has where the neurons of a spiking network stand, in units of what one spike stands for, divided by T: what
/// their rates should be.
struct LayerTargets {
    /// With the ANN's own weights.
    let graph: Graph
    /// The samples, in portions.
    let inputs: [[Tensor]]
    /// By neuron node and portion.
    private var known: [String: [Tensor]] = [:]

    init(_ graph: Graph, inputs: [[Tensor]]) {
        self.graph = graph
        self.inputs = inputs
    }

    /// Takes note of a layer's targets, and lets go of those that no later layer reads.
    mutating func keep(_ targets: [Tensor], of node: Node, stillNeeded: Set<String>) {
        known[node.name] = targets
        known = known.filter { stillNeeded.contains($0.key) }
    }

    /// The ANN's activations where the neurons of `node` stand, `[N, …]`.
    func of(_ node: Node, portion: Int) throws -> Tensor {
        let (sources, between) = graph.segment(before: node)
        var values = graph.constants
        for (input, tensor) in zip(graph.inputs, inputs[portion]) { values[input.name] = tensor }
        for source in sources {
            guard let target = known[source]?[portion], let name = graph.node(named: source)?.outputs[0] else { continue }
            values[name] = target
        }
        for inner in between {
            // Values between layers may have another first axis than the samples.
            values[inner.outputs[0]] = try ReferenceExecutor.evaluate(
                inner.operator, inner.inputs.compactMap { values[$0] }, batch: inputs[portion].first?.shape.first)[0]
        }
        guard case .neuron(let neurons) = node.operator, let arriving = values[node.inputs[0]] else {
            throw SpikeletError(.illegalGraph, "node '\(node.name)' reads nothing")
        }
        // In units of a spike, which takes θ of current.
        let threshold = neurons.neuron.currentOfSpike[0]
        let current = threshold == 1 ? arriving : arriving.map { $0 / threshold }
        guard let site = neurons.site, let maximum = site.bound else { return current.map { max(0, $0) } }
        let bounds = try VoltageScaler(scales: site.spike.map { maximum / $0 }, axis: site.axis)(Tensor(repeating: 1, shape: current.shape))
            .floats
        return Tensor(zip(current.floats, bounds).map { min(max(0, $0), $1) }, shape: current.shape)
    }
}

extension Tensor {
    /// The mean of each channel (axis 1).
    var channelMeans: [Double] {
        let channels = rank > 1 ? shape[1] : 1
        let size = shape.dropFirst(2).reduce(1, *)
        var sums = [Double](repeating: 0, count: channels)
        for (index, value) in floats.enumerated() { sums[index / size % channels] += Double(value) }
        return sums.map { $0 * Double(channels) / Double(max(1, count)) }
    }
}
