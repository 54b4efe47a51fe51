import Foundation
import SpikeGraph
import SpikeONNX
import SpikeReference
import SwiftProtobuf
import TestSupport
import Testing

/// A chain of operators on `x`, each with at most one constant: how clip–floor activations look in files.
private struct Chain {
    var builder = ModelBuilder(opset: 17, input: [nil, 2, 4])
    private var value = "x"
    private var count = 0

    mutating func add(_ type: String, _ constants: [Float?] = [], shape: [Int] = [], constantFirst: Bool = false) {
        count += 1
        var inputs = [value]
        for (index, constant) in constants.enumerated() {
            if let constant { builder.weight("c\(count)_\(index)", shape, [Float](repeating: constant, count: shape.reduce(1, *))) }
            inputs.append(constant == nil ? "" : "c\(count)_\(index)")
        }
        value = "v\(count)"
        builder.node(type, constantFirst ? inputs.reversed() : inputs, [value], name: "/act/\(type)_\(count)")
    }

    /// The operators of the graph, once the chain's end is the output.
    func operators() throws -> [SpikeGraph.Operator] { try finished().operators() }

    func finished() -> ModelBuilder {
        var copy = builder
        copy.model.graph.output[0].name = value
        return copy
    }
}

@Suite struct ClipFloorTests {
    private func chain(_ parts: [(String, [Float?])]) -> Chain {
        var chain = Chain()
        for (type, constants) in parts { chain.add(type, constants) }
        return chain
    }

    private func quantizer(
        _ step: Float, _ levels: Int, lowest: Int = 0, _ rounding: Quantizer.Rounding = .halfUp
    ) throws -> [SpikeGraph.Operator] {
        [.quantizer(try Quantizer(step: step, levels: levels, lowest: lowest, rounding: rounding))]
    }

    @Test func `clip before the floor, in units of λ, of x, of levels`() throws {
        #expect(
            try chain([("Div", [3]), ("Clip", [0, 1]), ("Mul", [4]), ("Add", [0.5]), ("Floor", []), ("Div", [4]), ("Mul", [3])])
                .operators() == quantizer(0.75, 4))
        #expect(
            try chain([("Clip", [0, 3]), ("Mul", [4]), ("Div", [3]), ("Add", [0.5]), ("Floor", []), ("Mul", [3]), ("Div", [4])])
                .operators() == quantizer(0.75, 4))
        #expect(
            try chain([("Div", [0.75]), ("Clip", [0, 4]), ("Add", [0.5]), ("Floor", []), ("Mul", [0.75])]).operators()
                == quantizer(0.75, 4))
        #expect(
            try chain([("Relu", []), ("Min", [3]), ("Mul", [4 / 3]), ("Add", [0.5]), ("Floor", []), ("Mul", [0.75])]).operators()
                == quantizer(0.75, 4))
    }

    @Test func `clip behind the floor`() throws {
        #expect(
            try chain([("Mul", [4]), ("Div", [3]), ("Add", [0.5]), ("Floor", []), ("Div", [4]), ("Clip", [0, 1]), ("Mul", [3])])
                .operators() == quantizer(0.75, 4))
        #expect(
            try chain([("Div", [0.75]), ("Add", [0.5]), ("Floor", []), ("Clip", [0, 4]), ("Mul", [0.75])]).operators()
                == quantizer(0.75, 4))
        #expect(
            try chain([("Div", [0.75]), ("Add", [0.5]), ("Floor", []), ("Mul", [0.75]), ("Clip", [0, 3])]).operators()
                == quantizer(0.75, 4))
    }

    @Test func `λ need not be a nice number, nor the levels few`() throws {
        for lambda in [0.7 as Float, 2.3456789, 11.3, 1e-3] {
            for levels in [3, 4, 15, 31, 255, 1000] {
                let found = try chain([
                    ("Div", [lambda]), ("Clip", [0, 1]), ("Mul", [Float(levels)]), ("Add", [0.5]), ("Floor", []), ("Div", [Float(levels)]),
                    ("Mul", [lambda]),
                ]).operators()
                guard case .quantizer(let quantizer)? = found.first, found.count == 1 else {
                    Issue.record("\(lambda), \(levels): \(found)")
                    continue
                }
                #expect(quantizer.levels == levels && quantizer.lowest == 0 && quantizer.rounding == .halfUp)
                #expect(abs(quantizer.step * Float(levels) / lambda - 1) < 1e-6)
            }
        }
        // 6/3 is 2, though 1/3 is no float.
        #expect(
            try chain([("Div", [6]), ("Clip", [0, 1]), ("Mul", [3]), ("Add", [0.5]), ("Floor", []), ("Div", [3]), ("Mul", [6])])
                .operators() == quantizer(2, 3))
    }

    @Test func `rounding to even, rounding down, levels below zero`() throws {
        #expect(
            try chain([("Div", [0.75]), ("Clip", [0, 4]), ("Round", []), ("Mul", [0.75])]).operators() == quantizer(0.75, 4, .halfToEven))
        #expect(try chain([("Div", [0.75]), ("Clip", [0, 4]), ("Floor", []), ("Mul", [0.75])]).operators() == quantizer(0.75, 4, .down))
        #expect(
            try chain([("Div", [0.75]), ("Clip", [-8, 7]), ("Round", []), ("Mul", [0.75])]).operators()
                == quantizer(0.75, 7, lowest: -8, .halfToEven))
        #expect(try chain([("Round", []), ("Clip", [0, 10])]).operators() == quantizer(1, 10, .halfToEven))
    }

    @Test func `constants in front, with axes of size 1, subtracted`() throws {
        var chain = Chain()
        chain.add("Div", [2], shape: [1])
        chain.add("Clip", [0, 1])
        chain.add("Mul", [4], shape: [1, 1, 1], constantFirst: true)
        chain.add("Sub", [-0.5])
        chain.add("Floor")
        chain.add("Mul", [0.5], constantFirst: true)
        #expect(try chain.operators() == quantizer(0.5, 4))
    }

    @Test func `straight-through estimators are their rounding`() throws {
        for isSwapped in [false, true] {
            var builder = ModelBuilder(input: [nil, 4])
            builder.weight("s", [], [0.25])
            builder.weight("zero", [], [0])
            builder.weight("most", [], [15])
            builder.node("Div", ["x", "s"], ["u"])
            builder.node("Clip", ["u", "zero", "most"], ["c"])
            builder.node("Round", ["c"], ["r"])
            builder.node("Sub", ["r", "c"], ["d"])
            builder.node("Add", isSwapped ? ["c", "d"] : ["d", "c"], ["q"])
            builder.node("Mul", ["q", "s"])
            #expect(try builder.operators() == quantizer(0.25, 15, .halfToEven))
        }
    }

    @Test func `a parameter computed from parameters is folded`() throws {
        var builder = ModelBuilder(input: [nil, 4])
        builder.weight("log", [], [0])
        builder.weight("zero", [], [0])
        builder.weight("most", [], [1])
        builder.weight("levels", [], [8])
        builder.node("Exp", ["log"], ["lambda"])
        builder.node("Reciprocal", ["lambda"], ["inverse"])
        builder.node("Mul", ["x", "inverse"], ["u"])
        builder.node("Clip", ["u", "zero", "most"], ["c"])
        builder.node("Mul", ["c", "levels"], ["l"])
        builder.node("Round", ["l"], ["r"])
        builder.node("Div", ["r", "levels"], ["n"])
        builder.node("Mul", ["n", "lambda"])
        #expect(try builder.operators() == quantizer(0.125, 8, .halfToEven))
        #expect(try ModelBuilder.single("Exp").onlyOperator() == .unary(Unary(.exp)))
    }

    @Test func `what is no quantiser stays as it is, and runs`() throws {
        let chains: [[(String, [Float?])]] = [
            // No bound above; none below; another offset; no whole number of levels.
            [("Relu", []), ("Floor", [])], [("Round", []), ("Clip", [nil, 3])],
            [("Clip", [0, 4]), ("Add", [0.25]), ("Floor", [])], [("Round", []), ("Mul", [2]), ("Clip", [0, 3])],
        ]
        for parts in chains {
            let model = chain(parts)
            #expect(try model.operators().contains { $0 == .floor(Floor()) || $0 == .round(Round()) }, "\(parts)")
        }
        let graph = try chain([("Relu", []), ("Floor", [])]).finished().graph()
        let x = Tensor([-1, 0.5, 1.5, 2.9, 3, 4, 5, 1e9] as [Float], shape: [1, 2, 4])
        #expect(try ReferenceExecutor(graph).run([x])[0].floats == [0, 0, 1, 2, 3, 4, 5, 1e9])
        // A λ for each channel is not recognised.
        var perChannel = Chain()
        perChannel.add("Div", [2], shape: [2, 1])
        perChannel.add("Clip", [0, 1])
        perChannel.add("Round")
        perChannel.add("Mul", [2], shape: [2, 1])
        #expect(try perChannel.operators().count == 3)
    }

    @Test func `a value that is read elsewhere too stays`() throws {
        var builder = chain([("Div", [2]), ("Clip", [0, 1]), ("Mul", [4]), ("Round", []), ("Mul", [0.5])]).finished()
        builder.model.graph.output.append(.with { $0.name = "v2" })
        let operators = try builder.operators()
        #expect(operators.contains(.clip(Clip(minimum: 0, maximum: 1))))
        // Without it the rest has no bound above.
        #expect(operators.contains(.round(Round())))
    }

    @Test func `chains give the same numbers before and after`() throws {
        var state: UInt64 = 7
        func random(_ count: UInt64) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % count)
        }
        var found = 0
        for _ in 0..<300 {
            var parts: [(String, [Float?])] = []
            for place in 0..<(3 + random(5)) {
                let powers: [Float] = [0.25, 0.5, 2, 4]
                switch random(5) {
                case 0: parts.append(("Mul", [powers[random(4)]]))
                case 1: parts.append(("Add", [0.5]))
                case 2: parts.append(("Clip", [0, Float(1 + random(4))]))
                case 3: parts.append((random(2) == 0 ? "Floor" : "Round", []))
                default: parts.append(place == 0 ? ("Relu", []) : ("Mul", [powers[random(4)]]))
                }
            }
            let builder = chain(parts).finished()
            let graph = try builder.graph()
            let values = (-32...31).map { Float($0) / 8 }
            for chunk in 0..<8 {
                let x = Tensor(Array(values[chunk * 8..<chunk * 8 + 8]), shape: [1, 2, 4])
                var expected = x.floats
                for (type, constants) in parts {
                    expected = expected.map { value in
                        switch type {
                        case "Mul": value * (constants[0] ?? 1)
                        case "Add": value + (constants[0] ?? 0)
                        case "Clip": min(max(value, constants[0] ?? 0), constants[1] ?? 0)
                        case "Relu": max(0, value)
                        case "Floor": value.rounded(.down)
                        default: value.rounded(.toNearestOrEven)
                        }
                    }
                }
                #expect(try ReferenceExecutor(graph).run([x])[0].floats == expected, "\(parts)")
            }
            found += graph.nodes.count { if case .quantizer = $0.operator { true } else { false } }
        }
        #expect(found > 50)
    }
}
