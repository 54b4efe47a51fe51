internal import Foundation
internal import SpikeFiles
internal import SpikeGraph
internal import SwiftProtobuf

/// A model as its file has it: the message, but for the bytes of large weights, which stay in the file until somebody needs them.
struct ONNXFile {
    var message: ONNXModelProto
    /// The file's bytes.
    let size: Int
    /// For each initialiser of the message, where its `raw_data` lies, if that was left out.
    let weights: [FilePart?]

    init(_ message: consuming ONNXModelProto) {
        self.message = message
        size = 0
        weights = []
    }

    init(_ source: ByteSource) throws {
        size = source.count
        let bytes: [UInt8]
        if let parts = try WeightScanner.scan(source) {
            bytes = parts.message
            weights = parts.weights.map { $0.map { FilePart(source, $0) } }
        } else {
            // Not well formed: the decoder says what is wrong.
            (bytes, weights) = (try source.bytes(at: 0, count: source.count), [])
        }
        message = try Self.decode(bytes, fileSize: source.count)
    }

    /// What ``parted(named:folder:)`` made.
    init(_ file: PartedFile) throws {
        (size, weights) = (file.size, file.parts)
        message = try Self.decode(file.head, fileSize: file.head.count)
    }

    /// The model as another file can hold it: whole, also where its weights lie in files beside it.
    ///
    /// - Parameter folder: where external data lies.
    /// - Throws: ``SpikeletError`` where these do not fit the model.
    func parted(named name: String, folder: URL) throws -> PartedFile {
        var (message, parts) = (message, weights)
        parts += Array(repeating: nil, count: message.graph.initializer.count - parts.count)
        let external = ExternalData(folder: folder)
        for index in parts.indices where message.graph.initializer[index].dataLocation == .external {
            parts[index] = try external.part(of: message.graph.initializer[index])
            message.graph.initializer[index].forgetPlace()
        }
        try message.graph.takeIn(external)
        let head: [UInt8] = try message.serializedBytes()
        return PartedFile(name: name, head: head, parts: parts)
    }

    /// Protocol buffers cannot hold more in one message.
    private static let sizeLimit = Int(Int32.max)

    /// Opens a file, and tells a person what else it may be when it is no model.
    ///
    /// - Throws: ``SpikeletError`` without a location: the caller knows the name that the user gave.
    static func read(_ url: URL) throws -> ONNXFile {
        do {
            let source = try ByteSource(path: url.path)
            guard source.count > 0 else {
                throw SpikeletError(.malformedFile, "the file is empty", remedy: "export or download the model again")
            }
            guard source.count <= sizeLimit else {
                throw source.malformed(
                    "the file has \(source.count) bytes; an ONNX file cannot have more than \(sizeLimit)",
                    remedy: .other("save the weights beside the model: onnx.save(model, path, save_as_external_data=True)"))
            }
            if let other = otherFormat(try source.bytes(at: 0, count: min(64, source.count))) { throw other }
            return try ONNXFile(source)
        } catch var error as SpikeletError {
            error.location = nil
            throw error
        }
    }

    /// - Throws: ``SpikeletError`` where the bytes are not one whole ONNX model.
    private static func decode(_ data: [UInt8], fileSize: Int) throws -> ONNXModelProto {
        var options = BinaryDecodingOptions()
        // What onnx.proto leaves out, nobody reads: traces, documentation, metadata.
        options.discardUnknownFields = true
        let model: ONNXModelProto
        do {
            model = try ONNXModelProto(serializedBytes: data, options: options)
        } catch BinaryDecodingError.truncated {
            throw SpikeletError(
                .malformedFile, "the file ends in the middle of the model, after \(fileSize) bytes, or is not an ONNX model",
                remedy: "if it was downloaded or copied, do it again and compare the sizes")
        } catch {
            throw SpikeletError(
                .malformedFile, "the file is not an ONNX model, or is damaged (\(fileSize) bytes)",
                remedy: "export it again, in Python: torch.onnx.export(model, example_input, \"model.onnx\")")
        }
        guard model.hasGraph else {
            throw SpikeletError(
                .malformedFile, "there is no network in the file (\(fileSize) bytes): it is not an ONNX model, or is cut off",
                remedy: "export it again, in Python: torch.onnx.export(model, example_input, \"model.onnx\")")
        }
        guard !model.opsetImport.isEmpty else {
            throw SpikeletError(
                .malformedFile, "the model does not say which version of ONNX's operators (opset) it uses; the file may be cut off",
                remedy: "export or download the model again")
        }
        return model
    }

    /// Files that people mistake for ONNX models.
    private static func otherFormat(_ data: [UInt8]) -> SpikeletError? {
        let export = "export the model to ONNX, in PyTorch: torch.onnx.export(model, example_input, \"model.onnx\")"
        let known: [(offset: Int, magic: String, what: String, remedy: String)] = [
            (0, "version https://git-lfs", "a Git LFS pointer, not the model itself", "fetch the model: git lfs pull"),
            (
                0, "PK\u{3}\u{4}", "a zip archive: perhaps a PyTorch checkpoint or a zipped download",
                "unzip it; if it is a checkpoint, " + export
            ),
            (0, "<", "a web page or XML, not a model", "the download went wrong: look at the file in an editor"),
            (0, "{", "JSON, not a model", export),
            (8, "{\"", "a safetensors file: weights without a network", export),
            (4, "TFL3", "a TensorFlow Lite model", "export the model to ONNX with tf2onnx"),
            (1, "HDF\r\n", "an HDF5 file, perhaps a Keras model", "export the model to ONNX with tf2onnx"),
            (1, "NUMPY", "a NumPy array", "give the model's file here and the data with `input` or `calibration`"),
        ]
        for format in known where data.dropFirst(format.offset).starts(with: Array(format.magic.utf8)) {
            return SpikeletError(.malformedFile, "this is \(format.what)", remedy: format.remedy)
        }
        return nil
    }
}

extension ONNXGraphProto {
    /// Takes in what attributes of nodes, here and in branches, have in files beside the model.
    fileprivate mutating func takeIn(_ external: ExternalData) throws {
        for index in node.indices {
            for position in node[index].attribute.indices {
                if node[index].attribute[position].t.dataLocation == .external {
                    node[index].attribute[position].t.rawData = try Data(external.part(of: node[index].attribute[position].t).bytes())
                    node[index].attribute[position].t.forgetPlace()
                }
                if node[index].attribute[position].hasG { try node[index].attribute[position].g.takeIn(external) }
            }
        }
        for index in initializer.indices where initializer[index].dataLocation == .external {
            initializer[index].rawData = try Data(external.part(of: initializer[index]).bytes())
            initializer[index].forgetPlace()
        }
    }
}

extension ONNXTensorProto {
    fileprivate mutating func forgetPlace() {
        dataLocation = .default
        externalData = []
    }
}
