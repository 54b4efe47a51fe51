internal import Foundation
internal import SpikeFiles
internal import SpikeGraph

/// Weights that lie in files beside the model.
///
/// A model comes from strangers. So a location is relative to the model's folder and stays in it, links followed; and
/// every place is compared with the file's size before memory is asked for.
/// Keys and their meaning: ONNX's `docs/ExternalData.md`.
final class ExternalData {
    private let folder: URL
    private var files: [String: ByteSource] = [:]

    /// - Parameter folder: where the model lies.
    init(folder: URL) {
        self.folder = folder
    }

    /// Where a tensor's bytes are: `byteCount` of them from `offset` on.
    ///
    /// - Parameter byteCount: what its type and shape ask for.
    func place(of tensor: ONNXTensorProto, byteCount: Int) throws -> (file: ByteSource, offset: Int) {
        var entries: [String: String] = [:]
        for entry in tensor.externalData { entries[entry.key] = entry.value }
        guard let location = entries["location"], !location.isEmpty else {
            throw SpikeletError(
                .malformedFile, "its data is said to be in another file, but no location is given",
                remedy: "export the model again, or save it in one file: onnx.save(onnx.load(path), \"one-file.onnx\")")
        }
        let file = try open(location)
        let offset = try number(entries["offset"], named: "offset") ?? 0
        let (rest, overflow) = file.count.subtractingReportingOverflow(offset)
        guard !overflow, rest >= 0 else {
            throw SpikeletError(
                .malformedFile, "its data begins at byte \(offset) of '\(location)', which has \(file.count) bytes",
                remedy: "the two files do not belong together, or one is cut off: copy both again")
        }
        let length = try number(entries["length"], named: "length") ?? byteCount
        guard length == byteCount else {
            throw SpikeletError(
                .malformedFile, "its type and shape need \(byteCount) bytes, the model gives it \(length) in '\(location)'",
                remedy: "export the model again")
        }
        guard length <= rest else {
            throw SpikeletError(
                .malformedFile, "its data ends \(length - rest) bytes behind the end of '\(location)', which has \(file.count) bytes",
                remedy: "the two files do not belong together, or one is cut off: copy both again")
        }
        return (file, offset)
    }

    /// A tensor's bytes, as many as its type and shape ask for.
    func part(of tensor: ONNXTensorProto) throws -> FilePart {
        guard let count = Shape.count(of: tensor.dims.map { Int($0) }), let width = tensor.dataType.byteWidth, count <= 1 << 40 else {
            throw SpikeletError(
                .unsupported, "tensor '\(tensor.name)', \(tensor.dataType.label)\(tensor.dims.prefix(64)), is in another file",
                remedy: "save the model in one file: onnx.save(onnx.load(path), \"one-file.onnx\")")
        }
        let (file, offset) = try place(of: tensor, byteCount: count * width)
        return FilePart(file, offset..<offset + count * width)
    }

    private func open(_ location: String) throws -> ByteSource {
        if let file = files[location] { return file }
        let outside = SpikeletError(
            .malformedFile, "its data is said to be in '\(location)', outside the model's folder",
            remedy: "only files in the model's own folder are read: copy the data there, and save the model with that name in it")
        let parts = location.split(omittingEmptySubsequences: false) { $0 == "/" || $0 == "\\" }
        guard !location.hasPrefix("/"), !location.contains("\0"), !parts.contains(".."), !(parts.first ?? "").hasSuffix(":") else {
            throw outside
        }
        let url = folder.appendingPathComponent(location)
        guard let root = Self.realPath(folder.path) else {
            throw SpikeletError(.fileSystem, "the model's folder '\(folder.path)' cannot be found", remedy: "check the path")
        }
        guard let path = Self.realPath(url.path) else {
            throw SpikeletError(
                .fileSystem, "its data is in '\(location)', which is missing in '\(folder.path)'",
                remedy: "copy that file beside the model: the exporter wrote both, and they belong together")
        }
        guard path.hasPrefix(root.hasSuffix("/") ? root : root + "/") else { throw outside }
        let file = try ByteSource(path: path, name: "external data '\(location)'")
        files[location] = file
        return file
    }

    /// The path with every link followed; `nil` where there is nothing.
    private static func realPath(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    private func number(_ text: String?, named name: String) throws -> Int? {
        guard let text else { return nil }
        guard let value = Int(text), value >= 0 else {
            throw SpikeletError(
                .malformedFile, "the \(name) of its external data is '\(text)', which is no size", remedy: "export the model again")
        }
        return value
    }
}
