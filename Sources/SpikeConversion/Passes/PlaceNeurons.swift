package import SpikeGraph

/// Makes activations spiking neurons.
///
/// Given: an ANN, or a network with hooks, and for each activation that is to be replaced its neuron and what a spike stands for.
///
/// Result: the k-th of them is `snn tailor.<k>.0` ``VoltageScaler``(1/u) → `.1` the neuron, with its ``Site`` → `.2`
/// ``VoltageScaler``(s), where u is the activation that a current of 1 stands for, and s that of a spike.
package struct PlaceNeurons: Pass {
    package static let id = "place-neurons"

    /// What becomes of an activation.
    package struct Placement: Sendable {
        /// The rule.
        package var neuron: any Neuron
        /// The activation of a spike of weight 1: one number, or one a channel.
        package var spike: [Float]
        /// The activation that a current of 1 stands for: one number, or one a channel.
        package var unit: [Float]
        /// The axis that channels lie along, as of a ``VoltageScaler``.
        package var axis = 1

        /// One activation's neurons.
        ///
        /// - Parameter unit: `nil` for that of a spike over θ, the current that takes.
        package init(neuron: any Neuron, spike: [Float], unit: [Float]? = nil) {
            self.neuron = neuron
            self.spike = spike
            self.unit = unit ?? spike.map { $0 / neuron.currentOfSpike[0] }
        }
    }

    /// By the activation's name.
    package var placements: [String: Placement]
    /// What the spiking graph says of itself.
    package var description: SpikingDescription

    /// Prepares to place neurons by the activations' names.
    package init(_ placements: [String: Placement], description: SpikingDescription) {
        self.placements = placements
        self.description = description
    }

    /// Prepares to place the same neurons everywhere.
    ///
    /// - Parameter scales: by the activation's name, that of a spike.
    package init(scales: [String: [Float]], neuron: any Neuron, description: SpikingDescription) {
        self.init(scales.mapValues { Placement(neuron: neuron, spike: $0) }, description: description)
    }

    /// The graph with a neuron in the place of each activation.
    package func run(_ graph: Graph) throws -> Graph {
        var patch = Patch()
        // An activation may read another one: it then reads what replaced it.
        var replacements: [String: String] = [:]
        var count = 0
        for node in graph.nodes {
            guard let placement = placements[node.name] else { continue }
            let names = (0..<3).map { tailorName(count, $0) }
            let input = replacements[node.inputs[0]] ?? node.inputs[0]
            let site = Site(
                activation: node.name, spike: placement.spike, axis: placement.axis,
                bound: node.operator.upperBound.flatMap { $0.isFinite ? $0 : nil })
            patch.insert(
                Node(names[0], .voltageScaler(VoltageScaler(scales: placement.unit.map { 1 / $0 }, axis: placement.axis)), inputs: [input]))
            patch.insert(Node(names[1], .neuron(NeuronNode(placement.neuron, site: site)), inputs: [names[0]]))
            patch.insert(Node(names[2], .voltageScaler(VoltageScaler(scales: placement.spike, axis: placement.axis)), inputs: [names[1]]))
            patch.remove(node)
            patch.redirect(node.outputs[0], to: names[2])
            replacements[node.outputs[0]] = names[2]
            count += 1
        }
        for node in graph.nodes {
            if case .voltageHook = node.operator { patch.remove(node) }
        }
        return try graph.applying(patch, spiking: description)
    }
}

/// The seed's names for what conversion inserts: grouped under `snn tailor`, by activation and place.
func tailorName(_ activation: Int, _ place: Int) -> String {
    "snn tailor.\(activation).\(place)"
}
