public import SpikeGraph

/// Converts an ANN by ``ConversionOptions``: fold, observe, choose thresholds, place neurons, correct potentials.
///
///     let snn = try RecipeConverter(Recipe.calibrated.options(32), calibration: loader)(ann)
public struct RecipeConverter: Sendable {
    /// What the conversion is to do.
    public let options: ConversionOptions
    /// Images that thresholds are chosen from; `nil`: none.
    public let calibration: (any BatchSource)?
    private let neuron: any Neuron
    private let hasOwnNeuron: Bool

    /// - Parameter calibration: samples like those that the network was trained on; their labels are not used. `nil` chooses
    ///   thresholds without any data: from the bounds of bounded ReLUs, and from batch normalisations that are still in
    ///   the file.
    /// - Parameter neuron: a rule of your own in place of the options' neuron, with the same θ for all neurons of a layer: currents
    ///   arrive so that θ is what one spike stands for. Thresholds are chosen as for the options' neuron.
    /// - Throws: where the options are outside their ranges, or do not go together.
    public init(_ options: ConversionOptions, calibration: (any BatchSource)?, neuron: (any Neuron)? = nil) throws {
        try options.validate()
        self.neuron = try neuron ?? options.makeNeuron()
        hasOwnNeuron = neuron != nil
        guard !hasOwnNeuron || options.meanSteps == nil else {
            throw SpikeletError(
                .invalidOption, "digits by layer for a rule of one's own", remedy: "leave out the mean number of digits, or the rule")
        }
        guard self.neuron.currentOfSpike.values.count == 1 else {
            throw SpikeletError(
                .invalidOption, "\(type(of: self.neuron).kind) takes another current for a spike in each neuron",
                remedy: "give a rule with one θ; thresholds are chosen for each layer or channel")
        }
        self.options = options
        self.calibration = calibration
    }

    /// Converts the ANN of a network of digits at other sizes of its open axes (``OpenAxis``), with the steps that calibration chose.
    ///
    /// - Parameters:
    ///   - ann: the model that `snn` was made from, read at the sizes that are needed.
    ///   - snn: what the recipe radix has made of it at others.
    ///   - allowAnalog: what `snn` was converted with.
    /// - Throws: ``SpikeletError`` where something other than digits is needed, or which activations the steps do not fit.
    public static func convert(_ ann: Graph, withStepsOf snn: Graph, allowAnalog: Bool = false) throws -> Graph {
        let known = try KnownSteps(of: snn)
        let options = known.options(allowAnalog: allowAnalog)
        let inDigits = Convertibility(ann).isForDigits(allowAnalog: allowAnalog)
        let ann = try LeaveOutOutputs(of: ann, inDigits: inDigits).run(ann)
        if inDigits { return try DigitConversion(options: options)(ann, known: known) }
        _ = try Convertibility(ann).check(allowAnalog: allowAnalog)
        let folded = try FuseConvBatchNorm().run(SplitRectifiers().run(ann))
        let sites = try known.sites(of: folded.nodes.filter { folded.linearity(of: $0) == .activation }, in: folded)
        var placing = try PlaceNeurons(scales: sites.mapValues(\.spike), neuron: options.makeNeuron(), description: known.description)
        for (name, site) in sites {
            placing.placements[name]?.axis = site.axis
            if let digits = known.digits[name] { placing.placements[name]?.neuron = try RadixNeuron(digits: digits) }
        }
        var snn = try placing.run(folded)
        if options.pooling == .runningMaximum { snn = try UseRunningMaximum().run(snn) }
        return try SeparateConstants().run(snn.takingCorrectedWeights(of: known.snn))
    }

    /// - Throws: ``SpikeletError`` that lists everything in the network that cannot spike; or says what is wrong with the
    ///   calibration data.
    public func callAsFunction(_ ann: Graph) throws -> Graph {
        let convertibility = Convertibility(ann)
        let inDigits = options.neuron == .radix && !hasOwnNeuron && convertibility.isForDigits(allowAnalog: options.allowAnalog)
        let leavingOut = LeaveOutOutputs(of: ann, inDigits: inDigits)
        let ann = try leavingOut.run(ann)
        if inDigits { return try DigitConversion(options: options, notes: leavingOut.notes)(ann, calibration: calibration) }
        let notes = try leavingOut.notes + convertibility.check(allowAnalog: options.allowAnalog)
        let rectified = try SplitRectifiers().run(ann)
        let folded = try FuseConvBatchNorm().run(rectified)
        let latency =
            if case .latency(_, let most) = options.neuron { try LatencyPlan(folded, mostSpikes: most) } else { nil as LatencyPlan? }
        let activations = latency?.activations ?? folded.nodes.filter { folded.linearity(of: $0) == .activation }
        let plan =
            if let calibration {
                try SitePlan(
                    options, (activations + (latency?.encodings.map(\.node) ?? [])).map { DigitSite(node: $0) }, in: folded,
                    data: calibration)
            } else {
                try SitePlan(
                    options, ThresholdPlan(options, activations: latency?.activationsToMeasure(folded) ?? activations, ann: rectified))
            }
        var description = SpikingDescription(
            recipe: options.recipe, schedule: options.schedule, code: plan.code,
            facts: options.facts, warnings: notes + plan.thresholds.warnings)
        description.facts.merge(plan.facts) { _, own in own }
        description.facts["calibrationSamples"] = "\(plan.thresholds.samples)"
        let spikes = plan.spikes
        if let warning = plan.thresholds.rangeWarning(spikes, share: options.ladder.first?.from) { description.warnings.append(warning) }
        let placed = Set(activations.map(\.name))
        var placing = PlaceNeurons(scales: spikes.filter { placed.contains($0.key) }, neuron: neuron, description: description)
        for name in plan.digits.map({ Array($0.keys) }) ?? [] { placing.placements[name]?.neuron = try plan.options(name).makeNeuron() }
        var snn = try placing.run(folded)
        if let latency {
            snn = try EncodeValues(latency.encodings, spikes: latency.scales(spikes), neuron: { [neuron] _ in neuron }).run(snn)
        } else if options.pooling == .runningMaximum {
            snn = try UseRunningMaximum().run(snn)
        }
        if options.correctsWeights, !hasOwnNeuron, let calibration {
            snn = try snn.correctingWeights(ann: folded, data: calibration)
            description = snn.spiking ?? description
        }
        snn = try SeparateConstants().run(snn)
        if options.correctsPotential, let calibration {
            let (corrected, kept, samples) = try PotentialCorrection(steps: options.steps)(snn, data: calibration)
            description.facts["correctedLayers"] = "\(kept) of \(activations.count)"
            description.facts["correctionSamples"] = "\(samples)"
            if samples == 0 {
                description.warnings.append("potentials are not corrected: that takes two calibration samples, or batches, at least")
            }
            snn = try corrected.applying(Patch(), spiking: description)
        }
        switch options.readoutDelay {
        case .steps(0): break
        case .steps(let delay):
            description.readoutDelay = delay
            snn = try snn.applying(Patch(), spiking: description)
        case .estimated:
            guard let calibration else {
                throw SpikeletError(
                    .invalidOption, "a readout delay cannot be estimated without data",
                    remedy: "give calibration data, or a number of steps")
            }
            snn = try ReadoutWarmUp(steps: options.steps)(snn, ann: folded, data: calibration)
        }
        return try snn.notingDigits()
    }
}

extension ConversionOptions {
    /// What the file remembers of the options, for people.
    var facts: [String: String] {
        let rule =
            if case .localThresholdBalancing(let passes) = threshold {
                "local threshold balancing, \(passes) passes"
            } else {
                estimator.name
            }
        let pooling = code.kind == .latency ? "in front of neurons" : pooling.rawValue
        return ["threshold": rule, "granularity": isPerChannel ? "channel" : "layer", "pooling": pooling]
    }
}
