public import SpikeGraph

/// Makes quantisers the spiking neurons that they are.
///
/// Given: an ANN with ``Quantizer``s, and for each that is to be replaced its neuron and what a spike of it stands for.
///
/// Result: the k-th of them is `snn tailor.<k>.0` ``VoltageScaler``(1/Δ) → `.1` the neuron → `.2` ``VoltageScaler``(activation
/// of a spike).
public struct PlaceQuantizerNeurons: Pass {
    public static let id = "place-quantizer-neurons"

    /// What becomes of a quantiser.
    public struct Placement: Sendable {
        /// The neuron's rule.
        public var neuron: any Neuron
        /// The activation of a spike of weight 1.
        public var spike: Float

        /// One quantiser's neuron, and the activation that its spike stands for.
        public init(neuron: any Neuron, spike: Float) {
            self.neuron = neuron
            self.spike = spike
        }
    }

    /// By the quantiser's name.
    public var placements: [String: Placement]
    /// What the spiking graph says of itself.
    public var description: SpikingDescription

    /// Prepares to place neurons by the quantisers' names.
    public init(placements: [String: Placement], description: SpikingDescription) {
        self.placements = placements
        self.description = description
    }

    /// The graph with a neuron in the place of each quantiser.
    public func run(_ graph: Graph) throws -> Graph {
        var patch = Patch()
        // A quantiser may read another one: it then reads what replaced it.
        var replacements: [String: String] = [:]
        var count = 0
        for node in graph.nodes {
            guard let placement = placements[node.name], case .quantizer(let quantizer) = node.operator else { continue }
            let names = (0..<3).map { tailorName(count, $0) }
            let input = replacements[node.inputs[0]] ?? node.inputs[0]
            patch.insert(Node(names[0], .voltageScaler(VoltageScaler(scale: 1 / quantizer.step)), inputs: [input]))
            patch.insert(Node(names[1], .neuron(NeuronNode(placement.neuron)), inputs: [names[0]]))
            patch.insert(Node(names[2], .voltageScaler(VoltageScaler(scale: placement.spike)), inputs: [names[1]]))
            patch.remove(node)
            patch.redirect(node.outputs[0], to: names[2])
            replacements[node.outputs[0]] = names[2]
            count += 1
        }
        return try graph.applying(patch, spiking: description)
    }
}
