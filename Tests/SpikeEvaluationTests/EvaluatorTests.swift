import Foundation
import SpikeConversion
import SpikeCost
import SpikeEvaluation
import SpikeGraph
import SpikeReference
import SpikeRuntime
import Testing

@Suite struct EvaluatorTests {
    /// x → linear (ones on the diagonal, analog) → neurons θ = 1 → scaler 1 → linear (ones on the diagonal), and its ANN.
    static func pair() throws -> (snn: Graph, ann: Graph) {
        let constants = ["w": tensor([1, 0, 0, 1], [2, 2])]
        let input = [Graph.Input("x", ValueType(.float32, [.batch, 2]))]
        let ann = try Graph(
            name: "ann", inputs: input, outputs: [.init("y", value: "last")],
            nodes: [
                Node("first", .gemm(Gemm()), inputs: ["x", "w"]), Node("relu", .relu(Relu()), inputs: ["first"]),
                Node("last", .gemm(Gemm()), inputs: ["relu", "w"]),
            ], constants: constants)
        let snn = try Graph(
            name: "snn", inputs: input, outputs: [.init("y", value: "last")],
            nodes: [
                Node("first", .gemm(Gemm()), inputs: ["x", "w"]), Node("neurons", .neuron(NeuronNode(IFNode())), inputs: ["first"]),
                Node("scaler", .voltageScaler(VoltageScaler(scales: [1, 0.5])), inputs: ["neurons"]),
                Node("last", .gemm(Gemm()), inputs: ["scaler", "w"]),
            ], constants: constants, spiking: SpikingDescription(recipe: "by hand", warnings: ["a warning"]))
        return (snn, ann)
    }

    static let inputs = tensor([0.5, 0.25, 0.25, 0.75, 1, 0.5], [3, 2])

    @Test func `early exits are those of the engine, and a chosen confidence loses no more than it may`() throws {
        let (snn, _) = try Self.pair()
        // Inputs of every difference, so that confidences differ; labels by the larger of the two.
        let values = (0..<400).map { Float($0 * 7919 % 1009) / 1009 }
        let inputs = tensor(values, [200, 2])
        let labels = (0..<200).map { values[2 * $0] >= values[2 * $0 + 1] ? 0 : 1 }
        let data = [
            Batch(inputs.samples(0..<70), labels: Array(labels[..<70])), Batch(inputs.samples(70..<200), labels: Array(labels[70...])),
        ]
        let all = try #require(Evaluator(snn, steps: [16], earlyExit: .confidence(0.6)).run(data).earlyExit)
        let simulation = try Simulation(snn)
        let outputs = try simulation.run([inputs], steps: 16, exitConfidence: 0.6)[0].floats
        #expect(all.averageSteps == Double(simulation.stepsUsed.reduce(0, +)) / 200)
        #expect(all.averageSteps > 1 && all.averageSteps < 16)
        let right = labels.indices.count { (outputs[2 * $0] >= outputs[2 * $0 + 1] ? 0 : 1) == labels[$0] }
        #expect(all.accuracy == Double(right) / 200)
        #expect(all.accuracyOfAllSteps == (try Evaluator(snn, steps: [16]).run(data).steps[0].accuracy))
        let free = try #require(Evaluator(snn, steps: [16], earlyExit: .allowedLoss(0.5)).run(data).earlyExit)
        let strict = try #require(Evaluator(snn, steps: [16], earlyExit: .allowedLoss(0)).run(data).earlyExit)
        #expect(strict.choosingLoss.map { $0 <= 0 } == true && free.averageSteps < strict.averageSteps)
        #expect(strict.samples + (strict.choosingSamples ?? 0) == 200)
        // How batches are cut does not matter.
        #expect(try Evaluator(snn, steps: [16], earlyExit: .allowedLoss(0)).run([Batch(inputs, labels: labels)]).earlyExit == strict)
        #expect(throws: SpikeletError.self) {
            try Evaluator(snn, steps: [16], executor: .reference, earlyExit: .confidence(0.9))
        }
    }

    @Test func `every number is what a person computes`() throws {
        let (snn, ann) = try Self.pair()
        let result = try Evaluator(snn, ann: ann, steps: [4, 1, 2, 2]).run([Batch(Self.inputs, labels: [0, 1, 1])])
        #expect(result.samples == 3)
        #expect(result.network == "snn" && result.recipe == "by hand" && result.warnings == ["a warning"])
        #expect(result.precision == "float32" && result.seconds > 0)
        // The ANN: (½, ¼) is 0, (¼, ¾) is 1, (1, ½) is 0, which its label denies.
        #expect(result.ann?.accuracy == 2.0 / 3)
        // Spikes so far of the three samples (the scaler halves the second neuron's):
        //   1 step:  (0, 0) → 0    (0, 0) → 0    (1, 0) → 0
        //   2 steps: (1, 0) → 0    (0, 1) → 1    (2, 1) → 0
        //   4 steps: (2, 1) → 0    (1, 3) → 1    (4, 2) → 0
        let (accuracies, agreements): ([Double?], [Double?]) = ([1.0 / 3, 2.0 / 3, 2.0 / 3], [2.0 / 3, 1, 1])
        let spikes: [Double] = [1.0 / 3, 5.0 / 3, 13.0 / 3]
        #expect(result.steps.map(\.steps) == [1, 2, 4])
        #expect(result.steps.map(\.accuracy) == accuracies)
        #expect(result.steps.map(\.agreement) == agreements)
        #expect(result.steps.map(\.spikesPerNeuron) == spikes.map { $0 / 2 })
        // Each spike meets one weight that is not zero.
        #expect(result.steps.map(\.synapticOperations) == spikes)
        #expect(result.steps[2].confidence95 == wilsonInterval(successes: 2, trials: 3))
        // The first layer reads the input: four multiply–accumulates, once. The ANN has eight.
        let (annEnergy, snnEnergy) = (8 * 4.6e-12, 4 * 4.6e-12 + spikes[1] * 0.9e-12)
        #expect(abs(result.steps[1].energy.ann - annEnergy) < 1e-18)
        #expect(abs(result.steps[1].energy.snn - snnEnergy) < 1e-18)
        #expect(result.layers.map(\.name) == ["neurons"])
        #expect(result.layers.map(\.neurons) == [2])
        #expect(result.layers.map(\.threshold) == [0.5...1])
        #expect(result.layers.map(\.spikesPerNeuron) == [spikes[2] / 2])
    }

    @Test func `a regression is judged by its distance from targets and from the ANN`() throws {
        let (snn, ann) = try Self.pair()
        let targets = tensor([0.5, 0.25, 0.25, 1, 1, 0], [3, 2])
        let data = [
            Batch(Self.inputs.samples(0..<2), targets: targets.samples(0..<2)),
            Batch(Self.inputs.samples(2..<3), targets: targets.samples(2..<3)),
        ]
        let result = try Evaluator(snn, ann: ann, task: .values, steps: [4, 1]).run(data)
        // After 4 steps the spikes (2, 1), (1, 3) and (4, 2), over 4, the second halved by its scaler: (½, ⅛), (¼, ⅜), (1, ¼).
        let squares: [[Double]] = [[0, 1.0 / 64], [0, 25.0 / 64], [0, 1.0 / 16]]
        let expected = (squares.joined().reduce(0, +) / 6).squareRoot()
        let last = try #require(result.steps.last)
        #expect(abs((last.error?.rootMeanSquare ?? 0) - expected) < 1e-12)
        #expect(abs((last.error?.meanAbsolute ?? 0) - 1.0 / 6) < 1e-12)
        // The ANN gives its inputs back: off by ¼ and ½ in two of six numbers; the spiking network is off it by ⅛, ⅜ and ¼.
        let annSquare: Double = (1.0 / 16 + 1.0 / 4) / 6
        let deviationSquare: Double = (14.0 / 64) / 6
        #expect(abs((result.ann?.error?.rootMeanSquare ?? 0) - annSquare.squareRoot()) < 1e-12)
        #expect(abs((last.deviation ?? 0) - deviationSquare.squareRoot()) < 1e-12)
        // Targets ½, ¼, 1 about ⁷⁄₁₂, and ¼, 1, 0 about ⁵⁄₁₂.
        let variance: Double = (2.375 - 3 * (49.0 + 25) / 144) / 6
        #expect(abs((last.error?.determination ?? 0) - (1 - expected * expected / variance)) < 1e-12)
        #expect(last.accuracy == nil && last.agreement == nil && result.confusion == nil && result.curve == nil)
        #expect(last.confidence95.contains(expected))
        #expect("\(result)".contains("RMS error") && "\(result)".split(separator: "\n").allSatisfy { $0.count <= 100 })
        // How batches are cut does not matter; without targets only the ANN is left.
        var whole = try Evaluator(snn, ann: ann, task: .values, steps: [4, 1], threads: 3).run([Batch(Self.inputs, targets: targets)])
        (whole.seconds, whole.timing) = (result.seconds, result.timing)
        #expect(whole == result)
        let alone = try Evaluator(snn, ann: ann, task: .values, steps: [4]).run([Batch(Self.inputs)])
        #expect(alone.steps[0].error == nil && alone.steps[0].deviation == last.deviation)
        expectError("no targets", "`ann:") { _ = try Evaluator(snn, task: .values, steps: [1]).run([Batch(Self.inputs)]) }
        expectError("shape [3, 1]") {
            _ = try Evaluator(snn, task: .values, steps: [1]).run([Batch(Self.inputs, targets: tensor([1, 2, 3], [3, 1]))])
        }
    }

    @Test func `a run that goes on from a checkpoint finds what a whole one does`() throws {
        struct Break: Error {}
        let (snn, ann, inputs, labels) = try Self.converted()
        for exit in [nil, EarlyExit.confidence(0.5)] {
            let evaluator = try Evaluator(snn, ann: ann, steps: [1, 3, 8], executor: .engine(.float32, countedSamples: 9), earlyExit: exit)
            var whole = try evaluator.run(batches(inputs, labels, size: 23))
            // The break is between any two batches; what follows comes in others.
            for size in [1, 4, 7] {
                var saved: EvaluationCheckpoint?
                #expect(throws: Break.self) {
                    _ = try evaluator.run(batches(inputs, labels, size: size)) { progress in
                        saved = progress.partialResult().partial
                        if progress.samples >= 12 { throw Break() }
                    }
                }
                let bytes = try JSONEncoder().encode(try #require(saved))
                let checkpoint = try JSONDecoder().decode(EvaluationCheckpoint.self, from: bytes)
                #expect(checkpoint == saved && checkpoint.samples >= 12 && checkpoint.samples < 23)
                let rest = try evaluator.run(batches(inputs, labels, size: 5), from: checkpoint)
                (whole.seconds, whole.timing) = (rest.seconds, rest.timing)
                #expect(rest == whole, "batches of \(size)")
            }
            let other = try Evaluator(snn, ann: ann, steps: [2])
            var saved: EvaluationCheckpoint?
            _ = try other.run(batches(inputs, labels, size: 23)) { saved = $0.partialResult().partial }
            expectError("the steps [2]") { _ = try evaluator.run(batches(inputs, labels, size: 5), from: saved) }
        }
    }

    @Test func `the fewest steps near the ANN are those from which on nothing more is lost`() throws {
        let (snn, ann, inputs, labels) = try Self.converted()
        let result = try Evaluator(snn, ann: ann, steps: [1, 4, 16]).run(batches(inputs, labels, size: 23))
        let accuracies = try #require(result.curve?.accuracy)
        #expect(accuracies.count == 16 && result.steps.map(\.accuracy) == [1, 4, 16].map { accuracies[$0 - 1] })
        let own = try #require(result.ann?.accuracy)
        for entry in try #require(result.stepsToANN) {
            let isNear = accuracies.map { $0 >= own - entry.points / 100 - 1e-12 }
            #expect(entry.steps == (isNear.last == true ? (isNear.lastIndex(of: false) ?? -1) + 2 : nil), "\(entry.points)")
        }
    }

    @Test func `without an ANN there is no agreement, without labels no accuracy`() throws {
        let (snn, ann) = try Self.pair()
        let labelled = try Evaluator(snn, steps: [2]).run([Batch(Self.inputs, labels: [0, 1, 1])])
        #expect(labelled.ann == nil && labelled.steps[0].agreement == nil && labelled.steps[0].accuracy == 2.0 / 3)
        let compared = try Evaluator(snn, ann: ann, steps: [1]).run([Batch(Self.inputs)])
        #expect(compared.ann != nil && compared.ann?.accuracy == nil)
        #expect(compared.steps[0].accuracy == nil && compared.steps[0].agreement == 2.0 / 3)
        #expect(compared.steps[0].confidence95 == wilsonInterval(successes: 2, trials: 3))
    }

    @Test func `a result survives its JSON, and reads as a table`() throws {
        let (snn, ann) = try Self.pair()
        for (ann, labels) in [(ann, [0, 1, 1]), (nil, [0, 1, 1]), (ann, nil)] as [(Graph?, [Int]?)] {
            let result = try Evaluator(snn, ann: ann, steps: [1, 4]).run([Batch(Self.inputs, labels: labels)])
            #expect(try JSONDecoder().decode(EvaluationResult.self, from: JSONEncoder().encode(result)) == result)
            let text = "\(result)"
            #expect(text.contains("accuracy") == (labels != nil))
            #expect(text.contains("agreement") == (ann != nil))
            #expect(text.contains("warning: a warning"))
            #expect(text.split(separator: "\n").allSatisfy { $0.count <= 100 })
        }
    }

    /// A network with convolutions and max pooling, converted, and random samples for it.
    static func converted() throws -> (snn: Graph, ann: Graph, inputs: Tensor, labels: [Int]) {
        var generator = SeededGenerator(7)
        let window = Window(kernel: [3, 3], padsBegin: [1, 1], padsEnd: [1, 1])
        let ann = try Graph(
            name: "small", inputs: [.init("x", ValueType(.float32, [.batch, 2, 6, 6]))], outputs: [.init("y", value: "linear")],
            nodes: [
                Node("conv1", .conv(Conv(window: window)), inputs: ["x", "w1", "b1"]), Node("relu1", .relu(Relu()), inputs: ["conv1"]),
                Node("pool", .maxPool(MaxPool(window: Window(kernel: [2, 2], strides: [2, 2]))), inputs: ["relu1"]),
                Node("conv2", .conv(Conv(window: window)), inputs: ["pool", "w2"]), Node("relu2", .relu(Relu()), inputs: ["conv2"]),
                Node("flatten", .flatten(Flatten()), inputs: ["relu2"]), Node("linear", .gemm(Gemm()), inputs: ["flatten", "w3"]),
            ],
            constants: [
                "w1": generator.tensor([4, 2, 3, 3]), "b1": generator.tensor([4]), "w2": generator.sparse([5, 4, 3, 3]),
                "w3": generator.tensor([45, 3]),
            ])
        let inputs = generator.tensor([23, 2, 6, 6], in: 0...1)
        let labels = (0..<23).map { _ in Int.random(in: 0..<3, using: &generator) }
        return (try Converter(dataloader: [Batch(inputs)])(ann), ann, inputs, labels)
    }

    @Test func `results depend neither on threads nor on the batches`() throws {
        let (snn, ann, inputs, labels) = try Self.converted()
        func run(threads: Int, size: Int) throws -> EvaluationResult {
            var result = try Evaluator(snn, ann: ann, steps: [1, 3, 8], threads: threads).run(batches(inputs, labels, size: size))
            result.seconds = 0
            result.timing = nil
            return result
        }
        let whole = try run(threads: 1, size: 23)
        #expect(whole.steps[2].spikesPerNeuron > 0)
        for (threads, size) in [(1, 1), (1, 5), (4, 5), (3, 1), (64, 2), (2, 23)] {
            #expect(try run(threads: threads, size: size) == whole, "\(threads) threads, batches of \(size)")
        }
    }

    @Test func `steps on the way are those of shorter runs`() throws {
        let (snn, ann, inputs, labels) = try Self.converted()
        let data = batches(inputs, labels, size: 10)
        let together = try Evaluator(snn, ann: ann, steps: [1, 3, 8]).run(data)
        for step in together.steps {
            #expect(try Evaluator(snn, ann: ann, steps: [step.steps]).run(data).steps == [step])
        }
    }

    /// Neurons under the layer-synchronous schedule, and what they would be in the ANN.
    static func layered(_ neuron: any Neuron, code: SpikeCode) throws -> Graph {
        try Graph(
            name: "layered", inputs: [.init("x", ValueType(.float32, [.batch, 2]))], outputs: [.init("y", value: "last")],
            nodes: [
                Node("neurons", .neuron(NeuronNode(neuron)), inputs: ["x"]), Node("last", .gemm(Gemm()), inputs: ["neurons", "w"]),
            ],
            constants: ["w": tensor([1, 1, 0, 1], [2, 2])],
            spiking: SpikingDescription(recipe: "layered", schedule: .layerSynchronous, code: code))
    }

    /// More levels than a number holds, as files may ask for.
    @Test func `activations of any number of levels are priced`() throws {
        let data = [Batch(tensor([5, 1], [1, 2]), labels: [1])]
        let bursts = try Self.layered(BurstIFNeuron(maximumBurst: 1 << 62), code: .rate())
        let digits = try Self.layered(BurstIFNeuron(maximumBurst: 7), code: .radix(digits: 100))
        for (snn, steps) in [(bursts, 4), (digits, 100)] {
            let energies = try Evaluator(snn, steps: [steps], executor: .reference).run(data).energies
            #expect(energies?.isEmpty == false)
        }
    }

    @Test func `a radix code reports its own K alone`() throws {
        let snn = try Self.layered(RadixNeuron(digits: 3), code: .radix(digits: 3))
        // 5 is 101 and 1 is 001: three spikes. The first reaches two outputs, the second one.
        let result = try Evaluator(snn, steps: [1, 2, 8]).run([Batch(tensor([5, 1], [1, 2]), labels: [1])])
        #expect(result.steps.map(\.steps) == [3])
        #expect(result.steps[0].accuracy == 1)
        #expect(result.steps[0].spikesPerNeuron == 1.5)
        #expect(result.steps[0].synapticOperations == 5)
    }

    @Test func `of a unary code in layers each number of steps is a run of its own`() throws {
        let snn = try Self.layered(IFNode(), code: .rate())
        // After T steps of input a neuron holds T·x, and then fires in each of the T steps that it can.
        let data = [Batch(tensor([0.5, 0.75], [1, 2]), labels: [1])]
        let result = try Evaluator(snn, steps: [1, 2, 4]).run(data)
        #expect(result.steps.map(\.steps) == [1, 2, 4])
        #expect(result.steps.map(\.spikesPerNeuron) == [0, 1, 2.5])
        #expect(result.steps.map(\.synapticOperations) == [0, 3, 7])
        #expect(result.layers[0].spikesPerNeuron == 2.5)
    }

    @Test func `neurons are counted for one sample where the batch size is fixed`() throws {
        let snn = try Graph(
            name: "fixed", inputs: [.init("x", ValueType(.float32, [3, 2]))], outputs: [.init("y", value: "last")],
            nodes: [
                Node("neurons", .neuron(NeuronNode(IFNode())), inputs: ["x"]), Node("last", .gemm(Gemm()), inputs: ["neurons", "w"]),
            ],
            constants: ["w": tensor([1, 0, 0, 1], [2, 2])], spiking: SpikingDescription(recipe: "test"))
        let result = try Evaluator(snn, steps: [4]).run([Batch(Self.inputs, labels: [0, 1, 0]), Batch(Self.inputs, labels: [0, 1, 0])])
        #expect(result.layers[0].neurons == 2)
        #expect(result.steps[0].spikesPerNeuron == 13.0 / 3 / 2)
        #expect(result.steps[0].accuracy == 1)
        expectError("exported for exactly 3 samples", "`batchSize: 3`") {
            _ = try Evaluator(snn, steps: [4]).run([Batch(Self.inputs.samples(0..<2), labels: [0, 1])])
        }
    }
}

@Suite struct EvaluatorErrorTests {
    @Test func `options out of range are refused`() throws {
        let (snn, ann) = try EvaluatorTests.pair()
        for steps in [[], [0], [-1, 2], [1 << 21]] { expectError("steps \(steps)") { _ = try Evaluator(snn, steps: steps) } }
        for threads in [0, -1, 5000] { expectError("\(threads) threads") { _ = try Evaluator(snn, steps: [1], threads: threads) } }
        expectError("is an ANN") { _ = try Evaluator(ann, steps: [1]) }
    }

    @Test func `data with nothing to compare with is refused`() throws {
        let (snn, _) = try EvaluatorTests.pair()
        expectError("no labels", "`ann:") { _ = try Evaluator(snn, steps: [1]).run([Batch(EvaluatorTests.inputs)]) }
        expectError("no sample") { _ = try Evaluator(snn, steps: [1]).run([Batch]()) }
        expectError("2 labels for 3 samples") { _ = try Evaluator(snn, steps: [1]).run([Batch(EvaluatorTests.inputs, labels: [0, 1])]) }
    }

    @Test(arguments: [2, -1, 100]) func `labels that are no classes of the network are refused`(label: Int) throws {
        let (snn, _) = try EvaluatorTests.pair()
        expectError("label \(label)", "classes 0…1") {
            _ = try Evaluator(snn, steps: [1]).run([Batch(EvaluatorTests.inputs, labels: [0, label, 1])])
        }
    }

    @Test func `an ANN that cannot be the source is refused`() throws {
        let (snn, _) = try EvaluatorTests.pair()
        expectError("is a spiking network") { _ = try Evaluator(snn, ann: snn, steps: [1]) }
        let (_, other, _, _) = try EvaluatorTests.converted()
        expectError("3 classes", "has 2 classes") { _ = try Evaluator(snn, ann: other, steps: [1]) }
    }

    @Test(arguments: [[Dimension(0, batchFactor: 2), 3], [6, .batch]] as [Shape])
    func `networks whose output is not numbers of each sample are refused`(shape: Shape) throws {
        let snn = try Graph(
            name: "image", inputs: [.init("x", ValueType(.float32, [.batch, 6]))], outputs: [.init("y", value: "shaped")],
            nodes: [
                Node("neurons", .neuron(NeuronNode(IFNode())), inputs: ["x"]),
                Node("weighted", .gemm(Gemm()), inputs: ["neurons", "w"]),
                Node(
                    "shaped",
                    .reshape(Reshape(sizes: shape.dimensions.map { .fixed(constant: $0.constant, batchFactor: $0.batchFactor) })),
                    inputs: ["weighted"]),
            ],
            constants: ["w": Tensor(repeating: 1, shape: [6, 6])], spiking: SpikingDescription(recipe: "test"))
        expectError("not numbers of each sample") { _ = try Evaluator(snn, steps: [1]) }
    }

    @Test func `an output that is no number is refused`() throws {
        let (snn, _) = try EvaluatorTests.pair()
        // Finite weights whose sum is infinite, and a zero that meets it.
        var patch = Patch()
        patch.setConstant("w2", tensor([.greatestFiniteMagnitude, 0, .greatestFiniteMagnitude, 0], [2, 2]))
        patch.insert(Node("overflow", .gemm(Gemm()), inputs: ["scaler", "w2"]))
        var last = try #require(snn.node(named: "last"))
        last.inputs = ["overflow", "w"]
        patch.replace(last)
        let overflowing = try snn.applying(patch)
        expectError("NaN") {
            _ = try Evaluator(overflowing, steps: [1], executor: .reference).run([Batch(tensor([2, 2], [1, 2]), labels: [0])])
        }
    }
}
