import ArgumentParser
import Foundation
import Spikelet

struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate", abstract: "Measures accuracy over time steps, spikes, synaptic operations and energy.",
        discussion: """
            DATA is an .npz (arrays images or x, and labels or y), an .npy (inputs only; then --ann is needed), or a folder of \
            IDX files with --split.
            """)

    @Argument(help: "A spiking network (.safetensors).")
    var network: String

    @Option(help: ArgumentHelp("Labelled images.", valueName: "data"))
    var data: String

    @Option(help: "The ANN it was made from: adds its accuracy and the agreement of the two.")
    var ann: String?

    @Option(help: "The numbers of time steps to report.")
    var steps = "1,2,4,8,16,32"

    @Option(help: "Where to write the result as JSON; '-' for standard output instead of the table.")
    var json: String?

    @Option(help: "How many batches to work on at a time. Results do not depend on it.")
    var threads = ProcessInfo.processInfo.activeProcessorCount

    @OptionGroup var dataOptions: DataOptions

    func run() throws {
        let snn = try SNNFile.read(network)
        let model = try ann.map { try ONNXImporter.importModel(at: $0).graph }
        let evaluator = try Evaluator(snn, ann: model, steps: stepList(steps), threads: threads)
        let result = try evaluator.run(try dataOptions.loader(data))
        if let json { try writeJSON(result, to: json) }
        if json != "-" { print(result) }
    }
}
