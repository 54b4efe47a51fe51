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

    @Flag(
        help: """
            Take the difference from the ANN apart, layer by layer: inherited, clipping, rounding, order of arrival. On the first \
            128 samples at the largest number of steps; needs --ann.
            """)
    var layers = false

    @Option(help: "Where to write the result as JSON; '-' for standard output instead of the table.")
    var json: String?

    @Option(help: "How many batches to work on at a time. Results do not depend on it.")
    var threads = ProcessInfo.processInfo.activeProcessorCount

    @OptionGroup var dataOptions: DataOptions

    func validate() throws {
        if layers, ann == nil { throw ValidationError("--layers compares with the ANN: it needs --ann MODEL.onnx.") }
    }

    func run() throws {
        let snn = try SNNFile.read(network)
        let model = try ann.map { try ONNXImporter.importModel(at: $0).graph }
        let evaluator = try Evaluator(snn, ann: model, steps: stepList(steps), threads: threads)
        // Before the long part, since it may find that the ANN is another network's.
        let largest = evaluator.steps.last ?? 1
        let decomposition =
            try layers ? model.map { try ErrorDecomposition(snn, ann: $0, steps: largest, threads: threads) } : nil
        var result = try evaluator.run(try dataOptions.loader(data))
        for error in try decomposition?.run(dataOptions.loader(data)) ?? [] {
            guard let index = result.layers.firstIndex(where: { $0.name == error.name }) else { continue }
            result.layers[index].error = error
        }
        if let json { try writeJSON(result, to: json) }
        if json != "-" { print(result) }
    }
}
