package import SpikeFiles
import SpikeGraph

/// The model that a network was made from, kept in the network's file for other sizes of its open axes.
///
/// Weights that stand among the network's constants to the bit are not stored twice.
public struct StoredModel: Sendable {
    /// The model's file.
    package var file: PartedFile
    /// The model's names of the axes that stay open, or their positions.
    public var openAxes: [String]
    /// Sizes of other axes that the model leaves open, by the same names.
    public var fixedAxes: [String: Int]
    /// Whether what could not become neurons was allowed to stay real-valued.
    public var allowAnalog: Bool

    /// The name of the model's file.
    public var name: String { file.name }

    package init(_ file: PartedFile, openAxes: [String], fixedAxes: [String: Int], allowAnalog: Bool) {
        (self.file, self.openAxes, self.fixedAxes, self.allowAnalog) = (file, openAxes, fixedAxes, allowAnalog)
    }
}

/// What a network's document says of its ``StoredModel``.
struct StoredModelDocument: Codable {
    var file: String
    /// The name of the tensor that holds the file without its weights.
    var head: String
    /// For each of the file's initialisers the name of the tensor with its bytes, if they are not in the head.
    var weights: [String?]
    /// Of these tensors, the ones that are no constants of the network, the head among them.
    var own: [String]
    var openAxes: [String]
    var fixedAxes: [String: Int]
    var allowAnalog: Bool

    /// - Returns: the document, and what has to be written for it beside the constants.
    static func make(_ model: StoredModel, beside constants: [String: Tensor]) throws -> (StoredModelDocument, [String: FilePart]) {
        let name = { (wanted: String) in
            var name = wanted
            while constants[name] != nil { name += "_" }
            return name
        }
        let head = model.file.head
        var document = StoredModelDocument(
            file: model.file.name, head: name("model"), weights: [], own: [], openAxes: model.openAxes, fixedAxes: model.fixedAxes,
            allowAnalog: model.allowAnalog)
        var parts = [document.head: FilePart(ByteSource(head, name: model.file.name), 0..<head.count)]
        var sizes: [Int: [String]] = [:]
        for (key, constant) in constants where constant.elementType == .float32 { sizes[4 * constant.count, default: []].append(key) }
        for (number, part) in model.file.parts.enumerated() {
            guard let part else {
                document.weights.append(nil)
                continue
            }
            let bytes = try part.bytes()
            let same = sizes[bytes.count]?.sorted().first { constants[$0].map { $0.withFloats { $0.hasBytes(bytes) } } ?? false }
            let key = same ?? name("model.\(number)")
            document.weights.append(key)
            if same == nil { parts[key] = part }
        }
        document.own = parts.keys.sorted()
        return (document, parts)
    }

    /// - Throws: ``SpikeletError`` where the file does not hold what this says.
    func model(in file: SafetensorsFile) throws -> StoredModel {
        let bytes = { (name: String) in
            guard let part = file.part(named: name) else {
                throw SpikeletError(.malformedFile, "there is no tensor '\(name)', a part of the model '\(self.file)'")
            }
            return part
        }
        return try StoredModel(
            PartedFile(name: self.file, head: bytes(head).bytes(), parts: weights.map { try $0.map(bytes) }), openAxes: openAxes,
            fixedAxes: fixedAxes, allowAnalog: allowAnalog)
    }
}

extension UnsafeBufferPointer<Float> {
    fileprivate func hasBytes(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { bytes in UnsafeRawBufferPointer(self).elementsEqual(bytes) }
    }
}
