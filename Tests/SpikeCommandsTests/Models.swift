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
                })
        }
        return try model.serializedData()
    }
}
