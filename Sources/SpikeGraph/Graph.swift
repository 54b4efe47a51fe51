/// One operation: reads values by name, defines values by name.
public struct Node: Sendable, Hashable, Codable {
    /// Unique in its graph.
    public var name: String
    /// What it computes.
    public var `operator`: Operator
    /// Names of graph inputs, constants, or other nodes' outputs. An optional input that is absent is left off.
    public var inputs: [String]
    /// The values that it defines: names that nothing else in the graph has.
    public var outputs: [String]

    /// An operation; the graph that takes it in checks it.
    public init(_ name: String, _ operator: Operator, inputs: [String], outputs: [String]) {
        self.name = name
        self.operator = `operator`
        self.inputs = inputs
        self.outputs = outputs
    }

    /// A node with one output, which takes the node's name.
    public init(_ name: String, _ operator: Operator, inputs: [String]) {
        self.init(name, `operator`, inputs: inputs, outputs: [name])
    }
}

/// A network: an ANN as it was imported, or a spiking network (SNN).
///
/// A graph is always legal: every initialiser checks it with ``Verifier``. It is a value; to change one, apply a ``Patch``.
public struct Graph: Sendable {
    /// An input of the network.
    public struct Input: Sendable, Hashable {
        /// The input's name: a value that nodes may read.
        public var name: String
        /// Its element type and shape.
        public var type: ValueType

        /// An input of a graph.
        public init(_ name: String, _ type: ValueType) {
            self.name = name
            self.type = type
        }
    }

    /// An output of the network: its public name, and the value that it shows.
    public struct Output: Sendable, Hashable, Codable {
        /// The public name.
        public var name: String
        /// The value that is shown under it.
        public var value: String

        /// An output of a graph.
        public init(_ name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// The network's name.
    public let name: String
    /// What is fed in, in the order in which executors take it.
    public let inputs: [Input]
    /// What comes out, in the order in which executors give it.
    public let outputs: [Output]
    /// In an order in which every node comes after those it reads from.
    public let nodes: [Node]
    /// Weights and other constants, by name.
    public let constants: [String: Tensor]
    /// Where the network comes from, for people: producer, opset, source file's digest, ….
    public let origin: [String: String]
    /// How the network is to be simulated; `nil` for an ANN.
    public let spiking: SpikingDescription?
    /// The type of every value: inputs, constants and node outputs.
    public let types: [String: ValueType]

    /// - Parameter nodes: in any order.
    /// - Throws: ``SpikeletError`` that lists everything that is not legal.
    public init(
        name: String, inputs: [Input], outputs: [Output], nodes: [Node], constants: [String: Tensor],
        origin: [String: String] = [:], spiking: SpikingDescription? = nil
    ) throws {
        self.name = name
        self.inputs = inputs
        self.outputs = outputs
        self.constants = constants
        self.origin = origin
        self.spiking = spiking
        try spiking?.validate()
        (self.nodes, self.types) = try Verifier.verify(inputs: inputs, outputs: outputs, nodes: nodes, constants: constants)
    }

    /// The node of this name.
    public func node(named name: String) -> Node? { nodes.first { $0.name == name } }

    /// For every value, the node that defines it.
    public var producers: [String: Node] {
        Dictionary(nodes.flatMap { node in node.outputs.map { ($0, node) } }, uniquingKeysWith: { first, _ in first })
    }

    /// For every value, the nodes that read it, in order.
    public var consumers: [String: [Node]] {
        var readers: [String: [Node]] = [:]
        for node in nodes {
            for input in Set(node.inputs) { readers[input, default: []].append(node) }
        }
        return readers
    }

    /// The node's declared linearity, with the constants of this graph.
    public func linearity(of node: Node) -> Linearity {
        node.operator.payload.linearity(isConstant: node.inputs.map { constants[$0] != nil })
    }

    /// The number of weights and other constants' elements.
    public var parameterCount: Int { constants.values.reduce(0) { $0 + $1.count } }

    /// The values that depend on a neuron's spikes: what changes from step to step under a constant input.
    public var spikingValues: Set<String> {
        var values: Set<String> = []
        for node in nodes {
            if node.operator.isStateful || node.inputs.contains(where: values.contains) { values.formUnion(node.outputs) }
        }
        return values
    }

    /// The tail of a spiking network, from the first nonlinear node behind the last neurons on (a softmax, a tanh, a norm, an arg-max,
    /// and what follows them): it acts on what has been accumulated over all steps, not on each step's output.
    public var readoutNodes: Set<String> {
        tail(reading: spikingValues) { $0.operator.isStateful }
    }

    /// The nodes that act on the accumulated output: nonlinear ones from which neither neurons nor stored weights can be reached, and
    /// all that reads them. What is behind weights again is another layer, for which neurons would have to stand.
    ///
    /// - Parameters:
    ///   - spiking: the values that are made of spikes.
    ///   - isNeuron: whether a node is a neuron, or will be.
    package func tail(reading spiking: Set<String>, isNeuron: (Node) -> Bool) -> Set<String> {
        let readers = consumers
        let shown = Set(outputs.map(\.value))
        // From the end: what leads to neurons or weights; and the quantisers behind which nothing but functions of the output stands. All
        // others have neurons of their own.
        var (leads, last): (Set<String>, Set<String>) = ([], [])
        for node in nodes.reversed() {
            let following = node.outputs.flatMap { readers[$0] ?? [] }
            if isNeuron(node) || hasWeights(node) || following.contains(where: { leads.contains($0.name) }) { leads.insert(node.name) }
            switch node.operator {
            case .softmax, .logSoftmax, .sigmoid, .quantizer:
                if following.allSatisfy({ last.contains($0.name) }), !following.isEmpty || node.outputs.contains(where: shown.contains) {
                    last.insert(node.name)
                }
            default: break
            }
        }
        func tail(withMaxima: Bool) -> (nodes: Set<String>, read: Set<String>) {
            var (tail, made, read): (Set<String>, Set<String>, Set<String>) = ([], [], [])
            for node in nodes where node.inputs.contains(where: spiking.contains) && !leads.contains(node.name) {
                let begins =
                    switch node.operator {
                    case .quantizer: last.contains(node.name)
                    default: linearity(of: node) == .nonlinear || withMaxima && linearity(of: node) == .maximum
                    }
                guard begins || node.inputs.contains(where: made.contains) else { continue }
                tail.insert(node.name)
                made.formUnion(node.outputs)
                read.formUnion(node.inputs.filter { constants[$0] == nil })
            }
            return (tail, read.subtracting(made))
        }
        // A maximum that stands beside its own numbers is compared with them, and has to be one of them to the last bit.
        let plain = tail(withMaxima: false)
        return plain.read.count > 1 ? tail(withMaxima: true).nodes : plain.nodes
    }

    /// Whether a node multiplies by a stored matrix or kernel.
    package func hasWeights(_ node: Node) -> Bool {
        switch node.operator {
        case .conv, .convTranspose, .gemm, .matMul: node.inputs.prefix(2).contains { constants[$0] != nil }
        default: false
        }
    }
}
