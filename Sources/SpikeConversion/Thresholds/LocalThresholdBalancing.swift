import SpikeGraph
import SpikeReference

/// Thresholds by local threshold balancing: all start at 0, and every batch moves each of them by a step of gradient descent
/// on its own clipping error, θ ← θ + 2 · mean(max(0, x − θ)), while the network behind already reads min(x, θ).
///
/// Thresholds only grow, so that the number of batches, passes × batches of the data, is a parameter: more of them clip
/// less. Rounding is not part of the objective. Source: Bu, Li & Yu, "Inference-Scale Complexity in ANN-SNN Conversion for
/// High-Performance and Low-Power Applications", CVPR 2025.
struct LocalThresholdBalancing {
    var passes: Int
    var isPerChannel: Bool

    /// - Returns: for each rectifier's name its thresholds; and the number of samples of a pass.
    func thresholds(of rectifiers: [Node], in graph: Graph, data: any BatchSource) throws -> ([String: [Float]], samples: Int) {
        // A Clip behind each rectifier would need a bound a channel; clipping in the executor's own pass needs none.
        let names = Set(rectifiers.map(\.name))
        var thresholds: [String: [Float]] = [:]
        let bar = ProgressBar("balancing thresholds", total: data.batchCount.map { $0 * passes }, unit: "batches")
        defer { bar.finish() }
        let executor = ReferenceExecutor(graph)
        var samples = 0
        for _ in 0..<passes {
            samples = 0
            var pass = try data.makePass()
            while let batch = try pass.next() {
                var next = thresholds
                _ = try executor.run(
                    batch.inputs,
                    rewrite: { node, output in
                        guard names.contains(node.name) else { return output }
                        let (moved, clipped) = step(output, from: next[node.name])
                        next[node.name] = moved
                        return clipped
                    })
                thresholds = next
                samples += batch.count
                bar.advance()
            }
        }
        guard samples > 0 else {
            throw SpikeletError(
                .invalidData, "the calibration data holds no sample", remedy: "give at least one sample; some hundred are usual")
        }
        return (thresholds, samples)
    }

    /// One batch of one layer: the thresholds after it, and the activations clipped at those before.
    private func step(_ activations: Tensor, from thresholds: [Float]?) -> (moved: [Float], clipped: Tensor) {
        let channels = isPerChannel && activations.rank > 1 ? activations.shape[1] : 1
        var moved = thresholds ?? [Float](repeating: 0, count: channels)
        let before = moved
        var values = activations.floats
        let size = channels == 1 ? values.count : activations.shape.dropFirst(2).reduce(1, *)
        var excess = [Double](repeating: 0, count: channels)
        for index in values.indices {
            let channel = index / size % channels
            excess[channel] += Double(max(0, values[index] - before[channel]))
            values[index] = min(values[index], before[channel])
        }
        let count = Double(values.count / channels)
        for channel in 0..<channels { moved[channel] += Float(2 * excess[channel] / count) }
        return (moved, Tensor(values, shape: activations.shape))
    }
}
