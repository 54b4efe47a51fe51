internal import CSpikeKernels
internal import SpikeGraph
internal import SpikeReference

/// Where the numbers of a result lie in the input, of an operator that only moves them (slices, padding, picks, nearest resizing, an
/// exchange of height and width): channels and pixels each for themselves. −1 stands for what holds no number of the input.
struct Relocation {
    let channels: [Int]
    /// Row after row.
    let pixels: [Int32]

    /// What the reference makes of numbered places; `nil` where the operator does something else, or mixes channels with places.
    init?(_ node: Node, of graph: Graph) {
        switch node.operator {
        case .slice, .gather, .transpose: break
        case .resize(let resize):
            guard resize.mode == .nearest, resize.axes.allSatisfy({ $0.region == nil }) else { return nil }
        case .pad(let pad): guard pad.mode != .constant || pad.value == 0 else { return nil }
        default: return nil
        }
        guard let (source, _) = ExpressionBuilder.layout(of: graph, node.inputs[0]),
            let (target, _) = ExpressionBuilder.layout(of: graph, node.outputs[0]),
            // Numbers that float32 tells apart.
            max(source.count, target.count) < 1 << 24, let shape = graph.types[node.inputs[0]]?.shape.resolved(batch: 1)
        else { return nil }
        let operands = node.inputs.dropFirst().compactMap { graph.constants[$0] }
        let numbered = Tensor((0..<source.count).map { Float($0 + 1) }, shape: shape)
        guard operands.count == node.inputs.count - 1,
            let moved = try? ReferenceExecutor.compute(node.operator, [numbered] + operands, batch: 1)[0], moved.count == target.count
        else { return nil }
        let places = moved.floats.map { Int($0) - 1 }
        var (channels, pixels) = ([Int](repeating: -1, count: target.channels), [Int32](repeating: -1, count: target.pixels))
        for (index, place) in places.enumerated() where place >= 0 {
            channels[index / target.pixels] = place / source.pixels
            pixels[index % target.pixels] = Int32(place % source.pixels)
        }
        let areSeparate = places.indices.allSatisfy { index in
            let (channel, pixel) = (channels[index / target.pixels], Int(pixels[index % target.pixels]))
            return places[index] == (channel < 0 || pixel < 0 ? -1 : channel * source.pixels + pixel)
        }
        guard areSeparate else { return nil }
        (self.channels, self.pixels) = (channels, pixels)
    }

    func isIdentity(on layout: Layout) -> Bool {
        channels == Array(0..<layout.channels) && pixels == (0..<Int32(layout.pixels)).map { $0 }
    }
}

extension Term.Occupied {
    /// - Parameter pixels: −1 for those that hold nothing.
    init(_ pixels: [Int32], of layout: Layout) {
        (rows, columns) = ([Bool](repeating: false, count: layout.height), [Bool](repeating: false, count: layout.width))
        for (index, pixel) in pixels.enumerated() where pixel >= 0 {
            rows[index / layout.width] = true
            columns[index % layout.width] = true
        }
    }
}

extension Term {
    /// Its synapses over spikes at other places, in an image of this layout; `nil` where they see more than one place at a time.
    func moved(to layout: Layout) -> Term? {
        guard pool == nil else { return nil }
        var copy = self
        switch synapses {
        case .identity: return self
        case .depthwise(let weights, let window):
            guard window.isPointwise else { return nil }
            copy.synapses = .depthwise(weights, spike_window(identity: layout))
        case .dense(let weights, let features, let window):
            guard window.isPointwise else { return nil }
            copy.synapses = .dense(weights, features: features, spike_window(identity: layout))
        }
        return copy
    }

    /// Its part that adds to some of the value's channels, as if these began at `first`; `nil` where it adds nothing to them.
    func onto(_ targets: Range<Int>, first: Int) -> Term? {
        let shared = targets.clamped(to: firstTarget..<firstTarget + targetCount)
        guard !shared.isEmpty else { return nil }
        let own = shared.lowerBound - firstTarget..<shared.upperBound - firstTarget
        var part = self
        if case .dense(let weights, let features, let window) = synapses {
            let size = weights.count / features
            part.synapses = .dense(Array(weights[own.lowerBound * size..<own.upperBound * size]), features: own.count, window)
        } else {
            part = self.part(own)
        }
        part.firstTarget = first + shared.lowerBound - targets.lowerBound
        return part
    }
}

extension Expression {
    /// Some of its channels in another order, −1 for one that holds nothing; `nil` where they lie in too many pieces.
    func picked(_ picks: [Int]) -> Expression? {
        if picks == Array(0..<layout.channels) { return self }
        var result = self
        result.layout.channels = picks.count
        result.terms = []
        var begin = 0
        var pieces = 0
        while begin < picks.count {
            var end = begin + 1
            while end < picks.count, picks[end] == (picks[begin] < 0 ? -1 : picks[end - 1] + 1) { end += 1 }
            if picks[begin] >= 0 {
                let from = picks[begin]..<picks[begin] + end - begin
                result.terms += terms.compactMap { $0.onto(from, first: begin) }
                pieces += 1
            }
            begin = end
        }
        // Each piece is a branch of its own.
        guard pieces <= 16 else { return nil }
        if case .channels(let values) = offset { result.offset = .channels(picks.map { $0 < 0 ? 0 : values[$0] }) }
        return result
    }
}

extension spike_window {
    /// Whether it sees each place by itself.
    var isPointwise: Bool { key == spike_window(identity: Layout(channels: 1, height: Int(height), width: Int(width))).key }
}
