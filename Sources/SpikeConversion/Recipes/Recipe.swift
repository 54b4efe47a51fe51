import Foundation
import SpikeGraph

/// A named way to convert. A recipe of your own is one more value of this type:
///
///     let coarse = Recipe(name: "coarse", summary: "binary spikes, one threshold a layer", usualSteps: 64) { steps in
///         ConversionOptions(recipe: "coarse", steps: steps, threshold: .maximum, isPerChannel: false)
///     }
///     let snn = try RecipeConverter(coarse.options(64), calibration: loader)(ann)
public struct Recipe: Sendable {
    /// What the command line calls it.
    public let name: String
    /// One line for people.
    public let summary: String
    /// The number of steps where the user names none.
    public let usualSteps: Int
    /// The options for a number of steps.
    public let options: @Sendable (_ steps: Int) -> ConversionOptions

    /// A recipe of one's own.
    public init(name: String, summary: String, usualSteps: Int, options: @escaping @Sendable (_ steps: Int) -> ConversionOptions) {
        self.name = name
        self.summary = summary
        self.usualSteps = usualSteps
        self.options = options
    }

    /// All recipes that Spikelet comes with, but for the seed's own `rate-coding`, which is ``Converter``.
    public static let all: [Recipe] = [
        calibrated, signed, burst, radix, latency, twoSpike, localThresholdBalancing,
    ]

    /// The recipe of this name.
    public static func named(_ name: String) -> Recipe? { all.first { $0.name == name } }

    /// Binary spikes, streaming; potentials corrected on calibration data.
    public static let calibrated = Recipe(
        name: "calibrated", summary: "binary spikes, streaming; thresholds of least squared error, potentials corrected", usualSteps: 32
    ) { ConversionOptions(recipe: "calibrated", steps: $0, correctsPotential: true) }

    /// Spikes of both signs, streaming: a neuron takes back what it has sent too much of.
    public static let signed = Recipe(
        name: "signed", summary: "spikes may be taken back; streaming", usualSteps: 8
    ) { ConversionOptions(recipe: "signed", steps: $0, neuron: .signed, correctsWeights: true) }

    /// Several spikes in a step, streaming.
    public static let burst = Recipe(
        name: "burst", summary: "up to 4 spikes a step; streaming", usualSteps: 8
    ) { ConversionOptions(recipe: "burst", steps: $0, neuron: .burst(4), correctsWeights: true) }

    /// Binary digits of the activation, most significant first, layer by layer.
    public static let radix = Recipe(
        name: "radix", summary: "binary digits, most significant first; layer-synchronous; takes any activation", usualSteps: 4
    ) { ConversionOptions(recipe: "radix", steps: $0, neuron: .radix, schedule: .layerSynchronous, correctsWeights: true) }

    /// One spike a neuron, the earlier the more.
    public static let latency = Recipe(
        name: "latency", summary: "at most one spike a neuron, the earlier the more; layer-synchronous; fewest spikes", usualSteps: 24
    ) { latency($0, name: "latency", mostSpikes: 1, octaves: 5.75) }

    /// At most two spikes a neuron, the earlier the more.
    public static let twoSpike = Recipe(
        name: "two-spike", summary: "at most two spikes a neuron, the earlier the more; layer-synchronous", usualSteps: 12
    ) { latency($0, name: "two-spike", mostSpikes: 2, octaves: 5.5) }

    /// A latency code of `steps` steps, the first of which is worth 2^octaves of the last: with the usual numbers of steps the bases are
    /// 2^¼ and √2.
    private static func latency(_ steps: Int, name: String, mostSpikes: Int, octaves: Double) -> ConversionOptions {
        let base = Float(exp2(octaves / Double(max(1, steps - 1))))
        return ConversionOptions(
            recipe: name, steps: steps, neuron: .latency(base: base, mostSpikes: mostSpikes), schedule: .layerSynchronous,
            correctsWeights: true)
    }

    /// Binary spikes, streaming; thresholds by gradient steps on each layer's own error.
    public static let localThresholdBalancing = Recipe(
        name: "local-threshold-balancing", summary: "thresholds by local gradient steps (Bu et al., CVPR 2025); streaming", usualSteps: 32
    ) { ConversionOptions(recipe: "local-threshold-balancing", steps: $0, threshold: .localThresholdBalancing(passes: 32)) }
}
