internal import SpikeGraph

/// What the importer knows of one of the model's values.
enum Value {
    /// Known now: a weight, or the result of folding.
    case constant(name: String, Tensor)
    /// A small integer vector (or number) that depends on the open batch.
    case sizes(SizeVector)
    /// Positions that are counted on from sample to sample.
    case batchIndices(BatchIndices)
    /// Made at run time, by a node of the graph or an input.
    case computed(name: String, ValueType)
    /// Integers that stand for an activation: only `DequantizeLinear` can read them.
    case quantized(QuantizedValue)
    /// The output of a node that could not be imported.
    case unknown

    /// The type, where it is known.
    var type: ValueType? {
        switch self {
        case .constant(_, let tensor): ValueType(tensor)
        case .sizes(let sizes): ValueType(.int64, sizes.isNumber ? [] : [Dimension(sizes.dimensions.count)])
        case .batchIndices(let indices): indices.type
        case .computed(_, let type): type
        case .quantized(let value): ValueType(.int64, value.type.shape)
        case .unknown: nil
        }
    }

    var tensor: Tensor? {
        if case .constant(_, let tensor) = self { return tensor }
        return nil
    }
}

/// Integers that may depend on the batch: what `Shape` gives, and what exporters compute from it.
struct SizeVector: Hashable {
    var dimensions: [Dimension]
    /// A tensor of rank 0 instead of 1.
    var isNumber: Bool

    /// Beyond this a number is no size, and ``Dimension``'s additions could overflow.
    static let limit = 1 << 40

    init(_ dimensions: [Dimension], isNumber: Bool = false) {
        self.dimensions = dimensions
        self.isNumber = isNumber
    }

    /// The integers of a constant or of a size vector; `nil` for anything else, and for numbers that are no sizes.
    init?(_ value: Value) {
        switch value {
        case .sizes(let sizes): self = sizes
        case .constant(_, let tensor):
            guard case .int64(let values) = tensor.storage, tensor.rank <= 1, values.allSatisfy({ $0.magnitude <= Self.limit }) else {
                return nil
            }
            self.init(values.map { Dimension(Int($0)) }, isNumber: tensor.rank == 0)
        case .computed, .quantized, .batchIndices, .unknown: return nil
        }
    }

    /// As a constant, where nothing depends on the batch.
    var tensor: Tensor? {
        let numbers = dimensions.compactMap(\.known)
        guard numbers.count == dimensions.count else { return nil }
        return Tensor(numbers.map { Int64($0) }, shape: isNumber ? [] : [numbers.count])
    }

    /// All numbers stay where sums of them cannot overflow.
    var isSmall: Bool { dimensions.allSatisfy { $0.constant.magnitude <= Self.limit && $0.batchFactor.magnitude <= Self.limit } }
}
