internal import SpikeGraph

extension Kernels {
    static func maxPool(_ window: Window, _ x: Tensor) throws -> Tensor {
        let table = try WindowTable(window, input: Array(x.shape[2...]))
        return fold(x, over: table, from: -.infinity) { max($0, $1) }
    }

    static func averagePool(_ pool: AveragePool, _ x: Tensor) throws -> Tensor {
        let table = try WindowTable(pool.window, input: Array(x.shape[2...]))
        let divisors = table.counts(countsPadding: pool.countsPadding).map { Float($0) }
        let sums = fold(x, over: table, from: 0, +)
        return elementwise(sums, Tensor(divisors, shape: table.output), /)
    }

    static func globalPool(_ x: Tensor, _ reduce: (ArraySlice<Float>) -> Float) -> Tensor {
        let size = x.shape[2...].reduce(1, *)
        let values = x.floats
        let output = (0..<x.shape[0] * x.shape[1]).map { reduce(values[$0 * size..<($0 + 1) * size]) }
        return Tensor(output, shape: Array(x.shape[..<2]) + x.shape[2...].map { _ in 1 })
    }

    /// Combines the values in each window that are no padding, place after place.
    @inline(__always)
    private static func fold(
        _ x: Tensor, over table: WindowTable, from start: Float, _ combine: (Float, Float) -> Float
    ) -> Tensor {
        let size = x.shape[2...].reduce(1, *)
        let planes = x.shape[0] * x.shape[1]
        var output = [Float](repeating: start, count: planes * table.positions)
        output.withUnsafeMutableBufferPointer { y in
            x.floats.withUnsafeBufferPointer { x in
                table.forEachPortion { places, offsets in
                    offsets.withUnsafeBufferPointer { offsets in
                        for plane in 0..<planes {
                            for place in 0..<places.count {
                                for position in 0..<table.positions {
                                    let offset = offsets[place * table.positions + position]
                                    guard offset >= 0 else { continue }
                                    let target = plane * table.positions + position
                                    y[target] = combine(y[target], x[plane * size + offset])
                                }
                            }
                        }
                    }
                }
            }
        }
        return Tensor(output, shape: Array(x.shape[..<2]) + table.output)
    }
}
