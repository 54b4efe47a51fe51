// swift-format-ignore-file
// The Swift of the documentation, gathered by `make snippets`; a test compares them. Edit the documents instead.
import Foundation
import SpikeExplorer
import Spikelet

/// Documentation/Engine.md
func documentation_engine_md() async throws {
    let (snn, images) = (try SNNFile.read("snn.safetensors"), Tensor(repeating: 0.5, shape: [2, 1, 28, 28]))

    let simulation = try Simulation(snn, precision: .int8, threads: 2)
    simulation.recording = [.spikeCounts, .stepOutputs]
    let outputs = try simulation.run([images], steps: 32)
    print(simulation.program)          // every stage, and what is left to the reference path
    _ = outputs
    _ = simulation
}

/// Documentation/Extending.md
func documentation_extending_md() async throws {

    /// Integrate-and-fire that rests after a spike: it goes on integrating, but cannot fire in the next `rest` steps.
    struct RefractoryIFNeuron: Neuron {
        static let kind = "RefractoryIFNeuron"
        static let schedules: Set<SpikingDescription.Schedule> = [.streaming]
        var rest: Int
        /// A membrane of 1 is worth a spike.
        var currentOfSpike: NeuronParameter { 1 }

        func initialState(shape: [Int]) -> NeuronState {
            NeuronState(membrane: Tensor(repeating: 0.5, shape: shape))
        }

        func emit(_ state: inout NeuronState, at time: TimeStep) -> Tensor {
            state.emit(remembering: "resting") { membrane, resting in
                let spike: Float = membrane >= 1 && resting == 0 ? 1 : 0
                membrane -= spike
                resting = spike == 1 ? Float(rest) : max(0, resting - 1)
                return spike
            }
        }

        var summary: String { "rests \(rest) steps" }
    }

    NeuronRegistry.register(RefractoryIFNeuron.self)

    let (ann, loader) = (try ONNXImporter.read("model.onnx").graph, try DataLoader(Dataset(path: "train.npz")))

    let coarse = Recipe(name: "coarse", summary: "one threshold a layer, the largest activation", usualSteps: 64) { steps in
        ConversionOptions(recipe: "coarse", steps: steps, threshold: .maximum, isPerChannel: false)
    }
    let snn = try RecipeConverter(coarse.options(64), calibration: loader, neuron: RefractoryIFNeuron(rest: 2))(ann)
    _ = coarse
    _ = snn
}

/// Documentation/FromSpikingJelly.md
func documentation_fromspikingjelly_md() async throws {
    let (loader, testLoader) = (try DataLoader(Dataset(path: "train.npz")), try DataLoader(Dataset(path: "test.npz")))


    let ann = try ONNXImporter.read("model.onnx").graph
    let converter = try Converter(dataloader: loader, mode: VoltageHook.Mode("99.9%"))
    let snn = try converter(ann)
    print(snn)

    let result = try Evaluator(snn, ann: ann, steps: [32]).run(testLoader)
    _ = ann
    _ = converter
    _ = result
    _ = snn
}

/// README.md
func readme_md() async throws {

    let ann = try ONNXImporter.read("resnet.onnx").graph
    let images = try DataLoader(Dataset(path: "train.npz"), batchSize: 100)
    let snn = try RecipeConverter(Recipe.signed.options(8), calibration: images)(ann)
    print(snn)                                                // every layer, and what it reads

    let test = try DataLoader(Dataset(path: "test.npz"))
    print(try Evaluator(snn, ann: ann, steps: [1, 2, 4, 8]).run(test))
    try SNNFile.write(snn, to: "snn.safetensors")
    _ = ann
    _ = images
    _ = snn
    _ = test
}

/// Sources/Spikelet/Spikelet.docc/ChoosingARecipe.md
func sources_spikelet_spikelet_docc_choosingarecipe_md() async throws {
    let (ann, calibration, test) = (try ONNXImporter.read("model.onnx").graph, try DataLoader(Dataset(path: "train.npz")), try DataLoader(Dataset(path: "test.npz")))

    var options = Recipe.calibrated.options(32)
    options.readoutDelay = .estimated
    let snn = try RecipeConverter(options, calibration: calibration)(ann)
    print(try Evaluator(snn, ann: ann, steps: [8, 16, 32]).run(test))
    _ = snn
}

/// Sources/Spikelet/Spikelet.docc/FileFormats.md
func sources_spikelet_spikelet_docc_fileformats_md() async throws {
    let snn = try SNNFile.read("snn.safetensors")

    try SNNFile.write(snn, to: "copy.safetensors")
    let copy = try SNNFile.read("copy.safetensors")
    print(copy.spiking?.recipe ?? "none", copy.parameterCount)
    _ = copy
    _ = snn
}

/// Sources/Spikelet/Spikelet.docc/Spikelet.md
func sources_spikelet_spikelet_docc_spikelet_md() async throws {
    let (model, train, test) = ("model.onnx", "train.npz", "test.npz")


    let ann = try ONNXImporter.read(model).graph
    let calibration = try DataLoader(Dataset(path: train), limit: 512)
    let snn = try RecipeConverter(Recipe.signed.options(8), calibration: calibration)(ann)
    print(snn)

    let images = try DataLoader(Dataset(path: test))
    let result = try Evaluator(snn, ann: ann, steps: [1, 2, 4, 8]).run(images)
    print(result)
    try Report([result]).write(to: "report.html")
    try SNNFile.write(snn, to: "snn.safetensors")
    _ = ann
    _ = calibration
    _ = images
    _ = result
    _ = snn
}

@main
enum Snippets {
    static func main() async throws {
        switch CommandLine.arguments.last {
        case "Documentation/Engine.md": try await documentation_engine_md()
        case "Documentation/Extending.md": try await documentation_extending_md()
        case "Documentation/FromSpikingJelly.md": try await documentation_fromspikingjelly_md()
        case "README.md": try await readme_md()
        case "Sources/Spikelet/Spikelet.docc/ChoosingARecipe.md": try await sources_spikelet_spikelet_docc_choosingarecipe_md()
        case "Sources/Spikelet/Spikelet.docc/FileFormats.md": try await sources_spikelet_spikelet_docc_fileformats_md()
        case "Sources/Spikelet/Spikelet.docc/Spikelet.md": try await sources_spikelet_spikelet_docc_spikelet_md()
        default: exit(64)
        }
    }
}
