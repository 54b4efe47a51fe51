public import CSpikelet
import Foundation
import Spikelet

extension ConversionRequest: DoorOptions {
    static let keys: Set = [
        "recipe", "steps", "base", "meanSteps", "targetDrop", "prefer", "mode", "momentum", "fuse", "thresholds", "pooling", "schedule",
        "readoutDelay", "weightCorrection", "allowAnalog",
    ]

    static var choices: [String: [String]] {
        [
            "prefer": RecipeSearch.Preference.values, "thresholds": Thresholds.values, "pooling": Converter.Pooling.values,
            "schedule": SpikingDescription.Schedule.values,
        ]
    }
}

private struct ConversionOutcome: Encodable {
    var warnings: [String]
    var search: RecipeSearchResult?
    var searchText: String?
}

@_cdecl("spikelet_convert")
public func spikeletConvert(
    _ ann: OpaquePointer?, _ data: OpaquePointer?, _ options: UnsafePointer<CChar>?, _ progress: spikelet_progress?,
    _ context: UnsafeMutableRawPointer?, _ snn: UnsafeMutablePointer<OpaquePointer?>?,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
    Door.status {
        let box = try Door.object(ann, "ann", as: GraphBox.self)
        let request: ConversionRequest = try Door.options(options)
        let place = try Door.require(snn, "snn")
        let data = try data.map { try Door.object($0, "data", as: DataBox.self) }
        try request.validate(hasData: data != nil)
        let source = try data?.source(for: box.graph)
        var notes = source?.notes ?? []
        try DoorProgress.report(to: progress, context) {
            let outcome = try request(box.graph, calibration: source?.batches, threads: Door.threads) { notes.append($0) }
            let searchText = outcome.search?.description
            guard let graph = try? outcome.network() else {
                // What was tried is told also where nothing was good enough.
                try Door.give(json: ConversionOutcome(warnings: notes, search: outcome.search, searchText: searchText), to: json)
                _ = try outcome.network()
                return
            }
            let (open, closed) = try box.opened(graph, allowAnalog: request.allowAnalog ?? false)
            notes += (graph.spiking?.warnings ?? []) + [closed].compactMap(\.self)
            try Door.give(json: ConversionOutcome(warnings: notes, search: outcome.search, searchText: searchText), to: json)
            place.pointee = Door.handle(GraphBox(graph, open: open))
        }
    }
}

extension GraphBox {
    /// What a conversion leaves open, or why nothing.
    fileprivate func opened(_ snn: Graph, allowAnalog: Bool) throws -> (OpenNetwork?, String?) {
        guard let source else { return (nil, nil) }
        do {
            return (try OpenNetwork(snn, of: source.model, allowAnalog: allowAnalog, file: source.file), nil)
        } catch let error as SpikeletError where error.code == .notConvertible {
            return (nil, error.sizeWarning)
        }
    }
}

private struct PassOptions: DoorOptions {
    static let keys: Set = ["mode", "momentum", "fuse"]

    var mode: String?
    var momentum: Float?
    var fuse: Bool?
}

@_cdecl("spikelet_graph_pass")
public func spikeletGraphPass(
    _ graph: OpaquePointer?, _ pass: UnsafePointer<CChar>?, _ data: OpaquePointer?, _ options: UnsafePointer<CChar>?,
    _ progress: spikelet_progress?, _ context: UnsafeMutableRawPointer?, _ result: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    Door.status {
        let graph = try Door.object(graph, "graph", as: GraphBox.self).graph
        let place = try Door.require(result, "result")
        let options: PassOptions = try Door.options(options)
        let made: Graph
        switch try Door.text(pass, "pass") {
        case "fuse": made = try Converter.fuse(SplitRectifiers().run(LeaveOutOutputs(of: graph).run(graph)), fuseFlag: options.fuse ?? true)
        case "setVoltageHook":
            made = try Converter.setVoltageHook(
                graph, mode: VoltageHook.Mode(options.mode ?? "max"), momentum: options.momentum ?? 0.1)
        case "calibrate":
            let source = try Door.object(data, "data", as: DataBox.self).source(for: graph)
            made = try DoorProgress.report(to: progress, context) { try Converter.calibrate(graph, dataloader: source.batches) }
        case "replaceByIFNode": made = try Converter.replaceByIFNode(graph)
        case let name:
            throw SpikeletError(
                .invalidOption, "there is no pass '\(name)'", remedy: "the passes are fuse, setVoltageHook, calibrate, replaceByIFNode")
        }
        place.pointee = Door.handle(GraphBox(made))
    }
}

/// A hook and its state.
private struct HookOptions: DoorOptions {
    static let keys: Set = ["mode", "momentum", "scale", "samples"]

    var mode: String?
    var momentum: Float?
    var scale: Float?
    var samples: Int?
}

private struct HookState: Encodable {
    var scale: Float
    var samples: Int
}

@_cdecl("spikelet_voltage_hook")
public func spikeletVoltageHook(
    _ values: UnsafeRawPointer?, _ options: UnsafePointer<CChar>?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
    Door.status {
        guard let values = values?.assumingMemoryBound(to: spikelet_array.self) else { throw Door.missing("values") }
        let options: HookOptions = try Door.options(options)
        var hook = try VoltageHook(
            scale: options.scale ?? 1, momentum: options.momentum ?? 0.1, mode: VoltageHook.Mode(options.mode ?? "max"),
            samplesTracked: options.samples ?? 0)
        _ = try hook(values.pointee.tensor("the activations", as: .float32))
        try Door.give(json: HookState(scale: hook.scale, samples: hook.samplesTracked), to: json)
    }
}

private struct DownloadOptions: DoorOptions {
    static let keys: Set = ["sha256"]

    var sha256: String?
}

@_cdecl("spikelet_download")
public func spikeletDownload(
    _ url: UnsafePointer<CChar>?, _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<CChar>?, _ progress: spikelet_progress?,
    _ context: UnsafeMutableRawPointer?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
    Door.status {
        let (url, path) = (try Door.text(url, "url"), try Door.text(path, "path"))
        let options: DownloadOptions = try Door.options(options)
        let result = Locked<Result<Int, any Error>?>(nil)
        let bytes = try DoorProgress.report(to: progress, context) {
            // Tasks inherit whom to tell, and the bar is theirs; this thread asks whether it is to go on.
            let task = Task { result.store(await Result(catchingAsync: { try await downloadURL(url, to: path, sha256: options.sha256) })) }
            while result.load() == nil {
                if DoorProgress.current?.poll() == true { task.cancel() }
                usleep(10_000)
            }
            if DoorProgress.current?.isStopped == true { throw DoorProgress.Stopped() }
            return try result.load()?.get() ?? 0
        }
        try Door.give(json: ["bytes": bytes], to: json)
    }
}

extension Result where Failure == any Error {
    fileprivate init(catchingAsync body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
