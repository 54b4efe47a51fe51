internal import SpikeGraph

extension OperatorSpec {
    static let constants: [OperatorSpec] = [
        OperatorSpec("Constant", since: 1, inputs: 0...0, attributes: [AttributeSpec.tensor("value").required], build: constant),
        // `sparse_value` is not listed: a node that has it is refused by name.
        OperatorSpec("Constant", since: 11, inputs: 0...0, attributes: [.tensor("value")], build: constant),
        OperatorSpec(
            "Constant", since: 12, inputs: 0...0,
            attributes: [
                .tensor("value"), .float("value_float"), .floats("value_floats"), .int("value_int"), .ints("value_ints"),
                .string("value_string"), .strings("value_strings"),
            ], build: constant),
    ]

    @Sendable private static func constant(_ node: NodeContext) throws -> [Value] {
        guard node.attributes.count == 1, let (_, value) = node.attributes.first else {
            throw SpikeletError(.invalidModel, "\(node.attributes.count) values are given, one is needed")
        }
        let tensor =
            switch value {
            case .tensor(let proto): try node.reader.read(proto, named: node.proto.output.first ?? "")
            case .float(let number): Tensor(scalar: number)
            case .floats(let numbers): Tensor(numbers, shape: [numbers.count])
            case .int(let number): Tensor([Int64(number)], shape: [])
            case .ints(let numbers): Tensor(numbers.map { Int64($0) }, shape: [numbers.count])
            case .string, .strings, .graph: throw SpikeletError(.unsupported, "its value is text; numbers are taken")
            }
        let constant = Value.constant(name: node.proto.output.first ?? node.builder.newName(), tensor)
        if case .tensor(let proto) = value { node.builder.setIntegerType(proto.dataType, of: constant) }
        return [constant]
    }
}
