import Foundation
import SpikeConversion
import SpikeCost
import SpikeEvaluation
import SpikeAnalysis
import SpikeGraph
import SpikeReference
import SpikeRuntime
import Testing

/// What is counted and shown is what is run.
@Suite struct `Counts of the precision that runs` {
    private static func converted(_ recipe: Recipe, steps: Int) throws -> (snn: Graph, ann: Graph, inputs: Tensor, labels: [Int]) {
        let (_, ann, inputs, labels) = try EvaluatorTests.converted()
        let snn = try RecipeConverter(recipe.options(steps), calibration: [Batch(inputs)])(ann)
        return (snn, ann, inputs, labels)
    }

    /// By node, the mean spikes of a neuron, as the engine itself counts them.
    private func spikesPerNeuron(_ snn: Graph, _ precision: Precision, _ inputs: Tensor, steps: Int) throws -> [String: Double] {
        let simulation = try Simulation(snn, precision: precision)
        simulation.recording = .spikeCounts
        _ = try simulation.run([inputs], steps: steps)
        return simulation.spikeCounts.mapValues { $0.floats.reduce(0.0) { $0 + Double($1) } / Double($0.count) }
    }

    /// Half of the hidden neurons are large constants: what distinguishes samples is less than 8 bits of them.
    private static func constant(_ size: Float) throws -> (ann: Graph, inputs: Tensor) {
        var random = SeededGenerator(91)
        let bias = Tensor((0..<30).map { $0 % 2 == 0 ? size * Float.random(in: 0...2, using: &random) : 0 }, shape: [30])
        let weights = [[30, 20], [20, 30], [5, 20]].map { random.tensor($0, in: -0.4...0.4) }
        func network(_ last: Tensor) throws -> Graph {
            try Graph(
                name: "constant", inputs: [.init("x", ValueType(.float32, [.batch, 20]))], outputs: [.init("y", value: "y")],
                nodes: [
                    Node("a", .gemm(Gemm(transposeB: true)), inputs: ["x", "w0", "b0"]), Node("r0", .relu(Relu()), inputs: ["a"]),
                    Node("b", .gemm(Gemm(transposeB: true)), inputs: ["r0", "w1"]), Node("r1", .relu(Relu()), inputs: ["b"]),
                    Node("y", .gemm(Gemm(transposeB: true)), inputs: ["r1", "w2", "b2"]),
                ], constants: ["w0": weights[0], "b0": bias, "w1": weights[1], "w2": weights[2], "b2": last])
        }
        let inputs = random.tensor([100, 20], in: 0...1)
        // Around their means all classes come.
        let plain = try ReferenceExecutor(network(Tensor(repeating: 0, shape: [5]))).run([inputs])[0].floats
        let means = (0..<5).map { column in -stride(from: column, to: plain.count, by: 5).reduce(0) { $0 + plain[$1] } / 100 }
        return (try network(Tensor(means, shape: [5])), inputs)
    }

    @Test(arguments: [Float(0), 300]) func `where 8 bits cannot say what data shows, that is said`(size: Float) throws {
        let (ann, inputs) = try Self.constant(size)
        let snn = try RecipeConverter(Recipe.radix.options(14), calibration: [Batch(inputs)])(ann)
        let answers = try OutputTask(of: ann).predictions(ReferenceExecutor(ann).run([inputs])[0], of: ann)
        let result = try Evaluator(snn, ann: ann, steps: [14], executor: .engine(.int8, countedSamples: 10)).run([
            Batch(inputs, labels: answers)
        ])
        let check = try #require(result.precisionCheck)
        #expect(check.samples == 100)
        // What it says is what is seen: float32 is right about all of them.
        #expect(abs(try #require(check.agreement) - #require(result.steps[0].accuracy)) < 0.03)
        #expect((check.warning == nil) == (size == 0), "\(check)")
        #expect("\(result)".contains("use float32 for this network") == (size > 0))
        #expect(try Evaluator(snn, ann: ann, steps: [14]).run([Batch(inputs, labels: answers)]).precisionCheck == nil)
    }

    @Test(arguments: [(Recipe.calibrated, 16), (.signed, 12), (.burst, 8), (.radix, 5)])
    func `spikes and operations are those that the engine sends`(recipe: Recipe, steps: Int) throws {
        let (snn, ann, inputs, labels) = try Self.converted(recipe, steps: steps)
        var spikes: [Precision: [Double]] = [:]
        for precision in Precision.allCases {
            let result = try Evaluator(snn, ann: ann, steps: [steps], executor: .engine(precision, countedSamples: 100))
                .run(batches(inputs, labels, size: 9))
            let expected = try spikesPerNeuron(snn, precision, inputs, steps: steps)
            #expect(result.precision == precision.rawValue && result.layers.count == 2)
            for layer in result.layers {
                #expect(abs(layer.spikesPerNeuron - (expected[layer.name] ?? -1)) < 1e-9, "\(precision), \(layer.name)")
            }
            spikes[precision] = result.layers.map(\.spikesPerNeuron)
            // Behind the last neurons a linear layer of 3 features without a zero: three operations a spike.
            let last = try #require(result.counts?.layers.last)
            let operations = (last.accumulates + last.multiplyAccumulates).reduce(0, +)
            let sent = try #require(result.layers.last)
            // Several spikes at once are one operation.
            let isBurst = recipe.name == "burst"
            #expect(isBurst || abs(operations - 3 * Double(sent.neurons) * sent.spikesPerNeuron) < 1e-6)
            // How batches are cut does not matter.
            var whole = try Evaluator(snn, ann: ann, steps: [steps], executor: .engine(precision, countedSamples: 100), threads: 3)
                .run(batches(inputs, labels, size: 23))
            (whole.seconds, whole.timing) = (result.seconds, result.timing)
            #expect(whole == result)
        }
        // The precisions differ, or this would show nothing.
        #expect(spikes[.int8] != spikes[.float32])
    }

    @Test func `what is drawn and taken apart is what the engine sends`() throws {
        let (snn, ann, inputs, _) = try Self.converted(.calibrated, steps: 16)
        for precision in Precision.allCases {
            let expected = try spikesPerNeuron(snn, precision, inputs, steps: 16)
            let trace = try ActivityTrace.record(snn, ann: ann, inputs: [inputs], steps: 16, precision: precision)
            #expect(trace.precision == precision.rawValue)
            let errors = try ErrorDecomposition(snn, ann: ann, steps: 16, precision: precision).run([Batch(inputs)])
            for (layer, error) in zip(trace.layers, errors) {
                #expect(abs(layer.density.reduce(0, +) - (expected[layer.name] ?? -1)) < 1e-9, "\(precision), \(layer.name)")
                #expect(abs(error.spikesPerNeuron - (expected[error.name] ?? -1)) < 1e-9, "\(precision), \(error.name)")
            }
        }
        // The reference executor has no precision of the engine's.
        #expect(try ActivityTrace.record(snn, ann: ann, inputs: [inputs], steps: 4).precision == nil)
    }

    /// x → linear → neurons → linear with one weight of `weight` thresholds beside small ones → neurons → linear.
    private func network(weight: Float) throws -> Graph {
        try Graph(
            name: "uneven", inputs: [.init("x", ValueType(.float32, [.batch, 2]))], outputs: [.init("y", value: "last")],
            nodes: [
                Node("first", .gemm(Gemm()), inputs: ["x", "one"]), Node("a", .neuron(NeuronNode(IFNode())), inputs: ["first"]),
                Node("second", .gemm(Gemm()), inputs: ["a", "w"]), Node("b", .neuron(NeuronNode(IFNode())), inputs: ["second"]),
                Node("last", .gemm(Gemm()), inputs: ["b", "one"]),
            ], constants: ["one": tensor([1, 0, 0, 1], [2, 2]), "w": tensor([weight, 0.3, 0.2, 1], [2, 2])],
            spiking: SpikingDescription(recipe: "by hand"))
    }

    @Test func `layers that stay float32, and numbers that met their bounds, are told everywhere`() throws {
        let inputs = tensor([0.5, 0.25, 1e30, 0.5], [2, 2])
        let data = [Batch(inputs, labels: [0, 1])]
        let executor = Evaluator.Executor.engine(.int8, countedSamples: 1)
        let result = try Evaluator(try network(weight: 200), steps: [8], executor: executor).run(data)
        #expect(result.floatLayers?.map(\.name) == ["b"] && (result.saturations ?? 0) > 0)
        for text in ["\(result)", "\(Comparison([result]))"] {
            #expect(text.contains("float32 in spite of int8: b (a weight is 200 thresholds"))
            #expect(text.contains("met the bounds of int8's whole numbers"))
        }
        #expect("\(Comparison([result]))".contains(", int8"))
        let decoded = try JSONDecoder().decode(EvaluationResult.self, from: JSONEncoder().encode(result))
        #expect(decoded == result)
        // A break in the run forgets none of it.
        var saved: EvaluationCheckpoint?
        let evaluator = try Evaluator(try network(weight: 200), steps: [8], executor: executor)
        _ = try evaluator.run([Batch(inputs.samples(1..<2), labels: [1])]) { saved = $0.partialResult().partial }
        let rest = try evaluator.run([Batch(inputs, labels: [0, 1])], from: saved)
        #expect((rest.saturations ?? 0) > 0)
        // Nothing to tell: the lists are there and empty; of float32 they are absent.
        let fine = try Evaluator(try network(weight: 1), steps: [8], executor: executor).run([Batch(inputs.samples(0..<1), labels: [0])])
        #expect(fine.floatLayers == [] && fine.saturations == 0 && !"\(fine)".contains("int8'"))
        let exact = try Evaluator(try network(weight: 1), steps: [8]).run([Batch(inputs.samples(0..<1), labels: [0])])
        #expect(exact.floatLayers == nil && exact.saturations == nil)
    }

    @Test func `a network of a fixed batch size has no int8, rather than float32 under its name`() throws {
        let open = try network(weight: 1)
        let fixed = try Graph(
            name: "fixed", inputs: [.init("x", ValueType(.float32, [2, 2]))], outputs: open.outputs, nodes: open.nodes,
            constants: open.constants, spiking: open.spiking)
        expectError("fixed batch size in int8", "open batch size") {
            _ = try Evaluator(fixed, steps: [4], executor: .engine(.int8, countedSamples: 1))
        }
        expectError("fixed batch size in int8") { _ = try ActivityTrace.record(fixed, ann: nil, inputs: [], steps: 4, precision: .int8) }
    }
}
