/// A set of changes to a graph, applied together: the only way to edit one.
///
///     var patch = Patch()
///     patch.insert(Node("hook", .voltageHook(hook), inputs: [relu.outputs[0]]))
///     let hooked = try graph.applying(patch)
///
/// Constants that nothing reads any more are dropped. The result is verified: a patch that leaves no legal graph, or that
/// names nodes which are not there, is an error.
public struct Patch: Sendable {
    fileprivate var removed: Set<String> = []
    fileprivate var replaced: [String: Node] = [:]
    fileprivate var inserted: [Node] = []
    fileprivate var constants: [String: Tensor] = [:]
    fileprivate var redirections: [String: String] = [:]

    /// A patch that changes nothing.
    public init() {}

    /// Whether it changes nothing.
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
    fileprivate func target(of value: String) throws -> String {
        var current = value
        var passed: Set<String> = []
        while let next = redirections[current] {
            guard passed.insert(current).inserted else {
                throw SpikeletError(.illegalGraph, "the redirections of '\(value)' go round in a circle")
            }
            current = next
        }
        return current
    }

    /// Throws where the patch speaks of nodes that the graph does not have, or says two things of one.
    fileprivate func check(against nodes: [Node]) throws {
        let unknown = removed.union(replaced.keys).subtracting(nodes.map(\.name)).sorted()
        guard unknown.isEmpty else {
            throw SpikeletError(.illegalGraph, "a patch of nodes that do not exist: \(unknown.joined(separator: ", "))")
        }
        let both = removed.intersection(replaced.keys).sorted()
        guard both.isEmpty else {
            throw SpikeletError(.illegalGraph, "a patch both removes and replaces: \(both.joined(separator: ", "))")
        }
    }
}

extension Graph {
    /// The graph with the changes made.
    ///
    /// - Parameter spiking: a new description of how to simulate it, if it becomes a spiking network by this.
    /// - Throws: ``SpikeletError`` where the result would not be legal.
    public func applying(_ patch: Patch, spiking: SpikingDescription? = nil) throws -> Graph {
        try patch.check(against: nodes)
        var result: [Node] = []
        for node in nodes where !patch.removed.contains(node.name) {
            if let replacement = patch.replaced[node.name] {
                result.append(replacement)
            } else {
                var copy = node
                copy.inputs = try node.inputs.map(patch.target)
                result.append(copy)
            }
        }
        result += patch.inserted
        let outputs = try outputs.map { Output($0.name, value: try patch.target(of: $0.value)) }
        let read = Set(result.flatMap(\.inputs)).union(outputs.map(\.value))
        let constants = constants.merging(patch.constants) { $1 }.filter { read.contains($0.key) }
        do {
            return try Graph(
                name: name, inputs: inputs, outputs: outputs, nodes: result, constants: constants, origin: origin,
                spiking: spiking ?? self.spiking)
        } catch var error as SpikeletError {
            // The network was legal before: the edit is at fault, not the user's model.
            error.code = .illegalGraph
            throw error
        }
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
