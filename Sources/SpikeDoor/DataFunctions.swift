public import CSpikelet
import Spikelet

/// Samples, which become batches when it is known for which network.
final class DataBox: @unchecked Sendable {
    private enum Contents {
        case file(String, DataRequest, timeVarying: Bool)
        case arrays([(name: String?, array: NumericArray)], labels: NumericArray?, targets: NumericArray?, DataRequest, timeVarying: Bool)
        case callback(Callback)
    }

    private let contents: Contents

    private init(_ contents: Contents) { self.contents = contents }

    static func file(_ path: String, _ request: DataRequest, timeVarying: Bool) -> DataBox {
        DataBox(.file(path, request, timeVarying: timeVarying))
    }

    static func arrays(_ batch: spikelet_batch, _ request: DataRequest, timeVarying: Bool) throws -> DataBox {
        guard batch.input_count > 0, let inputs = batch.inputs else {
            throw SpikeletError(.invalidData, "the data has no input", remedy: "give an array for each of the network's inputs")
        }
        let arrays = try (0..<Int(batch.input_count)).map { index in
            let name = try inputs[index].name.map { try Door.text($0, "a name") }
            return (name: name, array: try inputs[index].numbers(name.map { "input '\($0)'" } ?? "input \(index)"))
        }
        return DataBox(
            .arrays(
                arrays, labels: try batch.labels?.pointee.numbers("labels"), targets: try batch.targets?.pointee.numbers("targets"),
                request, timeVarying: timeVarying))
    }

    static func batches(_ next: @escaping spikelet_next_batch, _ context: UnsafeMutableRawPointer?, count: Int?) -> DataBox {
        DataBox(.callback(Callback(next: next, context: context, count: count)))
    }

    /// Batches for a network, and what is known of their samples.
    struct Source {
        let batches: any BatchSource
        let dataset: Dataset?
        var notes: [String] = []

        /// What `graph` says of the samples.
        func task(of graph: Graph) throws -> OutputTask {
            if let dataset {
                return try OutputTask(of: graph, hasLabels: dataset.labels != nil, targets: dataset.targets)
            }
            let first = try batches.first(1).first
            return try OutputTask(of: graph, hasLabels: first?.labels != nil, targets: first?.targets)
        }
    }

    func source(for graph: Graph) throws -> Source {
        switch contents {
        case .file(let path, let request, let timeVarying):
            var notes: [String] = []
            guard timeVarying else {
                let loader = try request.loader(path, for: graph) { notes.append($0) }
                return Source(batches: loader, dataset: loader.dataset, notes: notes)
            }
            let dataset = try Dataset(timeVarying: path, sample: graph.sampleSizes())
            return try Source(
                batches: request.batches(of: dataset, fixedBatch: graph.fixedBatch), dataset: dataset, notes: dataset.cautions)
        case .arrays(let arrays, let labels, let targets, let request, let timeVarying):
            let dataset = try dataset(arrays, labels, targets, timeVarying: timeVarying, for: graph)
            var notes = dataset.cautions
            let loader = try request.batches(of: dataset, fixedBatch: graph.fixedBatch) { notes.append($0) }
            return Source(batches: loader, dataset: dataset, notes: notes)
        case .callback(let callback):
            return Source(batches: CallbackSource(callback: callback, graph: graph), dataset: nil)
        }
    }

    private func dataset(
        _ arrays: [(name: String?, array: NumericArray)], _ labels: NumericArray?, _ targets: NumericArray?, timeVarying: Bool,
        for graph: Graph
    ) throws -> Dataset {
        guard arrays.count == graph.inputs.count else {
            let names = graph.inputs.map { "'\($0.name)'" }.joined(separator: ", ")
            throw SpikeletError(
                .invalidData, "\(arrays.count) inputs for a network of \(graph.inputs.count)",
                remedy: "give an array for each, in this order: \(names)")
        }
        if timeVarying {
            return try Dataset(
                timeVarying: arrays[0].array, sample: graph.sampleSizes(), labels: labels, targets: targets, name: "data")
        }
        let kinds = graph.inputs.map(\.type.elementType)
        if arrays.count == 1, kinds[0] == .float32 {
            return try Dataset(arrays[0].array, labels: labels, targets: targets, name: "data")
        }
        let named = zip(graph.inputs, arrays).map { (name: $0.name, array: $1.array) }
        func those(_ kind: ElementType) -> Set<String> { Set(zip(graph.inputs, kinds).filter { $0.1 == kind }.map(\.0.name)) }
        return try Dataset(
            inputs: named, integers: those(.int64), booleans: those(.bool), labels: labels, targets: targets, name: "data")
    }
}

extension Graph {
    /// The sizes of a sample of the only input.
    fileprivate func sampleSizes() throws -> [Int?] {
        try spiking?.checkTimeVarying()
        guard inputs.count == 1 else {
            throw SpikeletError(.unsupported, "time-varying samples of a network of \(inputs.count) inputs")
        }
        return inputs[0].type.shape.dimensions.dropFirst().map(\.known)
    }
}

/// A function that gives batches.
private struct Callback: @unchecked Sendable {
    let next: spikelet_next_batch
    let context: UnsafeMutableRawPointer?
    let count: Int?
    let passes = Locked(0)
}

/// The batches of a callback, as the inputs of a network.
private struct CallbackSource: BatchSource {
    let callback: Callback
    let graph: Graph

    var batchCount: Int? { callback.count }

    func makePass() throws -> any BatchPass {
        let number = callback.passes.load()
        callback.passes.store(number + 1)
        return Pass(source: self, number: number)
    }

    private struct Pass: BatchPass {
        let source: CallbackSource
        let number: Int
        var index = 0

        mutating func next() throws -> Batch? {
            var batch = spikelet_batch()
            let answer = source.callback.next(source.callback.context, Int64(number), Int64(index), &batch)
            guard answer != 0 else { return nil }
            guard answer > 0 else { throw DoorProgress.Stopped() }
            index += 1
            do {
                return try source.batch(batch)
            } catch let error as SpikeletError {
                throw error.located("batch \(index)")
            }
        }
    }

    /// A copy: the caller's memory is good until the next one.
    private func batch(_ given: spikelet_batch) throws -> Batch {
        let inputs = try graph.tensors(given.inputs, given.input_count).map {
            $0.elementType == .float32 ? Tensor($0.floats, shape: $0.shape) : $0
        }
        for (input, tensor) in zip(graph.inputs, inputs) where tensor.elementType == .float32 {
            guard let place = tensor.floats.firstIndex(where: { !$0.isFinite }) else { continue }
            throw SpikeletError(
                .invalidData, "input '\(input.name)' holds \(tensor.floats[place]) at position \(place)",
                remedy: "inputs must be finite float32 numbers: remove or repair the sample")
        }
        guard let first = inputs.first else { throw SpikeletError(.invalidData, "the batch has no input") }
        let one = try Dataset(
            NumericArray(first), labels: given.labels?.pointee.numbers("labels"), targets: given.targets?.pointee.numbers("targets"),
            name: "data")
        return Batch(inputs: inputs, labels: one.labels, targets: one.targets)
    }
}

/// How data is taken; for pictures and files as ``DataRequest`` has it.
private struct DataOptions: DoorOptions {
    static let keys: Set = [
        "split", "labels", "mean", "std", "resize", "crop", "interpolation", "grey", "batchSize", "limit", "timeVarying", "batches",
    ]
    static var choices: [String: [String]] { ["split": Dataset.Split.values, "interpolation": Interpolation.values] }

    let request: DataRequest
    let timeVarying: Bool
    let batches: Int?

    private enum Key: String, CodingKey { case timeVarying, batches }

    init(from decoder: any Decoder) throws {
        request = try DataRequest(from: decoder)
        let container = try decoder.container(keyedBy: Key.self)
        timeVarying = try container.decodeIfPresent(Bool.self, forKey: .timeVarying) ?? false
        batches = try container.decodeIfPresent(Int.self, forKey: .batches)
    }
}

@_cdecl("spikelet_data_open")
public func spikeletDataOpen(
    _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<CChar>?, _ data: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    Door.status {
        let options: DataOptions = try Door.options(options)
        try Door.require(data, "data").pointee = Door.handle(
            DataBox.file(Door.text(path, "path"), options.request, timeVarying: options.timeVarying))
    }
}

@_cdecl("spikelet_data_from_arrays")
public func spikeletDataFromArrays(
    _ all: UnsafeRawPointer?, _ options: UnsafePointer<CChar>?, _ data: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    Door.status {
        guard let all else { throw Door.missing("the batch") }
        let options: DataOptions = try Door.options(options)
        try Door.require(data, "data").pointee = Door.handle(
            DataBox.arrays(
                all.assumingMemoryBound(to: spikelet_batch.self).pointee, options.request, timeVarying: options.timeVarying))
    }
}

@_cdecl("spikelet_data_from_batches")
public func spikeletDataFromBatches(
    _ next: spikelet_next_batch?, _ context: UnsafeMutableRawPointer?, _ options: UnsafePointer<CChar>?,
    _ data: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    Door.status {
        guard let next else { throw Door.missing("the callback") }
        let options: DataOptions = try Door.options(options)
        try Door.require(data, "data").pointee = Door.handle(DataBox.batches(next, context, count: options.batches))
    }
}
