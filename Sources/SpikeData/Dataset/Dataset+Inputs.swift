import SpikeGraph

extension Dataset {
    /// The samples of a network of several inputs: an `.npz` file with an array `[N, …]` for each, under its name; labels, if it has
    /// them, under `labels` or `y`, or `targets`.
    ///
    /// uint8 becomes float by 1/255; other numbers are taken as they are.
    ///
    /// - Parameter inputs: the names, in the network's order.
    /// - Throws: ``SpikeletError``: `fileSystem`, `malformedFile`, `invalidData`.
    public init(path: String, inputs: [String]) throws {
        let list = inputs.map { "'\($0)'" }.joined(separator: ", ")
        guard path.lowercased().hasSuffix(".npz") else {
            throw SpikeletError(
                .invalidData, "the network has \(inputs.count) inputs: \(list)", at: path,
                remedy: "give an .npz file with an array for each, under its name")
        }
        let archive = try NPZ(path: path)
        if let missing = inputs.first(where: { !archive.names.contains($0) }) {
            throw SpikeletError(
                .invalidData, "it has no array '\(missing)'; \(archive.contentsHint)", at: path,
                remedy: "save an array for each of the network's inputs, under its name: \(list)")
        }
        // All that can be told by their shapes, before any of them is unpacked.
        let counts = try inputs.map { try ArraySamples.count(archive.head($0), name: "\(path): '\($0)'") }
        guard Set(counts).count == 1, let count = counts.first else {
            let list = zip(inputs, counts).map { "'\($0)' \($1)" }.joined(separator: ", ")
            throw SpikeletError(
                .invalidData, "the inputs have not as many samples: \(list)", at: path, remedy: "save one row for each sample in all arrays"
            )
        }
        let answers = try Answers(archive, except: inputs, samples: count, name: path)
        let parts = try inputs.map { try ArraySamples(archive.array($0), name: "\(path): '\($0)'", normalization: nil) }
        try self.init(InputSamples(parts: parts), answers: answers, cautions: parts.map(\.caution), name: path)
    }
}

/// Several arrays of as many samples, one for each input.
private struct InputSamples: SampleSource {
    let parts: [ArraySamples]

    var count: Int { parts[0].count }
    var sampleShapes: [[Int]] { parts.flatMap(\.sampleShapes) }

    func inputs(at indices: ArraySlice<Int>) throws -> [Tensor] { try parts.flatMap { try $0.inputs(at: indices) } }
}
