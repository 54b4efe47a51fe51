import Dispatch
public import SpikeGraph
import SpikeReference
public import SpikeRuntime

/// Measures a spiking network on labelled data, or against its ANN: accuracy over steps, agreement, spikes, synaptic
/// operations, energy.
///
///     let result = try Evaluator(snn, ann: ann, steps: [1, 2, 4, 8, 16, 32]).run(loader)
///     print(result)
///
/// The engine gives the answers. Spikes and synaptic operations are counted by the reference executor, on the first samples:
/// they are means, and hardly vary from a hundred samples on.
///
/// A network is judged by its first output: one row of class scores `[N, classes]` a sample.
public struct Evaluator: Sendable {
    /// What simulates the network.
    public enum Executor: Sendable, Hashable {
        /// ``Simulation``, with spikes and operations counted on so many samples.
        case engine(Precision, countedSamples: Int)
        /// ``ReferenceSimulation``, which counts on all samples.
        case reference
    }

    /// The spiking network.
    public let snn: Graph
    /// The network it was made from.
    public let ann: Graph?
    /// The numbers of steps to report, ascending.
    public let steps: [Int]
    /// How many batches are worked on at a time.
    public let threads: Int
    /// Who simulates.
    public let executor: Executor
    /// Whether and when samples stop early.
    public let earlyExit: EarlyExit?
    private let program: Program?
    /// The number of class scores a sample.
    private let classCount: Int
    /// The most classes whose confusion is counted.
    private static let mostConfused = 100

    /// - Parameters:
    ///   - ann: the source network, for its own accuracy and the agreement.
    ///   - steps: the numbers of time steps to report; the largest is simulated. Of a radix code only its own can be.
    ///   - executor: what simulates the network; by default the engine in float32, with 100 samples counted.
    ///   - earlyExit: also measure samples that stop as soon as the network is sure; the engine's streaming schedule only.
    ///   - threads: how many batches are worked on at a time; results do not depend on it.
    /// - Throws: for numbers outside their ranges, networks that are no classifiers, and two that cannot be compared.
    public init(
        _ snn: Graph, ann: Graph? = nil, steps: [Int], executor: Executor = .engine(.float32, countedSamples: 100),
        earlyExit: EarlyExit? = nil, threads: Int = 1
    ) throws {
        guard let largest = steps.max(), let least = steps.min(), least >= 1, largest <= 1 << 20 else {
            throw SpikeletError(
                .invalidOption, "steps \(steps)",
                remedy: "give one or more numbers of time steps from 1 to \(1 << 20), such as 1,2,4,8,16,32")
        }
        guard threads >= 1, threads <= 1024 else {
            throw SpikeletError(.invalidOption, "\(threads) threads are not possible", remedy: "give a number from 1 to 1024")
        }
        _ = try ReferenceSimulation(snn)
        classCount = try Self.classCount(snn)
        if let ann {
            guard ann.spiking == nil else {
                throw SpikeletError(
                    .invalidData, "'\(ann.name)' is a spiking network; it is compared with the ANN it was made from",
                    remedy: "pass the ONNX model")
            }
            let annClasses = try Self.classCount(ann)
            guard annClasses == classCount else {
                throw SpikeletError(
                    .invalidData, "the ANN has \(annClasses) classes, the spiking network \(classCount)",
                    remedy: "pass the ONNX model that the spiking network was made from")
            }
        }
        self.snn = snn
        self.ann = ann
        if let description = snn.spiking, description.code == .radix {
            // A radix code is read as a whole: its K steps are the only number of steps it has.
            self.steps = [description.steps ?? largest]
        } else {
            self.steps = Set(steps).sorted()
        }
        self.threads = threads
        // The engine takes any number of samples at a time; a network of a fixed batch size takes no other.
        let isOpen = snn.inputs.allSatisfy { ($0.type.shape.dimensions.first?.batchFactor ?? 0) > 0 }
        if isOpen, case .engine(let precision, _) = executor {
            self.executor = executor
            program = try Compiler(precision: precision)(snn)
        } else {
            self.executor = .reference
            program = nil
        }
        self.earlyExit = earlyExit
        guard let earlyExit else { return }
        try earlyExit.check()
        guard snn.spiking?.schedule == .streaming else {
            throw SpikeletError(
                .unsupported, "early answers under the layer-synchronous schedule", remedy: "use a streaming recipe for them")
        }
        guard program != nil else {
            throw SpikeletError(
                .unsupported, isOpen ? "early answers of the reference executor" : "early answers of a network of a fixed batch size",
                remedy: isOpen ? "leave them to the engine" : "export the model with an open batch size")
        }
    }

    private var precision: Precision { if case .engine(let precision, _) = executor { precision } else { .float32 } }

    private var runsStream: Bool { snn.spiking?.schedule == .streaming }

    /// How long to simulate: once for all numbers of steps where layers stream; else each by itself.
    private var runs: [Int] { runsStream ? steps.suffix(1) : steps }

    /// Goes through the data once. A bar on standard error shows the progress.
    ///
    /// - Throws: where the data is empty or does not fit, or there is nothing to compare with: neither labels nor an ANN.
    public func run(_ data: any BatchSource) throws -> EvaluationResult {
        let start = DispatchTime.now()
        let counter = SynapseCounter(snn)
        let bar = ProgressBar("evaluating", total: data.batchCount.map { $0 * runs.reduce(0, +) }, unit: "steps of a batch")
        defer { bar.finish() }
        var total = Tally(steps: steps)
        var pass = try data.makePass()
        var uncounted = if case .engine(_, let countedSamples) = executor { countedSamples } else { Int.max }
        while true {
            var group: [(batch: Batch, counted: Int)] = []
            while group.count < threads, let batch = try pass.next() {
                group.append((batch, min(batch.count, uncounted)))
                uncounted -= min(batch.count, uncounted)
            }
            if group.isEmpty { break }
            for tally in try concurrentMap(group, { try self.tally($0.batch, counted: $0.counted, counter: counter, bar: bar) }) {
                total.add(tally)
            }
        }
        guard total.samples > 0 else { throw SpikeletError(.invalidData, "the data holds no sample", remedy: "give at least one sample") }
        let seconds = Double(DispatchTime.now().uptimeNanoseconds - start.uptimeNanoseconds) / 1e9
        return try result(total, counter: counter, seconds: seconds)
    }

    private func tally(_ batch: Batch, counted: Int, counter: SynapseCounter, bar: ProgressBar) throws -> Tally {
        if batch.labels == nil, ann == nil {
            throw SpikeletError(
                .invalidData, "the data has no labels, so there is nothing to compare with",
                remedy: "add labels, or pass the ANN: --ann MODEL.onnx")
        }
        if let labels = batch.labels {
            guard labels.count == batch.count else {
                throw SpikeletError(
                    .invalidData, "\(labels.count) labels for \(batch.count) samples", remedy: "give one label for each sample")
            }
            // Labels that start at 1, or of another data set, would pass for poor accuracy.
            if let label = labels.first(where: { !(0..<classCount).contains($0) }) {
                throw SpikeletError(
                    .invalidData, "there is a label \(label), but the network has the classes 0…\(classCount - 1)",
                    remedy: "labels count the classes from 0; perhaps they belong to another data set")
            }
        }
        var tally = Tally(steps: steps)
        tally.samples = batch.count
        tally.hasLabels = batch.labels != nil
        let annClasses = try ann.map { try Self.classes(try ReferenceExecutor($0).run(batch.inputs)[0], of: $0) }
        if let labels = batch.labels, let annClasses { tally.annCorrect = zip(labels, annClasses).count { $0 == $1 } }
        func judge(_ output: Tensor, _ column: Int) throws {
            let classes = try Self.classes(output, of: snn)
            if let labels = batch.labels {
                tally.correct[column] = zip(labels, classes).count { $0 == $1 }
                if column == steps.count - 1, classCount <= Self.mostConfused {
                    tally.confusion = [Int](repeating: 0, count: classCount * classCount)
                    for (label, answer) in zip(labels, classes) { tally.confusion[label * classCount + answer] += 1 }
                }
            }
            if let annClasses { tally.agreeing[column] = zip(annClasses, classes).count { $0 == $1 } }
        }

        if let program {
            let simulation = try Simulation(program)
            simulation.recording = .stepOutputs
            for run in runs {
                _ = try simulation.run(batch.inputs, steps: run)
                let outputs = try simulation.stepOutputs()
                for (column, step) in steps.enumerated() where runsStream || step == run { try judge(outputs[step - 1][0], column) }
                if earlyExit != nil {
                    tally.exits.paths = try exitPaths(outputs.map { $0[0] }, simulation.stepConfidences(), batch.labels, annClasses)
                }
                bar.advance(by: run)
            }
        }
        if counted > 0 {
            let inputs = counted == batch.count ? batch.inputs : batch.inputs.map { $0.samples(0..<counted) }
            tally.countedSamples = counted
            let outputs = try count(inputs, into: &tally, counter: counter)
            if program == nil {
                for (column, output) in outputs { try judge(output, column) }
            }
            if program == nil { bar.advance(by: runs.reduce(0, +)) }
        }
        return tally
    }

    /// What each sample of a batch would answer after each step, and how surely.
    private func exitPaths(_ outputs: [Tensor], _ confidences: [[Float]], _ labels: [Int]?, _ annClasses: [Int]?) throws -> [ExitPath] {
        let classes = try outputs.map { try Self.classes($0, of: snn) }
        var paths: [ExitPath] = []
        for sample in 0..<(classes.first?.count ?? 0) {
            let answers: [Int] = classes.map { $0[sample] }
            let (label, other): (Int?, Int?) = (labels?[sample], annClasses?[sample])
            paths.append(
                ExitPath(
                    confidence: confidences.map { $0[sample] }, isCorrect: answers.map { $0 == label },
                    isAgreeing: answers.map { $0 == other }))
        }
        return paths
    }

    /// Simulates by the reference, counting spikes and synaptic operations.
    ///
    /// - Returns: the first output at each number of steps that is reported.
    private func count(
        _ inputs: [Tensor], into tally: inout Tally, counter: SynapseCounter
    ) throws -> [(column: Int, output: Tensor)] {
        let simulation = try ReferenceSimulation(snn)
        var reported: [(column: Int, output: Tensor)] = []
        for run in runs {
            var operations = 0
            var (spikes, layerSpikes): (Double, [String: Double]) = (0, [:])
            let observe: ReferenceSimulation.Observer = { node, operands, results in
                operations += counter.count(node, operands: operands)
                guard case .neuron = node.operator else { return }
                let emitted = results[0].floats.reduce(0.0) { $0 + Double(abs($1)) }
                spikes += emitted
                layerSpikes[node.name, default: 0] += emitted
            }
            var counts: [(column: Int, spikes: Double, operations: Int)] = []
            _ = try simulation.run(inputs, steps: run, observe: observe) { step in
                // Layer by layer, the steps of the last layer come when all spikes have been counted: only the last is whole.
                guard let column = steps.firstIndex(of: step), runsStream || step == run else { return }
                reported.append((column, try simulation.outputs()[0]))
                counts.append((column, spikes, operations))
            }
            for (column, spikes, operations) in counts {
                tally.spikes[column] = spikes
                tally.operations[column] = operations
            }
            tally.layerSpikes = layerSpikes
        }
        return reported
    }

    private func result(_ total: Tally, counter: SynapseCounter, seconds: Double) throws -> EvaluationResult {
        let consumers = snn.consumers
        let layers = snn.nodes.compactMap { node -> EvaluationResult.Layer? in
            guard case .neuron = node.operator, let neurons = snn.sizePerSample(of: node.outputs[0]) else { return nil }
            let scales = (consumers[node.outputs[0]] ?? []).compactMap {
                if case .voltageScaler(let scaler) = $0.operator { scaler.scales } else { nil }
            }
            .flatMap { $0 }
            return EvaluationResult.Layer(
                name: node.name, neurons: neurons, threshold: [scales.min() ?? 1, scales.max() ?? 1],
                spikesPerNeuron: (total.layerSpikes[node.name] ?? 0) / Double(neurons * total.countedSamples))
        }
        let neurons = Double(max(1, layers.reduce(0) { $0 + $1.neurons }))
        let samples = Double(total.samples)
        let counted = Double(total.countedSamples)
        let rows = steps.indices.map { column -> EvaluationResult.Step in
            let operations = Double(total.operations[column]) / counted
            return EvaluationResult.Step(
                steps: steps[column],
                accuracy: total.hasLabels ? Double(total.correct[column]) / samples : nil,
                agreement: ann == nil ? nil : Double(total.agreeing[column]) / samples,
                confidence95: wilsonInterval(
                    successes: total.hasLabels ? total.correct[column] : total.agreeing[column], trials: total.samples),
                spikesPerNeuron: total.spikes[column] / counted / neurons,
                synapticOperations: operations,
                energy: .horowitz45nm(
                    annOperations: Double(counter.denseOperations), analogOperations: Double(counter.analogOperations),
                    synapticOperations: operations))
        }
        return EvaluationResult(
            network: snn.name, recipe: snn.spiking?.recipe ?? "", samples: total.samples,
            ann: ann == nil ? nil : .init(accuracy: total.hasLabels ? Double(total.annCorrect) / samples : nil),
            countedSamples: total.countedSamples, steps: rows, layers: layers,
            confusion: total.hasLabels && !total.confusion.isEmpty
                ? stride(from: 0, to: total.confusion.count, by: classCount).map { Array(total.confusion[$0..<$0 + classCount]) } : nil,
            earlyExit: try earlyExit.map { try total.exits.result($0, hasLabels: total.hasLabels, hasANN: ann != nil) },
            precision: precision.rawValue, seconds: seconds,
            warnings: snn.spiking?.warnings ?? [])
    }

    /// The position of each sample's largest score; of equal ones the first.
    static func classes(_ output: Tensor, of graph: Graph) throws -> [Int] {
        let values = output.floats
        let classCount = max(1, output.shape.dropFirst().reduce(1, *))
        // Any class would do as the largest of NaNs.
        guard !values.contains(where: \.isNaN) else {
            throw SpikeletError(
                .invalidModel, "the output of '\(graph.name)' holds NaN",
                remedy: "look for weights that overflow, and compare with the source network: spikelet run")
        }
        return stride(from: 0, to: values.count, by: classCount).map { start in
            (1..<classCount).reduce(0) { values[start + $1] > values[start + $0] ? $1 : $0 }
        }
    }

    /// The number of scores a sample, where the first output is one row of them.
    private static func classCount(_ graph: Graph) throws -> Int {
        guard let output = graph.outputs.first, let type = graph.types[output.value] else { return 0 }
        let sizes = type.shape.dimensions
        let batch = graph.inputs.first?.type.shape.dimensions.first
        // [N, classes, 1, 1], as fully convolutional networks end, is a row too.
        guard type.elementType == .float32, sizes.first == batch, sizes.count > 1, let classes = sizes[1].known, classes > 1,
            sizes.dropFirst(2).allSatisfy({ $0 == 1 })
        else {
            throw SpikeletError(
                .invalidData, "output '\(output.name)' of '\(graph.name)' is \(type), not one row of class scores a sample",
                remedy: "classifiers can be evaluated: [N, classes], at least two of them; 'spikelet simulate' runs any network")
        }
        return classes
    }
}

/// Sums over samples; whole numbers, so that they do not depend on the order of the batches.
private struct Tally: Sendable {
    var samples = 0
    /// The samples among them on which spikes and operations were counted.
    var countedSamples = 0
    var hasLabels = true
    var annCorrect = 0
    var correct: [Int]
    var agreeing: [Int]
    var spikes: [Double]
    var operations: [Int]
    var layerSpikes: [String: Double] = [:]
    /// Labels × answers at the largest number of steps; empty if it is not counted.
    var confusion: [Int] = []
    var exits = ExitPaths()

    init(steps: [Int]) {
        correct = steps.map { _ in 0 }
        agreeing = correct
        operations = correct
        spikes = steps.map { _ in 0 }
    }

    mutating func add(_ other: Tally) {
        samples += other.samples
        countedSamples += other.countedSamples
        hasLabels = hasLabels && other.hasLabels
        annCorrect += other.annCorrect
        for column in correct.indices {
            correct[column] += other.correct[column]
            agreeing[column] += other.agreeing[column]
            spikes[column] += other.spikes[column]
            operations[column] += other.operations[column]
        }
        if confusion.isEmpty {
            confusion = other.confusion
        } else {
            for (index, count) in other.confusion.enumerated() { confusion[index] += count }
        }
        exits.paths += other.exits.paths
        layerSpikes.merge(other.layerSpikes, uniquingKeysWith: +)
    }
}

/// `items` mapped at the same time, results in order. The first error, in the items' order, is thrown.
func concurrentMap<Item: Sendable, Result: Sendable>(_ items: [Item], _ transform: @Sendable (Item) throws -> Result) throws -> [Result] {
    if items.count == 1 { return [try transform(items[0])] }
    nonisolated(unsafe) var results = [Swift.Result<Result, any Error>?](repeating: nil, count: items.count)
    let lock = DispatchSemaphore(value: 1)
    DispatchQueue.concurrentPerform(iterations: items.count) { index in
        let result = Swift.Result { try transform(items[index]) }
        lock.wait()
        results[index] = result
        lock.signal()
    }
    return try results.compactMap { try $0?.get() }
}
