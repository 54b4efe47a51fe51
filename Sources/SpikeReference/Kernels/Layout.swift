internal import SpikeGraph

extension Kernels {
    /// The tensor with its axes in another order.
    static func transpose(_ x: Tensor, _ permutation: [Int]) -> Tensor {
        let strides = x.shape.indices.map { axis in x.shape[(axis + 1)...].reduce(1, *) }
        let shape = permutation.map { x.shape[$0] }
        var indices = [0]
        for axis in permutation {
            indices = indices.flatMap { base in (0..<x.shape[axis]).map { base + $0 * strides[axis] } }
        }
        let values = x.floats
        return Tensor(indices.map { values[$0] }, shape: shape)
    }

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
