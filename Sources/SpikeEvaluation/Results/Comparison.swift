import Foundation
import SpikeCost
import SpikeGraph
import SpikeRuntime

/// Several results side by side: networks, recipes, numbers of bits.
///
///     print(Comparison([radix, signed]))
public struct Comparison: Codable, Sendable, Equatable, CustomStringConvertible {
    /// What each result is called.
    public var names: [String]
    /// The results, in the order in which they were named.
    public var results: [EvaluationResult]

    /// - Parameter names: what each is called, one for each result; by default by its network and recipe, with a number where two are
    ///   alike.
    public init(_ results: [EvaluationResult], names: [String]? = nil) {
        self.results = results
        self.names = names.flatMap { $0.count == results.count ? $0 : nil } ?? Self.distinct(results.map { "\($0.network) · \($0.recipe)" })
    }

    private static func distinct(_ names: [String]) -> [String] {
        var seen: [String: Int] = [:]
        return names.map { name in
            guard names.count(where: { $0 == name }) > 1 else { return name }
            seen[name, default: 0] += 1
            return "\(name) \(seen[name] ?? 0)"
        }
    }

    /// Why the results should be compared with care; empty where nothing speaks against it.
    public var cautions: [String] {
        var cautions: [String] = []
        if Set(results.map(\.samples)).count > 1 { cautions.append("they were measured on different numbers of samples") }
        if Set(results.compactMap { $0.settings?["data"] }).count > 1 { cautions.append("they were measured on different samples") }
        if Set(results.map { $0.frames == nil }).count > 1 {
            cautions.append("some had an input of their own in each step, others the same in all")
        }
        if Set(results.compactMap(\.frames)).count > 1 { cautions.append("their ANNs saw means of different numbers of frames") }
        if Set(results.map { $0.steps.last?.quality.kind }).count > 1 { cautions.append("they are judged by different measures") }
        for (name, result) in zip(names, results) where result.partial != nil { cautions.append("\(name) was broken off") }
        for (name, result) in zip(names, results) { cautions += result.int8Notes.map { "\(name): \($0)" } }
        return cautions
    }

    /// The tables for a terminal: the names, one row a result, then accuracy over steps, one column a result.
    public var description: String {
        let measures = Set(results.compactMap { $0.steps.last?.quality.kind })
        let measure = measures.count == 1 ? measures.first ?? "accuracy" : "result"
        let header = ["", "ANN", "steps", measure, "spikes/neuron", "SynOps", "energy (SNN/ANN)", "−1", "−0.5"]
        let percent = EvaluationResult.percent
        let rows = results.enumerated().map { index, result -> [String] in
            let last = result.steps.last
            func steps(_ points: Double) -> String {
                guard let found = result.stepsToANN?.first(where: { $0.points == points }) else { return "–" }
                return found.steps.map(String.init) ?? "not yet"
            }
            return [
                "\(index + 1)",
                result.ann?.accuracy.map(percent) ?? result.ann?.error.map { EvaluationResult.number($0.rootMeanSquare) } ?? "–",
                last.map { "\($0.steps)" } ?? "–", last?.qualityText ?? "–", last.map { String(format: "%.3f", $0.spikesPerNeuron) } ?? "–",
                last.map { TextTable.magnitude($0.synapticOperations) } ?? "–", last.map(Self.ratio) ?? "–", steps(1), steps(0.5),
            ]
        }
        // Names have lines of their own: they may be long, and their ends tell them apart.
        var text =
            names.indices.map { index -> String in
                let precision = results[index].precision
                return ("\(index + 1)  \(names[index])" + (precision == Precision.float32.rawValue ? "" : ", \(precision)")).visible + "\n"
            }
            .joined() + "\n"
        text += TextTable.format([header] + rows, rightAligned: Set(1..<header.count))
        text += "−1, −0.5: the fewest steps from which on at most so many points are lost against the ANN\n"
        let all = Set(results.flatMap { $0.steps.map(\.steps) }).sorted()
        if all.count > 1 {
            let table = all.map { count -> [String] in
                ["\(count)"]
                    + results.map { result in
                        result.steps.first { $0.steps == count }?.qualityText ?? "–"
                    }
            }
            text += "\n\(measure) over steps\n\n"
            text += TextTable.format([["steps"] + results.indices.map { "\($0 + 1)" }] + table, rightAligned: Set(0...results.count))
        }
        if let model = results.first?.steps.first?.energy.model { text += "\nenergy: \(model.visible)\n" }
        for judged in Set(results.compactMap(\.judgedBy)).sorted() { text += "judged by: \(judged.visible)\n" }
        for caution in cautions { text += "note: \(caution.visible)\n" }
        return text
    }

    private static func ratio(_ step: EvaluationResult.Step) -> String {
        step.energy.ann > 0 ? String(format: "%.2f", step.energy.snn / step.energy.ann) : "–"
    }
}

extension EvaluationResult.Step {
    /// How good it is, and what that number is.
    var quality: (kind: String, value: Double?) {
        if let accuracy { return ("accuracy", accuracy) }
        if let error { return ("RMS error", error.rootMeanSquare) }
        if let deviation { return ("from the ANN", deviation) }
        return (agreement == nil ? "accuracy" : "agreement", agreement)
    }

    /// The same for people: a share in per cent, or an error.
    package var qualityText: String? {
        quality.value.map { error == nil && deviation == nil ? EvaluationResult.percent($0) : EvaluationResult.number($0) }
    }
}
