package import SpikeGraph

/// Makes max pooling exact on spike trains.
///
/// Given: a spiking network.
///
/// Result: every `MaxPool` and `GlobalMaxPool` that reads values made of spikes is a ``RunningMaximumPool`` of the same
/// window. A pool in front of the first neuron stays: it reads whole activations.
package struct UseRunningMaximum: Pass {
    package static let id = "use-running-maximum"

    /// A pass without options.
    package init() {}

    /// The graph whose max pools keep the running maximum.
    package func run(_ graph: Graph) throws -> Graph {
        var patch = Patch()
        // What acts on the accumulated output reads whole values.
        let (spiking, readout) = (graph.spikingValues, graph.readoutNodes)
        for node in graph.nodes where !readout.contains(node.name) && spiking.contains(node.inputs[0]) {
            var copy = node
            switch node.operator {
            case .maxPool(let pool):
                copy.operator = .runningMaximumPool(RunningMaximumPool(window: pool.window))
            case .globalMaxPool:
                let spatial = graph.types[node.inputs[0]]?.shape.dimensions.dropFirst(2).compactMap(\.known) ?? []
                copy.operator = .runningMaximumPool(RunningMaximumPool(window: Window(kernel: spatial)))
            default: continue
            }
            patch.replace(copy)
        }
        return patch.isEmpty ? graph : try graph.applying(patch)
    }
}
