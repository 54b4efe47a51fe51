import ArgumentParser
import Spikelet

struct ConvertCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert", abstract: "Turns an ONNX model into a spiking network.",
        discussion: """
            The calibration data (DATA) is an .npz (arrays images or x, and labels or y), an .npy (inputs only), or a folder of \
            IDX files with --split. Labels are not used.
            """)

    /// The recipes that the command knows.
    enum RecipeName: String, ExpressibleByArgument, CaseIterable {
        case rateCoding = "rate-coding"
        case calibrated, signed, burst, radix
        case localThresholdBalancing = "local-threshold-balancing"
        case quantised
    }

    @Argument(help: "An ONNX model.")
    var model: String

    @Option(
        help: ArgumentHelp("Images like those the network was trained on. The recipe quantised needs none.", valueName: "data"))
    var calibration: String?

    @Option(help: "Where to write the spiking network (.safetensors).")
    var output: String

    @Option(help: "How to convert.")
    var recipe: RecipeName

    @Option(help: "The number of time steps the network is meant for; the default of 'simulate'.")
    var steps: Int?

    @Option(help: "How activations give thresholds: max, a percentile such as 99.9%, or a share of the maximum such as 0.5.")
    var mode = "max"

    @Option(help: "The weight of each batch after the first in the moving average of thresholds.")
    var momentum: Float = 0.1

    @Flag(name: .customLong("no-fuse"), help: "Leave batch normalisation as a layer of its own.")
    var noFuse = false

    @Option(help: "How max pooling treats spikes.")
    var pooling = Converter.Pooling.runningMaximum

    @Flag(help: "Leave activations that cannot become neurons as they are, acting on each step.")
    var allowAnalog = false

    @OptionGroup var data: DataOptions

    func run() throws {
        let mode = try VoltageHook.Mode(mode)
        if let steps, steps < 1 || steps > 1 << 20 {
            throw SpikeletError(.invalidOption, "--steps \(steps)", remedy: "give a number of time steps from 1 to \(1 << 20)")
        }
        let ann = try ONNXImporter.importModel(at: model).graph
        var snn: Graph
        if recipe == .quantised {
            snn = try QuantizedConverter(steps: steps, allowAnalog: allowAnalog)(ann)
        } else if let recipe = Recipe.named(recipe.rawValue) {
            snn = try RecipeConverter(recipe.options(steps ?? recipe.usualSteps), calibration: loader())(ann)
        } else {
            let converter = try Converter(
                dataloader: loader(), mode: mode, momentum: momentum, fuseFlag: !noFuse, pooling: pooling, allowAnalog: allowAnalog)
            snn = try converter(ann)
        }
        if var description = snn.spiking, let steps {
            description.steps = steps
            snn = try snn.applying(Patch(), spiking: description)
        }
        try SNNFile.write(snn, to: output)
        for warning in snn.spiking?.warnings ?? [] { note("warning: \(warning)") }
        print(snn)
        print("written to \(output)")
    }

    private func loader() throws -> DataLoader {
        guard let calibration else {
            throw SpikeletError(
                .invalidOption, "the recipe \(recipe.rawValue) needs calibration data", remedy: "give it with --calibration DATA")
        }
        return try data.loader(calibration)
    }
}
