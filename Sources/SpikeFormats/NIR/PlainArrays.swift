public import SpikeGraph

/// A spiking network's weights as plain arrays, ready to be used: scales, batch normalisations and thresholds are folded into
/// the weights, so that every neuron has threshold 1.
///
/// The names are `<layer>.weight`, `<layer>.bias`, and for neurons `<layer>.threshold` and `<layer>.initial` (v₀ in units of
/// the threshold), both `[channels]`. Layers that have no arrays (pools, max pooling, functions) do not show up.
public enum PlainArrays {
    /// - Throws: ``SpikeletError`` (`unsupported`) for layers whose weights are computed or differ from place to place.
    public static func arrays(of snn: Graph) throws -> [(name: String, tensor: Tensor)] {
        let export = try NIRExporter(.arrays, approximate: true)(snn)
        var arrays: [(name: String, tensor: Tensor)] = []
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
            default: break
            }
        }
        return arrays
    }
}
