internal import CSpikeKernels
internal import SpikeGraph

// Convolutions, matrices and pools over expressions. Each gives nil where the expression cannot take it in; the value is then
// computed by the reference path.

extension Expression {
    /// A convolution.
    ///
    /// - Parameters:
    ///   - weights: [features, channels / groups, kernel…].
    ///   - bias: for each feature.
    func convolved(_ weights: Tensor, groups: Int, bias: [Float]?, window: spike_window) -> Expression? {
        guard !isFlat, isFoldable else { return nil }
        if terms.contains(where: { if case .identity = $0.synapses { false } else { true } }) {
            return groups == 1 ? composed(with: weights, bias: bias, window: window) : nil
        }
        let features = weights.shape[0]
        let places = window.places
        // The engine's positions in lists are 16-bit numbers for a column of the kernel, and its windows have up to 1024 places.
        let largest = (1 << 16) / max(1, Int(window.kernel_height))
        guard places <= 1024, terms.allSatisfy({ ($0.channels.count + 7) / 8 * 8 <= largest }) else { return nil }
        let values = weights.floats
        let groupChannels = layout.channels / groups
        let groupFeatures = features / groups
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
    /// the two looks at single places.
    private func composed(with weights: Tensor, bias: [Float]?, window: spike_window) -> Expression? {
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
            guard outer == 1 || innerWindow.places == 1 else { return nil }
            var joint = innerWindow.places == 1 ? window : innerWindow
            if innerWindow.places == 1 {
                // The first only picks places: strides multiply where the second takes every one of them.
                guard innerWindow.stride_y == 1, innerWindow.stride_x == 1, innerWindow.pad_top == 0, innerWindow.pad_left == 0,
                    innerWindow.out_height == innerWindow.height, innerWindow.out_width == innerWindow.width
                else { return nil }
            } else {
                guard window.pad_top == 0, window.pad_left == 0 else { return nil }
                joint.stride_y = innerWindow.stride_y * window.stride_y
                joint.stride_x = innerWindow.stride_x * window.stride_x
                (joint.out_height, joint.out_width) = (window.out_height, window.out_width)
            }
            let innerPlaces = innerWindow.places
            var product = [Float](repeating: 0, count: features * inputs * joint.places)
            guard product.count <= 1 << 26 else { return nil }
            for feature in 0..<features {
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
                                let from = isDense ? (channel * inputs + input) * innerPlaces : channel * innerPlaces
                                for k in 0..<innerPlaces { product[row + (outer == 1 ? k : place)] += weight * inner[from + k] }
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

    /// A matrix product of a vector with `matrix` [features of the vector, features of the result], plus `bias`.
    func multiplied(by matrix: [Float], features: Int, bias: [Float]?) -> Expression? {
        let window = spike_window(whole: layout)
        guard isFoldable, features > 0, matrix.count == layout.count * features else { return nil }
        let (places, inputs) = (layout.pixels, layout.count)
        // The vector's features are channels, rows, columns, in this order: a convolution that covers everything.
        var transposed = [Float](repeating: 0, count: matrix.count)
        for input in 0..<inputs {
            for feature in 0..<features { transposed[feature * inputs + input] = matrix[input * features + feature] }
        }
        var image = self
        image.isFlat = false
        guard places <= 1024 else { return nil }
        return image.convolved(
            Tensor(transposed, shape: [features, layout.channels, layout.height, layout.width]), groups: 1, bias: bias, window: window)
    }

    /// The mean over windows.
    ///
    /// - Parameter hasOneDivisor: although windows reach into the padding, the divisor is the same for all.
    func averaged(_ window: spike_window, hasOneDivisor: Bool) -> Expression? {
        guard !isFlat, isFoldable, window.staysInside || hasOneDivisor && isPlain, window.places <= 1 << 14 else { return nil }
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
                guard let (composed, outer) = Self.compose(weights, inner, window) else { return nil }
                copy.synapses = .dense(composed, features: features, outer)
            case .depthwise(let weights, let inner):
                guard let (composed, outer) = Self.compose(weights, inner, window) else { return nil }
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
    private static func compose(_ weights: [Float], _ inner: spike_window, _ outer: spike_window) -> ([Float], spike_window)? {
        guard outer.staysInside, outer.dilation_y == 1, outer.dilation_x == 1, inner.dilation_y == 1, inner.dilation_x == 1,
            outer.places <= 16
        else { return nil }
        var window = inner
        (window.out_height, window.out_width) = (outer.out_height, outer.out_width)
        window.kernel_height = (outer.kernel_height - 1) * inner.stride_y + inner.kernel_height
        window.kernel_width = (outer.kernel_width - 1) * inner.stride_x + inner.kernel_width
        window.stride_y = inner.stride_y * outer.stride_y
        window.stride_x = inner.stride_x * outer.stride_x
        let (oldWidth, newWidth) = (Int(inner.kernel_width), Int(window.kernel_width))
        let factor = Float(outer.places)
        var composed = [Float](repeating: 0, count: weights.count / inner.places * window.places)
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
