internal import SpikeGraph

/// Makes one operator of chains that exporters write for one.
///
/// Given: a graph as it was imported.
///
/// Result: the same function up to rounding, in which layer normalisation, GELU (exact and by tanh), SiLU, hard swish and
/// softmax are one node, and zeros padded in front of a convolution are the convolution's own pads.
///
/// Only the chain's last node is replaced. What nothing reads any more is then removed; what others read stays.
struct RecognizeChains {
    /// - Returns: the graph, and for each kind of chain how many were found.
    func run(_ graph: Graph) throws -> (graph: Graph, found: [String: Int]) {
        var found: [String: Int] = [:]
        var patch = Patch()
        var replaced: [String] = []
        let chains = Chains(graph)
        // From the end, so that the longest chain wins over a part of it.
        for node in graph.nodes.reversed() {
            guard let (what, replacement) = chains.match(node) else { continue }
            found[what, default: 0] += 1
            patch.replace(replacement)
            replaced.append(node.name)
        }
        guard !patch.isEmpty else { return (graph, [:]) }
        return (try graph.applying(patch).withoutUnreadNodes().named(byModulesOf: replaced), found)
    }
}

extension Graph {
    /// The same without nodes that no output depends on.
    func withoutUnreadNodes() throws -> Graph {
        var read = Set(outputs.map(\.value))
        var patch = Patch()
        for node in nodes.reversed() {
            if node.outputs.contains(where: read.contains) { read.formUnion(node.inputs) } else { patch.remove(node) }
        }
        return patch.isEmpty ? self : try applying(patch)
    }
}

extension Graph {
    /// The same, with these nodes named by their modules alone where nothing else is left of the module: of `act.Mul`, `act`.
    fileprivate func named(byModulesOf names: [String]) throws -> Graph {
        /// How many nodes stand in a module and in those inside it, a few levels deep.
        var members: [Substring: Int] = [:]
        for node in nodes {
            var module = node.name[...]
            for _ in 0..<16 {
                guard let dot = module.lastIndex(of: ".") else { break }
                module = module[..<dot]
                members[module, default: 0] += 1
            }
        }
        var taken = Set(types.keys).union(nodes.map(\.name))
        var renamed: [String: String] = [:]
        for name in names {
            guard let dot = name.lastIndex(of: "."), members[name[..<dot]] == 1, taken.insert(String(name[..<dot])).inserted else {
                continue
            }
            renamed[name] = String(name[..<dot])
        }
        func new(_ name: String) -> String { renamed[name] ?? name }
        return try Graph(
            name: name, inputs: inputs, outputs: outputs.map { Graph.Output($0.name, value: new($0.value)) },
            nodes: nodes.map { Node(new($0.name), $0.operator, inputs: $0.inputs.map(new), outputs: $0.outputs.map(new)) },
            constants: constants, origin: origin, spiking: spiking)
    }
}

/// Finds chains by their last node, walking backwards.
private struct Chains {
    private let graph: Graph
    private let producers: [String: Node]
    private let consumers: [String: [Node]]
    private let shown: Set<String>

    init(_ graph: Graph) {
        self.graph = graph
        producers = graph.producers
        consumers = graph.consumers
        shown = Set(graph.outputs.map(\.value))
    }

    func match(_ node: Node) -> (String, Node)? {
        switch node.operator {
        case .mul: return product(node)
        case .binary(let binary) where binary.function == .divide: return softmax(node).map { ("softmax", $0) }
        case .conv: return paddedConvolution(node).map { ("padded convolution", $0) }
        default: break
        }
        return layerNormalization(node).map { ("layer normalisation", $0) }
    }

    // MARK: Steps backwards

    private func producer(_ value: String) -> Node? { producers[value] }

    /// A constant of one element.
    private func number(_ value: String) -> Float? {
        guard let tensor = graph.constants[value], tensor.count == 1, case .float32(let values) = tensor.storage else { return nil }
        return values[0]
    }

    /// value = other + number.
    private func offset(_ value: String) -> (value: String, number: Float)? {
        guard let node = producer(value), case .add = node.operator else { return nil }
        return scalarOperand(of: node)
    }

    /// value = other · number.
    private func scaled(_ value: String) -> (value: String, number: Float)? {
        guard let node = producer(value), case .mul = node.operator else { return nil }
        return scalarOperand(of: node)
    }

    private func scalarOperand(of node: Node) -> (value: String, number: Float)? {
        for position in 0..<2 {
            if let number = number(node.inputs[position]), graph.types[node.inputs[1 - position]] == graph.types[node.outputs[0]] {
                return (node.inputs[1 - position], number)
            }
        }
        return nil
    }

    private func unary(_ value: String, _ function: Unary.Function) -> (value: String, parameters: [Float])? {
        guard let node = producer(value), case .unary(let unary) = node.operator, unary.function == function else { return nil }
        return (node.inputs[0], unary.parameters)
    }

    private func isNear(_ a: Float, _ b: Float) -> Bool { abs(a - b) <= 1e-4 * abs(b) }

    // MARK: GELU, SiLU, hard swish

    /// The factors of a product of products: values, and the product of all single numbers.
    private func factors(_ value: String, _ depth: Int = 0) -> (values: [String], number: Float) {
        guard depth < 4, let node = producer(value), case .mul = node.operator,
            node.inputs.allSatisfy({ number($0) != nil || graph.types[$0] == graph.types[value] })
        else { return number(value).map { ([], $0) } ?? ([value], 1) }
        let parts = node.inputs.map { factors($0, depth + 1) }
        return (parts.flatMap(\.values), parts.reduce(1) { $0 * $1.number })
    }

    private func product(_ node: Node) -> (String, Node)? {
        // As it stands first: a factor may be a product itself, which is not to be taken apart then.
        let plain = node.inputs.contains { self.number($0) != nil } ? nil : product(node, of: node.inputs, 1)
        if let plain { return plain }
        let whole = factors(node.outputs[0])
        return product(node, of: whole.values, whole.number)
    }

    private func product(_ node: Node, of values: [String], _ number: Float) -> (String, Node)? {
        guard values.count == 2 else { return nil }
        func replaced(by unary: Unary, _ input: String) -> Node {
            Node(node.name, .unary(unary), inputs: [input], outputs: node.outputs)
        }
        for (x, gate) in [(values[0], values[1]), (values[1], values[0])] {
            if isNear(number, 0.5), let (tail, one) = offset(gate), one == 1 {
                if let (argument, _) = unary(tail, .erf), let (source, factor) = scaled(argument), source == x,
                    isNear(factor, 0.707_106_77)
                {
                    return ("GELU", replaced(by: Unary(.gelu, parameters: [0]), x))
                }
                if let (argument, _) = unary(tail, .tanh), isTanhArgument(argument, of: x) {
                    return ("GELU", replaced(by: Unary(.gelu, parameters: [1]), x))
                }
            }
            if number == 1, let sigmoid = producer(gate), case .sigmoid = sigmoid.operator, sigmoid.inputs[0] == x {
                return ("SiLU", replaced(by: Unary(.swish, parameters: [1]), x))
            }
            if number == 1, let (source, parameters) = unary(gate, .hardSigmoid), source == x, isNear(parameters[0], 1 / 6),
                parameters[1] == 0.5
            {
                return ("hard swish", replaced(by: Unary(.hardSwish), x))
            }
            if isNear(number, 1 / 6), let clip = producer(gate), case .clip(Clip(minimum: 0, maximum: 6)) = clip.operator,
                let (source, three) = offset(clip.inputs[0]), source == x, three == 3
            {
                return ("hard swish", replaced(by: Unary(.hardSwish), x))
            }
        }
        return nil
    }

    /// √(2/π) · (x + 0.044715 · x³)
    private func isTanhArgument(_ value: String, of x: String) -> Bool {
        guard let (sum, factor) = scaled(value), isNear(factor, 0.797_884_6), let node = producer(sum), case .add = node.operator,
            let other = node.inputs.first(where: { $0 != x }), node.inputs.contains(x), let (cube, share) = scaled(other),
            isNear(share, 0.044715)
        else { return false }
        if power(cube, 3) == x { return true }
        let (values, number) = factors(cube)
        return number == 1 && values == [x, x, x]
    }

    /// The base of value = base^exponent.
    private func power(_ value: String, _ exponent: Float) -> String? {
        guard let node = producer(value) else { return nil }
        if case .binary(let binary) = node.operator, binary.function == .power, number(node.inputs[1]) == exponent { return node.inputs[0] }
        if case .mul = node.operator, exponent == 2, node.inputs[0] == node.inputs[1] { return node.inputs[0] }
        return nil
    }

    // MARK: Softmax

    /// exp(x − max x) / Σ exp(x − max x)
    private func softmax(_ node: Node) -> Node? {
        guard let (argument, _) = unary(node.inputs[0], .exp), let sum = producer(node.inputs[1]), case .reduce(let reduce) = sum.operator,
            reduce.function == .sum, sum.inputs[0] == node.inputs[0], reduce.axes.count == 1, reduce.keepsDimensions
        else { return nil }
        var input = argument
        if let (x, other) = difference(argument), let maximum = producer(other), case .reduce(let largest) = maximum.operator,
            largest.function == .maximum, maximum.inputs[0] == x, largest.axes == reduce.axes, largest.keepsDimensions
        {
            input = x
        }
        return Node(node.name, .softmax(Softmax(axis: reduce.axes[0])), inputs: [input], outputs: node.outputs)
    }

    /// a and b of value = a − b, which the importer writes as a + (−1)·b.
    private func difference(_ value: String) -> (a: String, b: String)? {
        guard let node = producer(value), case .add = node.operator else { return nil }
        for position in 0..<2 {
            guard let negative = producer(node.inputs[position]), case .mul = negative.operator,
                let (b, factor) = scalarOperand(of: negative), factor == -1
            else { continue }
            return (node.inputs[1 - position], b)
        }
        return nil
    }

    // MARK: Layer normalisation

    /// γ · (x − mean x) / √(mean (x − mean x)² + ε) + β, from its last node on.
    private func layerNormalization(_ node: Node) -> Node? {
        if case .add = node.operator, let (scaled, beta) = parameterOperand(of: node), let product = producer(scaled),
            isOnlyReader(node, of: scaled), let normal = standardization(product)
        {
            return replacement(node, normal, beta: beta)
        }
        return nil
    }

    private typealias Standardization = (x: String, axis: Int, epsilon: Float, gamma: String)

    private func replacement(_ node: Node, _ normal: Standardization, beta: String) -> Node {
        let payload = LayerNormalization(axis: normal.axis, epsilon: normal.epsilon)
        return Node(node.name, .layerNormalization(payload), inputs: [normal.x, normal.gamma, beta], outputs: node.outputs)
    }

    /// A constant operand of a sum or a product, and the other one.
    private func parameterOperand(of node: Node) -> (value: String, constant: String)? {
        guard let position = node.inputs.firstIndex(where: { graph.constants[$0] != nil }),
            graph.types[node.inputs[1 - position]] == graph.types[node.outputs[0]]
        else { return nil }
        return (node.inputs[1 - position], node.inputs[position])
    }

    private func isOnlyReader(_ node: Node, of value: String) -> Bool {
        consumers[value]?.count == 1 && !shown.contains(value)
    }

    /// γ and the rest without β.
    private func standardization(_ product: Node) -> Standardization? {
        guard case .mul = product.operator, let (value, gamma) = parameterOperand(of: product), let quotient = producer(value),
            case .binary(let binary) = quotient.operator, binary.function == .divide,
            let (x, mean) = difference(quotient.inputs[0]), let axes = meanAxes(mean, of: x),
            let (sum, _) = unary(quotient.inputs[1], .sqrt), let (variance, epsilon) = offset(sum),
            let square = producer(variance), case .reduceMean(let reduce) = square.operator, reduce.keepsDimensions,
            let base = power(square.inputs[0], 2), let (again, itsMean) = difference(base), again == x, meanAxes(itsMean, of: x) == axes,
            let rank = graph.types[x]?.shape.rank, (try? reduce.reducedAxes(rank: rank).sorted()) == axes,
            let first = axes.first, axes == Array(first..<rank), epsilon >= 0
        else { return nil }
        return (x, first, epsilon, gamma)
    }

    /// The axes over which a value is the mean of x, in order.
    private func meanAxes(_ value: String, of x: String) -> [Int]? {
        guard let node = producer(value), case .reduceMean(let reduce) = node.operator, reduce.keepsDimensions, node.inputs[0] == x,
            let rank = graph.types[x]?.shape.rank
        else { return nil }
        return try? reduce.reducedAxes(rank: rank).sorted()
    }

    // MARK: Pads

    /// A convolution that reads zeros around its input.
    private func paddedConvolution(_ node: Node) -> Node? {
        guard case .conv(var conv) = node.operator, conv.window.autoPad == .notSet, let padding = producer(node.inputs[0]),
            case .pad(let pad) = padding.operator, pad.mode == .constant, pad.value == 0, pad.begins.count == conv.window.rank + 2,
            pad.begins.prefix(2) + pad.ends.prefix(2) == [0, 0, 0, 0], (pad.begins + pad.ends).allSatisfy({ $0 >= 0 })
        else { return nil }
        conv.window.padsBegin = zip(conv.window.padsBegin, pad.begins.dropFirst(2)).map(+)
        conv.window.padsEnd = zip(conv.window.padsEnd, pad.ends.dropFirst(2)).map(+)
        return Node(node.name, .conv(conv), inputs: [padding.inputs[0]] + node.inputs.dropFirst(), outputs: node.outputs)
    }
}
