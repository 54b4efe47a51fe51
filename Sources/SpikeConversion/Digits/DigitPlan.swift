import SpikeGraph

/// What becomes of a network of any activations when everything that weights or stored values read is sent as digits
/// (``DigitNeuron``), and everything else stays in membranes.
///
/// A value is one of three. It depends on no weights yet: it is real-valued, like the input. It is a potential: a number in a membrane, of
/// which functions are computed where it is. Or it is spikes. Weights, pools and products read spikes, so what they read is sent as digits
/// if it is none yet. A function of one potential, also of a whole row of it (a normalisation, a softmax), is evaluated inside the neurons
/// that hold it; a function of two is an obstacle, unless it is their sum or their product.
struct DigitPlan {
    private enum Value: Equatable {
        /// Computed from the input alone, without weights or behind the first.
        case realValued
        /// A number in a membrane. Values of one root are functions of one potential.
        case potential(root: String)
        /// What neurons send.
        case spikes

        var root: String? { if case .potential(let root) = self { root } else { nil } }
    }

    /// A value that is sent as digits.
    struct Encoding {
        /// What makes it.
        var node: Node
        /// The nodes that read its digits, and at which place among their inputs.
        var readers: [(node: String, position: Int)] = []
        /// The axis that channels lie along, which may have steps of their own: 1, or −1, the last; `nil` where there are none.
        var axis: Int?
    }

    /// The values that are sent as digits, in the network's order.
    private(set) var encodings: [Encoding] = []
    /// The activations that are layers of neurons of their own, as in networks of ReLUs alone.
    private(set) var rectifiers: [String] = []
    /// For each node, what becomes of it.
    private(set) var roles: [String: Convertibility.Role] = [:]
    private(set) var obstacles: [Convertibility.Obstacle] = []
    /// Quotients of two values, which are products with a reciprocal.
    private(set) var divisions: [Node] = []

    private let graph: Graph
    let producers: [String: Node]
    private let consumers: [String: [Node]]
    private let tail: Set<String>
    private var values: [String: Value] = [:]
    private var numbers: [String: Int] = [:]
    /// Sums and means along rows that are parts of functions, and what is computed from those alone. Shown once more along the row, or with
    /// axes of size 1 in other places, they are still functions of the same potentials.
    private var ofRows: Set<String> = []

    init(_ graph: Graph) {
        self.graph = graph
        (producers, consumers) = (graph.producers, graph.consumers)
        tail = Self.tail(graph)
        for input in graph.inputs { values[input.name] = .realValued }
        for node in graph.nodes { take(node) }
        obstacles = graph.nodes.compactMap { node in obstacles.first { $0.node == node.name } }
    }

    /// The nodes from which neither weights nor products can be reached: they act on the output.
    private static func tail(_ graph: Graph) -> Set<String> {
        var leads: Set<String> = []
        let readers = graph.consumers
        for node in graph.nodes.reversed() {
            let following = node.outputs.flatMap { readers[$0] ?? [] }
            let reads = graph.hasWeights(node) || graph.isProduct(node) || graph.sumsPlaces(node) || graph.linearity(of: node) == .maximum
            if reads || following.contains(where: { leads.contains($0.name) }) { leads.insert(node.name) }
        }
        return Set(graph.nodes.map(\.name)).subtracting(leads)
    }

    private mutating func take(_ node: Node) {
        let read = node.inputs.indices.filter { graph.constants[node.inputs[$0]] == nil }
        let known = read.compactMap { values[node.inputs[$0]] }
        let value = result(of: node, read: read, known)
        for output in node.outputs { values[output] = value }
        let isOfRow = !read.isEmpty && read.allSatisfy { ofRows.contains(node.inputs[$0]) }
        guard case .potential = value, roles[node.name] == .function || roles[node.name] == .membrane && isOfRow else { return }
        if isOfRow || reducesRows(node) { ofRows.formUnion(node.outputs) }
    }

    private mutating func result(of node: Node, read: [Int], _ known: [Value]) -> Value {
        let own = Value.potential(root: node.outputs[0])
        guard !read.isEmpty else { return .realValued }
        if graph.hasWeights(node) {
            roles[node.name] = known.allSatisfy { $0 == .realValued } ? .analog : .synapses
            for position in read { encode(node, position) }
            return own
        }
        if graph.picksEmbeddings(node) {
            // A table of embeddings is read like a first layer's weights.
            roles[node.name] = .analog
            return own
        }
        if known.allSatisfy({ $0 == .realValued }) {
            roles[node.name] = .analog
            return .realValued
        }
        let linearity = graph.linearity(of: node)
        if linearity == .maximum {
            roles[node.name] = tail.contains(node.name) ? .readout : .maximum
            encode(node, read[0])
            return .spikes
        }
        if reducesRows(node), isPartOfFunction(node) {
            roles[node.name] = .function
            return root(of: node.inputs[0]).map { .potential(root: $0) } ?? own
        }
        if graph.sumsPlaces(node) {
            roles[node.name] = .synapses
            encode(node, read[0])
            return own
        }
        if linearity == .activation, !isPartOfFunction(node) {
            if case .quantizer = node.operator { return obstacle(node, Convertibility.reason(node)) }
            roles[node.name] = .neurons
            rectifiers.append(node.name)
            return .spikes
        }
        let roots = Set(read.compactMap { root(of: node.inputs[$0]) })
        if linearity == .linear || linearity == .affine {
            let areSpikes = known.allSatisfy { $0 == .spikes }
            roles[node.name] = areSpikes ? .synapses : .membrane
            if areSpikes { return .spikes }
            if graph.movesPlaces(node), !(repeatsPlaces(node) && ofRows.contains(node.inputs[0])) { return own }
            return roots.count == 1 ? .potential(root: roots.first ?? "") : own
        }
        let isMatrixProduct = if case .matMul = node.operator { true } else { false }
        if graph.isProduct(node), isMatrixProduct || roots.count > 1 || known.contains(.spikes) && known.contains(.realValued) {
            roles[node.name] = .product
            for position in read { encode(node, position) }
            return own
        }
        if tail.contains(node.name) {
            roles[node.name] = .readout
            return own
        }
        if roots.count == 1 {
            roles[node.name] = .function
            return .potential(root: roots.first ?? "")
        }
        if dividesBySumOfDigits(node) || dividesPartsOfOne(node, read) {
            roles[node.name] = .function
            return own
        }
        if case .binary(let binary) = node.operator, binary.function == .divide {
            roles[node.name] = .product
            divisions.append(node)
            return own
        }
        return obstacle(node, "a function of two values that both depend on weights; sums, products and quotients of two are possible")
    }

    /// Whether a node divides a product E · V by the sum of E's rows, as ``SplitSoftmax`` writes attention: both are sums of E's digits.
    private func dividesBySumOfDigits(_ node: Node) -> Bool {
        guard case .binary(let binary) = node.operator, binary.function == .divide, let product = producers[node.inputs[0]],
            let sum = producers[node.inputs[1]], case .matMul = product.operator, case .reduce(let reduce) = sum.operator
        else { return false }
        return reduce.function == .sum && reduce.axes == [-1] && reduce.keepsDimensions && sum.inputs[0] == product.inputs[0]
    }

    /// Whether a node divides one part of a value by another, as attention without softmax does whose product has the sums in a column
    /// of its own: both are in the membranes of the same neurons.
    private func dividesPartsOfOne(_ node: Node, _ read: [Int]) -> Bool {
        guard case .binary(let binary) = node.operator, binary.function == .divide else { return false }
        return Set(read.map { whole(of: node.inputs[$0]) }).count == 1
    }

    /// The value that another is a function of, or of a part of, moved or not.
    private func whole(of name: String) -> String {
        var name = name
        while let root = root(of: name) {
            guard values[name] != .spikes, let mover = producers[root], graph.movesPlaces(mover), mover.inputs[0] != name else {
                return root
            }
            if mover.inputs.dropFirst().contains(where: { graph.constants[$0] == nil }) { return root }
            name = mover.inputs[0]
        }
        return name
    }

    private mutating func obstacle(_ node: Node, _ reason: String) -> Value {
        roles[node.name] = .obstacle
        obstacles.append(.init(node: node.name, operator: node.operator.name, reason: reason))
        return .potential(root: node.outputs[0])
    }

    /// What a value is a function of, if not of the input alone.
    private func root(of name: String) -> String? {
        switch values[name] {
        case .realValued, nil: nil
        case .potential(let root): root
        case .spikes: name
        }
    }

    /// Whether a node is a sum or a mean along axes.
    private func reducesRows(_ node: Node) -> Bool {
        switch node.operator {
        case .reduce, .reduceMean: true
        default: false
        }
    }

    /// Whether a node shows numbers once more along axes, or gives them axes of size 1.
    private func repeatsPlaces(_ node: Node) -> Bool {
        switch node.operator {
        case .expand: return true
        case .reshape, .flatten:
            func sizes(_ value: String) -> [Dimension]? { graph.types[value]?.shape.dimensions.filter { $0 != 1 } }
            return sizes(node.inputs[0]) == sizes(node.outputs[0])
        default: return false
        }
    }

    /// Whether what a node makes meets again what it was made of, or a function of it alone is computed next: an activation is then a part
    /// of that function, as in relu(x)², not a layer, and a mean a part of a normalisation, not a pool.
    private func isPartOfFunction(_ node: Node) -> Bool {
        guard let root = root(of: node.inputs[0]) else { return false }
        // What the other side of a meeting may be: functions of the same potential.
        var fellows = Set(values.keys.filter { self.root(of: $0) == root })
        var reached = Set(node.outputs)
        // Of these values, the ones that nothing else that depends on weights is in.
        var alone = reached
        for later in graph.nodes where values[later.outputs[0]] == nil && later.name != node.name {
            guard !graph.isReadAsSpikes(later) || graph.isProduct(later) else { continue }
            let linearity = graph.linearity(of: later)
            guard later.inputs.contains(where: reached.contains) else {
                let isFellow =
                    later.inputs.contains(where: fellows.contains)
                    && later.inputs.allSatisfy { fellows.contains($0) || graph.constants[$0] != nil }
                if isFellow, !graph.movesPlaces(later), linearity != .activation { fellows.formUnion(later.outputs) }
                continue
            }
            let isFunction = linearity == .nonlinear
            let meets = later.inputs.contains { !reached.contains($0) && fellows.contains($0) }
            if meets, reducesRows(node) || isFunction { return true }
            let isOfOne = later.inputs.allSatisfy { alone.contains($0) || graph.constants[$0] != nil }
            if isOfOne, isFunction, !reducesRows(node), !tail.contains(later.name) { return true }
            if graph.movesPlaces(later), !(reducesRows(node) && repeatsPlaces(later)) { continue }
            reached.formUnion(later.outputs)
            if isOfOne { alone.formUnion(later.outputs) }
        }
        return false
    }

    /// Has a node read digits at one of its inputs.
    private mutating func encode(_ node: Node, _ position: Int) {
        let value = node.inputs[position]
        guard case .potential? = values[value], let producer = producers[value] else { return }
        if numbers[value] == nil {
            numbers[value] = encodings.count
            encodings.append(Encoding(node: producer, axis: channelAxis(node, value)))
        }
        guard let number = numbers[value] else { return }
        encodings[number].readers.append((node.name, position))
        if encodings[number].axis != channelAxis(node, value) { encodings[number].axis = nil }
    }

    /// Where a reader's channels lie; `nil` where it has none, samples lie there, or it cannot be known.
    private func channelAxis(_ node: Node, _ value: String) -> Int? {
        let (axis, rank) = (likelyAxis(node, value), graph.types[value]?.shape.rank ?? 0)
        return axis.flatMap { graph.types[value]?.shape.batchAxis == ($0 < 0 ? $0 + rank : $0) ? nil : $0 }
    }

    private func likelyAxis(_ node: Node, _ value: String) -> Int? {
        let rank = graph.types[value]?.shape.rank ?? 0
        if rank <= 2 { return isAttention(value) ? nil : 1 }
        switch node.operator {
        case .conv, .convTranspose, .averagePool, .globalAveragePool, .maxPool, .globalMaxPool, .resize: return 1
        // Gates and means of maps have theirs there too; of three axes it cannot be known.
        case .mul, .reduce, .reduceMean: return rank == 3 ? nil : 1
        // Features of tokens are what weights multiply. What an attention gives is rounded best with one step.
        case .matMul: return graph.hasWeights(node) && node.inputs[0] == value && !isAttention(value) ? -1 : nil
        default: return nil
        }
    }

    /// Where the channels of a rectifier lie that is a layer of neurons of its own; `nil` where it has one threshold.
    ///
    /// Behind weights for the features of tokens it has features too, whoever reads it.
    func channelAxis(ofRectifier node: Node) -> Int? {
        let (value, readers) = (node.outputs[0], consumers[node.outputs[0]] ?? [])
        guard graph.types[value]?.shape.rank ?? 0 > 2 else { return graph.channelAxis(of: value) }
        let isOfTokens = !readers.isEmpty && readers.allSatisfy { channelAxis($0, value) == -1 } || isBehindFeatures(node.inputs[0])
        return isOfTokens ? -1 : graph.channelAxis(of: value)
    }

    /// Whether a value is a function of what weights have made of tokens' features, each at its place.
    private func isBehindFeatures(_ value: String) -> Bool {
        var value = value
        while let node = producers[value] {
            switch node.operator {
            case .matMul: return graph.hasWeights(node) && graph.constants[node.inputs[1]] != nil
            case .add, .binary, .mul, .layerNormalization, .batchNormalization, .unary, .clip, .identity, .sigmoid: break
            default: return false
            }
            guard let next = node.inputs.first(where: { graph.constants[$0] == nil }) else { return false }
            value = next
        }
        return false
    }

    /// Whether a value is what a product of two values gives, divided and moved.
    private func isAttention(_ value: String) -> Bool {
        var value = value
        while let node = producers[value] {
            if case .matMul = node.operator { return graph.isProduct(node) }
            guard graph.movesPlaces(node) || node.operator.isDivision else { return false }
            value = node.inputs[0]
        }
        return false
    }
}

extension Operator {
    fileprivate var isDivision: Bool {
        if case .binary(let binary) = self { return binary.function == .divide }
        return false
    }
}

extension Graph {
    /// Whether a node adds up numbers of several places: a pool's mean, interpolation.
    func sumsPlaces(_ node: Node) -> Bool {
        switch node.operator {
        case .averagePool, .cumSum, .globalAveragePool, .reduceMean: true
        case .reduce(let reduce): reduce.function == .sum
        case .resize(let resize): resize.mode != .nearest
        default: false
        }
    }

    /// Whether a node brings numbers to other places, so that two of its results may be of one value and yet of different numbers.
    fileprivate func movesPlaces(_ node: Node) -> Bool {
        switch node.operator {
        case .concat, .expand, .flatten, .gather, .pad, .reshape, .resize, .slice, .tile, .transpose: true
        default: false
        }
    }

    /// Whether a node reads spikes.
    fileprivate func isReadAsSpikes(_ node: Node) -> Bool {
        hasWeights(node) || isProduct(node) || sumsPlaces(node) || linearity(of: node) == .maximum
    }
}
