/// What every operator's payload says of itself. One file in `Operators/` holds each payload with its equation, its shape
/// rule and its linearity; `SpikeReference` holds what it computes; `SpikeONNX` how it is read.
package protocol OperatorPayload: Codable, Hashable, Sendable {
    /// The operator's name: ONNX's own where ONNX has it.
    static var name: String { get }
    /// How many inputs a node may have: one, unless a payload says otherwise. Optional inputs come last.
    var arity: ClosedRange<Int> { get }
    /// The types of the outputs; of a function applied element by element, the input's own.
    ///
    /// - Parameter constants: the value of each input that is a constant of the graph, else `nil`.
    /// - Throws: ``SpikeletError`` where the inputs do not fit.
    func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType]
    /// Nonlinear, unless a payload says otherwise: what has not been thought about is refused between neurons.
    ///
    /// - Parameter isConstant: for each input, whether it is a constant of the graph.
    func linearity(isConstant: [Bool]) -> Linearity
    /// The positions of inputs that, where they are constants, are added to the rest: biases and the like. With zeros in their
    /// place an affine operator is linear.
    var additiveInputs: [Int] { get }
    /// The name shown to people: of a family of operators the member's, as in ONNX.
    var label: String { get }
    /// Attributes as a person would write them, without those at their default.
    var summary: String { get }
}

extension OperatorPayload {
    package var arity: ClosedRange<Int> { 1...1 }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] { try unaryType(inputs) }

    package func linearity(isConstant: [Bool]) -> Linearity { .nonlinear }

    package var label: String { Self.name }

    package var summary: String { "" }

    package var additiveInputs: [Int] { [] }
}

/// All operators a ``Graph`` may hold. A new one is a line in each of the two tables below.
public enum Operator: Sendable, Hashable {
    /// Adds two values.
    case add(Add)
    /// The position of the largest or smallest number along an axis.
    case argExtremum(ArgExtremum)
    /// The mean over windows.
    case averagePool(AveragePool)
    /// Scales and shifts each channel by statistics of training.
    case batchNormalization(BatchNormalization)
    /// A function of two numbers, element by element.
    case binary(Binary)
    /// Changes the element type.
    case cast(Cast)
    /// Bounds values.
    case clip(Clip)
    /// Joins values along an axis.
    case concat(Concat)
    /// A convolution.
    case conv(Conv)
    /// A transposed convolution.
    case convTranspose(ConvTranspose)
    /// Sums along an axis, running.
    case cumSum(CumSum)
    /// Does nothing after training.
    case dropout(Dropout)
    /// Repeats axes of size 1.
    case expand(Expand)
    /// Makes a matrix of a tensor.
    case flatten(Flatten)
    /// Rounds down.
    case floor(Floor)
    /// Picks positions along an axis.
    case gather(Gather)
    /// A fully connected layer.
    case gemm(Gemm)
    /// The mean over all places of a channel.
    case globalAveragePool(GlobalAveragePool)
    /// The maximum over all places of a channel.
    case globalMaxPool(GlobalMaxPool)
    /// Normalises groups of channels of a sample.
    case groupNormalization(GroupNormalization)
    /// Passes its input on.
    case identity(Identity)
    /// Normalises over the last axes of a sample.
    case layerNormalization(LayerNormalization)
    /// Divides by what neighbouring channels hold.
    case localResponseNormalization(LocalResponseNormalization)
    /// The logarithm of a softmax.
    case logSoftmax(LogSoftmax)
    /// A matrix product.
    case matMul(MatMul)
    /// The maximum over windows.
    case maxPool(MaxPool)
    /// Multiplies two values.
    case mul(Mul)
    /// A layer of spiking neurons.
    case neuron(NeuronNode)
    /// Adds places around a value.
    case pad(Pad)
    /// Rounds to levels, as in training for quantisation.
    case quantizer(Quantizer)
    /// A sum, product or extremum over axes.
    case reduce(Reduce)
    /// The mean over axes.
    case reduceMean(ReduceMean)
    /// max(0, x).
    case relu(Relu)
    /// Gives the same numbers another shape.
    case reshape(Reshape)
    /// Samples places anew.
    case resize(Resize)
    /// Rounds to whole numbers.
    case round(Round)
    /// Max pooling of spikes, exact for rates.
    case runningMaximumPool(RunningMaximumPool)
    /// Chooses between two values by a third.
    case select(Where)
    /// The logistic function.
    case sigmoid(Sigmoid)
    /// Cuts along axes.
    case slice(Slice)
    /// Exponentials that sum to 1.
    case softmax(Softmax)
    /// Repeats a value along axes.
    case tile(Tile)
    /// Exchanges axes.
    case transpose(Transpose)
    /// A function of one number, element by element.
    case unary(Unary)
    /// Watches activations during calibration.
    case voltageHook(VoltageHook)
    /// Multiplies by a constant.
    case voltageScaler(VoltageScaler)

    /// The operator's attributes and rules.
    package var payload: any OperatorPayload {
        switch self {
        case .add(let payload): payload
        case .argExtremum(let payload): payload
        case .averagePool(let payload): payload
        case .batchNormalization(let payload): payload
        case .binary(let payload): payload
        case .cast(let payload): payload
        case .clip(let payload): payload
        case .concat(let payload): payload
        case .conv(let payload): payload
        case .convTranspose(let payload): payload
        case .cumSum(let payload): payload
        case .dropout(let payload): payload
        case .expand(let payload): payload
        case .flatten(let payload): payload
        case .floor(let payload): payload
        case .gather(let payload): payload
        case .gemm(let payload): payload
        case .globalAveragePool(let payload): payload
        case .globalMaxPool(let payload): payload
        case .groupNormalization(let payload): payload
        case .identity(let payload): payload
        case .layerNormalization(let payload): payload
        case .localResponseNormalization(let payload): payload
        case .logSoftmax(let payload): payload
        case .matMul(let payload): payload
        case .maxPool(let payload): payload
        case .mul(let payload): payload
        case .neuron(let payload): payload
        case .pad(let payload): payload
        case .quantizer(let payload): payload
        case .reduce(let payload): payload
        case .reduceMean(let payload): payload
        case .relu(let payload): payload
        case .reshape(let payload): payload
        case .resize(let payload): payload
        case .round(let payload): payload
        case .runningMaximumPool(let payload): payload
        case .select(let payload): payload
        case .sigmoid(let payload): payload
        case .slice(let payload): payload
        case .softmax(let payload): payload
        case .tile(let payload): payload
        case .transpose(let payload): payload
        case .unary(let payload): payload
        case .voltageHook(let payload): payload
        case .voltageScaler(let payload): payload
        }
    }

    /// How each operator is read back from a file, by name.
    private static let readers: [String: @Sendable (any Decoder) throws -> Operator] = Dictionary(uniqueKeysWithValues: [
        reader(Operator.add), reader(Operator.argExtremum), reader(Operator.averagePool), reader(Operator.batchNormalization),
        reader(Operator.binary), reader(Operator.cast), reader(Operator.clip), reader(Operator.concat), reader(Operator.conv),
        reader(Operator.convTranspose), reader(Operator.cumSum), reader(Operator.dropout), reader(Operator.expand),
        reader(Operator.flatten), reader(Operator.floor), reader(Operator.gather), reader(Operator.gemm),
        reader(Operator.globalAveragePool), reader(Operator.globalMaxPool), reader(Operator.groupNormalization),
        reader(Operator.identity), reader(Operator.layerNormalization), reader(Operator.localResponseNormalization),
        reader(Operator.logSoftmax), reader(Operator.matMul), reader(Operator.maxPool), reader(Operator.mul), reader(Operator.neuron),
        reader(Operator.pad), reader(Operator.quantizer), reader(Operator.reduce), reader(Operator.reduceMean), reader(Operator.relu),
        reader(Operator.reshape), reader(Operator.resize), reader(Operator.round), reader(Operator.runningMaximumPool),
        reader(Operator.sigmoid), reader(Operator.slice), reader(Operator.softmax), reader(Operator.tile), reader(Operator.transpose),
        reader(Operator.unary), reader(Operator.voltageHook), reader(Operator.voltageScaler), reader(Operator.select),
    ])

    private static func reader<Payload: OperatorPayload>(
        _ make: @escaping @Sendable (Payload) -> Operator
    ) -> (String, @Sendable (any Decoder) throws -> Operator) {
        (Payload.name, { make(try Payload(from: $0)) })
    }

    /// The names of all operators, so that tests can tell that they miss none.
    package static var allNames: Set<String> { Set(readers.keys) }

    /// The name shown to people: the operator's, or the kind of neuron.
    public var name: String {
        if case .neuron(let node) = self { return type(of: node.neuron).kind }
        return payload.label
    }

    /// Whether it remembers something from step to step, and so has a state in a simulation.
    package var isStateful: Bool {
        switch self {
        case .neuron, .runningMaximumPool: true
        default: false
        }
    }

    /// The largest value that a ReLU gives, where it has one.
    public var upperBound: Float? {
        switch self {
        case .clip(let clip): clip.maximum
        case .quantizer(let quantizer): quantizer.step * Float(quantizer.levels)
        default: nil
        }
    }

    public static func == (a: Operator, b: Operator) -> Bool {
        AnyHashable(a.payload) == AnyHashable(b.payload)
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(AnyHashable(payload))
    }
}

extension Operator: Codable {
    private enum Key: String, CodingKey { case type, attributes }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        let type = try container.decode(String.self, forKey: .type)
        guard let reader = Self.readers[type] else {
            throw SpikeletError(.unsupported, "operator '\(type)' is not known to this version of Spikelet", remedy: "update Spikelet")
        }
        self = try reader(container.superDecoder(forKey: .attributes))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        let payload = self.payload
        try container.encode(type(of: payload).name, forKey: .type)
        try payload.encode(to: container.superEncoder(forKey: .attributes))
    }
}
