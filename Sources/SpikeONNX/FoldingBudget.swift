internal import SpikeGraph

/// What computing constants may cost: a few bytes in a damaged file could ask for more memory than there is, or for hours.
///
/// Everything that is computed for one model, all together, takes at most 64 MiB and 16 times the bytes of its file and its
/// external data; and at most 2²⁶ multiplications and 64 for each of these bytes.
struct FoldingBudget {
    private static let bytesOfEachModel = 1 << 26
    private static let bytesPerByte = 16
    private static let operationsOfEachModel = 1 << 26
    private static let operationsPerByte = 64

    private var bytes = bytesOfEachModel
    private var operations = operationsOfEachModel

    /// - Parameter modelSize: in bytes.
    init(modelSize: Int) { grow(by: modelSize) }

    /// - Parameter size: bytes of external data.
    mutating func grow(by size: Int) {
        // No file comes near this, and no product of it overflows.
        let size = min(max(0, size), 1 << 48)
        bytes += Self.bytesPerByte * size
        operations += Self.operationsPerByte * size
    }

    /// Asks for room for a constant.
    ///
    /// - Parameter elements: `nil` where they cannot be counted.
    /// - Throws: ``SpikeletError`` (`unsupported`) where it is too large.
    mutating func take(elements: Int?, of shape: Shape) throws {
        // The largest element there is has 8 bytes.
        guard let elements, elements >= 0, elements <= bytes / 8 else { throw Self.tooLarge(shape) }
        bytes -= 8 * elements
    }

    /// Asks for what an operator makes and does.
    mutating func take(_ operator: Operator, inputs: [Tensor], output: ValueType) throws {
        guard let elements = output.shape.count?.known else { throw Self.tooLarge(output.shape) }
        try take(elements: elements, of: output.shape)
        // The kernel's own tables and copies, and how often it goes through what.
        var (temporary, work) = (0, elements)
        switch `operator` {
        case .conv(let conv):
            let places = Self.product(conv.window.kernel)
            let positions = elements / max(1, inputs[0].shape[0] * inputs[1].shape[0])
            let depth = inputs[1].count / max(1, inputs[1].shape[0])
            temporary = Self.product([positions, places + depth])
            work = Self.product([elements, depth])
        case .convTranspose(let conv):
            let positions = inputs[0].shape.dropFirst(2).reduce(1, *)
            let columns = inputs[1].count / max(1, inputs[1].shape[0])
            temporary = Self.product([positions, columns + Self.product(conv.window.kernel)])
            work = Self.product([inputs[0].count, columns])
        case .averagePool(let pool): (temporary, work) = Self.cost(of: pool.window, elements, inputs[0])
        case .maxPool(let pool): (temporary, work) = Self.cost(of: pool.window, elements, inputs[0])
        case .gemm(let gemm): work = Self.product([elements, inputs[0].shape[gemm.transposeA ? 0 : 1]])
        case .matMul: work = Self.product([elements, inputs[0].shape.last ?? 1])
        case .localResponseNormalization(let normalization): work = Self.product([elements, normalization.size])
        default: break
        }
        guard temporary <= bytes / 8, work <= operations else { throw Self.tooLarge(output.shape) }
        operations -= work
    }

    private static func cost(of window: Window, _ elements: Int, _ input: Tensor) -> (temporary: Int, work: Int) {
        let places = product(window.kernel)
        let positions = elements / max(1, input.shape.prefix(2).reduce(1, *))
        return (product([places, positions]), product([places, elements]))
    }

    /// A product that stays at the largest number instead of overflowing.
    private static func product(_ sizes: [Int]) -> Int {
        sizes.reduce(1) { result, size in
            let (product, overflow) = result.multipliedReportingOverflow(by: size)
            return overflow || product < 0 ? .max : product
        }
    }

    private static func tooLarge(_ shape: Shape) -> SpikeletError {
        SpikeletError(
            .unsupported, "a constant of shape \(shape) would have to be computed; that is too large for a model of this size")
    }
}
