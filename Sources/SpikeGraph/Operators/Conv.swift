/// Convolution (cross-correlation): y[n, o, p] = b[o] + Σ_{c, k} w[o, c, k] · x[n, c + group offset, p·stride + k·dilation − pad].
///
/// Inputs: x `[N, C, spatial…]`, w `[O, C/groups, kernel…]`, optionally b `[O]`. One to three spatial axes.
public struct Conv: OperatorPayload {
    package static let name = "Conv"
    /// Kernel, strides, padding and dilations.
    public var window: Window
    /// How many parts the channels fall into; each output reads from one of them.
    public var groups: Int

    /// A convolution over one to three axes.
    public init(window: Window, groups: Int = 1) {
        self.window = window
        self.groups = groups
    }

    package var arity: ClosedRange<Int> { 2...3 }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        try inputs.requireFloat()
        let (x, w) = (inputs[0].shape, inputs[1].shape)
        guard (1...3).contains(window.rank) else {
            throw SpikeletError(.unsupported, "a convolution over \(window.rank) spatial axes; 1 to 3 are supported")
        }
        guard let weights = w.known, weights.count == window.rank + 2, Array(weights[2...]) == window.kernel else {
            throw SpikeletError(.invalidModel, "weights of shape \(w) for a kernel \(window.kernel)")
        }
        guard x.rank >= 2, let channels = x[1].known, groups >= 1, channels % groups == 0, channels / groups == weights[1],
            weights[0] % groups == 0
        else {
            throw SpikeletError(.invalidModel, "weights of shape \(w) in \(groups) groups do not fit an input of shape \(x)")
        }
        try inputs.requireBias(at: 2, channels: weights[0])
        return [ValueType(.float32, try window.outputShape(x, channels: Dimension(weights[0])))]
    }

    package func linearity(isConstant: [Bool]) -> Linearity {
        guard isConstant.dropFirst().allSatisfy({ $0 }) else { return .nonlinear }
        return isConstant.count > 2 ? .affine : .linear
    }

    package var additiveInputs: [Int] { [2] }

    package var summary: String { window.summary + (groups > 1 ? ", groups \(groups)" : "") }
}

extension [ValueType] {
    /// All of them are float32.
    func requireFloat() throws {
        for (position, type) in enumerated() where type.elementType != .float32 {
            throw SpikeletError(.unsupported, "input \(position) is \(type), float32 is needed")
        }
    }

    /// An optional bias `[channels]` at `position`.
    func requireBias(at position: Int, channels: Int) throws {
        guard count > position, self[position].shape != [Dimension(channels)] else { return }
        throw SpikeletError(.invalidModel, "a bias of shape \(self[position].shape) for \(channels) output channels")
    }
}
