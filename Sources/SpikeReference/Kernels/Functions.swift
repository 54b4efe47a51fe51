internal import Foundation
internal import SpikeGraph

extension Kernels {
    /// - Throws: for the negation of the smallest integer.
    static func unary(_ unary: Unary, _ x: Tensor) throws -> Tensor {
        switch x.storage {
        case .float32(let values):
            switch unary.function {
            case .isNaN: Tensor(values.map(\.isNaN), shape: x.shape)
            case .isInf:
                Tensor(values.map { $0.isInfinite && unary.parameters[$0 > 0 ? 0 : 1] != 0 }, shape: x.shape)
            default: Tensor(map(unary.function, unary.parameters, values), shape: x.shape)
            }
        case .int64(let values): Tensor(try values.map { try integer(unary.function, $0) }, shape: x.shape)
        case .bool(let values): Tensor(values.map { !$0 }, shape: x.shape)
        }
    }

    private static func integer(_ function: Unary.Function, _ x: Int64) throws -> Int64 {
        guard x != .min else { throw SpikeletError(.invalidData, "\(x) has no opposite in 64 bits") }
        return switch function {
        case .negate: -x
        case .sign: x.signum()
        default: abs(x)
        }
    }

    private static func map(_ function: Unary.Function, _ parameters: [Float], _ x: [Float]) -> [Float] {
        let alpha = parameters.first ?? 0
        let beta = parameters.count > 1 ? parameters[1] : 0
        func softplus(_ x: Float) -> Float { x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)) }
        return switch function {
        case .abs: x.map { Swift.abs($0) }
        case .acos: x.map { acos($0) }
        case .acosh: x.map { acosh($0) }
        case .asin: x.map { asin($0) }
        case .asinh: x.map { asinh($0) }
        case .atan: x.map { atan($0) }
        case .atanh: x.map { atanh($0) }
        case .ceil: x.map { $0.rounded(.up) }
        case .celu: x.map { max(0, $0) + min(0, alpha * expm1($0 / alpha)) }
        case .cos: x.map { cos($0) }
        case .cosh: x.map { cosh($0) }
        case .elu: x.map { $0 > 0 ? $0 : alpha * expm1($0) }
        case .erf: x.map { erf($0) }
        case .exp: x.map { exp($0) }
        case .gelu where alpha == 0: x.map { 0.5 * $0 * (1 + erf($0 / Float(2).squareRoot())) }
        case .gelu: x.map { 0.5 * $0 * (1 + tanh(0.797_884_56 * ($0 + 0.044715 * $0 * $0 * $0))) }
        // In this order a NaN stays one.
        case .hardSigmoid: x.map { max(min(alpha * $0 + beta, 1), 0) }
        case .hardSwish: x.map { $0 * max(0, min(1, $0 / 6 + 0.5)) }
        case .isInf, .isNaN, .not: x
        case .leakyRelu: x.map { $0 < 0 ? alpha * $0 : $0 }
        case .log: x.map { log($0) }
        case .mish: x.map { $0 * tanh(softplus($0)) }
        case .negate: x.map { -$0 }
        case .reciprocal: x.map { 1 / $0 }
        case .selu: x.map { $0 > 0 ? beta * $0 : beta * alpha * expm1($0) }
        case .shrink: x.map { $0 < -alpha ? $0 + beta : $0 > alpha ? $0 - beta : 0 }
        case .sign: x.map { $0 > 0 ? 1 : $0 < 0 ? -1 : $0 }
        case .sin: x.map { sin($0) }
        case .sinh: x.map { sinh($0) }
        case .softplus: x.map(softplus)
        case .softsign: x.map { $0 / (1 + Swift.abs($0)) }
        case .sqrt: x.map { $0.squareRoot() }
        case .swish: x.map { $0 / (1 + exp(-alpha * $0)) }
        case .tan: x.map { tan($0) }
        case .tanh: x.map { tanh($0) }
        case .thresholdedRelu: x.map { $0 > alpha ? $0 : 0 }
        }
    }

    /// - Throws: for integers that are divided by zero, or whose result has no 64 bits.
    static func binary(_ binary: Binary, _ a: Tensor, _ b: Tensor) throws -> Tensor {
        switch (a.storage, b.storage) {
        case (.float32(let x), .float32(let y)):
            if binary.function.isComparison { return compare(binary.function, x, a.shape, y, b.shape) }
            return floats(binary.function, a, b)
        case (.int64(let x), .int64(let y)):
            if binary.function.isComparison { return compare(binary.function, x, a.shape, y, b.shape) }
            let (values, shape) = try pairs(x, a.shape, y, b.shape) { try integers(binary.function, $0, $1) }
            return Tensor(values, shape: shape)
        case (.bool(let x), .bool(let y)):
            let (values, shape) = pairs(x, a.shape, y, b.shape) { x, y in
                switch binary.function {
                case .and: x && y
                case .or: x || y
                case .equal: x == y
                default: x != y
                }
            }
            return Tensor(values, shape: shape)
        // A power alone has operands of two types.
        case (.float32, .int64(let y)): return floats(binary.function, a, Tensor(y.map { Float($0) }, shape: b.shape))
        case (.int64(let x), .float32(let y)):
            let (values, shape) = try pairs(x, a.shape, y, b.shape) { try whole(pow(Double($0), Double($1))) }
            return Tensor(values, shape: shape)
        default: throw SpikeletError(.invalidModel, "\(binary.label) of \(ValueType(a)) and \(ValueType(b))")
        }
    }

    private static func compare<Number: Comparable>(
        _ function: Binary.Function, _ a: [Number], _ aShape: [Int], _ b: [Number], _ bShape: [Int]
    ) -> Tensor {
        let (values, shape) = pairs(a, aShape, b, bShape) { x, y in
            switch function {
            case .greater: x > y
            case .greaterOrEqual: x >= y
            case .less: x < y
            case .lessOrEqual: x <= y
            default: x == y
            }
        }
        return Tensor(values, shape: shape)
    }

    private static func floats(_ function: Binary.Function, _ a: Tensor, _ b: Tensor) -> Tensor {
        switch function {
        case .add: elementwise(a, b, +)
        case .subtract: elementwise(a, b, -)
        case .multiply: elementwise(a, b, *)
        case .divide: elementwise(a, b, /)
        // A NaN stays one.
        case .maximum: elementwise(a, b) { $0.isNaN || $1.isNaN ? .nan : max($0, $1) }
        case .minimum: elementwise(a, b) { $0.isNaN || $1.isNaN ? .nan : min($0, $1) }
        case .modulo:
            elementwise(a, b) { x, y in
                let rest = fmod(x, y)
                return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest
            }
        case .remainder: elementwise(a, b) { fmod($0, $1) }
        case .parametricRelu: elementwise(a, b) { $0 < 0 ? $0 * $1 : $0 }
        default: elementwise(a, b) { pow($0, $1) }
        }
    }

    private static func integers(_ function: Binary.Function, _ x: Int64, _ y: Int64) throws -> Int64 {
        let result: (partialValue: Int64, overflow: Bool)
        switch function {
        case .add: result = x.addingReportingOverflow(y)
        case .subtract: result = x.subtractingReportingOverflow(y)
        case .multiply: result = x.multipliedReportingOverflow(by: y)
        case .divide: result = x.dividedReportingOverflow(by: y)
        case .maximum: return max(x, y)
        case .minimum: return min(x, y)
        case .remainder: result = x.remainderReportingOverflow(dividingBy: y)
        case .modulo:
            let rest = x.remainderReportingOverflow(dividingBy: y)
            let isOtherSign = rest.partialValue != 0 && (rest.partialValue < 0) != (y < 0)
            result = (isOtherSign ? rest.partialValue + y : rest.partialValue, rest.overflow)
        default: return try whole(pow(Double(x), Double(y)))
        }
        guard !result.overflow else {
            throw SpikeletError(.invalidData, "\(function.rawValue) of \(x) and \(y) divides by zero or has no 64 bits")
        }
        return result.partialValue
    }

    private static func whole(_ number: Double) throws -> Int64 {
        guard let whole = Int64(exactly: number.rounded(.towardZero)) else {
            throw SpikeletError(.invalidData, "\(number) is no integer of 64 bits")
        }
        return whole
    }

    /// - Throws: for a number without an integer of 64 bits.
    static func cast(_ cast: Cast, _ x: Tensor) throws -> Tensor {
        switch (x.storage, cast.type) {
        case (.float32(let values), .int64): Tensor(try values.map { try whole(Double($0)) }, shape: x.shape)
        case (.float32(let values), .bool): Tensor(values.map { $0 != 0 }, shape: x.shape)
        case (.int64(let values), .float32): Tensor(values.map { Float($0) }, shape: x.shape)
        case (.int64(let values), .bool): Tensor(values.map { $0 != 0 }, shape: x.shape)
        case (.bool(let values), .float32): Tensor(values.map { $0 ? Float(1) : 0 }, shape: x.shape)
        case (.bool(let values), .int64): Tensor(values.map { $0 ? Int64(1) : 0 }, shape: x.shape)
        default: x
        }
    }

    /// Inputs: condition, a, b.
    static func select(_ inputs: [Tensor]) -> Tensor {
        var shape = inputs[0].shape
        for other in inputs.dropFirst() {
            let rank = max(shape.count, other.rank)
            func padded(_ shape: [Int]) -> [Int] { [Int](repeating: 1, count: rank - shape.count) + shape }
            shape = zip(padded(shape), padded(other.shape)).map { $0 == 1 ? $1 : $0 }
        }
        let condition = broadcast(inputs[0], to: shape).booleans
        let (a, b) = (broadcast(inputs[1], to: shape), broadcast(inputs[2], to: shape))
        func choose<Element>(_ x: [Element], _ y: [Element]) -> [Element] { condition.indices.map { condition[$0] ? x[$0] : y[$0] } }
        return switch a.storage {
        case .float32(let values): Tensor(choose(values, b.floats), shape: shape)
        case .int64(let values): Tensor(choose(values, b.integers), shape: shape)
        case .bool(let values): Tensor(choose(values, b.booleans), shape: shape)
        }
    }
}
