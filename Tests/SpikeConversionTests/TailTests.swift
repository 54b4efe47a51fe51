import Foundation
import SpikeConversion
import SpikeGraph
import SpikeReference
import SpikeRuntime
import TestSupport
import Testing

/// What acts on the accumulated output, and what acts on whole values between layers.
@Suite struct TailTests {
    private static let window = Window(kernel: [3, 3], padsBegin: [1, 1], padsEnd: [1, 1])

    /// Convolution, ReLU, `middle`, convolution, ReLU, mean over places, linear, then `ends`, each of which reads the one before.
    private func network(middle: [SpikeGraph.Operator] = [], ends: [SpikeGraph.Operator]) throws -> Graph {
        var random = Random(12)
        var nodes: [Node] = []
        var last = "x"
        func add(_ name: String, _ operator: SpikeGraph.Operator, _ constants: [String] = []) {
            nodes.append(Node(name, `operator`, inputs: [last] + constants))
            last = name
        }
        add("conv1", .conv(Conv(window: Self.window)), ["w1"])
        add("relu1", .relu(Relu()))
        for (index, `operator`) in middle.enumerated() { add("middle\(index)", `operator`) }
        add("conv2", .conv(Conv(window: Self.window)), ["w2"])
        add("relu2", .relu(Relu()))
        add("mean", .globalAveragePool(GlobalAveragePool()))
        add("flat", .flatten(Flatten()))
        add("linear", .gemm(Gemm(transposeB: true)), ["w3", "b3"])
        for (index, `operator`) in ends.enumerated() { add("end\(index)", `operator`, `operator`.name == "Gemm" ? ["w4"] : []) }
        return try Graph(
            name: "g", inputs: [.init("x", ValueType(.float32, [.batch, 2, 6, 6]))], outputs: [.init("y", value: last)], nodes: nodes,
            constants: [
                "w1": random.tensor([4, 2, 3, 3], in: -0.6...0.8), "w2": random.tensor([4, 4, 3, 3], in: -0.5...0.6),
                "w3": random.tensor([4, 4], in: -2...2), "b3": random.tensor([4], in: -0.1...0.1),
                "w4": random.tensor([4, 4], in: -1...1),
            ].filter { name, _ in nodes.contains { $0.inputs.contains(name) } })
    }

    private var images: Tensor {
        var random = Random(13)
        return random.tensor([12, 2, 6, 6], in: 0...1)
    }

    /// ‖found − expected‖ / ‖expected‖.
    private func error(_ found: Tensor, _ expected: Tensor) -> Double {
        let difference = zip(found.floats, expected.floats).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
        return (difference / expected.floats.reduce(0.0) { $0 + Double($1 * $1) }).squareRoot()
    }

    static let ends: [(name: String, operators: [SpikeGraph.Operator])] = [
        ("tanh", [.unary(Unary(.tanh)), .voltageScaler(VoltageScaler(scales: [3]))]),
        (
            "softmax, reshaped",
            [.softmax(Softmax(axis: 1)), .reshape(Reshape(sizes: [.same, .fixed(constant: 2, batchFactor: 0), .rest]))]
        ),
        ("norm", [.reduce(Reduce(.l2, axes: [1]))]),
        ("largest of two", [.clip(Clip(minimum: -0.2, maximum: 0.3)), .reduce(Reduce(.maximum, axes: [1], keepsDimensions: false))]),
        ("squares", [.unary(Unary(.abs)), .unary(Unary(.sqrt)), .reduceMean(ReduceMean(axes: [1], keepsDimensions: false))]),
    ]

    @Test(
        arguments: ends.indices,
        [Recipe.calibrated.options(16), Recipe.signed.options(8), Recipe.burst.options(8), Recipe.radix.options(6)])
    func `functions behind the last neurons act on the accumulated output`(index: Int, options: ConversionOptions) throws {
        let ends = Self.ends[index].operators
        let ann = try network(ends: ends)
        let data = [Batch(images)]
        let snn = try RecipeConverter(options, calibration: data)(ann)
        #expect(snn.readoutNodes == Set(ends.indices.map { "end\($0)" }))
        // The same network without them gives the values that they have to act on.
        let bare = try RecipeConverter(options, calibration: data)(network(ends: []))
        for simulator in [try ReferenceSimulation(snn), try Simulation(snn)] as [any Simulator] {
            let plain: any Simulator = simulator is ReferenceSimulation ? try ReferenceSimulation(bare) : try Simulation(bare)
            let found = try simulator.run([images], steps: options.steps, timeVarying: false, recording: .stepOutputs)
            let before = try plain.run([images], steps: options.steps, timeVarying: false, recording: .stepOutputs)
            #expect(found.stepOutputs.count == before.stepOutputs.count)
            for (outputs, values) in zip(found.stepOutputs, before.stepOutputs) {
                let expected = try ends.reduce(values[0]) { try ReferenceExecutor.evaluate($1, [$0], batch: 12)[0] }
                #expect(outputs[0] == expected)
            }
        }
    }

    @Test func `weights behind a function are another layer, and named`() throws {
        let ann = try network(ends: [.unary(Unary(.tanh)), .gemm(Gemm()), .softmax(Softmax())])
        let convertibility = Convertibility(ann)
        #expect(convertibility.roles["end0"] == .obstacle && convertibility.roles["end2"] == .readout)
        expectError(.notConvertible, "'end0'", "the weights of 'end1' read it") { _ = try convertibility.check(allowAnalog: false) }
    }

    @Test func `a max pool behind a function pools the accumulated output`() throws {
        let ann = try Graph(
            name: "g", inputs: [.init("x", ValueType(.float32, [.batch, 2, 4]))], outputs: [.init("y", value: "pool")],
            nodes: [
                Node("relu", .relu(Relu()), inputs: ["x"]), Node("tanh", .unary(Unary(.tanh)), inputs: ["relu"]),
                Node("pool", .maxPool(MaxPool(window: Window(kernel: [2], strides: [2]))), inputs: ["tanh"]),
            ], constants: [:])
        let x = Tensor([0.5, 1, 0.25, 0, 0.75, 0.5, 1, 1], shape: [1, 2, 4])
        let snn = try RecipeConverter(Recipe.radix.options(8), calibration: [Batch(x)])(ann)
        #expect(snn.readoutNodes == ["tanh", "pool"])
        let expected = try ReferenceExecutor(ann).run([x])[0]
        #expect(try error(ReferenceSimulation(snn).run([x], steps: 8)[0], expected) < 0.01)
        #expect(try error(Simulation(snn).run([x], steps: 8)[0], expected) < 0.01)
    }

    @Test func `a maximum beside its own numbers is one of them`() throws {
        // y = o · (o ≥ max o), as detectors keep their peaks: in every sample just the largest is left.
        var ann = try network(ends: [])
        let nodes =
            ann.nodes + [
                Node("places", .reshape(Reshape(sizes: [.same, .fixed(constant: 1, batchFactor: 0), .rest])), inputs: ["linear"]),
                Node("largest", .globalMaxPool(GlobalMaxPool()), inputs: ["places"]),
                Node("isPeak", .binary(Binary(.greaterOrEqual)), inputs: ["places", "largest"]),
                Node("mask", .cast(Cast(to: .float32)), inputs: ["isPeak"]), Node("peaks", .mul(Mul()), inputs: ["places", "mask"]),
            ]
        ann = try Graph(
            name: "g", inputs: ann.inputs, outputs: [.init("y", value: "peaks")], nodes: nodes, constants: ann.constants)
        var random = Random(15)
        let many = random.tensor([200, 2, 6, 6], in: 0...1)
        for options in [Recipe.radix.options(9), Recipe.signed.options(16)] {
            let snn = try RecipeConverter(options, calibration: [Batch(many)])(ann)
            #expect(snn.readoutNodes.contains("largest"))
            for simulator in [try ReferenceSimulation(snn), try Simulation(snn)] as [any Simulator] {
                let run = try simulator.run([many], steps: options.steps, timeVarying: false, recording: [])
                for sample in 0..<200 { #expect(run.outputs[0].samples(sample..<sample + 1).floats.count { $0 != 0 } >= 1) }
            }
        }
    }

    @Test func `what the engine has no place for is simulated by the reference`() throws {
        let ann = try Graph(
            name: "g", inputs: [.init("x", ValueType(.float32, [.batch, 3]))], outputs: [.init("y", value: "relu2")],
            nodes: [
                Node("relu1", .relu(Relu()), inputs: ["x"]), Node("linear", .gemm(Gemm()), inputs: ["relu1", "w"]),
                Node("number", .reshape(Reshape(sizes: [.rest])), inputs: ["linear"]), Node("relu2", .relu(Relu()), inputs: ["number"]),
            ], constants: ["w": Tensor([0.5, 0.25, 1] as [Float], shape: [3, 1])])
        let x = Tensor((0..<24).map { Float($0 % 7) / 7 }, shape: [8, 3])
        for options in [Recipe.radix.options(10), Recipe.calibrated.options(64)] {
            let snn = try RecipeConverter(options, calibration: [Batch(x)])(ann)
            let simulator = try SimulatorChoice(snn, precision: .float32).simulator()
            let found = try simulator.run([x], steps: options.steps, timeVarying: false, recording: []).outputs[0]
            #expect(try error(found, ReferenceExecutor(ann).run([x])[0]) < 0.03)
        }
    }

    @Test(arguments: [Precision.float32, .int8])
    func `layer by layer, what stays real-valued acts on whole values`(precision: Precision) throws {
        let gelu = SpikeGraph.Operator.unary(Unary(.gelu, parameters: [0]))
        let ann = try network(middle: [gelu, .voltageScaler(VoltageScaler(scales: [2])), .unary(Unary(.tanh))], ends: [])
        var options = Recipe.radix.options(10)
        options.allowAnalog = true
        let snn = try RecipeConverter(options, calibration: [Batch(images)])(ann)
        let expected = try ReferenceExecutor(ann).run([images])[0]
        let reference = try ReferenceSimulation(snn).run([images], steps: 10)[0]
        #expect(error(reference, expected) < 0.01)
        let found = try Simulation(snn, precision: precision).run([images], steps: 10)[0]
        #expect(error(found, reference) < (precision == .int8 ? 0.05 : 1e-5))
        // A unary code: as many levels as steps.
        options = ConversionOptions(recipe: "unary", steps: 200, schedule: .layerSynchronous, allowAnalog: true)
        let unary = try RecipeConverter(options, calibration: [Batch(images)])(ann)
        let slow = try ReferenceSimulation(unary).run([images], steps: 200)[0]
        #expect(error(slow, expected) < 0.03)
        #expect(try error(Simulation(unary).run([images], steps: 200)[0], slow) < 1e-4)
    }

    @Test func `values whose first axis is not the batch are reshaped by the batch`() throws {
        // As attention splits its product: [N, 6] → [N, 3, 2] → [3, N, 2] → [3, N, 2, 1].
        var random = Random(14)
        let ann = try Graph(
            name: "g", inputs: [.init("x", ValueType(.float32, [.batch, 4]))], outputs: [.init("y", value: "last")],
            nodes: [
                Node("linear1", .gemm(Gemm()), inputs: ["x", "w1"]), Node("relu1", .relu(Relu()), inputs: ["linear1"]),
                Node("linear2", .gemm(Gemm()), inputs: ["relu1", "w2"]),
                Node("split", .reshape(Reshape(sizes: [.same, .fixed(constant: 3, batchFactor: 0), .rest])), inputs: ["linear2"]),
                Node("turned", .transpose(Transpose(permutation: [1, 0, 2])), inputs: ["split"]),
                Node(
                    "parts",
                    .reshape(Reshape(sizes: [.same, .fixed(constant: 0, batchFactor: 1), .rest, .fixed(constant: 1, batchFactor: 0)])),
                    inputs: ["turned"]),
                Node("first", .gather(Gather(axis: 0)), inputs: ["parts", "zero"]), Node("flat", .flatten(Flatten()), inputs: ["first"]),
                Node("relu2", .relu(Relu()), inputs: ["flat"]), Node("last", .gemm(Gemm()), inputs: ["relu2", "w3"]),
            ],
            constants: [
                "w1": random.tensor([4, 6], in: -1...1), "w2": random.tensor([6, 6], in: -1...1), "w3": random.tensor([2, 3], in: -1...1),
                "zero": Tensor([Int64(0)], shape: []),
            ])
        for samples in [2, 3, 16, 17, 32] {
            let x = random.tensor([samples, 4], in: 0...1)
            let snn = try RecipeConverter(Recipe.calibrated.options(16), calibration: [Batch(x)])(ann)
            let (found, expected) = (try Simulation(snn).run([x], steps: 16)[0], try ReferenceSimulation(snn).run([x], steps: 16)[0])
            #expect(found.shape == [samples, 3] && error(found, expected) < 1e-5)
        }
    }
}
