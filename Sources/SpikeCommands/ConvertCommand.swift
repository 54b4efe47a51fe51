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
    private static let summaries =
        Recipe.all.map { ($0.name, $0.summary) } + [
            ("quantised", "activations that are quantised already (QCFS, QuantizeLinear), exactly; needs no data"),
            (Converter.recipe, "as SpikingJelly's ann2snn; with --mode, --momentum and --no-fuse"),
        ]

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

    func validate() throws {
        if targetDrop != nil, steps != nil { throw ValidationError("--target-drop chooses the steps itself: leave out --steps.") }
        try validateMeanSteps()
        if prefer != nil, targetDrop == nil {
            throw ValidationError("--prefer says what --target-drop keeps small: it needs --target-drop.")
        }
        if json != nil, targetDrop == nil { throw ValidationError("--json tells what --target-drop tried: it needs --target-drop.") }
        if targetDrop != nil, recipe == .quantised {
            throw ValidationError("The recipe quantised is exact: there is nothing to search for.")
        }
        let given = [("--mode", mode != nil), ("--momentum", momentum != nil), ("--no-fuse", noFuse)].filter(\.1).map(\.0)
        if let readoutDelay, readoutDelay != "auto", Int(readoutDelay) == nil {
            throw ValidationError("--readout-delay is a number of steps, or auto; it is '\(readoutDelay)'.")
        }
        let unused = [("--schedule", schedule != nil), ("--readout-delay", readoutDelay != nil)].filter(\.1).map(\.0)
        if recipe == .rateCoding || recipe == .quantised, !unused.isEmpty {
            throw ValidationError("The recipe \(recipe?.rawValue ?? "") has no \(unused.joined(separator: " and no ")).")
        }
        if weightCorrection == true, calibration == "none" {
            throw ValidationError("--weight-correction learns from calibration data: give a file, not none.")
        }
        if weightCorrection == true, let recipe, [.quantised, .rateCoding, .localThresholdBalancing].contains(recipe) {
            throw ValidationError("The recipe \(recipe.rawValue) corrects no weights: leave out --weight-correction.")
        }
        guard base == nil || recipe == .latency || recipe == .twoSpike else {
            throw ValidationError("--base is for the recipes latency and two-spike.")
        }
        guard recipe == .rateCoding || given.isEmpty else {
            throw ValidationError("\(given.joined(separator: ", ")) would change nothing: only the recipe rate-coding has such options.")
        }
        guard recipe != .rateCoding || thresholds != .perChannel else {
            throw ValidationError("The recipe rate-coding has one threshold a layer; --per-channel belongs to the other recipes.")
        }
    }

    private func validateMeanSteps() throws {
        guard let meanSteps else { return }
        if steps != nil {
            throw ValidationError("--steps is the number of digits of every layer, --mean-steps their mean: give one of them.")
        }
        if targetDrop != nil { throw ValidationError("--target-drop chooses the steps itself: leave out --mean-steps.") }
        guard recipe == .radix else { throw ValidationError("--mean-steps is for the recipe radix: add --recipe radix.") }
        if calibration == "none" {
            throw ValidationError("--mean-steps learns from calibration data where digits are needed: give a file, not none.")
        }
        guard (1...16).contains(meanSteps) else { throw ValidationError("--mean-steps is from 1 to 16; it is \(meanSteps).") }
    }

    func run() throws {
        try checkOutputs([output, json == "-" ? nil : json], inputs: [model, calibration == "none" ? nil : calibration])
        let steps = try steps.map { try checkedSteps($0) }
        // Options are checked before any file is read.
        for name in targetDrop == nil ? [recipe ?? .calibrated] : searched { try check(name, steps: steps) }
        let axes = try modelOptions.axes { [calibration, data] name, position in
            guard let calibration, calibration != "none" else { return nil }
            return try data.sampleShape(of: name, position, in: calibration)
        }
        let imported = try NetworkFile.ann(model, openAxes: axes)
        let ann = imported.graph
        let snn = try locating(calibration ?? model) {
            if let targetDrop { return try search(ann, targetDrop: targetDrop) }
            return try convert(ann, recipe: recipe ?? .calibrated, steps: steps, data: loader(ann))
        }
        var (open, closed): (OpenNetwork?, SpikeletError?)
        do {
            open = try OpenNetwork(snn, of: imported, at: model, allowAnalog: allowAnalog)
        } catch let error as SpikeletError where error.code == .notConvertible {
            closed = error
        }
        if let open { try open.write(to: output) } else { try SNNFile.write(snn, to: output) }
        for warning in snn.spiking?.warnings ?? [] { note("warning: \(warning)") }
        if let closed {
            let reasons = closed.details.isEmpty ? closed.message : closed.details.joined(separator: "; ").replacing("- ", with: "")
            let remedy = closed.remedy?.withOptionNames ?? ""
            note("warning: the network takes data of the size of its calibration alone: \(reasons) (\(remedy))")
        }
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

    /// What to try; without the recipes that the other options do not go together with, where others are left.
    private var searched: [RecipeName] {
        if let recipe { return [recipe] }
        let recipes = RecipeLadder.recipes(prefer ?? .balance)
        let fitting = recipes.filter { (try? options($0, steps: nil).validate()) != nil }
        return (fitting.isEmpty ? recipes : fitting).compactMap { RecipeName(rawValue: $0.name) }
    }

    /// Digits of other activations than ReLU are of both signs, and of wider ranges.
    private static let usualDigits = 6

    private func options(_ recipe: Recipe, steps: Int?, meanSteps: Double? = nil) -> ConversionOptions {
        var options = recipe.options(steps ?? recipe.usualSteps)
        if let meanSteps = meanSteps ?? self.meanSteps { options = options.mixed(meanSteps: meanSteps) }
        if let thresholds { options.isPerChannel = thresholds == .perChannel }
        options.pooling = pooling
        if let base, case .latency(_, let most) = options.neuron { options.neuron = .latency(base: base, mostSpikes: most) }
        options.allowAnalog = allowAnalog
        if let schedule {
            options.schedule = schedule
            if schedule == .layerSynchronous { options.correctsPotential = false }
        }
        if let readoutDelay { options.readoutDelay = Int(readoutDelay).map { .steps($0) } ?? .estimated }
        options.correctsWeights = weightCorrection ?? (options.correctsWeights && options.canCorrectWeights)
        if options.correctsWeights { options.correctsPotential = false }
        return options
    }

    private func check(_ name: RecipeName, steps: Int?) throws {
        _ = try VoltageHook(momentum: momentum ?? 0.1, mode: VoltageHook.Mode(mode ?? "max"))
        if let recipe = Recipe.named(name.rawValue) { try options(recipe, steps: steps).validate() }
        guard calibration == nil || calibration == "none" && (name == .rateCoding || targetDrop != nil) else { return }
        if name != .quantised {
            throw SpikeletError(
                .invalidOption,
                targetDrop == nil ? "the recipe \(name.rawValue) needs calibration data" : "a search needs calibration data",
                remedy: "give it with --calibration DATA"
                    + (name == .rateCoding || targetDrop != nil ? "" : "; thresholds of ReLUs alone can do without any: --calibration none")
            )
        }
    }

    /// The calibration data, if there is any.
    private func loader(_ ann: Graph) throws -> DataLoader? {
        guard let calibration, calibration != "none" else { return nil }
        return try data.loader(calibration, for: ann)
    }

    private func convert(_ ann: Graph, recipe name: RecipeName, steps: Int?, data: (any BatchSource)?) throws -> Graph {
        if name == .quantised { return try QuantizedConverter(steps: steps, allowAnalog: allowAnalog)(ann) }
        if let recipe = Recipe.named(name.rawValue) {
            let needsMore = name == .radix && Convertibility(ann).isForDigits(allowAnalog: allowAnalog)
            return try RecipeConverter(options(recipe, steps: steps ?? (needsMore ? Self.usualDigits : nil)), calibration: data)(ann)
        }
        let converter = try Converter(
            dataloader: data ?? [Batch](), mode: VoltageHook.Mode(mode ?? "max"), momentum: momentum ?? 0.1, fuseFlag: !noFuse,
            pooling: pooling, allowAnalog: allowAnalog)
        let snn = try converter(ann)
        guard var description = snn.spiking, let steps else { return snn }
        description.code.steps = steps
        return try snn.applying(Patch(), spiking: description)
    }

    /// The cheapest network within `targetDrop`. What was tried is shown also where there is none.
    private func search(_ ann: Graph, targetDrop: Double) throws -> Graph {
        for name in RecipeLadder.recipes(prefer ?? .balance).map(\.name) where recipe == nil && !searched.map(\.rawValue).contains(name) {
            note("the recipe \(name) is left out: it does not go together with the other options")
        }
        // Before the ANN runs over all data.
        let convertibility = Convertibility(ann)
        let isForDigits =
            searched.contains(.radix) && convertibility.isForDigits(allowAnalog: allowAnalog)
            && (allowAnalog || !convertibility.rolesInDigits.isEmpty)
        if !isForDigits { _ = try convertibility.check(allowAnalog: allowAnalog) }
        var recipes = isForDigits ? [.radix] : searched
        // Layers in front of the first ReLU that have no form in digits stay real-valued in other recipes only.
        if recipes.count > 1, convertibility.isForDigits(allowAnalog: allowAnalog) { recipes.removeAll { $0 == .radix } }
        let ladders = try recipes.map { name in
            // A given base leaves some numbers of steps no range.
            let fits: (Int) -> Bool = { steps in
                Recipe.named(name.rawValue).map { (try? options($0, steps: steps).validate()) != nil } ?? true
            }
            let conversion: RecipeLadder.Conversion = { ann, steps, data in try convert(ann, recipe: name, steps: steps, data: data) }
            guard let recipe = Recipe.named(name.rawValue) else {
                return try RecipeLadder(recipe: name.rawValue, steps: [8, 16, 32, 64, 128, 256], convert: conversion)
            }
            return try RecipeLadder(recipe, convert: conversion) { ann, meanSteps, data in
                try RecipeConverter(options(recipe, steps: nil, meanSteps: meanSteps), calibration: data)(ann)
            }.keeping(fits)
        }
        let search = try RecipeSearch(
            targetDrop: targetDrop, ladders: ladders, prefer: prefer ?? .balance, threads: ProcessInfo.processInfo.activeProcessorCount)
        let (snn, result) = try search(ann, calibration: loader(ann) ?? data.loader(calibration ?? "", for: ann))
        if let json { try writeJSON(result, to: json) }
        if json != "-" { try show(block: result.description.withOptionNames) }
        let choice = try result.require()
        guard let snn else { throw SpikeletError(.notConvertible, "'\(choice.recipe)' with \(choice.steps) steps") }
        return snn
    }
}
