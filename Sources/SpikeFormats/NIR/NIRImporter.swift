public import SpikeGraph

/// Makes a spiking network of a NIR graph, to be simulated as one of its readers would.
///
/// NIR's time is continuous and its resets are the reader's: ``NIRDynamics`` decides. Nested graphs become part of one
/// network, with names joined by dots. A layer of neurons that reads itself through one layer of weights becomes a
/// ``RecurrentNeuron``; cycles over several layers of neurons are refused.
public struct NIRImporter: Sendable {
    /// What the file leaves open.
    public var dynamics: NIRDynamics
    /// The name of the network that it makes.
    public var name: String

    /// An importer that takes neurons to behave so.
    public init(_ dynamics: NIRDynamics = NIRDynamics(), name: String = "nir") {
        self.dynamics = dynamics
        self.name = name
    }

    /// - Throws: ``SpikeletError``: `invalidModel`, `unsupported`, with the node's name.
    public func callAsFunction(_ nir: NIRGraph) throws -> Graph {
        guard dynamics.timeStep > 0, dynamics.timeStep.isFinite else {
            throw SpikeletError(.invalidOption, "a time step of \(dynamics.timeStep)", remedy: "give a positive number, such as 1e-4")
        }
        var flat = try FlatNIR(nir)
        let loops = flat.takeLoops()
        var assembly = NIRAssembly(dynamics: dynamics)
        for name in try flat.order() {
            do {
                let node = flat.nodes[name] ?? NIRNode(.unsayable("nothing"))
                try assembly.add(name, node, sources: flat.sources[name] ?? [], isInner: flat.inner.contains(name), loop: loops[name])
            } catch let error as SpikeletError {
                throw error.located("node '\(name)'")
            }
        }
        guard !assembly.inputs.isEmpty, !assembly.outputs.isEmpty else {
            throw SpikeletError(
                .invalidModel, "the graph has no \(assembly.inputs.isEmpty ? "Input" : "Output")",
                remedy: "write it with Input and Output nodes")
        }
        var facts: [String: String] = ["reset": dynamics.reset.rawValue]
        for (name, item) in nir.metadata { if case .text(let text) = item, !text.isEmpty { facts["nir \(name)"] = text } }
        var steps: Int?
        if case .numbers(let tensor)? = nir.metadata["steps"], case .int64(let values) = tensor.storage, let first = values.first,
            (1...Int64(SpikeCode.mostSteps)).contains(Int64(first))
        {
            steps = Int(first)
        }
        var description = SpikingDescription(recipe: "nir", code: .rate(steps: steps), facts: facts)
        if dynamics.readsMetadata, case .numbers(let tensor)? = nir.metadata["readout_delay"], case .int64(let values) = tensor.storage {
            description.readoutDelay = values.first.map(Int.init)
        }
        if case .numbers(let axes)? = nir.metadata["input_axes"], case .int64(let values) = axes.storage {
            try assembly.turnInput(values.map { Int(clamping: $0) })
        }
        if case .numbers(let phases)? = nir.metadata["output_phases"], case .int64(let values) = phases.storage {
            try assembly.arrangeOutput(values.map { Int(clamping: $0) })
        }
        if case .numbers(let shape)? = nir.metadata["output_shape"], case .int64(let values) = shape.storage {
            try assembly.reshapeOutput(values.map { Int(clamping: $0) })
        }
        return try Graph(
            name: name, inputs: assembly.inputs, outputs: assembly.outputs, nodes: assembly.nodes, constants: assembly.constants,
            origin: ["format": "NIR"], spiking: description)
    }
}

/// The way of a layer's spikes back to itself.
struct NIRLoop {
    var weight: Tensor
    var bias: Tensor?
}

/// The nodes of a graph and of those inside it, side by side.
private struct FlatNIR {
    var nodes: [String: NIRNode] = [:]
    /// For each node, those that go into it.
    var sources: [String: [String]] = [:]
    /// The nodes of graphs inside.
    private(set) var inner: Set<String> = []

    init(_ graph: NIRGraph) throws {
        try add(graph, prefix: "", depth: 0)
        for name in sources.keys { sources[name]?.sort() }
    }

    private mutating func add(_ graph: NIRGraph, prefix: String, depth: Int) throws {
        guard depth < 32 else { throw SpikeletError(.unsupported, "graphs nested more than 32 deep", remedy: "flatten the network") }
        // A graph inside is entered by its Input and left by its Output, which pass on what comes.
        var entries: [String: String] = [:]
        var exits: [String: String] = [:]
        for (name, node) in graph.nodes {
            let full = prefix + name
            if depth > 0 { inner.insert(full) }
            if case .graph(let inner) = node.operation {
                try add(inner, prefix: full + ".", depth: depth + 1)
                let inputs = inner.nodes.filter { if case .input = $0.value.operation { true } else { false } }.keys
                let outputs = inner.nodes.filter { if case .output = $0.value.operation { true } else { false } }.keys
                guard inputs.count == 1, outputs.count == 1, let entry = inputs.first, let exit = outputs.first else {
                    throw SpikeletError(
                        .unsupported, "the graph '\(full)' inside has \(inputs.count) inputs and \(outputs.count) outputs",
                        remedy: "give it one of each")
                }
                (entries[name], exits[name]) = ("\(full).\(entry)", "\(full).\(exit)")
            } else {
                guard nodes.updateValue(node, forKey: full) == nil else {
                    throw SpikeletError(.invalidModel, "two nodes are named '\(full)'", remedy: "rename one")
                }
            }
        }
        for edge in graph.edges {
            guard graph.nodes[edge.source] != nil, graph.nodes[edge.target] != nil else {
                throw SpikeletError(.invalidModel, "an edge from '\(edge.source)' to '\(edge.target)', which are not both nodes")
            }
            sources[entries[edge.target] ?? prefix + edge.target, default: []].append(exits[edge.source] ?? prefix + edge.source)
        }
    }

    /// Takes out layers of weights that lead from a layer of neurons back into it.
    ///
    /// - Returns: for each such layer of neurons, its way back.
    mutating func takeLoops() -> [String: NIRLoop] {
        var loops: [String: NIRLoop] = [:]
        for (name, node) in nodes.sorted(by: { $0.key < $1.key }) {
            guard case .affine(let weight, let bias) = node.operation, let reader = sources[name], reader.count == 1,
                case .neuron? = nodes[reader[0]]?.operation, sources[reader[0]]?.contains(name) == true, loops[reader[0]] == nil
            else { continue }
            loops[reader[0]] = NIRLoop(weight: weight, bias: bias)
            sources[reader[0]]?.removeAll { $0 == name }
            // Somebody else may read it too.
            if !sources.values.contains(where: { $0.contains(name) }) {
                nodes[name] = nil
                sources[name] = nil
            }
        }
        return loops
    }

    /// Every node after those that go into it.
    func order() throws -> [String] {
        var waits = nodes.mapValues { _ in 0 }
        var readers: [String: [String]] = [:]
        for (target, names) in sources {
            waits[target] = names.count
            for name in names { readers[name, default: []].append(target) }
        }
        var ready = waits.filter { $0.value == 0 }.keys.sorted()
        var order: [String] = []
        while let name = ready.popLast() {
            order.append(name)
            for reader in (readers[name] ?? []).sorted() {
                waits[reader, default: 0] -= 1
                if waits[reader] == 0 { ready.append(reader) }
            }
        }
        guard order.count == nodes.count else {
            let stuck = Set(nodes.keys).subtracting(order).sorted()
            throw SpikeletError(
                .unsupported, "the network has a cycle: \(stuck.prefix(5).joined(separator: ", "))\(stuck.count > 5 ? ", …" : "")",
                remedy: "a layer of neurons may read itself through one Affine or Linear node; longer cycles cannot be read")
        }
        return order
    }
}

/// A network in the making.
struct NIRAssembly {
    let dynamics: NIRDynamics
    private(set) var inputs: [Graph.Input] = []
    private(set) var outputs: [Graph.Output] = []
    private(set) var nodes: [Node] = []
    private(set) var constants: [String: Tensor] = [:]
    /// The value that a NIR node gives, and the types of all values.
    private var values: [String: String] = [:]
    private var types: [String: ValueType] = [:]

    init(dynamics: NIRDynamics) { self.dynamics = dynamics }

    /// Lets the network take its input as it was before somebody turned its axes, `[N, …]` both (an export's `input_axes`).
    mutating func turnInput(_ permutation: [Int]) throws {
        guard inputs.count == 1, let input = inputs.first, permutation.first == 0,
            permutation.sorted() == Array(0..<input.type.shape.rank)
        else { throw SpikeletError(.invalidModel, "the metadata's input_axes \(permutation) do not fit the input") }
        var given = input.type
        for (axis, place) in permutation.enumerated() { given.shape.dimensions[place] = input.type.shape[axis] }
        let turned = "\(input.name).turned"
        guard types[turned] == nil else { throw SpikeletError(.invalidModel, "two nodes are named '\(turned)'") }
        for index in nodes.indices { nodes[index].inputs = nodes[index].inputs.map { $0 == input.name ? turned : $0 } }
        for index in outputs.indices where outputs[index].value == input.name { outputs[index].value = turned }
        inputs[0].type = given
        nodes.append(Node(turned, .transpose(Transpose(permutation: permutation)), inputs: [input.name]))
    }

    /// Puts places of the output that lie side by side among the channels, `[N, C · phases, H, W]`, where they belong,
    /// `[N, C, H · phase, W · phase]` (an export's `output_phases`, one for each spatial axis).
    mutating func arrangeOutput(_ phases: [Int]) throws {
        guard outputs.count == 1, let shape = types[outputs[0].value].flatMap(Self.sampleShape), shape.count == phases.count + 1,
            phases.allSatisfy({ (1...shape[0]).contains($0) }),
            phases.reduce(1, { $0.multipliedReportingOverflow(by: $1).overflow ? 0 : $0 * $1 }) > 0,
            shape[0] % phases.reduce(1, *) == 0
        else { throw SpikeletError(.invalidModel, "the metadata's output_phases \(phases) do not fit the output") }
        let (channels, rank, name) = (shape[0] / phases.reduce(1, *), phases.count, outputs[0].name)
        try append("\(name).phases", Self.reshape([channels] + phases + shape.dropFirst()), [outputs[0].value])
        let permutation = [0, 1] + (0..<rank).flatMap { [2 + rank + $0, 2 + $0] }
        try append("\(name).turned", .transpose(Transpose(permutation: permutation)), ["\(name).phases"])
        try append(
            "\(name).arranged", Self.reshape([channels] + zip(shape.dropFirst(), phases).map { $0 * $1 }), ["\(name).turned"])
        outputs[0].value = "\(name).arranged"
    }

    /// Gives the output the shape that it had in the network, `[N] + sizes` (an export's `output_shape`).
    mutating func reshapeOutput(_ sizes: [Int]) throws {
        guard outputs.count == 1, let shape = types[outputs[0].value].flatMap(Self.sampleShape), !sizes.isEmpty, sizes.count <= 16,
            sizes.allSatisfy({ (1...shape.reduce(1, *)).contains($0) }),
            sizes.reduce(1, { $0.multipliedReportingOverflow(by: $1).overflow ? 0 : $0 * $1 }) == shape.reduce(1, *)
        else { throw SpikeletError(.invalidModel, "the metadata's output_shape \(sizes) does not fit the output") }
        let name = "\(outputs[0].name).shaped"
        try append(name, Self.reshape(sizes), [outputs[0].value])
        outputs[0].value = name
    }

    private static func reshape(_ sizes: [Int]) -> Operator {
        .reshape(Reshape(sizes: [.fixed(constant: 0, batchFactor: 1)] + sizes.map { .fixed(constant: $0, batchFactor: 0) }))
    }

    /// - Parameters:
    ///   - sources: the nodes whose sum goes into it.
    ///   - isInner: whether it belongs to a graph inside.
    ///   - loop: the way of its spikes back to itself.
    mutating func add(_ name: String, _ node: NIRNode, sources: [String], isInner: Bool, loop: NIRLoop?) throws {
        let operation = node.operation
        if case .input(let shape) = operation, !isInner || sources.isEmpty {
            guard sources.isEmpty else { throw SpikeletError(.invalidModel, "something goes into an Input") }
            let type = ValueType(.float32, Shape([.batch] + shape.map { Dimension($0) }))
            guard shape.allSatisfy({ $0 > 0 }), !shape.isEmpty, type.shape.isLegal else {
                throw SpikeletError(.invalidModel, "an Input of shape \(shape)")
            }
            inputs.append(.init(name, type))
            (values[name], types[name]) = (name, type)
            return
        }
        let value = try sum(sources, for: name)
        guard let type = types[value], let shape = Self.sampleShape(type) else { throw SpikeletError(.invalidModel, "it reads nothing") }
        switch operation {
        // Those of graphs inside pass on what comes.
        case .input: values[name] = value
        case .output:
            values[name] = value
            if !isInner { outputs.append(.init(name, value: value)) }
        case .affine(let weight, let bias):
            var operands = [value, constant(weight, "\(name).weight")]
            if let bias { operands.append(constant(bias, "\(name).bias")) }
            try append(name, .gemm(Gemm(transposeB: true)), operands)
        case .scale(let scale):
            guard scale.count == 1 || scale.shape == shape else { throw misfit("a scale", scale.shape, shape) }
            if let scales = perChannel(scale, shape) { return try append(name, .voltageScaler(VoltageScaler(scales: scales)), [value]) }
            let stored = scale.reshaped(to: scale.count == 1 ? [1] : [1] + shape)
            try append(name, .mul(Mul()), [value, constant(stored, "\(name).scale")])
        case .convolution(let convolution):
            let window = Window(
                kernel: Array(convolution.weight.shape.dropFirst(2)), strides: convolution.stride, dilations: convolution.dilation,
                padsBegin: convolution.padding, padsEnd: convolution.padding)
            guard convolution.groups >= 1 else { throw SpikeletError(.invalidModel, "\(convolution.groups) groups") }
            let operands = [value, constant(convolution.weight, "\(name).weight"), constant(convolution.bias, "\(name).bias")]
            try append(name, .conv(Conv(window: window, groups: convolution.groups)), operands)
        case .pool(let pool):
            let window = Window(kernel: pool.kernel, strides: pool.stride, padsBegin: pool.padding, padsEnd: pool.padding)
            if pool.isAverage {
                try append(name, .averagePool(AveragePool(window: window, countsPadding: true)), [value])
            } else {
                // A mean times the size of the window would round; ones do not.
                let channels = shape[0]
                guard pool.kernel.allSatisfy({ (1...1 << 12).contains($0) }), channels <= 1 << 16 else {
                    throw SpikeletError(.unsupported, "a pool of \(channels) channels over \(pool.kernel)")
                }
                let ones = Tensor(repeating: 1, shape: [channels, 1] + pool.kernel)
                try append(name, .conv(Conv(window: window, groups: channels)), [value, constant(ones, "\(name).ones")])
            }
        case .flatten(let flatten): try append(name, .reshape(try reshape(flatten, shape)), [value])
        case .delay(let delay):
            let steps = delay.floats.map { Double($0) / dynamics.timeStep }
            guard let first = steps.first, steps.allSatisfy({ $0 == first }), first >= 0, first < 5000 else {
                throw SpikeletError(.unsupported, "delays that differ, or are longer than 4096 steps of \(dynamics.timeStep)")
            }
            try append(name, .neuron(NeuronNode(DelayNeuron(steps: Int(first.rounded())))), [value])
        case .threshold(let threshold):
            try append(name, .neuron(NeuronNode(ThresholdNeuron(threshold: try parameter(threshold, shape)))), [value])
        case .neuron(let neuron):
            let rule = try self.neuron(neuron, shape)
            var layer = try starting(rule, at: node.metadata["v_init"], shape)
            if let loop {
                let count = shape.reduce(1, *)
                guard loop.weight.shape == [count, count] else { throw misfit("recurrent weights", loop.weight.shape, shape) }
                let bias = loop.bias?.floats ?? [Float](repeating: 0, count: count)
                layer = NeuronNode(try RecurrentNeuron(layer, weight: loop.weight.floats, bias: bias))
            }
            try append(name, .neuron(layer), [value])
        case .graph, .unsayable: throw SpikeletError(.unsupported, "a node of type '\(operation.typeName)'")
        }
    }

    private static func sampleShape(_ type: ValueType) -> [Int]? {
        let sizes = type.shape.dimensions.dropFirst().compactMap(\.known)
        return sizes.count == type.shape.rank - 1 && !sizes.isEmpty ? sizes : nil
    }

    private func misfit(_ what: String, _ shape: [Int], _ layer: [Int]) -> SpikeletError {
        SpikeletError(.invalidModel, "\(what) of shape \(shape) for values of shape \(layer)")
    }

    private mutating func constant(_ tensor: Tensor, _ name: String) -> String {
        constants[name] = tensor
        types[name] = ValueType(tensor)
        return name
    }

    /// The sum of what several nodes give.
    private mutating func sum(_ sources: [String], for name: String) throws -> String {
        let operands = sources.compactMap { values[$0] }
        guard var sum = operands.first, operands.count == sources.count else { throw SpikeletError(.invalidModel, "nothing goes into it") }
        for (position, operand) in operands.dropFirst().enumerated() {
            guard types[sum] == types[operand] else { throw SpikeletError(.invalidModel, "values of different shapes go into it") }
            let node = Node("\(name).sum\(position + 1)", .add(Add()), inputs: [sum, operand])
            nodes.append(node)
            types[node.outputs[0]] = types[sum]
            sum = node.outputs[0]
        }
        return sum
    }

    private mutating func append(_ name: String, _ operation: Operator, _ inputs: [String]) throws {
        let node = Node(name, operation, inputs: inputs)
        let output = try operation.payload.outputTypes(inputs.compactMap { types[$0] }, constants: inputs.map { constants[$0] })
        // Here already, since the next node multiplies its sizes.
        for type in output where !type.shape.isLegal { throw SpikeletError(.invalidModel, "its output cannot be \(type)") }
        nodes.append(node)
        types[name] = output.first
        values[name] = name
    }

    private func reshape(_ flatten: NIRFlatten, _ shape: [Int]) throws -> Reshape {
        let first = flatten.firstAxis < 0 ? flatten.firstAxis + shape.count : flatten.firstAxis
        let last = flatten.lastAxis < 0 ? flatten.lastAxis + shape.count : flatten.lastAxis
        guard (0..<shape.count).contains(last), first >= 0, first <= last else {
            throw SpikeletError(
                .invalidModel, "a Flatten of the axes \(flatten.firstAxis)…\(flatten.lastAxis) of a value of shape \(shape)")
        }
        let sizes = shape[..<first] + [shape[first...last].reduce(1, *)] + shape[(last + 1)...]
        return Reshape(sizes: [.fixed(constant: 0, batchFactor: 1)] + sizes.map { .fixed(constant: $0, batchFactor: 0) })
    }

    /// The numbers of a scale, where those of a channel are all the same.
    private func perChannel(_ scale: Tensor, _ shape: [Int]) -> [Float]? {
        let values = scale.floats
        if scale.count == 1 { return values }
        let size = shape.dropFirst().reduce(1, *)
        guard size > 0, values.count == shape[0] * size else { return nil }
        let scales = (0..<shape[0]).map { values[$0 * size] }
        guard values.indices.allSatisfy({ values[$0] == scales[$0 / size] }) else { return nil }
        return scales.allSatisfy { $0 == scales[0] } ? [scales[0]] : scales
    }

    // MARK: Neurons

    /// Neurons whose membranes begin at a node's `v_init`, one number or one for each channel, where the dynamics ask for it.
    private func starting(_ neuron: any Neuron, at metadata: NIRMetadata?, _ shape: [Int]) throws -> NeuronNode {
        guard dynamics.readsMetadata, case .numbers(let tensor)? = metadata else { return NeuronNode(neuron) }
        guard case .float32(let membranes) = tensor.storage, membranes.count == 1 || membranes.count == shape[0],
            membranes.allSatisfy(\.isFinite)
        else {
            throw SpikeletError(.invalidModel, "'v_init' of shape \(tensor.shape) for values of shape \(shape)")
        }
        guard membranes.allSatisfy({ $0 == membranes[0] }) else { return NeuronNode(neuron, initialOffsets: membranes) }
        if var plain = neuron as? IFNode {
            plain.initialMembrane = membranes[0]
            return NeuronNode(plain)
        }
        return NeuronNode(neuron, initialOffsets: [Float](repeating: membranes[0], count: shape[0]))
    }

    private func parameter(_ tensor: Tensor, _ shape: [Int]) throws -> NeuronParameter {
        guard tensor.count == 1 || tensor.shape == shape else { throw misfit("a parameter", tensor.shape, shape) }
        return NeuronParameter(tensor.floats)
    }

    private func neuron(_ nir: NIRNeuron, _ shape: [Int]) throws -> any Neuron {
        func given(_ name: String) throws -> NeuronParameter { try parameter(nir.parameter(name), shape) }
        /// What of a number with this time constant is left after a step, and the step's share of it, times something.
        func step(_ tau: String, times factor: String) throws -> (decay: NeuronParameter, gain: NeuronParameter) {
            let (taus, factors) = (try given(tau), try given(factor))
            guard taus.values.allSatisfy({ $0 > 0 }) else { throw SpikeletError(.invalidModel, "'\(tau)' is not positive") }
            let count = max(taus.values.count, factors.values.count)
            let shares = taus.values.map { dynamics.timeStep / Double($0) }
            return (
                NeuronParameter(shares.map { Float(1 - $0) }),
                NeuronParameter((0..<count).map { Float(shares[$0 % shares.count] * Double(factors[$0])) })
            )
        }
        func product(_ a: NeuronParameter, _ b: NeuronParameter) -> NeuronParameter {
            NeuronParameter((0..<max(a.values.count, b.values.count)).map { a[$0] * b[$0] })
        }
        /// v_leak·dt/τ.
        func drive(_ tau: String) throws -> NeuronParameter {
            let taus = try given(tau)
            return product(try given("v_leak"), NeuronParameter(taus.values.map { Float(dynamics.timeStep / Double($0)) }))
        }
        let hasThreshold = nir.kind.parameterNames.contains("v_threshold")
        let threshold = try given("v_threshold")
        if hasThreshold, !threshold.values.allSatisfy({ $0 > 0 }) { throw SpikeletError(.invalidModel, "a threshold that is not positive") }
        let reset = dynamics.reset == .subtraction ? nil : try given("v_reset")
        switch nir.kind {
        case .integrator: return LINeuron(gain: try given("r"))
        case .integrateAndFire:
            return integrateAndFire(gain: try given("r"), threshold: threshold, reset: reset)
        case .leakyIntegrator:
            let (decay, gain) = try step("tau", times: "r")
            return LINeuron(decay: decay, gain: gain, drive: try drive("tau"))
        case .leaky:
            let (decay, gain) = try step("tau", times: "r")
            let drive = try drive("tau")
            if decay == 1, drive == 0 { return integrateAndFire(gain: gain, threshold: threshold, reset: reset) }
            return LIFNeuron(decay: decay, gain: gain, drive: drive, threshold: threshold, resetValue: reset, isStrict: dynamics.isStrict)
        case .currentLeakyIntegrator, .currentLeaky:
            let (synapticDecay, synapticGain) = try step("tau_syn", times: "w_in")
            let (decay, gain) = try step("tau_mem", times: "r")
            return CubaLIFNeuron(
                synapticDecay: synapticDecay, synapticGain: synapticGain, decay: decay, gain: gain, drive: try drive("tau_mem"),
                threshold: hasThreshold ? threshold : nil, resetValue: reset, isStrict: dynamics.isStrict)
        }
    }

    /// The plainest neuron that does it: the engine knows ``IFNode``.
    private func integrateAndFire(gain: NeuronParameter, threshold: NeuronParameter, reset: NeuronParameter?) -> any Neuron {
        if gain == 1, dynamics.isMultiSpike { return MultiSpikeIFNeuron(threshold: threshold) }
        if gain == 1, threshold.values.count == 1, (reset?.values.count ?? 1) == 1 {
            let limit = threshold.values[0]
            if let reset { return IFNode(threshold: dynamics.isStrict ? limit.nextUp : limit, reset: .to(reset.values[0])) }
            if !dynamics.isStrict { return IFNode(threshold: limit) }
        }
        return LIFNeuron(gain: gain, threshold: threshold, resetValue: reset, isStrict: dynamics.isStrict)
    }
}
