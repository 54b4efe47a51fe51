internal import SpikeGraph

/// What an importer sees of its node: inputs by position, attributes with defaults filled in, and where to put the result.
struct NodeContext {
    let proto: ONNXNodeProto
    /// The node's position in the file.
    let index: Int
    /// The opset of the node's domain.
    let opset: Int
    /// `nil` where an optional input is left out. None is ``Value/unknown``.
    let inputs: [Value?]
    let attributes: [String: AttributeValue]
    /// For each output, whether anything reads it.
    let usedOutputs: [Bool]
    let builder: GraphBuilder
    let reader: TensorReader
    /// Imports the nodes of a graph that is an attribute, in this node's place. Returns the graph's outputs.
    let inline: (ONNXGraphProto) throws -> [Value]

    // MARK: Inputs

    /// An input that has to be there.
    func input(_ position: Int) throws -> Value {
        guard let value = optionalInput(position) else {
            throw SpikeletError(.invalidModel, "input \(position) is left out; the operator needs it")
        }
        return value
    }

    func optionalInput(_ position: Int) -> Value? {
        position < inputs.count ? inputs[position] : nil
    }

    /// Whether the first input is the integers of a `QuantizeLinear`.
    var quantizedInput: Bool {
        if case .quantized? = optionalInput(0) { return true }
        return false
    }

    /// All inputs; none may be left out.
    func allInputs() throws -> [Value] { try inputs.indices.map(input) }

    func type(_ position: Int) throws -> ValueType {
        guard let type = try input(position).type else { throw SpikeletError(.invalidModel, "input \(position) is not known") }
        return type
    }

    /// The integers of an input that has to be a constant, such as axes.
    func constantIntegers(_ position: Int, _ meaning: String) throws -> [Int]? {
        guard let value = optionalInput(position) else { return nil }
        guard let tensor = value.tensor, case .int64(let values) = tensor.storage else {
            throw SpikeletError(
                .unsupported, "the \(meaning) (input \(position)) are computed when the network runs; only constants are taken",
                remedy: "export the model with fixed image sizes; only the batch may stay open")
        }
        return values.map { Int($0) }
    }

    /// The integers of an input that has to be a vector of constants or of sizes that depend on the batch.
    func sizes(_ position: Int, _ meaning: String) throws -> [Dimension]? {
        if case .sizes(let sizes)? = optionalInput(position) { return sizes.dimensions }
        return try constantIntegers(position, meaning)?.map { Dimension($0) }
    }

    func isUsed(output: Int) -> Bool { output < usedOutputs.count && usedOutputs[output] }

    // MARK: Attributes

    func int(_ name: String) -> Int? {
        if case .int(let value) = attributes[name] { return value }
        return nil
    }

    func float(_ name: String) -> Float? {
        if case .float(let value) = attributes[name] { return value }
        return nil
    }

    func string(_ name: String) -> String? {
        if case .string(let value) = attributes[name] { return value }
        return nil
    }

    func ints(_ name: String) -> [Int]? {
        if case .ints(let values) = attributes[name] { return values }
        return nil
    }

    func flag(_ name: String) -> Bool { (int(name) ?? 0) != 0 }

    // MARK: Results

    /// The node's result by one operator of the graph.
    func emit(_ operator: Operator, _ inputs: [Value]) throws -> [Value] {
        [try builder.emit(`operator`, inputs, source: index)]
    }

    /// The node does nothing at inference: what reads its output reads `value`.
    func pass(_ value: Value, because action: String) -> [Value] {
        if case .computed = value { builder.note(action) }
        return [value]
    }
}
