/// y = scale · x: puts a current into units of the threshold in front of a neuron, and spikes back into units of
/// activation behind it. One scale for all, or one for each channel (axis 1).
public struct VoltageScaler: OperatorPayload {
    package static let name = "VoltageScaler"
    /// One number, or one for each channel.
    public var scales: [Float]

    /// A scaler with one number for everything.
    public init(scale: Float = 1) {
        self.scales = [scale]
    }

    /// - Parameter scales: one for each channel.
    public init(scales: [Float]) {
        self.scales = scales
    }

    /// Scales a tensor `[N, C, …]`.
    ///
    /// - Throws: where the channels are not as many as the scales.
    public func callAsFunction(_ x: Tensor) throws -> Tensor {
        _ = try outputTypes([ValueType(x)], constants: [nil])
        if scales.count == 1 { return x.map { [scale = scales[0]] in $0 * scale } }
        var values = x.floats
        let size = x.shape.dropFirst(2).reduce(1, *)
        for row in 0..<(size == 0 ? 0 : values.count / size) {
            let scale = scales[row % scales.count]
            for index in row * size..<(row + 1) * size { values[index] *= scale }
        }
        return Tensor(values, shape: x.shape)
    }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        let shape = inputs[0].shape
        guard scales.count == 1 || shape.rank >= 2 && shape[1] == Dimension(scales.count) else {
            throw SpikeletError(.invalidModel, "\(scales.count) scales for a value of shape \(shape), one or one a channel is needed")
        }
        return try unaryType(inputs)
    }

    package func linearity(isConstant: [Bool]) -> Linearity { .linear }

    package var summary: String {
        guard let least = scales.min(), let most = scales.max() else { return "" }
        return scales.count == 1 ? "scale \(least)" : "scales \(least)…\(most)"
    }
}
