internal import CSpikeKernels
package import SpikeGraph

/// Makes a ``Program`` of a spiking network.
///
/// Scalers, thresholds, batch normalisation and the divisors of average pools are folded into weights and biases; sums and
/// concatenations become several branches of the layer behind them. What lies between two layers of neurons so becomes one
/// stage: synapses → integrate → fire → pack. What cannot be folded (an operator or a neuron that the engine does not know)
/// is left to the reference path, node by node; ``Program/description`` lists it.
package struct Compiler {
    /// The numbers that the engine computes with.
    package var precision: Precision
    /// Whether outputs are wanted, or the layers of neurons alone.
    private let readsOutputs: Bool

    /// A compiler for this precision.
    package init(precision: Precision = .float32) {
        self.init(precision: precision, readsOutputs: true)
    }

    init(precision: Precision, readsOutputs: Bool) {
        (self.precision, self.readsOutputs) = (precision, readsOutputs)
    }

    /// - Throws: ``SpikeletError`` where the graph is no spiking network, or a neuron's rule does not fit its schedule.
    package func callAsFunction(_ graph: Graph) throws -> Program {
        guard let description = graph.spiking else {
            throw SpikeletError(.invalidData, "'\(graph.name)' is an ANN, not a spiking network", remedy: "convert it first")
        }
        for node in graph.nodes { if case .neuron(let neurons) = node.operator { try description.check(neurons, of: node.name) } }
        if var numbers = NumberCompiler(graph, precision: precision) {
            return Program(try numbers(), of: graph, precision: precision, description)
        }
        guard description.code.kind != .latency else {
            throw SpikeletError(
                .unsupported, "a latency code with other neurons than its own", remedy: "simulate it by the reference executor")
        }
        let program = try assembled(graph, description, floats: [:])
        let floats = Resolution.beyondBudget(program.roundingErrors, levels: levels(of: graph, description))
        return floats.isEmpty ? program : try assembled(graph, description, floats: floats)
    }

    /// How many levels activations have above zero; where layers differ, with their mean number of digits.
    private func levels(of graph: Graph, _ description: SpikingDescription) -> Int {
        guard graph.hasMixedDigits else { return description.code.levels(description.steps ?? 32) }
        let digits = graph.digits
        return description.code.levels((digits.reduce(0, +) + digits.count / 2) / digits.count)
    }

    /// - Parameter floats: layers that are to be float32, and why.
    private func assembled(_ graph: Graph, _ description: SpikingDescription, floats: [String: String]) throws -> Program {
        var assembly = Assembly(graph, description: description, precision: precision, floats: floats)
        try assembly.addNodes()
        if readsOutputs { try assembly.addOutputs() } else { assembly.demandNeurons() }
        return assembly.finish()
    }
}

/// A program in the making.
struct Assembly {
    let graph: Graph
    let description: SpikingDescription
    let precision: Precision
    /// Layers that are float32 in spite of int8, and why.
    let floats: [String: String]
    /// What acts on the accumulated output.
    private(set) var readout: Set<String>
    var builder: ExpressionBuilder
    var stages: [(position: Int, stage: Stage)] = []
    var stillNodes: [Node] = []
    var views: [ListView] = []
    private var viewNumbers: [ViewKey: Int] = [:]
    private var neuronSignals: [String: Int] = [:]
    private var demanded: Set<String> = []
    private var reasons: [String: String] = [:]
    private var outputs: [String: Int] = [:]
    private var densified: [String: Int] = [:]
    /// By what it reads, the scales of a scaler.
    let scalesBehind: [String: [Float]]
    /// The steps of a radix code: those of the layer with the most digits at least.
    private let doublings: Int

    private struct ViewKey: Hashable {
        var signal: Int
        var isMinus: Bool
        var channels: Range<Int>
        var window: [Int32]
        var rows: [Int32]
    }

    init(_ graph: Graph, description: SpikingDescription, precision: Precision, floats: [String: String]) {
        self.graph = graph
        self.description = description
        self.precision = precision
        self.floats = floats
        readout = graph.readoutNodes
        builder = ExpressionBuilder(graph)
        let steps = description.code.kind == .radix ? description.code.steps ?? 0 : 0
        doublings = min(Limits.radixSteps, max(steps, graph.digits.max() ?? 0))
        scalesBehind = Dictionary(
            graph.nodes.compactMap {
                if case .voltageScaler(let scaler) = $0.operator, scaler.axis == 1 { ($0.inputs[0], scaler.scales) } else { nil }
            },
            uniquingKeysWith: { first, _ in first })
    }

    mutating func addNodes() throws {
        for (position, node) in graph.nodes.enumerated() where !readout.contains(node.name) {
            if case .neuron(let neuronNode) = node.operator {
                guard var parameters = NeuronParameters(neuronNode, isStreaming: description.schedule == .streaming),
                    ExpressionBuilder.layout(of: graph, node.outputs[0]) != nil
                else {
                    reasons[node.name] = "the engine does not know this neuron"
                    continue
                }
                if parameters.rule.exponent != nil { parameters.rule.doublings = doublings }
                addNeurons(node, parameters, at: position)
            } else if !builder.spiking.contains(node.outputs[0]) {
                stillNodes.append(node)
            } else {
                let known = builder.stages.count
                builder.add(node)
                for stage in builder.stages[known...] { stages.append((position, stage)) }
            }
        }
    }

    private mutating func addNeurons(_ node: Node, _ parameters: NeuronParameters, at position: Int) {
        let expression = builder.expression(of: node.inputs[0])
        guard parameters.initialOffsets.isEmpty || !expression.isFlat else {
            reasons[node.name] = "its initial membranes differ from place to place"
            return
        }
        demand(expression)
        builder.addSignal(
            node, encoding: parameters.encoding, layout: expression.layout, isFlat: expression.isFlat,
            largestCount: parameters.encoding == .counts ? parameters.rule.limit : 1, digits: parameters.rule.exponent.map { $0 + 1 })
        let target = builder.signals.count - 1
        neuronSignals[node.outputs[0]] = target
        let stage = makeStage(
            name: node.name, input: node.inputs[0], target: target, expression: expression, parameters: parameters,
            isInteger: precision == .int8)
        if let layer = stage.analog { stillNodes.removeAll { layer.nodes.contains($0.name) } }
        stages.append((position, .neurons(stage)))
    }

    /// Outputs are accumulated in float32, whatever the precision: they are small, and their sums are what users read.
    mutating func addOutputs() throws {
        let producers = graph.producers
        // Linear nodes at the very end whose result has no layout ([N], more than two axes of places): they act on the sum as well.
        while let node = accumulated.sorted().compactMap({ isLaidOut($0) ? nil : producers[$0] }).first(where: { isLinear($0) }) {
            readout.insert(node.name)
        }
        for value in accumulated.sorted() {
            guard isLaidOut(value) else {
                let type = graph.types[value].map { "\($0)" } ?? "unknown"
                throw SpikeletError(
                    .unsupported, "output '\(value)' of type \(type)",
                    remedy: "what is accumulated over the steps is [N, C], [N, C, L] or [N, C, H, W], float32")
            }
            let expression = builder.expression(of: value)
            demand(expression)
            let stage = makeStage(
                name: value, input: value, target: nil, expression: expression,
                parameters: .accumulation(growth: Int(description.code.base)), isInteger: false)
            outputs[value] = graph.nodes.count + outputs.count
            stages.append((graph.nodes.count + outputs.count - 1, .neurons(stage)))
        }
    }

    /// The values that outputs are made of.
    private var accumulated: Set<String> {
        let acting = graph.nodes.filter { readout.contains($0.name) }
        return Set(graph.outputs.map(\.value) + acting.flatMap(\.inputs)).subtracting(acting.flatMap(\.outputs)).subtracting(
            graph.constants.keys)
    }

    private func isLaidOut(_ value: String) -> Bool {
        ExpressionBuilder.layout(of: graph, value) != nil && graph.types[value]?.elementType == .float32
    }

    private func isLinear(_ node: Node) -> Bool { [.linear, .affine].contains(graph.linearity(of: node)) }

    /// Layers of neurons are wanted whether anything reads them or not.
    mutating func demandNeurons() {
        for node in graph.nodes { if case .neuron = node.operator, neuronSignals[node.outputs[0]] == nil { demand(node.outputs[0]) } }
    }

    /// Has the reference path compute what an expression needs from it.
    private mutating func demand(_ expression: Expression) {
        for term in expression.terms {
            if case .values(let name) = term.source { demand(name) }
        }
    }

    private mutating func demand(_ value: String) {
        guard builder.spiking.contains(value), demanded.insert(value).inserted else { return }
        if let signal = neuronSignals[value] {
            densified[value] = signal
            return
        }
        guard let position = graph.nodes.firstIndex(where: { $0.outputs.contains(value) }) else { return }
        let node = graph.nodes[position]
        for input in node.inputs { demand(input) }
        stages.append(
            (
                position,
                .generic(
                    GenericStage(node: node, reason: reasons[node.name] ?? builder.reasons[node.name] ?? "what reads it is not folded"))
            ))
    }

    /// The number of a list view; made if it is new.
    mutating func view(_ signal: Int, isMinus: Bool, channels: Range<Int>, window: spike_window, rows: spike_rows) -> Int {
        let key = ViewKey(
            signal: signal, isMinus: isMinus, channels: channels, window: window.key,
            rows: [rows.out_height, rows.kernel_height, rows.stride, rows.dilation, rows.pad])
        if let known = viewNumbers[key] { return known }
        views.append(ListView(signal: signal, isMinus: isMinus, channels: channels, window: window, rows: rows, readers: 0...0))
        viewNumbers[key] = views.count - 1
        return views.count - 1
    }

    mutating func finish() -> Program {
        let ordered = stages.enumerated().sorted { ($0.element.position, $0.offset) < ($1.element.position, $1.offset) }
        var lastReads = [Int](repeating: -1, count: builder.signals.count)
        var readers: [Int: ClosedRange<Int>] = [:]
        var lastValueReads: [String: Int] = [:]
        var outputStages: [String: Int] = [:]
        for (index, (_, item)) in ordered.enumerated() {
            let reads = item.stage.reads(views, densified: densified)
            for signal in reads.signals { lastReads[signal] = index }
            for value in reads.values { lastValueReads[value] = index }
            guard case .neurons(let stage) = item.stage else { continue }
            if stage.target == nil { outputStages[stage.name] = index }
            for view in stage.branches.compactMap(\.view) { readers[view] = (readers[view]?.lowerBound ?? index)...index }
        }
        for (view, range) in readers { views[view].readers = range }
        var program = Program(
            graph: graph, precision: precision, spikingDescription: description, stages: ordered.map(\.element.stage),
            signals: builder.signals, views: views, stillNodes: stillNodes, densified: densified, outputs: outputStages,
            readout: graph.nodes.filter { readout.contains($0.name) }, lastReads: lastReads, lastValueReads: lastValueReads)
        program.layers = LayerPlan(program)
        return program
    }
}

/// What the engine needs of a neuron.
struct NeuronParameters {
    var rule: NeuronStage.Rule
    var encoding: Signal.Encoding
    var threshold: Float
    var initial: Float
    /// What is added to `initial`, one number a channel; or none.
    var initialOffsets: [Float] = []
    var reset: Float?
    var rounding: Float?

    /// `nil` for a neuron that the engine has no kernel for.
    init?(_ node: NeuronNode, isStreaming: Bool) {
        initialOffsets = node.initialOffsets
        guard let fast = node.neuron.fastRule, fast.threshold > 0 else { return nil }
        let kind: spike_neuron_kind
        switch fast.kind {
        case .single: (kind, encoding) = (SPIKE_NEURON_IF, .bits)
        case .signed: (kind, encoding) = (SPIKE_NEURON_SIGNED, .signed)
        case .burst:
            guard let limit = fast.limit, (1...Limits.count).contains(limit) else { return nil }
            (kind, encoding) = (SPIKE_NEURON_BURST, .counts)
        }
        rule = .init(
            kind: kind, isHardReset: fast.reset != nil, limit: fast.limit ?? -1, exponent: fast.digits.map { $0 - 1 },
            growth: fast.digits == nil ? 1 : 2)
        (threshold, initial, reset) = (fast.threshold, fast.initialMembrane, fast.reset)
        rounding = fast.digits == nil ? nil : fast.threshold / 2
        // What is no number cannot be made a whole one.
        guard ([threshold, initial] + initialOffsets).allSatisfy(\.isFinite), reset?.isFinite != false else { return nil }
    }

    /// What each channel starts from.
    func initialMembranes(channels: Int) -> [Float] {
        (0..<channels).map { initial + (initialOffsets.isEmpty ? 0 : initialOffsets[$0]) }
    }

    private init(growth: Int) {
        rule = .init(kind: SPIKE_NEURON_NONE, isHardReset: false, limit: -1, growth: growth)
        (encoding, threshold, initial) = (.bits, 1, 0)
    }

    /// No neuron: currents are summed up.
    static func accumulation(growth: Int) -> NeuronParameters { NeuronParameters(growth: growth) }
}
