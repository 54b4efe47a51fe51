import Foundation
import SpikeGraph
import SpikeReference

/// A network over portions of samples, node by node: a value is kept as long as a node that reads it is still to come.
///
/// Neurons give the number that their spikes say (``Neuron/numbers(of:)``), and running maxima that of numbers. Streaming, what neurons send is
/// no function of their currents' mean: their results are given (``finish(_:_:)``).
struct NodewiseRun {
    let readers: [String: [Node]]
    private(set) var values: [String: [Tensor]] = [:]
    private let graph: Graph
    private let producers: [String: Node]
    private let batches: [Int?]
    /// For each value, how many nodes are still to read it.
    private var pending: [String: Int]

    init(_ graph: Graph, inputs: [[Tensor]]) {
        self.graph = graph
        (readers, producers) = (graph.consumers, graph.producers)
        pending = readers.mapValues(\.count)
        batches = inputs.map { $0.first?.shape.first }
        for (position, input) in graph.inputs.enumerated() { values[input.name] = inputs.map { $0[position] } }
    }

    /// The bytes that the values take that are kept at a time, at most: for one sample, or for a fixed batch of them.
    static func bytesPerRun(_ graph: Graph) -> Int {
        var pending = graph.consumers.mapValues(\.count)
        func bytes(_ value: String) -> Int {
            4 * (graph.types[value]?.shape.dimensions.reduce(1) { $0 * ($1.known ?? max(1, $1.batchFactor)) } ?? 0)
        }
        var (kept, most) = (graph.inputs.reduce(0) { $0 + bytes($1.name) }, 0)
        for node in graph.nodes {
            kept += node.outputs.reduce(0) { $0 + bytes($1) }
            most = max(most, kept)
            for input in Set(node.inputs) where graph.constants[input] == nil {
                pending[input, default: 1] -= 1
                if pending[input] == 0 { kept -= bytes(input) }
            }
        }
        return most
    }

    /// A value, computed with all that it needs; `nil` where all that read it have been computed.
    mutating func value(_ name: String) throws -> [Tensor]? {
        if let known = values[name] { return known }
        guard let producer = producers[name], pending[name, default: 0] == readers[name, default: []].count else { return nil }
        for input in producer.inputs where graph.constants[input] == nil { _ = try value(input) }
        try run(producer)
        return values[name]
    }

    /// Computes a node, all of whose inputs are known.
    mutating func run(_ node: Node) throws {
        let known = Dictionary(uniqueKeysWithValues: Set(node.inputs).compactMap { name in values[name].map { (name, $0) } })
        let (constants, batches) = (graph.constants, batches)
        let results = try concurrentMap(Array(batches.indices), atMost: ProcessInfo.processInfo.activeProcessorCount) { portion in
            let operands = node.inputs.compactMap { constants[$0] ?? known[$0]?[portion] }
            guard operands.count == node.inputs.count else { throw SpikeletError(.illegalGraph, "node '\(node.name)' reads nothing") }
            return try Self.evaluate(node, operands, batch: batches[portion])
        }
        finish(node, results)
    }

    /// Takes a node's results by portion, in place of computing them.
    mutating func finish(_ node: Node, _ results: [[Tensor]]) {
        for (position, output) in node.outputs.enumerated() { values[output] = results.map { $0[position] } }
        for input in Set(node.inputs) where graph.constants[input] == nil {
            pending[input, default: 1] -= 1
            if pending[input] == 0 { values[input] = nil }
        }
    }

    /// Puts another value in the place of one that is still to be read.
    mutating func replace(_ value: String, by tensors: [Tensor]) { values[value] = tensors }

    private static func evaluate(_ node: Node, _ operands: [Tensor], batch: Int?) throws -> [Tensor] {
        switch node.operator {
        case .neuron(let neurons):
            guard let numbers = neurons.neuron.numbers(of: operands[0]) else {
                throw SpikeletError(.unsupported, "what neurons of '\(node.name)' send is no function of their potential")
            }
            return [numbers]
        case .runningMaximumPool(let pool):
            return try ReferenceExecutor.evaluate(.maxPool(MaxPool(window: pool.window)), operands, batch: batch)
        default: return try ReferenceExecutor.evaluate(node.operator, operands, batch: batch)
        }
    }
}
