import ArgumentParser
import Foundation
import Spikelet

struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate", abstract: "Measures accuracy over time steps, spikes, synaptic operations and energy.",
        discussion: """
              spikelet evaluate snn.safetensors --data test.npz --ann model.onnx
              spikelet evaluate snn.safetensors --data mnist/ --split test \\
                  --steps 4,8,16 --json result.json
              spikelet evaluate snn.safetensors --data test.npz --ann model.onnx \\
                  --layers --report report.html
              spikelet evaluate snn.safetensors --data test.npz --steps 32 --exit-loss 0.5
              spikelet evaluate network.nir --as norse --data test.npz --steps 32
              spikelet evaluate snn.safetensors --data events.npz --time-varying
              spikelet evaluate snn.safetensors --data mnist/ --split test \\
                  --steps 4,8,16 --json result.json --resume

            DATA is an .npz (arrays images or x, and labels or y; or targets, for a regression, which is then judged by its error), \
            an .npy (inputs only; then --ann is needed), or a folder of \
            IDX files, with --split. Bytes become 0…1 by 1/255.

            With --time-varying each step has its own input, as the frames of an event camera: images are [T, N, …] (or [N, T, …], where \
            the number of labels says so), and bytes too are taken as they are: 0 and 1 are events. All T steps are simulated, or the \
            first so many (--steps); the ANN is shown the mean of these frames. Streaming recipes only.

            The network is judged by its first output: class scores [N, C] by the largest; [N, C, …] by the largest at each place, \
            with whole-number labels [N, …]; one score [N, 1] by its sign, or behind a sigmoid by ½, with labels 0 and 1; one number \
            without labels or a sigmoid, and whatever has targets, by its values.

            The table has a row for each number of steps: the share of correct predictions with its 95 % interval, the share of samples \
            on which SNN and ANN agree, spikes per neuron, synaptic operations (NeuroBench's definition) and the arithmetic \
            energy against the ANN's. Below it stand what one sample takes (operations, membrane updates, memory) and what that \
            costs by published models: from the least to the most, and the spikes per neuron under which the spiking network takes \
            less. In the JSON accuracies are fractions and energies joules; what was not measured (accuracy without labels, \
            agreement without an ANN) is left out.

            While it runs, the --json file holds the result so far. Ctrl-C, or a crash, leaves it there, and the same command with \
            --resume goes on from it, to the same result as without the break.
            """)

    @Argument(help: ArgumentHelp("A spiking network (.safetensors, or .nir).", valueName: "snn"))
    var network: String

    @Option(help: ArgumentHelp("Labelled images.", valueName: "data"))
    var data: String

    @Option(help: ArgumentHelp("The ANN it was made from: adds its accuracy, and how often the two agree.", valueName: "model.onnx"))
    var ann: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "The numbers of time steps to report. Of a radix or latency code it is always its own. Default: 1,2,4,8,16,32; of time-varying data up to all their steps.",
            valueName: "t1,t2,…"))
    var steps: String?

    @OptionGroup var time: TimeVaryingOptions

    @Flag(
        help: """
            Take the difference from the ANN apart, layer by layer: inherited, clipping, quantisation and unevenness error. On the \
            first 128 samples at the largest number of steps; needs --ann.
            """)
    var layers = false

    @Flag(
        help: """
            Compare the values of all outputs with the ANN's instead of judging the first: of networks of several outputs, and where \
            values count. \
            Needs --ann.
            """)
    var outputs = false

    @Option(
        help: """
            Numbers of the engine: float32, or int8 for 8-bit weights. Layers that 8 bits cannot say stay float32 and are listed.
            """)
    var precision = Precision.float32

    @Flag(help: "Simulate with the slow reference executor, and count spikes on all samples instead of the first 100.")
    var reference = false

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Also let each sample stop as soon as the softmax of what it has accumulated (divided by all steps; of one score its sigmoid) gives one class this probability; report the average steps. Streaming recipes only.",
            valueName: "p"))
    var exitConfidence: Float?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "The same with a probability that is chosen: on one half of the samples the least that loses at most so many points of accuracy, then measured on the other half.",
            valueName: "points"))
    var exitLoss: Double?

    @Option(help: ArgumentHelp("Where to write the result as JSON; '-': to standard output, instead of the table.", valueName: "file"))
    var json: String?

    @Flag(help: "Go on with the run whose result so far is in the --json file; without such a file, start.")
    var resume = false

    @Option(
        help: ArgumentHelp(
            "Where to write the result as a page to look at, with what single neurons do on the first samples.", valueName: "file.html"))
    var report: String?

    @Option(
        parsing: .unconditional, help: ArgumentHelp("How many batches to work on at a time. Results do not depend on it.", valueName: "n"))
    var threads = ProcessInfo.processInfo.activeProcessorCount

    @OptionGroup var dataOptions: DataOptions

    @OptionGroup var nir: NIROptions

    func validate() throws {
        if layers, ann == nil { throw ValidationError("--layers compares with the ANN: it needs --ann MODEL.onnx.") }
        if outputs, ann == nil { throw ValidationError("--outputs compares with the ANN: it needs --ann MODEL.onnx.") }
        if outputs, reference || report != nil || exitConfidence != nil || exitLoss != nil {
            throw ValidationError("--outputs compares values alone: leave out --reference, --report and early exits.")
        }
        if outputs, resume { throw ValidationError("--outputs compares values in one go: leave out --resume.") }
        if exitConfidence != nil, exitLoss != nil {
            throw ValidationError("--exit-loss chooses the confidence itself: leave out --exit-confidence.")
        }
        if reference, exitConfidence != nil || exitLoss != nil {
            throw ValidationError("The reference executor does not stop early: leave out --reference.")
        }
        if resume, json == nil || json == "-" { throw ValidationError("--resume goes on from a file: it needs --json FILE.") }
        if reference, precision != .float32 { throw ValidationError("The reference executor knows float32 alone.") }
    }

    func run() throws {
        try checkOutputs([json == "-" ? nil : json, report], inputs: [network, data, ann, dataOptions.labels])
        // Before anything is read.
        _ = try steps.map(stepList)
        let snn = try NetworkFile.spiking(network, nir: nir.reading, openAxes: time.openAxes(data, dataOptions))
        let model = try ann.map { try NetworkFile.ann($0, beside: snn) }
        if let model, outputs { return try compareOutputs(snn, model) }
        let executor: Evaluator.Executor = reference ? .reference : .engine(precision, countedSamples: 100)
        let exit = exitConfidence.map { EarlyExit.confidence($0) } ?? exitLoss.map { EarlyExit.allowedLoss($0 / 100) }
        let loader = try time.loader(data, dataOptions, for: snn)
        let steps = try time.steps(steps, of: loader)
        // Before the long part: it may find that the ANN is another network's.
        var details: Evaluator.Details = layers ? .errors : []
        if report != nil { details.insert(.activity) }
        let task = try locating(data) { try loader.task(of: snn) }
        let evaluator = try Evaluator(
            snn, ann: model, task: task, steps: steps, executor: executor, earlyExit: exit, details: details, threads: threads,
            timeVarying: time.timeVarying)
        noteReference(evaluator.referenceReason)
        if evaluator.steps != Set(steps).sorted(), let whole = evaluator.steps.first {
            note("note: a \(snn.spiking?.code.kind.rawValue ?? "radix") code is read as a whole, so \(whole) steps alone are reported")
        }
        let result = try locating(data) { try measure(evaluator, loader) }
        if let report { try Report([result]).write(to: report) }
        if let json { try writeJSON(result, to: json) }
        guard json != "-" else { return }
        try show(block: result, terminator: "")
        if let report { try show("report written to \(report)") }
    }

    /// All outputs, by their values.
    private func compareOutputs(_ snn: Graph, _ model: Graph) throws {
        let loader = try time.loader(data, dataOptions, for: snn)
        let comparison = try OutputComparison(
            snn, ann: model, steps: time.steps(steps, of: loader), precision: precision, layerErrors: layers, threads: threads,
            timeVarying: time.timeVarying)
        noteReference(comparison.referenceReason)
        let result = try locating(data) { try comparison.run(loader) }
        if let json { try writeJSON(result, to: json) }
        if json != "-" { try show(block: result, terminator: "") }
    }

    /// Runs the evaluation; with a file to write, the result so far is in it all the while.
    private func measure(_ evaluator: Evaluator, _ loader: DataLoader) throws -> EvaluationResult {
        let settings = try settings(evaluator, loader)
        guard let json, json != "-" else {
            var result = try evaluator.run(loader)
            result.settings = settings
            return result
        }
        var file = ResultFile(json, settings: settings)
        var checkpoint: EvaluationCheckpoint?
        if resume {
            let earlier = try file.earlier()
            if let earlier, earlier.partial == nil {
                note("note: the run in \(json) was complete: \(grouped(earlier.samples)) samples")
                return try evaluator.completed(earlier, on: loader)
            }
            checkpoint = earlier?.partial
            if let checkpoint { note("note: going on after \(grouped(checkpoint.samples)) of \(grouped(loader.count)) samples") }
        }
        Interrupt.watch()
        var result = try evaluator.run(loader, from: checkpoint) { try file.note($0, of: loader.count) }
        result.settings = settings
        return result
    }

    /// What the result depends on.
    private func settings(_ evaluator: Evaluator, _ loader: DataLoader) throws -> [String: String] {
        var settings = [
            "network": try Self.digest(network), "data": try loader.digest(),
            "steps": evaluator.steps.map { "\($0)" }.joined(separator: ","), "precision": precision.rawValue,
            "executor": reference ? "reference" : "engine",
        ]
        settings["ann"] = try ann.map(Self.digest)
        if time.timeVarying { settings["timeVarying"] = "true" }
        settings["exit"] = exitConfidence.map { "confidence \($0)" } ?? exitLoss.map { "loss \($0)" }
        return settings
    }

    private static func digest(_ path: String) throws -> String { try Dataset.digest(ofFile: path) }
}
