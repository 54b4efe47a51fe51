import Foundation
import SpikeConversion
import SpikeGraph
import SpikeReference
import SpikeRuntime
import TestSupport
import Testing

@Suite("The examples of Documentation/Extending.md")
struct ExampleTests {
    private func document() throws -> String {
        try String(contentsOfFile: Repository.root.appendingPathComponent("Documentation/Extending.md").path, encoding: .utf8)
    }

    @Test func `the document shows the neuron as it is here`() throws {
        let source = try String(
            contentsOfFile: Repository.root.appendingPathComponent("Tests/SpikeConversionTests/Examples/RefractoryIFNeuron.swift").path,
            encoding: .utf8)
        let code = source.components(separatedBy: "import SpikeGraph\n\n")[1].trimmingCharacters(in: .newlines)
        #expect(try document().contains(code))
    }

    @Test func `the neuron converts, rests after each spike, and runs in the engine as in the reference`() throws {
        var random = Random(90)
        let ann = try smallNetwork(&random, dyadic: true)
        let images = random.tensor([32, 2, 6, 6], in: 0...1)
        // The document's own lines.
        let coarse = Recipe(name: "coarse", summary: "one threshold a layer, the largest activation", usualSteps: 64) { steps in
            ConversionOptions(recipe: "coarse", steps: steps, threshold: .maximum, isPerChannel: false)
        }
        let snn = try RecipeConverter(coarse.options(64), calibration: [Batch(images)], neuron: RefractoryIFNeuron(rest: 2))(ann)

        let input = images.samples(0..<4)
        let simulation = try ReferenceSimulation(snn)
        var history: [Tensor] = []
        let outputs = try simulation.run([input], steps: 64) { node, _, results in
            if node.operator.payload is NeuronNode, node.inputs.first?.hasPrefix("snn tailor.0") == true { history.append(results[0]) }
        }
        #expect(history.count == 64)
        for neuron in 0..<history[0].count {
            let times = history.indices.filter { history[$0].floats[neuron] != 0 }
            #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 > 2 })
        }
        let fast = try Simulation(snn).run([input], steps: 64)
        for (found, expected) in zip(fast[0].floats, outputs[0].floats) { #expect(abs(found - expected) < 1e-3 * (1 + abs(expected))) }
    }
}
