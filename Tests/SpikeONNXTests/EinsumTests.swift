import SpikeGraph
import SpikeONNX
import SpikeReference
import TestSupport
import Testing

@Suite struct EinsumTests {
    /// The size of each letter; `n` is the batch.
    private static let sizes: [Character: Int] = ["n": 3, "b": 2, "h": 2, "q": 4, "k": 3, "d": 5, "e": 2, "z": 1, "1": 2, "2": 4]

    /// Sums of products as the equation says them, index by index. Digits stand for the axes of `...`.
    private func expected(_ terms: [String], _ output: String, _ operands: [Tensor]) -> Tensor {
        let letters = Array(Set(terms.joined())).sorted()
        let lengths = letters.map { Self.sizes[$0] ?? 1 }
        var sums = [Double](repeating: 0, count: output.map { Self.sizes[$0] ?? 1 }.reduce(1, *))
        for position in 0..<lengths.reduce(1, *) {
            var (rest, at) = (position, [Character: Int]())
            for (letter, length) in zip(letters, lengths) {
                at[letter] = rest % length
                rest /= length
            }
            func place(_ term: String) -> Int { term.reduce(0) { $0 * (Self.sizes[$1] ?? 1) + (at[$1] ?? 0) } }
            sums[place(output)] += zip(terms, operands).reduce(1.0) { $0 * Double($1.1.floats[place($1.0)]) }
        }
        return Tensor(sums.map { Float($0) }, shape: output.map { Self.sizes[$0] ?? 1 })
    }

    @Test(arguments: [
        "nhqd,nhkd->nhqk", "nqhd,nkhd->nhqk", "nhqk,nhkd->nqhd", "nqd,de->nqe", "de,nqd->nqe", "nqhd,hde->nqe", "nqd,dhk->nqhk",
        "nqd,dhk->nhqk",
        "nd,nd->n", "nd,nd->nd", "nd,ne->nde", "nd,d->n", "nqd->nq", "nqd->nd", "nqd->ndq", "nqd", "dqn->nqd", "nqd,q->nd",
        "nbh,bhqe,qe->n",
        "nd,ne,de->n", "nqd,nd->nq", "nhz,hzd->nd", "nqd,z->nzqd", "nkd,nqd->qnk", "nk,kq,qd->nd", "nqd,nqd->nqd", "d,nqd->nq",
        "12qd,12kd->12qk", "12qd,de->12qe", "12d->12", "12d,12d->12", "12qd,2d->12q", "qd12->12qd", "12d,2d->12",
    ])
    func `an equation's numbers are its sums of products`(equation: String) throws {
        var generator = SeededGenerator(UInt64(equation.utf8.reduce(0) { ($0 * 31 + Int($1)) % 65_521 }))
        let sides = equation.split(separator: "->").map(String.init)
        let terms = sides[0].split(separator: ",").map(String.init)
        let shapes = terms.map { $0.map { Self.sizes[$0] ?? 1 } }
        let data = shapes.map { shape in
            Tensor((0..<shape.reduce(1, *)).map { _ in Float(Int.random(in: -4...4, using: &generator)) / 4 }, shape: shape)
        }
        // Operands that begin with the batch are inputs, with the batch open; without one the first is, of fixed sizes; others are weights.
        let isInput = terms.map { $0.first == "n" || $0.first == "1" }
        var builder = ModelBuilder(opset: 17)
        builder.model.graph.input = []
        for (position, term) in terms.enumerated() {
            if isInput[position] || !isInput.contains(true) && position == 0 {
                let sizes = term.enumerated().map { $0 == 0 && isInput[position] ? nil : Self.sizes[$1] }
                builder.model.graph.input.append(ModelBuilder.info("x\(position)", sizes))
            } else {
                builder.weight("x\(position)", data[position].shape, data[position].floats)
            }
        }
        let written = equation.replacing("12", with: "...").replacing("2", with: "...")
        builder.node("Einsum", terms.indices.map { "x\($0)" }, ["y"], ["equation": .string(written)], name: "sum")
        let graph = try builder.graph()
        let output = sides.count == 2 ? sides[1] : terms[0].sorted().map(String.init).joined()
        let found = try ReferenceExecutor(graph).run(graph.inputs.map { data[Int($0.name.dropFirst()) ?? 0] })[0]
        let wanted = expected(terms, output, data)
        let isEqual = found.shape == wanted.shape && zip(found.floats, wanted.floats).allSatisfy { abs($0 - $1) < 1e-4 }
        #expect(isEqual, "\(written): \(found.shape)")
    }

    @Test func `what an equation cannot be is an error that says so`() {
        func failure(_ equation: String, _ input: [Int?], weights: [[Int]] = []) -> String {
            ModelBuilder.single("Einsum", input: input, weights: weights, ["equation": .string(equation)]).failure()
        }
        #expect(failure("nii->ni", [nil, 3, 3]).contains("takes a diagonal"))
        #expect(failure("nd->d", [nil, 3]).contains("sums over the batch"))
        #expect(failure("nd,de->ne", [nil, 3], weights: [[4, 2]]).contains("'d' is 3 and 4"))
        #expect(failure("nd->nq", [nil, 3]).contains("an index that no input has"))
        #expect(failure("nd,de->ne", [nil, 3]).contains("1 inputs do not fit"))
        #expect(failure("nd", [nil, 3, 4]).contains("input 0 has the shape [N, 3, 4]"))
        #expect(failure("n?->n", [nil, 3]).contains("is no list of letters"))
        #expect(failure("n...d...->n", [nil, 3]).contains("is no list of letters"))
        #expect(failure("", [nil, 3]).contains("equation"))
    }
}
