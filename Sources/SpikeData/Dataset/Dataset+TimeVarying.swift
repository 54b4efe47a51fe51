import SpikeGraph

extension Dataset {
    /// Samples with an input of their own in each time step, as the frames of an event camera, or spikes drawn from rates: an `.npz` file
    /// with an array `images` or `x`, and `labels` or `y`, or `targets`, if it has them; or an `.npy` file (inputs only).
    ///
    /// The inputs are `[T, N, …]`; or `[N, T, …]`, where the number of labels or targets says so. Where both can be, since T = N, they are
    /// taken as `[T, N, …]`, and a caution says it. Numbers are taken as they are, bytes too: 0 and 1 are events, others counts of them.
    ///
    /// In batches the samples come first, `[n, T, …]`; so do they in ``sampleShapes``. The array stays in its file's own type.
    ///
    /// - Parameter sample: the shape of a sample in one step; `nil` for sizes that the network leaves open.
    /// - Throws: ``SpikeletError``: `fileSystem`, `malformedFile`; `invalidData` for inputs of another shape, and labels that are as many as
    ///   neither axis.
    public init(timeVarying path: String, sample: [Int?]) throws {
        if path.lowercased().hasSuffix(".npy") {
            let array = try NPY.read(path)
            let axes = try TimeAxes(array.shape, sample: sample, answers: nil, name: path)
            try self.init(array, axes, answers: Answers(labels: nil, targets: nil, samples: axes.samples, name: path), name: path)
            return
        }
        guard path.lowercased().hasSuffix(".npz") else {
            throw SpikeletError(
                .invalidData, "time-varying samples are arrays", at: path,
                remedy: "give an .npz file with images [T, N, …] and labels [N], or an .npy file")
        }
        let archive = try NPZ(path: path)
        let inputs = try Self.inputName(in: archive, at: path)
        // All that can be told by shapes, before the inputs are unpacked.
        let answers = try Answers.name(in: archive, at: path).flatMap { try archive.head($0).shape.first }
        let axes = try TimeAxes(archive.head(inputs).shape, sample: sample, answers: answers, name: path)
        try self.init(
            archive.array(inputs), axes, answers: Answers(archive, samples: axes.samples, name: path), name: path)
    }

    /// Samples in memory.
    ///
    /// - Parameters:
    ///   - array: `[T, N, …]`; or `[N, T, …]`, where the number of answers says so.
    ///   - labels: as of ``init(_:labels:targets:normalization:name:)``, and so are `targets`.
    package init(timeVarying array: NumericArray, sample: [Int?], labels: NumericArray?, targets: NumericArray?, name: String) throws {
        let axes = try TimeAxes(array.shape, sample: sample, answers: (labels ?? targets)?.shape.first, name: name)
        try self.init(array, axes, answers: Answers(labels: labels, targets: targets, samples: axes.samples, name: name), name: name)
    }

    private init(_ array: NumericArray, _ axes: TimeAxes, answers: Answers, name: String) throws {
        let samples = TimeVaryingSamples(array: array, axes: axes, name: name)
        let bytes = array.elementType == .uint8 ? Self.cautionOfBytes(name) : nil
        try self.init(samples, answers: answers, cautions: [bytes, axes.caution], name: name)
    }

    /// What a person should hear of bytes that are time-varying.
    package static func cautionOfBytes(_ name: String) -> String {
        "\(name): the bytes of a time-varying input are taken as they are, not divided by 255"
    }
}

/// Which of the two first axes of an array counts time steps, and which samples.
private struct TimeAxes {
    /// T.
    let steps: Int
    /// N.
    let samples: Int
    /// `[T, N, …]`; else `[N, T, …]`.
    let isStepsFirst: Bool
    /// What a person should hear, where both could be meant.
    let caution: String?

    /// - Parameters:
    ///   - shape: of the array.
    ///   - sample: the shape of a sample in one step; `nil` for open sizes.
    ///   - answers: the number of labels or targets; `nil` where there are none.
    init(_ shape: [Int], sample: [Int?], answers: Int?, name: String) throws {
        let wanted = (["T", "N"] + sample.map { $0.map(String.init) ?? "…" }).joined(separator: ", ")
        guard shape.count == sample.count + 2, zip(shape.dropFirst(2), sample).allSatisfy({ $1 ?? $0 == $0 }) else {
            let isStill = shape.count == sample.count + 1 && zip(shape.dropFirst(), sample).allSatisfy { $1 ?? $0 == $0 }
            throw SpikeletError(
                .invalidData, "the inputs are \(shape); time-varying ones of this network are [\(wanted)]", at: name,
                remedy: isStill
                    ? "leave out `timeVarying: true`: every step then has the same input"
                    : "save what arrives in each step, for each sample")
        }
        guard !shape.contains(0) else {
            throw SpikeletError(
                .invalidData, "the dataset is empty: its inputs are \(shape)", at: name,
                remedy: "give at least one sample, and one time step")
        }
        if let answers, answers != shape[0], answers != shape[1] {
            throw SpikeletError(
                .invalidData, "\(answers) labels for inputs \(shape): neither \(shape[0]) nor \(shape[1]) samples", at: name,
                remedy: "give one label for each sample: images [T, N, …] and labels [N]")
        }
        isStepsFirst = answers == nil || answers == shape[1]
        (steps, samples) = isStepsFirst ? (shape[0], shape[1]) : (shape[1], shape[0])
        caution =
            answers != nil && shape[0] == shape[1]
            ? "\(name): time steps and samples are both \(shape[0]): the inputs \(shape) are taken as [T, N, …]" : nil
    }
}

/// An array of what arrives in each step, kept in its file's own type.
private struct TimeVaryingSamples: SampleSource {
    let array: NumericArray
    let axes: TimeAxes
    let name: String

    var count: Int { axes.samples }
    var sampleShapes: [[Int]] { [[axes.steps] + array.shape.dropFirst(2)] }

    func inputs(at indices: ArraySlice<Int>) throws -> [Tensor] {
        let size = array.shape.dropFirst(2).reduce(1, *)
        var values: [Float] = []
        values.reserveCapacity(indices.count * axes.steps * size)
        for index in indices {
            for step in 0..<axes.steps {
                let place = axes.isStepsFirst ? step * axes.samples + index : index * axes.steps + step
                let frame = array.floats(in: place * size..<(place + 1) * size)
                if array.elementType.isFloatingPoint, let position = frame.firstIndex(where: { !$0.isFinite }) {
                    throw SpikeletError(
                        .invalidData, "sample \(index) holds \(frame[position]) in time step \(step), at position \(position)", at: name,
                        remedy: "inputs must be finite float32 numbers: remove or repair the sample")
                }
                values += frame
            }
        }
        return [Tensor(values, shape: [indices.count, axes.steps] + array.shape.dropFirst(2))]
    }
}
