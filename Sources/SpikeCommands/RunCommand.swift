import ArgumentParser
import Spikelet

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Runs the ANN itself, in float32.",
        discussion: """
            Use it to see that a model was imported rightly: its outputs should be those of the framework it comes from.

              spikelet run model.onnx --input x.npy --output y.npy

            x.npy holds samples, [N, …], as numpy.save writes them; bytes become 0…1 by 1/255, other numbers are taken as they \
            are. x.npz is data as 'spikelet evaluate' takes it, or holds an array for each of the network's inputs under its name; \
            y.npz gets all outputs under theirs. A folder of pictures is an input too, prepared as the options say. Standard output shows the type of each output, and where they are class scores the largest of each \
            sample.
            """)

    @Argument(help: "An ONNX model.")
    var model: String

    @Option(help: ArgumentHelp("The input, [N, …]; all inputs by name (.npz); or a folder of pictures.", valueName: "x.npy"))
    var input: String

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Where to write the network's (first) output; or all outputs by name (.npz).", valueName: "y.npy"))
    var output: String?

    @OptionGroup var modelOptions: ModelOptions

    @OptionGroup var preparation: PreparationOptions

    func run() throws {
        try checkOutputs([output], inputs: [model, input])
        let axes = try modelOptions.axes { [input, preparation] name, position in
            guard preparation.isGiven || NetworkFile.isFolder(input) else { return try inputShape(of: name, position, in: input) }
            return position == 0 ? try preparation.dataset(input).sampleShapes.first : nil
        }
        let graph = try NetworkFile.ann(model, openAxes: axes).graph
        let executor = ReferenceExecutor(graph)
        var outputs: [Tensor]
        let isDataset = try holdsDataset(input, for: graph)
        if input.lowercased().hasSuffix(".npz"), !isDataset {
            guard !preparation.isGiven else {
                throw SpikeletError(
                    .invalidOption, "named inputs are taken as they are", at: input,
                    remedy: "leave out --mean and --std and the options of pictures, and prepare the arrays themselves")
            }
            let tensors = try readInputs(input, of: graph)
            outputs = try locating(input) { try executor.run(tensors) }
        } else {
            let isPrepared = isDataset || NetworkFile.isFolder(input) || preparation.isGiven
            let portions =
                try isPrepared
                ? SamplePortions(preparation.dataset(input), at: input, for: graph) : SamplePortions(input, for: graph)
            var parts: [[Tensor]] = []
            try portions.forEach("running") { parts.append(try executor.run($0.inputs)) }
            let pieces = graph.piecesOfSamples()
            outputs = graph.outputs.enumerated().map { index, output in
                graph.joined(parts.map { $0[index] }, of: output.value, pieces: pieces)
            }
        }
        if let output { try writeOutputs(outputs, of: graph, to: output) }
        for (description, tensor) in zip(graph.outputs, outputs) { try show("\(description.name)  \(ValueType(tensor))") }
        try showClasses(outputs[0])
    }
}
