import Foundation
import SpikeGraph

/// Several results side by side: networks, recipes, numbers of bits.
///
///     print(Comparison([radix, signed]))
public struct Comparison: Codable, Sendable, Equatable, CustomStringConvertible {
    /// What each result is called.
    public var names: [String]
    /// The results, in the order in which they were named.
    public var results: [EvaluationResult]

    /// - Parameter names: what each is called; by default by its network and recipe, with a number where two are alike.
    public init(_ results: [EvaluationResult], names: [String]? = nil) {
        self.results = results
        self.names = names ?? Self.distinct(results.map { "\($0.network) · \($0.recipe)" })
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
        for (name, result) in zip(names, results) where result.partial != nil { cautions.append("\(name) was broken off") }
        return cautions
    }

    /// The tables for a terminal: the names, one row a result, then accuracy over steps, one column a result.
    public var description: String {
        let header = ["", "ANN", "steps", "accuracy", "spikes/neuron", "SynOps", "energy (SNN/ANN)", "−1", "−0.5"]
        let percent = EvaluationResult.percent
        let rows = results.enumerated().map { index, result -> [String] in
            let last = result.steps.last
            func steps(_ points: Double) -> String {
                guard let found = result.stepsToANN?.first(where: { $0.points == points }) else { return "–" }
                return found.steps.map(String.init) ?? "not yet"
            }
            return [
                "\(index + 1)", result.ann?.accuracy.map(percent) ?? "–", last.map { "\($0.steps)" } ?? "–",
                (last?.accuracy ?? last?.agreement).map(percent) ?? "–", last.map { String(format: "%.3f", $0.spikesPerNeuron) } ?? "–",
                last.map { EvaluationResult.magnitude($0.synapticOperations) } ?? "–", last.map(Self.ratio) ?? "–", steps(1), steps(0.5),
            ]
        }
        // Names have lines of their own: they may be long, and their ends tell them apart.
        var text = names.enumerated().map { "\($0 + 1)  \($1.visible)\n" }.joined() + "\n"
        text += TextTable.format([header] + rows, rightAligned: Set(1..<header.count))
        text += "−1, −0.5: the fewest steps from which on at most so many points are lost against the ANN\n"
        let all = Set(results.flatMap { $0.steps.map(\.steps) }).sorted()
        if all.count > 1 {
            let table = all.map { count -> [String] in
                ["\(count)"]
                    + results.map { result in
                        result.steps.first { $0.steps == count }.flatMap { $0.accuracy ?? $0.agreement }.map(percent) ?? "–"
                    }
            }
            text += "\naccuracy over steps\n\n"
            text += TextTable.format([["steps"] + results.indices.map { "\($0 + 1)" }] + table, rightAligned: Set(0...results.count))
        }
        if let model = results.first?.steps.first?.energy.model { text += "\nenergy: \(model.visible)\n" }
        for caution in cautions { text += "note: \(caution.visible)\n" }
        return text
    }

    private static func ratio(_ step: EvaluationResult.Step) -> String {
        step.energy.ann > 0 ? String(format: "%.2f", step.energy.snn / step.energy.ann) : "–"
    }
}
