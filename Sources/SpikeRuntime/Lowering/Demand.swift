internal import CSpikeKernels

/// What a channel's current can come to: what the units of whole numbers are chosen by.
struct Demand {
    /// The largest of the weights that are to be in 8 bits; of a channel without them, of all its weights.
    var largest: Float = 0
    /// Σ |weight| over all spikes that can arrive in a step.
    var sum: Float = 0
    /// How many can arrive.
    var arrivals = 0.0
    /// |constant current|.
    var offset: Float = 0

    /// N beyond which nothing is gained: rounding n weights to a unit of θ/N moves a current by about √n/(14 N) thresholds where a
    /// quarter of the inputs spike, and moves no sum (``WeightLevels``). Inputs of more digits than the layer's own weigh so much less each.
    var enough: Double { max(4096, 128 * arrivals.squareRoot()) * range }
    /// What the most that an input sends is beside the most that the layer does, both in their last digits; 1 at least.
    var range = 1.0

    /// - Parameter digits: K of the layer, where it sends digits.
    static func of(_ expression: Expression, signals: [Signal], digits: Int?) -> [Demand] {
        var demands = [Demand](repeating: Demand(), count: expression.layout.channels)
        var own = [Float](repeating: 0, count: demands.count)
        for term in expression.terms {
            guard case .spikes(let number) = term.source else { continue }
            let spikes = signals[number].largestCount * (term.pool?.places ?? 1)
            let range = signals[number].range(besides: digits)
            term.forEachWeight { channel, weight in
                demands[channel].range = max(demands[channel].range, range)
                demands[channel].sum += abs(weight) * Float(spikes)
                if weight != 0 { demands[channel].arrivals += Double(spikes) }
                if case .dense = term.synapses {
                    demands[channel].largest = max(demands[channel].largest, abs(weight))
                } else {
                    own[channel] = max(own[channel], abs(weight))
                }
            }
        }
        for channel in demands.indices where demands[channel].largest == 0 { demands[channel].largest = own[channel] }
        if case .channels(let values) = expression.offset {
            for (channel, value) in values.enumerated() { demands[channel].offset = abs(value) }
        }
        return demands
    }

    /// The most that a step's synapses can add to each channel, in the unit of 8-bit weights, as they are once rounded.
    static func bounds(_ expression: Expression, signals: [Signal], levels: [[Int8]], coarse: [Float]) -> [Double] {
        var bounds = [Double](repeating: 0, count: expression.layout.channels)
        for (term, levels) in zip(expression.terms, levels) {
            guard case .spikes(let number) = term.source else { continue }
            let spikes = Double(signals[number].largestCount * (term.pool?.places ?? 1))
            if case .dense(_, let features, _) = term.synapses {
                let size = levels.count / max(1, features)
                for feature in 0..<features {
                    let sum = levels[feature * size..<(feature + 1) * size].reduce(0) { $0 + Int($1.magnitude) }
                    bounds[term.firstTarget + feature] += Double(sum) * spikes
                }
            } else {
                // Rounded to this unit at worst.
                term.forEachWeight { channel, weight in bounds[channel] += (Double(abs(weight) * coarse[channel]) + 0.5) * spikes }
            }
        }
        return bounds
    }
}

extension Signal {
    /// How many times what a layer of so many digits can say, in units of its last one, spikes of this train can, in theirs.
    func range(besides own: Int?) -> Double {
        guard let digits, let own else { return 1 }
        return Double(sign: .plus, exponent: digits - own, significand: 1)
    }
}

extension Term {
    /// Each weight, and the channel of the value that it adds to.
    func forEachWeight(_ body: (_ channel: Int, _ weight: Float) -> Void) {
        switch synapses {
        case .identity: for (index, weight) in scale.enumerated() { body(firstTarget + index, weight) }
        case .depthwise(let weights, let window):
            for (index, weight) in weights.enumerated() { body(firstTarget + index / window.places, weight) }
        case .dense(let weights, let features, _):
            let size = max(1, weights.count / max(1, features))
            for (index, weight) in weights.enumerated() { body(firstTarget + index / size, weight) }
        }
    }
}
