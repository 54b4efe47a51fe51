internal import SpikeGraph
internal import SpikeReference

/// Positions of elements that are counted on from sample to sample: stride · n + offset, n the sample.
///
/// PyTorch's dynamo exporter writes `as_strided` so, as it does for what it takes for a view of an oddly laid out mean: all
/// samples in one long row, and `Range(0, N) · stride + offsets` to gather from it. Where a sample's positions stay inside the
/// sample this is a reshape, or a gather within each sample.
struct BatchIndices {
    /// From a sample to the next.
    var stride: Int
    /// int64; its shape is the value's with 1 in place of the batch.
    var offsets: Tensor
    /// The axis of the samples.
    var batchAxis: Int

    /// What `Range(0, N)` gives.
    static let samples = BatchIndices(stride: 1, offsets: Tensor([Int64(0)], shape: [1]), batchAxis: 0)

    var type: ValueType {
        var dimensions = offsets.shape.map { Dimension($0) }
        dimensions[batchAxis] = .batch
        return ValueType(.int64, Shape(dimensions))
    }

    /// Sums with, and products by constants.
    ///
    /// - Returns: `nil` where neither operand is of this kind, or the result is not.
    static func combine(_ a: Value, _ b: Value, _ function: Binary.Function) throws -> BatchIndices? {
        switch (a, b) {
        case (.batchIndices(let indices), .constant(_, let constant)), (.constant(_, let constant), .batchIndices(let indices)):
            return try indices.combined(with: constant, function)
        default: return nil
        }
    }

    private func combined(with constant: Tensor, _ function: Binary.Function) throws -> BatchIndices? {
        guard case .int64(let numbers) = constant.storage, numbers.allSatisfy({ $0.magnitude <= SizeVector.limit }) else { return nil }
        var result = self
        switch function {
        case .multiply:
            guard numbers.count == 1, constant.rank <= offsets.rank else { return nil }
            let (product, overflow) = stride.multipliedReportingOverflow(by: Int(numbers[0]))
            guard !overflow, product.magnitude <= SizeVector.limit else { return nil }
            result.stride = product
        case .add:
            // Aligned at the last axis, as NumPy does; over the samples a constant has to be the same.
            let axis = constant.rank - (offsets.rank - batchAxis)
            guard axis < 0 || constant.shape[axis] == 1 else { return nil }
            result.batchAxis += max(0, constant.rank - offsets.rank)
        default: return nil
        }
        result.offsets = try ReferenceExecutor.evaluate(.binary(Binary(function)), [offsets, constant])[0]
        guard case .int64(let sums) = result.offsets.storage, sums.allSatisfy({ $0.magnitude <= SizeVector.limit }) else { return nil }
        return result
    }

    /// With new axes of size 1.
    func unsqueezed(_ axes: Set<Int>) -> BatchIndices {
        var rest = offsets.shape[...]
        var shape: [Int] = []
        var batch = 0
        for axis in 0..<offsets.rank + axes.count {
            if axes.contains(axis) {
                shape.append(1)
            } else {
                if offsets.rank - rest.count == batchAxis { batch = axis }
                shape.append(rest.popFirst() ?? 1)
            }
        }
        return BatchIndices(stride: stride, offsets: offsets.reshaped(to: shape), batchAxis: batch)
    }

    /// What these positions gather from a long row of all samples' elements.
    ///
    /// - Throws: where they reach out of a sample.
    func gather(from data: Value, _ node: NodeContext) throws -> [Value] {
        let row = data.type?.shape.dimensions ?? []
        guard row == [Dimension(0, batchFactor: stride)], batchAxis == 0, case .int64(let places) = offsets.storage,
            places.allSatisfy({ $0 >= 0 && $0 < stride })
        else {
            throw SpikeletError(
                .unsupported, "it gathers by positions that depend on the batch",
                remedy: "samples must stay apart; as_strided comes from views of permuted tensors: write .contiguous() in front of them")
        }
        let rest = Array(offsets.shape.dropFirst())
        func reshape(_ value: Value, _ sizes: [Int]) throws -> Value {
            let sizes: [Reshape.Size] = [Reshape.Size(.batch)] + sizes.map { Reshape.Size(Dimension($0)) }
            return try node.builder.emit(.reshape(Reshape(sizes: sizes)), [value], source: node.index)
        }
        if places == (0..<Int64(stride)).map({ $0 }) { return [try reshape(data, rest)] }
        let indices = node.builder.constant(offsets.reshaped(to: rest))
        return try node.emit(.gather(Gather(axis: 1)), [reshape(data, [stride]), indices])
    }
}
