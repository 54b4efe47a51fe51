import Foundation
import SpikeData
import SpikeGraph
import SpikeONNX
import SwiftProtobuf
import Testing

/// What the program writes to standard output and standard error, and what becomes of it where they take nothing.
@Suite struct StreamTests {
    /// Colours, the title of a window, a cleared screen, a turned line, and lines that pass for the program's own.
    private static let hostile = "\u{1B}[31mRED\u{1B}]0;pwned\u{7}\r\u{202E}\u{9B}2J\nFORGED line\u{2028}FORGED\u{85}FORGED"

    /// A model of which each name is hostile.
    private static func hostileModel(_ operators: [String] = ["Gemm", "Relu", "Gemm"]) throws -> Data {
        var model = try ONNXModelProto(serializedBytes: Models.chain(operators))
        model.producerName = "p" + hostile
        model.producerVersion = hostile
        model.graph.name = "g" + hostile
        model.graph.node = model.graph.node.enumerated().map { position, node in
            var node = node
            node.name = "node\(position)" + hostile
            node.input = node.input.map { $0 == "w" ? $0 : $0 + hostile }
            node.output = node.output.map { $0 + hostile }
            return node
        }
        model.graph.input[0].name = "x" + hostile
        model.graph.output[0].name = "y" + hostile
        return try model.serializedData()
    }

    private func expectHarmless(_ run: Run, _ what: String) {
        for text in [run.output, run.errors] {
            let controls = Set(text.unicodeScalars.filter { !$0.isVisible && $0 != "\n" }.map { String($0.value, radix: 16) })
            #expect(controls.isEmpty, "\(what): \(controls.sorted())")
            #expect(!text.split(whereSeparator: \.isNewline).contains { $0.hasPrefix("FORGED") }, "\(what):\n\(text)")
        }
    }

    @Test func `no name in a file controls the terminal or forges a line`() async throws {
        let folder = try Folder()
        try folder.write(Self.hostileModel(), "m.onnx")
        try folder.write(Self.hostileModel(["Gemm", "Bernoulli\u{1B}[0m", "Gemm"]), "unknown.onnx")
        try folder.write(Self.hostileModel(["Gemm", "Relu", "Gelu", "Gemm"]), "analog.onnx")
        let images = Tensor((0..<256).map { Float($0 * 37 % 101) / 101 }, shape: [64, 4])
        try NPZ.write(
            [("images", images), ("labels", Tensor((0..<64).map { Int64($0 % 4) }, shape: [64])), ("s" + Self.hostile, images)],
            to: folder.file("d.npz"))
        try NPZ.write([("a" + Self.hostile, images)], to: folder.file("unnamed.npz"))
        let converted = try await folder.spikelet(
            "convert", "m.onnx", "--calibration", "d.npz", "--steps", "4", "--output", "s.safetensors")
        try #require(converted.status == 0, "\(converted.errors)")
        expectHarmless(converted, "convert")
        for line in [
            "inspect m.onnx", "inspect unknown.onnx", "inspect analog.onnx", "inspect s.safetensors", "inspect s.safetensors --program",
            "inspect s.safetensors --device speck2f", "run m.onnx --input d.npz",
            "convert analog.onnx --calibration d.npz --output n.safetensors",
            "convert m.onnx --calibration unnamed.npz --output n.safetensors",
            "evaluate s.safetensors --data d.npz --steps 2 --ann m.onnx --layers",
            "evaluate s.safetensors --data d.npz --steps 2 --ann m.onnx --outputs", "compare s.safetensors --data d.npz --steps 2",
            "benchmark s.safetensors --input i.npy --runs 1", "export s.safetensors --target norse --output n.nir",
            "simulate nothing\u{1B}[31mRED.safetensors --input d.npz",
        ] {
            try NPY.write(images, to: folder.file("i.npy"))
            expectHarmless(try await Program.run(line.split(separator: " ").map(String.init), in: folder.path), line)
        }
        // A name whose beginning a table shows, and one in an error.
        #expect(try await folder.spikelet("run", "m.onnx", "--input", "i.npy").output.contains("y\\u{1B}[31mRED"))
        #expect(try await folder.spikelet("inspect", "unknown.onnx").errors.contains("\\u{1B}[0m"))
        // JSON has the true name, wherever it goes.
        let json = try await folder.succeeding("evaluate", "s.safetensors", "--data", "d.npz", "--steps", "2", "--json", "-").output
        #expect(!json.unicodeScalars.contains { !$0.isVisible && $0 != "\n" })
        func texts(_ value: Any) -> [String] {
            if let text = value as? String { return [text] }
            if let list = value as? [Any] { return list.flatMap(texts) }
            return (value as? [String: Any])?.values.flatMap(texts) ?? []
        }
        let names = texts(try JSONSerialization.jsonObject(with: Data(json.utf8)))
        #expect(names.contains { $0.unicodeScalars.elementsEqual(("node0" + Self.hostile).unicodeScalars) }, "\(names)")
    }

    #if os(Linux)
    @Test(arguments: [
        "--help", "--version", "convert --help", "inspect snn.safetensors", "evaluate snn.safetensors --data data.npz --steps 2",
        "evaluate snn.safetensors --data data.npz --steps 2 --json -", "simulate snn.safetensors --input images.npy", "kernels",
    ])
    func `results that a full disk does not take are an error`(line: String) async throws {
        let folder = try Folder()
        try await folder.makeNetwork()
        let run = try await folder.shell("exec \"$0\" \(line) >/dev/full")
        #expect(run.status == 1)
        #expect(run.errors.contains("Error: standard output: cannot write: the disk is full"), "\(run.errors)")
    }

    @Test func `where standard error goes is nothing that work depends on`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork()
        let evaluate = "\"$0\" evaluate snn.safetensors --data data.npz --steps 2 --json j.json"
        #expect(try await folder.shell("exec \(evaluate)").status == 0)
        for errors in ["2>/dev/full", "2>&-"] {
            let run = try await folder.shell("exec \(evaluate) --resume \(errors)")
            #expect(run.status == 0, "\(errors)")
            #expect(run.output.contains("samples"))
        }
        #expect(try await folder.shell("exec \"$0\" inspect nowhere.onnx 2>&-").status == 1)
        // A file that is written does not take a closed stream's place, and with it what is written there.
        try await folder.succeeding("run", Repository.tiny, "--input", "images.npy", "--output", "y.npy")
        for closed in ["2>&-", "<&- 2>&-"] {
            #expect(try await folder.shell("exec \"$0\" run \(Repository.tiny) --input images.npy --output z.npy \(closed)").status == 0)
            #expect(try folder.data("y.npy") == folder.data("z.npy"))
        }
        let lost = try await folder.shell("exec \"$0\" run \(Repository.tiny) --input images.npy --output z.npy >&-")
        #expect(lost.status == 1)
        #expect(lost.errors.contains("standard output: cannot write: it is closed"))
        #expect(try folder.data("y.npy") == folder.data("z.npy"))
    }

    @Test func `a reader that goes away ends the program, without a word where that is usual`() async throws {
        let folder = try Folder()
        let reader = Pipe()
        try reader.fileHandleForReading.close()
        let run = try await folder.shell("exec \"$0\" --help", output: reader.fileHandleForWriting)
        // 13: the signal; who ignores it gets a message.
        #expect(run.status == 13 && run.errors.isEmpty || run.status == 1 && run.errors.contains("standard output"), "\(run)")
    }
    #endif

    @Test func `only one place writes to the standard streams`() throws {
        let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Sources")
        let allowed: Set = ["SpikeCommands/Streams.swift", "SpikeCommands/ProgressBar.swift", "SpikeletTool/Tool.swift"]
        let writing = try Regex(
            #"(^|[^\w.])(print|debugPrint|dump|NSLog|fputs|puts|printf|fwrite)\(|FileHandle\.standard|STD(OUT|ERR)_FILENO"#)
        var searched = 0
        for case let file as URL in try #require(FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil)) {
            let name = String(file.path.dropFirst(sources.path.count + 1))
            guard file.pathExtension == "swift", !allowed.contains(name) else { continue }
            searched += 1
            let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
            for (number, line) in lines.enumerated() where !line.contains("//") && line.firstMatch(of: writing) != nil {
                Issue.record("\(name):\(number + 1) writes by itself: \(line)")
            }
        }
        #expect(searched > 200)
    }
}

extension Folder {
    /// Runs a line of the shell here, in which `$0` is `spikelet`.
    func shell(_ line: String, output: FileHandle? = nil) async throws -> Run {
        try await Program.run(["-c", line, Program.url.path], in: path, program: URL(fileURLWithPath: "/bin/sh"), output: output)
    }
}
