internal import SpikeGraph
internal import SpikeReference

/// Collects the nodes of the graph to be, and folds what does not depend on the network's input.
final class GraphBuilder {
    /// A node before it has its name.
    struct PendingNode {
        /// Stands for the output until names are given.
        let value: String
        let `operator`: Operator
        let inputs: [String]
        /// The ONNX node it comes from, by position in the file.
        let source: Int
    }

    private(set) var nodes: [PendingNode] = []
    /// The constants that nodes read.
    private(set) var constants: [String: Tensor] = [:]
    /// Counts of what was done on the way, for the report.
    private(set) var actions: [String: Int] = [:]
    /// What folding may use.
    var budget: FoldingBudget
    private var newValues = 0

    /// - Parameter modelSize: the bytes of the model's file.
    init(modelSize: Int) {
        budget = FoldingBudget(modelSize: modelSize)
    }

    /// A value that no model can name: ONNX's names are no `%` and number of ours.
    func newName() -> String {
        newValues += 1
        return "%\(newValues)"
    }

    func note(_ action: String, count: Int = 1) { actions[action, default: 0] += count }

    /// The file's own types of integer constants, by name: ``Tensor`` has int64 alone.
    private var integerTypes: [String: ONNXTensorProto.DataType] = [:]

    func setIntegerType(_ type: ONNXTensorProto.DataType, of value: Value) {
        if case .constant(let name, let tensor) = value, tensor.elementType == .int64 { integerTypes[name] = type }
    }

    func integerType(of value: Value) -> ONNXTensorProto.DataType? {
        if case .constant(let name, _) = value { return integerTypes[name] }
        return nil
    }

    /// A constant that the importer makes.
    func constant(_ tensor: Tensor) -> Value { .constant(name: newName(), tensor) }

    /// Adds a node, or folds it where all inputs are constants.
    ///
    /// - Throws: ``SpikeletError`` where the operator's shape rule refuses the inputs.
    func emit(_ operator: Operator, _ inputs: [Value], source: Int) throws -> Value {
        var types: [ValueType] = []
        for input in inputs {
            switch input {
            case .sizes, .batchIndices:
                throw SpikeletError(.unsupported, "a number that depends on the batch size is used as data")
            case .quantized: throw Refusals.readsIntegers
            case .constant, .computed, .unknown: break
            }
            guard let type = input.type else { throw SpikeletError(.invalidModel, "an input is not known") }
            types.append(type)
        }
        let payload = `operator`.payload
        guard payload.arity.contains(inputs.count) else {
            throw SpikeletError(.invalidModel, "\(inputs.count) inputs do not fit")
        }
        let tensors = inputs.map(\.tensor)
        let output = try payload.outputTypes(types, constants: tensors)[0]
        let known = tensors.compactMap { $0 }
        // What is as large as the batch can only be made when that is known.
        if known.count == inputs.count, output.shape.known != nil {
            try budget.take(`operator`, inputs: known, output: output)
            note("computed once, as they depend on constants only")
            return constant(try ReferenceExecutor.evaluate(`operator`, known)[0])
        }
        let names = inputs.compactMap { input -> String? in
            switch input {
            case .constant(let name, let tensor):
                constants[name] = tensor
                return name
            case .computed(let name, _): return name
            case .sizes, .batchIndices, .quantized, .unknown: return nil
            }
        }
        let value = newName()
        nodes.append(PendingNode(value: value, operator: `operator`, inputs: names, source: source))
        return .computed(name: value, output)
    }

    /// Has a constant in the graph that no node reads.
    func keep(_ tensor: Tensor, named name: String) { constants[name] = tensor }

    /// Asks for room for one folded tensor.
    func reserve(_ shape: Shape) throws { try budget.take(elements: shape.count?.known, of: shape) }
}
