import Foundation
import SpikeGraph
import SpikeONNX
import SwiftProtobuf

/// Small models for tests, written as ONNX's own messages. One float32 input `x`, one output `y`.
struct ModelBuilder {
    enum Attribute {
        case int(Int)
        case float(Float)
        case string(String)
        case ints([Int])
        case floats([Float])
        case tensor(ONNXTensorProto)
        case graph(ONNXGraphProto)
    }

    var model = ONNXModelProto()

    /// - Parameter input: the sizes of `x`; `nil` leaves an axis open under the name `batch`.
    init(opset: Int = 17, input: [Int?] = [nil, 3, 8, 8]) {
        model.irVersion = 8
        model.producerName = "tests"
        model.opsetImport = [.with { $0.version = Int64(opset) }]
        model.graph.name = "test"
        model.graph.input = [Self.info("x", input)]
        model.graph.output = [.with { $0.name = "y" }]
    }

    static func info(_ name: String, _ sizes: [Int?], type: ONNXTensorProto.DataType = .float) -> ONNXValueInfoProto {
        .with {
            $0.name = name
            $0.type.tensorType.elemType = type
            $0.type.tensorType.shape.dim = sizes.map { size in
                .with { dim in
                    if let size { dim.dimValue = Int64(size) } else { dim.dimParam = "batch" }
                }
            }
        }
    }

    mutating func node(
        _ type: String, _ inputs: [String] = ["x"], _ outputs: [String] = ["y"], _ attributes: [String: Attribute] = [:], name: String = "",
        domain: String = ""
    ) {
        model.graph.node.append(
            .with {
                $0.opType = type
                $0.input = inputs
                $0.output = outputs
                $0.name = name
                $0.domain = domain
                $0.attribute = attributes.sorted { $0.key < $1.key }.map { Self.attribute($0.key, $0.value) }
            })
    }

    static func attribute(_ name: String, _ value: Attribute) -> ONNXAttributeProto {
        .with {
            $0.name = name
            switch value {
            case .int(let number): ($0.type, $0.i) = (.int, Int64(number))
            case .float(let number): ($0.type, $0.f) = (.float, number)
            case .string(let text): ($0.type, $0.s) = (.string, Data(text.utf8))
            case .ints(let numbers): ($0.type, $0.ints) = (.ints, numbers.map { Int64($0) })
            case .floats(let numbers): ($0.type, $0.floats) = (.floats, numbers)
            case .tensor(let tensor): ($0.type, $0.t) = (.tensor, tensor)
            case .graph(let graph): ($0.type, $0.g) = (.graph, graph)
            }
        }
    }

    /// A float32 initialiser in `raw_data`; without values it counts 0, 1, 2, ….
    mutating func weight(_ name: String, _ shape: [Int], _ values: [Float]? = nil) {
        let values = values ?? (0..<shape.reduce(1, *)).map { Float($0) }
        model.graph.initializer.append(Self.tensor(name, shape, values))
    }

    mutating func integers(_ name: String, _ values: [Int64], shape: [Int]? = nil) {
        model.graph.initializer.append(Self.integers(name, values, shape: shape))
    }

    static func tensor(_ name: String, _ shape: [Int], _ values: [Float]) -> ONNXTensorProto {
        .with {
            $0.name = name
            $0.dims = shape.map { Int64($0) }
            $0.dataType = .float
            $0.rawData = values.withUnsafeBytes { Data($0) }
        }
    }

    static func integers(_ name: String, _ values: [Int64], shape: [Int]? = nil) -> ONNXTensorProto {
        .with {
            $0.name = name
            $0.dims = (shape ?? [values.count]).map { Int64($0) }
            $0.dataType = .int64
            $0.rawData = values.withUnsafeBytes { Data($0) }
        }
    }

    /// - Parameter folder: where external data lies.
    func imported(folder: URL = FileManager.default.temporaryDirectory) throws -> ImportedModel {
        try ONNXImporter.importModel(model, fileName: "test.onnx", folder: folder)
    }

    func graph() throws -> Graph { try imported().graph }

    /// The only node's operator.
    func onlyOperator() throws -> Operator {
        let graph = try graph()
        guard graph.nodes.count == 1 else {
            throw SpikeletError(.invalidData, "expected one node, there are \(graph.nodes.map(\.operator.name))")
        }
        return graph.nodes[0].operator
    }

    /// The operators, in order.
    func operators() throws -> [Operator] { try graph().nodes.map(\.operator) }

    /// The shape of the output.
    func outputShape() throws -> Shape? {
        let graph = try graph()
        return graph.types[graph.outputs[0].value]?.shape
    }

    /// The text of the error that the import ends with; empty where it does not.
    func failure() -> String {
        do {
            _ = try imported()
            return ""
        } catch {
            return "\(error)"
        }
    }

    /// A model of one operator that reads `x` and these constants.
    static func single(
        _ type: String, opset: Int = 17, input: [Int?] = [nil, 3, 8, 8], weights: [[Int]] = [], integers: [[Int64]] = [],
        _ attributes: [String: Attribute] = [:]
    ) -> ModelBuilder {
        var builder = ModelBuilder(opset: opset, input: input)
        for (i, shape) in weights.enumerated() { builder.weight("w\(i)", shape) }
        for (i, values) in integers.enumerated() { builder.integers("i\(i)", values) }
        builder.node(
            type, ["x"] + weights.indices.map { "w\($0)" } + integers.indices.map { "i\($0)" }, ["y"], attributes, name: type.lowercased())
        return builder
    }
}
