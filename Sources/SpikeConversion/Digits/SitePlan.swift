import SpikeGraph

/// What the neurons of each activation are: what their spikes stand for, and, where layers differ, how many digits each sends.
struct SitePlan {
    let options: ConversionOptions
    let thresholds: ThresholdPlan
    /// By activation; `nil`: all send as many as the options say.
    private(set) var digits: [String: Int]?
    /// The samples that digits were chosen by.
    private(set) var digitSamples = 0
    private var known: [String: [Float]] = [:]

    /// From thresholds that are the same for all layers' numbers of steps.
    ///
    /// - Throws: where digits by layer are asked for, which only data can tell.
    init(_ options: ConversionOptions, _ thresholds: ThresholdPlan) throws {
        guard options.meanSteps == nil else {
            throw SpikeletError(
                .invalidOption, "digits by layer without data, which would tell where they are needed",
                remedy: "give calibration data, or the same number of steps for all layers")
        }
        (self.options, self.thresholds) = (options, thresholds)
    }

    /// From data.
    ///
    /// - Parameter axes: as of ``ThresholdPlan``.
    init(_ options: ConversionOptions, _ sites: [DigitSite], in graph: Graph, data: any BatchSource, axes: [String: Int?] = [:]) throws {
        self.options = options
        let nodes = sites.map(\.node)
        let signed = Set(sites.filter(\.isSigned).map(\.node.name))
        known = Dictionary(sites.compactMap { site in site.threshold.map { (site.node.name, $0) } }) { first, _ in first }
        guard let mean = options.meanSteps else {
            thresholds = try ThresholdPlan(options, activations: nodes, in: graph, data: data, signed: signed, axes: axes)
            return
        }
        let statistics = try ActivationStatistics(of: nodes, in: graph, data: data, signed: signed, axes: axes)
        let most = options.steps
        // Each number of digits has thresholds of its own.
        let plans = (1...most).map { count in
            ThresholdPlan(options.sending(count), activations: nodes, in: graph, statistics, signed: signed, axes: axes)
        }
        let known = known
        let spikes = sites.map { site in
            plans.enumerated().map { index, plan -> [Float] in
                let share = options.sending(index + 1).spikeShare
                return (known[site.node.name] ?? plan.thresholds[site.node.name] ?? [1]).map { $0 * share }
            }
        }
        let (errors, samples) = try DigitSensitivity(graph: graph, sites: sites, spikes: spikes).errors(on: data)
        let budget = DigitBudget(total: Int((mean * Double(sites.count) + 1e-6).rounded(.down)), most: most)
        let digits = Dictionary(zip(sites.map(\.node.name), budget.digits(errors))) { first, _ in first }
        (self.digits, digitSamples) = (digits, samples)
        thresholds = ThresholdPlan(
            options, activations: nodes, in: graph, statistics, digits: digits, signed: signed, axes: axes)
    }

    /// What these options are for an activation.
    func options(_ activation: String) -> ConversionOptions { options.sending(digits?[activation]) }

    /// By activation, what its last digit, or a spike, stands for.
    var spikes: [String: [Float]] {
        let found = thresholds.thresholds.merging(known) { _, known in known }
        return Dictionary(
            uniqueKeysWithValues: found.map { name, values in
                let share = options(name).spikeShare
                return (name, values.map { $0 * share })
            })
    }

    /// A radix code has the steps of the layer with the most digits.
    var code: SpikeCode { digits?.values.max().map { .radix(digits: $0) } ?? options.code }

    /// A word on the digits, for people.
    var facts: [String: String] {
        guard digits != nil, let mean = options.meanSteps else { return [:] }
        var facts = ["digitSamples": "\(digitSamples)", "meanSteps": "\(mean)"]
        if options.threshold == .meanSquaredError { facts["threshold"] = "least squared error at each layer's own levels" }
        return facts
    }
}

extension Graph {
    /// The same network, with the digits of its layers among its facts where they differ.
    func notingDigits() throws -> Graph {
        guard let digitsByLayer, var description = spiking else { return self }
        description.facts["digits"] = digitsByLayer
        return try applying(Patch(), spiking: description)
    }
}
