import ArgumentParser
import Spikelet

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Runs the ANN itself, in float32.",
        discussion: """
            Use it to see that a model was imported rightly: its outputs should be those of the framework it comes from.

              spikelet run model.onnx --input x.npy --output y.npy

            x.npy holds samples, [N, …], as numpy.save writes them; bytes become 0…1 by 1/255, other numbers are taken as they \
            are. Standard output shows the type of each output, and where they are class scores the largest of each sample.
            """)

    @Argument(help: "An ONNX model.")
    var model: String

    @Option(help: ArgumentHelp("The input, [N, …].", valueName: "x.npy"))
    var input: String

    @Option(help: ArgumentHelp("Where to write the network's (first) output.", valueName: "y.npy"))
    var output: String?

    func run() throws {
        try checkOutputs([output], inputs: [model, input])
        let graph = try NetworkFile.ann(model).graph
        let executor = ReferenceExecutor(graph)
        let portions = try SamplePortions(input, for: graph)
        var parts: [Tensor] = []
        var types: [ValueType] = []
        try portions.forEach("running") { batch in
            let outputs = try executor.run(batch.inputs)
            parts.append(outputs[0])
            types = types.isEmpty ? outputs.map { ValueType($0) } : zip(types, outputs).map { $0.appending(ValueType($1)) }
        }
        let first = joined(parts)
        if let output { try NPY.write(first, to: output) }
        for (description, type) in zip(graph.outputs, types) { print("\(description.name)  \(type)") }
        printClasses(first)
    }
}

extension ValueType {
    /// The type of two values put together along the first axis.
    fileprivate func appending(_ other: ValueType) -> ValueType {
        guard let mine = shape.known, let size = mine.first, let more = other.shape.known?.first else { return self }
        return ValueType(elementType, Shape([Dimension(size + more)] + mine.dropFirst().map { Dimension($0) }))
    }
}
