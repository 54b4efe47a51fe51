package import SpikeGraph

/// The thresholds of all ReLUs of a network.
package struct ThresholdPlan {
    /// For each ReLU's name, θ of each channel, or of the layer.
    package private(set) var thresholds: [String: [Float]] = [:]
    private(set) var warnings: [String] = []
    /// For the names of nodes whose values have signs, and of all for a latency code, the median of those that are not zero.
    private(set) var medians: [String: Float] = [:]
    /// The number of samples that they are based on.
    private(set) var samples = 0

    /// No threshold is below this share of its layer's: a channel that has hardly been active would otherwise clip all that
    /// it has not shown yet.
    private static let floorShare: Float = 0.05

    /// Names of nodes whose values have signs: their thresholds are magnitudes.
    private var signed: Set<String> = []
    /// By the names of nodes, the axis that their channels lie along, where it is not 1; `nil`: they have one threshold.
    private var axes: [String: Int?] = [:]

    /// From data.
    ///
    /// - Parameters:
    ///   - signed: names of nodes whose values have signs, so that thresholds are for magnitudes.
    ///   - axes: by the names of nodes, the axis that channels of their values lie along, 1 or −1; `nil` where there are none. Of all
    ///     others it is 1, unless samples lie there.
    init(
        _ options: ConversionOptions, activations: [Node], in graph: Graph, data: any BatchSource, signed: Set<String> = [],
        axes: [String: Int?] = [:]
    ) throws {
        setForms(of: activations, in: graph, signed: signed, axes: axes)
        if case .localThresholdBalancing(let passes) = options.threshold {
            let balancing = LocalThresholdBalancing(
                passes: passes, perChannel: Set(activations.map(\.name).filter { options.isPerChannel && hasChannels($0) }))
            (thresholds, samples) = try balancing.thresholds(of: activations, in: graph, data: data)
            for activation in activations { balance(activation) }
            keepDivisible { _ in options }
            return
        }
        let statistics = try ActivationStatistics(of: activations, in: graph, data: data, signed: signed, axes: axes)
        choose(activations, { _ in options }, statistics)
    }

    /// From what data has said.
    package init(_ options: ConversionOptions, activations: [Node], _ statistics: ActivationStatistics) {
        choose(activations, { _ in options }, statistics)
    }

    /// The same of a graph.
    ///
    /// - Parameters:
    ///   - digits: by the names of nodes, how many digits they send; without it as many as the options say.
    ///   - signed: as of ``init(_:activations:in:data:signed:axes:)``, and so are `axes`.
    init(
        _ options: ConversionOptions, activations: [Node], in graph: Graph, _ statistics: ActivationStatistics,
        digits: [String: Int] = [:], signed: Set<String> = [], axes: [String: Int?] = [:]
    ) {
        setForms(of: activations, in: graph, signed: signed, axes: axes)
        choose(activations, { options.sending(digits[$0]) }, statistics)
    }

    private mutating func setForms(of activations: [Node], in graph: Graph, signed: Set<String>, axes: [String: Int?]) {
        self.signed = signed
        self.axes = Dictionary(activations.map { ($0.name, graph.channelAxis(of: $0.outputs[0])) }) { first, _ in first }
        self.axes.merge(axes) { _, given in given }
    }

    private mutating func choose(
        _ activations: [Node], _ options: (String) -> ConversionOptions, _ statistics: ActivationStatistics
    ) {
        samples = statistics.samples
        for activation in activations {
            let value = activation.outputs[0]
            choose(activation, options(activation.name), statistics.activations(of: value), halves: statistics.halves(of: value))
        }
        keepDivisible(options)
    }

    /// Without data: from bounds of ReLUs, and from batch normalisations that are still in the file.
    ///
    /// - Parameter ann: the network before anything was folded.
    /// - Throws: ``SpikeletError`` that names every ReLU of which nothing is known.
    init(_ options: ConversionOptions, activations: [Node], ann: Graph) throws {
        guard options.threshold == .meanSquaredError || options.threshold == .maximum else {
            throw SpikeletError(
                .invalidOption, "the recipe '\(options.recipe)' chooses thresholds from data",
                remedy: "give calibration data, or use another recipe")
        }
        let moments = ActivationMoments(ann)
        var unknown: [String] = []
        for activation in activations {
            let input = ann.node(named: activation.name)?.inputs.first ?? ""
            if let known = moments.channels[input] {
                choose(activation, options, LayerActivations(exactly: known.map(\.rectifiedHistogram)))
            } else if let bound = activation.bound {
                thresholds[activation.name] = [bound]
            } else {
                unknown.append("'\(activation.name)'")
            }
        }
        guard unknown.isEmpty else {
            throw SpikeletError(
                .notConvertible,
                "without data nothing is known of \(unknown.count) ReLU\(unknown.count == 1 ? "" : "s"): "
                    + unknown.joined(separator: ", "),
                remedy:
                    "give calibration data, or export the model with its batch normalisations left in it (training=PRESERVE in eval mode)")
        }
    }

    private mutating func choose(
        _ activation: Node, _ options: ConversionOptions, _ layer: LayerActivations, halves: [LayerActivations] = []
    ) {
        let whole = layer.whole
        guard whole.nonZeroCount > 0 else {
            warnings.append(deadLayerWarning(activation.name, largest: whole.maximum))
            thresholds[activation.name] = [1]
            return
        }
        let estimator = options.estimator
        if signed.contains(activation.name) || options.code.kind == .latency {
            medians[activation.name] = whole.quantile(0.5, countingZeros: false)
        }
        let bound = signed.contains(activation.name) ? .infinity : activation.bound ?? .infinity
        let ofLayer = min(bound, estimator.threshold(whole))
        thresholds[activation.name] =
            options.isPerChannel && hasChannels(activation.name)
            ? estimator.thresholds(layer, halves: halves).map { min(bound, max($0, Self.floorShare * ofLayer)) } : [ofLayer]
    }

    /// A word on layers most of whose activations above zero are less than the least that is sent; `nil` where there are none.
    ///
    /// - Parameters:
    ///   - scales: what a spike of weight 1 stands for.
    ///   - share: of it, the least potential that sends a spike; `nil` of codes whose levels are evenly spaced.
    func rangeWarning(_ scales: [String: [Float]], share: Double?) -> String? {
        guard let share else { return nil }
        let lost = medians.filter { name, median in Double(median) < share * Double(scales[name]?.max() ?? 0) }.keys.sorted()
        guard let example = lost.first else { return nil }
        return
            "of \(lost.count) of \(medians.count) layers, such as '\(example)', more than half of the activations above zero are less than "
            + "the last step's spike stands for, and are not sent: more steps or a larger base reach further down"
    }

    private func hasChannels(_ activation: String) -> Bool { axes[activation, default: 1] != nil }

    /// Currents are divided by what a spike stands for: thresholds grow to where float32 can say the quotient.
    private mutating func keepDivisible(_ options: (String) -> ConversionOptions) {
        for (name, found) in thresholds.sorted(by: { $0.key < $1.key }) {
            let least = Float.leastNormalMagnitude / options(name).spikeShare
            guard found.contains(where: { $0 < least }) else { continue }
            warnings.append(
                "'\(name)': a spike would stand for less than float32 divides by; thresholds below \(least) are raised to it "
                    + "(scale the weights in front of it up, and those behind it down)")
            thresholds[name] = found.map { max($0, least) }
        }
    }

    /// Gives thresholds that were found elsewhere their floor and their bound.
    private mutating func balance(_ activation: Node) {
        let found = thresholds[activation.name] ?? []
        guard let largest = found.max(), largest > 0 else {
            warnings.append(deadLayerWarning(activation.name, largest: 0))
            thresholds[activation.name] = [1]
            return
        }
        thresholds[activation.name] = found.map { min(activation.bound ?? .infinity, max($0, Self.floorShare * largest)) }
    }
}

extension ActivationStatistics {
    /// Of nodes' values; see ``ThresholdPlan``.
    init(of activations: [Node], in graph: Graph, data: any BatchSource, signed: Set<String>, axes: [String: Int?]) throws {
        try self.init(
            of: Set(activations.map { $0.outputs[0] }), in: graph, data: data,
            signed: Set(activations.filter { signed.contains($0.name) }.map { $0.outputs[0] }),
            channelsLast: Set(activations.filter { axes[$0.name] == .some(-1) }.map { $0.outputs[0] }))
    }
}

extension Node {
    /// The upper bound of a bounded ReLU.
    fileprivate var bound: Float? { self.operator.upperBound }
}

extension ConversionOptions {
    var estimator: any ThresholdEstimator {
        switch threshold {
        case .maximum, .localThresholdBalancing: MaximumEstimator()
        case .percentile(let percent, let countingZeros): PercentileEstimator(percent: percent, countingZeros: countingZeros)
        case .meanSquaredError:
            if case .latency = neuron {
                MeanSquaredErrorEstimator(ladder, largest: 1 / Double(spikeShare))
            } else {
                MeanSquaredErrorEstimator(levels: levels)
            }
        }
    }
}
