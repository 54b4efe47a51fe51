public import SpikeGraph

/// Makes rectifiers spiking neurons.
///
/// Given: an ANN, or a network with hooks, and for each rectifier that is to be replaced the activation that one spike of
/// its neurons stands for.
///
/// Result: the k-th such rectifier is `snn tailor.<k>.0` ``VoltageScaler``(1/s) → `.1` the neuron, with threshold 1 →
/// `.2` ``VoltageScaler``(s), where s is the activation of a spike: one number, or one a channel.
public struct PlaceNeurons: Pass {
    public static let id = "place-neurons"
    /// For each rectifier's name, the activation of a spike.
    public var scales: [String: [Float]]
    /// The rule of every placed neuron.
    public var neuron: any Neuron
    /// What the spiking graph says of itself.
    public var description: SpikingDescription

    /// Prepares to place neurons.
    public init(scales: [String: [Float]], neuron: any Neuron, description: SpikingDescription) {
        self.scales = scales
        self.neuron = neuron
        self.description = description
    }

    /// The graph with a neuron in the place of each rectifier.
    public func run(_ graph: Graph) throws -> Graph {
        var patch = Patch()
        // A rectifier may read another one: it then reads what replaced it.
        var replacements: [String: String] = [:]
        var count = 0
        for rectifier in graph.nodes {
            guard let scales = scales[rectifier.name] else { continue }
            let names = (0..<3).map { tailorName(count, $0) }
            let input = rectifier.inputs[0]
            patch.insert(
                Node(names[0], .voltageScaler(VoltageScaler(scales: scales.map { 1 / $0 })), inputs: [replacements[input] ?? input]))
            patch.insert(Node(names[1], .neuron(NeuronNode(neuron)), inputs: [names[0]]))
            patch.insert(Node(names[2], .voltageScaler(VoltageScaler(scales: scales)), inputs: [names[1]]))
            patch.remove(rectifier)
            patch.redirect(rectifier.outputs[0], to: names[2])
            replacements[rectifier.outputs[0]] = names[2]
            count += 1
        }
        for node in graph.nodes {
            if case .voltageHook = node.operator { patch.remove(node) }
        }
        return try graph.applying(patch, spiking: description)
    }
}

/// The seed's names for what conversion inserts: grouped under `snn tailor`, by rectifier and place.
func tailorName(_ rectifier: Int, _ place: Int) -> String {
    "snn tailor.\(rectifier).\(place)"
}
