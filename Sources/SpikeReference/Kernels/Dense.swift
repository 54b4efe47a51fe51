internal import CDense
internal import SpikeGraph

extension Kernels {
    /// One single-threaded product C ← A'·B' + β·C. An empty product leaves C as it is: zeros.
    static func product(
        transposeA: Bool = false, transposeB: Bool = false, m: Int, n: Int, k: Int,
        _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, beta: Float = 0, _ c: UnsafeMutablePointer<Float>
    ) {
        guard m > 0, n > 0, k > 0 else { return }
        spike_dense_product(transposeA ? 1 : 0, transposeB ? 1 : 0, Int32(m), Int32(n), Int32(k), a, b, beta, c)
    }

    /// Convolution as one product per sample and group: weights `[O/g, C/g·places]` times the unrolled input
    /// `[C/g·places, positions]`.
    static func conv(_ conv: Conv, _ inputs: [Tensor]) throws -> Tensor {
        let (x, w) = (inputs[0], inputs[1])
        let table = try WindowTable(conv.window, input: Array(x.shape[2...]))
        let (samples, channels, features) = (x.shape[0], x.shape[1], w.shape[0])
        let size = x.shape[2...].reduce(1, *)
        let (groupChannels, groupFeatures) = (channels / conv.groups, features / conv.groups)
        let depth = groupChannels * table.places
        // A 1×1 window that visits every place in order reads the input as it is.
        let isIdentity = table.places == 1 && table.positions == size && table.offsets(0..<1, 0..<size).enumerated().allSatisfy { $0 == $1 }
        // Positions at a time: all of them, unless memory does not hold what they read.
        let portion = max(1, min(table.positions, mostUnrolled / max(1, depth)))
        var unrolled = [Float](repeating: 0, count: isIdentity ? 0 : depth * portion)
        var partial = [Float](repeating: 0, count: portion < table.positions && !isIdentity ? groupFeatures * portion : 0)
        var output = [Float](repeating: 0, count: samples * features * table.positions)
        let bias = inputs.count > 2 ? inputs[2].floats : nil
        output.withUnsafeMutableBufferPointer { y in
            x.withFloats { x in
                w.withFloats { w in
                    guard let x0 = x.baseAddress, let w0 = w.baseAddress, let y0 = y.baseAddress else { return }
                    for first in stride(from: 0, to: isIdentity ? 1 : table.positions, by: portion) {
                        let range = first..<min(first + portion, table.positions)
                        let offsets = isIdentity ? [] : table.offsets(0..<table.places, range)
                        for sample in 0..<samples {
                            for group in 0..<conv.groups {
                                let source = x0 + (sample * channels + group * groupChannels) * size
                                let target = y0 + (sample * features + group * groupFeatures) * table.positions
                                let weights = w0 + group * groupFeatures * depth
                                if isIdentity {
                                    product(m: groupFeatures, n: table.positions, k: depth, weights, source, target)
                                    continue
                                }
                                unrolled.withUnsafeMutableBufferPointer { columns in
                                    unroll(source, channels: groupChannels, size: size, offsets, into: columns)
                                    guard let columns = columns.baseAddress else { return }
                                    if range.count == table.positions {
                                        product(m: groupFeatures, n: table.positions, k: depth, weights, columns, target)
                                        return
                                    }
                                    partial.withUnsafeMutableBufferPointer { part in
                                        guard let part = part.baseAddress else { return }
                                        product(m: groupFeatures, n: range.count, k: depth, weights, columns, part)
                                        for feature in 0..<groupFeatures {
                                            (target + feature * table.positions + first).update(
                                                from: part + feature * range.count, count: range.count)
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            guard let bias else { return }
            for row in 0..<samples * features {
                let offset = bias[row % features]
                for index in row * table.positions..<(row + 1) * table.positions { y[index] += offset }
            }
        }
        return Tensor(output, shape: [samples, features] + table.output)
    }

    /// The numbers of an unrolled input that are kept at a time.
    private static let mostUnrolled = 1 << 25

    private static func unroll(
        _ source: UnsafePointer<Float>, channels: Int, size: Int, _ offsets: [Int], into columns: UnsafeMutableBufferPointer<Float>
    ) {
        offsets.withUnsafeBufferPointer { offsets in
            for channel in 0..<channels {
                let plane = source + channel * size
                for index in offsets.indices {
                    let offset = offsets[index]
                    columns[channel * offsets.count + index] = offset < 0 ? 0 : plane[offset]
                }
            }
        }
    }

    /// Transposed convolution: one product per sample and group gives what each input place adds to each place of its window;
    /// these are then summed up where windows overlap.
    static func convTranspose(_ conv: ConvTranspose, _ inputs: [Tensor]) throws -> Tensor {
        let (x, w) = (inputs[0], inputs[1])
        let spatial = Array(x.shape[2...])
        let output = try conv.outputSizes(spatial)
        let window = conv.window
        let table = WindowTable(
            window, placement: Window.Placement(padsBegin: window.padsBegin, padsEnd: window.padsEnd, output: spatial), input: output)
        let (samples, channels, features) = (x.shape[0], x.shape[1], w.shape[1] * conv.groups)
        let (groupChannels, groupFeatures) = (channels / conv.groups, w.shape[1])
        let (positions, size, places) = (table.positions, output.reduce(1, *), table.places)
        let (count, overflow) = (groupFeatures * places).multipliedReportingOverflow(by: positions)
        guard !overflow, count <= 1 << 31 else {
            throw SpikeletError(
                .unsupported, "a transposed convolution of \(groupFeatures) channels, \(places) places and \(positions) positions",
                remedy: "it would take more than 8 GiB: give smaller inputs, or a smaller kernel")
        }
        let offsets = table.offsets(0..<places, 0..<positions)
        var columns = [Float](repeating: 0, count: count)
        var values = [Float](repeating: 0, count: samples * features * size)
        for sample in 0..<samples {
            for group in 0..<conv.groups {
                x.withFloats { x in
                    w.withFloats { w in
                        columns.withUnsafeMutableBufferPointer { columns in
                            guard let x0 = x.baseAddress, let w0 = w.baseAddress, let c0 = columns.baseAddress else { return }
                            product(
                                transposeA: true, m: groupFeatures * places, n: positions, k: groupChannels,
                                w0 + group * groupChannels * groupFeatures * places,
                                x0 + (sample * channels + group * groupChannels) * positions, c0)
                        }
                    }
                }
                for feature in 0..<groupFeatures {
                    let target = (sample * features + group * groupFeatures + feature) * size
                    for index in 0..<places * positions where offsets[index] >= 0 {
                        values[target + offsets[index]] += columns[feature * places * positions + index]
                    }
                }
            }
        }
        let result = Tensor(values, shape: [samples, features] + output)
        guard inputs.count > 2 else { return result }
        let bias = inputs[2].reshaped(to: [features] + [Int](repeating: 1, count: output.count))
        return elementwise(result, bias, +)
    }

    /// y = α·A'·B' + β·C, one product per row of A', so that a sample's result does not depend on its batch.
    static func gemm(_ gemm: Gemm, _ inputs: [Tensor]) -> Tensor {
        let (a, b) = (inputs[0], inputs[1])
        let rows = gemm.transposeA ? a.shape[1] : a.shape[0]
        let depth = gemm.transposeA ? a.shape[0] : a.shape[1]
        let columns = gemm.transposeB ? b.shape[0] : b.shape[1]
        let left = gemm.transposeA ? transpose(a, [1, 0]) : a
        var output = rowProducts(left, b, rows: rows, columns: columns, depth: depth, transposeB: gemm.transposeB)
        if gemm.alpha != 1 { output = output.map { $0 * gemm.alpha } }
        let product = Tensor(output, shape: [rows, columns])
        guard inputs.count > 2 else { return product }
        return elementwise(product, inputs[2]) { $0 + gemm.beta * $1 }
    }

    private static func rowProducts(_ a: Tensor, _ b: Tensor, rows: Int, columns: Int, depth: Int, transposeB: Bool) -> [Float] {
        var output = [Float](repeating: 0, count: rows * columns)
        output.withUnsafeMutableBufferPointer { y in
            a.withFloats { a in
                b.withFloats { b in
                    guard let a0 = a.baseAddress, let b0 = b.baseAddress, let y0 = y.baseAddress else { return }
                    for row in 0..<rows {
                        product(transposeB: transposeB, m: 1, n: columns, k: depth, a0 + row * depth, b0, y0 + row * columns)
                    }
                }
            }
        }
        return output
    }

    /// NumPy's matmul: one product per matrix of the broadcast leading axes; per row where A is a plain matrix of samples.
    static func matMul(_ inputs: [Tensor]) throws -> Tensor {
        let a = inputs[0].rank == 1 ? inputs[0].reshaped(to: [1] + inputs[0].shape) : inputs[0]
        let b = inputs[1].rank == 1 ? inputs[1].reshaped(to: inputs[1].shape + [1]) : inputs[1]
        let (rows, depth, columns) = (a.shape[a.rank - 2], a.shape[a.rank - 1], b.shape[b.rank - 1])
        var shape: [Int]
        var output: [Float]
        if a.rank == 2, b.rank == 2 {
            shape = []
            output = rowProducts(a, b, rows: rows, columns: columns, depth: depth, transposeB: false)
        } else {
            let (aLead, bLead) = (Array(a.shape.dropLast(2)), Array(b.shape.dropLast(2)))
            shape = try Shape(aLead).broadcast(with: Shape(bLead)).resolved(batch: 0)
            let aIndex = Broadcast.indices(of: aLead, in: shape)
            let bIndex = Broadcast.indices(of: bLead, in: shape)
            output = [Float](repeating: 0, count: aIndex.count * rows * columns)
            output.withUnsafeMutableBufferPointer { y in
                a.withFloats { x in
                    b.withFloats { w in
                        guard let x0 = x.baseAddress, let w0 = w.baseAddress, let y0 = y.baseAddress else { return }
                        for (matrix, (i, j)) in zip(aIndex, bIndex).enumerated() {
                            product(
                                m: rows, n: columns, k: depth, x0 + i * rows * depth, w0 + j * depth * columns,
                                y0 + matrix * rows * columns)
                        }
                    }
                }
            }
        }
        if inputs[0].rank > 1 { shape.append(rows) }
        if inputs[1].rank > 1 { shape.append(columns) }
        return Tensor(output, shape: shape)
    }
}
