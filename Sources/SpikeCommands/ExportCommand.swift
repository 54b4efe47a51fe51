import ArgumentParser
import Foundation
import Spikelet

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Writes a spiking network for others: NIR for simulators and chips, or plain arrays.",
        discussion: """
              spikelet export snn.safetensors --output arrays.npz --format npz
              spikelet export snn.safetensors --target sinabs --approximate \\
                  --output network.nir
              spikelet export snn.safetensors --target norse --approximate \\
                  --check test.npz --limit 500 --output network.nir

            Targets, the readers of NIR files that rules are known for:
            \(NIRProfile.all.map { "  \($0.name)\n    \($0.summary)" }.joined(separator: "\n"))

            What is exported for spikelet has the same spikes to the bit when it is read here again.

            What NIR or the target cannot say is listed, and is an error where the meaning would change. With --approximate it is \
            replaced, and every replacement is named. --check simulates the written file as its reader will, and tells the \
            accuracy that this costs; of a regression, whose data have targets, the error.

            The arrays of --format npz have all scales and batch normalisations folded in, so that every threshold is 1: \
            LAYER.weight, LAYER.bias, LAYER.threshold, LAYER.initial. They are for integrate-and-fire neurons that all advance in \
            every step; other codes and schedules are listed and replaced as for NIR.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case nir, npz
    }

    @Argument(help: ArgumentHelp("A spiking network (.safetensors, or .nir).", valueName: "snn"))
    var network: String

    @Option(name: .shortAndLong, help: ArgumentHelp("Where to write it.", valueName: "file"))
    var output: String

    @Option(help: "What to write: nir, or npz for plain arrays.")
    var format = Format.nir

    @Option(help: "Who is to read it: \(NIRProfile.all.map(\.name).joined(separator: ", ")). Default: generic.")
    var target: String?

    @Flag(help: "Replace what cannot be said, and say by what.")
    var approximate = false

    @Option(help: ArgumentHelp("Labelled images: predict the accuracy at the target.", valueName: "data"))
    var check: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "The number of time steps it will be run for. Default: the network's own, or 32; at least 32 where layers wait.",
            valueName: "t"))
    var steps: Int?

    @Option(help: ArgumentHelp("Where to write what --check found, as JSON; '-': to standard output.", valueName: "file"))
    var json: String?

    @OptionGroup var dataOptions: DataOptions

    func validate() throws {
        let given = [("--target", target != nil), ("--check", check != nil), ("--steps", steps != nil)].filter(\.1).map(\.0)
        guard format == .nir || given.isEmpty else {
            throw ValidationError("\(given.joined(separator: ", ")) would change nothing: plain arrays are for nobody in particular.")
        }
        if json != nil, check == nil { throw ValidationError("--json tells what --check found: it needs --check DATA.") }
    }

    func run() throws {
        try checkOutputs([output, json == "-" ? nil : json], inputs: [network, check])
        let profile = try NIRProfile.named(target ?? "generic")
        let steps = try steps.map { try checkedSteps($0) }
        let snn = try NetworkFile.spiking(network)
        guard format == .nir else { return try writeArrays(snn) }
        let export = try locatingAll(network) { try NIRExporter(profile, approximate: approximate, steps: steps)(snn) }
        try NIRFile.write(export.graph, to: output)
        if json != "-" {
            try list(export.approximations, export.notes)
            try show("\(export.graph.nodes.count) nodes and \(export.graph.edges.count) edges for \(profile.name), written to \(output)")
        }
        guard let check else { return }
        let loader = try dataOptions.loader(check, for: snn)
        let portability = try PortabilityCheck(
            snn, exported: NIRFile.read(output), for: profile, task: locating(check) { try loader.task(of: snn) }, steps: export.steps,
            threads: ProcessInfo.processInfo.activeProcessorCount)
        let result = try locating(check) { try portability.run(loader) }
        if let json { try writeJSON(result, to: json) }
        if json != "-" { try show(block: result) }
    }

    private func writeArrays(_ snn: Graph) throws {
        let plain = try locatingAll(network) { try PlainArrays.fold(snn, approximate: approximate) }
        try NPZ.write(plain.arrays, to: output)
        try list(plain.approximations, plain.notes)
        try show("\(plain.arrays.count) arrays, written to \(output)")
    }

    private func list(_ approximations: [ExportFinding], _ notes: [String]) throws {
        for finding in approximations { try show("replaced: \(finding.text)") }
        for text in notes { try show("note: \(text)") }
    }
}

struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Reads a NIR file, so that it can be simulated and measured here.",
        discussion: """
              spikelet import network.nir --output snn.safetensors
              spikelet import network.nir --as norse --output snn.safetensors
              spikelet import network.nir --reset value --time-step 0.001 \\
                  --output snn.safetensors

            NIR describes neurons in continuous time and leaves steps and resets to whoever runs them: choose them here, or take \
            those of a reader with --as. 'simulate', 'evaluate' and 'inspect' take NIR files as they are, with the same options; \
            an imported network is a file that says itself how it runs.
            """)

    @Argument(help: ArgumentHelp("A NIR file.", valueName: "file.nir"))
    var file: String

    @Option(name: .shortAndLong, help: ArgumentHelp("Where to write the spiking network.", valueName: "snn.safetensors"))
    var output: String

    @OptionGroup var nir: NIROptions

    func run() throws {
        try checkOutputs([output], inputs: [file])
        // Also where its name is another: what it holds is said by libhdf5.
        let snn = try nir.reading.network(file)
        try SNNFile.write(snn, to: output)
        try show(block: snn)
        try show("written to \(output)")
    }
}
