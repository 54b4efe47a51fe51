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
        /// A ReLU, or two for a LeakyReLU.
        case neurons = "neurons"
        /// Linear, on spikes.
        case synapses = "synapses"
        /// A product of spikes with spikes: one is kept as a number, to which the other adds.
        case product = "products of spikes"
        /// A function of a potential, or of a row of them, evaluated by the neurons that hold it.
        case function = "inside neurons"
        /// Linear, without weights, on numbers that membranes hold: sums of branches, what moves places.
        case membrane = "stay in membranes"
        /// A maximum of spikes.
        case maximum = "running maximum"
        /// Behind the last neurons, from the first nonlinear function on: it acts on what has been accumulated over all steps.
        case readout = "at the readout"
        /// It cannot act on spikes.
        case obstacle = "cannot spike"
    }

    /// For each node's name, what becomes of it.
    public let roles: [String: Role]
    /// The same where every value that is read by weights or products is sent as digits, as the recipe radix does with a network of
    /// other activations than ReLU; empty where there are none, or where that cannot be done either.
    public let rolesInDigits: [String: Role]
    /// The first node that gives weights or products a nonlinear function of other weights without a neuron between: such a network
    /// has layers in front of its first ReLU, which would stay real-valued. `nil`: there is none.
    public let functionBetweenWeights: String?
    /// The ReLUs that become neurons, in order.
    public let activations: [String]
    /// In the network's order. Of a network without ReLUs: every nonlinear node, since each stands where a ReLU would.
    public let obstacles: [Obstacle]

    /// Looks at every node; nothing is converted.
    public init(_ ann: Graph) {
        var afterNeurons: Set<String> = []
        var obstacles: [Obstacle] = []
        var roles: [String: Role] = [:]
        var readout = Self.tail(ann, isActivation: ann.becomesNeurons)
        activations = ann.nodes.filter(ann.becomesNeurons).map(\.name)
        // Where nothing becomes a neuron there is no place before the first one either.
        if activations.isEmpty {
            afterNeurons = Set(ann.inputs.map(\.name))
            let tail = ann.tail(reading: Set(ann.types.keys)) { _ in false }
            readout = Set(ann.nodes.filter { tail.contains($0.name) && $0.operator.makesProbabilities }.map(\.name))
        }
        for node in ann.nodes {
            let linearity = ann.becomesNeurons(node) ? .activation : ann.linearity(of: node)
            let readsSpikes = node.inputs.contains(where: afterNeurons.contains)
            if readsSpikes, linearity == .nonlinear, !readout.contains(node.name) {
                var reason = Self.reason(node, spiking: node.inputs.filter(afterNeurons.contains))
                if let weights = Self.weights(behind: node, ann) { reason += "; the weights of '\(weights)' read it" }
                obstacles.append(Obstacle(node: node.name, operator: node.operator.name, reason: reason))
            }
            roles[node.name] =
                switch linearity {
                case .activation: .neurons
                case _ where readout.contains(node.name): .readout
                case .nonlinear where readsSpikes: .obstacle
                case _ where !readsSpikes || activations.isEmpty: .analog
                case .linear, .affine, .neuron: .synapses
                case .maximum: .maximum
                case .nonlinear: .analog
                }
            if readsSpikes || linearity == .activation { afterNeurons.formUnion(node.outputs) }
        }
        self.obstacles = obstacles
        self.roles = roles
        functionBetweenWeights = ann.functionBetweenWeights
        let plan = activations.isEmpty || !obstacles.isEmpty || functionBetweenWeights != nil ? DigitPlan(ann) : nil
        rolesInDigits = plan.map { (try? $0.check()) == nil ? [:] : $0.roles } ?? [:]
    }

    /// For a plan of one's own.
    init(activations: [String], obstacles: [Obstacle]) {
        (roles, rolesInDigits, functionBetweenWeights) = ([:], [:], nil)
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
        case .softmax, .logSoftmax: "it divides by a sum over activations: no rate of spikes says that"
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

    /// What will act on the accumulated output: as of the spiking network (``Graph/readoutNodes``), with activations for neurons.
    ///
    /// - Parameter isActivation: whether a node becomes neurons.
    static func tail(_ ann: Graph, isActivation: (Node) -> Bool) -> Set<String> {
        var spiking: Set<String> = []
        for node in ann.nodes {
            if isActivation(node) || node.inputs.contains(where: spiking.contains) { spiking.formUnion(node.outputs) }
        }
        return ann.tail(reading: spiking, isNeuron: isActivation)
    }

    /// The first node with weights behind a node from which no activation can be reached: but for it, that would be the tail.
    private static func weights(behind node: Node, _ ann: Graph) -> String? {
        var reached = Set(node.outputs)
        var found: String?
        for later in ann.nodes where later.inputs.contains(where: reached.contains) {
            if ann.becomesNeurons(later) { return nil }
            if found == nil, ann.hasWeights(later) { found = later.name }
            reached.formUnion(later.outputs)
        }
        return found
    }

    /// - Parameter allowAnalog: lets obstacles pass, as warnings: they stay real-valued.
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
                remedy: (rolesInDigits.isEmpty ? "" : Self.digitsRemedy + "; or ")
                    + "train the network with ReLU or ReLU6 activations and batch normalisations"
                    + (obstacles.isEmpty ? "" : "; 'spikelet run' runs it as it is"))
        }
        if obstacles.isEmpty { return [] }
        if allowAnalog { return obstacles.map { "'\($0.node)' (\($0.operator)) is left analog: \($0.reason)" } }
        throw SpikeletError(
            .notConvertible,
            "\(obstacles.count) node\(obstacles.count == 1 ? "" : "s") cannot be part of a spiking network:", details: list,
            remedy: (rolesInDigits.isEmpty ? "" : Self.digitsRemedy + "; or ")
                + "replace these activations by ReLU and train again, or pass `allowAnalog: true` to keep them real-valued: between the layers of "
                + "a layer-synchronous network they act on whole values, in a streaming one on each step's"
        )
    }

    private var list: [String] { obstacles.listed }

    private static let digitsRemedy = "use the recipe radix with 6 to 8 steps, which sends the values of any function as digits"

    /// Whether the recipe radix sends what weights and products read as digits with signs: of a network in which something is no ReLU, and
    /// no sum of what ReLUs give, be it behind the first ReLU or, between weights, in front of it. Beside ReLUs, what stands behind the
    /// first of them and is allowed to stay real-valued does so as in other recipes.
    public func isForDigits(allowAnalog: Bool) -> Bool {
        activations.isEmpty || functionBetweenWeights != nil || !obstacles.isEmpty && !allowAnalog
    }
}

extension [Convertibility.Obstacle] {
    /// One line for each operator and reason, in the network's order.
    var listed: [String] {
        var kinds: [String] = []
        var members: [String: [String]] = [:]
        for obstacle in self {
            let kind = "\(obstacle.operator): \(obstacle.reason)"
            if members[kind] == nil { kinds.append(kind) }
            members[kind, default: []].append("'\(obstacle.node)'")
        }
        return kinds.map { "- \(members[$0]?.count ?? 0) × \($0): " + (members[$0] ?? []).joined(separator: ", ") }
    }
}

extension Graph {
    /// See ``Convertibility/functionBetweenWeights``. What is computed from the input without weights (its normalisation, a spectrogram)
    /// is part of the input, and a linear function of a layer is part of that layer.
    fileprivate var functionBetweenWeights: String? {
        // Behind weights, with no neuron between; and of these values the functions, with the node that began them.
        var (weighed, functions): (Set<String>, [String: String]) = ([], [:])
        for node in nodes where !becomesNeurons(node) {
            let function = node.inputs.lazy.compactMap { functions[$0] }.first
            if let function, hasWeights(node) || isProduct(node) { return function }
            guard hasWeights(node) || picksEmbeddings(node) || node.inputs.contains(where: weighed.contains) else { continue }
            // Whole numbers are places, sizes and masks.
            for output in node.outputs where types[output]?.elementType == .float32 {
                weighed.insert(output)
                functions[output] = function ?? (isFunction(node) ? node.name : nil)
            }
        }
        return nil
    }

    /// Whether a node is no sum of its inputs, or of some of them. Quantisers only round what a layer gives, and a maximum is one of
    /// its numbers: with ReLUs they make no network of other functions.
    private func isFunction(_ node: Node) -> Bool {
        switch (node.operator, linearity(of: node)) {
        case (.cast, _), (.gather, _), (.pad, _), (.quantizer, _): false
        case (_, .nonlinear): true
        default: false
        }
    }
}

extension Operator {
    /// Whether it is what ends a classifier.
    fileprivate var makesProbabilities: Bool {
        switch self {
        case .softmax, .logSoftmax, .sigmoid: true
        default: false
        }
    }
}
