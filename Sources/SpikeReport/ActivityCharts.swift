import Foundation
import SpikeEvaluation

/// The drawings of what single neurons do.
enum ActivityCharts {
    /// Spikes of a neuron in each step, a curve for each of some layers.
    static func density(_ trace: ActivityTrace) -> String {
        let layers = evenly(trace.layers, atMost: 6)
        var plot = Plot(
            "share of neurons that spike in each step",
            x: .linear(1...Double(max(2, trace.steps)), label: "time step", text: { figure($0, digits: 0) }),
            y: .linear(0...max(layers.flatMap(\.density).max() ?? 1, 0.01) * 100, label: "spikes per 100 neurons"))
        for (index, layer) in layers.enumerated() {
            plot.curve(layer.density.enumerated().map { (Double($0.offset + 1), $0.element * 100) }, "curve c\(index % 6)")
        }
        return plot.markup
    }

    /// A row for each watched neuron, a mark for each spike; spikes taken back in another colour.
    static func raster(_ layer: ActivityTrace.Layer, steps: Int) -> String {
        let (left, row) = (46.0, 6.0)
        let step = (400 - left - 10) / Double(max(1, steps))
        let height = Double(layer.watched.count) * row
        var drawing = SVG(width: 400, height: height + 34, title: "spikes of \(layer.watched.count) neurons of \(layer.name)")
        for (index, spikes) in layer.spikes.enumerated() {
            for (time, count) in spikes.enumerated() where count != 0 {
                drawing.rectangle(
                    left + Double(time) * step, Double(index) * row + 2, max(1, min(step - 0.5, 5)), row - 1, count > 0 ? "c0" : "c1",
                    hint: "neuron \(layer.watched[index]), step \(time + 1)" + (abs(count) > 1 ? ", \(count) spikes" : ""))
            }
        }
        drawing.line(left, height + 4, 390, height + 4, "axis")
        drawing.text(left, height + 17, "1", anchor: "middle")
        drawing.text(390, height + 17, "\(steps)", anchor: "end")
        drawing.text(left + (344) / 2, height + 30, "time step", "label", anchor: "middle")
        drawing.text(left - 6, 10, "neuron", "label", anchor: "end")
        return drawing.markup
    }

    /// Membrane potentials over steps, θ dashed.
    static func membranes(_ layer: ActivityTrace.Layer) -> String? {
        let traces = layer.membranes.filter { !$0.isEmpty }
        guard let count = traces.first?.count, count > 1 else { return nil }
        let values = traces.flatMap { $0 }.filter(\.isFinite).map(Double.init) + [0, Double(layer.threshold ?? 0)]
        var plot = Plot(
            "membrane potentials of \(layer.name)", x: .linear(1...Double(count), label: "time step", text: { figure($0, digits: 0) }),
            y: .linear((values.min() ?? 0)...(values.max() ?? 1), label: "membrane potential, after the step"), height: 200)
        if let threshold = layer.threshold { plot.curve([(1, Double(threshold)), (Double(count), Double(threshold))], "ann") }
        for (index, trace) in traces.enumerated() {
            plot.curve(trace.enumerated().map { (Double($0.offset + 1), Double($0.element)) }, "curve c\(index % 6)")
        }
        return plot.markup
    }

    /// Decoded spikes against the ANN's activations; on the diagonal they are equal.
    static func scatter(_ layer: ActivityTrace.Layer) -> String? {
        guard let most = (layer.activations + layer.decoded).max(), most > 0 else { return nil }
        let least = Double(min(0, (layer.activations + layer.decoded).min() ?? 0))
        var plot = Plot(
            "decoded spikes of \(layer.name) against the ANN's activations", x: .linear(least...Double(most), label: "ANN's activation"),
            y: .linear(least...Double(most), label: "decoded spikes"))
        let end = min(plot.x.range.upperBound, plot.y.range.upperBound)
        plot.curve([(0, 0), (end, end)], "ann")
        plot.dots(zip(layer.activations, layer.decoded).map { (Double($0), Double($1)) }, "faint c0", radius: 2)
        return plot.markup
    }

    /// Pictures of numbers, each scaled to its own largest.
    static func maps(_ maps: [[Float]], size: [Int], title: String) -> String? {
        guard size.count == 2, !maps.isEmpty, size[0] * size[1] > 1, size[0] * size[1] <= 32 * 32 else { return nil }
        let columns = min(4, maps.count)
        let side = 92.0
        let rows = (maps.count + columns - 1) / columns
        var drawing = SVG(width: 400, height: Double(rows) * (side + 6), title: title)
        let most = Double(maps.joined().max() ?? 1)
        let pixel = side / Double(max(size[0], size[1]))
        for (index, map) in maps.enumerated() {
            let (x, y) = (Double(index % columns) * (side + 8), Double(index / columns) * (side + 6))
            drawing.rectangle(x, y, pixel * Double(size[1]), pixel * Double(size[0]), "empty")
            for (position, value) in map.enumerated() where value > 0 && most > 0 {
                drawing.rectangle(
                    x + Double(position % size[1]) * pixel, y + Double(position / size[1]) * pixel, pixel + 0.1, pixel + 0.1, "ink",
                    opacity: Double(value) / most)
            }
        }
        return drawing.markup
    }

    /// Some of many, the first and the last among them.
    static func evenly<Element>(_ items: [Element], atMost count: Int) -> [Element] {
        guard items.count > count, count > 1 else { return Array(items.prefix(count)) }
        return (0..<count).map { items[$0 * (items.count - 1) / (count - 1)] }
    }
}
