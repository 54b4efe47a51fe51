import Foundation
import SpikeConversion
import SpikeData
import SpikeFiles
import SpikeFormats
import SpikeGraph
import SpikeONNX
import SpikeOpenAxes
import SpikeReference
import SpikeRuntime
import TestSupport
import Testing

/// Networks whose lengths, heights and widths stay open (`Tools/Fixtures/make_digit_fixtures.py`).
@Suite struct OpenNetworkTests {
    static let archive = Result { try NPZ(path: Repository.fixture("open_axes.npz")) }
    static let names: [String] = ((try? archive.get().names) ?? [])
        .compactMap { $0.hasSuffix("/model") && !$0.hasPrefix("closed") ? String($0.dropLast(6)) : nil }
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// The sizes that there are data of; the first is the one to calibrate with.
    private func sizes(_ name: String) throws -> [String] {
        try Self.archive.get().names.reduce(into: []) { sizes, array in
            let parts = array.split(separator: "/").map(String.init)
            if parts[0] == name, parts.count > 2, !sizes.contains(parts[1]) { sizes.append(parts[1]) }
        }
    }

    private func tensor(_ name: String) throws -> Tensor {
        let array = try Self.archive.get().array(name)
        return array.elementType == .int64 ? Tensor(try array.integers(), shape: array.shape) : Tensor(array.floats(), shape: array.shape)
    }

    private func model(_ name: String) throws -> String {
        try folder.write(Self.archive.get().array("\(name)/model").integers().map { UInt8($0) }, "\(name).onnx")
    }

    /// The sizes of an input are those of the data of this size.
    private func axes(_ name: String, _ size: String) throws -> OpenAxes {
        try OpenAxes { input, _ in try Array(tensor("\(name)/\(size)/input/\(input)").shape.dropFirst()) }
    }

    private func inputs(_ name: String, _ size: String, _ graph: Graph) throws -> [Tensor] {
        try graph.inputs.map { try tensor("\(name)/\(size)/input/\($0.name)") }
    }

    /// Converts at the first size.
    private func network(_ name: String, digits: Int = 8, _ openAxes: OpenAxes? = nil) throws -> (snn: Graph, open: OpenNetwork?) {
        let size = try sizes(name)[0]
        let imported = try ONNXImporter.read(model(name), openAxes: openAxes ?? axes(name, size))
        let inputs = try inputs(name, size, imported.graph)
        let snn = try RecipeConverter(Recipe.radix.options(digits), calibration: [Batch(inputs: inputs)])(imported.graph)
        return (snn, try OpenNetwork(snn, of: imported, at: folder.file("\(name).onnx")))
    }

    private func sites(of graph: Graph) -> Set<Site> {
        Set(graph.nodes.compactMap { if case .neuron(let neuron) = $0.operator { neuron.site } else { nil } })
    }

    private func distance(_ found: Tensor, _ expected: Tensor) -> Float {
        guard found.shape == expected.shape else { return .infinity }
        let (values, mean) = (expected.floats, expected.floats.reduce(0, +) / Float(expected.count))
        let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(values.count)).squareRoot()
        return (zip(found.floats, values).map { abs($0 - $1) }.max() ?? 0) / deviation
    }

    @Test(arguments: names) func `one file serves all sizes, with the steps of its calibration`(name: String) throws {
        let (snn, open) = try network(name)
        try #require(open).write(to: folder.file("n"))
        let back = try #require(try OpenNetwork(path: folder.file("n")))
        #expect(back.graph.nodes == snn.nodes && back.graph.constants == snn.constants)
        #expect(try SNNFile.read(folder.file("n")).nodes == snn.nodes)
        #expect(try back.graph(at: .none).nodes == snn.nodes)
        for (position, size) in try sizes(name).enumerated() {
            let graph = try back.graph(at: axes(name, size))
            if position == 0 { #expect(graph.nodes == snn.nodes) }
            #expect(graph.spiking == snn.spiking && graph.outputs.map(\.name) == snn.outputs.map(\.name))
            #expect(sites(of: snn) == sites(of: graph))
            let inputs = try inputs(name, size, graph)
            let expected = try ReferenceExecutor(graph.rounded()).run(inputs)[0]
            #expect(distance(try ReferenceSimulation(graph).run(inputs, steps: 8)[0], expected) < 2e-3)
            for threads in [1, 2] { #expect(distance(try Simulation(graph, threads: threads).run(inputs, steps: 8)[0], expected) < 2e-3) }
            let whole = try Simulation(graph, precision: .int8).run(inputs, steps: 8)[0]
            #expect(distance(whole, expected) < 0.4, "int8, \(size): \(distance(whole, expected))")
            // The file at a size is the model at that size.
            let ann = try tensor("\(name)/\(size)/output/\(graph.outputs[0].name)")
            #expect(distance(expected, ann) < 0.4, "\(size): \(distance(expected, ann))")
        }
    }

    @Test(arguments: names) func `without rounding it is the ANN at every size`(name: String) throws {
        let open = try #require(try network(name).open)
        for size in try sizes(name) {
            let graph = try open.graph(at: axes(name, size))
            let found = try ReferenceExecutor(graph.rounded(endlessly: true)).run(inputs(name, size, graph))[0]
            #expect(distance(found, try tensor("\(name)/\(size)/output/\(graph.outputs[0].name)")) < 1e-4, "\(size)")
        }
    }

    @Test func `weights stand once in a file, and a network without open axes keeps its version`() throws {
        let (snn, open) = try network("encoder_dynamo")
        try SNNFile.write(snn, to: folder.file("closed"))
        try #require(open).write(to: folder.file("open"))
        let (closed, file) = (try SafetensorsFile(path: folder.file("closed")), try SafetensorsFile(path: folder.file("open")))
        #expect(closed.metadata["spikelet"]?.contains("\"formatVersion\":2") == true)
        #expect(file.metadata["spikelet"]?.contains("\"formatVersion\":3") == true)
        let own = file.entries.filter { $0.dataType == .uint8 }.map(\.name)
        #expect(own.contains("model") && own.count < 4, "\(own)")
        #expect(Set(file.entries.map(\.name)).subtracting(own) == Set(closed.entries.map(\.name)))
        #expect(try OpenNetwork(path: folder.file("closed")) == nil)
        try OpenNetwork(path: folder.file("open"))?.write(to: folder.file("again"))
        #expect(try folder.bytes("open") == folder.bytes("again"))
    }

    @Test func `axes that were given a size are closed, and others that do not fit are errors by name`() throws {
        #expect(try network("encoder_script", OpenAxes(["tokens": 7])).open == nil)
        let half = try #require(try network("gate_dynamo", OpenAxes(["2": 8]) { _, _ in [3, 8, 8] }).open)
        #expect(half.model.fixedAxes == ["height": 8] || half.model.fixedAxes == ["2": 8] || half.model.fixedAxes.values.first == 8)
        #expect(half.model.openAxes.count == 1)
        let name = try #require(half.model.openAxes.first)
        #expect(try half.graph(at: OpenAxes([name: 12])).inputs[0].type.shape == [.batch, 3, 8, 12])
        let closed = try #require(half.model.fixedAxes.keys.first)
        expectError(.invalidOption, "the axis '\(closed)' has 8 places since the conversion, not 16") {
            _ = try half.graph(at: OpenAxes([closed: 16]))
        }
        let encoder = try #require(try network("encoder_script").open)
        expectError(.invalidOption, "leaves no axis 'length' open", "'tokens'") { _ = try encoder.graph(at: OpenAxes(["length": 3])) }
        expectError(.invalidData, "input 'mask'", "'tokens'", "12", "7") {
            _ = try encoder.graph(at: OpenAxes { input, _ in input == "ids" ? [7] : [12] })
        }
        // There are 16 places in its table.
        expectError(nil, "encoder_script.onnx") { _ = try encoder.graph(at: OpenAxes(["tokens": 17])) }
        #expect(try encoder.graph(at: OpenAxes(["tokens": 1])).inputs.map(\.type.shape) == [[.batch, 1], [.batch, 1]])
    }

    @Test func `steps along an open axis close it, and a word on it says so`() throws {
        expectError(
            .notConvertible, "closed_mlp_script.onnx", "has a step for each of 9 channels along axis 1, and the shape [N, 18, 6] here"
        ) {
            _ = try network("closed_mlp_script")
        }
        let size = try sizes("closed_mlp_script")[0]
        let imported = try ONNXImporter.read(model("closed_mlp_script"), openAxes: axes("closed_mlp_script", size))
        var options = Recipe.radix.options(8)
        options.isPerChannel = false
        let inputs = try inputs("closed_mlp_script", size, imported.graph)
        let snn = try RecipeConverter(options, calibration: [Batch(inputs: inputs)])(imported.graph)
        let open = try #require(try OpenNetwork(snn, of: imported, at: folder.file("closed_mlp_script.onnx")))
        #expect(try open.graph(at: OpenAxes(["tokens": 4])).inputs[0].type.shape == [.batch, 4, 6])
    }

    @Test func `another function or other weights under a name are not taken for those of the calibration`() throws {
        let (snn, _) = try network("encoder_script")
        func changed(_ change: (inout Patch, Node) -> Void) throws -> Graph {
            let ann = try ONNXImporter.read(model("encoder_script"), openAxes: OpenAxes(["tokens": 5])).graph
            var patch = Patch()
            for node in ann.nodes { change(&patch, node) }
            return try ann.applying(patch)
        }
        expectError(.notConvertible, "has other weights here") {
            let ann = try changed { patch, node in
                if case .matMul = node.operator, node.name.contains("up") {
                    patch.setConstant(node.inputs[1], Tensor(repeating: 0.5, shape: [8, 16]))
                }
            }
            _ = try RecipeConverter.convert(ann, withStepsOf: snn)
        }
        expectError(.notConvertible, "is LayerNormalization here, and was") {
            let ann = try changed { patch, node in
                guard case .unary = node.operator else { return }
                patch.setConstant("scale", Tensor(repeating: 1, shape: [16]))
                patch.replace(
                    Node(node.name, .layerNormalization(LayerNormalization()), inputs: [node.inputs[0], "scale"], outputs: node.outputs))
            }
            _ = try RecipeConverter.convert(ann, withStepsOf: snn)
        }
    }

    @Test func `networks whose neurons have more than steps of digits have fixed sizes`() throws {
        let size = try sizes("relus_script")[0]
        let imported = try ONNXImporter.read(model("relus_script"), openAxes: axes("relus_script", size))
        let inputs = try inputs("relus_script", size, imported.graph)
        let snn = try RecipeConverter(Recipe.calibrated.options(8), calibration: [Batch(inputs: inputs)])(imported.graph)
        #expect(try OpenNetwork(snn, of: imported, at: folder.file("relus_script.onnx")) == nil)
        expectError(.unsupported, "no network of digits") { _ = try RecipeConverter.convert(imported.graph, withStepsOf: snn) }
        let digits = try network("relus_script").snn
        let other = try ONNXImporter.read(model("gate_dynamo"), openAxes: axes("gate_dynamo", "8x8")).graph
        expectError(.notConvertible, "another one than at those of its calibration", "was not sent as spikes") {
            _ = try RecipeConverter.convert(other, withStepsOf: digits)
        }
        let gate = try network("gate_dynamo").snn
        expectError(.notConvertible, "'3.activation.silu_1_2' is not sent as spikes here") {
            _ = try RecipeConverter.convert(imported.graph, withStepsOf: gate)
        }
    }

    @Test func `a damaged model in a file is an error, not a crash, and no other file is read for it`() throws {
        try #require(try network("reader_dynamo").open).write(to: folder.file("n"))
        let file = try SafetensorsFile(path: folder.file("n"))
        var generator = SeededGenerator(5)
        let bytes = try folder.bytes("n")
        let part = try #require(file.part(named: "model")).range
        for _ in 0..<200 {
            var damaged = bytes
            for _ in 0..<4 { damaged[Int.random(in: part, using: &generator)] = UInt8.random(in: 0...255, using: &generator) }
            try folder.write(damaged, "m")
            _ = try? OpenNetwork(path: folder.file("m"))?.graph(at: axes("reader_dynamo", "40"))
        }
        let text = try #require(file.metadata["spikelet"])
        for (old, new) in [("\"head\":\"model\"", "\"head\":\"nothing\""), ("\"head\":\"model\"", "\"head\":7")] {
            var tensors: [String: Tensor] = [:]
            for entry in file.entries { tensors[entry.name] = try file.tensor(named: entry.name) }
            try SafetensorsFile.write(
                tensors, metadata: ["spikelet": text.replacingOccurrences(of: old, with: new)], to: folder.file("m"))
            expectError(.malformedFile, "m: metadata 'spikelet'") { _ = try OpenNetwork(path: folder.file("m")) }
        }
    }

    @Test func `weights beside a model come into the file`() throws {
        let path = Repository.model("FashionMNIST/mobile/mobile_dynamo.onnx")
        let parted = try ONNXImporter.part(path)
        let (there, here) = (try ONNXImporter.read(path).graph, try ONNXImporter.importModel(parted, openAxes: .none).graph)
        #expect(there.nodes == here.nodes && there.constants == here.constants)
        let beside = ONNXImporter.externalFiles(of: path).count
        #expect(beside > 0)
    }
}
