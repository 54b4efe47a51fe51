package import SpikeGraph

extension Tensor {
    /// The spikes that a layer sends in a step, those taken back included. A neuron's number of spikes has no bound of its own where
    /// its rule sets none: only up to 2²⁴ float32 tells each number from the next.
    ///
    /// - Throws: ``SpikeletError`` where a number is not finite, or beyond that.
    package func spikeCount(of node: String) throws -> Int {
        var total = 0.0
        for (position, value) in floats.enumerated() {
            let count = abs(value)
            guard !count.isNaN else {
                throw SpikeletError(
                    .invalidModel, "node '\(node)': the potential of the neuron at place \(place(position)) is no number",
                    remedy:
                        "look for a softmax whose row is masked whole: leave each row a score that is not −∞; else for weights that overflow"
                )
            }
            guard count <= Float(1 << 24) else {
                throw SpikeletError(
                    .invalidModel, "node '\(node)': a neuron sends \(value) spikes in a step",
                    remedy: "its current overflows, or its threshold is next to nothing: look at the weights before it")
            }
            total += Double(count)
        }
        return Int(total)
    }

    /// The indices of a flat position: sample, channel, ….
    package func place(_ position: Int) -> [Int] {
        var (rest, indices) = (position, [Int]())
        for size in shape.reversed() {
            indices.append(rest % max(1, size))
            rest /= max(1, size)
        }
        return indices.reversed()
    }
}
