import Foundation
import SpikeData
import SpikeGraph
import Testing

/// Networks of any length of sequence, as commands take them.
@Suite struct OpenAxesTests {
    /// The encoder, and its data at some lengths.
    private func encoder() throws -> Folder {
        let (folder, archive) = (try Folder(), try NPZ(path: Repository.fixture("open_axes.npz")))
        try folder.write(Data(archive.array("encoder_dynamo/model").integers().map { UInt8($0) }), "encoder.onnx")
        for length in [2, 7, 12] {
            let arrays = try ["ids", "mask"].map { name in
                let array = try archive.array("encoder_dynamo/\(length)/input/\(name)")
                return (name, Tensor(try array.integers(), shape: array.shape))
            }
            try NPZ.write(arrays, to: folder.file("\(length).npz"))
        }
        return folder
    }

    @Test func `a network takes sequences of any length`() async throws {
        let folder = try encoder()
        let made = try await folder.succeeding(
            "convert", "encoder.onnx", "--calibration", "7.npz", "--recipe", "radix", "--steps", "8", "--output", "snn.safetensors")
        #expect(made.output.contains("open besides the batch: "), "\(made.output)")
        let shown = try await folder.succeeding("inspect", "snn.safetensors")
        #expect(shown.output.contains("ids [N, 7], mask [N, 7]") && shown.output.contains("open besides the batch: "), "\(shown.output)")
        for length in [2, 7, 12] {
            try await folder.succeeding("run", "encoder.onnx", "--input", "\(length).npz", "--output", "ann.npy")
            let ann = try folder.tensor("ann.npy")
            for options in [[], ["--reference"], ["--precision", "int8"]] {
                let arguments = ["simulate", "snn.safetensors", "--input", "\(length).npz", "--output", "y.npy"]
                let run = try await Program.run(arguments + ["--spike-counts", "counts.npz"] + options, in: folder.path)
                try #require(run.status == 0, "\(run.errors)")
                let found = try folder.tensor("y.npy")
                #expect(zip(found.floats, ann.floats).allSatisfy { abs($0 - $1) < 0.2 }, "\(length) \(options)")
                let counts = try NPZ(path: folder.file("counts.npz"))
                #expect(try counts.names.contains { try counts.array($0).shape.contains(length) })
            }
            let run = try await folder.succeeding(
                "evaluate", "snn.safetensors", "--data", "\(length).npz", "--ann", "encoder.onnx", "--json", "-", "--layers", "--steps",
                "8")
            #expect(run.output.contains("\"samples\" : 6"), "\(run.output)")
            let outputs = try await folder.succeeding(
                "evaluate", "snn.safetensors", "--data", "\(length).npz", "--ann", "encoder.onnx", "--outputs", "--steps", "8")
            #expect(outputs.output.contains("y"), "\(outputs.output)")
            try await folder.succeeding("compare", "snn.safetensors", "--data", "\(length).npz", "--ann", "encoder.onnx")
        }
        let short = try await folder.succeeding("inspect", "snn.safetensors", "--open-axes", "\(axis(made))=3")
        #expect(short.output.contains("ids [N, 3], mask [N, 3]"), "\(short.output)")
        let long = try await folder.spikelet("inspect", "snn.safetensors", "--open-axes", "\(axis(made))=17")
        #expect(long.status != 0 && long.errors.contains("the model 'encoder.onnx' in it"), "\(long.errors)")
    }

    /// The name of the open axis, as `convert` tells it.
    private func axis(_ run: Run) -> String {
        let line = run.lines.first { $0.hasPrefix("open besides") } ?? ""
        return String(line.dropFirst("open besides the batch: ".count).prefix { $0 != ";" })
    }

    @Test func `a length that is given is the only one, and errors say what to do`() async throws {
        let folder = try encoder()
        let open = try await folder.succeeding(
            "convert", "encoder.onnx", "--calibration", "7.npz", "--recipe", "radix", "--output", "open.safetensors")
        let made = try await folder.succeeding(
            "convert", "encoder.onnx", "--calibration", "7.npz", "--recipe", "radix", "--open-axes", "\(axis(open))=7", "--output",
            "snn.safetensors")
        #expect(!made.output.contains("open besides"))
        let run = try await folder.spikelet("simulate", "snn.safetensors", "--input", "12.npz")
        #expect(run.status != 0 && run.errors.contains("the network takes int64[N, 7]"), "\(run.errors)")
        let named = try await folder.spikelet("inspect", "snn.safetensors", "--open-axes", "tokens=3")
        #expect(named.status != 0 && named.errors.contains("leaves no axis 'tokens' open"), "\(named.errors)")
        // Two inputs of one axis.
        let archives = try [7, 12].map { try NPZ(path: folder.file("\($0).npz")) }
        let mixed = try zip(["ids", "mask"], archives).map { name, archive in
            (name, Tensor(try archive.array(name).integers(), shape: try archive.array(name).shape))
        }
        try NPZ.write(mixed, to: folder.file("mixed.npz"))
        let wrong = try await folder.spikelet("simulate", "open.safetensors", "--input", "mixed.npz")
        #expect(wrong.status != 0 && wrong.errors.contains("input 'mask'") && wrong.errors.contains("'ids' has 7"), "\(wrong.errors)")
    }
}
