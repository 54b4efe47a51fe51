package import SpikeGraph

/// Makes every watched ReLU a spiking neuron.
///
/// Given: a graph with ``VoltageHook``s behind its ReLUs.
///
/// Result: each ReLU and its hook are replaced by an ``IFNode`` (threshold 1, soft reset, v₀ = 0) between two scalers of
/// the hook's scale (see ``PlaceNeurons``). A scale of 0 (nothing in the calibration data made this layer active) becomes 1,
/// with a warning.
package struct ReplaceByIFNode: Pass {
    package static let id = "replace-by-if-node"

    /// A pass without options.
    package init() {}

    /// The graph with scaler, neuron and scaler in the place of each hook.
    package func run(_ graph: Graph) throws -> Graph {
        var placements: [String: PlaceNeurons.Placement] = [:]
        var warnings: [String] = []
        let producers = graph.producers
        for node in graph.nodes {
            guard case .voltageHook(let hook) = node.operator, let activation = producers[node.inputs[0]] else { continue }
            if hook.samplesTracked == 0 {
                warnings.append("'\(activation.name)' was not calibrated: its threshold is the hook's initial scale \(hook.scale)")
            }
            let isDead = !(hook.scale > 0)
            if isDead { warnings.append(deadLayerWarning(activation.name, largest: hook.scale)) }
            placements[activation.name] = .init(neuron: IFNode(threshold: 1), spike: [isDead ? 1 : hook.scale])
        }
        guard !placements.isEmpty else {
            throw SpikeletError(
                .notConvertible, "there is no VoltageHook in the network, so nothing says which ReLUs to replace",
                remedy: "call `setVoltageHook` first, and calibrate")
        }
        let description = SpikingDescription(recipe: Converter.recipe, warnings: warnings)
        return try PlaceNeurons(placements, description: description).run(graph)
    }
}

func deadLayerWarning(_ name: String, largest: Float) -> String {
    "'\(name)' is dead: its largest activation on the calibration data is \(largest); its threshold is set to 1"
}
