internal import SpikeGraph

/// What ONNX's specification says of one operator from one opset on, and how it is imported.
///
/// Arity and attributes are checked against this before ``build`` runs, so that importers see only nodes that are
/// well formed, with every default filled in.
struct OperatorSpec: Sendable {
    /// ONNX's own domain is the empty string.
    let domain: String
    let name: String
    /// The first opset it holds for; it does until the next entry of the same name.
    let since: Int
    let inputs: ClosedRange<Int>
    let outputs: ClosedRange<Int>
    let attributes: [AttributeSpec]
    /// Makes graph nodes, or folds. Returns a value for each output, in order; outputs that nobody may use are left off.
    let build: @Sendable (NodeContext) throws -> [Value]

    init(
        _ name: String, domain: String = "", since: Int, inputs: ClosedRange<Int>, outputs: ClosedRange<Int> = 1...1,
        attributes: [AttributeSpec] = [], build: @escaping @Sendable (NodeContext) throws -> [Value]
    ) {
        self.domain = domain
        self.name = name
        self.since = since
        self.inputs = inputs
        self.outputs = outputs
        self.attributes = attributes
        self.build = build
    }
}

/// One attribute of an operator: its type, and what it is when the model does not give it.
struct AttributeSpec: Sendable {
    enum Kind: String, Sendable {
        case int, float, string, tensor, graph, ints, floats, strings
    }

    let name: String
    let kind: Kind
    let fallback: AttributeValue?
    var isRequired = false

    static func int(_ name: String, _ fallback: Int? = nil) -> AttributeSpec {
        AttributeSpec(name: name, kind: .int, fallback: fallback.map { .int($0) })
    }

    static func float(_ name: String, _ fallback: Float? = nil) -> AttributeSpec {
        AttributeSpec(name: name, kind: .float, fallback: fallback.map { .float($0) })
    }

    static func string(_ name: String, _ fallback: String? = nil) -> AttributeSpec {
        AttributeSpec(name: name, kind: .string, fallback: fallback.map { .string($0) })
    }

    static func ints(_ name: String) -> AttributeSpec { AttributeSpec(name: name, kind: .ints, fallback: nil) }
    static func floats(_ name: String) -> AttributeSpec { AttributeSpec(name: name, kind: .floats, fallback: nil) }
    static func strings(_ name: String) -> AttributeSpec { AttributeSpec(name: name, kind: .strings, fallback: nil) }
    static func tensor(_ name: String) -> AttributeSpec { AttributeSpec(name: name, kind: .tensor, fallback: nil) }
    static func graph(_ name: String) -> AttributeSpec { AttributeSpec(name: name, kind: .graph, fallback: nil) }

    /// The same attribute, which the model has to give.
    var required: AttributeSpec {
        var copy = self
        copy.isRequired = true
        return copy
    }
}

/// An attribute's value.
enum AttributeValue: Sendable {
    case int(Int)
    case float(Float)
    case string(String)
    case tensor(ONNXTensorProto)
    case graph(ONNXGraphProto)
    case ints([Int])
    case floats([Float])
    case strings([String])
}

extension AttributeSpec {
    /// The attributes of a node, by name, defaults filled in.
    ///
    /// - Throws: ``SpikeletError`` for an attribute that the operator does not have, one of another type, one given twice,
    ///   and a required one that is missing.
    static func values(of node: ONNXNodeProto, in specs: [AttributeSpec]) throws -> [String: AttributeValue] {
        var values: [String: AttributeValue] = [:]
        for attribute in node.attribute {
            guard let spec = specs.first(where: { $0.name == attribute.name }) else {
                let known = specs.isEmpty ? "it has none" : "it has " + specs.map(\.name).joined(separator: ", ")
                throw SpikeletError(.unsupported, "attribute '\(attribute.name)' is not known for this operator in this opset (\(known))")
            }
            guard attribute.refAttrName.isEmpty else {
                throw SpikeletError(.invalidModel, "attribute '\(attribute.name)' refers to a function's argument outside a function")
            }
            guard values.updateValue(try spec.value(attribute), forKey: spec.name) == nil else {
                throw SpikeletError(.invalidModel, "attribute '\(attribute.name)' is given twice")
            }
        }
        for spec in specs where values[spec.name] == nil {
            if spec.isRequired { throw SpikeletError(.invalidModel, "attribute '\(spec.name)' is missing; the operator needs it") }
            values[spec.name] = spec.fallback
        }
        return values
    }

    private func value(_ attribute: ONNXAttributeProto) throws -> AttributeValue {
        // Exporters of old left the type out; the operator's own decides then.
        guard attribute.type == .undefined || attribute.type == wireType else {
            throw SpikeletError(
                .invalidModel, "attribute '\(name)' is of type \("\(attribute.type)".lowercased()), \(kind.rawValue) is needed")
        }
        return switch kind {
        case .int: .int(Int(attribute.i))
        case .float: .float(attribute.f)
        case .string: .string(try text([UInt8](attribute.s)))
        case .tensor: .tensor(attribute.t)
        case .graph: .graph(attribute.g)
        case .ints: .ints(attribute.ints.map { Int($0) })
        case .floats: .floats(attribute.floats)
        case .strings: .strings(try attribute.strings.map { try text([UInt8]($0)) })
        }
    }

    private func text(_ bytes: [UInt8]) throws -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw SpikeletError(.malformedFile, "attribute '\(name)' is no text")
        }
        return text
    }

    private var wireType: ONNXAttributeProto.AttributeType {
        switch kind {
        case .int: .int
        case .float: .float
        case .string: .string
        case .tensor: .tensor
        case .graph: .graph
        case .ints: .ints
        case .floats: .floats
        case .strings: .strings
        }
    }
}
