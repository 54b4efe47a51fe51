import Foundation
import SpikeData
import SpikeFormats
import SpikeGraph
import SpikeReference
import TestSupport
import Testing

@Suite struct SNNFileTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func roundTrip(_ graph: Graph) throws -> Graph {
        try SNNFile.write(graph, to: folder.file("n.safetensors"))
        return try SNNFile.read(folder.file("n.safetensors"))
    }

    private func check(_ a: Graph, equals b: Graph) {
        #expect(a.name == b.name)
        #expect(a.inputs == b.inputs)
        #expect(a.outputs == b.outputs)
        #expect(a.nodes == b.nodes)
        #expect(a.origin == b.origin)
        #expect(a.spiking == b.spiking)
        #expect(a.types == b.types)
        #expect(a.constants.keys.sorted() == b.constants.keys.sorted())
        for (name, tensor) in a.constants {
            #expect(tensor.shape == b.constants[name]?.shape)
            if case .float32(let values) = tensor.storage {
                #expect(values.map(\.bitPattern) == b.constants[name]?.floats.map(\.bitPattern), "\(name)")
            } else {
                #expect(tensor == b.constants[name])
            }
        }
    }

    @Test func `a network with every operator comes back as it was`() throws {
        let graph = try Samples.network()
        #expect(Set(graph.nodes.map { type(of: $0.operator.payload).name }) == Operator.allNames)
        check(graph, equals: try roundTrip(graph))
    }

    @Test func `an ANN comes back without a spiking description`() throws {
        let graph = try Samples.smallGraph()
        #expect(try roundTrip(graph).spiking == nil)
    }

    @Test func `every operator's attributes come back equal, to the bit`() throws {
        #expect(Set(Samples.operators.map { type(of: $0.payload).name }) == Operator.allNames)
        for original in Samples.operators {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            let text = try encoder.encode(original)
            let decoded = try JSONDecoder().decode(Operator.self, from: text)
            #expect(decoded == original)
            // −0 equals 0; its text does not.
            #expect(try encoder.encode(decoded) == text)
        }
    }

    @Test func `awkward floats come back to the bit, in attributes and in constants`() throws {
        let patterns = Samples.awkward + [.nan, .infinity, -.infinity, Float(bitPattern: 0x7FA0_0001), Float(bitPattern: 0xFFC0_1234)]
        let count = Samples.awkward.count
        let graph = try Graph(
            name: "awkward", inputs: [Graph.Input("x", ValueType(.float32, [.batch, Dimension(count)]))],
            outputs: [Graph.Output("y", value: "y")],
            nodes: [Node("y", .voltageScaler(VoltageScaler(scales: Samples.awkward)), inputs: ["x"])],
            constants: ["c": Tensor(patterns, shape: [patterns.count])])
        let copy = try roundTrip(graph)
        #expect(copy.constants["c"]?.floats.map(\.bitPattern) == patterns.map(\.bitPattern))
        guard case .voltageScaler(let scaler) = copy.nodes[0].operator else {
            Issue.record("not a scaler")
            return
        }
        #expect(scaler.scales.map(\.bitPattern) == Samples.awkward.map(\.bitPattern))
    }

    @Test func `thousands of random floats come back to the bit as attributes`() throws {
        var generator = SeededGenerator(3)
        var scales: [Float] = []
        while scales.count < 5000 {
            let value = Float(bitPattern: UInt32.random(in: .min ... .max, using: &generator))
            if value.isFinite { scales.append(value) }
        }
        let graph = try Graph(
            name: "random", inputs: [Graph.Input("x", ValueType(.float32, [.batch, 5000]))], outputs: [Graph.Output("y", value: "y")],
            nodes: [Node("y", .voltageScaler(VoltageScaler(scales: scales)), inputs: ["x"])], constants: [:])
        guard case .voltageScaler(let scaler) = try roundTrip(graph).nodes[0].operator else {
            Issue.record("not a scaler")
            return
        }
        #expect(scaler.scales.map(\.bitPattern) == scales.map(\.bitPattern))
    }

    @Test func `open sizes come back`() throws {
        let shape = Shape([.batch, Dimension(2, batchFactor: 3), 4, Dimension(-1, batchFactor: 1)])
        let graph = try Graph(
            name: "open", inputs: [Graph.Input("x", ValueType(.float32, shape)), Graph.Input("i", ValueType(.int64, [2]))],
            outputs: [Graph.Output("y", value: "x")], nodes: [], constants: [:])
        #expect(try roundTrip(graph).inputs == graph.inputs)
    }

    @Test func `the same graph gives the same bytes`() throws {
        let graph = try Samples.network()
        try SNNFile.write(graph, to: folder.file("a"))
        try SNNFile.write(try SNNFile.read(folder.file("a")), to: folder.file("b"))
        #expect(try folder.bytes("a") == folder.bytes("b"))
    }

    @Test(arguments: [Float.infinity, -.infinity, .nan])
    func `a number that is not finite is refused, with the node's name`(value: Float) throws {
        let graph = try Graph(
            name: "g", inputs: [Graph.Input("x", ValueType(.float32, [.batch, 2]))], outputs: [Graph.Output("y", value: "fire")],
            nodes: [Node("fire", .voltageScaler(VoltageScaler(scale: value)), inputs: ["x"])], constants: [:])
        let error = try #require(throws: SpikeletError.self) { try SNNFile.write(graph, to: folder.file("n")) }
        #expect(error.code == .invalidModel)
        #expect(error.message == "node 'fire': operator.attributes.scales[0] is \(value), which a file cannot hold")
        #expect(folder.contents.isEmpty)
    }

    /// The error for a file whose graph has the text `old` replaced.
    private func error(replacing old: String, by new: String) throws -> SpikeletError {
        try SNNFile.write(try Samples.smallGraph(), to: folder.file("n"))
        let file = try SafetensorsFile(path: folder.file("n"))
        let text = try #require(file.metadata["spikelet"])
        #expect(text.contains(old))
        try SafetensorsFile.write(
            ["bias": try file.tensor(named: "bias")], metadata: ["spikelet": text.replacingOccurrences(of: old, with: new)],
            to: folder.file("n"))
        return try #require(throws: SpikeletError.self) { try SNNFile.read(folder.file("n")) }
    }

    @Test(arguments: [("calibrated", 8), ("radix", 4)]) func `files of version 1 are read as they were written`(recipe: String, steps: Int)
        throws
    {
        let snn = try SNNFile.read(Repository.fixture("SNN/version1_\(recipe).safetensors"))
        for case .neuron(let neurons) in snn.nodes.map(\.operator) { #expect(neurons.site == nil) }
        func array(_ name: String) throws -> Tensor {
            let array = try NPY.read(Repository.fixture("SNN/\(name).npy"))
            return Tensor(array.floats(), shape: array.shape)
        }
        let run = try ReferenceSimulation(snn).run([array("input")], steps: steps, timeVarying: false, recording: .stepOutputs)
        let (found, expected) = (Tensor.joined(run.stepOutputs.map { $0[0] }), try array("version1_\(recipe)"))
        #expect(expected.shape == [steps, 3, 5])
        // The processor decides in which order a product's sums are made: its last bit is no part of the file.
        let worst = zip(found.floats, expected.floats).map { abs($0 - $1) }.max() ?? 1
        #expect(worst < 1e-6)
        let folder = try TemporaryFolder()
        try SNNFile.write(snn, to: folder.file("again.safetensors"))
        let again = try ReferenceSimulation(SNNFile.read(folder.file("again.safetensors")))
        let rewritten = try again.run([array("input")], steps: steps, timeVarying: false, recording: .stepOutputs)
        #expect(Tensor.joined(rewritten.stepOutputs.map { $0[0] }).floats.map(\.bitPattern) == found.floats.map(\.bitPattern))
    }

    @Test func `what neurons stand for is kept, and has to fit them`() throws {
        func network(_ site: Site) throws -> Graph {
            try Graph(
                name: "one", inputs: [.init("x", ValueType(.float32, [.batch, 2]))], outputs: [.init("y", value: "if")],
                nodes: [Node("if", .neuron(NeuronNode(IFNode(threshold: 1), site: site)), inputs: ["x"])], constants: [:])
        }
        for site in [Site(activation: "relu", spike: [0.25, 3], bound: 6), Site(activation: "features.0", spike: [1])] {
            check(try network(site), equals: try roundTrip(network(site)))
        }
        for spike: [Float] in [[], [1, 2, 3], [1, 0], [-1], [.infinity], [.nan]] {
            #expect(throws: SpikeletError.self) { try network(Site(activation: "relu", spike: spike)) }
        }
        #expect(throws: SpikeletError.self) { try network(Site(activation: "relu", spike: [1], bound: -1)) }
    }

    @Test func `a newer format version is refused with the way out`() throws {
        let error = try error(replacing: "\"formatVersion\":2", by: "\"formatVersion\":5")
        #expect(error.code == .unsupported)
        #expect(error.message == "the file has format version 5, this Spikelet reads up to 4")
        #expect(error.remedy?.contains("update Spikelet") == true)
        #expect(error.location?.hasPrefix(folder.file("n")) == true)
    }

    @Test func `an operator or a neuron of a newer Spikelet is named`() throws {
        let unknownNeuron = try error(replacing: "\"IFNode\"", by: "\"QuantumNode\"")
        #expect(unknownNeuron.code == .unsupported)
        #expect(unknownNeuron.message.contains("QuantumNode"))
        let unknownOperator = try error(replacing: "\"type\":\"Add\"", by: "\"type\":\"Subtract\"")
        #expect(unknownOperator.code == .unsupported)
        #expect(unknownOperator.message.contains("Subtract"))
    }

    @Test(arguments: [
        ("\"formatVersion\":2", "\"formatVersion\":0", "there is no format version 0"),
        ("\"formatVersion\":2,", "", "'formatVersion' is missing in the graph"),
        ("\"threshold\":0.5", "\"threshold\":\"0.5\"", "nodes[0].operator.attributes.parameters.threshold is not of the type Float"),
        ("\"threshold\":0.5", "\"threshold\":1e300", "cannot be read"),
        ("\"bias\"", "\"offset\"", "reads 'offset', which nothing defines"),
        ("[{\"batch\":1},2]", "[{\"batch\":1},2147483648]", "cannot be float32["),
        ("[{\"batch\":1},2]", "[{\"batch\":1,\"constant\":-9223372036854775808},2]", "cannot be float32["),
        ("[{\"batch\":1},2]", "[{\"batch\":1},true]", "inputs[0].shape[1]"),
        ("\"value\":\"sum\"", "\"value\":\"if\"},{\"name\":\"y\",\"value\":\"sum\"", "two outputs have the same name"),
    ])
    func `a damaged graph is refused with its place`(old: String, new: String, message: String) throws {
        let error = try error(replacing: old, by: new)
        #expect(error.code == .malformedFile)
        #expect(error.description.contains(message), "\(error)")
        #expect(error.location?.hasPrefix("\(folder.file("n")): metadata 'spikelet'") == true)
        #expect(error.remedy != nil)
    }

    @Test func `a damaged constant is refused with its name`() throws {
        try SNNFile.write(try Samples.smallGraph(), to: folder.file("n"))
        var bytes = try folder.bytes("n")
        bytes[bytes.count - 1] = 2  // the flag, the last of the data
        let error = try #require(throws: SpikeletError.self) { try SNNFile.graph(in: SafetensorsFile(bytes: bytes, name: "f")) }
        #expect(error.location == "f: tensor 'flag'")
    }

    @Test func `somebody else's safetensors file is told from a network`() throws {
        try SafetensorsFile.write(["w": Tensor(scalar: 1)], to: folder.file("other"))
        let error = try #require(throws: SpikeletError.self) { try SNNFile.read(folder.file("other")) }
        #expect(error.message == "this safetensors file holds no spiking network")
    }

    @Test func `a file that is not there is an error of the file system`() throws {
        let error = try #require(throws: SpikeletError.self) { try SNNFile.read(folder.file("none")) }
        #expect(error.code == .fileSystem)
        #expect(error.message.hasSuffix("does not exist"))
        let isFolder = try #require(throws: SpikeletError.self) { try SNNFile.read(folder.path) }
        #expect(isFolder.message == "cannot read: it is a folder")
    }

    @Test func `shape rules meet hostile attributes with errors`() throws {
        func refuse(_ node: Node, shape: Shape = [.batch, 4, 4, 4], constants: [String: Tensor] = [:]) {
            #expect(throws: SpikeletError.self, "\(node)") {
                _ = try Graph(
                    name: "g", inputs: [Graph.Input("x", ValueType(.float32, shape))], outputs: [], nodes: [node], constants: constants)
            }
        }
        let huge = Int.max
        let weights = ["w": Tensor(repeating: 1, shape: [2, 2, 1, 1])]
        refuse(Node("a", .conv(Conv(window: Window(kernel: [1, 1]), groups: huge)), inputs: ["x", "w"]), constants: weights)
        refuse(Node("a", .maxPool(MaxPool(window: Window(kernel: [huge, huge]))), inputs: ["x"]))
        refuse(Node("a", .maxPool(MaxPool(window: Window(kernel: [1, 1], padsEnd: [huge, huge]))), inputs: ["x"]))
        refuse(Node("a", .flatten(Flatten(axis: .min)), inputs: ["x"]))
        refuse(Node("a", .concat(Concat(axis: huge)), inputs: ["x", "x"]))
        for constant in [Int.min, huge, -1] {
            refuse(Node("a", .reshape(Reshape(sizes: [.fixed(constant: constant, batchFactor: 1), .rest])), inputs: ["x"]))
            refuse(Node("a", .reshape(Reshape(sizes: [.fixed(constant: 1, batchFactor: constant), .rest])), inputs: ["x"]))
        }
        refuse(
            Node(
                "a", .reshape(Reshape(sizes: [.same, .fixed(constant: -8, batchFactor: 0), .fixed(constant: -8, batchFactor: 0)])),
                inputs: ["x"]))
        let large = Dimension(Int(Int32.max))
        refuse(Node("a", .flatten(Flatten()), inputs: ["x"]), shape: [.batch, large, large])
        refuse(Node("a", .concat(Concat(axis: 1)), inputs: ["x", "x"]), shape: [.batch, large])
    }
}
