/// y = scale · x: puts a current into units of the threshold in front of a neuron, and spikes back into units of
/// activation behind it. One scale for all, or one for each channel.
public struct VoltageScaler: OperatorPayload {
    package static let name = "VoltageScaler"
    /// One number, or one for each channel.
    public var scales: [Float]
    /// The axis that channels lie along: 1 of `[N, C, …]`; −1, the last, of tokens `[N, …, C]`. Of one scale it is 1.
    public var axis: Int

    /// A scaler with one number for everything.
    public init(scale: Float = 1) {
        self.init(scales: [scale])
    }

    /// - Parameters:
    ///   - scales: one for each channel.
    ///   - axis: the one that channels lie along; a negative one counts from the end.
    public init(scales: [Float], axis: Int = 1) {
        self.scales = scales
        self.axis = scales.count == 1 ? 1 : axis
    }

    /// Scales a tensor `[N, C, …]`, or one whose channels lie along ``axis``.
    ///
    /// - Throws: where the channels are not as many as the scales.
    public func callAsFunction(_ x: Tensor) throws -> Tensor {
        _ = try outputTypes([ValueType(x)], constants: [nil])
        if scales.count == 1 { return x.map { [scale = scales[0]] in $0 * scale } }
        var values = x.floats
        let size = x.shape.dropFirst(try Shape.axis(axis, rank: x.rank) + 1).reduce(1, *)
        for row in 0..<(size == 0 ? 0 : values.count / size) {
            let scale = scales[row % scales.count]
            for index in row * size..<(row + 1) * size { values[index] *= scale }
        }
        return Tensor(values, shape: x.shape)
    }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        let shape = inputs[0].shape
        guard scales.count == 1 || shape.hasChannels(scales.count, along: axis) else {
            throw SpikeletError(
                .invalidModel, "\(scales.count) scales for a value of shape \(shape), one or one a channel\(suffix) is needed")
        }
        return try unaryType(inputs)
    }

    package func linearity(isConstant: [Bool]) -> Linearity { .linear }

    package var summary: String {
        guard let least = scales.min(), let most = scales.max() else { return "" }
        return scales.count == 1 ? "scale \(least)" : "scales \(least)…\(most)\(suffix)"
    }

    private var suffix: String { axis == 1 ? "" : " along axis \(axis)" }
}

extension VoltageScaler {
    private enum CodingKeys: String, CodingKey { case scales, axis }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        scales = try container.decode([Float].self, forKey: .scales)
        axis = try container.decodeIfPresent(Int.self, forKey: .axis) ?? 1
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(scales, forKey: .scales)
        // Files of channels along axis 1 are as they have always been.
        if axis != 1 { try container.encode(axis, forKey: .axis) }
    }
}

extension Shape {
    /// Whether so many channels lie along an axis behind the first; a negative one counts from the end.
    package func hasChannels(_ count: Int, along axis: Int) -> Bool {
        guard let axis = try? Shape.axis(axis, rank: rank), axis >= 1 else { return false }
        return self[axis] == Dimension(count)
    }
}
