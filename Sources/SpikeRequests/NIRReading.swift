import Foundation
package import SpikeFormats
package import SpikeGraph

/// How a NIR file is to be read; `nil` for what the user left open.
package struct NIRReading {
    private let reader: String?
    private let reset: NIRDynamics.Reset?
    private let timeStep: Double?
    private let note: (String) -> Void

    /// - Parameters:
    ///   - reader: whose rules neurons run by (``NIRProfile``).
    ///   - note: called with what a person should know.
    package init(
        reader: String? = nil, reset: NIRDynamics.Reset? = nil, timeStep: Double? = nil, note: @escaping (String) -> Void = { _ in }
    ) {
        (self.reader, self.reset, self.timeStep, self.note) = (reader, reset, timeStep, note)
    }

    /// The network in a NIR file.
    package func network(_ path: String) throws -> Graph {
        let named = try reader.map { try NIRProfile.named($0) }
        let graph = try NIRFile.read(path)
        let own = named == nil ? NIRProfile.of(graph) : nil
        var dynamics = (named ?? own)?.dynamics ?? NIRDynamics()
        if let own, own.name != NIRProfile.spikelet.name, own.dynamics != NIRDynamics() {
            note("\(path) was written for \(own.name), so neurons run as there; `reader` chooses another one")
        }
        if let reset { dynamics.reset = reset }
        if let timeStep { dynamics.timeStep = timeStep }
        let name = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
        return try locatingAll(path) { try NIRImporter(dynamics, name: name)(graph) }
    }

    /// Throws where something is asked for that only a NIR file leaves open.
    package func requireNone(for path: String) throws {
        let given = [("`reader`", reader != nil), ("`reset`", reset != nil), ("`timeStep`", timeStep != nil)].filter(\.1).map(\.0)
        guard given.isEmpty else {
            throw SpikeletError(
                .invalidOption, "\(given.joined(separator: ", ")) says how a NIR file's neurons run, and this is none", at: path,
                remedy: "leave it out: a spiking network of Spikelet's says itself how it runs")
        }
    }
}

/// Adds the file that a network came from to errors that do not say it themselves.
package func locatingAll<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
    do {
        return try body()
    } catch let error as SpikeletError where error.location?.hasPrefix(path) != true {
        throw error.located(path)
    }
}
