import ArgumentParser
import Spikelet

struct ConvertCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert", abstract: "Turns an ONNX model into a spiking network.",
        discussion: """
            Every rectifier becomes a layer of spiking neurons, whose thresholds are chosen from calibration data: a few hundred \
            images like those the network was trained on.

              spikelet convert model.onnx --calibration train.npz --recipe calibrated \\
                  --steps 32 --output snn.safetensors
              spikelet convert model.onnx --calibration mnist/ --split train --limit 1000 \\
                  --recipe radix --output snn.safetensors
              spikelet convert model.onnx --calibration train.npz --recipe rate-coding \\
                  --mode 99.9% --output snn.safetensors

            Recipes:
            \(summaries.map { "  \($0)\n    \($1)" }.joined(separator: "\n"))

            The calibration data (DATA) is an .npz (arrays images or x, and labels or y), an .npy (inputs only), or a folder of \
            IDX files, with --split. Labels are not used. Bytes become 0…1 by 1/255. What cannot become spiking is listed, all \
            of it, before any work: 'spikelet inspect' shows it too.
            """)

    /// The recipes' names, each with a line.
    private static let summaries =
        [(Converter.recipe, "as SpikingJelly's ann2snn; with --mode, --momentum and --no-fuse")]
        + Recipe.all.map { ($0.name, $0.summary) }

    /// The recipes that the command knows.
    enum RecipeName: String, ExpressibleByArgument, CaseIterable {
        case rateCoding = "rate-coding"
        case calibrated, signed, burst, radix
        case localThresholdBalancing = "local-threshold-balancing"
    }

    /// How many thresholds a layer has.
    enum Thresholds: String, EnumerableFlag {
        case perChannel, perLayer

        static func help(for value: Thresholds) -> ArgumentHelp? {
            value == .perChannel ? "One threshold for each channel (the default but for rate-coding)." : "One threshold for each layer."
        }
    }

    @Argument(help: "An ONNX model.")
    var model: String

    @Option(help: ArgumentHelp("Images like those the network was trained on.", valueName: "data"))
    var calibration: String

    @Option(help: ArgumentHelp("Where to write the spiking network.", valueName: "snn.safetensors"))
    var output: String

    @Option(help: "How to convert.")
    var recipe: RecipeName

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The number of time steps the thresholds are chosen for; the default of 'simulate'.", valueName: "t"))
    var steps: Int?

    @Option(
        parsing: .unconditional,
        help: "How activations give thresholds: max, a percentile such as 99.9%, or a share of the maximum such as 0.5. Default: max.")
    var mode: String?

    @Option(
        parsing: .unconditional,
        help: "The weight of each batch after the first in the moving average of thresholds. Default: 0.1.")
    var momentum: Float?

    @Flag(name: .customLong("no-fuse"), help: "Leave batch normalisation as a layer of its own.")
    var noFuse = false

    @Flag var thresholds: Thresholds?

    @Option(help: "How max pooling treats spikes.")
    var pooling = Converter.Pooling.runningMaximum

    @Flag(help: "Leave activations that cannot become neurons as they are, acting on each step.")
    var allowAnalog = false

    @OptionGroup var data: DataOptions

    func validate() throws {
        if recipe == .rateCoding {
            guard thresholds != .perChannel else {
                throw ValidationError("The recipe rate-coding has one threshold a layer; --per-channel belongs to the other recipes.")
            }
            return
        }
        let given = [("--mode", mode != nil), ("--momentum", momentum != nil), ("--no-fuse", noFuse)].filter(\.1).map(\.0)
        guard given.isEmpty else {
            throw ValidationError("\(given.joined(separator: ", ")) would change nothing: only the recipe rate-coding has such options.")
        }
    }

    func run() throws {
        try checkOutputs([output], inputs: [model, calibration])
        let convert = try conversion()
        let ann = try NetworkFile.ann(model).graph
        var snn = try locating(calibration) { try convert(ann) }
        if var description = snn.spiking, let steps {
            description.steps = steps
            snn = try snn.applying(Patch(), spiking: description)
        }
        try SNNFile.write(snn, to: output)
        for warning in snn.spiking?.warnings ?? [] { note("warning: \(warning)") }
        print(snn)
        print("written to \(output)")
    }

    /// What turns an ANN into a spiking network. All options are checked before any file is read.
    private func conversion() throws -> (Graph) throws -> Graph {
        let steps = try steps.map { try checkedSteps($0) }
        if let recipe = Recipe.named(recipe.rawValue) {
            var options = recipe.options(steps ?? recipe.usualSteps)
            if let thresholds { options.isPerChannel = thresholds == .perChannel }
            options.pooling = pooling
            options.allowAnalog = allowAnalog
            try options.validate()
            return { [options] ann in try RecipeConverter(options, calibration: data.loader(calibration))(ann) }
        }
        let mode = try VoltageHook.Mode(mode ?? "max")
        let momentum = momentum ?? 0.1
        _ = try VoltageHook(momentum: momentum, mode: mode)
        return { ann in
            try Converter(
                dataloader: data.loader(calibration), mode: mode, momentum: momentum, fuseFlag: !noFuse, pooling: pooling,
                allowAnalog: allowAnalog)(ann)
        }
    }
}
