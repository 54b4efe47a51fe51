import SpikeGraph

/// What a latency code sends of a network of ReLUs: activations, and where max pools read them, the maxima.
///
/// Neurons are max(0, x), up to what all their spikes say. A bounded ReLU is more than that where two spikes may say more than its bound: it
/// stays in front of the neurons, which send its result. A spike is worth what its step says, so a maximum is known when all spikes have come: neurons wait for them, pools act on numbers in
/// front of the neurons, and what is sent is the result. (A running maximum, as the other codes have it, would have to send differences of
/// sums of two spikes, which are no levels.) So an activation that max pools alone read is not sent at all.
struct LatencyPlan {
    /// The activations that become neurons.
    private(set) var activations: [Node] = []
    /// The max pools and bounded ReLUs whose results are sent, and who reads them.
    private(set) var encodings: [DigitPlan.Encoding] = []
    /// For each of these pools the activation that it reads, directly or through other pools; absent where it reads several.
    private var pooled: [String: String] = [:]

    /// - Parameter mostSpikes: of a neuron.
    /// - Throws: ``SpikeletError`` that lists the max pools whose results could be below zero, which no spike says.
    init(_ graph: Graph, mostSpikes: Int) throws {
        let (consumers, producers) = (graph.consumers, graph.producers)
        let shown = Set(graph.outputs.map(\.value))
        var (spiking, unsigned): (Set<String>, Set<String>) = ([], [])
        var problems: [String] = []
        func isPool(_ node: Node) -> Bool {
            graph.linearity(of: node) == .maximum && node.inputs.contains(where: spiking.contains)
        }
        func isActivation(_ node: Node) -> Bool { graph.linearity(of: node) == .activation }
        let readout = graph.readoutNodes
        for node in graph.nodes {
            let read = node.inputs.filter { graph.constants[$0] == nil }
            if isActivation(node) || node.inputs.contains(where: spiking.contains) { spiking.formUnion(node.outputs) }
            if isActivation(node) || !read.isEmpty && read.allSatisfy(unsigned.contains) && Self.keepsSign(node, in: graph) {
                unsigned.formUnion(node.outputs)
            }
        }
        func isBounded(_ node: Node) -> Bool { mostSpikes > 1 && isActivation(node) && node.operator.upperBound?.isFinite == true }
        for node in graph.nodes where (isPool(node) || isBounded(node)) && !readout.contains(node.name) {
            let value = node.outputs[0]
            // Pools and activations behind it take it as the number that it is.
            let readers = (consumers[value] ?? []).filter { !isPool($0) && !isActivation($0) && !readout.contains($0.name) }
            guard !readers.isEmpty else { continue }
            guard unsigned.contains(value) else {
                problems.append("'\(node.name)' (\(node.operator.name)) takes a maximum of what may be below zero")
                continue
            }
            let positions = readers.flatMap { reader in
                reader.inputs.indices.filter { reader.inputs[$0] == value }.map { (node: reader.name, position: $0) }
            }
            var seen: Set<String> = []
            let places = positions.filter { seen.insert("\($0.node) \($0.position)").inserted }
            encodings.append(DigitPlan.Encoding(node: node, readers: places, axis: graph.channelAxis(of: value)))
            guard isPool(node) else { continue }
            var source = node.inputs[0]
            while let producer = producers[source], isPool(producer) { source = producer.inputs[0] }
            if let producer = producers[source], isActivation(producer) { pooled[node.name] = producer.name }
        }
        guard problems.isEmpty else {
            throw SpikeletError(
                .notConvertible, "a latency code cannot say what \(problems.count) max pool\(problems.count == 1 ? "" : "s") would give:",
                details: SpikeletError.list(problems), remedy: "use the recipe radix, or put a ReLU in front of the pool and train again")
        }
        activations = graph.nodes.filter { node in
            guard isActivation(node), !isBounded(node) else { return false }
            let readers = consumers[node.outputs[0]] ?? []
            return readers.isEmpty || shown.contains(node.outputs[0]) || readers.contains { !isPool($0) }
        }
    }

    /// Without data: the activations of which something has to be known.
    func activationsToMeasure(_ graph: Graph) -> [Node] {
        let names = encodings.map { pooled[$0.node.name] ?? $0.node.name } + activations.map(\.name)
        return graph.nodes.filter { names.contains($0.name) && graph.linearity(of: $0) == .activation }
    }

    /// What spikes stand for, by the names of activations and pools: where only of a pool's activation it is known, the same.
    func scales(_ known: [String: [Float]]) throws -> [String: [Float]] {
        var scales = known
        for pool in encodings.map(\.node.name) where scales[pool] == nil {
            guard let spike = pooled[pool].flatMap({ known[$0] }) else {
                throw SpikeletError(
                    .notConvertible, "without data nothing is known of the max pool '\(pool)', which reads several activations",
                    remedy: "give calibration data")
            }
            scales[pool] = spike
        }
        return scales
    }

    /// Whether a node gives nothing below zero where it is given nothing below zero.
    private static func keepsSign(_ node: Node, in graph: Graph) -> Bool {
        switch node.operator {
        case .voltageScaler, .mul, .unary: false
        case .add, .averagePool, .globalAveragePool, .reduceMean: !node.inputs.contains { graph.constants[$0] != nil }
        default: graph.linearity(of: node) == .maximum || graph.movesValues(node)
        }
    }
}
