internal import SpikeGraph

/// A node that treats every element alike and keeps the order of numbers: a factor, an offset, a clip.
enum ScalarStep {
    case scale(Double)
    case shift(Double)
    case clip(low: Double, high: Double)

    /// - Returns: `nil` for every other node.
    init?(_ node: Node, in graph: Graph) {
        switch node.operator {
        case .relu: self = .clip(low: 0, high: .infinity)
        case .clip(let clip):
            let (low, high) = (clip.minimum.map(Double.init) ?? -.infinity, clip.maximum.map(Double.init) ?? .infinity)
            guard low <= high else { return nil }
            self = .clip(low: low, high: high)
        case .mul:
            guard let number = Self.constant(node, graph), number > 0 else { return nil }
            self = .scale(number)
        case .add:
            guard let number = Self.constant(node, graph) else { return nil }
            self = .shift(number)
        default: return nil
        }
    }

    /// The single number that is one of two inputs, where it does not change the other's shape.
    private static func constant(_ node: Node, _ graph: Graph) -> Double? {
        guard let position = node.inputs.firstIndex(where: { graph.constants[$0] != nil }),
            let tensor = graph.constants[node.inputs[position]], tensor.count == 1, case .float32(let values) = tensor.storage,
            graph.types[node.inputs[1 - position]] == graph.types[node.outputs[0]], graph.constants[node.inputs[1 - position]] == nil
        else { return nil }
        return simplest(values[0])
    }

    /// The value that goes in.
    static func input(of node: Node, in graph: Graph) -> String? { node.inputs.first { graph.constants[$0] == nil } }

    /// What a number in float32 was before it was rounded, as far as one can tell: a division by λ arrives as a factor 1/λ.
    /// Of the number and its reciprocal, that which has fewer binary digits was the exact one.
    static func simplest(_ number: Float) -> Double {
        let reciprocal = Float(1 / Double(number))
        guard reciprocal.isFinite, reciprocal != 0, Float(1 / Double(reciprocal)) == number else { return Double(number) }
        return reciprocal.significandWidth < number.significandWidth ? 1 / Double(reciprocal) : Double(number)
    }
}

/// Several ``ScalarStep``s one after another: min(high, max(low, factor · x + offset)).
struct ScalarChain {
    private(set) var factor = 1.0
    private(set) var offset = 0.0
    private(set) var low = -Double.infinity
    private(set) var high = Double.infinity

    init(_ steps: some Sequence<ScalarStep>, low: Double = -.infinity, high: Double = .infinity) {
        (self.low, self.high) = (low, high)
        for step in steps {
            switch step {
            case .scale(let number):
                factor *= number
                offset *= number
                self.low *= number
                self.high *= number
            case .shift(let number):
                offset += number
                self.low += number
                self.high += number
            case .clip(let least, let most):
                self.low = min(max(self.low, least), most)
                self.high = min(max(self.high, least), most)
            }
        }
    }
}
