import Foundation
import SpikeONNX
import SwiftProtobuf

/// Small ONNX models that the repository has no file of. Input `x`, output `y`.
enum Models {
    /// Nodes in a row, each reading the one before; `Gemm` has weights of its own.
    ///
    /// - Parameter batch: `nil` leaves the batch open.
    static func chain(_ operators: [String], batch: Int? = nil, features: Int = 4) throws -> Data {
        var model = ONNXModelProto()
        model.irVersion = 8
        model.opsetImport = [.with { $0.version = 20 }]
        model.graph.name = "chain"
        model.graph.input = [
            .with {
                $0.name = "x"
                $0.type.tensorType.elemType = .float
                $0.type.tensorType.shape.dim = [
                    .with { dim in if let batch { dim.dimValue = Int64(batch) } else { dim.dimParam = "batch" } },
                    .with { $0.dimValue = Int64(features) },
                ]
            }
        ]
        model.graph.output = [.with { $0.name = "y" }]
        let weights = (0..<features * features).map { Float($0 * 37 % 11) / 11 - 0.4 }
        model.graph.initializer = [
            .with {
                $0.name = "w"
                $0.dims = [Int64(features), Int64(features)]
                $0.dataType = .float
                $0.rawData = weights.withUnsafeBytes { Data($0) }
            }
        ]
        for (position, name) in operators.enumerated() {
            model.graph.node.append(
                .with {
                    $0.opType = name
                    $0.name = "\(name.lowercased())\(position)"
                    $0.input = [position == 0 ? "x" : "value\(position - 1)"] + (name == "Gemm" ? ["w"] : [])
                    $0.output = [position == operators.count - 1 ? "y" : "value\(position)"]
                    if name == "ArgMax" {
                        $0.attribute = [
                            .with {
                                $0.name = "axis"
                                $0.type = .int
                                $0.i = 1
                            }
                        ]
                    }
                })
        }
        return try model.serializedData()
    }

    /// Inputs `a` and `b` of four features, one layer of neurons on the sum of their products with weights, outputs `y` and `z`.
    static func twoInputs() throws -> Data {
        var model = try ONNXModelProto(serializedBytes: chain(["Gemm"]))
        let input = model.graph.input[0]
        model.graph.input = ["a", "b"].map { name in
            var named = input
            named.name = name
            return named
        }
        model.graph.output = ["y", "z"].map { name in .with { $0.name = name } }
        let nodes: [(String, [String], String)] = [
            ("Gemm", ["a", "w"], "p"), ("Gemm", ["b", "w"], "q"), ("Sub", ["p", "q"], "sum"), ("Relu", ["sum"], "active"),
            ("Gemm", ["active", "w"], "y"), ("Gemm", ["y", "w"], "z"),
        ]
        model.graph.node = nodes.map { type, inputs, output in
            .with {
                $0.opType = type
                $0.name = output
                $0.input = inputs
                $0.output = [output]
            }
        }
        return try model.serializedData()
    }
}
