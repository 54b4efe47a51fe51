import SpikeGraph
import TestSupport
import Testing

@Suite("Going through data")
struct BatchSourceTests {
    private struct Seen: Accumulator {
        var values: [Float] = []
        var starts: [Int] = []

        mutating func merge(_ later: Seen) {
            values += later.values
            starts += later.starts
        }
    }

    /// Samples 0, 1, 2, … in batches of these sizes.
    private func data(_ sizes: [Int]) -> [Batch] {
        var next = 0
        return sizes.map { size in
            defer { next += size }
            return Batch(Tensor((next..<next + size).map { Float($0) }, shape: [size, 1]), labels: Array(next..<next + size))
        }
    }

    @Test(arguments: [1, 2, 3, 7, Int.max])
    func `each sample is seen once and in order, whatever the batches, portions and threads, and those that are skipped`(size: Int) throws {
        for sizes in [[10], [3, 4, 3], [1, 0, 9], [4, 4, 2]] {
            for threads in [1, 3] {
                for skipped in [0, 2, 4, 9] {
                    let found = try data(sizes).reduce("testing", into: Seen(), skipping: skipped, portion: size, threads: threads) {
                        portion in
                        let values = portion.batch.inputs[0].floats
                        #expect(portion.batch.labels == values.map { Int($0) })
                        #expect(portion.batch.count <= size && Float(portion.start) == values[0])
                        return Seen(values: values, starts: [portion.start])
                    }
                    #expect(found.values == (skipped..<10).map { Float($0) })
                    if size == 3 { #expect(found.starts.contains(6) || skipped > 6) }
                }
            }
        }
    }

    @Test func `passes, an early end and the first samples`() throws {
        var seen: [Float] = []
        try data([3, 4]).forEach("testing", passes: 2, portion: 2) { seen += $0.batch.inputs[0].floats }
        #expect(seen == [0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6])
        seen = []
        try data([3, 4]).forEach("testing", portion: 2, until: { seen.count >= 3 }) { seen += $0.batch.inputs[0].floats }
        #expect(seen == [0, 1, 2])
        #expect(try data([3, 4]).first(5).map(\.count) == [3, 2])
        #expect(try data([3, 4]).first(5, wholeBatches: true).map(\.count) == [3, 4])
        #expect(try data([3, 4]).first(4).joinedInputs.map(\.floats) == [[0, 1, 2, 3]])
    }

    @Test func `no sample, and fewer than are to be skipped, are errors`() throws {
        expectError(.invalidData, "no sample") { try data([]).forEach("testing") { _ in } }
        expectError(.invalidData, "no sample") { try data([0]).forEach("testing") { _ in } }
        expectError(.invalidData, "1 samples more") { _ = try data([10]).reduce("testing", into: Seen(), skipping: 11) { _ in Seen() } }
    }
}
