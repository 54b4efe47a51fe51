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

    var reading: NIRReading { NIRReading(reader: reader, reset: reset, timeStep: timeStep) }
}

/// How a NIR file is to be read; `nil` for what the user left open.
struct NIRReading {
    var reader: String?
    var reset: NIRDynamics.Reset?
    var timeStep: Double?

    /// The network in a NIR file.
    func network(_ path: String) throws -> Graph {
        let named = try reader.map { try NIRProfile.named($0) }
        let graph = try NIRFile.read(path)
        let own = named == nil ? NIRProfile.of(graph) : nil
        var dynamics = (named ?? own)?.dynamics ?? NIRDynamics()
        if let own, own.name != NIRProfile.spikelet.name, own.dynamics != NIRDynamics() {
            note("note: \(path) was written for \(own.name), so neurons run as there; --as chooses another reader")
        }
        if let reset { dynamics.reset = reset }
        if let timeStep { dynamics.timeStep = timeStep }
        let name = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
        return try locatingAll(path) { try NIRImporter(dynamics, name: name)(graph) }
    }

    /// Throws where something is asked for that only a NIR file leaves open.
    func requireNone(for path: String) throws {
        let given = [("--as", reader != nil), ("--reset", reset != nil), ("--time-step", timeStep != nil)].filter(\.1).map(\.0)
        guard given.isEmpty else {
            throw SpikeletError(
                .invalidOption, "\(given.joined(separator: ", ")) says how a NIR file's neurons run, and this is none", at: path,
                remedy: "leave it out: a spiking network of Spikelet's says itself how it runs")
        }
    }
}

/// Adds the file that a network came from to errors that do not say it themselves.
func locatingAll<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
    do {
        return try body()
    } catch let error as SpikeletError where error.location?.hasPrefix(path) != true {
        throw error.located(path)
    }
}
