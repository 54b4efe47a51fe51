import ArgumentParser
import Foundation
import Spikelet

struct CompareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare", abstract: "Several networks or recipes on one table and one page.",
        discussion: """
            Takes results that 'spikelet evaluate --json' wrote, and spiking networks, which it evaluates first (they need --data):

              spikelet compare radix.json signed.json --report page.html
              spikelet compare radix.safetensors signed.safetensors \\
                  --data test.npz --ann model.onnx

            What a prediction is, and what of regressions is shown (their root mean square error), is as with 'spikelet evaluate'.
            """)

    @Argument(
        help: ArgumentHelp("Results (.json) and spiking networks (.safetensors), in the order of the table.", valueName: "result|snn"))
    var files: [String]

    @Option(help: ArgumentHelp("Labelled images for the spiking networks.", valueName: "data"))
    var data: String?

    @Option(help: ArgumentHelp("The ANN that the spiking networks were made from.", valueName: "model.onnx"))
    var ann: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "The numbers of time steps to evaluate them at. Default: 1,2,4,8,16,32; of time-varying data up to all their steps.",
            valueName: "t1,t2,…"))
    var steps: String?

    @OptionGroup var time: TimeVaryingOptions

    @Option(help: "Numbers of the engine that evaluates them: float32, or int8.")
    var precision = Precision.float32

    @Option(parsing: .unconditional, help: ArgumentHelp("How many batches to work on at a time.", valueName: "n"))
    var threads = ProcessInfo.processInfo.activeProcessorCount

    @Option(help: ArgumentHelp("Where to write the page.", valueName: "file.html"))
    var report: String?

    @Option(help: ArgumentHelp("Where to write all results as JSON; '-': to standard output, instead of the table.", valueName: "file"))
    var json: String?

    @OptionGroup var dataOptions: DataOptions

    func validate() throws {
        if files.isEmpty { throw ValidationError("Name at least one result or network.") }
        if time.timeVarying, data == nil { throw ValidationError("--time-varying says what DATA is: it needs --data DATA.") }
    }

    func run() throws {
        try checkOutputs([json == "-" ? nil : json, report], inputs: Array(Set(files + [data, ann].compactMap { $0 })))
        // Before anything is read.
        _ = try steps.map(stepList)
        let axes = try data.map { try time.openAxes($0, dataOptions) } ?? .none
        let model = try ann.map { try NetworkFile.ann($0, openAxes: axes).graph }
        var results: [EvaluationResult] = []
        for file in files { results.append(try result(file, model: model, axes)) }
        // Files of the same network and recipe are told apart by their own names.
        let titles = results.map { "\($0.network) · \($0.recipe)" }
        let names = zip(titles, files).map { title, file in
            titles.count { $0 == title } > 1 ? "\(title) (\(URL(fileURLWithPath: file).deletingPathExtension().lastPathComponent))" : title
        }
        let comparison = Comparison(results, names: Set(names).count == names.count ? names : nil)
        if let report { try Report(comparison).write(to: report) }
        if let json { try writeJSON(comparison, to: json) }
        guard json != "-" else { return }
        try show(block: comparison, terminator: "")
        if let report { try show("report written to \(report)") }
    }

    private func result(_ file: String, model: Graph?, _ axes: OpenAxes) throws -> EvaluationResult {
        guard NetworkFile.isSafetensors(file) else { return try EvaluationResult.read(file) }
        let snn = try NetworkFile.spiking(file, openAxes: axes)
        guard let data else {
            throw SpikeletError(
                .invalidOption, "a spiking network has to be evaluated first", at: file, remedy: "give labelled images: --data DATA")
        }
        let loader = try time.loader(data, dataOptions, for: snn)
        let steps = try time.steps(steps, of: loader)
        var result = try locating(data) {
            try Evaluator(
                snn, ann: model, task: loader.task(of: snn), steps: steps,
                executor: .engine(precision, countedSamples: 100), threads: threads, timeVarying: time.timeVarying
            ).run(loader)
        }
        result.settings = ["data": try loader.digest()]
        return result
    }
}
