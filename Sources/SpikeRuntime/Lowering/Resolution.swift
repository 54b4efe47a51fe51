internal import CSpikeKernels
internal import SpikeGraph

/// How far rounding to whole numbers moves a layer: what decides whether 8 bits can say it.
///
/// Errors are shares of what a neuron can express: θ in each step of a rate code (burst: times the most spikes), 2^K quanta of a radix
/// code. With δ the errors of a channel's weights, its current is off by about e = √((m Σδ)² + s² Σδ² + β²), if inputs have a mean m and a deviation s
/// of a quarter of their range, and constants are off by β. With L levels (2^K − 1, or T), that moves activations by about
/// √(e² + f e/4L): a sum that lies within e of the border between two levels, as e·L of all do where they vary, moves by a whole level, 1/L; about a quarter
/// of all neurons are between their first and last level. f is 1; under the streaming schedule, where a spike that moves moves others, it is larger,
/// as measured.
struct Resolution {
    /// The most that all layers together may move: the root of the sum of their squares. What the bundled networks take: with K = 4 and T = 32 all of
    /// their layers stay within it, and int8 agrees with float32 on more than 98 of 100 predictions.
    static let budget = 0.0285
    /// The same where activations have at most 4 levels, K ≤ 2 or T ≤ 4: a level that moves is then a quarter of all that a neuron says, or more.
    static let budgetOfFewLevels = 0.015
    /// The largest e of a channel.
    static let mostOfChannel = 0.25
    private static let (mean, deviation) = (0.25, 0.25)
    /// f of the streaming schedule.
    private static let streaming = 1.8

    /// e, by channel.
    private(set) var rounding: [Double]
    /// f / 4L.
    private let flips: Double

    init(
        _ expression: Expression, units: Units, parameters: NeuronParameters, signals: [Signal], description: SpikingDescription
    ) {
        let channels = expression.layout.channels
        let most = parameters.encoding == .counts ? Double(parameters.rule.limit) : 1
        let levels = parameters.rule.exponent.map { Double(1 << ($0 + 1) - 1) } ?? Double(description.steps ?? 32) * most
        flips = (description.schedule == .streaming ? Self.streaming : 1) / (4 * levels)
        var sums = [Double](repeating: 0, count: channels)
        var squares = sums
        for (term, levels) in zip(expression.terms, units.levels) {
            guard case .spikes(let number) = term.source else { continue }
            let places = Double(term.pool?.places ?? 1)
            let range = signals[number].range(besides: parameters.rule.exponent.map { $0 + 1 })
            let spikes = Double(signals[number].largestCount) / most * range
            var index = 0
            term.forEachWeight { channel, weight in
                var error = 0.0
                if levels.isEmpty {
                    // In the unit of membranes, or in 16 bits.
                    let fine = units.fine[channel]
                    let rounded = abs(Double(weight) - Double((weight * fine).rounded() / fine))
                    error = max(rounded, Double(abs(weight)) / 65536)
                } else {
                    error = Double(weight) - Double(levels[index]) / Double(units.coarse[channel])
                    index += 1
                }
                sums[channel] += error * places * spikes
                squares[channel] += error * error * places * spikes * spikes
            }
        }
        let growth = parameters.rule.exponent.map { Double(1 << ($0 + 1)) } ?? 1
        var constants = units.fine.map { 0.3 / Double($0) / growth / most }
        if case .channels(let values) = expression.offset {
            for (channel, value) in values.enumerated() {
                let whole = (value * units.fine[channel]).rounded()
                constants[channel] = abs(Double(value) - Double(whole) / Double(units.fine[channel])) / growth / most
            }
        }
        let threshold = Double(parameters.threshold)
        rounding = (0..<channels).map { channel in
            let moved = Self.mean * sums[channel]
            let varied = Self.deviation * Self.deviation * squares[channel]
            return (moved * moved + varied + constants[channel] * constants[channel]).squareRoot() / threshold
        }
    }

    /// The root mean square over the channels of what activations move by.
    func error(_ activations: [Float]) -> Double {
        var (sum, weights) = (0.0, 0.0)
        for (channel, rounding) in rounding.enumerated() {
            let weight = Double(activations[activations.count == 1 ? 0 : channel])
            sum += weight * weight * (rounding * rounding + rounding * flips)
            weights += weight * weight
        }
        return weights > 0 ? (sum / weights).squareRoot() : 0
    }

    /// The layers that have to be float32 so that the others stay within the budget, the worst first, each with the reason.
    static func beyondBudget(_ layers: [(node: String, error: Double)], levels: Int) -> [String: String] {
        let budget = levels > 4 ? budget : budgetOfFewLevels
        var sum = layers.reduce(0) { $0 + $1.error * $1.error }
        var beyond: [String: String] = [:]
        for layer in layers.sorted(by: { $0.error > $1.error }) where sum > budget * budget {
            sum -= layer.error * layer.error
            beyond[layer.node] =
                "8-bit weights would move its activations by \(percent(layer.error)) of their range; all layers together may move by \(percent(budget))"
        }
        return beyond
    }

    static func percent(_ share: Double) -> String { "\((share * 1000).rounded() / 10) %" }
}
