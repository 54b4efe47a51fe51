/// Transposed convolution: each input place adds its kernel to the output,
/// y[n, o, p·stride + k·dilation − pad] += Σ_c w[c, o, k] · x[n, c, p], and b[o] once everywhere.
///
/// Inputs: x `[N, C, spatial…]`, w `[C, O/groups, kernel…]`, optionally b `[O]`. One to three spatial axes.
public struct ConvTranspose: OperatorPayload {
    package static let name = "ConvTranspose"
    /// Without `autoPad` and `ceilMode`: the importer knows the sizes.
    public var window: Window
    /// How many parts the channels fall into; each output reads from one of them.
    public var groups: Int
    /// Places behind the output's end, for each spatial axis.
    public var outputPadding: [Int]

    /// A transposed convolution.
    public init(window: Window, groups: Int = 1, outputPadding: [Int]? = nil) {
        self.window = window
        self.groups = groups
        self.outputPadding = outputPadding ?? window.kernel.map { _ in 0 }
    }

    package var arity: ClosedRange<Int> { 2...3 }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        try inputs.requireFloat()
        let (x, w) = (inputs[0].shape, inputs[1].shape)
        guard (1...3).contains(window.rank), window.autoPad == .notSet, !window.ceilMode else {
            throw SpikeletError(.unsupported, "a transposed convolution over \(window.rank) spatial axes; 1 to 3 are supported")
        }
        guard let weights = w.known, weights.count == window.rank + 2, Array(weights[2...]) == window.kernel else {
            throw SpikeletError(.invalidModel, "weights of shape \(w) for a kernel \(window.kernel)")
        }
        guard x.rank == window.rank + 2, let channels = x[1].known, groups >= 1, channels % groups == 0, weights[0] == channels,
            weights[1] < 1 << 31, groups < 1 << 31
        else {
            throw SpikeletError(.invalidModel, "weights of shape \(w) in \(groups) groups do not fit an input of shape \(x)")
        }
        try inputs.requireBias(at: 2, channels: weights[1] * groups)
        let spatial = x.dimensions.dropFirst(2).compactMap(\.known)
        guard spatial.count == window.rank else {
            throw SpikeletError(
                .unsupported, "the spatial sizes of \(x) are open",
                remedy: "export the model with fixed image sizes; only the batch may stay open"
            )
        }
        return [ValueType(.float32, Shape([x[0], Dimension(weights[1] * groups)] + (try outputSizes(spatial)).map { Dimension($0) }))]
    }

    /// The spatial sizes of the output.
    ///
    /// - Parameter input: the spatial sizes of the input.
    /// - Throws: where they are no sizes, or nothing would be left.
    public func outputSizes(_ input: [Int]) throws -> [Int] {
        let misfit = SpikeletError(
            .invalidModel, "a transposed convolution (\(summary)) over an input of spatial sizes \(input)")
        guard input.count == window.rank, outputPadding.count == window.rank, window.strides.count == window.rank,
            window.dilations.count == window.rank, window.padsBegin.count == window.rank, window.padsEnd.count == window.rank,
            (window.kernel + window.strides + window.dilations + input).allSatisfy({ $0 >= 1 && $0 < 1 << 30 }),
            (window.padsBegin + window.padsEnd + outputPadding).allSatisfy({ $0 >= 0 && $0 < 1 << 30 })
        else { throw misfit }
        return try input.indices.map { axis in
            let extent = (window.kernel[axis] - 1) * window.dilations[axis] + 1
            let size =
                window.strides[axis] * (input[axis] - 1) + outputPadding[axis] + extent - window.padsBegin[axis] - window.padsEnd[axis]
            guard size >= 1 else { throw misfit }
            return size
        }
    }

    package func linearity(isConstant: [Bool]) -> Linearity {
        guard isConstant.dropFirst().allSatisfy({ $0 }) else { return .nonlinear }
        return isConstant.count > 2 ? .affine : .linear
    }

    package var additiveInputs: [Int] { [2] }

    package var summary: String {
        window.summary + (groups > 1 ? ", groups \(groups)" : "")
            + (outputPadding.contains { $0 != 0 } ? ", output padding \(outputPadding)" : "")
    }
}
