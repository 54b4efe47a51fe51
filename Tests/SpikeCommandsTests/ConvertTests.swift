import Foundation
import SpikeData
import SpikeGraph
import Testing

@Suite struct ConvertTests {
    @Test(arguments: ["rate-coding", "calibrated", "signed", "burst", "radix", "local-threshold-balancing"])
    func `every recipe writes a network that can be simulated`(recipe: String) async throws {
        let folder = try Folder()
        try await folder.makeData()
        let run = try await folder.succeeding(
            "convert", Repository.tiny, "--calibration", "data.npz", "--recipe", recipe, "--steps", "6", "--output", "snn.safetensors")
        #expect(run.output.contains("spiking network"))
        #expect(run.output.contains(recipe))
        #expect(run.output.hasSuffix("written to snn.safetensors\n"))
        // The number of steps is kept, and simulated by default.
        let simulation = try await folder.succeeding("simulate", "snn.safetensors", "--input", "images.npy")
        #expect(simulation.output.hasPrefix("24 samples, 6 steps, "))
    }

    @Test func `digits by layer are shown, kept and simulated`() async throws {
        let folder = try Folder()
        try await folder.makeData()
        let run = try await folder.succeeding(
            "convert", Repository.model("cnn/cnn_dynamo.onnx"), "--calibration", Repository.model("train_2000.npz"), "--limit", "32",
            "--recipe", "radix", "--mean-steps", "2.7", "--output", "snn.safetensors")
        let line = try #require(run.output.split(separator: "\n").first { $0.hasPrefix("digits a layer: ") })
        // 8 digits for three layers.
        #expect(line.contains(", mean 2.7; ") && line.hasSuffix(" steps from the input to the output"))
        let inspected = try await folder.succeeding("inspect", "snn.safetensors")
        #expect(inspected.output.contains(line.prefix { $0 != ";" }) && inspected.output.contains("meanSteps: 2.7"))
        let program = try await folder.succeeding("inspect", "snn.safetensors", "--program", "--precision", "int8")
        #expect(program.output.contains("radix of "))
    }

    @Test(arguments: [
        (["--steps", "3"], "give one of them"), (["--target-drop", "1"], "chooses the steps itself"),
        (["--recipe", "signed"], "for the recipe radix"),
        (["--calibration", "none"], "learns from calibration data"), (["--mean-steps", "0"], "from 1 to 16"),
    ]) func `digits by layer need radix, data and a mean`(options: [String], message: String) async throws {
        let folder = try Folder()
        var arguments = ["convert", Repository.tiny, "--output", "snn.safetensors"]
        if !options.contains("--recipe") { arguments += ["--recipe", "radix"] }
        if !options.contains("--mean-steps") { arguments += ["--mean-steps", "3"] }
        let run = try await Program.run(arguments + options, in: folder.path)
        #expect(run.status != 0 && run.errors.contains(message), "\(run.errors)")
    }

    @Test func `the same options give the same bytes`() async throws {
        let (one, other) = (try Folder(), try Folder())
        try await one.makeNetwork(options: ["--mode", "0.5", "--momentum", "0.3", "--batch-size", "8"])
        try await other.makeNetwork(options: ["--mode", "0.5", "--momentum", "0.3", "--batch-size", "8"])
        #expect(try one.data("snn.safetensors") == other.data("snn.safetensors"))
    }

    /// Pairs of options that must not lead to the same network.
    @Test(arguments: [
        ("rate-coding", "--mode=max", "--mode=99%"), ("rate-coding", "--mode=99%", "--mode=0.5"),
        ("rate-coding", "--momentum=0.1", "--momentum=1"), ("rate-coding", "--batch-size=8", "--batch-size=5"),
        ("rate-coding", "--limit=24", "--limit=7"), ("signed", "--per-channel", "--per-layer"), ("radix", "--steps=4", "--steps=5"),
        ("rate-coding", "--pooling=running-maximum", "--pooling=instantaneous"),
        ("signed", "--pooling=running-maximum", "--pooling=instantaneous"),
    ]) func `options have an effect`(recipe: String, one: String, other: String) async throws {
        let folder = try Folder()
        try await folder.makeData()
        // Max pooling takes the larger network.
        let (model, data) =
            one.contains("pooling")
            ? (Repository.model("vgg/vgg_torchscript.onnx"), Repository.model("test_1000.npz")) : (Repository.tiny, "data.npz")
        for (option, file) in [(one, "one.safetensors"), (other, "other.safetensors")] {
            var arguments = ["convert", model, "--calibration", data, "--recipe", recipe, "--output", file, option]
            if one.contains("momentum") || one.contains("mode") { arguments.append("--batch-size=8") }
            if one.contains("pooling") { arguments.append("--limit=20") }
            let run = try await Program.run(arguments, in: folder.path)
            try #require(run.status == 0, "\(run.errors)")
        }
        #expect(try folder.data("one.safetensors") != folder.data("other.safetensors"))
    }

    @Test func `a mean below zero is a number, not an option`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork(options: ["--mean", "-0.5", "--std", "2"])
        #expect(folder.contents.contains("snn.safetensors"))
    }

    @Test(arguments: ["rate-coding", "signed"]) func `analog activations stay where that is allowed, with a warning`(recipe: String)
        async throws
    {
        let folder = try Folder()
        try folder.write(Models.chain(["Gemm", "Relu", "Sigmoid", "Gemm", "Relu", "Gemm"]), "model.onnx")
        try NPY.write(Tensor((0..<32).map { Float($0 % 7) / 7 }, shape: [8, 4]), to: folder.file("x.npy"))
        let arguments = ["convert", "model.onnx", "--calibration", "x.npy", "--recipe", recipe, "--output", "snn.safetensors"]
        let refused = try await Program.run(arguments, in: folder.path)
        #expect(refused.status == 1)
        #expect(refused.errors.contains("sigmoid2") && refused.errors.contains("--allow-analog"))
        #expect(!folder.contents.contains("snn.safetensors"))
        let allowed = try await Program.run(arguments + ["--allow-analog"], in: folder.path)
        #expect(allowed.status == 0)
        #expect(allowed.errors.contains("warning: ") && allowed.errors.contains("'sigmoid2'"), "\(allowed.errors)")
        #expect(!allowed.output.contains("warning"))
    }

    @Test func `a file is replaced by success, and kept by failure`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork()
        let bytes = try folder.data("snn.safetensors")
        let failed = try await folder.spikelet(
            "convert", Repository.tiny, "--calibration", "logits.npy", "--recipe", "rate-coding", "--output", "snn.safetensors")
        #expect(failed.status == 1)
        #expect(try folder.data("snn.safetensors") == bytes)
        try await folder.succeeding(
            "convert", Repository.tiny, "--calibration", "data.npz", "--recipe", "radix", "--output", "snn.safetensors")
        #expect(try folder.data("snn.safetensors") != bytes)
    }
}
