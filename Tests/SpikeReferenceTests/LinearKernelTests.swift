import SpikeGraph
import SpikeReference
import TestSupport
import Testing

@Suite struct GemmTests {
    @Test func `a general product is its definition under all flags`() throws {
        var generator = SeededGenerator(11)
        for round in 0..<120 {
            func size() -> Int { Int.random(in: 1...5, using: &generator) }
            let (m, k, n) = (size(), size(), size())
            let gemm = Gemm(
                alpha: [1, 0.5, -2][round % 3], beta: [1, 0.25, 0][round / 3 % 3], transposeA: round % 2 == 0,
                transposeB: round / 2 % 2 == 0)
            let a = Tensor.whole(gemm.transposeA ? [k, m] : [m, k], &generator)
            let b = Tensor.whole(gemm.transposeB ? [n, k] : [k, n], &generator)
            let shapes: [[Int]?] = [nil, [], [1], [n], [m, 1], [1, n], [m, n]]
            let c = shapes[round % shapes.count].map { Tensor.whole($0, &generator) }
            let expected = Tensor.made([m, n]) { at in
                let sum = (0..<k).reduce(Float(0)) {
                    $0 + a[gemm.transposeA ? [$1, at[0]] : [at[0], $1]] * b[gemm.transposeB ? [at[1], $1] : [$1, at[1]]]
                }
                guard let c else { return gemm.alpha * sum }
                let position = zip(c.shape, at.suffix(c.rank)).map { $0 == 1 ? 0 : $1 }
                return gemm.alpha * sum + gemm.beta * c[position]
            }
            #expect(try run(.gemm(gemm), [a, b] + (c.map { [$0] } ?? [])) == expected, "\(gemm) \(m) \(k) \(n) \(c?.shape ?? [-1])")
        }
    }

    @Test func `an empty product leaves the bias`() throws {
        let result = try run(
            .gemm(Gemm()),
            [Tensor([Float](), shape: [2, 0]), Tensor([Float](), shape: [0, 3]), Tensor([1, 2, 3] as [Float], shape: [3])])
        #expect(result.floats == [1, 2, 3, 1, 2, 3])
    }
}

@Suite struct MatMulTests {
    /// NumPy's rule, by coordinates.
    private func naive(_ a: Tensor, _ b: Tensor) throws -> Tensor {
        let left = a.rank == 1 ? a.reshaped(to: [1] + a.shape) : a
        let right = b.rank == 1 ? b.reshaped(to: b.shape + [1]) : b
        let rank = max(left.rank, right.rank)
        func lead(_ x: Tensor) -> [Int] { [Int](repeating: 1, count: rank - x.rank) + x.shape.dropLast(2) }
        let leads = zip(lead(left), lead(right)).map { max($0, $1) }
        let depth = left.shape[left.rank - 1]
        let product = Tensor.made(leads + [left.shape[left.rank - 2], right.shape[right.rank - 1]]) { at in
            func own(_ x: Tensor, row: Int, column: Int) -> [Int] {
                zip(x.shape, at.suffix(x.rank)).dropLast(2).map { $0 == 1 ? 0 : $1 } + [row, column]
            }
            return (0..<depth).reduce(Float(0)) {
                $0 + left[own(left, row: at[rank - 2], column: $1)] * right[own(right, row: $1, column: at[rank - 1])]
            }
        }
        return product.reshaped(
            to: leads + (a.rank == 1 ? [] : [left.shape[left.rank - 2]]) + (b.rank == 1 ? [] : [right.shape[right.rank - 1]]))
    }

    @Test(arguments: 1...4, 1...4) func `matrices multiply as NumPy's do at all ranks`(aRank: Int, bRank: Int) throws {
        var generator = SeededGenerator(UInt64(aRank * 10 + bRank))
        for _ in 0..<15 {
            let sizes = (0..<5).map { _ in Int.random(in: 1...4, using: &generator) }
            // The leading axes of each: some are 1, and broadcast.
            func lead(_ count: Int) -> [Int] { sizes.suffix(count).map { Bool.random(using: &generator) ? 1 : $0 } }
            let depth = sizes[0]
            let a = Tensor.whole(aRank == 1 ? [depth] : lead(aRank - 2) + [sizes[1], depth], &generator)
            let b = Tensor.whole(bRank == 1 ? [depth] : lead(bRank - 2) + [depth, sizes[2]], &generator)
            #expect(try run(.matMul(MatMul()), [a, b]) == naive(a, b), "\(a.shape) × \(b.shape)")
        }
    }
}
