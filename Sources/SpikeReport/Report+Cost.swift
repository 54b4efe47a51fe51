import SpikeCost
import SpikeEvaluation

extension Report {
    var costSection: Section {
        var body = results.indices.compactMap { index -> String? in
            guard let counts = results[index].counts, let functions = counts.functionOperations, let steps = counts.stepsPerLayerText,
                let whole = counts.stepsEndToEnd
            else { return nil }
            let name = results.count > 1 ? "\(names[index]): " : ""
            return "<p>"
                + escaped(
                    "\(name)each layer takes \(steps) steps, one layer after the other: \(whole) from the input to the output. "
                        + "\(magnitude(Double(functions))) functions of whole potentials (normalisations, softmaxes, smooth activations) are "
                        + "evaluated inside neurons; they are no synaptic operations, and no energy below counts them.") + "</p>"
        }.joined()
        if let drawing = ResultCharts.energy(results) {
            let bars = Page.legend(results.count == 1 ? ["spiking network"] : names, from: 0)
            let ann = "<ul class=\"legend\"><li><span class=\"key ink\"></span>ANN</li></ul>"
            body += """
                <p>No single number says what spikes cost: it depends on what an addition costs beside a multiplication, and on what memory \
                costs beside both. So each published model has its own bar, from the least to the most.</p>
                """
            body +=
                "<div class=\"pair\">"
                + figureBox(
                    drawing + ann + bars,
                    "Energy of one inference at "
                        + (results.count > 1 ? "the most steps of each." : "\(results[0].steps.last?.steps ?? 0) steps."))
        } else {
            body += "<div class=\"pair\">"
        }
        if let counts = results.first?.counts {
            body += figureBox(
                ResultCharts.operations(counts) + Page.legend(["spiking network", "ANN without zeros"], from: 0)
                    + "<ul class=\"legend\"><li><span class=\"key empty-strong\"></span>dense</li></ul>",
                "Operations of one inference by layer" + (results.count > 1 ? ", \(names[0])." : "."))
        }
        body += "</div>" + operationTable + energyTable
        return Section(id: "cost", title: "At what cost?", body: body)
    }

    private var operationTable: String {
        let rows = results.indices.flatMap { index -> [[String]] in
            guard let counts = results[index].counts else { return [] }
            return counts.steps.map { step in
                [
                    names[index], "\(step.steps)", magnitude(step.accumulates + (step.input?.accumulates ?? 0)),
                    magnitude(step.multiplyAccumulates),
                    magnitude(step.input?.multiplyAccumulates ?? Double(counts.inputMultiplyAccumulates)), magnitude(step.membraneUpdates),
                    figure(step.activationSparsity * 100, digits: 1),
                ]
            }
        }
        guard !rows.isEmpty else { return "" }
        let header = ["network", "steps", "ACs", "MACs, graded", "MACs, input", "membrane updates", "zeros, %"]
        var notes = results.indices.compactMap { index -> String? in
            guard let counts = results[index].counts else { return nil }
            var text = "\(names[index]): the ANN takes \(magnitude(Double(counts.ann.multiplyAccumulates))) multiply–accumulates"
            if let effective = counts.ann.effectiveMultiplyAccumulates { text += ", \(magnitude(effective)) without its zeros" }
            let (least, most) = (counts.perSample.min() ?? 0, counts.perSample.max() ?? 0)
            text += "; single samples take \(magnitude(Double(least))) to \(magnitude(Double(most))) synaptic operations"
            let footprint = counts.footprint
            text +=
                "; \(footprint.parameters) parameters in \(magnitude(Double(footprint.bytes)))B, \(magnitude(Double(footprint.bytesOfInt8)))B in int8"
            text += ", membranes \(magnitude(Double(footprint.membraneBytes)))B"
            if let readout = counts.readout { text += "; \(readout.description), on the accumulated output, once" }
            return text + "."
        }
        let input =
            results.contains { $0.frames != nil }
            ? "the layers that read the image, once; of an input of its own in each step all steps, and only what is no event: events are ACs"
            : "the layers that read the image, once"
        notes.append(
            "ACs: operations on 0 and 1. MACs, graded: operations on pooled spikes and sums, which NeuroBench classes as multiply–accumulates. MACs, input: \(input). All exact at borders, strides and groups, as NeuroBench counts them."
        )
        return details(
            "Operations, membranes, memory", Page.table(header, rows) + notes.map { "<p class=\"note\">\(escaped($0))</p>" }.joined())
    }

    private var energyTable: String {
        guard let first = results.first?.energies else { return "" }
        func range(_ bounds: [Double]?, _ text: (Double) -> String) -> String {
            guard let bounds, bounds.count == 2 else { return "–" }
            let (least, most) = (text(bounds[0]), text(bounds[1]))
            return least == most ? least : "\(least) – \(most)"
        }
        let rows = first.flatMap { model in
            results.indices.compactMap { index -> [String]? in
                guard let step = results[index].energies?.first(where: { $0.model == model.model })?.steps.last else { return nil }
                return [model.model] + (results.count > 1 ? [names[index]] : []) + [
                    range(step.ann, EnergyEstimate.joules), range(step.snn, EnergyEstimate.joules), range(step.ratio) { figure($0) },
                    range(step.breakEvenSpikesPerNeuron) { figure($0) }, figure(results[index].steps.last?.spikesPerNeuron ?? 0),
                ]
            }
        }
        let header = ["model"] + (results.count > 1 ? ["network"] : []) + ["ANN", "SNN", "SNN / ANN", "break-even", "spikes per neuron"]
        let sources = first.map { model in
            "<dt>\(escaped(model.model))</dt><dd>\(escaped(model.assumptions)) <span class=\"source\">\(escaped(model.source)).</span></dd>"
        }
        return
            "<h3>When does it pay?</h3><p>Below the break-even, in spikes per neuron over all steps, the spiking network takes less than an ANN of the same precision: surely below the first number, possibly up to the second.</p>"
            + Page.table(header, rows)
            + details("What each model assumes, and where its constants come from", "<dl class=\"sources\">\(sources.joined())</dl>")
    }
}
