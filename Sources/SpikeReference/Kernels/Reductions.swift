internal import Foundation
internal import SpikeGraph

extension Kernels {
    static func reduceMean(_ reduce: ReduceMean, _ x: Tensor) throws -> Tensor {
        let layout = try ReductionLayout(x.shape, try reduce.reducedAxes(rank: x.rank), reduce.keepsDimensions)
        let sums = layout.fold(x.floats, from: 0, +)
        let divisor = Float(x.count / max(1, sums.count))
        return Tensor(sums.map { $0 / divisor }, shape: layout.output)
    }

    static func reduce(_ reduce: Reduce, _ x: Tensor) throws -> Tensor {
        let layout = try ReductionLayout(x.shape, try reduce.reducedAxes(rank: x.rank), reduce.keepsDimensions)
        switch x.storage {
        case .float32(let values): return Tensor(floats(reduce.function, values, layout), shape: layout.output)
        case .int64(let values):
            var overflow = false
            func checked(_ result: (partialValue: Int64, overflow: Bool)) -> Int64 {
                overflow = overflow || result.overflow
                return result.partialValue
            }
            let results =
                switch reduce.function {
                case .maximum: layout.fold(values, from: .min) { max($0, $1) }
                case .minimum: layout.fold(values, from: .max) { min($0, $1) }
                case .product: layout.fold(values, from: 1) { checked($0.multipliedReportingOverflow(by: $1)) }
                default: layout.fold(values, from: 0) { checked($0.addingReportingOverflow($1)) }
                }
            guard !overflow else { throw SpikeletError(.invalidData, "\(reduce.label) has no 64 bits") }
            return Tensor(results, shape: layout.output)
        case .bool(let values):
            let isMaximum = reduce.function == .maximum
            return Tensor(layout.fold(values, from: !isMaximum) { isMaximum ? $0 || $1 : $0 && $1 }, shape: layout.output)
        }
    }

    private static func floats(_ function: Reduce.Function, _ x: [Float], _ layout: ReductionLayout) -> [Float] {
        switch function {
        case .l1: layout.fold(x, from: 0) { $0 + abs($1) }
        case .l2: layout.fold(x, from: 0) { $0 + $1 * $1 }.map { $0.squareRoot() }
        case .logSum: layout.fold(x, from: 0, +).map { log($0) }
        case .logSumExp:
            {
                // The largest is taken out first, so that no exponential overflows.
                let largest = layout.fold(x, from: -.infinity) { max($0, $1) }
                let finite = largest.map { $0.isFinite ? $0 : 0 }
                let shifted = zip(x.indices, layout.targets).map { x[$0] - finite[$1] }
                return zip(layout.fold(shifted, from: 0) { $0 + exp($1) }, finite).map { log($0) + $1 }
            }()
        // A NaN stays one.
        case .maximum: layout.fold(x, from: -.infinity) { $0.isNaN || $1.isNaN ? .nan : max($0, $1) }
        case .minimum: layout.fold(x, from: .infinity) { $0.isNaN || $1.isNaN ? .nan : min($0, $1) }
        case .product: layout.fold(x, from: 1, *)
        case .sum: layout.fold(x, from: 0, +)
        case .sumSquare: layout.fold(x, from: 0) { $0 + $1 * $1 }
        }
    }

    static func argExtremum(_ arg: ArgExtremum, _ x: Tensor) throws -> Tensor {
        let axis = try Shape.axis(arg.axis, rank: x.rank)
        let (length, inner) = (x.shape[axis], x.shape[(axis + 1)...].reduce(1, *))
        func positions<Number: Comparable>(_ values: [Number]) -> [Int64] {
            (0..<values.count / length).map { row in
                let start = row / inner * length * inner + row % inner
                var best = 0
                for place in 1..<max(1, length) {
                    let (candidate, held) = (values[start + place * inner], values[start + best * inner])
                    let isBetter = arg.isMinimum ? candidate < held : candidate > held
                    if isBetter || arg.selectsLast && candidate == held { best = place }
                }
                return Int64(best)
            }
        }
        let shape = try arg.outputTypes([ValueType(x)], constants: [nil])[0].shape.resolved(batch: 0)
        return switch x.storage {
        case .int64(let values): Tensor(positions(values), shape: shape)
        default: Tensor(positions(x.floats), shape: shape)
        }
    }

    static func cumSum(_ cumSum: CumSum, _ x: Tensor) throws -> Tensor {
        let axis = try Shape.axis(cumSum.axis, rank: x.rank)
        let (length, inner) = (x.shape[axis], x.shape[(axis + 1)...].reduce(1, *))
        func sums<Number: AdditiveArithmetic>(_ values: [Number], _ add: (Number, Number) -> Number) -> [Number] {
            var result = values
            for row in 0..<values.count / max(1, length) {
                let start = row / inner * length * inner + row % inner
                var sum = Number.zero
                for step in 0..<length {
                    let place = start + (cumSum.isReverse ? length - 1 - step : step) * inner
                    let before = sum
                    sum = add(sum, values[place])
                    result[place] = cumSum.isExclusive ? before : sum
                }
            }
            return result
        }
        return switch x.storage {
        case .int64(let values): Tensor(sums(values, &+), shape: x.shape)
        default: Tensor(sums(x.floats, +), shape: x.shape)
        }
    }
}

/// Which result each element of a reduced tensor belongs to.
private struct ReductionLayout {
    /// The shape of the result.
    let output: [Int]
    private let kept: [Int]
    private let runs: Broadcast.Runs

    init(_ shape: [Int], _ axes: Set<Int>, _ keepsDimensions: Bool) throws {
        kept = shape.enumerated().map { axes.contains($0) ? 1 : $1 }
        runs = Broadcast.Runs(of: kept, in: shape)
        output = keepsDimensions ? kept : shape.enumerated().filter { !axes.contains($0.offset) }.map(\.element)
    }

    /// For each element in order, the flat place of its result.
    var targets: [Int] {
        runs.starts.flatMap { start in (0..<runs.length).map { start + $0 * runs.stride } }
    }

    /// Combines the elements of each result in order.
    @inline(__always)
    func fold<Number>(_ values: [Number], from start: Number, _ combine: (Number, Number) -> Number) -> [Number] {
        var results = [Number](repeating: start, count: kept.reduce(1, *))
        results.withUnsafeMutableBufferPointer { results in
            values.withUnsafeBufferPointer { values in
                guard !values.isEmpty else { return }
                for (row, target) in runs.starts.enumerated() {
                    for column in 0..<runs.length {
                        let place = target + column * runs.stride
                        results[place] = combine(results[place], values[row * runs.length + column])
                    }
                }
            }
        }
        return results
    }
}
