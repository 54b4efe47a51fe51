import Foundation
import SpikeGraph
import SpikeReference

/// What sending an activation with few digits does to a network's outputs.
struct DigitSensitivity {
    /// The samples that are looked at, at most; and multiply–accumulates of all runs, from which on it is fewer samples.
    static let (mostSamples, mostOperations) = (256, 1e12)
    private static let fewestSamples = 16

    let graph: Graph
    let sites: [DigitSite]
    /// By site, and number of digits less one: what the last digit stands for.
    let spikes: [[[Float]]]

    /// - Returns: by site, and number of digits less one, the error of the outputs: the sum over outputs of squared differences from the ANN's
    ///   own, as a share of these squared; and how many samples it is the mean of. Of outputs that are no real numbers, such as an ArgMax's,
    ///   it is that of the real numbers they are made of; places that are not finite do not count.
    /// - Throws: ``SpikeletError`` where the data cannot tell one layer's digits from another's.
    func errors(on data: any BatchSource) throws -> (errors: [[Double]], samples: Int) {
        let portions = try CalibrationPortions(of: data, first: samples, for: graph)
        guard portions.samples > 0 else {
            throw SpikeletError(
                .invalidData, "too few calibration samples to find where digits are needed",
                remedy: "it takes two, or two batches of a network that takes whole ones; or give all layers the same number of digits")
        }
        let bar = Progress.begin("choosing digits", total: portions.inputs.count, unit: "portions")
        defer { bar.finish() }
        let threads = ProcessInfo.processInfo.activeProcessorCount
        let parts = try concurrentMap(portions.inputs, atMost: threads) { inputs in
            defer { bar.advance() }
            return try sums(inputs)
        }
        let outputs = parts.first?.own.count ?? 0
        let own = (0..<outputs).map { output in parts.reduce(0) { $0 + $1.own[output] } }
        let errors = sites.indices.map { site in
            spikes[site].indices.map { index in
                (0..<outputs).reduce(0.0) { sum, output in
                    let missed = parts.reduce(0) { $0 + $1.missed[site][index][output] }
                    return sum + (own[output] > 0 ? missed / own[output] : missed)
                }
            }
        }
        guard errors.isEmpty || errors.contains(where: { $0.contains { $0 > 0 && $0.isFinite } }) else {
            throw SpikeletError(
                .invalidData,
                "the outputs do not tell where digits are needed: they are the same with one digit as with many, or not finite",
                remedy: "give other calibration data, or all layers the same number of digits")
        }
        return (errors, portions.samples)
    }

    /// The outputs, and of those that are no real numbers the ones that they are made of.
    private var measured: [String] {
        let producers = graph.producers
        var (found, open) = ([String](), graph.outputs.map(\.value).reversed() as [String])
        var seen: Set<String> = []
        while let value = open.popLast() {
            guard graph.constants[value] == nil, seen.insert(value).inserted else { continue }
            if graph.types[value]?.elementType == .float32 {
                found.append(value)
            } else {
                open += producers[value]?.inputs.reversed() ?? []
            }
        }
        return found
    }

    /// As many as ``mostOperations`` allow.
    private var samples: Int {
        let operations = graph.nodes.map { Double(graph.operations(of: $0)) }
        let producers = Dictionary(graph.nodes.enumerated().map { ($1.name, $0) }) { first, _ in first }
        let runs = sites.indices.reduce(0.0) { sum, site in
            let behind = operations[(producers[sites[site].node.name] ?? 0)...].reduce(0, +)
            return sum + behind * Double(spikes[site].count)
        }
        return max(Self.fewestSamples, Int(min(Double(Self.mostSamples), Self.mostOperations / max(1, runs))))
    }

    /// Squares of the outputs, and of what they miss.
    private struct Sums {
        /// By output.
        var own: [Double]
        /// By site, number of digits less one, and output.
        var missed: [[[Double]]]
    }

    private func sums(_ inputs: [Tensor]) throws -> Sums {
        let batch = inputs.first?.shape.first
        var values = graph.constants
        for (input, tensor) in zip(graph.inputs, inputs) { values[input.name] = tensor }
        for node in graph.nodes {
            let operands = node.inputs.compactMap { values[$0] }
            for (name, result) in zip(node.outputs, try ReferenceExecutor.evaluate(node.operator, operands, batch: batch)) {
                values[name] = result
            }
        }
        let outputs = measured
        let own = outputs.map { values[$0]?.floats ?? [] }
        let missed = try sites.indices.map { site in
            try spikes[site].indices.map { index in
                let changed = try changed(values, sites[site], spike: spikes[site][index], digits: index + 1, batch: batch)
                return zip(outputs, own).map { name, own in changed[name].map { Self.squares($0.floats, less: own) } ?? 0 }
            }
        }
        return Sums(own: own.map { Self.squares($0, less: nil) }, missed: missed)
    }

    private static func squares(_ values: [Float], less other: [Float]?) -> Double {
        guard let other else { return values.reduce(0) { $1.isFinite ? $0 + Double($1) * Double($1) : $0 } }
        return zip(values, other).reduce(0) { sum, pair in
            guard pair.0.isFinite, pair.1.isFinite else { return sum }
            let difference = Double(pair.0) - Double(pair.1)
            return sum + difference * difference
        }
    }

    /// The values that are others where a site sends digits.
    private func changed(_ values: [String: Tensor], _ site: DigitSite, spike: [Float], digits: Int, batch: Int?) throws -> [String: Tensor]
    {
        let value = site.node.outputs[0]
        guard let own = values[value] else { return [:] }
        let rounded = try Self.rounded(own, site, spike: spike, digits: digits)
        var changed: [String: Tensor] = [:]
        if site.readers == nil { changed[value] = rounded }
        for node in graph.nodes where node.name != site.node.name {
            var differs = false
            let operands = node.inputs.enumerated().compactMap { position, name -> Tensor? in
                if name == value, site.readers?.contains(.init(node: node.name, position: position)) == true {
                    differs = true
                    return rounded
                }
                if let other = changed[name] {
                    differs = true
                    return other
                }
                return values[name]
            }
            guard differs else { continue }
            for (name, result) in zip(node.outputs, try ReferenceExecutor.evaluate(node.operator, operands, batch: batch)) {
                changed[name] = result
            }
        }
        return changed
    }

    /// What is read of a value that is sent in so many digits.
    private static func rounded(_ value: Tensor, _ site: DigitSite, spike: [Float], digits: Int) throws -> Tensor {
        let most = Float(1 << digits) - 1
        let isSigned = site.isSigned
        let numbers = try VoltageScaler(scales: spike.map { 1 / $0 }, axis: site.axis)(value).map { number -> Float in
            let magnitude = min(((isSigned ? number.magnitude : max(0, number)) + 0.5).rounded(.down), most)
            return isSigned ? Float(signOf: number, magnitudeOf: magnitude) : magnitude
        }
        return try VoltageScaler(scales: spike, axis: site.axis)(numbers)
    }
}

extension Graph {
    /// Multiply–accumulates of a node with constant weights for one sample, about; of others the numbers that it gives.
    fileprivate func operations(of node: Node) -> Int {
        let shape = types[node.outputs[0]]?.shape.resolved(batch: 1) ?? []
        let made = shape.reduce(1, *)
        guard hasWeights(node), node.inputs.count > 1, let weights = constants[node.inputs[1]] else { return made }
        let isImage = if case .matMul = node.operator { false } else if case .gemm = node.operator { false } else { true }
        let features = max(1, (isImage && shape.count > 1 ? shape[1] : shape.last) ?? 1)
        return made / features * weights.count
    }
}
