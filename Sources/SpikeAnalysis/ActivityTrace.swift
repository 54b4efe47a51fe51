public import SpikeGraph
import SpikeReference
public import SpikeRuntime

/// What a spiking network's neurons do on some samples, step by step: the material for looking at it.
///
///     let trace = try ActivityTrace.record(snn, ann: ann, inputs: batch.inputs, steps: 32)
public struct ActivityTrace: Codable, Sendable, Equatable {
    /// One layer of neurons.
    public struct Layer: Codable, Sendable, Equatable {
        /// The neurons' node.
        public var name: String
        /// What people call it: by the names of the ANN's modules.
        public var label: String?
        /// The neurons of one sample.
        public var neurons: Int
        /// Spikes of a neuron in each step, mean over neurons and samples; spikes taken back count too.
        public var density: [Double]
        /// Some of the first sample's neurons: their positions in the layer, and what each emitted in each step.
        public var watched: [Int]
        /// For each watched neuron, what it emitted in each step.
        public var spikes: [[Int]]
        /// The membrane potentials of the first watched neurons after each step, in the unit of their currents; empty under the
        /// layer-synchronous schedule, where neurons only listen first and then only speak.
        public var membranes: [[Float]]
        /// θ in the unit of the membranes, where the rule has one.
        public var threshold: Float?
        /// Pairs of the ANN's activation and the decoded spikes of some neurons, in units of the activation; with an ANN only.
        public var activations: [Float]
        /// The decoded spikes of the same neurons.
        public var decoded: [Float]
        /// Pearson's correlation of all such pairs; `nil` where one side does not vary.
        public var correlation: Double?
        /// The first sample's spikes over all steps, decoded: some channels of a layer with places, each `[height, width]`.
        public var maps: [[Float]]
        /// Height and width of a map.
        public var mapSize: [Int]
        /// By channel, with an ANN: the ANN's largest activation on these samples (what conversion by maxima takes for θ), and θ, the
        /// largest activation that the neurons can express.
        public var largest: [Float]?
        /// θ of each channel, in units of the activation.
        public var thresholds: [Float]?
    }

    /// The number of time steps.
    public var steps: Int
    /// The engine's numbers, if it was the engine that sent the spikes. Membranes are float32 sums of what these spikes bring and take.
    public var precision: String?
    /// In the network's order.
    public var layers: [Layer]
    /// The first sample `[C, H, W]`, where it is an image; of a time-varying one the mean over the steps.
    public var image: [Float]
    /// The sample's sizes, `[C, H, W]`.
    public var imageShape: [Int]

    /// How much of a layer is kept.
    private static let (mostWatched, mostMembranes, mostPairs, mostMaps) = (32, 3, 300, 8)

    /// Simulates some samples.
    ///
    /// - Parameters:
    ///   - ann: the network that `snn` was converted from; without it activations are left out.
    ///   - inputs: a few samples; the first is the one that is watched.
    ///   - steps: T; of a radix code only its own K.
    ///   - precision: of the engine whose spikes are shown; `nil`: the reference executor's.
    ///   - timeVarying: whether the samples have an input of their own in each step, `[N, T, …]`.
    public static func record(
        _ snn: Graph, ann: Graph?, inputs: [Tensor], steps: Int, precision: Precision? = nil, timeVarying: Bool = false
    ) throws -> ActivityTrace {
        let code = snn.spikeCode
        let steps = code.steps(asked: steps)
        let observed = ObservedRun(snn, program: try SimulatorChoice(snn, precision: precision).program)
        var layers: [String: Layer] = [:]
        var sums: [String: [Float]] = [:]
        let isStreaming = snn.spiking?.schedule == .streaming
        let pieces = snn.piecesOfSamples()
        try observed(
            timeVarying ? inputs.stepsFirst(steps) : inputs, steps: steps, timeVarying: timeVarying,
            observe: { simulation, node, _, results in
                guard case .neuron(let neuronNode) = node.operator else { return }
                let spikes = snn.samplesFirst(results[0], of: node.outputs[0], pieces: pieces)
                let emitted = spikes.floats
                let size = emitted.count / max(1, spikes.shape[0])
                var layer = layers[node.name] ?? empty(node.name, neuronNode, size: size)
                layer.density.append(emitted.reduce(0.0) { $0 + Double(abs($1)) } / Double(max(1, emitted.count)))
                for (index, neuron) in layer.watched.enumerated() { layer.spikes[index].append(Int(emitted[neuron])) }
                if isStreaming, let state = simulation.neuronStates[node.name] {
                    let membranes = snn.samplesFirst(state.membrane, of: node.outputs[0], pieces: pieces).floats
                    for index in layer.membranes.indices { layer.membranes[index].append(membranes[layer.watched[index]]) }
                }
                layers[node.name] = layer
                let first = emitted[0..<size]
                sums[node.name] = sums[node.name].map { zip($0, first).map { code.growth * $0 + $1 } } ?? Array(first)
            })
        for node in snn.nodes {
            guard let shape = snn.types[node.outputs[0]]?.shape.resolved(batch: 1), shape.count == 4, let sum = sums[node.name] else {
                continue
            }
            let size = shape[2] * shape[3]
            layers[node.name]?.mapSize = [shape[2], shape[3]]
            layers[node.name]?.maps = (0..<min(mostMaps, shape[1])).map { Array(sum[$0 * size..<($0 + 1) * size]) }
        }
        if let ann {
            let decomposition = try ErrorDecomposition(snn, ann: ann, steps: steps, precision: precision, timeVarying: timeVarying)
            var names = snn.nodes.filter { layers[$0.name] != nil }.map(\.name)[...]
            try decomposition.measure(inputs) { parts in
                guard let name = names.popFirst() else { return }
                let stride = max(1, parts.activation.count / mostPairs)
                let chosen = Swift.stride(from: 0, to: parts.activation.count, by: stride)
                layers[name]?.activations = chosen.map { Float(parts.activation[$0]) }
                layers[name]?.decoded = chosen.map { Float(parts.output[$0]) }
                layers[name]?.correlation = correlation(parts.activation, parts.output)
                layers[name]?.largest = largest(parts)
                layers[name]?.thresholds = (0..<max(1, parts.channels)).map {
                    parts.scales.isEmpty ? 0 : Float(parts.levels * parts.scales[$0 % parts.scales.count])
                }
            }
        }
        let first = inputs.prefix(1).map { $0.samples(0..<1) }
        let sample = try (timeVarying ? first.mean(of: steps) : first).first
        // The ids of tokens are no picture, whatever their shape.
        let imageShape = sample.map { $0.elementType == .float32 ? Array($0.shape.dropFirst()) : [] } ?? []
        return ActivityTrace(
            steps: steps, precision: observed.program?.precision.rawValue,
            layers: snn.nodes.compactMap { node in
                layers[node.name]?.label = node.label
                return layers[node.name]
            },
            image: imageShape.count == 3 ? sample?.floats ?? [] : [], imageShape: imageShape)
    }

    /// A layer before its first step; neurons spread evenly over it are watched.
    private static func empty(_ name: String, _ node: NeuronNode, size: Int) -> Layer {
        let count = min(mostWatched, size)
        // A line in the picture of membranes: where they fire.
        let rule = node.neuron.fastRule
        let threshold = rule?.digits == nil ? rule?.threshold : nil
        return Layer(
            name: name, neurons: size, density: [], watched: (0..<count).map { $0 * size / count },
            spikes: Array(repeating: [], count: count), membranes: Array(repeating: [], count: min(mostMembranes, count)),
            threshold: threshold, activations: [], decoded: [], correlation: nil, maps: [], mapSize: [])
    }

    /// The ANN's largest activation of each channel.
    private static func largest(_ parts: LayerParts) -> [Float] {
        let channels = max(1, parts.channels)
        var largest = [Float](repeating: 0, count: channels)
        // All samples are of the same size: [N, C, places].
        let places = max(1, parts.placesOfChannel)
        for (index, value) in parts.activation.enumerated() {
            let channel = index / places % channels
            largest[channel] = max(largest[channel], Float(value))
        }
        return largest
    }

    private static func correlation(_ a: [Double], _ b: [Double]) -> Double? {
        let count = Double(max(1, a.count))
        let (meanA, meanB) = (a.reduce(0, +) / count, b.reduce(0, +) / count)
        var (both, ofA, ofB) = (0.0, 0.0, 0.0)
        for (x, y) in zip(a, b) {
            both += (x - meanA) * (y - meanB)
            ofA += (x - meanA) * (x - meanA)
            ofB += (y - meanB) * (y - meanB)
        }
        return ofA > 0 && ofB > 0 ? both / (ofA * ofB).squareRoot() : nil
    }
}
