import SpikeGraph
import SpikeReference
import SpikeRuntime
import Testing

/// Operators that only move numbers, and transposed convolutions: all of it on the engine's own path, with the reference's bits.
@Suite struct `Movement on the engine` {
    private static let neurons: [any Neuron] = [
        IFNode(threshold: 1, initialMembrane: 0.5), SignedIFNeuron(), BurstIFNeuron(threshold: 0.5, maximumBurst: 7),
    ]

    private func compare(
        _ graph: Graph, _ input: Tensor, steps: Int, _ name: String, isWhole: Bool = true,
        _ sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let reference = try ReferenceSimulation(graph)
        let simulation = try Simulation(graph, threads: 2)
        simulation.recording = .spikeCounts
        #expect(
            try simulation.run([input], steps: steps) == reference.run([input], steps: steps), "\(name)\n\(simulation.program)",
            sourceLocation: sourceLocation)
        #expect(simulation.spikeCounts == reference.spikeCounts, "\(name)", sourceLocation: sourceLocation)
        #expect(
            reference.spikeCounts.values.allSatisfy { $0.floats.contains { $0 > 0 } }, "\(name): silent", sourceLocation: sourceLocation)
        #expect(simulation.program.genericNodes.isEmpty == isWhole, "\(name)\n\(simulation.program)", sourceLocation: sourceLocation)
    }

    /// Name, operator, further operands, the sizes that come of [9, 6, 5].
    private static let moves: [(String, Operator, [Tensor], [Int])] = {
        func resize(_ height: Int, _ width: Int, _ coordinates: Resize.Coordinates, _ rounding: Resize.Rounding) -> Operator {
            .resize(
                Resize(
                    axes: [
                        .init(axis: 2, size: height, scale: Float(height) / 6), .init(axis: 3, size: width, scale: Float(width) / 5),
                    ], mode: .nearest, coordinates: coordinates, rounding: rounding))
        }
        return [
            ("channels cut", .slice(Slice(cuts: [.init(axis: 1, start: 2, end: 7)])), [], [5, 6, 5]),
            (
                "every second pixel",
                .slice(Slice(cuts: [.init(axis: 2, start: 0, end: 6, step: 2), .init(axis: 3, start: 1, end: 5, step: 2)])), [], [9, 3, 2]
            ),
            ("upside down", .slice(Slice(cuts: [.init(axis: 2, start: -1, end: -7, step: -1)])), [], [9, 6, 5]),
            ("channels backwards", .slice(Slice(cuts: [.init(axis: 1, start: -1, end: -10, step: -1)])), [], [9, 6, 5]),
            ("zero channels", .pad(Pad(begins: [0, 3, 0, 0], ends: [0, 4, 0, 0])), [], [16, 6, 5]),
            ("a border", .pad(Pad(begins: [0, 0, 2, 1], ends: [0, 0, 0, 3])), [], [9, 8, 9]),
            ("mirrored", .pad(Pad(mode: .reflect, begins: [0, 0, 2, 2], ends: [0, 0, 2, 2])), [], [9, 10, 9]),
            ("the border repeated", .pad(Pad(mode: .edge, begins: [0, 1, 1, 1], ends: [0, 1, 1, 1])), [], [11, 8, 7]),
            ("cut by negative padding", .pad(Pad(begins: [0, -1, -1, 0], ends: [0, 0, 0, -2])), [], [8, 5, 3]),
            ("channels picked", .gather(Gather(axis: 1)), [Tensor([Int64(8), 8, 0, -1], shape: [4])], [4, 6, 5]),
            ("columns picked", .gather(Gather(axis: 3)), [Tensor([Int64(4), 0, 0], shape: [3])], [9, 6, 3]),
            ("twice the size", resize(12, 10, .asymmetric, .floor), [], [9, 12, 10]),
            ("half the size, and odd", resize(3, 7, .halfPixel, .roundPreferFloor), [], [9, 3, 7]),
            ("height for width", .transpose(Transpose(permutation: [0, 1, 3, 2])), [], [9, 5, 6]),
            ("other rows", .reshape(Reshape(sizes: [.same, .same, .fixed(constant: 10, batchFactor: 0), .rest])), [], [9, 10, 3]),
            ("corners aligned", resize(11, 9, .alignCorners, .ceil), [], [9, 11, 9]),
        ]
    }()

    @Test(arguments: Self.moves.indices)
    func `numbers that only move`(index: Int) throws {
        let (name, operation, operands, shape) = Self.moves[index]
        for (number, neuron) in Self.neurons.enumerated() {
            for place in ["spikes", "behind a 1×1 convolution with a bias", "summed and joined"] {
                var random = SeededGenerator(index * 10 + number)
                var network = NetworkSketch(input: [9, 6, 5])
                var x = network.fire(network.input, neuron)
                if place != "spikes" {
                    x = try network.conv(
                        x, random.dyadic([9, 9, 1, 1], bits: 2, limit: 3), bias: random.dyadic([9], bits: 2, limit: 3))
                }
                let moved = network.add(operation, [x], operands, shape: shape)
                var y = moved
                if place == "summed and joined" {
                    y = network.add(.add(Add()), [moved, moved], shape: shape)
                    y = network.add(.concat(Concat(axis: 1)), [y, moved], shape: [2 * shape[0]] + shape.dropFirst())
                }
                y = try network.conv(y, random.dyadic([10, y.shape[0], 3, 3], bits: 2, limit: 3), pads: [1, 1])
                y = network.fire(y, neuron)
                let output = network.linear(y, random.dyadic([3, y.shape.reduce(1, *)], bits: 3, limit: 6))
                let graph = try network.graph([output], SpikingDescription(recipe: "test"))
                // Two wide windows and no neuron between are the reference's.
                try compare(graph, random.dyadic([2, 9, 6, 5], bits: 2, limit: 6), steps: 70, "\(name), \(place), \(neuron)")
            }
        }
    }

    /// Kernel, stride, padding, dilation, output padding, groups; whether a convolution of 3×3 behind it is joined with it.
    private static let transposed: [(Int, Int, Int, Int, Int, Int, Bool)] = [
        (2, 2, 0, 1, 0, 1, true), (4, 2, 1, 1, 0, 1, false), (3, 2, 1, 1, 1, 1, false), (3, 1, 1, 1, 0, 1, false), (1, 3, 0, 1, 2, 1, true),
        (2, 3, 0, 1, 0, 3, true), (3, 2, 4, 1, 1, 1, false), (2, 2, 0, 2, 1, 1, true), (5, 1, 0, 2, 0, 3, false), (3, 4, 0, 1, 0, 1, true),
    ]

    @Test(arguments: Self.transposed.indices)
    func `transposed convolutions`(index: Int) throws {
        let (kernel, stride, pad, dilation, more, groups, isJoined) = Self.transposed[index]
        for (number, neuron) in Self.neurons.enumerated() {
            for place in ["by itself", "in front of a convolution", "joined with a branch, in front of a convolution"] {
                var random = SeededGenerator(index * 10 + number)
                var network = NetworkSketch(input: [9, 6, 5])
                let x = network.fire(network.input, neuron)
                let operation = ConvTranspose(
                    window: Window(
                        kernel: [kernel, kernel], strides: [stride, stride], dilations: [dilation, dilation], padsBegin: [pad, pad],
                        padsEnd: [pad, pad]), groups: groups, outputPadding: [more, more])
                let features = groups * 3
                let shape = [features] + (try operation.outputSizes([6, 5]))
                let wide = network.add(
                    .convTranspose(operation), [x],
                    [random.dyadic([9, 3, kernel, kernel], bits: 2, limit: 4), random.dyadic([features], bits: 2, limit: 3)], shape: shape)
                var y = wide
                if place.hasPrefix("joined") {
                    let beside = network.add(
                        .resize(
                            Resize(
                                axes: [
                                    .init(axis: 2, size: shape[1], scale: Float(shape[1]) / 6),
                                    .init(axis: 3, size: shape[2], scale: Float(shape[2]) / 5),
                                ], mode: .nearest, coordinates: .asymmetric, rounding: .floor)), [x], shape: [9] + shape.dropFirst())
                    y = network.add(.concat(Concat(axis: 1)), [beside, wide], shape: [features + 9] + shape.dropFirst())
                }
                if place != "by itself" {
                    y = try network.conv(y, random.dyadic([10, y.shape[0], 3, 3], bits: 2, limit: 3), pads: [1, 1])
                }
                y = network.fire(y, neuron)
                let output = network.linear(y, random.dyadic([3, y.shape.reduce(1, *)], bits: 3, limit: 6))
                let graph = try network.graph([output], SpikingDescription(recipe: "test"))
                try compare(
                    graph, random.dyadic([2, 9, 6, 5], bits: 2, limit: 6), steps: 9, "\(Self.transposed[index]), \(place), \(neuron)",
                    isWhole: place == "by itself" || isJoined)
            }
        }
    }

    @Test func `sequences, and what comes step by step under a radix code`() throws {
        for digits in [1, 4, 9] {
            var random = SeededGenerator(digits)
            var network = NetworkSketch(input: [4, 11])
            let neuron = try RadixNeuron(digits: digits)
            let x = network.fire(network.input, neuron)
            let operation = ConvTranspose(window: Window(kernel: [3], strides: [3], padsBegin: [1], padsEnd: [0]))
            let size = try operation.outputSizes([11])[0]
            var y = network.add(
                .convTranspose(operation), [x], [random.dyadic([4, 2, 3], bits: 1, limit: 3), random.dyadic([2], bits: 1, limit: 3)],
                shape: [2, size])
            y = network.fire(y, neuron)
            y = network.add(.slice(Slice(cuts: [.init(axis: 2, start: 1, end: size, step: 3)])), [y], shape: [2, (size - 2) / 3 + 1])
            y = network.add(.pad(Pad(begins: [0, 1, 0], ends: [0, 0, 2])), [y], shape: [3, y.shape[1] + 2])
            let output = network.linear(y, random.dyadic([2, y.shape.reduce(1, *)], bits: 2, limit: 5))
            let graph = try network.graph(
                [output], SpikingDescription(recipe: "test", schedule: .layerSynchronous, code: .radix(digits: digits)))
            try compare(
                graph, Tensor((0..<88).map { _ in Float(random.int(-3...1 << digits)) }, shape: [2, 4, 11]), steps: digits, "\(digits)")
        }
    }

    /// Constants of the channels go past a maximum, and reach the padding of what reads it.
    @Test(arguments: 0..<24) func `maxima of spikes with a constant`(seed: Int) throws {
        var random = SeededGenerator(seed)
        let digits = seed % 4 == 3 ? random.int(1...8) : nil
        let neuron: any Neuron = try digits.map { try RadixNeuron(digits: $0) } ?? Self.neurons[seed % 4]
        var network = NetworkSketch(input: [5, 7, 6])
        let spikes = network.fire(network.input, neuron)
        let parameters = [
            random.dyadic([5], bits: 1, limit: 3).map { abs($0) + 0.5 }, random.dyadic([5], bits: 2, limit: 5),
            random.dyadic([5], bits: 2, limit: 5), Tensor(repeating: 1, shape: [5]),
        ]
        let norm = network.add(.batchNormalization(BatchNormalization(epsilon: 0)), [spikes], parameters, shape: spikes.shape)
        let kernel = random.int(2...3)
        let pad = random.int(0...1)
        let window = Window(
            kernel: [kernel, kernel], strides: [2, 2], padsBegin: [pad, pad], padsEnd: [pad, pad], ceilMode: random.chance(0.5))
        let size = try window.placement(over: [7, 6]).output
        let isRunning = random.chance(0.8)
        let pooled = network.add(
            isRunning ? .runningMaximumPool(RunningMaximumPool(window: window)) : .maxPool(MaxPool(window: window)), [norm],
            shape: [5] + size)
        var y = try network.conv(
            pooled, random.dyadic([6, 5, 3, 3], bits: 2, limit: 3), bias: random.dyadic([6], bits: 2, limit: 3), pads: [1, 1])
        y = network.fire(y, neuron)
        let output = network.linear(y, random.dyadic([3, y.shape.reduce(1, *)], bits: 3, limit: 6))
        let graph = try network.graph(
            [output, pooled],
            SpikingDescription(
                recipe: "test", schedule: digits == nil ? .streaming : .layerSynchronous,
                code: digits.map { .radix(digits: $0) } ?? .rate()))
        let most = digits.map { 1 << $0 } ?? 2
        let input = Tensor((0..<420).map { _ in Float(random.int(-1...most)) }, shape: [2, 5, 7, 6])
        try compare(graph, input, steps: digits ?? random.pick([1, 9, 70]), "seed \(seed), \(neuron)")
    }
}
