import SpikeGraph
import Testing

@Suite struct SamplesTests {
    /// `[N, 3, 2]` → tokens in front `[3, N, 2]` → `[3·N, 2]` → weights → `[3, N, 4]` → `[N, 3, 4]`.
    private func network() throws -> Graph {
        let flat = Reshape(sizes: [.fixed(constant: 0, batchFactor: 3), .fixed(constant: 2, batchFactor: 0)])
        let apart = Reshape(sizes: [
            .fixed(constant: 3, batchFactor: 0), .fixed(constant: 0, batchFactor: 1), .fixed(constant: 4, batchFactor: 0),
        ])
        return try Graph(
            name: "tokens", inputs: [Graph.Input("x", ValueType(.float32, [.batch, 3, 2]))],
            outputs: [Graph.Output("y", value: "back")],
            nodes: [
                Node("front", .transpose(Transpose(permutation: [1, 0, 2])), inputs: ["x"]),
                Node("flat", .reshape(flat), inputs: ["front"]),
                Node("product", .matMul(MatMul()), inputs: ["flat", "weights"]),
                Node("apart", .reshape(apart), inputs: ["product"]),
                Node("back", .transpose(Transpose(permutation: [1, 0, 2])), inputs: ["apart"]),
                Node("rows", .reshape(Reshape(sizes: [.rest, .fixed(constant: 4, batchFactor: 0)])), inputs: ["back"]),
            ],
            constants: ["weights": Tensor(repeating: 1, shape: [2, 4])])
    }

    @Test func `samples lie in pieces where tokens are in front, and behind a reshape of them`() throws {
        let pieces = try network().piecesOfSamples()
        #expect(pieces == ["x": 1, "front": 3, "flat": 3, "product": 3, "apart": 3, "back": 1, "rows": 1])
    }

    @Test func `portions are put together piece by piece`() throws {
        let graph = try network()
        let pieces = graph.piecesOfSamples()
        // Of samples 0, 1 and 2 with tokens 0…2: ten times the token, and the sample.
        func rows(_ samples: Range<Int>) -> [Float] { (0..<3).flatMap { token in samples.flatMap { [Float(10 * token + $0), -1] } } }
        func flat(_ samples: Range<Int>) -> Tensor { Tensor(rows(samples), shape: [3 * samples.count, 2]) }
        #expect(graph.joined([flat(0..<2), flat(2..<3)], of: "flat", pieces: pieces) == flat(0..<3))
        func front(_ samples: Range<Int>) -> Tensor { Tensor(rows(samples), shape: [3, samples.count, 2]) }
        #expect(graph.joined([front(0..<1), front(1..<2), front(2..<3)], of: "front", pieces: pieces) == front(0..<3))
        for tensor in [flat(0..<3), front(0..<3)] {
            let apart = graph.samplesFirst(tensor, of: tensor.rank == 2 ? "flat" : "front", pieces: pieces)
            #expect(apart.shape == [3, 3, 2])
            #expect(apart.samples(1..<2).floats == rows(1..<2) && apart.samples(2..<3).floats == rows(2..<3))
        }
        #expect(graph.samplesFirst(flat(0..<1), of: "rows", pieces: pieces).shape == [1, 3, 2])
        let first = Tensor(repeating: 1, shape: [2, 3, 2])
        #expect(graph.samplesFirst(first, of: "x", pieces: pieces) == first)
        #expect(graph.joined([first, Tensor(repeating: 2, shape: [1, 3, 2])], of: "x", pieces: pieces).shape == [3, 3, 2])
    }
}
