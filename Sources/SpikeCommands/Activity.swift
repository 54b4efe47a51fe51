import Spikelet

/// What the neurons of `snn` do on the first samples of the data.
func activity(of snn: Graph, ann: Graph?, on loader: DataLoader, steps: Int, precision: Precision?) throws -> ActivityTrace? {
    try loader.first(1, wholeBatches: true).first.map { batch in
        // Few samples: the reference executor simulates them, and only one is looked at.
        let isOpen = snn.inputs.first?.type.shape.dimensions.first?.known == nil
        let inputs = batch.inputs.map { isOpen ? $0.samples(0..<min(4, batch.count)) : $0 }
        return try ActivityTrace(snn, ann: ann, inputs: inputs, steps: steps, precision: precision)
    }
}
