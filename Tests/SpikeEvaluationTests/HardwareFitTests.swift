import SpikeConversion
import SpikeEvaluation
import SpikeFormats
import SpikeHardware
import SpikeGraph
import SpikeReference
import TestSupport
import Testing

@Suite struct HardwareFitTests {
    /// `layers` convolutions of 3 × 3 with neurons behind each, and a dense layer.
    private func network(layers: Int = 2, channels: Int = 4, size: Int = 8, kernel: Int = 3) throws -> Graph {
        var generator = SeededGenerator(3)
        func random(_ shape: [Int]) -> Tensor {
            Tensor((0..<shape.reduce(1, *)).map { _ in Float.random(in: -0.25...0.4, using: &generator) }, shape: shape)
        }
        let pad = kernel / 2
        var (nodes, constants): ([Node], [String: Tensor]) = ([], [:])
        var value = "x"
        for layer in 0..<layers {
            constants["w\(layer)"] = random([channels, layer == 0 ? 1 : channels, kernel, kernel])
            let window = Window(kernel: [kernel, kernel], padsBegin: [pad, pad], padsEnd: [pad, pad])
            nodes.append(Node("conv\(layer)", .conv(Conv(window: window)), inputs: [value, "w\(layer)"]))
            nodes.append(Node("if\(layer)", .neuron(NeuronNode(IFNode())), inputs: ["conv\(layer)"]))
            value = "if\(layer)"
        }
        constants["d"] = random([3, channels * size * size])
        nodes.append(Node("flat", .flatten(Flatten()), inputs: [value]))
        nodes.append(Node("dense", .gemm(Gemm(transposeB: true)), inputs: ["flat", "d"]))
        return try Graph(
            name: "net", inputs: [Graph.Input("x", ValueType(.float32, [.batch, 1, Dimension(size), Dimension(size)]))],
            outputs: [Graph.Output("y", value: "dense")], nodes: nodes, constants: constants,
            spiking: SpikingDescription(recipe: "test", code: .rate(steps: 8)))
    }

    @Test func `layers are counted as they are`() throws {
        let fit = try HardwareFit(network(), on: .speck2f)
        #expect(fit.layers.map(\.name).sorted() == ["conv0", "conv1", "dense"])
        let conv = try #require(fit.layers.first { $0.name == "conv1" })
        #expect(conv.neurons == 256 && conv.weights == 144 && conv.fanIn == 36 && conv.synapses == 144 * 64)
        #expect(fit.fits, "\(fit)")
        #expect(fit.description.contains("sinabs 3.1.3"))
    }

    @Test func `what is over a limit is named, with the limit`() throws {
        let deep = try HardwareFit(network(layers: 10, channels: 1), on: .speck2f)
        #expect(deep.problems == ["11 layers, at most 9"])
        let wide = try HardwareFit(network(layers: 1, kernel: 17), on: .speck2f)
        #expect(wide.layers.first?.problems.contains("kernel 17, at most 16") == true)
        let xylo = try HardwareFit(network(), on: .xylo)
        #expect(xylo.problems.contains("64 inputs, at most 16"))
        #expect(try HardwareFit(network(), on: .loihi2).fits)
        #expect(try HardwareFit(network(), on: .spinnaker2).fits)
        expectError(.invalidOption, "speck2f") { _ = try Device.named("brain") }
    }

    @Test func `layers that fit a core each may not fit at once`() throws {
        // Each wants one of the two cores with 64 Ki words for kernels.
        let fit = try HardwareFit(network(layers: 5, channels: 64, size: 4), on: .speck2f)
        #expect(fit.layers.allSatisfy { $0.problems.isEmpty }, "\(fit)")
        #expect(fit.problems == ["each layer fits a core, but not all of them fit at once"])
    }

    @Test func `weights become 8-bit, and membranes whole numbers`() throws {
        let snn = try network()
        let chip = try HardwareFit.quantized(snn, for: .spinnaker2)
        for case .neuron(let node) in chip.nodes.map(\.operator) {
            let neuron = try #require(node.neuron as? FixedPointIFNeuron)
            #expect(neuron.bits == 16)
            let steps = neuron.threshold / neuron.quantum
            #expect((steps - steps.rounded()).magnitude < 1e-3)
        }
        for name in ["conv0", "conv1"] {
            let weight = try #require(chip.constants["\(name).weight"]).floats
            let most = weight.map(abs).max() ?? 0
            #expect(weight.allSatisfy { ($0 / most * 127 - ($0 / most * 127).rounded()).magnitude < 1e-3 })
        }
        let x = Tensor((0..<128).map { Float($0 % 9) / 8 }, shape: [2, 1, 8, 8])
        let (a, b) = try (ReferenceSimulation(snn).run([x], steps: 8)[0].floats, ReferenceSimulation(chip).run([x], steps: 8)[0].floats)
        let scale = a.map(abs).max() ?? 1
        #expect(zip(a, b).allSatisfy { ($0 - $1).magnitude < 0.1 * scale })
    }

    @Test func `a membrane of few bits stops at its ends`() throws {
        let neuron = try FixedPointIFNeuron(threshold: 100, quantum: 1, bits: 4)
        var state = neuron.initialState(shape: [1, 3])
        for _ in 0..<3 { _ = neuron.step(Tensor([5, -5, 0.4] as [Float], shape: [1, 3]), state: &state, at: TimeStep(0)) }
        #expect(state.membrane.floats == [7, -8, 0])
        expectError(.invalidOption, "40 bits") { _ = try FixedPointIFNeuron(threshold: 1, quantum: 1, bits: 40) }
    }

    @Test func `a check tells what a reader's dynamics cost`() throws {
        let snn = try network()
        let x = Tensor((0..<8 * 64).map { Float($0 * 7 % 11) / 11 }, shape: [8, 1, 8, 8])
        let outputs = try ReferenceSimulation(snn).run([x], steps: 8)[0].floats
        let labels = (0..<8).map { sample in (1..<3).reduce(0) { outputs[sample * 3 + $1] > outputs[sample * 3 + $0] ? $1 : $0 } }
        let generic = try NIRExporter()(snn).graph
        let same = try PortabilityCheck(snn, exported: generic, for: .generic, steps: 8).run([Batch(x, labels: labels)])
        #expect(same.accuracy == 1 && same.predicted == 1)
        let other = try PortabilityCheck(snn, exported: generic, for: .norse, steps: 8).run([Batch(x, labels: labels)])
        #expect((other.predicted ?? 2) <= 1)
        #expect(other.description.contains("predicted drop"))
    }

    /// As `export --check` writes, reads and measures, for a number of steps that nobody named.
    @Test(arguments: ["burst", "radix"])
    func `what a check predicts is what the file gives when it is read and simulated`(name: String) throws {
        let window = Window(kernel: [3, 3], padsBegin: [1, 1], padsEnd: [1, 1])
        var generator = SeededGenerator(11)
        func random(_ shape: [Int]) -> Tensor {
            Tensor((0..<shape.reduce(1, *)).map { _ in Float.random(in: -0.5...0.6, using: &generator) }, shape: shape)
        }
        let ann = try Graph(
            name: "ann", inputs: [.init("x", ValueType(.float32, [.batch, 1, 6, 6]))], outputs: [.init("y", value: "y")],
            nodes: [
                Node("conv", .conv(Conv(window: window)), inputs: ["x", "w", "b"]),
                Node("pool", .maxPool(MaxPool(window: Window(kernel: [2, 2], strides: [2, 2]))), inputs: ["conv"]),
                Node("relu", .relu(Relu()), inputs: ["pool"]), Node("flat", .flatten(Flatten()), inputs: ["relu"]),
                Node("y", .gemm(Gemm(transposeB: true)), inputs: ["flat", "d"]),
            ], constants: ["w": random([3, 1, 3, 3]), "b": random([3]), "d": random([4, 27])])
        let x = Tensor((0..<24 * 36).map { _ in Float.random(in: 0...1, using: &generator) }, shape: [24, 1, 6, 6])
        func classes(_ outputs: Tensor) -> [Int] {
            let values = outputs.floats
            return (0..<24).map { sample in (1..<4).reduce(0) { values[sample * 4 + $1] > values[sample * 4 + $0] ? $1 : $0 } }
        }
        let labels = try classes(ReferenceExecutor(ann).run([x])[0])
        let recipe = try #require(Recipe.named(name))
        let snn = try RecipeConverter(recipe.options(recipe.usualSteps), calibration: [Batch(x)])(ann)
        for profile in NIRProfile.all {
            let export = try NIRExporter(profile, approximate: true)(snn)
            let result = try PortabilityCheck(snn, exported: export.graph, for: profile, steps: export.steps).run([Batch(x, labels: labels)]
            )
            #expect(result.steps == (name == "burst" ? 8 : 32) && result.ownSteps == recipe.usualSteps)
            let found = try classes(
                ReferenceSimulation(NIRImporter(profile.dynamics)(export.graph)).run([x], steps: export.steps)[0].reshaped(to: [24, 4]))
            #expect(result.predicted == Double(zip(found, labels).count { $0 == $1 }) / 24, "\(profile.name)")
            let own = try classes(ReferenceSimulation(snn).run([x], steps: recipe.usualSteps)[0])
            #expect(result.accuracy == Double(zip(own, labels).count { $0 == $1 }) / 24)
        }
    }
}
