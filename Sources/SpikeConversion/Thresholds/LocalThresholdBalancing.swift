import SpikeGraph
import SpikeReference

/// Thresholds by local threshold balancing: all start at 0, and every portion of the data moves each of them by a step of gradient
/// descent on its own clipping error, θ ← θ + 2 · mean(max(0, x − θ)), while the network behind already reads min(x, θ).
///
/// Thresholds only grow, so that the number of steps, passes × portions of the data, is a parameter: more of them clip
/// less. A portion is 100 samples, however the data is batched (of a network of a fixed batch size, whole batches). Rounding is not
/// part of the objective. Source: Bu, Li & Yu, "Inference-Scale Complexity in ANN-SNN Conversion for
/// High-Performance and Low-Power Applications", CVPR 2025.
struct LocalThresholdBalancing {
    var passes: Int
    /// The names of the ReLUs that have one threshold a channel; the others have one.
    var perChannel: Set<String>

    /// - Returns: for each ReLU's name its thresholds; and the number of samples of a pass.
    func thresholds(of activations: [Node], in graph: Graph, data: any BatchSource) throws -> ([String: [Float]], samples: Int) {
        // A Clip behind each ReLU would need a bound a channel; clipping in the executor's own pass needs none.
        let names = Set(activations.map(\.name))
        let size = graph.fixedBatch.map { max($0, Self.portion - Self.portion % max(1, $0)) }
        let portion = size ?? Self.portion
        var layers: [String: Layer] = [:]
        let executor = ReferenceExecutor(graph)
        var samples = 0
        func step() {
            for name in names { layers[name]?.step() }
        }
        try data.forEach("balancing thresholds", passes: passes, portion: portion) { part in
            if part.start == 0, samples % portion != 0 { step() }
            _ = try executor.run(
                part.batch.inputs,
                rewrite: { node, output in
                    guard names.contains(node.name) else { return output }
                    return layers[node.name, default: Layer(output, isPerChannel: perChannel.contains(node.name))].clip(output)
                })
            samples = part.start + part.batch.count
            if samples % portion == 0 { step() }
        }
        if samples % portion != 0 { step() }
        return (layers.mapValues(\.thresholds), samples)
    }

    /// Samples of a step.
    private static let portion = 100

    /// The thresholds of one layer, and what a portion has shown of it so far.
    private struct Layer {
        var thresholds: [Float]
        private var excess: [Double]
        /// Activations of a channel.
        private var count = 0

        init(_ activations: Tensor, isPerChannel: Bool) {
            thresholds = [Float](repeating: 0, count: isPerChannel && activations.rank > 1 ? activations.shape[1] : 1)
            excess = thresholds.map(Double.init)
        }

        /// Takes in some samples' activations.
        ///
        /// - Returns: the same, clipped at the thresholds before this portion.
        mutating func clip(_ activations: Tensor) -> Tensor {
            var values = activations.floats
            let channels = thresholds.count
            let size = channels == 1 ? values.count : activations.shape.dropFirst(2).reduce(1, *)
            for index in values.indices {
                let channel = index / size % channels
                excess[channel] += Double(max(0, values[index] - thresholds[channel]))
                values[index] = min(values[index], thresholds[channel])
            }
            count += values.count / channels
            return Tensor(values, shape: activations.shape)
        }

        /// Moves the thresholds, at the end of a portion.
        mutating func step() {
            for channel in thresholds.indices { thresholds[channel] += Float(2 * excess[channel] / Double(count)) }
            excess = excess.map { _ in 0 }
            count = 0
        }
    }
}
