internal import SpikeGraph

extension Kernels {
    static func maxPool(_ window: Window, _ x: Tensor) throws -> Tensor {
        try pool(window, x) { values, _ in values.max() ?? -.infinity }
    }

    static func averagePool(_ pool: AveragePool, _ x: Tensor) throws -> Tensor {
        try self.pool(pool.window, x) { values, paddedCount in
            values.reduce(0, +) / Float(pool.countsPadding ? paddedCount : values.count)
        }
    }

    static func globalPool(_ x: Tensor, _ reduce: (ArraySlice<Float>) -> Float) -> Tensor {
        let size = x.shape[2...].reduce(1, *)
        let values = x.floats
        let output = (0..<x.shape[0] * x.shape[1]).map { reduce(values[$0 * size..<($0 + 1) * size]) }
        return Tensor(output, shape: Array(x.shape[..<2]) + x.shape[2...].map { _ in 1 })
    }

    /// Applies `reduce` to the values in each window that are no padding.
    private static func pool(_ window: Window, _ x: Tensor, _ reduce: (ArraySlice<Float>, Int) -> Float) throws -> Tensor {
        let table = try WindowTable(window, input: Array(x.shape[2...]))
        let size = x.shape[2...].reduce(1, *)
        let values = x.floats
        var output: [Float] = []
        output.reserveCapacity(x.shape[0] * x.shape[1] * table.positions)
        var inside = [Float](repeating: 0, count: table.places)
        for plane in 0..<x.shape[0] * x.shape[1] {
            for position in 0..<table.positions {
                var count = 0
                for place in 0..<table.places {
                    let offset = table.offsets[place * table.positions + position]
                    guard offset >= 0 else { continue }
                    inside[count] = values[plane * size + offset]
                    count += 1
                }
                output.append(reduce(inside[..<count], table.paddedCounts[position]))
            }
        }
        return Tensor(output, shape: Array(x.shape[..<2]) + table.output)
    }

    static func reduceMean(_ reduce: ReduceMean, _ x: Tensor) throws -> Tensor {
        let reduced = try reduce.reducedAxes(rank: x.rank)
        let kept = x.shape.enumerated().map { reduced.contains($0) ? 1 : $1 }
        var sums = [Float](repeating: 0, count: kept.reduce(1, *))
        for (target, value) in zip(Broadcast.indices(of: kept, in: x.shape), x.floats) { sums[target] += value }
        let divisor = Float(x.count / max(1, sums.count))
        let shape = reduce.keepsDimensions ? kept : x.shape.enumerated().filter { !reduced.contains($0.offset) }.map(\.element)
        return Tensor(sums.map { $0 / divisor }, shape: shape)
    }
}
