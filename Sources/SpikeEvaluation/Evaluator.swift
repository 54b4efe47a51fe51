import Dispatch
public import SpikeGraph
import SpikeReference
public import SpikeRuntime

/// Measures a spiking network on labelled data, or against its ANN: accuracy over steps, agreement, spikes, synaptic
/// operations, energy, time.
///
///     let result = try Evaluator(snn, ann: ann, steps: [1, 2, 4, 8, 16, 32]).run(loader)
///     print(result)
///
/// The engine gives the answers. Spikes, operations and membrane updates are counted by the reference executor, on the first
/// samples: they are means, and hardly vary from a hundred samples on.
///
/// A run may be broken off and gone on with, to the same result: see ``EvaluationCheckpoint``.
///
/// A network is judged by its first output: one row of class scores `[N, classes]` a sample; or, as a regression, any numbers
/// `[N, …]`, by their distance from targets, or from the ANN's.
public struct Evaluator: Sendable {
    /// What simulates the network.
    public enum Executor: Sendable, Hashable {
        /// ``Simulation``, with spikes and operations counted on so many samples.
        case engine(Precision, countedSamples: Int)
        /// ``ReferenceSimulation``, which counts on all samples.
        case reference
    }

    /// What the first output is.
    public enum Task: String, Sendable, Codable {
        /// A score for each class.
        case classification
        /// Numbers that should be near others.
        case regression
    }

    /// The spiking network.
    public let snn: Graph
    /// The network it was made from.
    public let ann: Graph?
    /// What is asked of the network: a class, or numbers.
    public let task: Task
    /// The numbers of steps to report, ascending.
    public let steps: [Int]
    /// How many batches are worked on at a time.
    public let threads: Int
    /// Who simulates.
    public let executor: Executor
    /// Whether and when samples stop early.
    public let earlyExit: EarlyExit?
    let program: Program?
    private let annCounter: OperationCounter.ANNCounter?
    /// The number of class scores a sample; 0 of a regression.
    let classCount: Int
    /// The most classes whose confusion is counted.
    private static let mostConfused = 100

    /// - Parameters:
    ///   - ann: the source network, for its own accuracy and the agreement.
    ///   - task: what the first output is.
    ///   - steps: the numbers of time steps to report; the largest is simulated. Of a radix code only its own can be.
    ///   - executor: what simulates the network; by default the engine in float32, with 100 samples counted.
    ///   - earlyExit: also measure samples that stop as soon as the network is sure; the engine's streaming schedule only.
    ///   - threads: how many batches are worked on at a time; results do not depend on it.
    /// - Throws: for numbers outside their ranges, networks that are no classifiers, and two that cannot be compared.
    public init(
        _ snn: Graph, ann: Graph? = nil, task: Task = .classification, steps: [Int],
        executor: Executor = .engine(.float32, countedSamples: 100),
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
        classCount = task == .classification ? try Self.classCount(snn) : 0
        if task == .regression { try Self.checkNumbers(snn) }
        if let ann {
            guard ann.spiking == nil else {
                throw SpikeletError(
                    .invalidData, "'\(ann.name)' is a spiking network; it is compared with the ANN it was made from",
                    remedy: "pass the ONNX model")
            }
            if task == .regression { try Self.checkNumbers(ann) }
            let annClasses = task == .classification ? try Self.classCount(ann) : 0
            guard annClasses == classCount else {
                throw SpikeletError(
                    .invalidData, "the ANN has \(annClasses) classes, the spiking network \(classCount)",
                    remedy: "pass the ONNX model that the spiking network was made from")
            }
        }
        self.snn = snn
        self.ann = ann
        self.task = task
        annCounter = try ann.map { try OperationCounter.ANNCounter($0) }
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
        guard task == .classification else {
            throw SpikeletError(.unsupported, "early answers of a regression", remedy: "they need class scores: leave them out")
        }
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

    var precision: Precision { if case .engine(let precision, _) = executor { precision } else { .float32 } }

    var runsStream: Bool { snn.spiking?.schedule == .streaming }

    /// How long to simulate: once for all numbers of steps where layers stream; else each by itself.
    private var runs: [Int] { runsStream ? steps.suffix(1) : steps }

    /// Goes through the data once. A bar on standard error shows the progress.
    ///
    /// - Parameters:
    ///   - checkpoint: where an earlier run over the same data was broken off; its samples are skipped.
    ///   - onProgress: called again and again on the way with what has been found so far. If it throws, the run ends.
    /// - Throws: where the data is empty or does not fit, or there is nothing to compare with: neither labels nor an ANN.
    public func run(
        _ data: any BatchSource, from checkpoint: EvaluationCheckpoint? = nil, onProgress: ((EvaluationProgress) throws -> Void)? = nil
    ) throws -> EvaluationResult {
        let start = DispatchTime.now()
        let counter = try OperationCounter(snn)
        var total = checkpoint?.tally ?? Tally(steps: steps)
        guard total.steps == steps else {
            throw SpikeletError(
                .invalidData, "the earlier run reports the steps \(total.steps), this one \(steps)", remedy: "give the same steps")
        }
        func seconds() -> Double {
            (checkpoint?.seconds ?? 0) + Double(DispatchTime.now().uptimeNanoseconds - start.uptimeNanoseconds) / 1e9
        }
        var source = RemainingBatches(try data.makePass(), skipping: total.samples)
        let stepsOfBatch = runs.reduce(0, +)
        let bar = ProgressBar("evaluating", total: data.batchCount.map { $0 * stepsOfBatch }, unit: "steps of a batch")
        defer { bar.finish() }
        var uncounted = if case .engine(_, let countedSamples) = executor { max(0, countedSamples - total.samples) } else { Int.max }
        var first: [Tensor]?
        while true {
            var group: [(batch: Batch, counted: Int)] = []
            while group.count < threads, let batch = try source.next(advance: { bar.advance(by: stepsOfBatch, isWork: false) }) {
                group.append((batch, min(batch.count, uncounted)))
                uncounted -= min(batch.count, uncounted)
            }
            if group.isEmpty { break }
            if first == nil { first = group[0].batch.inputs.map { $0.samples(0..<1) } }
            for tally in try concurrentMap(group, { try self.tally($0.batch, counted: $0.counted, counter: counter, bar: bar) }) {
                total.add(tally)
            }
            try onProgress?(EvaluationProgress(evaluator: self, counter: counter, tally: total, seconds: seconds()))
        }
        guard total.samples > 0 else { throw SpikeletError(.invalidData, "the data holds no sample", remedy: "give at least one sample") }
        let elapsed = seconds()
        var result = result(total, counter: counter, seconds: elapsed)
        if let earlyExit { result.earlyExit = try total.exits.result(earlyExit, hasLabels: total.hasLabels, hasANN: ann != nil) }
        result.timing = try timing(first, simulated: total)
        return result
    }

    private func tally(_ batch: Batch, counted: Int, counter: OperationCounter, bar: ProgressBar) throws -> Tally {
        let wanted = task == .classification ? "labels" : "targets"
        if task == .classification ? batch.labels == nil : batch.targets == nil, ann == nil {
            throw SpikeletError(
                .invalidData, "the data has no \(wanted), so there is nothing to compare with",
                remedy: "add \(wanted), or pass the ANN: --ann MODEL.onnx")
        }
        if task == .classification, let labels = batch.labels {
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
        tally.hasLabels = task == .classification && batch.labels != nil
        let annOutput = try annOutput(batch, counted: counted, into: &tally)
        let annClasses = task == .classification ? try annClasses(annOutput, batch, into: &tally) : nil
        func judge(_ output: Tensor, _ column: Int) throws {
            if task == .regression {
                try tally.distances.judge(output, column, targets: batch.targets, ann: annOutput)
                return
            }
            tally.judge(try Self.classes(output, of: snn), column, labels: batch.labels, annClasses: annClasses)
            if column == steps.count - 1, let labels = batch.labels, classCount <= Self.mostConfused {
                tally.confusion = Tally.confusion(labels, try Self.classes(output, of: snn), classes: classCount)
            }
        }

        if let program {
            let simulation = try Simulation(program)
            simulation.recording = .stepOutputs
            for run in runs {
                let start = DispatchTime.now()
                _ = try simulation.run(batch.inputs, steps: run)
                if run == runs.last { tally.engineNanoseconds = Int(DispatchTime.now().uptimeNanoseconds - start.uptimeNanoseconds) }
                let outputs = try simulation.stepOutputs()
                for (column, step) in steps.enumerated() where runsStream || step == run { try judge(outputs[step - 1][0], column) }
                if runsStream, task == .classification { try judgeAll(outputs.map { $0[0] }, batch.labels, annClasses, into: &tally) }
                if earlyExit != nil {
                    tally.exits.paths = try exitPaths(outputs.map { $0[0] }, simulation.stepConfidences(), batch.labels, annClasses)
                }
                bar.advance(by: run)
            }
        }
        if counted > 0 {
            let inputs = counted == batch.count ? batch.inputs : batch.inputs.map { $0.samples(0..<counted) }
            tally.countedSamples = counted
            for run in runs {
                tally.runs[run] = try counter.count(inputs, steps: run) { simulation, step in
                    // Layer by layer, the steps of the last layer come when all spikes have been counted: only the last is whole.
                    guard program == nil, let column = steps.firstIndex(of: step), runsStream || step == run else { return }
                    try judge(try simulation.outputs()[0], column)
                }
                if program == nil { bar.advance(by: run) }
            }
        }
        return tally
    }

    /// What the ANN gives; its operations on the counted samples are added up.
    private func annOutput(_ batch: Batch, counted: Int, into tally: inout Tally) throws -> Tensor? {
        guard let ann, let annCounter else { return nil }
        let (output, operations) = try annCounter.run(ann, batch.inputs, counted: counted)
        tally.annOperations = operations
        if task == .regression { try tally.distances.judgeANN(output[0], targets: batch.targets) }
        return output[0]
    }

    /// What the ANN answers.
    private func annClasses(_ output: Tensor?, _ batch: Batch, into tally: inout Tally) throws -> [Int]? {
        guard let ann, let output else { return nil }
        let classes = try Self.classes(output, of: ann)
        if let labels = batch.labels {
            tally.annCorrect = zip(labels, classes).count { $0 == $1 }
            if classCount <= Self.mostConfused { tally.annConfusion = Tally.confusion(labels, classes, classes: classCount) }
        }
        return classes
    }

    /// Judges the output after each step.
    private func judgeAll(_ outputs: [Tensor], _ labels: [Int]?, _ annClasses: [Int]?, into tally: inout Tally) throws {
        for output in outputs {
            let classes = try Self.classes(output, of: snn)
            tally.correctByStep.append(labels.map { zip($0, classes).count { $0 == $1 } } ?? 0)
            tally.agreeingByStep.append(annClasses.map { zip($0, classes).count { $0 == $1 } } ?? 0)
        }
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

    /// Whether the first output is one row of class scores a sample.
    public static func isClassifier(_ graph: Graph) -> Bool { (try? classCount(graph)) != nil }

    /// Throws where the first output is not numbers of each sample.
    private static func checkNumbers(_ graph: Graph) throws {
        guard let output = graph.outputs.first, let type = graph.types[output.value], type.elementType == .float32,
            type.shape.dimensions.first == graph.inputs.first?.type.shape.dimensions.first
        else {
            throw SpikeletError(
                .invalidData, "the first output of '\(graph.name)' is not numbers of each sample",
                remedy: "float32 outputs [N, …] can be evaluated; 'spikelet simulate' runs any network")
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
