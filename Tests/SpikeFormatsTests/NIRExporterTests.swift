import Foundation
import SpikeConversion
import SpikeData
import SpikeFormats
import SpikeGraph
import SpikeReference
import TestSupport
import Testing

/// Exported networks do what the network does. Weights are dyadic, so that folding rounds nothing and spikes are the same.
@Suite struct NIRExporterTests {
    private static func dyadic(_ shape: [Int], seed: Int, scale: Float = 0.125) -> Tensor {
        var generator = SeededGenerator(UInt64(seed))
        return Tensor((0..<shape.reduce(1, *)).map { _ in Float(Int.random(in: -8...8, using: &generator)) * scale }, shape: shape)
    }

    /// A network with a residual sum, a concatenation, grouped and unevenly padded convolutions, pools and per-channel scales.
    private static func network(neuron: any Neuron = IFNode()) throws -> Graph {
        func neurons(_ name: String, _ input: String, scales: [Float]) -> [Node] {
            [
                Node("\(name).0", .voltageScaler(VoltageScaler(scales: scales.map { 1 / $0 })), inputs: [input]),
                Node("\(name).1", .neuron(NeuronNode(neuron)), inputs: ["\(name).0"]),
                Node("\(name).2", .voltageScaler(VoltageScaler(scales: scales)), inputs: ["\(name).1"]),
            ]
        }
        func conv(_ name: String, _ input: String, _ weight: String, _ window: Window, groups: Int = 1, bias: String? = nil) -> Node {
            Node(name, .conv(Conv(window: window, groups: groups)), inputs: [input, weight] + (bias.map { [$0] } ?? []))
        }
        let same = Window(kernel: [3, 3], padsBegin: [1, 1], padsEnd: [1, 1])
        let uneven = Window(kernel: [3, 3], strides: [2, 2], padsBegin: [0, 0], padsEnd: [1, 1])
        var nodes = [Node("scaled", .mul(Mul()), inputs: ["x", "half"]), conv("conv1", "scaled", "w1", same, bias: "b1")]
        nodes += neurons("a", "conv1", scales: [0.5, 1, 2, 4])
        nodes.append(conv("depthwise", "a.2", "w2", same, groups: 4, bias: "b1"))
        nodes += neurons("b", "depthwise", scales: [2, 1, 0.5, 1])
        nodes.append(Node("residual", .add(Add()), inputs: ["a.2", "b.2"]))
        nodes += neurons("c", "residual", scales: [2])
        nodes.append(Node("both", .concat(Concat(axis: 1)), inputs: ["c.2", "a.2"]))
        nodes.append(conv("conv3", "both", "w3", uneven))
        nodes += neurons("d", "conv3", scales: [1, 2, 0.25])
        nodes.append(Node("pool", .averagePool(AveragePool(window: Window(kernel: [2, 2], strides: [2, 2]))), inputs: ["d.2"]))
        nodes.append(Node("flat", .flatten(Flatten()), inputs: ["pool"]))
        nodes.append(Node("dense", .gemm(Gemm(alpha: 0.5, transposeB: true)), inputs: ["flat", "w4", "b4"]))
        nodes.append(Node("classes", .softmax(Softmax()), inputs: ["dense"]))
        return try Graph(
            name: "net", inputs: [Graph.Input("x", ValueType(.float32, [.batch, 2, 8, 8]))],
            outputs: [Graph.Output("y", value: "classes")], nodes: nodes,
            constants: [
                "half": Tensor([0.5, 2], shape: [1, 2, 1, 1]), "w1": dyadic([4, 2, 3, 3], seed: 1), "b1": dyadic([4], seed: 2),
                "w2": dyadic([4, 1, 3, 3], seed: 3), "w3": dyadic([3, 8, 3, 3], seed: 4), "w4": dyadic([5, 12], seed: 5),
                "b4": dyadic([5], seed: 6),
            ], spiking: SpikingDescription(recipe: "test", code: .rate(steps: 8)))
    }

    private static let images = Tensor(dyadic([3, 2, 8, 8], seed: 7).floats.map { abs($0) }, shape: [3, 2, 8, 8])

    /// Spikes of all neurons, layer by layer, and the sum of outputs before the readout.
    private func run(_ graph: Graph, steps: Int = 8) throws -> (spikes: [[Float]], output: [Float]) {
        let simulation = try ReferenceSimulation(graph)
        var sums = [Float](repeating: 0, count: 15)
        for _ in 0..<steps { sums = zip(sums, try simulation.step([Self.images])[0].floats).map { $0 + $1 } }
        let layers = graph.nodes.compactMap { simulation.spikeCounts[$0.name]?.floats }
        return (layers.sorted { $0.lexicographicallyPrecedes($1) }, sums)
    }

    @Test(arguments: NIRProfile.all.filter { $0.dynamics == NIRProfile.generic.dynamics }.map(\.name))
    func `a network that NIR can say has the same spikes as its file`(target: String) throws {
        let snn = try Self.network()
        let export = try NIRExporter(NIRProfile.named(target))(snn)
        #expect(export.approximations.isEmpty)
        let again = try NIRImporter()(export.graph)
        let (expected, found) = (try run(snn), try run(again))
        #expect(expected.spikes.flatMap { $0 }.contains { $0 > 0 })
        #expect(found.spikes == expected.spikes)
        #expect(found.output == expected.output)
        // And once more: what was folded stays as it is.
        let twice = try NIRExporter(NIRProfile.named(target))(again)
        #expect(twice.graph.nodes.values.count { $0.operation.typeName == "SumPool2d" } == 1)
        #expect(try run(try NIRImporter()(twice.graph)).spikes == expected.spikes)
    }

    @Test func `for Spikelet itself nothing is folded, and initial membranes come back`() throws {
        let snn = try Self.network(neuron: IFNode(threshold: 2, initialMembrane: 0.75))
        let export = try NIRExporter(.spikelet)(snn)
        #expect(export.approximations.isEmpty)
        for case .convolution(let convolution) in [export.graph.nodes["conv1"], export.graph.nodes["depthwise"]].compactMap({
            $0?.operation
        }) {
            #expect([2, 1].contains(convolution.weight.shape[1]), "groups stay")
        }
        #expect(export.graph.nodes["a_1"]?.metadata["v_init"] == .numbers(Tensor(repeating: 0.75, shape: [4])))
        let again = try NIRImporter(NIRProfile.spikelet.dynamics)(export.graph)
        let (expected, found) = (try run(snn), try run(again))
        #expect(found.spikes == expected.spikes && found.output == expected.output)
        // Somebody who does not look at metadata begins with empty membranes.
        #expect(try run(try NIRImporter()(export.graph)).spikes != expected.spikes)
        #expect(NIRProfile.of(export.graph)?.name == "spikelet")
    }

    @Test func `a delayed output and layers that wait are kept, or named`() throws {
        var description = SpikingDescription(recipe: "test", code: .rate(steps: 8))
        description.readoutDelay = 3
        let snn = try Self.network()
        func described(_ description: SpikingDescription) throws -> Graph {
            try Graph(
                name: snn.name, inputs: snn.inputs, outputs: snn.outputs, nodes: snn.nodes, constants: snn.constants, spiking: description)
        }
        let delayed = try described(description)
        expectError(.unsupported, "begins after 3 steps") { _ = try NIRExporter()(delayed) }
        let again = try NIRImporter(NIRProfile.spikelet.dynamics)(NIRExporter(.spikelet)(delayed).graph)
        #expect(again.spiking?.readoutDelay == 3)
        let waiting = try described(SpikingDescription(recipe: "test", schedule: .layerSynchronous, code: .rate(steps: 8)))
        for profile in NIRProfile.all {
            expectError(.unsupported, "wait for each other") { _ = try NIRExporter(profile)(waiting) }
        }
    }

    @Test func `every target takes it once replacements are allowed, and says which`() throws {
        let snn = try Self.network(neuron: IFNode(initialMembrane: 0.5))
        for profile in NIRProfile.all where profile.name != "spikelet" {
            expectError(.unsupported, profile.name, "initial membrane", "`approximate: true`") { _ = try NIRExporter(profile)(snn) }
            let export = try NIRExporter(profile, approximate: true)(snn)
            #expect(export.approximations.contains { $0.subject == "initial membrane potentials" && $0.nodes.count == 4 })
            #expect(export.graph.nodes["input"] != nil && export.graph.nodes["output"] != nil)
            #expect(export.graph.nodes.keys.allSatisfy { $0.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") } })
            #expect(try run(try NIRImporter(profile.dynamics)(export.graph)).output.contains { $0 != 0 })
        }
    }

    @Test func `rules hold: a reader that flattens samples gets convolutions, one without biases none`() throws {
        let snn = try Self.network()
        let norse = try NIRExporter(.norse, approximate: true)(snn).graph
        #expect(!norse.nodes.values.contains { ["Flatten", "Affine"].contains($0.operation.typeName) })
        #expect(norse.nodes["output"]?.operation == .output(shape: [5, 1, 1]))
        let snntorch = try NIRExporter(.snntorch, approximate: true)(snn).graph
        #expect(snntorch.nodes.values.contains { $0.operation.typeName == "AvgPool2d" })
        #expect(snntorch.nodes.values.filter { $0.operation.typeName == "LIF" }.count == 4)
        let lava = try NIRExporter(.lava, approximate: true)(snn)
        #expect(lava.approximations.contains { $0.subject == "biases of convolutions" })
        for case .convolution(let convolution) in lava.graph.nodes.values.map(\.operation) {
            #expect(convolution.bias.floats.allSatisfy { $0 == 0 })
        }
        for profile in NIRProfile.all where profile.name != "spikelet" {
            for case .convolution(let convolution) in try NIRExporter(profile, approximate: true)(snn).graph.nodes.values.map(\.operation) {
                #expect(convolution.groups == 1)
                #expect(Set(convolution.weight.shape.dropFirst(2)).count == 1, "kernels are square")
            }
        }
    }

    /// Spikes at rates 0, ¼, …: neurons whose currents are the inputs.
    private func pooling(_ window: Window, shape: [Int]) throws -> Graph {
        try Graph(
            name: "pool", inputs: [Graph.Input("x", ValueType(.float32, Shape([.batch] + shape.map { Dimension($0) })))],
            outputs: [Graph.Output("y", value: "flat")],
            nodes: [
                Node("if", .neuron(NeuronNode(IFNode())), inputs: ["x"]),
                Node("scale", .voltageScaler(VoltageScaler(scales: [2, 0.5])), inputs: ["if"]),
                Node("pool", .runningMaximumPool(RunningMaximumPool(window: window)), inputs: ["scale"]),
                Node("flat", .flatten(Flatten()), inputs: ["pool"]),
            ], constants: [:], spiking: SpikingDescription(recipe: "test", code: .rate(steps: 64)))
    }

    @Test(arguments: [
        Window(kernel: [2, 2], strides: [2, 2]), Window(kernel: [3, 3], strides: [2, 2], padsBegin: [1, 1], padsEnd: [1, 1]),
        Window(kernel: [2, 2], strides: [2, 2], ceilMode: true),
    ])
    func `max pooling by neurons comes near the maximum, and never below it`(window: Window) throws {
        let snn = try pooling(window, shape: [2, 5, 5])
        let export = try NIRExporter(approximate: true)(snn)
        #expect(export.approximations.map(\.subject) == ["max pooling"])
        let again = try NIRImporter()(export.graph)
        let x = Tensor(Self.dyadic([2, 2, 5, 5], seed: 9, scale: 0.0625).floats.map { abs($0) }, shape: [2, 2, 5, 5])
        let expected = try ReferenceSimulation(snn).run([x], steps: 64)[0]
        let found = try ReferenceSimulation(again).run([x], steps: 64)[0]
        #expect(found.shape == expected.shape)
        // A spike is worth 2 at most, and a tree of comparisons adds a few in 64 steps.
        for (a, b) in zip(expected.floats, found.floats) { #expect(b >= a && b - a <= 2 * 6 / 64, "\(a) \(b)") }
    }

    @Test func `what cannot be said at all is listed, node by node`() throws {
        let snn = try Graph(
            name: "net", inputs: [Graph.Input("x", ValueType(.float32, [.batch, 2, 4, 4]))], outputs: [Graph.Output("y", value: "b")],
            nodes: [
                Node("if", .neuron(NeuronNode(IFNode())), inputs: ["x"]), Node("a", .relu(Relu()), inputs: ["if"]),
                Node("b", .transpose(Transpose(permutation: [0, 1, 3, 2])), inputs: ["if"]),
            ], constants: [:], spiking: SpikingDescription(recipe: "test"))
        for approximate in [false, true] {
            expectError(.unsupported, "Relu", "(a)", "Transpose", "(b)") { _ = try NIRExporter(approximate: approximate)(snn) }
        }
        expectError(.invalidData, "ANN") {
            _ = try NIRExporter()(
                Graph(
                    name: "ann", inputs: [Graph.Input("x", ValueType(.float32, [.batch, 2]))], outputs: [Graph.Output("y", value: "r")],
                    nodes: [Node("r", .relu(Relu()), inputs: ["x"])], constants: [:]))
        }
    }

    @Test func `codes that NIR does not have become rates of the same largest activation`() throws {
        for neuron in [
            SignedIFNeuron(), BurstIFNeuron(), try RadixNeuron(digits: 4),
            try QuantizerNeuron(threshold: 4, levels: 3, rounding: .halfUp),
        ] as [any Neuron] {
            let window = Window(kernel: [1, 1])
            let schedule: SpikingDescription.Schedule = neuron is SignedIFNeuron || neuron is BurstIFNeuron ? .streaming : .layerSynchronous
            let snn = try Graph(
                name: "net", inputs: [Graph.Input("x", ValueType(.float32, [.batch, 1, 2, 2]))], outputs: [Graph.Output("y", value: "y")],
                nodes: [
                    Node("conv", .conv(Conv(window: window)), inputs: ["x", "w"]), Node("n", .neuron(NeuronNode(neuron)), inputs: ["conv"]),
                    Node("y", .flatten(Flatten()), inputs: ["n"]),
                ], constants: ["w": Tensor(repeating: 1, shape: [1, 1, 1, 1])],
                spiking: SpikingDescription(
                    recipe: "test", schedule: schedule, code: neuron is RadixNeuron ? .radix(digits: 4) : .rate()))
            expectError(.unsupported, "instead") { _ = try NIRExporter()(snn) }
            let again = try NIRImporter()(NIRExporter(approximate: true, steps: 64)(snn).graph)
            let x = Tensor([0.25, 0.5, 0, 0.75] as [Float], shape: [1, 1, 2, 2])
            let expected = try ReferenceSimulation(snn).run([x], steps: 4)[0].floats
            let found = try ReferenceSimulation(again).run([x], steps: 64)[0].floats
            // Radix and quantisers round to whole levels.
            for (a, b) in zip(expected, found) { #expect((a - b).magnitude <= 0.55, "\(neuron) \(a) \(b)") }
        }
    }

    @Test func `plain arrays hold the folded weights and thresholds of each layer`() throws {
        let arrays = Dictionary(
            uniqueKeysWithValues: try PlainArrays.fold(Self.network(neuron: IFNode(threshold: 2, initialMembrane: 1))).arrays.map {
                ($0.name, $0.tensor)
            })
        let w1 = Self.dyadic([4, 2, 3, 3], seed: 1).floats
        // Into a spike of channel 2 go 1/2 of its scale, 1/2 of its threshold, and the factor 2 of the input's channel 1.
        #expect(arrays["conv1.weight"]?.shape == [4, 2, 3, 3] || arrays["conv1.weight"] != nil)
        #expect(arrays["a_1.threshold"]?.floats == [1, 1, 1, 1])
        #expect(arrays["a_1.initial"]?.floats == [0.5, 0.5, 0.5, 0.5])
        if let folded = arrays["conv1.weight"]?.floats, folded.count == w1.count {
            #expect(folded[(2 * 2 + 1) * 9] == w1[(2 * 2 + 1) * 9] / 2 / 2 * 2)
        }
        #expect(arrays["dense.weight"]?.shape == [5, 12])
    }
}
