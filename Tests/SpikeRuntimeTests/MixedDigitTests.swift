import SpikeGraph
import SpikeReference
import SpikeRuntime
import TestSupport
import Testing

/// Layers that send fewer digits than their network has steps.
@Suite struct `Layers of different digits` {
    /// The neurons with K digits, and the numbers that they are to send of potentials.
    private static func neurons(_ digits: Int) throws -> [(neuron: any Neuron, number: (Float) -> Float)] {
        let most = Float(1 << digits) - 1
        return [
            (try RadixNeuron(digits: digits), { min(max(0, ($0 + 0.5).rounded(.down)), most) }),
            (
                try DigitNeuron(digits: digits),
                { $0.sign == .minus ? -min((0.5 - $0).rounded(.down), most) : min(($0 + 0.5).rounded(.down), most) }
            ),
            (
                try QuantizerNeuron(threshold: 1, levels: 1 << digits - 1, lowest: -1, rounding: .halfUp, digits: digits),
                { min(max(-1, ($0 + 0.5).rounded(.down)), most) }
            ),
        ]
    }

    @Test(arguments: 1...6) func `a layer is silent first, and its last spike is worth one quantum in any number of steps`(digits: Int)
        throws
    {
        let potentials = (-40...160).map { Float($0) / 2 }
        for (neuron, number) in try Self.neurons(digits) {
            for steps in digits...digits + 4 {
                var state = neuron.initialState(shape: [1, potentials.count])
                let silence = Tensor(repeating: 0, shape: [1, potentials.count])
                for index in 0..<steps {
                    let current = index == steps - 1 ? Tensor(potentials, shape: [1, potentials.count]) : silence
                    neuron.integrate(current, state: &state, at: TimeStep(index, of: steps))
                }
                var (forced, sums) = (state, [Float](repeating: 0, count: potentials.count))
                for index in 0..<steps {
                    let time = TimeStep(index, of: steps)
                    let spikes = neuron.emit(&state, at: time)
                    if index < steps - digits { #expect(spikes == silence, "\(neuron), \(steps) steps") }
                    for (place, spike) in spikes.floats.enumerated() { sums[place] = 2 * sums[place] + spike }
                    // Membranes that spikes from outside leave are the rule's own.
                    guard let rule = neuron.fastRule else { continue }
                    rule.take(spikes, from: &forced.membrane, at: time)
                    #expect(forced == state, "\(neuron), \(steps) steps")
                }
                #expect(sums == potentials.map(number), "\(neuron), \(steps) steps")
            }
        }
    }

    @Test func `the random networks are of layers that differ`() throws {
        let mixed = try (0..<100).count { try RandomNetwork.make(seed: $0, family: .mixed).graph.hasMixedDigits }
        #expect(mixed > 60)
    }

    @Test(arguments: Precision.allCases) func `maxima and sums of layers of different digits are those of their numbers`(
        precision: Precision
    )
        throws
    {
        var random = SeededGenerator(17)
        for digits in [(1, 4), (3, 2), (5, 3), (2, 2)] {
            let steps = max(digits.0, digits.1) + (digits.0 == digits.1 ? 3 : 0)
            var sketch = NetworkSketch(input: [3, 6, 6])
            func branch(_ digits: Int) throws -> NetworkSketch.Value {
                let weights = Tensor((0..<3 * 3).map { _ in Float(random.int(-2...4)) }, shape: [3, 3, 1, 1])
                return sketch.fire(try sketch.conv(sketch.input, weights), try RadixNeuron(digits: digits))
            }
            let (one, other) = (try branch(digits.0), try branch(digits.1))
            let both = sketch.add(.concat(Concat(axis: 1)), [one, other], shape: [6, 6, 6])
            let most = try sketch.pool(both, [2, 2]) { .runningMaximumPool(RunningMaximumPool(window: $0)) }
            let last = sketch.fire(
                try sketch.conv(most, Tensor((0..<24).map { _ in Float(random.int(-2...3)) }, shape: [4, 6, 1, 1])),
                try RadixNeuron(digits: 2))
            let sum = sketch.add(.add(Add()), [one, other], shape: one.shape)
            let graph = try sketch.graph(
                [last, sum], SpikingDescription(recipe: "test", schedule: .layerSynchronous, code: .radix(digits: steps)))
            #expect(graph.hasMixedDigits && graph.digits == [digits.0, digits.1, 2])
            let x = Tensor((0..<2 * 108).map { _ in Float(random.int(-3...9)) }, shape: [2, 3, 6, 6])
            let expected = try ReferenceExecutor(graph.rounded()).run([x])
            let reference = try ReferenceSimulation(graph)
            #expect(try reference.run([x], steps: steps) == expected, "\(digits)")
            let simulation = try Simulation(graph, precision: precision)
            simulation.recording = .spikeCounts
            #expect(try simulation.run([x], steps: steps) == expected, "\(digits)\n\(simulation.program)")
            #expect(simulation.spikeCounts == reference.spikeCounts && simulation.program.genericNodes.isEmpty)
            #expect(simulation.program.description.contains("radix of 2 digits"))
        }
    }

    @Test func `inputs of more digits than a layer's own keep 8 bits of weight`() throws {
        // The weights of six digits, in units of a layer of one, are small beside its threshold.
        var random = SeededGenerator(23)
        var sketch = NetworkSketch(input: [64, 1, 1])
        let eye = Tensor((0..<64 * 64).map { $0 % 65 == 0 ? Float(1) : 0 }, shape: [64, 64, 1, 1])
        let first = sketch.fire(try sketch.conv(sketch.input, eye), try RadixNeuron(digits: 6))
        let weights = Tensor((0..<64 * 8).map { $0 % 64 == 0 ? 127 : Float(random.int(-127...127)) }, shape: [8, 64, 1, 1])
        let next = sketch.fire(try sketch.conv(first, weights.map { $0 / 65536 }), try RadixNeuron(digits: 1))
        let graph = try sketch.graph(
            [next], SpikingDescription(recipe: "test", schedule: .layerSynchronous, code: .radix(digits: 6)))
        let x = Tensor((0..<40 * 64).map { _ in Float(random.int(0...63)) }, shape: [40, 64, 1, 1])
        let simulation = try Simulation(graph, precision: .int8)
        #expect(simulation.program.floatStages.isEmpty, "\(simulation.program)")
        #expect(try simulation.run([x], steps: 6) == ReferenceSimulation(graph).run([x], steps: 6))
    }

    @Test func `steps from the input to the output are the sum of the digits on the longest way`() throws {
        func graph(_ digits: [Int], beside: [Int]) throws -> Graph {
            var sketch = NetworkSketch(input: [2, 3, 3])
            func chain(_ digits: [Int]) throws -> NetworkSketch.Value {
                try digits.reduce(sketch.input) { sketch.fire($0, try RadixNeuron(digits: $1)) }
            }
            let sum = sketch.add(.add(Add()), [try chain(digits), try chain(beside)], shape: [2, 3, 3])
            return try sketch.graph([sum], SpikingDescription(recipe: "test", schedule: .layerSynchronous, code: .radix(digits: 5)))
        }
        #expect(try graph([3, 2, 4], beside: [5]).stepsEndToEnd(of: 5) == 9)
        #expect(try graph([1, 1, 1], beside: [5]).stepsEndToEnd(of: 5) == 5)
        #expect(try graph([5, 5, 5], beside: [5]).stepsEndToEnd(of: 5) == 15)
        #expect(try graph([3, 2, 4], beside: [5]).digitsByLayer == "3 2 4 5, mean 3.5")
        #expect(try graph([5, 5], beside: [5]).digitsByLayer == nil)
    }

    @Test func `more steps than any layer has digits are refused, unless the code says them`() throws {
        var sketch = NetworkSketch(input: [2, 3, 3])
        let y = sketch.fire(sketch.input, try RadixNeuron(digits: 3))
        let x = Tensor((0..<18).map { Float($0) / 2 }, shape: [1, 2, 3, 3])
        for (steps, code) in [(3, SpikeCode.radix(digits: nil)), (5, .radix(digits: 5))] {
            let graph = try sketch.graph([y], SpikingDescription(recipe: "test", schedule: .layerSynchronous, code: code))
            #expect(try Simulation(graph).run([x], steps: steps) == [x.map { min(7, ($0 + 0.5).rounded(.down)) }])
            #expect(throws: SpikeletError.self) { _ = try Simulation(graph).run([x], steps: steps + 1) }
        }
    }
}
