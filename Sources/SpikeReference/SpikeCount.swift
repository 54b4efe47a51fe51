package import SpikeGraph

extension Tensor {
    /// The spikes that a layer sends in a step, those taken back included. A neuron's number of spikes has no bound of its own where
    /// its rule sets none: only up to 2²⁴ float32 tells each number from the next.
    ///
    /// - Throws: ``SpikeletError`` where a number is not finite, or beyond that.
    package func spikeCount(of node: String) throws -> Int {
        var total = 0.0
        for value in floats {
            let count = abs(value)
            guard count <= Float(1 << 24) else {
                throw SpikeletError(
                    .invalidModel, "node '\(node)': a neuron sends \(value) spikes in a step",
                    remedy: "its current overflows, or its threshold is next to nothing: look at the weights before it")
            }
            total += Double(count)
        }
        return Int(total)
    }
}
