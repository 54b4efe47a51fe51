import Foundation
import SpikeData
import SpikeGraph
import Testing

/// Networks of a fixed batch size, outputs that are no numbers, and what commands make of them.
@Suite struct NetworkShapeTests {
    private func data(_ count: Int, in folder: Folder) throws {
        let numbers = (0..<count * 4).map { Float($0 * 7919 % 1013) / 1013 }
        try NPZ.write(
            [
                ("images", Tensor(numbers, shape: [count, 4])), ("labels", Tensor((0..<count).map { Int64($0 % 4) }, shape: [count])),
            ], to: folder.file("data.npz"))
    }

    /// The same network for any number of samples and for two, where it turns the batch round and cannot be opened.
    @Test(arguments: ["calibrated", "radix"])
    func `a network of a fixed batch size gets whole batches, and what is left out is told`(recipe: String) async throws {
        let folder = try Folder()
        try folder.write(Models.chain(["Gemm", "Relu", "Gemm"]), "open.onnx")
        try folder.write(Models.chain(["Gemm", "Transpose", "Relu", "Transpose", "Gemm"], batch: 2), "fixed.onnx")
        try data(31, in: folder)
        let rest = "note: the last 1 of 31 samples are left out: the network takes exactly 2 at a time"
        var results: [String] = []
        for (name, options) in [("open", ["--limit", "30"]), ("fixed", [])] {
            let arguments = ["--calibration", "data.npz", "--recipe", recipe, "--per-layer", "--output", "\(name).safetensors"]
            let made = try await Program.run(["convert", "\(name).onnx"] + arguments + options, in: folder.path)
            try #require(made.status == 0, "\(made.errors)")
            #expect(made.errors.contains(rest) == (name == "fixed"), "\(made.errors)")
            let run = try await Program.run(
                [
                    "evaluate", "\(name).safetensors", "--data", "data.npz", "--ann", "\(name).onnx", "--steps", "8", "--json",
                    "\(name).json",
                ]
                    + options, in: folder.path)
            try #require(run.status == 0, "\(run.errors)")
            #expect(run.errors.contains(rest) == (name == "fixed"), "\(run.errors)")
            #expect(run.errors.contains("the reference executor simulates") == (name == "fixed"), "\(run.errors)")
            results.append(run.lines.first { $0.contains("%") && $0.split(separator: " ").first.flatMap { Int($0) } != nil } ?? run.output)
        }
        #expect(results[0] == results[1])
        // Less than one batch is an error that says so.
        try data(1, in: folder)
        let run = try await folder.spikelet("evaluate", "fixed.safetensors", "--data", "data.npz")
        #expect(run.status != 0 && run.errors.contains("exactly 2 at a time") && run.errors.contains("at least 2"), "\(run.errors)")
    }

    @Test func `positions of the largest score are refused where numbers are needed`() async throws {
        let folder = try Folder()
        try folder.write(Models.chain(["Gemm", "Relu", "Gemm", "ArgMax"]), "positions.onnx")
        try data(20, in: folder)
        let arguments = ["positions.onnx", "--calibration", "data.npz", "--output", "snn.safetensors"]
        let delayed = try await Program.run(["convert"] + arguments + ["--readout-delay", "auto"], in: folder.path)
        #expect(delayed.status == 1 && delayed.errors.contains("a readout delay is estimated"), "\(delayed.errors)")
        let made = try await Program.run(["convert"] + arguments, in: folder.path)
        try #require(made.status == 0, "\(made.errors)")
        for (command, reason) in [
            (["evaluate", "snn.safetensors", "--data", "data.npz", "--ann", "positions.onnx", "--outputs"], "holds no numbers"),
            (["explore", "snn.safetensors", "--data", "data.npz"], "no number that could be drawn"),
            (
                ["export", "snn.safetensors", "--target", "generic", "--approximate", "--output", "n.nir", "--check", "data.npz"],
                "not numbers of each sample"
            ),
        ] {
            let run = try await Program.run(command, in: folder.path)
            #expect(run.status == 1 && run.errors.contains(reason), "\(command): \(run.errors)")
        }
    }

    @Test func `LeakyReLU has no bound that thresholds could be taken from without data`() async throws {
        let folder = try Folder()
        try folder.write(Models.chain(["Gemm", "LeakyRelu", "Gemm"]), "leaky.onnx")
        let run = try await folder.spikelet("convert", "leaky.onnx", "--calibration", "none", "--output", "snn.safetensors")
        #expect(run.status == 1 && run.errors.contains("nothing is known of 2 ReLUs") && run.errors.contains("leakyrelu1"), "\(run.errors)")
        #expect(folder.contents == ["leaky.onnx"])
    }
}
