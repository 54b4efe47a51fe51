import SpikeGraph

/// The first samples of calibration data in portions, to fit on the one and judge on the next. What is in a portion does not depend
/// on how the data is batched.
struct CalibrationPortions {
    /// The inputs of each portion: an even number of portions of nearly the same size, so that as many fit as judge.
    let inputs: [[Tensor]]
    /// The samples in all portions.
    var samples: Int { inputs.reduce(0) { $0 + $1[0].shape[0] } }

    /// Samples of a portion at most, unless the network takes no fewer.
    private static let most = 16

    /// - Parameter count: samples used at most. A network of a fixed batch size takes whole batches of them, and at least two.
    init(of data: any BatchSource, first count: Int, for graph: Graph) throws {
        let fixed = graph.inputs.first?.type.shape.dimensions.first?.known
        let wanted = fixed.map { max(count - count % max(1, $0), 2 * $0) } ?? count
        var (parts, found): ([[Tensor]], Int) = ([], 0)
        var pass = try data.makePass()
        while found < wanted, let batch = try pass.next() {
            let taken = min(batch.count, wanted - found)
            parts.append(taken == batch.count ? batch.inputs : batch.inputs.map { $0.samples(0..<taken) })
            found += taken
        }
        let pairs = fixed.map { found / (2 * max(1, $0)) } ?? (found < 2 ? 0 : (found + 2 * Self.most - 1) / (2 * Self.most))
        guard pairs > 0 else {
            inputs = []
            return
        }
        let used = fixed.map { 2 * pairs * $0 } ?? found
        let whole = parts[0].indices.map { input in Self.joined(parts.map { $0[input] }) }
        inputs = (0..<2 * pairs).map { portion in
            let range = used * portion / (2 * pairs)..<used * (portion + 1) / (2 * pairs)
            return whole.map { $0.samples(range) }
        }
    }

    /// Tensors of one type joined along the first axis.
    private static func joined(_ parts: [Tensor]) -> Tensor {
        guard parts.count > 1 else { return parts[0] }
        let shape = [parts.reduce(0) { $0 + $1.shape[0] }] + parts[0].shape.dropFirst()
        return switch parts[0].elementType {
        case .float32: Tensor(parts.flatMap(\.floats), shape: shape)
        case .int64: Tensor(parts.flatMap(\.integers), shape: shape)
        case .bool: Tensor(parts.flatMap(\.booleans), shape: shape)
        }
    }
}
