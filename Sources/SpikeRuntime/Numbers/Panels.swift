internal import CSpikeKernels
internal import SpikeGraph

extension NumberStage.Panels {
    /// Weights, in the order of the depth: that of input k and column n is `values[offsets[k] + n · stride]`.
    struct Matrix {
        var values: UnsafePointer<Float>
        var offsets: [Int]
        var stride: Int
        var columns: Int
    }

    /// float32 weights.
    init(_ matrix: Matrix, bias: [Float]?) {
        let depth = matrix.offsets.count
        let panels = Self.panels(matrix.columns)
        let memory = Memory(count: panels * Int(SPIKE_PANEL) * depth * 4)
        for k in 0..<depth {
            let row = matrix.values + matrix.offsets[k]
            for column in 0..<matrix.columns {
                memory.floats[(column / width * depth + k) * width + column % width] = row[column * matrix.stride]
            }
        }
        self.init(
            kind: .floats, depth: depth, columns: matrix.columns, weights: memory, start: nil, scale: nil, bias: bias.map(Self.filled))
    }

    /// 8-bit weights: of each column the largest is 127 or −127.
    ///
    /// - Parameters:
    ///   - steps: what 1 stands for of each input k.
    ///   - largest: of the numbers that arrive.
    ///   - kind: bytes or shorts.
    /// - Returns: `nil` where sums could leave 32 bits, or a column's weights are no numbers.
    init?(_ matrix: Matrix, bias: [Float]?, steps: (Int) -> Float, largest: Int, kind: NumberKind) {
        let (depth, group) = (matrix.offsets.count, kind.group)
        let groups = (depth + group - 1) / group
        let panels = Self.panels(matrix.columns)
        let memory = Memory(count: panels * width * groups * 4)
        var scales = [Float](repeating: 0, count: matrix.columns)
        for k in 0..<depth {
            let (row, step) = (matrix.values + matrix.offsets[k], steps(k))
            for column in 0..<matrix.columns { scales[column] = max(scales[column], abs(row[column * matrix.stride] * step)) }
        }
        guard scales.allSatisfy(\.isFinite) else { return nil }
        scales = scales.map { $0 / 127 }
        let inverses = scales.map { $0 > 0 ? 1 / $0 : 0 }
        guard inverses.allSatisfy(\.isFinite) else { return nil }
        var (sums, amounts) = ([Int](repeating: 0, count: matrix.columns), [Int](repeating: 0, count: matrix.columns))
        let bytes = memory.start.assumingMemoryBound(to: Int8.self)
        let shorts = memory.start.assumingMemoryBound(to: Int16.self)
        for k in 0..<depth {
            let (row, step) = (matrix.values + matrix.offsets[k], steps(k))
            let (block, place) = (k / group, k % group)
            for column in 0..<matrix.columns {
                let level = (row[column * matrix.stride] * step * inverses[column]).rounded()
                let at = ((column / width * groups + block) * width + column % width) * group + place
                if case .bytes = kind { bytes[at] = Int8(level) } else { shorts[at] = Int16(level) }
                sums[column] += Int(level)
                amounts[column] += Int(abs(level))
            }
        }
        let offset = Int(kind.offset)
        guard (amounts.max() ?? 0) * (largest + offset) < 1 << 31 else { return nil }
        let start = Memory(count: panels * width * 4)
        for (column, sum) in sums.enumerated() { start.integers[column] = Int32(-offset * sum) }
        self.init(
            kind: kind, depth: depth, columns: matrix.columns, weights: memory, start: start, scale: Self.filled(scales),
            bias: bias.map(Self.filled))
    }

    /// Numbers of columns, filled up to whole panels.
    static func filled(_ values: [Float]) -> Memory {
        Memory(values + [Float](repeating: 0, count: panels(values.count) * width - values.count))
    }

    private static func panels(_ columns: Int) -> Int { (columns + width - 1) / width }
}

private let width = Int(SPIKE_PANEL)
