import Dispatch
import Foundation
import SpikeFiles
import Spikelet

/// The JSON file of an evaluation, which holds the result so far while the work goes on: after a break `--resume` goes on from it.
struct ResultFile {
    let path: String
    private let settings: [String: String]
    private var written = DispatchTime.now()
    /// Seconds between two writes: the more a write takes, the longer.
    private var interval = 1.0

    init(_ path: String, settings: [String: String]) {
        self.path = path
        self.settings = settings
    }

    /// The earlier run that the file holds; `nil` where there is no file.
    ///
    /// - Throws: where the file is no result, or one of another run.
    func earlier() throws -> EvaluationResult? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let result = try EvaluationResult.read(path)
        let given = result.settings ?? [:]
        for name in Set(settings.keys).union(given.keys).sorted() where settings[name] != given[name] {
            throw SpikeletError(
                .invalidData,
                "its run had another value of \(name) (\(given[name].map(Self.short) ?? "none") instead of \(settings[name].map(Self.short) ?? "none"))",
                at: path, remedy: "give what it was given, or leave out --resume to start again")
        }
        return result
    }

    /// Takes note of what has been found so far: writes it from time to time, and when the user breaks off.
    ///
    /// - Throws: ``SpikeletError`` (`interrupted`) after the user has.
    mutating func note(_ progress: EvaluationProgress, of total: Int) throws {
        let isInterrupted = Interrupt.isRequested
        let elapsed = Self.seconds(since: written)
        guard isInterrupted || elapsed > interval else { return }
        let start = DispatchTime.now()
        var result = progress.partialResult()
        result.settings = settings
        try writeJSON(result, to: path)
        written = DispatchTime.now()
        interval = max(1, 20 * Self.seconds(since: start))
        guard isInterrupted else { return }
        throw SpikeletError(
            .interrupted, "broken off after \(grouped(progress.samples)) of \(grouped(total)) samples; the file holds the result so far",
            at: path, remedy: "the same command with --resume goes on from there")
    }

    private static func seconds(since start: DispatchTime) -> Double {
        Double(DispatchTime.now().uptimeNanoseconds - start.uptimeNanoseconds) / 1e9
    }

    /// A digest's beginning tells enough.
    private static func short(_ setting: String) -> String { setting.count == 64 ? setting.prefix(12) + "…" : setting }
}
