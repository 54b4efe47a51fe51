import Dispatch
import SpikeAnalysis
import SpikeCost
public import SpikeGraph
import SpikeReference
public import SpikeRuntime

/// Measures a spiking network on labelled data, or against its ANN: accuracy over steps, agreement, spikes, synaptic
/// operations, energy, time.
///
///     let result = try Evaluator(snn, ann: ann, steps: [1, 2, 4, 8, 16, 32]).run(loader)
///     print(result)
///
/// The engine gives the predictions. Spikes, operations and membrane updates are counted on the first samples, by the spikes that the
/// engine sends in its own precision: they are means, and hardly vary from a hundred samples on.
///
/// A run may be broken off and gone on with, to the same result: see ``EvaluationCheckpoint``.
///
/// A network is judged by its first output; ``OutputTask`` says what that is: classes, which are right or wrong; or values, by
/// their distance from targets, or from the ANN's.
public struct Evaluator: Sendable {
    /// What simulates the network.
    public enum Executor: Sendable, Hashable {
        /// ``Simulation``, with spikes and operations counted on so many samples.
        case engine(Precision, countedSamples: Int)
        /// ``ReferenceSimulation``, which counts on all samples.
        case reference
    }

    /// What is found out of each layer, besides what is counted.
    public struct Details: OptionSet, Sendable {
        public let rawValue: Int

        public init(rawValue: Int) { self.rawValue = rawValue }

        /// What adds to the layer's error, on the first 128 samples; it takes the ANN (``LayerError``).
        public static let errors = Details(rawValue: 1)
        /// What single neurons do on the first samples, as a report draws it (``ActivityTrace``).
        public static let activity = Details(rawValue: 2)
    }

    /// The spiking network.
    public let snn: Graph
    /// The network it was made from.
    public let ann: Graph?
    /// What is asked of the network: classes, or values.
    public let task: OutputTask
    private let annTask: OutputTask?
    /// The numbers of steps to report, ascending.
    public let steps: [Int]
    /// How many batches are worked on at a time.
    public let threads: Int
    /// Who simulates.
    public let executor: Executor
    /// Whether and when samples stop early.
    public let earlyExit: EarlyExit?
    /// What is found out of each layer.
    public let details: Details
    /// Whether samples have an input of their own in each step, `[N, T, …]`.
    public let timeVarying: Bool
    let program: Program?
    private let decomposition: ErrorDecomposition?
    let annCounter: OperationCounter.ANNCounter?
    /// Why the engine does not simulate, where it was asked.
    package let referenceReason: String?
    /// The most classes whose confusion is counted.
    static let mostConfused = 100
    /// The numbers that the outputs of one portion may have in all steps.
    private static let mostNumbers = 1 << 26

    /// - Parameters:
    ///   - ann: the source network, for its own accuracy and the agreement.
    ///   - task: what the first output says; `nil`: what is decided from the network alone. `OutputTask(of:hasLabels:targets:)` looks
    ///     at the data too.
    ///   - steps: the numbers of time steps to report; the largest is simulated. Of a radix code only its own can be.
    ///   - executor: what simulates the network; by default the engine in float32, with 100 samples counted.
    ///   - earlyExit: also measure samples that stop as soon as the network is sure; the engine's streaming schedule only.
    ///   - details: what to find out of each layer at the largest number of steps.
    ///   - threads: how many batches are worked on at a time; results do not depend on it.
    ///   - timeVarying: whether samples have an input of their own in each step, as the frames of an event camera: batches then hold
    ///     `[N, T, …]`, as `Dataset(timeVarying:sample:)` gives them. The first steps are simulated, as many as the largest of `steps`;
    ///     the ANN is shown their mean.
    /// - Throws: for numbers outside their ranges, networks that cannot be judged, two that cannot be compared, and time-varying samples
    ///   of a network whose layers do not stream.
    public init(
        _ snn: Graph, ann: Graph? = nil, task: OutputTask? = nil, steps: [Int],
        executor: Executor = .engine(.float32, countedSamples: 100),
        earlyExit: EarlyExit? = nil, details: Details = [], threads: Int = 1, timeVarying: Bool = false
    ) throws {
        try SpikeCode.check(steps: steps)
        try checkThreads(threads)
        if timeVarying { try snn.spiking?.checkTimeVarying() }
        let task = try task?.asked(of: snn) ?? OutputTask(of: snn)
        let ann = try ann?.showingOutputs(of: snn)
        if let ann {
            guard ann.spiking == nil else {
                throw SpikeletError(
                    .invalidData, "'\(ann.name)' is a spiking network; it is compared with the ANN it was made from",
                    remedy: "pass the ONNX model")
            }
        }
        annTask = try ann.map { try task.asked(of: $0) }
        let precision: Precision? = if case .engine(let precision, _) = executor { precision } else { nil }
        let choice = try SimulatorChoice(snn, precision: precision)
        (program, referenceReason) = (choice.program, choice.reason)
        self.snn = snn
        self.ann = ann
        self.task = task
        annCounter = try ann.map { try OperationCounter.ANNCounter($0, beside: snn) }
        self.steps = snn.spikeCode.steps(asked: steps)
        self.threads = threads
        self.executor = program == nil ? .reference : executor
        self.earlyExit = earlyExit
        self.details = details
        self.timeVarying = timeVarying
        guard !details.contains(.errors) || ann != nil else {
            throw SpikeletError(
                .invalidOption, "errors of layers without the ANN", remedy: "pass the ANN that they are measured against: `ann: MODEL.onnx`"
            )
        }
        decomposition =
            if details.contains(.errors), let ann {
                try ErrorDecomposition(
                    snn, ann: ann, steps: self.steps.last ?? 1, threads: threads, precision: precision, timeVarying: timeVarying)
            } else {
                nil
            }
        guard let earlyExit else { return }
        try earlyExit.check()
        guard task.kind != .values, task.places == 1 else {
            throw SpikeletError(
                .unsupported, "early exits of a network judged by: \(task)",
                remedy: "they need one prediction a sample: class scores, or one score with labels; leave them out")
        }
        guard snn.spiking?.schedule == .streaming else {
            throw SpikeletError(
                .unsupported, "there is nothing to stop early in a network that runs layer by layer: its output comes in the last step",
                remedy: "leave out the early exit, or use a streaming recipe")
        }
        guard program != nil else {
            throw SpikeletError(
                .unsupported,
                precision == nil ? "early exits of the reference executor" : "early exits of a network of a fixed batch size",
                remedy: precision == nil ? "leave them to the engine" : "export the model with an open batch size")
        }
    }

    var precision: Precision { if case .engine(let precision, _) = executor { precision } else { .float32 } }

    var runsStream: Bool { snn.spiking?.isReadAtEveryStep == true }

    var runs: [Int] { snn.spiking?.runs(for: steps) ?? [] }

    /// Goes through the data, and for ``details`` and the check of int8 through the first samples again. ``Progress`` tells how far it
    /// has come.
    ///
    /// - Parameters:
    ///   - checkpoint: where an earlier run over the same data was broken off; its samples are skipped.
    ///   - onProgress: called again and again on the way with what has been found so far. If it throws, the run ends.
    /// - Throws: where the data is empty or does not fit, or there is nothing to compare with: neither labels nor an ANN.
    public func run(
        _ data: any BatchSource, from checkpoint: EvaluationCheckpoint? = nil, onProgress: ((EvaluationProgress) throws -> Void)? = nil
    ) throws -> EvaluationResult {
        let start = DispatchTime.now()
        let counter = try OperationCounter(snn, program: program)
        let done = checkpoint?.tally ?? Tally(steps: steps)
        try checkpoint?.check(for: self)
        func seconds() -> Double {
            (checkpoint?.seconds ?? 0) + Double(DispatchTime.now().uptimeNanoseconds - start.uptimeNanoseconds) / 1e9
        }
        let numbers = (snn.outputs.first.flatMap { snn.sizePerSample(of: $0.value) } ?? 1) * (steps.last ?? 1)
        // Outputs in all steps fit into memory; sums do not depend on the portions.
        let portion = program == nil ? Int.max : max(1, Self.mostNumbers / max(1, numbers))
        let total = try data.reduce(
            "evaluating", into: done, work: (runs.reduce(0, +), "steps of a batch"), skipping: done.samples, portion: portion,
            threads: threads,
            { try tally($0, counter: counter) },
            merged: { try onProgress?(EvaluationProgress(evaluator: self, counter: counter, tally: $0, seconds: seconds())) })
        let elapsed = seconds()
        var result = result(total, counter: counter, seconds: elapsed)
        if let earlyExit { result.earlyExit = try total.exits.result(earlyExit, hasLabels: total.hasLabels, hasANN: ann != nil) }
        result.timing = try timing(try data.first(1).first?.inputs, simulated: total)
        if let program, program.precision == .int8, let last = steps.last {
            result.precisionCheck = try PrecisionCheck.measure(program, task: task, data: data, steps: last, timeVarying: timeVarying)
        }
        return try completed(result, on: data)
    }

    /// A result of this evaluator with the ``details`` that it lacks, such as one of an earlier run.
    ///
    /// Errors of layers are those of the first 128 samples.
    public func completed(_ result: EvaluationResult, on data: any BatchSource) throws -> EvaluationResult {
        var result = result
        if let decomposition, result.layers.allSatisfy({ $0.error == nil }) {
            for error in try decomposition.run(data) {
                guard let index = result.layers.firstIndex(where: { $0.name == error.name }) else { continue }
                result.layers[index].error = error
            }
        }
        if details.contains(.activity), result.activity == nil { result.activity = try activity(data) }
        return result
    }

    /// Few samples: the reference executor shows what lies between the layers, and only one is looked at.
    private func activity(_ data: any BatchSource) throws -> ActivityTrace? {
        let isFixed = snn.fixedBatch != nil
        let inputs = try data.first(isFixed ? 1 : 4, wholeBatches: isFixed).first?.inputs
        return try inputs.map {
            try ActivityTrace.record(
                snn, ann: ann, inputs: $0, steps: steps.last ?? 1, precision: program?.precision, timeVarying: timeVarying)
        }
    }

    /// Samples as a simulator takes them: each step's, `[T, N, …]`, where they are time-varying.
    func shown(_ samples: [Tensor], steps: Int) throws -> [Tensor] { try timeVarying ? samples.stepsFirst(steps) : samples }

    private func tally(_ portion: Portion, counter: OperationCounter) throws -> Tally {
        let batch = portion.batch
        let counted = if case .engine(_, let count) = executor { min(batch.count, max(0, count - portion.start)) } else { batch.count }
        let labels = try task.labels(of: batch)
        if ann == nil, labels == nil, task.kind != .values || batch.targets == nil {
            let wanted = task.kind == .values ? "targets" : "labels"
            throw SpikeletError(
                .invalidData, "the data has no \(wanted), so there is nothing to compare with",
                remedy: "add \(wanted), or pass the ANN: `ann: MODEL.onnx`")
        }
        var tally = Tally(steps: steps)
        tally.samples = batch.count
        tally.hasLabels = labels != nil
        let annOutput = try annOutput(batch, counted: counted, into: &tally)
        let annPredictions = try annPredictions(annOutput, labels, into: &tally)
        func judge(_ output: Tensor, _ column: Int) throws {
            if task.kind == .values {
                try tally.distances.judge(output, column, targets: batch.targets, ann: annOutput)
                return
            }
            let predictions = try task.predictions(output, of: snn)
            tally.judge(predictions, column, labels: labels, annPredictions: annPredictions, places: task.places)
            if column == steps.count - 1, let labels, task.classCount <= Self.mostConfused {
                tally.confusion = Tally.confusion(labels, predictions, classes: task.classCount)
            }
        }

        if let program {
            let simulation = try Simulation(program)
            // The last step's output is what a run gives. Others are only looked at where each is one to judge.
            let isJudgedByStep = runsStream || earlyExit != nil
            if isJudgedByStep { simulation.recording = .stepOutputs }
            for run in runs {
                let inputs = try shown(batch.inputs, steps: run)
                let start = DispatchTime.now()
                let last = try simulation.run(inputs, steps: run, timeVarying: timeVarying)
                tally.saturations = (tally.saturations ?? 0) + Int(clamping: simulation.saturations)
                if run == runs.last { tally.engineNanoseconds = Int(DispatchTime.now().uptimeNanoseconds - start.uptimeNanoseconds) }
                let outputs = isJudgedByStep ? try simulation.stepOutputs() : []
                for (column, step) in steps.enumerated() where runsStream || step == run {
                    try judge(isJudgedByStep ? outputs[step - 1][0] : last[0], column)
                }
                if runsStream, task.kind != .values { try judgeAll(outputs.map { $0[0] }, labels, annPredictions, into: &tally) }
                if earlyExit != nil {
                    tally.exits.paths = try exitPaths(outputs.map { $0[0] }, simulation.stepConfidences(), labels, annPredictions)
                }
            }
        }
        if counted > 0 {
            let inputs = counted == batch.count ? batch.inputs : batch.inputs.map { $0.samples(0..<counted) }
            tally.countedSamples = counted
            for run in runs {
                tally.runs[run] = try counter.count(inputs, steps: run, timeVarying: timeVarying) { simulation, step in
                    // Layer by layer, the steps of the last layer come when all spikes have been counted: only the last is whole.
                    guard program == nil, let column = steps.firstIndex(of: step), runsStream || step == run else { return }
                    try judge(try simulation.outputs()[0], column)
                }
            }
        }
        return tally
    }

    /// What the ANN gives; its operations on the counted samples are added up.
    private func annOutput(_ batch: Batch, counted: Int, into tally: inout Tally) throws -> Tensor? {
        guard let ann, let annCounter else { return nil }
        let inputs = try timeVarying ? batch.inputs.mean(of: steps.last ?? 1) : batch.inputs
        let (output, operations) = try annCounter.run(ann, inputs, counted: counted)
        tally.annOperations = operations
        if task.kind == .values { try tally.distances.judgeANN(output[0], targets: batch.targets) }
        return output[0]
    }

    /// What the ANN predicts.
    private func annPredictions(_ output: Tensor?, _ labels: [Int]?, into tally: inout Tally) throws -> [Int]? {
        guard let ann, let annTask, let output, task.kind != .values else { return nil }
        let predictions = try annTask.predictions(output, of: ann)
        if let labels {
            tally.annCorrect = zip(labels, predictions).count { $0 == $1 }
            if task.classCount <= Self.mostConfused {
                tally.annConfusion = Tally.confusion(labels, predictions, classes: task.classCount)
            }
        }
        return predictions
    }

    /// Judges the output after each step.
    private func judgeAll(_ outputs: [Tensor], _ labels: [Int]?, _ annPredictions: [Int]?, into tally: inout Tally) throws {
        for output in outputs {
            let predictions = try task.predictions(output, of: snn)
            tally.correctByStep.append(labels.map { zip($0, predictions).count { $0 == $1 } } ?? 0)
            tally.agreeingByStep.append(annPredictions.map { zip($0, predictions).count { $0 == $1 } } ?? 0)
        }
    }

    /// What each sample of a batch would predict after each step, and how surely.
    private func exitPaths(_ outputs: [Tensor], _ confidences: [[Float]], _ labels: [Int]?, _ annPredictions: [Int]?) throws -> [ExitPath] {
        let all = try outputs.map { try task.predictions($0, of: snn) }
        var paths: [ExitPath] = []
        for sample in 0..<(all.first?.count ?? 0) {
            let predictions: [Int] = all.map { $0[sample] }
            let (label, other): (Int?, Int?) = (labels?[sample], annPredictions?[sample])
            paths.append(
                ExitPath(
                    confidence: confidences.map { $0[sample] }, isCorrect: predictions.map { $0 == label },
                    isAgreeing: predictions.map { $0 == other }))
        }
        return paths
    }
}
