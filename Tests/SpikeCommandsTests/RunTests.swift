import Foundation
import SpikeData
import SpikeGraph
import Testing

@Suite struct RunTests {
    private func difference(_ a: Tensor, _ b: Tensor) -> Float {
        guard a.shape == b.shape else { return .infinity }
        let largest = b.floats.map(abs).max() ?? 1
        return (zip(a.floats, b.floats).map { abs($0 - $1) }.max() ?? 0) / largest
    }

    @Test func `it writes the network's output and shows the classes`() async throws {
        let folder = try Folder()
        try NPY.write(Repository.golden("input"), to: folder.file("x.npy"))
        let run = try await folder.succeeding("run", Repository.tiny, "--input", "x.npy", "--output", "y.npy")
        let expected = try Repository.golden("ann_output")
        #expect(try difference(folder.tensor("y.npy"), expected) < 1e-5)
        #expect(try folder.array("y.npy").elementType == .float32)
        #expect(run.lines[0].hasSuffix("float32[4, 3]"))
        for sample in 0..<4 {
            let row = expected.floats[sample * 3..<sample * 3 + 3]
            let best = row.indices.max { row[$0] < row[$1] }.map { $0 - sample * 3 }
            let cells = run.lines[3 + sample].split(separator: " ")
            #expect(cells.count == 3 && Int(cells[0]) == sample && Int(cells[1]) == best)
        }
        #expect(folder.contents == ["x.npy", "y.npy"])
    }

    @Test func `bytes are divided by 255, and the answer is ONNX Runtime's`() async throws {
        let folder = try Folder()
        let images = try NPZ(path: Repository.model("test_1000.npz")).array("images")
        let bytes = try images.integers().prefix(100 * 784).map { UInt8($0) }
        try folder.write(npy("|u1", [100, 1, 28, 28], bytes), "x.npy")
        try await folder.succeeding("run", Repository.model("cnn/cnn_unfused.onnx"), "--input", "x.npy", "--output", "y.npy")
        let expected = try NPZ(path: Repository.fixture("onnxruntime_outputs.npz")).array("cnn")
        #expect(try difference(folder.tensor("y.npy"), Tensor(expected.floats(), shape: expected.shape)) < 1e-4)
    }

    @Test func `many samples give what each of them gives alone`() async throws {
        let folder = try Folder()
        let images = manyImages(230)
        try NPY.write(images, to: folder.file("all.npy"))
        let all = try await folder.succeeding("run", Repository.tiny, "--input", "all.npy", "--output", "y.npy")
        #expect(all.lines[0].hasSuffix("float32[230, 3]"))
        #expect(all.output.contains("… and 220 more"))
        let output = try folder.tensor("y.npy")
        #expect(output.shape == [230, 3])
        for range in [0..<1, 99..<101, 200..<230] {
            try NPY.write(images.samples(range), to: folder.file("part.npy"))
            try await folder.succeeding("run", Repository.tiny, "--input", "part.npy", "--output", "part_y.npy")
            #expect(try folder.tensor("part_y.npy") == output.samples(range))
        }
    }

    @Test func `a model of a fixed batch size takes a multiple of it`() async throws {
        let folder = try Folder()
        try folder.write(Models.chain(["Relu"]), "open.onnx")
        // It turns the batch round, so that it has to be what it is.
        try folder.write(Models.chain(["Transpose", "Relu", "Transpose"], batch: 2), "fixed.onnx")
        try NPY.write(Tensor((0..<24).map { Float($0) }, shape: [6, 4]), to: folder.file("x.npy"))
        try await folder.succeeding("run", "open.onnx", "--input", "x.npy", "--output", "open.npy")
        try await folder.succeeding("run", "fixed.onnx", "--input", "x.npy", "--output", "fixed.npy")
        #expect(try folder.tensor("open.npy") == folder.tensor("fixed.npy"))
        try NPY.write(Tensor(repeating: 1, shape: [5, 4]), to: folder.file("odd.npy"))
        let run = try await folder.spikelet("run", "fixed.onnx", "--input", "odd.npy")
        #expect(run.status == 1)
        #expect(run.errors.contains("float32[5, 4]") && run.errors.contains("exactly 2 samples"), "\(run.errors)")
    }

    @Test func `several inputs come from an archive by name, and all outputs go into one`() async throws {
        let folder = try Folder()
        let archive = try NPZ(path: Repository.fixture("operators.npz"))
        for name in ["Where", "Split", "Gather_computed"] {
            try folder.write(Data(try archive.array("\(name)/model").integers().map { UInt8($0) }), "model.onnx")
            func tensors(_ kind: String) throws -> [(name: String, tensor: Tensor)] {
                let prefix = "\(name)/\(kind)/"
                return try archive.names.filter { $0.hasPrefix(prefix) }.map {
                    (String($0.dropFirst(prefix.count)), try archive.array($0).tensor())
                }
            }
            try NPZ.write(tensors("input"), to: folder.file("x.npz"))
            try await folder.succeeding("run", "model.onnx", "--input", "x.npz", "--output", "y.npz")
            let outputs = try NPZ(path: folder.file("y.npz"))
            for (output, expected) in try tensors("output") { #expect(try outputs.array(output).tensor() == expected) }
        }
        try NPZ.write([("else", Tensor(scalar: 1))], to: folder.file("x.npz"))
        let run = try await folder.spikelet("run", "model.onnx", "--input", "x.npz")
        #expect(run.status == 1 && run.errors.contains("it has no array 'x0'") && run.errors.contains("'else'"), "\(run.errors)")
    }
}
