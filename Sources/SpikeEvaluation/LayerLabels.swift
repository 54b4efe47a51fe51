import SpikeGraph

/// What people call the layers of neurons: by the names of the ANN's modules, since conversion gives its own nodes names of its own.
///
/// With the ANN it is the rectifier's name. Without, the name of the nearest node in front of the neurons that came from the ANN.
struct LayerLabels {
    private var labels: [String: String] = [:]

    init(snn: Graph, ann: Graph?) {
        if let ann, let matching = try? LayerMatching(snn: snn, ann: ann) {
            for layer in matching.layers { labels[layer.node.name] = layer.rectifier.name }
        }
        let producers = snn.producers
        for node in snn.nodes where labels[node.name] == nil {
            guard case .neuron = node.operator else { continue }
            var value = node.inputs[0]
            while let producer = producers[value] {
                guard producer.name.hasPrefix(Self.prefix), let next = producer.inputs.first(where: { snn.constants[$0] == nil }) else {
                    break
                }
                value = next
            }
            labels[node.name] = "after \(producers[value]?.name ?? value)"
        }
    }

    /// What conversion names its nodes.
    private static let prefix = "snn tailor"

    subscript(name: String) -> String? { labels[name] }
}
