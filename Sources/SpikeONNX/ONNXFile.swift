internal import Foundation
internal import SpikeFiles
internal import SpikeGraph
internal import SwiftProtobuf

/// Reads an ONNX file's bytes into its message, and tells a person what else the file may be when it is none.
enum ONNXFile {
    /// Protocol buffers cannot hold more in one message.
    private static let sizeLimit = Int(Int32.max)

    /// - Throws: ``SpikeletError`` without a location: the caller knows the name that the user gave.
    static func read(_ url: URL) throws -> ONNXModelProto {
        let data = try contents(of: url.path)
        guard !data.isEmpty else {
            throw SpikeletError(.malformedFile, "the file is empty", remedy: "export or download the model again")
        }
        if let other = otherFormat(data) { throw other }
        return try decode(data)
    }

    /// - Throws: ``SpikeletError`` where the bytes are not one whole ONNX model.
    static func decode(_ data: some SwiftProtobufContiguousBytes) throws -> ONNXModelProto {
        var options = BinaryDecodingOptions()
        // What onnx.proto leaves out, nobody reads: traces, documentation, metadata.
        options.discardUnknownFields = true
        let model: ONNXModelProto
        do {
            model = try ONNXModelProto(serializedBytes: data, options: options)
        } catch BinaryDecodingError.truncated {
            throw SpikeletError(
                .malformedFile, "the file ends in the middle of the model, after \(data.count) bytes, or is not an ONNX model",
                remedy: "if it was downloaded or copied, do it again and compare the sizes")
        } catch {
            throw SpikeletError(
                .malformedFile, "the file is not an ONNX model, or is damaged (\(data.count) bytes)",
                remedy: "export it again, in Python: torch.onnx.export(model, example_input, \"model.onnx\")")
        }
        guard model.hasGraph else {
            throw SpikeletError(
                .malformedFile, "there is no network in the file (\(data.count) bytes): it is not an ONNX model, or is cut off",
                remedy: "export it again, in Python: torch.onnx.export(model, example_input, \"model.onnx\")")
        }
        guard !model.opsetImport.isEmpty else {
            throw SpikeletError(
                .malformedFile, "the model does not say which version of ONNX's operators (opset) it uses; the file may be cut off",
                remedy: "export or download the model again")
        }
        return model
    }

    private static func contents(of path: String) throws -> [UInt8] {
        do {
            let source = try ByteSource(path: path)
            guard source.count <= sizeLimit else {
                throw source.malformed(
                    "the file has \(source.count) bytes; an ONNX file cannot have more than \(sizeLimit)",
                    remedy: .other("save the weights beside the model: onnx.save(model, path, save_as_external_data=True)"))
            }
            return try source.bytes(at: 0, count: source.count)
        } catch var error as SpikeletError {
            error.location = nil
            throw error
        }
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
            (1, "NUMPY", "a NumPy array", "give the model's file here and the data with --input or --calibration"),
        ]
        for format in known where data.dropFirst(format.offset).starts(with: Array(format.magic.utf8)) {
            return SpikeletError(.malformedFile, "this is \(format.what)", remedy: format.remedy)
        }
        return nil
    }
}
