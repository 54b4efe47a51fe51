import SpikeCost
import SpikeAnalysis
import Foundation
import SpikeEvaluation
import SpikeGraph

/// The drawings of evaluation results.
enum ResultCharts {
    /// Accuracy (or agreement) over steps, a curve for each result with its 95 % interval; the ANN dashed.
    ///
    /// - Parameter isClose: only what is near the ANN, where the differences between good recipes are.
    static func accuracy(_ all: [EvaluationResult], isClose: Bool = false) -> String {
        let results = all.filter { !isRegression([$0]) }
        let values = results.flatMap { $0.steps.flatMap { $0.confidence95.ends + [quality($0)] } } + results.compactMap { $0.ann?.accuracy }
        let best = 100 * (results.flatMap { [$0.ann?.accuracy].compactMap { $0 } + $0.steps.map(quality) }.max() ?? 1)
        let low = isClose ? max(0, best - 6) : max(0, (values.min() ?? 0) * 100 - 1)
        let high = isClose ? min(100, best + 1) : 100
        var plot = Plot(
            "\(qualityName(results)) over time steps" + (isClose ? ", near the ANN" : ""),
            x: .steps(results.flatMap { $0.steps.map(\.steps) }),
            y: .linear(low...high, label: "\(qualityName(results)), %"))
        let floor = plot.y.range.lowerBound
        for (index, result) in all.enumerated() where !isRegression([result]) {
            if let ann = result.ann?.accuracy, ann * 100 >= floor {
                plot.curve([(plot.x.range.lowerBound, ann * 100), (plot.x.range.upperBound, ann * 100)], "ann")
            }
            let style = "c\(index % 6)"
            let intervals = result.steps.filter { !isClose || $0.confidence95.lowerBound * 100 >= floor }
            plot.band(
                intervals.map {
                    (Double($0.steps), $0.confidence95.lowerBound * 100, min(plot.y.range.upperBound, $0.confidence95.upperBound * 100))
                },
                "band \(style)")
            let points = result.steps.map { (x: Double($0.steps), y: quality($0) * 100) }
            // Every step where they are known.
            let fine = (result.curve?.accuracy ?? result.curve?.agreement)?.enumerated().map {
                (x: Double($0.offset + 1), y: $0.element * 100)
            }
            let least = plot.x.range.lowerBound
            plot.clippedCurve((fine ?? points).filter { $0.x >= least }, "curve \(style)")
            plot.dots(points.filter { $0.y >= floor }, "dot \(style)") { "\(figure($0, digits: 0)) steps: \(figure($1)) %" }
        }
        return plot.markup
    }

    /// The root mean square error of regressions over steps, with its 95 % interval; the ANN's dashed.
    static func distances(_ all: [EvaluationResult]) -> String {
        let results = all.filter { isRegression([$0]) }
        let values = results.flatMap { result in
            result.steps.flatMap { $0.confidence95.ends + [distance($0)] } + [result.ann?.error?.rootMeanSquare].compactMap { $0 }
        }
        var plot = Plot(
            "error over time steps", x: .steps(results.flatMap { $0.steps.map(\.steps) }),
            y: .linear(0...max(values.max() ?? 1, 1e-9), label: "root mean square error"))
        for (index, result) in all.enumerated() where isRegression([result]) {
            if let ann = result.ann?.error?.rootMeanSquare {
                plot.curve([(plot.x.range.lowerBound, ann), (plot.x.range.upperBound, ann)], "ann")
            }
            let style = "c\(index % 6)"
            plot.band(
                result.steps.map { (Double($0.steps), $0.confidence95.lowerBound, $0.confidence95.upperBound) }, "band \(style)")
            let points = result.steps.map { (x: Double($0.steps), y: distance($0)) }
            plot.curve(points, "curve \(style)")
            plot.dots(points, "dot \(style)") { "\(figure($0, digits: 0)) steps: \(figure($1, digits: 4))" }
        }
        return plot.markup
    }

    static func isRegression(_ results: [EvaluationResult]) -> Bool {
        results.contains { $0.steps.contains { $0.error != nil || $0.deviation != nil } }
    }

    private static func distance(_ step: EvaluationResult.Step) -> Double { step.error?.rootMeanSquare ?? step.deviation ?? 0 }

    static func qualityName(_ results: [EvaluationResult]) -> String {
        results.contains { $0.steps.contains { $0.accuracy != nil } } ? "accuracy" : "agreement with the ANN"
    }

    static func quality(_ step: EvaluationResult.Step) -> Double { step.accuracy ?? step.agreement ?? 0 }

    /// What one inference costs by each model, from the least to the most, on a logarithmic axis: the ANN's bar, and one for each
    /// result.
    static func energy(_ results: [EvaluationResult]) -> String? {
        guard let first = results.first?.energies, !first.isEmpty else { return nil }
        let rows = first.map { model -> (name: String, ann: [Double]?, snn: [[Double]?]) in
            (
                model.model, model.steps.last?.ann,
                results.map { result in result.energies?.first { $0.model == model.model }?.steps.last?.snn }
            )
        }
        let values = rows.flatMap { ($0.ann ?? []) + $0.snn.compactMap { $0 }.joined() }.filter { $0 > 0 }
        guard let least = values.min(), let most = values.max() else { return nil }
        let (low, high) = (floor(log10(least)), ceil(log10(most * 1.0001)))
        let (left, right, bar) = (8.0, 392.0, 7.0)
        let height = 20 + bar * Double(1 + results.count) + 8
        var drawing = SVG(width: 400, height: Double(rows.count) * height + 40, title: "energy of one inference by published models")
        func place(_ value: Double) -> Double { left + (log10(value) - low) / max(1, high - low) * (right - left) }
        let bottom = Double(rows.count) * height + 6
        // Every power has a line; where there are many, every second or third has its text.
        let every = (Int(high - low) + 5) / 6
        for power in Int(low)...Int(high) {
            let x = place(pow(10, Double(power)))
            drawing.line(x, 0, x, bottom, "grid")
            guard (power - Int(low)) % every == 0 else { continue }
            let anchor = power == Int(low) ? "start" : x > right - 20 ? "end" : "middle"
            drawing.text(x, bottom + 15, EnergyEstimate.joules(pow(10, Double(power))), anchor: anchor)
        }
        for (index, row) in rows.enumerated() {
            let top = Double(index) * height
            drawing.text(left, top + 14, row.name, "over")
            for (position, entry) in ([("ANN", row.ann, "ink")] + row.snn.enumerated().map { ("SNN", $0.element, "c\($0.offset % 6)") })
                .enumerated()
            {
                guard let range = entry.1, range.count == 2, range[0] > 0 else { continue }
                let y = top + 20 + Double(position) * bar
                let (from, to) = (place(range[0]), place(range[1]))
                drawing.rectangle(
                    from, y, max(2.5, to - from), bar - 2, entry.2,
                    hint: "\(entry.0): \(EnergyEstimate.joules(range[0])) to \(EnergyEstimate.joules(range[1]))")
            }
        }
        drawing.text(right, bottom + 28, "logarithmic axis", "label", anchor: "end")
        return drawing.markup
    }

    /// Operations of each layer: the spiking network's, those of the ANN without zeros, and dense.
    static func operations(_ counts: OperationCounts) -> String {
        let rows = counts.layers.map { layer -> (String, [Double]) in
            let spiking = layer.accumulates.reduce(0, +) + layer.multiplyAccumulates.reduce(0, +)
            return (layer.name, [spiking, layer.ann ?? 0, Double(layer.dense)])
        }
        return bars("operations of one inference by layer", rows, styles: ["c0", "c1", "empty-strong"], text: { magnitude($0) })
    }

    /// Pearson's correlation of decoded spikes and activations, a bar for each layer.
    static func correlations(_ trace: ActivityTrace) -> String? {
        let rows = trace.layers.compactMap { layer in layer.correlation.map { (layer.title, [max(0, $0)]) } }
        guard !rows.isEmpty else { return nil }
        return bars(
            "correlation of decoded spikes with the ANN's activations by layer", rows, styles: ["c2"], text: { figure($0, digits: 4) })
    }

    /// Spikes per neuron, a bar for each layer.
    static func spikes(_ result: EvaluationResult) -> String {
        bars(
            "spikes per neuron of each layer", result.layers.map { ($0.title, [$0.spikesPerNeuron]) }, styles: ["c0"],
            text: { figure($0) })
    }

    /// The parts of each layer's error: four bars a layer.
    static func errors(_ result: EvaluationResult) -> String {
        bars(
            "where each layer's difference from the ANN comes from",
            result.layers.compactMap { layer in
                layer.error.map { (layer.title, [$0.inherited ?? 0, $0.clipping ?? 0, $0.quantization ?? 0, $0.unevenness ?? 0]) }
            }, styles: ["c1", "c2", "c3", "c4"], text: { figure($0 * 100, digits: 1) + " %" })
    }

    /// Horizontal bars, some for each row.
    private static func bars(_ title: String, _ rows: [(String, [Double])], styles: [String], text: (Double) -> String) -> String {
        let thick = styles.count == 1 ? 12.0 : 5.0
        let height = thick * Double(styles.count) + 8
        let most = max(rows.flatMap(\.1).max() ?? 1, 1e-12)
        var drawing = SVG(width: 400, height: Double(rows.count) * height + 8, title: title)
        let left = 132.0
        for (index, row) in rows.enumerated() {
            let y = 4 + Double(index) * height
            drawing.text(left - 6, y + (height - 8) / 2 + 4, shortened(row.0, to: 18), anchor: "end")
            for (part, value) in row.1.enumerated() {
                let width = value / most * (400 - left - 52)
                drawing.rectangle(
                    left, y + Double(part) * thick, max(0.5, width), thick - 1, styles[part], hint: "\(row.0): \(text(value))")
            }
            let largest = row.1.max() ?? 0
            drawing.text(left + largest / most * (400 - left - 52) + 4, y + (height - 8) / 2 + 4, text(largest), "label")
        }
        return drawing.markup
    }

    /// Labels down, predictions across; the stronger the colour, the more samples.
    static func confusion(_ counts: [[Int]], title: String = "") -> String {
        let classes = counts.count
        let cell = min(32, 340 / Double(max(1, classes)))
        var drawing = SVG(
            width: 400, height: cell * Double(classes) + 44, title: "confusion of classes\(title): labels down, predictions across")
        for (label, row) in counts.enumerated() {
            let total = Double(max(1, row.reduce(0, +)))
            let y = Double(label) * cell + 4
            if classes <= 30 { drawing.text(44, y + cell / 2 + 4, "\(label)", anchor: "end") }
            for (prediction, count) in row.enumerated() {
                let x = 50 + Double(prediction) * cell
                let share = Double(count) / total
                drawing.rectangle(x, y, cell - 1, cell - 1, "empty")
                if count > 0 {
                    drawing.rectangle(
                        x, y, cell - 1, cell - 1, label == prediction ? "c2" : "c1", opacity: 0.15 + 0.85 * share.squareRoot(),
                        hint: "label \(label), prediction \(prediction): \(count)")
                }
            }
        }
        for prediction in 0..<classes where classes <= 30 {
            drawing.text(50 + (Double(prediction) + 0.5) * cell, cell * Double(classes) + 18, "\(prediction)", anchor: "middle")
        }
        drawing.text(50, cell * Double(classes) + 36, "prediction (across), label (down)", "label")
        return drawing.markup
    }

    /// A name that fits, cut in the middle: its ends tell layers apart.
    static func shortened(_ name: String, to count: Int) -> String {
        guard name.count > count else { return name }
        return name.prefix(count / 2 - 1) + "…" + name.suffix(count - count / 2)
    }
}

extension EvaluationResult.Layer {
    /// What the layer is called on the page.
    var title: String { label ?? error?.activation ?? name }
}
