import Foundation
public import SpikeData
package import SpikeEvaluation
public import SpikeGraph

/// Data as a user asks for it: how a file or a folder is read, prepared and taken in batches.
public struct DataRequest: Codable, Sendable, Equatable {
    /// Which part of a folder of IDX files.
    public var split: Dataset.Split?
    /// Of pictures: a text file with their classes.
    public var labels: String?
    /// Subtracted from each channel after scaling to 0…1; goes with ``std``.
    public var mean: [Float]?
    /// Each channel is divided by this after that.
    public var std: [Float]?
    /// Of pictures: the shorter side after resizing ("224"), both ("192x256"), or "none".
    public var resize: String?
    /// Of pictures: the middle that is kept, likewise.
    public var crop: String?
    /// Of pictures: how they are resized.
    public var interpolation: Interpolation?
    /// Of pictures: one channel of grey.
    public var grey: Bool?
    /// Samples a batch; `nil`: 100, or what the network is fixed to.
    public var batchSize: Int?
    /// The most samples.
    public var limit: Int?

    /// Samples a batch where nothing is said.
    package static let usualBatchSize = 100

    public init() {}

    /// Whether samples are to be prepared, which only data of one input of floating point can be.
    package var isPrepared: Bool {
        mean != nil || std != nil || resize != nil || crop != nil || interpolation != nil || grey == true
    }

    /// The data at `path`, whatever network they are for.
    ///
    /// - Throws: ``SpikeletError``, as `Dataset(path:)`; `invalidOption` for what does not go together.
    public func dataset(_ path: String) throws -> Dataset {
        try Dataset(path: path, split: split, images: imageTransform(), labels: labels, normalization: normalization())
    }

    /// The data at `path` for a network: where it has several inputs, an `.npz` file with an array for each.
    ///
    /// A network of a fixed batch size gets whole batches of just that; what is left of the data is left out.
    ///
    /// - Parameter note: called with what a person should know.
    public func loader(_ path: String, for graph: Graph, note: (String) -> Void = { _ in }) throws -> DataLoader {
        let integers = Set(graph.inputs.filter { $0.type.elementType == .int64 }.map(\.name))
        let booleans = Set(graph.inputs.filter { $0.type.elementType == .bool }.map(\.name))
        let isPrepared = split != nil || labels != nil || isPrepared
        let dataset: Dataset
        if try graph.inputs.count > 1 || !integers.isEmpty || !isPrepared && NPZ.holdsInput(path, of: graph) {
            guard !isPrepared else {
                throw SpikeletError(
                    .invalidOption, "the inputs of a network of several, or of whole numbers, are taken as they are", at: path,
                    remedy:
                        "leave out `split`, `labels`, `mean`, `std` and the options of pictures, and prepare the arrays themselves")
            }
            dataset = try Dataset(path: path, inputs: graph.inputs.map(\.name), integers: integers, booleans: booleans)
        } else {
            dataset = try self.dataset(path)
        }
        for caution in dataset.cautions { note(caution) }
        return try batches(of: dataset, fixedBatch: graph.fixedBatch, note: note)
    }

    /// Data in batches, of the size that a network is fixed to, or asked for, or 100.
    ///
    /// - Parameter most: the samples that a batch has memory for.
    package func batches(
        of dataset: Dataset, fixedBatch: Int?, atMost most: Int = .max, note: (String) -> Void = { _ in }
    ) throws -> DataLoader {
        guard batchSize == nil, let size = fixedBatch, size > 0 else {
            // What a network is fixed to is not cut.
            let most = fixedBatch == nil ? most : .max
            return try DataLoader(dataset, batchSize: min(batchSize ?? Self.usualBatchSize, most), limit: limit)
        }
        let count = min(dataset.count, limit ?? .max)
        guard count >= size || count < 1 else {
            throw SpikeletError(
                .invalidData, "\(count) samples; the network takes exactly \(size) at a time",
                remedy: "give at least \(size), or export the model with an open first axis")
        }
        let rest = max(0, count) % size
        if rest > 0 { note("the last \(rest) of \(count) samples are left out: the network takes exactly \(size) at a time") }
        return try DataLoader(dataset, batchSize: size, limit: rest > 0 ? count - rest : limit)
    }

    private func normalization() throws -> Normalization? {
        switch (mean, std) {
        case (nil, nil): nil
        case (let mean?, let std?): try Normalization(mean: mean, standardDeviation: std)
        default:
            throw SpikeletError(
                .invalidOption, "only one of `mean` and `std` is given", remedy: "give both, one number for each channel")
        }
    }

    /// `nil` where nothing is said about pictures.
    private func imageTransform() throws -> ImageTransform? {
        guard resize != nil || crop != nil || interpolation != nil || grey == true else { return nil }
        return try ImageTransform(
            resize: Self.size(resize, "resize") ?? (crop == nil ? .side(256) : nil),
            crop: Self.size(crop, "crop") ?? (resize == nil ? .side(224) : nil),
            interpolation: interpolation ?? .bilinear, isGrey: grey ?? false)
    }

    /// The size of a picture: one number, two with an x between them, or 'none'. Without a text, `nil`.
    private static func size(_ text: String?, _ option: String) throws -> ImageTransform.Size?? {
        guard let text else { return nil }
        if text == "none" { return .some(nil) }
        let sides = text.split(separator: "x", omittingEmptySubsequences: false).compactMap { Int($0) }
        let isWhole = sides.count == text.count(where: { $0 == "x" }) + 1
        guard isWhole, let height = sides.first, sides.count <= 2 else {
            throw SpikeletError(
                .invalidOption, "'\(text)' in `\(option)` is no size", remedy: "write 224, or 192x256 for the height and the width, or none"
            )
        }
        return .some(sides.count == 1 ? .side(height) : .exact(height: height, width: sides[1]))
    }
}

extension NPZ {
    /// Whether an archive holds a network's only input under its own name, and no images.
    fileprivate static func holdsInput(_ path: String, of graph: Graph) throws -> Bool {
        guard path.lowercased().hasSuffix(".npz"), graph.inputs.count == 1 else { return false }
        let names = try NPZ(path: path).names
        return names.contains(graph.inputs[0].name) && Set(names).isDisjoint(with: Dataset.inputNames)
    }
}

extension DataLoader {
    /// What `network` says of these data's samples.
    package func task(of network: Graph) throws -> OutputTask {
        try OutputTask(of: network, hasLabels: dataset.labels != nil, targets: dataset.targets)
    }
}
