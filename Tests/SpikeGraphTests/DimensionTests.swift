import SpikeGraph
import Testing

@Suite struct DimensionTests {
    /// All small sizes, open and closed.
    private static let small = (-3...3).flatMap { constant in (-3...3).map { Dimension(constant, batchFactor: $0) } }
    private static let batches = 1...12

    private func agree(_ result: Dimension, _ number: (Int) -> Int) -> Bool {
        Self.batches.allSatisfy { result.resolved(batch: $0) == number($0) }
    }

    @Test func `sums and differences hold at every batch size`() {
        for a in Self.small {
            for b in Self.small {
                #expect(agree(a + b) { a.resolved(batch: $0) + b.resolved(batch: $0) })
                #expect(agree(a - b) { a.resolved(batch: $0) - b.resolved(batch: $0) })
            }
        }
    }

    @Test func `a product holds at every batch size, and is missing only for two open sizes`() throws {
        for a in Self.small {
            for b in Self.small {
                if let product = a * b {
                    #expect(agree(product) { a.resolved(batch: $0) * b.resolved(batch: $0) })
                } else {
                    #expect(a.known == nil && b.known == nil)
                }
            }
        }
    }

    @Test func `a quotient is there exactly when one size times the divisor is the dividend at every batch size`() {
        for a in Self.small {
            for b in Self.small {
                let exists =
                    b != 0
                    && Self.small.contains { q in
                        Self.batches.allSatisfy { q.resolved(batch: $0) * b.resolved(batch: $0) == a.resolved(batch: $0) }
                    }
                let quotient = a / b
                #expect((quotient != nil) == exists, "\(a) / \(b)")
                if let quotient { #expect(agree(quotient * b ?? 99) { a.resolved(batch: $0) }, "\(a) / \(b)") }
            }
        }
    }

    @Test(arguments: [Int.min, Int.min + 1, -1, 0, 1, Int.max])
    func `numbers at the end of their range give no quotient and no product rather than a trap`(_ number: Int) throws {
        for other in [Int.min, -1, 0, 1, 2, Int.max] {
            for (a, b) in [(Dimension(number), Dimension(other)), (Dimension(0, batchFactor: number), Dimension(other, batchFactor: 0))] {
                if let product = a * b { #expect(product.resolved(batch: 1) == number &* other) }
                if let quotient = a / b { #expect(quotient * b == a) }
            }
        }
        #expect(Dimension(.min) / -1 == nil)
        #expect(Dimension(.max) * Dimension(.max) == nil)
        #expect(!Dimension(number, batchFactor: 1).description.isEmpty)
    }

    @Test func `a size is never negative and stays below two to the 31`() {
        #expect(Dimension(0).isSize && Dimension.batch.isSize && Dimension(-1, batchFactor: 1).isSize && Dimension(1 << 31 - 1).isSize)
        for wrong in [
            Dimension(-1), Dimension(1 << 31), Dimension(0, batchFactor: -1), Dimension(-2, batchFactor: 1), Dimension(.min),
            Dimension(.max),
            Dimension(5, batchFactor: 1 << 31), Dimension(.max, batchFactor: .max),
        ] { #expect(!wrong.isSize, "\(wrong)") }
    }

    @Test func `sizes print as sums over N`() {
        let printed: [(Dimension, String)] = [
            (7, "7"), (.batch, "N"), (Dimension(0, batchFactor: 3), "3N"), (Dimension(2, batchFactor: 1), "N+2"),
            (Dimension(-1, batchFactor: 4), "4N-1"), (Dimension(.min, batchFactor: 1), "N-9223372036854775808"),
        ]
        for (dimension, text) in printed { #expect(dimension.description == text) }
        #expect(Dimension.batch.known == nil && Dimension(3).known == 3)
    }
}
