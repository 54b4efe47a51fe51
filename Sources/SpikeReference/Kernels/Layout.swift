internal import SpikeGraph

extension Kernels {
    static func concat(_ concat: Concat, _ inputs: [Tensor]) throws -> Tensor {
        let axis = try Shape.axis(concat.axis, rank: inputs[0].rank)
        let outer = inputs[0].shape[..<axis].reduce(1, *)
        var shape = inputs[0].shape
        shape[axis] = inputs.reduce(0) { $0 + $1.shape[axis] }
        func joined<Element>(_ parts: [[Element]]) -> [Element] {
            var output: [Element] = []
            output.reserveCapacity(parts.reduce(0) { $0 + $1.count })
            for row in 0..<outer {
                for part in parts {
                    let size = part.count / max(1, outer)
                    output += part[row * size..<(row + 1) * size]
                }
            }
            return output
        }
        return switch inputs[0].elementType {
        case .float32: Tensor(joined(inputs.map(\.floats)), shape: shape)
        case .int64: Tensor(joined(inputs.map(\.integers)), shape: shape)
        case .bool: Tensor(joined(inputs.map(\.booleans)), shape: shape)
        }
    }
}
