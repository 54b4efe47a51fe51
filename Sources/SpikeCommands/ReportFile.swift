import Spikelet

/// Writes results as a page, with what the neurons of `snn` do on the first samples of the data.
func writeReport(_ results: [EvaluationResult], snn: Graph, ann: Graph?, loader: DataLoader, to path: String) throws {
    var pass = loader.makePass()
    let trace = try pass.next().map { batch in
        // Few samples: the reference executor simulates them, and only one is looked at.
        let isOpen = snn.inputs.first?.type.shape.dimensions.first?.known == nil
        let inputs = batch.inputs.map { isOpen ? $0.samples(0..<min(4, batch.count)) : $0 }
        return try ActivityTrace(snn, ann: ann, inputs: inputs, steps: results.first?.steps.last?.steps ?? 1)
    }
    try Report(results, trace: trace).write(to: path)
}
