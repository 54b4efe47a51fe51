internal import Foundation
public import SpikeGraph
internal import SpikeReference

/// What a network's scores go through at its end.
package enum OutputFunction: Sendable, Hashable {
    /// They become probabilities.
    case softmax, logSoftmax, sigmoid
    /// They keep their sign.
    case tanh
    /// What they mean is not known: a scaled sigmoid, a norm, boxes.
    case other
}

extension Graph {
    /// The function that the first output ends in; what only passes its numbers on, or gives them another shape, is looked through, and so
    /// are bounds that keep apart what its threshold does.
    package var outputFunction: OutputFunction? {
        let producers = producers
        guard var value = outputs.first?.value else { return nil }
        var isScaled = false
        var bounds: [ClosedRange<Float>] = []
        // Above `largest` values are told apart up to there, below `least` from there on.
        func known(_ function: OutputFunction?, least: Float, largest: Float) -> OutputFunction? {
            let areApart = bounds.allSatisfy { $0.lowerBound <= least && $0.upperBound > largest }
            return areApart && (function == nil || !isScaled) ? function : .other
        }
        while let node = producers[value], let input = node.inputs.first(where: { constants[$0] == nil }) {
            switch node.operator {
            case .sigmoid: return known(.sigmoid, least: 0.5, largest: 0.5)
            case .unary(let unary) where unary.function == .hardSigmoid: return known(.sigmoid, least: 0.5, largest: 0.5)
            case .unary(let unary) where unary.function == .tanh: return known(.tanh, least: 0, largest: 0)
            // Of many classes the largest probability may be small.
            case .softmax: return known(.softmax, least: 1e-3, largest: 0.5)
            case .logSoftmax: return known(.logSoftmax, least: -7, largest: -0.5)
            case .identity, .dropout, .flatten, .reshape, .transpose, .slice, .gather, .quantizer: break
            case .clip(let clip):
                let (least, largest) = (clip.minimum ?? -.infinity, clip.maximum ?? .infinity)
                guard least < largest else { return .other }
                bounds.append(least...largest)
            case .voltageScaler, .batchNormalization: isScaled = true
            case .mul, .add:
                guard node.inputs.contains(where: { constants[$0] != nil }) else { return linearity(of: node) == .nonlinear ? .other : nil }
                isScaled = true
            default: return linearity(of: node) == .nonlinear ? .other : known(nil, least: 0, largest: 0)
            }
            value = input
        }
        return known(nil, least: 0, largest: 0)
    }
}

extension Program {
    /// How sure the network is of its predictions: for each sample the probability of what its first output says.
    ///
    /// Of class scores `[N, classes]` it is the largest value of their softmax, of one score a sample (`[N]`, `[N, 1]`) the logistic
    /// function of its absolute value; a network that ends in a softmax, a log-softmax or a sigmoid says it itself.
    ///
    /// - Parameter output: the first output after any number of steps.
    /// - Throws: ``SpikeletError`` (`unsupported`) for several predictions a sample, as segmentation gives.
    public func confidences(_ output: Tensor) throws -> [Float] {
        guard output.elementType == .float32, let samples = output.shape.first else {
            throw SpikeletError(.invalidData, "an output of type \(ValueType(output))", remedy: "give the first output, [N, classes]")
        }
        let sizes = output.shape.dropFirst()
        guard sizes.dropFirst().allSatisfy({ $0 == 1 }) else {
            throw SpikeletError(
                .unsupported, "early exits of outputs of shape \(output.shape), with many predictions a sample",
                remedy: "a sample can stop early where it has one prediction: class scores [N, classes], or one score [N, 1]")
        }
        let function = graph.outputFunction
        guard let classes = sizes.first, classes > 1 else {
            return output.floats.map { score in
                // The probability of the first of two classes; the other has the rest.
                let probability = function == .sigmoid || function == .softmax ? score : 1 / (1 + exp(-score))
                return max(probability, 1 - probability)
            }
        }
        let probabilities: Tensor
        switch function {
        case .softmax, .sigmoid: probabilities = output
        case .logSoftmax: probabilities = output.map { exp($0) }
        case .tanh, .other, nil:
            let rows = output.reshaped(to: [samples, classes])
            probabilities = try ReferenceExecutor.evaluate(.softmax(Softmax(axis: -1)), [rows])[0]
        }
        let values = probabilities.floats
        return (0..<samples).map { values[$0 * classes..<($0 + 1) * classes].max() ?? 0 }
    }
}
