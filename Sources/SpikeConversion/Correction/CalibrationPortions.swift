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
        let fixed = graph.fixedBatch
        let wanted = fixed.map { max(count - count % max(1, $0), 2 * $0) } ?? count
        let batches = try data.first(wanted)
        let found = batches.reduce(0) { $0 + $1.count }
        let pairs = fixed.map { found / (2 * max(1, $0)) } ?? (found < 2 ? 0 : (found + 2 * Self.most - 1) / (2 * Self.most))
        guard pairs > 0 else {
            inputs = []
            return
        }
        let used = fixed.map { 2 * pairs * $0 } ?? found
        let whole = batches.joinedInputs
        inputs = (0..<2 * pairs).map { portion in
            let range = used * portion / (2 * pairs)..<used * (portion + 1) / (2 * pairs)
            return whole.map { $0.samples(range) }
        }
    }
}
