import Foundation
import SpikeEvaluation

/// The drawings of evaluation results.
enum ResultCharts {
    /// Accuracy (or agreement) over steps, a curve for each result with its 95 % interval; the ANN dashed.
    static func accuracy(_ results: [EvaluationResult]) -> String {
        let values = results.flatMap { $0.steps.flatMap { $0.confidence95 + [quality($0)] } } + results.compactMap { $0.ann?.accuracy }
        let low = max(0, (values.min() ?? 0) * 100 - 1)
        var plot = Plot(
            "\(qualityName(results)) over time steps", x: .steps(results.flatMap { $0.steps.map(\.steps) }),
            y: .linear(low...100, label: "\(qualityName(results)), %"))
        for (index, result) in results.enumerated() {
            if let ann = result.ann?.accuracy {
                plot.curve([(plot.x.range.lowerBound, ann * 100), (plot.x.range.upperBound, ann * 100)], "ann")
            }
            let style = "c\(index % 6)"
            plot.band(
                result.steps.filter { $0.confidence95.count == 2 }.map {
                    (Double($0.steps), $0.confidence95[0] * 100, $0.confidence95[1] * 100)
                }, "band \(style)")
            let points = result.steps.map { (x: Double($0.steps), y: quality($0) * 100) }
            plot.curve(points, "curve \(style)")
            plot.dots(points, "dot \(style)") { "\(figure($0, digits: 0)) steps: \(figure($1)) %" }
        }
        return plot.markup
    }

    static func qualityName(_ results: [EvaluationResult]) -> String {
        results.contains { $0.steps.contains { $0.accuracy != nil } } ? "accuracy" : "agreement with the ANN"
    }

    static func quality(_ step: EvaluationResult.Step) -> Double { step.accuracy ?? step.agreement ?? 0 }

    /// Joules of one inference over steps, the ANN's dashed.
    static func energy(_ results: [EvaluationResult]) -> String {
        let values = results.flatMap { $0.steps.flatMap { [$0.energy.snn, $0.energy.ann] } }.map { $0 * 1e6 }
        var plot = Plot(
            "arithmetic energy of one inference over time steps", x: .steps(results.flatMap { $0.steps.map(\.steps) }),
            y: .linear(0...max(values.max() ?? 1, 1e-9), label: "µJ"))
        for (index, result) in results.enumerated() {
            let style = "c\(index % 6)"
            if let ann = result.steps.first?.energy.ann {
                plot.curve([(plot.x.range.lowerBound, ann * 1e6), (plot.x.range.upperBound, ann * 1e6)], "ann")
            }
            let points = result.steps.map { (x: Double($0.steps), y: $0.energy.snn * 1e6) }
            plot.curve(points, "curve \(style)")
            plot.dots(points, "dot \(style)") { "\(figure($0, digits: 0)) steps: \(figure($1)) µJ" }
        }
        return plot.markup
    }

    /// Spikes per neuron, a bar for each layer.
    static func spikes(_ result: EvaluationResult) -> String {
        bars(
            "spikes per neuron of each layer", result.layers.map { ($0.name, [$0.spikesPerNeuron]) }, styles: ["c0"],
            text: { figure($0) })
    }

    /// The parts of each layer's error: four bars a layer.
    static func errors(_ result: EvaluationResult) -> String {
        bars(
            "where each layer's difference from the ANN comes from",
            result.layers.compactMap { layer in
                layer.error.map { (layer.name, [$0.inherited ?? 0, $0.clipping ?? 0, $0.rounding ?? 0, $0.unevenness ?? 0]) }
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
            drawing.text(left - 6, y + (height - 8) / 2 + 4, shortened(row.0, to: 20), anchor: "end")
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

    /// Labels down, answers across; the stronger the colour, the more samples.
    static func confusion(_ counts: [[Int]]) -> String {
        let classes = counts.count
        let cell = min(32, 340 / Double(max(1, classes)))
        var drawing = SVG(width: 400, height: cell * Double(classes) + 44, title: "confusion of classes: labels down, answers across")
        for (label, row) in counts.enumerated() {
            let total = Double(max(1, row.reduce(0, +)))
            let y = Double(label) * cell + 4
            if classes <= 30 { drawing.text(44, y + cell / 2 + 4, "\(label)", anchor: "end") }
            for (answer, count) in row.enumerated() {
                let x = 50 + Double(answer) * cell
                let share = Double(count) / total
                drawing.rectangle(x, y, cell - 1, cell - 1, "empty")
                if count > 0 {
                    drawing.rectangle(
                        x, y, cell - 1, cell - 1, label == answer ? "c2" : "c1", opacity: 0.15 + 0.85 * share.squareRoot(),
                        hint: "label \(label), answer \(answer): \(count)")
                }
            }
        }
        for answer in 0..<classes where classes <= 30 {
            drawing.text(50 + (Double(answer) + 0.5) * cell, cell * Double(classes) + 18, "\(answer)", anchor: "middle")
        }
        drawing.text(50, cell * Double(classes) + 36, "answer (across), label (down)", "label")
        return drawing.markup
    }

    /// A name that fits, cut in the middle: its ends tell layers apart.
    static func shortened(_ name: String, to count: Int) -> String {
        guard name.count > count else { return name }
        return name.prefix(count / 2 - 1) + "…" + name.suffix(count - count / 2)
    }
}
