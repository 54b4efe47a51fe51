internal import SpikeGraph

/// Graphs inside nodes become part of the graph around them.
extension ImportSession {
    /// Imports a branch's nodes, and those outside that only it reads.
    ///
    /// - Parameter index: the node whose attribute the branch is.
    /// - Returns: the branch's outputs.
    func inline(_ branch: ONNXGraphProto, of index: Int) throws -> [Value] {
        guard branch.input.isEmpty else {
            throw SpikeletError(.invalidModel, "its branch has inputs of its own", remedy: "export the model again")
        }
        let branch = branch.renamed(unlike: { [order, values] in order.defines($0) || values[$0] != nil })
        try order.add(branch, at: model.graph.node.count)
        model.graph.node += branch.node
        try readInitializers(branch.initializer, sparse: branch.sparseInitializer, places: [])
        running.append(index)
        defer { running.removeLast() }
        let outputs = branch.output.map(\.name)
        let nodes = try order.nodes(for: outputs, in: model.graph.node, except: taken)
        for next in nodes { try importNode(at: next) }
        return try outputs.map { name in
            guard let value = values[name] else {
                throw SpikeletError(
                    .invalidModel, "its branch's output '\(name)' is defined by nothing in the model", remedy: "export the model again")
            }
            return value
        }
    }
}

extension ONNXGraphProto {
    /// The same graph, in which no value that it defines has a name that is in use: two branches may use one name for two values.
    fileprivate func renamed(unlike isUsed: (String) -> Bool) -> ONNXGraphProto {
        let own = Set(node.flatMap(\.output) + initializer.map(\.name)).subtracting([""])
        var names: [String: String] = [:]
        var new = own
        for name in own.sorted() where isUsed(name) {
            var number = 2
            while isUsed("\(name)_\(number)") || !new.insert("\(name)_\(number)").inserted { number += 1 }
            names[name] = "\(name)_\(number)"
        }
        guard !names.isEmpty else { return self }
        var copy = self
        copy.rename(names)
        return copy
    }

    private mutating func rename(_ names: [String: String]) {
        func new(_ name: String) -> String { names[name] ?? name }
        for index in initializer.indices { initializer[index].name = new(initializer[index].name) }
        for index in output.indices { output[index].name = new(output[index].name) }
        for index in node.indices {
            node[index].input = node[index].input.map(new)
            node[index].output = node[index].output.map(new)
            for position in node[index].attribute.indices where node[index].attribute[position].hasG {
                node[index].attribute[position].g.rename(names)
            }
        }
    }
}
