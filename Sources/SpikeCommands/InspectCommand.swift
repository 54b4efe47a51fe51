import ArgumentParser
import Foundation
import Spikelet

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Shows a network layer by layer, and what of it can become spiking.",
        discussion: """
              spikelet inspect model.onnx
              spikelet inspect snn.safetensors
              spikelet inspect snn.safetensors --device speck2f --data test.npz --limit 500
              spikelet inspect snn.safetensors --program --precision int8
              spikelet inspect network.nir --as norse

            Of a model: every layer with its shape, its parameters and what becomes of it in a spiking network; where the file \
            comes from, and whether it can be converted; if not, every node in the way with the reason. Of a spiking network: its \
            layers, how it was made, and the warnings of its conversion. With --program also what the engine makes of it: its \
            stages, what it leaves to the slow reference path and why, and the memory that it plans for.

            With --device a spiking network is compared with the public limits of a chip (\(Device.all.map(\.name).joined(separator: ", "))), \
            layer by layer; limits that are not public are left out. With --data it is also measured as the chip would compute it: \
            8-bit weights, 16-bit membranes.
            """)

    @Argument(help: "An ONNX model, or a spiking network (.safetensors, or .nir).")
    var network: String

    @Flag(help: "Of a spiking network: show the engine's program.")
    var program = false

    @Option(help: "The program's numbers: float32 or int8.")
    var precision = Precision.float32

    @Option(help: "A chip to compare it with: \(Device.all.map(\.name).joined(separator: ", ")).")
    var device: String?

    @Option(help: ArgumentHelp("Labelled images: measure it with the chip's numbers.", valueName: "data"))
    var data: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The number of time steps to measure. Default: the network's own, or 32.", valueName: "t"))
    var steps: Int?

    @OptionGroup var dataOptions: DataOptions

    @OptionGroup var modelOptions: ModelOptions

    @OptionGroup var nir: NIROptions

    func validate() throws {
        if data != nil, device == nil { throw ValidationError("--data measures with a chip's numbers: it needs --device.") }
    }

    func run() throws {
        if let device { return try inspectFit(on: Device.named(device)) }
        if NetworkFile.isNIR(network) || NetworkFile.isSafetensors(network) || network.lowercased().hasSuffix(".safetensors") {
            try inspectSpiking()
        } else {
            try nir.reading.requireNone(for: network)
            guard !program else {
                throw SpikeletError(
                    .invalidOption, "--program shows what the engine makes of a spiking network, not of a model", at: network,
                    remedy: "convert it first: spikelet convert")
            }
            try inspectModel()
        }
    }

    private func inspectSpiking() throws {
        let snn = try NetworkFile.spiking(network, nir: nir.reading, openAxes: modelOptions.axes())
        if program {
            try show(block: Compiler(precision: precision)(snn))
            return
        }
        try show(block: snn)
        try show("\(grouped(SynapseCounter(snn).denseOperations)) multiply–accumulates in one dense pass of one sample")
        if let steps = snn.spiking?.steps {
            try show(snn.digitsByLayer.map { "digits a layer: \($0)" } ?? "converted for \(steps) steps")
        }
        if NetworkFile.isSafetensors(network), let model = try SNNFile.model(in: SafetensorsFile(path: network)) {
            try show(model.sizes(in: snn))
        }
        // The digits stand above.
        for (fact, value) in (snn.spiking?.facts ?? [:]).sorted(by: { $0.key < $1.key }) where fact != "digits" {
            try show("\(fact): \(value)")
        }
        for warning in snn.spiking?.warnings ?? [] { try show("warning: \(warning)") }
    }

    private func inspectFit(on device: Device) throws {
        let steps = try steps.map { try checkedSteps($0) }
        let snn = try NetworkFile.spiking(network, nir: nir.reading, openAxes: modelOptions.axes())
        try show(block: HardwareFit(snn, on: device, steps: steps))
        guard let data else { return }
        let count = steps ?? snn.spiking.map(NIRExporter.usualSteps) ?? 32
        let own = snn.spiking?.comparableSteps(count) ?? count
        let chip = try HardwareFit.quantized(snn, for: device, steps: steps)
        let loader = try dataOptions.loader(data, for: snn)
        let results = try locating(data) {
            try [(snn, own), (chip, count)].map { graph, steps in
                let evaluator = try Evaluator(
                    graph, task: loader.task(of: graph), steps: [steps], executor: .engine(.float32, countedSamples: 1),
                    threads: ProcessInfo.processInfo.activeProcessorCount)
                return try evaluator.run(loader)
            }
        }
        if let judgedBy = results[0].judgedBy { try show("judged by: \(judgedBy)") }
        let qualities = results.map { $0.steps.last?.qualityText ?? "–" }
        try show(
            "\(results[0].steps.last?.error == nil ? "accuracy" : "RMS error") on \(results[0].samples) samples, T = \(count): "
                + "\(qualities[0]) as it is" + (own == count ? "" : " in its own \(own) steps")
                + ", \(qualities[1]) with \(device.weightBits)-bit weights and \(device.stateBits)-bit membranes")
    }

    private func inspectModel() throws {
        let model = try ONNXImporter.read(network, openAxes: modelOptions.axes())
        let graph = model.graph
        let convertibility = Convertibility(graph)
        try show(block: table(graph, convertibility))
        try show(block: model.report)
        try show(block: "\(grouped(SynapseCounter(graph).denseOperations)) multiply–accumulates for one sample\n")
        try show(block: becoming(graph, convertibility), terminator: "")
        var verdict = "the network can be converted"
        if !convertibility.rolesInDigits.isEmpty {
            verdict +=
                " with the recipe radix, of 6 to 8 digits: what weights and products read is sent as digits; other recipes "
                + ((try? convertibility.check(allowAnalog: false)) == nil
                    ? "take ReLUs alone" : "leave everything in front of the first ReLU real-valued")
            try show(block: verdict)
            return
        }
        do {
            _ = try convertibility.check(allowAnalog: false)
        } catch let error as SpikeletError {
            verdict = "the network cannot be converted: \(error)".withOptionNames
        }
        try show(block: verdict)
    }

    /// What becomes of the nodes, in groups: a line for each role, its operators counted.
    private func becoming(_ graph: Graph, _ convertibility: Convertibility) -> String {
        guard convertibility.rolesInDigits.isEmpty else { return groups(graph, convertibility) }
        // A LeakyReLU is two layers of neurons.
        let split = (try? SplitRectifiers().run(graph)) ?? graph
        let activations = Convertibility(split).activations.compactMap { split.node(named: $0) }
        let neurons = activations.compactMap { split.types[$0.outputs[0]]?.shape.resolved(batch: 1).reduce(1, *) }.reduce(0, +)
        let count = activations.count == 1 ? "1 ReLU becomes" : "\(activations.count) ReLUs become"
        return "\(count) neurons" + (neurons > 0 ? ", \(grouped(neurons)) of them for one sample\n" : "\n")
            + groups(graph, convertibility)
    }

    private func groups(_ graph: Graph, _ convertibility: Convertibility) -> String {
        var text = ""
        for role in Convertibility.Role.allCases {
            let nodes = graph.nodes.filter { shownRole($0, convertibility) == role }
            guard !nodes.isEmpty else { continue }
            let kinds = Dictionary(grouping: nodes) { $0.operator.name + (bound($0, role).map { " (\($0))" } ?? "") }
            text +=
                "  \(role.rawValue): " + kinds.sorted { $0.key < $1.key }.map { "\($0.key) ×\($0.value.count)" }.joined(separator: ", ")
                + "\n"
        }
        return text
    }

    /// Where nothing becomes a neuron, nothing comes before the spikes either.
    private func shownRole(_ node: Node, _ convertibility: Convertibility) -> Convertibility.Role? {
        if let role = convertibility.rolesInDigits[node.name] { return role }
        let role = convertibility.roles[node.name]
        return role == .analog && convertibility.activations.isEmpty ? nil : role
    }

    private func bound(_ node: Node, _ role: Convertibility.Role?) -> String? {
        role == .neurons ? node.operator.upperBound.map { String(format: "θ ≤ %g", $0) } : nil
    }

    /// Every layer, and what becomes of it in a spiking network.
    private func table(_ graph: Graph, _ convertibility: Convertibility) -> String {
        var rows = [["name", "operator", "output", "parameters", "becomes", "attributes"]]
        for input in graph.inputs { rows.append([input.name, "Input", input.type.shape.description, "", "", ""]) }
        for node in graph.nodes {
            let parameters = node.inputs.compactMap { graph.constants[$0]?.count }.reduce(0, +)
            let role = shownRole(node, convertibility)
            rows.append([
                node.name, node.operator.name, node.outputs.compactMap { graph.types[$0]?.shape.description }.joined(separator: " "),
                parameters > 0 ? "\(parameters)" : "", (role?.rawValue ?? "") + (bound(node, role).map { ", \($0)" } ?? ""),
                node.operator.payload.summary,
            ])
        }
        for output in graph.outputs {
            rows.append([output.name, "Output", graph.types[output.value]?.shape.description ?? "", "", "", ""])
        }
        return "network '\(graph.name.visible)': \(graph.nodes.count) nodes, \(graph.parameterCount) parameters\n"
            + TextTable.format(rows, rightAligned: [3], names: [0])
    }
}
