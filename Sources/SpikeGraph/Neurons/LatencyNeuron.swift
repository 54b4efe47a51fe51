import Foundation

/// A neuron that sends its potential as one spike, or as two, each of which stands for the more the earlier it comes; layer-synchronous.
///
///     integrating, t = 1…T:   u ← B·u + I(t)
///     emitting, t = 1…T:      s(t) = [u ≥ τ·B^(T−t)] while fewer than n spikes are sent,   u ← u − B^(T−t)·s(t)
///
/// in units of what a spike in the last step stands for, θ·B^(1−T): a ``VoltageScaler`` of one over it stands in front, one of it behind.
/// The last spike that a neuron may send goes to the nearest level, τ = (1 + 1/B)/2. A spike that another may follow waits where
/// two later ones come nearer: τ is halfway between 1 and the largest 1/B + B^(−k) below 1. Together that is max(0, x), rounded to the levels
/// θ·B^(1−t), or to sums of two of them, and clipped.
/// Biases and real-valued inputs arrive with the last input step only, so that no growth reaches them.
///
/// Sources: time-to-first-spike codes with exponential kernels (Rueckauer and Liu, ISCAS 2018; Park et al., "T2FSNN", DAC 2020), here
/// with each layer waiting for the one in front of it; logarithmic levels (Miyashita et al., 2016).
public struct LatencyNeuron: Neuron {
    public static let kind = "LatencyNeuron"
    public static let schedules: Set<SpikingDescription.Schedule> = [.layerSynchronous]

    /// T.
    public var steps: Int
    /// B: what a spike is worth against one a step later.
    public var base: Float
    /// n, the most spikes of a neuron.
    public var mostSpikes: Int

    /// - Throws: for fewer than 1 or more than 64 steps; for a base that is not above 1, or gives levels further apart than 2²³; for other
    ///   numbers of spikes than 1 and 2.
    public init(steps: Int, base: Float, mostSpikes: Int = 1) throws {
        (self.steps, self.base, self.mostSpikes) = (steps, base, mostSpikes)
        try validate()
    }

    public func validate() throws {
        guard (1...64).contains(steps) else {
            throw SpikeletError(.invalidOption, "a latency code of \(steps) steps", remedy: "T is from 1 to 64; 8 to 32 are usual")
        }
        guard base > 1, base.isFinite else {
            throw SpikeletError(
                .invalidOption, "a latency code of base \(base)",
                remedy: "an earlier spike has to stand for more: B is above 1, such as 1.19")
        }
        guard pow(Double(base), Double(steps - 1)) <= Double(1 << 23) else {
            throw SpikeletError(
                .invalidOption, "a latency code of \(steps) steps of base \(base): its first spike is worth more than 2^23 of its last",
                remedy: "choose fewer steps or a smaller base")
        }
        guard (1...2).contains(mostSpikes) else {
            throw SpikeletError(.invalidOption, "a latency code of \(mostSpikes) spikes a neuron", remedy: "give 1 or 2")
        }
    }

    public var currentOfSpike: NeuronParameter { 1 }
    public var spikesPerStep: ClosedRange<Int>? { 0...1 }

    /// What a spike stands for in each step, in units of the last.
    public var weights: [Float] { (0..<steps).map { Float(pow(Double(base), Double(steps - 1 - $0))) } }

    /// The share of a step's weight that a potential has to reach: for a spike that others may follow, and for the last.
    public var shares: (first: Float, last: Float) {
        let (base, last) = (Double(base), (1 + 1 / Double(base)) / 2)
        guard mostSpikes > 1 else { return (Float(last), Float(last)) }
        // Not beyond a spike's own weight over the range, of bases near 1.
        let pair = (2..<max(3, steps)).lazy.map { 1 / base + pow(base, -Double($0)) }.first { $0 < 1 } ?? 1 / base
        return (Float((1 + pair) / 2), Float(last))
    }

    /// The potentials from which a neuron sends more, ascending, and what it then sends, in units of the last step's spike.
    public var levels: [(from: Double, value: Double, spikes: Int)] {
        let (weights, shares) = (weights.map { Double($0) }, shares)
        let (first, last) = (Double(shares.first), Double(shares.last))
        var found: [(from: Double, value: Double, spikes: Int)] = []
        for step in weights.indices.reversed() {
            let from = first * weights[step]
            let end = step > 0 ? first * weights[step - 1] : .infinity
            found.append((from, weights[step], 1))
            guard mostSpikes > 1 else { continue }
            for later in ((step + 1)..<steps).reversed() {
                let start = weights[step] + last * weights[later]
                guard start < end else { break }
                found.append((start, weights[step] + weights[later], 2))
            }
        }
        return found
    }

    public func integrate(_ current: Tensor, state: inout NeuronState, at time: TimeStep) {
        state.add(current, afterScaling: base)
    }

    /// What a potential has to reach in each step, for the last spike and for one that another may follow.
    package struct Ladder: Sendable {
        /// What a spike stands for, in units of the last step's.
        package let weights: [Float]
        package let first: [Float]
        package let last: [Float]
        package let mostSpikes: Int

        package init(_ neuron: LatencyNeuron) {
            let shares = neuron.shares
            weights = neuron.weights
            first = weights.map { shares.first * $0 }
            last = weights.map { shares.last * $0 }
            mostSpikes = neuron.mostSpikes
        }

        /// The steps in which a neuron of this potential sends spikes.
        package func steps(of potential: Float) -> [Int] {
            var (left, found) = (potential, [Int]())
            for (step, weight) in weights.enumerated() where found.count < mostSpikes {
                guard left >= (found.count == mostSpikes - 1 ? last : first)[step] else { continue }
                left -= weight
                found.append(step)
            }
            return found
        }
    }

    public func emit(_ state: inout NeuronState, at time: TimeStep) -> Tensor {
        let (weight, shares, most) = (weights[time.index], shares, Float(mostSpikes))
        let (first, last) = (shares.first * weight, shares.last * weight)
        return state.emit(remembering: "sent") { membrane, sent in
            // What is no number must not pass for silence: whoever counts the spikes says so.
            if membrane.isNaN { return membrane }
            guard sent < most, membrane >= (sent == most - 1 ? last : first) else { return 0 }
            membrane -= weight
            sent += 1
            return 1
        }
    }

    public func numbers(of potentials: Tensor) -> Tensor? {
        let levels = levels
        let starts = levels.map { Float($0.from) }
        let values = [0] + levels.map { Float($0.value) }
        return potentials.map { potential in
            var (low, high) = (0, starts.count)
            while low < high {
                let middle = (low + high) / 2
                if starts[middle] <= potential { low = middle + 1 } else { high = middle }
            }
            return values[low]
        }
    }

    public func rateStandIn(for reader: RateStandIn.Reader) -> RateStandIn? {
        let range = weights[0]
        return RateStandIn(
            [.init(threshold: range, gain: range, membrane: range / 2)],
            changes: [("latency codes", "rate codes of the same largest spike, not rounded to its levels")])
    }

    public var summary: String {
        "\(mostSpikes == 1 ? "one spike" : "up to \(mostSpikes) spikes") in \(steps) steps, base \(base)"
    }
}
