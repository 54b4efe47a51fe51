import Foundation
import SpikeGraph
import SpikeONNX
import SwiftProtobuf
import TestSupport
import Testing

/// Damaged files end in a message or in a network, never in a crash.
@Suite(.timeLimit(.minutes(2))) struct HostileFileTests {
    /// Imports bytes; whatever is thrown has to be one of our errors.
    func tryImport(_ data: Data) throws -> Bool {
        do {
            _ = try ONNXImporter.importModel(data, fileName: "model.onnx", folder: FileManager.default.temporaryDirectory)
            return true
        } catch is SpikeletError {
            return false
        }
    }

    /// One model with a bit of everything, small enough to try thousands of times.
    static let sample: Data = {
        var builder = ModelBuilder(input: [nil, 1, 6, 6])
        builder.weight("conv.weight", [2, 1, 3, 3])
        builder.weight("s", [2], [1, 2])
        builder.weight("six", [], [6])
        builder.weight("fc.weight", [8, 3])
        builder.integers("zero", [0])
        builder.node(
            "Conv", ["x", "conv.weight"], ["c"], ["pads": .ints([1, 1, 1, 1]), "group": .int(1), "strides": .ints([1, 1])],
            name: "/conv/Conv")
        builder.node("BatchNormalization", ["c", "s", "s", "s", "s"], ["n"], ["epsilon": .float(1e-5)])
        builder.node("Clip", ["n", "", "six"], ["r"])
        builder.node("MaxPool", ["r"], ["m"], ["kernel_shape": .ints([3, 3]), "strides": .ints([3, 3]), "ceil_mode": .int(1)])
        builder.node("Add", ["m", "m"], ["a"])
        builder.node("Shape", ["a"], ["shape"], ["end": .int(1)])
        builder.node("Constant", [], ["rest"], ["value": .tensor(ModelBuilder.integers("", [-1]))])
        builder.node("Concat", ["shape", "rest"], ["target"], ["axis": .int(0)])
        builder.node("Reshape", ["a", "target"], ["flat"])
        builder.node("Gemm", ["flat", "fc.weight"], ["y"], ["alpha": .float(0.5)])
        return (try? builder.model.serializedData()) ?? Data()
    }()

    @Test func `the sample itself imports`() throws {
        #expect(try tryImport(Self.sample))
    }

    @Test func `a file cut at any place is refused, or was whole`() throws {
        for length in 0..<Self.sample.count { _ = try tryImport(Self.sample.prefix(length)) }
        // The graph is one field: a cut inside it cannot go unnoticed.
        let halves = (1..<20).map { Self.sample.prefix(Self.sample.count * $0 / 20) }
        #expect(try halves.allSatisfy { try !tryImport($0) })
    }

    @Test(arguments: 0..<8) func `changed bytes never crash the importer`(seed: UInt64) throws {
        var random = SeededGenerator(seed)
        for _ in 0..<1500 {
            var data = Self.sample
            for _ in 0...Int.random(in: 0..<6, using: &random) {
                let place = Int.random(in: 0..<data.count, using: &random)
                data[place] =
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: UInt8.random(in: 0...255, using: &random)
                    case 1: data[place] ^ 1 << UInt8.random(in: 0..<8, using: &random)
                    case 2: 0xFF
                    default: data[Int.random(in: 0..<data.count, using: &random)]
                    }
            }
            _ = try tryImport(data)
        }
    }

    @Test func `real files, cut and changed`() throws {
        let file = try #require(RealModels.files.first { $0.lastPathComponent == "tiny_unfusedbn.onnx" })
        let whole = try Data(contentsOf: file)
        for length in stride(from: 0, to: whole.count, by: 7) { _ = try tryImport(whole.prefix(length)) }
        var random = SeededGenerator(99)
        for _ in 0..<2000 {
            var data = whole
            for _ in 0..<3 { data[Int.random(in: 0..<data.count, using: &random)] = UInt8.random(in: 0...255, using: &random) }
            _ = try tryImport(data)
        }
    }

    @Test func `absurd numbers in every integer attribute`() throws {
        let numbers = [Int.min, -(1 << 40), -1, 0, 1, 1 << 30, 1 << 31, 1 << 62, Int.max]
        for number in numbers {
            let list = ModelBuilder.Attribute.ints([number, number])
            let pads = ModelBuilder.Attribute.ints([number, number, number, number])
            let kernel = ModelBuilder.Attribute.ints([2, 2])
            let models = [
                ModelBuilder.single("Conv", weights: [[3, 3, 2, 2]], ["group": .int(number)]),
                ModelBuilder.single("Conv", weights: [[3, 3, 2, 2]], ["dilations": list, "pads": pads, "strides": list]),
                ModelBuilder.single("Conv", weights: [[3, 3, 2, 2]], ["strides": list, "auto_pad": .string("SAME_UPPER")]),
                ModelBuilder.single("MaxPool", ["kernel_shape": list, "ceil_mode": .int(number)]),
                ModelBuilder.single("MaxPool", ["kernel_shape": kernel, "pads": pads, "ceil_mode": .int(1)]),
                ModelBuilder.single("AveragePool", ["kernel_shape": kernel, "strides": list, "pads": pads, "ceil_mode": .int(1)]),
                ModelBuilder.single("Flatten", ["axis": .int(number)]), ModelBuilder.single("Softmax", ["axis": .int(number)]),
                ModelBuilder.single("ReduceMean", ["axes": list]),
                ModelBuilder.single("ReduceMean", opset: 18, integers: [[Int64(number)]]),
                ModelBuilder.single("Squeeze", integers: [[Int64(number)]]), ModelBuilder.single("Unsqueeze", integers: [[Int64(number)]]),
                ModelBuilder.single("Reshape", integers: [[Int64(number), -1]]), ModelBuilder.single("Concat", ["axis": .int(number)]),
                ModelBuilder.single("Cast", ["to": .int(number)]),
                ModelBuilder.single("Shape", ["start": .int(number), "end": .int(number)]),
                ModelBuilder(opset: number).withRelu(), ModelBuilder(input: [number, 3]).withRelu(), sliced(number),
            ]
            for model in models { _ = try tryImport(model.model.serializedData()) }
        }
    }

    /// Sizes that are sliced, gathered and multiplied with absurd numbers.
    func sliced(_ number: Int) -> ModelBuilder {
        var builder = ModelBuilder()
        builder.integers("n", [Int64(number)])
        builder.node("Shape", ["x"], ["s"])
        builder.node("Slice", ["s", "n", "n", "", "n"], ["t"])
        builder.node("Concat", ["t", "s"], ["u"], ["axis": .int(0)])
        builder.node("Mul", ["u", "n"], ["v"])
        builder.node("Add", ["v", "v"], ["w"])
        builder.node("Sub", ["w", "n"], ["q"])
        builder.node("Reshape", ["x", "q"])
        return builder
    }
}
