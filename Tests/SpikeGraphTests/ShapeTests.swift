import SpikeGraph
import TestSupport
import Testing

@Suite struct ShapeTests {
    /// NumPy's rule on plain numbers, from the last axis to the first.
    private func broadcast(_ a: [Int], _ b: [Int]) -> [Int]? {
        var result: [Int] = []
        for position in 0..<max(a.count, b.count) {
            let x = position < a.count ? a[a.count - 1 - position] : 1
            let y = position < b.count ? b[b.count - 1 - position] : 1
            guard x == y || x == 1 || y == 1 else { return nil }
            result.insert(x == 1 ? y : x, at: 0)
        }
        return result
    }

    private static let dimensions: [Dimension] = [0, 1, 2, 3, .batch]
    private static var shapes: [Shape] {
        [[]] + dimensions.map { [$0] } + dimensions.flatMap { a in dimensions.map { [a, $0] } }
            + dimensions.flatMap { a in dimensions.map { [a, 2, $0] } }
    }

    @Test func `broadcasting is NumPy's at every batch size, and an error where NumPy has one`() {
        for a in Self.shapes {
            for b in Self.shapes {
                // Batch sizes that are none of the fixed sizes: an open size never matches those by chance.
                let expected = [5, 8].map { broadcast(a.resolved(batch: $0), b.resolved(batch: $0)) }
                let result = try? a.broadcast(with: b)
                #expect((result?.resolved(batch: 5), result?.resolved(batch: 8)) == (expected[0], expected[1]), "\(a) with \(b)")
            }
        }
        expectError(.invalidModel, "[2] and [3]") { _ = try Shape([2]).broadcast(with: [3]) }
    }

    @Test(arguments: 0...4) func `axes count from both ends, and others are errors`(rank: Int) throws {
        for axis in -6...5 {
            if (-rank..<rank).contains(axis) {
                #expect(try Shape.axis(axis, rank: rank) == Array(0..<rank)[axis < 0 ? rank + axis : axis])
            } else {
                expectError(.invalidModel, "axis \(axis)") { _ = try Shape.axis(axis, rank: rank) }
            }
        }
        expectError(.invalidModel) { _ = try Shape.axis(.min, rank: rank) }
        expectError(.invalidModel) { _ = try Shape.axis(.max, rank: rank) }
    }

    @Test func `counts multiply the sizes, and are missing for two open ones`() {
        #expect(Shape([.batch, 3, 4]).count == Dimension(0, batchFactor: 12))
        #expect(Shape([Dimension]()).count == 1)
        #expect(Shape([.batch, .batch]).count == nil)
        #expect(Shape([Int.max, 2]).count == nil)
        #expect(Shape([2, 3]).known == [2, 3])
        #expect(Shape([.batch, 3]).known == nil)
    }

    @Test func `the sizes of an array have a count, or are refused`() {
        #expect(Shape.count(of: []) == 1)
        #expect(Shape.count(of: [2, 3, 4]) == 24)
        #expect(Shape.count(of: [2, 3, 4], elementSize: 8) == 192)
        #expect(Shape.count(of: [3, 0, 2]) == 0)
        #expect(Shape.count(of: [-1, 2]) == nil)
        #expect(Shape.count(of: [-1, -2]) == nil)
        #expect(Shape.count(of: [1 << 32, 1 << 31]) == nil)
        #expect(Shape.count(of: [1 << 31, 1 << 31], elementSize: 4) == nil)
        // A zero hides nothing: somebody will multiply the others.
        #expect(Shape.count(of: [0, 1 << 40, 1 << 40]) == nil)
    }

    @Test func `types print as element type and shape`() {
        #expect(float([.batch, 3]).description == "float32[N, 3]")
        #expect(ValueType(Tensor([Int64(1), 2], shape: [2])).description == "int64[2]")
        #expect(Shape([Dimension]()).description == "[]")
    }
}
