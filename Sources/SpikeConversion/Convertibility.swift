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
    public enum Role: String, Sendable, CaseIterable {
        /// Before the first neuron: computed once, on whole numbers.
        case analog = "before the spikes"
        /// A ReLU.
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
    /// The ReLUs that become neurons, in order.
    public let activations: [String]
    /// In the network's order. Of a network without ReLUs: every nonlinear node, since each stands where a ReLU would.
    public let obstacles: [Obstacle]

    /// Looks at every node; nothing is converted.
    public init(_ ann: Graph) {
        var afterNeurons: Set<String> = []
        var obstacles: [Obstacle] = []
        var roles: [String: Role] = [:]
        let readout = Self.trailingNodes(ann)
        activations = ann.nodes.filter { ann.linearity(of: $0) == .activation }.map(\.name)
        // Where nothing becomes a neuron there is no place before the first one either.
        if activations.isEmpty { afterNeurons = Set(ann.inputs.map(\.name)) }
        for node in ann.nodes {
            let linearity = ann.linearity(of: node)
            let readsSpikes = node.inputs.contains(where: afterNeurons.contains)
            if readsSpikes, linearity == .nonlinear, !readout.contains(node.name) {
                let reason = Self.reason(node, spiking: node.inputs.filter(afterNeurons.contains))
                obstacles.append(Obstacle(node: node.name, operator: node.operator.name, reason: reason))
            }
            roles[node.name] =
                switch linearity {
                case .activation: .neurons
                case .nonlinear where readsSpikes: readout.contains(node.name) ? .readout : .obstacle
                case _ where !readsSpikes || activations.isEmpty: .analog
                case .linear, .affine, .neuron: .synapses
                case .maximum: .maximum
                case .nonlinear: .analog
                }
            if readsSpikes || linearity == .activation { afterNeurons.formUnion(node.outputs) }
        }
        self.obstacles = obstacles
        self.roles = roles
    }

    /// For a plan of one's own.
    init(activations: [String], obstacles: [Obstacle]) {
        roles = [:]
        self.activations = activations
        self.obstacles = obstacles
    }

    /// Why a nonlinear node cannot act on spikes.
    ///
    /// - Parameter spiking: those of its inputs that are made of spikes.
    static func reason(_ node: Node, spiking: [String] = []) -> String {
        switch node.operator {
        case .mul, .matMul, .gemm:
            spiking.count == 1
                ? "a product of an activation that is made of spikes and another that is computed from the input"
                : "a product of two activations that are both made of spikes"
        case .softmax, .logSoftmax: "it divides by a sum over activations: attention has no form in spikes"
        case .layerNormalization, .groupNormalization:
            "it divides by a deviation of the activations themselves; a batch normalisation's is a constant at inference"
        case .unary(let unary) where unary.function == .gelu || unary.function == .swish || unary.function == .hardSwish:
            "a smooth activation, not a ReLU"
        case .sigmoid: "it saturates, and is not linear: it would act on single spikes"
        case .floor, .round:
            "it rounds, but not as one of the clip–floor activations that become quantisers, "
                + "λ · clip(⌊x·L/λ + ½⌋, 0, L) / L with one λ a layer"
        case .quantizer: "a quantiser of signed values; the recipe 'quantised' has neurons for it"
        default: "not linear, and not a ReLU: it would act on single spikes"
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
        guard !activations.isEmpty else {
            let others =
                obstacles.isEmpty
                ? "" : "; \(obstacles.count) other nonlinear node\(obstacles.count == 1 ? " stands" : "s stand") in it:"
            throw SpikeletError(
                .notConvertible,
                "the network has no ReLU (Relu, or Clip from 0), so there is nothing that could become a neuron" + others,
                details: list,
                remedy: "train the network with ReLU or ReLU6 activations and batch normalisations"
                    + (obstacles.isEmpty ? "" : "; 'spikelet run' runs it as it is"))
        }
        if obstacles.isEmpty { return [] }
        if allowAnalog { return obstacles.map { "'\($0.node)' (\($0.operator)) is left analog: \($0.reason)" } }
        throw SpikeletError(
            .notConvertible,
            "\(obstacles.count) node\(obstacles.count == 1 ? "" : "s") cannot be part of a spiking network:", details: list,
            remedy:
                "replace these activations by ReLU and train again, or pass `allowAnalog: true` to keep them as they are, acting on each step"
        )
    }

    /// All obstacles, one line for each operator and reason, in the network's order.
    private var list: [String] {
        var kinds: [String] = []
        var members: [String: [String]] = [:]
        for obstacle in obstacles {
            let kind = "\(obstacle.operator): \(obstacle.reason)"
            if members[kind] == nil { kinds.append(kind) }
            members[kind, default: []].append("'\(obstacle.node)'")
        }
        return kinds.map { "- \(members[$0]?.count ?? 0) × \($0): " + (members[$0] ?? []).joined(separator: ", ") }
    }
}
