/// A set of changes to a graph, applied together: the only way to edit one.
///
///     var patch = Patch()
///     patch.insert(Node("hook", .voltageHook(hook), inputs: [relu.outputs[0]]))
///     let hooked = try graph.applying(patch)
///
/// Constants that nothing reads any more are dropped. The result is verified.
public struct Patch: Sendable {
    fileprivate var removed: Set<String> = []
    fileprivate var replaced: [String: Node] = [:]
    fileprivate var inserted: [Node] = []
    fileprivate var constants: [String: Tensor] = [:]
    fileprivate var redirections: [String: String] = [:]

    public init() {}

    public var isEmpty: Bool { removed.isEmpty && replaced.isEmpty && inserted.isEmpty && constants.isEmpty && redirections.isEmpty }

    /// Takes a node out. Whatever read its outputs has to be redirected.
    public mutating func remove(_ node: Node) {
        removed.insert(node.name)
    }

    /// Puts a changed node where one of the same name stands.
    public mutating func replace(_ node: Node) {
        replaced[node.name] = node
    }

    /// Adds a node; where it stands follows from what it reads.
    public mutating func insert(_ node: Node) {
        inserted.append(node)
    }

    /// Adds or replaces a constant.
    public mutating func setConstant(_ name: String, _ tensor: Tensor) {
        constants[name] = tensor
    }

    /// Lets every node of the old graph that reads `value`, and every output that shows it, take `other` instead. Nodes
    /// that the patch itself inserts or replaces read just what they say.
    public mutating func redirect(_ value: String, to other: String) {
        redirections[value] = other
    }

    /// Where a value ends up after all redirections.
    fileprivate func target(of value: String) -> String {
        var current = value
        var steps = 0
        while let next = redirections[current], steps <= redirections.count {
            current = next
            steps += 1
        }
        return current
    }
}

extension Graph {
    /// The graph with the changes made.
    ///
    /// - Parameter spiking: a new description of how to simulate it, if it becomes a spiking network by this.
    /// - Throws: ``SpikeletError`` where the result would not be legal.
    public func applying(_ patch: Patch, spiking: SpikingDescription? = nil) throws -> Graph {
        var result: [Node] = []
        for node in nodes where !patch.removed.contains(node.name) {
            if let replacement = patch.replaced[node.name] {
                result.append(replacement)
            } else {
                var copy = node
                copy.inputs = node.inputs.map(patch.target)
                result.append(copy)
            }
        }
        result += patch.inserted
        let outputs = outputs.map { Output($0.name, value: patch.target(of: $0.value)) }
        let read = Set(result.flatMap(\.inputs)).union(outputs.map(\.value))
        let constants = constants.merging(patch.constants) { $1 }.filter { read.contains($0.key) }
        return try Graph(
            name: name, inputs: inputs, outputs: outputs, nodes: result, constants: constants, origin: origin,
            spiking: spiking ?? self.spiking)
    }

    /// A name that no node and no value of the graph has: `base`, or `base_2`, ….
    public func freshName(_ base: String) -> String {
        let nodeNames = Set(nodes.map(\.name))
        func isTaken(_ name: String) -> Bool { types[name] != nil || nodeNames.contains(name) }
        guard isTaken(base) else { return base }
        var number = 2
        while isTaken("\(base)_\(number)") { number += 1 }
        return "\(base)_\(number)"
    }
}
