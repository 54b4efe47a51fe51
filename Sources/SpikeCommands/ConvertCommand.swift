import ArgumentParser
import Foundation
import Spikelet

struct ConvertCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert", abstract: "Turns an ONNX model into a spiking network.",
        discussion: """
            Every ReLU becomes a layer of spiking neurons, whose thresholds are chosen from calibration data: a few hundred \
            images like those the network was trained on. Networks of other activations, gates, normalisations and attention \
            are for the recipe radix.

              spikelet convert model.onnx --calibration train.npz --output snn.safetensors
              spikelet convert model.onnx --calibration train.npz --target-drop 0.5 \\
                  --output snn.safetensors
              spikelet convert model.onnx --calibration mnist/ --split train --limit 1000 \\
                  --recipe radix --steps 4 --output snn.safetensors
              spikelet convert model.onnx --calibration train.npz --recipe radix \\
                  --mean-steps 3 --output snn.safetensors
              spikelet convert model.onnx --calibration train.npz --recipe rate-coding \\
                  --mode 99.9% --output snn.safetensors

            Recipes:
            \(summaries.map { "  \($0)\n    \($1)" }.joined(separator: "\n"))

            The calibration data (DATA) is an .npz (arrays images or x, and labels or y, or targets), an .npy (inputs only), or a folder of \
            IDX files, with --split. Bytes become 0…1 by 1/255. '--calibration none' chooses thresholds without data, from \
            bounded ReLUs and from batch normalisations that are still in the file. What cannot become spiking is listed, \
            all of it, before any work: 'spikelet inspect' shows it too.
            """)

    /// The recipes' names, each with a line.
    private static let summaries = ConversionRequest.recipes.map { ($0.name, $0.summary.withOptionNames) }

    /// The recipes that the command knows.
    enum RecipeName: String, ExpressibleByArgument, CaseIterable {
        case calibrated, signed, burst, radix, latency
        case twoSpike = "two-spike"
        case localThresholdBalancing = "local-threshold-balancing"
        case quantised
        case rateCoding = "rate-coding"
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

    @Option(help: ArgumentHelp("Images like those the network was trained on; or 'none'.", valueName: "data"))
    var calibration: String?

    @Option(name: .shortAndLong, help: ArgumentHelp("Where to write the spiking network.", valueName: "snn.safetensors"))
    var output: String

    @Option(help: "How to convert. Default: calibrated; with --target-drop the cheapest that will do.")
    var recipe: RecipeName?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "The number of time steps the thresholds are chosen for; the default of 'simulate'. Default: the recipe's own.", valueName: "t")
    )
    var steps: Int?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "With latency and two-spike: what a spike is worth against one a step later, above 1. Default: so that the first step is worth 54 times the last, or 45 times with two-spike (2^¼ at 24 steps, √2 at 12).",
            valueName: "b"))
    var base: Float?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "With radix: so many digits in the mean over all layers, of which each gets as many as calibration data says that the outputs need. In place of --steps, which all layers have alike.",
            valueName: "k"))
    var meanSteps: Double?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Find the recipe and the fewest steps that lose less than this, judged on calibration data held out: points of accuracy, or of agreement with the ANN where there are no labels; of a regression points of 100 R², or without targets per cent of the deviation of the ANN's values. 'spikelet evaluate --help' tells what counts as which.",
            valueName: "points"))
    var targetDrop: Double?

    @Option(
        help: ArgumentHelp(
            "What --target-drop keeps small: steps (a layer), spikes (for one sample), time (of the simulation, here), or balance, steps × spikes per neuron. Default: balance.",
            valueName: "what"))
    var prefer: RecipeSearch.Preference?

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

    @Option(help: ArgumentHelp("When a layer passes its spikes on. Default: as the recipe says.", valueName: "schedule"))
    var schedule: SpikingDescription.Schedule?

    @Option(
        help: ArgumentHelp(
            "Leave the first steps out of the output, which come before the input has arrived there: a number of steps, or 'auto' to estimate it on calibration data. They count among the steps all the same.",
            valueName: "steps"))
    var readoutDelay: String?

    @Flag(
        inversion: .prefixedNo,
        help:
            "Give layers the weights that make up for what the layers in front of them lose. Default: with data, but for calibrated, whose files serve more steps than they are made for, and with a readout delay or instantaneous pooling; never for rate-coding, quantised and local-threshold-balancing."
    )
    var weightCorrection: Bool?

    @Flag(help: "Leave activations that cannot become neurons real-valued; streaming, they act on each step's value.")
    var allowAnalog = false

    @Option(help: ArgumentHelp("Where to write what --target-drop tried, as JSON; '-': to standard output.", valueName: "file"))
    var json: String?

    @OptionGroup var modelOptions: ModelOptions

    @OptionGroup var data: DataOptions

    /// What is asked for.
    private var request: ConversionRequest {
        var request = ConversionRequest(recipe: recipe?.rawValue)
        request.steps = steps
        request.base = base
        request.meanSteps = meanSteps
        request.targetDrop = targetDrop
        request.prefer = prefer
        request.mode = mode
        request.momentum = momentum
        request.fuse = noFuse ? false : nil
        request.thresholds = thresholds.map { $0 == .perChannel ? .perChannel : .perLayer }
        request.pooling = pooling
        request.schedule = schedule
        request.readoutDelay = readoutDelay
        request.weightCorrection = weightCorrection
        request.allowAnalog = allowAnalog
        return request
    }

    /// `nil`: nothing was said, not even "none".
    private var hasData: Bool? { calibration.map { $0 != "none" } }

    func validate() throws {
        if json != nil, targetDrop == nil { throw ValidationError("--json tells what --target-drop tried: it needs --target-drop.") }
        do {
            try request.checkCombination(hasData: hasData)
        } catch let error as SpikeletError {
            throw ValidationError([error.message, error.remedy].compactMap(\.self).joined(separator: ": ") + ".")
        }
    }

    func run() throws {
        try checkOutputs([output, json == "-" ? nil : json], inputs: [model, calibration == "none" ? nil : calibration])
        // Options are checked before any file is read.
        try request.validate(hasData: hasData)
        let axes = try modelOptions.axes { [calibration, data] name, position in
            guard let calibration, calibration != "none" else { return nil }
            return try data.sampleShape(of: name, position, in: calibration)
        }
        let imported = try NetworkFile.ann(model, openAxes: axes)
        let ann = imported.graph
        let snn = try locating(calibration ?? model) {
            let outcome = try request(
                ann, calibration: loader(ann), threads: ProcessInfo.processInfo.activeProcessorCount, note: note)
            if let search = outcome.search {
                if let json { try writeJSON(search, to: json) }
                if json != "-" { try show(block: search.description.withOptionNames) }
            }
            return try outcome.network()
        }
        var (open, closed): (OpenNetwork?, SpikeletError?)
        do {
            open = try OpenNetwork(snn, of: imported, at: model, allowAnalog: allowAnalog)
        } catch let error as SpikeletError where error.code == .notConvertible {
            closed = error
        }
        if let open { try open.write(to: output) } else { try SNNFile.write(snn, to: output) }
        for warning in snn.spiking?.warnings ?? [] { note("warning: \(warning)") }
        if let closed { note("warning: \(closed.sizeWarning)") }
        guard json != "-" else { return }
        try show(block: snn)
        if let digits = snn.digitsByLayer {
            try show("digits a layer: \(digits); \(snn.stepsEndToEnd(of: snn.spiking?.steps ?? 0)) steps from the input to the output")
        } else if let spiking = snn.spiking, let steps = spiking.steps {
            let isMean = spiking.facts["meanSteps"] != nil
            let schedule = spiking.schedule == .streaming ? "" : " a layer"
            try show("converted for \(steps) steps\(schedule)\(isMean ? ", as many in each of them" : "")")
        }
        if let corrected = snn.spiking?.facts["correctedWeights"] {
            let isStreaming = snn.spiking?.schedule == .streaming
            try show("weights corrected: those of \(corrected)\(isStreaming ? ", for this number of steps" : "")")
        }
        if let open { try show(open.model.sizes(in: snn)) }
        try show("written to \(output)")
    }

    /// The calibration data, if there is any.
    private func loader(_ ann: Graph) throws -> DataLoader? {
        guard let calibration, calibration != "none" else { return nil }
        return try data.loader(calibration, for: ann)
    }
}
