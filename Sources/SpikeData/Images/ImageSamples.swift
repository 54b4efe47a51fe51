import SpikeGraph

/// Samples that are pictures in files: decoded when a batch asks for them, and forgotten with it.
struct ImageSamples: SampleSource {
    private let files: [String]
    private let folder: String
    private let transform: ImageTransform
    private let shape: [Int]
    /// What becomes of each byte, per channel: one row of 256 for each.
    private let byteTables: [[Float]]

    var count: Int { files.count }
    var sampleShapes: [[Int]] { [shape] }

    /// Reads the head of every file.
    ///
    /// - Throws: ``SpikeletError``, with all files that cannot be used.
    init(_ folder: ImageFolder, transform: ImageTransform, normalization: Normalization?) throws {
        var problems: [String] = []
        var shapes: [(shape: [Int], file: String)] = []
        for file in folder.files {
            do {
                let size = try Picture.size(path: "\(folder.path)/\(file)")
                let shape = transform.shape(width: size.width, height: size.height)
                guard shape.reduce(1, *) <= 3 * Picture.pixelLimit else {
                    problems.append("\(file): \(size.width) × \(size.height) pixels become \(shape[2]) × \(shape[1]), which is too large")
                    continue
                }
                if !shapes.contains(where: { $0.shape == shape }), shapes.count < 2 { shapes.append((shape, file)) }
            } catch let error as SpikeletError {
                // Of the library, not of a file.
                guard error.code != .unsupported else { throw error }
                problems.append("\(file): \(error.message)")
            }
        }
        try ImageFolder.report(problems, at: folder.path)
        guard let first = shapes.first else {
            throw SpikeletError(.invalidData, "there are no pictures in this folder", at: folder.path)
        }
        if shapes.count > 1 {
            throw SpikeletError(
                .invalidData, "\(first.file) becomes \(first.shape), \(shapes[1].file) \(shapes[1].shape): a batch needs one shape",
                at: folder.path, remedy: "cut them to one size, as in `crop: 224`, or resize both sides, as in `resize: 224x224`")
        }
        self.files = folder.files
        self.folder = folder.path
        self.transform = transform
        shape = first.shape
        do {
            byteTables = Self.tables(try (normalization ?? .none).perChannel(shape[0]))
        } catch let error as SpikeletError {
            throw error.located(folder.path)
        }
    }

    private static func tables(_ channels: [(mean: Float, deviation: Float)]) -> [[Float]] {
        channels.map { channel in (0..<256).map { (Float($0) / 255 - channel.mean) / channel.deviation } }
    }

    func inputs(at indices: ArraySlice<Int>) throws -> [Tensor] {
        let size = shape.reduce(1, *)
        var problems: [String] = []
        let values = [Float](unsafeUninitializedCapacity: indices.count * size) { output, initialized in
            output.update(repeating: 0)
            for (sample, index) in indices.enumerated() {
                do {
                    let bytes = transform.bytes(of: try Picture(path: "\(folder)/\(files[index])"))
                    guard bytes.count == size else {
                        problems.append("\(files[index]): it changed after the start")
                        continue
                    }
                    let channelSize = size / byteTables.count
                    for (channel, table) in byteTables.enumerated() {
                        for place in channel * channelSize..<(channel + 1) * channelSize {
                            output[sample * size + place] = table[Int(bytes[place])]
                        }
                    }
                } catch let error as SpikeletError {
                    problems.append("\(files[index]): \(error.message)")
                } catch {
                    problems.append("\(files[index]): \(error)")
                }
            }
            initialized = indices.count * size
        }
        try ImageFolder.report(problems, at: folder)
        return [Tensor(values, shape: [indices.count] + shape)]
    }
}
