internal import SpikeGraph

extension OperatorSpec {
    static let linear: [OperatorSpec] = [
        OperatorSpec("Gemm", since: 7, inputs: 3...3, attributes: gemmAttributes, build: gemm),
        OperatorSpec("Gemm", since: 11, inputs: 2...3, attributes: gemmAttributes, build: gemm),
        OperatorSpec("MatMul", since: 1, inputs: 2...2) { try $0.emit(.matMul(MatMul()), [$0.input(0), $0.input(1)]) },
    ]

    static let normalization: [OperatorSpec] = [
        OperatorSpec(
            "BatchNormalization", since: 7, inputs: 5...5, outputs: 1...5,
            attributes: [.float("epsilon", 1e-5), .float("momentum", 0.9), .int("spatial", 1)], build: batchNormalization),
        OperatorSpec(
            "BatchNormalization", since: 9, inputs: 5...5, outputs: 1...5,
            attributes: [.float("epsilon", 1e-5), .float("momentum", 0.9)], build: batchNormalization),
        OperatorSpec(
            "BatchNormalization", since: 14, inputs: 5...5, outputs: 1...3,
            attributes: [.float("epsilon", 1e-5), .float("momentum", 0.9), .int("training_mode", 0)], build: batchNormalization),
    ]

    private static let gemmAttributes: [AttributeSpec] = [.float("alpha", 1), .float("beta", 1), .int("transA", 0), .int("transB", 0)]

    @Sendable private static func gemm(_ node: NodeContext) throws -> [Value] {
        let payload = Gemm(
            alpha: node.float("alpha") ?? 1, beta: node.float("beta") ?? 1, transposeA: node.flag("transA"), transposeB: node.flag("transB")
        )
        guard payload.alpha.isFinite, payload.beta.isFinite else {
            throw SpikeletError(.invalidModel, "alpha is \(payload.alpha) and beta \(payload.beta)")
        }
        return try node.emit(.gemm(payload), [try node.input(0), try node.input(1)] + [node.optionalInput(2)].compactMap { $0 })
    }

    @Sendable private static func batchNormalization(_ node: NodeContext) throws -> [Value] {
        let evaluation = "export the model in evaluation mode: model.eval() before torch.onnx.export"
        // Before opset 14 nothing but its outputs tells a training node.
        guard !node.flag("training_mode"), !node.usedOutputs.dropFirst().contains(true) else {
            throw SpikeletError(
                .unsupported, "it is in training mode: it would normalise with each batch's own statistics", remedy: evaluation)
        }
        guard node.int("spatial") != 0 else {
            throw SpikeletError(.unsupported, "spatial is 0: statistics for each place instead of each channel")
        }
        let epsilon = node.float("epsilon") ?? 1e-5
        guard epsilon.isFinite, epsilon >= 0 else { throw SpikeletError(.invalidModel, "epsilon is \(epsilon)") }
        return try node.emit(.batchNormalization(BatchNormalization(epsilon: epsilon)), node.allInputs())
    }
}
