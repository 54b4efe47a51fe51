extension Graph {
    /// Checks that tensors fit the inputs: number, types, shapes, one batch size, no NaN or infinity (unless the network itself
    /// asks for them).
    ///
    /// - Returns: the batch size.
    /// - Throws: ``SpikeletError`` that says which input does not fit, and what would.
    @discardableResult
    public func check(inputs tensors: [Tensor]) throws -> Int {
        guard tensors.count == inputs.count else {
            throw SpikeletError(
                .invalidData,
                "\(tensors.count == 1 ? "1 input is" : "\(tensors.count) inputs are") given, the network takes \(inputs.count)",
                remedy: "its inputs are: " + inputs.map { "\($0.name) \($0.type)" }.joined(separator: ", "))
        }
        // The first open axis decides. Where no input has one, the network's own first axis is the batch.
        let open = zip(inputs, tensors).lazy.compactMap { $0.type.openBatch(of: $1) }.first
        let batch = open ?? fixedBatch ?? 1
        for (input, tensor) in zip(inputs, tensors) {
            guard tensor.elementType == input.type.elementType, tensor.shape == input.type.shape.sizes(batch: batch) else {
                throw SpikeletError(
                    .invalidData, "input '\(input.name)' is \(ValueType(tensor)), the network takes \(input.type)",
                    remedy: remedy(for: tensor, at: input))
            }
            guard batch > 0 else {
                throw SpikeletError(.invalidData, "input '\(input.name)' holds no samples", remedy: "give at least one sample")
            }
            if let position = tensor.firstNonFinite, !asksForNonFinite {
                throw SpikeletError(
                    .invalidData,
                    "input '\(input.name)' holds \(tensor.floats[position]) in sample \(position * batch / max(1, tensor.count))",
                    remedy: "remove NaN and infinity from the data")
            }
        }
        return batch
    }

    private var asksForNonFinite: Bool {
        nodes.contains { node in
            if case .unary(let unary) = node.operator { return unary.function == .isNaN || unary.function == .isInf }
            return false
        }
    }

    /// What to do about a tensor of the wrong type.
    private func remedy(for tensor: Tensor, at input: Input) -> String {
        if let sizes = input.type.shape.known, sizes.count == tensor.rank, let batch = sizes.first,
            sizes.dropFirst() == tensor.shape.dropFirst()
        {
            return
                "the model was exported for exactly \(batch) sample\(batch == 1 ? "" : "s") at a time: give so many (`batchSize: \(batch)`), "
                + "or export it with an open first axis"
        }
        let wanted = input.type.shape.dimensions
        if tensor.rank == wanted.count + 1, !wanted.isEmpty,
            zip(wanted.dropFirst(), tensor.shape.dropFirst(2)).allSatisfy({ $0.known ?? $1 == $1 })
        {
            return "if each time step has its own input, [T, N, …], simulate and evaluate take it with `timeVarying: true`"
        }
        return "N is the number of samples; images are [N, channels, height, width], float32"
    }
}

extension ValueType {
    /// The batch size at which this type would be the tensor's, judged by the first open axis; `nil` without one.
    fileprivate func openBatch(of tensor: Tensor) -> Int? {
        guard tensor.rank == shape.rank else { return nil }
        for (dimension, size) in zip(shape.dimensions, tensor.shape) where dimension.batchFactor > 0 {
            let (open, overflow) = size.subtractingReportingOverflow(dimension.constant)
            return overflow ? nil : open / dimension.batchFactor
        }
        return nil
    }
}
