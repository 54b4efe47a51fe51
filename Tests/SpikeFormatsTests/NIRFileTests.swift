import Foundation
import SpikeFormats
import SpikeGraph
import SpikeReference
import TestSupport
import Testing

/// NIR files: ours, those of NIR's own package, and damaged ones. Without libhdf5 there is one thing to test.
@Suite struct NIRFileTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// A node of every type, with a graph inside.
    static func everything() -> NIRGraph {
        let numbers = { (shape: [Int]) in
            let count = shape.reduce(1, *)
            return Tensor((0..<count).map { 0.1 + Float($0) * 0.3 }, shape: shape)
        }
        let inner = NIRGraph(
            nodes: [
                "input": NIRNode(.input(shape: [4, 6, 6])), "output": NIRNode(.output(shape: [4, 6, 6])),
                "threshold": NIRNode(.threshold(numbers([4, 6, 6]))),
            ], edges: [.init("input", "threshold"), .init("threshold", "output")])
        let convolution = NIRConvolution(
            weight: numbers([4, 2, 3, 3]), bias: numbers([4]), inputShape: [6, 6], stride: [1, 1], padding: [1, 1], dilation: [1, 1])
        let line = NIRConvolution(
            weight: numbers([1, 1, 2]), bias: numbers([1]), inputShape: [5], stride: [2], padding: [1], dilation: [1])
        var graph = NIRGraph(
            nodes: [
                "input": NIRNode(.input(shape: [2, 6, 6])), "output": NIRNode(.output(shape: [3])), "inner": NIRNode(.graph(inner)),
                "conv": NIRNode(.convolution(convolution)), "line": NIRNode(.convolution(line)),
                "sum": NIRNode(.pool(NIRPool(isAverage: false, kernel: [2, 2], stride: [2, 2], padding: [0, 0]))),
                "mean": NIRNode(.pool(NIRPool(isAverage: true, kernel: [3, 3], stride: [3, 3], padding: [0, 0]))),
                "flatten": NIRNode(.flatten(NIRFlatten(inputShape: [4, 1, 1]))), "scale": NIRNode(.scale(numbers([4]))),
                "affine": NIRNode(.affine(weight: numbers([3, 4]), bias: numbers([3]))),
                "linear": NIRNode(.affine(weight: numbers([3, 3]), bias: nil)),
                "delay": NIRNode(.delay(Tensor(repeating: 0.0002, shape: [3]))),
            ],
            edges: [
                .init("input", "conv"), .init("conv", "inner"), .init("inner", "sum"), .init("sum", "mean"), .init("mean", "flatten"),
                .init("flatten", "scale"), .init("scale", "affine"), .init("affine", "linear"), .init("linear", "delay"),
                .init("delay", "output"),
            ],
            metadata: ["who": .text("a person – with an ångström"), "numbers": .numbers(Tensor([Int64(1), -2], shape: [2]))])
        for kind in NIRNeuron.Kind.allCases {
            let parameters = kind.parameterNames.map { ($0, $0 == "r" ? Tensor(repeating: 1, shape: [3]) : numbers([3])) }
            graph.nodes["neuron \(kind.rawValue)"] = NIRNode(
                .neuron(NIRNeuron(kind, Dictionary(uniqueKeysWithValues: parameters))), metadata: ["note": .text("of \(kind.rawValue)")])
        }
        return graph
    }

    #if NIR
    @Test func `a graph comes back as it was written, every type of node`() throws {
        let graph = Self.everything()
        try NIRFile.write(graph, to: folder.file("a.nir"))
        #expect(try NIRFile.read(folder.file("a.nir")) == graph)
        try NIRFile.write(graph, to: folder.file("b.nir"))
        #expect(folder.read("a.nir") == folder.read("b.nir"))
    }

    @Test func `neurons that are all the same take no room`() throws {
        let shape = [64, 112, 112]
        let neurons = NIRNeuron(
            .integrateAndFire, ["r": Tensor(repeating: 1, shape: shape), "v_threshold": Tensor(repeating: 0.5, shape: shape)])
        try NIRFile.write(NIRGraph(nodes: ["if": NIRNode(.neuron(neurons))]), to: folder.file("if.nir"))
        #expect(try folder.bytes("if.nir").count < 20_000)
        #expect(try NIRFile.read(folder.file("if.nir")).nodes["if"]?.operation == .neuron(neurons))
    }

    @Test func `what NIR has no node for, or HDF5 no name, is refused, and the old file stays`() throws {
        try NIRFile.write(Self.everything(), to: folder.file("a.nir"))
        let before = folder.read("a.nir")
        expectError(.unsupported, "a.nir", "MaxPool2d") {
            try NIRFile.write(NIRGraph(nodes: ["pool": NIRNode(.unsayable("MaxPool2d"))]), to: folder.file("a.nir"))
        }
        expectError(.invalidData, "a.nir", "a/b") {
            try NIRFile.write(NIRGraph(nodes: ["a/b": NIRNode(.input(shape: [1]))]), to: folder.file("a.nir"))
        }
        #expect(folder.read("a.nir") == before)
        #expect(folder.contents == ["a.nir"])
    }

    @Test func `files of NIR's own package are read, and run`() throws {
        let image = try NIRImporter()(NIRFile.read(Repository.fixture("NIR/image.nir")))
        #expect(image.spiking?.facts["nir author"] == "a person")
        #expect(image.outputs.map { image.types[$0.value]?.shape } == [[.batch, 3]])
        let x = Tensor((0..<144).map { Float($0 % 7) / 8 }, shape: [2, 2, 6, 6])
        #expect(try ReferenceSimulation(image).run([x], steps: 4)[0].shape == [2, 3])
        let neurons = try NIRImporter()(NIRFile.read(Repository.fixture("NIR/neurons.nir")))
        #expect(neurons.nodes.count == 11)
        #expect(try ReferenceSimulation(neurons).run([Tensor(repeating: 0.5, shape: [1, 3])], steps: 8)[0].floats.allSatisfy(\.isFinite))
    }

    @Test(arguments: [
        ("cycle.nir", SpikeletError.Code.malformedFile, "contains itself"), ("soft-link.nir", .malformedFile, "link to somewhere else"),
        ("external-link.nir", .malformedFile, "link to somewhere else"), ("external-values.nir", .malformedFile, "in another file"),
        ("huge.nir", .malformedFile, "elements"), ("deep.nir", .malformedFile, "nested"), ("missing-node.nir", .malformedFile, "'affine'"),
        ("no-edges.nir", .malformedFile, "edges"), ("wrong-type.nir", .malformedFile, "weight"), ("complex.nir", .malformedFile, "type"),
        ("unknown-node.nir", .unsupported, "Transformer"),
    ])
    func `a hostile file is refused, with the reason`(name: String, code: SpikeletError.Code, reason: String) throws {
        expectError(code, name, reason, "→") { _ = try NIRFile.read(Repository.fixture("NIR/\(name)")) }
    }

    @Test func `what is no file, or no HDF5 file, is refused`() throws {
        expectError(.fileSystem, "does not exist") { _ = try NIRFile.read(folder.file("nowhere.nir")) }
        expectError(.fileSystem) { _ = try NIRFile.read(folder.path) }
        for bytes in [[], [1, 2, 3], Array("\u{89}HDF\r\n\u{1A}\n".utf8)] as [[UInt8]] {
            try folder.write(bytes, "bad.nir")
            expectError(.malformedFile, "bad.nir") { _ = try NIRFile.read(folder.file("bad.nir")) }
        }
    }

    @Test func `a file cut off anywhere is refused or whole`() throws {
        try NIRFile.write(Self.everything(), to: folder.file("a.nir"))
        let whole = try folder.bytes("a.nir")
        for length in stride(from: 0, to: whole.count, by: whole.count / 40) {
            try folder.write(whole[..<length], "cut.nir")
            expectError(.malformedFile, "cut.nir") { _ = try NIRFile.read(folder.file("cut.nir")) }
        }
    }

    /// Single bytes over which libhdf5 1.10.8 ended with a segmentation fault, found by `Tools/Checks/mutate.py`. Whether it does
    /// depends on what lies in its memory; here it must be an error, or a graph.
    @Test(
        arguments: [
            ("image", 0xB08, 0x00), ("image", 0x2284, 0x01), ("image", 0x23C8, 0x40), ("image", 0x733D, 0xA5), ("neurons", 0x8BC, 0x6F),
            ("neurons", 0x2B07, 0x7F), ("neurons", 0x716B, 0x03), ("neurons", 0x9EE6, 0xCC),
        ] as [(String, Int, UInt8)])
    func `a byte that libhdf5 crashes over is at most an error like any other`(file: String, place: Int, byte: UInt8) throws {
        var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: Repository.fixture("NIR/\(file).nir"))))
        bytes[place] = byte
        try folder.write(bytes, "bad.nir")
        do {
            _ = try NIRFile.read(folder.file("bad.nir"))
        } catch let error as SpikeletError {
            #expect([.malformedFile, .unsupported].contains(error.code) && error.remedy != nil, "\(error)")
            #expect(error.location?.contains("bad.nir") == true, "\(error)")
        }
    }

    @Test func `a file that somebody holds locked is read all the same`() throws {
        try NIRFile.write(Self.everything(), to: folder.file("a.nir"))
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: folder.file("a.nir")))
        #expect(flock(file.fileDescriptor, LOCK_EX | LOCK_NB) == 0)
        #expect(try NIRFile.read(folder.file("a.nir")) == Self.everything())
        try file.close()
    }

    /// `make mutate` reads ten thousand.
    @Test(arguments: ["everything", "image", "neurons", "recurrent"])
    func `random damage gives an error or another graph`(file: String) throws {
        var path = Repository.fixture("NIR/\(file).nir")
        if file == "everything" {
            path = folder.file("a.nir")
            try NIRFile.write(Self.everything(), to: path)
        }
        var generator = SeededGenerator(UInt64(file.utf8.reduce(0) { $0 + Int($1) }))
        let whole = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        let count = ProcessInfo.processInfo.environment["SPIKELET_MUTATIONS"].flatMap { Int($0) } ?? 200
        var (read, broken, endless) = (0, 0, 0)
        for _ in 0..<count / 4 {
            try folder.write(Mutation.damaged(whole, using: &generator), "bad.nir")
            do {
                _ = try NIRImporter()(NIRFile.read(folder.file("bad.nir")))
                read += 1
            } catch let error as SpikeletError {
                if error.message.contains("broke down") { broken += 1 }
                if error.message.contains("no end") { endless += 1 }
                #expect(error.remedy != nil || error.location != nil, "\(error)")
            }
        }
        if count > 200 {
            print(
                "\(file).nir: \(count / 4) damaged files, \(read) read as a network, \(count / 4 - read) refused; of these libhdf5 broke down "
                    + "over \(broken), and came to no end with \(endless)")
        }
    }
    #else
    @Test func `without libhdf5 files are refused, with a way to get it`() throws {
        expectError(.unsupported, "--traits NIR") { try NIRFile.write(Self.everything(), to: folder.file("a.nir")) }
        try folder.write([1], "a.nir")
        expectError(.unsupported, "--traits NIR") { _ = try NIRFile.read(folder.file("a.nir")) }
    }
    #endif
}

/// Random damage to bytes.
enum Mutation {
    static func damaged(_ whole: [UInt8], using generator: inout SeededGenerator) -> [UInt8] {
        var damaged = whole
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            let place = Int.random(in: 0..<damaged.count, using: &generator)
            switch Int.random(in: 0..<5, using: &generator) {
            case 0: damaged[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 1: damaged[place] = UInt8.random(in: .min ... .max, using: &generator)
            case 2: damaged[place] = 0xFF
            case 3:
                let end = min(damaged.count, place + Int.random(in: 1...16, using: &generator))
                damaged.replaceSubrange(place..<end, with: damaged[place..<end].reversed())
            default:
                let source = Int.random(in: 0..<damaged.count, using: &generator)
                let length = min(8, damaged.count - max(place, source))
                damaged.replaceSubrange(place..<place + length, with: Array(damaged[source..<source + length]))
            }
        }
        return damaged
    }
}
