internal import Foundation
public import SpikeGraph
internal import SpikeReference

/// What makes probabilities of a network's scores, where it ends in such a function.
package enum OutputFunction: Sendable, Hashable {
    case softmax, logSoftmax, sigmoid
}

extension Graph {
    /// The function that the first output ends in; what only passes its numbers on, or gives them another shape, is looked through.
    package var outputFunction: OutputFunction? {
        let producers = producers
        guard var value = outputs.first?.value else { return nil }
        while let node = producers[value], let input = node.inputs.first {
            switch node.operator {
            case .sigmoid: return .sigmoid
            case .softmax: return .softmax
            case .logSoftmax: return .logSoftmax
            case .identity, .dropout, .flatten, .reshape: value = input
            default: return nil
            }
        }
        return nil
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
                let probability = function == .sigmoid ? score : 1 / (1 + exp(-score))
                return max(probability, 1 - probability)
            }
        }
        let probabilities: Tensor
        switch function {
        case .softmax, .sigmoid: probabilities = output
        case .logSoftmax: probabilities = output.map { exp($0) }
        case nil:
            let rows = output.reshaped(to: [samples, classes])
            probabilities = try ReferenceExecutor.evaluate(.softmax(Softmax(axis: -1)), [rows])[0]
        }
        let values = probabilities.floats
        return (0..<samples).map { values[$0 * classes..<($0 + 1) * classes].max() ?? 0 }
    }
}
