public import CSpikelet
import Foundation
import SpikeFiles
import Spikelet

/// A network, and what it can be made of again.
final class GraphBox: Sendable {
    let graph: Graph
    /// Of an ANN: the model that was read, and its file in parts.
    let source: Source?
    /// Of a spiking network of digits whose model leaves sizes open.
    let open: OpenNetwork?

    struct Source: Sendable {
        let model: ImportedModel
        let file: @Sendable () throws -> PartedFile
    }

    init(_ graph: Graph, source: Source? = nil, open: OpenNetwork? = nil) {
        (self.graph, self.source, self.open) = (graph, source, open)
    }

    /// The spiking network at the size of its inputs.
    func network(for inputs: UnsafePointer<spikelet_array>?, _ count: Int32) throws -> Graph {
        guard let open, let inputs else { return graph }
        return try open.graph(
            at: OpenAxes(sample: { _, position in
                try position < count ? Array(inputs[position].checkedShape("input \(position)").dropFirst()) : nil
            }))
    }

    /// - Throws: ``SpikeletError`` (`invalidOption`) where it is no spiking network.
    func requireSpiking() throws -> Graph {
        guard graph.spiking != nil else {
            throw SpikeletError(.invalidOption, "the network '\(graph.name)' is not a spiking one", remedy: "convert it first")
        }
        return graph
    }
}

/// How a model or a network is read.
private struct ReadingOptions: DoorOptions {
    static let keys: Set = ["openAxes", "data", "reader", "reset", "timeStep"]
    static var choices: [String: [String]] { ["reset": NIRDynamics.Reset.values] }

    var openAxes: [String: Int]?
    var data: [[Int]]?
    var reader: String?
    var reset: NIRDynamics.Reset?
    var timeStep: Double?

    func axes() throws -> OpenAxes {
        try OpenAxes(openAxes ?? [:]) { _, position in data.flatMap { $0.indices.contains(position) ? $0[position] : nil } }
    }
}

@_cdecl("spikelet_model_read")
public func spikeletModelRead(
    _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<CChar>?, _ graph: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    Door.status {
        let path = try Door.text(path, "path")
        let model = try NetworkFile.ann(path, openAxes: Door.options(options, as: ReadingOptions.self).axes())
        let source = GraphBox.Source(model: model) { try ONNXImporter.part(path) }
        try Door.require(graph, "graph").pointee = Door.handle(GraphBox(model.graph, source: source))
    }
}

@_cdecl("spikelet_model_from_bytes")
public func spikeletModelFromBytes(
    _ bytes: UnsafeRawPointer?, _ length: Int64, _ name: UnsafePointer<CChar>?, _ options: UnsafePointer<CChar>?,
    _ graph: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    Door.status {
        guard let bytes, length > 0 else {
            throw SpikeletError(.invalidOption, "a model of \(length) bytes", remedy: "pass the bytes of an ONNX model")
        }
        let name = try name.map { try Door.text($0, "name") } ?? "model.onnx"
        let copy = Array(UnsafeRawBufferPointer(start: bytes, count: Int(length)))
        let model = try ONNXImporter.read(bytes: copy, name: name, openAxes: Door.options(options, as: ReadingOptions.self).axes())
        let source = GraphBox.Source(model: model) { try ONNXImporter.part(bytes: copy, name: name) }
        try Door.require(graph, "graph").pointee = Door.handle(GraphBox(model.graph, source: source))
    }
}

@_cdecl("spikelet_network_read")
public func spikeletNetworkRead(
    _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<CChar>?, _ graph: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    Door.status {
        let path = try Door.text(path, "path")
        let options: ReadingOptions = try Door.options(options)
        let reading = NIRReading(reader: options.reader, reset: options.reset, timeStep: options.timeStep)
        let snn = try NetworkFile.spiking(path, nir: reading, openAxes: options.axes())
        let open = NetworkFile.isSafetensors(path) ? try OpenNetwork(path: path) : nil
        try Door.require(graph, "graph").pointee = Door.handle(GraphBox(snn, open: open))
    }
}

@_cdecl("spikelet_network_write")
public func spikeletNetworkWrite(_ graph: OpaquePointer?, _ path: UnsafePointer<CChar>?) -> Int32 {
    Door.status {
        let box = try Door.object(graph, "graph", as: GraphBox.self)
        let snn = try box.requireSpiking()
        let path = try Door.text(path, "path")
        if let open = box.open { try open.write(to: path) } else { try SNNFile.write(snn, to: path) }
    }
}

private struct ExportOptions: DoorOptions {
    enum Format: String, Decodable, CaseIterable { case nir, npz }

    static let keys: Set = ["format", "target", "approximate", "steps"]
    static var choices: [String: [String]] { ["format": Format.values] }

    var format: Format?
    var target: String?
    var approximate: Bool?
    var steps: Int?
}

private struct ExportOutcome: Encodable {
    var replaced: [String]
    var notes: [String]
    var check: PortabilityCheck.Result?
    var checkText: String?
}

@_cdecl("spikelet_network_export")
public func spikeletNetworkExport(
    _ graph: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ data: OpaquePointer?, _ options: UnsafePointer<CChar>?,
    _ progress: spikelet_progress?, _ context: UnsafeMutableRawPointer?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
    Door.status {
        let snn = try Door.object(graph, "graph", as: GraphBox.self).requireSpiking()
        let path = try Door.text(path, "path")
        let options: ExportOptions = try Door.options(options)
        let data = try data.map { try Door.object($0, "data", as: DataBox.self) }
        if options.format == .npz {
            guard options.target == nil, options.steps == nil, data == nil else {
                throw SpikeletError(
                    .invalidOption,
                    "`target`, `steps` and `check` say something of NIR files, and plain arrays are for nobody in particular",
                    remedy: "leave them out")
            }
            let plain = try PlainArrays.fold(snn, approximate: options.approximate ?? false)
            try NPZ.write(plain.arrays, to: path)
            try Door.give(json: ExportOutcome(replaced: plain.approximations.map(\.text), notes: plain.notes), to: json)
            return
        }
        let profile = try NIRProfile.named(options.target ?? "generic")
        let export = try NIRExporter(profile, approximate: options.approximate ?? false, steps: options.steps)(snn)
        try NIRFile.write(export.graph, to: path)
        var outcome = ExportOutcome(replaced: export.approximations.map(\.text), notes: export.notes)
        if let data {
            let source = try data.source(for: snn)
            let check = try PortabilityCheck(
                snn, exported: NIRFile.read(path), for: profile, task: source.task(of: snn), steps: export.steps, threads: Door.threads)
            let result = try DoorProgress.report(to: progress, context) { try check.run(source.batches) }
            (outcome.check, outcome.checkText) = (result, "\(result)")
        }
        try Door.give(json: outcome, to: json)
    }
}

/// What a graph is.
private struct GraphSummary: Encodable {
    struct Value: Encodable {
        var name: String
        var type: String
        /// `null` for what depends on the batch.
        var shape: [Int?]
    }

    var name: String
    var isSpiking: Bool
    var inputs: [Value]
    var outputs: [Value]
    var text: String
    var document: GraphDocument
    var recipe: String?
    var code: String?
    var steps: Int?
    var schedule: String?
    var stepsEndToEnd: Int?
    var digitsByLayer: String?
    var openAxes: [String]?
    var facts: [String: String]?
    var warnings: [String]?

    init(_ box: GraphBox) {
        let graph = box.graph
        func value(_ name: String, _ type: ValueType?) -> Value {
            Value(
                name: name, type: type?.elementType.rawValue ?? "float32", shape: type?.shape.dimensions.map(\.known) ?? [])
        }
        name = graph.name
        isSpiking = graph.spiking != nil
        inputs = graph.inputs.map { value($0.name, $0.type) }
        outputs = graph.outputs.map { value($0.name, graph.types[$0.value]) }
        text = "\(graph)"
        document = GraphDocument(graph)
        guard let spiking = graph.spiking else { return }
        (recipe, steps, schedule) = (spiking.recipe, spiking.steps, spiking.schedule.rawValue)
        code = spiking.code.kind.rawValue
        stepsEndToEnd = spiking.steps.map { graph.stepsEndToEnd(of: $0) }
        digitsByLayer = graph.digitsByLayer
        openAxes = box.open?.model.openAxes
        (facts, warnings) = (spiking.facts, spiking.warnings)
    }
}

@_cdecl("spikelet_graph_describe")
public func spikeletGraphDescribe(_ graph: OpaquePointer?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> Int32 {
    Door.status { try Door.give(json: GraphSummary(Door.object(graph, "graph", as: GraphBox.self)), to: json) }
}

@_cdecl("spikelet_graph_arrays")
public func spikeletGraphArrays(_ graph: OpaquePointer?, _ arrays: UnsafeMutablePointer<OpaquePointer?>?) -> Int32 {
    Door.status {
        let graph = try Door.object(graph, "graph", as: GraphBox.self).graph
        let constants = graph.constants.sorted { $0.key < $1.key }.map { (name: $0.key, tensor: $0.value) }
        try Door.require(arrays, "arrays").pointee = Door.handle(ArraysBox(constants))
    }
}

@_cdecl("spikelet_graph_run")
public func spikeletGraphRun(
    _ graph: OpaquePointer?, _ inputs: UnsafeRawPointer?, _ count: Int32, _ progress: spikelet_progress?,
    _ context: UnsafeMutableRawPointer?, _ outputs: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    Door.status {
        let graph = try Door.object(graph, "graph", as: GraphBox.self).graph
        let tensors = try graph.tensors(inputs?.assumingMemoryBound(to: spikelet_array.self), count)
        let place = try Door.require(outputs, "outputs")
        let results = try DoorProgress.report(to: progress, context) { try ReferenceExecutor(graph).run(tensors) }
        place.pointee = Door.handle(ArraysBox(zip(graph.outputs, results).map { ($0.name, $1) }))
    }
}
