import SpikeCost
public import SpikeEvaluation
import SpikeFiles
import SpikeGraph

/// Evaluation results as one HTML page: it needs no network and no script, follows light and dark, and prints.
///
///     result.activity = try ActivityTrace.record(snn, ann: ann, inputs: batch.inputs, steps: 32)
///     try Report([result]).write(to: "report.html")
///
/// Several results of the same data stand side by side; what single neurons do is drawn of the first that knows it. Everything drawn is
/// also there as text.
public struct Report: Sendable {
    /// What is reported, side by side.
    public let results: [EvaluationResult]
    /// What each result is called.
    let names: [String]
    /// Why the results should be compared with care.
    private let cautions: [String]

    /// A report of results of the same data.
    public init(_ results: [EvaluationResult]) {
        self.init(Comparison(results))
    }

    /// A report of results that have names.
    public init(_ comparison: Comparison) {
        results = comparison.results
        names = comparison.names
        cautions = comparison.cautions
    }

    /// Writes the page, as a whole or not at all.
    public func write(to path: String) throws {
        try AtomicFile.write(to: path) { try $0.write(Array(html.utf8)) }
    }

    /// The whole page.
    public var html: String {
        let sections = sections
        let links = sections.map { "<li><a href=\"#\($0.id)\">\(escaped($0.title))</a></li>" }
        let contents = "<nav aria-label=\"Sections\"><ul>\(links.joined())</ul></nav>"
        return Page.html(
            title: names.joined(separator: ", "), body: ([head + contents] + sections.map(\.markup)).joined(separator: "\n"))
    }

    /// A part of the page.
    struct Section {
        var id: String
        var title: String
        var body: String

        var markup: String { "<section id=\"\(id)\"><h2>\(escaped(title))</h2>\n\(body)\n</section>" }
    }

    private var sections: [Section] {
        var sections = [stepSection, costSection]
        if results.contains(where: { !$0.layers.isEmpty }) { sections.append(layerSection) }
        if let index = results.firstIndex(where: { $0.activity != nil }), let activity = results[index].activity {
            sections.append(activitySection(activity, isOfFrames: results[index].frames != nil, of: results.count > 1 ? names[index] : nil))
        }
        if results.contains(where: { $0.confusion != nil }) { sections.append(confusionSection) }
        sections.append(methodSection)
        return sections
    }

    // MARK: The head

    private var head: String {
        let cards = results.indices.map { card(results[$0], index: $0) }
        let title = results.count == 1 ? names[0] : "\(results.count) networks side by side"
        return """
            <header><p class="over">Spikelet report</p><h1>\(escaped(title))</h1>
            <div class="cards">\(cards.joined())</div></header>
            """
    }

    private func card(_ result: EvaluationResult, index: Int) -> String {
        guard let last = result.steps.last else { return "" }
        if ResultCharts.isRegression([result]) { return card(result, last, index: index, verdict: Self.verdict(result, last)) }
        let quality = ResultCharts.quality(last)
        let what = last.accuracy == nil ? "agreement with the ANN" : "accuracy"
        var verdict = ""
        if let ann = result.ann?.accuracy, last.accuracy != nil {
            let drop = (ann - quality) * 100
            verdict =
                drop >= 0.005
                ? "\(figure(drop)) points under the ANN’s \(figure(ann * 100)) %."
                : "Nothing lost against the ANN’s \(figure(ann * 100)) %."
        }
        return card(
            result, last, index: index,
            verdict: "<span class=\"big\">\(figure(quality * 100)) %</span> \(what) after \(last.steps) steps. \(verdict)")
    }

    /// What a regression comes to.
    private static func verdict(_ result: EvaluationResult, _ last: EvaluationResult.Step) -> String {
        guard let error = last.error else {
            return
                "<span class=\"big\">\(figure(last.deviation ?? 0, digits: 4))</span> root mean square from the ANN after \(last.steps) steps."
        }
        let ann = result.ann?.error.map { " The ANN’s is \(figure($0.rootMeanSquare, digits: 4))." } ?? ""
        return "<span class=\"big\">\(figure(error.rootMeanSquare, digits: 4))</span> RMS error after \(last.steps) steps.\(ann)"
    }

    private func card(_ result: EvaluationResult, _ last: EvaluationResult.Step, index: Int, verdict: String) -> String {
        var tiles = [
            ("\(figure(last.spikesPerNeuron, digits: 2))", "spikes per neuron"),
            (magnitude(last.synapticOperations), "synaptic operations"),
        ]
        if let ratio = arithmeticRatio(result) { tiles.append((ratio, "the ANN’s energy, by the model")) }
        if let timing = result.timing { tiles.append(("\(figure(timing.secondsOfOneSample * 1e3)) ms", "for one sample, one thread")) }
        let items = tiles.map { "<div><dt>\(escaped($0.1))</dt><dd>\(escaped($0.0))</dd></div>" }.joined()
        let heading = results.count == 1 ? "" : "<h2><span class=\"key c\(index % 6)\"></span>\(escaped(names[index]))</h2>"
        let partial = result.partial == nil ? "" : " <strong>The run was broken off.</strong>"
        return """
            <div class="card">\(heading)<p class="verdict">\(verdict)</p><dl class="tiles">\(items)</dl>
            <p class="note">On \(result.samples) samples, in \(escaped(result.precision)).\(Self.frames(result))\(partial)</p></div>
            """
    }

    /// What time-varying samples are, as a sentence behind others.
    private static func frames(_ result: EvaluationResult) -> String {
        guard let frames = result.frames else { return "" }
        let line = EvaluationResult.line(frames: frames, hasANN: result.ann != nil)
        return " " + line.prefix(1).uppercased() + line.dropFirst() + "."
    }

    /// The least and the most of SNN / ANN over all models that price both.
    private func arithmeticRatio(_ result: EvaluationResult) -> String? {
        let ratios = (result.energies ?? []).compactMap { $0.steps.last?.ratio }.joined()
        guard let least = ratios.min(), let most = ratios.max() else { return nil }
        return "\(figure(least, digits: least < 0.1 ? 2 : 1))–\(figure(most, digits: most < 10 ? 1 : 0)) ×"
    }

    // MARK: Sections about predictions

    /// Classes have their accuracy, values their error; of both kinds each has its own drawing.
    private var stepSection: Section {
        let regressions = results.count { ResultCharts.isRegression([$0]) }
        var section = regressions == 0 ? accuracySection : errorSection
        if regressions > 0, regressions < results.count { section.body = accuracySection.body + section.body }
        return section
    }

    private var errorSection: Section {
        let rows = results.indices.filter { ResultCharts.isRegression([results[$0]]) }.flatMap { index in
            results[index].steps.map { step -> [String] in
                func number(_ value: Double?) -> String { value.map { figure($0, digits: 4) } ?? "–" }
                return [
                    names[index], "\(step.steps)", number(step.error?.rootMeanSquare),
                    step.confidence95.ends.map { number($0) }.joined(separator: "–"), number(step.error?.meanAbsolute),
                    number(step.error?.determination), number(step.deviation), figure(step.spikesPerNeuron, digits: 3),
                    magnitude(step.synapticOperations),
                ]
            }
        }
        let header = [
            "network", "steps", "RMS error", "95 % interval", "mean |error|", "R²", "from the ANN", "spikes per neuron", "SynOps",
        ]
        let drawing = figureBox(
            ResultCharts.distances(results) + legend, "Error after so many steps. The dashed line is the ANN, bands are 95 % intervals.")
        return Section(
            id: "steps", title: "Does it survive, and at how many steps?",
            body: "<div class=\"pair\">\(drawing)</div>" + details("Every number", Page.table(header, rows)))
    }

    private var accuracySection: Section {
        let rows = results.indices.filter { !ResultCharts.isRegression([results[$0]]) }.flatMap { index in
            results[index].steps.map { step in
                [
                    names[index], "\(step.steps)", step.accuracy.map { figure($0 * 100) } ?? "–",
                    step.confidence95.ends.map { figure($0 * 100, digits: 1) }.joined(separator: "–"),
                    step.agreement.map { figure($0 * 100) } ?? "–", figure(step.spikesPerNeuron, digits: 3),
                    magnitude(step.synapticOperations),
                ]
            }
        }
        let header = ["network", "steps", "accuracy, %", "95 % interval", "agreement, %", "spikes per neuron", "SynOps"]
        var body = "<div class=\"pair\">"
        body += figureBox(
            ResultCharts.accuracy(results) + legend,
            "Accuracy after each step. The dashed line is the ANN, bands are 95 % intervals.")
        body += figureBox(ResultCharts.accuracy(results, isClose: true), "The same near the ANN, where good recipes differ.")
        body += "</div>" + stepsToANN + details("Every number", Page.table(header, rows)) + earlyExits
        return Section(id: "steps", title: "Does it survive, and at how many steps?", body: body)
    }

    private var legend: String { results.count > 1 ? Page.legend(names, from: 0) : "" }

    private var stepsToANN: String {
        let points = StepsToANN.points
        let rows = results.indices.compactMap { index -> [String]? in
            guard let found = results[index].stepsToANN else { return nil }
            return [names[index]] + points.map { point in found.first { $0.points == point }?.steps.map(String.init) ?? "not yet" }
        }
        guard !rows.isEmpty else { return "" }
        let header =
            ["steps until no more is lost than"]
            + points.map { $0 == 0 ? "nothing" : $0 == 1 ? "1 point" : "\(figure($0, digits: $0 < 1 ? 1 : 0)) points" }
        return "<h3>How many steps does it take?</h3>" + Page.table(header, rows)
    }

    private var earlyExits: String {
        let lines = results.indices.compactMap { index -> String? in
            guard let exit = results[index].earlyExit else { return nil }
            let share = (exit.accuracy ?? exit.agreement).map { figure($0 * 100) + " %" } ?? "–"
            let all = (exit.accuracyOfAllSteps ?? exit.agreementOfAllSteps).map { figure($0 * 100) + " %" } ?? "–"
            return """
                <li>\(escaped(names[index])): \(figure(exit.averageSteps)) steps on average at a confidence of \(exit.confidence), \
                \(share) right; \(all) after all \(exit.steps).</li>
                """
        }
        return lines.isEmpty ? "" : "<h3>Stopping when it is sure</h3><ul>\(lines.joined())</ul>"
    }

    private var confusionSection: Section {
        var body = ""
        for (index, result) in results.enumerated() {
            guard let confusion = result.confusion else { continue }
            let wrong = EvaluationResult.confused(confusion)
            let before = Dictionary(
                uniqueKeysWithValues: result.annConfusion.map { matrix in
                    EvaluationResult.confused(matrix).map { (PairOfClasses(label: $0.label, prediction: $0.prediction), $0.count) }
                } ?? [])
            let rows = wrong.prefix(10).map { pair -> [String] in
                ["\(pair.label)", "\(pair.prediction)", "\(pair.count)"]
                    + (result.annConfusion == nil ? [] : ["\(before[PairOfClasses(label: pair.label, prediction: pair.prediction)] ?? 0)"])
            }
            if results.count > 1 { body += "<h3>\(escaped(names[index]))</h3>" }
            body += "<div class=\"pair\">"
            body += figureBox(ResultCharts.confusion(confusion), "The spiking network at \(result.steps.last?.steps ?? 0) steps.")
            if let matrix = result.annConfusion {
                body += figureBox(ResultCharts.confusion(matrix, title: " by the ANN"), "The ANN on the same samples.")
            }
            let header = ["label", "taken for", "samples"] + (result.annConfusion == nil ? [] : ["by the ANN"])
            body += "</div>"
            body +=
                rows.isEmpty
                ? "<p>No sample was taken for another class.</p>"
                : details("The pairs confused most often", Page.table(header, Array(rows)))
        }
        return Section(id: "classes", title: "Which classes are taken for which?", body: body)
    }

    private struct PairOfClasses: Hashable {
        var label: Int
        var prediction: Int
    }

    // MARK: How it was measured

    private var methodSection: Section {
        var items: [String] = []
        for (index, result) in results.enumerated() {
            var text = "\(names[index]): \(result.samples) samples, \(figure(result.seconds, digits: 1)) s, \(result.precision)"
            text += "; spikes and operations counted on the first \(result.countedSamples)"
            if let timing = result.timing {
                text +=
                    "; one sample of \(timing.steps) steps took \(figure(timing.secondsOfOneSample * 1e3)) ms (median of \(timing.runs))"
                text += ", in batches \(figure(timing.samplesPerSecondAndThread, digits: 0)) samples a second and thread"
            }
            items.append(text + ".")
            if let judgedBy = result.judgedBy { items.append("\(names[index]) is judged by: \(judgedBy).") }
            if let settings = result.settings {
                let parts = settings.keys.sorted().map {
                    "\($0) \(settings[$0].map { $0.count == 64 ? String($0.prefix(12)) + "…" : $0 } ?? "")"
                }
                items.append("given: " + parts.joined(separator: ", "))
            }
        }
        var body = "<ul>" + items.map { "<li>\(escaped($0))</li>" }.joined() + "</ul>"
        let warnings = cautions + results.flatMap(\.warnings)
        if !warnings.isEmpty {
            body += "<h3>To be aware of</h3><ul class=\"warnings\">" + warnings.map { "<li>\(escaped($0))</li>" }.joined() + "</ul>"
        }
        return Section(id: "method", title: "How was this measured?", body: body)
    }

    // MARK: Pieces

    func figureBox(_ drawing: String, _ caption: String) -> String {
        "<figure>\(drawing)<figcaption>\(escaped(caption))</figcaption></figure>"
    }

    func details(_ summary: String, _ body: String) -> String {
        "<details><summary>\(escaped(summary))</summary>\(body)</details>"
    }
}
