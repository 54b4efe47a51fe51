import Foundation
import SpikeGraph

extension ErrorDecomposition {
    /// What stands above the table.
    package static func heading(_ precision: String) -> String {
        "where the difference from the ANN comes from"
            + (precision == "int8" ? ", in int8: its rounding is part of the unevenness error" : "")
    }

    /// The table for a terminal: one row a layer, errors in per cent of the ANN's root mean square activation.
    package static func table(_ layers: [LayerError]) -> String {
        let header = ["layer", "threshold", "spikes/neuron", "inherited", "clipping", "quantis.", "uneven.", "total", ""]
        let (mostAdded, furthest) = (layers.compactMap(\.added).max(), layers.compactMap(\.total).max())
        let rows = layers.map { layer in
            var notes: [String] = []
            if layer.isDead { notes.append("dead") }
            if layer.isSilent { notes.append("silent") }
            // One layer alone is not the worst of anything.
            if layers.count > 1, let added = layer.added, added > 0, added == mostAdded { notes.append("adds most") }
            if layers.count > 1, let total = layer.total, total > 0, total == furthest { notes.append("worst") }
            let parts = [layer.inherited, layer.clipping, layer.quantization, layer.unevenness, layer.total]
            return [layer.activation, range(layer.threshold), String(format: "%.3f", layer.spikesPerNeuron)] + parts.map(percent) + [
                notes.joined(separator: ", ")
            ]
        }
        let table = TextTable.format([header] + rows, rightAligned: Set(1..<header.count - 1), names: [0])
        return table + "errors: inherited, clipping, quantisation, unevenness; % of the ANN's root mean square activation\n"
    }

    private static func range(_ threshold: ClosedRange<Float>) -> String {
        let (least, most) = (threshold.lowerBound, threshold.upperBound)
        func text(_ value: Float) -> String { String(format: value < 100 ? "%.3g" : "%.0f", value) }
        return least == most ? text(least) : "\(text(least))…\(text(most))"
    }

    private static func percent(_ share: Double?) -> String {
        guard let share else { return "–" }
        return share == 0 ? "0" : String(format: share < 9.995 ? "%.2f" : "%.0f", 100 * share)
    }
}
