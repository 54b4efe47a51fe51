import SpikeGraph
import SpikeONNX
import SpikeReference
import Testing

/// Assignments to slices of constants, as `mask[1:, :2] = 3` is exported.
@Suite struct ScatterTests {
    /// Adds to `x` `[N, 3, 4]` the numbers 0…11 with `updates` written over them.
    private func model(
        _ indices: [Int64], _ shape: [Int], updates: [Int64], _ updatesShape: [Int], reduction: String? = nil, data: String = "numbers"
    ) -> ModelBuilder {
        var builder = ModelBuilder(input: [nil, 3, 4])
        builder.integers("numbers", (0..<12).map { $0 }, shape: [3, 4])
        builder.integers("indices", indices, shape: shape)
        builder.integers("updates", updates, shape: updatesShape)
        builder.node("ScatterND", [data, "indices", "updates"], ["written"], reduction.map { ["reduction": .string($0)] } ?? [:])
        builder.node("Cast", ["written"], ["mask"], ["to": .int(1)])
        builder.node("Add", ["x", "mask"], ["y"])
        return builder
    }

    private func mask(_ builder: ModelBuilder) throws -> [Float] {
        let graph = try builder.graph()
        #expect(graph.nodes.map(\.operator.name) == ["Add"])
        return try ReferenceExecutor(graph).run([Tensor(repeating: 0, shape: [1, 3, 4])])[0].floats
    }

    @Test func `single elements, and later ones win`() throws {
        let found = try mask(model([0, 1, 2, -1, 0, 1], [3, 2], updates: [50, 60, 70], [3]))
        #expect(found == [0, 70, 2, 3, 4, 5, 6, 7, 8, 9, 10, 60])
    }

    @Test func `whole rows, and a grid of elements`() throws {
        #expect(
            try mask(model([2, -3], [2, 1], updates: [20, 21, 22, 23, 30, 31, 32, 33], [2, 4])) == [
                30, 31, 32, 33, 4, 5, 6, 7, 20, 21, 22, 23,
            ])
        let grid = try mask(model([1, 0, 1, 1, 2, 0, 2, 1], [2, 2, 2], updates: [40, 41, 50, 51], [2, 2]))
        #expect(grid == [0, 1, 2, 3, 40, 41, 6, 7, 50, 51, 10, 11])
        #expect(try mask(model([], [0, 1], updates: [], [0, 4])) == (0..<12).map { Float($0) })
    }

    @Test func `everything, by indices of no axis`() throws {
        #expect(try mask(model([], [1, 0], updates: Array(repeating: 9, count: 12), [1, 3, 4])) == [Float](repeating: 9, count: 12))
    }

    @Test func `bad models are refused`() {
        #expect(model([3, 0], [1, 2], updates: [1], [1]).failure().contains("index 3 is outside an axis of size 3"))
        #expect(model([0, -5], [1, 2], updates: [1], [1]).failure().contains("index -5"))
        #expect(model([0, 0], [1, 2], updates: [1, 2], [2]).failure().contains("written into"))
        #expect(model([0, 0, 0], [1, 3], updates: [1], [1]).failure().contains("written into"))
        #expect(model([0, 0], [1, 2], updates: [1], [1], reduction: "add").failure().contains("'add'"))
        #expect(model([0, 0], [1, 2], updates: [1], [1], data: "x").failure().contains("only constants are taken"))
    }
}
