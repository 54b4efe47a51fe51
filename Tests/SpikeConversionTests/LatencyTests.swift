import Foundation
import SpikeConversion
import SpikeFormats
import SpikeGraph
import SpikeReference
import SpikeRuntime
import TestSupport
import Testing

/// Latency codes: few spikes, each worth the more the earlier it comes.
@Suite struct LatencyTests {
    /// Codes of many ranges: steps, base, most spikes.
    static let codes: [(steps: Int, base: Float, most: Int)] = [
        (24, 1.189207, 1), (12, 1.414214, 2), (1, 2, 1), (1, 1.5, 2), (2, 4, 2), (8, 2, 1), (8, 2, 2), (5, 3, 2), (10, 1.5, 2),
        (40, 1.05, 2), (64, 1.1, 1), (30, 1.1, 2), (3, 1.01, 2),
    ]

    /// Every number that the code can say, worth 1 in the last step, found without the neuron's rule.
    private func numbers(_ steps: Int, _ base: Float, _ most: Int) -> [Double] {
        let weights = (0..<steps).map { pow(Double(base), Double($0)) }
        var found: Set<Double> = [0]
        found.formUnion(weights)
        if most == 2 { for first in weights.indices { for second in 0..<first { found.insert(weights[first] + weights[second]) } } }
        return found.sorted()
    }

    @Test(arguments: codes.indices) func `a neuron sends a number of the code, the nearest that one spike says`(index: Int) throws {
        let (steps, base, most) = Self.codes[index]
        let neuron = try LatencyNeuron(steps: steps, base: base, mostSpikes: most)
        var random = Random(UInt64(700 + index))
        let (all, largest) = (numbers(steps, base, most), Double(neuron.weights[0]))
        let values = (0..<500).map { _ in Float(Double.random(in: -0.1...2.2, using: &random) * largest) } + neuron.weights + [0]
        let potentials = Tensor(values, shape: [1, values.count])
        // As steps of currents, then as spikes.
        var state = neuron.initialState(shape: potentials.shape)
        for step in 0..<steps {
            let current = step == steps - 1 ? potentials : potentials.map { _ in 0 }
            neuron.integrate(current, state: &state, at: TimeStep(step, of: steps))
        }
        var (sum, spikes) = ([Double](repeating: 0, count: values.count), [Int](repeating: 0, count: values.count))
        for step in 0..<steps {
            for (place, spike) in neuron.emit(&state, at: TimeStep(step, of: steps)).floats.enumerated() {
                #expect(spike == 0 || spike == 1)
                sum[place] = sum[place] * Double(base) + Double(spike)
                spikes[place] += Int(spike)
            }
        }
        let numbers = try #require(neuron.numbers(of: potentials)).floats
        for (place, potential) in values.enumerated() {
            #expect(spikes[place] <= most)
            #expect(abs(sum[place] - Double(numbers[place])) <= 1e-5 * max(1, sum[place]), "\(potential)")
            // What is less than the last step asks for is not sent.
            let isSilent = Double(potential) < neuron.levels[0].from
            if isSilent { #expect(sum[place] == 0) }
            let nearest = all.dropFirst().map { abs($0 - Double(potential)) }.min() ?? 0
            let missed = abs(sum[place] - Double(potential))
            #expect(all.contains { abs($0 - sum[place]) <= 1e-5 * max(1, $0) })
            // Below the last step's spike, and beyond the first's, there is less to choose from; a second spike comes after the first.
            if most == 1, !isSilent { #expect(missed <= nearest + 1e-4 * max(1, sum[place]), "\(potential): \(sum[place])") }
            if most == 2, base >= 1.4, base <= 2, Double(potential) > Double(pow(base, 6)), Double(potential) < largest {
                #expect(missed <= nearest + 0.1 * Double(potential), "\(potential): \(sum[place])")
            }
        }
        // Levels ascend, and so do the potentials that they begin at.
        let levels = neuron.levels
        #expect(zip(levels, levels.dropFirst()).allSatisfy { $0.from < $1.from && $0.value < $1.value })
    }

    @Test func `two spikes come nearer than one`() throws {
        let (one, two) = (try LatencyNeuron(steps: 12, base: 1.5), try LatencyNeuron(steps: 12, base: 1.5, mostSpikes: 2))
        let potentials = Tensor((1...1000).map { Float($0) / 1000 * one.weights[0] }, shape: [1, 1000])
        func error(_ neuron: LatencyNeuron) throws -> Double {
            let found = try #require(neuron.numbers(of: potentials)).floats
            return zip(found, potentials.floats).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
        }
        #expect(try error(two) < 0.05 * error(one))
    }

    @Test func `steps, bases and spikes outside their ranges are refused`() {
        for (steps, base, most) in [
            (0, 1.2, 1), (65, 1.2, 1), (24, 1, 1), (24, 0.5, 1), (24, -2, 1), (24, .nan, 1), (24, .infinity, 1), (25, 2, 1), (24, 1.2, 0),
            (24, 1.2, 3),
        ] as [(Int, Float, Int)] {
            #expect(throws: SpikeletError.self, "\(steps) \(base) \(most)") {
                _ = try LatencyNeuron(steps: steps, base: base, mostSpikes: most)
            }
        }
        var options = Recipe.latency.options(24)
        options.schedule = .streaming
        #expect(throws: SpikeletError.self) { try options.validate() }
        options = Recipe.twoSpike.options(12)
        options.pooling = .instantaneous
        #expect(throws: SpikeletError.self) { try options.validate() }
        #expect(Recipe.latency.options(24).neuron == .latency(base: Float(exp2(0.25)), mostSpikes: 1))
        #expect(Recipe.twoSpike.options(12).neuron == .latency(base: Float(exp2(0.5)), mostSpikes: 2))
        for steps in [1, 2, 64] { #expect(throws: Never.self) { try Recipe.latency.options(steps).validate() } }
    }

    /// What a spiking network of a latency code stands for: its nodes one by one, each neuron's potential rounded to the nearest number that
    /// this independent list has.
    private func rounded(_ snn: Graph, _ inputs: [Tensor]) throws -> (outputs: [Tensor], spikes: [String: [Int]]) {
        var values = snn.constants
        for (input, tensor) in zip(snn.inputs, inputs) { values[input.name] = tensor }
        var spikes: [String: [Int]] = [:]
        for node in snn.nodes {
            let operands = node.inputs.compactMap { values[$0] }
            guard case .neuron(let neurons) = node.operator else {
                for (name, value) in zip(node.outputs, try ReferenceExecutor.evaluate(node.operator, operands)) { values[name] = value }
                continue
            }
            let neuron = try #require(neurons.neuron as? LatencyNeuron)
            let ladder = LatencyNeuron.Ladder(neuron)
            let sent = operands[0].floats.map { ladder.steps(of: $0) }
            spikes[node.name] = sent.map(\.count)
            values[node.outputs[0]] = Tensor(sent.map { $0.reduce(0) { $0 + ladder.weights[$1] } }, shape: operands[0].shape)
        }
        return (snn.outputs.compactMap { values[$0.value] }, spikes)
    }

    /// Relative to the largest output.
    private func distance(_ a: Tensor, _ b: Tensor) -> Float {
        let largest = max(1e-6, a.floats.map { abs($0) }.max() ?? 0)
        return (zip(a.floats, b.floats).map { abs($0 - $1) }.max() ?? 0) / largest
    }

    @Test(arguments: [Recipe.latency.options(24), Recipe.latency.options(7), Recipe.twoSpike.options(12), Recipe.twoSpike.options(3)])
    func `reference and engine are the ANN, rounded to the levels`(options: ConversionOptions) throws {
        var random = Random(UInt64(720 + options.steps))
        for maxPool in [true, false] {
            let ann = try smallNetwork(&random, maxPool: maxPool)
            let images = random.tensor([40, 2, 6, 6])
            let snn = try RecipeConverter(options, calibration: [Batch(images)])(ann)
            let (wanted, spikes) = try rounded(snn, [images])
            let reference = try ReferenceSimulation(snn).run([images], steps: options.steps)[0]
            for threads in [1, 2] {
                let engine: any Simulator = try Simulation(snn, threads: threads)
                let found = try engine.run([images], steps: options.steps, timeVarying: false, recording: [.spikeCounts])
                // Of hundreds of thousands of potentials one may lie within rounding of a threshold; of these few none does.
                #expect(distance(wanted[0], found.outputs[0]) < 1e-4)
                for (name, counts) in found.spikeCounts {
                    let isSame = counts.floats.map { Int($0) } == spikes[name]
                    #expect(isSame, "\(name)")
                }
            }
            #expect(distance(wanted[0], reference) < 1e-4)
            #expect(distance(try ReferenceExecutor(ann).run([images])[0], reference) < (options.steps > 10 ? 0.2 : 0.7))
        }
    }

    @Test func `max pools act in front of neurons, and what they alone read is not sent`() throws {
        var random = Random(740)
        let ann = try smallNetwork(&random)
        let snn = try RecipeConverter(Recipe.twoSpike.options(12), calibration: [Batch(random.tensor([64, 2, 6, 6]))])(ann)
        let sites = snn.nodes.compactMap { if case .neuron(let neurons) = $0.operator { neurons.site?.activation } else { nil } }
        #expect(Set(sites) == ["pool", "relu2"])
        #expect(snn.node(named: "relu1") != nil && snn.node(named: "pool") != nil)

        // Read by others too, an activation is sent, and its maximum as well.
        let window = Window(kernel: [3, 3], strides: [1, 1], padsBegin: [1, 1], padsEnd: [1, 1])
        let branches = try Graph(
            name: "branches", inputs: [.init("x", ValueType(.float32, [.batch, 2, 6, 6]))], outputs: [.init("y", value: "conv2")],
            nodes: [
                Node("conv1", .conv(Conv(window: window)), inputs: ["x", "w1"]), Node("relu1", .relu(Relu()), inputs: ["conv1"]),
                Node("pool", .maxPool(MaxPool(window: window)), inputs: ["relu1"]),
                Node("again", .maxPool(MaxPool(window: window)), inputs: ["pool"]),
                Node("concat", .concat(Concat(axis: 1)), inputs: ["relu1", "pool", "again"]),
                Node("conv2", .conv(Conv(window: window)), inputs: ["concat", "w2"]),
            ], constants: ["w1": random.tensor([3, 2, 3, 3]), "w2": random.tensor([2, 9, 3, 3])])
        let images = random.tensor([16, 2, 6, 6])
        for recipe in [Recipe.latency, Recipe.twoSpike] {
            let snn = try RecipeConverter(recipe.options(recipe.usualSteps), calibration: [Batch(images)])(branches)
            let sites = snn.nodes.compactMap { if case .neuron(let neurons) = $0.operator { neurons.site?.activation } else { nil } }
            #expect(Set(sites) == ["relu1", "pool", "again"])
            let wanted = try rounded(snn, [images]).outputs[0]
            #expect(distance(wanted, try Simulation(snn).run([images], steps: recipe.usualSteps)[0]) < 1e-4)
            #expect(distance(wanted, try ReferenceSimulation(snn).run([images], steps: recipe.usualSteps)[0]) < 1e-4)
        }

        // A maximum of what may be below zero is nothing that spikes say.
        let scaled = try Graph(
            name: "scaled", inputs: [.init("x", ValueType(.float32, [.batch, 2, 6, 6]))], outputs: [.init("y", value: "conv2")],
            nodes: [
                Node("relu1", .relu(Relu()), inputs: ["x"]), Node("moved", .add(Add()), inputs: ["relu1", "offset"]),
                Node("pool", .maxPool(MaxPool(window: window)), inputs: ["moved"]),
                Node("conv2", .conv(Conv(window: window)), inputs: ["pool", "w1"]),
            ], constants: ["w1": random.tensor([3, 2, 3, 3]), "offset": Tensor(scalar: -1)])
        let error = #expect(throws: SpikeletError.self) {
            _ = try RecipeConverter(Recipe.latency.options(24), calibration: [Batch(images)])(scaled)
        }
        #expect(error?.code == .notConvertible && error?.details.contains { $0.contains("'pool'") } == true)
    }

    @Test(arguments: [Recipe.latency, Recipe.twoSpike]) func `files bring networks back, and refuse codes that do not fit their neurons`(
        recipe: Recipe
    ) throws {
        var random = Random(750)
        let ann = try smallNetwork(&random)
        let images = random.tensor([64, 2, 6, 6])
        let snn = try RecipeConverter(recipe.options(recipe.usualSteps), calibration: [Batch(images)])(ann)
        let folder = try TemporaryFolder()
        try SNNFile.write(snn, to: folder.file("snn.safetensors"))
        let read = try SNNFile.read(folder.file("snn.safetensors"))
        let isSame = read.nodes == snn.nodes && read.constants == snn.constants && read.spiking == snn.spiking
        #expect(isSame)
        for code in [SpikeCode.latency(steps: recipe.usualSteps, base: 1.3), .latency(steps: 5, base: 1.19), .rate(), .radix(digits: 4)] {
            var description = try #require(snn.spiking)
            description.code = code
            let other = try snn.applying(Patch(), spiking: description)
            #expect(throws: SpikeletError.self) { _ = try ReferenceSimulation(other) }
            #expect(throws: SpikeletError.self) { _ = try Simulation(other) }
        }
        #expect(throws: SpikeletError.self) { _ = try Simulation(snn).run([images], steps: recipe.usualSteps - 1) }
    }

    @Test func `corrected weights bring the outputs nearer`() throws {
        var random = Random(760)
        let ann = try smallNetwork(&random)
        let (seen, unseen) = (random.tensor([256, 2, 6, 6], in: 0...1), random.tensor([64, 2, 6, 6], in: 0...1))
        var options = Recipe.latency.options(8)
        let corrected = try RecipeConverter(options, calibration: [Batch(seen)])(ann)
        options.correctsWeights = false
        let plain = try RecipeConverter(options, calibration: [Batch(seen)])(ann)
        let wanted = try ReferenceExecutor(ann).run([unseen])[0].floats
        func error(_ snn: Graph) throws -> Float {
            zip(try Simulation(snn).run([unseen], steps: 8)[0].floats, wanted).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        }
        #expect(corrected.spiking?.facts["correctedWeights"]?.hasPrefix("2 of 3 layers") == true)
        #expect(try error(corrected) < 0.9 * error(plain))
    }

    @Test func `too few steps for the range of the activations are said`() throws {
        var random = Random(770)
        let ann = try smallNetwork(&random)
        let images = Batch(random.tensor([64, 2, 6, 6]))
        var options = Recipe.latency.options(2)
        options.neuron = .latency(base: 1.1, mostSpikes: 1)
        let warnings = try RecipeConverter(options, calibration: [images])(ann).spiking?.warnings ?? []
        #expect(warnings.contains { $0.contains("more steps or a larger base") })
        let usual = try RecipeConverter(Recipe.latency.options(24), calibration: [images])(ann).spiking?.warnings ?? []
        #expect(usual.isEmpty)
    }
}
