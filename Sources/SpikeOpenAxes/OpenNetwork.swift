import SpikeConversion
package import SpikeFiles
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
public struct OpenNetwork: Sendable {
    /// The network at the sizes of its calibration.
    public let graph: Graph
    /// What it was made from.
    public let model: StoredModel

    /// Reads a file that ``write(to:)``, or ``SNNFile``, wrote.
    ///
    /// - Returns: `nil` where the file holds a network of fixed sizes.
    /// - Throws: ``SpikeletError``, as ``SNNFile/read(_:)``.
    public init?(path: String) throws {
        let contents = try SNNFile.contents(of: path)
        guard let model = contents.model else { return nil }
        self.init(contents.graph, model: model)
    }

    /// What a file holds (``SNNFile/contents(of:)``).
    public init(_ graph: Graph, model: StoredModel) { (self.graph, self.model) = (graph, model) }

    /// What a conversion leaves open: of a network of digits the axes that ``OpenAxes/sizes`` did not fix.
    ///
    /// - Parameters:
    ///   - snn: what became of `model`.
    ///   - path: the model's file.
    ///   - allowAnalog: what it was converted with.
    /// - Returns: `nil` where nothing is left open, or where steps alone do not make the network.
    /// - Throws: ``SpikeletError`` where the model cannot be read again, and why the network is of this size alone (`notConvertible`), although
    ///   the model is not.
    public init?(_ snn: Graph, of model: ImportedModel, at path: String, allowAnalog: Bool = false) throws {
        try self.init(snn, of: model, allowAnalog: allowAnalog) { try ONNXImporter.part(path) }
    }

    /// - Parameter file: the model's file in parts.
    package init?(_ snn: Graph, of model: ImportedModel, allowAnalog: Bool, file: () throws -> PartedFile) throws {
        var open: [String] = []
        for axis in model.openAxes where !axis.isNamed && !open.contains(axis.name) { open.append(axis.name) }
        guard !open.isEmpty, snn.spiking?.code.kind == .radix else { return nil }
        let again = try? RecipeConverter.convert(model.graph, withStepsOf: snn, allowAnalog: allowAnalog)
        let isCorrected = snn.spiking?.facts["uncorrectedWeights"] != nil
        guard let again, again.nodes == snn.nodes, !isCorrected || again.constants == snn.constants else {
            guard isCorrected else { return nil }
            throw SpikeletError(
                .notConvertible, "its corrected weights do not serve at other sizes: constants were carried through it into their biases",
                remedy: "pass `weightCorrection: false`")
        }
        graph = snn
        let fixed = Dictionary(model.openAxes.filter(\.isNamed).map { ($0.name, $0.size) }) { first, _ in first }
        self.model = StoredModel(try file(), openAxes: open, fixedAxes: fixed, allowAnalog: allowAnalog)
        try checkOtherSizes(model)
    }

    /// Tries the network at another size of each open axis: twice, half, one more or one less, the first that the model has.
    private func checkOtherSizes(_ imported: ImportedModel) throws {
        for name in model.openAxes {
            guard let size = imported.openAxes.first(where: { $0.name == name })?.size else { continue }
            var failure: SpikeletError?
            for other in [2 * size, size / 2, size + 1, size - 1] where other > 0 && other != size {
                do {
                    _ = try graph(at: OpenAxes([name: other]))
                    failure = nil
                    break
                } catch let error as SpikeletError where error.code == .notConvertible {
                    throw error
                } catch let error as SpikeletError {
                    failure = failure ?? error
                }
            }
            guard let failure else { continue }
            throw SpikeletError(
                .notConvertible, "the model itself takes no other size of '\(name)': \(failure.message)", details: failure.details,
                at: failure.location, remedy: "leave the axis open in all of the model, if it is to be")
        }
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
            throw fixedSize(name, fixed, size)
        }
        let own = Dictionary(
            uniqueKeysWithValues: graph.inputs.map { ($0.name, $0.type.shape.dimensions.dropFirst().compactMap(\.known)) })
        let given = try graph.inputs.enumerated().map { position, input in try axes.sample(input.name, position) }
        // Of data without one of the inputs, or of other ranks, whoever reads them has more to say.
        let isWhole = zip(graph.inputs, given).allSatisfy { $1 != nil && $1?.count == own[$0.name]?.count }
        let shapes = isWhole ? Dictionary(uniqueKeysWithValues: zip(graph.inputs.map(\.name), given.compactMap { $0 })) : own
        let isOwnSize = zip(graph.inputs, given).allSatisfy { $1 == own[$0.name] }
        if isOwnSize || !isWhole, axes.sizes.isEmpty { return graph }
        do {
            let sizes = axes.sizes.merging(model.fixedAxes) { given, _ in given }
            let imported = try ONNXImporter.importModel(model.file, openAxes: OpenAxes(sizes) { input, _ in shapes[input] })
            for axis in imported.openAxes {
                guard let asked = axes.sizes["\(axis.axis)"], asked != axis.size, model.fixedAxes[axis.name] != nil else { continue }
                throw fixedSize(axis.name, axis.size, asked)
            }
            return try RecipeConverter.convert(imported.graph, withStepsOf: graph, allowAnalog: model.allowAnalog)
        } catch let error as SpikeletError {
            throw error.located("the model '\(model.name)' in it")
        }
    }

    private func fixedSize(_ name: String, _ fixed: Int, _ asked: Int) -> SpikeletError {
        SpikeletError(
            .invalidOption, "the axis '\(name)' has \(fixed) places since the conversion, not \(asked)",
            remedy: "leave it open when converting: without its size in `openAxes`")
    }
}

extension SpikeletError {
    /// Why ``OpenNetwork`` leaves nothing open, as a warning.
    package var sizeWarning: String {
        let reasons = details.isEmpty ? message : details.joined(separator: "; ").replacing("- ", with: "")
        return "the network takes data of the size of its calibration alone: \(reasons) (\(remedy ?? ""))"
    }
}
