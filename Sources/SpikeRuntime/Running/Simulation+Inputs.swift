internal import SpikeGraph
internal import SpikeReference

// What a simulation is given: whether it fits, and its parts.

extension Simulation {
    /// Whether a run can be made of this.
    ///
    /// - Returns: the number of samples.
    func check(_ inputs: [Tensor], steps: Int, timeVarying: Bool, exitConfidence: Float?) throws -> Int {
        try program.code.check(steps: steps)
        let isStreaming = program.schedule == .streaming
        let digits = mostDigits ?? Limits.radixSteps
        if mostDigits != nil || program.code.kind == .radix, steps > digits {
            let code = "\(program.code.kind.rawValue) code"
            throw SpikeletError(.invalidOption, "\(steps) steps for a \(code) of \(digits)", remedy: "simulate \(digits) steps")
        }
        try checkSums(steps)
        if let exitConfidence {
            guard isStreaming else {
                throw SpikeletError(
                    .unsupported, "there is nothing to stop early in a network that runs layer by layer: its output comes in the last step",
                    remedy: "leave out the early exit, or use a streaming recipe")
            }
            guard exitConfidence > 0, exitConfidence <= 1 else {
                throw SpikeletError(.invalidOption, "an exit confidence of \(exitConfidence)", remedy: "give a probability, such as 0.95")
            }
        }
        guard timeVarying else { return try program.graph.check(inputs: inputs) }
        try program.spikingDescription.checkTimeVarying()
        if let short = inputs.first(where: { ($0.shape.first ?? 0) < steps }) {
            throw SpikeletError(
                .invalidData, "a time-varying input of shape \(short.shape) for \(steps) steps",
                remedy: "its first axis counts time steps: [T, N, …]")
        }
        return try (0..<steps).map { step in try program.graph.check(inputs: inputs.map { $0.step(step) }) }[0]
    }

    /// Whether running sums of pools have room for so many steps.
    func checkSums(_ steps: Int) throws {
        guard steps > mostSteps else { return }
        throw SpikeletError(
            .invalidOption, "\(steps) steps of a network with max pooling",
            remedy: "the engine simulates up to \(mostSteps) of this one before a reset")
    }

    /// Some samples of [T, N, …].
    static func samplesInTime(_ tensor: Tensor, _ range: Range<Int>) -> Tensor {
        let (steps, samples) = (tensor.shape[0], tensor.shape[1])
        let size = tensor.shape.dropFirst(2).reduce(1, *)
        func part<Value>(_ values: [Value]) -> [Value] {
            (0..<steps).flatMap { values[($0 * samples + range.lowerBound) * size..<($0 * samples + range.upperBound) * size] }
        }
        let storage: Tensor.Storage =
            switch tensor.storage {
            case .float32(let values): .float32(part(values))
            case .int64(let values): .int64(part(values))
            case .bool(let values): .bool(part(values))
            }
        return Tensor(storage: storage, shape: [steps, range.count] + tensor.shape.dropFirst(2))
    }
}
