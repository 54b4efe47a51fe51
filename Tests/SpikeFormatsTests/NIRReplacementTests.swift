import SpikeFormats
import SpikeGraph
import SpikeReference
import TestSupport
import Testing

/// What stands for neurons and pools that NIR does not have. All numbers are dyadic, so that float32 is exact.
@Suite struct NIRReplacementTests {
    /// x → the operators, one after another → y, over values `[N, 1, size, size]` or what becomes of them.
    private func chain(
        _ operators: [Operator], size: Int = 2, _ description: SpikingDescription = .init(recipe: "test", code: .rate(steps: 8))
    ) throws
        -> Graph
    {
        let nodes = operators.enumerated().map { Node("n\($0)", $1, inputs: [$0 == 0 ? "x" : "n\($0 - 1)"]) }
        return try Graph(
            name: "net", inputs: [.init("x", ValueType(.float32, [.batch, 1, Dimension(size), Dimension(size)]))],
            outputs: [.init("y", value: "n\(operators.count - 1)")], nodes: nodes, constants: [:], spiking: description)
    }

    private func output(_ graph: Graph, _ inputs: [Float], steps: Int) throws -> [Float] {
        let size = inputs.count == 1 ? 1 : inputs.count == 4 ? 2 : 3
        return try ReferenceSimulation(graph).run([Tensor(inputs, shape: [1, 1, size, size])], steps: steps)[0].floats
    }

    /// Written for a target, read as it reads, and simulated.
    private func carried(_ snn: Graph, _ profile: NIRProfile, _ inputs: [Float], steps: Int) throws -> [Float] {
        let export = try NIRExporter(profile, approximate: true, steps: steps)(snn)
        return try output(NIRImporter(profile.dynamics)(export.graph), inputs, steps: steps)
    }

    @Test func `bursts keep their largest activation, and the report says what a spike is worth`() throws {
        let burst = try chain([.neuron(NeuronNode(BurstIFNeuron(threshold: 0.5, initialMembrane: 0.25, maximumBurst: 4)))])
        // One spike stands for 0.5; four of them are the most.
        let inputs: [Float] = [0.25, 1, 1.75, 3]
        let rates: [Float] = [0.5, 2, 3.5, 4]
        for profile in [NIRProfile.generic, .spikelet, .spinnaker2] {
            let export = try NIRExporter(profile, approximate: true, steps: 64)(burst)
            #expect(
                export.approximations.contains {
                    $0.subject == "up to 4 spikes a step" && $0.replacement == "one spike a step, worth 4 of them"
                })
            let found = try carried(burst, profile, inputs, steps: 64)
            for (a, b) in zip(rates, found) { #expect((a - b).magnitude <= 4.0 / 64) }
        }
        // A reader of several spikes has as many as it likes.
        let sinabs = try carried(burst, .sinabs, inputs, steps: 64)
        for (a, b) in zip([0.5, 2, 3.5, 6] as [Float], sinabs) { #expect((a - b).magnitude <= 1.0 / 64) }
        // Plain arrays are for neurons of any number of spikes: 1 is one spike, and v₀ half of it.
        let plain = try PlainArrays.fold(burst, approximate: true)
        #expect(plain.arrays.first { $0.name == "n0.initial" }?.tensor.floats == [0.5])
        #expect(plain.approximations.contains { $0.subject == "at most 4 spikes a step" && $0.replacement == "any number" })
        // Who sends at most one spike in a step is said; who sends any number is not among them.
        #expect(!plain.notes.contains { $0.contains("at most one spike") })
        let many = try chain([.neuron(NeuronNode(MultiSpikeIFNeuron(threshold: 2)))])
        #expect(try !PlainArrays.fold(many).notes.contains { $0.contains("at most one spike") })
        #expect(
            try PlainArrays.fold(chain([.neuron(NeuronNode(IFNode(threshold: 2)))])).notes.contains(
                "at most one spike in a step is sent by every neuron"))
        let mixed: [Operator] = [.neuron(NeuronNode(MultiSpikeIFNeuron(threshold: 2))), .neuron(NeuronNode(IFNode(threshold: 2)))]
        #expect(try PlainArrays.fold(chain(mixed)).notes.contains("at most one spike in a step is sent by n1"))
    }

    @Test(arguments: [nil, 3] as [Int?])
    func `what a signed quantiser has below zero is kept, by neurons of its own`(digits: Int?) throws {
        let quantizer = try QuantizerNeuron(threshold: digits == nil ? 4 : 1, levels: 2, lowest: -4, rounding: .halfUp, digits: digits)
        let snn = try chain(
            [.neuron(NeuronNode(quantizer))],
            .init(recipe: "test", schedule: .layerSynchronous, code: digits == nil ? .rate(steps: 4) : .radix(digits: digits)))
        let inputs: [Float] = [-6, -2, 1, 5]
        let expected = try output(snn, inputs, steps: digits ?? 4)
        #expect(expected == [-4, -2, 1, 2].map { digits == nil ? $0 / 4 : $0 })
        for profile in [NIRProfile.generic, .spikelet] {
            let export = try NIRExporter(profile, approximate: true)(snn)
            #expect(export.approximations.contains { $0.subject == "signed quantisers" && $0.text.contains("not rounded to 6 levels") })
            let found = try carried(snn, profile, inputs, steps: 256)
            for (a, b) in zip(expected, found) { #expect((a - b).magnitude <= 4.0 / 64, "\(expected) \(found)") }
        }
    }

    @Test func `a file of hard resets comes back as it is, and not compensated again`() throws {
        let snn = try chain([.neuron(NeuronNode(IFNode(initialMembrane: 0.25))), .voltageScaler(VoltageScaler(scale: 2))])
        for profile in [NIRProfile.norse, .snntorch, .lava] {
            let once = try NIRImporter(profile.dynamics)(NIRExporter(profile, approximate: true)(snn).graph)
            let export = try NIRExporter(profile)(once)
            #expect(export.approximations.isEmpty, "\(export.approximations.map(\.text))")
            let twice = try NIRImporter(profile.dynamics)(export.graph)
            let inputs: [Float] = [0.3125, 0.5, 0.6875, 0.9375]
            #expect(try output(twice, inputs, steps: 64) == output(once, inputs, steps: 64))
        }
        // So does one of several spikes a step, for those who send them; for others nothing bounds them.
        let many = try NIRImporter(NIRProfile.sinabs.dynamics)(NIRExporter(.sinabs, approximate: true)(snn).graph)
        let again = try NIRImporter(NIRProfile.sinabs.dynamics)(NIRExporter(.sinabs)(many).graph)
        #expect(try output(again, [0.5, 2, -1, 3.5], steps: 16) == output(many, [0.5, 2, -1, 3.5], steps: 16))
        expectError(.unsupported, "neurons of the kind MultiSpikeIFNeuron") { _ = try NIRExporter(approximate: true)(many) }
    }

    @Test func `a pool of averages can say differences as large as they are`() throws {
        // Averages of 1 and 0: a difference of a whole spike each step.
        let average = AveragePool(window: Window(kernel: [2, 1]))
        let maximum = RunningMaximumPool(window: Window(kernel: [2, 3]))
        let snn = try chain(
            [.neuron(NeuronNode(IFNode())), .averagePool(average), .runningMaximumPool(maximum), .flatten(Flatten())], size: 3)
        let inputs: [Float] = [0, 1, 0, 0, 1, 0, 0, 0.5, 0]
        for profile in [NIRProfile.generic, .spikelet, .snntorch] where profile.dynamics.reset == .subtraction {
            let found = try carried(snn, profile, inputs, steps: 64)
            #expect((found[0] - 1).magnitude <= 6.0 / 64, "\(found)")
        }
    }

    @Test func `relu(max) is written as max(relu), and said so; a pool of every single step is named`() throws {
        let half = Window(kernel: [2, 2], strides: [2, 2])
        let snn = try chain([
            .voltageScaler(VoltageScaler(scale: 0.25)), .maxPool(MaxPool(window: half)), .voltageScaler(VoltageScaler(scale: 0.5)),
            .neuron(NeuronNode(IFNode())), .flatten(Flatten()),
        ])
        let export = try NIRExporter(approximate: true, steps: 64)(snn)
        #expect(export.notes.contains("'n1' stands behind 'n3': the maximum of rectified values is the rectified maximum"))
        #expect(export.approximations.map(\.subject) == ["max pooling"])
        let found = try carried(snn, .generic, [-8, 6, 4, -2], steps: 64)
        #expect((found[0] - 0.75).magnitude <= 4.0 / 64)
        // Two places of the same rate that never spike in the same step: each step's maximum is 1.
        let instantaneous = try chain([.neuron(NeuronNode(IFNode())), .maxPool(MaxPool(window: half))])
        let subjects = try NIRExporter(approximate: true)(instantaneous).approximations.map(\.subject)
        #expect(subjects == ["max pooling", "max pooling of each step by itself"])
    }

    @Test func `so many steps are meant as there are, and at least 32 where layers no longer wait`() throws {
        func steps(_ description: SpikingDescription) throws -> Int {
            try NIRExporter(approximate: true)(chain([.neuron(NeuronNode(IFNode()))], description)).steps
        }
        #expect(try steps(.init(recipe: "test", code: .rate(steps: 8))) == 8 && steps(.init(recipe: "test")) == 32)
        #expect(try steps(.init(recipe: "test", schedule: .layerSynchronous, code: .rate(steps: 4))) == 32)
        #expect(try steps(.init(recipe: "test", schedule: .layerSynchronous, code: .rate(steps: 48))) == 48)
        let export = try NIRExporter(steps: 20)(chain([.neuron(NeuronNode(IFNode()))]))
        #expect(export.steps == 20 && export.graph.metadata["steps"] == .numbers(Tensor([Int64(20)], shape: [1])))
    }
}
