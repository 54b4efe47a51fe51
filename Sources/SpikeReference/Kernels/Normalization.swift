internal import Foundation
internal import SpikeGraph

extension Kernels {
    static func layerNormalization(_ normalization: LayerNormalization, _ inputs: [Tensor]) throws -> Tensor {
        let x = inputs[0]
        let axis = try Shape.axis(normalization.axis, rank: x.rank)
        let normal = standardized(
            x.floats, length: x.shape[axis...].reduce(1, *), epsilon: normalization.epsilon, isCentered: normalization.isCentered)
        let scaled = elementwise(Tensor(normal, shape: x.shape), inputs[1], *)
        return inputs.count > 2 ? elementwise(scaled, inputs[2], +) : scaled
    }

    static func groupNormalization(_ normalization: GroupNormalization, _ inputs: [Tensor]) -> Tensor {
        let x = inputs[0]
        let channels = x.shape[1]
        let (gamma, beta, size) = (inputs[1].floats, inputs[2].floats, x.shape[2...].reduce(1, *))
        let length = channels / (normalization.groups ?? channels) * size
        var values = standardized(x.floats, length: length, epsilon: normalization.epsilon, isCentered: true)
        for index in values.indices {
            let channel = index / size % channels
            values[index] = values[index] * gamma[channel] + beta[channel]
        }
        return Tensor(values, shape: x.shape)
    }

    /// Runs of `length` numbers, each with mean 0 and variance 1. Statistics are summed in float64.
    private static func standardized(_ x: [Float], length: Int, epsilon: Float, isCentered: Bool) -> [Float] {
        var values = x
        guard length > 0 else { return values }
        for start in stride(from: 0, to: values.count, by: length) {
            let range = start..<start + length
            let mean = isCentered ? x[range].reduce(0) { $0 + Double($1) } / Double(length) : 0
            let variance = x[range].reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(length)
            let factor = 1 / (variance + Double(epsilon)).squareRoot()
            for index in range { values[index] = Float((Double(x[index]) - mean) * factor) }
        }
        return values
    }

    static func localResponseNormalization(_ normalization: LocalResponseNormalization, _ x: Tensor) -> Tensor {
        let values = x.floats
        var output = values
        let (channels, size) = (x.shape[1], x.shape[2...].reduce(1, *))
        let before = (normalization.size - 1) / 2
        for sample in 0..<x.shape[0] {
            for channel in 0..<channels {
                let neighbours = max(0, channel - before)...min(channels - 1, channel - before + normalization.size - 1)
                for place in 0..<size {
                    let sum = neighbours.reduce(Float(0)) { sum, neighbour in
                        let value = values[(sample * channels + neighbour) * size + place]
                        return sum + value * value
                    }
                    let index = (sample * channels + channel) * size + place
                    let scale = normalization.bias + normalization.alpha / Float(normalization.size) * sum
                    output[index] = values[index] / pow(scale, normalization.beta)
                }
            }
        }
        return Tensor(output, shape: x.shape)
    }
}
