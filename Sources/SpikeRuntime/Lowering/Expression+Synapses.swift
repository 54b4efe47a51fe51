internal import CSpikeKernels
internal import SpikeGraph

// Convolutions, matrices and pools over expressions. Each gives nil where the expression cannot take it in, and throws
// `Limits.Exceeded` where the kernels cannot; the value is then computed by the reference path.

extension Expression {
    /// A convolution.
    ///
    /// - Parameters:
    ///   - weights: [features, channels / groups, kernel…].
    ///   - bias: for each feature.
    func convolved(_ weights: Tensor, groups: Int, bias: [Float]?, window: spike_window) throws -> Expression? {
        guard !isFlat, isFoldable else { return nil }
        if terms.contains(where: { if case .identity = $0.synapses { false } else { true } }) {
            return groups == 1 ? try composed(with: weights, bias: bias, window: window) : nil
        }
        let features = weights.shape[0]
        let places = window.places
        let values = weights.floats
        let groupChannels = layout.channels / groups
        let groupFeatures = features / groups
        if groupChannels != 1 || groupFeatures != 1 { try Self.check(window) }
        var result = self
        result.layout = window.output(channels: features)
        result.terms = []
        for term in terms {
            if groupChannels == 1, groupFeatures == 1 {
                var copy = term
                copy.synapses = .depthwise(
                    (0..<term.channels.count * places).map { index in
                        values[term.firstTarget * places + index] * term.scale[index / places]
                    }, window)
                copy.scale = term.scale.map { _ in 1 }
                result.terms.append(copy)
                continue
            }
            for group in 0..<groups {
                // The channels of this group that the term brings.
                let low = max(term.firstTarget, group * groupChannels)
                let high = min(term.firstTarget + term.channels.count, (group + 1) * groupChannels)
                guard low < high else { continue }
                var copy = term
                let begin = term.channels.lowerBound + low - term.firstTarget
                copy.channels = begin..<begin + high - low
                copy.scale = copy.channels.map { _ in 1 }
                copy.firstTarget = group * groupFeatures
                var own = [Float](repeating: 0, count: groupFeatures * (high - low) * places)
                var index = 0
                for feature in group * groupFeatures..<(group + 1) * groupFeatures {
                    for channel in low..<high {
                        let scale = term.scale[channel - term.firstTarget]
                        let row = (feature * groupChannels + channel - group * groupChannels) * places
                        for place in 0..<places {
                            own[index] = values[row + place] * scale
                            index += 1
                        }
                    }
                }
                copy.synapses = .dense(own, features: groupFeatures, window)
                result.terms.append(copy)
            }
        }
        result.offset = offset(behind: weights, groups: groups, bias: bias, window: window)
        return result
    }

    /// Whether a window between channels is one for the engine.
    private static func check(_ window: spike_window) throws {
        _ = try Limits.product(
            Int(window.kernel_height), Int(window.kernel_width), within: Limits.places,
            "its window has \(window.kernel_height)×\(window.kernel_width) places")
    }

    /// What a convolution makes of the offset.
    private func offset(behind weights: Tensor, groups: Int, bias: [Float]?, window: spike_window) -> Offset {
        guard case .channels(let old) = offset else { return .evaluated }
        let features = weights.shape[0]
        let added = bias ?? [Float](repeating: 0, count: features)
        if hasNoOffset { return .channels(added) }
        guard window.staysInside else { return .evaluated }
        let values = weights.floats
        let (size, places) = (weights.count / max(1, features), window.places)
        return .channels(
            (0..<features).map { feature in
                let first = feature / (features / groups) * (size / places)
                return (0..<size).reduce(added[feature]) { $0 + values[feature * size + $1] * old[first + $1 / places] }
            })
    }

    /// A convolution behind synapses with no neuron between, as after the bottlenecks of MobileNetV2: their product, where one of
    /// the two looks at single places, or the spikes have gaps between them, as behind a transposed convolution.
    private func composed(with weights: Tensor, bias: [Float]?, window: spike_window) throws -> Expression? {
        let features = weights.shape[0]
        let values = weights.floats
        let outer = window.places
        var result = self
        result.layout = window.output(channels: features)
        result.terms = []
        for term in terms {
            var copy = term
            let (inner, innerWindow): ([Float], spike_window)
            let (middle, inputs): (Int, Int)
            switch term.synapses {
            case .identity: (inner, innerWindow) = ([], spike_window(identity: layout))
            case .depthwise(let weights, let window), .dense(let weights, _, let window): (inner, innerWindow) = (weights, window)
            }
            let isDense = if case .dense = term.synapses { true } else { false }
            (middle, inputs) = (term.targetCount, term.channels.count)
            let first = term.firstTarget
            guard let joint = try innerWindow.joined(by: window, occupied: term.occupied) else { return nil }
            try Self.check(joint)
            let (places, width) = (innerWindow.places, Int(joint.kernel_width))
            // Where each place of the one, seen from each place of the other, lies in the joint window.
            let targets = (0..<outer).flatMap { place in
                let (y, x) = place.quotientAndRemainder(dividingBy: Int(window.kernel_width))
                return (0..<places).map { inner in
                    let (innerY, innerX) = inner.quotientAndRemainder(dividingBy: Int(innerWindow.kernel_width))
                    func sum(_ a: Int, _ stepA: Int32, _ b: Int, _ stepB: Int32, by unit: Int32) -> Int {
                        (a * Int(stepA) + b * Int(stepB)) / Int(unit)
                    }
                    return sum(y, window.dilation_y, innerY, innerWindow.dilation_y, by: joint.dilation_y) * width
                        + sum(x, window.dilation_x, innerX, innerWindow.dilation_x, by: joint.dilation_x)
                }
            }
            let size = try Limits.product(
                features, inputs, joint.places, within: Limits.composedWeights,
                "joined with the synapses before it, it has \(inputs) inputs")
            var product = [Float](repeating: 0, count: size)
            if outer == 1, isDense {
                Self.multiply(
                    values, features: features, channels: first..<first + middle, of: layout.channels, inner, size: inputs * places,
                    into: &product)
            }
            for feature in 0..<features where outer > 1 || !isDense {
                for channel in 0..<middle {
                    for place in 0..<outer {
                        let weight = values[(feature * layout.channels + first + channel) * outer + place]
                        if weight == 0 { continue }
                        // One input for each channel, or all of them.
                        for input in isDense ? 0..<inputs : channel..<channel + 1 {
                            let row = (feature * inputs + input) * joint.places
                            if inner.isEmpty {
                                product[row + place] += weight * term.scale[channel]
                            } else {
                                let from = isDense ? (channel * inputs + input) * places : channel * places
                                for k in 0..<places { product[row + targets[place * places + k]] += weight * inner[from + k] }
                            }
                        }
                    }
                }
            }
            copy.scale = term.scale.map { _ in 1 }
            copy.firstTarget = 0
            copy.synapses = .dense(product, features: features, joint)
            result.terms.append(copy)
        }
        result.offset = offset(behind: weights, groups: 1, bias: bias, window: window)
        return result
    }

    /// `product` [features, size] += weights [features, channels] · inner [some of the channels, size], added up channel after channel.
    private static func multiply(
        _ weights: [Float], features: Int, channels: Range<Int>, of count: Int, _ inner: [Float], size: Int, into product: inout [Float]
    ) {
        product.withUnsafeMutableBufferPointer { product in
            inner.withUnsafeBufferPointer { inner in
                guard let product = product.baseAddress, let inner = inner.baseAddress else { return }
                for feature in 0..<features {
                    let row = product + feature * size
                    for (index, channel) in channels.enumerated() {
                        let weight = weights[feature * count + channel]
                        if weight == 0 { continue }
                        let source = inner + index * size
                        for place in 0..<size { row[place] += weight * source[place] }
                    }
                }
            }
        }
    }

    /// A matrix product of a vector with `matrix` [features of the vector, features of the result], plus `bias`.
    func multiplied(by matrix: [Float], features: Int, bias: [Float]?) throws -> Expression? {
        let window = spike_window(whole: layout)
        guard isFoldable, features > 0, matrix.count == layout.count * features else { return nil }
        try Self.check(window)
        let inputs = layout.count
        // The vector's features are channels, rows, columns, in this order: a convolution that covers everything.
        var transposed = [Float](repeating: 0, count: matrix.count)
        for input in 0..<inputs {
            for feature in 0..<features { transposed[feature * inputs + input] = matrix[input * features + feature] }
        }
        var image = self
        image.isFlat = false
        return try image.convolved(
            Tensor(transposed, shape: [features, layout.channels, layout.height, layout.width]), groups: 1, bias: bias, window: window)
    }

    /// The mean over windows.
    ///
    /// - Parameter hasOneDivisor: although windows reach into the padding, the divisor is the same for all.
    func averaged(_ window: spike_window, hasOneDivisor: Bool) throws -> Expression? {
        guard !isFlat, isFoldable, window.staysInside || hasOneDivisor && isPlain else { return nil }
        _ = try Limits.product(
            Int(window.kernel_height), Int(window.kernel_width), within: Limits.pooledPlaces,
            "its window has \(window.kernel_height)×\(window.kernel_width) places")
        let factor = Float(window.places)
        var result = self
        result.layout = window.output(channels: layout.channels)
        result.terms = []
        for term in terms {
            var copy = term
            switch term.synapses {
            case .identity:
                guard term.pool == nil else { return nil }
                copy.pool = window
                copy.scale = term.scale.map { $0 / factor }
            case .dense(let weights, let features, let inner):
                guard let (composed, outer) = try Self.compose(weights, inner, window) else { return nil }
                try Self.check(outer)
                copy.synapses = .dense(composed, features: features, outer)
            case .depthwise(let weights, let inner):
                guard let (composed, outer) = try Self.compose(weights, inner, window) else { return nil }
                copy.synapses = .depthwise(composed, outer)
            }
            result.terms.append(copy)
        }
        return result
    }

    /// Spikes without synapses and without an offset: padding changes nothing but the divisor.
    private var isPlain: Bool {
        hasNoOffset && terms.allSatisfy { if case .identity = $0.synapses { true } else { false } }
    }

    /// One window for a convolution and a mean over its output.
    private static func compose(_ weights: [Float], _ inner: spike_window, _ outer: spike_window) throws -> ([Float], spike_window)? {
        guard outer.staysInside, outer.dilation_y == 1, outer.dilation_x == 1, inner.dilation_y == 1, inner.dilation_x == 1,
            outer.places <= 16
        else { return nil }
        var window = inner
        (window.out_height, window.out_width) = (outer.out_height, outer.out_width)
        (window.stride_y, window.stride_x) = try inner.strides(times: outer.stride_y, outer.stride_x)
        let height = (Int(outer.kernel_height) - 1) * Int(inner.stride_y) + Int(inner.kernel_height)
        let width = (Int(outer.kernel_width) - 1) * Int(inner.stride_x) + Int(inner.kernel_width)
        let size = try Limits.product(
            weights.count / inner.places, height, width, within: Limits.composedWeights,
            "joined with the synapses before it, its window has \(height)×\(width) places")
        (window.kernel_height, window.kernel_width) = (Int32(height), Int32(width))
        window = try window.checked()
        let (oldWidth, newWidth) = (Int(inner.kernel_width), Int(window.kernel_width))
        let factor = Float(outer.places)
        var composed = [Float](repeating: 0, count: size)
        for index in weights.indices {
            let (row, place) = (index / inner.places, index % inner.places)
            let (ky, kx) = (place / oldWidth, place % oldWidth)
            for y in 0..<Int(outer.kernel_height) {
                for x in 0..<Int(outer.kernel_width) {
                    let target = (ky + y * Int(inner.stride_y)) * newWidth + kx + x * Int(inner.stride_x)
                    composed[row * window.places + target] += weights[index] / factor
                }
            }
        }
        return (composed, window)
    }
}

extension spike_window {
    /// The window over this one's input that another one over its output makes; `nil` where none does.
    ///
    /// - Throws: ``Limits/Exceeded``.
    fileprivate func joined(by outer: spike_window, occupied: Term.Occupied?) throws -> spike_window? {
        // It looks at every place by itself.
        if isPointwise { return outer }
        var joint = self
        (joint.stride_y, joint.stride_x) = try strides(times: outer.stride_y, outer.stride_x)
        (joint.out_height, joint.out_width) = (outer.out_height, outer.out_width)
        if outer.places == 1 {
            guard outer.pad_top == 0, outer.pad_left == 0 else { return nil }
            return try joint.checked()
        }
        // Between spikes without gaps two wide windows cost less one after the other than joined.
        guard let occupied, stride_y == 1, stride_x == 1 else { return nil }
        /// One axis: what the joint window sees, if this one's output is 0 wherever the other sees padding.
        func along(
            _ isOccupied: [Bool], kernel: Int32, dilation: Int32, pad: Int32, out: Int32, outerKernel: Int32, outerDilation: Int32,
            outerStride: Int32, outerPad: Int32, outerOut: Int32
        ) throws -> (kernel: Int32, dilation: Int32, pad: Int32)? {
            let last = Int(outerOut - 1) * Int(outerStride) + Int(outerKernel - 1) * Int(outerDilation) - Int(outerPad)
            let padding = Array(-Int(outerPad)..<0) + (last >= Int(out) ? Array(Int(out)...last) : [])
            let seesSpikes = padding.contains { place in
                (0..<Int(kernel)).contains { k in
                    let at = place + k * Int(dilation) - Int(pad)
                    return isOccupied.indices.contains(at) && isOccupied[at]
                }
            }
            if seesSpikes { return nil }
            // One place more or less decides nothing: a kernel of one place has any dilation.
            let unit = kernel == 1 ? outerDilation : outerKernel == 1 || dilation == outerDilation ? dilation : 1
            let reach = try Limits.product(Int(kernel - 1), Int(dilation), within: Limits.extent, "its window is wide")
            let outerReach = try Limits.product(Int(outerKernel - 1), Int(outerDilation), within: Limits.extent, "its window is wide")
            return (Int32((reach + outerReach) / Int(unit) + 1), unit, pad + outerPad)
        }
        guard
            let y = try along(
                occupied.rows, kernel: kernel_height, dilation: dilation_y, pad: pad_top, out: out_height,
                outerKernel: outer.kernel_height, outerDilation: outer.dilation_y, outerStride: outer.stride_y, outerPad: outer.pad_top,
                outerOut: outer.out_height),
            let x = try along(
                occupied.columns, kernel: kernel_width, dilation: dilation_x, pad: pad_left, out: out_width,
                outerKernel: outer.kernel_width, outerDilation: outer.dilation_x, outerStride: outer.stride_x, outerPad: outer.pad_left,
                outerOut: outer.out_width)
        else { return nil }
        (joint.kernel_height, joint.dilation_y, joint.pad_top) = y
        (joint.kernel_width, joint.dilation_x, joint.pad_left) = x
        return try joint.checked()
    }

    /// The strides of a window over this one's output, seen from this one's input.
    fileprivate func strides(times y: Int32, _ x: Int32) throws -> (Int32, Int32) {
        func product(_ a: Int32, _ b: Int32) throws -> Int32 {
            Int32(try Limits.product(Int(a), Int(b), within: Limits.extent, "joined with the synapses before it, its stride is \(a)·\(b)"))
        }
        return (try product(stride_y, y), try product(stride_x, x))
    }
}
