import SpikeGraph

extension Dataset {
    /// The samples of a network of several inputs: an `.npz` file with an array `[N, …]` for each, under its name; labels, if it has
    /// them, under `labels` or `y`, or `targets`.
    ///
    /// uint8 becomes float by 1/255; other numbers are taken as they are.
    ///
    /// - Parameters:
    ///   - inputs: the names, in the network's order.
    ///   - integers: those of them that the network takes as int64, such as the ids of tokens.
    ///   - booleans: those that it takes as truth values, such as masks.
    /// - Throws: ``SpikeletError``: `fileSystem`, `malformedFile`, `invalidData`.
    public init(path: String, inputs: [String], integers: Set<String> = [], booleans: Set<String> = []) throws {
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
        try self.init(
            inputs.map { (name: $0, array: try archive.array($0)) }, integers: integers, booleans: booleans, answers: answers, name: path)
    }

    /// The samples of a network of several inputs, in memory; see ``init(path:inputs:integers:booleans:)``.
    ///
    /// - Parameters:
    ///   - inputs: an array `[N, …]` for each, in the network's order.
    ///   - labels: as of ``init(_:labels:targets:normalization:name:)``, and so are `targets`.
    package init(
        inputs: [(name: String, array: NumericArray)], integers: Set<String>, booleans: Set<String>, labels: NumericArray?,
        targets: NumericArray?, name: String
    ) throws {
        let counts = try inputs.map { try ArraySamples.count($0.array.head, name: "\(name): '\($0.name)'") }
        guard Set(counts).count == 1, let count = counts.first else {
            let list = zip(inputs, counts).map { "'\($0.name)' \($1)" }.joined(separator: ", ")
            throw SpikeletError(
                .invalidData, "the inputs have not as many samples: \(list)", at: name, remedy: "give one row for each sample in all arrays"
            )
        }
        let answers = try Answers(labels: labels, targets: targets, samples: count, name: name)
        try self.init(inputs, integers: integers, booleans: booleans, answers: answers, name: name)
    }

    private init(
        _ inputs: [(name: String, array: NumericArray)], integers: Set<String>, booleans: Set<String>, answers: Answers, name: String
    ) throws {
        var (parts, cautions): ([any SampleSource], [String?]) = ([], [])
        for (input, array) in inputs {
            let name = "\(name): '\(input)'"
            if integers.contains(input) || booleans.contains(input) {
                parts.append(try ExactSamples(array, isBoolean: booleans.contains(input), name: name))
            } else {
                let samples = try ArraySamples(array, name: name, normalization: nil)
                parts.append(samples)
                cautions.append(samples.caution)
            }
        }
        try self.init(InputSamples(parts: parts), answers: answers, cautions: cautions, name: name)
    }
}

/// An array of whole numbers or truth values, such as the ids of tokens and their mask.
private struct ExactSamples: SampleSource {
    private let values: [Int64]
    private let shape: [Int]
    private let isBoolean: Bool

    var count: Int { shape[0] }
    var sampleShapes: [[Int]] { [Array(shape.dropFirst())] }
    var elementTypes: [ElementType] { [isBoolean ? .bool : .int64] }

    /// - Throws: ``SpikeletError`` (`invalidData`) for an array of other numbers.
    init(_ array: NumericArray, isBoolean: Bool, name: String) throws {
        do {
            values = try array.integers()
        } catch let error as SpikeletError {
            throw error.located(name)
        }
        guard !isBoolean || values.allSatisfy({ $0 == 0 || $0 == 1 }) else {
            throw SpikeletError(.invalidData, "the network takes truth values there, and some are neither 0 nor 1", at: name)
        }
        shape = array.shape
        self.isBoolean = isBoolean
    }

    func inputs(at indices: ArraySlice<Int>) throws -> [Tensor] {
        let size = values.count / max(1, count)
        let (chosen, shape) = (indices.flatMap { values[$0 * size..<($0 + 1) * size] }, [indices.count] + shape.dropFirst())
        return [isBoolean ? Tensor(chosen.map { $0 == 1 }, shape: shape) : Tensor(chosen, shape: shape)]
    }
}

/// Several arrays of as many samples, one for each input.
private struct InputSamples: SampleSource {
    let parts: [any SampleSource]

    var count: Int { parts[0].count }
    var sampleShapes: [[Int]] { parts.flatMap(\.sampleShapes) }
    var elementTypes: [ElementType] { parts.flatMap(\.elementTypes) }

    func inputs(at indices: ArraySlice<Int>) throws -> [Tensor] { try parts.flatMap { try $0.inputs(at: indices) } }
}
