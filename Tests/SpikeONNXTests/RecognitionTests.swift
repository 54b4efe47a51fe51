import Foundation
import SpikeGraph
import SpikeONNX
import SpikeReference
import TestSupport
import Testing

@Suite struct RectifierSpellingTests {
    /// A model of nodes over `x`, `[N, 4]`, and numbers by name.
    private func graph(_ nodes: [(type: String, inputs: [String], attributes: [String: ModelBuilder.Attribute])]) throws -> Graph {
        var builder = ModelBuilder(input: [nil, 4])
        for (name, value) in [("0", 0), ("1", 1), ("half", 0.5), ("-1", -1), ("1/4", 0.25)] as [(String, Float)] {
            builder.weight(name, [1], [value])
        }
        for (index, node) in nodes.enumerated() {
            builder.node(node.type, node.inputs, [index == nodes.count - 1 ? "y" : "n\(index)"], node.attributes)
        }
        return try builder.graph()
    }

    private func operators(_ nodes: [(String, [String])]) throws -> [SpikeGraph.Operator] {
        try graph(nodes.map { ($0.0, $0.1, [:]) }).nodes.map(\.operator)
    }

    @Test func `a ReLU in other words is a ReLU`() throws {
        let relu = [SpikeGraph.Operator.relu(Relu())]
        #expect(try operators([("Max", ["x", "0"])]) == relu)
        #expect(try operators([("Greater", ["x", "0"]), ("Where", ["n0", "x", "0"])]) == relu)
        #expect(try operators([("LessOrEqual", ["x", "0"]), ("Where", ["n0", "0", "x"])]) == relu)
        #expect(try operators([("Neg", ["x"]), ("Min", ["n0", "0"]), ("Neg", ["n1"]), ("Max", ["x", "n2"])]) == relu)
        let clip = [SpikeGraph.Operator.clip(Clip(minimum: 0, maximum: 0.5))]
        #expect(try operators([("Relu", ["x"]), ("Min", ["n0", "half"])]) == clip)
        #expect(try operators([("Min", ["x", "half"]), ("Max", ["n0", "0"])]) == clip)
        #expect(try operators([("Max", ["x", "-1"]), ("Relu", ["n0"]), ("Clip", ["n1", "-1", "half"])]) == clip)
        #expect(try operators([("Mul", ["x", "1/4"]), ("Max", ["x", "n0"])]) == [.unary(Unary(.leakyRelu, parameters: [0.25]))])
    }

    @Test func `what is no ReLU stays what it is`() throws {
        for nodes in [
            [("Greater", ["x", "1"]), ("Where", ["n0", "x", "0"])], [("Greater", ["x", "0"]), ("Where", ["n0", "x", "1"])],
            [("Greater", ["x", "0"]), ("Where", ["n0", "0", "x"])], [("Max", ["x", "-1"]), ("Min", ["n0", "1"])],
            [("Relu", ["x"]), ("Mul", ["n0", "x"])], [("Max", ["x", "1"])], [("Abs", ["x"]), ("Max", ["n0", "half"])],
        ] as [[(String, [String])]] {
            let found = try operators(nodes)
            for `operator` in found.dropFirst(found.count > 1 ? 1 : 0) {
                switch `operator` {
                case .relu: Issue.record("\(nodes) became \(found)")
                case .clip(let clip): #expect(clip.minimum != 0, "\(nodes) became \(found)")
                default: break
                }
            }
        }
    }

    @Test func `whatever is recognised is the same function`() throws {
        var random = SeededGenerator(3)
        let x = Tensor([-3, -1, -0.75, -0.5, -0.25, 0, 0.1, 0.25, 0.5, 0.75, 1, 4], shape: [3, 4])
        let words = ["Max", "Min", "Where", "Greater", "Less", "Mul", "Add", "Relu", "Clip", "Abs", "Neg"]
        var recognised = 0
        for _ in 0..<600 {
            // Numbers and values so far, and truth values so far.
            var (numbers, truths) = (["x", "0", "1", "half", "-1", "1/4"], [String]())
            var nodes: [(type: String, inputs: [String], attributes: [String: ModelBuilder.Attribute])] = []
            for index in 0..<Int.random(in: 1...5, using: &random) {
                func number() -> String { numbers[Int.random(in: 0..<numbers.count, using: &random)] }
                var word = words[Int.random(in: 0..<words.count, using: &random)]
                if word == "Where", truths.isEmpty { word = "Max" }
                switch word {
                case "Where": nodes.append((word, [truths[truths.count - 1], number(), number()], [:]))
                case "Greater", "Less":
                    nodes.append((word, [number(), number()], [:]))
                    truths.append("n\(index)")
                    continue
                case "Relu", "Abs", "Neg": nodes.append((word, [number()], [:]))
                case "Clip": nodes.append((word, [number(), "-1", "1"], [:]))
                default: nodes.append((word, [number(), number()], [:]))
                }
                numbers.append("n\(index)")
            }
            // The last word reads x and a number.
            let last = numbers[numbers.count - 1]
            nodes.append(("Max", [last, "x"], [:]))
            guard let graph = try? graph(nodes), let found = try? ReferenceExecutor(graph).run([x])[0].floats else { continue }
            if graph.nodes.count < nodes.count { recognised += 1 }
            #expect(zip(found, values(nodes, x)).allSatisfy { abs($0 - $1) < 1e-6 }, "\(nodes)")
        }
        #expect(recognised > 20)
    }

    /// What the nodes give, number by number.
    private func values(
        _ nodes: [(type: String, inputs: [String], attributes: [String: ModelBuilder.Attribute])], _ x: Tensor
    ) -> [Float] {
        x.floats.map { x in
            var known: [String: Float] = ["x": x, "0": 0, "1": 1, "half": 0.5, "-1": -1, "1/4": 0.25]
            var result: Float = 0
            for (index, node) in nodes.enumerated() {
                let v = node.inputs.map { known[$0] ?? 0 }
                result =
                    switch node.type {
                    case "Max": max(v[0], v[1])
                    case "Min": min(v[0], v[1])
                    case "Where": v[0] != 0 ? v[1] : v[2]
                    case "Greater": v[0] > v[1] ? 1 : 0
                    case "Less": v[0] < v[1] ? 1 : 0
                    case "Mul": v[0] * v[1]
                    case "Add": v[0] + v[1]
                    case "Relu": max(v[0], 0)
                    case "Clip": min(max(v[0], -1), 1)
                    case "Abs": abs(v[0])
                    default: -v[0]
                    }
                known["n\(index)"] = result
            }
            return result
        }
    }
}

@Suite struct LayoutTests {
    @Test func `transposes in a row are one, and none where they cancel out`() throws {
        var builder = ModelBuilder(input: [nil, 2, 3, 4])
        builder.node("Transpose", ["x"], ["a"], ["perm": .ints([0, 2, 3, 1])])
        builder.node("Transpose", ["a"], ["b"], ["perm": .ints([0, 3, 1, 2])])
        builder.node("Relu", ["b"], ["c"])
        builder.node("Transpose", ["c"], ["d"], ["perm": .ints([0, 3, 2, 1])])
        builder.node("Transpose", ["d"], ["y"], ["perm": .ints([0, 2, 1, 3])])
        let graph = try builder.graph()
        #expect(graph.nodes.map(\.operator) == [.relu(Relu()), .transpose(Transpose(permutation: [0, 2, 3, 1]))])
        #expect(graph.outputs.count == 1 && graph.types[graph.outputs[0].value]?.shape == [.batch, 3, 4, 2])
    }

    @Test(arguments: [true, false]) func `weights take on the order of what is flattened`(isGemm: Bool) throws {
        var random = SeededGenerator(5)
        func numbers(_ count: Int) -> [Float] { (0..<count).map { _ in Float.random(in: -1...1, using: &random) } }
        let weights = numbers(24 * 5)
        let x = Tensor(numbers(48), shape: [2, 2, 3, 4])
        func model(_ isTurned: Bool) -> ModelBuilder {
            var builder = ModelBuilder(input: [nil, 2, 3, 4])
            builder.weight("w", isGemm ? [5, 24] : [24, 5], weights)
            builder.integers("shape", [-1, 24])
            builder.node("Transpose", ["x"], ["a"], ["perm": .ints([0, 2, 3, 1])])
            // A second reader keeps its transpose.
            if !isTurned { builder.node("Sigmoid", ["a"], ["s"]) }
            builder.node("Reshape", [isTurned ? "a" : "s", "shape"], ["b"])
            builder.node(isGemm ? "Gemm" : "MatMul", ["b", "w"], ["y"], isGemm ? ["transB": .int(1)] : [:])
            return builder
        }
        let graph = try model(true).graph()
        #expect(!graph.nodes.contains { if case .transpose = $0.operator { true } else { false } })
        let kept = try model(false).graph()
        #expect(kept.nodes.contains { if case .transpose = $0.operator { true } else { false } })
        // Against the sum as it is written.
        let found = try ReferenceExecutor(graph).run([x])[0].floats
        for sample in 0..<2 {
            for output in 0..<5 {
                var sum: Float = 0
                for channel in 0..<2 {
                    for place in 0..<12 {
                        let column = place * 2 + channel
                        sum +=
                            x.floats[sample * 24 + channel * 12 + place]
                            * (isGemm ? weights[output * 24 + column] : weights[column * 5 + output])
                    }
                }
                #expect(abs(found[sample * 5 + output] - sum) < 1e-5)
            }
        }
    }

    @Test(arguments: [[1], [2], [3], [1, 2], [2, 3], [1, 3], [1, 2, 3]], [true, false])
    func `a maximum over any axes but the batch is a global max pool`(axes: [Int], keeps: Bool) throws {
        var builder = ModelBuilder(opset: 18, input: [nil, 2, 3, 4])
        builder.integers("axes", axes.map(Int64.init))
        builder.node("ReduceMax", ["x", "axes"], ["y"], ["keepdims": .int(keeps ? 1 : 0)])
        let graph = try builder.graph()
        #expect(graph.nodes.contains { if case .globalMaxPool = $0.operator { true } else { false } })
        var random = SeededGenerator(6)
        let x = Tensor((0..<48).map { _ in Float.random(in: -1...1, using: &random) }, shape: [2, 2, 3, 4])
        let expected = try ReferenceExecutor.evaluate(.reduce(Reduce(.maximum, axes: axes, keepsDimensions: keeps)), [x])[0]
        #expect(try ReferenceExecutor(graph).run([x])[0] == expected)
    }

    @Test func `what a pad puts around a value is a sum`() throws {
        var builder = ModelBuilder(input: [nil, 1, 2, 3])
        builder.integers("pads", [0, 0, 1, 0, 0, 0, 0, 2])
        builder.weight("value", [], [0.5])
        builder.node("Pad", ["x", "pads", "value"])
        let graph = try builder.graph()
        #expect(graph.nodes.count == 2)
        let x = Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [1, 1, 2, 3])
        let expected = Tensor([0.5, 0.5, 0.5, 0.5, 0.5, 1, 2, 3, 0.5, 0.5, 4, 5, 6, 0.5, 0.5], shape: [1, 1, 3, 5])
        #expect(try ReferenceExecutor(graph).run([x])[0] == expected)
    }
}

@Suite struct OpenBatchTests {
    @Test(arguments: [1, 3]) func `the batch that a file was exported for is opened`(size: Int) throws {
        var builder = ModelBuilder(input: [size, 2, 2, 2])
        builder.integers("shape", [Int64(size), 8])
        builder.weight("w", [8, 2])
        builder.weight("token", [1, 2, 1], [5, 6])
        builder.integers("rows", [Int64(size), 2, 1])
        builder.node("Relu", ["x"], ["a"])
        builder.node("Reshape", ["a", "shape"], ["b"])
        builder.node("MatMul", ["b", "w"], ["c"])
        if size == 1 {
            builder.integers("places", [1, 2, 1])
            builder.node("Reshape", ["c", "places"], ["d"])
            builder.node("Concat", ["token", "d"], ["y"], ["axis": .int(2)])
        } else {
            builder.node("Identity", ["c"], ["y"])
        }
        let model = try builder.imported()
        #expect(model.graph.inputs[0].type.shape == [.batch, 2, 2, 2])
        #expect(model.report.actions.contains { $0.contains("batch of \(size) opened") } && model.report.warnings.isEmpty)
        let x = Tensor((0..<32).map { Float($0) / 8 - 1 }, shape: [4, 2, 2, 2])
        let whole = try ReferenceExecutor(model.graph).run([x])[0]
        for sample in 0..<4 {
            #expect(try ReferenceExecutor(model.graph).run([x.samples(sample..<sample + 1)])[0] == whole.samples(sample..<sample + 1))
        }
    }

    @Test func `a first axis that the network works along stays fixed, and is noted`() throws {
        func shape(_ build: (inout ModelBuilder) -> Void) throws -> Shape {
            var builder = ModelBuilder(input: [3, 4])
            build(&builder)
            let model = try builder.imported()
            if model.graph.inputs[0].type.shape[0] == 3 {
                #expect(model.report.warnings.first?.contains("fixed batch size 3") == true)
            }
            return model.graph.inputs[0].type.shape
        }
        #expect(try shape { $0.node("Relu") } == [.batch, 4])
        #expect(try shape { $0.node("Softmax", ["x"], ["y"], ["axis": .int(0)]) } == [3, 4])
        #expect(try shape { $0.node("Transpose", ["x"], ["y"], ["perm": .ints([1, 0])]) } == [3, 4])
        #expect(try shape { $0.node("ReduceMean", ["x"], ["y"], ["axes": .ints([0])]) } == [3, 4])
        #expect(try shape { $0.node("Concat", ["x", "x"], ["y"], ["axis": .int(0)]) } == [3, 4])
        #expect(try shape { $0.node("Gemm", ["x", "x"], ["y"], ["transA": .int(1)]) } == [3, 4])
        #expect(try shape { $0.node("Gemm", ["x", "x"], ["y"], ["transB": .int(1)]) } == [3, 4])
        #expect(
            try shape {
                $0.weight("w", [3, 4])
                $0.node("Mul", ["x", "w"])
            } == [3, 4])
        #expect(
            try shape {
                $0.integers("shape", [4, 3])
                $0.node("Reshape", ["x", "shape"])
            } == [3, 4])
        #expect(
            try shape {
                $0.node("CumSum", ["x", "axis"]); $0.integers("axis", [0], shape: [])
            } == [3, 4])
    }
}
