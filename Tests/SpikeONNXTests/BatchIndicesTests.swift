import SpikeGraph
import SpikeONNX
import SpikeReference
import Testing

/// `as_strided` as dynamo writes it: one long row of all samples, and positions that are counted on from sample to sample.
@Suite struct BatchIndicesTests {
    /// Of `x` `[N, 3, 2]`: positions 6·n + `offsets`, `[1, …]`.
    private func model(_ offsets: [Int64], shape: [Int], stride: Int64 = 6, step: Int64 = 1) -> ModelBuilder {
        var builder = ModelBuilder(input: [nil, 3, 2])
        builder.integers("row", [-1])
        builder.integers("zero", [0], shape: [])
        builder.integers("step", [step], shape: [])
        builder.integers("stride", [stride], shape: [])
        builder.integers("axes", (1..<Int64(shape.count)).map { $0 })
        builder.integers("offsets", offsets, shape: shape)
        builder.node("Reshape", ["x", "row"], ["flat"])
        builder.node("Shape", ["x"], ["shape"])
        builder.node("Gather", ["shape", "zero"], ["batch"])
        builder.node("Range", ["zero", "batch", "step"], ["samples"])
        builder.node("Mul", ["samples", "stride"], ["starts"])
        builder.node("Unsqueeze", ["starts", "axes"], ["column"])
        builder.node("Add", ["offsets", "column"], ["positions"])
        builder.node("Gather", ["flat", "positions"], ["y"])
        return builder
    }

    @Test func `a view of whole samples is a reshape`() throws {
        let graph = try model([0, 1, 2, 3, 4, 5], shape: [1, 2, 3]).graph()
        #expect(graph.nodes.map(\.operator.name) == ["Reshape", "Reshape"])
        #expect(graph.types[graph.outputs[0].value]?.shape == [.batch, 2, 3])
        let x = Tensor((0..<24).map { Float($0) }, shape: [4, 3, 2])
        let y = try ReferenceExecutor(graph).run([x])[0]
        #expect(y.floats == x.floats && y.shape == [4, 2, 3])
    }

    @Test func `other positions within a sample are gathered in each`() throws {
        let graph = try model([5, 0, 2, 2], shape: [1, 4]).graph()
        let x = Tensor((0..<12).map { Float($0) }, shape: [2, 3, 2])
        let y = try ReferenceExecutor(graph).run([x])[0]
        #expect(y == Tensor([5, 0, 2, 2, 11, 6, 8, 8] as [Float], shape: [2, 4]))
    }

    @Test func `positions that leave their sample are refused`() {
        #expect(model([0, 6], shape: [1, 2]).failure().contains("positions that depend on the batch"))
        #expect(model([0, -1], shape: [1, 2]).failure().contains("positions that depend on the batch"))
        #expect(model([0, 1], shape: [1, 2], stride: 3).failure().contains("positions that depend on the batch"))
        #expect(model([0, 1], shape: [1, 2], stride: .max).failure().contains("depends on the batch"))
        #expect(model([0, 1], shape: [1, 2], step: 2).failure().contains("only constants are taken"))
        // One row for each sample: positions that differ from sample to sample by a constant.
        #expect(model([0, 1], shape: [2, 1]).failure().contains("depends on the batch"))
    }
}
