import CSpikeKernels
import SpikeGraph
import SpikeReference
import SpikeRuntime
import Testing

/// Networks of digit neurons: what the engine computes in whole numbers is, where every sum is exact, the reference's to the bit.
@Suite struct `Networks of digits on the engine` {
    /// Weights that 8 bits say exactly, so that int8 has no rounding of its own.
    @Test(arguments: 0..<40) func `random networks give the same bits, in float32 and in int8`(part: Int) throws {
        for seed in part * 6..<part * 6 + 6 {
            // Every third of layers that differ in their number of digits.
            let network = try NumberNetwork(seed: seed, isMixed: seed % 3 == 2)
            let reference = try ReferenceSimulation(network.graph)
            let expected = try reference.run([network.input], steps: network.digits)
            let isas: [spike_isa] = [SPIKE_ISA_SCALAR, SPIKE_ISA_AVX2, SPIKE_ISA_AVX512, SPIKE_ISA_NEON]
            for precision in network.exactPrecisions {
                let program = try Compiler(precision: precision)(network.graph)
                for isa in isas where spike_isa_supported(isa) {
                    let simulation = Simulation(program, threads: 1 + seed % 3, isaNumber: isa.rawValue)
                    simulation.recording = .spikeCounts
                    simulation.largestChunk = 1 + seed % 4
                    let label = "seed \(seed), \(precision), \(String(cString: spike_isa_name(isa)))\n\(program)\n\(network.graph)"
                    let isSame = try simulation.run([network.input], steps: network.digits) == expected
                    #expect(isSame, "\(label)")
                    let isSameByNeuron = simulation.spikeCounts == reference.spikeCounts
                    #expect(isSameByNeuron, "\(label)")
                    #expect(simulation.spikeTotals == reference.spikeCounts.mapValues { Int($0.floats.reduce(0, +)) }, "\(label)")
                }
            }
        }
    }

    @Test func `the random networks reach every kind of stage`() throws {
        var seen: [String: Int] = [:]
        for seed in 0..<240 {
            for precision in Precision.allCases {
                let text = try Compiler(precision: precision)(NumberNetwork(seed: seed).graph).description
                for kind in [
                    "8 bits weights", "16 bits weights", ", 8 bits, one step", ", 16 bits, one step", "kernel [3, 3], 8 bits", "depthwise",
                    "product of two values", "steps\n", "reference path (", "float32 in spite of int8", "AveragePool", "ReduceMean",
                    "Concat", "Slice",
                    "Gather", "Transpose", "MaximumPool", "Pad",
                ] where text.contains(kind) { seen[kind, default: 0] += 1 }
            }
        }
        #expect(seen.count == 18 && seen.values.allSatisfy { $0 >= 8 }, "\(seen)")
    }

    @Test func `what is sent can be seen, and replaced`() throws {
        for seed in 0..<30 {
            let network = try NumberNetwork(seed: seed, isMixed: seed % 2 == 1)
            for precision in network.exactPrecisions {
                let simulation = try Simulation(network.graph, precision: precision)
                var sent: [String: [Tensor]] = [:]
                simulation.forcing = { name, _, spikes in
                    sent[name, default: []].append(spikes)
                    return spikes
                }
                let free = try simulation.run([network.input], steps: network.digits)
                let reference = try ReferenceSimulation(network.graph)
                var emitted: [String: [Tensor]] = [:]
                _ = try reference.run([network.input], steps: network.digits) { node, _, results in
                    if case .neuron = node.operator { emitted[node.name, default: []].append(results[0]) }
                }
                let isSeen = sent == emitted
                #expect(isSeen, "seed \(seed), \(precision)")
                // Silence.
                simulation.forcing = { _, _, spikes in Tensor(repeating: 0, shape: spikes.shape) }
                let silent = try simulation.run([network.input], steps: network.digits)
                let other = try ReferenceExecutor(network.graph.silenced()).run([network.input])
                #expect(zip(silent[0].floats, other[0].floats).allSatisfy { abs($0 - $1) < 1e-6 }, "seed \(seed), \(precision)")
                simulation.forcing = nil
                let isFree = try simulation.run([network.input], steps: network.digits) == free
                #expect(isFree)
            }
        }
    }

    @Test func `more digits than 8 or 16 bits hold, and sums beyond 32 bits, are float32`() throws {
        var random = SeededGenerator(3)
        func network(digits: Int, depth: Int) throws -> Graph {
            var sketch = NetworkSketch(input: [depth])
            let first = sketch.add(.voltageScaler(VoltageScaler(scale: 64)), [sketch.input], shape: [depth])
            let spikes = sketch.add(
                .voltageScaler(VoltageScaler(scale: 1 / 64)), [sketch.fire(first, try DigitNeuron(digits: digits))], shape: [depth])
            let weights = Tensor((0..<4 * depth).map { _ in Float(random.next() % 2) * 2 - 1 }, shape: [4, depth])
            let output = sketch.linear(spikes, weights)
            return try sketch.graph(
                [output],
                SpikingDescription(recipe: "test", schedule: .layerSynchronous, code: .radix(digits: digits)))
        }
        let reasons = try [(7, 64), (8, 64), (15, 64), (16, 64), (15, 1000)].map { digits, depth in
            let program = try Compiler(precision: .int8)(try network(digits: digits, depth: depth))
            let input = Tensor((0..<3 * depth).map { Float($0 % 700) / 64 - 5 }, shape: [3, depth])
            #expect(try Simulation(program).run([input], steps: digits) == ReferenceSimulation(program.graph).run([input], steps: digits))
            return program.floatStages.map(\.reason).first ?? "whole"
        }
        #expect(reasons[0] == "whole" && reasons[1] == "whole" && reasons[2] == "whole")
        #expect(reasons[3].contains("16 digits") && reasons[4].contains("32 bits"))
    }

    @Test func `samples that lie along another axis than the first keep their places, in outputs and in counts`() throws {
        var random = SeededGenerator(4)
        var sketch = NetworkSketch(input: [4, 6])
        let turned = sketch.add(.transpose(Transpose(permutation: [1, 0, 2])), [sketch.input], shape: [4, 6])
        let weights = Tensor((0..<36).map { _ in Float(Int.random(in: -8...8, using: &random)) / 8 }, shape: [6, 6])
        let first = sketch.add(.matMul(MatMul()), [turned], [weights], shape: [4, 6])
        let spikes = sketch.fire(first, try DigitNeuron(digits: 5))
        let second = sketch.add(.matMul(MatMul()), [spikes], [weights], shape: [4, 6])
        let probable = sketch.add(.softmax(Softmax()), [second], shape: [4, 6])
        let graph = try sketch.graph(
            [second, probable], SpikingDescription(recipe: "test", schedule: .layerSynchronous, code: .radix(digits: 5)))
        let input = Tensor((0..<11 * 24).map { _ in Float(Int.random(in: -32...32, using: &random)) / 8 }, shape: [11, 4, 6])
        let reference = try ReferenceSimulation(graph)
        let expected = try reference.run([input], steps: 5)
        #expect(expected[0].shape == [4, 11, 6])
        try expectSameInChunks(graph, input, steps: 5, reference, expected)
    }

    @Test(arguments: ["relu", "radix", "digits"]) func `tokens in front that a reshape has flattened keep their places`(kind: String) throws
    {
        var random = SeededGenerator(5)
        var sketch = NetworkSketch(input: [4, 6])
        let turned = sketch.add(.transpose(Transpose(permutation: [1, 0, 2])), [sketch.input], shape: [4, 6])
        let flat = sketch.add(
            .reshape(Reshape(sizes: [.fixed(constant: 0, batchFactor: 4), .fixed(constant: 6, batchFactor: 0)])), [turned], shape: [6])
        let weights = Tensor((0..<36).map { _ in Float(Int.random(in: -8...8, using: &random)) / 8 }, shape: [6, 6])
        let first = sketch.add(.matMul(MatMul()), [flat], [weights], shape: [6])
        let spikes =
            switch kind {
            case "relu": sketch.fire(first, IFNode(threshold: 1, initialMembrane: 0.5))
            case "radix": sketch.fire(first, try RadixNeuron(digits: 5))
            default: sketch.fire(first, try DigitNeuron(digits: 5))
            }
        let second = sketch.add(.matMul(MatMul()), [spikes], [weights], shape: [6])
        let description =
            kind == "relu"
            ? SpikingDescription(recipe: "test", schedule: .streaming, code: .rate(steps: 5))
            : SpikingDescription(recipe: "test", schedule: .layerSynchronous, code: .radix(digits: 5))
        let apart = sketch.add(
            .reshape(Reshape(sizes: [4, .batch, 6].map { Reshape.Size($0) })), [second], shape: [4, 6])
        let back = sketch.add(.transpose(Transpose(permutation: [1, 0, 2])), [apart], shape: [4, 6])
        let graph = try sketch.graph(kind == "digits" ? [second, back] : [back], description)
        let input = Tensor((0..<11 * 24).map { _ in Float(Int.random(in: -32...32, using: &random)) / 8 }, shape: [11, 4, 6])
        let reference = try ReferenceSimulation(graph)
        let expected = try reference.run([input], steps: 5)
        #expect(expected.map(\.shape) == (kind == "digits" ? [[44, 6], [11, 4, 6]] : [[11, 4, 6]]))
        try expectSameInChunks(graph, input, steps: 5, reference, expected)
    }

    private func expectSameInChunks(
        _ graph: Graph, _ input: Tensor, steps: Int, _ reference: ReferenceSimulation, _ expected: [Tensor]
    ) throws {
        for (recording, chunk, threads) in [(Recording([]), 8, 1), (.spikeCounts, 2, 3), (.spikeCounts, 8, 2)] {
            let simulation = try Simulation(graph, threads: threads)
            simulation.recording = recording
            simulation.largestChunk = chunk
            let isSame = try simulation.run([input], steps: steps) == expected
            #expect(isSame, "\(chunk) samples a chunk, \(threads) threads")
            let areCountsSame = recording.isEmpty || simulation.spikeCounts == reference.spikeCounts
            #expect(areCountsSame, "\(chunk) samples a chunk, \(threads) threads")
            guard graph.spiking?.schedule == .streaming else { continue }
            let live = try Simulation(graph, threads: threads)
            live.recording = recording
            for _ in 0..<steps { try live.step([input]) }
            let isLiveSame = try live.outputs() == expected && (recording.isEmpty || live.spikeCounts == reference.spikeCounts)
            #expect(isLiveSame, "step by step, \(threads) threads")
        }
    }

    @Test func `a potential that is no number is an error that says where`() throws {
        var sketch = NetworkSketch(input: [2, 3])
        let roots = sketch.add(.unary(Unary(.sqrt)), [sketch.input], shape: [2, 3])
        let spikes = sketch.fire(roots, try DigitNeuron(digits: 4))
        let graph = try sketch.graph(
            [spikes], SpikingDescription(recipe: "test", schedule: .layerSynchronous, code: .radix(digits: 4)))
        let input = Tensor((0..<12).map { $0 == 8 ? -1 : Float(4) }, shape: [2, 2, 3])
        let found = #expect(throws: SpikeletError.self) { _ = try Simulation(graph).run([input], steps: 4) }
        let expected = #expect(throws: SpikeletError.self) { _ = try ReferenceSimulation(graph).run([input], steps: 4) }
        #expect(found?.message == expected?.message)
        #expect(found?.message.contains("at place [1, 0, 2] is no number") == true, "\(found?.message ?? "")")
        // The next run is one of its own.
        let numbers = Tensor(repeating: 9, shape: [2, 2, 3])
        #expect(try Simulation(graph).run([numbers], steps: 4)[0] == numbers.map { _ in 3 })
    }
}

/// A random network of digit and radix neurons, of dyadic numbers with few bits.
private struct NumberNetwork {
    let digits: Int
    let input: Tensor
    private(set) var graph: Graph
    /// Whether layers have digits of their own, ``digits`` at most.
    private let isMixed: Bool
    /// Weights times steps that differ are no multiples of one number any more.
    private var hasStepsOfChannels = false
    private var random: SeededGenerator
    private var sketch: NetworkSketch

    /// The precisions in which nothing is rounded.
    var exactPrecisions: [Precision] { hasStepsOfChannels ? [.float32] : Precision.allCases }

    init(seed: Int, isMixed: Bool = false) throws {
        self.isMixed = isMixed
        var generator = SeededGenerator(seed)
        digits = Int.random(in: 2...9, using: &generator)
        let shape = [2 * Int.random(in: 1...4, using: &generator), 4, 2 << Int.random(in: 0...1, using: &generator)]
        let values = (0..<3 * shape.reduce(1, *)).map { _ in Float(Int.random(in: -16...16, using: &generator)) / 8 }
        input = Tensor(values, shape: [3] + shape)
        random = generator
        sketch = NetworkSketch(input: shape)
        let type = ValueType(.float32, Shape([.batch] + shape.map { Dimension($0) }))
        graph = try Graph(name: "empty", inputs: [.init("x", type)], outputs: [.init("x", value: "x")], nodes: [], constants: [:])
        var value = sketch.input
        for _ in 0..<4 { value = try step(value) }
        value = try weighted(value)
        if value.shape.count > 2, pick(2) == 0 {
            value = sketch.add(.globalAveragePool(GlobalAveragePool()), [value], shape: [value.shape[0], 1, 1])
        }
        graph = try sketch.graph(
            [value], SpikingDescription(recipe: "test", schedule: .layerSynchronous, code: .radix(digits: digits)))
    }

    private mutating func pick(_ count: Int) -> Int { Int.random(in: 0..<count, using: &random) }

    private mutating func weights(_ shape: [Int]) -> Tensor {
        let columns = shape[0]
        let size = shape.dropFirst().reduce(1, *)
        // The first of each row is the largest: 8 bits are then these very numbers.
        return Tensor(
            (0..<columns * size).map { Float($0 % size == 0 ? (pick(2) == 0 ? 127 : -127) : pick(255) - 127) / 512 }, shape: shape)
    }

    /// Digits of a value, in steps of a power of two.
    private mutating func encoded(_ x: NetworkSketch.Value, ofChannels: Bool = false) throws -> NetworkSketch.Value {
        let count = ofChannels ? x.shape[0] : 1
        let digits = isMixed ? 1 + pick(digits) : digits
        let steps = (0..<count).map { _ in Float(sign: .plus, exponent: pick(3) - digits + 2, significand: 1) }
        let scaled = sketch.add(.voltageScaler(VoltageScaler(scales: steps.map { 1 / $0 })), [x], shape: x.shape)
        let neuron: any Neuron = pick(4) == 0 ? try RadixNeuron(digits: digits) : try DigitNeuron(digits: digits)
        return sketch.add(.voltageScaler(VoltageScaler(scales: steps)), [sketch.fire(scaled, neuron)], shape: x.shape)
    }

    private mutating func weighted(_ x: NetworkSketch.Value) throws -> NetworkSketch.Value {
        guard x.shape.count == 3 else { return try tokensWeighted(x) }
        let channels = x.shape[0]
        let spikes = try encoded(x)
        let bias = pick(2) == 0 ? Tensor((0..<channels).map { _ in Float(pick(17) - 8) / 8 }, shape: [channels]) : nil
        switch pick(4) {
        case 0: return try sketch.conv(spikes, weights([channels, channels, 1, 1]), bias: bias)
        case 1: return try sketch.conv(spikes, weights([channels, channels, 3, 3]), bias: bias, pads: [1, 1])
        case 2: return try sketch.conv(spikes, weights([channels, channels / 2, 3, 3]), bias: bias, pads: [2, 2], dilation: 2)
        default: return try sketch.conv(spikes, weights([channels, 1, 3, 3]), bias: bias, pads: [1, 1])
        }
    }

    private mutating func tokensWeighted(_ x: NetworkSketch.Value) throws -> NetworkSketch.Value {
        let size = x.shape[1]
        let spikes = try encoded(x)
        let matrix = weights([size, size]).transposed
        let product = sketch.add(.matMul(MatMul()), [spikes], [matrix], shape: x.shape)
        guard pick(2) == 0 else { return product }
        return sketch.add(.add(Add()), [product], [Tensor((0..<size).map { Float($0 % 9) / 8 }, shape: [size])], shape: x.shape)
    }

    private mutating func step(_ x: NetworkSketch.Value) throws -> NetworkSketch.Value {
        guard x.shape.count == 3 else { return try tokenStep(x) }
        let (channels, height, width) = (x.shape[0], x.shape[1], x.shape[2])
        switch pick(11) {
        case 0: return sketch.add(.unary(Unary(.leakyRelu, parameters: [0.25])), [try weighted(x)], shape: x.shape)
        case 1: return sketch.add(.add(Add()), [x, try weighted(x)], shape: x.shape)
        case 2:
            // A gate: the mean of the channels' digits decides how much of them passes.
            let spikes = try encoded(x)
            let mean = sketch.add(.reduceMean(ReduceMean(axes: [2, 3])), [spikes], shape: [channels, 1, 1])
            let inner = try sketch.conv(try encoded(mean), weights([channels, channels, 1, 1]))
            let share = sketch.add(.unary(Unary(.hardSigmoid, parameters: [0.25, 0.5])), [inner], shape: inner.shape)
            return sketch.add(.mul(Mul()), [spikes, try encoded(share)], shape: x.shape)
        case 3:
            let window = Window(kernel: [3, 3], padsBegin: [1, 1], padsEnd: [1, 1])
            let spikes = try encoded(x)
            return sketch.add(.runningMaximumPool(RunningMaximumPool(window: window)), [spikes], shape: x.shape)
        case 4:
            let spikes = try encoded(x, ofChannels: true)
            hasStepsOfChannels = true
            return try sketch.conv(spikes, weights([channels, channels / 2, 3, 3]), pads: [1, 1])
        case 5:
            // Places become tokens.
            let flat = sketch.add(.reshape(Reshape(sizes: [.same, .same, .rest])), [x], shape: [channels, height * width])
            return sketch.add(.transpose(Transpose(permutation: [0, 2, 1])), [flat], shape: [height * width, channels])
        case 6:
            let half = sketch.add(
                .slice(Slice(cuts: [.init(axis: 1, start: 0, end: channels / 2)])), [try weighted(x)], shape: [channels / 2, height, width])
            let other = sketch.add(
                .gather(Gather(axis: 1)), [x], [Tensor((0..<channels / 2).map { Int64(-1 - $0) }, shape: [channels / 2])], shape: half.shape
            )
            return sketch.add(.concat(Concat(axis: 1)), [half, other], shape: x.shape)
        case 7:
            let spikes = try encoded(x)
            let window = Window(kernel: [2, 2], strides: [1, 1], padsBegin: [0, 0], padsEnd: [1, 1])
            return sketch.add(.averagePool(AveragePool(window: window, countsPadding: true)), [spikes], shape: x.shape)
        case 8:
            let turned = sketch.add(.transpose(Transpose(permutation: [0, 2, 3, 1])), [x], shape: [height, width, channels])
            let spikes = try encoded(turned)
            let product = sketch.add(.matMul(MatMul()), [spikes], [weights([channels, channels]).transposed], shape: turned.shape)
            let back = sketch.add(.transpose(Transpose(permutation: [0, 3, 1, 2])), [product], shape: x.shape)
            let scales = Tensor((0..<channels).map { Float($0 % 3 + 1) / 4 }, shape: [channels, 1, 1])
            return sketch.add(.add(Add()), [x, sketch.add(.mul(Mul()), [back], [scales], shape: x.shape)], shape: x.shape)
        case 9:
            let padded = sketch.add(
                .pad(Pad(begins: [0, 0, 1, 1], ends: [0, 0, 1, 1])), [try encoded(x)], shape: [channels, height + 2, width + 2])
            return try sketch.conv(padded, weights([channels, channels, 3, 3]))
        default:
            // Q · Kᵀ · V over rows of places.
            let spikes = try encoded(x)
            let parts = try (0..<3).map { _ in try sketch.conv(spikes, weights([channels, channels, 1, 1])) }
            let turned = sketch.add(.transpose(Transpose(permutation: [0, 1, 3, 2])), [parts[1]], shape: [channels, width, height])
            let scores = sketch.add(.matMul(MatMul()), [try encoded(parts[0]), try encoded(turned)], shape: [channels, height, height])
            return sketch.add(.matMul(MatMul()), [try encoded(scores), try encoded(parts[2])], shape: x.shape)
        }
    }

    private mutating func tokenStep(_ x: NetworkSketch.Value) throws -> NetworkSketch.Value {
        let (count, size) = (x.shape[0], x.shape[1])
        switch pick(5) {
        case 0: return sketch.add(.add(Add()), [x, try tokensWeighted(x)], shape: x.shape)
        case 1: return sketch.add(.clip(Clip(minimum: -1, maximum: 2)), [try tokensWeighted(x)], shape: x.shape)
        case 2:
            let (q, k) = (try encoded(try tokensWeighted(x)), try encoded(x))
            let turned = sketch.add(.transpose(Transpose(permutation: [0, 2, 1])), [k], shape: [size, count])
            let scores = sketch.add(.matMul(MatMul()), [q, turned], shape: [count, count])
            return sketch.add(.matMul(MatMul()), [try encoded(scores), try encoded(x)], shape: x.shape)
        case 3:
            let first = sketch.add(
                .slice(Slice(cuts: [.init(axis: 1, start: 0, end: count, step: 2)])), [x], shape: [(count + 1) / 2, size])
            let most = sketch.add(.reduce(Reduce(.maximum, axes: [-1])), [first], shape: [first.shape[0], 1])
            let less = sketch.add(.binary(Binary(.subtract)), [first, most], shape: first.shape)
            return sketch.add(.concat(Concat(axis: 1)), [less, first], shape: [2 * first.shape[0], size])
        default: return sketch.add(.mul(Mul()), [try encoded(x), try encoded(try tokensWeighted(x))], shape: x.shape)
        }
    }
}

extension Tensor {
    /// A matrix on its side.
    fileprivate var transposed: Tensor {
        Tensor((0..<count).map { floats[$0 % shape[0] * shape[1] + $0 / shape[0]] }, shape: shape.reversed())
    }
}

extension Graph {
    /// The network whose neurons send nothing.
    fileprivate func silenced() throws -> Graph {
        var constants = constants
        constants["nothing"] = Tensor(scalar: 0)
        let nodes = nodes.map { node -> Node in
            if case .neuron = node.operator {
                Node(node.name, .mul(Mul()), inputs: [node.inputs[0], "nothing"], outputs: node.outputs)
            } else {
                node
            }
        }
        return try Graph(name: name, inputs: inputs, outputs: outputs, nodes: nodes, constants: constants)
    }
}
