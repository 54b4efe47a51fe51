package import SpikeGraph

/// Puts a ``VoltageHook`` behind every ReLU.
///
/// Given: an ANN.
///
/// Result: for the k-th ReLU (`Relu`, or `Clip` from 0) a node `snn tailor.<k>.0` that watches its output. Nothing reads
/// the hooks, so that the network computes what it did.
package struct SetVoltageHooks: Pass {
    package static let id = "set-voltage-hooks"
    private let hook: VoltageHook

    /// - Throws: for a mode or a momentum outside its range.
    package init(mode: VoltageHook.Mode, momentum: Float) throws {
        hook = try VoltageHook(momentum: momentum, mode: mode)
    }

    /// The graph with a hook behind each ReLU.
    package func run(_ graph: Graph) throws -> Graph {
        var patch = Patch()
        let activations = graph.nodes.filter { graph.linearity(of: $0) == .activation }
        for (k, activation) in activations.enumerated() {
            patch.insert(Node(tailorName(k, 0), .voltageHook(hook), inputs: [activation.outputs[0]]))
        }
        return try graph.applying(patch)
    }
}
