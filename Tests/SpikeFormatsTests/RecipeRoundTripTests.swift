import SpikeConversion
import SpikeFormats
import SpikeGraph
import SpikeONNX
import SpikeReference
import TestSupport
import Testing

/// A network of every recipe comes back from its file to the bit, and gives the same bits.
@Suite struct RecipeRoundTripTests {
    private static let images: Tensor = {
        var generator = SeededGenerator(5)
        return Tensor((0..<16 * 3 * 36).map { _ in Float.random(in: 0...1, using: &generator) }, shape: [16, 3, 6, 6])
    }()

    /// conv → batch normalisation → ReLU → max pool → dense.
    private static func ann() throws -> Graph {
        var generator = SeededGenerator(6)
        func random(_ shape: [Int]) -> Tensor {
            Tensor((0..<shape.reduce(1, *)).map { _ in Float.random(in: -0.5...0.6, using: &generator) }, shape: shape)
        }
        let same = Window(kernel: [3, 3], padsBegin: [1, 1], padsEnd: [1, 1])
        return try Graph(
            name: "ann", inputs: [Graph.Input("x", ValueType(.float32, [.batch, 3, 6, 6]))], outputs: [Graph.Output("y", value: "dense")],
            nodes: [
                Node("conv", .conv(Conv(window: same)), inputs: ["x", "w", "b"]),
                Node("bn", .batchNormalization(BatchNormalization()), inputs: ["conv", "g", "b", "m", "v"]),
                Node("relu", .relu(Relu()), inputs: ["bn"]),
                Node("pool", .maxPool(MaxPool(window: Window(kernel: [2, 2], strides: [2, 2]))), inputs: ["relu"]),
                Node("flat", .flatten(Flatten()), inputs: ["pool"]),
                Node("dense", .gemm(Gemm(transposeB: true)), inputs: ["flat", "d"]),
            ],
            constants: [
                "w": random([4, 3, 3, 3]), "b": random([4]), "g": random([4]), "m": random([4]), "v": Tensor(repeating: 0.7, shape: [4]),
                "d": random([5, 36]),
            ])
    }

    private static func convert(_ name: String) throws -> Graph {
        let batch = [Batch(images)]
        if let recipe = Recipe.named(name) { return try RecipeConverter(recipe.options(recipe.usualSteps), calibration: batch)(ann()) }
        return try Converter(dataloader: batch, mode: .percentile(99.9), momentum: 0.1, fuseFlag: name != "unfused")(ann())
    }

    /// Writes, reads and writes again, and runs both.
    private static func expectTheSame(_ snn: Graph, _ images: Tensor) throws {
        let folder = try TemporaryFolder()
        try SNNFile.write(snn, to: folder.file("a"))
        let again = try SNNFile.read(folder.file("a"))
        try SNNFile.write(again, to: folder.file("b"))
        #expect(folder.read("a") == folder.read("b"))
        #expect(again.nodes == snn.nodes)
        #expect(again.constants == snn.constants)
        #expect(again.spiking == snn.spiking)
        let steps = snn.spiking?.schedule == .layerSynchronous ? snn.spiking?.steps ?? 4 : 8
        let (expected, found) = (try ReferenceSimulation(snn), try ReferenceSimulation(again))
        let outputs = try (expected.run([images], steps: steps), found.run([images], steps: steps))
        #expect(outputs.0 == outputs.1)
        #expect(expected.spikeCounts == found.spikeCounts)
        #expect(expected.spikeCounts.values.contains { $0.floats.contains { $0 != 0 } })
    }

    @Test(arguments: Recipe.all.map(\.name) + ["rate-coding", "unfused"])
    func `the file gives the same network, the same bytes and the same bits`(recipe: String) throws {
        try Self.expectTheSame(Self.convert(recipe), Self.images)
    }

    @Test(
        arguments: [
            ("qcfs_clip_first_torchscript", 4), ("qcfs_clip_first_torchscript", 3), ("fake_quantize_torchscript", nil),
            ("cnn_qdq_default", nil),
        ] as [(String, Int?)])
    func `so does that of a quantised network, unary and radix`(file: String, steps: Int?) throws {
        let ann = try ONNXImporter.read(Repository.fixture("Quantised/\(file).onnx")).graph
        let snn = try QuantizedConverter(steps: steps)(ann)
        let shape = [4] + snn.inputs[0].type.shape.dimensions.dropFirst().compactMap(\.known)
        var generator = SeededGenerator(7)
        try Self.expectTheSame(snn, Tensor((0..<shape.reduce(1, *)).map { _ in Float.random(in: 0...1, using: &generator) }, shape: shape))
        let plain = try PlainArrays.fold(snn, approximate: true)
        #expect(plain.arrays.contains { $0.name.hasSuffix(".threshold") })
        #expect(plain.approximations.contains { $0.subject == "layers that wait for each other" })
    }

    @Test(arguments: Recipe.all.map(\.name) + ["rate-coding", "unfused"])
    func `plain arrays can be had of every recipe, and what they cannot say of it is listed`(recipe: String) throws {
        let snn = try Self.convert(recipe)
        // Max pools of a latency code act on whole numbers.
        if snn.spikeCode.kind == .latency, snn.nodes.contains(where: snn.actsOnWholeValues) {
            expectError(.unsupported, "plain arrays", "of whole numbers") { _ = try PlainArrays.fold(snn, approximate: true) }
            return
        }
        let plain = try PlainArrays.fold(snn, approximate: true)
        let arrays = plain.arrays
        let isSaid = ["calibrated", "rate-coding", "unfused", "local-threshold-balancing"].contains(recipe)
        #expect(plain.approximations.isEmpty == isSaid, "\(plain.approximations.map(\.text))")
        if !isSaid { expectError(.unsupported, "plain arrays", "instead") { _ = try PlainArrays.fold(snn) } }
        #expect(arrays.contains { $0.name == "conv.weight" })
        #expect(arrays.contains { $0.name.hasSuffix(".threshold") })
        #expect(Set(arrays.map(\.name)).count == arrays.count)
    }
}
