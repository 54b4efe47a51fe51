import SpikeGraph
import SpikeReference

/// What one spike is worth at every value of a spiking network that still is spikes: the numbers that scalers behind the
/// neurons multiply them with. Folded into the weights that read them, they leave 0 and 1.
///
/// Scalers, running maxima and operators that only move values keep spikes apart. Sums of branches and average pools make
/// graded values of them. What constants would make of them is for ``SeparateConstants``.
struct SpikeUnits {
    private var units: [String: Tensor] = [:]

    init(_ graph: Graph) {
        for node in graph.nodes {
            if case .neuron = node.operator, let shape = graph.countedShape(of: node.outputs[0]) {
                units[node.outputs[0]] = Tensor(repeating: 1, shape: shape)
            } else if Self.keepsSpikes(node.operator) {
                let operands = node.inputs.compactMap { units[$0] ?? graph.constants[$0] }
                guard operands.count == node.inputs.count, node.inputs.contains(where: { units[$0] != nil }) else { continue }
                units[node.outputs[0]] = try? ReferenceExecutor.evaluate(node.operator, operands, batch: graph.countedBatch)[0]
            }
        }
    }

    /// For each element of a value at ``Graph/countedBatch`` samples; `nil` where it is graded.
    subscript(value: String) -> [Float]? { units[value]?.floats }

    private static func keepsSpikes(_ operator: Operator) -> Bool {
        switch `operator` {
        case .voltageScaler, .mul, .runningMaximumPool, .concat, .dropout, .expand, .flatten, .gather, .identity, .pad, .reshape, .slice,
            .tile,
            .transpose:
            true
        default: false
        }
    }
}
