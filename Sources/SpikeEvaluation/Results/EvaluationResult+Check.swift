import SpikeFiles
import SpikeAnalysis
import SpikeCost
import SpikeGraph

extension EvaluationResult {
    /// Reads a result, whole or partial, that `spikelet evaluate --json` wrote.
    ///
    /// What another program or an accident made of the file is found: lists of other lengths, numbers outside their ranges.
    ///
    /// - Throws: ``SpikeletError``: `fileSystem` where there is no such file, `malformedFile` where it holds something else or is
    ///   damaged, with the key and what is wrong with it.
    public static func read(_ path: String) throws -> EvaluationResult {
        let file = try ByteSource(path: path)
        do {
            return try EvaluationResult(json: file.bytes(at: 0, count: file.count))
        } catch let error as SpikeletError where error.code == .malformedFile {
            throw error.located(path)
        }
    }

    /// A result from its JSON.
    package init(json: [UInt8]) throws {
        do {
            self = try JSON.decode(EvaluationResult.self, from: json)
        } catch let error as DecodingError {
            throw SpikeletError(
                .malformedFile, "no result of an evaluation: " + error.sentence(about: "the result"),
                remedy: "give the JSON of an evaluation's result")
        }
        try check()
    }

    /// Whether it can be what an evaluation found.
    package func check() throws {
        try FileCheck.count(samples, "samples", in: 1...FileCheck.mostCount)
        try FileCheck.count(countedSamples, "countedSamples", in: 0...samples)
        try FileCheck.number(seconds, "seconds")
        try FileCheck.steps(steps.map(\.steps), "steps")
        let last = steps.last?.steps ?? 1
        try FileCheck.count(frames, "frames", in: last...last)
        try ann?.check("ann")
        for (index, step) in steps.enumerated() { try step.check("steps[\(index)]") }
        for (index, layer) in layers.enumerated() { try layer.check("layers[\(index)]") }
        for (name, matrix) in [("confusion", confusion), ("annConfusion", annConfusion)] {
            for (index, row) in (matrix ?? []).enumerated() {
                try FileCheck.length(row.count, "\(name)[\(index)]", matrix?.count ?? 0)
                try FileCheck.counts(row, "\(name)[\(index)]")
            }
        }
        if let annConfusion, annConfusion.count != confusion?.count {
            throw FileCheck.damaged("confusion", "has \(confusion?.count ?? 0) classes, annConfusion \(annConfusion.count)")
        }
        try counts?.check("counts", steps: steps.map(\.steps), samples: countedSamples)
        for (index, model) in (energies ?? []).enumerated() { try model.check("energies[\(index)]", steps: steps.map(\.steps)) }
        for (name, shares) in [("accuracy", curve?.accuracy), ("agreement", curve?.agreement)] {
            if let shares, shares.count != last {
                throw FileCheck.damaged("curve.\(name)", "has \(shares.count) entries, but the last of the steps is \(last)")
            }
            try FileCheck.numbers(shares, "curve.\(name)", in: 0...1)
        }
        for (index, entry) in (stepsToANN ?? []).enumerated() {
            try FileCheck.number(entry.points, "stepsToANN[\(index)].points", in: 0...100)
            try FileCheck.count(entry.steps, "stepsToANN[\(index)].steps", in: 1...last)
        }
        try FileCheck.number(timing?.secondsOfOneSample, "timing.secondsOfOneSample")
        try FileCheck.number(timing?.samplesPerSecondAndThread, "timing.samplesPerSecondAndThread")
        try FileCheck.count(timing?.steps, "timing.steps", in: 1...FileCheck.mostSteps)
        try FileCheck.count(timing?.runs, "timing.runs")
        try precisionCheck?.check("precisionCheck")
        try earlyExit?.check("earlyExit", samples: samples)
        try activity?.check("activity")
        guard let partial else { return }
        try partial.check()
        try FileCheck.count(partial.samples, "partial.tally.samples", in: samples...samples)
        guard partial.tally.steps == steps.map(\.steps) else {
            throw FileCheck.damaged("partial.tally.steps", "are \(partial.tally.steps), not those of the result")
        }
    }
}

extension EvaluationResult.ANN {
    fileprivate func check(_ key: String) throws {
        try FileCheck.number(accuracy, "\(key).accuracy", in: 0...1)
        try error?.check("\(key).error")
    }
}

extension RegressionError {
    fileprivate func check(_ key: String) throws {
        try FileCheck.number(rootMeanSquare, "\(key).rootMeanSquare", in: 0...1e40)
        try FileCheck.number(meanAbsolute, "\(key).meanAbsolute", in: 0...1e40)
        try FileCheck.number(determination, "\(key).determination", in: -1e90...1)
    }
}

extension EvaluationResult.Step {
    fileprivate func check(_ key: String) throws {
        try FileCheck.number(accuracy, "\(key).accuracy", in: 0...1)
        try FileCheck.number(agreement, "\(key).agreement", in: 0...1)
        try error?.check("\(key).error")
        try FileCheck.number(deviation, "\(key).deviation", in: 0...1e40)
        let isShare = error == nil && deviation == nil
        try FileCheck.numbers(confidence95.ends, "\(key).confidence95", in: 0...(isShare ? 1 : 1e40))
        try FileCheck.number(spikesPerNeuron, "\(key).spikesPerNeuron")
        try FileCheck.number(synapticOperations, "\(key).synapticOperations")
        try FileCheck.number(energy.ann, "\(key).energy.ann")
        try FileCheck.number(energy.snn, "\(key).energy.snn")
    }
}

extension EvaluationResult.Layer {
    fileprivate func check(_ key: String) throws {
        try FileCheck.count(neurons, "\(key).neurons")
        try FileCheck.numbers(threshold.ends, "\(key).threshold", in: -1e39...1e39)
        try FileCheck.number(spikesPerNeuron, "\(key).spikesPerNeuron")
        guard let error else { return }
        try FileCheck.count(error.neurons, "\(key).error.neurons")
        try FileCheck.count(error.levels, "\(key).error.levels")
        try FileCheck.numbers(error.threshold.ends, "\(key).error.threshold", in: -1e39...1e39)
        for (name, part) in [
            ("spikesPerNeuron", error.spikesPerNeuron), ("annRootMeanSquare", error.annRootMeanSquare), ("inherited", error.inherited),
            ("clipping", error.clipping), ("quantization", error.quantization), ("unevenness", error.unevenness), ("total", error.total),
            ("added", error.added),
        ] {
            try FileCheck.number(part, "\(key).error.\(name)", in: 0...1e40)
        }
    }
}

extension EvaluationResult.EarlyExit {
    fileprivate func check(_ key: String, samples all: Int) throws {
        try FileCheck.number(Double(confidence), "\(key).confidence", in: 0...1)
        try FileCheck.count(steps, "\(key).steps", in: 1...FileCheck.mostSteps)
        try FileCheck.number(averageSteps, "\(key).averageSteps", in: 0...Double(steps))
        for (name, share) in [
            ("accuracy", accuracy), ("agreement", agreement), ("accuracyOfAllSteps", accuracyOfAllSteps),
            ("agreementOfAllSteps", agreementOfAllSteps), ("allowedLoss", allowedLoss),
        ] {
            try FileCheck.number(share, "\(key).\(name)", in: 0...1)
        }
        try FileCheck.number(choosingLoss, "\(key).choosingLoss", in: -1...1)
        try FileCheck.count(samples, "\(key).samples", in: 0...all)
        try FileCheck.count(choosingSamples, "\(key).choosingSamples", in: 0...all)
    }
}

extension OperationCounts {
    fileprivate func check(_ key: String, steps reported: [Int], samples: Int) throws {
        let last = reported.last ?? 1
        try FileCheck.count(inputMultiplyAccumulates, "\(key).inputMultiplyAccumulates")
        try FileCheck.number(effectiveInputMultiplyAccumulates, "\(key).effectiveInputMultiplyAccumulates")
        guard steps.map(\.steps) == reported else { throw FileCheck.damaged("\(key).steps", "are other steps than the result's") }
        for (index, step) in steps.enumerated() {
            for (name, count) in [
                ("accumulates", step.accumulates), ("multiplyAccumulates", step.multiplyAccumulates), ("spikes", step.spikes),
                ("membraneUpdates", step.membraneUpdates), ("input.accumulates", step.input?.accumulates),
                ("input.multiplyAccumulates", step.input?.multiplyAccumulates),
            ] {
                try FileCheck.number(count, "\(key).steps[\(index)].\(name)")
            }
            // Spikes taken back, and several at once, are outputs that are not zero; there are never more of them than outputs.
            try FileCheck.number(step.activationSparsity, "\(key).steps[\(index)].activationSparsity", in: 0...1)
        }
        for (index, layer) in layers.enumerated() {
            try FileCheck.count(layer.dense, "\(key).layers[\(index)].dense")
            for (name, list) in [("accumulates", layer.accumulates), ("multiplyAccumulates", layer.multiplyAccumulates)] {
                try FileCheck.length(list.count, "\(key).layers[\(index)].\(name)", in: 0...last)
                try FileCheck.numbers(list, "\(key).layers[\(index)].\(name)")
            }
            try FileCheck.number(layer.ann, "\(key).layers[\(index)].ann")
        }
        for (index, layer) in neurons.enumerated() {
            try FileCheck.count(layer.neurons, "\(key).neurons[\(index)].neurons")
            for (name, list) in [("spikes", layer.spikes), ("membraneUpdates", layer.membraneUpdates)] {
                try FileCheck.length(list.count, "\(key).neurons[\(index)].\(name)", in: 0...last)
                try FileCheck.numbers(list, "\(key).neurons[\(index)].\(name)")
            }
        }
        guard perSample.count <= samples else {
            throw FileCheck.damaged("\(key).perSample", "has \(perSample.count) entries, more than the countedSamples (\(samples))")
        }
        try FileCheck.counts(perSample, "\(key).perSample")
        try FileCheck.count(ann.multiplyAccumulates, "\(key).ann.multiplyAccumulates")
        try FileCheck.number(ann.effectiveMultiplyAccumulates, "\(key).ann.effectiveMultiplyAccumulates")
        for (name, count) in [
            ("parameters", footprint.parameters), ("bytes", footprint.bytes), ("bytesOfInt8", footprint.bytesOfInt8),
            ("membraneBytes", footprint.membraneBytes),
        ] {
            try FileCheck.count(count, "\(key).footprint.\(name)")
        }
        try FileCheck.count(readout?.multiplyAccumulates, "\(key).readout.multiplyAccumulates")
        try FileCheck.count(readout?.functions, "\(key).readout.functions")
        try FileCheck.count(functionOperations, "\(key).functionOperations")
        try FileCheck.count(stepsPerLayer, "\(key).stepsPerLayer")
        try FileCheck.count(fewestStepsPerLayer, "\(key).fewestStepsPerLayer")
        try FileCheck.number(meanStepsPerLayer, "\(key).meanStepsPerLayer")
        try FileCheck.count(neuronSteps, "\(key).neuronSteps")
        try FileCheck.count(parameterSteps, "\(key).parameterSteps")
        try FileCheck.count(stepsEndToEnd, "\(key).stepsEndToEnd")
        try FileCheck.number(footprint.connectionSparsity, "\(key).footprint.connectionSparsity", in: 0...1)
    }
}

extension EnergyEstimate {
    fileprivate func check(_ key: String, steps reported: [Int]) throws {
        guard steps.map(\.steps) == reported else { throw FileCheck.damaged("\(key).steps", "are other steps than the result's") }
        for (index, step) in steps.enumerated() {
            for (name, range) in [
                ("ann", step.ann), ("snn", step.snn), ("ratio", step.ratio), ("breakEvenSpikesPerNeuron", step.breakEvenSpikesPerNeuron),
            ] {
                try FileCheck.length(range?.count, "\(key).steps[\(index)].\(name)", 2)
                try FileCheck.numbers(range, "\(key).steps[\(index)].\(name)")
            }
        }
    }
}

extension ActivityTrace {
    fileprivate func check(_ key: String) throws {
        try FileCheck.count(steps, "\(key).steps", in: 1...FileCheck.mostSteps)
        try FileCheck.counts(imageShape, "\(key).imageShape", in: 0...1 << 20)
        try FileCheck.length(imageShape.count, "\(key).imageShape", in: 0...8)
        if imageShape.count == 3 { try FileCheck.length(image.count, "\(key).image", imageShape.reduce(1, *)) }
        try FileCheck.numbers(image, "\(key).image", in: -1e39...1e39)
        for (index, layer) in layers.enumerated() { try layer.check("\(key).layers[\(index)]", steps: steps) }
    }
}

extension ActivityTrace.Layer {
    fileprivate func check(_ key: String, steps: Int) throws {
        try FileCheck.count(neurons, "\(key).neurons")
        try FileCheck.length(density.count, "\(key).density", in: 0...steps)
        try FileCheck.numbers(density, "\(key).density")
        try FileCheck.counts(watched, "\(key).watched", in: 0...max(0, neurons - 1))
        try FileCheck.length(spikes.count, "\(key).spikes", watched.count)
        for (index, list) in spikes.enumerated() {
            try FileCheck.length(list.count, "\(key).spikes[\(index)]", in: 0...steps)
            try FileCheck.counts(list, "\(key).spikes[\(index)]", in: -FileCheck.mostCount...FileCheck.mostCount)
        }
        try FileCheck.length(membranes.count, "\(key).membranes", in: 0...watched.count)
        for (index, list) in membranes.enumerated() {
            try FileCheck.length(list.count, "\(key).membranes[\(index)]", in: 0...steps)
            try FileCheck.numbers(list, "\(key).membranes[\(index)]", in: -1e39...1e39)
        }
        try FileCheck.number(threshold.map(Double.init), "\(key).threshold", in: -1e39...1e39)
        try FileCheck.length(decoded.count, "\(key).decoded", activations.count)
        for (name, list) in [("activations", activations), ("decoded", decoded)] {
            try FileCheck.numbers(list, "\(key).\(name)", in: -1e39...1e39)
        }
        try FileCheck.number(correlation, "\(key).correlation", in: -1.001...1.001)
        try FileCheck.length(mapSize.count, "\(key).mapSize", noneOr: 2)
        try FileCheck.counts(mapSize, "\(key).mapSize", in: 0...1 << 20)
        for (index, map) in maps.enumerated() {
            try FileCheck.length(map.count, "\(key).maps[\(index)]", mapSize.reduce(1, *))
            try FileCheck.numbers(map, "\(key).maps[\(index)]", in: -1e39...1e39)
        }
        for (name, list) in [("largest", largest), ("thresholds", thresholds)] {
            try FileCheck.numbers(list, "\(key).\(name)", in: 0...1e39)
        }
        try FileCheck.length(largest?.count, "\(key).largest", thresholds?.count ?? 0)
    }
}
