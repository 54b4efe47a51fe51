import Foundation
import SpikeConversion
import SpikeEvaluation
import SpikeGraph
import SpikeReference
import SpikeRuntime
import Testing

/// Networks of one layer of neurons (θ = 1, the input is their current), whose spikes are read by `head`.
enum Heads {
    /// - Parameter shape: of a sample.
    static func network(_ shape: [Int], spiking: Bool, head: [Node], constants: [String: Tensor] = [:]) throws -> Graph {
        let neurons: Operator = spiking ? .neuron(NeuronNode(IFNode())) : .relu(Relu())
        return try Graph(
            name: spiking ? "snn" : "ann", inputs: [.init("x", ValueType(.float32, Shape([.batch] + shape.map { Dimension($0) })))],
            outputs: [.init("y", value: head.last?.outputs[0] ?? "neurons")],
            nodes: [Node("neurons", neurons, inputs: ["x"])] + head, constants: constants,
            spiking: spiking ? SpikingDescription(recipe: "by hand") : nil)
    }

    /// [N, 2] → [N, 1]: the first minus the second.
    static func score(spiking: Bool, sigmoid: Bool = false) throws -> Graph {
        let difference = Node("difference", .gemm(Gemm()), inputs: ["neurons", "w"])
        return try network(
            [2], spiking: spiking, head: [difference] + (sigmoid ? [Node("sigmoid", .sigmoid(Sigmoid()), inputs: ["difference"])] : []),
            constants: ["w": tensor([1, -1], [2, 1])])
    }

    /// [N, 2, 1, 3] → the same.
    static func places(spiking: Bool) throws -> Graph {
        try network([2, 1, 3], spiking: spiking, head: [Node("same", .identity(Identity()), inputs: ["neurons"])])
    }
}

@Suite("What an output says")
struct OutputTaskTests {
    private func graph(_ shape: [Int], sigmoid: Bool = false) throws -> Graph {
        let head = sigmoid ? [Node("sigmoid", .sigmoid(Sigmoid()), inputs: ["neurons"])] : []
        return try Heads.network(shape, spiking: true, head: head)
    }

    private func classes(_ shape: [Int]) -> Tensor { Tensor([Int64](repeating: 0, count: shape.reduce(1, *)), shape: shape) }

    @Test func `it is decided by the output's shape, a sigmoid, and what the data have`() throws {
        func task(_ shape: [Int], sigmoid: Bool = false, labels: Bool = false, targets: Tensor? = nil) throws -> (OutputTask.Kind, Int) {
            let task = try OutputTask(of: graph(shape, sigmoid: sigmoid), hasLabels: labels, targets: targets)
            return (task.kind, task.places)
        }
        for (found, wanted) in try [
            (task([10]), (.classes(10), 1)), (task([10], labels: true), (.classes(10), 1)), (task([3, 1, 1]), (.classes(3), 1)),
            (task([1]), (.values, 1)), (task([]), (.values, 1)), (task([1, 4, 4]), (.values, 1)),
            (task([1], labels: true), (.score(threshold: 0), 1)), (task([], labels: true), (.score(threshold: 0), 1)),
            (task([1], sigmoid: true), (.score(threshold: 0.5), 1)),
            (task([1], sigmoid: true, labels: true), (.score(threshold: 0.5), 1)),
            (task([1, 4, 4], sigmoid: true), (.score(threshold: 0.5), 16)),
            (task([3, 4, 4]), (.classes(3), 16)), (task([3, 5]), (.classes(3), 5)),
            (task([3, 4, 4], targets: classes([2, 4, 4])), (.classes(3), 16)),
            (task([3, 4, 4], targets: classes([2, 1, 4, 4])), (.classes(3), 16)),
            (task([1, 4, 4], targets: classes([2, 4, 4])), (.score(threshold: 0), 16)),
            (task([4], targets: classes([2, 4])), (.score(threshold: 0), 4)),
            (task([3], targets: tensor([0, 0, 0, 0, 0, 0], [2, 3])), (.values, 1)),
            (task([1], sigmoid: true, targets: tensor([0, 0], [2, 1])), (.values, 1)),
        ] as [((OutputTask.Kind, Int), (OutputTask.Kind, Int))] {
            #expect(found.0 == wanted.0 && found.1 == wanted.1, "\(found) instead of \(wanted)")
        }
        #expect(try OutputTask(of: graph([1], sigmoid: true)).description.contains("above ½, else class 0: the network ends in a sigmoid"))
        expectError("[2, 5]", "[N, …]") { _ = try OutputTask(of: graph([3, 4, 4]), targets: classes([2, 5])) }
        expectError("targets of shape [2]", "astype") { _ = try OutputTask(of: graph([3]), targets: tensor([0.5, 1], [2])) }
    }

    @Test func `classes lie along the axis of the softmax, of tokens along the last, and where the classes of places say so`() throws {
        func task(_ shape: [Int], _ head: [Node], targets: Tensor? = nil) throws -> OutputTask {
            let weights = tensor([0, 1, -1, 2, 0, 1], [2, 3])
            return try OutputTask(
                of: Heads.network(shape, spiking: true, head: head, constants: ["w": weights, "b": tensor([0, 0, 0], [3])]),
                targets: targets)
        }
        func softmax(_ axis: Int, _ input: String = "neurons") -> Node { Node("soft", .softmax(Softmax(axis: axis)), inputs: [input]) }
        func log(_ axis: Int) -> Node { Node("soft", .logSoftmax(LogSoftmax(axis: axis)), inputs: ["neurons"]) }
        let tokens = [Node("m", .matMul(MatMul()), inputs: ["neurons", "w"]), Node("s", .add(Add()), inputs: ["m", "b"])]
        for (found, axis, count) in try [
            (task([4, 5], [softmax(-1)]), 2, 5), (task([4, 5], [softmax(2)]), 2, 5), (task([4, 5], [softmax(1)]), 1, 4),
            (task([4, 5], [log(-1)]), 2, 5), (task([4, 5, 2], [softmax(1)]), 1, 4), (task([4, 5, 2], [softmax(2)]), 2, 5),
            (task([4, 3], [Node("n", .layerNormalization(LayerNormalization()), inputs: ["neurons", "b"])]), 2, 3),
            (task([4, 2], tokens), 2, 3), (task([4, 2], tokens + [softmax(1, "s")]), 1, 4), (task([5], [softmax(-1)]), 1, 5),
            (task([4, 5], [], targets: classes([2, 4])), 2, 5), (task([4, 5], [], targets: classes([2, 5])), 1, 4),
            (task([4, 5], [softmax(-1)], targets: classes([2, 5])), 1, 4), (task([4, 4], [softmax(-1)], targets: classes([2, 4])), 2, 4),
        ] {
            #expect(found.axis == axis && found.kind == .classes(count), "\(found)")
            #expect(found.places == 1 || found.description.hasSuffix("along axis \(axis)"))
        }
        let values = Tensor((0..<24).map { Float(($0 * 7) % 24) }, shape: [1, 2, 3, 4])
        let graph = try Heads.network([2, 3, 4], spiking: true, head: [softmax(2)])
        let task = try OutputTask(of: graph)
        // 0 7 14 21 | 4 11 18 1 | 8 15 22 5, then 12 19 2 9 | 16 23 6 13 | 20 3 10 17.
        #expect(try task.predictions(values, of: graph) == [2, 2, 2, 0, 2, 1, 2, 2])
        #expect(try task.asked(of: graph) == task)
        #expect(throws: SpikeletError.self) { _ = try task.asked(of: Heads.network([3, 2, 4], spiking: true, head: [softmax(2)])) }
    }

    @Test func `one score's threshold is that of the function which it ends in`() throws {
        func kind(_ functions: [Operator]) throws -> OutputTask.Kind {
            let names = ["neurons"] + functions.indices.map { "f\($0)" }
            let head = functions.enumerated().map { Node(names[$0 + 1], $1, inputs: [names[$0]]) }
            return try OutputTask(of: Heads.network([1], spiking: true, head: head), hasLabels: true).kind
        }
        func unary(_ function: Unary.Function) -> Operator { .unary(Unary(function)) }
        func clip(_ least: Float?, _ largest: Float?) -> Operator { .clip(Clip(minimum: least, maximum: largest)) }
        let sigmoid = Operator.sigmoid(Sigmoid())
        for (functions, threshold) in [
            ([.unary(Unary(.hardSigmoid, parameters: [0.2, 0.5]))], 0.5), ([unary(.tanh)], 0), ([sigmoid, clip(1e-7, 1 - 1e-7)], 0.5),
            ([sigmoid, clip(0.5, 0.75)], 0.5),
            ([unary(.tanh), clip(-0.9, 0.9)], 0), ([clip(-3, 3)], 0), ([clip(-3, 3), sigmoid], 0.5), ([clip(0, 0.25)], 0),
        ] as [([Operator], Float)] {
            #expect(try kind(functions) == .score(threshold: threshold), "\(functions)")
        }
        // Nobody knows what these mean, or the bounds make both classes the same.
        for functions in [[unary(.exp)], [sigmoid, clip(0.6, 1)], [sigmoid, clip(0, 0.5)], [unary(.tanh), clip(0.1, 1)], [clip(1, 5)]] {
            expectError("one score") { _ = try kind(functions) }
        }
    }

    @Test func `of several outputs the first is judged, and that is said`() throws {
        var one = try Heads.score(spiking: true)
        one = try Graph(
            name: "two", inputs: one.inputs, outputs: [one.outputs[0], .init("spikes", value: "neurons")], nodes: one.nodes,
            constants: one.constants, spiking: one.spiking)
        #expect(try OutputTask(of: one, hasLabels: true).description.contains("of 2 outputs the first, 'y', alone"))
    }

    @Test func `one score is judged by its threshold`() throws {
        // In 4 steps (¾, ¼) gives 3 spikes and 1: ½. (¼, ½): 1 and 2, −¼. (½, ½): 0, which is no class 1. (1, ¾): ¼, and so on.
        let inputs = tensor([0.75, 0.25, 0.25, 0.5, 0.5, 0.5, 1, 0.75], [4, 2])
        for sigmoid in [false, true] {
            let (snn, ann) = (try Heads.score(spiking: true, sigmoid: sigmoid), try Heads.score(spiking: false, sigmoid: sigmoid))
            let task = try OutputTask(of: snn, hasLabels: true)
            let data = [Batch(inputs, labels: [1, 0, 1, 0])]
            let result = try Evaluator(snn, ann: ann, task: task, steps: [1, 4]).run(data)
            #expect(result.steps[1].accuracy == 0.5 && result.ann?.accuracy == 0.5 && result.steps[1].agreement == 1)
            // After 1 step there is a spike of the fourth sample's first neuron alone: answers 0, 0, 0, 1.
            #expect(result.steps[0].accuracy == 0.25 && result.steps[0].agreement == 0.75)
            #expect(result.confusion == [[1, 1], [1, 1]])
            #expect(result.judgedBy == task.description && "\(result)".contains("judged by: one score"))
            for label in [2, -1] {
                expectError("label \(label)", "classes 0…1", "targets") {
                    _ = try Evaluator(snn, task: task, steps: [1]).run([Batch(inputs, labels: [0, 1, label, 0])])
                }
            }
        }
        // Beside values in a comparison each has its own measure.
        let (scores, numbers) = (try Heads.score(spiking: true, sigmoid: true), try Heads.score(spiking: true))
        let comparison = try Comparison([
            Evaluator(scores, steps: [1, 4]).run([Batch(inputs, labels: [1, 0, 1, 0])]),
            Evaluator(numbers, steps: [1, 4]).run([Batch(inputs, targets: tensor([0.5, 0, 0, 0.25], [4, 1]))]),
        ])
        // The values after 4 steps are ½, −¼, 0 and ¼: one is off by ¼, a root mean square of ⅛.
        for part in ["result over steps", "50.00 %", "0.125", "judged by: one score", "judged by: values", "different measures"] {
            #expect(comparison.description.contains(part), "\(part)")
        }
        // Without labels and a sigmoid it is values, which labels do not fit.
        let snn = try Heads.score(spiking: true)
        expectError("judged by its values", "hasLabels") { _ = try Evaluator(snn, steps: [1]).run([Batch(inputs, labels: [1, 0, 1, 0])]) }
    }

    @Test func `segmentation is judged by place, and its interval by sample`() throws {
        let (snn, ann) = (try Heads.places(spiking: true), try Heads.places(spiking: false))
        // Two samples of three places, two scores each: ANN answers 0 1 0 and 1 1 0 (of equal scores the first).
        let inputs = tensor([1, 0.25, 0.5, 0, 0.5, 0.5, 0, 0.25, 1, 0.5, 0.75, 1], [2, 2, 1, 3])
        let classes = Tensor([Int64(0), 1, 1, 1, 1, 1], shape: [2, 1, 3])
        let task = try OutputTask(of: snn, targets: classes)
        let result = try Evaluator(snn, ann: ann, task: task, steps: [1, 4]).run([Batch(inputs, targets: classes)])
        #expect(result.ann?.accuracy == 4.0 / 6)
        // After 4 steps spikes are 4 1 2 / 0 2 2 and 0 1 4 / 2 3 4: the same answers.
        #expect(result.steps[1].accuracy == 4.0 / 6 && result.steps[1].agreement == 1)
        // After 1 step 1 0 0 / 0 0 0 and 0 0 1 / 0 0 1: answers 0 0 0 and 0 0 0.
        #expect(result.steps[0].accuracy == 1.0 / 6 && result.steps[0].agreement == 3.0 / 6)
        #expect(result.confusion == [[1, 0], [2, 3]])
        #expect(result.curve?.accuracy?.count == 4 && result.curve?.accuracy?.last == 4.0 / 6)
        // Shares ⅔ and ⅔ do not differ: the interval is that of six independent places.
        #expect(result.steps[1].confidence95 == wilsonInterval(successes: 4, trials: 6))
        // ⅓ and 0: as means of two samples they are less sure than six places would be.
        let (mean, spread) = (1.0 / 6, 1.959963984540054 * (2.0 / 36 / 2).squareRoot())
        #expect(
            abs(result.steps[0].confidence95.upperBound - max(mean + spread, wilsonInterval(successes: 1, trials: 6).upperBound)) < 1e-12)
        // How batches are cut does not matter.
        var cut = try Evaluator(snn, ann: ann, task: task, steps: [1, 4], threads: 2).run(
            (0..<2).map { Batch(inputs.samples($0..<$0 + 1), targets: classes.samples($0..<$0 + 1)) })
        (cut.seconds, cut.timing) = (result.seconds, result.timing)
        #expect(cut == result)
        let others = Tensor([Int64(0), 1, 2, 0, 0, 0], shape: [2, 1, 3])
        expectError("label 2", "classes 0…1") { _ = try Evaluator(snn, task: task, steps: [1]).run([Batch(inputs, targets: others)]) }
        expectError("2 labels for 2 samples of 3 places") { _ = try Evaluator(snn, steps: [1]).run([Batch(inputs, labels: [0, 1])]) }
        expectError("early exits", "at each of 3 places") { _ = try Evaluator(snn, steps: [1], earlyExit: .confidence(0.9)) }
        #expect(throws: SpikeletError.self) { try Simulation(snn).run([inputs], steps: 4, exitConfidence: 0.9) }
    }

    @Test func `one score stops early when it is sure, not at once`() throws {
        let inputs = tensor([1, 0, 0, 1, 0.5, 0.5], [3, 2])
        for sigmoid in [false, true] {
            let snn = try Heads.score(spiking: true, sigmoid: sigmoid)
            // The score after t of 8 steps is t / 8, −t / 8 and 0: the logistic function of 5⁄8 is 0.651, of 6⁄8 0.679.
            let simulation = try Simulation(snn)
            simulation.recording = .stepOutputs
            _ = try simulation.run([inputs], steps: 8, exitConfidence: 0.66)
            #expect(simulation.stepsUsed == [6, 6, 8])
            let task = try OutputTask(of: snn, hasLabels: true)
            let result = try Evaluator(snn, task: task, steps: [8], earlyExit: .confidence(0.66)).run([Batch(inputs, labels: [1, 0, 0])])
            #expect(result.earlyExit?.averageSteps == 20.0 / 3 && result.earlyExit?.accuracy == 1)
        }
        expectError("early exits", "values") {
            _ = try Evaluator(Heads.score(spiking: true), steps: [8], earlyExit: .confidence(0.66))
        }
    }

    @Test func `R² has a mean for each output, and none of targets that do not vary`() throws {
        let snn = try Heads.network([2], spiking: true, head: [Node("same", .identity(Identity()), inputs: ["neurons"])])
        // Two outputs of another level each: 4 steps give (¼, 0), (½, 0), (¾, 0), (1, 0).
        let inputs = tensor([0.25, 0, 0.5, 0, 0.75, 0, 1, 0], [4, 2])
        let targets = tensor([0.25, 100, 0.5, 101, 0.75, 100, 0.75, 101], [4, 2])
        let result = try Evaluator(snn, task: .values, steps: [4]).run([Batch(inputs, targets: targets)])
        // Squares of the errors: 1⁄16 and 2 · 100² + 2 · 101²; about the means ⁹⁄₁₆ and 100½: 11⁄64 and 1.
        let errors: Double = 1.0 / 16 + 2 * 10000 + 2 * 10201
        let expected: Double = 1 - errors / (11.0 / 64 + 1)
        #expect(abs((result.steps[0].error?.determination ?? 0) / expected - 1) < 1e-9)
        let constant = try Evaluator(snn, task: .values, steps: [4]).run([
            Batch(inputs, targets: tensor([Float](repeating: 0.1, count: 8), [4, 2]))
        ])
        #expect(constant.steps[0].error != nil && constant.steps[0].error?.determination == nil)
        #expect(constant.warnings.contains { $0.contains("R² is not defined") })
        // Axes in another order are as many numbers.
        let wide = try Heads.network([2, 3], spiking: true, head: [Node("same", .identity(Identity()), inputs: ["neurons"])])
        expectError("[1, 2, 3]", "[1, 3, 2]") {
            _ = try Evaluator(wide, task: .values, steps: [4]).run([
                Batch(tensor([0, 1, 0, 1, 0, 1], [1, 2, 3]), targets: tensor([0, 1, 0, 1, 0, 1], [1, 3, 2]))
            ])
        }
    }
}
