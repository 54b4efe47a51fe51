import Foundation
import SpikeGraph
import SpikeONNX
import SpikeReference
import SwiftProtobuf
import TestSupport
import Testing

@Suite struct TensorReadingTests {
    /// The constant that `x + c` reads, with `c` written like this.
    func read(_ make: (inout ONNXTensorProto) -> Void) throws -> Tensor? {
        var builder = ModelBuilder(input: [nil, 2])
        builder.model.graph.initializer.append(
            .with {
                $0.name = "c"
                $0.dims = [2]
                make(&$0)
            })
        builder.node("Cast", ["c"], ["f"], ["to": .int(1)])
        builder.node("Add", ["x", "f"])
        return try builder.graph().constants.values.first
    }

    func bytes<T>(_ values: [T]) -> Data { values.withUnsafeBytes { Data($0) } }

    @Test func `floats from raw data and from their own field`() throws {
        #expect(try read { ($0.dataType, $0.rawData) = (.float, bytes([Float(1.5), -2])) }?.floats == [1.5, -2])
        #expect(try read { ($0.dataType, $0.floatData) = (.float, [1.5, -2]) }?.floats == [1.5, -2])
        #expect(try read { ($0.dataType, $0.rawData) = (.double, bytes([1.5, -2.0])) }?.floats == [1.5, -2])
        #expect(try read { ($0.dataType, $0.doubleData) = (.double, [1.5, -2]) }?.floats == [1.5, -2])
    }

    @Test func `half precision, subnormal numbers and all`() throws {
        let halves: [(UInt16, Float)] = [
            (0x3C00, 1), (0xC000, -2), (0x0001, 5.9604645e-8), (0x83FF, -6.097555e-5), (0x7BFF, 65504), (0x0000, 0), (0x3555, 0.33325195),
            (0x0400, 6.1035156e-5),
        ]
        for (bits, value) in halves {
            #expect(try read { ($0.dataType, $0.rawData) = (.float16, bytes([bits, 0x3C00])) }?.floats == [value, 1])
            #expect(try read { ($0.dataType, $0.int32Data) = (.float16, [Int32(bits), 0x3C00]) }?.floats == [value, 1])
        }
        #expect(try read { ($0.dataType, $0.rawData) = (.bfloat16, bytes([UInt16(0x3FC0), 0xC000])) }?.floats == [1.5, -2])
        #expect(try read { ($0.dataType, $0.int32Data) = (.bfloat16, [0x3FC0, 0xC000]) }?.floats == [1.5, -2])
    }

    @Test func `integers and truth values`() throws {
        #expect(try read { ($0.dataType, $0.rawData) = (.int64, bytes([Int64(3), -4])) }?.floats == [3, -4])
        #expect(try read { ($0.dataType, $0.int64Data) = (.int64, [3, -4]) }?.floats == [3, -4])
        #expect(try read { ($0.dataType, $0.rawData) = (.int32, bytes([Int32(3), -4])) }?.floats == [3, -4])
        #expect(try read { ($0.dataType, $0.int32Data) = (.int32, [3, -4]) }?.floats == [3, -4])
        #expect(try read { ($0.dataType, $0.rawData) = (.int8, Data([3, 0xFC])) }?.floats == [3, -4])
        #expect(try read { ($0.dataType, $0.rawData) = (.uint8, Data([3, 0xFC])) }?.floats == [3, 252])
        #expect(try read { ($0.dataType, $0.int32Data) = (.int8, [3, -4]) }?.floats == [3, -4])
        #expect(try read { ($0.dataType, $0.rawData) = (.int16, bytes([Int16(3), -4])) }?.floats == [3, -4])
        #expect(try read { ($0.dataType, $0.rawData) = (.uint16, bytes([UInt16(3), 65532])) }?.floats == [3, 65532])
        #expect(try read { ($0.dataType, $0.rawData) = (.bool, Data([1, 0])) }?.floats == [1, 0])
        #expect(try read { ($0.dataType, $0.int32Data) = (.bool, [7, 0]) }?.floats == [1, 0])
    }

    @Test func `data that does not fit its shape, and types that are not read`() {
        func failure(_ make: (inout ONNXTensorProto) -> Void) -> String {
            do {
                _ = try read(make)
                return ""
            } catch { return "\(error)" }
        }
        #expect(failure { ($0.dataType, $0.rawData) = (.float, Data(count: 7)) }.contains("needs 8 bytes, the file holds 7"))
        #expect(failure { ($0.dataType, $0.floatData) = (.float, [1]) }.contains("needs 2 values, the file holds 1"))
        #expect(failure { $0.dataType = .float }.contains("tensor 'c'"))
        #expect(failure { $0.dataType = .string }.contains("string"))
        #expect(failure { $0.dataType = .UNRECOGNIZED(99) }.contains("type 99"))
        #expect(failure { ($0.dataType, $0.dims) = (.float, [-1]) }.contains("impossible"))
        #expect(failure { ($0.dataType, $0.dims) = (.float, [.max, .max]) }.contains("impossible"))
        #expect(failure { ($0.dataType, $0.dims) = (.float, [1 << 30, 1 << 30, 1 << 30]) }.contains("impossible"))
        #expect(failure { ($0.dataType, $0.dims) = (.float, [0, 1 << 40]) }.contains("impossible"))
        #expect(failure { ($0.dataType, $0.dims) = (.float, [1 << 30]) }.contains("the file holds 0"))
        #expect(failure { ($0.dataType, $0.dims) = (.float, [Int64](repeating: 1, count: 100)) }.contains("impossible"))
        #expect(failure { ($0.dataType, $0.segment) = (.float, .init()) }.contains("segments"))
    }

    @Test func `weights that are no numbers are named with their node`() {
        for value in [Float.nan, .infinity, -.infinity] {
            var builder = ModelBuilder(input: [nil, 2])
            builder.weight("fc.weight", [2, 2], [1, 2, value, 4])
            builder.node("MatMul", ["x", "fc.weight"], ["y"], name: "/fc/MatMul")
            let failure = builder.failure()
            #expect(failure.contains("node 'fc' (MatMul)") && failure.contains("'fc.weight' [2, 2]") && failure.contains("place 2"))
        }
    }

    @Test func `a mask of −∞ is taken where softmaxes alone read it, and nowhere else`() throws {
        func masked(_ value: Float, _ rest: (inout ModelBuilder) -> Void) -> ModelBuilder {
            var builder = ModelBuilder(input: [nil, 2, 2])
            builder.weight("mask", [2, 2], [0, value, 0, 0])
            builder.node("Add", ["x", "mask"], ["s"], name: "masking")
            rest(&builder)
            return builder
        }
        let softmax = masked(-.infinity) { $0.node("Softmax", ["s"], ["y"], ["axis": .int(-1)]) }
        let y = try ReferenceExecutor(softmax.graph()).run([Tensor([1, 5, 2, 2] as [Float], shape: [1, 2, 2])])[0]
        #expect(y.floats == [1, 0, 0.5, 0.5])
        let moved = masked(-.infinity) {
            $0.node("Transpose", ["s"], ["t"], ["perm": .ints([0, 2, 1])])
            $0.node("LogSoftmax", ["t"], ["y"], ["axis": .int(1)])
        }
        #expect(
            try ReferenceExecutor(moved.graph()).run([Tensor(repeating: 0, shape: [1, 2, 2])])[0].floats[1...] == [
                -log(2), -.infinity, -log(2),
            ])
        for refused in [
            masked(-.infinity) { $0.node("Relu", ["s"], ["y"]) }, masked(-.infinity) { $0.node("Identity", ["s"], ["y"]) },
            masked(.infinity) { $0.node("Softmax", ["s"], ["y"]) }, masked(.nan) { $0.node("Softmax", ["s"], ["y"]) },
            masked(-.infinity) {
                $0.node("Softmax", ["s"], ["p"])
                $0.node("Mul", ["s", "p"], ["y"])
            },
        ] {
            let failure = refused.failure()
            #expect(failure.contains("node 'masking' (Add)") && failure.contains("write −1e9 elsewhere"), "\(failure)")
        }
    }
}

@Suite struct ExternalDataTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// `x · w` with `w` [2, 2] outside the model.
    func model(_ entries: [String: String], type: ONNXTensorProto.DataType = .float) -> ModelBuilder {
        var builder = ModelBuilder(input: [nil, 2])
        builder.model.graph.initializer.append(
            .with {
                $0.name = "w"
                $0.dims = [2, 2]
                $0.dataType = type
                $0.dataLocation = .external
                $0.externalData = entries.map { key, value in
                    .with { ($0.key, $0.value) = (key, value) }
                }
            })
        builder.node("MatMul", ["x", "w"])
        return builder
    }

    func failure(_ entries: [String: String]) -> String {
        do {
            _ = try model(entries).imported(folder: folder.url)
            return ""
        } catch { return "\(error)" }
    }

    func bytes(_ values: [Float]) -> Data { values.withUnsafeBytes { Data($0) } }

    @Test func `data is read from its place`() throws {
        _ = try folder.write(bytes([9, 1, 2, 3, 4, 9]), "w.data")
        let entries = ["location": "w.data", "offset": "4", "length": "16", "checksum": "ignored"]
        #expect(try model(entries).imported(folder: folder.url).graph.constants["w"] == Tensor([1, 2, 3, 4] as [Float], shape: [2, 2]))
        let file = try folder.write(model(entries).model.serializedData(), "model.onnx")
        #expect(try ONNXImporter.read(file).graph.constants["w"] == Tensor([1, 2, 3, 4] as [Float], shape: [2, 2]))
    }

    @Test func `offset and length may be absent, and the file in a folder below`() throws {
        _ = try folder.write(bytes([1, 2, 3, 4]), "weights/w.data")
        #expect(
            try model(["location": "weights/w.data"]).imported(folder: folder.url).graph.constants["w"]
                == Tensor([1, 2, 3, 4] as [Float], shape: [2, 2]))
        _ = try folder.write(Data([0, 0x3C, 0, 0x40, 0, 0x3C, 0, 0xC0]), "half.data")
        let half = try model(["location": "half.data"], type: .float16).imported(folder: folder.url)
        #expect(half.graph.constants["w"] == Tensor([1, 2, 1, -2] as [Float], shape: [2, 2]))
    }

    @Test func `a missing file is named, with what to do`() {
        let failure = failure(["location": "gone.data"])
        #expect(failure.contains("'gone.data'") && failure.contains("missing") && failure.contains("→"))
        #expect(self.failure([:]).contains("no location"))
    }

    @Test func `a place outside the file is refused`() throws {
        _ = try folder.write(bytes([1, 2, 3, 4]), "w.data")
        #expect(failure(["location": "w.data", "offset": "4"]).contains("4 bytes behind the end"))
        #expect(failure(["location": "w.data", "offset": "17"]).contains("begins at byte 17"))
        #expect(failure(["location": "w.data", "offset": "\(Int.max)"]).contains("begins at byte"))
        #expect(failure(["location": "w.data", "length": "12"]).contains("need 16 bytes"))
        #expect(failure(["location": "w.data", "length": "\(Int.max)"]).contains("need 16 bytes"))
        for text in ["-1", "four", "1e3", "99999999999999999999", ""] {
            #expect(failure(["location": "w.data", "offset": text]).contains("no size"))
        }
    }

    @Test func `a location outside the model's folder is refused`() throws {
        let outside = try TemporaryFolder()
        let secret = try outside.write(bytes([1, 2, 3, 4]), "secret")
        let link = folder.url.appendingPathComponent("link")
        try FileManager.default.createSymbolicLink(at: link, withDestinationURL: URL(fileURLWithPath: secret))
        let linkedFolder = folder.url.appendingPathComponent("linked")
        try FileManager.default.createSymbolicLink(at: linkedFolder, withDestinationURL: outside.url)
        for location in [secret, "../secret", "a/../../secret", "link", "linked/secret", "..\\secret", "C:\\secret", "a\0b", "."] {
            #expect(failure(["location": location]).contains("outside the model's folder"), "\(location)")
        }
        // A link that stays inside is harmless.
        _ = try folder.write(bytes([1, 2, 3, 4]), "w.data")
        try FileManager.default.createSymbolicLink(
            at: folder.url.appendingPathComponent("inside"), withDestinationURL: folder.url.appendingPathComponent("w.data"))
        #expect(failure(["location": "inside"]).isEmpty)
    }

    @Test func `folders and pipes are no data`() throws {
        try FileManager.default.createDirectory(at: folder.url.appendingPathComponent("sub"), withIntermediateDirectories: true)
        #expect(failure(["location": "sub"]).contains("external data 'sub': cannot read: it is a folder"))
        #expect(mkfifo(folder.url.appendingPathComponent("pipe").path, 0o600) == 0)
        #expect(failure(["location": "pipe"]).contains("external data 'pipe': cannot read: it is not a regular file"))
    }
}
