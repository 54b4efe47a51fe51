internal import SpikeGraph

/// In which order a model's nodes are taken: each after those it reads from, and none that no output depends on.
struct NodeOrder {
    /// The values that some node reads that an output may depend on, or that are outputs. What only a branch of an `If` reads is among them.
    private(set) var readValues: Set<String>
    /// The nodes that values come from, by position.
    private var producers: [String: Int] = [:]
    private let given: Set<String>

    /// - Throws: ``SpikeletError`` where a value is defined twice, or there is no output.
    init(_ graph: ONNXGraphProto) throws {
        given = Set(graph.input.map(\.name) + graph.initializer.map(\.name))
        readValues = Set(graph.output.map(\.name))
        try add(graph.node, at: 0)
        guard !graph.output.isEmpty else { throw SpikeletError(.invalidModel, "the model has no output", remedy: "export the model again") }
        var seen: Set<Int> = []
        var pending = graph.output.compactMap { producers[$0.name] }
        while let index = pending.popLast() {
            guard seen.insert(index).inserted else { continue }
            for name in graph.node[index].readValues {
                readValues.insert(name)
                if let producer = producers[name] { pending.append(producer) }
            }
        }
    }

    /// Whether something gives a value of this name.
    func defines(_ name: String) -> Bool { given.contains(name) || producers[name] != nil }

    /// A branch that is part of the model now: its nodes stand from this position on.
    mutating func add(_ branch: ONNXGraphProto, at position: Int) throws {
        readValues.formUnion(branch.output.map(\.name) + branch.node.flatMap(\.readValues))
        try add(branch.node, at: position)
    }

    private mutating func add(_ nodes: [ONNXNodeProto], at position: Int) throws {
        for (index, node) in zip(position..., nodes) {
            for output in node.output where !output.isEmpty {
                guard producers.updateValue(index, forKey: output) == nil, !given.contains(output) else {
                    throw SpikeletError(
                        .invalidModel, "value '\(output)' is defined twice", at: "node '\(NodeNames.origin(of: node, index: index).label)'",
                        remedy: "export the model again")
                }
            }
        }
    }

    /// The nodes that these values depend on and that have not been taken, in order.
    ///
    /// What an `If` reads inside its branches is left out: only one of them will be asked for.
    /// - Throws: ``SpikeletError`` where nodes wait for each other.
    func nodes(for outputs: [String], in nodes: [ONNXNodeProto], except taken: Set<Int>) throws -> [Int] {
        var needed: Set<Int> = []
        var pending = outputs.compactMap { producers[$0] }
        while let index = pending.popLast() {
            guard !taken.contains(index), needed.insert(index).inserted else { continue }
            pending += nodes[index].input.compactMap { producers[$0] }
        }
        return try sorted(needed.sorted(), nodes, needed.contains)
    }

    /// ONNX asks for sorted nodes, so nearly always the order of the file is kept.
    private func sorted(_ needed: [Int], _ nodes: [ONNXNodeProto], _ isNeeded: (Int) -> Bool) throws -> [Int] {
        func sources(_ index: Int) -> Set<Int> { Set(nodes[index].input.compactMap { producers[$0] }.filter(isNeeded)) }
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
        guard order.count == needed.count else { throw Self.circle(needed.filter { (waitsFor[$0] ?? 0) > 0 }, nodes) }
        return order
    }

    static func circle(_ indices: [Int], _ nodes: [ONNXNodeProto]) -> SpikeletError {
        let names = indices.prefix(5).map { "'\(NodeNames.origin(of: nodes[$0], index: $0).label)'" }
        return SpikeletError(.invalidModel, "the nodes wait for each other in a circle: \(names.joined(separator: ", "))")
    }
}

extension ONNXNodeProto {
    /// What the node reads, inside graphs that are its attributes as well.
    fileprivate var readValues: [String] {
        let graphs = attribute.filter(\.hasG).map(\.g)
        return input.filter { !$0.isEmpty } + graphs.flatMap { $0.output.map(\.name) + $0.node.flatMap(\.readValues) }
    }
}
