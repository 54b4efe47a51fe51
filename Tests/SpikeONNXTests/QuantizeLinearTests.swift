import Foundation
import SpikeGraph
import SpikeONNX
import SpikeReference
import SwiftProtobuf
import TestSupport
import Testing

@Suite struct QuantizeLinearTests {
    /// x → `before`… → QuantizeLinear → DequantizeLinear → `after`…, all with scale ½.
    private func pair(
        _ type: ONNXTensorProto.DataType = .uint8, zeroPoint: UInt8 = 0, opset: Int = 17, domain: String = "", before: [String] = [],
        after: [String] = [], attributes: [String: ModelBuilder.Attribute] = [:]
    ) -> ModelBuilder {
        var builder = ModelBuilder(opset: opset)
        if !domain.isEmpty { builder.model.opsetImport.append(.with { ($0.domain, $0.version) = (domain, 1) }) }
        builder.weight("scale", [], [0.5])
        builder.model.graph.initializer.append(Self.integers("zero", type, [zeroPoint], shape: []))
        var value = "x"
        for (index, name) in before.enumerated() {
            builder.node(name, [value], ["before\(index)"])
            value = "before\(index)"
        }
        builder.node("QuantizeLinear", [value, "scale", "zero"], ["q"], attributes, domain: domain)
        builder.node("DequantizeLinear", ["q", "scale", "zero"], [after.isEmpty ? "y" : "d"], domain: domain)
        for (index, name) in after.enumerated() {
            builder.node(name, [index == 0 ? "d" : "after\(index - 1)"], [index == after.count - 1 ? "y" : "after\(index)"])
        }
        return builder
    }

    static func integers(_ name: String, _ type: ONNXTensorProto.DataType, _ bytes: [UInt8], shape: [Int]) -> ONNXTensorProto {
        .with {
            ($0.name, $0.dataType, $0.dims) = (name, type, shape.map { Int64($0) })
            $0.rawData = Data([.int16, .uint16].contains(type) ? bytes.flatMap { [$0, 0] } : bytes)
        }
    }

    private func quantizer(_ levels: Int, lowest: Int = 0, divisor: Int? = nil) throws -> SpikeGraph.Operator {
        .quantizer(try Quantizer(step: 0.5, levels: levels, lowest: lowest, rounding: .halfToEven, divisor: divisor))
    }

    @Test func `a pair is one quantiser, whose levels are the integers less the zero point`() throws {
        #expect(try pair().onlyOperator() == quantizer(255))
        #expect(try pair(zeroPoint: 5).onlyOperator() == quantizer(250, lowest: -5))
        #expect(try pair(.int8).onlyOperator() == quantizer(127, lowest: -128))
        // −128: what onnxruntime writes behind a ReLU by default.
        #expect(try pair(.int8, zeroPoint: 0x80).onlyOperator() == quantizer(255))
        // Never positive: the zero point is the largest integer.
        #expect(try pair(.int8, zeroPoint: 127).onlyOperator() == quantizer(0, lowest: -255))
        #expect(try pair(zeroPoint: 255).onlyOperator() == quantizer(0, lowest: -255))
        #expect(try pair(.int8, zeroPoint: 127, before: ["Relu"]).operators() == [.relu(Relu()), quantizer(0, lowest: -255)])
        #expect(try pair(.uint16).onlyOperator() == quantizer(65535))
        #expect(try pair(.int16).onlyOperator() == quantizer(32767, lowest: -32768))
        for opset in [10, 13, 19, 21, 23] { #expect(try pair(opset: opset).onlyOperator() == quantizer(255), "opset \(opset)") }
        #expect(try pair(domain: "com.microsoft").onlyOperator() == quantizer(255))
    }

    @Test func `without a zero point the integers are bytes from 0, or what output_dtype names`() throws {
        func pair(opset: Int, _ attributes: [String: ModelBuilder.Attribute]) -> ModelBuilder {
            var builder = ModelBuilder(opset: opset)
            builder.weight("scale", [1], [0.5])
            builder.node("QuantizeLinear", ["x", "scale"], ["q"], attributes)
            builder.node("DequantizeLinear", ["q", "scale"])
            return builder
        }
        #expect(try pair(opset: 17, [:]).onlyOperator() == quantizer(255))
        #expect(try pair(opset: 21, ["output_dtype": .int(3)]).onlyOperator() == quantizer(127, lowest: -128))
        #expect(pair(opset: 21, ["output_dtype": .int(17)]).failure().contains("quantises to"))
        #expect(pair(opset: 21, ["block_size": .int(32)]).failure().contains("in blocks"))
    }

    @Test func `behind a ReLU, and in front of one, a signed quantiser is a ReLU`() throws {
        #expect(try pair(.int8, before: ["Relu"]).operators() == [quantizer(127)])
        #expect(try pair(.int8, after: ["Relu"]).operators() == [quantizer(127)])
        #expect(try pair(zeroPoint: 5, before: ["Relu"]).operators() == [quantizer(250)])
        // Between are pools and sums, which keep numbers above zero.
        let pooled = try pair(.int8, before: ["Relu", "GlobalAveragePool"]).operators()
        #expect(pooled == [.relu(Relu()), .globalAveragePool(GlobalAveragePool()), try quantizer(127)])
        #expect(try pair(.int8, before: ["GlobalAveragePool"]).operators().last == quantizer(127, lowest: -128))
    }

    @Test func `clips bound the levels, of integers and of activations`() throws {
        var integers = pair(after: ["Relu"])
        // As PyTorch writes fake quantisation to 7 bits.
        integers.model.graph.initializer.append(Self.integers("most", .uint8, [127], shape: []))
        integers.model.graph.node[1].input[0] = "clipped"
        integers.node("Clip", ["q", "", "most"], ["clipped"])
        #expect(try integers.operators() == [quantizer(127)])
        for (low, high, expected) in [(0, 3, try quantizer(6)), (0, 3.1, try quantizer(6)), (-2, 1000, try quantizer(127, lowest: -4))] {
            var before = pair(.int8)
            before.weight("low", [], [Float(low)])
            before.weight("high", [], [Float(high)])
            before.model.graph.node[0].input[0] = "c"
            before.node("Clip", ["x", "low", "high"], ["c"])
            #expect(try before.operators() == [expected])
        }
        // A bound between two levels, behind: not the quantiser's own.
        var between = pair(after: ["Clip"])
        between.weight("high", [], [3.1])
        between.model.graph.node[2].input += ["", "high"]
        #expect(try between.operators() == [quantizer(255), .clip(Clip(maximum: 3.1))])
    }

    @Test func `a second pair behind what only moves numbers is gone`() throws {
        func twice(_ between: String, scale: Float = 0.5) -> ModelBuilder {
            var builder = pair(after: [between])
            builder.weight("scale2", [], [scale])
            builder.model.graph.node[2].output[0] = "m"
            builder.node("QuantizeLinear", ["m", "scale2", "zero"], ["q2"])
            builder.node("DequantizeLinear", ["q2", "scale2", "zero"])
            return builder
        }
        #expect(try twice("Flatten").operators() == [quantizer(255), .flatten(Flatten())])
        #expect(try twice("GlobalMaxPool").operators() == [quantizer(255), .globalMaxPool(GlobalMaxPool())])
        #expect(try twice("GlobalAveragePool").operators().count == 3)
        // A mean of 64 levels: its halves are ties. Behind another Δ nothing is known of them.
        #expect(try twice("GlobalAveragePool").operators().last == quantizer(255, divisor: 64))
        #expect(try twice("GlobalAveragePool", scale: 0.25).operators().last != quantizer(255, divisor: 64))
        func pooled(_ attributes: [String: ModelBuilder.Attribute]) throws -> SpikeGraph.Operator? {
            var builder = twice("AveragePool")
            for (name, value) in attributes { builder.model.graph.node[2].attribute.append(ModelBuilder.attribute(name, value)) }
            return try builder.operators().last
        }
        #expect(try pooled(["kernel_shape": .ints([2, 2]), "strides": .ints([2, 2])]) == quantizer(255, divisor: 4))
        // At borders a mean is of 4 places, else of 6: multiples of 1/4 and 1/6.
        let padded: [String: ModelBuilder.Attribute] = ["kernel_shape": .ints([2, 3]), "pads": .ints([0, 1, 0, 1])]
        #expect(try pooled(padded) == quantizer(255, divisor: 12))
        #expect(try pooled(padded.merging(["count_include_pad": .int(1)]) { $1 }) == quantizer(255, divisor: 6))
        // Of nine places no mean is a half.
        #expect(try pooled(["kernel_shape": .ints([3, 3])]) == quantizer(255))
        #expect(try twice("Flatten", scale: 0.25).operators().count == 3)
    }

    @Test func `constants are folded, per tensor and per axis`() throws {
        func dequantized(_ attributes: [String: ModelBuilder.Attribute], scales: [Float], zeros: [UInt8]) -> ModelBuilder {
            var builder = ModelBuilder(input: [nil, 2])
            builder.model.graph.initializer.append(Self.integers("w", .int8, [1, 2, 0xFF, 4], shape: [2, 2]))
            builder.weight("s", scales.count == 1 ? [] : [scales.count], scales)
            builder.model.graph.initializer.append(Self.integers("z", .int8, zeros, shape: scales.count == 1 ? [] : [zeros.count]))
            builder.node("DequantizeLinear", ["w", "s", "z"], ["f"], attributes)
            builder.node("MatMul", ["x", "f"])
            return builder
        }
        func weights(_ builder: ModelBuilder) throws -> [Float]? { try builder.graph().constants.values.first?.floats }
        #expect(try weights(dequantized([:], scales: [0.5], zeros: [1])) == [0, 0.5, -1, 1.5])
        #expect(try weights(dequantized([:], scales: [0.5, 2], zeros: [0, 1])) == [0.5, 2, -0.5, 6])
        #expect(try weights(dequantized(["axis": .int(0)], scales: [0.5, 2], zeros: [0, 1])) == [0.5, 1, -4, 6])
        #expect(dequantized(["axis": .int(2)], scales: [0.5, 2], zeros: [0, 1]).failure().contains("axis"))
        #expect(dequantized([:], scales: [0.5, 2, 3], zeros: [0, 1, 1]).failure().contains("3 scales for an axis of size 2"))
        #expect(dequantized([:], scales: [0.5, 2], zeros: [0]).failure().contains("do not go together"))
        #expect(dequantized([:], scales: [0], zeros: [0]).failure().contains("not a positive number"))
    }

    @Test func `float weights that the file quantises are quantised`() throws {
        var builder = ModelBuilder(input: [nil, 2])
        builder.weight("w", [2, 2], [0.25, 0.75, -300, 300])
        builder.weight("s", [2], [0.5, 1])
        builder.model.graph.initializer.append(Self.integers("z", .int8, [0, 0], shape: [2]))
        builder.node("QuantizeLinear", ["w", "s", "z"], ["q"], ["axis": .int(0)])
        builder.node("DequantizeLinear", ["q", "s", "z"], ["f"], ["axis": .int(0)])
        builder.node("MatMul", ["x", "f"])
        #expect(try builder.graph().constants.values.first?.floats == [0, 1, -128, 127])
    }

    @Test func `what has no exact form is refused, by name`() {
        var perChannel = pair()
        perChannel.model.graph.initializer[0] = ModelBuilder.tensor("scale", [3], [1, 2, 3])
        perChannel.model.graph.initializer[1] = Self.integers("zero", .uint8, [0, 0, 0], shape: [3])
        #expect(perChannel.failure().contains("QuantizeLinear_q") && perChannel.failure().contains("3 scales, one for each channel"))

        var other = pair()
        other.weight("scale2", [], [0.25])
        other.model.graph.node[1].input[1] = "scale2"
        #expect(other.failure().contains("not those of its QuantizeLinear"))

        var integers = pair()
        integers.model.graph.node[1] = .with { ($0.opType, $0.input, $0.output) = ("Flatten", ["q"], ["y"]) }
        #expect(integers.failure().contains("only DequantizeLinear is taken there"))

        var output = pair()
        output.model.graph.node.removeLast()
        output.model.graph.output[0].name = "q"
        #expect(output.failure().contains("integers of a QuantizeLinear"))

        var computed = pair()
        computed.node("GlobalMaxPool", ["x"], ["m"])
        computed.model.graph.node[0].input[1] = "m"
        #expect(computed.failure().contains("computed when the network runs"))

        var wide = pair()
        wide.model.graph.initializer[1] = ModelBuilder.integers("zero", [0], shape: [])
        #expect(wide.failure().contains("quantises to int64"))

        var fused = ModelBuilder()
        fused.node("QLinearConv", ["x"], ["y"])
        #expect(fused.failure().contains("QuantFormat.QDQ"))
    }
}
