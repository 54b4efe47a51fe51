import Foundation
import SpikeData
import SpikeFormats
import Testing

@Suite struct ExportTests {
    @Test func `plain arrays are written for any network`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork()
        let run = try await folder.succeeding("export", "snn.safetensors", "--format", "npz", "--output", "a.npz")
        #expect(run.output.contains("arrays, written to a.npz"))
        let names = try NPZ(path: folder.file("a.npz")).names
        #expect(names.contains { $0.hasSuffix(".weight") } && names.contains { $0.hasSuffix(".threshold") })
    }

    @Test(arguments: [
        ["--format", "npz", "--target", "norse"], ["--json", "r.json"], ["--format", "xml"],
    ])
    func `options that would change nothing are wrong usage`(options: [String]) async throws {
        let run = try await Folder().spikelet2(["export", "snn.safetensors", "--output", "a"] + options)
        #expect(run.status == 64)
    }

    @Test func `an unknown target or device is refused with those there are`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork()
        let target = try await folder.spikelet2(["export", "snn.safetensors", "--output", "a.nir", "--target", "brain"])
        #expect(target.status == 1 && target.errors.contains("generic, sinabs, norse"))
        let device = try await folder.spikelet2(["inspect", "snn.safetensors", "--device", "brain"])
        #expect(device.status == 1 && device.errors.contains("speck2f, loihi2"))
        #expect(!folder.contents.contains("a.nir"))
    }

    @Test(.enabled(if: NIRFile.isSupported))
    func `a network goes out for a reader and comes in again, with a prediction`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork(options: ["--steps", "8"])
        let out = try await folder.succeeding(
            "export", "snn.safetensors", "--target", "norse", "--approximate", "--check", "data.npz", "--limit", "20", "--output", "a.nir")
        for part in ["replaced: ", "norse resets membranes to 0", "nodes and", "predicted drop"] {
            #expect(out.output.contains(part), "\(part)")
        }
        let refused = try await folder.spikelet2(["export", "snn.safetensors", "--target", "norse", "--output", "b.nir"])
        #expect(refused.status == 1 && refused.errors.contains("--approximate"))
        let back = try await folder.succeeding("import", "a.nir", "--as", "norse", "--output", "again.safetensors")
        #expect(back.output.contains("spiking network") && back.output.contains("(nir, streaming)"))
        let result = try await folder.succeeding("evaluate", "again.safetensors", "--data", "data.npz", "--limit", "20", "--steps", "8")
        #expect(result.output.contains("accuracy"))
    }

    @Test(.enabled(if: NIRFile.isSupported))
    func `a NIR file is simulated, measured and shown as it is, as the reader that it was written for`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork(options: ["--steps", "8"])
        try await folder.succeeding("export", "snn.safetensors", "--target", "norse", "--approximate", "--output", "a.nir")
        try await folder.succeeding("import", "a.nir", "--as", "norse", "--output", "b.safetensors")
        func counts(_ arguments: String...) async throws -> (text: String, errors: String) {
            let run = try await folder.spikelet2(["simulate"] + arguments + ["--input", "images.npy", "--steps", "8", "--output", "y.npy"])
            #expect(run.status == 0, "\(run.errors)")
            return (run.output, run.errors)
        }
        let imported = try await counts("b.safetensors")
        let own = try await counts("a.nir")
        #expect(own.text == imported.text && own.errors.contains("written for norse"))
        #expect(try await counts("a.nir", "--as", "norse") == imported)
        #expect(try await counts("a.nir", "--as", "generic").text != imported.text)
        #expect(try await counts("a.nir", "--as", "generic", "--reset", "value", "--time-step", "0.001").errors.isEmpty)
        let result = try await folder.succeeding("evaluate", "a.nir", "--as", "norse", "--data", "data.npz", "--steps", "8")
        let same = try await folder.succeeding("evaluate", "b.safetensors", "--data", "data.npz", "--steps", "8")
        #expect(result.lines.first { $0.hasPrefix("    8") } == same.lines.first { $0.hasPrefix("    8") })
        #expect(try await folder.succeeding("inspect", "a.nir", "--as", "norse").output.contains("\nreset: value\n"))
        #expect(try await folder.succeeding("inspect", "a.nir", "--as", "generic").output.contains("\nreset: subtraction\n"))
        for arguments in [["simulate", "b.safetensors", "--input", "images.npy"], ["inspect", Repository.tiny]] {
            let refused = try await folder.spikelet2(arguments + ["--as", "norse"])
            #expect(refused.status == 1 && refused.errors.contains("--as says how a NIR file's neurons run"))
        }
        // Judged by what it holds where the name says nothing.
        try folder.write(folder.data("a.nir"), "plain")
        #expect(try await counts("plain", "--as", "norse") == imported)
    }

    @Test func `a network is compared with a chip, and measured with its numbers`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork(options: ["--steps", "8"])
        let run = try await folder.succeeding(
            "inspect", "snn.safetensors", "--device", "speck2f", "--data", "data.npz", "--limit", "20")
        for part in ["Speck", "fan-in", "limits from: samna", "8-bit weights and 16-bit membranes"] {
            #expect(run.output.contains(part), "\(part)")
        }
        let small = try await folder.succeeding("inspect", "snn.safetensors", "--device", "xylo")
        #expect(small.output.contains("64 inputs, at most 16") && small.output.contains("it does not fit"))
    }

    /// `Tools/Checks/kill_writes.py` does it a thousand times.
    @Test func `killed while it writes, it leaves the old file or the new one`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork()
        try await folder.succeeding("export", "snn.safetensors", "--format", "npz", "--output", "new.npz")
        let (old, new) = (Data("old".utf8), try folder.data("new.npz"))
        for delay in stride(from: 0, to: 60, by: 6) {
            try folder.write(old, "out.npz")
            let process = Process()
            process.executableURL = Program.url
            process.arguments = ["export", "snn.safetensors", "--format", "npz", "--output", "out.npz"]
            process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            try process.run()
            try await Task.sleep(for: .milliseconds(delay))
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            let found = try folder.data("out.npz")
            #expect(found == old || found == new)
        }
        // What the killed ones left is gone with the next write.
        try await folder.succeeding("export", "snn.safetensors", "--format", "npz", "--output", "out.npz")
        #expect(folder.contents == ["data.npz", "images.npy", "logits.npy", "new.npz", "out.npz", "snn.safetensors", "unlabelled.npz"])
    }
}

extension Folder {
    /// Runs `spikelet` here.
    fileprivate func spikelet2(_ arguments: [String]) async throws -> Run { try await Program.run(arguments, in: path) }
}
