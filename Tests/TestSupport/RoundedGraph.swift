package import SpikeGraph

extension Graph {
    /// The network of numbers that a network of digits is to equal: neurons round, and maxima are those of numbers.
    ///
    /// - Parameter endlessly: neurons have as many digits as it takes: what comes is sent, or what of it is above 0.
    package func rounded(endlessly: Bool = false) throws -> Graph {
        var nodes: [Node] = []
        var constants = constants
        constants["half"] = Tensor(scalar: 0.5)
        for node in self.nodes {
            func add(_ part: String, _ operator: SpikeGraph.Operator, _ inputs: String...) -> String {
                nodes.append(Node("\(node.name)/\(part)", `operator`, inputs: inputs))
                return "\(node.name)/\(part)"
            }
            switch node.operator {
            case .neuron(let neurons) where endlessly:
                let least: Float = neurons.neuron is DigitNeuron ? -.infinity : 0
                nodes.append(Node(node.name, .clip(Clip(minimum: least, maximum: .infinity)), inputs: node.inputs, outputs: node.outputs))
            case .neuron(let neurons):
                let digits = (neurons.neuron as? DigitNeuron)?.digits ?? (neurons.neuron as? RadixNeuron)?.digits ?? 0
                let magnitude =
                    neurons.neuron is DigitNeuron ? add("magnitude", .unary(Unary(.abs)), node.inputs[0]) : node.inputs[0]
                let floor = add("floor", .floor(Floor()), add("moved", .add(Add()), magnitude, "half"))
                let number = add("number", .clip(Clip(minimum: 0, maximum: Float(1 << digits) - 1)), floor)
                let sign = add("sign", .unary(Unary(.sign)), node.inputs[0])
                nodes.append(
                    neurons.neuron is DigitNeuron
                        ? Node(node.name, .mul(Mul()), inputs: [number, sign], outputs: node.outputs)
                        : Node(node.name, .identity(Identity()), inputs: [number], outputs: node.outputs))
            case .runningMaximumPool(let pool):
                nodes.append(Node(node.name, .maxPool(MaxPool(window: pool.window)), inputs: node.inputs, outputs: node.outputs))
            default: nodes.append(node)
            }
        }
        return try Graph(name: name, inputs: inputs, outputs: outputs, nodes: nodes, constants: constants)
    }
}
