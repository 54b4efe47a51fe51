public import SpikeConversion
public import SpikeGraph
public import SpikeSearch

/// A conversion as a user asks for it: a recipe by its name, and whatever shall be other than usual.
///
///     var request = ConversionRequest(recipe: "radix")
///     request.steps = 4
///     let snn = try request(ann, calibration: loader, threads: 8).network()
///
/// What is `nil` is as the recipe says.
public struct ConversionRequest: Codable, Sendable, Equatable {
    /// How many thresholds a layer has.
    public enum Thresholds: String, Codable, Sendable, CaseIterable {
        case perChannel = "per-channel"
        case perLayer = "per-layer"
    }

    /// The recipe's name; `nil`: `calibrated`, or with ``targetDrop`` the cheapest that will do.
    public var recipe: String?
    /// The number of time steps the thresholds are chosen for.
    public var steps: Int?
    /// Of latency codes: what a spike is worth against one a step later.
    public var base: Float?
    /// Of radix codes: so many digits in the mean over all layers, in place of ``steps``.
    public var meanSteps: Double?
    /// The recipe and the fewest steps that lose less than so many points are searched for (``RecipeSearch``).
    public var targetDrop: Double?
    /// What the search keeps small.
    public var prefer: RecipeSearch.Preference?
    /// Of `rate-coding`: how activations give thresholds.
    public var mode: String?
    /// Of `rate-coding`: the weight of each batch after the first.
    public var momentum: Float?
    /// Of `rate-coding`: whether batch normalisations are folded in.
    public var fuse: Bool?
    /// One threshold a channel, or one a layer.
    public var thresholds: Thresholds?
    /// How max pooling treats spikes.
    public var pooling: Converter.Pooling?
    /// When a layer passes its spikes on.
    public var schedule: SpikingDescription.Schedule?
    /// Steps left out of the output: a number, or `auto`.
    public var readoutDelay: String?
    /// Whether weights are corrected.
    public var weightCorrection: Bool?
    /// Whether what cannot become a neuron may stay real-valued.
    public var allowAnalog: Bool?

    public init(recipe: String? = nil) { self.recipe = recipe }

    /// All recipes' names, each with a line about it.
    public static let recipes: [(name: String, summary: String)] =
        Recipe.all.map { ($0.name, $0.summary) } + [
            (quantised, "activations that are quantised already (QCFS, QuantizeLinear), exactly; needs no data"),
            (Converter.recipe, "as SpikingJelly's ann2snn; with `mode`, `momentum` and `fuse: false`"),
        ]

    private static let quantised = "quantised"
    /// Digits of other activations than ReLU are of both signs, and of wider ranges.
    private static let usualDigits = 6

    // MARK: What goes together

    /// Checks that the options go together.
    ///
    /// - Parameter hasData: whether there is data to calibrate with; `nil`: not even "none" was said, which most recipes cannot do with.
    /// - Throws: ``SpikeletError`` (`invalidOption`) where they do not.
    package func checkCombination(hasData: Bool?) throws {
        if let recipe, !Self.recipes.contains(where: { $0.name == recipe }) {
            throw refusal(
                "there is no recipe '\(recipe)'", "the recipes are \(Self.recipes.map(\.name).joined(separator: ", "))")
        }
        try validateSearch()
        try validateMeanSteps(hasData)
        try validateRecipe(hasData)
    }

    /// Checks everything that can be told before a file is read.
    ///
    /// - Parameter hasData: as of ``checkCombination(hasData:)``.
    /// - Throws: ``SpikeletError`` (`invalidOption`) for what is outside its range, or does not go together.
    public func validate(hasData: Bool?) throws {
        try checkCombination(hasData: hasData)
        if let steps {
            guard (1...SpikeCode.mostSteps).contains(steps) else {
                throw refusal(
                    "`steps: \(steps)` is no number of time steps",
                    "give a whole number from 1 to \(SpikeCode.mostSteps); 4 to 64 are usual")
            }
        }
        for name in targetDrop == nil ? [recipe ?? Recipe.calibrated.name] : searched { try check(name, hasData) }
    }

    private func validateSearch() throws {
        if targetDrop != nil {
            if steps != nil { throw refusal("`targetDrop` chooses the steps itself", "leave out `steps`") }
            if meanSteps != nil { throw refusal("`targetDrop` chooses the steps itself", "leave out `meanSteps`") }
            if recipe == Self.quantised { throw refusal("the recipe quantised is exact: there is nothing to search for", nil) }
        } else if prefer != nil {
            throw refusal("`prefer` says what `targetDrop` keeps small", "it needs `targetDrop`")
        }
    }

    private func validateMeanSteps(_ hasData: Bool?) throws {
        guard let meanSteps else { return }
        if steps != nil {
            throw refusal("`steps` is the number of digits of every layer, `meanSteps` their mean", "give one of them")
        }
        guard recipe == Recipe.radix.name else { throw refusal("`meanSteps` is for the recipe radix", "add `recipe: radix`") }
        if hasData == false { throw refusal("`meanSteps` learns from calibration data where digits are needed", "give some") }
        guard (1...16).contains(meanSteps) else { throw refusal("`meanSteps` is from 1 to 16; it is \(meanSteps)", nil) }
    }

    private func validateRecipe(_ hasData: Bool?) throws {
        if let readoutDelay, readoutDelay != "auto", Int(readoutDelay) == nil {
            throw refusal("`readoutDelay` is a number of steps, or auto; it is '\(readoutDelay)'", nil)
        }
        let exact = [Converter.recipe, Self.quantised]
        let unused = [("`schedule`", schedule != nil), ("`readoutDelay`", readoutDelay != nil)].filter(\.1).map(\.0)
        if let recipe, exact.contains(recipe), !unused.isEmpty {
            throw refusal("the recipe \(recipe) has no \(unused.joined(separator: " and no "))", "leave it out")
        }
        if weightCorrection == true, hasData == false {
            throw refusal("`weightCorrection: true` learns from calibration data", "give some")
        }
        if weightCorrection == true, let recipe, (exact + [Recipe.localThresholdBalancing.name]).contains(recipe) {
            throw refusal("the recipe \(recipe) corrects no weights", "leave out `weightCorrection: true`")
        }
        guard base == nil || [Recipe.latency.name, Recipe.twoSpike.name].contains(recipe) else {
            throw refusal("`base` is for the recipes latency and two-spike", "leave it out")
        }
        let given = [("`mode`", mode != nil), ("`momentum`", momentum != nil), ("`fuse: false`", fuse != nil)].filter(\.1).map(\.0)
        guard recipe == Converter.recipe || given.isEmpty else {
            throw refusal(
                "\(given.joined(separator: ", ")) would change nothing: only the recipe rate-coding has such options", "leave it out")
        }
        guard recipe != Converter.recipe || thresholds != .perChannel else {
            throw refusal("the recipe rate-coding has one threshold a layer; `thresholds: per-channel` belongs to the other recipes", nil)
        }
    }

    private func check(_ name: String, _ hasData: Bool?) throws {
        _ = try VoltageHook(momentum: momentum ?? 0.1, mode: VoltageHook.Mode(mode ?? "max"))
        if let recipe = Recipe.named(name) { try options(recipe, steps: steps).validate() }
        guard hasData == nil || hasData == false && (name == Converter.recipe || targetDrop != nil), name != Self.quantised else { return }
        throw refusal(
            targetDrop == nil ? "the recipe \(name) needs calibration data" : "a search needs calibration data",
            "give it with `calibration: DATA`"
                + (name == Converter.recipe || targetDrop != nil
                    ? "" : "; thresholds of ReLUs alone can do without any: `calibration: none`"))
    }

    private func refusal(_ message: String, _ remedy: String?) -> SpikeletError {
        SpikeletError(.invalidOption, message, remedy: remedy)
    }

    // MARK: The work

    /// What came of it.
    public struct Outcome: Sendable {
        /// The spiking network; `nil` where no search found one.
        public var snn: Graph?
        /// What a search tried.
        public var search: RecipeSearchResult?

        /// The spiking network.
        ///
        /// - Throws: ``SpikeletError`` (`notConvertible`) where none was good enough.
        public func network() throws -> Graph {
            let choice = try search?.require()
            guard let snn else {
                throw SpikeletError(.notConvertible, choice.map { "'\($0.recipe)' with \($0.steps) steps" } ?? "no network")
            }
            return snn
        }
    }

    /// Converts `ann`.
    ///
    /// - Parameters:
    ///   - calibration: `nil`: thresholds without data, from bounded ReLUs and batch normalisations.
    ///   - threads: a search's; results do not depend on it.
    ///   - note: called with what a person should know.
    /// - Throws: ``SpikeletError``, with all of the network that cannot spike; for options as ``validate(hasData:)``.
    public func callAsFunction(
        _ ann: Graph, calibration: (any BatchSource)?, threads: Int, note: (String) -> Void = { _ in }
    ) throws -> Outcome {
        try validate(hasData: calibration != nil)
        guard ann.spiking == nil else {
            throw SpikeletError(
                .notConvertible, "'\(ann.name)' is a spiking network already", remedy: "convert the ANN that it was made from")
        }
        guard let targetDrop else {
            return Outcome(snn: try convert(ann, recipe: recipe ?? Recipe.calibrated.name, steps: steps, data: calibration))
        }
        return try search(ann, targetDrop: targetDrop, calibration: calibration ?? [Batch](), threads: threads, note: note)
    }

    /// What to try; without the recipes that the other options do not go together with, where others are left.
    private var searched: [String] {
        if let recipe { return [recipe] }
        let recipes = RecipeLadder.recipes(prefer ?? .balance)
        let fitting = recipes.filter { (try? options($0, steps: nil).validate()) != nil }
        return (fitting.isEmpty ? recipes : fitting).map(\.name)
    }

    private func options(_ recipe: Recipe, steps: Int?, meanSteps: Double? = nil) -> ConversionOptions {
        var options = recipe.options(steps ?? recipe.usualSteps)
        if let meanSteps = meanSteps ?? self.meanSteps { options = options.mixed(meanSteps: meanSteps) }
        if let thresholds { options.isPerChannel = thresholds == .perChannel }
        options.pooling = pooling ?? .runningMaximum
        if let base, case .latency(_, let most) = options.neuron { options.neuron = .latency(base: base, mostSpikes: most) }
        options.allowAnalog = allowAnalog ?? false
        if let schedule {
            options.schedule = schedule
            if schedule == .layerSynchronous { options.correctsPotential = false }
        }
        if let readoutDelay { options.readoutDelay = Int(readoutDelay).map { .steps($0) } ?? .estimated }
        options.correctsWeights = weightCorrection ?? (options.correctsWeights && options.canCorrectWeights)
        if options.correctsWeights { options.correctsPotential = false }
        return options
    }

    private func convert(_ ann: Graph, recipe name: String, steps: Int?, data: (any BatchSource)?) throws -> Graph {
        let allowAnalog = allowAnalog ?? false
        if name == Self.quantised { return try QuantizedConverter(steps: steps, allowAnalog: allowAnalog)(ann) }
        if let recipe = Recipe.named(name) {
            let needsMore = name == Recipe.radix.name && Convertibility(ann).isForDigits(allowAnalog: allowAnalog)
            return try RecipeConverter(options(recipe, steps: steps ?? (needsMore ? Self.usualDigits : nil)), calibration: data)(ann)
        }
        let converter = try Converter(
            dataloader: data ?? [Batch](), mode: VoltageHook.Mode(mode ?? "max"), momentum: momentum ?? 0.1, fuseFlag: fuse ?? true,
            pooling: pooling ?? .runningMaximum, allowAnalog: allowAnalog)
        let snn = try converter(ann)
        guard var description = snn.spiking, let steps else { return snn }
        description.code.steps = steps
        return try snn.applying(Patch(), spiking: description)
    }

    /// The cheapest network within `targetDrop`.
    private func search(
        _ ann: Graph, targetDrop: Double, calibration: any BatchSource, threads: Int, note: (String) -> Void
    ) throws -> Outcome {
        for name in RecipeLadder.recipes(prefer ?? .balance).map(\.name) where recipe == nil && !searched.contains(name) {
            note("the recipe \(name) is left out: it does not go together with the other options")
        }
        let allowAnalog = allowAnalog ?? false
        // Before the ANN runs over all data.
        let convertibility = Convertibility(ann)
        let isForDigits =
            searched.contains(Recipe.radix.name) && convertibility.isForDigits(allowAnalog: allowAnalog)
            && (allowAnalog || !convertibility.rolesInDigits.isEmpty)
        if !isForDigits { _ = try convertibility.check(allowAnalog: allowAnalog) }
        var recipes = isForDigits ? [Recipe.radix.name] : searched
        // Layers in front of the first ReLU that have no form in digits stay real-valued in other recipes only.
        if recipes.count > 1, convertibility.isForDigits(allowAnalog: allowAnalog) { recipes.removeAll { $0 == Recipe.radix.name } }
        let search = try RecipeSearch(
            targetDrop: targetDrop, ladders: recipes.map(ladder), prefer: prefer ?? .balance, threads: threads)
        let (snn, result) = try search(ann, calibration: calibration)
        return Outcome(snn: snn, search: result)
    }

    private func ladder(_ name: String) throws -> RecipeLadder {
        let conversion: RecipeLadder.Conversion = { ann, steps, data in try convert(ann, recipe: name, steps: steps, data: data) }
        guard let recipe = Recipe.named(name) else {
            return try RecipeLadder(recipe: name, steps: [8, 16, 32, 64, 128, 256], convert: conversion)
        }
        return try RecipeLadder(recipe, convert: conversion) { ann, meanSteps, data in
            try RecipeConverter(options(recipe, steps: nil, meanSteps: meanSteps), calibration: data)(ann)
        }.keeping { steps in
            // A given base leaves some numbers of steps no range.
            (try? options(recipe, steps: steps).validate()) != nil
        }
    }
}
