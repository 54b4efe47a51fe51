public import SpikeGraph

/// Converts an ANN by ``ConversionOptions``: fold, observe, choose thresholds, place neurons, correct biases.
///
///     let snn = try RecipeConverter(Recipe.calibrated.options(32), calibration: loader)(ann)
public struct RecipeConverter: Sendable {
    public let options: ConversionOptions
    public let calibration: any BatchSource

    /// - Throws: where the options are outside their ranges, or do not go together.
    public init(_ options: ConversionOptions, calibration: any BatchSource) throws {
        try options.validate()
        self.options = options
        self.calibration = calibration
    }

    /// - Throws: ``SpikeletError`` that lists everything in the network that cannot spike; or says what is wrong with the
    ///   calibration data.
    public func callAsFunction(_ ann: Graph) throws -> Graph {
        var warnings = try Convertibility(ann).check(allowAnalog: options.allowAnalog)
        let folded = try FuseConvBatchNorm().run(ann)
        let rectifiers = folded.nodes.filter { folded.linearity(of: $0) == .rectifier }
        let statistics = try ActivationStatistics(of: Set(rectifiers.map { $0.outputs[0] }), in: folded, data: calibration)
        var thresholds: [String: [Float]] = [:]
        for rectifier in rectifiers {
            thresholds[rectifier.name] = try threshold(of: rectifier, statistics, warnings: &warnings)
        }
        if case .localThresholdBalancing(let passes) = options.threshold {
            thresholds = try LocalThresholdBalancing(passes: passes, isPerChannel: options.isPerChannel)
                .thresholds(of: rectifiers, in: folded, data: calibration)
        }
        let description = SpikingDescription(
            recipe: options.recipe, schedule: options.schedule, code: options.neuron == .radix ? .radix : .rate, steps: options.steps,
            facts: facts(statistics), warnings: warnings)
        let scales = thresholds.mapValues { $0.map { $0 * options.spikeShare } }
        var snn = try PlaceNeurons(scales: scales, neuron: options.makeNeuron(), description: description).run(folded)
        if options.pooling == .runningMaximum { snn = try UseRunningMaximum().run(snn) }
        if options.correctsBias, options.schedule == .streaming {
            let placed = rectifiers.enumerated().map { (tailorName($0, 1), $1.operator) }
            let correction = BiasCorrection(steps: options.steps, rectifiers: Dictionary(uniqueKeysWithValues: placed))
            snn = try correction(snn, data: calibration).graph
        }
        return snn
    }

    /// θ of each channel, or of the layer.
    private func threshold(of rectifier: Node, _ statistics: ActivationStatistics, warnings: inout [String]) throws -> [Float] {
        let value = rectifier.outputs[0]
        let layer = statistics.layer(value)
        guard layer.nonZeroCount > 0 else {
            warnings.append(deadLayerWarning(rectifier.name, largest: layer.maximum))
            return [1]
        }
        let estimator = estimator
        var bound = Float.infinity
        if case .clip(let clip) = rectifier.operator { bound = clip.maximum ?? .infinity }
        let ofLayer = min(bound, estimator.threshold(layer))
        guard options.isPerChannel else { return [ofLayer] }
        // Few samples have not seen a channel's largest activations: its threshold leans towards its layer's by how few they
        // are. A channel that has hardly been active gets a floor.
        let trust = Float(statistics.samples) / Float(statistics.samples + Self.priorSamples)
        return (statistics.channels[value] ?? []).map { channel in
            let own = channel.nonZeroCount == 0 ? 0 : estimator.threshold(channel)
            let shrunk = own >= ofLayer ? own : trust * own + (1 - trust) * ofLayer
            return min(bound, max(shrunk, 0.05 * ofLayer))
        }
    }

    /// The number of samples at which a channel's own estimate weighs as much as its layer's.
    private static let priorSamples = 16

    private var estimator: any ThresholdEstimator {
        switch options.threshold {
        case .maximum, .localThresholdBalancing: MaximumEstimator()
        case .percentile(let percent, let countingZeros): PercentileEstimator(percent: percent, countingZeros: countingZeros)
        case .meanSquaredError: MeanSquaredErrorEstimator(levels: options.levels)
        }
    }

    private func facts(_ statistics: ActivationStatistics) -> [String: String] {
        [
            "threshold": "\(options.threshold)", "perChannel": "\(options.isPerChannel)", "pooling": options.pooling.rawValue,
            "calibrationSamples": "\(statistics.samples)",
        ]
    }
}
