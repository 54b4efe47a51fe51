import SpikeGraph
import SpikeReference
import TestSupport
import Testing

@Suite struct LayoutTests {
    private func batchGraph(_ shape: Shape, _ operators: [SpikeGraph.Operator]) throws -> ReferenceExecutor {
        let nodes = operators.enumerated().map { Node("n\($0)", $1, inputs: [$0 == 0 ? "x" : "n\($0 - 1)"]) }
        return ReferenceExecutor(
            try Graph(
                name: "g", inputs: [Graph.Input("x", ValueType(.float32, shape))],
                outputs: [Graph.Output("y", value: "n\(operators.count - 1)")], nodes: nodes, constants: [:]))
    }

    @Test func `concatenation along any axis keeps every element in its place`() throws {
        var generator = SeededGenerator(51)
        for rank in 1...4 {
            for axis in -rank..<rank {
                let position = axis < 0 ? axis + rank : axis
                let shape = (0..<rank).map { _ in Int.random(in: 1...3, using: &generator) }
                let parts = [2, 1, 3].map { size in
                    var own = shape
                    own[position] = size
                    return Tensor.whole(own, &generator)
                }
                var whole = shape
                whole[position] = 6
                let expected = Tensor.made(whole) { at in
                    var (part, own) = (0, at)
                    while own[position] >= parts[part].shape[position] {
                        own[position] -= parts[part].shape[position]
                        part += 1
                    }
                    return parts[part][own]
                }
                #expect(try run(.concat(Concat(axis: axis)), parts) == expected)
                #expect(try run(.concat(Concat(axis: axis)), [parts[0]]) == parts[0])
            }
        }
    }

    @Test func `integers and truth values are joined and reshaped too`() throws {
        let integers = Tensor([1, 2, 3, 4] as [Int64], shape: [2, 2])
        let truths = Tensor([true, false], shape: [2, 1])
        #expect(try run(.concat(Concat(axis: 1)), [integers, integers]).integers == [1, 2, 1, 2, 3, 4, 3, 4])
        #expect(try run(.concat(Concat(axis: 0)), [truths, truths]).booleans == [true, false, true, false])
        #expect(try run(.flatten(Flatten(axis: 0)), [integers]) == Tensor([1, 2, 3, 4] as [Int64], shape: [1, 4]))
        #expect(try ReferenceExecutor.evaluate(.concat(Concat(axis: 0)), [Tensor([Int64](), shape: [0, 2]), integers]) == [integers])
    }

    @Test(arguments: -3...3) func `flattening cuts at any axis`(axis: Int) throws {
        let x = Tensor((0..<24).map(Float.init), shape: [2, 3, 4])
        let rows = [1, 2, 6, 24, 1, 2, 6][axis < 0 ? axis + 3 : axis]
        #expect(try run(.flatten(Flatten(axis: axis)), [x]) == x.reshaped(to: [rows, 24 / rows]))
    }

    @Test(arguments: [1, 2, 7]) func `an open batch is filled in when the network runs`(batch: Int) throws {
        let x = Tensor((0..<batch * 12).map(Float.init), shape: [batch, 3, 4])
        func sizes(_ sizes: Reshape.Size...) -> SpikeGraph.Operator { .reshape(Reshape(sizes: sizes)) }
        let n = Reshape.Size.fixed(constant: 0, batchFactor: 1)
        func number(_ value: Int) -> Reshape.Size { .fixed(constant: value, batchFactor: 0) }
        let cases: [([SpikeGraph.Operator], [Int])] = [
            ([.flatten(Flatten())], [batch, 12]), ([.flatten(Flatten(axis: 0))], [1, 12 * batch]),
            ([.flatten(Flatten(axis: 2))], [batch * 3, 4]), ([sizes(n, .rest)], [batch, 12]), ([sizes(.rest, number(6))], [batch * 2, 6]),
            ([sizes(.same, number(12))], [batch, 12]), ([sizes(number(12), n)], [12, batch]),
            ([sizes(n, number(2), .rest)], [batch, 2, 6]), ([sizes(.fixed(constant: 0, batchFactor: 12))], [batch * 12]),
            // Behind these the first axis is not the batch any more, and a size that names the batch means it all the same.
            ([.flatten(Flatten(axis: 2)), sizes(n, number(3), number(4))], [batch, 3, 4]),
            ([.flatten(Flatten(axis: 0)), sizes(n, .rest)], [batch, 12]),
            ([sizes(number(12), n), sizes(number(3), .rest, n)], [3, 4, batch]),
            ([sizes(number(4), .rest), .flatten(Flatten(axis: 0)), sizes(.rest, number(3), n)], [4, 3, batch]),
        ]
        for (operators, shape) in cases {
            let executor = try batchGraph([.batch, 3, 4], operators)
            let result = try executor.run([x])[0]
            #expect(result == x.reshaped(to: shape), "\(operators.map(\.payload.summary))")
            #expect(executor.graph.types["n\(operators.count - 1)"]?.shape.resolved(batch: batch) == shape)
        }
    }

    @Test func `what passes through is the same`() throws {
        var generator = SeededGenerator(52)
        let x = Tensor.uniform([2, 3], &generator)
        for mover in [SpikeGraph.Operator.identity(Identity()), .dropout(Dropout()), .voltageHook(try VoltageHook())] {
            #expect(try run(mover, [x]) == x)
        }
        #expect(
            try run(.voltageScaler(VoltageScaler(scales: [1, 2, 4])), [x]).floats == zip(x.floats, [1, 2, 4, 1, 2, 4]).map { $0 * $1 })
    }
}
