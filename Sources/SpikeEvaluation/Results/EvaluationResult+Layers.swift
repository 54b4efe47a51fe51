import Foundation
import SpikeAnalysis
import SpikeCost
import SpikeGraph

/// Layer by layer, for a terminal: what each takes, and how much it spikes.
extension EvaluationResult {
    /// How many rows a table may have; the least of more layers are left out.
    private static let mostRows = 40

    var layerTables: String {
        guard let counts, !steps.isEmpty else { return "" }
        return operationTable(counts) + activityTable(counts)
    }

    /// How well the decoded spikes of a layer follow the ANN's activations, by the name of the neurons.
    package var correlations: [String: Double] {
        Dictionary(
            (activity?.layers ?? []).compactMap { layer in layer.correlation.map { (layer.name, $0) } },
            uniquingKeysWith: { first, _ in first })
    }

    private func operationTable(_ counts: OperationCounts) -> String {
        let count = TextTable.magnitude
        let hasANN = counts.layers.contains { $0.ann != nil }
        let rows = counts.layers.map { layer -> (weight: Double, cells: [String]) in
            let (single, graded) = (layer.accumulates.reduce(0, +), layer.multiplyAccumulates.reduce(0, +))
            let share = layer.dense > 0 ? String(format: "%.2f", (single + graded) / Double(layer.dense)) : "–"
            // A layer that reads the input works once, on numbers; on a time-varying one in each step, on events too.
            let cells =
                [layer.name, count(Double(layer.dense))] + (hasANN ? [layer.ann.map(count) ?? "–"] : [])
                + [layer.readsSpikes || frames != nil ? count(single) : "–", count(graded), share]
            return (single + graded, cells)
        }
        let header =
            ["operations by layer", "dense"] + (hasANN ? ["ANN without zeros"] : []) + ["accumulates", "MACs", "SNN/dense"]
        return "\n" + Self.table(header, rows, left: "least operations")
    }

    private func activityTable(_ counts: OperationCounts) -> String {
        let titles = Dictionary(layers.map { ($0.name, $0.label ?? $0.name) }, uniquingKeysWith: { first, _ in first })
        let correlations = correlations
        let shown = (0..<(counts.neurons.map(\.spikes.count).max() ?? 0)).evenly(atMost: 5)
        let rows = counts.neurons.map { layer -> (weight: Double, cells: [String]) in
            let neurons = Double(max(1, layer.neurons))
            let spikes = layer.spikes.reduce(0, +)
            let cells =
                [titles[layer.name] ?? layer.name, "\(layer.neurons)", String(format: "%.3f", spikes / neurons)]
                + shown.map { $0 < layer.spikes.count ? String(format: "%.1f", layer.spikes[$0] / neurons * 100) : "–" }
                + (correlations.isEmpty ? [] : [correlations[layer.name].map { String(format: "%.4f", $0) } ?? "–"])
            return (spikes, cells)
        }
        let header =
            ["activity by layer", "neurons", "spikes/neuron"] + shown.map { "% in \($0 + 1)" }
            + (correlations.isEmpty ? [] : ["correlation"])
        return "\n" + Self.table(header, rows, left: "fewest spikes") + "% in t: spikes of 100 neurons in step t"
            + (correlations.isEmpty ? "\n" : "; correlation of decoded spikes with the ANN's activations\n")
    }

    /// A table in the network's order; of many layers those of the greatest weight.
    private static func table(_ header: [String], _ rows: [(weight: Double, cells: [String])], left: String) -> String {
        let heaviest = Set(rows.indices.sorted { (rows[$0].weight, $1) > (rows[$1].weight, $0) }.prefix(mostRows))
        let shown = rows.indices.filter(heaviest.contains).map { rows[$0].cells }
        let text = TextTable.format([header] + shown, rightAligned: Set(1..<header.count), names: [0])
        let rest = rows.count - shown.count
        return rest > 0 ? text + "\(rest) layers with the \(left) are left out; the JSON has them\n" : text
    }
}
