import Foundation
import SpikeGraph
import SpikeONNX
import SpikeReference
import SwiftProtobuf
import TestSupport
import Testing

/// Weights that stay in the model's file, or in one beside it, until they are needed.
@Suite struct LargeWeightTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private let side = 160
    private var values: [Float] { (0..<side * side).map { Float($0 % 101) / 64 - 0.5 } }

    /// `x · w`, with `w` in a file beside the model.
    private func external(_ values: [Float], offset: Int) throws -> ModelBuilder {
        let bytes = Data(count: offset) + values.withUnsafeBytes { Data($0) }
        try folder.write(bytes, "w.data")
        var builder = ModelBuilder(input: [nil, side])
        var tensor = ONNXTensorProto.with { ($0.name, $0.dims, $0.dataType) = ("w", [Int64(side), Int64(side)], .float) }
        tensor.dataLocation = .external
        tensor.externalData = [("location", "w.data"), ("offset", "\(offset)")].map { key, value in
            .with { ($0.key, $0.value) = (key, value) }
        }
        builder.model.graph.initializer.append(tensor)
        builder.node("MatMul", ["x", "w"])
        return builder
    }

    @Test(arguments: [0, 4, 4096, 4100, 2]) func `mapped weights compute what others do`(offset: Int) throws {
        let graph = try external(values, offset: offset).imported(folder: folder.url).graph
        let expected = Tensor(values, shape: [side, side])
        #expect(graph.constants["w"] == expected)
        let mapped = try #require(graph.constants["w"])
        #expect(mapped.reshaped(to: [side * side]).floats == values)
        #expect(mapped.samples(3..<5) == expected.samples(3..<5))
        #expect(mapped.withFloats { Array($0) } == values)
        let x = Tensor((0..<2 * side).map { Float($0 % 7) }, shape: [2, side])
        var inside = ModelBuilder(input: [nil, side])
        inside.weight("w", [side, side], values)
        inside.node("MatMul", ["x", "w"])
        #expect(try ReferenceExecutor(graph).run([x]) == ReferenceExecutor(inside.graph()).run([x]))
    }

    @Test func `a mapped weight that is not finite is named`() throws {
        var values = values
        values[20000] = .nan
        let builder = try external(values, offset: 0)
        expectError(.invalidModel, "'w' [160, 160] holds nan at place 20000") { _ = try builder.imported(folder: folder.url) }
    }

    @Test func `the file may be removed or replaced meanwhile`() throws {
        let graph = try external(values, offset: 0).imported(folder: folder.url).graph
        try FileManager.default.removeItem(atPath: folder.file("w.data"))
        #expect(graph.constants["w"] == Tensor(values, shape: [side, side]))
    }

    // MARK: Inside the model

    private func constants(_ data: Data) throws -> [String: Tensor] {
        try ONNXImporter.importModel(data, fileName: "m.onnx", folder: folder.url).graph.constants
    }

    private func model() -> ModelBuilder {
        var builder = ModelBuilder(input: [nil, 8])
        builder.weight("w", [8, 16])
        builder.weight("small", [16])
        builder.weight("v", [16, 8])
        builder.node("MatMul", ["x", "w"], ["a"])
        builder.node("Add", ["a", "small"], ["b"])
        builder.node("MatMul", ["b", "v"], ["y"])
        return builder
    }

    @Test func `weights go past the message to their tensors`() throws {
        let model = model().model
        let expected = try ONNXImporter.importModel(model, fileName: "m.onnx", folder: folder.url).graph.constants
        #expect(expected.count == 3)
        #expect(try constants(model.serializedData()) == expected)
        let path = try folder.write(model.serializedData(), "m.onnx")
        #expect(try ONNXImporter.read(path).graph.constants == expected)
    }

    @Test func `a message in several parts is one message`() throws {
        // Protocol buffers: parts that follow each other are merged, and of a single value the last counts.
        var (first, second) = (model().model, ONNXModelProto())
        second.graph.initializer = [first.graph.initializer.removeLast()]
        second.graph.node = [first.graph.node.removeLast()]
        let whole = try ONNXImporter.importModel(model().model, fileName: "m.onnx", folder: folder.url).graph.constants
        #expect(try constants(first.serializedData() + second.serializedData()) == whole)
    }

    @Test func `of two fields with a tensor's bytes the last counts`() throws {
        // Lengths below 128 are one byte.
        let numbers = (0..<31).map { Float($0) }
        func field(_ values: [Float]) -> Data { values.withUnsafeBytes { Data([9 << 3 | 2, UInt8($0.count)]) + Data($0) } }
        for (one, other) in [([Float](repeating: 5, count: 30), numbers), (numbers.map { -$0 }, numbers), ([1], numbers)] {
            let tensor = Data([1 << 3, 31, 2 << 3, 1, 8 << 3 | 2, 1, UInt8(ascii: "w")]) + field(one) + field(other)
            var rest = ModelBuilder(input: [nil, 31])
            rest.node("Add", ["x", "w"])
            let graph = Data([5 << 3 | 2, UInt8(tensor.count & 0x7F | 0x80), UInt8(tensor.count >> 7)]) + tensor
            let part = Data([7 << 3 | 2, UInt8(graph.count & 0x7F | 0x80), UInt8(graph.count >> 7)]) + graph
            #expect(try constants(rest.model.serializedData() + part)["w"] == Tensor(numbers, shape: [31]))
        }
    }

    @Test func `weights of the wrong size are refused`() throws {
        var builder = model()
        builder.model.graph.initializer[0].rawData.removeLast(4)
        let data = try builder.model.serializedData()
        expectError(.malformedFile, "tensor 'w'", "needs 512 bytes, the file holds 508") { _ = try constants(data) }
    }
}

/// What a small file may ask for.
@Suite struct FoldingBudgetTests {
    private func failure(_ builder: ModelBuilder) throws -> String {
        let data = try builder.model.serializedData()
        do {
            _ = try ONNXImporter.importModel(data, fileName: "m.onnx", folder: FileManager.default.temporaryDirectory)
            return ""
        } catch { return "\(error)" }
    }

    @Test func `constants take 64 MiB and 16 times the file, all together`() throws {
        func model(_ elements: Int, copies: Int, padding: Int = 0) -> ModelBuilder {
            var builder = ModelBuilder(input: [nil, 1])
            builder.integers("n", [Int64(elements)])
            builder.weight("padding", [padding])
            builder.node("ConstantOfShape", ["n"], ["c0"])
            for copy in 1..<copies { builder.node("Neg", ["c\(copy - 1)"], ["c\(copy)"]) }
            builder.node("ReduceMax", ["c\(copies - 1)"], ["m"], ["keepdims": .int(0)])
            builder.node("ReduceSum", ["padding"], ["s"], ["keepdims": .int(0)])
            builder.node("Add", ["x", "m"], ["t"])
            builder.node("Add", ["t", "s"])
            return builder
        }
        #expect(try failure(model(1 << 20, copies: 7)).isEmpty)
        #expect(try failure(model(1 << 20, copies: 9)).contains("too large for a model of this size"))
        #expect(try failure(model(1 << 24, copies: 1)).contains("too large"))
        // 16 times 1 MiB is room for two more of 8 MiB.
        #expect(try failure(model(1 << 20, copies: 9, padding: 1 << 18)).isEmpty)
    }

    @Test func `products and windows that would take for ever are refused`() throws {
        var product = ModelBuilder(input: [nil, 1])
        product.integers("n", [1500, 1500])
        product.node("ConstantOfShape", ["n"], ["c"])
        product.node("MatMul", ["c", "c"], ["p"])
        product.node("ReduceMax", ["p"], ["m"], ["keepdims": .int(0)])
        product.node("Add", ["x", "m"])
        #expect(try failure(product).contains("too large"))
        var pool = ModelBuilder(input: [nil, 1])
        pool.integers("n", [1, 1, 1000, 1000])
        pool.node("ConstantOfShape", ["n"], ["c"])
        pool.node("MaxPool", ["c"], ["p"], ["kernel_shape": .ints([500, 500])])
        pool.node("ReduceMax", ["p"], ["m"], ["keepdims": .int(0)])
        pool.node("Add", ["x", "m"])
        #expect(try failure(pool).contains("too large"))
    }
}
