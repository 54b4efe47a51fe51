internal import SpikeGraph

extension OperatorSpec {
    static let linear: [OperatorSpec] = [
        OperatorSpec("Gemm", since: 6, inputs: 3...3, attributes: gemmAttributes + [.int("broadcast", 0)], build: gemm),
        OperatorSpec("Gemm", since: 7, inputs: 3...3, attributes: gemmAttributes, build: gemm),
        OperatorSpec("Gemm", since: 11, inputs: 2...3, attributes: gemmAttributes, build: gemm),
        OperatorSpec("MatMul", since: 1, inputs: 2...2) { try $0.emit(.matMul(MatMul()), [$0.input(0), $0.input(1)]) },
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
}
