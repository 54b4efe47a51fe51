package import Foundation
package import SpikeFiles
internal import SpikeGraph

/// Reads ONNX models.
///
/// The network's input is a batch of samples: a first axis that the model leaves open becomes the batch N. Everything
/// that depends on constants or on shapes alone is computed here. What is left is made of the operators of ``Graph``;
/// where that cannot be done, one error lists every node in the way. Nothing is skipped in silence.
public enum ONNXImporter {
    /// Reads a model's file.
    ///
    /// - Parameters:
    ///   - path: a `.onnx` file; external data lies in its folder.
    ///   - openAxes: the sizes that the model leaves open besides the batch.
    /// - Throws: ``SpikeletError``.
    public static func read(_ path: String, openAxes: OpenAxes = .none) throws -> ImportedModel {
        // As a URL it would be the current folder.
        guard !path.isEmpty else {
            throw SpikeletError(.fileSystem, "the name of the model's file is empty", remedy: "name an .onnx file")
        }
        let url = URL(fileURLWithPath: path)
        do {
            return try importModel(
                ONNXFile.read(url), fileName: url.lastPathComponent, folder: url.deletingLastPathComponent(), openAxes: openAxes)
        } catch let error as SpikeletError {
            throw error.located(url.relativePath)
        }
    }

    /// A model that is in memory.
    ///
    /// - Parameters:
    ///   - fileName: names the graph and stands in the report.
    ///   - folder: where external data lies.
    package static func importModel(
        _ model: consuming ONNXModelProto, fileName: String, folder: URL, openAxes: OpenAxes = .none
    ) throws -> ImportedModel {
        try importModel(ONNXFile(model), fileName: fileName, folder: folder, openAxes: openAxes)
    }

    /// The same for a model's bytes.
    package static func importModel(_ data: Data, fileName: String, folder: URL) throws -> ImportedModel {
        try importModel(ONNXFile(ByteSource(Array(data), name: fileName)), fileName: fileName, folder: folder, openAxes: .none)
    }

    /// The files beside a model that hold its weights; none where it cannot be read, which importing it will say.
    package static func externalFiles(of path: String) -> [String] {
        let url = URL(fileURLWithPath: path)
        guard let message = try? ONNXFile.read(url).message else { return [] }
        let tensors = message.graph.initializer + message.graph.node.flatMap { $0.attribute.filter(\.hasT).map(\.t) }
        let names = Set(tensors.flatMap { $0.externalData.filter { $0.key == "location" }.map(\.value) })
        return names.map { url.deletingLastPathComponent().appendingPathComponent($0).path }
    }

    /// Reads a model that is in memory, with all of its weights.
    ///
    /// - Parameter name: stands for the file's in messages.
    /// - Throws: ``SpikeletError``, as ``read(_:openAxes:)``; for weights in other files, too.
    public static func read(bytes: [UInt8], name: String = "model.onnx", openAxes: OpenAxes = .none) throws -> ImportedModel {
        do {
            return try importModel(ONNXFile(ByteSource(bytes, name: name)), fileName: name, folder: nowhere, openAxes: openAxes)
        } catch let error as SpikeletError {
            throw error.located(name)
        }
    }

    /// The same in parts, as ``part(_:)``.
    package static func part(bytes: [UInt8], name: String) throws -> PartedFile {
        try ONNXFile(ByteSource(bytes, name: name)).parted(named: name, folder: nowhere)
    }

    /// Where no file can be.
    private static let nowhere = URL(fileURLWithPath: "/dev/null")

    /// A model's file in parts, with what lies beside it, to be kept in another file.
    ///
    /// - Throws: ``SpikeletError``.
    package static func part(_ path: String) throws -> PartedFile {
        let url = URL(fileURLWithPath: path)
        do {
            return try ONNXFile.read(url).parted(named: url.lastPathComponent, folder: url.deletingLastPathComponent())
        } catch let error as SpikeletError {
            throw error.located(url.relativePath)
        }
    }

    /// Reads a model that ``part(_:)`` took apart.
    ///
    /// - Throws: ``SpikeletError``.
    package static func importModel(_ file: PartedFile, openAxes: OpenAxes) throws -> ImportedModel {
        // Nothing of it lies in other files: where none can be, none is read.
        try importModel(ONNXFile(file), fileName: file.name, folder: nowhere, openAxes: openAxes)
    }

    private static func importModel(
        _ file: consuming ONNXFile, fileName: String, folder: URL, openAxes: OpenAxes
    ) throws -> ImportedModel {
        try ImportSession(file, fileName: fileName, folder: folder, openAxes: openAxes).run()
    }
}
