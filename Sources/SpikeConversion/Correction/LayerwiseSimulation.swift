import Foundation
import SpikeGraph
import SpikeReference

/// Simulates a streaming network one layer of neurons at a time, over all steps: a layer's spikes depend on nothing behind
/// it, so that calibration can change a layer once everything in front of it is final.
///
/// Beside the spikes it carries the activations that the ANN has at the same places, in units of what one spike stands for.
struct LayerwiseSimulation {
    /// Neurons of one layer over some samples.
    struct Layer: Sendable {
        /// The spikes of each step, `[T]`.
        var spikes: [PackedSpikes]
        /// The ANN's activations, in units of a spike, divided by T: what the rate should be.
        var target: Tensor

        /// Spikes a step: the mean over all steps.
        var rate: Tensor {
            var sums = [Float](repeating: 0, count: target.count)
            for step in spikes { step.add(to: &sums) }
            return Tensor(sums.map { $0 / Float(spikes.count) }, shape: target.shape)
        }
    }

    let graph: Graph
    let steps: Int
    /// The samples, in portions that fit the memory.
    let inputs: [[Tensor]]
    /// For each neuron node done, a layer for each portion.
    private var layers: [String: [Layer]] = [:]

    init(_ graph: Graph, steps: Int, inputs: [[Tensor]]) {
        self.graph = graph
        self.steps = steps
        self.inputs = inputs
    }

    /// Makes a layer's spikes final.
    mutating func finish(_ node: Node, _ result: [Layer], stillNeeded: Set<String>) {
        layers[node.name] = result
        layers = layers.filter { stillNeeded.contains($0.key) }
    }

    /// What each portion gives, as many at a time as there are processors: more would only take more memory.
    private func concurrently(_ portions: Range<Int>, _ body: @Sendable (Int) throws -> Layer) throws -> [Layer] {
        let count = max(1, ProcessInfo.processInfo.activeProcessorCount)
        return try stride(from: portions.lowerBound, to: portions.upperBound, by: count).flatMap { start in
            try concurrentMap(Array(start..<min(start + count, portions.upperBound)), body)
        }
    }

    /// The samples of a portion: values between layers may have another first axis.
    private func batch(_ portion: Int) -> Int? { inputs[portion].first?.shape.first }

    /// The neuron nodes whose spikes reach `node` without passing other neurons, and the nodes between, in order.
    func segment(before node: Node) -> (sources: Set<String>, nodes: [Node]) {
        let producers = graph.producers
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
        return (sources, graph.nodes.filter { between.contains($0.name) })
    }

    /// Simulates the neurons of `node`, for every portion.
    ///
    /// - Parameter neurons: the rule and its initial membranes, which may differ from the node's.
    func simulate(_ node: Node, as neurons: NeuronNode) throws -> [Layer] {
        let (sources, between) = segment(before: node)
        return try concurrently(inputs.indices) { portion in
            var fixed = graph.constants
            for (input, tensor) in zip(graph.inputs, inputs[portion]) { fixed[input.name] = tensor }
            let target = try self.target(node, between: between, fixed: fixed, portion: portion, sources: sources)
            var still = fixed
            for inner in between where inner.inputs.allSatisfy({ still[$0] != nil }) {
                still[inner.outputs[0]] = try ReferenceExecutor.evaluate(
                    inner.operator, inner.inputs.compactMap { still[$0] }, batch: batch(portion))[0]
            }
            var states: [String: any StatefulOperator] = [:]
            var layer = NeuronLayer(node: neurons)
            var spikes: [PackedSpikes] = []
            for step in 0..<steps {
                var values = still
                for source in sources {
                    guard let layer = layers[source]?[portion], let name = graph.node(named: source)?.outputs[0] else { continue }
                    values[name] = Tensor(layer.spikes[step].floats, shape: layer.target.shape)
                }
                for inner in between where values[inner.outputs[0]] == nil {
                    let operands = inner.inputs.compactMap { values[$0] }
                    if var state = states[inner.name] ?? inner.operator.makeState(graph.spikeCode) {
                        values[inner.outputs[0]] = try state.advance(by: operands, at: TimeStep(step, of: steps))[0]
                        states[inner.name] = state
                    } else {
                        values[inner.outputs[0]] = try ReferenceExecutor.evaluate(inner.operator, operands, batch: batch(portion))[0]
                    }
                }
                guard let current = values[node.inputs[0]] else { continue }
                spikes.append(PackedSpikes(try layer.advance(by: [current], at: TimeStep(step, of: steps))[0].floats))
            }
            return Layer(spikes: spikes, target: target)
        }
    }

    /// The ANN's activation where the neurons of `node` stand.
    private func target(
        _ node: Node, between: [Node], fixed: [String: Tensor], portion: Int, sources: Set<String>
    ) throws -> Tensor {
        var values = fixed
        for source in sources {
            guard let layer = layers[source]?[portion], let name = graph.node(named: source)?.outputs[0] else { continue }
            values[name] = layer.target
        }
        for inner in between {
            values[inner.outputs[0]] = try ReferenceExecutor.evaluate(
                inner.operator, inner.inputs.compactMap { values[$0] }, batch: batch(portion))[0]
        }
        guard case .neuron(let neurons) = node.operator, let arriving = values[node.inputs[0]] else {
            throw SpikeletError(.illegalGraph, "node '\(node.name)' reads nothing")
        }
        // In units of a spike, which takes θ of current.
        let threshold = neurons.neuron.currentOfSpike[0]
        let current = threshold == 1 ? arriving : arriving.map { $0 / threshold }
        guard let site = neurons.site, let maximum = site.bound else { return current.map { max(0, $0) } }
        let bounds = try VoltageScaler(scales: site.spike.map { maximum / $0 })(Tensor(repeating: 1, shape: current.shape)).floats
        return Tensor(zip(current.floats, bounds).map { min(max(0, $0), $1) }, shape: current.shape)
    }
}

extension Tensor {
    /// The mean of each channel (axis 1).
    var channelMeans: [Double] {
        let channels = rank > 1 ? shape[1] : 1
        let size = shape.dropFirst(2).reduce(1, *)
        var sums = [Double](repeating: 0, count: channels)
        for (index, value) in floats.enumerated() { sums[index / size % channels] += Double(value) }
        return sums.map { $0 * Double(channels) / Double(max(1, count)) }
    }
}

/// The spikes of some neurons in one step: a bit each, where none is more than one.
struct PackedSpikes: Sendable {
    private var words: [UInt64] = []
    private var counts: [Int16] = []
    private let count: Int

    init(_ values: [Float]) {
        count = values.count
        guard values.allSatisfy({ $0 == 0 || $0 == 1 }) else {
            counts = values.map { Int16($0) }
            return
        }
        words = [UInt64](repeating: 0, count: (count + 63) / 64)
        for (index, value) in values.enumerated() where value != 0 { words[index / 64] |= 1 << UInt64(index % 64) }
    }

    var floats: [Float] {
        var values = [Float](repeating: 0, count: count)
        add(to: &values)
        return values
    }

    func add(to sums: inout [Float]) {
        for (index, count) in counts.enumerated() { sums[index] += Float(count) }
        for (index, word) in words.enumerated() {
            var word = word
            while word != 0 {
                sums[index * 64 + word.trailingZeroBitCount] += 1
                word &= word - 1
            }
        }
    }
}
