import Foundation
import SpikeGraph

/// What a network says of its activations without any data: the mean and the variance of each channel, from batch
/// normalisations that are still in the file.
///
/// Behind a normalisation a channel is taken as normal with mean β and standard deviation |γ|: that is what training made of
/// it. From there moments are carried on: through ReLUs as those of a rectified normal distribution, through sums, pools,
/// convolutions and linear layers as if their terms were independent. Where nothing is known nothing is said.
struct ActivationMoments {
    /// Mean and variance of a channel.
    struct Moments: Hashable {
        var mean: Double
        var variance: Double
    }

    /// For each value that something is known of, its channels (axis 1).
    private(set) var channels: [String: [Moments]] = [:]

    init(_ graph: Graph) {
        for node in graph.nodes {
            channels[node.outputs[0]] = moments(of: node, in: graph)
        }
    }

    private func moments(of node: Node, in graph: Graph) -> [Moments]? {
        func known(_ position: Int = 0) -> [Moments]? { channels[node.inputs[position]] }
        func constant(_ position: Int) -> [Float]? { node.inputs.count > position ? graph.constants[node.inputs[position]]?.floats : nil }
        switch node.operator {
        case .batchNormalization:
            guard let gamma = constant(1), let beta = constant(2) else { return nil }
            return zip(gamma, beta).map { Moments(mean: Double($1), variance: Double($0) * Double($0)) }
        case .relu: return known()?.map { $0.rectified(bound: nil) }
        case .clip, .quantizer:
            guard graph.linearity(of: node) == .activation else { return nil }
            return known()?.map { $0.rectified(bound: node.operator.upperBound.map(Double.init)) }
        case .voltageScaler(let scaler): return known()?.scaled(by: scaler.scales)
        case .mul: return constant(1).flatMap { known()?.scaled(by: $0) }
        case .identity, .dropout, .maxPool, .averagePool, .globalMaxPool, .voltageHook: return known()
        case .globalAveragePool: return known()?.map { Moments(mean: $0.mean, variance: $0.variance / 4) }
        case .flatten, .reshape:
            guard let known = known(), let features = graph.types[node.outputs[0]]?.shape.dimensions.dropFirst().first?.known,
                features % known.count == 0
            else { return nil }
            return known.flatMap { [Moments](repeating: $0, count: features / known.count) }
        case .add:
            guard let a = known(0), let b = known(1), a.count == b.count else { return nil }
            return zip(a, b).map { Moments(mean: $0.mean + $1.mean, variance: $0.variance + $1.variance) }
        case .concat(let concat) where concat.axis == 1:
            let parts = node.inputs.map { channels[$0] }
            return parts.contains(nil) ? nil : parts.compactMap { $0 }.flatMap { $0 }
        case .conv(let conv):
            guard let known = known(), let weights = graph.constants[node.inputs[1]], known.count == weights.shape[1] * conv.groups else {
                return nil
            }
            return Self.weighted(known, weights, bias: constant(2), groups: conv.groups)
        case .gemm(let gemm):
            guard let known = known(), gemm.transposeB, gemm.alpha == 1, gemm.beta == 1, let weights = graph.constants[node.inputs[1]],
                known.count == weights.shape[1]
            else { return nil }
            return Self.weighted(known, weights, bias: constant(2), groups: 1)
        default: return nil
        }
    }

    /// Moments of weighted sums, weights `[O, C/groups, places…]`.
    private static func weighted(_ inputs: [Moments], _ weights: Tensor, bias: [Float]?, groups: Int) -> [Moments] {
        let (features, depth) = (weights.shape[0], weights.shape[1])
        let places = weights.shape[2...].reduce(1, *)
        let values = weights.floats
        return (0..<features).map { feature in
            var moments = Moments(mean: bias.map { Double($0[feature % $0.count]) } ?? 0, variance: 0)
            for channel in 0..<depth {
                let input = inputs[feature / (features / groups) * depth + channel]
                for place in 0..<places {
                    let weight = Double(values[(feature * depth + channel) * places + place])
                    moments.mean += weight * input.mean
                    moments.variance += weight * weight * input.variance
                }
            }
            return moments
        }
    }
}

extension ActivationMoments.Moments {
    /// Moments of min(bound, max(0, x)) for a normal x; a bound is taken as far out in the tail, and cuts the mean alone.
    func rectified(bound: Double?) -> Self {
        guard variance > 0 else { return Self(mean: min(max(0, mean), bound ?? .infinity), variance: 0) }
        let deviation = variance.squareRoot()
        let ratio = mean / deviation
        let density = exp(-ratio * ratio / 2) / (2 * Double.pi).squareRoot()
        let share = 0.5 * erfc(-ratio / 2.0.squareRoot())
        let first = min(mean * share + deviation * density, bound ?? .infinity)
        let second = (mean * mean + variance) * share + mean * deviation * density
        return Self(mean: first, variance: max(0, second - first * first))
    }

    /// The distribution of max(0, x) for a normal x, as a histogram of evenly spaced quantiles.
    var rectifiedHistogram: ActivationHistogram {
        let count = 4096
        let deviation = variance.squareRoot()
        var histogram = ActivationHistogram()
        histogram.add((0..<count).map { Float(mean + deviation * Self.normalQuantiles[$0]) })
        return histogram
    }

    /// The quantiles (i + ½)/4096 of the standard normal distribution, by bisection of its distribution function.
    private static let normalQuantiles: [Double] = (0..<4096).map { index in
        let share = (Double(index) + 0.5) / 4096
        var (low, high) = (-6.0, 6.0)
        for _ in 0..<50 {
            let middle = (low + high) / 2
            if 0.5 * erfc(-middle / 2.0.squareRoot()) < share { low = middle } else { high = middle }
        }
        return (low + high) / 2
    }
}

extension [ActivationMoments.Moments] {
    /// Those of products with a number, or with one a channel; `nil` for other numbers.
    fileprivate func scaled(by factors: [Float]) -> [ActivationMoments.Moments]? {
        guard factors.count == 1 || factors.count == count else { return nil }
        return enumerated().map { index, moments in
            let factor = Double(factors[factors.count == 1 ? 0 : index])
            return ActivationMoments.Moments(mean: factor * moments.mean, variance: factor * factor * moments.variance)
        }
    }
}
