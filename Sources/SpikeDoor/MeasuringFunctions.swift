public import CSpikelet
import SpikeFiles
import Spikelet

private struct EvaluationOptions: DoorOptions {
    static let keys: Set = ["steps", "layers", "activity", "precision", "reference", "exitConfidence", "exitLoss"]
    static var choices: [String: [String]] { ["precision": Precision.values] }

    var steps: [Int]?
    var layers: Bool?
    var activity: Bool?
    var precision: Precision?
    var reference: Bool?
    var exitConfidence: Float?
    var exitLoss: Double?

    var exit: EarlyExit? {
        get throws {
            guard exitConfidence == nil || exitLoss == nil else {
                throw SpikeletError(
                    .invalidOption, "`exitLoss` chooses the confidence itself", remedy: "leave out `exitConfidence`")
            }
            return exitConfidence.map { .confidence($0) } ?? exitLoss.map { .allowedLoss($0 / 100) }
        }
    }

    var executor: Evaluator.Executor {
        get throws {
            guard reference == true else { return .engine(precision ?? .float32, countedSamples: 100) }
            guard precision ?? .float32 == .float32 else {
                throw SpikeletError(.invalidOption, "the reference executor knows float32 alone", remedy: "leave out `precision`")
            }
            return .reference
        }
    }
}

@_cdecl("spikelet_evaluate")
public func spikeletEvaluate(
    _ snn: OpaquePointer?, _ ann: OpaquePointer?, _ data: OpaquePointer?, _ options: UnsafePointer<CChar>?,
    _ progress: spikelet_progress?, _ context: UnsafeMutableRawPointer?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
    Door.status {
        let snn = try Door.object(snn, "snn", as: GraphBox.self).requireSpiking()
        let model = try ann.map { try Door.object($0, "ann", as: GraphBox.self).graph }
        let options: EvaluationOptions = try Door.options(options)
        var details: Evaluator.Details = options.layers == true ? .errors : []
        if options.activity == true { details.insert(.activity) }
        let result = try DoorProgress.report(to: progress, context) {
            let source = try Door.object(data, "data", as: DataBox.self).source(for: snn)
            let timeVarying = try source.batches.first(1).first.map { snn.isTimeVarying($0) } ?? false
            let frames = timeVarying ? source.dataset?.sampleShapes.first?.first : nil
            let evaluator = try Evaluator(
                snn, ann: model, task: source.task(of: snn), steps: Evaluator.steps(asked: options.steps, frames: frames),
                executor: options.executor, earlyExit: options.exit, details: details, threads: Door.threads, timeVarying: timeVarying)
            var result = try evaluator.run(source.batches)
            result.warnings += source.notes
            if let reason = evaluator.referenceReason {
                result.warnings.append("the reference executor simulated, which is slow: \(reason)")
            }
            return result
        }
        try Door.give(json: result, to: json)
    }
}

extension Graph {
    /// Whether samples have an axis more than the network's input: that of time.
    fileprivate func isTimeVarying(_ batch: Batch) -> Bool {
        inputs.count == 1 && batch.inputs.first?.rank == inputs[0].type.shape.rank + 1
    }
}

/// One result, or several side by side.
private enum Shown {
    case one(EvaluationResult)
    case several(Comparison)

    /// - Parameter names: JSON of what they are called; one with a name stands like one of several.
    init(_ results: UnsafePointer<CChar>?, names: UnsafePointer<CChar>?) throws {
        let results = try Self.read(results)
        let names = try names.map { try JSON.decode([String].self, from: Array(Door.text($0, "names").utf8)) }
        self = results.count == 1 && names == nil ? .one(results[0]) : .several(Comparison(results, names: names))
    }

    private static func read(_ json: UnsafePointer<CChar>?) throws -> [EvaluationResult] {
        let bytes = Array(try Door.text(json, "results").utf8)
        let isList = bytes.first { !$0.isSpace } == UInt8(ascii: "[")
        guard isList else { return [try EvaluationResult(json: bytes)] }
        let results: [EvaluationResult]
        do {
            results = try JSON.decode([EvaluationResult].self, from: bytes)
        } catch let error as DecodingError {
            throw SpikeletError(
                .malformedFile, "no results of evaluations: " + error.sentence(about: "the results"),
                remedy: "give a list of what spikelet_evaluate gave")
        }
        guard !results.isEmpty else { throw SpikeletError(.invalidOption, "no result", remedy: "give at least one") }
        for result in results { try result.check() }
        return results
    }
}

extension UInt8 {
    fileprivate var isSpace: Bool { self == 32 || (9...13).contains(self) }
}

@_cdecl("spikelet_results_text")
public func spikeletResultsText(
    _ results: UnsafePointer<CChar>?, _ names: UnsafePointer<CChar>?, _ text: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
    Door.status {
        switch try Shown(results, names: names) {
        case .one(let result): Door.give("\(result)", to: text)
        case .several(let comparison): Door.give("\(comparison)", to: text)
        }
    }
}

@_cdecl("spikelet_results_page")
public func spikeletResultsPage(
    _ results: UnsafePointer<CChar>?, _ names: UnsafePointer<CChar>?, _ html: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
    Door.status {
        switch try Shown(results, names: names) {
        case .one(let result): Door.give(Report([result]).html, to: html)
        case .several(let comparison): Door.give(Report(comparison).html, to: html)
        }
    }
}
