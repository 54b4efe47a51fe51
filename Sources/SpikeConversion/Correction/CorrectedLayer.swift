import SpikeGraph
import SpikeReference

/// A layer with other weights and biases.
struct CorrectedLayer {
    private let node: Node
    /// What adds the biases, where the layer has none itself: the sum behind a product of matrices, of one or of the correction's own.
    private let sum: Node?
    private let weights: (name: String, tensor: Tensor)
    private let bias: (name: String, tensor: Tensor)
    /// What is added to the output of the layer as it was, to be what the sum behind it is to read.
    private let change: Tensor

    private static let endings = [".corrected.weight", ".corrected.bias"]

    /// Whether a constant of this name is corrected weights or biases.
    static func isName(_ name: String) -> Bool { endings.contains { name.hasSuffix($0) } }

    init(_ layer: WeightedLayer, _ changes: [ColumnSums.Change?], in snn: Graph, readers: [String: [Node]]) {
        var (matrix, biases) = (layer.matrix, [Float](repeating: 0, count: layer.groups * layer.outputs))
        for (group, change) in changes.enumerated() {
            guard let change else { continue }
            let first = group * layer.outputs
            for (index, weight) in change.weights.enumerated() {
                let at = first * layer.inputs + index
                matrix[at] = Float(Double(matrix[at]) + weight)
            }
            for (index, bias) in change.biases.enumerated() { biases[first + index] = Float(bias) }
        }
        var node = layer.node
        weights = (snn.freshName("\(node.name)\(Self.endings[0])"), layer.tensor(matrix))
        change = Tensor(biases, shape: [biases.count])
        let biasName = snn.freshName("\(node.name)\(Self.endings[1])")
        node.inputs[1] = weights.name
        if case .matMul = node.operator {
            if let (sum, position, before) = Self.bias(behind: node, biases.count, in: snn, readers: readers) {
                var sum = sum
                sum.inputs[position] = biasName
                bias = (biasName, Tensor(zip(before.floats, biases).map { $0 + $1 }, shape: before.shape))
                self.sum = sum
            } else {
                let (product, output) = (snn.freshName("\(node.name).corrected"), node.outputs[0])
                node.outputs = [product]
                bias = (biasName, change)
                sum = Node(product, .add(Add()), inputs: [product, biasName], outputs: [output])
            }
        } else {
            let before = node.inputs.count > 2 ? snn.constants[node.inputs[2]]?.floats ?? [] : []
            let spread = before.count == biases.count ? before : [Float](repeating: before.first ?? 0, count: biases.count)
            bias = (biasName, Tensor(zip(spread, biases).map { $0 + $1 }, shape: [biases.count]))
            node.inputs = [node.inputs[0], weights.name, biasName]
            sum = nil
        }
        self.node = node
    }

    /// The sum that alone reads a product, and whose other operand is a constant number for each output.
    private static func bias(
        behind product: Node, _ outputs: Int, in snn: Graph, readers: [String: [Node]]
    ) -> (node: Node, position: Int, before: Tensor)? {
        let value = product.outputs[0]
        guard let reader = readers[value], reader.count == 1, case .add = reader[0].operator,
            !snn.outputs.contains(where: { $0.value == value }),
            let position = reader[0].inputs.firstIndex(where: { $0 != value }), let before = snn.constants[reader[0].inputs[position]],
            before.elementType == .float32, before.count == outputs, before.shape.last == outputs
        else { return nil }
        return (reader[0], position, before)
    }

    func add(to patch: inout Patch) {
        patch.setConstant(weights.name, weights.tensor)
        patch.setConstant(bias.name, bias.tensor)
        patch.replace(node)
        guard let sum else { return }
        if node.outputs[0] == sum.name { patch.insert(sum) } else { patch.replace(sum) }
    }

    /// What stands in place of the layer's output where everything behind it is still as it was.
    func output(_ input: Tensor, batch: Int?) throws -> Tensor {
        let operands = [input, weights.tensor] + (sum == nil ? [bias.tensor] : [])
        let product = try ReferenceExecutor.evaluate(node.operator, operands, batch: batch)[0]
        return sum == nil ? product : try ReferenceExecutor.evaluate(.add(Add()), [product, change], batch: batch)[0]
    }
}

extension Graph {
    /// The network with the corrected weights and biases of the same network at other sizes of its inputs.
    ///
    /// - Throws: ``SpikeletError`` where the weights that were corrected there are others here.
    func takingCorrectedWeights(of other: Graph) throws -> Graph {
        let layers = other.nodes.filter { $0.inputs.contains(where: CorrectedLayer.isName) }
        guard !layers.isEmpty, let known = other.spiking?.facts["uncorrectedWeights"] else { return self }
        guard fingerprint(ofWeightsCorrectedIn: other) == known else {
            throw SpikeletError(
                .notConvertible, "weights that were corrected where the network was calibrated are others at these sizes",
                remedy:
                    "convert the model at the sizes that are needed, or without correction: correctsWeights = false, --no-weight-correction"
            )
        }
        var patch = Patch()
        for layer in layers {
            for name in layer.inputs where CorrectedLayer.isName(name) {
                if let constant = other.constants[name] { patch.setConstant(name, constant) }
            }
            guard var node = node(named: layer.name) else {
                patch.insert(layer)
                continue
            }
            for (position, name) in layer.inputs.enumerated() where CorrectedLayer.isName(name) {
                if position < node.inputs.count { node.inputs[position] = name } else { node.inputs.append(name) }
            }
            node.outputs = layer.outputs
            patch.replace(node)
        }
        return try applying(patch)
    }

    /// What tells the weights here, of the layers that have corrected ones in another network, from other weights: FNV-1a of their bits.
    func fingerprint(ofWeightsCorrectedIn other: Graph) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func take(_ bits: UInt32) { hash = (hash ^ UInt64(bits)) &* 0x0000_0100_0000_01b3 }
        for layer in other.nodes where layer.inputs.count > 1 && CorrectedLayer.isName(layer.inputs[1]) {
            guard let node = node(named: layer.name), node.inputs.count > 1, let weights = constants[node.inputs[1]] else { continue }
            for size in weights.shape { take(UInt32(truncatingIfNeeded: size)) }
            weights.withFloats { for weight in $0 { take(weight.bitPattern) } }
        }
        return String(hash, radix: 16)
    }
}
