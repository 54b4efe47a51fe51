internal import Foundation
internal import SpikeFiles
internal import SpikeGraph

/// One import, from message to graph.
///
/// The nodes are taken in an order in which each comes after those it reads from. Each either folds to a constant, or
/// passes its input on, or becomes nodes of the graph, or is refused; a node behind a refused one is still checked for
/// what can be checked without its inputs, so that the list of refusals is complete.
final class ImportSession {
    let fileName: String
    var model: ONNXModelProto
    let reader: TensorReader
    /// For each initialiser, where its bytes are, if they are not in the message.
    let weights: [FilePart?]
    let builder: GraphBuilder
    var values: [String: Value] = [:]
    var inputs: [Graph.Input] = []
    var warnings: [String] = []
    var refusals = Refusals()
    let openAxes: OpenAxes
    /// Of the inputs whose shape is not known.
    var unknownAxes: [UnknownAxes] = []
    /// The open axes that have a size now.
    var closedAxes: [OpenAxis] = []
    /// What axes that are open may be called.
    var openNames: Set<String> = []
    /// In which order the nodes are taken.
    var order: NodeOrder
    /// The nodes that have been taken.
    var taken: Set<Int> = []
    /// Of these, the ones whose branch is being imported.
    var running: [Int] = []
    /// How many nodes the file has outside of branches.
    private let fileNodes: Int
    /// The version of each operator set; ONNX's own is the empty domain.
    private var opsets: [String: Int] = [:]
    private var functions: Set<String> = []

    init(_ file: consuming ONNXFile, fileName: String, folder: URL, openAxes: OpenAxes) throws {
        self.openAxes = openAxes
        weights = file.weights
        reader = TensorReader(folder: folder)
        builder = GraphBuilder(modelSize: file.size)
        model = file.message
        order = try NodeOrder(model.graph)
        fileNodes = model.graph.node.count
        self.fileName = fileName
    }

    func run() throws -> ImportedModel {
        try readHeader()
        let nodes = try order.nodes(for: model.graph.output.map(\.name), in: model.graph.node, except: [])
        try readInputs()
        try readInitializers(takeInitializers(), sparse: model.graph.sparseInitializer, places: weights)
        for index in nodes { try importNode(at: index) }
        try refusals.report(unknownAxes)
        return try finish()
    }

    // MARK: Header

    private func readHeader() throws {
        for entry in model.opsetImport {
            opsets[Self.canonical(entry.domain)] = Int(entry.version)
        }
        functions = Set(model.functions.map { "\(Self.canonical($0.domain)):\($0.name)" })
        guard let version = opsets[""] else { return }
        // Of older opsets those operators are read that have not changed since.
        let isReadable =
            version >= OperatorTable.opsets.lowerBound
            || model.graph.node.allSatisfy {
                OperatorTable.spec(domain: Self.canonical($0.domain), name: $0.opType, opset: version) != nil
            }
        guard isReadable else {
            throw SpikeletError(
                .unsupported, "the model uses opset \(version); \(OperatorTable.opsets.lowerBound) and later are read",
                remedy: "convert it: onnx.version_converter.convert_version(onnx.load(path), 17)")
        }
        if version > OperatorTable.opsets.upperBound {
            warnings.append(
                "opset \(version) is newer than \(OperatorTable.opsets.upperBound), the latest this version knows; operators may have changed"
            )
        }
    }

    /// ONNX's own domain has two spellings.
    static func canonical(_ domain: String) -> String { domain == "ai.onnx" ? "" : domain }

    // MARK: Nodes

    func importNode(at index: Int) throws {
        guard !running.contains(index) else { throw NodeOrder.circle(running, model.graph.node) }
        // The branch of an `If` may have asked for it before.
        guard !taken.contains(index) else { return }
        defer { taken.insert(index) }
        let proto = model.graph.node[index]
        let domain = Self.canonical(proto.domain)
        for output in proto.output where !output.isEmpty { values[output] = .unknown }
        do {
            let spec = try spec(of: proto, domain: domain)
            let attributes = try check(proto, against: spec)
            var inputs: [Value?] = []
            for name in proto.input {
                let value = values[name]
                if case .unknown? = value { return }
                guard value != nil || name.isEmpty else {
                    throw SpikeletError(
                        .invalidModel, "it reads '\(name)', which nothing in the model defines", remedy: "export the model again")
                }
                inputs.append(name.isEmpty ? nil : value)
            }
            let context = NodeContext(
                proto: proto, index: index, opset: opsets[domain] ?? 0, inputs: inputs, attributes: attributes,
                usedOutputs: proto.output.map { order.readValues.contains($0) }, builder: builder, reader: reader,
                inline: { [unowned self] in try inline($0, of: index) })
            for (name, value) in zip(proto.output, try spec.build(context)) where !name.isEmpty { values[name] = value }
        } catch let error as SpikeletError {
            let label = NodeNames.origin(of: proto, index: index).label
            guard error.code == .unsupported else { throw error.located("node '\(label)' (\(proto.opType))") }
            refusals.add(proto, named: label, opset: opsets[domain], error)
        }
    }

    private func spec(of node: ONNXNodeProto, domain: String) throws -> OperatorSpec {
        if let opset = opsets[domain], let spec = OperatorTable.spec(domain: domain, name: node.opType, opset: opset) { return spec }
        if opsets[domain] == nil, domain.isEmpty {
            throw SpikeletError(
                .malformedFile, "the model does not say which opset its operators are of", remedy: "export the model again")
        }
        throw Refusals.unknownOperator(node, isFunction: functions.contains("\(domain):\(node.opType)"))
    }

    /// Arity and attributes, before any operator's own code runs.
    private func check(_ node: ONNXNodeProto, against spec: OperatorSpec) throws -> [String: AttributeValue] {
        // Optional inputs at the end may be written as empty names.
        let count = (node.input.lastIndex { !$0.isEmpty } ?? -1) + 1
        func text(_ range: ClosedRange<Int>) -> String {
            if range.upperBound == .max { return "\(range.lowerBound) or more" }
            return range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
        }
        guard spec.inputs.contains(max(count, min(node.input.count, spec.inputs.lowerBound))) else {
            throw SpikeletError(.invalidModel, "it has \(count) inputs, \(text(spec.inputs)) are needed")
        }
        guard spec.outputs.contains(node.output.count) else {
            throw SpikeletError(.invalidModel, "it has \(node.output.count) outputs, \(text(spec.outputs)) are possible")
        }
        return try AttributeSpec.values(of: node, in: spec.attributes)
    }

    // MARK: The graph

    private func finish() throws -> ImportedModel {
        let assembly = try GraphAssembly(self)
        let opset = opsets[""].map(String.init) ?? ""
        let imported = try Graph(
            name: fileName.hasSuffix(".onnx") ? String(fileName.dropLast(5)) : fileName, inputs: inputs, outputs: assembly.outputs,
            nodes: assembly.nodes, constants: assembly.constants,
            origin: [
                "file": fileName, "producer": "\(model.producerName) \(model.producerVersion)", "exporter": exporter, "opset": opset,
                "irVersion": "\(model.irVersion)",
            ])
        let (recognized, found) = try RecognizeQuantizers().run(imported)
        if found > 0 { builder.note("clip–floor activations recognised as quantisers", count: found) }
        let (simplified, merged) = try SimplifyQuantizers().run(recognized)
        if merged > 0 { builder.note("clips and repetitions taken into quantisers", count: merged) }
        let (chained, chains) = try RecognizeChains().run(simplified)
        let (rectified, rectifiers) = try RecognizeRectifiers().run(chained)
        let (fixed, layouts) = try SimplifyLayouts().run(rectified)
        let opened = OpenBatch().run(fixed)
        let graph = opened.flatMap { $0.meetingsOfSamples().isEmpty ? $0 : nil } ?? fixed
        try Refusals.report(graph.meetingsOfSamples())
        if let size = fixed.fixedBatch {
            if graph.inputs.first?.type.shape.dimensions.first == .batch {
                builder.note("batch of \(size) opened: the network takes any number of samples")
            } else if fixed.inputs[0].type.shape.rank > 1 {
                warnings.append(
                    "input '\(fixed.inputs[0].name)' has the fixed batch size \(size): every batch must have as many samples "
                        + "(leave the batch open at export to lift this)")
            }
        }
        for (what, count) in layouts { builder.note(what, count: count) }
        for (kind, count) in chains.merging(rectifiers, uniquingKeysWith: +) {
            builder.note("\(kind) recognised as one operator", count: count)
        }
        let unused = (0..<fileNodes).count { !taken.contains($0) }
        if unused > 0 {
            warnings.append("\(unused) nodes of the file contribute to no output of the model; they were left out")
        }
        let report = ImportReport(
            file: fileName, producerName: model.producerName, producerVersion: model.producerVersion, exporter: exporter,
            irVersion: Int(model.irVersion),
            opsets: Dictionary(opsets.map { ($0.key.isEmpty ? "ai.onnx" : $0.key, $0.value) }, uniquingKeysWith: { first, _ in first }),
            fileOperators: Dictionary(model.graph.node.prefix(fileNodes).map { ($0.opType, 1) }, uniquingKeysWith: +),
            operators: Dictionary(graph.nodes.map { ($0.operator.name, 1) }, uniquingKeysWith: +),
            parameterCount: graph.parameterCount,
            actions: builder.actions.sorted { $0.key < $1.key }.map { "\($0.value) × \($0.key)" }, warnings: warnings)
        return ImportedModel(graph: graph, report: report, openAxes: closedAxes)
    }

    private var exporter: String {
        let producer = model.producerName.isEmpty ? "unknown producer" : "\(model.producerName) \(model.producerVersion)"
        guard model.producerName == "pytorch" else { return producer }
        let isDynamo = model.graph.node.contains { $0.metadataProps.contains { $0.key.hasPrefix("pkg.torch.onnx.") } }
        return producer + (isDynamo ? " (dynamo exporter)" : " (TorchScript exporter)")
    }
}
