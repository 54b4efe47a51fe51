import Foundation
import SpikeGraph
import SpikeRuntime

/// What the layers of a streaming network send on calibration data, simulated one after the other from the front, each over all steps: of a
/// layer the spikes are kept as long as layers behind it read them.
struct LayerwiseSpikes {
    /// The layers of neurons, in order.
    let layers: [Node]
    private let steps: Int
    private let inputs: [[Tensor]]
    private var simulation: LayerSimulation
    /// By layer, those whose spikes reach it without passing other neurons.
    private let sources: [String: Set<String>]
    /// By layer and portion.
    private var sent: [String: [LayerSimulation.Spikes]] = [:]

    /// - Parameter inputs: the samples, in portions.
    init(_ snn: Graph, steps: Int, inputs: [[Tensor]]) throws {
        layers = snn.neuronLayers
        (self.steps, self.inputs) = (steps, inputs)
        simulation = try LayerSimulation(snn, steps: steps, inputs: inputs)
        sources = Dictionary(layers.map { ($0.name, snn.segment(before: $0).sources) }) { first, _ in first }
    }

    /// Goes on with other weights in front of the layers that are still to come.
    mutating func change(to snn: Graph) throws { simulation = try LayerSimulation(snn, steps: steps, inputs: inputs) }

    /// Simulates a layer behind those that are kept, with its own initial membranes.
    ///
    /// - Returns: of each portion what `body` makes of its spikes and their rate, as of ``LayerSimulation/run(_:portion:behind:)``.
    func run<Result: Sendable>(
        _ node: Node, _ body: @Sendable (_ portion: Int, _ spikes: LayerSimulation.Spikes, _ rate: Tensor) throws -> Result
    ) throws -> [Result] {
        let known = sent.filter { sources[node.name]?.contains($0.key) == true }
        return try concurrentMap(Array(inputs.indices), atMost: ProcessInfo.processInfo.activeProcessorCount) { portion in
            let run = try simulation.run(node, portion: portion, behind: known.mapValues { $0[portion] })
            return try body(portion, run.spikes, run.rate)
        }
    }

    /// Takes a layer's spikes for those behind it, and lets go of what no later one reads.
    mutating func keep(_ spikes: [LayerSimulation.Spikes], of node: Node) {
        sent[node.name] = spikes
        let needed = needed(behind: node)
        sent = sent.filter { needed.contains($0.key) }
    }

    /// The layers that those behind a layer read.
    func needed(behind node: Node) -> Set<String> {
        let position = layers.firstIndex { $0.name == node.name } ?? layers.count
        return layers[min(position + 1, layers.count)...].reduce(into: []) { $0.formUnion(sources[$1.name] ?? []) }
    }

    /// The most that is kept of one sample: spikes, and a number for each neuron, of the layers that later ones read, and twice the spikes
    /// of the one at work.
    static func bytesPerSample(_ snn: Graph, steps: Int) -> Int {
        let layers = snn.neuronLayers
        let sources = layers.map { snn.segment(before: $0).sources }
        func neurons(_ node: Node) -> Int { snn.sizePerSample(of: node.outputs[0]) ?? 0 }
        func spikes(_ node: Node) -> Int {
            guard case .neuron(let neuronNode) = node.operator else { return 0 }
            // Bits; two where spikes are taken back; numbers of 16 bits for bursts.
            let bits =
                switch neuronNode.neuron.fastRule?.kind {
                case .burst: 16
                case .signed: 2
                default: 1
                }
            return neurons(node) * steps * bits / 8
        }
        var (alive, most) = ([Node](), 0)
        for (position, node) in layers.enumerated() {
            let later = sources[position...].reduce(into: Set<String>()) { $0.formUnion($1) }
            alive = alive.filter { later.contains($0.name) }
            most = max(most, alive.reduce(0) { $0 + spikes($1) + 4 * neurons($1) } + 2 * spikes(node) + 4 * neurons(node))
            alive.append(node)
        }
        return most
    }
}

extension Graph {
    /// The layers of neurons, in order.
    fileprivate var neuronLayers: [Node] { nodes.filter { if case .neuron = $0.operator { true } else { false } } }

    /// The neuron nodes whose spikes reach `node` without passing other neurons, and the nodes between, in order.
    func segment(before node: Node) -> (sources: Set<String>, nodes: [Node]) {
        let producers = producers
        var (sources, between): (Set<String>, Set<String>) = ([], [])
        var open = node.inputs
        while let value = open.popLast() {
            guard let producer = producers[value] else { continue }
            if case .neuron = producer.operator {
                sources.insert(producer.name)
            } else if between.insert(producer.name).inserted {
                open += producer.inputs
            }
        }
        return (sources, nodes.filter { between.contains($0.name) })
    }
}
