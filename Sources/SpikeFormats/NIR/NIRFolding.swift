import SpikeGraph

/// A value of the network, as sums of what NIR nodes give.
struct FoldedValue {
    /// scale ⊙ the output of a node, whose channels begin at `offset` among the value's.
    struct Term {
        var node: String
        /// Of the node's output, without samples: `[C, spatial…]` or `[features]`.
        var shape: [Int]
        /// One number for each channel.
        var scale: [Float]
        var offset = 0
        /// Whether the node is a weight layer that nothing else reads, so that the scale may go into its weights.
        var isExclusive = false

        var isPlain: Bool { offset == 0 && scale.allSatisfy { $0 == 1 } }
    }

    var terms: [Term]
    /// Added to each channel; empty for nothing.
    var bias: [Float] = []
    /// Without samples. Where a reader cannot flatten, a flattened value keeps the shape it had. Of a value with `postponed`
    /// nodes it is the shape before them.
    var shape: [Int]
    /// What each channel without its bias is at most, in the mean over many steps, where it is a sum of spikes that never falls
    /// below zero; `nil` where nothing bounds it.
    var most: [Float]?
    /// Max pools, and flattenings of theirs, that are made of the neurons that read the value, and not of the value itself.
    var postponed: [Node] = []
    /// How many places along each axis lie side by side among the channels (``LayerPlan``); empty: one.
    var phases: [Int] = []
    /// What is still to be made of the terms, while the bias is what there will be then. All else is as it was before.
    var pending: PendingMap?

    /// So many channels here are one of the network's.
    var places: Int { phases.reduce(1, *) }
    var isInterleaved: Bool { places != 1 }

    /// The network's numbers for channels, as they are here.
    func spread(_ numbers: [Float]) -> [Float] {
        isInterleaved && numbers.count * places == channels ? numbers.flatMap { [Float](repeating: $0, count: places) } : numbers
    }

    /// The other way round: for each of the network's channels the largest number.
    func gathered(_ numbers: [Float]) -> [Float] {
        stride(from: 0, to: numbers.count, by: places).map { first in numbers[first..<first + places].max() ?? 0 }
    }

    /// The spatial sizes in the network.
    var sizes: [Int] {
        if let pending { return pending.map.axes.map(\.output) }
        return phases.isEmpty ? Array(shape.dropFirst()) : zip(shape.dropFirst(), phases).map { $0 * $1 }
    }

    var channels: Int { shape.first ?? 1 }

    func scaled(by factors: [Float]) -> FoldedValue {
        var copy = self
        copy.terms = terms.map { term in
            var term = term
            for channel in term.scale.indices { term.scale[channel] *= factors[factors.count == 1 ? 0 : term.offset + channel] }
            return term
        }
        copy.bias = bias.indices.map { bias[$0] * factors[factors.count == 1 ? 0 : $0] }
        copy.most = factors.allSatisfy { $0 >= 0 } ? most?.enumerated().map { $1 * factors[factors.count == 1 ? 0 : $0] } : nil
        return copy
    }

    func adding(_ numbers: [Float]) -> FoldedValue {
        var copy = self
        let spread = numbers.count == 1 ? [Float](repeating: numbers[0], count: channels) : numbers
        copy.bias = bias.isEmpty ? spread : zip(bias, spread).map { $0 + $1 }
        if copy.bias.allSatisfy({ $0 == 0 }) { copy.bias = [] }
        return copy
    }
}

/// A map that waits for the next, since one layer can say both.
struct PendingMap {
    var map: LinearMap
    /// The nodes that it stands for.
    var nodes: [Node]
}

/// A spiking network on its way to NIR: its nodes are taken up one after the other.
struct NIRFolding {
    let snn: Graph
    let profile: NIRProfile
    /// T, over which initial membranes are spread.
    let steps: Int
    var graph = NIRGraph()
    private(set) var findings: [ExportFinding] = []
    private(set) var notes: [String] = []
    /// Nodes whose arithmetic the file cannot keep in its order.
    private var rounded: [String] = []
    /// Neurons that the reader runs otherwise than the network does.
    var runOtherwise: [String] = []
    /// Nodes that give whole numbers and are no neurons.
    var wholeNodes: Set<String> = []
    private var values: [String: FoldedValue] = [:]
    /// What the file gives: the output, or what is accumulated for it.
    private var shown = ""
    private let readers: [String: Int]
    /// The scale nodes that there are, by what they read and by their numbers.
    private var scaleNodes: [String: [(scale: [Float], name: String)]] = [:]

    init(_ snn: Graph, profile: NIRProfile, steps: Int) {
        self.snn = snn
        self.profile = profile
        self.steps = steps
        var readers: [String: Int] = [:]
        for name in snn.nodes.flatMap(\.inputs) + snn.outputs.map(\.value) { readers[name, default: 0] += 1 }
        self.readers = readers
    }

    mutating func run() throws {
        let input = snn.inputs[0]
        guard let shape = sampleShape(input.name), snn.types[input.name]?.elementType == .float32 else {
            throw SpikeletError(
                .unsupported, "the input is \(input.type)", remedy: "an input [N, …] of floating-point numbers can be exported")
        }
        let turned = turnedInput()
        let given = turned.map { $0.permutation.dropFirst().map { shape[$0 - 1] } } ?? shape
        graph.nodes["input"] = NIRNode(.input(shape: given))
        let value = FoldedValue(
            terms: [.init(node: "input", shape: given, scale: [Float](repeating: 1, count: given.first ?? 1))], shape: given)
        if let turned {
            for node in turned.nodes { values[node.outputs[0]] = value }
            graph.metadata["input_axes"] = .numbers(Tensor(turned.permutation.map { Int64($0) }, shape: [turned.permutation.count]))
            notes.append("give the input with its axes in the order \(turned.permutation): NIR has no transpose")
        } else {
            values[input.name] = value
        }
        let readout = snn.readoutNodes
        shown = snn.outputs[0].value
        let acting = snn.nodes.filter { readout.contains($0.name) }
        let read = Set(acting.flatMap(\.inputs)).subtracting(acting.flatMap(\.outputs)).subtracting(snn.constants.keys).sorted()
        if let accumulated = read.first {
            shown = accumulated
            for node in acting.reversed() {
                notes.append("'\(node.name)' (\(node.operator.name)) is left to the reader: it acts on the averaged output")
            }
            if read.count > 1 {
                find(
                    "an output that is computed from \(read.count) averages (\(read.joined(separator: ", ")))", replacement: nil,
                    node: acting[0].name)
            }
        }
        for node in snn.nodes where !readout.contains(node.name) && values[node.outputs[0]] == nil {
            // What reads something that cannot be said has been judged with it.
            guard node.inputs.allSatisfy({ values[$0] != nil || snn.constants[$0] != nil }) else { continue }
            if var value = try take(node) {
                if readers[node.outputs[0], default: 0] > 1 {
                    guard let settled = settled(value) else { continue }
                    value = settled
                }
                if profile.isExact || readers[node.outputs[0], default: 0] > 1 {
                    for index in value.terms.indices { value.terms[index].isExclusive = false }
                }
                values[node.outputs[0]] = value
            }
        }
        if let value = values[shown], isRead(value, by: nil), let value = arranged(value, shown) {
            let names = materialize(value, for: "output")
            let shape = value.shape
            graph.nodes["output"] = NIRNode(.output(shape: shape))
            connect(names, to: "output")
        }
        describeTiming()
        if !rounded.isEmpty { notes.append("rounded in another order than in the network: " + rounded.joined(separator: ", ")) }
        if let other = profile.otherNeuron, !runOtherwise.isEmpty {
            let replacement =
                profile.threshold == 1 ? "what it does" : "a threshold of \(profile.threshold), which makes up for it on average"
            find("neurons as they are: \(profile.name) \(other)", replacement: replacement, node: nil)
        }
        if profile.ignoresConvolutionBias { dropConvolutionBiases() }
        describeKernels()
    }

    /// NIR's own check of shapes takes the first size of a kernel for both.
    private mutating func describeKernels() {
        let names = graph.nodes.filter {
            guard case .convolution(let convolution) = $0.value.operation, convolution.rank == 2 else { return false }
            return convolution.weight.shape[2] != convolution.weight.shape[3]
        }.keys.sorted()
        guard !names.isEmpty, !profile.isArrays, !profile.isExact else { return }
        notes.append(
            "nir.read takes the file with type_check=False alone, since it holds the kernels of \(names.joined(separator: ", ")) for square"
        )
    }

    /// Where all that reads the input turns it the same way first, as networks with channels last do, the turning is the user's.
    private func turnedInput() -> (permutation: [Int], nodes: [Node])? {
        let consumers = snn.consumers[snn.inputs[0].name] ?? []
        let permutations = consumers.map { node -> [Int] in
            if case .transpose(let transpose) = node.operator { transpose.permutation } else { [] }
        }
        guard let first = permutations.first, first.first == 0, Set(permutations).count == 1,
            !snn.outputs.contains(where: { $0.value == snn.inputs[0].name })
        else { return nil }
        return (first, consumers)
    }

    /// What of the network's timing no edge or node says.
    private mutating func describeTiming() {
        guard let description = snn.spiking else { return }
        if description.schedule == .layerSynchronous {
            find("layers that wait for each other", replacement: "layers that all advance in every step", node: nil)
        }
        if let delay = description.readoutDelay, delay > 0, !profile.dynamics.readsMetadata {
            find("an output that begins after \(delay) steps", replacement: "the output of all steps", node: nil)
        }
    }

    private mutating func dropConvolutionBiases() {
        for (name, node) in graph.nodes.sorted(by: { $0.key < $1.key }) {
            guard case .convolution(var convolution) = node.operation, convolution.bias.floats.contains(where: { $0 != 0 }) else {
                continue
            }
            convolution.bias = Tensor(repeating: 0, shape: convolution.bias.shape)
            graph.nodes[name]?.operation = .convolution(convolution)
            find("biases of convolutions", replacement: "no bias", node: name)
        }
    }

    // MARK: Findings

    /// - Parameters:
    ///   - replacement: what the file says instead, or `nil` where there is nothing.
    ///   - advice: what would help where there is nothing.
    mutating func find(_ subject: String, replacement: String?, node: String?, advice: String? = nil) {
        if let index = findings.firstIndex(where: { $0.subject == subject && $0.replacement == replacement }) {
            if let node, !findings[index].nodes.contains(node) { findings[index].nodes.append(node) }
        } else {
            findings.append(ExportFinding(subject, replacement: replacement, nodes: node.map { [$0] } ?? [], advice: advice))
        }
    }

    mutating func roundsOtherwise(_ node: Node) { rounded.append(node.name) }

    mutating func note(_ text: String) { notes.append(text) }

    // MARK: Nodes and edges

    /// A name that every reader takes as an identifier, and no other node has.
    mutating func add(_ operation: NIROperation, named base: String, metadata: [String: NIRMetadata] = [:]) -> String {
        var name = String(base.unicodeScalars.map { $0.isASCII && $0.properties.isAlphabetic || "0"..."9" ~= $0 ? Character($0) : "_" })
        if name.first.map({ !$0.isLetter }) ?? true { name = "n" + name }
        let stem = name
        var number = 2
        while graph.nodes[name] != nil || name == "output" || name == "input" {
            name = "\(stem)_\(number)"
            number += 1
        }
        graph.nodes[name] = NIRNode(operation, metadata: metadata)
        return name
    }

    mutating func connect(_ sources: [String], to target: String) {
        for source in sources { graph.edges.append(.init(source, target)) }
    }

    /// The shape of a value without its samples.
    func sampleShape(_ value: String) -> [Int]? {
        guard let shape = snn.types[value]?.shape, shape.rank >= 2 else { return nil }
        let sizes = shape.dimensions.dropFirst().compactMap(\.known)
        return sizes.count == shape.rank - 1 ? sizes : nil
    }

    func value(_ name: String) -> FoldedValue? { values[name] }

    /// Gives what a node makes before its turn comes, where a node in front of it stands for it too.
    mutating func set(_ name: String, _ value: FoldedValue) { values[name] = value }

    /// The only node that reads a value.
    func onlyReader(of name: String) -> Node? {
        readers[name] == 1 ? snn.nodes.first { $0.inputs.contains(name) } : nil
    }

    /// Whether a node gives what the file gives, and nothing else reads it.
    func isLast(_ node: Node) -> Bool { node.outputs[0] == shown && isReadOnce(shown) }

    func isReadOnce(_ name: String) -> Bool { readers[name, default: 0] <= 1 }

    // MARK: Values as nodes

    /// Nodes whose sum is the value: scales and biases go into the weights of layers that only it reads, or into a layer of
    /// their own.
    mutating func materialize(_ value: FoldedValue, for base: String) -> [String] {
        var bias = value.bias
        let isFoldable = { (term: FoldedValue.Term) in term.isExclusive && term.offset == 0 && term.shape[0] == value.channels }
        // The bias goes where there is a place for it already.
        let carrier = bias.isEmpty ? nil : value.terms.firstIndex(where: isFoldable) ?? 0
        var names: [String] = []
        for (index, term) in value.terms.enumerated() {
            let carried = index == carrier ? bias : []
            if index == carrier { bias = [] }
            if isFoldable(term) {
                scaleLayer(term.node, by: term.scale, adding: carried)
                names.append(term.node)
            } else if term.isPlain, term.shape[0] == value.channels, carried.isEmpty {
                names.append(term.node)
            } else if profile.isExact, term.offset == 0, term.shape[0] == value.channels, carried.isEmpty {
                names.append(scaleNode(reading: [term.node], by: term.scale, shape: term.shape, base: base))
            } else {
                names.append(diagonal(term, channels: value.channels, bias: carried, base: base))
            }
        }
        return names
    }

    /// The same value, made of nodes without scales.
    mutating func plain(_ value: FoldedValue, for base: String) -> FoldedValue {
        if value.bias.isEmpty, value.terms.allSatisfy({ $0.isPlain && $0.shape[0] == value.channels }) { return value }
        let ones = [Float](repeating: 1, count: value.channels)
        let terms = zip(materialize(value, for: base), value.terms).map { name, term in
            FoldedValue.Term(
                node: name, shape: value.channels == term.shape[0] ? term.shape : [value.channels] + term.shape.dropFirst(), scale: ones)
        }
        return FoldedValue(
            terms: terms, shape: value.shape, most: value.bias.isEmpty ? value.most : nil, postponed: value.postponed,
            phases: value.phases)
    }

    /// A node that scales each channel of what it reads.
    mutating func scaleNode(reading sources: [String], by scale: [Float], shape: [Int], base: String) -> String {
        let key = sources.joined(separator: "\n")
        if let made = scaleNodes[key]?.first(where: { $0.scale == scale }) { return made.name }
        let size = shape.dropFirst().reduce(1, *)
        let name = add(
            .scale(Tensor(scale.flatMap { [Float](repeating: $0, count: size) }, shape: shape)), named: base + "_scale")
        connect(sources, to: name)
        scaleNodes[key, default: []].append((scale, name))
        return name
    }

    private mutating func scaleLayer(_ name: String, by scale: [Float], adding bias: [Float]) {
        func scaled(_ tensor: Tensor, adding: [Float] = []) -> Tensor {
            let size = tensor.count / max(1, scale.count)
            var values = tensor.floats
            for index in values.indices { values[index] *= scale[index / size] }
            for index in adding.indices { values[index] += adding[index] }
            return Tensor(values, shape: tensor.shape)
        }
        switch graph.nodes[name]?.operation {
        case .affine(let weight, let old?)?:
            graph.nodes[name]?.operation = .affine(weight: scaled(weight), bias: scaled(old, adding: bias))
        case .convolution(var convolution)?:
            convolution.weight = scaled(convolution.weight)
            convolution.bias = scaled(convolution.bias, adding: bias)
            graph.nodes[name]?.operation = .convolution(convolution)
        case .unsayable?:
            guard case .numbers(let weight)? = graph.nodes[name]?.metadata["weight"],
                case .numbers(let old)? = graph.nodes[name]?.metadata["bias"]
            else { return }
            // [C_in, C_out, kernel…]
            let (outputs, size) = (weight.shape[1], weight.shape.dropFirst(2).reduce(1, *))
            let values = weight.floats.enumerated().map { $1 * scale[$0 / size % outputs] }
            graph.nodes[name]?.metadata["weight"] = .numbers(Tensor(values, shape: weight.shape))
            graph.nodes[name]?.metadata["bias"] = .numbers(scaled(old, adding: bias))
        default: break
        }
    }

    /// A layer that scales each channel, and puts it at its place among `channels`.
    mutating func diagonal(_ term: FoldedValue.Term, channels: Int, bias: [Float] = [], base: String) -> String {
        let count = term.shape[0]
        var weight = [Float](repeating: 0, count: channels * count)
        for channel in 0..<count { weight[(term.offset + channel) * count + channel] = term.scale[channel] }
        let biases = Tensor(bias.isEmpty ? [Float](repeating: 0, count: channels) : bias, shape: [channels])
        let rank = term.shape.count - 1
        let ones = [Int](repeating: 1, count: rank)
        let operation: NIROperation =
            rank == 0
            ? .affine(weight: Tensor(weight, shape: [channels, count]), bias: biases)
            : .convolution(
                NIRConvolution(
                    weight: Tensor(weight, shape: [channels, count] + ones), bias: biases, inputShape: Array(term.shape.dropFirst()),
                    stride: ones, padding: ones.map { _ in 0 }, dilation: ones))
        let name = add(operation, named: base + "_scale")
        connect([term.node], to: name)
        return name
    }
}
