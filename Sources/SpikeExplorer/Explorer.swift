internal import Foundation
public import SpikeData
internal import SpikeFiles
public import SpikeGraph

/// A spiking network and images to look at it with: what the live page shows, as JSON.
///
///     let explorer = try Explorer(snn, data: DataLoader(Dataset(path: "test.npz")), ann: ann, steps: 32)
///     let server = try await ExplorerServer(explorer)
///     print(server.url)
public final class Explorer: Sendable {
    /// The most steps a page shows.
    public static let mostSteps = 256
    /// The most pictures of one answer.
    static let mostPictures = 60
    /// A larger picture is sent in part, so many rows and columns of it.
    private static let mostPlaces = 64

    private let snn: Graph
    private let ann: Graph?
    private let dataset: Dataset
    private let steps: Int
    /// The samples that can be looked at: 0 ..< count.
    let count: Int
    package let runs: RunQueue

    /// - Parameters:
    ///   - data: its samples, in the data set's order; a page pays only for those it looks at.
    ///   - ann: the network that `snn` was made from: its prediction stands beside.
    ///   - steps: T, from 1 to ``mostSteps``; `nil`: what the network was converted for, else 32. Of a radix code its own K.
    /// - Throws: ``SpikeletError`` where network, ANN and data do not fit each other.
    public init(_ snn: Graph, data: DataLoader, ann: Graph? = nil, steps: Int? = nil) throws {
        guard let spiking = snn.spiking else {
            throw SpikeletError(.invalidData, "'\(snn.name)' is an ANN, not a spiking network", remedy: "convert it first")
        }
        let usual = spiking.code.steps(asked: steps ?? spiking.steps ?? 32)
        guard (1...Self.mostSteps).contains(usual) else {
            throw SpikeletError(
                .invalidOption, "\(usual) time steps on a page", remedy: "give a number from 1 to \(Self.mostSteps)")
        }
        guard snn.outputs.first.flatMap({ snn.types[$0.value]?.elementType }) == .float32 else {
            throw SpikeletError(
                .unsupported, "the first output of '\(snn.name)' is no number that could be drawn",
                remedy: "export the model without what makes positions or truth values of its scores, such as ArgMax")
        }
        let ann = try ann?.showingOutputs(of: snn)
        self.snn = snn
        self.ann = ann
        self.steps = usual
        count = data.count
        let copies = snn.fixedBatch ?? 1
        let dataset = data.dataset
        self.dataset = dataset
        let first = try dataset.batch(at: [Int](repeating: 0, count: max(1, copies))[...])
        try snn.check(inputs: first.inputs)
        try ann?.check(inputs: first.inputs)
        runs = RunQueue { sample in
            let batch = try dataset.batch(at: [Int](repeating: sample, count: max(1, copies))[...])
            return try JSON.encode(try SampleRun(snn, ann: ann, sample: sample, batch: batch, steps: usual))
        }
    }

    private struct Description: Encodable {
        var network: String
        var recipe: String
        var code: String
        var schedule: String
        var steps: Int
        var samples: Int
        var hasANN: Bool
        var mostPictures: Int
    }

    /// What the page says of the network, as JSON.
    func description() throws -> [UInt8] {
        try JSON.encode(
            Description(
                network: snn.name, recipe: snn.spiking?.recipe ?? "", code: snn.spiking?.code.kind.rawValue ?? "",
                schedule: snn.spiking?.schedule.rawValue ?? "", steps: steps, samples: count, hasANN: ann != nil,
                mostPictures: Self.mostPictures))
    }

    private struct Pictures: Encodable {
        struct Picture: Encodable {
            var sample: Int
            var label: Int?
            /// A byte a place and channel, `[row][column][channel]`, as Base64.
            var pixels: String
        }

        var width: Int
        var height: Int
        var channels: Int
        var pictures: [Picture]
    }

    /// Samples as small pictures, as JSON: images; of tokens `[tokens, features]` a row each; other numbers in one row.
    ///
    /// - Parameter range: within 0 ..< ``count``, at most ``mostPictures``.
    func pictures(_ range: Range<Int>) throws -> [UInt8] {
        let batch = try dataset.batch(at: Array(range)[...])
        let tensor = batch.inputs[0]
        let sizes = Array(tensor.shape.dropFirst())
        let (depth, height, width) =
            switch sizes.count {
            case 3: (sizes[0], sizes[1], sizes[2])
            case 2: (1, sizes[0], sizes[1])
            default: (1, 1, sizes.reduce(1, *))
            }
        let channels = depth == 3 ? 3 : 1
        let (rows, columns) = ((0..<height).evenly(atMost: Self.mostPlaces), (0..<width).evenly(atMost: Self.mostPlaces))
        let values = tensor.shownNumbers
        let pictures = range.enumerated().map { position, sample in
            let own = values[position * depth * height * width..<(position + 1) * depth * height * width]
            let (least, most) = (own.min() ?? 0, own.max() ?? 1)
            let scale = most > least ? 255 / (most - least) : 0
            var bytes: [UInt8] = []
            for row in rows {
                for column in columns {
                    for channel in 0..<channels {
                        let value = own[own.startIndex + (channel * height + row) * width + column]
                        bytes.append(UInt8(max(0, min(255, (value - least) * scale))))
                    }
                }
            }
            return Pictures.Picture(sample: sample, label: batch.labels?[position], pixels: Data(bytes).base64EncodedString())
        }
        return try JSON.encode(Pictures(width: columns.count, height: rows.count, channels: channels, pictures: pictures))
    }
}

extension Tensor {
    /// Its numbers, near enough to be drawn: the ids of tokens, truth values as 0 and 1.
    fileprivate var shownNumbers: [Float] {
        switch storage {
        case .float32(let values): values
        case .int64(let values): values.map { Float($0) }
        case .bool(let values): values.map { $0 ? 1 : 0 }
        }
    }
}
