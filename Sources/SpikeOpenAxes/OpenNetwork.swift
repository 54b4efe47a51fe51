import SpikeConversion
public import SpikeFormats
public import SpikeGraph
public import SpikeONNX

/// A network of digits in which sizes besides the batch stay open, as its model leaves them: sequences of any length, images of any
/// height and width.
///
/// A ``Graph`` has layers of so many neurons, so there is one for each size: the model, which stands in the network's file, is read again
/// at the sizes that are asked for, and converted with the steps that calibration chose.
///
///     let encoder = try OpenNetwork(path: "encoder.safetensors")
///     let short = try encoder?.graph(at: OpenAxes(["sequence": 12]))
public struct OpenNetwork {
    /// The network at the sizes of its calibration.
    public let graph: Graph
    /// What it was made from.
    public let model: StoredModel

    /// Reads a file that ``write(to:)``, or ``SNNFile``, wrote.
    ///
    /// - Returns: `nil` where the file holds a network of fixed sizes.
    /// - Throws: ``SpikeletError``, as ``SNNFile/read(_:)``.
    public init?(path: String) throws {
        let file = try SafetensorsFile(path: path)
        guard let model = try SNNFile.model(in: file) else { return nil }
        self.model = model
        graph = try SNNFile.graph(in: file)
    }

    /// What a conversion leaves open: of a network of digits the axes that ``OpenAxes/sizes`` did not fix.
    ///
    /// - Parameters:
    ///   - snn: what became of `model`.
    ///   - path: the model's file.
    ///   - allowAnalog: what it was converted with.
    /// - Returns: `nil` where nothing is left open, or where steps alone do not make the network.
    /// - Throws: ``SpikeletError`` where the model cannot be read again.
    public init?(_ snn: Graph, of model: ImportedModel, at path: String, allowAnalog: Bool = false) throws {
        var open: [String] = []
        for axis in model.openAxes where !axis.isNamed && !open.contains(axis.name) { open.append(axis.name) }
        guard !open.isEmpty, snn.spiking?.code.kind == .radix,
            let again = try? RecipeConverter.convert(model.graph, withStepsOf: snn, allowAnalog: allowAnalog), again.nodes == snn.nodes
        else { return nil }
        graph = snn
        let fixed = Dictionary(model.openAxes.filter(\.isNamed).map { ($0.name, $0.size) }) { first, _ in first }
        self.model = StoredModel(try ONNXImporter.part(path), openAxes: open, fixedAxes: fixed, allowAnalog: allowAnalog)
    }

    /// Writes network and model as one file, which ``SNNFile/read(_:)`` reads too, at the sizes of calibration.
    ///
    /// - Throws: ``SpikeletError``, as ``SNNFile/write(_:model:to:)``.
    public func write(to path: String) throws { try SNNFile.write(graph, model: model, to: path) }

    /// The network at other sizes.
    ///
    /// - Parameter axes: the sizes; axes that nothing gives one have that of the calibration.
    /// - Throws: ``SpikeletError`` for an axis that is not open, and where the model cannot be had at such sizes: it says why.
    public func graph(at axes: OpenAxes) throws -> Graph {
        for (name, size) in axes.sizes.sorted(by: { $0.key < $1.key }) {
            guard let fixed = model.fixedAxes[name], fixed != size else { continue }
            throw SpikeletError(
                .invalidOption, "the axis '\(name)' has \(fixed) places since the conversion, not \(size)",
                remedy: "leave it open when converting: without its size in `openAxes`")
        }
        let sample = { (input: String, position: Int) -> [Int]? in
            let own = graph.inputs.first { $0.name == input }?.type.shape.dimensions.dropFirst().compactMap(\.known)
            let given = try axes.sample(input, position)
            return given?.count == own?.count ? given ?? own : own
        }
        let isOwnSize = try graph.inputs.enumerated().allSatisfy { position, input in
            try sample(input.name, position) == input.type.shape.dimensions.dropFirst().compactMap(\.known)
        }
        if isOwnSize, axes.sizes.isEmpty { return graph }
        do {
            let sizes = axes.sizes.merging(model.fixedAxes) { given, _ in given }
            let ann = try ONNXImporter.importModel(model.file, openAxes: OpenAxes(sizes, sample: sample)).graph
            return try RecipeConverter.convert(ann, withStepsOf: graph, allowAnalog: model.allowAnalog)
        } catch let error as SpikeletError {
            throw error.located("the model '\(model.name)' in it")
        }
    }
}
