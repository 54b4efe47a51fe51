import ArgumentParser
import Spikelet

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "run", abstract: "Runs the ANN itself, in float32.")

    @Argument(help: "An ONNX model.")
    var model: String

    @Option(help: "The input, [N, …] (.npy). Bytes become 0…1 by 1/255.")
    var input: String

    @Option(help: "Where to write the network's (first) output (.npy).")
    var output: String?

    func run() throws {
        let graph = try ONNXImporter.importModel(at: model).graph
        let outputs = try ReferenceExecutor(graph).run([try readInput(input)])
        if let output { try NPY.write(outputs[0], to: output) }
        for (description, tensor) in zip(graph.outputs, outputs) {
            print("\(description.name)  \(ValueType(tensor))")
        }
        printClasses(outputs[0])
    }
}

/// The largest output of the first samples, where the output is one row of numbers a sample.
func printClasses(_ output: Tensor, most: Int = 10) {
    guard output.rank == 2, output.shape[1] > 0 else { return }
    var rows = [["sample", "largest output", "value"]]
    let columns = output.shape[1]
    let values = output.floats
    for sample in 0..<min(most, output.shape[0]) {
        let row = values[sample * columns..<(sample + 1) * columns]
        let best = row.indices.reduce(row.startIndex) { row[$1] > row[$0] ? $1 : $0 }
        rows.append(["\(sample)", "\(best - row.startIndex)", "\(row[best])"])
    }
    print(TextTable.format(rows, rightAligned: [0, 1, 2]), terminator: "")
    if output.shape[0] > most { print("… and \(output.shape[0] - most) more") }
}
