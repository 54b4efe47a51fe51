/// The law of a legal graph. It is checked whenever a ``Graph`` is made, so after every pass:
///
/// 1. Names of nodes are unique. Every value is defined once: by an input, a constant or one node.
/// 2. A node reads only values that are defined, and the nodes can be put in an order (no cycles).
/// 3. A node has as many inputs as its operator takes, and as many outputs as it makes.
/// 4. The operator's shape rule accepts the types of the inputs.
/// 5. Every output of the graph shows a value that is defined; no two have one name.
/// 6. Every size is one at any batch (``Dimension/isSize``), and a sample of a value has fewer than 2³¹ elements.
///
/// All breaches are reported at once.
package enum Verifier {
    /// - Returns: the nodes in order, and the type of every value.
    static func verify(
        inputs: [Graph.Input], outputs: [Graph.Output], nodes: [Node], constants: [String: Tensor]
    ) throws -> (nodes: [Node], types: [String: ValueType]) {
        var problems: [String] = []
        var defined: [String: String] = [:]
        func define(_ value: String, by definer: String) {
            if let other = defined.updateValue(definer, forKey: value) {
                problems.append("value '\(value)' is defined by \(other) and by \(definer)")
            }
        }
        for input in inputs { define(input.name, by: "an input") }
        for constant in constants.keys.sorted() { define(constant, by: "a constant") }
        var names: Set<String> = []
        for node in nodes {
            if !names.insert(node.name).inserted { problems.append("two nodes are named '\(node.name)'") }
            for output in node.outputs { define(output, by: "node '\(node.name)'") }
        }
        for node in nodes {
            for input in node.inputs where defined[input] == nil {
                problems.append("node '\(node.name)' reads '\(input)', which nothing defines")
            }
        }
        for output in outputs where defined[output.value] == nil {
            problems.append("output '\(output.name)' shows '\(output.value)', which nothing defines")
        }
        if Set(outputs.map(\.name)).count != outputs.count { problems.append("two outputs have the same name") }
        for input in inputs where !input.type.shape.isLegal { problems.append("input '\(input.name)' cannot be \(input.type)") }
        // Shape rules count on legal sizes: what has others has no type, and nothing behind it is looked at.
        var types: [String: ValueType] = [:]
        for input in inputs where input.type.shape.isLegal { types[input.name] = types[input.name] ?? input.type }
        for (name, tensor) in constants.sorted(by: { $0.key < $1.key }) {
            let type = ValueType(tensor)
            if type.shape.dimensions.allSatisfy(\.isSize) {
                types[name] = type
            } else {
                problems.append("constant '\(name)' cannot be \(type)")
            }
        }

        let (ordered, cycle) = topologicalOrder(nodes, given: Set(inputs.map(\.name)).union(constants.keys))
        if !cycle.isEmpty { problems.append("the network has a cycle: " + cycle.map { "'\($0)'" }.joined(separator: " → ")) }
        for node in ordered {
            // A node behind one that was refused has no types to check: one report for each cause.
            let inputTypes = node.inputs.compactMap { types[$0] }
            guard inputTypes.count == node.inputs.count else { continue }
            do {
                for (output, type) in zip(node.outputs, try outputTypes(of: node, inputTypes, constants)) { types[output] = type }
            } catch let error as SpikeletError {
                problems.append("node '\(node.name)' (\(node.operator.name)): \(error.message)" + (error.remedy.map { " (\($0))" } ?? ""))
            }
        }
        try report(problems)
        return (ordered, types)
    }

    /// Laws 3, 4 and 6 for one node.
    private static func outputTypes(of node: Node, _ inputs: [ValueType], _ constants: [String: Tensor]) throws -> [ValueType] {
        let payload = node.operator.payload
        guard payload.arity.contains(inputs.count) else {
            throw SpikeletError(.invalidModel, "\(inputs.count) inputs, \(text(payload.arity)) are needed")
        }
        let types = try payload.outputTypes(inputs, constants: node.inputs.map { constants[$0] })
        guard types.count == node.outputs.count else {
            throw SpikeletError(.invalidModel, "\(node.outputs.count) outputs, \(types.count) are made")
        }
        for type in types where !type.shape.isLegal { throw SpikeletError(.invalidModel, "its output cannot be \(type)") }
        return types
    }

    private static func text(_ range: ClosedRange<Int>) -> String {
        if range.upperBound == .max { return "\(range.lowerBound) or more" }
        return range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
    }

    private static func report(_ problems: [String]) throws {
        guard !problems.isEmpty else { return }
        throw SpikeletError(.invalidModel, "the network is not well formed:", details: SpikeletError.list(problems))
    }

    /// Nodes after those they read from, otherwise in the order given; and the names along one cycle, where there is any.
    ///
    /// - Parameter given: inputs and constants. Where a node defines one of these again, its readers do not wait for it.
    private static func topologicalOrder(_ nodes: [Node], given: Set<String>) -> (order: [Node], cycle: [String]) {
        var producer: [String: Int] = [:]
        for (index, node) in nodes.enumerated() {
            for output in node.outputs where !given.contains(output) { producer[output] = index }
        }
        var waitsFor = nodes.map { node in Set(node.inputs.compactMap { producer[$0] }).count }
        var readers = [[Int]](repeating: [], count: nodes.count)
        for (index, node) in nodes.enumerated() {
            for source in Set(node.inputs.compactMap({ producer[$0] })) { readers[source].append(index) }
        }
        // Smallest index first keeps the given order wherever it is legal already.
        var ready = Heap(nodes.indices.filter { waitsFor[$0] == 0 })
        var order: [Node] = []
        while let index = ready.popMinimum() {
            order.append(nodes[index])
            for reader in readers[index] {
                waitsFor[reader] -= 1
                if waitsFor[reader] == 0 { ready.insert(reader) }
            }
        }
        guard let stuck = nodes.indices.first(where: { waitsFor[$0] > 0 }) else { return (order, []) }
        // Every node that waits reads from one that waits: going backwards comes round.
        var path = [stuck]
        while true {
            let sources = nodes[path[path.count - 1]].inputs.compactMap { producer[$0] }
            guard let source = sources.first(where: { waitsFor[$0] > 0 }) else { return (order, []) }
            if let start = path.firstIndex(of: source) {
                return (order, (path[start...] + [source]).reversed().map { nodes[$0].name })
            }
            path.append(source)
        }
    }
}

/// A binary min-heap of indices.
private struct Heap {
    private var items: [Int]

    init(_ sorted: [Int]) { items = sorted }

    mutating func insert(_ item: Int) {
        items.append(item)
        var child = items.count - 1
        while child > 0, items[(child - 1) / 2] > items[child] {
            items.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func popMinimum() -> Int? {
        guard let least = items.first else { return nil }
        let last = items.removeLast()
        guard !items.isEmpty else { return least }
        items[0] = last
        var parent = 0
        while true {
            let smallest = [parent, 2 * parent + 1, 2 * parent + 2].filter { $0 < items.count }.min { items[$0] < items[$1] } ?? parent
            guard smallest != parent else { return least }
            items.swapAt(parent, smallest)
            parent = smallest
        }
    }
}
