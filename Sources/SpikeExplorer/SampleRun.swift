internal import Foundation
internal import SpikeEvaluation
package import SpikeGraph
internal import SpikeReference

/// What a spiking network does with one sample, step by step: the material of the live page, which sends it as JSON.
package struct SampleRun: Encodable, Sendable {
    /// One layer of neurons.
    package struct Layer: Encodable, Sendable {
        package var name: String
        /// What people call it: by the ANN's module.
        package var label: String
        package var kind: String
        /// All neurons of the layer.
        package var neurons: Int
        /// The channels that are shown; a layer without channels is one.
        package var channels: [Int]
        package var height: Int
        package var width: Int
        /// What the shown neurons emitted, a signed byte each, `[steps][channel][row][column]`, as Base64.
        package var spikes: String
        /// The spikes of all neurons in each step (negative ones count too).
        package var totals: [Int]
    }

    package var sample: Int
    package var label: Int?
    package var steps: Int
    /// What the sum of spikes is multiplied with before the next step is added: 2 for a radix code, B for a latency code, else 1.
    package var growth: Float
    /// Whether the predictions are classes; else only numbers are shown.
    package var hasPredictions: Bool
    /// The classes whose scores are sent: all of few, else the largest at the end. Of another output the positions of numbers.
    package var classes: [Int]
    /// The output after each step, `[steps][class]`.
    package var scores: [[Float]]
    /// What the network predicts after each step (``OutputTask``): the largest output of all, or whether one score is above its
    /// threshold; where a sample has no single class for a prediction, the position of the first number shown.
    package var predictions: [Int]
    /// The ANN's output for the same classes, and its prediction.
    package var ann: [Float]?
    package var annPrediction: Int?
    package var layers: [Layer]

    /// How much of a layer, and of an output, is sent.
    private static let (mostChannels, mostPlaces, mostFlat, mostClasses) = (8, 32, 1024, 12)

    /// Simulates by the reference executor, which alone shows every spike of every step.
    ///
    /// - Parameters:
    ///   - ann: the ANN that `snn` was made from, if its prediction is to stand beside.
    ///   - batch: the sample, as often as the network takes at a time; the first is looked at.
    package init(_ snn: Graph, ann: Graph?, sample: Int, batch: Batch, steps: Int) throws {
        let simulation = try ReferenceSimulation(snn)
        let pieces = snn.piecesOfSamples()
        func firstSample(_ outputs: [Tensor], of graph: Graph, _ pieces: [String: Int]) -> [Float] {
            guard let output = outputs.first, output.elementType == .float32, let value = graph.outputs.first?.value else { return [] }
            let tensor = graph.samplesFirst(output, of: value, pieces: pieces)
            guard let samples = tensor.shape.first, samples > 0 else { return [] }
            return Array(tensor.floats.prefix(tensor.count / samples))
        }
        var recorders: [String: LayerRecorder] = [:]
        var outputs: [[Float]] = []
        _ = try simulation.run(
            batch.inputs, steps: steps,
            observe: { node, _, results in
                guard case .neuron(let neuron) = node.operator else { return }
                let spikes = snn.samplesFirst(results[0], of: node.outputs[0], pieces: pieces)
                recorders[node.name, default: LayerRecorder(node.name, neuron, shape: spikes.shape)].add(spikes)
            },
            onStep: { _ in outputs.append(firstSample(try simulation.outputs(), of: snn, pieces)) })
        let annOutput = try ann.map { firstSample(try ReferenceExecutor($0).run(batch.inputs), of: $0, $0.piecesOfSamples()) }
        let final = outputs.last ?? []
        let task = try? OutputTask(of: snn, hasLabels: batch.labels != nil, targets: batch.targets)
        func prediction(_ values: [Float], of graph: Graph) throws -> Int? {
            guard let task = try? task?.asked(of: graph), task.kind != .values, task.places == 1 else { return nil }
            return try task.predictions(Tensor(values, shape: [1, values.count]), of: graph).first
        }
        guard (outputs + [annOutput ?? []]).allSatisfy({ $0.allSatisfy(\.isFinite) }) else {
            throw SpikeletError(.invalidData, "an output of the network is not finite", remedy: "look at another sample")
        }
        let shown = Self.classes(final, annOutput)
        classes = shown
        self.sample = sample
        self.steps = steps
        label = batch.labels?.first
        growth = snn.spiking?.code.base ?? 1
        scores = outputs.map { output in shown.map { output[$0] } }
        let predictions = try outputs.compactMap { try prediction($0, of: snn) }
        hasPredictions = predictions.count == outputs.count
        self.predictions = hasPredictions ? predictions : outputs.map { _ in shown.first ?? 0 }
        self.ann = annOutput.map { output in shown.map { $0 < output.count ? output[$0] : 0 } }
        annPrediction = try ann.flatMap { ann in try annOutput.flatMap { try prediction($0, of: ann) } }
        layers = snn.nodes.compactMap { recorders[$0.name]?.layer }
    }

    /// The classes worth looking at: all of few, else the largest of either network, in order.
    private static func classes(_ snn: [Float], _ ann: [Float]?) -> [Int] {
        guard snn.count > mostClasses else { return Array(snn.indices) }
        func best(_ values: [Float]) -> [Int] { values.indices.sorted { (values[$0], $1) > (values[$1], $0) } }
        var chosen: [Int] = []
        for index in zip(best(snn), best(ann.flatMap { $0.count == snn.count ? $0 : nil } ?? snn)).lazy.flatMap({ [$0, $1] }) {
            if chosen.count == mostClasses { break }
            if !chosen.contains(index) { chosen.append(index) }
        }
        return chosen.sorted()
    }

    /// Gathers the spikes of a layer.
    private struct LayerRecorder {
        private(set) var metadata: Layer
        private let positions: [Int]
        private var bytes: [UInt8] = []

        init(_ name: String, _ node: NeuronNode, shape: [Int]) {
            let sizes = Array(shape.dropFirst())
            let neurons = sizes.reduce(1, *)
            var (channels, height, width, positions) = ([0], 1, 1, [Int]())
            if sizes.count >= 2, let last = sizes.last, sizes[sizes.count - 2] * last > 1 {
                // [C, H, W]; the heads of an attention, [heads, tokens, tokens]; tokens in rows, [tokens, features]; channels behind, [H, W, C].
                let isChannelLast = sizes.count == 3 && node.site?.axis == -1
                let all = sizes.dropLast(2).reduce(1, *)
                let (depth, tall, wide) = isChannelLast ? (last, sizes[0], sizes[1]) : (all, sizes[sizes.count - 2], last)
                channels = (0..<depth).evenly(atMost: mostChannels)
                let (rows, columns) = ((0..<tall).evenly(atMost: mostPlaces), (0..<wide).evenly(atMost: mostPlaces))
                (height, width) = (rows.count, columns.count)
                positions = channels.flatMap { channel in
                    rows.flatMap { row in
                        columns.map { isChannelLast ? (row * wide + $0) * depth + channel : (channel * tall + row) * wide + $0 }
                    }
                }
            } else {
                // A layer without places: its neurons in rows, near a square.
                positions = (0..<neurons).evenly(atMost: mostFlat)
                width = max(1, Int(Double(positions.count).squareRoot().rounded(.up)))
                height = (positions.count + width - 1) / width
            }
            metadata = Layer(
                name: name, label: node.site?.activation ?? name, kind: type(of: node.neuron).kind, neurons: neurons, channels: channels,
                height: height, width: width,
                spikes: "", totals: [])
            self.positions = positions
        }

        mutating func add(_ spikes: Tensor) {
            let emitted = spikes.floats.prefix(metadata.neurons)
            bytes += positions.map { UInt8(bitPattern: Int8(clamping: Int(emitted[$0]))) }
            // Places of the last row that no neuron has.
            bytes += [UInt8](repeating: 0, count: metadata.channels.count * metadata.height * metadata.width - positions.count)
            metadata.totals.append(Int(emitted.reduce(0.0) { $0 + Double(abs($1)) }))
        }

        var layer: Layer {
            var layer = metadata
            layer.spikes = Data(bytes).base64EncodedString()
            return layer
        }
    }
}
