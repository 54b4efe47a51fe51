import Foundation
import SpikeData
import SpikeGraph
import Testing

/// Folders of pictures, in every command that takes data.
@Suite struct PhotographTests {
    /// Two classes of pictures, under the preparation that the Fashion-MNIST networks need.
    private func pictures() throws -> (folder: Folder, options: [String]) {
        let folder = try Folder()
        for (name, source) in [("a/1.png", "rgb.png"), ("a/2.jpg", "baseline.jpg"), ("b/1.png", "grey16.png"), ("b/2.jpg", "cmyk.jpg")] {
            let target = URL(fileURLWithPath: folder.file("pictures/\(name)"))
            try FileManager.default.createDirectory(at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
            try FileManager.default.copyItem(atPath: Repository.fixture("Images/\(source)"), toPath: target.path)
        }
        return (folder, ["--resize", "28x28", "--grey", "--mean", "0.1", "--std", "0.9"])
    }

    @Test func `they calibrate, evaluate and check an export`() async throws {
        let (folder, options) = try pictures()
        let model = Repository.model("cnn/cnn_unfused.onnx")
        let converted = try await Program.run(
            ["convert", model, "--calibration", "pictures", "--recipe", "calibrated", "--steps", "8", "--output", "snn.safetensors"]
                + options,
            in: folder.path)
        try #require(converted.status == 0, "\(converted.errors)")
        let evaluated = try await Program.run(
            ["evaluate", "snn.safetensors", "--data", "pictures", "--ann", model, "--steps", "8", "--json", "-"] + options, in: folder.path)
        try #require(evaluated.status == 0, "\(evaluated.errors)")
        let result = try JSONSerialization.jsonObject(with: Data(evaluated.output.utf8)) as? [String: Any]
        #expect(result?["samples"] as? Int == 4)
        let exported = try await Program.run(
            ["export", "snn.safetensors", "--check", "pictures", "--output", "snn.nir"] + options, in: folder.path)
        #expect(exported.status == 0, "\(exported.errors)")
    }

    @Test func `the network sees them in the order of the samples`() async throws {
        let (folder, options) = try pictures()
        let model = Repository.model("cnn/cnn_unfused.onnx")
        let all = try await Program.run(["run", model, "--input", "pictures", "--output", "y.npy"] + options, in: folder.path)
        try #require(all.status == 0, "\(all.errors)")
        let alone = try await Program.run(["run", model, "--input", "pictures/b", "--output", "b.npy"] + options, in: folder.path)
        try #require(alone.status == 0, "\(alone.errors)")
        let (together, part) = (try folder.tensor("y.npy"), try folder.tensor("b.npy"))
        #expect(together.shape == [4, 10] && part.shape == [2, 10])
        // Classes take turns: a/1, b/1, a/2, b/2.
        #expect(together.samples(1..<2) == part.samples(0..<1))
        #expect(together.samples(3..<4) == part.samples(1..<2))
    }

    @Test func `a file may say the classes`() async throws {
        let (folder, options) = try pictures()
        try await folder.succeeding(
            "convert", Repository.model("cnn/cnn_unfused.onnx"), "--calibration", "none", "--recipe", "radix", "--steps", "4", "--output",
            "snn.safetensors")
        try folder.write(Data("a 3\nb 7\n".utf8), "labels.txt")
        let arguments = ["evaluate", "snn.safetensors", "--data", "pictures", "--json", "-"] + options
        let run = try await Program.run(arguments + ["--labels", "labels.txt"], in: folder.path)
        try #require(run.status == 0, "\(run.errors)")
        try folder.write(Data("a 3\n".utf8), "labels.txt")
        let missing = try await Program.run(arguments + ["--labels", "labels.txt"], in: folder.path)
        #expect(missing.status == 1)
        #expect(missing.errors.contains("2 of 4 pictures") && missing.errors.contains("b/1.png"))
    }

    @Test func `a damaged one is named, and sizes that are none are refused`() async throws {
        let (folder, options) = try pictures()
        try folder.write(try folder.data("pictures/a/1.png").prefix(600), "pictures/a/1.png")
        let model = Repository.model("cnn/cnn_unfused.onnx")
        let damaged = try await Program.run(["run", model, "--input", "pictures", "--output", "y.npy"] + options, in: folder.path)
        #expect(damaged.status == 1)
        #expect(damaged.errors.contains("a/1.png: the picture is damaged"))
        #expect(!folder.contents.contains("y.npy"))
        let size = try await folder.spikelet("run", model, "--input", "pictures", "--resize", "28y28")
        #expect(size.status == 1 && size.errors.contains("'28y28' in --resize is no size"))
    }
}
