public import SpikeGraph

/// Makes every watched rectifier a spiking neuron.
///
/// Given: a graph with ``VoltageHook``s behind its rectifiers.
///
/// Result: each rectifier and its hook are replaced by `snn tailor.<k>.0` ``VoltageScaler``(1/s) → `.1` ``IFNode``(threshold 1,
/// soft reset, v₀ = 0) → `.2` ``VoltageScaler``(s), with the hook's scale s. A scale of 0 (nothing in the calibration data
/// made this layer active) becomes 1, with a warning.
public struct ReplaceByIFNode: Pass {
    public static let id = "replace-by-if-node"

    public init() {}

    public func run(_ graph: Graph) throws -> Graph {
        var patch = Patch()
        var warnings: [String] = []
        let producers = graph.producers
        // A rectifier may read another one: it then reads what replaced it.
        var replacements: [String: String] = [:]
        var count = 0
        for hookNode in graph.nodes {
            guard case .voltageHook(let hook) = hookNode.operator, let rectifier = producers[hookNode.inputs[0]] else { continue }
            var scale = hook.scale
            if hook.samplesTracked == 0 {
                warnings.append("'\(rectifier.name)' was not calibrated: its threshold is the hook's initial scale \(scale)")
            }
            if !(scale > 0) {
                warnings.append(
                    "'\(rectifier.name)' is dead: its largest activation on the calibration data is \(scale); its threshold is set to 1")
                scale = 1
            }
            let names = (0..<3).map { tailorName(count, $0) }
            let input = rectifier.inputs[0]
            patch.insert(Node(names[0], .voltageScaler(VoltageScaler(scale: 1 / scale)), inputs: [replacements[input] ?? input]))
            patch.insert(Node(names[1], .neuron(NeuronNode(IFNode(threshold: 1))), inputs: [names[0]]))
            patch.insert(Node(names[2], .voltageScaler(VoltageScaler(scale: scale)), inputs: [names[1]]))
            patch.remove(rectifier)
            patch.remove(hookNode)
            patch.redirect(rectifier.outputs[0], to: names[2])
            replacements[rectifier.outputs[0]] = names[2]
            count += 1
        }
        guard count > 0 else {
            throw SpikeletError(
                .notConvertible, "there is no VoltageHook in the network, so nothing says which rectifiers to replace",
                remedy: "call setVoltageHook first, and calibrate")
        }
        return try graph.applying(patch, spiking: SpikingDescription(recipe: Converter.recipe, warnings: warnings))
    }
}
