import Foundation
import SpikeGraph
import SpikeReference
import TestSupport
import Testing

@Suite struct ElementwiseTests {
    @Test func `sums and products broadcast as NumPy's`() throws {
        var generator = SeededGenerator(21)
        for _ in 0..<200 {
            let full = (0..<Int.random(in: 0...4, using: &generator)).map { _ in Int.random(in: 1...4, using: &generator) }
            func operand() -> Tensor {
                let shape = full.suffix(Int.random(in: 0...full.count, using: &generator)).map { Bool.random(using: &generator) ? 1 : $0 }
                return .whole(shape, &generator)
            }
            let (a, b) = (operand(), Bool.random(using: &generator) ? operand() : .whole(full, &generator))
            let rank = max(a.rank, b.rank)
            func padded(_ x: Tensor) -> [Int] { [Int](repeating: 1, count: rank - x.rank) + x.shape }
            let shape = zip(padded(a), padded(b)).map { max($0, $1) }
            func value(_ x: Tensor, _ at: [Int]) -> Float { x[zip(x.shape, at.suffix(x.rank)).map { $0 == 1 ? 0 : $1 }] }
            #expect(try run(.add(Add()), [a, b]) == .made(shape) { value(a, $0) + value(b, $0) }, "\(a.shape) + \(b.shape)")
            #expect(try run(.mul(Mul()), [a, b]) == .made(shape) { value(a, $0) * value(b, $0) }, "\(a.shape) · \(b.shape)")
        }
        let empty = Tensor([Float](), shape: [0, 3])
        #expect(try ReferenceExecutor.evaluate(.add(Add()), [empty, Tensor(scalar: 1)]) == [empty])
        #expect(try ReferenceExecutor.evaluate(.add(Add()), [Tensor(repeating: 1, shape: [1, 3]), empty]) == [empty])
    }

    @Test func `ReLUs cut where they are told to`() throws {
        let x = Tensor([-3, -0.5, 0, 0.5, 3, 7] as [Float], shape: [1, 6])
        #expect(try run(.relu(Relu()), [x]).floats == [0, 0, 0, 0.5, 3, 7])
        let clips: [(Clip, [Float])] = [
            (Clip(), [-3, -0.5, 0, 0.5, 3, 7]), (Clip(minimum: 0), [0, 0, 0, 0.5, 3, 7]), (Clip(maximum: 1), [-3, -0.5, 0, 0.5, 1, 1]),
            (Clip(minimum: 0, maximum: 6), [0, 0, 0, 0.5, 3, 6]), (Clip(minimum: -1, maximum: 1), [-1, -0.5, 0, 0.5, 1, 1]),
            // The maximum is applied last: it wins, as in ONNX's test with a minimum above the maximum.
            (Clip(minimum: 2, maximum: 1), [1, 1, 1, 1, 1, 1]),
        ]
        for (clip, expected) in clips { #expect(try run(.clip(clip), [x]).floats == expected, "\(clip)") }
    }

    @Test func `a NaN stays one behind every ReLU`() throws {
        let x = Tensor([.nan, 1] as [Float], shape: [2])
        for activation in [
            SpikeGraph.Operator.relu(Relu()), .clip(Clip(minimum: 0, maximum: 6)), .clip(Clip(maximum: 1)), .sigmoid(Sigmoid()),
        ] {
            let y = try ReferenceExecutor.evaluate(activation, [x])[0].floats
            #expect(y[0].isNaN && !y[1].isNaN, "\(activation.name)")
        }
    }

    @Test func `sigmoids are those of float64 within rounding`() throws {
        var generator = SeededGenerator(23)
        let x = Tensor.uniform([200], in: -30...30, &generator)
        let expected = Tensor(x.floats.map { Float(1 / (1 + exp(-Double($0)))) }, shape: [200])
        #expect(try run(.sigmoid(Sigmoid()), [x]).difference(from: expected) < 1e-6)
        #expect(try run(.sigmoid(Sigmoid()), [Tensor([-1000, 1000] as [Float], shape: [2])]).floats == [0, 1])
    }

    @Test(arguments: [[4, 3], [2, 3, 5], [2, 3, 4, 2], [1, 3, 2, 2, 2]])
    func `batch normalisation is its formula at every rank`(shape: [Int]) throws {
        var generator = SeededGenerator(24)
        for epsilon: Float in [1e-5, 0.5] {
            let x = Tensor.uniform(shape, in: -3...3, &generator)
            let parameters = [(-2...2), (-2...2), (-2...2), (0.1...2)].map { Tensor.uniform([3], in: $0, &generator) }
            let expected = Tensor.made(shape) { at in
                let p = parameters.map { Double($0[[at[1]]]) }
                return Float(p[0] * (Double(x[at]) - p[2]) / (p[3] + Double(epsilon)).squareRoot() + p[1])
            }
            let result = try run(.batchNormalization(BatchNormalization(epsilon: epsilon)), [x] + parameters)
            #expect(result.difference(from: expected) < 1e-6)
        }
    }
}

@Suite struct SoftmaxTests {
    /// In float64, over the coordinates that share everything but the normalised axes.
    private func naive(_ x: Tensor, axes: Range<Int>, logarithmic: Bool) -> Tensor {
        .made(x.shape) { at in
            var total = 0.0
            forEachCoordinate(axes.map { x.shape[$0] }) { inner in
                var other = at
                for (axis, coordinate) in zip(axes, inner) { other[axis] = coordinate }
                total += exp(Double(x[other]) - Double(x[at]))
            }
            return Float(logarithmic ? -log(total) : 1 / total)
        }
    }

    @Test(arguments: [[5], [4, 3], [2, 3, 4], [2, 3, 2, 2]]) func `both forms are their definitions along every axis`(shape: [Int]) throws {
        var generator = SeededGenerator(31)
        let x = Tensor.uniform(shape, in: -5...5, &generator)
        for axis in -shape.count..<shape.count {
            let position = axis < 0 ? axis + shape.count : axis
            for (flattens, axes) in [(false, position..<position + 1), (true, position..<shape.count)] {
                let softmax = try run(.softmax(Softmax(axis: axis, flattensTail: flattens)), [x])
                #expect(softmax.difference(from: naive(x, axes: axes, logarithmic: false)) < 1e-6)
                let logarithm = try run(.logSoftmax(LogSoftmax(axis: axis, flattensTail: flattens)), [x])
                #expect(logarithm.difference(from: naive(x, axes: axes, logarithmic: true)) < 1e-6)
            }
        }
    }

    @Test func `large numbers do not overflow`() throws {
        let x = Tensor([0, 1, 2, 3, 10000, 10001, 10002, 10003] as [Float], shape: [2, 4])
        let rows = try run(.softmax(Softmax()), [x]).floats
        #expect(rows[..<4] == rows[4...])
        #expect(try run(.logSoftmax(LogSoftmax()), [x]).floats.allSatisfy { $0.isFinite })
    }

    @Test func `scores of −∞ have no share, and a row of nothing else is an error`() throws {
        let masked = Tensor([0, -.infinity, 0, -.infinity, 3, -.infinity] as [Float], shape: [1, 2, 3])
        func softmax(_ x: Tensor, axis: Int = -1) throws -> Tensor { try ReferenceExecutor.evaluate(.softmax(Softmax(axis: axis)), [x])[0] }
        #expect(try softmax(masked).floats == [0.5, 0, 0.5, 0, 1, 0])
        let whole = Tensor([0, 0, -.infinity, -.infinity] as [Float], shape: [1, 2, 2])
        for (softmax, row) in [(Softmax(), "[0, 1, :]"), (Softmax(axis: 2), "[0, 1, :]")] {
            let graph = try Graph(
                name: "masked", inputs: [.init("x", ValueType(.float32, [.batch, 2, 2]))], outputs: [.init("y", value: "attention")],
                nodes: [Node("scores", .add(Add()), inputs: ["x", "mask"]), Node("attention", .softmax(softmax), inputs: ["scores"])],
                constants: ["mask": whole])
            let error = #expect(throws: SpikeletError.self) {
                _ = try ReferenceExecutor(graph).run([Tensor(repeating: 1, shape: [1, 2, 2])])
            }
            #expect(error?.location == "node 'attention'" && error?.message.contains("the row \(row) of a softmax is masked whole") == true)
        }
        #expect(throws: SpikeletError.self) { _ = try softmax(Tensor(repeating: -.infinity, shape: [1, 2, 2]), axis: 1) }
        #expect(try softmax(Tensor([.nan, -.infinity] as [Float], shape: [1, 2])).floats.allSatisfy(\.isNaN))
    }
}

@Suite struct ReduceMeanTests {
    @Test func `means over any axes are their definitions`() throws {
        var generator = SeededGenerator(41)
        for shape in [[3], [2, 4], [2, 3, 4], [2, 3, 2, 4]] {
            let x = Tensor.whole(shape, &generator)
            for subset in 0..<(1 << shape.count) {
                let axes = shape.indices.filter { subset >> $0 & 1 == 1 }
                // Without axes, ONNX takes the mean over all of them.
                let reduced = axes.isEmpty ? Array(shape.indices) : axes
                let kept = shape.indices.map { reduced.contains($0) ? 1 : shape[$0] }
                let count = reduced.map { shape[$0] }.reduce(1, *)
                let expected = Tensor.made(kept) { at in
                    var sum: Float = 0
                    forEachCoordinate(shape) { source in
                        if shape.indices.allSatisfy({ reduced.contains($0) || at[$0] == source[$0] }) { sum += x[source] }
                    }
                    return sum / Float(count)
                }
                let named = axes.map { subset % 3 == 0 ? $0 - shape.count : $0 }
                #expect(try run(.reduceMean(ReduceMean(axes: named)), [x]) == expected)
                let dropped = shape.indices.filter { !reduced.contains($0) }.map { shape[$0] }
                #expect(try run(.reduceMean(ReduceMean(axes: named, keepsDimensions: false)), [x]) == expected.reshaped(to: dropped))
            }
        }
        #expect(try run(.reduceMean(ReduceMean()), [Tensor(scalar: 3)]) == Tensor(scalar: 3))
    }
}
