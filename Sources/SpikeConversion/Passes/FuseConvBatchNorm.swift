package import SpikeGraph

/// Folds batch normalisation into the convolution in front of it.
///
/// Given: a `BatchNormalization` whose statistics are constants, reading a `Conv` whose weights are constants and whose
/// output nothing else reads.
///
/// Result: one `Conv` under the old name, with W' = W · γ/√(σ²+ε) and b' = (b − μ) · γ/√(σ²+ε) + β. Other normalisations
/// stay; they are affine, so that they convert as they are. Weights that several convolutions share are not changed in
/// place: each fused convolution gets its own.
package struct FuseConvBatchNorm: Pass {
    package static let id = "fuse-conv-batch-norm"

    /// A pass without options.
    package init() {}

    /// The graph with every pair fused that can be.
    package func run(_ graph: Graph) throws -> Graph {
        var patch = Patch()
        let producers = graph.producers
        let consumers = graph.consumers
        let shown = Set(graph.outputs.map(\.value))
        // What stands for the output of a normalisation that is folded already: the next convolution may read it.
        var folded: [String: String] = [:]
        for node in graph.nodes {
            guard case .batchNormalization(let normalization) = node.operator,
                let conv = producers[node.inputs[0]], case .conv = conv.operator,
                consumers[conv.outputs[0]]?.count == 1, !shown.contains(conv.outputs[0]),
                let weights = graph.constants[conv.inputs[1]]
            else { continue }
            let parameters = node.inputs.dropFirst().compactMap { graph.constants[$0]?.floats }
            let bias = conv.inputs.count > 2 ? graph.constants[conv.inputs[2]]?.floats : [Float](repeating: 0, count: weights.shape[0])
            guard parameters.count == 4, let bias else { continue }
            let (gamma, beta, mean, variance) = (parameters[0], parameters[1], parameters[2], parameters[3])

            // The order of the float32 operations is PyTorch's, so that the weights agree with the seed's to the last bit.
            let inverse = variance.map { 1 / ($0 + normalization.epsilon).squareRoot() }
            let size = weights.count / max(1, weights.shape[0])
            var scaled = weights.floats
            for index in scaled.indices { scaled[index] *= gamma[index / size] * inverse[index / size] }
            let shifted = bias.indices.map { (bias[$0] - mean[$0]) * inverse[$0] * gamma[$0] + beta[$0] }

            let weightName = graph.freshName("\(conv.name).fused.weight")
            let biasName = graph.freshName("\(conv.name).fused.bias")
            patch.setConstant(weightName, Tensor(scaled, shape: weights.shape))
            patch.setConstant(biasName, Tensor(shifted, shape: [shifted.count]))
            var fused = conv
            fused.inputs = [folded[conv.inputs[0]] ?? conv.inputs[0], weightName, biasName]
            folded[node.outputs[0]] = conv.outputs[0]
            patch.replace(fused)
            patch.remove(node)
            patch.redirect(node.outputs[0], to: conv.outputs[0])
        }
        return patch.isEmpty ? graph : try graph.applying(patch)
    }
}
