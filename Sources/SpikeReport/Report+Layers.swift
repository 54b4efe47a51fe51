import SpikeEvaluation
import SpikeAnalysis
import SpikeGraph

extension Report {
    var layerSection: Section {
        var body = ""
        for (index, result) in results.enumerated() where !result.layers.isEmpty {
            if results.count > 1 { body += "<h3>\(escaped(names[index]))</h3>" }
            body += layers(result)
        }
        return Section(id: "layers", title: "Where does it break?", body: body)
    }

    private func layers(_ result: EvaluationResult) -> String {
        let trace = result.activity
        let hasErrors = result.layers.contains { $0.error != nil }
        let correlations = result.correlations
        let floats = Set((result.floatLayers ?? []).map(\.name))
        let rows = result.layers.map { layer -> [String] in
            let parts = [
                layer.error?.inherited, layer.error?.clipping, layer.error?.quantization, layer.error?.unevenness, layer.error?.total,
            ]
            return [
                layer.title + (floats.contains(layer.name) ? " (float32)" : ""), "\(layer.neurons)",
                layer.threshold.ends.map { figure(Double($0), digits: 3) }.joined(separator: "–"),
                figure(layer.spikesPerNeuron, digits: 3),
            ]
                + (trace == nil ? [] : [correlations[layer.name].map { figure($0, digits: 4) } ?? "–"])
                + (hasErrors ? parts.map { $0.map { figure($0 * 100, digits: 1) } ?? "–" } : [])
        }
        let header =
            ["layer", "neurons", "activation of a spike", "spikes per neuron"] + (trace == nil ? [] : ["correlation"])
            + (hasErrors ? ["inherited, %", "clipping, %", "quantisation, %", "unevenness, %", "total, %"] : [])
        var figures = ""
        if hasErrors {
            let legend = Page.legend(["inherited", "clipping", "quantisation", "unevenness"], from: 1)
            figures += figureBox(
                ResultCharts.errors(result) + legend,
                "What each layer's difference from the ANN is made of, relative to its activations (root mean squares)."
                    + (result.precision == "int8" ? " What int8's rounding changes is part of the unevenness error." : ""))
        }
        figures += figureBox(ResultCharts.spikes(result), "Spikes per neuron at \(result.steps.last?.steps ?? 0) steps.")
        if let trace, let drawing = ResultCharts.correlations(trace) {
            figures += figureBox(drawing, "Correlation of decoded spikes with the ANN's activations.")
        }
        return "<div class=\"pair\">\(figures)</div>" + scatters(trace) + details("Every layer as a table", Page.table(header, rows))
    }

    /// Rate against activation, and θ before and after, of some layers.
    private func scatters(_ trace: ActivityTrace?) -> String {
        guard let trace else { return "" }
        let shown = trace.layers.evenly(atMost: 6)
        let scatters = shown.compactMap { layer in
            ActivityCharts.scatter(layer).map { drawing in
                figureBox(drawing, layer.title + (layer.correlation.map { ", correlation \(figure($0, digits: 4))" } ?? ""))
            }
        }
        let thresholds = shown.compactMap { layer in ActivityCharts.thresholds(layer).map { figureBox($0, layer.title) } }
        var body = ""
        if !scatters.isEmpty {
            body +=
                "<h3>Do spikes say what activations said?</h3><p class=\"note\">Each dot is a neuron; on the dashed line its decoded spikes are the ANN's activation.</p><div class=\"trio\">\(scatters.joined())</div>"
        }
        if !thresholds.isEmpty {
            body += """
                <h3>Where the thresholds went</h3><p class="note">Channels by θ, the largest activation that their neurons can express (coloured), \
                over the same by the ANN’s largest activation on the shown samples (grey), which conversion by maxima would take.</p>\
                <div class="trio">\(thresholds.joined())</div>
                """
        }
        return body
    }

    /// - Parameters:
    ///   - isOfFrames: whether each step had its own input.
    ///   - name: whose neurons they are, where there are several networks.
    func activitySection(_ trace: ActivityTrace, isOfFrames: Bool, of name: String?) -> Section {
        var body = name.map { "<p class=\"note\">Of \(escaped($0)).</p>" } ?? ""
        body += "<div class=\"pair\">"
        if trace.imageShape.count == 3 {
            let size = trace.imageShape[1] * trace.imageShape[2]
            let channels = (0..<trace.imageShape[0]).map { Array(trace.image[$0 * size..<($0 + 1) * size]) }
            if let picture = ActivityCharts.maps(
                Array(channels.prefix(3)), size: Array(trace.imageShape.dropFirst()), title: "the sample that is shown", ground: "film",
                style: "light")
            {
                body += figureBox(
                    picture,
                    "The sample that is shown" + (isOfFrames ? ", the mean of its frames" : "")
                        + (channels.count > 1 ? ", by channel." : "."))
            }
        }
        let names = trace.layers.evenly(atMost: 6).map(\.title)
        body += figureBox(
            ActivityCharts.density(trace) + Page.legend(names, from: 0), "How many neurons spike in each step, mean over the shown samples."
        )
        body += "</div>"
        for layer in trace.layers.evenly(atMost: 4) {
            body += "<h3>\(escaped(layer.title))</h3><div class=\"trio\">"
            body += figureBox(
                ActivityCharts.raster(layer, steps: trace.steps),
                "Spikes of \(layer.watched.count) of \(layer.neurons) neurons on one sample.")
            if let plot = ActivityCharts.membranes(layer) {
                let sums = trace.precision == "int8" ? ", as float32 sums of the int8 spikes" : ""
                body += figureBox(plot, "Membranes of three neurons\(sums)" + (layer.threshold == nil ? "." : "; the dashed line is θ."))
            }
            if let plot = ActivityCharts.maps(layer.maps, size: layer.mapSize, title: "spikes of \(layer.title) by place") {
                body += figureBox(plot, "Where the layer spikes: its first channels.")
            }
            body += "</div>"
        }
        let rows = trace.layers.map { layer in
            [layer.title, "\(layer.neurons)", layer.correlation.map { figure($0, digits: 4) } ?? "–"]
                + layer.density.evenly(atMost: 6).map { figure($0 * 100, digits: 1) }
        }
        let steps = (trace.layers.first?.density ?? []).indices.evenly(atMost: 6).map { "step \($0 + 1), %" }
        body += details("All layers as a table", Page.table(["layer", "neurons", "correlation"] + steps, rows))
        return Section(id: "neurons", title: "What do the neurons do?", body: body)
    }
}
