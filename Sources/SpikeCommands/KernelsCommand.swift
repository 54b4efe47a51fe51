import ArgumentParser
import Spikelet

struct KernelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels", abstract: "Shows the engine's kernels, and which of them run on this machine.",
        discussion: """
              spikelet kernels
              spikelet kernels --measure
              SPIKELET_ISA=scalar spikelet kernels

            Every kernel exists as plain C ('scalar') and for the instruction sets that are worth it; the best that the machine \
            has is chosen when the program starts. With --measure layers of several sizes are timed over densities of spikes, in \
            additions a nanosecond and as a share of what reading their weights alone would allow, and the crossovers from gathering \
            spikes to dense products, as SPIKELET_CROSSOVERS takes them. Give the machine nothing else to do then.
            """)

    @Flag(help: "Time them; takes some minutes.")
    var measure = false

    @Option(help: ArgumentHelp("How many time steps to measure with, 1 to 64.", valueName: "t"))
    var steps = 32

    @Option(help: ArgumentHelp("Where to write what was measured, as JSON; '-': to standard output.", valueName: "file"))
    var json: String?

    func validate() throws {
        guard (1...64).contains(steps) else {
            throw ValidationError("--steps is \(steps): give 1 to 64, as many as go through a layer at a time.")
        }
        if json != nil, !measure { throw ValidationError("--json tells what was measured: it needs --measure.") }
    }

    func run() throws {
        try checkOutputs([json == "-" ? nil : json])
        try KernelList.checkEnvironment()
        if json != "-" { try show(block: KernelList(), terminator: "") }
        guard measure else { return }
        let result = KernelBenchmark(steps: steps)
        if let json { try writeJSON(result, to: json) }
        if json != "-" { try show(block: "\n\(result)") }
    }
}
