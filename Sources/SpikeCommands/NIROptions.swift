import ArgumentParser
import Foundation
import Spikelet

/// How a NIR file's neurons are run; shared by the commands that read spiking networks.
struct NIROptions: ParsableArguments {
    @Option(
        name: .customLong("as"),
        help: ArgumentHelp(
            "Of a NIR file: run neurons as this reader does: \(NIRProfile.all.map(\.name).joined(separator: ", ")). Default: the one that Spikelet wrote the file for, else generic.",
            valueName: "reader"))
    var reader: String?

    @Option(help: "Of a NIR file: what a spike does to a membrane. subtraction takes the threshold off, value sets v_reset.")
    var reset: NIRDynamics.Reset?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Of a NIR file: the length of a step, in the unit of its time constants. Default: 0.0001.", valueName: "dt"))
    var timeStep: Double?

    var reading: NIRReading {
        NIRReading(reader: reader, reset: reset, timeStep: timeStep) { SpikeCommands.note("note: \($0)") }
    }
}
