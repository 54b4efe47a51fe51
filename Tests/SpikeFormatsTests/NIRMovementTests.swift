import SpikeFormats
import SpikeGraph
import SpikeReference
import TestSupport
import Testing

/// What has no node in NIR and is linear all the same: written as layers, read again, and simulated as each reader would. All numbers
/// are dyadic, so that float32 is exact: the same spikes, to the bit.
@Suite struct NIRMovementTests {
    /// An operator over values `[N, 4, 6, 8]`, or `[N, 4, 6]`.
    struct Case: Sendable, CustomStringConvertible {
        let description: String
        let operators: [Operator]
        /// By the names `c0`, `c1`, … after the value.
        var constants: [Tensor] = []
        /// Over `[N, 4, 6]`.
        var isOneDimensional = false

        init(_ description: String, _ operators: [Operator], _ constants: [Tensor] = [], isOneDimensional: Bool = false) {
            (self.description, self.operators, self.constants) = (description, operators, constants)
            self.isOneDimensional = isOneDimensional
        }
    }

    private static func slice(_ cuts: (axis: Int, start: Int, end: Int, step: Int)...) -> Operator {
        .slice(Slice(cuts: cuts.map { Slice.Cut(axis: $0.axis, start: $0.start, end: $0.end, step: $0.step) }))
    }

    private static func resize(
        _ sizes: (axis: Int, size: Int, scale: Float)..., mode: Resize.Mode = .nearest, coordinates: Resize.Coordinates = .asymmetric
    ) -> Operator {
        .resize(
            Resize(
                axes: sizes.map { Resize.Axis(axis: $0.axis, size: $0.size, scale: $0.scale) }, mode: mode, coordinates: coordinates,
                rounding: .floor))
    }

    private static func transposed(
        _ kernel: [Int], strides: [Int], pads: [Int], output: [Int]? = nil, dilations: [Int]? = nil, groups: Int = 1
    ) -> Operator {
        .convTranspose(
            ConvTranspose(
                window: Window(kernel: kernel, strides: strides, dilations: dilations, padsBegin: pads, padsEnd: pads), groups: groups,
                outputPadding: output))
    }

    /// A reshaping of the channels, an exchange of axes, and a reshaping.
    private static func shuffling(_ channels: [Int], _ permutation: [Int], _ result: [Int]) -> [Operator] {
        func reshape(_ sizes: [Int]) -> Operator {
            .reshape(Reshape(sizes: [.same] + sizes.map { .fixed(constant: $0, batchFactor: 0) }))
        }
        return [reshape(channels + [6, 8]), .transpose(Transpose(permutation: [0] + permutation)), reshape(result)]
    }

    private static let whole = Int.max

    static let cases: [Case] = [
        Case("every second place", [slice((2, 0, whole, 2), (3, 0, whole, 2))]),
        Case("every third place from the second on", [slice((2, 1, whole, 3), (-1, 1, whole, 3))]),
        Case("the middle", [slice((2, 1, -1, 1), (3, 2, -1, 1))]), Case("some channels", [slice((1, 1, 3, 1))]),
        Case("backwards", [slice((3, -1, Int.min, -1))]),
        Case("option A", [slice((2, 0, whole, 2), (3, 0, whole, 2)), .pad(Pad(begins: [0, 2, 0, 0], ends: [0, 2, 0, 0]))]),
        Case("zeros around", [.pad(Pad(begins: [0, 0, 1, 0], ends: [0, 0, 0, 2]))]),
        Case("zeros and cut", [.pad(Pad(begins: [0, 1, -1, 0], ends: [0, 0, 2, -3]))]),
        Case("the mirror", [.pad(Pad(mode: .reflect, begins: [0, 0, 1, 1], ends: [0, 0, 1, 1]))]),
        Case("the edge", [.pad(Pad(mode: .edge, begins: [0, 0, 2, 0], ends: [0, 0, 0, 1]))]),
        Case("the other end", [.pad(Pad(mode: .wrap, begins: [0, 0, 1, 1], ends: [0, 0, 1, 1]))]),
        Case("picked channels", [.gather(Gather(axis: 1))], [Tensor([Int64(2), 0, 0, -1, 3], shape: [5])]),
        Case("picked rows", [.gather(Gather(axis: -2))], [Tensor([Int64(5), 1, 1], shape: [3])]),
        Case("tiles", [.tile(Tile(repeats: [1, 2, 1, 2]))]),
        Case(
            "a sum everywhere",
            [
                .reduce(Reduce(.sum, axes: [2, 3])),
                .expand(Expand(sizes: ([1, 4, 6, 8]).map { .fixed(constant: $0, batchFactor: 0) })),
            ]),
        Case("twice beside each other", [.concat(Concat(axis: 3))]),
        Case("twice as large", [resize((2, 12, 2), (3, 16, 2))]), Case("in one direction", [resize((3, 24, 3))]),
        Case("2 by 3 times", [resize((2, 12, 2), (3, 24, 3))]), Case("half as large", [resize((2, 3, 0.5), (3, 4, 0.5))]),
        Case("twice twice", [resize((2, 12, 2), (3, 16, 2)), resize((2, 24, 2), (3, 32, 2))]),
        Case("larger and cut", [resize((2, 12, 2), (3, 16, 2)), slice((2, 1, -1, 1), (3, 2, whole, 1))]),
        Case("larger and every second", [resize((2, 18, 3), (3, 24, 3)), slice((2, 1, whole, 2), (3, 0, whole, 2))]),
        Case("on straight lines", [resize((2, 12, 2), (3, 16, 2), mode: .linear, coordinates: .halfPixel)]),
        Case("by 1⅓", [resize((2, 8, 8.0 / 6), (3, 8, 1))]), Case("rows summed up", [.reduce(Reduce(.sum, axes: [2]))]),
        Case("all summed up", [.reduce(Reduce(.sum, axes: [2, 3], keepsDimensions: false))]),
        Case("columns averaged", [.reduceMean(ReduceMean(axes: [3]))]), Case("channels summed up", [.reduce(Reduce(.sum, axes: [1]))]),
        Case("sums so far", [.cumSum(CumSum(axis: 3))]),
        Case("sums from here on", [.cumSum(CumSum(axis: 2, isExclusive: true, isReverse: true))]),
        Case(
            "averages at the border",
            [.averagePool(AveragePool(window: Window(kernel: [2, 2], strides: [2, 2], padsBegin: [1, 1], padsEnd: [1, 1])))]),
        Case("transposed, 4 by 2", [transposed([4, 4], strides: [2, 2], pads: [1, 1])], [dyadic([4, 3, 4, 4], seed: 11)]),
        Case(
            "transposed, 2 by 2, with a bias", [transposed([2, 2], strides: [2, 2], pads: [0, 0])],
            [dyadic([4, 3, 2, 2], seed: 12), dyadic([3], seed: 13)]),
        Case(
            "transposed, in groups", [transposed([3, 3], strides: [2, 2], pads: [1, 1], output: [1, 1], groups: 2)],
            [dyadic([4, 1, 3, 3], seed: 14)]),
        Case("transposed by 1", [transposed([3, 3], strides: [1, 1], pads: [1, 0])], [dyadic([4, 3, 3, 3], seed: 15)]),
        Case("transposed to odd sizes", [transposed([3, 3], strides: [2, 2], pads: [1, 1])], [dyadic([4, 3, 3, 3], seed: 16)]),
        Case(
            "transposed and cut", [transposed([3, 3], strides: [2, 2], pads: [0, 0]), slice((2, 0, -1, 1), (3, 0, -1, 1))],
            [dyadic([4, 3, 3, 3], seed: 17)]),
        Case(
            "transposed and dilated", [transposed([2, 2], strides: [2, 1], pads: [0, 0], dilations: [2, 3])],
            [dyadic([4, 3, 2, 2], seed: 18)]),
        Case(
            "transposed with a gap", [transposed([1, 1], strides: [2, 2], pads: [0, 0], output: [1, 1])], [dyadic([4, 3, 1, 1], seed: 19)]),
        Case("shuffled", shuffling([1, 2, 2], [1, 4, 2, 5, 3], [1, 12, 16])),
        Case("shuffled, phases first", shuffling([2, 2, 1], [3, 4, 1, 5, 2], [1, 12, 16])),
        Case("one axis: every second", [slice((2, 0, whole, 2))], isOneDimensional: true),
        Case("one axis: twice as large", [resize((2, 12, 2))], isOneDimensional: true),
        Case(
            "one axis: transposed", [transposed([4], strides: [2], pads: [1])], [dyadic([4, 3, 4], seed: 20)], isOneDimensional: true),
        Case("one axis: the last place", [.gather(Gather(axis: 2))], [Tensor([Int64(-1)], shape: [])], isOneDimensional: true),
    ]

    /// Where the operator stands.
    enum Place: String, CaseIterable {
        case beforeNeurons, behindNeurons, betweenNeurons, beforeFlattening, inSum, atOutput
    }

    /// Puts a network together, value by value.
    private struct Builder {
        var nodes: [Node] = []
        var constants: [String: Tensor] = [:]
        var types = ["x": ValueType(.float32, [.batch, 2, 6, 8])]
        let neuron: any Neuron
        let hasBiases: Bool
        var value = "x"

        init(_ neuron: any Neuron, hasBiases: Bool, isOneDimensional: Bool) {
            (self.neuron, self.hasBiases) = (neuron, hasBiases)
            if isOneDimensional { types["x"] = ValueType(.float32, [.batch, 2, 6]) }
        }

        var shape: [Int] { types[value]?.shape.dimensions.dropFirst().compactMap(\.known) ?? [] }

        mutating func add(_ name: String, _ operation: Operator, _ operands: [String] = []) throws {
            let inputs = [value] + operands
            let node = Node("\(name)\(nodes.count)", operation, inputs: inputs)
            nodes.append(node)
            let given = inputs.compactMap { types[$0] ?? constants[$0].map { ValueType($0) } }
            types[node.name] = try operation.payload.outputTypes(given, constants: inputs.map { constants[$0] }).first
            value = node.name
        }

        mutating func constant(_ tensor: Tensor) -> String {
            let name = "c\(constants.count)"
            constants[name] = tensor
            return name
        }

        mutating func conv(_ channels: Int, seed: UInt64) throws {
            let rank = shape.count - 1
            let window = Window(
                kernel: [3, 3].prefix(rank).map { $0 }, padsBegin: [1, 1].prefix(rank).map { $0 }, padsEnd: [1, 1].prefix(rank).map { $0 })
            var operands = [constant(dyadic([channels, shape[0]] + window.kernel, seed: seed))]
            if hasBiases { operands.append(constant(dyadic([channels], seed: seed + 1))) }
            try add("conv", .conv(Conv(window: window)), operands)
        }

        /// Neurons whose spikes stand for different numbers channel by channel.
        mutating func act() throws {
            let scales = (0..<shape[0]).map { [0.5, 1, 2][$0 % 3] as Float }
            try add("in", .voltageScaler(VoltageScaler(scales: scales.map { 1 / $0 })))
            try add("if", .neuron(NeuronNode(neuron)))
            try add("out", .voltageScaler(VoltageScaler(scales: scales)))
        }

        mutating func apply(_ item: Case) throws {
            for (position, operation) in item.operators.enumerated() {
                var operands = position == 0 ? item.constants.map { constant($0) } : []
                if case .convTranspose = operation, !hasBiases { operands = Array(operands.prefix(1)) }
                if case .concat = operation { operands = [value] }
                try add("op", operation, operands)
            }
        }

        mutating func dense() throws {
            if shape.count > 1 { try add("flat", .flatten(Flatten())) }
            let weights = constant(dyadic([3, shape[0]], seed: 90))
            try add("dense", .gemm(Gemm(transposeB: true)), [weights] + (hasBiases ? [constant(dyadic([3], seed: 91))] : []))
        }

        func graph() throws -> Graph {
            try Graph(
                name: "net", inputs: [.init("x", types["x"] ?? ValueType(.float32, [.batch]))], outputs: [.init("y", value: value)],
                nodes: nodes, constants: constants, spiking: SpikingDescription(recipe: "test", code: .rate(steps: 8)))
        }
    }

    private static func network(_ item: Case, _ place: Place, _ neuron: any Neuron, hasBiases: Bool = true) throws -> Graph {
        var builder = Builder(neuron, hasBiases: hasBiases, isOneDimensional: item.isOneDimensional)
        try builder.conv(4, seed: 1)
        if place != .beforeNeurons { try builder.act() }
        switch place {
        case .beforeNeurons:
            try builder.apply(item)
            try builder.act()
            try builder.dense()
        case .behindNeurons:
            try builder.apply(item)
            if builder.shape.count > 1 { try builder.conv(3, seed: 3) } else { try builder.dense() }
            try builder.act()
            try builder.dense()
        case .betweenNeurons:
            try builder.apply(item)
            try builder.act()
            if builder.shape.count > 1 { try builder.conv(2, seed: 5) }
            try builder.dense()
        case .beforeFlattening:
            try builder.apply(item)
            try builder.dense()
        case .inSum:
            // A shortcut and a branch.
            let trunk = builder.value
            try builder.conv(4, seed: 7)
            try builder.act()
            try builder.apply(item)
            let branch = builder.value
            builder.value = trunk
            try builder.apply(item)
            try builder.add("sum", .add(Add()), [branch])
            try builder.act()
            try builder.dense()
        case .atOutput: try builder.apply(item)
        }
        return try builder.graph()
    }

    /// The outputs and the spikes of all neurons, in no order.
    private static func run(_ graph: Graph) throws -> (output: Tensor, spikes: [Float]) {
        let shape = graph.inputs[0].type.shape.dimensions.dropFirst().compactMap(\.known)
        let simulation = try ReferenceSimulation(graph)
        let output = try simulation.run([dyadic([2] + shape, seed: 99)], steps: 8)[0]
        return (output, simulation.spikeCounts.values.flatMap(\.floats).filter { $0 != 0 }.sorted())
    }

    /// The neuron that a reader's are.
    private static func neuron(of profile: NIRProfile) -> any Neuron {
        if profile.dynamics.isMultiSpike { return MultiSpikeIFNeuron(threshold: 1) }
        return profile.dynamics.reset == .value ? IFNode(reset: .to(0)) : IFNode()
    }

    @Test(arguments: cases)
    func `at every place and for every target it comes back with the same spikes`(item: Case) throws {
        for place in Place.allCases {
            // Output places are put in order by large layers, whoever reads them.
            for profile in place == .atOutput ? [.generic, .norse, .spikelet] : NIRProfile.all where profile.name != "spinnaker2" {
                let snn = try Self.network(item, place, Self.neuron(of: profile), hasBiases: profile.name != "lava")
                let expected = try Self.run(snn)
                let export = try NIRExporter(profile)(snn)
                #expect(export.approximations.isEmpty, "\(place), \(profile.name)")
                let again = try Self.run(NIRImporter(profile.dynamics)(export.graph))
                // Some readers have places where others have a single axis.
                #expect(again.output.floats == expected.output.floats, "\(place), \(profile.name)")
                #expect(expected.output.floats.contains { $0 != 0 })
                #expect(again.spikes == expected.spikes, "\(place), \(profile.name)")
                guard profile.name == "generic" else { continue }
                #expect(again.output.shape == expected.output.shape, "\(place)")
                // And once more: what was written can be written again.
                let twice = try NIRImporter()(NIRExporter()(NIRImporter()(export.graph)).graph)
                #expect(try Self.run(twice).output == expected.output, "\(place)")
            }
        }
    }

    @Test func `layers are what readers take: one group, even padding, square kernels, and no larger than need be`() throws {
        func convolutions(_ name: String, _ place: Place) throws -> [String: NIRConvolution] {
            let item = try #require(Self.cases.first { $0.description == name })
            let graph = try NIRExporter()(Self.network(item, place, IFNode())).graph
            return graph.nodes.compactMapValues { if case .convolution(let convolution) = $0.operation { convolution } else { nil } }
        }
        // A cut and its zeros are one layer; behind neurons it is part of the convolution.
        let shortcut = try #require(convolutions("option A", .betweenNeurons)["op5"])
        #expect(shortcut.weight.shape == [8, 4, 1, 1] && shortcut.stride == [2, 2] && shortcut.padding == [0, 0])
        #expect(try convolutions("option A", .behindNeurons).count == 2)
        // Four places side by side: not a matrix for all places.
        let larger = try convolutions("twice as large", .behindNeurons)
        #expect(larger.count == 3 && larger["conv5"]?.weight.shape == [12, 4, 3, 3])
        let transposed = try convolutions("transposed, 4 by 2", .betweenNeurons)
        #expect(transposed.values.contains { $0.weight.shape == [12, 4, 3, 3] && $0.padding == [1, 1] })
        for name in ["option A", "twice as large", "transposed, 4 by 2", "picked channels"] {
            for convolution in try convolutions(name, .inSum).values {
                #expect(
                    convolution.groups == 1
                        && (convolution.weight.shape[2] == convolution.weight.shape[3] || convolution.inputShape == [6, 8]))
            }
        }
    }

    @Test func `the export says how many weights stand for it, and which places lie side by side`() throws {
        let item = try #require(Self.cases.first { $0.description == "twice as large" })
        let export = try NIRExporter()(Self.network(item, .betweenNeurons, IFNode()))
        #expect(export.notes.contains { $0 == "'op4' (Resize): a layer of 64 weights, with 2×2 places side by side among the channels" })
    }

    @Test func `an output too large to be put in order is left to the reader, and read again it is in order`() throws {
        let up = Case("up", [Self.resize((2, 48, 8), (3, 64, 8))])
        let snn = try Self.network(up, .atOutput, IFNode())
        for profile in [NIRProfile.generic, .spikelet] {
            let export = try NIRExporter(profile)(snn)
            #expect(export.graph.nodes["output"]?.operation == .output(shape: [4 * 64, 6, 8]))
            #expect(export.graph.metadata["output_phases"] == .numbers(Tensor([Int64(8), 8], shape: [2])))
            #expect(export.notes.contains { $0.contains("pixel_shuffle") })
            let again = try NIRImporter(profile.dynamics)(export.graph)
            #expect(try Self.run(again).output == Self.run(snn).output)
        }
        var damaged = try NIRExporter()(snn).graph
        for phases in [[3, 3], [8], [0, 8], [Int64.max, 8], [-8, -8]] as [[Int64]] {
            damaged.metadata["output_phases"] = .numbers(Tensor(phases, shape: [phases.count]))
            expectError(.invalidModel, "output_phases") { _ = try NIRImporter()(damaged) }
        }
    }

    @Test func `the last change of shape is the reader's, and Spikelet's own reader makes it`() throws {
        let reshape = Operator.reshape(Reshape(sizes: [.same] + [2, 3, 32].map { .fixed(constant: $0, batchFactor: 0) }))
        for operators in [
            [reshape], [Self.resize((2, 12, 2)), .reshape(Reshape(sizes: [.same, .fixed(constant: 16, batchFactor: 0), .rest]))],
        ] {
            let snn = try Self.network(Case("", operators), .atOutput, IFNode())
            for profile in [NIRProfile.generic, .norse, .spikelet] {
                let snn = profile.name == "norse" ? try Self.network(Case("", operators), .atOutput, IFNode(reset: .to(0))) : snn
                let export = try NIRExporter(profile)(snn)
                #expect(export.graph.metadata["output_shape"] != nil && export.notes.contains { $0.contains("comes flattened") })
                #expect(try Self.run(NIRImporter(profile.dynamics)(export.graph)).output == Self.run(snn).output)
            }
        }
        var damaged = try NIRExporter()(Self.network(Case("", [reshape]), .atOutput, IFNode())).graph
        for shape in [[3, 3], [], [0, 192], [Int64.max, 8], [-12, -16]] as [[Int64]] {
            damaged.metadata["output_shape"] = .numbers(Tensor(shape, shape: [shape.count]))
            expectError(.invalidModel, "output_shape") { _ = try NIRImporter()(damaged) }
        }
    }

    @Test func `a max pool behind a larger map compares the places that belong together`() throws {
        let pool = Operator.runningMaximumPool(RunningMaximumPool(window: Window(kernel: [3, 3], strides: [2, 2])))
        let up = Case("up", [Self.resize((2, 12, 2), (3, 16, 2)), pool])
        let snn = try Self.network(up, .beforeFlattening, IFNode())
        let export = try NIRExporter(approximate: true)(snn)
        #expect(export.approximations.map(\.subject) == ["max pooling"])
        let again = try NIRImporter()(export.graph)
        let x = dyadic([2, 2, 6, 8], seed: 99)
        let expected = try ReferenceSimulation(snn).run([x], steps: 512)[0].floats
        let found = try ReferenceSimulation(again).run([x], steps: 512)[0].floats
        let scale = expected.map(abs).max() ?? 0
        for (a, b) in zip(expected, found) { #expect((a - b).magnitude <= 0.05 * scale, "\(a) \(b)") }
    }

    // MARK: Refusals

    /// Between neurons: what comes last of all may act on the averaged output.
    private static func single(_ operation: Operator, _ shape: [Int], _ constants: [Tensor] = []) throws -> Graph {
        let names = constants.indices.map { "c\($0)" }
        return try Graph(
            name: "net", inputs: [.init("x", ValueType(.float32, Shape([.batch] + shape.map { Dimension($0) })))],
            outputs: [.init("y", value: "last")],
            nodes: [
                Node("if", .neuron(NeuronNode(IFNode())), inputs: ["x"]), Node("moved", operation, inputs: ["if"] + names),
                Node("last", .neuron(NeuronNode(IFNode())), inputs: ["moved"]),
            ], constants: Dictionary(uniqueKeysWithValues: zip(names, constants)), spiking: SpikingDescription(recipe: "test"))
    }

    @Test(arguments: NIRProfile.all.map(\.name))
    func `what cannot be written is refused with its own reason, and advice`(target: String) throws {
        let exporter = NIRExporter(try NIRProfile.named(target), approximate: true)
        func expectRefusal(_ graph: Graph, _ parts: [String], at location: SourceLocation = #_sourceLocation) {
            for part in parts { expectError(.unsupported, part, "(moved)", at: location) { _ = try exporter(graph) } }
        }
        expectRefusal(
            try Self.single(
                Self.resize((2, 128, 2), (3, 128, 2), mode: .linear, coordinates: .halfPixel), [8, 64, 64]),
            ["Resize", "1141899264 weights (the most are 16777216)", "by whole factors to the nearest place"])
        expectRefusal(
            try Self.single(.pad(Pad(mode: .reflect, begins: [0, 0, 1, 1], ends: [0, 0, 1, 1])), [16, 56, 56]),
            ["Pad", "weights", "with zeros"])
        expectRefusal(
            try Self.single(.pad(Pad(begins: [0, 0, 1, 1], ends: [0, 0, 1, 1], value: 0.5)), [2, 4, 4]),
            ["padding with 0.5", "pad with zeros"])
        expectRefusal(
            try Self.single(.transpose(Transpose(permutation: [0, 2, 1, 3])), [2, 4, 4]), ["Transpose, for which NIR has no node"])
        expectRefusal(
            try Self.single(.reshape(Reshape(sizes: [.same, .fixed(constant: 8, batchFactor: 0), .rest])), [2, 4, 4]),
            ["a change of shape other than flattening, for which NIR has no node", "keeps its axes"])
        expectRefusal(
            try Self.single(.gather(Gather(axis: 2)), [2, 4, 4], [Tensor([Int64(1)], shape: [])]),
            ["Gather that takes an axis away", "keeps its axes"])
        expectRefusal(
            try Self.single(
                Self.transposed([2, 2, 2], strides: [2, 2, 2], pads: [0, 0, 0]), [2, 4, 4, 4], [dyadic([2, 2, 2, 2, 2], seed: 1)]),
            ["a transposed convolution over 3 axes: NIR has convolutions over 1 and 2"])
        expectRefusal(
            try Self.single(Self.slice((4, 0, 2, 1)), [2, 4, 4, 4]), ["Slice over 3 axes: NIR has convolutions over 1 and 2"])
        expectRefusal(
            try Self.single(.sigmoid(Sigmoid()), [2, 4, 4]), ["Sigmoid, which is not linear and acts on every step by itself"])
    }

    @Test func `plain arrays hold transposed convolutions, scales folded in`() throws {
        let weight = dyadic([4, 2, 2, 2], seed: 1)
        let snn = try Graph(
            name: "net", inputs: [.init("x", ValueType(.float32, [.batch, 4, 3, 3]))], outputs: [.init("y", value: "n")],
            nodes: [
                Node("if", .neuron(NeuronNode(IFNode())), inputs: ["x"]),
                Node("scale", .voltageScaler(VoltageScaler(scales: [1, 2, 4, 8])), inputs: ["if"]),
                Node(
                    "up",
                    .convTranspose(
                        ConvTranspose(
                            window: Window(kernel: [2, 2], strides: [2, 2], padsBegin: [1, 0], padsEnd: [0, 0]), groups: 2,
                            outputPadding: [0, 1])), inputs: ["scale", "w", "b"]),
                Node("n", .neuron(NeuronNode(IFNode(threshold: 2))), inputs: ["up"]),
            ], constants: ["w": weight, "b": dyadic([4], seed: 2)], spiking: SpikingDescription(recipe: "test"))
        let plain = try PlainArrays.fold(snn)
        let arrays = Dictionary(uniqueKeysWithValues: plain.arrays.map { ($0.name, $0.tensor) })
        let folded = try #require(arrays["up.weight"])
        #expect(folded.shape == [4, 4, 2, 2])
        for input in 0..<4 {
            for output in 0..<4 {
                for place in 0..<4 {
                    let stored = input / 2 == output / 2 ? weight.floats[(input * 2 + output % 2) * 4 + place] : 0
                    #expect(folded.floats[(input * 4 + output) * 4 + place] == stored * [1, 2, 4, 8][input] / 2)
                }
            }
        }
        #expect(arrays["up.bias"]?.floats == dyadic([4], seed: 2).floats.map { $0 / 2 })
        #expect(arrays["up.stride_padding_dilation"]?.integers == [2, 2, 1, 0, 1, 1])
        #expect(arrays["up.output_padding"]?.integers == [1, 1])
        #expect(!plain.notes.contains { $0.hasPrefix("layers without arrays") })
    }

    @Test func `plain arrays leave other movements to the reader`() throws {
        let item = try #require(Self.cases.first { $0.description == "option A" })
        let plain = try PlainArrays.fold(Self.network(item, .inSum, IFNode()))
        #expect(plain.notes.contains { $0.hasPrefix("layers without arrays") && $0.contains("op") })
    }
}

private func dyadic(_ shape: [Int], seed: UInt64) -> Tensor {
    var generator = SeededGenerator(seed)
    return Tensor((0..<shape.reduce(1, *)).map { _ in Float(Int.random(in: -8...8, using: &generator)) / 8 }, shape: shape)
}
