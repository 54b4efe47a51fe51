import Foundation
public import SpikeGraph

/// Everything that a conversion chooses, in one value. ``Recipe`` has the presets.
public struct ConversionOptions: Sendable, Hashable, Codable {
    /// The rule that becomes of a ReLU.
    public enum NeuronRule: Sendable, Hashable, Codable {
        /// ``IFNode``: binary spikes.
        case integrateAndFire
        /// ``SignedIFNeuron``: may take back a spike.
        case signed
        /// ``BurstIFNeuron``: up to so many spikes in a step.
        case burst(Int)
        /// ``RadixNeuron``: binary digits, most significant first.
        case radix
        /// ``LatencyNeuron``: at most so many spikes (1 or 2), each worth B times one a step later.
        case latency(base: Float, mostSpikes: Int)
    }

    /// How thresholds are chosen from activations.
    public enum Threshold: Sendable, Hashable, Codable {
        /// The largest activation (``MaximumEstimator``).
        case maximum
        /// A percentile (``PercentileEstimator``).
        case percentile(Double, countingZeros: Bool)
        /// Least mean squared error of the neuron's own quantiser (``MeanSquaredErrorEstimator``).
        case meanSquaredError
        /// ``LocalThresholdBalancing``, with so many passes over the data.
        case localThresholdBalancing(passes: Int)
    }

    /// From which step on the output is accumulated.
    public enum ReadoutDelay: Sendable, Hashable, Codable {
        /// From so many steps on; 0: from the first.
        case steps(Int)
        /// What calibration data says is best (``ReadoutWarmUp``).
        case estimated
    }

    /// The recipe's name, kept in the file.
    public var recipe: String
    /// T, or K for radix: the number of steps the thresholds are chosen for; a latency code has no other. With ``meanSteps`` the most that a
    /// layer may have.
    public var steps: Int
    /// Of radix codes, the mean number of digits over all layers, of which each has as many as its share in the error of the outputs asks
    /// for (``DigitBudget``); `nil`: all have ``steps``.
    public var meanSteps: Double?
    /// The neurons' rule.
    public var neuron: NeuronRule
    /// When a layer passes its spikes on.
    public var schedule: SpikingDescription.Schedule
    /// How thresholds are found.
    public var threshold: Threshold
    /// One threshold a channel, or one a layer.
    public var isPerChannel: Bool
    /// v₀ as a share of θ. One half makes rounding out of rounding down. (Bu et al., "Optimized potential initialization",
    /// AAAI 2022.)
    public var initialMembrane: Float
    /// How max pooling treats spikes.
    public var pooling: Converter.Pooling
    /// Whether initial membranes are corrected on the calibration data (``PotentialCorrection``).
    public var correctsPotential: Bool
    /// Whether each layer's weights are corrected for what the layers in front of it lose (``WeightCorrection``). Under the
    /// streaming schedule it is for the mean of ``steps`` of them: more bring outputs no nearer to the ANN's, and it takes the place of
    /// ``correctsPotential``. Not for rate codes under the
    /// layer-synchronous schedule.
    public var correctsWeights: Bool
    /// The steps left out of the output before it is accumulated.
    public var readoutDelay: ReadoutDelay
    /// Whether what cannot become a neuron may stay real-valued.
    public var allowAnalog: Bool

    /// Options of a recipe's own; those left out are the recipe calibrated's.
    public init(
        recipe: String, steps: Int, neuron: NeuronRule = .integrateAndFire, schedule: SpikingDescription.Schedule = .streaming,
        threshold: Threshold = .meanSquaredError, isPerChannel: Bool = true, initialMembrane: Float = 0.5,
        pooling: Converter.Pooling = .runningMaximum, correctsPotential: Bool = false, correctsWeights: Bool = false,
        readoutDelay: ReadoutDelay = .steps(0), allowAnalog: Bool = false, meanSteps: Double? = nil
    ) {
        self.recipe = recipe
        self.steps = steps
        self.neuron = neuron
        self.schedule = schedule
        self.threshold = threshold
        self.isPerChannel = isPerChannel
        self.initialMembrane = initialMembrane
        self.pooling = pooling
        self.correctsPotential = correctsPotential
        self.correctsWeights = correctsWeights
        self.readoutDelay = readoutDelay
        self.allowAnalog = allowAnalog
        self.meanSteps = meanSteps
    }

    /// The same with digits by layer: from 1 to three above the mean, 16 at most.
    public func mixed(meanSteps: Double) -> ConversionOptions {
        var options = self
        options.meanSteps = meanSteps
        if (1...16).contains(meanSteps) { options.steps = min(16, Int(meanSteps.rounded(.up)) + 3) }
        return options
    }

    /// What these options are for a layer of so many digits.
    func sending(_ digits: Int?) -> ConversionOptions {
        guard let digits else { return self }
        var options = self
        (options.steps, options.meanSteps) = (digits, nil)
        return options
    }

    /// Throws where the numbers are outside their ranges, or do not go together.
    public func validate() throws {
        try SpikeCode.check(steps: steps)
        switch neuron {
        case .radix:
            _ = try RadixNeuron(digits: steps)
            guard schedule == .layerSynchronous else {
                throw SpikeletError(
                    .invalidOption, "a radix code under the streaming schedule", remedy: "use the layer-synchronous schedule")
            }
        case .latency:
            _ = try makeNeuron()
            guard schedule == .layerSynchronous else {
                throw SpikeletError(
                    .invalidOption, "a latency code under the streaming schedule", remedy: "use the layer-synchronous schedule")
            }
            guard pooling == .runningMaximum else {
                throw SpikeletError(
                    .invalidOption, "instantaneous pooling of a latency code, whose max pools act in front of neurons",
                    remedy: "leave it out")
            }
        case .burst(let most):
            guard (1...255).contains(most) else {
                throw SpikeletError(
                    .invalidOption, "bursts of up to \(most) spikes", remedy: "give a number from 1 to 255; 2 to 5 are usual")
            }
        case .signed:
            guard schedule == .streaming else {
                throw SpikeletError(
                    .invalidOption, "signed neurons under the layer-synchronous schedule, where nothing is ever taken back",
                    remedy: "use the streaming schedule, or the recipe calibrated")
            }
        case .integrateAndFire: break
        }
        if let meanSteps { try validate(meanSteps: meanSteps) }
        if case .percentile(let percent, _) = threshold, !(percent > 0 && percent <= 100) {
            throw SpikeletError(.invalidOption, "the percentile \(percent)", remedy: "give a number above 0 and up to 100")
        }
        if case .localThresholdBalancing(let passes) = threshold, !(1...10_000).contains(passes) {
            throw SpikeletError(.invalidOption, "\(passes) passes over the data", remedy: "give a number from 1 to 10000")
        }
        guard !correctsPotential || schedule == .streaming else {
            throw SpikeletError(
                .invalidOption, "a correction of potentials under the layer-synchronous schedule",
                remedy: "it is for streaming recipes: switch it off"
            )
        }
        guard !correctsWeights || code.isReadAsAWhole || schedule == .streaming else {
            throw SpikeletError(
                .invalidOption, "a correction of weights of rate codes under the layer-synchronous schedule", remedy: "switch it off")
        }
        guard !correctsWeights || pooling == .runningMaximum else {
            throw SpikeletError(
                .invalidOption, "a correction of weights where max pools act on single spikes, whose sums are not the ANN's, rounded",
                remedy: "use pooling by the running maximum, or switch the correction off")
        }
        guard !correctsWeights || !correctsPotential else {
            throw SpikeletError(
                .invalidOption, "a correction of weights and of potentials, which make up for the same", remedy: "switch one of them off")
        }
        guard !correctsWeights || readoutDelay == .steps(0) else {
            throw SpikeletError(
                .invalidOption, "a correction of weights, which is for the mean of all steps, and a readout delay, which leaves some out",
                remedy: "switch the correction off, or leave out the delay")
        }
        if case .steps(let delay) = readoutDelay, !(0..<steps).contains(delay) {
            throw SpikeletError(
                .invalidOption, "a readout delay of \(delay) of \(steps) steps", remedy: "give a number from 0 to \(steps - 1)")
        }
        guard readoutDelay == .steps(0) || schedule == .streaming else {
            throw SpikeletError(
                .invalidOption, "a readout delay under the layer-synchronous schedule, where no step comes too early",
                remedy: "leave it out")
        }
        guard initialMembrane >= 0, initialMembrane <= 1 else {
            throw SpikeletError(.invalidOption, "an initial membrane of \(initialMembrane) θ", remedy: "give a share from 0 to 1")
        }
    }

    /// Whether the mean of what neurons send is what a correction of weights takes it for.
    package var canCorrectWeights: Bool {
        pooling == .runningMaximum && readoutDelay == .steps(0) && (code.isReadAsAWhole || schedule == .streaming)
    }

    private func validate(meanSteps: Double) throws {
        guard neuron == .radix else {
            throw SpikeletError(
                .invalidOption, "a mean number of digits for other neurons than radix", remedy: "leave it out, or use the recipe radix")
        }
        guard (1...16).contains(meanSteps) else {
            throw SpikeletError(
                .invalidOption, "a mean of \(meanSteps) digits a layer", remedy: "give a number from 1 to 16; 2.5 to 4 are usual")
        }
        guard meanSteps <= Double(steps) else {
            throw SpikeletError(
                .invalidOption, "a mean of \(meanSteps) digits where a layer has \(steps) at most",
                remedy: "raise `steps`, the most of a layer")
        }
        if case .localThresholdBalancing = threshold {
            throw SpikeletError(
                .invalidOption, "digits by layer with thresholds by local balancing, which are for one number of steps",
                remedy: "choose thresholds in another way, or leave out the mean number of digits")
        }
    }

    /// What spikes say.
    public var code: SpikeCode {
        switch neuron {
        case .integrateAndFire, .signed, .burst: .rate(steps: steps)
        case .radix: .radix(digits: steps)
        case .latency(let base, _): .latency(steps: steps, base: base)
        }
    }

    /// L, the number of levels that a neuron's output can take above zero.
    public var levels: Int {
        switch neuron {
        case .integrateAndFire, .signed, .radix: code.levels(steps)
        case .latency: ladder.count
        case .burst(let most): code.levels(steps) * most
        }
    }

    /// What one spike of weight 1 stands for, as a share of θ.
    var spikeShare: Float {
        switch neuron {
        case .integrateAndFire, .signed: 1
        case .burst(let most): 1 / Float(most)
        case .radix: 1 / Float(levels)
        case .latency(let base, _): Float(pow(Double(base), Double(1 - steps)))
        }
    }

    /// The levels of a latency code (``LatencyNeuron/levels``); of others none.
    var ladder: [(from: Double, value: Double, spikes: Int)] {
        guard case .latency(let base, let most) = neuron else { return [] }
        return (try? LatencyNeuron(steps: steps, base: base, mostSpikes: most))?.levels ?? []
    }

    /// The neuron that these options ask for, in units of what one spike stands for.
    public func makeNeuron() throws -> any Neuron {
        switch neuron {
        case .integrateAndFire: IFNode(threshold: 1, initialMembrane: initialMembrane)
        case .signed: SignedIFNeuron(threshold: 1, initialMembrane: initialMembrane)
        case .burst(let most): BurstIFNeuron(threshold: 1, initialMembrane: initialMembrane, maximumBurst: most)
        case .radix: try RadixNeuron(digits: steps)
        case .latency(let base, let most): try LatencyNeuron(steps: steps, base: base, mostSpikes: most)
        }
    }
}
