import ArgumentParser
import Spikelet

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Shows a network layer by layer, and what of it can become spiking.",
        discussion: """
              spikelet inspect model.onnx
              spikelet inspect snn.safetensors
              spikelet inspect snn.safetensors --program --precision int8

            Of a model: every layer with its shape, its parameters and what becomes of it in a spiking network; where the file \
            comes from, and whether it can be converted; if not, every node in the way with the reason. Of a spiking network: its \
            layers, how it was made, and the warnings of its conversion. With --program also what the engine makes of it: its \
            stages, what it leaves to the slow reference path and why, and the memory that it plans for.
            """)

    @Argument(help: "An ONNX model, or a spiking network (.safetensors).")
    var network: String

    @Flag(help: "Of a spiking network: show the engine's program.")
    var program = false

    @Option(help: "The program's numbers: float32 or int8.")
    var precision = Precision.float32

    func run() throws {
        if NetworkFile.isSafetensors(network) || network.lowercased().hasSuffix(".safetensors") {
            try inspectSpiking()
        } else {
            guard !program else {
                throw SpikeletError(
                    .invalidOption, "--program shows what the engine makes of a spiking network, not of a model", at: network,
                    remedy: "convert it first: spikelet convert")
            }
            try inspectModel()
        }
    }

    private func inspectSpiking() throws {
        let snn = try NetworkFile.spiking(network)
        if program {
            print(try Compiler(precision: precision)(snn))
            return
        }
        print(snn)
        print("\(grouped(SynapseCounter(snn).denseOperations)) multiply–accumulates in one dense pass of one sample")
        if let steps = snn.spiking?.steps { print("converted for \(steps) steps") }
        for (fact, value) in (snn.spiking?.facts ?? [:]).sorted(by: { $0.key < $1.key }) { print("\(fact): \(value)") }
        for warning in snn.spiking?.warnings ?? [] { print("warning: \(warning)") }
    }

    private func inspectModel() throws {
        let model = try ONNXImporter.importModel(at: network)
        let graph = model.graph
        let convertibility = Convertibility(graph)
        print(table(graph, convertibility))
        print(model.report)
        print("\(grouped(SynapseCounter(graph).denseOperations)) multiply–accumulates for one sample")
        let rectifiers = convertibility.rectifiers.count
        print(rectifiers == 1 ? "1 rectifier becomes neurons" : "\(rectifiers) rectifiers become neurons")
        do {
            _ = try convertibility.check(allowAnalog: false)
            print("the network can be converted")
        } catch let error as SpikeletError {
            print("the network cannot be converted: \(error)")
        }
    }

    /// Every layer, and what becomes of it in a spiking network.
    private func table(_ graph: Graph, _ convertibility: Convertibility) -> String {
        var rows = [["name", "operator", "output", "parameters", "becomes", "attributes"]]
        for input in graph.inputs { rows.append([input.name, "Input", input.type.shape.description, "", "", ""]) }
        for node in graph.nodes {
            let parameters = node.inputs.compactMap { graph.constants[$0]?.count }.reduce(0, +)
            let bound = convertibility.roles[node.name] == .neurons ? node.operator.upperBound.map { ", at most \($0)" } : nil
            rows.append([
                node.name, node.operator.name, node.outputs.compactMap { graph.types[$0]?.shape.description }.joined(separator: " "),
                parameters > 0 ? "\(parameters)" : "", (convertibility.roles[node.name]?.rawValue ?? "") + (bound ?? ""),
                node.operator.payload.summary,
            ])
        }
        for output in graph.outputs {
            rows.append([output.name, "Output", graph.types[output.value]?.shape.description ?? "", "", "", ""])
        }
        return "network '\(graph.name)': \(graph.nodes.count) nodes, \(graph.parameterCount) parameters\n"
            + TextTable.format(rows, rightAligned: [3])
    }
}
