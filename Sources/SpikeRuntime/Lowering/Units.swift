internal import CSpikeKernels
internal import SpikeGraph

/// The units of a stage's currents: 1 in float32; in int8, for each channel, a fraction of the threshold.
///
/// A weight of 1 is θ/N with a whole N, so that the threshold is exact; N is as large as ±127 allows, as far as that helps. Biases,
/// membranes and the weights of depthwise and identity synapses are finer by 2^shift.
struct Units {
    var isInteger = false
    var shift = 0
    /// What a number is multiplied with to be in the unit of currents and membranes.
    var fine: [Float]
    /// The same for 8-bit weights.
    var coarse: [Float]
    /// For each term the weights in 8 bits, as they lie in the term; none for synapses that are no gathered ones.
    var levels: [[Int8]] = []
    /// The most that a step's synapses and constants can add, in the unit of currents.
    var currentBound = 0
    /// The most that a membrane holds without what arrives: its start, what a reset leaves.
    var restingBound = 0
    /// What the analog part of a current is limited to.
    var offsetLimit: Float = 0
    /// How far weights in 8 bits move the layer's activations, as a share of their range (``Resolution``).
    var error = 0.0

    init(channels: Int) {
        fine = [Float](repeating: 1, count: channels)
        coarse = fine
    }

    /// Why a layer's numbers are no whole numbers.
    struct NotWhole: Error {
        var reason: String
    }

    /// Units for whole numbers.
    ///
    /// Nothing may overflow. With P the most that a step's synapses add, L the limit of what comes beside them and g = 2^T of a radix code
    /// (1 of others): g · P and L stay within 2^28, so that no sum of them leaves 32 bits; of a rate code T · (P + L) does too, if that
    /// leaves enough of a unit, and beyond the steps for which it holds kernels limit membranes at 2^29 and count (``NeuronStage/provenSteps``).
    ///
    /// - Parameters:
    ///   - parameters: of the neurons that integrate it.
    ///   - activations: by channel, what the layer's spikes stand for; weighs the channels' errors.
    /// - Throws: ``NotWhole`` where 8 bits cannot say the layer.
    init(
        _ expression: Expression, parameters: NeuronParameters, signals: [Signal], description: SpikingDescription, activations: [Float]
    ) throws(NotWhole) {
        self.init(channels: expression.layout.channels)
        isInteger = true
        let threshold = parameters.threshold
        guard threshold > 0 else { throw NotWhole(reason: "its threshold is not above 0") }
        let demands = Demand.of(expression, signals: signals, digits: parameters.rule.exponent.map { $0 + 1 })
        guard demands.allSatisfy({ $0.sum.isFinite && $0.offset.isFinite }) else { throw NotWhole(reason: "a weight is not finite") }
        let most = demands.map(\.largest).max() ?? 0
        guard most <= 127 * threshold else {
            throw NotWhole(
                reason: "a weight is \(Self.rounded(Double(most / threshold))) thresholds; 8 bits tell up to 127 from each other")
        }
        let spikes = parameters.encoding == .counts ? Double(parameters.rule.limit) : 1
        let growth = Double(1 << parameters.rule.doublings)
        let room = Double(SPIKE_MEMBRANE_LIMIT) / 2
        // What a membrane rests at, in thresholds.
        let offsets = parameters.initialOffsets.isEmpty ? [Float](repeating: 0, count: demands.count) : parameters.initialOffsets
        let resting = offsets.map { Double(max(abs(parameters.initial + $0), abs(parameters.reset ?? 0)) / threshold) }

        coarse = zip(demands, resting).map { demand, resting in
            // Rounding may add to a sum; a quarter is more than it does where N is limited by the room. Nothing doubles a constant.
            let reach = (Double(demand.sum / threshold) + spikes + resting) * growth + Double(demand.offset / threshold)
            let fitting = 0.75 * room / reach
            let wanted = demand.largest > 0 ? Double(127 * threshold / demand.largest) : 127
            return Float(max(1, min(wanted, demand.enough, fitting).rounded(.down))) / threshold
        }
        levels = expression.terms.map { term in
            guard case .spikes = term.source, case .dense(let weights, let features, let window) = term.synapses else { return [] }
            let units = Array(coarse[term.firstTarget..<term.firstTarget + features])
            return WeightLevels.rounded(weights, features: features, places: window.places, units: units)
        }
        let bounds = Demand.bounds(expression, signals: signals, levels: levels, coarse: coarse)
        let constants = zip(demands, coarse).map { Double($0.offset * $1) + 1 }
        // What a channel has to hold in `count` steps: its synapses, and as many spikes as it can send.
        let isRadix = parameters.rule.exponent != nil
        func need(_ count: Double) -> Double {
            demands.indices.map { channel in
                let doubled = bounds[channel] + (spikes + resting[channel]) * Double(coarse[channel] * threshold)
                return isRadix ? doubled * growth + constants[channel] : (doubled + constants[channel]) * count
            }
            .max() ?? 0
        }
        guard need(1) <= room else { throw NotWhole(reason: "its sums do not fit whole numbers of 32 bits") }

        let isAnalog = if case .evaluated = expression.offset { true } else { false }
        let steps = Double(max(description.steps ?? 32, 32))
        func fits(_ shift: Int, _ count: Double, headroom: Double = 1) -> Bool { need(count) * headroom * Double(1 << shift) <= room }
        if isRadix {
            // A real-valued current of several times the range should be what it is.
            shift = (0...8).last { fits($0, 1, headroom: isAnalog ? 8 : 1) } ?? (0...8).last { fits($0, 1) } ?? 0
        } else {
            // Biases add up over the steps: a unit of a 512th of the threshold comes before the proof.
            let smallest = Double(coarse.min() ?? 1) * Double(threshold)
            let least = (0...8).first { smallest * Double(1 << $0) >= 512 } ?? 8
            shift = (least...8).last { fits($0, steps) } ?? (0...least).last { fits($0, 8) } ?? 0
        }
        let factor = Float(1 << shift)
        fine = coarse.map { $0 * factor }
        // Constants come in each step of a rate code.
        currentBound = Int((zip(bounds, constants).map { $0 + (isRadix ? 0 : $1) }.max() ?? 0).rounded(.up)) << shift
        restingBound = demands.indices.map { Int((resting[$0] + spikes) * Double(fine[$0] * threshold)) }.max() ?? 0
        let values = expression.terms.count { if case .values = $0.source { true } else { false } } + (isAnalog ? 1 : 0)
        // Limited to what makes a neuron fire in each step, or never, whatever its synapses say, a current that does not change is as good
        // as what it was.
        let isProven = fits(shift, steps)
        let usual = isRadix ? room : isProven ? room / steps : 8 * need(1) * Double(factor)
        offsetLimit = Float(min(usual, (2 * room - Double(currentBound)) / Double(max(1, values))).rounded(.down))
        let resolution = Resolution(expression, units: self, parameters: parameters, signals: signals, description: description)
        error = resolution.error(activations)
        if let worst = resolution.rounding.max(), worst > Resolution.mostOfChannel {
            throw NotWhole(reason: "8-bit weights would move a channel's current by about \(Resolution.percent(worst)) of its range")
        }
    }

    private static func rounded(_ value: Double) -> String { value < 1e6 ? "\(Int(value.rounded()))" : "\(value)" }
}
