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

    /// What one operator makes of `[N, 3, 4]`, or of a value that samples lie along the second axis of.
    private func meetings(_ operators: [SpikeGraph.Operator], _ constants: [Tensor] = [], reads: [String] = ["x"]) throws -> [String] {
        var (nodes, last) = ([Node](), reads)
        for (index, operation) in operators.enumerated() {
            nodes.append(
                Node("n\(index)", operation, inputs: last + (index == operators.count - 1 ? constants.indices.map { "c\($0)" } : [])))
            last = ["n\(index)"]
        }
        return try Graph(
            name: "meetings", inputs: [Graph.Input("x", ValueType(.float32, [.batch, 3, 4]))], outputs: [Graph.Output("y", value: last[0])],
            nodes: nodes, constants: Dictionary(uniqueKeysWithValues: constants.enumerated().map { ("c\($0)", $1) })
        ).meetingsOfSamples().map(\.reason)
    }

    @Test func `operators in which samples meet are found, and others are not`() throws {
        let front = SpikeGraph.Operator.transpose(Transpose(permutation: [1, 0, 2]))
        let last = SpikeGraph.Operator.transpose(Transpose(permutation: [1, 2, 0]))
        func reshape(_ sizes: [(Int, Int)]) -> SpikeGraph.Operator {
            .reshape(Reshape(sizes: sizes.map { .fixed(constant: $0.0, batchFactor: $0.1) }))
        }
        #expect(try meetings([.softmax(Softmax(axis: 0))])[0].contains("normalises over the batch"))
        #expect(try meetings([front, .softmax(Softmax(axis: 1))])[0].contains("normalises over the batch, axis 1"))
        #expect(try meetings([last, .logSoftmax(LogSoftmax(axis: -1))])[0].contains("normalises over the batch"))
        #expect(try meetings([front, .softmax(Softmax(axis: 2))]).isEmpty)
        #expect(try meetings([.reduce(Reduce(.sum, axes: [0]))])[0].contains("no longer has a part for each sample"))
        #expect(try meetings([reshape([(12, 0), (0, 1)])])[0].contains("numbers of several samples"))
        #expect(try meetings([front, reshape([(0, 1), (12, 0)])])[0].contains("numbers of several samples"))
        #expect(try meetings([front, reshape([(0, 3), (4, 0)]), reshape([(3, 0), (0, 1), (4, 0)])]).isEmpty)
        #expect(try meetings([.matMul(MatMul())], [Tensor(repeating: 1, shape: [4, 5])]).isEmpty)
        #expect(try meetings([.concat(Concat(axis: 0))], [Tensor(repeating: 1, shape: [1, 3, 4])]).count == 1)
        #expect(try meetings([.concat(Concat(axis: 0))], reads: ["x", "x"]).isEmpty)
        #expect(try meetings([front, .globalMaxPool(GlobalMaxPool())])[0].contains("for channels or places"))
        for (first, second, reason) in [("front", "last", "each pair of samples"), ("last", "front", "no longer has a part")] {
            let product = try Graph(
                name: "product", inputs: [Graph.Input("x", ValueType(.float32, [.batch, 3, 4]))], outputs: [Graph.Output("y", value: "y")],
                nodes: [
                    Node("front", front, inputs: ["x"]), Node("last", last, inputs: ["x"]),
                    Node("y", .matMul(MatMul()), inputs: [first, second]),
                ], constants: [:])
            #expect(product.meetingsOfSamples().map(\.reason)[0].contains(reason))
        }
        // Two values of one shape, whose samples lie differently.
        let graph = try Graph(
            name: "orders", inputs: [Graph.Input("x", ValueType(.float32, [.batch, 3, 4]))], outputs: [Graph.Output("y", value: "sum")],
            nodes: [
                Node("plain", reshape([(0, 3), (4, 0)]), inputs: ["x"]), Node("front", front, inputs: ["x"]),
                Node("turned", reshape([(0, 3), (4, 0)]), inputs: ["front"]), Node("sum", .add(Add()), inputs: ["plain", "turned"]),
            ], constants: [:])
        #expect(graph.meetingsOfSamples().map(\.node) == ["sum"])
    }

    @Test func `joined along the batch, each sample has a piece of each`() throws {
        let graph = try Graph(
            name: "joined", inputs: [Graph.Input("x", ValueType(.float32, [.batch, 2]))], outputs: [Graph.Output("y", value: "twice")],
            nodes: [
                Node("once", .concat(Concat(axis: 0)), inputs: ["x", "x"]), Node("twice", .tile(Tile(repeats: [3, 1])), inputs: ["once"]),
            ], constants: [:])
        #expect(graph.piecesOfSamples() == ["x": 1, "once": 2, "twice": 6])
    }
}
