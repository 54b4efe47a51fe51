internal import CSpikeKernels
internal import SpikeGraph

/// How an image value lies in memory: channels and two spatial axes (1 × 1 for vectors, 1 × L for sequences).
struct Layout: Hashable, Sendable {
    var channels: Int
    var height: Int
    var width: Int

    var pixels: Int { height * width }
    var count: Int { channels * pixels }
}

/// Where the spikes of a term come from.
enum Source: Hashable, Sendable {
    /// A spike train of the program, by number.
    case spikes(Int)
    /// A value that is computed in each step by the reference path.
    case values(String)
}

/// The synapses of a term.
enum Synapses: Sendable {
    /// Every channel goes to itself.
    case identity
    /// weights [channels][kernel height][kernel width], each channel to itself.
    case depthwise([Float], spike_window)
    /// weights [features][channels][kernel height][kernel width].
    case dense([Float], features: Int, spike_window)
}

/// One summand of a current: spikes of some channels, scaled, summed over a window (average pooling), sent through synapses.
struct Term: Sendable {
    var source: Source
    /// The channels of the source.
    var channels: Range<Int>
    /// A factor for each of them.
    var scale: [Float]
    /// The window over which spikes are summed first.
    var pool: spike_window?
    var synapses: Synapses
    /// The first channel of the value that this term adds to.
    var firstTarget: Int
    /// The rows and columns of the source that can hold spikes, where not all can.
    var occupied: Occupied?

    struct Occupied: Sendable {
        var rows: [Bool]
        var columns: [Bool]
    }

    /// The number of channels it adds to.
    var targetCount: Int {
        if case .dense(_, let features, _) = synapses { return features }
        return channels.count
    }

    /// Whether it brings the same spikes to the same places as another, so that their weights can be added.
    func isAlong(_ other: Term) -> Bool {
        guard source == other.source, channels == other.channels, firstTarget == other.firstTarget, pool?.key == other.pool?.key else {
            return false
        }
        switch (synapses, other.synapses) {
        case (.identity, .identity): return true
        // What a pool brings has a factor for each channel too.
        case (.depthwise(_, let a), .depthwise(_, let b)): return a.key == b.key && scale == other.scale
        case (.dense(_, let features, let a), .dense(_, let others, let b)):
            return features == others && a.key == b.key && scale == other.scale
        default: return false
        }
    }

    /// Both together.
    func joined(by other: Term) -> Term {
        var sum = self
        switch (synapses, other.synapses) {
        case (.identity, .identity): sum.scale = zip(scale, other.scale).map(+)
        case (.depthwise(let a, let window), .depthwise(let b, _)): sum.synapses = .depthwise(zip(a, b).map(+), window)
        case (.dense(let a, let features, let window), .dense(let b, _, _)):
            sum.synapses = .dense(zip(a, b).map(+), features: features, window)
        default: break
        }
        return sum
    }

    var isPlainSpikes: Bool {
        guard case .identity = synapses, pool == nil, case .spikes = source else { return false }
        return true
    }
}

/// The part of a value that does not come from spikes.
enum Offset: Sendable {
    /// One number for each channel, known when compiling.
    case channels([Float])
    /// What the graph makes of its inputs and constants when no spike comes; computed as the graph says.
    case evaluated
}

/// A value between neurons, as a sum: terms made of spikes, and what does not depend on them. This is what linearity buys: the
/// scalers, normalisations, pools, sums and concatenations between two layers of neurons disappear into weights.
struct Expression: Sendable {
    var layout: Layout
    /// The value is a vector of channels · height · width features.
    var isFlat: Bool
    var terms: [Term]
    var offset: Offset

    /// A spike train by itself.
    init(spikes: Int, layout: Layout, isFlat: Bool) {
        self.layout = layout
        self.isFlat = isFlat
        terms = [
            Term(
                source: .spikes(spikes), channels: 0..<layout.channels, scale: [Float](repeating: 1, count: layout.channels),
                synapses: .identity, firstTarget: 0)
        ]
        offset = .channels([Float](repeating: 0, count: layout.channels))
    }

    /// A value that does not depend on spikes.
    init(still layout: Layout, isFlat: Bool) {
        self.layout = layout
        self.isFlat = isFlat
        terms = []
        offset = .evaluated
    }

    /// A value that the reference path computes.
    init(values name: String, layout: Layout, isFlat: Bool) {
        self.init(spikes: 0, layout: layout, isFlat: isFlat)
        terms[0].source = .values(name)
    }

    /// Whether all of it are spikes that further linear operators may be folded into.
    var isFoldable: Bool {
        terms.allSatisfy { if case .spikes = $0.source { true } else { false } }
    }

    var hasNoOffset: Bool {
        if case .channels(let values) = offset { return values.allSatisfy { $0 == 0 } }
        return false
    }
}

extension Expression {
    /// Each channel times its factor.
    func scaled(by factors: [Float]) -> Expression {
        var copy = self
        copy.terms = terms.map { term in
            var term = term
            let own = Array(factors[term.firstTarget..<term.firstTarget + term.targetCount])
            switch term.synapses {
            case .identity: term.scale = zip(term.scale, own).map(*)
            case .depthwise(let weights, let window):
                let places = weights.count / max(1, own.count)
                term.synapses = .depthwise(weights.indices.map { weights[$0] * own[$0 / places] }, window)
            case .dense(let weights, let features, let window):
                let size = weights.count / max(1, features)
                term.synapses = .dense(weights.indices.map { weights[$0] * own[$0 / size] }, features: features, window)
            }
            return term
        }
        if case .channels(let values) = offset { copy.offset = .channels(zip(values, factors).map(*)) }
        return copy
    }

    /// Plus a constant for each channel.
    func shifted(by values: [Float]) -> Expression {
        var copy = self
        if case .channels(let old) = offset { copy.offset = .channels(zip(old, values).map(+)) }
        return copy
    }

    static func + (a: Expression, b: Expression) -> Expression {
        var sum = a
        for term in b.terms {
            // The same spikes through the same window twice: one synapse. Where branches part and meet again and again, sums would else double
            // their length each time.
            if let index = sum.terms.firstIndex(where: { $0.isAlong(term) }) {
                sum.terms[index] = sum.terms[index].joined(by: term)
            } else {
                sum.terms.append(term)
            }
        }
        if case .channels(let x) = a.offset, case .channels(let y) = b.offset {
            sum.offset = .channels(zip(x, y).map(+))
        } else {
            sum.offset = .evaluated
        }
        return sum
    }

    /// Joined along the channels.
    static func joined(_ parts: [Expression]) -> Expression {
        var result = parts[0]
        for part in parts.dropFirst() {
            result.terms += part.terms.map { term in
                var moved = term
                moved.firstTarget += result.layout.channels
                return moved
            }
            result.layout.channels += part.layout.channels
            if case .channels(let x) = result.offset, case .channels(let y) = part.offset {
                result.offset = .channels(x + y)
            } else {
                result.offset = .evaluated
            }
        }
        return result
    }
}

extension spike_window {
    /// A window that looks at each place by itself.
    init(identity layout: Layout) {
        self.init()
        (height, width) = (Int32(layout.height), Int32(layout.width))
        (out_height, out_width) = (height, width)
        (kernel_height, kernel_width, stride_y, stride_x, dilation_y, dilation_x) = (1, 1, 1, 1, 1, 1)
    }

    /// A window of the graph, placed over an input of one or two spatial axes.
    ///
    /// - Throws: where it does not fit the input, or the kernels' numbers do not hold it.
    init(_ window: Window, over layout: Layout) throws {
        self.init(identity: layout)
        let flat = window.rank == 1
        let placement = try window.placement(over: flat ? [layout.width] : [layout.height, layout.width])
        let (y, x) = (0, flat ? 0 : 1)
        let numbers = placement.output + placement.padsBegin + window.kernel + window.strides + window.dilations
        guard numbers.allSatisfy({ $0 <= Limits.extent }) else {
            throw Limits.Exceeded(reason: "its window has more than \(Limits.extent) places")
        }
        if !flat {
            out_height = Int32(placement.output[y])
            kernel_height = Int32(window.kernel[y])
            stride_y = Int32(window.strides[y])
            dilation_y = Int32(window.dilations[y])
            pad_top = Int32(placement.padsBegin[y])
        }
        out_width = Int32(placement.output[x])
        kernel_width = Int32(window.kernel[x])
        stride_x = Int32(window.strides[x])
        dilation_x = Int32(window.dilations[x])
        pad_left = Int32(placement.padsBegin[x])
        self = try checked()
    }

    /// A window over everything.
    init(whole layout: Layout) {
        self.init(identity: layout)
        (out_height, out_width, kernel_height, kernel_width) = (1, 1, height, width)
    }

    var places: Int { Int(kernel_height) * Int(kernel_width) }
    var outPixels: Int { Int(out_height) * Int(out_width) }

    /// Whether every place of every window lies inside the input.
    var staysInside: Bool {
        pad_top == 0 && pad_left == 0 && (out_height - 1) * stride_y + (kernel_height - 1) * dilation_y < height
            && (out_width - 1) * stride_x + (kernel_width - 1) * dilation_x < width
    }

    func output(channels: Int) -> Layout { Layout(channels: channels, height: Int(out_height), width: Int(out_width)) }

    /// As something that can be compared.
    var key: [Int32] {
        [
            height, width, out_height, out_width, kernel_height, kernel_width, stride_y, stride_x, dilation_y, dilation_x, pad_top,
            pad_left,
        ]
    }
}
