import Foundation
import SpikeConversion
import SpikeData
import SpikeExplorer
import SpikeGraph
import SpikeReference
import SpikeRuntime
import TestSupport
import Testing

@Suite("A run for the live page")
struct SampleRunTests {
    @Test(arguments: [(Recipe.calibrated, 8), (.signed, 8), (.radix, 4)])
    func `it holds what the engine says of the same sample`(recipe: Recipe, steps: Int) throws {
        let sample = try Sample(recipe, steps: steps)
        let batch = try sample.data.dataset.batch(at: [3])
        let run = try SampleRun(sample.snn, ann: sample.ann, sample: 3, batch: batch, steps: steps)
        // The engine is another program: its outputs after each step, and the spikes of each neuron over all of them.
        let simulation = try Simulation(sample.snn)
        simulation.recording = [.spikeCounts, .stepOutputs]
        _ = try simulation.run(batch.inputs, steps: steps)
        let outputs = try simulation.stepOutputs().map { $0[0].floats }
        #expect(run.scores.count == steps && run.classes == [0, 1, 2])
        for (ours, engine) in zip(run.scores.joined(), outputs.joined()) { #expect(abs(ours - engine) <= 1e-4 * max(1, abs(engine))) }
        for (prediction, scores) in zip(run.predictions, run.scores) { #expect(scores[prediction] == scores.max()) }
        #expect(run.ann?.count == 3)
        #expect(run.layers.count == simulation.spikeCounts.count)
        for layer in run.layers {
            let counts = try #require(simulation.spikeCounts[layer.name]).floats
            #expect(layer.neurons == counts.count)
            #expect(layer.totals.count == steps && layer.totals.reduce(0, +) == Int(counts.reduce(0, +)))
            // All neurons of so small a layer are shown: their spikes are the counts.
            let bytes = try #require(Data(base64Encoded: layer.spikes)).map { Int(Int8(bitPattern: $0)) }
            let size = layer.channels.count * layer.height * layer.width
            #expect(bytes.count == steps * size)
            if layer.neurons <= size {
                for neuron in 0..<layer.neurons {
                    let own = (0..<steps).reduce(0) { $0 + abs(bytes[$1 * size + neuron]) }
                    #expect(own == Int(counts[neuron]), "\(layer.name), neuron \(neuron)")
                }
            }
        }
    }

    @Test func `one score is a class by its threshold, and what is no class is shown as a number`() throws {
        /// Neurons (θ = 1) of two inputs, the first minus the second.
        func network(sigmoid: Bool) throws -> Graph {
            try Graph(
                name: "score", inputs: [.init("x", ValueType(.float32, [.batch, 2]))],
                outputs: [.init("y", value: sigmoid ? "sigmoid" : "difference")],
                nodes: [
                    Node("neurons", .neuron(NeuronNode(IFNode())), inputs: ["x"]),
                    Node("difference", .gemm(Gemm()), inputs: ["neurons", "w"]),
                ] + (sigmoid ? [Node("sigmoid", .sigmoid(Sigmoid()), inputs: ["difference"])] : []),
                constants: ["w": Tensor([1, -1] as [Float], shape: [2, 1])], spiking: SpikingDescription(recipe: "test"))
        }
        // Spikes after 1, 2, 3 and 4 steps: 0 1 1 2 of the first neuron, 0 0 0 1 of the second.
        let inputs = Tensor([0.5, 0.25] as [Float], shape: [1, 2])
        let classes = try SampleRun(network(sigmoid: true), ann: nil, sample: 0, batch: Batch(inputs), steps: 4)
        #expect(classes.hasPredictions && classes.predictions == [0, 1, 1, 1])
        let labelled = try SampleRun(network(sigmoid: false), ann: nil, sample: 0, batch: Batch(inputs, labels: [1]), steps: 4)
        #expect(labelled.hasPredictions && labelled.predictions == [0, 1, 1, 1])
        let values = try SampleRun(network(sigmoid: false), ann: nil, sample: 0, batch: Batch(inputs), steps: 4)
        #expect(!values.hasPredictions && values.predictions == [0, 0, 0, 0] && values.scores.map { $0[0] } == [0, 0.5, 1.0 / 3, 0.25])
    }

    @Test func `tokens are rows, channels behind are channels, and tokens in front are all there`() throws {
        func network(_ shape: [Int], permutation: [Int], axis: Int) throws -> Graph {
            let scales = [Float](repeating: 1, count: shape.last ?? 1)
            let site = Site(activation: "layer", spike: axis == 1 ? [1] : scales, axis: axis)
            return try Graph(
                name: "tokens", inputs: [.init("x", ValueType(.float32, Shape([.batch] + shape.map { Dimension($0) })))],
                outputs: [.init("y", value: "p")],
                nodes: [
                    Node("front", .transpose(Transpose(permutation: permutation)), inputs: ["x"]),
                    Node("p", .neuron(NeuronNode(try DigitNeuron(digits: 3), site: site)), inputs: ["front"]),
                ], constants: [:], spiking: SpikingDescription(recipe: "radix", schedule: .layerSynchronous, code: .radix(digits: 3)))
        }
        func layer(_ shape: [Int], _ permutation: [Int], axis: Int = 1) throws -> (SampleRun.Layer, last: [Int]) {
            let count = shape.reduce(1, *)
            let input = Tensor((0..<count).map { Float($0 % 2) }, shape: [1] + shape)
            let snn = try network(shape, permutation: permutation, axis: axis)
            let run = try SampleRun(snn, ann: nil, sample: 0, batch: Batch(input), steps: 3)
            let layer = run.layers[0]
            let bytes = try #require(Data(base64Encoded: layer.spikes)).map { Int(Int8(bitPattern: $0)) }
            #expect(layer.neurons == count && layer.totals == [0, 0, count / 2])
            #expect(run.scores[2].count == min(count, 12))
            return (layer, Array(bytes.suffix(count)))
        }
        let (rows, ofRows) = try layer([5, 6], [0, 1, 2])
        #expect(rows.channels == [0] && rows.height == 5 && rows.width == 6 && ofRows == (0..<30).map { $0 % 2 })
        // Tokens in front of the batch.
        let (front, ofFront) = try layer([5, 6], [1, 0, 2])
        #expect(front.height == 5 && front.width == 6 && ofFront == ofRows)
        let (last, ofLast) = try layer([3, 2, 4], [0, 1, 2, 3], axis: -1)
        #expect(last.channels == [0, 1, 2, 3] && last.height == 3 && last.width == 2)
        #expect(ofLast == (0..<4).flatMap { channel in (0..<6).map { _ in channel % 2 } })
        let heads = try layer([2, 3, 4], [0, 1, 2, 3]).0
        #expect(heads.channels == [0, 1] && heads.height == 3 && heads.width == 4)
    }

    @Test func `steps that no page shows and data of another network are refused`() throws {
        let sample = try Sample()
        expectError(.invalidOption, "time steps", "1 to 256") { _ = try Explorer(sample.snn, data: sample.data, steps: 257) }
        expectError(.invalidOption, "0 time steps") { _ = try Explorer(sample.snn, data: sample.data, steps: 0) }
        expectError(.invalidData, "ANN") { _ = try Explorer(sample.ann, data: sample.data) }
        let others = try DataLoader(Dataset(path: Repository.model("FashionMNIST/test_1000.npz")))
        expectError(.invalidData, "input") { _ = try Explorer(sample.snn, data: others) }
    }
}

@Suite("The queue of runs")
struct RunQueueTests {
    /// Waits for one run.
    private func run(_ queue: RunQueue, _ sample: Int) async throws -> [UInt8] {
        try await withCheckedThrowingContinuation { continuation in
            _ = queue.request(sample) { continuation.resume(with: $0) }
        }
    }

    @Test func `a sample is simulated once, however many ask and however often`() async throws {
        let queue = RunQueue { [UInt8($0)] }
        try await withThrowingTaskGroup(of: [UInt8].self) { group in
            for request in 0..<200 { group.addTask { try await run(queue, request % 5) } }
            for try await answer in group { #expect(answer.count == 1 && answer[0] < 5) }
        }
        #expect(queue.simulations == 5)
        #expect(try await run(queue, 3) == [3])
        #expect(queue.simulations == 5)
    }

    @Test func `what is remembered stays within its bytes`() async throws {
        let size = RunQueue.mostRemembered / 4
        let queue = RunQueue { _ in [UInt8](repeating: 1, count: size) }
        for sample in 0..<5 { _ = try await run(queue, sample) }
        #expect(queue.simulations == 5)
        // The last four are there; the first had to go.
        for sample in 1..<5 { _ = try await run(queue, sample) }
        #expect(queue.simulations == 5)
        _ = try await run(queue, 0)
        #expect(queue.simulations == 6)
    }

    @Test func `a run that nobody waits for any more is not begun, and an error reaches all`() async throws {
        let (gate, begun) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let queue = RunQueue { sample in
            if sample == 0 {
                begun.signal()
                gate.wait()
            }
            if sample == 9 { throw SpikeletError(.invalidData, "no") }
            return []
        }
        async let first = run(queue, 0)
        func isBegun() -> Bool { begun.wait(timeout: .now()) == .success }
        while !isBegun() { try await Task.sleep(for: .milliseconds(1)) }
        let ticket = queue.request(1) { _ in Issue.record("nobody waits") }
        if let ticket { queue.cancel(ticket) }
        gate.signal()
        _ = try await first
        await #expect(throws: SpikeletError.self) { _ = try await run(queue, 9) }
        #expect(queue.simulations == 2)
    }
}
