#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif
import Foundation
import SpikeData
import SpikeGraph
import Testing

/// Evaluations that are broken off, and gone on with.
@Suite struct ResumeTests {
    /// The program at work.
    private final class Running: Sendable {
        let process = Process()
        let folder: Folder

        init(_ folder: Folder, _ arguments: [String]) throws {
            self.folder = folder
            process.executableURL = Program.url
            process.arguments = arguments
            process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = FileHandle.nullDevice
            process.standardError = try folder.create("errors")
            try process.run()
        }

        /// Waits until a result file is there, of a run that has not ended.
        func untilPartial() async throws {
            for _ in 0..<3000 {
                if FileManager.default.fileExists(atPath: folder.file("result.json")) { return }
                try #require(process.isRunning, "it ended before it wrote anything")
                try await Task.sleep(for: .milliseconds(5))
            }
            Issue.record("no partial result within 15 s")
        }

        func end(_ signal: Int32) async -> Int32 {
            kill(process.processIdentifier, signal)
            while process.isRunning { try? await Task.sleep(for: .milliseconds(5)) }
            return process.terminationStatus
        }
    }

    /// Samples enough for some seconds, in small batches of the slow executor.
    private static func folder() async throws -> (folder: Folder, arguments: [String]) {
        let folder = try Folder()
        try await folder.makeNetwork()
        let count = 6000
        try NPZ.write(
            [("images", manyImages(count)), ("labels", Tensor((0..<count).map { Int64($0 % 3) }, shape: [count]))],
            to: folder.file("many.npz"))
        return (
            folder,
            [
                "evaluate", "snn.safetensors", "--reference", "--data", "many.npz", "--ann", Repository.tiny, "--steps", "1,4,64",
                "--batch-size", "7", "--threads", "1", "--json",
            ]
        )
    }

    /// A result without what was measured by the clock.
    private func comparable(_ text: String) throws -> NSDictionary {
        var object = try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        for key in ["seconds", "timing"] { object[key] = nil }
        return object as NSDictionary
    }

    @Test(arguments: [SIGINT, SIGTERM, SIGKILL]) func `a run that was broken off goes on to the result of one that was not`(signal: Int32)
        async throws
    {
        let (folder, arguments) = try await Self.folder()
        let running = try Running(folder, arguments + ["result.json"])
        try await running.untilPartial()
        let status = await running.end(signal)
        let partial = try #require(
            JSONSerialization.jsonObject(with: folder.data("result.json")) as? [String: Any], "the file is whole at any time")
        let done = try #require(partial["samples"] as? Int)
        #expect(done > 0 && done < 6000 && partial["partial"] != nil)
        if signal != SIGKILL {
            #expect(status == 1)
            let errors = try folder.text("errors")
            #expect(errors.contains("broken off after") && errors.contains("--resume goes on"), "\(errors)")
        }
        // A partial result can be read by those who read results.
        let shown = try await folder.spikelet("compare", "result.json")
        #expect(shown.status == 0 && shown.output.contains("was broken off"))
        // Other batches and threads than before.
        var resumed = arguments
        resumed[resumed.count - 4] = "100"
        resumed[resumed.count - 2] = "2"
        let rest = try await Program.run(resumed + ["result.json", "--resume"], in: folder.path)
        #expect(rest.status == 0 && rest.errors.contains("going on after"), "\(rest.errors)")
        let whole = try await Program.run(resumed + ["whole.json"], in: folder.path)
        #expect(whole.status == 0)
        #expect(try comparable(folder.text("result.json")) == comparable(folder.text("whole.json")))
        #expect(folder.contents.allSatisfy { signal == SIGKILL || !$0.hasPrefix(".spikelet-") })
        // What is complete stays as it is.
        let again = try await Program.run(resumed + ["result.json", "--resume"], in: folder.path)
        #expect(again.status == 0 && again.errors.contains("was complete"))
        #expect(again.output.split(separator: "\n").first == rest.output.split(separator: "\n").first)
    }

    @Test func `a run is not gone on with under other conditions`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork()
        let arguments = ["evaluate", "snn.safetensors", "--data", "data.npz", "--json", "result.json"]
        // Without a file, --resume starts.
        let first = try await Program.run(arguments + ["--steps", "4", "--resume"], in: folder.path)
        #expect(first.status == 0)
        for (options, name) in [
            (["--steps", "8"], "steps"), (["--steps", "4", "--limit", "10"], "data"), (["--steps", "4", "--ann", Repository.tiny], "ann"),
            (["--steps", "4", "--precision", "int8"], "precision"),
        ] {
            let run = try await Program.run(arguments + options + ["--resume"], in: folder.path)
            #expect(run.status == 1 && run.errors.contains("another value of \(name) ") && run.errors.contains("→"), "\(run.errors)")
        }
        for text in ["", "{", "[1]", "{\"samples\": 3}"] {
            try folder.write(Data(text.utf8), "result.json")
            let run = try await Program.run(arguments + ["--steps", "4", "--resume"], in: folder.path)
            #expect(run.status == 1 && run.errors.contains("result.json") && run.errors.contains("→"), "\(run.errors)")
        }
    }
}
