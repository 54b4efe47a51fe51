import Foundation
import SpikeConversion
import SpikeData
import SpikeEvaluation
import SpikeSearch
import SpikeGraph
import Testing

@Suite("The search for a recipe")
struct RecipeSearchTests {
    /// What conversions were given: the samples' sums, by call.
    private final class Journal: @unchecked Sendable {
        private let lock = NSLock()
        private var calls: [(steps: Int, samples: [Float])] = []

        var all: [(steps: Int, samples: [Float])] { lock.withLock { calls } }

        func note(_ steps: Int, _ data: any BatchSource) throws {
            var samples: [Float] = []
            var pass = try data.makePass()
            while let batch = try pass.next() {
                for sample in 0..<batch.count { samples.append(batch.inputs[0].samples(sample..<sample + 1).floats.reduce(0, +)) }
            }
            lock.withLock { calls.append((steps, samples)) }
        }
    }

    /// The same without the time it took.
    private func timeless(_ result: RecipeSearchResult) -> RecipeSearchResult {
        var copy = result
        for index in copy.trials.indices { (copy.trials[index].seconds, copy.trials[index].simulationSeconds) = (0, 0) }
        return copy
    }

    @Test func `the cheapest network within the target is chosen, and converted on all data`() throws {
        let journal = Journal()
        let ladders = try RecipeLadder.usual.map { ladder in
            try RecipeLadder(recipe: ladder.recipe, steps: ladder.steps, expectedRate: ladder.expectedRate) { ann, steps, data in
                try journal.note(steps, data)
                return try ladder.convert(ann, steps, data)
            }
        }
        let ann = try Bundled.cnn()
        let (snn, result) = try RecipeSearch(targetDrop: 1.5, ladders: ladders)(ann, calibration: Bundled.training(700))
        let choice = try result.require()
        let network = try #require(snn)
        #expect(network.spiking?.recipe == choice.recipe)
        #expect(network.spiking?.steps == choice.steps)
        #expect(network.spiking?.facts["heldOutDrop"] != nil)
        #expect(choice.decision == .reached)
        #expect(choice.confidence >= RecipeSearch.usualConfidence)
        #expect(choice.drop <= 1.5)
        #expect(choice.drop95.lowerBound < choice.drop && choice.drop < choice.drop95.upperBound)
        #expect((result.fittedSamples, result.judgedSamples) == (350, 350))
        #expect(result.criterion == .accuracy)
        // Nothing that was tried and reached the target is cheaper.
        func cost(_ trial: RecipeSearchResult.Trial) -> Double { (trial.meanSteps ?? Double(trial.steps)) * trial.spikesPerNeuron }
        #expect(result.trials.allSatisfy { $0.decision != .reached || cost($0) >= cost(choice) })
        for trial in result.trials {
            #expect(trial.samples <= 350)
            #expect(abs(trial.drop - 100 * Double(trial.lost - trial.gained) / Double(trial.samples)) < 1e-9)
        }

        // All trials were fitted on the same half; only the last conversion, of the choice, saw everything.
        let calls = journal.all
        let last = try #require(calls.last)
        #expect(calls.count == result.trials.count + 1)
        #expect(last.steps == choice.steps)
        #expect(last.samples.count == 700)
        for call in calls.dropLast() { #expect(call.samples == calls[0].samples && call.samples.count == 350) }
        #expect(Set(calls[0].samples).isSubset(of: Set(last.samples)))
    }

    @Test func `results depend neither on threads nor on batches`() throws {
        let ann = try Bundled.cnn()
        let ladders = [RecipeLadder(.radix)]
        let one = try RecipeSearch(targetDrop: 2, ladders: ladders)(ann, calibration: Bundled.training(400)).result
        let two = try RecipeSearch(targetDrop: 2, ladders: ladders, threads: 2)(ann, calibration: Bundled.training(400)).result
        #expect(timeless(one) == timeless(two))
        // Other batches let a clear decision fall earlier or later, but the split, the choice and its numbers stay.
        let other = try RecipeSearch(targetDrop: 2, ladders: ladders)(ann, calibration: Bundled.training(400, batchSize: 200)).result
        #expect(other.choice?.steps == one.choice?.steps)
    }

    @Test func `data without labels are judged by agreement`() throws {
        let data = try Bundled.training(700) { _ in nil }
        let (snn, result) = try RecipeSearch(targetDrop: 3, ladders: [RecipeLadder(.radix)])(Bundled.cnn(), calibration: data)
        let choice = try result.require()
        #expect(snn != nil)
        #expect(result.criterion == .agreement)
        #expect(result.annAccuracy == nil)
        #expect(choice.accuracy == nil)
        #expect(choice.gained == 0)
        #expect(abs(choice.drop - 100 * (1 - (choice.agreement ?? 0))) < 1e-9)
        #expect(!result.description.contains("accuracy  "))
        // One batch without labels is enough to do without.
        var mixed = try Bundled.training(700) { $0 }
        mixed[3].labels = nil
        #expect(
            try RecipeSearch(targetDrop: 3, ladders: [RecipeLadder(.radix)])(Bundled.cnn(), calibration: mixed).result.criterion
                == .agreement)
    }

    @Test func `between two rungs fewer steps are looked for`() throws {
        // Without the correction of weights one digit is hopeless.
        let ladder = try RecipeLadder(recipe: "radix", steps: [1, 8]) { ann, steps, data in
            var options = Recipe.radix.options(steps)
            options.correctsWeights = false
            return try RecipeConverter(options, calibration: data)(ann)
        }
        let result = try RecipeSearch(targetDrop: 1.5, ladders: [ladder])(Bundled.cnn(), calibration: Bundled.training(700)).result
        #expect(result.trials.prefix(3).map(\.steps) == [1, 8, 4])
        #expect(result.trials.count == 4)
        let reached = result.trials.filter { $0.decision == .reached }.map(\.steps)
        #expect(result.choice?.steps == reached.min())
        #expect(result.trials[0].decision == .hopeless)
    }

    @Test func `what is kept small is as asked for`() throws {
        let (ann, data) = (try Bundled.cnn(), try Bundled.training(700))
        let ladders = [RecipeLadder(.radix), .init(.signed), .init(.latency), .init(.twoSpike)]
        func search(_ preference: RecipeSearch.Preference, _ ladders: [RecipeLadder]?) throws -> RecipeSearchResult {
            try RecipeSearch(targetDrop: 1.5, ladders: ladders, prefer: preference)(ann, calibration: data).result
        }
        let (steps, spikes) = (try search(.steps, ladders), try search(.spikes, ladders))
        let (fewest, least) = (try steps.require(), try spikes.require())
        func count(_ trial: RecipeSearchResult.Trial) -> Double { trial.meanSteps ?? Double(trial.steps) }
        #expect(count(fewest) <= count(least) && least.spikes <= fewest.spikes && fewest.recipe == "radix")
        for trial in steps.trials where trial.decision == .reached { #expect(count(trial) >= count(fewest)) }
        for trial in spikes.trials where trial.decision == .reached { #expect(trial.spikes >= least.spikes) }
        #expect(spikes.description.contains("spikes/sample") && spikes.preference == .spikes)
        let timed = try search(.time, [RecipeLadder(.radix)])
        #expect(try timed.require().simulationSeconds > 0 && timed.description.contains("ms/sample"))
        // Of spikes alone latency codes are searched, too.
        #expect(RecipeLadder.usual(.spikes).map(\.recipe).contains("latency") && !RecipeLadder.usual.map(\.recipe).contains("latency"))
    }

    @Test func `between neighbours digits by layer are looked for`() throws {
        let ann = try Bundled.cnn()
        // One digit everywhere is too few, two are enough.
        let (snn, result) = try RecipeSearch(targetDrop: 4, ladders: [RecipeLadder(.radix)])(ann, calibration: Bundled.training(700))
        let mixed = result.trials.filter { $0.meanSteps != nil }
        // Of three layers, as many as make whole digits.
        #expect(mixed.first?.meanSteps == 4.0 / 3 && mixed.allSatisfy { (1..<2).contains($0.meanSteps ?? 0) })
        let choice = try result.require()
        let network = try #require(snn)
        if let mean = choice.meanSteps {
            #expect(abs(Double(network.digits.reduce(0, +)) / Double(network.digits.count) - mean) < 1e-9)
            #expect(network.spiking?.steps == network.digits.max())
            #expect(result.description.contains("steps in the mean over layers"))
        }
        for trial in mixed { #expect(trial.steps >= Int((trial.meanSteps ?? 0).rounded(.up))) }
    }

    @Test func `networks of a fixed batch are searched like others`() throws {
        var random = SeededGenerator(812)
        let ann = try Graph(
            name: "fixed", inputs: [.init("x", ValueType(.float32, [8, 6]))], outputs: [.init("y", value: "l3")],
            nodes: [
                Node("l1", .gemm(Gemm()), inputs: ["x", "w1"]), Node("r1", .relu(Relu()), inputs: ["l1"]),
                Node("l2", .gemm(Gemm()), inputs: ["r1", "w2"]), Node("r2", .relu(Relu()), inputs: ["l2"]),
                Node("l3", .gemm(Gemm()), inputs: ["r2", "w3"]),
            ], constants: ["w1": random.tensor([6, 12]), "w2": random.tensor([12, 12]), "w3": random.tensor([12, 3])])
        let data = (0..<25).map { _ in Batch(random.tensor([8, 6])) }
        for ladder in [RecipeLadder(.radix), .init(.signed)] {
            let (snn, result) = try RecipeSearch(targetDrop: 20, ladders: [ladder])(ann, calibration: data)
            #expect(try result.require().samples > 0 && snn != nil)
        }
        // One batch to fit on does not tell where digits are needed.
        let few = try RecipeSearch(targetDrop: 45, ladders: [RecipeLadder(.radix)])(ann, calibration: Array(data.prefix(4)))
        #expect(few.result.choice != nil)
    }

    @Test func `a recipe that does not take the network is left out where others do`() throws {
        let refusing = try RecipeLadder(recipe: "refusing", steps: [1]) { _, _, _ in
            throw SpikeletError(.notConvertible, "nothing spikes in it:")
        }
        let (ann, data) = (try Bundled.cnn(), try Bundled.training(700))
        let result = try RecipeSearch(targetDrop: 1.5, ladders: [refusing, .init(.radix)])(ann, calibration: data).result
        #expect(result.warnings == ["the recipe refusing is left out: nothing spikes in it"])
        #expect(try result.require().recipe == "radix")
        #expect(throws: SpikeletError.self) { try RecipeSearch(targetDrop: 1.5, ladders: [refusing])(ann, calibration: data) }
    }

    @Test func `where nothing reaches the target, what came nearest is said`() throws {
        let usual = RecipeLadder(.radix)
        let ladder = try RecipeLadder(recipe: "radix", steps: [1, 2], convert: usual.convert)
        let (snn, result) = try RecipeSearch(targetDrop: 0.5, ladders: [ladder])(Bundled.cnn(), calibration: Bundled.training(700))
        #expect(snn == nil)
        #expect(result.choice == nil)
        #expect(result.trials.map(\.steps) == [1, 2])
        #expect(result.nearest?.steps == 2)
        #expect(result.description.contains("nothing reached the target"))
        let error = try #require(throws: SpikeletError.self) { try result.require() }
        #expect(error.code == .notConvertible)
        #expect(error.message.contains("nearest came radix with 2 steps"))
    }

    @Test func `too little data is said before any search, with the number that would do`() throws {
        let ann = try Bundled.cnn()
        let error = try #require(throws: SpikeletError.self) {
            try RecipeSearch(targetDrop: 0.5)(ann, calibration: Bundled.training(300))
        }
        #expect(error.code == .invalidData)
        let enough = try #require(PairedDrop.fewestSamples(.accuracy, target: 0.5, confidence: RecipeSearch.usualConfidence))
        #expect(error.remedy?.contains("\(2 * enough) samples") == true)
        for data in [[], try Bundled.training(1) { $0 }] {
            #expect(throws: SpikeletError.self) { try RecipeSearch(targetDrop: 50)(ann, calibration: data) }
        }
    }

    @Test func `a network that knows nothing is suspected`() throws {
        let data = try Bundled.training(400) { $0.map { ($0 + 1) % 10 } }
        let result = try RecipeSearch(targetDrop: 3, ladders: [RecipeLadder(.radix)])(Bundled.cnn(), calibration: data).result
        #expect(result.warnings.count == 1)
        #expect(result.description.contains("warning:"))
    }

    @Test func `the result's table fits the terminal, and its JSON can be read back`() throws {
        let result = try RecipeSearch(targetDrop: 3, ladders: RecipeLadder.usual)(Bundled.cnn(), calibration: Bundled.training(400)).result
        #expect(try JSONDecoder().decode(RecipeSearchResult.self, from: JSONEncoder().encode(result)) == result)
        let table = result.description.split(separator: "\n").filter { !$0.hasPrefix("chosen:") }
        #expect(table.allSatisfy { $0.count <= 100 })
    }

    @Test func `numbers outside their ranges are refused`() throws {
        for target in [0, -1, 100, .nan, .infinity] {
            #expect(throws: SpikeletError.self) { try RecipeSearch(targetDrop: target) }
        }
        #expect(throws: SpikeletError.self) { try RecipeSearch(targetDrop: 1, ladders: []) }
        #expect(throws: SpikeletError.self) { try RecipeSearch(targetDrop: 1, requiredConfidence: 1) }
        #expect(throws: SpikeletError.self) { try RecipeSearch(targetDrop: 1, threads: 0) }
        for steps in [[], [0], [4, 4], [8, 4]] {
            #expect(throws: SpikeletError.self) { try RecipeLadder(recipe: "x", steps: steps) { ann, _, _ in ann } }
        }
    }
}

@Suite("Drops on paired samples")
struct PairedDropTests {
    @Test(arguments: [(0.03, 0.02, 400), (0.004, 0.002, 1000), (0.05, 0.0, 200)])
    func `the 95 % interval holds the true drop about so often`(lost: Double, gained: Double, samples: Int) {
        var random = SplitMix64(seed: 7)
        let held = (0..<1000).count { _ in
            var drop = PairedDrop(criterion: .accuracy, samples: samples)
            for _ in 0..<samples {
                let draw = Double.random(in: 0..<1, using: &random)
                if draw < lost { drop.lost += 1 } else if draw < lost + gained { drop.gained += 1 }
            }
            return drop.interval95.lowerBound <= 100 * (lost - gained) && 100 * (lost - gained) <= drop.interval95.upperBound
        }
        #expect((925...1000).contains(held))
    }

    @Test func `confidence and interval are of one mind`() {
        for criterion in [PairedDrop.Criterion.accuracy, .agreement] {
            let drop = PairedDrop(criterion: criterion, samples: 500, lost: 9, gained: criterion == .accuracy ? 4 : 0)
            #expect(abs(drop.confidence(within: drop.interval95.upperBound) - 0.975) < 1e-6)
            #expect(drop.confidence(within: drop.points + 0.5) > drop.confidence(within: drop.points))
            let more = PairedDrop(criterion: criterion, samples: 5000, lost: 90, gained: criterion == .accuracy ? 40 : 0)
            #expect(more.confidence(within: drop.points + 0.5) > drop.confidence(within: drop.points + 0.5))
        }
    }

    @Test func `the fewest samples are the fewest`() throws {
        for criterion in [PairedDrop.Criterion.accuracy, .agreement] {
            let fewest = try #require(PairedDrop.fewestSamples(criterion, target: 0.5, confidence: 0.8))
            #expect(PairedDrop(criterion: criterion, samples: fewest).confidence(within: 0.5) >= 0.8)
            #expect(PairedDrop(criterion: criterion, samples: fewest - 1).confidence(within: 0.5) < 0.8)
        }
        #expect(PairedDrop(criterion: .accuracy).confidence(within: 5) == 0)
        #expect(PairedDrop(criterion: .accuracy).interval95 == -100...100)
    }
}
