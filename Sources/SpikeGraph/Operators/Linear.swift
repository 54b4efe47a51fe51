/// y = α · A' · B' + β · C, where ' transposes on demand. A `[M, K]`, B `[K, N]`, C broadcasts to `[M, N]` and may be absent.
public struct Gemm: OperatorPayload {
    package static let name = "Gemm"
    /// What the product is multiplied with.
    public var alpha: Float
    /// What the bias is multiplied with.
    public var beta: Float
    /// Whether the first matrix is transposed.
    public var transposeA: Bool
    /// Whether the second matrix is transposed.
    public var transposeB: Bool

    /// α·A·B + β·C.
    public init(alpha: Float = 1, beta: Float = 1, transposeA: Bool = false, transposeB: Bool = false) {
        self.alpha = alpha
        self.beta = beta
        self.transposeA = transposeA
        self.transposeB = transposeB
    }

    package var arity: ClosedRange<Int> { 2...3 }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        try inputs.requireFloat()
        let (a, b) = (inputs[0].shape, inputs[1].shape)
        guard a.rank == 2, b.rank == 2, (transposeA ? a[0] : a[1]) == (transposeB ? b[1] : b[0]) else {
            throw SpikeletError(
                .invalidModel,
                "matrices \(a)\(transposeA ? " (transposed)" : "") and \(b)\(transposeB ? " (transposed)" : "") cannot be multiplied")
        }
        let output = Shape([transposeA ? a[1] : a[0], transposeB ? b[0] : b[1]])
        if inputs.count > 2, try output.broadcast(with: inputs[2].shape) != output {
            throw SpikeletError(.invalidModel, "a bias of shape \(inputs[2].shape) for an output of shape \(output)")
        }
        return [ValueType(.float32, output)]
    }

    package func linearity(isConstant: [Bool]) -> Linearity {
        let dynamic = isConstant.prefix(2).filter { !$0 }.count
        if dynamic > 1 { return .nonlinear }
        // Of a sum of a constant and an activation, either may be the constant: the product or C.
        return isConstant.count > 2 && (dynamic == 0 || isConstant[2]) ? .affine : .linear
    }

    package var additiveInputs: [Int] { [2] }

    package var summary: String {
        var parts: [String] = []
        if alpha != 1 { parts.append("alpha \(alpha)") }
        if beta != 1 { parts.append("beta \(beta)") }
        if transposeA { parts.append("transposed A") }
        if transposeB { parts.append("transposed B") }
        return parts.joined(separator: ", ")
    }
}

/// NumPy's `matmul`: the last two axes are matrices, those before them broadcast, vectors are promoted.
public struct MatMul: OperatorPayload {
    package static let name = "MatMul"

    /// An operator without attributes.
    public init() {}

    package var arity: ClosedRange<Int> { 2...2 }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        try inputs.requireFloat()
        let (a, b) = (inputs[0].shape, inputs[1].shape)
        guard a.rank >= 1, b.rank >= 1, a.dimensions.last == b[max(0, b.rank - 2)] else {
            throw SpikeletError(.invalidModel, "matrices \(a) and \(b) cannot be multiplied")
        }
        var output = try Shape(Array(a.dimensions.dropLast(2))).broadcast(with: Shape(Array(b.dimensions.dropLast(2))))
        if a.rank > 1 { output.dimensions.append(a[a.rank - 2]) }
        if b.rank > 1 { output.dimensions.append(b[b.rank - 1]) }
        return [ValueType(.float32, output)]
    }

    package func linearity(isConstant: [Bool]) -> Linearity {
        isConstant.contains(true) ? .linear : .nonlinear
    }
}
