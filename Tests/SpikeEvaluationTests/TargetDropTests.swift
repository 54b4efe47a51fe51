import Foundation
import SpikeConversion
import SpikeData
import SpikeEvaluation
import SpikeSearch
import SpikeGraph
import SpikeReference
import SpikeRuntime
import Testing

/// Searches for networks that are no rows of class scores.
@Suite("The search by what an output says")
struct TargetDropTests {
    /// 6 → 24 ReLUs → `outputs` numbers, random weights; with a sigmoid behind or without.
    private static func ann(outputs: Int = 1, sigmoid: Bool = false, seed: UInt64 = 3) throws -> Graph {
        var generator = SeededGenerator(seed)
        var nodes = [
            Node("first", .gemm(Gemm()), inputs: ["x", "w1", "b1"]), Node("relu", .relu(Relu()), inputs: ["first"]),
            Node("last", .gemm(Gemm()), inputs: ["relu", "w2"]),
        ]
        if sigmoid { nodes.append(Node("sigmoid", .sigmoid(Sigmoid()), inputs: ["last"])) }
        return try Graph(
            name: "small", inputs: [.init("x", ValueType(.float32, [.batch, 6]))],
            outputs: [.init("y", value: sigmoid ? "sigmoid" : "last")], nodes: nodes,
            constants: ["w1": generator.tensor([6, 24]), "b1": generator.tensor([24]), "w2": generator.tensor([24, outputs])])
    }

    private static func inputs(_ count: Int) -> Tensor {
        var generator = SeededGenerator(11)
        return generator.tensor([count, 6])
    }

    private static let radix = RecipeLadder(.radix)

    private func search(_ ann: Graph, _ data: [Batch], target: Double, ladders: [RecipeLadder] = [radix]) throws -> (
        snn: Graph, result: RecipeSearchResult
    ) {
        let (snn, result) = try RecipeSearch(targetDrop: target, ladders: ladders)(ann, calibration: data)
        let choice = try result.require()
        #expect(choice.drop <= target && choice.confidence >= RecipeSearch.usualConfidence)
        return (try #require(snn), result)
    }

    /// What both networks give, on all samples.
    private func outputs(_ ann: Graph, _ snn: Graph, _ inputs: Tensor) throws -> (ann: [Double], snn: [Double]) {
        (
            try ReferenceExecutor(ann).run([inputs])[0].floats.map(Double.init),
            try Simulation(snn).run([inputs], steps: snn.spiking?.steps ?? 1)[0].floats.map(Double.init)
        )
    }

    @Test func `a regression with targets loses no more of R² than it may`() throws {
        let (ann, inputs) = (try Self.ann(), Self.inputs(600))
        var generator = SeededGenerator(5)
        let own = try ReferenceExecutor(ann).run([inputs])[0].floats
        let targets = own.map { $0 + Float.random(in: -0.3...0.3, using: &generator) }
        let data = batches(inputs, nil, size: 100).enumerated().map { index, batch in
            Batch(batch.inputs[0], targets: tensor(Array(targets[index * 100..<(index + 1) * 100]), [100, 1]))
        }
        let (snn, result) = try search(ann, data, target: 0.5)
        #expect(result.criterion == .determination && result.judgedBy?.contains("the data have targets") == true)
        // R² of both, by hand, on all samples.
        let found = try outputs(ann, snn, inputs)
        let mean = targets.reduce(0.0) { $0 + Double($1) } / 600
        let total = targets.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
        func determination(_ values: [Double]) -> Double {
            1 - zip(values, targets).reduce(0) { $0 + ($1.0 - Double($1.1)) * ($1.0 - Double($1.1)) } / total
        }
        let drop = 100 * (determination(found.ann) - determination(found.snn))
        #expect(drop < 0.75, "\(drop) points")
        #expect(abs((result.annDetermination ?? 0) - determination(found.ann)) < 0.03)
        // With too few steps R² falls by much more: such networks were tried and not taken.
        #expect(result.trials.first?.decision != .reached && (result.trials.first?.drop ?? 0) > 0.5)
        #expect(result.description.contains("points of R²"))
        #expect(result.description.split(separator: "\n").allSatisfy { $0.hasPrefix("chosen:") || $0.count <= 100 })
        #expect(try JSONDecoder().decode(RecipeSearchResult.self, from: JSONEncoder().encode(result)) == result)
        #expect(snn.spiking?.facts["heldOutDrop"]?.contains("points of R²") == true)
        // Results depend neither on threads nor on the batches.
        let whole = [Batch(inputs, targets: tensor(targets, [600, 1]))]
        let other = try RecipeSearch(targetDrop: 0.5, ladders: [Self.radix], threads: 2)(ann, calibration: whole).result
        #expect(other.choice?.steps == result.choice?.steps && other.annDetermination == result.annDetermination)
    }

    @Test func `without targets values stay near the ANN's, each output about its own mean`() throws {
        for outputs in [1, 3] {
            let (ann, inputs) = (try Self.ann(outputs: outputs), Self.inputs(400))
            // Three outputs without targets are classes; by their values they are judged where the first batch says so.
            guard outputs == 1 else {
                #expect(try search(ann, batches(inputs, nil, size: 100), target: 5).result.criterion == .agreement)
                continue
            }
            let (snn, result) = try search(ann, batches(inputs, nil, size: 100), target: 5)
            #expect(result.criterion == .deviation && result.judgedBy?.contains("no class") == true)
            let found = try self.outputs(ann, snn, inputs)
            let mean = found.ann.reduce(0, +) / 400
            let variance = found.ann.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 400
            let square = zip(found.ann, found.snn).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / 400
            let distance = 100 * (square / variance).squareRoot()
            #expect(distance < 6, "\(distance) %")
            #expect(abs(distance - (result.choice?.drop ?? 0)) < 1.5)
            #expect(result.trials.first?.decision != .reached && (result.trials.first?.drop ?? 0) > 5)
            #expect(result.description.contains("% of the deviation"))
        }
    }

    @Test func `one score is judged by its class`() throws {
        let inputs = Self.inputs(900)
        for sigmoid in [false, true] {
            let ann = try Self.ann(sigmoid: sigmoid)
            let threshold: Float = sigmoid ? 0.5 : 0
            let labels = try ReferenceExecutor(ann).run([inputs])[0].floats.map { $0 > threshold ? 1 : 0 }
            // A few labels are wrong, so that the ANN is not perfect.
            let noisy = labels.enumerated().map { $0.offset % 10 == 0 ? 1 - $0.element : $0.element }
            let (snn, result) = try search(ann, batches(inputs, noisy, size: 100), target: 2)
            #expect(result.criterion == .accuracy && abs((result.annAccuracy ?? 0) - 0.9) < 0.03 && result.warnings.isEmpty)
            let found = try outputs(ann, snn, inputs).snn.map { $0 > Double(threshold) ? 1 : 0 }
            let share = Double(zip(found, labels).count { $0 == $1 }) / 900
            #expect(share > 0.96 && abs(share - (result.choice?.agreement ?? 0)) < 0.03)
            #expect(result.trials.first?.decision != .reached)
            if sigmoid {
                let unlabelled = try search(ann, batches(inputs, nil, size: 100), target: 3).result
                #expect(unlabelled.criterion == .agreement && unlabelled.judgedBy?.contains("ends in a sigmoid") == true)
            }
        }
    }

    @Test func `segmentation is judged by place`() throws {
        var generator = SeededGenerator(9)
        let window = Window(kernel: [3, 3], padsBegin: [1, 1], padsEnd: [1, 1])
        let ann = try Graph(
            name: "places", inputs: [.init("x", ValueType(.float32, [.batch, 1, 6, 6]))], outputs: [.init("y", value: "conv2")],
            nodes: [
                Node("conv1", .conv(Conv(window: window)), inputs: ["x", "w1"]), Node("relu", .relu(Relu()), inputs: ["conv1"]),
                Node("conv2", .conv(Conv(window: window)), inputs: ["relu", "w2"]),
            ], constants: ["w1": generator.tensor([8, 1, 3, 3]), "w2": generator.tensor([3, 8, 3, 3])])
        let inputs = generator.tensor([200, 1, 6, 6], in: 0...1)
        let output = try ReferenceExecutor(ann).run([inputs])[0].floats
        func answers(_ values: [Float]) -> [Int64] {
            (0..<200 * 36).map { place in
                let scores = (0..<3).map { values[place / 36 * 108 + $0 * 36 + place % 36] }
                return scores[0] >= max(scores[1], scores[2]) ? 0 : scores[1] >= scores[2] ? 1 : 2
            }
        }
        let classes = answers(output)
        for hasClasses in [true, false] {
            let targets = hasClasses ? Tensor(classes, shape: [200, 6, 6]) : nil
            let (snn, result) = try search(ann, [Batch(inputs, targets: targets)], target: 1)
            #expect(result.criterion == (hasClasses ? .accuracy : .agreement))
            #expect(result.judgedBy == "at each of 36 places the largest of 3 class scores, along axis 1")
            let own = answers(try Simulation(snn).run([inputs], steps: snn.spiking?.steps ?? 1)[0].floats)
            let lost = 100 * Double(zip(own, classes).count { $0 != $1 }) / Double(200 * 36)
            #expect(lost < 1.5 && abs(lost - (result.choice?.drop ?? 0)) < 0.5)
            #expect(result.trials.first?.decision != .reached)
        }
    }

    @Test func `what cannot be judged is said`() throws {
        let (ann, inputs) = (try Self.ann(), Self.inputs(200))
        func search(_ batch: Batch) throws { _ = try RecipeSearch(targetDrop: 1, ladders: [Self.radix])(ann, calibration: [batch]) }
        expectError("the targets are the same for all") {
            try search(Batch(inputs, targets: tensor([Float](repeating: 2, count: 200), [200, 1])))
        }
        expectError("targets of shape [200, 2]") {
            try search(Batch(inputs, targets: tensor([Float](repeating: 2, count: 400), [200, 2])))
        }
        expectError("label 2", "targets") { try search(Batch(inputs, labels: (0..<200).map { $0 % 3 })) }
        expectError("100 of 200 samples have targets") {
            _ = try RecipeSearch(targetDrop: 1, ladders: [Self.radix])(
                ann,
                calibration: [
                    Batch(inputs.samples(0..<100), targets: inputs.samples(0..<100).firstColumn), Batch(inputs.samples(100..<200)),
                ])
        }
        expectError("too little data") {
            _ = try RecipeSearch(targetDrop: 1, ladders: [Self.radix])(ann, calibration: [Batch(inputs.samples(0..<40))])
        }
    }
}

extension Tensor {
    /// [N, C] → [N, 1].
    fileprivate var firstColumn: Tensor {
        Tensor((0..<shape[0]).map { floats[$0 * shape[1]] }, shape: [shape[0], 1])
    }
}

@Suite("Drops of values and places")
struct PairedValueTests {
    @Test func `a drop of places is not surer than its samples allow`() {
        // 100 samples of 100 places each: 2 % of all places, evenly, and in two samples alone.
        func drop(_ lost: [Int], _ criterion: PairedDrop.Criterion) -> PairedDrop {
            var drop = PairedDrop(criterion: criterion, places: 100)
            for lost in lost { drop.add(lost: lost, gained: 0) }
            return drop
        }
        for criterion in [PairedDrop.Criterion.accuracy, .agreement] {
            let even = drop([Int](repeating: 2, count: 100), criterion)
            let uneven = drop([100, 100] + [Int](repeating: 0, count: 98), criterion)
            #expect(even.points == 2 && uneven.points == 2)
            #expect(even.interval95.lowerBound > 1.7 && even.interval95.upperBound < 2.4)
            // √(0.02 · 0.98 / 99), the standard error of a mean of 100 shares that are 1 in two cases.
            let error = 100 * (0.02 * 0.98 / 99).squareRoot()
            let centre = criterion == .accuracy ? 100 * 200.0 / 10002 : 2
            #expect(abs(uneven.interval95.upperBound - (centre + 1.959963984540054 * error)) < 1e-9)
            #expect(even.confidence(within: 2.5) > 0.99 && uneven.confidence(within: 2.5) < 0.7)
        }
    }

    @Test func `drops of values are means of samples, paired`() {
        var drop = PairedDrop(criterion: .determination)
        for loss in [0.01, -0.01, 0.03, 0.01] { drop.add(loss) }
        // Mean 0.01; the deviations 0, −0.02, 0.02, 0: variance 0.0008 / 3, error √(that / 4).
        let error = (0.0008 / 3 / 4).squareRoot()
        #expect(abs(drop.points - 1) < 1e-9)
        #expect(abs(drop.interval95.upperBound - 100 * (0.01 + 1.959963984540054 * error)) < 1e-9)
        #expect(abs(drop.confidence(within: drop.interval95.upperBound) - 0.975) < 1e-6)
        var distance = PairedDrop(criterion: .deviation)
        for square in [0.0001, 0.0003, 0.0002, 0.0004] { distance.add(square) }
        #expect(abs(distance.points - 100 * 0.00025.squareRoot()) < 1e-9)
        #expect(abs(distance.confidence(within: distance.interval95.upperBound) - 0.975) < 1e-6)
        #expect(distance.confidence(within: 1.7) > distance.confidence(within: 1.6))
        for criterion in [PairedDrop.Criterion.determination, .deviation] {
            #expect(PairedDrop.fewestSamples(criterion, target: 1, confidence: 0.8) == 30)
            #expect(PairedDrop(criterion: criterion).confidence(within: 5) == 0)
        }
    }
}
