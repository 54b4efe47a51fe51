public import SpikeEvaluation
import SpikeFiles
import SpikeGraph

/// Evaluation results as one HTML page: it needs no network and no script, follows light and dark, and prints.
///
///     let report = Report([result], trace: try ActivityTrace(snn, ann: ann, inputs: batch.inputs, steps: 32))
///     try report.write(to: "report.html")
///
/// Several results of the same data stand side by side. Everything drawn is also there as text.
public struct Report: Sendable {
    /// What is reported, side by side.
    public let results: [EvaluationResult]
    /// What single neurons do, of the first result's network.
    public let trace: ActivityTrace?

    /// A report of results of the same data.
    public init(_ results: [EvaluationResult], trace: ActivityTrace? = nil) {
        self.results = results
        self.trace = trace
    }

    /// Writes the page, as a whole or not at all.
    public func write(to path: String) throws {
        try AtomicFile.write(to: path) { try $0.write(Array(html.utf8)) }
    }

    /// The whole page.
    public var html: String {
        let names = results.map { "\($0.network) · \($0.recipe)" }
        return Page.html(title: names.joined(separator: ", "), body: ([head] + sections).joined(separator: "\n"))
    }

    private var head: String {
        let cards = results.enumerated().map { index, result -> String in
            guard let best = result.steps.last else { return "" }
            let quality = ResultCharts.quality(best)
            var verdict = "\(figure(quality * 100)) % at \(best.steps) steps"
            if let ann = result.ann?.accuracy, best.accuracy != nil {
                let drop = (ann - quality) * 100
                verdict += drop >= 0.005 ? ", \(figure(drop)) points under the ANN" : ", nothing lost against the ANN"
            }
            return """
                <div class="card"><h2><span class="key c\(index % 6)"></span>\(escaped(result.network)) <small>\(escaped(result.recipe))</small></h2>
                <p class="verdict">\(verdict)</p>
                <p>\(figure(best.spikesPerNeuron)) spikes per neuron, \(magnitude(best.synapticOperations)) synaptic operations, \
                measured on \(result.samples) samples in \(figure(result.seconds, digits: 1)) s (\(escaped(result.precision))).</p></div>
                """
        }
        return "<header><h1>Spikelet report</h1><div class=\"cards\">\(cards.joined())</div></header>"
    }

    private var sections: [String] {
        var sections = [stepSection]
        sections += results.filter { !$0.layers.isEmpty }.map(layerSection)
        sections += results.compactMap(confusionSection)
        if let trace { sections.append(activitySection(trace)) }
        sections.append(energySection)
        let warnings = results.flatMap(\.warnings)
        if !warnings.isEmpty {
            sections.append(section("Warnings", "<ul>" + warnings.map { "<li>\(escaped($0))</li>" }.joined() + "</ul>"))
        }
        return sections
    }

    private var stepSection: String {
        let rows = results.flatMap { result in
            result.steps.map { step in
                [
                    result.recipe, "\(step.steps)", step.accuracy.map { figure($0 * 100) } ?? "–",
                    step.confidence95.map { figure($0 * 100, digits: 1) }.joined(separator: "–"),
                    step.agreement.map { figure($0 * 100) } ?? "–", figure(step.spikesPerNeuron, digits: 3),
                    magnitude(step.synapticOperations),
                ]
            }
        }
        let table = Page.table(["recipe", "steps", "accuracy, %", "95 % interval", "agreement, %", "spikes per neuron", "SynOps"], rows)
        return section(
            "Does it survive, and at how many steps?",
            "<div class=\"pair\">\(figureBox(ResultCharts.accuracy(results), "The dashed line is the ANN. Bands are 95 % intervals (Wilson)."))\(table)</div>"
        )
    }

    private func layerSection(_ result: EvaluationResult) -> String {
        let hasErrors = result.layers.contains { $0.error != nil }
        let rows = result.layers.map { layer -> [String] in
            [
                layer.name, "\(layer.neurons)", layer.threshold.map { figure(Double($0), digits: 3) }.joined(separator: "–"),
                figure(layer.spikesPerNeuron, digits: 3),
            ]
                + (hasErrors
                    ? [layer.error?.inherited, layer.error?.clipping, layer.error?.rounding, layer.error?.unevenness, layer.error?.total]
                        .map {
                            $0.map { figure($0 * 100, digits: 1) } ?? "–"
                        } : [])
        }
        let header =
            ["layer", "neurons", "activation of a spike", "spikes per neuron"]
            + (hasErrors ? ["inherited, %", "clipping, %", "rounding, %", "unevenness, %", "total, %"] : [])
        var figures = figureBox(ResultCharts.spikes(result), "Spikes per neuron at \(result.steps.last?.steps ?? 0) steps.")
        if hasErrors {
            let legend = Page.legend(["inherited", "clipping", "rounding", "unevenness"], from: 1)
            figures += figureBox(
                ResultCharts.errors(result) + legend,
                "What each layer's difference from the ANN is made of, relative to its activations (root mean squares).")
        }
        return section(
            "Where does it break? \(result.recipe)",
            "<div class=\"pair\">\(figures)</div><details><summary>As a table</summary>\(Page.table(header, rows))</details>")
    }

    private func confusionSection(_ result: EvaluationResult) -> String? {
        guard let confusion = result.confusion else { return nil }
        let wrong = confusion.enumerated().flatMap { label, row in
            row.enumerated().filter { $0.offset != label && $0.element > 0 }.map { (label: label, answer: $0.offset, count: $0.element) }
        }
        .sorted { ($0.count, $1.label, $1.answer) > ($1.count, $0.label, $0.answer) }
        let rows = wrong.prefix(8).map { ["\($0.label)", "\($0.answer)", "\($0.count)"] }
        return section(
            "Which classes are taken for which? \(result.recipe)",
            "<div class=\"pair\">\(figureBox(ResultCharts.confusion(confusion), "At \(result.steps.last?.steps ?? 0) steps."))\(Page.table(["label", "answer", "samples"], rows))</div>"
        )
    }

    private func activitySection(_ trace: ActivityTrace) -> String {
        let shown = ActivityCharts.evenly(trace.layers, atMost: 3)
        var body = "<div class=\"pair\">"
        if trace.imageShape.count == 3,
            let picture = ActivityCharts.maps(
                [Array(trace.image.prefix(trace.imageShape[1] * trace.imageShape[2]))], size: Array(trace.imageShape.dropFirst()),
                title: "the sample that is shown")
        {
            body += figureBox(picture, "The sample that is shown (first channel).")
        }
        body += figureBox(
            ActivityCharts.density(trace) + Page.legend(ActivityCharts.evenly(trace.layers, atMost: 6).map(\.name), from: 0),
            "How many neurons spike in each step.")
        body += "</div>"
        for layer in shown {
            body += "<h3>\(escaped(layer.name))</h3><div class=\"pair\">"
            body += figureBox(
                ActivityCharts.raster(layer, steps: trace.steps),
                "Spikes of \(layer.watched.count) of \(layer.neurons) neurons on one sample.")
            if let plot = ActivityCharts.scatter(layer) {
                let correlation = layer.correlation.map { ", correlation \(figure($0, digits: 4))" } ?? ""
                body += figureBox(plot, "Decoded spikes against the ANN's activations\(correlation).")
            }
            if let plot = ActivityCharts.membranes(layer) {
                body += figureBox(plot, "Membranes of three neurons" + (layer.threshold == nil ? "." : "; the dashed line is θ."))
            }
            if let plot = ActivityCharts.maps(layer.maps, size: layer.mapSize, title: "spikes of \(layer.name) by place") {
                body += figureBox(plot, "Where the layer spikes: its first channels.")
            }
            body += "</div>"
        }
        let rows = trace.layers.map { [$0.name, "\($0.neurons)", $0.correlation.map { figure($0, digits: 4) } ?? "–"] }
        body +=
            "<details><summary>Correlation of all layers</summary>\(Page.table(["layer", "neurons", "correlation with the ANN"], rows))</details>"
        return section("What do the neurons do?", body)
    }

    private var energySection: String {
        let rows = results.flatMap { result in
            result.steps.map { step in
                [
                    result.recipe, "\(step.steps)", figure(step.energy.snn * 1e6), figure(step.energy.ann * 1e6),
                    step.energy.ann > 0 ? figure(step.energy.snn / step.energy.ann) : "–",
                ]
            }
        }
        return section(
            "At what cost?",
            "<div class=\"pair\">\(figureBox(ResultCharts.energy(results), "The dashed line is the ANN."))\(Page.table(["recipe", "steps", "SNN, µJ", "ANN, µJ", "ratio"], rows))</div><p class=\"note\">\(escaped(results.first?.steps.first?.energy.model ?? "")). Memory traffic and membrane updates, which dominate on real devices, are not in it: read it as a count of operations in joules.</p>"
        )
    }

    private func section(_ title: String, _ body: String) -> String { "<section><h2>\(escaped(title))</h2>\(body)</section>" }

    private func figureBox(_ drawing: String, _ caption: String) -> String {
        "<figure>\(drawing)<figcaption>\(escaped(caption))</figcaption></figure>"
    }
}
