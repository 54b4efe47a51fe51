public import SpikeGraph

/// A spiking network's weights as plain arrays, ready to be used: scales, batch normalisations and thresholds are folded into
/// the weights, so that every neuron has threshold 1.
///
///     let plain = try PlainArrays.fold(snn)
///     try NPZ.write(plain.arrays, to: "arrays.npz")
///
/// They are to be run by integrate-and-fire neurons with reset by subtraction, all layers in every step. Whatever the network does
/// otherwise is an error that lists it, or with `approximate` replaced and listed, as in NIR (``NIRExporter``).
public struct PlainArrays: Sendable {
    /// `<layer>.weight`, `<layer>.bias`, and for neurons `<layer>.threshold` and `<layer>.initial` (v₀ in units of the threshold),
    /// both `[channels]`; for convolutions `<layer>.stride_padding_dilation`, `[3, axes]`. Transposed convolutions, which have
    /// `<layer>.output_padding` too (negative numbers cut), have weights `[C_in, C_out, kernel…]`. Layers that have no arrays (pools, max pooling, functions) do not show up.
    public let arrays: [(name: String, tensor: Tensor)]
    /// Replaced, since the user allowed it.
    public let approximations: [ExportFinding]
    /// What a reader has to know to do the same.
    public let notes: [String]

    /// - Parameter approximate: whether what arrays cannot say is replaced by what comes near.
    /// - Throws: ``SpikeletError`` (`unsupported`), with a list of everything that cannot be said, layers whose weights are computed or
    ///   differ from place to place among it.
    public static func fold(_ snn: Graph, approximate: Bool = false) throws -> PlainArrays {
        let sites = snn.nodes.compactMap { node -> (site: Site, digits: Int, isSigned: Bool)? in
            guard case .neuron(let neurons) = node.operator, let site = neurons.site else { return nil }
            let signed = neurons.neuron as? DigitNeuron
            return (signed?.digits ?? (neurons.neuron as? RadixNeuron)?.digits).map { (site, $0, signed != nil) }
        }
        if sites.contains(where: \.isSigned) { return digits(snn, sites) }
        let export = try NIRExporter(.arrays, approximate: approximate)(snn)
        var arrays: [(name: String, tensor: Tensor)] = []
        var others: [String] = []
        for (name, node) in export.graph.nodes.sorted(by: { $0.key < $1.key }) {
            switch node.operation {
            case .affine(let weight, let bias):
                arrays.append(("\(name).weight", weight))
                if let bias { arrays.append(("\(name).bias", bias)) }
            case .convolution(let convolution):
                arrays.append(("\(name).weight", convolution.weight))
                arrays.append(("\(name).bias", convolution.bias))
                let window = [convolution.stride, convolution.padding, convolution.dilation]
                arrays.append(
                    ("\(name).stride_padding_dilation", Tensor(window.flatMap { $0.map(Int64.init) }, shape: [3, convolution.rank])))
            case .neuron:
                guard case .numbers(let initial)? = node.metadata["v_init"] else { continue }
                arrays.append(("\(name).threshold", Tensor(repeating: 1, shape: initial.shape)))
                arrays.append(("\(name).initial", initial))
            case .unsayable where node.metadata["weight"] != nil:
                for (part, item) in node.metadata.sorted(by: { $0.key < $1.key }) {
                    if case .numbers(let tensor) = item { arrays.append(("\(name).\(part)", tensor)) }
                }
            case .input, .output: break
            default: others.append(name)
            }
        }
        var notes = export.notes
        let layers = snn.nodes.filter { if case .neuron = $0.operator { true } else { false } }
        let single = layers.filter {
            if case .neuron(let node) = $0.operator { (node.neuron.spikesPerStep?.upperBound ?? .max) <= 1 } else { false }
        }
        if !single.isEmpty {
            let names = single.count == layers.count ? "every neuron" : single.map(\.name).joined(separator: ", ")
            notes.append("at most one spike in a step is sent by \(names)")
        }
        if !others.isEmpty {
            notes.append("layers without arrays, for the reader to know: \(others.joined(separator: ", "))")
            notes.append("average pools among them add up: what they divide by is in the weights behind them")
        }
        return PlainArrays(arrays: arrays, approximations: export.approximations, notes: notes)
    }

    /// A network of digits as it stands: its constants by their names, and for each value that is sent its step and its digits.
    private static func digits(_ snn: Graph, _ sites: [(site: Site, digits: Int, isSigned: Bool)]) -> PlainArrays {
        var arrays = snn.constants.sorted { $0.key < $1.key }.map { (name: $0.key, tensor: $0.value) }
        for (site, digits, isSigned) in sites {
            arrays.append(("\(site.activation).step", Tensor(site.spike, shape: [site.spike.count])))
            arrays.append(
                ("\(site.activation).digits_axis_signed", Tensor([Int64(digits), Int64(site.axis), isSigned ? 1 : 0], shape: [3])))
        }
        let isSpoken: (Node) -> Bool = { node in
            switch node.operator {
            case .conv, .convTranspose, .gemm, .matMul, .neuron, .voltageScaler, .identity: true
            default: false
            }
        }
        let functions = Dictionary(snn.nodes.filter { !isSpoken($0) }.map { ($0.operator.name, 1) }, uniquingKeysWith: +)
        let list = functions.sorted { $0.key < $1.key }.map { "\($0.key) ×\($0.value)" }.joined(separator: ", ")
        return PlainArrays(
            arrays: arrays, approximations: [],
            notes: [
                "of an activation a is sent n = min(⌊|a| / step + ½⌋, 2^digits − 1) with the sign of a (where it is signed, else of what is above 0), "
                    + "in binary, the most significant digit first; what reads it reads n · step. Steps are one, or one for each place of the axis",
                "arrays do not say how layers follow each other, nor what neurons and outputs compute of potentials; the .safetensors file does: \(list)",
            ])
    }
}
