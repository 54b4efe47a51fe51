import Foundation
import SpikeGraph

extension OperationCounts {
    /// What one sample takes, at the largest number of steps, in sentences.
    package func description(samples: Int) -> String {
        guard let last = steps.last else { return "" }
        let count = TextTable.magnitude
        let zeros = String(format: "%.1f %%", last.activationSparsity * 100)
        var ann = "the ANN: \(count(Double(ann.multiplyAccumulates))) multiply–accumulates"
        if let effective = self.ann.effectiveMultiplyAccumulates { ann += ", \(count(effective)) without its zeros" }
        let (least, most) = (Double(perSample.min() ?? 0), Double(perSample.max() ?? 0))
        let input =
            last.input.map {
                "\(count($0.accumulates)) accumulates, \(count($0.multiplyAccumulates)) multiply–accumulates on the input, in all steps"
            }
            ?? "\(count(Double(inputMultiplyAccumulates))) multiply–accumulates on the input, once"
        if let functionOperations {
            ann +=
                "\n  \(count(Double(functionOperations))) functions of whole potentials, evaluated inside neurons (no synaptic operations)"
        }
        if let readout { ann += "\n  \(readout.description), on the accumulated output, once" }
        var layers = ""
        if let stepsPerLayerText, let stepsEndToEnd {
            layers = "\n  \(stepsPerLayerText) steps a layer, layer by layer: \(stepsEndToEnd) from the input to the output"
        }
        return """
            one sample takes at \(last.steps) steps (mean of \(samples)):\(layers)
              \(count(last.accumulates)) accumulates; \(count(last.multiplyAccumulates)) on pooled and graded spikes (to NeuroBench MACs)
              \(input)
              \(ann)
              synaptic operations of single samples: \(count(least)) to \(count(most))
              \(count(last.membraneUpdates)) membrane updates; \(zeros) of the neurons' outputs are zero
              \(count(Double(footprint.bytes)))B of parameters (\(count(Double(footprint.bytesOfInt8)))B in int8), \(count(Double(footprint.membraneBytes)))B of membranes

            """
    }
}

extension OperationCounts.Readout {
    package var description: String {
        let count = TextTable.magnitude
        return "\(count(Double(functions))) nonlinear functions, \(count(Double(multiplyAccumulates))) multiply–accumulates"
    }
}

extension EnergyEstimate {
    /// The table for a terminal, at the largest number of steps.
    package static func table(_ estimates: [EnergyEstimate]) -> String {
        let header = ["energy of one inference", "ANN", "SNN", "SNN/ANN", "break-even spikes/neuron"]
        let rows = estimates.compactMap { estimate -> [String]? in
            guard let step = estimate.steps.last else { return nil }
            func range(_ bounds: [Double]?, _ text: (Double) -> String) -> String {
                guard let bounds, bounds.count == 2 else { return "–" }
                let (least, most) = (text(bounds[0]), text(bounds[1]))
                return least == most ? least : "\(least)–\(most)"
            }
            return [
                estimate.model, range(step.ann) { joules($0) }, range(step.snn) { joules($0) },
                range(step.ratio) { String(format: $0 < 9.995 ? "%.2f" : "%.0f", $0) },
                range(step.breakEvenSpikesPerNeuron) { String(format: $0 < 9.995 ? "%.2f" : "%.0f", $0) },
            ]
        }
        return TextTable.format([header] + rows, rightAligned: [1, 2, 3, 4])
            + "from the least to the most; each model's source and assumptions are in the JSON and in the report\n"
    }

    /// 4.5 µJ.
    package static func joules(_ value: Double) -> String {
        for (scale, unit) in [(1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ"), (1e-9, "nJ"), (1e-12, "pJ")] where value >= scale * 0.9995 {
            let number = value / scale
            let isRound = abs(number - number.rounded()) < 1e-9
            return String(format: isRound ? "%.0f" : number < 9.995 ? "%.2f" : number < 99.95 ? "%.1f" : "%.0f", number) + " \(unit)"
        }
        return value == 0 ? "0" : String(format: "%.2f pJ", value * 1e12)
    }
}
