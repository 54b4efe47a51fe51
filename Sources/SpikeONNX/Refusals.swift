internal import SpikeGraph

/// The nodes that could not be imported: one message for all of them.
struct Refusals {
    private struct Kind: Hashable {
        let `operator`: String
        let reason: String
        let hint: String
    }

    private var nodes: [Kind: [String]] = [:]
    private var hasUnknownOperators = false
    /// In the order of the file.
    private var kinds: [Kind] = []

    mutating func add(_ node: ONNXNodeProto, named name: String, opset: Int?, _ error: SpikeletError) {
        if !OperatorTable.names.contains(node.opType) { hasUnknownOperators = true }
        let domain = node.domain.isEmpty ? "" : "\(node.domain)."
        let version = opset.map { ", opset \($0)" } ?? ""
        let kind = Kind(
            operator: "\(domain)\(node.opType)\(version)", reason: error.message, hint: error.remedy ?? Self.hint(for: node.opType))
        if nodes[kind] == nil { kinds.append(kind) }
        nodes[kind, default: []].append(name)
    }

    /// - Parameter unknown: the inputs whose shape is not known.
    /// - Throws: where there is anything to report.
    func report(_ unknown: [UnknownAxes]) throws {
        guard !kinds.isEmpty || !unknown.isEmpty else { return }
        let total = nodes.values.reduce(0) { $0 + $1.count }
        let lines = kinds.flatMap { kind in
            let names = nodes[kind] ?? []
            let count = names.count == 1 ? "1 node" : "\(names.count) nodes"
            return ["- \(kind.operator): \(count): \(names.joined(separator: ", "))", "    \(kind.reason)"]
                + (kind.hint.isEmpty ? [] : ["    → \(kind.hint)"])
        }
        guard unknown.isEmpty else {
            let others = kinds.isEmpty ? "" : ", and \(total == 1 ? "1 node" : "\(total) nodes") cannot be imported"
            throw SpikeletError(
                .unsupported, "sizes of the input are open\(others):", details: unknown.map(\.description) + lines,
                remedy: UnknownAxes.remedy(unknown))
        }
        throw SpikeletError(
            .unsupported, "\(total == 1 ? "1 node" : "\(total) nodes") cannot be imported:", details: lines,
            remedy: "change these places in the model and export it again"
                + (hasUnknownOperators ? "; Documentation/Operators.md lists what is supported" : ""))
    }

    /// - Parameter meetings: the nodes in which samples of a batch meet.
    /// - Throws: where there are any.
    static func report(_ meetings: [(node: String, reason: String)]) throws {
        guard !meetings.isEmpty else { return }
        throw SpikeletError(
            .unsupported, "samples of a batch meet in \(meetings.count == 1 ? "1 node" : "\(meetings.count) nodes"):",
            details: SpikeletError.list(meetings.map { "\($0.node): \($0.reason)" }),
            remedy:
                "an input's first axis is the batch where the file leaves it open: export with the batch in front (batch_first=True), or with a first axis of a fixed size"
        )
    }

    /// An operator that no table has.
    static func unknownOperator(_ node: ONNXNodeProto, isFunction: Bool) -> SpikeletError {
        if isFunction {
            return SpikeletError(
                .unsupported, "it is a function that the model defines itself",
                remedy: "inline it: onnx.inliner.inline_local_functions(onnx.load(path))")
        }
        guard node.domain.isEmpty else {
            return SpikeletError(
                .unsupported, "operators of '\(node.domain)' are not part of ONNX's own set",
                remedy: "export without an optimiser that writes them, such as onnxruntime's")
        }
        return SpikeletError(.unsupported, "this operator is not supported")
    }

    /// What only `DequantizeLinear` can read is read by something else.
    static let readsIntegers = SpikeletError(
        .unsupported, "it reads the integers of a QuantizeLinear; only DequantizeLinear is taken there",
        remedy: "quantise in QDQ format, in which every QuantizeLinear is followed by its DequantizeLinear")

    private static func hint(for operator: String) -> String {
        switch `operator` {
        case "Gelu", "Erf", "Tanh", "Elu", "Selu", "Celu", "HardSwish", "HardSigmoid", "Mish", "Softplus", "Softsign", "PRelu", "LeakyRelu":
            "train with ReLU or ReLU6 instead: a spiking neuron is a ReLU"
        case "LSTM", "GRU", "RNN", "Loop", "Scan": "only feed-forward networks are taken"
        case "LayerNormalization", "InstanceNormalization", "GroupNormalization", "RMSNormalization", "LpNormalization":
            "train with batch normalisation instead: it is linear at inference"
        case "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "DynamicQuantizeLinear":
            "quantise in QDQ format instead: quantize_static(…, quant_format=QuantFormat.QDQ)"
        default: ""
        }
    }
}
