import SpikeAnalysis
import SpikeGraph
import Foundation
import SpikeEvaluation

/// The drawings of what single neurons do.
enum ActivityCharts {
    /// Spikes of a neuron in each step, a curve for each of some layers.
    static func density(_ trace: ActivityTrace) -> String {
        let layers = trace.layers.evenly(atMost: 6)
        var plot = Plot(
            "share of neurons that spike in each step",
            x: .timeSteps(trace.steps),
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
        var drawing = SVG(width: 400, height: height + 34, title: "spikes of \(layer.watched.count) neurons of \(layer.title)")
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
            "membrane potentials of \(layer.title)", x: .timeSteps(count),
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
            "decoded spikes of \(layer.title) against the ANN's activations", x: .linear(least...Double(most), label: "ANN's activation"),
            y: .linear(least...Double(most), label: "decoded spikes"))
        let end = min(plot.x.range.upperBound, plot.y.range.upperBound)
        plot.curve([(0, 0), (end, end)], "ann")
        plot.dots(zip(layer.activations, layer.decoded).map { (Double($0), Double($1)) }, "faint c0", radius: 2)
        return plot.markup
    }

    /// Pictures of numbers, all on one scale.
    static func maps(_ maps: [[Float]], size: [Int], title: String, ground: String = "empty", style: String = "c0") -> String? {
        guard size.count == 2, !maps.isEmpty, size[0] * size[1] > 1 else { return nil }
        let small = maps.map { shrunk($0, size: size, to: 48) }
        guard let shape = small.first?.size else { return nil }
        let columns = min(4, maps.count)
        let side = maps.count == 1 ? 200.0 : 92.0
        let rows = (maps.count + columns - 1) / columns
        var drawing = SVG(width: 400, height: Double(rows) * (side + 8), title: title)
        let all = small.flatMap(\.values).filter(\.isFinite)
        let (least, most) = (min(0, all.min() ?? 0), max(all.max() ?? 1, 1e-9))
        let pixel = side / Double(max(shape[0], shape[1]))
        for (index, map) in small.enumerated() {
            let (x, y) = (Double(index % columns) * (side + 8), Double(index / columns) * (side + 8))
            drawing.picture(
                map.values, columns: shape[1], x: x, y: y, pixel: pixel, least: least, most: most, ground: ground, style: style)
        }
        return drawing.markup
    }

    /// A picture with at most so many pixels a side: means of blocks.
    private static func shrunk(_ values: [Float], size: [Int], to most: Int) -> (values: [Float], size: [Int]) {
        let block = (max(size[0], size[1]) + most - 1) / most
        guard block > 1 else { return (values, size) }
        let (height, width) = (max(1, size[0] / block), max(1, size[1] / block))
        var small = [Float](repeating: 0, count: height * width)
        for row in 0..<height {
            for column in 0..<width {
                var sum: Float = 0
                for y in row * block..<(row + 1) * block {
                    for x in column * block..<(column + 1) * block { sum += values[y * size[1] + x] }
                }
                small[row * width + column] = sum / Float(block * block)
            }
        }
        return (small, [height, width])
    }

    /// How many channels have which θ, before (the ANN's largest activation) and after (what the recipe chose).
    static func thresholds(_ layer: ActivityTrace.Layer) -> String? {
        guard let largest = layer.largest, let chosen = layer.thresholds, chosen.count > 1, let most = (largest + chosen).max(), most > 0
        else { return nil }
        let bins = 16
        func counts(_ values: [Float]) -> [Int] {
            values.reduce(into: [Int](repeating: 0, count: bins)) { $0[min(bins - 1, max(0, Int($1 / most * Float(bins))))] += 1 }
        }
        let (before, after) = (counts(largest), counts(chosen))
        var plot = Plot(
            "thresholds of the channels of \(layer.title), before and after", x: .linear(0...Double(most), label: "activation"),
            y: .linear(0...Double(max(1, (before + after).max() ?? 1)), label: "channels"), height: 200)
        for bin in 0..<bins {
            let (left, right) = (Double(most) * Double(bin) / Double(bins), Double(most) * Double(bin + 1) / Double(bins))
            plot.bar(from: left, to: right, height: Double(before[bin]), "empty-strong")
            plot.bar(from: left + (right - left) * 0.22, to: right - (right - left) * 0.22, height: Double(after[bin]), "c0")
        }
        return plot.markup
    }
}

extension ActivityTrace.Layer {
    /// What the layer is called on the page.
    var title: String { label ?? name }
}
