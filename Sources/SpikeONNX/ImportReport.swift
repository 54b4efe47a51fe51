public import SpikeGraph

/// Where a model comes from, and what the importer made of it.
public struct ImportReport: Sendable, Hashable, Codable, CustomStringConvertible {
    /// The file's name, without its folder.
    public var file: String
    /// Who wrote the file, as far as it says.
    public var producerName: String
    /// The version of the program that wrote the model.
    public var producerVersion: String
    /// What in the producer wrote it: PyTorch has two exporters, which differ in what they write.
    public var exporter: String
    /// The version of ONNX's file format.
    public var irVersion: Int
    /// Versions of the operator sets, by domain; ONNX's own is `ai.onnx`.
    public var opsets: [String: Int]
    /// How often each operator stands in the file.
    public var fileOperators: [String: Int]
    /// How often each operator stands in the graph.
    public var operators: [String: Int]
    /// The number of weights and other constants' elements.
    public var parameterCount: Int
    /// What was removed or computed on the way, as sentences.
    public var actions: [String]
    /// What the user should know.
    public var warnings: [String]

    /// A few lines for people.
    public var description: String {
        func list(_ counts: [String: Int]) -> String {
            counts.sorted { $0.key < $1.key }.map { "\($0.key) ×\($0.value)" }.joined(separator: ", ")
        }
        let opsets = opsets.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        var lines = ["\(file): \(exporter), opset \(opsets), IR version \(irVersion)"]
        lines.append("operators: \(list(operators)); \(parameterCount) parameters")
        if fileOperators != operators { lines.append("in the file: \(list(fileOperators))") }
        lines += actions + warnings.map { "warning: \($0)" }
        return lines.map(\.visible).joined(separator: "\n")
    }
}

/// A model as it was imported.
public struct ImportedModel: Sendable {
    /// The network.
    public var graph: Graph
    /// What the file said of itself, and what became of it.
    public var report: ImportReport
    /// The axes that the file leaves open besides the batch, with the sizes that they have here.
    public var openAxes: [OpenAxis]
}
