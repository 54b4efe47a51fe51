import SpikeFiles
public import SpikeGraph

/// A network in one file, to be simulated, evaluated and exported later: a safetensors file whose tensors are the graph's
/// constants, by name, and whose metadata hold the rest of the graph as JSON under the key `spikelet`.
///
/// A graph comes back exactly as it was written: constants to the bit, attributes too. The same graph gives the same bytes.
public enum SNNFile {
    /// The version of the JSON's layout. It grows when an older Spikelet could misread a newer file, or would lose some of it: since 2,
    /// neurons say which activation they stand for (``Site``); since 3, the model may stand beside the network (``StoredModel``); since 4, layers may
    /// send fewer digits than the code has steps. A file has the least version that says all of it.
    public static let formatVersion = 4
    static let (versionWithModel, versionWithoutModel) = (3, 2)
    static let metadataKey = "spikelet"

    /// Writes a graph, as a whole or not at all (see ``SafetensorsFile/write(_:metadata:to:)``).
    ///
    /// - Parameter model: what the graph was made from, to be kept with it.
    /// - Throws: ``SpikeletError``: `fileSystem` where the file cannot be written, `invalidModel` for a graph with NaN or
    ///   infinity in an attribute.
    public static func write(_ graph: Graph, model: StoredModel? = nil, to path: String) throws {
        let stored = try model.map { try StoredModelDocument.make($0, beside: graph.constants) }
        let json: [UInt8]
        do {
            json = try JSON.encode(SNNDocument(graph, model: stored?.0))
        } catch EncodingError.invalidValue(let value, let context) {
            throw SpikeletError(
                .invalidModel, "\(SNNDocument.place(context.codingPath, in: graph)) is \(value), which a file cannot hold", at: path,
                remedy: "every attribute has to be a finite number; look for overflow in the calibration")
        }
        let text = String(decoding: json, as: UTF8.self)
        try SafetensorsFile.write(graph.constants, bytes: stored?.1 ?? [:], metadata: [metadataKey: text, "format": metadataKey], to: path)
    }

    /// Reads a graph. It is verified, like every ``Graph``.
    ///
    /// - Throws: ``SpikeletError``: `fileSystem` where there is no such file, `malformedFile` where it is damaged or something
    ///   else, `unsupported` where a newer Spikelet wrote it.
    public static func read(_ path: String) throws -> Graph {
        try graph(in: try SafetensorsFile(path: path))
    }

    /// The graph in a safetensors file that is open already.
    ///
    /// - Throws: ``SpikeletError``, as ``read(_:)``.
    public static func graph(in file: SafetensorsFile) throws -> Graph {
        let (document, place) = try document(in: file)
        return try graph(document, place, file)
    }

    /// The graph, and the model that stands beside it, if one does.
    ///
    /// - Throws: ``SpikeletError``, as ``read(_:)``.
    public static func contents(of path: String) throws -> (graph: Graph, model: StoredModel?) {
        let file = try SafetensorsFile(path: path)
        let (document, place) = try document(in: file)
        return (try graph(document, place, file), try locating(place) { try document.model?.model(in: file) })
    }

    private static func graph(_ document: SNNDocument, _ place: String, _ file: SafetensorsFile) throws -> Graph {
        let others = Set(document.model?.own ?? [])
        var constants: [String: Tensor] = [:]
        for entry in file.entries where !others.contains(entry.name) { constants[entry.name] = try file.tensor(named: entry.name) }
        return try locating(place) { try document.graph(constants: constants) }
    }

    /// The model that stands beside the graph in a safetensors file, if one does.
    ///
    /// - Throws: ``SpikeletError``, as ``read(_:)``.
    public static func model(in file: SafetensorsFile) throws -> StoredModel? {
        let (document, place) = try document(in: file)
        return try locating(place) { try document.model?.model(in: file) }
    }

    private static func document(in file: SafetensorsFile) throws -> (SNNDocument, place: String) {
        guard let text = file.metadata[metadataKey] else {
            throw SpikeletError(
                .malformedFile, "this safetensors file holds no spiking network", at: file.source.name,
                remedy: "it is not Spikelet's; 'spikelet convert' makes one from an ONNX model")
        }
        let place = "\(file.source.name): metadata '\(metadataKey)'"
        return (try locating(place) { try decode(text) }, place)
    }

    private static func decode(_ text: String) throws -> SNNDocument {
        let json = Array(text.utf8)
        let version = try JSON.decode(SNNDocument.Version.self, from: json).formatVersion
        guard version <= formatVersion else {
            throw SpikeletError(
                .unsupported, "the file has format version \(version), this Spikelet reads up to \(formatVersion)",
                remedy: "update Spikelet, or convert the model again with this one")
        }
        guard version >= 1 else { throw SpikeletError(.malformedFile, "there is no format version \(version)") }
        return try JSON.decode(SNNDocument.self, from: json)
    }

    /// Gives an error its place in the file. What Spikelet writes is legal, so an illegal graph is a damaged file.
    private static func locating<Result>(_ place: String, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as DecodingError {
            throw malformed(error.sentence(about: "the graph")).located(place)
        } catch let error as SpikeletError {
            let sorted =
                error.code == .unsupported
                ? error : malformed(error.message, details: error.details, at: error.location, remedy: error.remedy)
            throw sorted.located(place)
        }
    }

    private static func malformed(
        _ message: String, details: [String] = [], at location: String? = nil, remedy: String? = nil
    ) -> SpikeletError {
        SpikeletError(
            .malformedFile, message, details: details, at: location,
            remedy: remedy ?? "the file is damaged: fetch it or convert the model again")
    }
}
