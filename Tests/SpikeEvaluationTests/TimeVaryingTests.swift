import Foundation
import SpikeConversion
import SpikeCost
import SpikeEvaluation
import SpikeGraph
import SpikeReference
import SpikeRuntime
import Testing

@Suite("Time-varying samples") struct TimeVaryingTests {
    /// Samples and their frames: each number of a sample is the probability of an event in each step. `[N, T, …]`.
    private static func events(_ rates: Tensor, steps: Int, seed: UInt64 = 3) -> Tensor {
        var generator = SeededGenerator(seed)
        let values = (0..<rates.shape[0]).flatMap { sample in
            (0..<steps).flatMap { _ in
                rates.samples(sample..<sample + 1).floats.map { Float.random(in: 0..<1, using: &generator) < $0 ? Float(1) : 0 }
            }
        }
        return Tensor(values, shape: [rates.shape[0], steps] + rates.shape.dropFirst())
    }

    /// Samples whose frames are all the same.
    private static func still(_ samples: Tensor, steps: Int) -> Tensor {
        let values = (0..<samples.shape[0]).flatMap { sample in
            (0..<steps).flatMap { _ in samples.samples(sample..<sample + 1).floats }
        }
        return Tensor(values, shape: [samples.shape[0], steps] + samples.shape.dropFirst())
    }

    /// `[N, T, …]` → `[T, N, …]`, number by number.
    private static func stepsFirst(_ frames: Tensor) -> Tensor {
        let (samples, steps, size) = (frames.shape[0], frames.shape[1], frames.shape.dropFirst(2).reduce(1, *))
        var values = [Float](repeating: 0, count: frames.count)
        for (index, value) in frames.floats.enumerated() {
            let (sample, step, place) = (index / size / steps, index / size % steps, index % size)
            values[(step * samples + sample) * size + place] = value
        }
        return Tensor(values, shape: [steps, samples] + frames.shape.dropFirst(2))
    }

    private static func largest(_ output: Tensor) -> [Int] {
        let (values, columns) = (output.floats, output.shape[1])
        return (0..<output.shape[0]).map { row in
            (1..<columns).reduce(0) { values[row * columns + $1] > values[row * columns + $0] ? $1 : $0 }
        }
    }

    private static func share(_ a: [Int], _ b: [Int]) -> Double { Double(zip(a, b).count { $0 == $1 }) / Double(a.count) }

    @Test(arguments: [nil, Precision.float32, .int8])
    func `predictions are the simulation's, and the ANN sees the mean of the frames`(precision: Precision?) throws {
        let (snn, ann, rates, labels) = try EvaluatorTests.converted()
        let frames = Self.events(rates, steps: 9)
        // Two frames more than are looked at.
        let steps = 7
        let executor: Evaluator.Executor = precision.map { .engine($0, countedSamples: 5) } ?? .reference
        let result = try Evaluator(snn, ann: ann, steps: [2, steps], executor: executor, timeVarying: true)
            .run(batches(frames, labels, size: 4))
        let run = try SimulatorChoice(snn, precision: precision).simulator().run(
            [Self.stepsFirst(frames)], steps: steps, timeVarying: true, recording: .stepOutputs)
        let found = run.stepOutputs.map { Self.largest($0[0]) }
        let size = rates.count / 23
        let means = Tensor(
            (0..<rates.count).map { position in
                let start = position / size * 9 * size + position % size
                return (0..<steps).reduce(Float(0)) { $0 + frames.floats[start + $1 * size] } / Float(steps)
            }, shape: rates.shape)
        let expected = Self.largest(try ReferenceExecutor(ann).run([means])[0])
        #expect(result.ann?.accuracy == Self.share(expected, labels))
        for (row, step) in zip(result.steps, [2, steps]) {
            #expect(row.accuracy == Self.share(found[step - 1], labels) && row.agreement == Self.share(found[step - 1], expected))
            #expect(row.confidence95 == wilsonInterval(successes: Int((row.accuracy ?? 0) * 23 + 0.5), trials: 23))
        }
        if precision != nil { #expect(result.curve?.accuracy == found.map { Self.share($0, labels) }) }
        #expect(result.frames == steps && "\(result)".contains("the ANN saw the mean of the 7 frames"))
        #expect("\(result)".split(separator: "\n").allSatisfy { $0.count <= 100 })
        #expect(result.steps[1].spikesPerNeuron > 0)
        #expect(try EvaluationResult(json: Array(JSONEncoder().encode(result))) == result)
    }

    /// All numbers but those of the clock.
    private func unclocked(_ result: EvaluationResult) -> EvaluationResult {
        var result = result
        (result.seconds, result.timing) = (0, nil)
        return result
    }

    @Test(arguments: [nil, Precision.float32, .int8])
    func `frames that are all the same give what a still input gives, layer by layer too`(precision: Precision?) throws {
        let (snn, ann, inputs, labels) = try EvaluatorTests.converted()
        let executor: Evaluator.Executor = precision.map { .engine($0, countedSamples: 9) } ?? .reference
        let exit: EarlyExit? = precision == nil ? nil : .confidence(0.4)
        func run(_ data: Tensor, timeVarying: Bool) throws -> EvaluationResult {
            unclocked(
                try Evaluator(
                    snn, ann: ann, steps: [1, 3, 8], executor: executor, earlyExit: exit, details: [.errors, .activity],
                    timeVarying: timeVarying
                ).run(batches(data, labels, size: 23)))
        }
        let expected = try run(inputs, timeVarying: false)
        let result = try run(Self.still(inputs, steps: 8), timeVarying: true)
        #expect(result.layers == expected.layers && result.layers.allSatisfy { $0.error != nil } && result.activity == expected.activity)
        #expect(result.earlyExit == expected.earlyExit && result.curve == expected.curve && result.confusion == expected.confusion)
        #expect(
            result.precisionCheck == expected.precisionCheck && result.ann == expected.ann && result.saturations == expected.saturations)
        #expect(result.steps.map(\.accuracy) == expected.steps.map(\.accuracy))
        let (counts, still) = (try #require(result.counts), try #require(expected.counts))
        #expect(counts.neurons == still.neurons && counts.ann == still.ann)
        #expect(counts.steps.map(\.accumulates) == still.steps.map(\.accumulates) && still.steps.allSatisfy { $0.input == nil })
        // Numbers such as 0.3 are multiplied, in each step.
        for step in counts.steps {
            let input = try #require(step.input)
            #expect(input.accumulates == 0)
            #expect(abs(input.multiplyAccumulates - Double(step.steps) * still.effectiveInputMultiplyAccumulates) < 1e-6)
        }
        #expect(abs(counts.effectiveInputMultiplyAccumulates - still.effectiveInputMultiplyAccumulates) < 1e-6)
    }

    @Test func `operations on the input are what a person counts: events accumulate, other numbers are multiplied`() throws {
        let (snn, ann) = try EvaluatorTests.pair()
        // Two samples, four steps, two numbers. Each meets one weight that is not zero.
        let frames = tensor([1, 0, 0, 1, 1, 0, 1, 0] + [2, 0.5, 0, 0.5, 0, 0, 0, 0], [2, 4, 2])
        let result = try Evaluator(snn, ann: ann, steps: [1, 4], timeVarying: true).run([Batch(frames, labels: [0, 1])])
        let counts = try #require(result.counts)
        let first = try #require(counts.layers.first)
        #expect(!first.readsSpikes && first.dense == 4 && first.accumulates == [0.5, 0.5, 0.5, 0.5])
        #expect(first.multiplyAccumulates == [1, 0.5, 0, 0])
        #expect(counts.steps.map(\.input?.accumulates) == [0.5, 2] && counts.steps.map(\.input?.multiplyAccumulates) == [1, 1.5])
        // One sample's spikes are its events; the other sends two and one.
        #expect(counts.steps.map(\.accumulates) == [1, 3.5] && counts.perSample == [8, 6])
        #expect(result.steps.map(\.synapticOperations) == [2.5, 7])
        #expect(counts.inputMultiplyAccumulates == 4 && counts.effectiveInputMultiplyAccumulates == 3.5 / 4)
        // Means of (0.75, 0.25) and (0.5, 0.25).
        #expect(result.ann?.accuracy == 0.5 && counts.ann.effectiveMultiplyAccumulates == 4)
        let snnEnergy = 1.5 * 4.6e-12 + 5.5 * 0.9e-12
        #expect(abs((result.steps.last?.energy.snn ?? 0) - snnEnergy) < 1e-18)
        let energy = try #require(result.energies?.first { $0.model.hasPrefix("45 nm float32") }?.steps.last)
        for bound in try #require(energy.snn) { #expect(abs(bound - snnEnergy) < 1e-18) }
        // What the events cost stays when spikes become fewer.
        let fixed = 1.5 * 4.6 + 2 * 0.9
        let breakEven = try #require(energy.breakEvenSpikesPerNeuron)
        #expect(abs(breakEven[1] - (8 * 4.6 - fixed) / (3.5 * 0.9) * 1.75) < 1e-9)
        #expect(abs(breakEven[0] - (4 * 4.6 - fixed) / (3.5 * 0.9) * 1.75) < 1e-9)
        // Chips: every operation that was counted, once.
        let chip = try #require(result.energies?.first { $0.model == "Loihi" }?.steps.last?.snn)
        #expect(chip.allSatisfy { abs($0 - (7 * 27.1e-12 + 2 * 4 * 81e-12)) < 1e-20 })
        #expect("\(result)".contains("accumulates, 0.0 k multiply–accumulates on the input, in all steps"))
    }

    @Test func `an event meets as many weights as a convolution's border leaves it`() throws {
        let (snn, _, rates, labels) = try EvaluatorTests.converted()
        let frames = Self.events(rates, steps: 5)
        let counts = try #require(
            Evaluator(snn, steps: [5], timeVarying: true).run(batches(frames, labels, size: 7)).counts)
        // 3×3 with padding on 6×6, four features.
        var expected = [Double](repeating: 0, count: 5)
        for (index, value) in frames.floats.enumerated() where value != 0 {
            let (y, x) = (index / 6 % 6, index % 6)
            func taps(_ place: Int) -> Int { place == 0 || place == 5 ? 2 : 3 }
            expected[index / 72 % 5] += Double(4 * taps(y) * taps(x))
        }
        let first = try #require(counts.layers.first)
        #expect(zip(first.accumulates, expected).allSatisfy { abs($0 - $1 / 23) < 1e-9 } && expected[0] > 0)
        #expect(first.multiplyAccumulates == [0, 0, 0, 0, 0])
    }

    @Test func `results depend neither on threads, nor on the batches, nor on a break`() throws {
        struct Break: Error {}
        let (snn, ann, rates, labels) = try EvaluatorTests.converted()
        let frames = Self.events(rates, steps: 8)
        func evaluator(threads: Int) throws -> Evaluator {
            try Evaluator(
                snn, ann: ann, steps: [1, 3, 8], executor: .engine(.float32, countedSamples: 9), earlyExit: .confidence(0.5),
                threads: threads, timeVarying: true)
        }
        let whole = unclocked(try evaluator(threads: 1).run(batches(frames, labels, size: 23)))
        for (threads, size) in [(1, 1), (1, 5), (4, 5), (3, 1), (64, 2)] {
            let result = unclocked(try evaluator(threads: threads).run(batches(frames, labels, size: size)))
            #expect(result == whole, "\(threads) threads, batches of \(size)")
        }
        var saved: EvaluationCheckpoint?
        #expect(throws: Break.self) {
            _ = try evaluator(threads: 1).run(batches(frames, labels, size: 4)) { progress in
                saved = progress.partialResult().partial
                if progress.samples >= 12 { throw Break() }
            }
        }
        #expect(unclocked(try evaluator(threads: 2).run(batches(frames, labels, size: 5), from: saved)) == whole)
    }

    @Test func `all outputs are compared with the ANN's on the mean`() throws {
        let (snn, ann, inputs, _) = try EvaluatorTests.converted()
        func run(_ data: Tensor, timeVarying: Bool) throws -> OutputErrors {
            var errors = try OutputComparison(snn, ann: ann, steps: [2, 6], layerErrors: true, timeVarying: timeVarying)
                .run(batches(data, nil, size: 23))
            errors.seconds = 0
            return errors
        }
        var result = try run(Self.still(inputs, steps: 6), timeVarying: true)
        #expect(result.frames == 6 && "\(result)".contains("the ANN saw the mean of the 6 frames"))
        result.frames = nil
        #expect(result == (try run(inputs, timeVarying: false)))
    }

    @Test func `what cannot be is said`() throws {
        let (snn, ann) = try EvaluatorTests.pair()
        let frames = Tensor(repeating: 1, shape: [3, 4, 2])
        let layered = try EvaluatorTests.layered(IFNode(), code: .rate())
        expectError("time-varying input under the layer-synchronous schedule", "streaming recipe") {
            _ = try Evaluator(layered, steps: [4], timeVarying: true)
        }
        expectError("time-varying input under the layer-synchronous schedule") {
            _ = try OutputComparison(layered, ann: ann, steps: [4], timeVarying: true)
        }
        expectError("shape [3, 4, 2] for 5 steps", "[N, T, …]") {
            _ = try Evaluator(snn, ann: ann, steps: [5], timeVarying: true).run([Batch(frames, labels: [0, 0, 0])])
        }
        expectError("float32[3, 4, 2]", "`timeVarying: true`") {
            _ = try Evaluator(snn, ann: ann, steps: [4]).run([Batch(frames, labels: [0, 0, 0])])
        }
        let others = Tensor(repeating: 1, shape: [3, 4, 5])
        expectError("float32[3, 5]") {
            _ = try Evaluator(snn, ann: ann, steps: [4], timeVarying: true).run([Batch(others, labels: [0, 0, 0])])
        }
    }
}
