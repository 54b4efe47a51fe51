internal import SpikeGraph

extension Kernels {
    /// One axis after the other: each output place is a weighted sum of input places.
    static func resize(_ resize: Resize, _ x: Tensor) throws -> Tensor {
        var (values, shape) = (x.floats, x.shape)
        for resized in resize.axes {
            let axis = try Shape.axis(resized.axis, rank: shape.count)
            let (length, inner) = (shape[axis], shape[(axis + 1)...].reduce(1, *))
            let taps = (0..<resized.size).map { resize.taps(of: $0, along: resized, size: length) }
            var output = [Float](repeating: 0, count: values.count / length * resized.size)
            for outer in 0..<shape[..<axis].reduce(1, *) {
                for (place, taps) in taps.enumerated() {
                    let target = (outer * resized.size + place) * inner
                    guard let taps else {
                        for index in 0..<inner { output[target + index] = resized.region?.outside ?? 0 }
                        continue
                    }
                    for tap in taps {
                        let source = (outer * length + tap.place) * inner
                        for index in 0..<inner { output[target + index] += tap.weight * values[source + index] }
                    }
                }
            }
            shape[axis] = resized.size
            values = output
        }
        return Tensor(values, shape: shape)
    }
}
