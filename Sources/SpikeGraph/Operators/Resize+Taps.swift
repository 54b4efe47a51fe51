extension Resize {
    /// The input places, and their weights, that an output place is made of; `nil` where there is no input. A place may be named
    /// twice.
    ///
    /// - Parameters:
    ///   - place: a place of the output, along one axis.
    ///   - size: the axis's size in the input.
    package func taps(of place: Int, along axis: Axis, size: Int) -> [(place: Int, weight: Float)]? {
        let position = position(of: place, along: axis, size: size)
        if coordinates == .cropAndResize, position < 0 || position > Double(size - 1) { return nil }
        func inside(_ place: Int) -> Int { min(max(place, 0), size - 1) }
        if mode == .nearest {
            let nearest =
                switch rounding {
                case .roundPreferFloor: (position - 0.5).rounded(.up)
                case .roundPreferCeil: (position + 0.5).rounded(.down)
                case .floor: position.rounded(.down)
                case .ceil: position.rounded(.up)
                }
            return [(inside(Int(nearest)), 1)]
        }
        // Downsampling with antialiasing stretches the kernel.
        let stretch = antialiases ? min(1, Double(axis.scale)) : 1
        let reach = mode == .linear ? 1.0 : 2.0
        let base = position.rounded(.down)
        let first = Int((-reach / stretch).rounded(.down)) + 1
        var taps = (first...1 - first).map { offset in
            (place: Int(base) + offset, weight: kernel(abs((Double(offset) - (position - base)) * stretch)))
        }
        if excludesOutside { taps = taps.map { $0.place == inside($0.place) ? $0 : ($0.place, 0) } }
        if excludesOutside || antialiases {
            let total = taps.reduce(0) { $0 + $1.weight }
            taps = taps.map { ($0.place, $0.weight / total) }
        }
        return taps.filter { $0.weight != 0 }.map { (inside($0.place), Float($0.weight)) }
    }

    /// The weight of a place at this distance.
    private func kernel(_ distance: Double) -> Double {
        guard mode == .cubic else { return max(0, 1 - distance) }
        let (a, x) = (Double(cubicCoefficient), distance)
        if x <= 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
        return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0
    }

    /// Where an output place lies in the input. In float32, as other runtimes do it: which of two places is the nearest hangs
    /// on the last bit.
    private func position(of place: Int, along axis: Axis, size: Int) -> Double {
        let (x, scale) = (Float(place), axis.scale)
        let center = (x + 0.5) / scale - 0.5
        let position: Float =
            switch coordinates {
            case .halfPixel: center
            case .pytorchHalfPixel: axis.size == 1 ? 0 : center
            // The quotient of two sizes is rounded, its sizes are not.
            case .asymmetric: scale == Float(axis.size) / Float(size) ? x * Float(size) / Float(axis.size) : x / scale
            // By the sizes alone, as PyTorch means it and ONNX Runtime does it. ONNX's own tests take size · scale for the
            // output's size, even where that is no whole number: the last pixels then do not lie on each other.
            case .alignCorners: axis.size == 1 ? 0 : x * Float(size - 1) / Float(axis.size - 1)
            case .cropAndResize:
                axis.region.map { region in
                    let last = Float(size - 1)
                    if axis.size == 1 { return 0.5 * (region.start + region.end) * last }
                    return region.start * last + x * (region.end - region.start) * last / Float(axis.size - 1)
                } ?? x
            case .halfPixelSymmetric: Float(size) / 2 * (1 - Float(axis.size) / (scale * Float(size))) + (x + 0.5) / scale - 0.5
            }
        return Double(position)
    }
}
