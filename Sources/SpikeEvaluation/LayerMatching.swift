import SpikeConversion
import SpikeGraph

/// Which neurons of a spiking network stand for which rectifiers of its ANN.
///
/// Conversion keeps the names of all nodes but the rectifiers and the batch normalisations it folds. So a layer of neurons is
/// found by what it reads: walking back from it over nodes that the ANN does not have (scalers, bias corrections) ends at a
/// value that the ANN has too, and that the rectifier reads there.
struct LayerMatching: Sendable {
    /// A layer of neurons.
    struct Layer: Sendable {
        /// The neurons' node in the spiking network.
        var node: Node
        var neuron: any Neuron
        /// What it replaced in the ANN.
        var rectifier: Node
        /// The activation that one spike of weight 1 stands for: one number, or one a channel.
        var scales: [Float]
    }

    /// The ANN in the form that was matched: as it came, or with batch normalisations folded.
    let ann: Graph
    /// In the spiking network's order.
    let layers: [Layer]

    /// - Throws: ``SpikeletError`` where a layer has no counterpart: the spiking network was not made from this ANN.
    init(snn: Graph, ann: Graph) throws {
        let folded = try FuseConvBatchNorm().run(ann)
        for candidate in [folded, ann] {
            if let layers = try? Self.match(snn, candidate) {
                self.ann = candidate
                self.layers = layers
                return
            }
        }
        // The same again for its error.
        self.layers = try Self.match(snn, folded)
        self.ann = folded
    }

    private static func match(_ snn: Graph, _ ann: Graph) throws -> [Layer] {
        var rectifiers = ann.nodes.filter { ann.linearity(of: $0) == .rectifier }
        let (producers, consumers) = (snn.producers, snn.consumers)
        // For what stands in place of a rectifier's output the ANN's name of it, where a rectifier reads another.
        var originals: [String: String] = [:]
        return try snn.nodes.compactMap { node -> Layer? in
            guard case .neuron(let neuronNode) = node.operator else { return nil }
            var value = node.inputs[0]
            while ann.types[value] == nil, let producer = producers[value] {
                if let original = originals[value] {
                    value = original
                    break
                }
                guard let next = producer.inputs.first(where: { snn.constants[$0] == nil }) else { break }
                value = next
            }
            let position = rectifiers.firstIndex { rectifier in
                rectifier.inputs[0] == value && ann.types[rectifier.outputs[0]]?.shape == snn.types[node.outputs[0]]?.shape
            }
            guard let position else {
                throw SpikeletError(
                    .invalidData, "the neurons '\(node.name)' have no counterpart in the ANN '\(ann.name)'",
                    remedy: "give the model that the spiking network was converted from")
            }
            let rectifier = rectifiers.remove(at: position)
            let scaler = (consumers[node.outputs[0]] ?? []).lazy.compactMap { reader -> (Node, [Float])? in
                if case .voltageScaler(let scaler) = reader.operator { (reader, scaler.scales) } else { nil }
            }.first
            originals[scaler?.0.outputs[0] ?? node.outputs[0]] = rectifier.outputs[0]
            return Layer(node: node, neuron: neuronNode.neuron, rectifier: rectifier, scales: scaler?.1 ?? [1])
        }
    }
}
