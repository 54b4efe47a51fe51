import Testing

@Suite struct HelpTests {
    /// Every command with the options that its contract names.
    static let commands: [(name: String, options: [String])] = [
        ("demo", ["--network", "--models", "--limit"]), ("inspect", ["--program", "--precision", "--device", "--data", "--steps"]),
        ("run", ["--input", "--output"]),
        (
            "convert",
            [
                "--calibration", "--output", "--recipe", "--steps", "--mode", "--momentum", "--no-fuse", "--per-channel", "--per-layer",
                "--pooling", "--allow-analog", "--batch-size", "--limit", "--split", "--mean", "--std",
            ]
        ),
        ("simulate", ["--input", "--steps", "--output", "--per-step", "--spike-counts", "--time-varying", "--precision", "--reference"]),
        (
            "evaluate",
            [
                "--data", "--ann", "--steps", "--limit", "--json", "--threads", "--batch-size", "--split", "--mean", "--std", "--precision",
                "--exit-confidence", "--exit-loss", "--resume", "--report", "--time-varying",
            ]
        ), ("compare", ["--data", "--ann", "--steps", "--time-varying", "--report", "--json", "--limit", "--threads", "--precision"]),
        ("explore", ["--data", "--ann", "--steps", "--port", "--limit", "--split", "--mean", "--std"]),
        ("benchmark", ["--input", "--steps", "--batch-size", "--threads", "--precision", "--json"]), ("kernels", ["--measure", "--json"]),
        ("export", ["--output", "--format", "--target", "--approximate", "--check", "--steps", "--json"]),
        ("import", ["--output", "--reset", "--time-step", "--as"]), ("download", ["--sha256"]),
    ]

    @Test func `the program's own help names every command and shows the way`() async throws {
        let run = try await Folder().succeeding("--help")
        for (name, _) in Self.commands { #expect(run.output.contains("\n  \(name) "), "\(name)") }
        for part in ["spikelet convert  model.onnx", "Exit", "standard error"] { #expect(run.output.contains(part), "\(part)") }
        #expect(try await Folder().succeeding().output == run.output)
        #expect(try await Folder().succeeding("--version").output.split(separator: ".").count == 3)
    }

    @Test(arguments: ["bash", "zsh", "fish"]) func `shells can complete commands and options`(shell: String) async throws {
        let script = try await Folder().succeeding("--generate-completion-script", shell).output
        for part in ["evaluate", "explore", "port", "target-drop"] { #expect(script.contains(part), "\(part)") }
    }

    @Test(arguments: commands) func `each command's help has examples and every option with a line`(name: String, options: [String])
        async throws
    {
        let folder = try Folder()
        let run = try await folder.succeeding(name, "--help")
        #expect(run.output.contains("\n  spikelet \(name)"))
        #expect(run.output == (try await folder.succeeding("help", name).output))
        let lines = run.lines
        for option in options {
            let position = try #require(lines.firstIndex { $0.hasPrefix("  \(option)") || $0.hasPrefix("  -o, \(option)") }, "\(option)")
            // The text stands behind the option, or below it.
            let behind = lines[position].dropFirst(26).contains { $0.isLetter }
            #expect(behind || lines[position + 1].hasPrefix(String(repeating: " ", count: 26)), "\(option)")
        }
        #expect(lines.allSatisfy { $0.count <= 100 || $0.hasPrefix("USAGE") })
    }

    @Test(arguments: [
        ["fly"], ["run"], ["run", "x.onnx"], ["convert", "x.onnx", "--calibration", "x.npy"],
        ["convert", "x.onnx", "--calibration", "x.npy", "--output", "y", "--target-drop", "1", "--steps", "4"],
        ["convert", "x.onnx", "--calibration", "x.npy", "--output", "y", "--recipe", "magic"],
        ["convert", "x.onnx", "--calibration", "x.npy", "--output", "y", "--recipe", "radix", "--steps", "abc"],
        ["convert", "x.onnx", "--calibration", "x.npy", "--output", "y", "--recipe", "radix", "--mode", "max"],
        ["convert", "x.onnx", "--calibration", "x.npy", "--output", "y", "--recipe", "rate-coding", "--per-channel"],
        ["simulate", "x.safetensors", "--input", "x.npy", "--per-step"], ["simulate", "x.safetensors", "--input", "x.npy", "--fast"],
        ["simulate", "x.safetensors", "--input", "x.npy", "--precision", "int8", "--reference"],
        ["simulate", "x.safetensors", "--input", "x.npy", "--precision", "float16"], ["benchmark", "x.safetensors"],
        ["benchmark", "x.safetensors", "--input", "x.npy", "--threads", "many"], ["kernels", "--json", "x.json"],
        ["evaluate", "x.safetensors", "--data", "x.npz", "--exit-confidence", "0.9", "--exit-loss", "1"],
        ["evaluate", "x.safetensors", "--data", "x.npz", "--exit-loss", "1", "--reference"],
        ["evaluate", "x.safetensors", "--data", "x.npz", "--resume"],
        ["evaluate", "x.safetensors", "--data", "x.npz", "--resume", "--json", "-"], ["compare"], ["evaluate", "x.safetensors"],
        ["evaluate", "x.safetensors", "--data", "x.npz", "--threads", "many"],
        ["download", "http://localhost/"], ["explore", "x.safetensors"], ["explore", "x.safetensors", "--data", "x.npz", "--port", "many"],
    ]) func `wrong usage ends with 64 and the usage`(arguments: [String]) async throws {
        let folder = try Folder()
        let run = try await Program.run(arguments, in: folder.path)
        #expect(run.status == 64)
        #expect(run.output.isEmpty)
        #expect(run.errors.hasPrefix("Error: ") && run.errors.contains("--help"), "\(run.errors)")
    }
}
