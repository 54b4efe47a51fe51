import SpikeGraph
import SpikeONNX
import SwiftProtobuf
import Testing

@Suite struct LinearImportTests {
    @Test func `Gemm without attributes and with all of them`() throws {
        let plain = ModelBuilder.single("Gemm", input: [nil, 4], weights: [[4, 3], [3]])
        #expect(try plain.onlyOperator() == .gemm(Gemm()))
        #expect(try plain.outputShape() == [.batch, 3])
        let full = ModelBuilder.single(
            "Gemm", input: [nil, 4], weights: [[3, 4], [1, 3]],
            ["alpha": .float(0.5), "beta": .float(2), "transA": .int(0), "transB": .int(1)])
        #expect(try full.onlyOperator() == .gemm(Gemm(alpha: 0.5, beta: 2, transposeB: true)))
    }

    @Test func `Gemm's bias is optional from opset 11 on`() throws {
        #expect(try ModelBuilder.single("Gemm", opset: 11, input: [nil, 4], weights: [[4, 3]]).onlyOperator() == .gemm(Gemm()))
        #expect(ModelBuilder.single("Gemm", opset: 10, input: [nil, 4], weights: [[4, 3]]).failure().contains("3 are needed"))
    }

    @Test func `matrices that do not fit are refused`() {
        #expect(ModelBuilder.single("Gemm", input: [nil, 4], weights: [[5, 3]]).failure().contains("cannot be multiplied"))
        #expect(ModelBuilder.single("Gemm", input: [nil, 4], weights: [[4, 3], [4]]).failure().contains("[4]"))
        #expect(ModelBuilder.single("Gemm", weights: [[4, 3]]).failure().contains("cannot be multiplied"))
        #expect(ModelBuilder.single("Gemm", input: [nil, 4], weights: [[4, 3]], ["alpha": .float(.nan)]).failure().contains("alpha"))
    }

    @Test func `MatMul of matrices and of batches of them`() throws {
        #expect(try ModelBuilder.single("MatMul", input: [nil, 4], weights: [[4, 3]]).outputShape() == [.batch, 3])
        #expect(try ModelBuilder.single("MatMul", input: [nil, 5, 4], weights: [[4, 3]]).outputShape() == [.batch, 5, 3])
        #expect(ModelBuilder.single("MatMul", input: [nil, 4], weights: [[3, 4]]).failure().contains("cannot be multiplied"))
    }

    static let statistics = [[3], [3], [3], [3]]

    @Test func `BatchNormalization without attributes and with all of them`() throws {
        for opset in [7, 9, 14, 15, 17] {
            #expect(
                try ModelBuilder.single("BatchNormalization", opset: opset, weights: Self.statistics).onlyOperator()
                    == .batchNormalization(BatchNormalization()))
        }
        let full = ModelBuilder.single(
            "BatchNormalization", weights: Self.statistics, ["epsilon": .float(0.25), "momentum": .float(0.5), "training_mode": .int(0)])
        #expect(try full.onlyOperator() == .batchNormalization(BatchNormalization(epsilon: 0.25)))
        let old = ModelBuilder.single("BatchNormalization", opset: 7, weights: Self.statistics, ["spatial": .int(1)])
        #expect(try old.onlyOperator() == .batchNormalization(BatchNormalization()))
    }

    @Test func `BatchNormalization in training mode is refused`() {
        let flag = ModelBuilder.single("BatchNormalization", weights: Self.statistics, ["training_mode": .int(1)])
        #expect(flag.failure().contains("training mode") && flag.failure().contains("model.eval()"))
        var outputs = ModelBuilder.single("BatchNormalization", opset: 9, weights: Self.statistics)
        outputs.model.graph.node[0].output = ["y", "mean"]
        #expect(outputs.failure().isEmpty)
        outputs.model.graph.output.append(.with { $0.name = "mean" })
        #expect(outputs.failure().contains("training mode"))
        let places = ModelBuilder.single("BatchNormalization", opset: 7, weights: Self.statistics, ["spatial": .int(0)])
        #expect(places.failure().contains("spatial"))
        #expect(ModelBuilder.single("BatchNormalization", weights: [[3], [3], [3], [4]]).failure().contains("variance"))
        #expect(
            ModelBuilder.single("BatchNormalization", weights: Self.statistics, ["epsilon": .float(-1)]).failure().contains("epsilon"))
    }

    @Test func `statistics may share one tensor`() throws {
        var builder = ModelBuilder()
        builder.weight("s", [3], [1, 2, 3])
        builder.node("BatchNormalization", ["x", "s", "s", "s", "s"])
        #expect(try builder.graph().constants.count == 1)
    }
}
