public import SpikeGraph

/// What stands between a network and its spiking form: every node that breaks the rule that between neurons sums must
/// stay sums (see ``Linearity``), found before any work is done.
public struct Convertibility: Sendable {
    /// A node that a spiking network cannot hold.
    public struct Obstacle: Sendable, Hashable {
        /// The node's name.
        public var node: String
        /// Its operator, by ONNX's name.
        public var `operator`: String
        /// Why it cannot be in a spiking network.
        public var reason: String
    }

    /// What becomes of a node.
    public enum Role: String, Sendable {
        /// Before the first neuron: computed once, on whole numbers.
        case analog = "before the spikes"
        /// A rectifier.
        case neurons = "neurons"
        /// Linear, on spikes.
        case synapses = "synapses"
        /// A maximum of spikes.
        case maximum = "running maximum"
        /// A nonlinear function at the very output: it acts on what has been accumulated over all steps.
        case readout = "at the readout"
        /// It cannot act on spikes.
        case obstacle = "cannot spike"
    }

    /// For each node's name, what becomes of it.
    public let roles: [String: Role]
    /// The rectifiers that become neurons, in order.
    public let rectifiers: [String]
    /// What stands in the way, in the graph's order; empty where nothing does.
    public let obstacles: [Obstacle]

    /// Looks at every node; nothing is converted.
    public init(_ ann: Graph) {
        var afterNeurons: Set<String> = []
        var obstacles: [Obstacle] = []
        var roles: [String: Role] = [:]
        let readout = Self.trailingNodes(ann)
        for node in ann.nodes {
            let linearity = ann.linearity(of: node)
            let readsSpikes = node.inputs.contains(where: afterNeurons.contains)
            if readsSpikes, linearity == .nonlinear, !readout.contains(node.name) {
                let spiking = node.inputs.filter(afterNeurons.contains)
                let reason = spiking.count > 1 ? "a product of two activations that are both made of spikes" : Self.reason(node)
                obstacles.append(Obstacle(node: node.name, operator: node.operator.name, reason: reason))
            }
            roles[node.name] =
                switch linearity {
                case .rectifier: .neurons
                case _ where !readsSpikes: .analog
                case .linear, .affine, .neuron: .synapses
                case .maximum: .maximum
                case .nonlinear: readout.contains(node.name) ? .readout : .obstacle
                }
            if readsSpikes || linearity == .rectifier { afterNeurons.formUnion(node.outputs) }
        }
        self.rectifiers = ann.nodes.filter { ann.linearity(of: $0) == .rectifier }.map(\.name)
        self.obstacles = obstacles
        self.roles = roles
    }

    /// For a plan of one's own.
    init(rectifiers: [String], obstacles: [Obstacle]) {
        roles = [:]
        self.rectifiers = rectifiers
        self.obstacles = obstacles
    }

    /// Why a nonlinear node cannot act on spikes.
    static func reason(_ node: Node) -> String {
        switch node.operator {
        case .floor, .round:
            "it rounds, but not as one of the clip–floor activations that become quantisers, "
                + "λ · clip(⌊x·L/λ + ½⌋, 0, L) / L with one λ a layer"
        case .quantizer: "a quantiser of signed values; the recipe 'quantised' has neurons for it"
        default: "not linear, and not a rectifier: it would act on single spikes"
        }
    }

    /// Softmax, log-softmax, sigmoid and signed quantisers at the very output: they will act on the accumulated output.
    static func trailingNodes(_ ann: Graph) -> Set<String> {
        let consumers = ann.consumers
        var trailing: Set<String> = []
        for node in ann.nodes.reversed() {
            switch node.operator {
            case .softmax, .logSoftmax, .sigmoid, .quantizer:
                if ann.linearity(of: node) == .nonlinear,
                    node.outputs.allSatisfy({ (consumers[$0] ?? []).allSatisfy { trailing.contains($0.name) } })
                {
                    trailing.insert(node.name)
                }
            default: break
            }
        }
        return trailing
    }

    /// - Parameter allowAnalog: lets obstacles pass, as warnings; they act on each step's value.
    /// - Returns: warnings.
    /// - Throws: ``SpikeletError`` that lists all obstacles, or says that there is nothing to convert.
    public func check(allowAnalog: Bool) throws -> [String] {
        guard !rectifiers.isEmpty else {
            throw SpikeletError(
                .notConvertible, "the network has no rectifier (Relu, or Clip from 0), so there is nothing that could become a neuron",
                remedy: "train the network with ReLU or ReLU6 activations")
        }
        if obstacles.isEmpty { return [] }
        if allowAnalog { return obstacles.map { "'\($0.node)' (\($0.operator)) is left analog: \($0.reason)" } }
        let groups = Dictionary(grouping: obstacles) { "\($0.operator): \($0.reason)" }
        let lines = groups.sorted { $0.key < $1.key }.map { key, members in
            "\n  - \(members.count) × \(key): " + members.map { "'\($0.node)'" }.joined(separator: ", ")
        }
        throw SpikeletError(
            .notConvertible,
            "\(obstacles.count) node\(obstacles.count == 1 ? "" : "s") cannot be part of a spiking network:" + lines.joined(),
            remedy:
                "replace these activations by ReLU and train again, or pass --allow-analog to keep them as they are, acting on each step")
    }
}
