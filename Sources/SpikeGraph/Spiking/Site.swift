/// What a layer of placed neurons stands for, as conversion knew it.
public struct Site: Sendable, Hashable, Codable {
    /// The ANN's node that gave the activation, by the name of the user's module.
    public var activation: String
    /// The activation that a spike of weight 1 stands for, divided by T for rate codes: one number, or one a channel.
    public var spike: [Float]
    /// The axis that channels lie along, as of a ``VoltageScaler``.
    public var axis: Int
    /// The activation's own upper bound, such as 6 of a ReLU6, 0 of a quantiser of what is never positive; `nil`: none.
    public var bound: Float?

    /// What neurons in the place of an activation stand for.
    public init(activation: String, spike: [Float], axis: Int = 1, bound: Float? = nil) {
        self.activation = activation
        self.spike = spike
        self.axis = spike.count == 1 ? 1 : axis
        self.bound = bound
    }

    /// Throws where it does not fit neurons of `shape`, `[N, C, …]` or with channels along ``axis``.
    func check(_ shape: Shape) throws {
        guard spike.count == 1 || shape.hasChannels(spike.count, along: axis) else {
            throw SpikeletError(
                .invalidModel, "\(spike.count) activations of a spike for a value of shape \(shape), one or one a channel is needed")
        }
        guard spike.allSatisfy({ $0 > 0 && $0.isFinite }), bound.map({ $0 >= 0 && $0.isFinite }) ?? true else {
            throw SpikeletError(.invalidModel, "the activation of a spike is not a number above 0, or its bound none from 0 on")
        }
    }
}

extension Site {
    private enum CodingKeys: String, CodingKey { case activation, spike, axis, bound }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        activation = try container.decode(String.self, forKey: .activation)
        spike = try container.decode([Float].self, forKey: .spike)
        axis = try container.decodeIfPresent(Int.self, forKey: .axis) ?? 1
        bound = try container.decodeIfPresent(Float.self, forKey: .bound)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(activation, forKey: .activation)
        try container.encode(spike, forKey: .spike)
        if axis != 1 { try container.encode(axis, forKey: .axis) }
        try container.encodeIfPresent(bound, forKey: .bound)
    }
}

extension Node {
    /// What people call it: neurons by the activation that they stand for.
    package var label: String {
        if case .neuron(let neurons) = `operator`, let site = neurons.site { site.activation } else { name }
    }
}

extension Graph {
    /// The activation that a spike of weight 1 of a layer of neurons stands for: one number, or one a channel. Where no conversion
    /// says it, what the scalers behind the neurons say; 1 where there are none.
    package func spike(of node: Node) -> [Float] {
        if case .neuron(let neurons) = node.operator, let site = neurons.site { return site.spike }
        let scales = nodes.flatMap { reader -> [Float] in
            if case .voltageScaler(let scaler) = reader.operator, reader.inputs[0] == node.outputs[0] { scaler.scales } else { [] }
        }
        return scales.isEmpty ? [1] : scales
    }
}
