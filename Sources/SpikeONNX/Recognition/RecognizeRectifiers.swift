internal import SpikeGraph

/// Makes one operator of the ways in which people write a ReLU: `min(relu(x), 1)`, `torch.where(x > 0, x, 0)`, `x * (x > 0)`,
/// `maximum(x, zeros_like(x))`, `maximum(x, 0.1 * x)`, and what is made of such.
///
/// Given: a graph as it was imported.
///
/// Result: the same function up to rounding. A node whose output is max(0, x) of an earlier value of its shape, perhaps bounded above, or
/// with another slope below zero, is a `Relu`, a `Clip` from 0 or a `LeakyRelu` that reads this value. What nothing reads any more is
/// removed.
struct RecognizeRectifiers {
    /// - Returns: the graph, and for each kind of rectifier how many were found.
    func run(_ graph: Graph) throws -> (graph: Graph, found: [String: Int]) {
        let spellings = Spellings(graph)
        var found: [String: Int] = [:]
        var patch = Patch()
        for node in graph.nodes {
            guard let (rectifier, source) = spellings.rectifier(node) else { continue }
            found[rectifier.name, default: 0] += 1
            patch.replace(Node(node.name, rectifier, inputs: [source], outputs: node.outputs))
        }
        return patch.isEmpty ? (graph, [:]) : (try graph.applying(patch).withoutUnreadNodes(), found)
    }
}

private struct Spellings {
    /// How far back a spelling is looked for.
    private static let depth = 8

    private let graph: Graph
    private let producers: [String: Node]

    init(_ graph: Graph) {
        self.graph = graph
        producers = graph.producers
    }

    /// What a node is in other words, and what it then reads: the earliest value of which it is a rectifier.
    func rectifier(_ node: Node) -> (Operator, source: String)? {
        guard ends(node) else { return nil }
        var best: (Operator, source: String)?
        for source in sources(node) {
            var memory: [String: PiecewiseLinear] = [source: .identity]
            guard let function = function(node.outputs[0], &memory, Self.depth), let rectifier = Self.rectifier(function) else { continue }
            best = (rectifier, source)
        }
        return best
    }

    /// Whether a spelling may end with this node: it is not linear, and no rectifier already.
    private func ends(_ node: Node) -> Bool {
        switch node.operator {
        case .clip where graph.linearity(of: node) == .nonlinear: true
        // A ReLU of what is bounded already.
        case .relu, .clip: producers[node.inputs[0]].map { graph.linearity(of: $0) == .nonlinear } ?? false
        case .binary(let binary): [.maximum, .minimum].contains(binary.function)
        case .select: true
        case .mul: !node.inputs.contains { graph.constants[$0] != nil }
        default: false
        }
    }

    /// Values of the node's own type before it, the nearest first.
    private func sources(_ node: Node) -> [String] {
        let type = graph.types[node.outputs[0]]
        var (found, layer): ([String], [String]) = ([], node.inputs)
        for _ in 0..<Self.depth where !layer.isEmpty {
            layer = layer.filter { graph.constants[$0] == nil && !found.contains($0) }
            for value in layer where !found.contains(value) { found.append(value) }
            layer = layer.flatMap { value in producers[value].map { isWord($0) ? $0.inputs : [] } ?? [] }
        }
        return found.filter { graph.types[$0] == type }
    }

    /// Whether a node can be part of a spelling.
    private func isWord(_ node: Node) -> Bool {
        switch node.operator {
        case .add, .mul, .clip, .relu, .select, .cast, .binary, .unary: true
        default: false
        }
    }

    /// The number that all elements of a value are.
    private func number(_ value: String) -> Double? {
        if let tensor = graph.constants[value] {
            switch tensor.storage {
            case .float32(let values):
                guard let first = values.first, first.isFinite, values.allSatisfy({ $0 == first }) else { return nil }
                return Double(first)
            case .int64, .bool: return nil
            }
        }
        guard let node = producers[value], case .expand = node.operator else { return nil }
        return number(node.inputs[0])
    }

    /// What a value is of the value that `known` holds the identity for; `nil` where it is something else.
    private func function(_ value: String, _ known: inout [String: PiecewiseLinear], _ depth: Int) -> PiecewiseLinear? {
        if let found = known[value] { return found }
        if let number = number(value) { return .constant(number) }
        guard depth > 0, let node = producers[value], isWord(node) else { return nil }
        var operands: [PiecewiseLinear] = []
        for input in node.inputs {
            guard let operand = function(input, &known, depth - 1) else { return nil }
            operands.append(operand)
        }
        let result = apply(node.operator, operands)
        if let result { known[value] = result }
        return result
    }

    private typealias Line = PiecewiseLinear.Line

    private func apply(_ operator: Operator, _ x: [PiecewiseLinear]) -> PiecewiseLinear? {
        switch `operator` {
        case .add: return sum(x[0], x[1], 1)
        case .mul: return product(x[0], x[1])
        case .relu: return extremum(x[0], .constant(0), isMaximum: true)
        case .cast(let cast): return cast.type == .float32 ? x[0] : nil
        case .clip(let clip):
            var result: PiecewiseLinear? = x[0]
            for (bound, isMaximum) in [(clip.minimum, true), (clip.maximum, false)] {
                guard let bound else { continue }
                result = result.flatMap { extremum($0, .constant(Double(bound)), isMaximum: isMaximum) }
            }
            return result
        case .select: return select(x[0], x[1], x[2])
        case .unary(let unary): return apply(unary, x[0])
        case .binary(let binary): return apply(binary.function, x[0], x[1])
        default: return nil
        }
    }

    private func apply(_ unary: Unary, _ x: PiecewiseLinear) -> PiecewiseLinear? {
        switch unary.function {
        case .abs: return product(.constant(-1), x).flatMap { extremum(x, $0, isMaximum: true) }
        case .negate: return product(.constant(-1), x)
        case .not: return sum(.constant(1), x, -1)
        case .leakyRelu:
            let negative = extremum(x, .constant(0), isMaximum: false)
            return sum(
                extremum(x, .constant(0), isMaximum: true), negative.flatMap { product($0, .constant(Double(unary.parameters[0]))) }, 1)
        default: return nil
        }
    }

    private func apply(_ function: Binary.Function, _ a: PiecewiseLinear, _ b: PiecewiseLinear) -> PiecewiseLinear? {
        switch function {
        case .maximum: extremum(a, b, isMaximum: true)
        case .minimum: extremum(a, b, isMaximum: false)
        case .subtract: sum(a, b, -1)
        case .multiply, .and: product(a, b)
        case .greater: compare(a, b, >)
        case .greaterOrEqual: compare(a, b, >=)
        case .less: compare(a, b, <)
        case .lessOrEqual: compare(a, b, <=)
        default: nil
        }
    }

    private func sum(_ a: PiecewiseLinear?, _ b: PiecewiseLinear?, _ factor: Double) -> PiecewiseLinear? {
        guard let a, let b else { return nil }
        return .combine(
            a, b,
            line: { first, second, _ in
                Line(slope: first.slope + factor * second.slope, intercept: first.intercept + factor * second.intercept)
            },
            value: { $0 + factor * $1 })
    }

    private func product(_ a: PiecewiseLinear, _ b: PiecewiseLinear) -> PiecewiseLinear? {
        .combine(
            a, b,
            line: { first, second, _ in
                if second.slope == 0 { return Line(slope: first.slope * second.intercept, intercept: first.intercept * second.intercept) }
                if first.slope == 0 { return Line(slope: second.slope * first.intercept, intercept: second.intercept * first.intercept) }
                return nil
            }, value: *)
    }

    private func extremum(_ a: PiecewiseLinear, _ b: PiecewiseLinear, isMaximum: Bool) -> PiecewiseLinear? {
        .combine(
            a, b, line: { first, second, x in (first(x) > second(x)) == isMaximum ? first : second },
            value: { isMaximum ? max($0, $1) : min($0, $1) })
    }

    private func compare(_ a: PiecewiseLinear, _ b: PiecewiseLinear, _ holds: (Double, Double) -> Bool) -> PiecewiseLinear? {
        .combine(
            a, b, line: { first, second, x in Line(slope: 0, intercept: holds(first(x), second(x)) ? 1 : 0) },
            value: { holds($0, $1) ? 1 : 0 })
    }

    /// condition · (a − b) + b, since a condition is 0 or 1.
    private func select(_ condition: PiecewiseLinear, _ a: PiecewiseLinear, _ b: PiecewiseLinear) -> PiecewiseLinear? {
        sum(a, b, -1).flatMap { product(condition, $0) }.flatMap { sum($0, b, 1) }
    }

    /// The rectifier that a function is.
    private static func rectifier(_ function: PiecewiseLinear) -> Operator? {
        if function.isNear(.rectifier(bound: nil)) { return .relu(Relu()) }
        if function.breaks.count == 2, function.breaks[1] > 0, function.isNear(.rectifier(bound: function.breaks[1])) {
            return .clip(Clip(minimum: 0, maximum: Float(function.breaks[1])))
        }
        // Another slope below zero.
        guard function.breaks == [0], function.values == [0], function.lines.allSatisfy({ $0.intercept == 0 }),
            abs(function.lines[1].slope - 1) <= 1e-6, function.lines[0].slope != 1
        else { return nil }
        return .unary(Unary(.leakyRelu, parameters: [Float(function.lines[0].slope)]))
    }
}
