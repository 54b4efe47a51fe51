internal import SpikeGraph

/// The nodes that the outputs depend on, each after those it reads from.
struct NodeOrder {
    /// Positions in the file.
    let nodes: [Int]
    /// The values that one of these nodes reads or that are outputs.
    let readValues: Set<String>
    /// How many nodes no output depends on.
    let unusedNodes: Int

    /// - Throws: ``SpikeletError`` where a value is defined twice, or nodes wait for each other.
    init(_ graph: ONNXGraphProto) throws {
        var producers: [String: Int] = [:]
        let given = Set(graph.input.map(\.name) + graph.initializer.map(\.name))
        for (index, node) in graph.node.enumerated() {
            for output in node.output where !output.isEmpty {
                guard producers.updateValue(index, forKey: output) == nil, !given.contains(output) else {
                    throw SpikeletError(
                        .invalidModel, "value '\(output)' is defined twice", at: "node '\(NodeNames.origin(of: node, index: index).label)'",
                        remedy: "export the model again")
                }
            }
        }
        guard !graph.output.isEmpty else { throw SpikeletError(.invalidModel, "the model has no output", remedy: "export the model again") }
        var read = Set(graph.output.map(\.name))
        var isNeeded = graph.node.map { _ in false }
        var pending = graph.output.compactMap { producers[$0.name] }
        while let index = pending.popLast() {
            guard !isNeeded[index] else { continue }
            isNeeded[index] = true
            for input in graph.node[index].input where !input.isEmpty {
                read.insert(input)
                if let producer = producers[input] { pending.append(producer) }
            }
        }
        nodes = try Self.sorted(graph, graph.node.indices.filter { isNeeded[$0] }, producers)
        readValues = read
        unusedNodes = graph.node.count - nodes.count
    }

    /// ONNX asks for sorted nodes, so nearly always the order of the file is kept.
    private static func sorted(_ graph: ONNXGraphProto, _ needed: [Int], _ producers: [String: Int]) throws -> [Int] {
        func sources(_ index: Int) -> Set<Int> { Set(graph.node[index].input.compactMap { producers[$0] }) }
        if needed.allSatisfy({ index in sources(index).allSatisfy { $0 < index } }) { return needed }
        var waitsFor: [Int: Int] = [:]
        var readers: [Int: [Int]] = [:]
        for index in needed {
            let sources = sources(index)
            waitsFor[index] = sources.count
            for source in sources { readers[source, default: []].append(index) }
        }
        var order = needed.filter { waitsFor[$0] == 0 }
        var position = 0
        while position < order.count {
            for reader in readers[order[position]] ?? [] {
                waitsFor[reader, default: 0] -= 1
                if waitsFor[reader] == 0 { order.append(reader) }
            }
            position += 1
        }
        guard order.count == needed.count else {
            let stuck = needed.filter { (waitsFor[$0] ?? 0) > 0 }.prefix(5)
                .map { "'\(NodeNames.origin(of: graph.node[$0], index: $0).label)'" }
            throw SpikeletError(.invalidModel, "the nodes wait for each other in a circle: \(stuck.joined(separator: ", "))")
        }
        return order
    }
}
