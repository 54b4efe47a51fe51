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

            DATA is an .npz (arrays images or x, and labels or y), an .npy (inputs only; then --ann is needed), or a folder of \
            IDX files, with --split. Bytes become 0…1 by 1/255.

            The table has a row for each number of steps: the share of right answers with its 95 % interval, the share of samples \
            on which SNN and ANN agree, spikes per neuron, synaptic operations (NeuroBench's definition) and the arithmetic \
            energy against the ANN's. In the JSON accuracies are fractions and energies joules; what was not measured (accuracy \
            without labels, agreement without an ANN) is left out.
            """)

    @Argument(help: ArgumentHelp("A spiking network (.safetensors, or .nir).", valueName: "snn"))
    var network: String

    @Option(help: ArgumentHelp("Labelled images.", valueName: "data"))
    var data: String

    @Option(help: ArgumentHelp("The ANN it was made from: adds its accuracy, and how often the two agree.", valueName: "model.onnx"))
    var ann: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The numbers of time steps to report. Of a radix code it is always its own.", valueName: "t1,t2,…"))
    var steps = "1,2,4,8,16,32"

    @Flag(
        help: """
            Take the difference from the ANN apart, layer by layer: inherited, clipping, rounding, order of arrival. On the first \
            128 samples at the largest number of steps; needs --ann.
            """)
    var layers = false

    @Flag(
        help: """
            Compare the values of all outputs with the ANN's instead: of segmentation, regression, and networks of several outputs. \
            Needs --ann.
            """)
    var outputs = false

    @Option(help: "Numbers of the engine: float32, or int8 for 8-bit weights.")
    var precision = Precision.float32

    @Flag(help: "Simulate with the slow reference executor, and count spikes on all samples instead of the first 100.")
    var reference = false

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Also let each sample stop as soon as the softmax of what it has accumulated (divided by all steps) gives one class this probability; report the average steps. Streaming recipes only.",
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
        if exitConfidence != nil, exitLoss != nil {
            throw ValidationError("--exit-loss chooses the confidence itself: leave out --exit-confidence.")
        }
        if reference, exitConfidence != nil || exitLoss != nil {
            throw ValidationError("The reference executor does not stop early: leave out --reference.")
        }
        if reference, precision != .float32 { throw ValidationError("The reference executor knows float32 alone.") }
    }

    func run() throws {
        try checkOutputs([json == "-" ? nil : json, report], inputs: [network, data, ann])
        let steps = try stepList(steps)
        let snn = try NetworkFile.spiking(network, nir: nir.reading)
        let model = try ann.map { try NetworkFile.ann($0).graph }
        if let model, outputs { return try compareOutputs(snn, model, steps: steps) }
        let executor: Evaluator.Executor = reference ? .reference : .engine(precision, countedSamples: 100)
        let exit = exitConfidence.map { EarlyExit.confidence($0) } ?? exitLoss.map { EarlyExit.allowedLoss($0 / 100) }
        let evaluator = try Evaluator(snn, ann: model, steps: steps, executor: executor, earlyExit: exit, threads: threads)
        // Before the long part, since it may find that the ANN is another network's.
        let decomposition =
            try layers ? model.map { try ErrorDecomposition(snn, ann: $0, steps: evaluator.steps.last ?? 1, threads: threads) } : nil
        let loader = try dataOptions.loader(data, for: snn)
        if evaluator.steps != Set(steps).sorted(), let whole = evaluator.steps.first {
            note("note: a radix code is read as a whole, so \(whole) steps alone are reported")
        }
        var result = try locating(data) { try evaluator.run(loader) }
        for error in try decomposition?.run(loader) ?? [] {
            guard let index = result.layers.firstIndex(where: { $0.name == error.name }) else { continue }
            result.layers[index].error = error
        }
        if let report { try writeReport([result], snn: snn, ann: model, loader: loader, to: report) }
        if let json { try writeJSON(result, to: json) }
        guard json != "-" else { return }
        print(result, terminator: "")
        if let report { print("report written to \(report)") }
    }

    /// All outputs, by their values.
    private func compareOutputs(_ snn: Graph, _ model: Graph, steps: [Int]) throws {
        let comparison = try OutputComparison(snn, ann: model, steps: steps, precision: precision, threads: threads)
        let decomposition =
            try layers ? ErrorDecomposition(snn, ann: model, steps: comparison.steps.last ?? 1, threads: threads) : nil
        let loader = try dataOptions.loader(data, for: snn)
        var result = try locating(data) { try comparison.run(loader) }
        result.layers = try decomposition?.run(loader)
        if let json { try writeJSON(result, to: json) }
        if json != "-" { print(result, terminator: "") }
    }
}
