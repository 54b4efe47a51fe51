public import SpikeGraph
import SpikeRuntime

/// What a network's first output says of a sample: its prediction. Whatever compares predictions (accuracy, agreement, early exits, a
/// ``RecipeSearch``) asks here.
///
///     let task = try OutputTask(of: snn, hasLabels: dataset.labels != nil, targets: dataset.targets)
///     print(task)                       // the largest of 10 class scores
///
/// | output | data | a sample's prediction |
/// | --- | --- | --- |
/// | any | targets, numbers | its values |
/// | `[N, C]`, C ≥ 2 | labels, or nothing | the largest of C scores |
/// | `[N, C, …]`, C ≥ 2 | classes `[N, …]`, or nothing | at each place the largest of C scores along the channel axis |
/// | `[N, …, C]` of a softmax over the last axis, or of tokens' features times a matrix | the same | at each place the largest of C scores along the last axis |
/// | `[N]`, `[N, 1]` | labels 0 and 1; or the network ends in a sigmoid | whether its score is above 0; behind a sigmoid above ½ |
/// | `[N, 1, …]` | classes 0 and 1 of each place; or a sigmoid | the same at each place |
/// | any | classes 0 and 1 of its own shape | the same for each number |
/// | `[N]`, `[N, 1, …]` | nothing, and no sigmoid | its values |
public struct OutputTask: Sendable, Hashable {
    /// How an output becomes a prediction.
    public enum Kind: Sendable, Hashable {
        /// The position of the largest of so many scores along one axis; of equal ones the first.
        case classes(Int)
        /// Class 1 where the score is above the threshold, else class 0.
        case score(threshold: Float)
        /// The numbers themselves.
        case values
    }

    /// How an output becomes a prediction.
    public let kind: Kind
    /// The predictions a sample: 1, or the places of a segmentation. 1 also where values are compared.
    public let places: Int
    /// The axis of the output that classes lie along, if there are any: 1, or the last of an output `[N, …, C]`.
    public let axis: Int
    /// How many numbers lie between the scores of two classes: those of the places behind the classes' axis.
    private let stride: Int
    /// What is judged and why so, as a sentence without its full stop.
    public let description: String

    /// By values, whatever the network is.
    public static let values = OutputTask(kind: .values, places: 1, description: "by the values of the first output")

    private init(kind: Kind, places: Int, axis: Int = 1, stride: Int = 1, description: String) {
        self.kind = kind
        self.places = places
        self.axis = axis
        self.stride = stride
        self.description = description
    }

    /// Decides what the first output of `graph` says, by its shape and by what the data have to compare it with.
    ///
    /// - Parameters:
    ///   - hasLabels: whether the data have a class for each sample.
    ///   - targets: what the data have for each sample, `[N, …]`: float32, what a regression should give; int64, the classes of all
    ///     places.
    /// - Throws: ``SpikeletError`` (`invalidData`) where the first output is not numbers of each sample, or the classes of `targets`
    ///   do not have its places.
    public init(of graph: Graph, hasLabels: Bool = false, targets: Tensor? = nil) throws {
        let sizes = try Self.sizes(graph)
        let axis = Self.classAxis(graph, sizes, targets)
        let channels = sizes.isEmpty ? 1 : sizes[axis - 1]
        let behind = sizes.reduce(1, *) / channels
        let first = graph.outputs.count > 1 ? "of \(graph.outputs.count) outputs the first, '\(graph.outputs[0].name)', alone: " : ""
        func among(_ places: Int) -> String { places == 1 ? first : "\(first)at each of \(places) places " }
        func largest() -> OutputTask {
            OutputTask(
                kind: .classes(channels), places: behind, axis: axis, stride: sizes.dropFirst(axis).reduce(1, *),
                description: "\(among(behind))the largest of \(channels) class scores\(behind == 1 ? "" : ", along axis \(axis)")")
        }
        func score(_ reason: String) throws -> OutputTask {
            guard graph.outputFunction != .other else {
                throw SpikeletError(
                    .invalidData, "one score behind a function of which no threshold is known, output '\(graph.outputs[0].name)'",
                    remedy: "give what the network should give as numbers, an array 'targets'; or export it without its last function")
            }
            let (threshold, places) = (Self.threshold(graph), channels * behind)
            return OutputTask(
                kind: .score(threshold: threshold), places: places,
                description: "\(among(places))one score, class 1 where it is above \(threshold == 0 ? "0" : "½"), else class 0: \(reason)")
        }
        func numbers(_ reason: String) -> OutputTask {
            OutputTask(kind: .values, places: 1, description: "\(first)values (\(channels * behind) a sample): \(reason)")
        }
        if let targets {
            let classes = targets.shape.dropFirst().reduce(1, *)
            guard targets.elementType == .int64 else {
                guard classes == channels * behind else {
                    throw SpikeletError(
                        .invalidData,
                        "targets of shape \(targets.shape) for output '\(graph.outputs[0].name)' of \(Self.type(graph))",
                        remedy: "give as many numbers for each sample as the network does; labels of classes are whole numbers, as in "
                            + "labels.astype('int64')")
                }
                self = numbers("the data have targets")
                return
            }
            if channels > 1, classes == behind {
                self = largest()
            } else if classes == channels * behind {
                self = try score("the data have classes 0 and 1")
            } else {
                throw SpikeletError(
                    .invalidData, "classes of shape \(targets.shape) for output '\(graph.outputs[0].name)' of \(Self.type(graph))",
                    remedy: "give one class for each place, [N, …] for scores [N, classes, …]; or 0 and 1 for each score")
            }
        } else if channels > 1 {
            self = largest()
        } else if hasLabels {
            self = try score("the data have labels")
        } else if graph.outputFunction == .sigmoid {
            self = try score("the network ends in a sigmoid")
        } else {
            self = numbers("one number a place without labels is no class")
        }
    }

    /// The same question to another network: an ANN that should give the same predictions, or an exported copy.
    ///
    /// - Throws: ``SpikeletError`` (`invalidData`) where its first output has another form.
    public func asked(of graph: Graph) throws -> OutputTask {
        let sizes = try Self.sizes(graph)
        guard kind != .values else { return self }
        let channels = sizes.count < axis ? 1 : sizes[axis - 1]
        let (behind, stride) = (sizes.reduce(1, *) / channels, sizes.dropFirst(axis).reduce(1, *))
        let fits =
            kind == .classes(channels)
            ? behind == places && stride == self.stride : kind != .classes(classCount) && channels * behind == places
        guard fits else {
            throw SpikeletError(
                .invalidData,
                "output '\(graph.outputs[0].name)' of '\(graph.name)' is \(Self.type(graph)) (\(channels > 1 ? "\(channels) classes" : "one score")), where the spiking network has "
                    + "\(classCount) classes" + (places == 1 ? "" : " at each of \(places) places"),
                remedy: "pass the ONNX model that the spiking network was made from")
        }
        guard case .score = kind else { return self }
        return OutputTask(kind: .score(threshold: Self.threshold(graph)), places: places, description: description)
    }

    /// The axis that classes lie along: of classes of all places the one that they leave; else that of the softmax which the output comes
    /// from, or the last of features of tokens, which a matrix makes or a normalisation.
    ///
    /// - Parameter sizes: of one sample's output.
    private static func classAxis(_ graph: Graph, _ sizes: [Int], _ targets: Tensor?) -> Int {
        guard sizes.count > 1 else { return 1 }
        let likely = graph.classAxis(rank: sizes.count + 1)
        guard let targets, targets.elementType == .int64 else { return likely }
        let places = targets.shape.dropFirst().reduce(1, *)
        return [likely, 1, sizes.count].first { sizes.reduce(1, *) / sizes[$0 - 1] == places && sizes[$0 - 1] > 1 } ?? likely
    }

    /// Above which score class 1 is the likelier.
    private static func threshold(_ graph: Graph) -> Float {
        switch graph.outputFunction {
        case .sigmoid, .softmax: 0.5
        case .logSoftmax, .tanh, .other, nil: 0
        }
    }

    /// How many classes a prediction may be; 0 of values.
    public var classCount: Int {
        switch kind {
        case .classes(let count): count
        case .score: 2
        case .values: 0
        }
    }

    /// One row of class scores a sample: what needs no explanation.
    package var isUsual: Bool { kind == .classes(classCount) && places == 1 && description.hasPrefix("the largest") }

    /// The predictions of some samples, `[sample][place]` in a row; none of values.
    ///
    /// - Parameter output: the first output.
    /// - Throws: ``SpikeletError`` (`invalidModel`) for NaN, of which any prediction would do.
    package func predictions(_ output: Tensor, of graph: Graph) throws -> [Int] {
        let values = output.floats
        guard !values.contains(where: \.isNaN) else {
            throw SpikeletError(
                .invalidModel, "the output of '\(graph.name)' holds NaN",
                remedy:
                    "look for weights that overflow, or a sample that is masked whole, and compare with the source network: spikelet run")
        }
        switch kind {
        case .values: return []
        case .score(let threshold): return values.map { $0 > threshold ? 1 : 0 }
        case .classes(let count):
            return (0..<values.count / count).map { prediction in
                // The places in front of the classes' axis, and those behind it.
                let start = prediction / stride * count * stride + prediction % stride
                return (1..<count).reduce(0) { values[start + $1 * stride] > values[start + $0 * stride] ? $1 : $0 }
            }
        }
    }

    /// The classes that a batch's predictions should be, in their order; `nil` where it has none.
    ///
    /// - Throws: ``SpikeletError`` (`invalidData`) where they are not as many as the predictions, or no classes of the network; or where
    ///   there are labels and values are judged.
    package func labels(of batch: Batch) throws -> [Int]? {
        guard kind != .values else {
            guard batch.labels == nil || batch.targets != nil else {
                throw SpikeletError(
                    .invalidData, "the data have labels, but the network is judged by its values",
                    remedy: "judge it by its predictions, OutputTask(of: network, hasLabels: true); or give targets")
            }
            return nil
        }
        let classes: [Int]? =
            if let targets = batch.targets, case .int64(let values) = targets.storage { values.map { Int($0) } } else { batch.labels }
        guard let classes else { return nil }
        let wanted = batch.count * places
        guard classes.count == wanted else {
            throw SpikeletError(
                .invalidData,
                "\(classes.count) labels for \(batch.count) samples" + (places > 1 ? " of \(places) places each" : ""),
                remedy: places > 1 ? "give one class for each place, integers [N, …]" : "give one label for each sample")
        }
        // Labels that start at 1, or of another data set, would pass for poor accuracy.
        if let label = classes.first(where: { !(0..<classCount).contains($0) }) {
            let isScore = kind != .classes(classCount)
            throw SpikeletError(
                .invalidData, "there is a label \(label), but the network has the classes 0…\(classCount - 1)",
                remedy: isScore
                    ? "labels of one score are 0 and 1; what a regression should give belongs into an array 'targets'"
                    : "labels count the classes from 0; perhaps they belong to another data set")
        }
        return classes
    }

    /// The sizes of one sample's first output.
    private static func sizes(_ graph: Graph) throws -> [Int] {
        let batch = graph.inputs.first?.type.shape.dimensions.first
        if let output = graph.outputs.first, let type = graph.types[output.value], type.elementType == .float32,
            type.shape.dimensions.first == batch, batch != nil
        {
            let sizes = type.shape.dimensions.dropFirst().compactMap(\.known)
            if sizes.count == type.shape.rank - 1, sizes.allSatisfy({ $0 > 0 }) { return sizes }
        }
        throw SpikeletError(
            .invalidData, "the first output of '\(graph.name)' is \(type(graph)), not numbers of each sample",
            remedy: "outputs [N, …] can be judged: class scores, one score, or values; 'spikelet simulate' runs any network")
    }

    private static func type(_ graph: Graph) -> String {
        graph.outputs.first.flatMap { graph.types[$0.value]?.description } ?? "missing"
    }
}

extension OutputTask: CustomStringConvertible {}

extension Graph {
    /// The axis of the first output, 1 or behind, that scores are compared along, by what the output comes from.
    fileprivate func classAxis(rank: Int) -> Int {
        let producers = producers
        guard var value = outputs.first?.value else { return 1 }
        while let node = producers[value], let input = node.inputs.first(where: { constants[$0] == nil }) {
            switch node.operator {
            case .softmax(let softmax) where !softmax.flattensTail: return max(1, softmax.axis < 0 ? rank + softmax.axis : softmax.axis)
            case .logSoftmax(let softmax) where !softmax.flattensTail: return max(1, softmax.axis < 0 ? rank + softmax.axis : softmax.axis)
            case .matMul: return constants[node.inputs[1]] != nil ? rank - 1 : 1
            case .layerNormalization: return rank - 1
            case .identity, .dropout, .voltageScaler, .clip, .sigmoid: break
            case .mul, .add:
                guard node.inputs.contains(where: { constants[$0] != nil }) else { return 1 }
            default: return 1
            }
            value = input
        }
        return 1
    }
}
