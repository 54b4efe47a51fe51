import SpikeConversion
package import SpikeGraph
package import SpikeReference
package import SpikeRuntime

/// Counts what a spiking network does on some samples, as ``ObservedRun`` shows it: by the spikes of what is run. Whole numbers, so that counts of
/// different samples can be added in any order, kept in a file, and gone on with.
///
/// What is counted is what runs: constants among the spikes are currents that are known beforehand, and no operations
/// (``SeparateConstants``).
package struct OperationCounter: Sendable {
    /// The network as it was given.
    private let network: Graph
    /// The same function, with constants apart.
    private let snn: Graph
    private let observed: ObservedRun
    private let synapses: SynapseCounter
    private let isStreaming: Bool
    /// The layers that read spikes.
    private let readers: Set<String>
    /// By the nodes that give them, the neurons that hold more potentials than they are: those of a max pool's whole window.
    private let pooled: [String: String]

    /// One run's sums over samples.
    package struct Run: Accumulator, Equatable {
        /// By node, in each step: of layers that read spikes, or time-varying input.
        package var accumulates: [String: [Int]] = [:]
        package var multiplyAccumulates: [String: [Int]] = [:]
        package var spikes: [String: [Int]] = [:]
        /// Neurons that sent something.
        package var active: [String: [Int]] = [:]
        package var membraneUpdates: [String: [Int]] = [:]
        /// Of layers that read an input that stays the same, by node: once for the whole run.
        package var inputOperations: [String: Int] = [:]
        /// Each sample's synaptic operations.
        package var perSample: [Int] = []

        package init() {}

        package mutating func merge(_ later: Run) {
            func join(_ a: inout [String: [Int]], _ b: [String: [Int]]) {
                a.merge(b) { mine, theirs in zip(mine, theirs).map { $0 + $1 } }
            }
            join(&accumulates, later.accumulates)
            join(&multiplyAccumulates, later.multiplyAccumulates)
            join(&spikes, later.spikes)
            join(&active, later.active)
            join(&membraneUpdates, later.membraneUpdates)
            inputOperations.merge(later.inputOperations, uniquingKeysWith: +)
            perSample += later.perSample
        }
    }

    /// The numbers that the spikes of a portion of samples may be.
    private static let mostNumbers = 1 << 24

    /// - Parameter program: what simulates the network; `nil`: the reference executor.
    package init(_ network: Graph, program: Program?) throws {
        self.network = network
        snn = try SeparateConstants(differsByPlace: true).run(network)
        observed = ObservedRun(snn, program: program)
        synapses = SynapseCounter(snn)
        isStreaming = snn.spiking?.schedule == .streaming
        readers = Set(synapses.layers.filter(\.readsSpikes).map(\.name))
        pooled = snn.pooledPotentials
    }

    /// Simulates some samples.
    ///
    /// - Parameters:
    ///   - inputs: `[N, …]`; or, if `timeVarying`, `[N, T, …]`.
    ///   - onStep: called after each step of the reference executor, if it is that that simulates.
    package func count(
        _ inputs: [Tensor], steps: Int, timeVarying: Bool = false, onStep: (ReferenceSimulation, Int) throws -> Void
    ) throws -> Run {
        guard observed.program != nil else { return try countTogether(inputs, steps: steps, timeVarying: timeVarying, onStep: onStep) }
        let samples = inputs.first?.shape.first ?? 0
        // Layer by layer, the spikes of all steps are kept.
        let numbers = max(1, snn.neuronCount) * (isStreaming ? 1 : steps)
        let portion = max(1, Self.mostNumbers / numbers)
        var run = Run()
        for begin in stride(from: 0, to: samples, by: portion) {
            let range = begin..<min(begin + portion, samples)
            let part = try countTogether(
                inputs.map { $0.samples(range) }, steps: steps, timeVarying: timeVarying, onStep: { _, _ in })
            if begin == 0 { run = part } else { run.merge(part) }
        }
        return run
    }

    private func countTogether(
        _ inputs: [Tensor], steps: Int, timeVarying: Bool, onStep: (ReferenceSimulation, Int) throws -> Void
    ) throws -> Run {
        let samples = inputs.first?.shape.first ?? 0
        var run = Run()
        run.perSample = [Int](repeating: 0, count: samples)
        var steppers: [String: Membranes] = [:]
        let holders = Set(pooled.values)
        var calls: [String: Int] = [:]
        let pieces = snn.piecesOfSamples()
        try withoutActuallyEscaping(onStep) { onStep in
            try observed(
                timeVarying ? inputs.stepsFirst(steps) : inputs, steps: steps, timeVarying: timeVarying,
                observe: { simulation, node, operands, results in
                    // A node is shown once a step, under any schedule; one that reads no spikes perhaps only once.
                    let step = calls[node.name, default: 0]
                    calls[node.name] = step + 1
                    if case .neuron(let neuron) = node.operator {
                        let emitted = results[0].floats
                        run.spikes[node.name, default: []].append(Int(emitted.reduce(0.0) { $0 + Double(abs($1)) }))
                        run.active[node.name, default: []].append(emitted.count { $0 != 0 })
                        let holdsPools = holders.contains(node.name)
                        var membranes = steppers.removeValue(forKey: node.name) ?? Membranes(neuron, onlyEmits: holdsPools)
                        let state = isStreaming ? simulation.neuronStates[node.name] : nil
                        let updates = membranes.advance(operands[0], sent: results[0], state: state, step: step, of: steps)
                        run.membraneUpdates[node.name, default: []] += updates
                        steppers[node.name] = membranes
                    } else {
                        if let holder = pooled[node.name], case .neuron(let neuron)? = snn.node(named: holder)?.operator {
                            var membranes = steppers.removeValue(forKey: node.name) ?? Membranes(neuron)
                            let updates = membranes.integrate(results[0], step: step, of: steps)
                            run.membraneUpdates[node.name, default: []].append(updates)
                            steppers[node.name] = membranes
                        }
                        let operands = zip(node.inputs, operands).map { snn.samplesFirst($1, of: $0, pieces: pieces) }
                        let operations = synapses.effectiveOperations(node, operands: operands, samples: samples)
                        if timeVarying || readers.contains(node.name) {
                            take(operations, of: node, into: &run)
                        } else if step == 0, !operations.isEmpty {
                            run.inputOperations[node.name] = operations.reduce(0) { $0 + $1.operations }
                        }
                    }
                }, onStep: onStep)
        }
        return run
    }

    /// Takes in what one step of a layer takes.
    private func take(_ operations: [(operations: Int, isBinary: Bool)], of node: Node, into run: inout Run) {
        guard !operations.isEmpty else { return }
        var (accumulates, multiplyAccumulates) = (0, 0)
        for (sample, counted) in operations.enumerated() {
            if counted.isBinary { accumulates += counted.operations } else { multiplyAccumulates += counted.operations }
            run.perSample[sample] += counted.operations
        }
        run.accumulates[node.name, default: []].append(accumulates)
        run.multiplyAccumulates[node.name, default: []].append(multiplyAccumulates)
    }

    /// Sums over samples as means.
    ///
    /// - Parameters:
    ///   - runs: by their numbers of steps; under the streaming schedule the longest alone, whose beginning the others are.
    ///   - steps: to report, ascending.
    ///   - timeVarying: whether the samples were; what reads the input then works in every step.
    ///   - ann: by node, sums over the same samples; empty without an ANN.
    package func means(
        _ runs: [Int: Run], steps: [Int], samples: Int, timeVarying: Bool = false, ann: [String: Int]
    ) -> OperationCounts {
        let longest = runs[steps.last ?? 1] ?? Run()
        let samples = Double(max(1, samples))
        func mean(_ numbers: [Int]?) -> [Double] { (numbers ?? []).map { Double($0) / samples } }
        let neurons = snn.nodes.compactMap { node -> OperationCounts.Neurons? in
            guard case .neuron = node.operator, let size = snn.sizePerSample(of: node.outputs[0]) else { return nil }
            return OperationCounts.Neurons(
                name: node.name, neurons: size, spikes: mean(longest.spikes[node.name]),
                membraneUpdates: mean(membraneUpdates(of: node.name, in: longest)))
        }
        let neuronCount = neurons.reduce(0) { $0 + $1.neurons }
        let digitCount = snn.nodes.reduce(0) { sum, node in
            guard case .neuron(let layer) = node.operator, let size = snn.sizePerSample(of: node.outputs[0]) else { return sum }
            return sum + size * (layer.digits ?? 0)
        }
        let rows = steps.map { count -> OperationCounts.Step in
            let run = runs[count] ?? longest
            func total(_ numbers: [String: [Int]]) -> Double {
                numbers.values.reduce(0.0) { $0 + $1.prefix(count).reduce(0.0) { $0 + Double($1) } } / samples
            }
            func ofSpikes(_ numbers: [String: [Int]]) -> Double { total(numbers.filter { readers.contains($0.key) }) }
            func ofInput(_ numbers: [String: [Int]]) -> Double { total(numbers.filter { !readers.contains($0.key) }) }
            // In the steps that a layer of fewer digits does not use nothing could be sent.
            let sending = snn.hasMixedDigits ? digitCount : neuronCount * count
            let outputs = Double(max(1, sending))
            return OperationCounts.Step(
                steps: count, accumulates: ofSpikes(run.accumulates), multiplyAccumulates: ofSpikes(run.multiplyAccumulates),
                input: timeVarying
                    ? .init(accumulates: ofInput(run.accumulates), multiplyAccumulates: ofInput(run.multiplyAccumulates)) : nil,
                spikes: total(run.spikes), membraneUpdates: total(run.membraneUpdates),
                activationSparsity: 1 - total(run.active) / outputs)
        }
        let inputOperations = longest.inputOperations.values.reduce(0.0) { $0 + Double($1) } / samples
        let layers = synapses.layers.map { layer -> OperationCounts.Layer in
            let isEveryStep = layer.readsSpikes || timeVarying
            let input = [Double(longest.inputOperations[layer.name] ?? 0) / samples]
            return OperationCounts.Layer(
                name: layer.name, readsSpikes: layer.readsSpikes, dense: layer.denseOperations,
                accumulates: isEveryStep ? mean(longest.accumulates[layer.name]) : [0],
                multiplyAccumulates: isEveryStep ? mean(longest.multiplyAccumulates[layer.name]) : input,
                ann: ann[layer.name].map { Double($0) / samples })
        }
        let functions = OperationCounts.Readout(insideNeuronsOf: snn).functions
        let footprint = footprint(neuronCount)
        let mixed = snn.hasMixedDigits ? snn.digits : nil
        return OperationCounts(
            inputMultiplyAccumulates: synapses.analogOperations,
            effectiveInputMultiplyAccumulates: rows.last.flatMap { row in row.input.map { $0.operations / Double(row.steps) } }
                ?? inputOperations,
            steps: rows,
            layers: layers,
            neurons: neurons, perSample: longest.perSample,
            ann: .init(
                multiplyAccumulates: synapses.denseOperations,
                effectiveMultiplyAccumulates: ann.isEmpty ? nil : ann.values.reduce(0.0) { $0 + Double($1) } / samples),
            footprint: footprint, readout: OperationCounts.Readout(of: snn),
            functionOperations: functions > 0 ? functions : nil, stepsPerLayer: isStreaming ? nil : steps.last,
            fewestStepsPerLayer: mixed?.min(),
            meanStepsPerLayer: mixed.map { Double($0.reduce(0, +)) / Double(max(1, $0.count)) },
            neuronSteps: mixed.map { _ in digitCount },
            parameterSteps: mixed.map { _ in parameterSteps(footprint.parameters, of: steps.last ?? 1) },
            stepsEndToEnd: isStreaming ? nil : steps.last.map(snn.stepsEndToEnd))
    }

    /// In each step, with those of potentials that wait for a max pool.
    private func membraneUpdates(of neurons: String, in run: Run) -> [Int]? {
        var sum = run.membraneUpdates[neurons]
        for source in pooled.keys.sorted() where pooled[source] == neurons {
            for (step, updates) in (run.membraneUpdates[source] ?? []).enumerated() where sum?.indices.contains(step) == true {
                sum?[step] += updates
            }
        }
        return sum
    }

    /// Weights, each as often as steps bring its layer spikes, and all else in each step.
    private func parameterSteps(_ parameters: Int, of steps: Int) -> Int {
        let lengths = network.stepsWithSpikes(of: steps)
        var (sum, weights) = (0, 0)
        for layer in synapses.layers where layer.readsSpikes {
            guard let node = network.node(named: layer.name), let length = node.inputs.compactMap({ lengths[$0] }).max() else { continue }
            let count = node.inputs.prefix(2).reduce(0) { $0 + (network.constants[$1]?.count ?? 0) }
            sum += count * length
            weights += count
        }
        return sum + max(0, parameters - weights) * steps
    }

    private func footprint(_ neurons: Int) -> OperationCounts.Footprint {
        var (weights, zeros) = (0, 0)
        var counted: Set<String> = []
        for node in network.nodes where synapses.layers.contains(where: { $0.name == node.name }) {
            for name in node.inputs.prefix(2) where counted.insert(name).inserted {
                guard let values = network.constants[name]?.floats else { continue }
                weights += values.count
                zeros += values.count { $0 == 0 }
            }
        }
        let inPools = pooled.reduce(0) { sum, pair in
            let sizes = [snn.node(named: pair.key), snn.node(named: pair.value)].map {
                $0.flatMap { snn.sizePerSample(of: $0.outputs[0]) } ?? 0
            }
            return sum + max(0, sizes[0] - sizes[1])
        }
        let parameters = network.constants.values.filter { $0.elementType == .float32 }.reduce(0) { $0 + $1.count }
        return OperationCounts.Footprint(
            parameters: parameters, bytes: 4 * parameters, bytesOfInt8: weights + 4 * (parameters - weights),
            membraneBytes: 4 * (neurons + inPools),
            connectionSparsity: weights == 0 ? 0 : Double(zeros) / Double(weights))
    }

    /// The ANN's operations with zero activations skipped, by node, summed over some samples.
    package struct ANNCounter: Sendable {
        /// The ANN with constants apart, as the spiking network is counted; `nil` where there are none.
        private let separated: Graph?
        package let synapses: SynapseCounter
        /// The products of two values, element by element, that are synapses of the spiking network.
        private let products: Set<String>

        package init(_ ann: Graph, beside snn: Graph) throws {
            products = Set(SynapseCounter(snn).layers.map(\.name))
            let graph = try SeparateConstants(differsByPlace: true).run(ann)
            let isSame = graph.nodes == ann.nodes
            separated = isSame ? nil : graph
            synapses = SynapseCounter(graph)
        }

        /// Runs `ann`, and counts.
        ///
        /// - Parameter counted: how many of the batch's samples, from its first on.
        package func run(_ ann: Graph, _ inputs: [Tensor], counted: Int) throws -> (outputs: [Tensor], operations: [String: Int]) {
            var operations: [String: Int] = [:]
            let pieces = ann.piecesOfSamples()
            func count(_ node: Node, operands: [Tensor], samples: Int, result: Tensor?) {
                guard counted > 0 else { return }
                if case .mul = node.operator, let result, products.contains(node.name) {
                    let made = ann.samplesFirst(result, of: node.outputs[0], pieces: pieces).floats
                    operations[node.name] = made.prefix(made.count / max(1, samples) * counted).count { $0 != 0 }
                    return
                }
                let effective = synapses.effectiveOperations(node, operands: operands, samples: samples)
                let sum = effective.prefix(counted).reduce(0) { $0 + $1.operations }
                if sum > 0 { operations[node.name] = sum }
            }
            let samples = inputs.first?.shape.first ?? 0
            guard let separated else {
                let outputs = try ReferenceExecutor(ann).run(inputs) { node, operands, results in
                    count(node, operands: operands, samples: samples, result: results.first)
                }
                return (outputs, operations)
            }
            if counted > 0 {
                let inputs = counted == samples ? inputs : inputs.map { $0.samples(0..<counted) }
                _ = try ReferenceExecutor(separated).run(inputs) { node, operands, results in
                    count(node, operands: operands, samples: counted, result: results.first)
                }
            }
            return (try ReferenceExecutor(ann).run(inputs), operations)
        }
    }
}

/// A layer's membranes from step to step.
private struct Membranes {
    private let node: NeuronNode
    /// Streaming: after the last step. Layer-synchronous: after the steps integrated so far.
    private var state: NeuronState?
    /// Layer-synchronous: what each step emits.
    private var sent: [Tensor] = []

    /// Layer-synchronous: what integrates is counted elsewhere.
    private let onlyEmits: Bool

    init(_ node: NeuronNode, onlyEmits: Bool = false) { (self.node, self.onlyEmits) = (node, onlyEmits) }

    /// How many membranes changed in a step of integration; in the first, all count.
    mutating func integrate(_ current: Tensor, step: Int, of steps: Int) -> Int {
        var next = state ?? node.initialState(shape: current.shape)
        let before = state?.membrane
        node.neuron.integrate(current, state: &next, at: TimeStep(step, of: steps))
        state = next
        return Self.changes(from: before, to: next.membrane)
    }

    /// How many membranes changed in a step. In the first, all count: they are set up.
    ///
    /// - Parameters:
    ///   - spikes: what the neurons send in the step.
    ///   - seen: the state after the step, where the schedule has one: streaming. Layer-synchronous neurons first integrate
    ///   all steps, then emit all steps; both change membranes, and both are counted, with the last step.
    /// - Returns: one number; after the last step of the layer-synchronous schedule those of all steps of emission are in it.
    mutating func advance(_ current: Tensor, sent spikes: Tensor, state seen: NeuronState?, step: Int, of steps: Int) -> [Int] {
        if let seen {
            defer { state = seen }
            return [Self.changes(from: state?.membrane, to: seen.membrane)]
        }
        sent.append(spikes)
        let integrated = integrate(current, step: step, of: steps)
        guard var next = state else { return [integrated] }
        var changes = onlyEmits ? 0 : integrated
        if step == steps - 1 {
            for index in 0..<steps {
                let before = next.membrane
                let time = TimeStep(index, of: steps)
                _ = node.emit(sent[index], state: &next, at: time)
                changes += Self.changes(from: before, to: next.membrane)
            }
        }
        state = next
        return [changes]
    }

    private static func changes(from before: Tensor?, to after: Tensor) -> Int {
        guard let before else { return after.count }
        return zip(before.floats, after.floats).count { $0 != $1 }
    }
}

extension Graph {
    /// By the node that gives them, the neurons of a latency code that hold potentials until a max pool in front of them takes the largest.
    fileprivate var pooledPotentials: [String: String] {
        guard spikeCode.kind == .latency else { return [:] }
        let (producers, trains) = (producers, spikeTrains)
        var found: [String: String] = [:]
        for node in nodes {
            guard case .neuron = node.operator else { continue }
            var (value, isPooled) = (node.inputs[0], false)
            while let producer = producers[value] {
                switch linearity(of: producer) {
                case .maximum: isPooled = true
                case .activation: break
                case _ where producer.operator.isScaler: break
                default:
                    // Numbers that are sent to the pool are no potentials of its neurons.
                    if isPooled, !trains.contains(value) { found[producer.name] = node.name }
                    value = ""
                    continue
                }
                value = producer.inputs[0]
            }
        }
        return found
    }
}

extension Operator {
    fileprivate var isScaler: Bool { if case .voltageScaler = self { true } else { false } }
}
