public import SpikeFormats
public import SpikeGraph
import SpikeRuntime

/// Compares a network with the limits of a chip, layer by layer.
///
/// The network is the one that would get there: as NIR for the chip's reader, approximated where that is needed.
public struct HardwareFit: Sendable, CustomStringConvertible {
    /// A layer of weights.
    public struct Layer: Sendable, Hashable {
        /// The layer's node.
        public var name: String
        /// Neurons, or outputs where none follow.
        public var neurons: Int
        /// Weights as they are stored.
        public var weights: Int
        /// Connections, shared weights counted at every place: as many as a chip without shared weights needs.
        public var synapses: Int
        /// The most weights into one neuron that are not zero.
        public var fanIn: Int
        /// Memory for its weights and membranes, in the chip's numbers.
        public var bytes: Int
        /// What does not fit.
        public var problems: [String]
    }

    /// The chip.
    public let device: Device
    /// The network's layers as the chip's reader sees them.
    public let layers: [Layer]
    /// What of the whole network does not fit.
    public let problems: [String]
    /// What had to be approximated on the way.
    public let approximations: [ExportFinding]

    /// Whether no limit is exceeded.
    public var fits: Bool { problems.isEmpty && layers.allSatisfy { $0.problems.isEmpty } }

    /// - Parameter steps: T; by default the network's own.
    /// - Throws: ``SpikeletError`` where the network cannot be exported at all.
    public init(_ snn: Graph, on device: Device, steps: Int? = nil) throws {
        let export = try NIRExporter(device.profile, approximate: true, steps: steps)(snn)
        let graph = try NIRImporter(device.profile.dynamics)(export.graph)
        self.device = device
        approximations = export.approximations
        var layers: [Layer] = []
        var needs: [(kernel: Int, neurons: Int)] = []
        func sample(_ value: String) -> [Int] { graph.types[value]?.shape.dimensions.dropFirst().compactMap(\.known) ?? [] }
        for node in graph.nodes {
            guard let operation = export.graph.nodes[node.name]?.operation else { continue }
            let shape = sample(node.outputs[0])
            let places = max(1, shape.dropFirst().reduce(1, *))
            let weight: Tensor
            var problems: [String] = []
            func check(_ what: String, _ number: Int) {
                if let limit = device.layer[what], number > limit.most { problems.append("\(what) \(number), at most \(limit.most)") }
            }
            switch operation {
            case .convolution(let convolution):
                weight = convolution.weight
                check("kernel", weight.shape.dropFirst(2).max() ?? 1)
                check("padding", convolution.padding.max() ?? 0)
                check("stride", convolution.stride.max() ?? 1)
                if device.layer["stride"] != nil, convolution.stride.contains(where: { $0 & ($0 - 1) != 0 }) {
                    problems.append("stride \(convolution.stride), powers of 2 are possible")
                }
                check("input size", sample(node.inputs[0]).dropFirst().max() ?? 1)
            case .affine(let matrix, _): weight = matrix
            default: continue
            }
            check("features", weight.shape[0])
            check("output size", shape.dropFirst().max() ?? 1)
            check("fan-out", export.graph.edges.count { $0.source == node.name })
            let perOutput = weight.count / weight.shape[0]
            let values = weight.floats
            let connected = (0..<weight.shape[0]).map { row in values[row * perOutput..<(row + 1) * perOutput].count { $0 != 0 } }
            if places == 1, weight.rank == 2 {
                check(
                    "fan-out of a neuron",
                    (0..<perOutput).map { c in (0..<weight.shape[0]).count { values[$0 * perOutput + c] != 0 } }.max() ?? 0)
            }
            // As sinabs counts: every axis of the addresses takes a power of two.
            let area = weight.shape.dropFirst(2).reduce(1, *)
            needs.append(
                (weight.shape[1] * ceiling2(area) * ceiling2(weight.shape[0]), shape[0] * shape.dropFirst().map(ceiling2).reduce(1, *)))
            layers.append(
                Layer(
                    name: node.name, neurons: shape.reduce(1, *), weights: weight.count, synapses: connected.reduce(0, +) * places,
                    fanIn: connected.max() ?? 0,
                    bytes: weight.count * device.weightBits / 8 + shape.reduce(1, *) * device.stateBits / 8, problems: problems))
        }
        var problems: [String] = []
        let neurons = graph.nodes.reduce(0) { sum, node in
            if case .neuron = node.operator { sum + sample(node.outputs[0]).reduce(1, *) } else { sum }
        }
        let totals = [
            "layers": layers.count, "inputs": graph.inputs.first.map { sample($0.name).reduce(1, *) } ?? 0,
            "outputs": graph.outputs.first.map { sample($0.value).reduce(1, *) } ?? 0, "neurons": neurons,
            "weights": layers.reduce(0) { $0 + $1.weights }, "synapses": layers.reduce(0) { $0 + $1.synapses },
            // 8-bit weights and 16-bit states.
            "bytes": layers.reduce(0) { $0 + $1.weights } * device.weightBits / 8 + neurons * device.stateBits / 8,
        ]
        for (what, limit) in device.totals.sorted(by: { $0.key < $1.key }) where (totals[what] ?? 0) > limit.most {
            problems.append("\(totals[what] ?? 0) \(what), at most \(limit.most)")
        }
        if !device.cores.isEmpty {
            for index in layers.indices {
                if !device.cores.contains(where: { $0.kernel >= needs[index].kernel && $0.neurons >= needs[index].neurons }) {
                    layers[index].problems.append(
                        "needs \(needs[index].kernel) words for its kernel and \(needs[index].neurons) for its neurons, which no core has")
                }
            }
            if layers.count <= device.cores.count, layers.allSatisfy(\.problems.isEmpty), !Self.canBePlaced(needs, device.cores) {
                problems.append("each layer fits a core, but not all of them fit at once")
            }
        }
        self.layers = layers
        self.problems = problems
    }

    /// Whether every layer finds a core of its own: augmenting paths.
    private static func canBePlaced(_ needs: [(kernel: Int, neurons: Int)], _ cores: [(kernel: Int, neurons: Int)]) -> Bool {
        var holder = [Int?](repeating: nil, count: cores.count)
        func place(_ layer: Int, _ tried: inout Set<Int>) -> Bool {
            for (index, core) in cores.enumerated()
            where core.kernel >= needs[layer].kernel && core.neurons >= needs[layer].neurons && tried.insert(index).inserted {
                if let other = holder[index], !place(other, &tried) { continue }
                holder[index] = layer
                return true
            }
            return false
        }
        return needs.indices.allSatisfy { layer in
            var tried: Set<Int> = []
            return place(layer, &tried)
        }
    }

    public var description: String {
        var rows = [["layer", "neurons", "weights", "synapses", "fan-in", "KiB", "fits"]]
        for layer in layers {
            rows.append(
                [layer.name] + [layer.neurons, layer.weights, layer.synapses, layer.fanIn, (layer.bytes + 1023) / 1024].map(String.init)
                    + [layer.problems.isEmpty ? "yes" : "no"])
        }
        var text = "\(device.fullName)\n" + TextTable.format(rows, rightAligned: [1, 2, 3, 4, 5])
        for layer in layers { for problem in layer.problems { text += "\(layer.name): \(problem)".visible + "\n" } }
        for problem in problems { text += "the network: \(problem.visible)\n" }
        for finding in approximations { text += "approximated: \(finding.text.visible)\n" }
        let limits = device.totals.values.map(\.source) + device.layer.values.map(\.source) + [device.coreSource]
        for source in Set(limits).sorted() where !source.isEmpty { text += "limits from: \(source)\n" }
        return text + (fits ? "no public limit is in the way" : "it does not fit")
    }
}

/// The next power of two.
private func ceiling2(_ number: Int) -> Int {
    var power = 1
    while power < number { power *= 2 }
    return power
}

extension HardwareFit {
    /// The network as the chip would compute it: weights of 8 bits, one scale for all that goes into a layer of neurons, and
    /// membranes of 16 bits.
    ///
    /// - Parameter steps: T; by default the network's own.
    /// - Throws: ``SpikeletError`` where the network cannot be exported at all.
    public static func quantized(_ snn: Graph, for device: Device, steps: Int? = nil) throws -> Graph {
        let export = try NIRExporter(device.profile, approximate: true, steps: steps)(snn)
        let graph = try NIRImporter(device.profile.dynamics, name: snn.name)(export.graph)
        let producers = graph.producers
        let levels = Float(1 << (device.weightBits - 1)) - 1
        var constants = graph.constants
        func quantize(_ node: Node, scale: Float) {
            for name in node.inputs.dropFirst() {
                constants[name] = graph.constants[name]?.map { ($0 * scale).rounded() / scale }
            }
        }
        func largest(_ node: Node) -> Float { graph.constants[node.inputs[1]]?.floats.reduce(0) { max($0, abs($1)) } ?? 0 }
        func isLayer(_ node: Node) -> Bool {
            switch node.operator {
            case .conv, .gemm: true;
            default: false
            }
        }
        /// The nodes whose sum arrives.
        func sources(_ value: String) -> [Node] {
            guard let node = producers[value] else { return [] }
            if case .add = node.operator { return node.inputs.flatMap(sources) }
            return [node]
        }
        var done: Set<String> = []
        var nodes = graph.nodes
        for index in nodes.indices {
            guard case .neuron(let neuronNode) = nodes[index].operator else { continue }
            let layers = sources(nodes[index].inputs[0])
            // What comes without a layer between counts as a weight of 1.
            let most = layers.map { isLayer($0) ? largest($0) : 1 }.max() ?? 1
            let scale = most > 0 ? levels / most : levels
            for layer in layers where isLayer(layer) && done.insert(layer.name).inserted { quantize(layer, scale: scale) }
            let rule = neuronNode.neuron
            let neuron = try FixedPointIFNeuron(
                threshold: max(1, (rule.currentOfSpike[0] * scale).rounded()) / scale, quantum: 1 / scale, bits: device.stateBits,
                resetsToZero: device.profile.dynamics.reset == .value, isMultiSpike: rule.spikesPerStep?.upperBound != 1)
            nodes[index].operator = .neuron(NeuronNode(neuron, site: neuronNode.site))
        }
        // Layers that no neurons follow.
        for node in graph.nodes where isLayer(node) && !done.contains(node.name) && !node.inputs[1].hasSuffix(".ones") {
            let most = largest(node)
            if most > 0 { quantize(node, scale: levels / most) }
        }
        return try Graph(
            name: graph.name, inputs: graph.inputs, outputs: graph.outputs, nodes: nodes, constants: constants, origin: graph.origin,
            spiking: graph.spiking)
    }
}
