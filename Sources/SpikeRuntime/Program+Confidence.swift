internal import Foundation
public import SpikeGraph
internal import SpikeReference

extension Program {
    /// How sure the network is of its answers: for each sample the largest probability that its first output gives.
    ///
    /// Of class scores it is the largest value of their softmax; a network that ends in a softmax, a log-softmax or a sigmoid
    /// says it itself.
    ///
    /// - Parameter output: the first output after any number of steps, `[N, classes]`.
    public func confidences(_ output: Tensor) throws -> [Float] {
        guard output.elementType == .float32, output.rank >= 1 else {
            throw SpikeletError(.invalidData, "an output of type \(ValueType(output))", remedy: "give the first output, [N, classes]")
        }
        let last = readout.first { $0.outputs.contains(graph.outputs[0].value) }
        let probabilities: Tensor
        switch last?.operator {
        case .softmax, .sigmoid: probabilities = output
        case .logSoftmax: probabilities = output.map { exp($0) }
        default:
            let rows = output.reshaped(to: [output.shape[0], output.count / max(1, output.shape[0])])
            probabilities = try ReferenceExecutor.evaluate(.softmax(Softmax(axis: -1)), [rows])[0]
        }
        let (values, size) = (probabilities.floats, probabilities.count / max(1, probabilities.shape[0]))
        return (0..<probabilities.shape[0]).map { values[$0 * size..<($0 + 1) * size].max() ?? 0 }
    }
}
