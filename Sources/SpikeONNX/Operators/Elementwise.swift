internal import SpikeGraph

/// Elementwise arithmetic on constants and on sizes, with NumPy's broadcasting.
enum Elementwise {
    /// The arithmetic of one operator in the element types that are folded.
    struct Rule: Sendable {
        let float: @Sendable (Float, Float) -> Float
        /// `nil` where the result is no int64.
        let integer: @Sendable (Int64, Int64) -> Int64?
        /// `nil` where the result depends on the batch in a way that ``Dimension`` cannot say.
        let size: @Sendable (Dimension, Dimension) -> Dimension?
    }

    static let add = Rule(float: { $0 + $1 }, integer: { checked($0.addingReportingOverflow($1)) }, size: { $0 + $1 })
    static let subtract = Rule(float: { $0 - $1 }, integer: { checked($0.subtractingReportingOverflow($1)) }, size: { $0 - $1 })
    static let multiply = Rule(float: { $0 * $1 }, integer: { checked($0.multipliedReportingOverflow(by: $1)) }, size: { $0 * $1 })
    /// ONNX's integer division truncates.
    static let divide = Rule(
        float: { $0 / $1 }, integer: { $1 == 0 ? nil : checked($0.dividedReportingOverflow(by: $1)) }, size: { $0 / $1 })
    static let maximum = Rule(
        float: { $0.isNaN || $1.isNaN ? .nan : max($0, $1) }, integer: { max($0, $1) }, size: { $0 == $1 ? $0 : nil })
    static let minimum = Rule(
        float: { $0.isNaN || $1.isNaN ? .nan : min($0, $1) }, integer: { min($0, $1) }, size: { $0 == $1 ? $0 : nil })

    private static func checked(_ result: (partialValue: Int64, overflow: Bool)) -> Int64? { result.overflow ? nil : result.partialValue }

    /// The result of constants or sizes; `nil` where an input is computed at run time.
    static func fold(_ a: Value, _ b: Value, _ rule: Rule, _ builder: GraphBuilder) throws -> Value? {
        if let x = a.tensor, let y = b.tensor {
            let shape = try Shape(x.shape).broadcast(with: Shape(y.shape))
            try builder.reserve(shape)
            switch (x.storage, y.storage) {
            case (.float32(let u), .float32(let v)):
                return builder.constant(Tensor(broadcast(u, x.shape, v, y.shape, to: shape, rule.float), shape: shape.resolved(batch: 1)))
            case (.int64(let u), .int64(let v)):
                let values = broadcast(u, x.shape, v, y.shape, to: shape, rule.integer)
                guard !values.contains(nil) else {
                    throw SpikeletError(.invalidModel, "integer arithmetic on constants divides by zero or overflows")
                }
                return builder.constant(Tensor(values.compactMap { $0 }, shape: shape.resolved(batch: 1)))
            default:
                throw SpikeletError(.invalidModel, "the inputs are \(x.elementType) and \(y.elementType); they have to be of one type")
            }
        }
        guard let x = SizeVector(a), let y = SizeVector(b) else { return nil }
        guard x.isSmall, y.isSmall, x.dimensions.count == y.dimensions.count || x.dimensions.count == 1 || y.dimensions.count == 1,
            !x.dimensions.isEmpty, !y.dimensions.isEmpty
        else { throw SpikeletError(.unsupported, "arithmetic on sizes that do not fit together, or are too large") }
        let count = max(x.dimensions.count, y.dimensions.count)
        let results = (0..<count).map { i in
            rule.size(x.dimensions[x.dimensions.count == 1 ? 0 : i], y.dimensions[y.dimensions.count == 1 ? 0 : i])
        }
        guard !results.contains(nil) else {
            throw SpikeletError(
                .unsupported, "sizes are computed from the batch size in a way that does not hold for every batch",
                remedy: "reshape with x.flatten(1), or export the model with a fixed batch")
        }
        return builder.value(SizeVector(results.compactMap { $0 }, isNumber: x.isNumber && y.isNumber))
    }

    private static func broadcast<A, R>(_ u: [A], _ a: [Int], _ v: [A], _ b: [Int], to shape: Shape, _ rule: (A, A) -> R) -> [R] {
        let sizes = shape.resolved(batch: 1)
        /// Steps through a tensor's memory for each axis of the result; 0 along axes that are repeated.
        func strides(_ own: [Int]) -> [Int] {
            var strides = [Int](repeating: 0, count: sizes.count)
            var step = 1
            for axis in own.indices.reversed() {
                strides[axis + sizes.count - own.count] = own[axis] == 1 ? 0 : step
                step *= own[axis]
            }
            return strides
        }
        let (s, t) = (strides(a), strides(b))
        var index = [Int](repeating: 0, count: sizes.count)
        var (i, j) = (0, 0)
        return (0..<sizes.reduce(1, *)).map { _ in
            let result = rule(u[i], v[j])
            for axis in sizes.indices.reversed() {
                index[axis] += 1
                i += s[axis]
                j += t[axis]
                if index[axis] < sizes[axis] { break }
                i -= s[axis] * sizes[axis]
                j -= t[axis] * sizes[axis]
                index[axis] = 0
            }
            return result
        }
    }
}

extension GraphBuilder {
    /// Sizes as a value: a plain constant where nothing depends on the batch.
    func value(_ sizes: SizeVector) -> Value {
        sizes.tensor.map(constant) ?? .sizes(sizes)
    }
}
