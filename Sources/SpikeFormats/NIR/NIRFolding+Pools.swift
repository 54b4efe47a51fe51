import SpikeGraph

/// Pools and flattening.
extension NIRFolding {
    mutating func averagePool(_ value: FoldedValue, _ pool: AveragePool, shape: [Int], _ node: Node) throws -> FoldedValue? {
        if value.isInterleaved { return try summed(value, pool.window, countsPadding: pool.countsPadding, node) }
        let sizes = Array(value.shape.dropFirst())
        let placement = try pool.window.placement(over: sizes)
        let window = pool.window
        let isPadded = (placement.padsBegin + placement.padsEnd).contains { $0 != 0 }
        // A window that sticks out has another divisor than the others.
        let isInside = sizes.indices.allSatisfy { axis in
            (placement.output[axis] - 1) * window.strides[axis] + (window.kernel[axis] - 1) * window.dilations[axis]
                < sizes[axis] + placement.padsBegin[axis] + placement.padsEnd[axis]
        }
        guard isInside, pool.countsPadding || !isPadded else {
            guard !profile.isArrays, sizes.count <= 2 else { return refuse(node, "average pooling whose divisor differs at the border") }
            return try summed(value, window, countsPadding: pool.countsPadding, node)
        }
        let divisor = Float(window.kernel.reduce(1, *))
        let isPlain = sizes.count == 2 && !isPadded && !window.dilations.contains { $0 != 1 }
        guard isPlain else {
            if profile.isExact { roundsOtherwise(node) }
            // Readers leave out the padding of pools: as a convolution it is safe.
            let kernel = SymmetricKernel(
                Conv(window: window, groups: value.channels),
                weight: Tensor(repeating: 1 / divisor, shape: [value.channels, 1] + window.kernel), over: sizes, placement: placement)
            guard let kernel else { return refuse(node, "uneven padding of a dilated pool") }
            let source = value.bias.isEmpty ? value : plain(value, for: node.name)
            var result = layer(source, kernel, bias: nil, shape: shape, base: node.name)
            result.most = source.most
            return result
        }
        return pooled(value, kernel: window.kernel, stride: window.strides, output: placement.output, node)
    }

    mutating func wholeAverage(_ value: FoldedValue, flattened isFlat: Bool, _ node: Node) throws -> FoldedValue? {
        let sizes = Array(value.shape.dropFirst())
        var result = value
        if value.isInterleaved {
            let window = Window(kernel: zip(sizes, value.phases).map { $0 * $1 })
            guard let made = try summed(value, window, countsPadding: false, node) else { return nil }
            result = made
        } else if sizes.reduce(1, *) > 1 {
            if sizes.count == 2 {
                guard let made = pooled(value, kernel: sizes, stride: sizes, output: [1, 1], node) else { return nil }
                result = made
            } else {
                let pool = AveragePool(window: Window(kernel: sizes))
                guard let made = try averagePool(value, pool, shape: [value.channels] + sizes.map { _ in 1 }, node) else { return nil }
                result = made
            }
        }
        return isFlat ? flattened(result, node) : result
    }

    /// - Parameter isSum: whether the window is summed up, and not averaged.
    mutating func pooled(
        _ value: FoldedValue, kernel: [Int], stride: [Int], output: [Int], _ node: Node, isSum: Bool = false
    ) -> FoldedValue? {
        let value = profile.isExact ? plain(value, for: node.name) : value
        let size = Float(kernel.reduce(1, *))
        let isAverage = profile.averages && !(profile.isExact && isSum)
        func scaled(_ number: Float) -> Float {
            switch (isSum, isAverage) {
            case (false, false): number / size
            case (true, true): number * size
            default: number
            }
        }
        var terms: [FoldedValue.Term] = []
        for group in groups(value) {
            let name = add(.pool(NIRPool(isAverage: isAverage, kernel: kernel, stride: stride, padding: [0, 0])), named: node.name)
            connect(group.map(\.node), to: name)
            terms.append(
                .init(node: name, shape: [group[0].shape[0]] + output, scale: group[0].scale.map(scaled), offset: group[0].offset))
        }
        return FoldedValue(
            terms: terms, bias: isSum ? value.bias.map { $0 * size } : value.bias, shape: [value.channels] + output,
            most: isSum ? value.most?.map { $0 * size } : value.most)
    }

    mutating func flattened(_ value: FoldedValue, _ node: Node) -> FoldedValue? {
        // Interleaved places are in another order than a Flatten's.
        if value.shape.count == 1 || profile.flattensSamples || value.isInterleaved { return value }
        let size = value.shape.dropFirst().reduce(1, *)
        var terms: [FoldedValue.Term] = []
        for group in groups(value) {
            let name = add(.flatten(NIRFlatten(inputShape: group[0].shape)), named: node.name)
            connect(group.map(\.node), to: name)
            terms.append(
                .init(
                    node: name, shape: [group[0].shape[0] * size],
                    scale: group[0].scale.flatMap { [Float](repeating: $0, count: size) }, offset: group[0].offset * size))
        }
        return FoldedValue(
            terms: terms, bias: value.bias.flatMap { [Float](repeating: $0, count: size) }, shape: [value.channels * size],
            most: value.most?.flatMap { [Float](repeating: $0, count: size) })
    }

    /// Whether it only sums up a window of each channel: so SumPool2d is read.
    func isSumPool(_ conv: Conv, _ weight: Tensor, _ bias: Tensor?, _ placement: Window.Placement) -> Bool {
        conv.window.rank == 2 && weight.shape[0] == conv.groups && weight.shape[1] == 1 && bias == nil
            && !(placement.padsBegin + placement.padsEnd).contains { $0 != 0 } && !conv.window.dilations.contains { $0 != 1 }
            && !conv.window.ceilMode && weight.floats.allSatisfy { $0 == 1 }
    }
}
