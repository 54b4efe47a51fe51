package import SpikeGraph
import SpikeReference

/// Takes constants out of what spikes become, and adds them behind the weights.
///
/// A batch normalisation behind a ReLU (Keras' usual order) makes of each activation a ⊙ x + b. Read as it stands, b makes every
/// value of every step other than zero, although no spike has come. But W·(a ⊙ x + b) = W·(a ⊙ x) + W·b, and W·b is a bias.
///
/// Given: a network of ReLUs, or of neurons.
///
/// Result: the same function. Where a constant that a normalisation, a sum or a bias adds to activations would arrive at weights, the
/// weights read a ⊙ x alone, and the constant, carried through everything linear between (pools, sums, concatenations,
/// reshaping; through max pools where it is one number a channel), is in their bias. Where padding makes that differ from place to
/// place, it is a sum of its own behind the weights, or, without ``differsByPlace``, everything stays as it was. Constants that
/// arrive at neurons and outputs without weights between stay where they are.
package struct SeparateConstants: Pass {
    package static let id = "separate-constants"
    /// Whether biases may differ from place to place. Readers of files know one number a channel.
    package var differsByPlace: Bool

    /// A pass that leaves what biases of channels cannot say, unless they may differ from place to place.
    package init(differsByPlace: Bool = false) {
        self.differsByPlace = differsByPlace
    }

    /// The graph whose weights read no constants.
    package func run(_ graph: Graph) throws -> Graph {
        let parts = try ConstantParts(graph, differsByPlace: differsByPlace)
        guard !parts.separated.isEmpty else { return graph }
        var patch = Patch()
        // What stands for the varying part of a value, where that is another value.
        var varying: [String: String] = [:]
        for node in graph.nodes where parts.areTaken(by: node) {
            guard let form = parts.forms[node.name] else { continue }
            let value = node.outputs[0]
            let constant = parts.constants[value]
            var copy = node
            copy.inputs = node.inputs.map { parts.separated.contains($0) ? varying[$0] ?? $0 : $0 }
            // The last layer before a neuron keeps its bias, with what arrives in it.
            var isWhole = constant == nil
            switch form {
            case .moves: patch.replace(copy)
            case .scales(let factors):
                (copy.operator, copy.inputs) = (.voltageScaler(VoltageScaler(scales: factors)), [copy.inputs[0]])
                patch.replace(copy)
            case .adds(let operand):
                varying[value] = copy.inputs[operand]
                patch.remove(node)
            case .weighs(let withoutBias, let takesBias):
                (copy.operator, copy.inputs) = (withoutBias, Array(copy.inputs.prefix(2)))
                if takesBias, !parts.separated.contains(value), let bias = constant?.perChannel {
                    copy.inputs.append(graph.freshName("\(node.name).bias"))
                    patch.setConstant(copy.inputs[2], Tensor(bias, shape: [bias.count]))
                    isWhole = true
                }
                patch.replace(copy)
            }
            guard !isWhole, let constant, parts.readWhole.contains(value) else { continue }
            let (sum, added) = (graph.freshName("\(value).whole"), graph.freshName("\(value).constant"))
            patch.setConstant(added, constant.smallest)
            patch.insert(Node(sum, .add(Add()), inputs: [varying[value] ?? value, added]))
            patch.redirect(value, to: sum)
        }
        return try graph.applying(patch)
    }
}

/// What of each value that depends on activations does not.
private struct ConstantParts {
    /// How a node takes its input's parts one by one.
    enum Form {
        /// Linear: the constant part goes through it like the other.
        case moves
        /// Scales channels, and adds to them.
        case scales([Float])
        /// Adds a constant to an operand.
        case adds(operand: Int)
        /// Has weights, and perhaps a bias; without the bias it is this.
        case weighs(SpikeGraph.Operator, takesBias: Bool)

        var hasWeights: Bool { if case .weighs = self { true } else { false } }
    }

    /// A constant part, of the shape of the network's value.
    struct Constant {
        private let shape: [Int]
        /// One number for each channel, if that is all there is to it.
        let perChannel: [Float]?
        /// Otherwise the whole.
        private let whole: Tensor?

        init(_ tensor: Tensor) {
            let (values, shape) = (tensor.floats, tensor.shape)
            let size = shape[2...].reduce(1, *)
            let channels = (0..<shape[1]).map { values[$0 * size] }
            let isPerChannel = values.indices.allSatisfy { values[$0] == channels[$0 / size % shape[1]] }
            (self.shape, perChannel, whole) = (shape, isPerChannel ? channels : nil, isPerChannel ? nil : tensor)
        }

        init(perChannel: [Float], shape: [Int]) {
            (self.shape, self.perChannel, whole) = (shape, perChannel, nil)
        }

        var isZero: Bool { perChannel?.allSatisfy { $0 == 0 } ?? false }

        var tensor: Tensor {
            guard let perChannel else { return whole ?? Tensor(repeating: 0, shape: shape) }
            let size = shape[2...].reduce(1, *)
            return Tensor((0..<shape.reduce(1, *)).map { perChannel[$0 / size % shape[1]] }, shape: shape)
        }

        /// What broadcasts to it.
        var smallest: Tensor {
            perChannel.map { Tensor($0, shape: [1, $0.count] + shape.dropFirst(2).map { _ in 1 }) } ?? tensor
        }
    }

    let graph: Graph
    let differsByPlace: Bool
    /// By node.
    private(set) var forms: [String: Form] = [:]
    /// By value.
    private(set) var constants: [String: Constant] = [:]
    /// The values that are to be read in two parts.
    private(set) var separated: Set<String> = []
    /// The values that somebody needs whole.
    private(set) var readWhole: Set<String> = []

    init(_ graph: Graph, differsByPlace: Bool) throws {
        self.graph = graph
        self.differsByPlace = differsByPlace
        var active: Set<String> = []
        for node in graph.nodes {
            let linearity = graph.linearity(of: node)
            let isSource = if case .neuron = node.operator { true } else { linearity == .activation }
            guard isSource || node.inputs.contains(where: active.contains) else { continue }
            active.formUnion(node.outputs)
            guard !isSource, let form = form(of: node, linearity), let constant = try constant(behind: node, form) else { continue }
            forms[node.name] = form
            if !constant.isZero { constants[node.outputs[0]] = constant }
        }
        for node in graph.nodes.reversed() where areTaken(by: node) {
            separated.formUnion(node.inputs.filter { constants[$0] != nil })
        }
        for node in graph.nodes where !areTaken(by: node) { readWhole.formUnion(node.inputs) }
        readWhole.formUnion(graph.outputs.map(\.value))
    }

    /// Whether a node reads parts: it has weights, or its own parts are to be read.
    func areTaken(by node: Node) -> Bool {
        guard let form = forms[node.name] else { return false }
        if separated.contains(node.outputs[0]) { return true }
        return form.hasWeights && node.inputs.contains { constants[$0] != nil }
    }

    /// The shape of a value of numbers, at one sample or at as many as the network is fixed to.
    private func shape(of value: String) -> [Int]? {
        guard let type = graph.types[value], type.elementType == .float32, type.shape.rank >= 2,
            type.shape[0] == graph.inputs.first?.type.shape.dimensions.first
        else { return nil }
        let sizes = type.shape.resolved(batch: batch)
        return sizes.allSatisfy { $0 >= 1 } ? sizes : nil
    }

    private var batch: Int { graph.countedBatch }

    private func form(of node: Node, _ linearity: Linearity) -> Form? {
        let isConstant = node.inputs.map { graph.constants[$0] != nil }
        guard node.outputs.count == 1, shape(of: node.outputs[0]) != nil,
            zip(node.inputs, isConstant).allSatisfy({ $1 || shape(of: $0) != nil })
        else { return nil }
        switch node.operator {
        case .batchNormalization(let normalization):
            guard isConstant.dropFirst().allSatisfy({ $0 }), let gamma = graph.constants[node.inputs[1]]?.floats,
                let variance = graph.constants[node.inputs[4]]?.floats
            else { return nil }
            return .scales(zip(gamma, variance).map { $0 / ($1 + normalization.epsilon).squareRoot() })
        case .add where isConstant.contains(true):
            guard let operand = isConstant.firstIndex(of: false), shape(of: node.inputs[operand]) == shape(of: node.outputs[0]) else {
                return nil
            }
            return .adds(operand: operand)
        case .conv, .convTranspose:
            return isConstant.dropFirst().allSatisfy({ $0 }) ? .weighs(node.operator, takesBias: true) : nil
        case .gemm(let gemm):
            guard !gemm.transposeA, !isConstant[0], isConstant.dropFirst().allSatisfy({ $0 }) else { return nil }
            return .weighs(.gemm(Gemm(alpha: gemm.alpha, transposeB: gemm.transposeB)), takesBias: true)
        case .matMul: return isConstant.contains(true) ? .weighs(node.operator, takesBias: false) : nil
        case .maxPool, .globalMaxPool, .runningMaximumPool:
            return constants[node.inputs[0]].map { $0.perChannel != nil } ?? true ? .moves : nil
        default:
            return linearity == .linear ? .moves : nil
        }
    }

    /// - Returns: `nil` where the constant cannot be taken apart.
    private func constant(behind node: Node, _ form: Form) throws -> Constant? {
        guard let shape = shape(of: node.outputs[0]) else { return nil }
        if let known = channels(behind: node, shape: shape) { return known }
        let operands = node.inputs.compactMap { name -> Tensor? in
            graph.constants[name] ?? constants[name]?.tensor ?? self.shape(of: name).map { Tensor(repeating: 0, shape: $0) }
        }
        guard operands.count == node.inputs.count else { return nil }
        let made = try ReferenceExecutor.evaluate(node.operator, operands, batch: batch)[0]
        guard made.shape == shape else { return nil }
        let constant = Constant(made)
        let hasArrived = node.inputs.contains { constants[$0] != nil }
        return differsByPlace || !form.hasWeights || !hasArrived || constant.perChannel != nil ? constant : nil
    }

    /// Behind a convolution of one number a channel, where no window reaches into padding: again one number a channel.
    private func channels(behind node: Node, shape: [Int]) -> Constant? {
        guard case .conv(let conv) = node.operator, let weights = graph.constants[node.inputs[1]] else { return nil }
        let bias = node.inputs.count > 2 ? graph.constants[node.inputs[2]]?.floats : nil
        let features = weights.shape[0]
        guard let arriving = constants[node.inputs[0]] else {
            return Constant(perChannel: bias ?? [Float](repeating: 0, count: features), shape: shape)
        }
        guard let channels = arriving.perChannel,
            let placement = try? conv.window.placement(over: Array(self.shape(of: node.inputs[0])?.dropFirst(2) ?? [])),
            (placement.padsBegin + placement.padsEnd).allSatisfy({ $0 == 0 })
        else { return nil }
        let values = weights.floats
        let (size, places) = (weights.count / max(1, features), conv.window.kernel.reduce(1, *))
        let sums = (0..<features).map { feature -> Float in
            let first = feature / (features / conv.groups) * (size / places)
            return Float(
                (0..<size).reduce(Double(bias?[feature] ?? 0)) {
                    $0 + Double(values[feature * size + $1]) * Double(channels[first + $1 / places])
                })
        }
        return Constant(perChannel: sums, shape: shape)
    }
}
