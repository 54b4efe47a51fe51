import ArgumentParser
import Foundation
import Spikelet

struct ConvertCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert", abstract: "Turns an ONNX model into a spiking network.",
        discussion: """
            The calibration data (DATA) is an .npz (arrays images or x, and labels or y), an .npy (inputs only), or a folder of \
            IDX files with --split. Labels are not used, except by --target-drop, which judges by accuracy where there are labels \
            and by agreement with the ANN where there are none.
            """)

    /// The recipes that the command knows.
    enum RecipeName: String, ExpressibleByArgument, CaseIterable {
        case rateCoding = "rate-coding"
        case calibrated, signed, burst, radix
        case localThresholdBalancing = "local-threshold-balancing"
    }

    @Argument(help: "An ONNX model.")
    var model: String

    @Option(help: ArgumentHelp("Images like those the network was trained on.", valueName: "data"))
    var calibration: String

    @Option(help: "Where to write the spiking network (.safetensors).")
    var output: String

    @Option(help: "How to convert. Default: calibrated; with --target-drop whichever is cheapest.")
    var recipe: RecipeName?

    @Option(help: "The number of time steps the network is meant for; the default of 'simulate'.")
    var steps: Int?

    @Option(
        help: ArgumentHelp(
            "Search for the cheapest recipe and number of steps that lose at most so many points of accuracy on held-out calibration data.",
            valueName: "points"))
    var targetDrop: Double?

    @Option(help: "Where to write what --target-drop tried, as JSON; '-' for standard output instead of the table.")
    var json: String?

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

    func validate() throws {
        if targetDrop != nil, steps != nil {
            throw ValidationError("--target-drop finds the number of steps: it cannot be combined with --steps.")
        }
        if json != nil, targetDrop == nil { throw ValidationError("--json writes what --target-drop tried: it needs --target-drop.") }
    }

    func run() throws {
        if let steps, steps < 1 || steps > 1 << 20 {
            throw SpikeletError(.invalidOption, "--steps \(steps)", remedy: "give a number of time steps from 1 to \(1 << 20)")
        }
        let ann = try ONNXImporter.importModel(at: model).graph
        let snn: Graph
        if let targetDrop {
            snn = try search(ann, targetDrop: targetDrop)
        } else {
            snn = try convert(ann, recipe: recipe ?? .calibrated, steps: steps, data: data.loader(calibration))
        }
        try SNNFile.write(snn, to: output)
        for warning in snn.spiking?.warnings ?? [] { note("warning: \(warning)") }
        guard json != "-" else { return }
        print(snn)
        print("written to \(output)")
    }

    private func convert(_ ann: Graph, recipe name: RecipeName, steps: Int?, data: any BatchSource) throws -> Graph {
        let mode = try VoltageHook.Mode(mode)
        var snn: Graph
        if let recipe = Recipe.named(name.rawValue) {
            snn = try RecipeConverter(recipe.options(steps ?? recipe.usualSteps), calibration: data)(ann)
        } else {
            let converter = try Converter(
                dataloader: data, mode: mode, momentum: momentum, fuseFlag: !noFuse, pooling: pooling, allowAnalog: allowAnalog)
            snn = try converter(ann)
        }
        if var description = snn.spiking, let steps {
            description.steps = steps
            snn = try snn.applying(Patch(), spiking: description)
        }
        return snn
    }

    /// The cheapest network within `targetDrop`. What was tried is shown also where there is none.
    private func search(_ ann: Graph, targetDrop: Double) throws -> Graph {
        // Before the ANN runs over all data.
        _ = try Convertibility(ann).check(allowAnalog: allowAnalog)
        let names = recipe.map { [$0] } ?? [.radix, .signed, .calibrated, .burst]
        let ladders = try names.map { name in
            let conversion: RecipeLadder.Conversion = { ann, steps, data in try convert(ann, recipe: name, steps: steps, data: data) }
            return try Recipe.named(name.rawValue).map { RecipeLadder($0, convert: conversion) }
                ?? RecipeLadder(recipe: name.rawValue, steps: [8, 16, 32, 64, 128, 256], convert: conversion)
        }
        let search = try RecipeSearch(
            targetDrop: targetDrop, ladders: ladders, threads: ProcessInfo.processInfo.activeProcessorCount)
        let (snn, result) = try search(ann, calibration: data.loader(calibration))
        if let json { try writeJSON(result, to: json) }
        if json != "-" { print(result) }
        let choice = try result.require()
        guard let snn else { throw SpikeletError(.notConvertible, "'\(choice.recipe)' with \(choice.steps) steps") }
        return snn
    }
}
