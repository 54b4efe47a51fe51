import SpikeGraph

/// What the profile `spikelet` does otherwise: every product and every sum stays one, in the network's own order, so that
/// nothing is rounded that the network does not round.
extension NIRFolding {
    /// Products and sums in the network's own order: a scale of a scale, or of a sum, is a node of its own.
    mutating func exactly(_ value: FoldedValue, scaledBy factors: [Float], _ node: Node) -> FoldedValue {
        let value = plain(value, for: node.name)
        if value.terms.count == 1 { return value.scaled(by: factors) }
        return scaled(value, by: factors.count == 1 ? [Float](repeating: factors[0], count: value.channels) : factors, node)
    }

    /// The same value, of one node.
    mutating func single(_ value: FoldedValue, _ node: Node) -> FoldedValue {
        let value = plain(value, for: node.name)
        return value.terms.count == 1 ? value : scaled(value, by: [Float](repeating: 1, count: value.channels), node)
    }

    /// A node that scales the sum of all terms.
    private mutating func scaled(_ value: FoldedValue, by scale: [Float], _ node: Node) -> FoldedValue {
        let name = scaleNode(reading: materialize(value, for: node.name), by: scale, shape: value.shape, base: node.name)
        return FoldedValue(
            terms: [.init(node: name, shape: value.shape, scale: [Float](repeating: 1, count: value.channels))], shape: value.shape,
            most: value.scaled(by: scale).most, postponed: value.postponed, phases: value.phases)
    }

    /// A convolution as it is.
    mutating func keep(_ value: FoldedValue, _ conv: Conv, weight: Tensor, bias: Tensor?, padding: [Int], _ node: Node)
        -> FoldedValue
    {
        let name = add(
            .convolution(
                NIRConvolution(
                    weight: weight, bias: bias ?? Tensor(repeating: 0, shape: [weight.shape[0]]),
                    inputShape: Array(value.shape.dropFirst()),
                    stride: conv.window.strides, padding: padding, dilation: conv.window.dilations, groups: conv.groups)),
            named: node.name)
        connect(materialize(value, for: node.name), to: name)
        let shape = sampleShape(node.outputs[0]) ?? [weight.shape[0]]
        return FoldedValue(terms: [.init(node: name, shape: shape, scale: [Float](repeating: 1, count: shape[0]))], shape: shape)
    }
}
