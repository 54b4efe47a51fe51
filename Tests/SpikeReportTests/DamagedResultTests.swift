import Foundation
import SpikeConversion
import SpikeData
import SpikeCost
import SpikeEvaluation
import SpikeAnalysis
import SpikeGraph
import SpikeReport
import SpikeRuntime
import TestSupport
import Testing

/// Result files that somebody or an accident has changed: they are read, compared, reported and gone on with. What these tests demand
/// is mostly that they end.
@Suite("Damaged results")
struct DamagedResultTests {
    /// What a run may be asked for.
    private enum Kind: CaseIterable {
        case classes, regression, places
    }

    /// 4 → 6 neurons → 3 numbers (or as many at 4 places each), 12 samples.
    private static func evaluator(_ kind: Kind) throws -> (Evaluator, [Batch], ann: Graph) {
        var generator = SeededGenerator(1)
        func tensor(_ shape: [Int]) -> Tensor {
            Tensor((0..<shape.reduce(1, *)).map { _ in Float.random(in: -1...1, using: &generator) }, shape: shape)
        }
        let isFlat = kind != .places
        let ann = try Graph(
            name: "small", inputs: [.init("x", ValueType(.float32, isFlat ? [.batch, 4] : [.batch, 4, 2, 2]))],
            outputs: [.init("y", value: "last")],
            nodes: isFlat
                ? [
                    Node("first", .gemm(Gemm()), inputs: ["x", "w1"]), Node("relu", .relu(Relu()), inputs: ["first"]),
                    Node("last", .gemm(Gemm()), inputs: ["relu", "w2"]),
                ]
                : [
                    Node("first", .conv(Conv(window: Window(kernel: [1, 1]))), inputs: ["x", "w1"]),
                    Node("relu", .relu(Relu()), inputs: ["first"]),
                    Node("last", .conv(Conv(window: Window(kernel: [1, 1]))), inputs: ["relu", "w2"]),
                ],
            constants: isFlat
                ? ["w1": tensor([4, 6]), "w2": tensor([6, 3])] : ["w1": tensor([6, 4, 1, 1]), "w2": tensor([3, 6, 1, 1])])
        let inputs = tensor(isFlat ? [12, 4] : [12, 4, 2, 2])
        let snn = try RecipeConverter(Recipe.calibrated.options(3), calibration: [Batch(inputs)])(ann)
        let data = stride(from: 0, to: 12, by: 4).map { start -> Batch in
            let part = inputs.samples(start..<start + 4)
            switch kind {
            case .classes: return Batch(part, labels: (0..<4).map { ($0 + start) % 3 })
            case .regression: return Batch(part, targets: tensor([4, 3]))
            case .places: return Batch(part, targets: Tensor((0..<16).map { Int64($0 % 3) }, shape: [4, 2, 2]))
            }
        }
        let evaluator = try Evaluator(
            snn, ann: ann, task: OutputTask(of: snn, hasLabels: data[0].labels != nil, targets: data[0].targets), steps: [1, 3],
            executor: .engine(.float32, countedSamples: 6), earlyExit: kind == .classes ? .confidence(0.5) : nil)
        return (evaluator, data, ann)
    }

    /// A result after 8 of 12 samples, and one of all.
    private static func results(_ kind: Kind) throws -> (partial: EvaluationResult, whole: EvaluationResult) {
        struct Break: Error {}
        let (evaluator, data, ann) = try evaluator(kind)
        var partial: EvaluationResult?
        #expect(throws: Break.self) {
            _ = try evaluator.run(data) { progress in
                partial = progress.partialResult()
                if progress.samples >= 8 { throw Break() }
            }
        }
        // What it goes on with is changed, not what it shows.
        partial?.counts = nil
        partial?.energies = nil
        var whole = try evaluator.run(data)
        // One result has everything that there is; of the others what is their own is changed.
        guard kind == .classes else {
            (whole.counts, whole.energies) = (nil, nil)
            return (try #require(partial), whole)
        }
        for error in try ErrorDecomposition(evaluator.snn, ann: ann, steps: 3).run(data) {
            guard let index = whole.layers.firstIndex(where: { $0.name == error.name }) else { continue }
            whole.layers[index].error = error
        }
        whole.activity = try ActivityTrace.record(evaluator.snn, ann: ann, inputs: data[0].inputs, steps: 3)
        return (try #require(partial), whole)
    }

    /// The places of a document: all members of objects, of lists the first and the last entries.
    private static func places(_ value: Any, _ path: [Any] = []) -> [[Any]] {
        if let object = value as? [String: Any] {
            return [path] + object.keys.sorted().flatMap { key in object[key].map { places($0, path + [key]) } ?? [] }
        }
        guard let list = value as? [Any], !list.isEmpty else { return [path] }
        return [path] + Set([0, list.count - 1]).sorted().flatMap { places(list[$0], path + [$0]) }
    }

    /// The document with another value at a place; `nil` leaves it out.
    private static func replaced(_ value: Any, _ path: ArraySlice<Any>, by other: Any?) -> Any? {
        guard let key = path.first else { return other }
        if let name = key as? String, var object = value as? [String: Any], let inner = object[name] {
            object[name] = replaced(inner, path.dropFirst(), by: other)
            return object
        }
        if let index = key as? Int, var list = value as? [Any] {
            if let inner = replaced(list[index], path.dropFirst(), by: other) { list[index] = inner } else { list.remove(at: index) }
            return list
        }
        return value
    }

    private static func value(_ document: Any, _ path: [Any]) -> Any {
        path.reduce(document) { value, key in
            if let name = key as? String {
                (value as? [String: Any])?[name] ?? value
            } else {
                (value as? [Any])?[key as? Int ?? 0] ?? value
            }
        }
    }

    private static func number(_ value: Any, _ other: Any) -> Any?? { value is NSNumber ? .some(other) : nil }

    private static func list(_ value: Any, _ change: ([Any]) -> [Any]) -> Any?? { (value as? [Any]).map { .some(change($0)) } }

    /// What is done to single values, where it can be.
    private static let damages: [(String, @Sendable (Any) -> Any??)] = [
        ("left out", { _ in .some(nil) }), ("null", { _ in NSNull() }), ("text", { _ in "NaN" }), ("a list", { _ in [1] }),
        ("an object", { _ in ["a": 1] }), ("−1", { number($0, -1) }), ("2⁶³ − 1", { number($0, Int.max) }),
        ("−2⁶³", { number($0, Int.min) }), ("2⁵³", { number($0, 1 << 53) }), ("10³⁰⁰", { number($0, 1e300) }), ("½", { number($0, 0.5) }),
        ("0", { number($0, 0) }), ("longer", { list($0) { $0 + [$0.last ?? 1] } }), ("shorter", { list($0) { Array($0.dropLast()) } }),
        ("empty", { list($0) { _ in [] } }),
    ]

    /// Reads, shows and goes on with it. Only an error of ours may come out.
    ///
    /// - Returns: the error.
    private func use(_ document: Any, _ kind: Kind, _ evaluator: Evaluator, _ data: [Batch]) throws -> SpikeletError? {
        do {
            let result = try EvaluationResult(json: Array(JSONSerialization.data(withJSONObject: document)))
            let comparison = Comparison([result])
            #expect(!comparison.description.isEmpty && !"\(result)".isEmpty)
            #expect(Report(comparison).html.contains("</html>"))
            _ = try JSONEncoder().encode(comparison)
            guard let checkpoint = result.partial else { return nil }
            let whole = try evaluator.run(data, from: checkpoint)
            #expect(whole.samples == 12)
            #expect(whole.steps.allSatisfy { (0...1).contains($0.accuracy ?? 0) && (0...1).contains($0.agreement ?? 0) })
            return nil
        } catch let error as SpikeletError {
            #expect(error.remedy != nil, "\(error)")
            return error
        }
    }

    @Test(arguments: [(0, false), (0, true), (1, false), (1, true), (2, false), (2, true)])
    func `a changed value gives an error that names it, or another result`(kind: Int, isPartial: Bool) throws {
        let kind = Kind.allCases[kind]
        let (evaluator, data, _) = try Self.evaluator(kind)
        let results = try Self.results(kind)
        let bytes = try JSONEncoder().encode(isPartial ? results.partial : results.whole)
        let document = try JSONSerialization.jsonObject(with: bytes)
        #expect(try use(document, kind, evaluator, data) == nil)
        var generator = SeededGenerator(isPartial ? 40 : 41)
        var (errors, named, tried) = (0, 0, 0)
        // Of a partial result what it goes on with; of a whole one all. Of each place some damages, others for each.
        for path in Self.places(document) where !path.isEmpty && (!isPartial || path.first as? String == "partial") {
            for (name, change) in Self.damages.shuffled(using: &generator).prefix(isPartial ? 4 : 2) {
                guard let other = change(Self.value(document, path)), let damaged = Self.replaced(document, path[...], by: other) else {
                    continue
                }
                tried += 1
                guard let error = try use(damaged, kind, evaluator, data) else { continue }
                errors += 1
                // The key itself, or what it is a part of: of an entry that is missing the list is named.
                let keys = path.compactMap { $0 as? String }.suffix(2)
                if keys.contains(where: error.description.contains) { named += 1 } else { Issue.record("\(path) \(name): \(error)") }
            }
        }
        #expect(tried > 50 && errors > tried / 4 && named == errors, "\(errors) of \(tried) were found")
    }

    @Test func `the file's name and the way out are in the error`() throws {
        let folder = try TemporaryFolder()
        let (_, whole) = try Self.results(.classes)
        var damaged = whole
        damaged.steps[0].accuracy = 3
        try JSONEncoder().encode(damaged).write(to: URL(fileURLWithPath: folder.file("r.json")))
        let error = try #require(throws: SpikeletError.self) { try EvaluationResult.read(folder.file("r.json")) }
        #expect(error.description.contains("r.json: steps[0].accuracy is 3.0, not within 0.0…1.0") && error.remedy != nil)
        #expect(error.code == .malformedFile)
    }
}
