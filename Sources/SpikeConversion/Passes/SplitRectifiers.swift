package import SpikeGraph

/// Makes two ReLUs of an activation that has a slope on either side of zero, for which one layer of neurons cannot stand: spikes of one
/// sign say what is above zero, those of the other layer what is below.
///
/// Given: an ANN.
///
/// Result: the same function. Of each LeakyReLU, and of each PReLU of constant slopes a, there are `relu(x)`, under the name of the
/// activation and `.positive`, and `relu(−x)`, `.negative`; their sum with weights 1 and −a has the activation's name.
package struct SplitRectifiers: Pass {
    package static let id = "split-rectifiers"

    /// A pass without options.
    package init() {}

    /// The graph without slopes below zero.
    package func run(_ graph: Graph) throws -> Graph {
        var patch = Patch()
        for node in graph.nodes {
            guard let slopes = Self.slopes(of: node, in: graph), let rank = graph.types[node.outputs[0]]?.shape.rank else { continue }
            func name(_ part: String) -> String { graph.freshName("\(node.name).\(part)") }
            let positive = Node(name("positive"), .relu(Relu()), inputs: [node.inputs[0]])
            let mirrored = Node(name("mirrored"), .voltageScaler(VoltageScaler(scales: [-1])), inputs: [node.inputs[0]])
            let negative = Node(name("negative"), .relu(Relu()), inputs: mirrored.outputs)
            var weighted: Node
            if let scales = slopes.perChannel(rank: rank) {
                weighted = Node(name("weighted"), .voltageScaler(VoltageScaler(scales: scales.map { -$0 })), inputs: negative.outputs)
            } else {
                let constant = name("slopes")
                patch.setConstant(constant, slopes.map { -$0 })
                weighted = Node(name("weighted"), .mul(Mul()), inputs: negative.outputs + [constant])
            }
            for part in [positive, mirrored, negative, weighted] { patch.insert(part) }
            patch.replace(Node(node.name, .add(Add()), inputs: positive.outputs + weighted.outputs, outputs: node.outputs))
        }
        return patch.isEmpty ? graph : try graph.applying(patch)
    }

    /// What x is multiplied with below zero, where that is all the node does and neurons cannot; else `nil`.
    static func slopes(of node: Node, in graph: Graph) -> Tensor? {
        switch node.operator {
        case .unary(let unary) where unary.function == .leakyRelu: Tensor(unary.parameters, shape: [1])
        case .binary(let binary) where binary.function == .parametricRelu:
            graph.constants[node.inputs[1]].flatMap { $0.elementType == .float32 ? $0 : nil }
        default: nil
        }
    }
}

extension Graph {
    /// Whether a node becomes neurons: a ReLU, bounded or rounded or not, or what ``SplitRectifiers`` makes two of.
    func becomesNeurons(_ node: Node) -> Bool {
        linearity(of: node) == .activation || SplitRectifiers.slopes(of: node, in: self) != nil
    }
}

extension Tensor {
    /// One number, or one a channel (axis 1) of a value of this rank; `nil` where they differ along other axes.
    fileprivate func perChannel(rank: Int) -> [Float]? {
        if count == 1 { return floats }
        let sizes = [Int](repeating: 1, count: max(0, rank - shape.count)) + shape
        guard sizes.count == rank, rank > 1, sizes.indices.allSatisfy({ $0 == 1 || sizes[$0] == 1 }) else { return nil }
        return floats
    }
}
