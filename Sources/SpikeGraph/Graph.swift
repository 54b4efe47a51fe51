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

    /// The trailing nonlinear nodes of a spiking network (softmax and its like, or a quantiser, at the very output): they act
    /// on the output accumulated over all steps, not on each step's.
    public var readoutNodes: Set<String> {
        let spiking = spikingValues
        let shown = Set(outputs.map(\.value))
        let readers = consumers
        var readout: Set<String> = []
        for node in nodes.reversed() where node.inputs.contains(where: spiking.contains) {
            let onlyShown = node.outputs.allSatisfy { value in
                (readers[value] ?? []).allSatisfy { readout.contains($0.name) } && (shown.contains(value) || readers[value] != nil)
            }
            switch node.operator {
            case .softmax, .logSoftmax, .sigmoid, .quantizer: if onlyShown { readout.insert(node.name) }
            default: break
            }
        }
        return readout
    }
}
