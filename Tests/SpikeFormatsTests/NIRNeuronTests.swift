import SpikeFormats
import SpikeGraph
import SpikeReference
import TestSupport
import Testing

/// What readers make of NIR's neurons, against numbers by hand. All numbers are dyadic, so that float32 is exact.
@Suite struct NIRNeuronTests {
    /// Input → neuron → Output, for one neuron.
    private func chain(_ operation: NIROperation, _ dynamics: NIRDynamics = NIRDynamics()) throws -> Graph {
        let graph = NIRGraph(
            nodes: ["input": NIRNode(.input(shape: [1])), "n": NIRNode(operation), "output": NIRNode(.output(shape: [1]))],
            edges: [.init("input", "n"), .init("n", "output")])
        return try NIRImporter(dynamics)(graph)
    }

    private func neuron(_ kind: NIRNeuron.Kind, _ parameters: [String: Float]) -> NIROperation {
        .neuron(NIRNeuron(kind, parameters.mapValues { Tensor([$0], shape: [1]) }))
    }

    /// What comes out in each step.
    private func outputs(_ graph: Graph, _ inputs: [Float]) throws -> [Float] {
        let simulation = try ReferenceSimulation(graph)
        return try inputs.map { try simulation.step([Tensor([$0], shape: [1, 1])])[0].floats[0] }
    }

    @Test func `integrate-and-fire resets as its reader does`() throws {
        let neuron = neuron(.integrateAndFire, ["r": 1, "v_threshold": 1, "v_reset": 0])
        let inputs: [Float] = [0.75, 0.75, 0.5, 2.5, 0, -4, 1, 1]
        #expect(try outputs(chain(neuron), inputs) == [0, 1, 1, 1, 1, 0, 0, 0])
        #expect(try outputs(chain(neuron, NIRProfile.norse.dynamics), inputs) == [0, 1, 0, 1, 0, 0, 0, 0])
        // Several spikes a step, and no membrane below −θ.
        #expect(try outputs(chain(neuron, NIRProfile.sinabs.dynamics), inputs) == [0, 1, 1, 2, 0, 0, 0, 1])
        // v > θ, and not v = θ.
        #expect(try outputs(chain(neuron, NIRProfile.norse.dynamics), [1, 0, 0.5]) == [0, 0, 1])
        #expect(try outputs(chain(neuron), [1, 0, 0.5]) == [1, 0, 0])
    }

    @Test func `a reset value is kept`() throws {
        let neuron = neuron(.integrateAndFire, ["r": 1, "v_threshold": 1, "v_reset": 0.5])
        #expect(try outputs(chain(neuron, NIRDynamics(reset: .value)), [2, 0.25, 0.25, 0]) == [1, 0, 1, 0])
    }

    @Test func `leaky neurons leak by Euler's rule`() throws {
        // dt/τ = ½: v ← v/2 + (R x + v_leak)/2.
        let dynamics = NIRDynamics(timeStep: 1)
        let spiking = neuron(.leaky, ["tau": 2, "r": 2, "v_leak": 0.5, "v_threshold": 1, "v_reset": 0])
        // v: 0.75 → 0.875 → 0.9375 → 1.71875, a spike leaves 0.71875.
        #expect(try outputs(chain(spiking, dynamics), [0.5, 0.25, 0.25, 1, 0]) == [0, 0, 0, 1, 0])
        let still = neuron(.leakyIntegrator, ["tau": 2, "r": 2, "v_leak": 0.5])
        #expect(try outputs(chain(still, dynamics), [0.5, 0.25, 0.25]) == [0.75, 0.875, 0.9375])
        #expect(try outputs(chain(neuron(.integrator, ["r": 2]), dynamics), [0.5, 0.25, -1]) == [1, 1.5, -0.5])
    }

    @Test func `synapses leak before membranes do`() throws {
        let dynamics = NIRDynamics(timeStep: 1)
        let still = neuron(.currentLeakyIntegrator, ["tau_syn": 2, "tau_mem": 4, "r": 4, "v_leak": 0, "w_in": 2])
        // i ← i/2 + x;  v ← ¾ v + i.
        #expect(try outputs(chain(still, dynamics), [1, 0, 0]) == [1, 1.25, 1.1875])
        let spiking = neuron(
            .currentLeaky, ["tau_syn": 2, "tau_mem": 4, "r": 4, "v_leak": 0, "w_in": 2, "v_threshold": 1, "v_reset": 0])
        // After the first spike nothing is left, then ½, then 0.375 + ¼.
        #expect(try outputs(chain(spiking, dynamics), [1, 0, 0, 1]) == [1, 0, 0, 1])
    }

    @Test func `thresholds have no memory, delays have`() throws {
        #expect(try outputs(chain(.threshold(Tensor([0.5], shape: [1]))), [0.5, 0.75, -1, 2]) == [0, 1, 0, 1])
        let delay = try chain(.delay(Tensor([0.25], shape: [1])), NIRDynamics(timeStep: 0.125))
        #expect(try outputs(delay, [1, 2, 3, 4, 5]) == [0, 0, 1, 2, 3])
    }

    @Test func `a leaky neuron without a leak is integrate-and-fire, which the engine knows`() throws {
        let lif = neuron(.leaky, ["tau": 1e4, "r": 1e8, "v_leak": 0, "v_threshold": 1, "v_reset": 0])
        guard case .neuron(let node)? = try chain(lif, NIRProfile.snntorch.dynamics).nodes.first?.operator else {
            Issue.record("no neuron")
            return
        }
        #expect(node.neuron is IFNode)
    }

    @Test func `parameters are numbers for each neuron, and stay so in files`() throws {
        let thresholds = Tensor([0.5, 1], shape: [2])
        let graph = NIRGraph(
            nodes: [
                "input": NIRNode(.input(shape: [2])), "output": NIRNode(.output(shape: [2])),
                "if": NIRNode(.neuron(NIRNeuron(.integrateAndFire, ["r": Tensor(scalar: 1), "v_threshold": thresholds]))),
            ], edges: [.init("input", "if"), .init("if", "output")])
        let network = try NIRImporter()(graph)
        let folder = try TemporaryFolder()
        try SNNFile.write(network, to: folder.file("n.safetensors"))
        let again = try SNNFile.read(folder.file("n.safetensors"))
        #expect(again.nodes == network.nodes)
        let x = Tensor(repeating: 0.5, shape: [1, 2])
        #expect(try ReferenceSimulation(again).run([x], steps: 4)[0].floats == [1, 0.5])
    }

    @Test func `graphs that make no network are refused, with the node`() throws {
        let ends = ["input": NIRNode(.input(shape: [2])), "output": NIRNode(.output(shape: [2]))]
        func expectRefused(_ nodes: [String: NIRNode], _ edges: [(String, String)], _ parts: String...) {
            let graph = NIRGraph(nodes: ends.merging(nodes) { $1 }, edges: edges.map { .init($0, $1) })
            do {
                _ = try NIRImporter()(graph)
                Issue.record("\(parts) was taken")
            } catch let error as SpikeletError {
                for part in parts { #expect(error.description.contains(part), "\(error)") }
            } catch {
                Issue.record("\(error)")
            }
        }
        let ones = Tensor(repeating: 1, shape: [3])
        expectRefused(["if": NIRNode(.threshold(ones))], [("input", "if"), ("if", "output")], "'if'", "[3]")
        expectRefused(["a": NIRNode(.scale(ones))], [("input", "a"), ("a", "output")], "'a'")
        expectRefused(["a": NIRNode(.threshold(Tensor(scalar: 1)))], [("input", "a"), ("a", "a"), ("a", "output")], "a cycle", "a")
        expectRefused(["a": NIRNode(.threshold(Tensor(scalar: 1)))], [("input", "output"), ("a", "output")], "'a'")
        expectRefused([:], [("input", "output"), ("nobody", "output")], "nobody")
        let weight = Tensor(repeating: 1, shape: [2, 5])
        expectRefused(["a": NIRNode(.affine(weight: weight, bias: nil))], [("input", "a"), ("a", "output")], "'a'")
        expectRefused([:], [], "'output'")
        let dead = neuron(.integrateAndFire, ["r": 1, "v_threshold": 0])
        expectRefused(["a": NIRNode(dead)], [("input", "a"), ("a", "output")], "'a'", "positive")
    }

    // MARK: Neurons that read themselves

    /// input → `n`, and `n` → `back` → `n`.
    private func loop(_ back: NIROperation, size: Int = 2, extra: [(String, NIROperation)] = [], edges: [NIRGraph.Edge] = []) -> NIRGraph {
        let ones = Tensor(repeating: 1, shape: [size])
        let neurons = NIRNeuron(.integrateAndFire, ["r": ones, "v_threshold": ones, "v_reset": Tensor(repeating: 0, shape: [size])])
        var nodes = [
            "input": NIRNode(.input(shape: [size])), "n": NIRNode(.neuron(neurons)), "back": NIRNode(back),
            "output": NIRNode(.output(shape: [size])),
        ]
        for (name, operation) in extra { nodes[name] = NIRNode(operation) }
        return NIRGraph(nodes: nodes, edges: [.init("input", "n"), .init("n", "back"), .init("back", "n"), .init("n", "output")] + edges)
    }

    @Test func `sizes that cannot be counted are refused`() {
        func graph(_ shape: [Int], _ nodes: [String: NIRNode]) -> NIRGraph {
            let inner = nodes.keys.sorted()
            let path = ["input"] + inner + ["output"]
            return NIRGraph(
                nodes: nodes.merging(["input": NIRNode(.input(shape: shape)), "output": NIRNode(.output(shape: [1]))]) { $1 },
                edges: zip(path, path.dropFirst()).map { .init($0, $1) })
        }
        let flatten = NIRNode(.flatten(NIRFlatten(inputShape: nil)))
        for shape in [[1 << 40, 1 << 40], [Int.max], [1 << 20, 1 << 20]] {
            expectError(.invalidModel, "node 'input'", "an Input of shape") { _ = try NIRImporter()(graph(shape, ["flatten": flatten])) }
        }
        // Padding alone makes more of a picture than can be counted.
        let wide = NIRConvolution(
            weight: Tensor(repeating: 1, shape: [4096, 1, 1, 1]), bias: Tensor(repeating: 0, shape: [4096]), inputShape: nil,
            stride: [1, 1],
            padding: [1 << 29, 1 << 29], dilation: [1, 1])
        expectError(.invalidModel, "node 'conv'", "its output cannot be") {
            _ = try NIRImporter()(graph([1, 2, 2], ["conv": NIRNode(.convolution(wide)), "flatten": flatten]))
        }
    }

    @Test func `a layer that reads itself hears what it emitted in the step before`() throws {
        // Neuron 0 drives neuron 1 with a weight of 0.5; both get 0.25 from the bias.
        let weight = Tensor([0, 0, 0.5, 0] as [Float], shape: [2, 2])
        let graph = try NIRImporter()(loop(.affine(weight: weight, bias: Tensor(repeating: 0.25, shape: [2]))))
        let simulation = try ReferenceSimulation(graph)
        var spikes: [[Float]] = []
        for input in [[0.75, 0], [0, 0], [0, 0], [0.75, 0.25]] as [[Float]] {
            spikes.append(try simulation.step([Tensor(input, shape: [1, 2])])[0].floats)
        }
        // v₀: 1 spike; v₁: 0.25, then 0.25 + 0.25 + 0.5 = 1: a spike. v₀ then: 0.25, 0.5, 1.5.
        #expect(spikes == [[1, 0], [0, 1], [0, 0], [1, 0]])
        // The same from a file of ours, and in the engine.
        let folder = try TemporaryFolder()
        try SNNFile.write(graph, to: folder.file("a"))
        #expect(try SNNFile.read(folder.file("a")).nodes == graph.nodes)
    }

    @Test func `cycles over several layers, and weights that do not fit, are refused`() throws {
        let linear = NIROperation.affine(weight: Tensor(repeating: 1, shape: [2, 2]), bias: nil)
        expectError(.unsupported, "a cycle", "back", "Affine or Linear") {
            _ = try NIRImporter()(loop(linear, extra: [("more", linear)], edges: [.init("n", "more"), .init("more", "back")]))
        }
        expectError(.invalidModel, "node 'n'", "recurrent weights") {
            _ = try NIRImporter()(loop(.affine(weight: Tensor(repeating: 1, shape: [3, 2]), bias: nil)))
        }
        expectError(.invalidModel, "recurrent weights") { _ = try RecurrentNeuron(NeuronNode(IFNode()), weight: [1, 2, 3], bias: [0, 0]) }
        // A file may say that a layer has another size than its weights.
        let recurrent = try RecurrentNeuron(NeuronNode(IFNode()), weight: [1, 2, 3, 4], bias: [0, 0])
        expectError(.invalidModel, "2 neurons") {
            _ = try Graph(
                name: "net", inputs: [Graph.Input("x", ValueType(.float32, [.batch, 3]))], outputs: [Graph.Output("y", value: "n")],
                nodes: [Node("n", .neuron(NeuronNode(recurrent)), inputs: ["x"])], constants: [:],
                spiking: SpikingDescription(recipe: "test"))
        }
    }
}
