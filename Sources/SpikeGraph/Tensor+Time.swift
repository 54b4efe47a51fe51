// Inputs that differ from step to step. What simulates a network takes one step after the other, `[T, N, …]`; data keep samples
// together, `[N, T, …]`, so that they can be taken apart and joined as all others are.

extension Tensor {
    /// One step of `[T, N, …]`: `[N, …]`.
    ///
    /// - Precondition: there is such a step.
    package func step(_ index: Int) -> Tensor { samples(index..<index + 1).reshaped(to: Array(shape.dropFirst())) }

    /// Their two first axes in the other order, and of the second only the first `count` places.
    fileprivate func swappingAxes(first count: Int) -> Tensor {
        let (rows, columns, size) = (shape[0], shape[1], shape.dropFirst(2).reduce(1, *))
        func swapped<Value>(_ values: [Value]) -> [Value] {
            var result: [Value] = []
            result.reserveCapacity(rows * count * size)
            for column in 0..<count {
                for row in 0..<rows { result += values[(row * columns + column) * size..<(row * columns + column + 1) * size] }
            }
            return result
        }
        let swappedShape = [count, rows] + shape.dropFirst(2)
        return switch elementType {
        case .float32: Tensor(swapped(floats), shape: swappedShape)
        case .int64: Tensor(swapped(integers), shape: swappedShape)
        case .bool: Tensor(swapped(booleans), shape: swappedShape)
        }
    }
}

extension [Tensor] {
    /// Time-varying samples, `[N, T, …]`, as a simulator takes them: the first `steps` steps, `[steps, N, …]`.
    ///
    /// - Throws: ``SpikeletError`` (`invalidData`) where they have fewer steps.
    package func stepsFirst(_ steps: Int) throws -> [Tensor] {
        try map { tensor in
            try tensor.checkSteps(steps)
            return tensor.swappingAxes(first: steps)
        }
    }

    /// The mean of time-varying samples, `[N, T, …]`, over their first `steps` steps, `[N, …]`: what their currents accumulate to, and so
    /// what an ANN is shown of them.
    ///
    /// - Throws: ``SpikeletError`` (`invalidData`) where they have fewer steps, or are no numbers of float32.
    package func mean(of steps: Int) throws -> [Tensor] {
        try map { tensor in
            try tensor.checkSteps(steps)
            guard tensor.elementType == .float32 else {
                throw SpikeletError(
                    .invalidData, "time-varying samples of \(tensor.elementType.rawValue) have no mean to show to the ANN",
                    remedy: "give float32, or leave out the ANN")
            }
            let (samples, frames, size) = (tensor.shape[0], tensor.shape[1], tensor.shape.dropFirst(2).reduce(1, *))
            return Tensor(
                tensor.withFloats { values in
                    (0..<samples * size).map { position in
                        let start = position / size * frames * size + position % size
                        let sum = (0..<steps).reduce(0.0) { $0 + Double(values[start + $1 * size]) }
                        return Float(sum / Double(steps))
                    }
                }, shape: [samples] + tensor.shape.dropFirst(2))
        }
    }
}

extension Tensor {
    fileprivate func checkSteps(_ steps: Int) throws {
        guard rank >= 2, shape[1] >= steps, steps > 0 else {
            throw SpikeletError(
                .invalidData, "time-varying samples of shape \(shape) for \(steps) steps",
                remedy: "their first two axes count samples and time steps: [N, T, …]")
        }
    }
}
