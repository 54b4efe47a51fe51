import SpikeGraph
import SpikeReference
import TestSupport
import Testing

@Suite struct BadInputTests {
    /// Both executors, as functions of their inputs.
    private static func runners() throws -> [([Tensor]) throws -> Void] {
        let nodes = [Node("sum", .add(Add()), inputs: ["a", "b"]), fires("s", "sum")]
        let graph = try Graph(
            name: "two",
            inputs: [Graph.Input("a", ValueType(.float32, [.batch, 2])), Graph.Input("b", ValueType(.float32, [.batch, 2]))],
            outputs: [Graph.Output("y", value: "s")], nodes: nodes, constants: [:], spiking: SpikingDescription(recipe: "test"))
        let simulation = try ReferenceSimulation(graph)
        return [
            { _ = try ReferenceExecutor(graph).run($0) }, { _ = try simulation.run($0, steps: 2) },
            { inputs in
                simulation.reset()
                try simulation.step(inputs)
            },
        ]
    }

    private let good = Tensor(repeating: 1, shape: [3, 2])

    @Test func `inputs that fit run`() throws {
        for run in try Self.runners() { try run([good, good]) }
    }

    @Test func `as many inputs as the network has are needed`() throws {
        for run in try Self.runners() {
            expectError(.invalidData, "0 inputs are given, the network takes 2") { try run([]) }
            expectError(.invalidData, "1 input is given", "a float32[N, 2], b float32[N, 2]") { try run([good]) }
            expectError(.invalidData, "3 inputs") { try run([good, good, good]) }
        }
    }

    @Test func `types and shapes have to be the network's`() throws {
        let wrong: [Tensor] = [
            Tensor(repeating: 1, shape: [3, 3]), Tensor(repeating: 1, shape: [3]), Tensor(repeating: 1, shape: [3, 2, 1]),
            Tensor(scalar: 1),
            Tensor([Int64](repeating: 1, count: 6), shape: [3, 2]), Tensor([Bool](repeating: true, count: 6), shape: [3, 2]),
        ]
        for run in try Self.runners() {
            for tensor in wrong {
                expectError(.invalidData, "input 'a'") { try run([tensor, good]) }
                expectError(.invalidData, "input 'b'") { try run([good, tensor]) }
            }
            expectError(.invalidData, "input 'b'") { try run([good, Tensor(repeating: 1, shape: [4, 2])]) }
        }
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity]) func `numbers have to be finite`(_ strange: Float) throws {
        let bad = Tensor([0, 0, 0, 0, 0, strange], shape: [3, 2])
        for run in try Self.runners() { expectError(.invalidData, "'b' holds \(strange) in sample 2") { try run([good, bad]) } }
    }

    @Test func `an operator by itself takes as many inputs as it has`() {
        for (op, inputs) in [
            (Operator.relu(Relu()), []), (.relu(Relu()), [good, good]), (.add(Add()), []), (.add(Add()), [good]),
            (.gemm(Gemm()), [good]), (.concat(Concat(axis: 1)), []),
        ] {
            expectError(.invalidData, "\(op.payload.label): \(inputs.count) inputs do not fit") {
                _ = try ReferenceExecutor.evaluate(op, inputs)
            }
        }
    }

    @Test func `an output that is no float32 number cannot be summed over the steps`() throws {
        let nodes = [
            fires("s", "a"), Node("c", .cast(Cast(to: .int64)), inputs: ["a"]),
        ]
        let graph = try Graph(
            name: "two", inputs: [Graph.Input("a", ValueType(.float32, [.batch, 2]))],
            outputs: [Graph.Output("y", value: "s"), Graph.Output("z", value: "c")], nodes: nodes, constants: [:],
            spiking: SpikingDescription(recipe: "test"))
        expectError(.unsupported, "output 'c' of type int64[N, 2]") { _ = try ReferenceSimulation(graph) }
    }

    @Test func `an empty batch is an error`() throws {
        let empty = Tensor([Float](), shape: [0, 2])
        for run in try Self.runners() { expectError(.invalidData, "no samples") { try run([empty, empty]) } }
    }

    @Test func `an ANN cannot be simulated`() throws {
        let ann = try ExecutorTests.network(seed: 1)
        expectError(.invalidData, "'random' is an ANN", "convert it first") { _ = try ReferenceSimulation(ann) }
    }

    @Test func `a neuron that does not work under the network's schedule is an error`() throws {
        let signed = fires("s", "x", SignedIFNeuron())
        expectError(.invalidModel, "SignedIFNeuron does not work under the layer-synchronous schedule") {
            _ = try ReferenceSimulation(spikingGraph([.batch], [signed], outputs: ["s"], schedule: .layerSynchronous))
        }
    }

    @Test func `single steps and time-varying input of a layer-synchronous network are errors`() throws {
        let graph = try spikingGraph([.batch], [fires("s", "x")], outputs: ["s"], schedule: .layerSynchronous)
        let simulation = try ReferenceSimulation(graph)
        let x = Tensor([1, 2] as [Float], shape: [2])
        expectError(.unsupported, "layer-synchronous") { try simulation.step([x]) }
        expectError(.unsupported, "layer-synchronous") { _ = try simulation.run([x], steps: 2, timeVarying: true) }
    }

    private func simulation() throws -> ReferenceSimulation {
        try ReferenceSimulation(spikingGraph([.batch, 2], [fires("s", "x")], outputs: ["s"]))
    }

    @Test(arguments: [0, -1, .min, 1 << 20 + 1, .max]) func `steps have a range`(steps: Int) throws {
        let simulation = try simulation()
        for timeVarying in [false, true] {
            expectError(.invalidOption, "\(steps) time steps") { _ = try simulation.run([good], steps: steps, timeVarying: timeVarying) }
        }
    }

    @Test func `before the first step there are no outputs`() throws {
        let simulation = try simulation()
        expectError(.invalidData, "no step") { _ = try simulation.outputs() }
        _ = try simulation.run([good], steps: 1)
        simulation.reset()
        expectError(.invalidData, "no step") { _ = try simulation.outputs() }
    }

    @Test func `a time-varying input has a frame for every step`() throws {
        let simulation = try simulation()
        expectError(.invalidData, "[3, 4, 2] for 4 steps", "[T, N, …]") {
            _ = try simulation.run([Tensor(repeating: 0, shape: [3, 4, 2])], steps: 4, timeVarying: true)
        }
        expectError(.invalidData) { _ = try simulation.run([Tensor(scalar: 1)], steps: 1, timeVarying: true) }
        expectError(.invalidData, "input 'x' is float32[2]") { _ = try simulation.run([good], steps: 3, timeVarying: true) }
        expectError(.invalidData, "0 inputs") { _ = try simulation.run([], steps: 3, timeVarying: true) }
        // A frame that goes wrong later is found when it comes.
        var values = [Float](repeating: 0, count: 8)
        values[7] = .nan
        expectError(.invalidData, "nan in sample 1") {
            _ = try simulation.run([Tensor(values, shape: [2, 2, 2])], steps: 2, timeVarying: true)
        }
    }

    @Test func `an error leaves a simulation that can run again`() throws {
        let simulation = try simulation()
        let expected = try simulation.run([good], steps: 3)
        expectError { _ = try simulation.run([Tensor(scalar: 1)], steps: 3) }
        expectError(.invalidData, "no step") { _ = try simulation.outputs() }
        #expect(try simulation.run([good], steps: 3) == expected)
    }

    @Test func `an operator takes what its shape rule accepts`() throws {
        let (matrix, row) = (Tensor(repeating: 1, shape: [3, 2]), Tensor(repeating: 1, shape: [2]))
        #expect(try ReferenceExecutor.evaluate(.add(Add()), [matrix, row])[0].shape == [3, 2])
        let conv = Operator.conv(Conv(window: Window(kernel: [3, 3])))
        let image = Tensor(repeating: 1, shape: [1, 2, 4, 4])
        let wrong: [(Operator, [Tensor])] = [
            (.relu(Relu()), []), (.relu(Relu()), [row, row]), (.add(Add()), [matrix]),
            (.add(Add()), [matrix, Tensor(repeating: 1, shape: [4])]),
            (.gemm(Gemm()), [matrix, Tensor(repeating: 1, shape: [3, 2])]), (conv, [image]),
            // Weights of two channels and a 3 × 3 kernel are more than these.
            (conv, [image, Tensor(repeating: 1, shape: [8, 1, 3, 3])]), (conv, [image, Tensor(repeating: 1, shape: [8, 2, 1, 1])]),
            (.globalAveragePool(GlobalAveragePool()), [row]), (.relu(Relu()), [Tensor([1] as [Int64], shape: [1])]),
            (.reshape(Reshape(sizes: [.fixed(constant: 7, batchFactor: 0)])), [matrix]),
            (.neuron(NeuronNode(IFNode(), initialOffsets: [1, 2, 3])), [matrix]),
        ]
        for (operation, inputs) in wrong { expectError { _ = try ReferenceExecutor.evaluate(operation, inputs) } }
        expectError(.invalidData, "Relu: 0 inputs") { _ = try ReferenceExecutor.evaluate(.relu(Relu()), []) }
    }

    @Test func `what stands for a node's output has its shape`() throws {
        let graph = try Graph(
            name: "g", inputs: [Graph.Input("x", ValueType(.float32, [.batch, 2]))], outputs: [Graph.Output("y", value: "r")],
            nodes: [Node("r", .relu(Relu()), inputs: ["x"])], constants: [:])
        let executor = ReferenceExecutor(graph)
        #expect(try executor.run([good], rewrite: { _, made in made.map { $0 + 1 } })[0].floats == [Float](repeating: 2, count: 6))
        expectError(.invalidData, "node 'r'", "float32[1, 2] cannot stand for float32[3, 2]") {
            _ = try executor.run([good], rewrite: { _, _ in Tensor(repeating: 0, shape: [1, 2]) })
        }
    }
}
