import SpikeConversion
import SpikeGraph
import SpikeReference
import SpikeRuntime
import TestSupport
import Testing

@Suite("The readout's delay")
struct ReadoutDelayTests {
    private func converted(_ delay: ConversionOptions.ReadoutDelay, seed: UInt64 = 70, steps: Int = 16) throws -> (ann: Graph, snn: Graph) {
        var random = Random(seed)
        let ann = try smallNetwork(&random, dyadic: true)
        let images = random.tensor([96, 2, 6, 6], in: 0...1)
        let options = ConversionOptions(recipe: "test", steps: steps, initialMembrane: 0, readoutDelay: delay)
        return (ann, try RecipeConverter(options, calibration: [Batch(images)])(ann))
    }

    /// The output of each step by itself, before any accumulation.
    private func eachStep(_ snn: Graph, _ input: Tensor, count: Int) throws -> [[Float]] {
        let simulation = try ReferenceSimulation(snn)
        return try (0..<count).map { _ in try simulation.step([input])[0].floats }
    }

    @Test func `the output is the mean of the steps behind the delay, and of all while it lasts`() throws {
        let (_, snn) = try converted(.steps(5))
        var random = Random(71)
        let input = random.tensor([3, 2, 6, 6], in: 0...1)
        let parts = try eachStep(snn, input, count: 16)
        let simulation = try ReferenceSimulation(snn)
        _ = try simulation.run(
            [input], steps: 16,
            onStep: { done in
                let from = done > 5 ? 5 : 0
                let found = try simulation.outputs()[0].floats
                for index in found.indices {
                    let mean = parts[from..<done].reduce(0) { $0 + $1[index] } / Float(done - from)
                    #expect(abs(found[index] - mean) < 1e-4 * (1 + abs(mean)), "step \(done)")
                }
            })
    }

    @Test(arguments: [1, 5, 15, 40]) func `the engine's outputs are the reference's, as a whole, in every step and step by step`(delay: Int)
        throws
    {
        var (_, snn) = try converted(.steps(0), steps: 64)
        var description = try #require(snn.spiking)
        description.readoutDelay = delay
        snn = try snn.applying(Patch(), spiking: description)
        var random = Random(72)
        let input = random.tensor([3, 2, 6, 6], in: 0...1)
        for steps in [1, 5, 6, 16, 41, 70] {
            let reference = try ReferenceSimulation(snn)
            var expected: [[Float]] = []
            _ = try reference.run([input], steps: steps, onStep: { _ in expected.append(try reference.outputs()[0].floats) })
            let engine = try Simulation(snn)
            engine.recording = .stepOutputs
            let whole = try engine.run([input], steps: steps)[0].floats
            let each = try engine.stepOutputs().map { $0[0].floats }
            engine.reset()
            for step in 0..<steps {
                try engine.step([input], isSameInput: step > 0)
                #expect(isNear(try engine.outputs()[0].floats, expected[step]), "single step \(step + 1), delay \(delay)")
            }
            #expect(isNear(whole, expected[steps - 1]), "\(steps) steps, delay \(delay)")
            #expect(each.count == steps && zip(each, expected).allSatisfy { isNear($0, $1) }, "\(steps) steps, delay \(delay)")
        }
    }

    private func isNear(_ found: [Float], _ expected: [Float]) -> Bool {
        zip(found, expected).allSatisfy { abs($0 - $1) <= 1e-3 * (1 + abs($1)) }
    }

    @Test func `an estimated delay brings outputs nearer to the ANN's, on samples it was not estimated on`() throws {
        let (ann, plain) = try converted(.steps(0))
        let (_, delayed) = try converted(.estimated)
        // Membranes that start at 0 make the last layer silent at first.
        let delay = try #require(delayed.spiking?.readoutDelay)
        #expect((1...8).contains(delay))
        #expect(delayed.spiking?.facts["readoutDelay"]?.hasPrefix("\(delay) of 16 steps") == true)
        var random = Random(73)
        let input = random.tensor([64, 2, 6, 6], in: 0...1)
        let expected = try ReferenceExecutor(ann).run([input])[0].floats
        func error(_ snn: Graph) throws -> Float {
            zip(try ReferenceSimulation(snn).run([input], steps: 16)[0].floats, expected).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        }
        #expect(try error(delayed) < error(plain))
    }

    @Test func `a delay that leaves no step, or fits no schedule, is refused`() {
        for options in [
            ConversionOptions(recipe: "x", steps: 4, readoutDelay: .steps(4)),
            ConversionOptions(recipe: "x", steps: 4, readoutDelay: .steps(-1)),
            ConversionOptions(recipe: "x", steps: 4, neuron: .radix, schedule: .layerSynchronous, readoutDelay: .steps(1)),
            ConversionOptions(recipe: "x", steps: 4, schedule: .layerSynchronous, readoutDelay: .estimated),
        ] {
            #expect(throws: SpikeletError.self) { try options.validate() }
        }
    }
}
