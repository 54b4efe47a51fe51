internal import SpikeGraph

/// The integers that `QuantizeLinear` makes of an activation. The graph has the ``Quantizer`` alone, so in place of integers it
/// holds what `DequantizeLinear` will make of them.
struct QuantizedValue {
    /// The graph's value: (integer − zero point) · scale.
    let activation: String
    let type: ValueType
    let scale: Float
    let zeroPoint: Int
}

/// `QuantizeLinear` and `DequantizeLinear`. Constants are folded, per tensor or per axis. Of an activation a pair, per tensor,
/// is one ``Quantizer``: exact for any zero point, which only shifts the levels.
extension OperatorSpec {
    static let quantization: [OperatorSpec] = ["", "com.microsoft"].flatMap { domain -> [OperatorSpec] in
        let axis = AttributeSpec.int("axis", 1)
        let blocks = [axis, .int("block_size", 0), .int("output_dtype", 0)]
        // Microsoft's domain has one version, with an axis.
        let versions: [(Int, [AttributeSpec], [AttributeSpec])] =
            domain.isEmpty
            ? [
                (10, [], []), (13, [axis], [axis]), (19, [axis, .int("saturate", 1)], [axis]),
                (21, blocks + [.int("saturate", 1)], [axis, .int("block_size", 0)]),
                (23, blocks + [.int("saturate", 1), .int("precision", 0)], blocks),
            ] : [(1, [axis], [axis])]
        return versions.flatMap { since, quantize, dequantize in
            [
                OperatorSpec(
                    "QuantizeLinear", domain: domain, since: since, inputs: 2...3, attributes: quantize, build: Self.quantize),
                OperatorSpec(
                    "DequantizeLinear", domain: domain, since: since, inputs: 2...3, attributes: dequantize, build: Self.dequantize),
            ]
        }
    }

    // MARK: Quantising

    @Sendable private static func quantize(_ node: NodeContext) throws -> [Value] {
        let grid = try Grid(node)
        let type = try node.integerType(2) ?? outputType(node) ?? .uint8
        guard let range = type.integerRange else {
            throw SpikeletError(.unsupported, "it quantises to \(type.label); uint8, int8, uint16 and int16 are taken", remedy: format)
        }
        let value = try node.input(0)
        if let tensor = value.tensor {
            guard case .float32(let values) = tensor.storage else {
                throw SpikeletError(.invalidModel, "it quantises a constant \(ValueType(tensor)), float32 is needed")
            }
            let channels = try grid.channels(of: tensor.shape)
            try node.builder.reserve(Shape(tensor.shape))
            let integers = try zip(values, channels).map { number, channel -> Int64 in
                let rounded = (number / grid.scales[channel]).rounded(.toNearestOrEven)
                guard !rounded.isNaN else { throw SpikeletError(.invalidModel, "a constant to be quantised is no number") }
                // Clamped first: infinity and huge numbers have no Int64.
                let level = Int64(min(max(rounded, -1e9), 1e9)) + grid.zeroPoints[channel]
                return min(max(level, Int64(range.lowerBound)), Int64(range.upperBound))
            }
            let constant = node.builder.constant(Tensor(integers, shape: tensor.shape))
            node.builder.setIntegerType(type, of: constant)
            return [constant]
        }
        let (scale, zeroPoint) = try grid.single()
        let quantizer: Quantizer
        do {
            quantizer = try Quantizer(
                step: scale, levels: range.upperBound - zeroPoint, lowest: range.lowerBound - zeroPoint, rounding: .halfToEven)
        } catch let error as SpikeletError {
            throw SpikeletError(.unsupported, "\(error.message) (scale \(scale), zero point \(zeroPoint) of \(type.label))", remedy: format)
        }
        let made = try node.builder.emit(.quantizer(quantizer), [value], source: node.index)
        guard case .computed(let name, let activation) = made else { return [made] }
        node.builder.note("activations quantised by QuantizeLinear")
        return [.quantized(QuantizedValue(activation: name, type: activation, scale: scale, zeroPoint: zeroPoint))]
    }

    /// The type that the attribute `output_dtype` names, where there is no zero point to have it.
    private static func outputType(_ node: NodeContext) throws -> ONNXTensorProto.DataType? {
        guard let number = node.int("output_dtype"), number != 0 else { return nil }
        return ONNXTensorProto.DataType(rawValue: Int(Int32(truncatingIfNeeded: number)))
    }

    // MARK: Dequantising

    @Sendable private static func dequantize(_ node: NodeContext) throws -> [Value] {
        let grid = try Grid(node)
        switch try node.input(0) {
        case .quantized(let value):
            let (scale, zeroPoint) = try grid.single()
            guard scale == value.scale, zeroPoint == value.zeroPoint else {
                throw SpikeletError(
                    .unsupported,
                    "its scale \(scale) and zero point \(zeroPoint) are not those of its QuantizeLinear, \(value.scale) and \(value.zeroPoint)",
                    remedy: format)
            }
            return [.computed(name: value.activation, value.type)]
        case .constant(_, let tensor):
            guard case .int64(let values) = tensor.storage else {
                throw SpikeletError(.invalidModel, "it dequantises a constant \(ValueType(tensor)), integers are needed")
            }
            let channels = try grid.channels(of: tensor.shape)
            try node.builder.reserve(Shape(tensor.shape))
            let numbers = zip(values, channels).map { integer, channel in
                Float(integer &- grid.zeroPoints[channel]) * grid.scales[channel]
            }
            node.builder.note("computed once, as they depend on constants only")
            return [node.builder.constant(Tensor(numbers, shape: tensor.shape))]
        default:
            throw SpikeletError(.unsupported, "the integers it dequantises are no QuantizeLinear's and no constant", remedy: format)
        }
    }

    private static let format =
        "quantise in QDQ format, activations per tensor: onnxruntime's quantize_static(…, quant_format=QuantFormat.QDQ) writes it"

    /// Scales and zero points: one, or one for each place of an axis.
    private struct Grid {
        let scales: [Float]
        let zeroPoints: [Int64]
        private let axis: Int

        init(_ node: NodeContext) throws {
            guard node.int("block_size") ?? 0 == 0 else { throw SpikeletError(.unsupported, "it quantises in blocks", remedy: format) }
            guard let scale = try node.input(1).tensor, case .float32(let scales) = scale.storage else {
                throw SpikeletError(.unsupported, "its scale is computed when the network runs, or is not float32", remedy: format)
            }
            var zeroPoints = scales.map { _ in Int64(0) }
            if let input = node.optionalInput(2) {
                guard let tensor = input.tensor, case .int64(let values) = tensor.storage else {
                    throw SpikeletError(
                        .unsupported, "its zero point is computed when the network runs, or is no integer", remedy: format)
                }
                zeroPoints = values
            }
            guard scale.rank <= 1, !scales.isEmpty, zeroPoints.count == scales.count else {
                throw SpikeletError(
                    .invalidModel, "\(scales.count) scales of shape \(scale.shape) and \(zeroPoints.count) zero points do not go together")
            }
            guard scales.allSatisfy({ $0 > 0 && $0.isFinite }), zeroPoints.allSatisfy({ $0.magnitude < 1 << 32 }) else {
                throw SpikeletError(.invalidModel, "a scale is not a positive number, or a zero point is beyond every type")
            }
            (self.scales, self.zeroPoints, axis) = (scales, zeroPoints, node.int("axis") ?? 1)
        }

        func single() throws -> (scale: Float, zeroPoint: Int) {
            guard scales.count == 1 else {
                throw SpikeletError(
                    .unsupported, "an activation with \(scales.count) scales, one for each channel", remedy: format)
            }
            return (scales[0], Int(zeroPoints[0]))
        }

        /// For each element of a constant, which scale is its own.
        func channels(of shape: [Int]) throws -> [Int] {
            let count = shape.reduce(1, *)
            guard scales.count > 1 else { return [Int](repeating: 0, count: count) }
            let position = try Shape.axis(axis, rank: shape.count)
            guard shape[position] == scales.count else {
                throw SpikeletError(.invalidModel, "\(scales.count) scales for an axis of size \(shape[position])")
            }
            let inner = shape[(position + 1)...].reduce(1, *)
            return (0..<count).map { $0 / inner % scales.count }
        }
    }
}

extension NodeContext {
    /// The file's own type of a constant input of integers: ``Tensor`` has int64 alone.
    func integerType(_ position: Int) throws -> ONNXTensorProto.DataType? {
        guard let value = optionalInput(position) else { return nil }
        return builder.integerType(of: value)
    }
}

extension ONNXTensorProto.DataType {
    /// The numbers of a narrow integer type.
    var integerRange: ClosedRange<Int>? {
        switch self {
        case .uint8: 0...255
        case .int8: -128...127
        case .uint16: 0...65535
        case .int16: -32768...32767
        default: nil
        }
    }
}
