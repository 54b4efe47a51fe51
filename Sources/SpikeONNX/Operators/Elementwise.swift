internal import SpikeGraph

/// Elementwise arithmetic that is done on import: on constants, and on sizes that depend on the batch.
enum Elementwise {
    /// The result of constants or sizes; `nil` where an input is computed at run time.
    static func fold(_ a: Value, _ b: Value, _ function: Binary.Function, _ node: NodeContext) throws -> Value? {
        if a.tensor != nil, b.tensor != nil { return try node.builder.emit(.binary(Binary(function)), [a, b], source: node.index) }
        guard let x = SizeVector(a), let y = SizeVector(b) else { return nil }
        guard x.isSmall, y.isSmall, x.dimensions.count == y.dimensions.count || x.dimensions.count == 1 || y.dimensions.count == 1,
            !x.dimensions.isEmpty, !y.dimensions.isEmpty
        else { throw SpikeletError(.unsupported, "arithmetic on sizes that do not fit together, or are too large") }
        let count = max(x.dimensions.count, y.dimensions.count)
        let pairs = (0..<count).map { (x.dimensions[x.dimensions.count == 1 ? 0 : $0], y.dimensions[y.dimensions.count == 1 ? 0 : $0]) }
        let undecided = SpikeletError(
            .unsupported, "sizes are computed from the batch size in a way that does not hold for every batch",
            remedy: "reshape with x.flatten(1), or export the model with a fixed batch")
        if function.isComparison {
            let results = try pairs.map { pair -> Bool in
                guard let result = compare(function, pair.0, pair.1) else { throw undecided }
                return result
            }
            return node.builder.constant(Tensor(results, shape: x.isNumber && y.isNumber ? [] : [count]))
        }
        let results = try pairs.map { pair -> Dimension in
            guard let result = combine(function, pair.0, pair.1) else { throw undecided }
            return result
        }
        return node.builder.value(SizeVector(results, isNumber: x.isNumber && y.isNumber))
    }

    /// `nil` where the result depends on the batch in a way that ``Dimension`` cannot say.
    private static func combine(_ function: Binary.Function, _ a: Dimension, _ b: Dimension) -> Dimension? {
        switch function {
        case .add: a + b
        case .subtract: a - b
        case .multiply: a * b
        case .divide: a / b
        case .maximum: compare(.less, a, b).map { $0 ? b : a }
        case .minimum: compare(.less, a, b).map { $0 ? a : b }
        // The remainder of a multiple.
        case .modulo: a / b == nil ? nil : 0
        default: nil
        }
    }

    /// What holds for every batch of one sample or more; `nil` where that differs.
    private static func compare(_ function: Binary.Function, _ a: Dimension, _ b: Dimension) -> Bool? {
        let (rest, factor) = ((a - b).constant, (a - b).batchFactor)
        /// Whether rest + factor · N is below 0.
        func isNegative(_ rest: Int, _ factor: Int) -> Bool? {
            if factor <= 0, rest + factor < 0 { return true }
            return factor >= 0 && rest + factor >= 0 ? false : nil
        }
        switch function {
        case .equal:
            if factor == 0 { return rest == 0 }
            return -rest % factor == 0 && -rest / factor >= 1 ? nil : false
        case .less: return isNegative(rest, factor)
        case .greater: return isNegative(-rest, -factor)
        case .lessOrEqual: return isNegative(-rest, -factor).map { !$0 }
        default: return isNegative(rest, factor).map { !$0 }
        }
    }
}

extension GraphBuilder {
    /// Sizes as a value: a plain constant where nothing depends on the batch.
    func value(_ sizes: SizeVector) -> Value {
        sizes.tensor.map(constant) ?? .sizes(sizes)
    }
}
