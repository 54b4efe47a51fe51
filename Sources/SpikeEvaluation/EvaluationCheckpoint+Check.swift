import SpikeCost
import SpikeGraph

extension EvaluationCheckpoint {
    /// Whether it can be what an evaluation left: the lengths of its lists, and the ranges of its numbers.
    ///
    /// - Throws: ``SpikeletError`` (`malformedFile`) with the key and what is wrong with it.
    func check() throws {
        let key = "partial.tally"
        try FileCheck.number(seconds, "partial.seconds")
        try FileCheck.steps(tally.steps, "\(key).steps")
        try FileCheck.count(tally.samples, "\(key).samples", in: 1...FileCheck.mostCount)
        try FileCheck.count(tally.countedSamples, "\(key).countedSamples", in: 0...tally.samples)
        try FileCheck.count(tally.annCorrect, "\(key).annCorrect")
        try FileCheck.count(tally.engineNanoseconds, "\(key).engineNanoseconds")
        let (columns, last) = (tally.steps.count, tally.steps.last ?? 1)
        for (name, list) in [("correct", tally.correct), ("agreeing", tally.agreeing)] {
            try FileCheck.length(list.count, "\(key).\(name)", columns)
            try FileCheck.counts(list, "\(key).\(name)")
        }
        for (name, list) in [("correctByStep", tally.correctByStep), ("agreeingByStep", tally.agreeingByStep)] {
            try FileCheck.length(list.count, "\(key).\(name)", noneOr: last)
            try FileCheck.counts(list, "\(key).\(name)")
        }
        try FileCheck.length(tally.agreeingByStep.count, "\(key).agreeingByStep", tally.correctByStep.count)
        try FileCheck.length(tally.ofSamples.count, "\(key).ofSamples", columns)
        for (index, list) in tally.ofSamples.enumerated() {
            try FileCheck.length(list.count, "\(key).ofSamples[\(index)]", noneOr: tally.samples)
            try FileCheck.counts(list, "\(key).ofSamples[\(index)]")
        }
        try FileCheck.counts(tally.confusion, "\(key).confusion")
        try FileCheck.counts(tally.annConfusion, "\(key).annConfusion")
        for (node, count) in tally.annOperations { try FileCheck.count(count, "\(key).annOperations.\(node)") }
        for (steps, run) in tally.runs { try run.check("\(key).runs.\(steps)", steps: steps, samples: tally.countedSamples) }
        try tally.exits.check("\(key).exits.paths", samples: tally.samples, steps: last)
        try tally.distances.check("\(key).distances", samples: tally.samples, columns: columns)
    }

    /// Whether an evaluation can go on from it.
    ///
    /// - Throws: ``SpikeletError`` where it is another evaluation's, or damaged.
    func check(for evaluator: Evaluator) throws {
        guard tally.steps == evaluator.steps else {
            throw SpikeletError(
                .invalidData, "the earlier run reports the steps \(tally.steps), this one \(evaluator.steps)", remedy: "give the same steps"
            )
        }
        try check()
        let key = "partial.tally"
        let task = evaluator.task
        let counted =
            if case .engine(_, let countedSamples) = evaluator.executor { min(max(0, countedSamples), tally.samples) } else {
                tally.samples
            }
        try FileCheck.count(tally.countedSamples, "\(key).countedSamples", in: counted...counted)
        try FileCheck.length(tally.runs.count, "\(key).runs", counted > 0 ? evaluator.runs.count : 0)
        for run in evaluator.runs where counted > 0 {
            guard let sums = tally.runs[run] else { throw FileCheck.damaged("\(key).runs.\(run)", "is missing") }
            try sums.check("\(key).runs.\(run)", of: evaluator.snn, steps: run, samples: counted)
        }
        // Each prediction is right or not, and is counted at each step.
        let (predictions, overflow) = tally.samples.multipliedReportingOverflow(by: task.places)
        let most = task.kind == .values || overflow ? 0 : predictions
        try FileCheck.counts(tally.correct, "\(key).correct", in: 0...(tally.hasLabels ? most : 0))
        try FileCheck.counts(tally.agreeing, "\(key).agreeing", in: 0...(evaluator.ann == nil ? 0 : most))
        try FileCheck.counts(tally.correctByStep, "\(key).correctByStep", in: 0...(tally.hasLabels ? most : 0))
        try FileCheck.counts(tally.agreeingByStep, "\(key).agreeingByStep", in: 0...(evaluator.ann == nil ? 0 : most))
        try FileCheck.count(tally.annCorrect, "\(key).annCorrect", in: 0...(evaluator.ann == nil || !tally.hasLabels ? 0 : most))
        let curve = evaluator.program != nil && evaluator.runsStream && task.kind != .values ? evaluator.steps.last ?? 1 : 0
        try FileCheck.length(tally.correctByStep.count, "\(key).correctByStep", curve)
        let matrix = tally.hasLabels && task.classCount <= Evaluator.mostConfused ? task.classCount * task.classCount : 0
        try FileCheck.length(tally.confusion.count, "\(key).confusion", matrix)
        try FileCheck.length(tally.annConfusion.count, "\(key).annConfusion", evaluator.ann == nil ? 0 : matrix)
        for (index, list) in tally.ofSamples.enumerated() {
            try FileCheck.length(list.count, "\(key).ofSamples[\(index)]", task.places > 1 ? tally.samples : 0)
            try FileCheck.counts(list, "\(key).ofSamples[\(index)]", in: 0...task.places)
        }
        try FileCheck.length(tally.exits.paths.count, "\(key).exits.paths", evaluator.earlyExit == nil ? 0 : tally.samples)
        let dense = evaluator.annCounter?.synapses.mostOperations(samples: counted) ?? [:]
        for (node, count) in tally.annOperations {
            guard let most = dense[node] else { throw FileCheck.damaged("\(key).annOperations.\(node)", "is no layer of the ANN") }
            try FileCheck.count(count, "\(key).annOperations.\(node)", in: 0...most)
        }
        try tally.distances.check(
            "\(key).distances", isOfValues: task.kind == .values, hasANN: evaluator.ann != nil, samples: tally.samples)
    }
}

extension OperationCounter.Run {
    /// By name, the sums by node and step.
    private var lists: [(name: String, sums: [String: [Int]])] {
        [
            ("accumulates", accumulates), ("multiplyAccumulates", multiplyAccumulates), ("spikes", spikes), ("active", active),
            ("membraneUpdates", membraneUpdates),
        ]
    }

    fileprivate func check(_ key: String, steps: Int, samples: Int) throws {
        try FileCheck.count(steps, key, in: 1...FileCheck.mostSteps)
        for (name, sums) in lists {
            for (node, list) in sums {
                try FileCheck.length(list.count, "\(key).\(name).\(node)", in: 0...steps)
                try FileCheck.counts(list, "\(key).\(name).\(node)")
            }
        }
        for (node, count) in inputOperations { try FileCheck.count(count, "\(key).inputOperations.\(node)") }
        try FileCheck.length(perSample.count, "\(key).perSample", samples)
        try FileCheck.counts(perSample, "\(key).perSample")
    }

    /// Lists of another length would be cut when others are added to them, and more operations than there are make no energy.
    fileprivate func check(_ key: String, of snn: Graph, steps: Int, samples: Int) throws {
        let dense = SynapseCounter(snn).mostOperations(samples: samples)
        let neurons = Set(
            snn.nodes.filter { if case .neuron = $0.operator { true } else { false } }.map(\.name))
        for (name, sums) in lists {
            let isOfNeurons = name != "accumulates" && name != "multiplyAccumulates"
            let wanted = isOfNeurons ? neurons : Set(accumulates.keys).union(multiplyAccumulates.keys)
            for node in Set(sums.keys).union(wanted).sorted() {
                guard let list = sums[node], wanted.contains(node), isOfNeurons || dense[node] != nil else {
                    throw FileCheck.damaged("\(key).\(name).\(node)", sums[node] == nil ? "is missing" : "is no such node of the network")
                }
                try FileCheck.length(list.count, "\(key).\(name).\(node)", steps)
                if let most = dense[node], !isOfNeurons { try FileCheck.counts(list, "\(key).\(name).\(node)", in: 0...most) }
            }
        }
        for (node, count) in inputOperations {
            guard let most = dense[node] else { throw FileCheck.damaged("\(key).inputOperations.\(node)", "is no layer of the network") }
            try FileCheck.count(count, "\(key).inputOperations.\(node)", in: 0...most)
        }
    }
}

extension SynapseCounter {
    /// By layer, the most that one pass of so many samples can take.
    fileprivate func mostOperations(samples: Int) -> [String: Int] {
        Dictionary(
            layers.map { layer in
                let (product, overflow) = layer.denseOperations.multipliedReportingOverflow(by: samples)
                return (layer.name, overflow ? FileCheck.mostCount : min(product, FileCheck.mostCount))
            }, uniquingKeysWith: { first, _ in first })
    }
}

extension ExitPaths {
    fileprivate func check(_ key: String, samples: Int, steps: Int) throws {
        try FileCheck.length(paths.count, key, noneOr: samples)
        for (index, path) in paths.enumerated() {
            try FileCheck.length(path.confidence.count, "\(key)[\(index)].confidence", steps)
            try FileCheck.numbers(path.confidence, "\(key)[\(index)].confidence", in: 0...1.001)
            try FileCheck.length(path.isCorrect.count, "\(key)[\(index)].isCorrect", steps)
            try FileCheck.length(path.isAgreeing.count, "\(key)[\(index)].isAgreeing", steps)
        }
    }
}

extension Distances {
    private var lists: [(name: String, columns: [[Double]])] { [("squares", squares), ("absolutes", absolutes), ("fromANN", fromANN)] }

    fileprivate func check(_ key: String, samples: Int, columns: Int) throws {
        for (name, lists) in lists {
            try FileCheck.length(lists.count, "\(key).\(name)", columns)
            for (index, list) in lists.enumerated() {
                try FileCheck.length(list.count, "\(key).\(name)[\(index)]", noneOr: samples)
                try FileCheck.numbers(list, "\(key).\(name)[\(index)]", in: 0...1e80)
            }
        }
        for (name, list) in [("annSquares", annSquares), ("annAbsolutes", annAbsolutes), ("targets.squares", targets.squares)] {
            try FileCheck.length(list.count, "\(key).\(name)", noneOr: samples)
            try FileCheck.numbers(list, "\(key).\(name)", in: 0...1e90)
        }
        try FileCheck.count(targets.channels, "\(key).targets.channels", in: 0...1 << 30)
        try FileCheck.count(targets.size, "\(key).targets.size", in: 0...1 << 40)
        let (wanted, overflow) = targets.squares.count.multipliedReportingOverflow(by: targets.channels)
        try FileCheck.length(targets.sums.count, "\(key).targets.sums", overflow ? -1 : wanted)
        try FileCheck.numbers(targets.sums, "\(key).targets.sums", in: -1e60...1e60)
    }

    /// Which lists there are is the same at all numbers of steps.
    fileprivate func check(_ key: String, isOfValues: Bool, hasANN: Bool, samples: Int) throws {
        let withTargets = isOfValues && !targets.squares.isEmpty ? samples : 0
        for (name, lists) in lists {
            for (index, list) in lists.enumerated() {
                let wanted = name == "fromANN" ? (isOfValues && hasANN ? samples : 0) : withTargets
                try FileCheck.length(list.count, "\(key).\(name)[\(index)]", wanted)
            }
        }
        try FileCheck.length(annSquares.count, "\(key).annSquares", hasANN ? withTargets : 0)
        try FileCheck.length(annAbsolutes.count, "\(key).annAbsolutes", hasANN ? withTargets : 0)
        try FileCheck.length(targets.squares.count, "\(key).targets.squares", withTargets)
    }
}
