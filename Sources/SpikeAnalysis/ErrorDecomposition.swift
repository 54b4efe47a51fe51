import SpikeConversion
package import SpikeGraph
import SpikeReference
package import SpikeRuntime

/// Splits the difference between a spiking network and its ANN, layer by layer, into what each layer inherits and what
/// clipping, quantisation and the order of arrival add (see ``LayerError``).
///
///     let layers = try ErrorDecomposition(snn, ann: ann, steps: 32).run(loader)
///     print(ErrorDecomposition.table(layers))
///
/// Every recipe, schedule and neuron can be measured. Of a spiking network in int8, the spikes are those that int8 sends; what its rounding
/// changes is part of the unevenness error.
package struct ErrorDecomposition: Sendable {
    /// The spiking network.
    package let snn: Graph
    /// T; K for a radix code.
    package let steps: Int
    private var code: SpikeCode { snn.spikeCode }
    /// At most so many samples are measured.
    package let limit: Int
    /// How many samples are worked on at a time.
    package let threads: Int
    /// The ANN as it was converted: with batch normalisations folded, if the spiking network has them so.
    private let ann: Graph
    private let layers: [Layer]
    private let observed: ObservedRun
    /// Whether samples are `[N, T, …]`; the ANN is shown their mean.
    private let timeVarying: Bool

    /// The samples that a thread works on at a time, and the neurons that bound them.
    private static let (mostSamples, mostNeurons) = (16, 4_000_000)

    /// - Parameters:
    ///   - ann: the network that `snn` was converted from.
    ///   - steps: the number of time steps to simulate; a radix code has its own.
    ///   - limit: the samples to measure at most.
    ///   - threads: how many portions of samples are worked on at a time; results do not depend on it (in their last digits they do on
    ///     the batches).
    ///   - precision: of the engine whose spikes are measured; `nil`: the reference executor's.
    ///   - timeVarying: whether samples have an input of their own in each step, `[N, T, …]`. The ANN is shown their mean over the steps.
    /// - Throws: ``SpikeletError`` where `snn` was not made from `ann`, or a number is out of range.
    package init(
        _ snn: Graph, ann: Graph, steps: Int, limit: Int = 128, threads: Int = 1, precision: Precision? = nil, timeVarying: Bool = false
    ) throws {
        try SpikeCode.check(steps: steps)
        guard limit >= 1 else { throw SpikeletError(.invalidOption, "a limit of \(limit) samples", remedy: "give 1 or more") }
        try checkThreads(threads)
        self.snn = snn
        self.steps = snn.spikeCode.steps(asked: steps)
        self.limit = limit
        self.threads = threads
        self.timeVarying = timeVarying
        observed = ObservedRun(snn, program: try SimulatorChoice(snn, precision: precision).program)
        func normalisations(_ graph: Graph) -> Int {
            graph.nodes.count { if case .batchNormalization = $0.operator { true } else { false } }
        }
        let ann = try SplitRectifiers().run(ann)
        let folded = try FuseConvBatchNorm().run(ann)
        var source = normalisations(folded) == normalisations(snn) ? folded : ann
        // Where attention is divided behind its product, neurons stand for exponentials.
        if source.nodes.contains(where: { node in
            if case .softmax = node.operator, case .unary? = snn.node(named: node.name)?.operator { true } else { false }
        }) {
            source = try SplitSoftmax().run(source)
        }
        // A quotient of two values is a product with a reciprocal, which is sent.
        let quotients = source.nodes.filter { node in
            if case .binary(let binary) = node.operator, binary.function == .divide, case .mul? = snn.node(named: node.name)?.operator {
                true
            } else {
                false
            }
        }
        if !quotients.isEmpty { source = try source.multiplyingByReciprocals(quotients) }
        self.ann = source
        layers = try snn.nodes.compactMap { try Layer($0, of: snn, ann: source) }
    }

    /// Measures the first samples of the data. ``Progress`` tells how far it has come.
    ///
    /// - Returns: the layers in the network's order.
    /// - Throws: where the data is empty or does not fit.
    package func run(_ data: any BatchSource) throws -> [LayerError] {
        // A network of a fixed batch size takes nothing else.
        let fixed = snn.fixedBatch
        let batches = try data.first(limit, wholeBatches: fixed != nil)
        let portion = fixed ?? max(1, min(Self.mostSamples, Self.mostNeurons / max(1, snn.neuronCount)))
        let found = try batches.reduce("taking errors apart", into: Found(), portion: portion, threads: threads) { portion in
            var found = Found(samples: portion.batch.count)
            try measure(portion.batch.inputs) { found.layers.append(Sums($0)) }
            return found
        }
        return zip(layers, found.layers).map { result($0, $1, samples: found.samples) }
    }

    /// Measures some samples.
    ///
    /// - Parameter receive: called with the parts of each layer, in order.
    package func measure(_ inputs: [Tensor], receive: (LayerParts) -> Void) throws {
        var activations: [String: Tensor] = [:]
        let names = Set(layers.map(\.activation.name))
        _ = try ReferenceExecutor(ann).run(timeVarying ? inputs.mean(of: steps) : inputs) { node, _, results in
            if names.contains(node.name) { activations[node.name] = results[0] }
        }

        var observations: [String: Observation] = [:]
        for layer in layers { observations[layer.node.name] = Observation(neuron: layer.neuron, growth: Double(code.growth)) }
        try observed(
            timeVarying ? inputs.stepsFirst(steps) : inputs, steps: steps, timeVarying: timeVarying,
            observe: { _, node, operands, results in
                guard var observation = observations.removeValue(forKey: node.name) else { return }
                observation.take(current: operands[0], spikes: results[0], steps: steps)
                observations[node.name] = observation
            })
        for layer in layers {
            guard let observation = observations.removeValue(forKey: layer.node.name), let activation = activations[layer.activation.name]
            else {
                throw SpikeletError(.illegalGraph, "the layer '\(layer.node.name)' was never reached")
            }
            receive(try observation.parts(layer, activation: activation, steps: steps, weight: code.weight(of: steps)))
        }
    }

    private func result(_ layer: Layer, _ sums: Sums, samples: Int) -> LayerError {
        let neurons = snn.types[layer.node.outputs[0]]?.shape.resolved(batch: 1).reduce(1, *) ?? 0
        let count = Double(max(1, neurons * samples))
        let scale = sums.activation.squareRoot()
        func relative(_ sum: Double) -> Double? { scale > 0 ? sum.squareRoot() / scale : nil }
        let weight = Float(code.weight(of: steps))
        let thresholds = layer.spike.map { $0 * Float(sums.levels) * weight }
        return LayerError(
            name: layer.node.name, activation: layer.activation.name, neurons: neurons,
            threshold: ClosedRange(spanning: thresholds) ?? 0...0,
            levels: (layer.neuron as? LatencyNeuron)?.levels.count ?? Int(sums.levels), spikesPerNeuron: sums.spikes / count,
            annRootMeanSquare: (sums.activation / count).squareRoot(), inherited: relative(sums.inherited),
            clipping: relative(sums.clipping),
            quantization: relative(sums.quantization), unevenness: relative(sums.unevenness), total: relative(sums.total),
            added: relative(sums.added))
    }
}

/// A layer of neurons, and what it stands for.
private struct Layer: Sendable {
    /// The neurons' node in the spiking network.
    let node: Node
    let neuron: any Neuron
    /// The node in the ANN that it stands for.
    let activation: Node
    /// The activation that one spike of weight 1 stands for: one number, or one a channel.
    let spike: [Float]
    /// The axis that channels lie along.
    let axis: Int
    /// Whether the spiking network computes the activation itself, in front of the neurons: they then send what they are given, with its
    /// sign. Else the activation is what the neurons do.
    let isGiven: Bool

    /// - Returns: `nil` for a node that is no layer of neurons.
    /// - Throws: where it has no counterpart in the ANN.
    init?(_ node: Node, of snn: Graph, ann: Graph) throws {
        guard case .neuron(let neurons) = node.operator else { return nil }
        guard let site = neurons.site else {
            throw SpikeletError(
                .invalidData, "the neurons '\(node.name)' do not say which activation of an ANN they stand for",
                remedy:
                    "a file of an earlier version of Spikelet, or a network that was not converted here, does not hold that: convert the ANN"
            )
        }
        guard let activation = ann.node(named: site.activation),
            ann.types[activation.outputs[0]]?.shape.dimensions.dropFirst() == snn.types[node.outputs[0]]?.shape.dimensions.dropFirst()
        else {
            throw SpikeletError(
                .invalidData, "the neurons '\(node.name)' stand for '\(site.activation)', which the ANN '\(ann.name)' does not have",
                remedy: "give the model that the spiking network was converted from")
        }
        (self.node, neuron, self.activation, spike, axis) = (node, neurons.neuron, activation, site.spike, site.axis)
        isGiven = snn.node(named: site.activation) != nil
    }
}

/// The four parts of a layer's error, each neuron's, in units of the ANN's activation; see ``LayerError``.
package struct LayerParts: Sendable {
    package var inherited: [Double] = []
    package var clipping: [Double] = []
    package var quantization: [Double] = []
    package var unevenness: [Double] = []
    /// The ANN's activations.
    package var activation: [Double] = []
    /// What the spikes sent.
    package var output: [Double] = []
    /// L.
    package var levels: Double = 0
    /// The activation that a spike of weight 1 stands for at the end: one number, or one a channel.
    package var scales: [Double] = []
    /// Of a sample: channels, and places of each.
    package var channels = 0
    package var placesOfChannel = 0
    /// All spikes, those taken back too.
    package var spikes: Double = 0
}

/// What a layer of neurons received and sent.
private struct Observation {
    let neuron: any Neuron
    /// What a sum is multiplied with before the next step: 2 for radix codes.
    let growth: Double
    private var current: [Double] = []
    private var output: [Double] = []
    private var spikes: Double = 0
    private var shape: [Int] = []
    /// A layer of the same neurons that integrates what comes and never emits.
    private var waiting: NeuronState?
    private var index = 0

    init(neuron: any Neuron, growth: Double) {
        self.neuron = neuron
        self.growth = growth
    }

    mutating func take(current arrived: Tensor, spikes sent: Tensor, steps: Int) {
        shape = arrived.shape
        if current.isEmpty {
            current = [Double](repeating: 0, count: arrived.count)
            output = current
        }
        let (arrivedValues, sentValues) = (arrived.floats, sent.floats)
        for position in current.indices {
            current[position] = growth * current[position] + Double(arrivedValues[position])
            output[position] = growth * output[position] + Double(sentValues[position])
            spikes += Double(abs(sentValues[position]))
        }
        // In the order and the precision of the neurons themselves, so that equal means equal.
        var state = waiting ?? neuron.initialState(shape: shape)
        neuron.integrate(arrived, state: &state, at: TimeStep(index, of: steps))
        waiting = state
        index += 1
    }

    /// - Parameter weight: what a spike of weight 1 counts in the decoded activation: 1/T, or 1 for radix codes.
    func parts(_ layer: Layer, activation: Tensor, steps: Int, weight: Double) throws -> LayerParts {
        guard let waiting else { return LayerParts() }
        let quantised = emitted(waiting, steps: steps)
        var parts = LayerParts()
        parts.levels = levels(steps: steps)
        parts.spikes = spikes
        // One spike stands for `scale` of activation, and takes `threshold` of current.
        let axis = layer.axis < 0 ? shape.count + layer.axis : layer.axis
        let size = max(1, shape.dropFirst(axis + 1).reduce(1, *))
        let scales = layer.spike.map { Double($0) * weight }
        parts.scales = scales
        parts.channels = shape.count > axis ? shape[axis] : 1
        parts.placesOfChannel = size
        let threshold = neuron.currentOfSpike
        func scale(_ position: Int) -> Double { scales[position / size % scales.count] }
        let means = Tensor(current.indices.map { Float(current[$0] / Double(threshold[$0]) * scale($0)) }, shape: shape)
        let activated = layer.isGiven ? means.floats : try ReferenceExecutor.evaluate(layer.activation.operator, [means])[0].floats
        for (position, annValue) in activation.floats.enumerated() {
            let (given, wanted) = (Double(activated[position]), Double(annValue))
            let largest = parts.levels * scale(position)
            let clipped = layer.isGiven ? max(-largest, min(given, largest)) : min(given, largest)
            let rounded = quantised[position] * scale(position)
            let sent = output[position] * scale(position)
            parts.inherited.append(given - wanted)
            parts.clipping.append(clipped - given)
            parts.quantization.append(rounded - clipped)
            parts.unevenness.append(sent - rounded)
            parts.activation.append(wanted)
            parts.output.append(sent)
        }
        return parts
    }

    /// The decoded number of spikes that neurons in `state` emit if nothing more arrives.
    private func emitted(_ state: NeuronState, steps: Int) -> [Double] {
        var state = state
        var sum = [Double](repeating: 0, count: state.membrane.count)
        for index in 0..<steps {
            let spikes = neuron.emit(&state, at: TimeStep(index, of: steps)).floats
            for position in sum.indices { sum[position] = growth * sum[position] + Double(spikes[position]) }
        }
        return sum
    }

    /// The decoded number of spikes that a current without bound gives.
    private func levels(steps: Int) -> Double {
        var state = neuron.initialState(shape: [1, 1])
        neuron.integrate(Tensor(repeating: 1e30, shape: [1, 1]), state: &state, at: TimeStep(steps - 1, of: steps))
        return emitted(state, steps: steps)[0]
    }
}

/// What was found in some samples.
private struct Found: Accumulator {
    var samples = 0
    var layers: [Sums] = []

    mutating func merge(_ later: Found) {
        samples += later.samples
        layers.mergeEach(later.layers)
    }
}

/// Sums of squares over neurons and samples.
private struct Sums: Accumulator {
    var inherited = 0.0
    var clipping = 0.0
    var quantization = 0.0
    var unevenness = 0.0
    var total = 0.0
    var added = 0.0
    var activation = 0.0
    var spikes = 0.0
    var levels = 0.0

    init(_ parts: LayerParts) {
        levels = parts.levels
        spikes = parts.spikes
        for position in parts.activation.indices {
            let inherited = parts.inherited[position]
            let added = parts.clipping[position] + parts.quantization[position] + parts.unevenness[position]
            self.inherited += inherited * inherited
            self.added += added * added
            total += (inherited + added) * (inherited + added)
            clipping += parts.clipping[position] * parts.clipping[position]
            quantization += parts.quantization[position] * parts.quantization[position]
            unevenness += parts.unevenness[position] * parts.unevenness[position]
            activation += parts.activation[position] * parts.activation[position]
        }
    }

    mutating func merge(_ later: Sums) {
        inherited += later.inherited
        clipping += later.clipping
        quantization += later.quantization
        unevenness += later.unevenness
        total += later.total
        added += later.added
        activation += later.activation
        spikes += later.spikes
        levels = max(levels, later.levels)
    }
}
