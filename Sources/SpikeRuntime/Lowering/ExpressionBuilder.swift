internal import CSpikeKernels
internal import SpikeGraph

/// Finds out what each value of a spiking network is made of: which spikes, through which synapses.
struct ExpressionBuilder {
    let graph: Graph
    let spiking: Set<String>
    /// The spike trains found so far: neurons' and, in addition, those of pools over them and of moves.
    private(set) var signals: [Signal] = []
    /// What makes these: pools and moves.
    private(set) var stages: [Stage] = []
    private var expressions: [String: Expression] = [:]
    private var pooled: [PoolKey: Int] = [:]
    private var moved: [MoveKey: Int] = [:]
    /// Why nodes are left to the reference path.
    private(set) var reasons: [String: String] = [:]

    private struct PoolKey: Hashable {
        var source: Int
        var window: [Int32]
        var isInstantaneous: Bool
    }

    private struct MoveKey: Hashable {
        var source: Int
        var width: Int
        var pixels: [Int32]
    }

    init(_ graph: Graph) {
        self.graph = graph
        spiking = graph.spikingValues
    }

    /// What the value is made of; every value has an expression, at worst as one that the reference path computes.
    func expression(of value: String) -> Expression {
        if let known = expressions[value] { return known }
        let (layout, isFlat) = Self.layout(of: graph, value) ?? (Layout(channels: 1, height: 1, width: 1), true)
        return spiking.contains(value)
            ? Expression(values: value, layout: layout, isFlat: isFlat) : Expression(still: layout, isFlat: isFlat)
    }

    /// The layout of a value of one to three axes behind the batch; `nil` for others, and for sizes that the kernels do not take.
    static func layout(of graph: Graph, _ value: String) -> (Layout, isFlat: Bool)? {
        guard let shape = graph.types[value]?.shape, shape.rank >= 2, shape.rank <= 4, shape[0] == .batch else { return nil }
        let sizes = shape.dimensions.dropFirst().compactMap(\.known)
        guard sizes.count == shape.rank - 1 else { return nil }
        let (height, width) = (sizes.count > 2 ? sizes[1] : 1, sizes.count > 1 ? sizes[sizes.count - 1] : 1)
        let layout = Layout(channels: sizes[0], height: height, width: width)
        return Limits.hold(layout) ? (layout, false) : nil
    }

    /// Makes a neuron's output a spike train.
    mutating func addSignal(
        _ node: Node, encoding: Signal.Encoding, layout: Layout, isFlat: Bool, largestCount: Int, digits: Int?
    ) {
        signals.append(
            Signal(
                name: node.outputs[0], encoding: encoding, layout: layout, largestCount: largestCount, stage: node.name, digits: digits))
        expressions[node.outputs[0]] = Expression(spikes: signals.count - 1, layout: layout, isFlat: isFlat)
    }

    /// Takes note of a node that is no neuron.
    ///
    /// What cannot be taken into an expression is the reference path's, for a reason that is kept.
    mutating func add(_ node: Node) {
        do {
            let made: Expression? =
                switch node.operator {
                case .runningMaximumPool(let pool): try self.pool(node, pool.window, isInstantaneous: false)
                case .maxPool(let pool): try self.pool(node, pool.window, isInstantaneous: true)
                case .slice, .pad, .gather, .resize, .transpose: try relocate(node)
                case .flatten, .reshape: try reshape(node)
                case .convTranspose(let transposed): try spread(node, transposed)
                default: try linear(node)
                }
            if let made {
                expressions[node.outputs[0]] = made
                return
            }
        } catch let error as Limits.Exceeded {
            reasons[node.name] = error.reason
            return
        } catch {}
        reasons[node.name] = "it cannot be folded into the synapses around it"
    }

    private func constant(_ node: Node, _ position: Int) -> Tensor? {
        node.inputs.count > position ? graph.constants[node.inputs[position]] : nil
    }

    /// Expressions are only for values of shapes that have a layout; the input's own layout is known already.
    private func linear(_ node: Node) throws -> Expression? {
        guard Self.layout(of: graph, node.outputs[0]) != nil else { return nil }
        let x = expression(of: node.inputs[0])
        switch node.operator {
        case .identity, .dropout, .voltageHook: return x
        // Terms have their channels along axis 1.
        case .voltageScaler(let scaler): return scaler.axis == 1 ? scale(x, by: scaler.scales) : nil
        case .add: return add(x, node)
        case .mul:
            let position = constant(node, 0) == nil ? 1 : 0
            guard let factor = constant(node, position) else { return nil }
            let other = expression(of: node.inputs[1 - position])
            return perChannel(factor, of: other, like: node.inputs[1 - position], node).flatMap { scale(other, by: $0) }
        case .batchNormalization(let normalization):
            let parameters = (1...4).compactMap { constant(node, $0)?.floats }
            guard parameters.count == 4 else { return nil }
            let (gamma, beta, mean, variance) = (parameters[0], parameters[1], parameters[2], parameters[3])
            let factors = gamma.indices.map { gamma[$0] / (variance[$0] + normalization.epsilon).squareRoot() }
            return scale(x, by: factors)?.shifted(by: factors.indices.map { beta[$0] - mean[$0] * factors[$0] })
        case .concat(let concat):
            let rank = graph.types[node.inputs[0]]?.shape.rank ?? 0
            guard (try? Shape.axis(concat.axis, rank: rank)) == 1 else { return nil }
            let parts = node.inputs.map { expression(of: $0) }
            guard node.inputs.allSatisfy({ graph.constants[$0] == nil }), parts.allSatisfy({ !$0.isFlat }) else { return nil }
            return .joined(parts)
        case .conv(let conv):
            guard conv.window.rank <= 2, let weights = constant(node, 1), node.inputs.count == 2 || constant(node, 2) != nil else {
                return nil
            }
            return try x.convolved(
                weights, groups: conv.groups, bias: constant(node, 2)?.floats, window: spike_window(conv.window, over: x.layout))
        case .gemm(let gemm): return try matrix(gemm, x, node)
        case .matMul:
            guard let weights = constant(node, 1), weights.rank == 2, graph.types[node.inputs[0]]?.shape.rank == 2 else { return nil }
            return try x.multiplied(by: weights.floats, features: weights.shape[1], bias: nil)
        case .averagePool(let pool):
            guard pool.window.rank <= 2,
                let placement = try? pool.window.placement(
                    over: pool.window.rank == 1 ? [x.layout.width] : [x.layout.height, x.layout.width])
            else { return nil }
            let input = pool.window.rank == 1 ? [x.layout.width] : [x.layout.height, x.layout.width]
            let hasOneDivisor =
                pool.countsPadding
                && input.indices.allSatisfy { axis in
                    let last = (placement.output[axis] - 1) * pool.window.strides[axis]
                    return last + (pool.window.kernel[axis] - 1) * pool.window.dilations[axis]
                        < input[axis] + placement.padsBegin[axis] + placement.padsEnd[axis]
                }
            return try x.averaged(spike_window(pool.window, over: x.layout), hasOneDivisor: hasOneDivisor)
        case .globalAveragePool: return try x.averaged(spike_window(whole: x.layout), hasOneDivisor: true)
        case .reduceMean(let reduce):
            let rank = graph.types[node.inputs[0]]?.shape.rank ?? 0
            guard rank >= 3, (try? reduce.reducedAxes(rank: rank)) == Set(2..<rank) else { return nil }
            return try x.averaged(spike_window(whole: x.layout), hasOneDivisor: true)
        default: return nil
        }
    }

    private func scale(_ x: Expression, by factors: [Float]) -> Expression? {
        guard x.isFoldable else { return nil }
        if factors.count == 1 { return x.scaled(by: [Float](repeating: factors[0], count: x.layout.channels)) }
        return x.isFlat || factors.count != x.layout.channels ? nil : x.scaled(by: factors)
    }

    /// A constant operand as one number a channel, if it is that.
    private func perChannel(_ tensor: Tensor, of x: Expression, like value: String, _ node: Node) -> [Float]? {
        guard graph.types[value]?.shape == graph.types[node.outputs[0]]?.shape, let rank = graph.types[value]?.shape.rank else {
            return nil
        }
        if tensor.count == 1 { return [Float](repeating: tensor.floats[0], count: x.layout.channels) }
        let shape = [Int](repeating: 1, count: rank - tensor.rank) + tensor.shape
        let isChannels = !x.isFlat && shape[1] == x.layout.channels && tensor.count == x.layout.channels
        return isChannels ? tensor.floats : nil
    }

    private func add(_ x: Expression, _ node: Node) -> Expression? {
        for position in 0..<2 {
            guard let tensor = constant(node, position) else { continue }
            let other = node.inputs[1 - position]
            let expression = expression(of: other)
            if let values = perChannel(tensor, of: expression, like: other, node) { return expression.shifted(by: values) }
            guard graph.types[other]?.shape == graph.types[node.outputs[0]]?.shape else { return nil }
            var copy = expression
            copy.offset = .evaluated
            return copy
        }
        let y = expression(of: node.inputs[1])
        guard graph.types[node.inputs[0]]?.shape == graph.types[node.inputs[1]]?.shape, x.layout == y.layout, x.isFlat == y.isFlat
        else { return nil }
        return x + y
    }

    private func matrix(_ gemm: Gemm, _ x: Expression, _ node: Node) throws -> Expression? {
        guard !gemm.transposeA, let weights = constant(node, 1), node.inputs.count == 2 || constant(node, 2) != nil else { return nil }
        let (rows, columns) = (weights.shape[0], weights.shape[1])
        var matrix = weights.floats
        if gemm.transposeB {
            let source = matrix
            for row in 0..<rows {
                for column in 0..<columns { matrix[column * rows + row] = source[row * columns + column] }
            }
        }
        if gemm.alpha != 1 { matrix = matrix.map { $0 * gemm.alpha } }
        let features = gemm.transposeB ? rows : columns
        var bias: [Float]?
        if let tensor = constant(node, 2) {
            guard tensor.count == features || tensor.count == 1 else { return nil }
            bias = (0..<features).map { gemm.beta * tensor.floats[tensor.count == 1 ? 0 : $0] }
        }
        return try x.multiplied(by: matrix, features: features, bias: bias)
    }

    /// Max pooling of spikes that nothing but positive factors lie on: the pool's output is a spike train of its own.
    private mutating func pool(_ node: Node, _ window: Window, isInstantaneous: Bool) throws -> Expression? {
        let x = expression(of: node.inputs[0])
        // A constant of the channel is the same at all places: it goes past the maximum.
        guard case .channels = x.offset, window.rank <= 2, Self.layout(of: graph, node.outputs[0]) != nil, !x.isFlat,
            x.terms.allSatisfy({ $0.isPlainSpikes && $0.scale.allSatisfy { $0 > 0 } })
        else { return nil }
        // A sum of two trains in one channel is not a spike train.
        guard x.terms.reduce(0, { $0 + $1.targetCount }) == x.layout.channels,
            Set(x.terms.flatMap { $0.firstTarget..<$0.firstTarget + $0.targetCount }).count == x.layout.channels
        else { return nil }
        let place = try spike_window(window, over: x.layout)
        _ = try Limits.product(
            Int(place.kernel_height), Int(place.kernel_width), within: Limits.maximumPlaces,
            "its window has \(place.kernel_height)×\(place.kernel_width) places")
        var result = x
        result.layout = place.output(channels: x.layout.channels)
        result.terms = []
        for term in x.terms {
            guard case .spikes(let source) = term.source else { return nil }
            let key = PoolKey(source: source, window: place.key, isInstantaneous: isInstantaneous)
            if pooled[key] == nil {
                var signal = signals[source]
                signal.name = node.outputs[0]
                signal.stage = node.name
                signal.layout = place.output(channels: signal.layout.channels)
                signals.append(signal)
                pooled[key] = signals.count - 1
                stages.append(
                    .pool(
                        PoolStage(
                            name: node.name, source: source, target: signals.count - 1, window: place, isInstantaneous: isInstantaneous)))
            }
            var copy = term
            if let target = pooled[key] { copy.source = .spikes(target) }
            result.terms.append(copy)
        }
        return result
    }

    /// What only moves numbers: channels picked from terms, pixels from spike trains.
    private mutating func relocate(_ node: Node) throws -> Expression? {
        let x = expression(of: node.inputs[0])
        guard let (target, _) = Self.layout(of: graph, node.outputs[0]), x.isFoldable, let relocation = Relocation(node, of: graph)
        else { return nil }
        // A vector's features are not channels.
        if x.isFlat { return relocation.isIdentity(on: x.layout) && target == x.layout ? x : nil }
        return try relocate(x, to: target, pixels: relocation.pixels, of: node)?.picked(relocation.channels)
    }

    /// Its pixels at other places, −1 for those that hold nothing, in an image of this height and width.
    private mutating func relocate(_ x: Expression, to target: Layout, pixels: [Int32], of node: Node) throws -> Expression? {
        var result = x
        (result.layout.height, result.layout.width) = (target.height, target.width)
        if result.layout == x.layout, pixels == (0..<Int32(x.layout.pixels)).map({ $0 }) { return x }
        guard Limits.hold(result.layout) else {
            throw Limits.Exceeded(reason: "its output has more than \(Limits.extent) places")
        }
        for (index, term) in x.terms.enumerated() {
            guard case .spikes(let source) = term.source, let moved = term.moved(to: result.layout) else { return nil }
            result.terms[index] = moved
            result.terms[index].source = .spikes(move(source, to: result.layout, pixels: pixels, node))
            result.terms[index].occupied = Term.Occupied(pixels, of: result.layout)
        }
        if !x.hasNoOffset, pixels.contains(-1) { result.offset = .evaluated }
        return result
    }

    /// The number of a spike train whose pixels are those of another; made if it is new.
    private mutating func move(_ source: Int, to layout: Layout, pixels: [Int32], _ node: Node) -> Int {
        let key = MoveKey(source: source, width: layout.width, pixels: pixels)
        if let known = moved[key] { return known }
        var signal = signals[source]
        (signal.name, signal.stage) = (node.outputs[0], node.name)
        (signal.layout.height, signal.layout.width) = (layout.height, layout.width)
        signals.append(signal)
        moved[key] = signals.count - 1
        stages.append(.move(MoveStage(name: node.name, source: source, target: signals.count - 1, pixels: pixels)))
        return signals.count - 1
    }

    /// Another shape of the same numbers: a vector of an image and back, or other rows and columns.
    private mutating func reshape(_ node: Node) throws -> Expression? {
        guard let (target, _) = Self.layout(of: graph, node.outputs[0]), let rank = graph.types[node.outputs[0]]?.shape.rank else {
            return nil
        }
        let x = expression(of: node.inputs[0])
        guard x.layout.count == target.count else { return nil }
        var copy = x
        if !x.isFlat, x.layout == target { return x }
        if rank == 2 {
            copy.isFlat = true
            return copy
        }
        // Back from a vector to the image it was.
        copy.isFlat = false
        if x.layout == target { return copy }
        guard x.layout.channels == target.channels, x.isFoldable else { return nil }
        return try relocate(copy, to: target, pixels: (0..<Int32(target.pixels)).map { $0 }, of: node)
    }

    /// A transposed convolution: a convolution, its kernel turned round, of the spikes with gaps of stride − 1 places between them.
    private mutating func spread(_ node: Node, _ transposed: ConvTranspose) throws -> Expression? {
        let x = expression(of: node.inputs[0])
        let window = transposed.window
        guard let (target, _) = Self.layout(of: graph, node.outputs[0]), window.rank <= 2, !x.isFlat, x.isFoldable,
            let weights = constant(node, 1), node.inputs.count == 2 || constant(node, 2) != nil
        else { return nil }
        // [height, width]; a sequence has a height of 1.
        func both(_ numbers: [Int], _ other: Int) -> [Int] { numbers.count == 1 ? [other] + numbers : numbers }
        let (kernel, strides, dilations) = (both(window.kernel, 1), both(window.strides, 1), both(window.dilations, 1))
        let pads = both(window.padsBegin, 0)
        let sizes = [x.layout.height, x.layout.width]
        let places = (0..<2).map { axis in
            // Padding beyond the kernel takes places away.
            let cut = max(0, pads[axis] - (kernel[axis] - 1) * dilations[axis])
            let spread = (0..<(sizes[axis] - 1) * strides[axis] + 1).map { $0 % strides[axis] == 0 ? $0 / strides[axis] : -1 }
            return Array(spread.dropFirst(cut))
        }
        guard places.allSatisfy({ !$0.isEmpty }), places[0].count * places[1].count < 1 << 24 else { return nil }
        let spread = Layout(channels: x.layout.channels, height: places[0].count, width: places[1].count)
        let pixels = places[0].flatMap { row in places[1].map { row < 0 || $0 < 0 ? -1 : Int32(row * x.layout.width + $0) } }
        guard let wide = try relocate(x, to: spread, pixels: pixels, of: node) else { return nil }
        var place = spike_window(identity: wide.layout)
        (place.out_height, place.out_width) = (Int32(target.height), Int32(target.width))
        (place.kernel_height, place.kernel_width) = (Int32(kernel[0]), Int32(kernel[1]))
        (place.dilation_y, place.dilation_x) = (Int32(dilations[0]), Int32(dilations[1]))
        place.pad_top = Int32(max(0, (kernel[0] - 1) * dilations[0] - pads[0]))
        place.pad_left = Int32(max(0, (kernel[1] - 1) * dilations[1] - pads[1]))
        var result = try wide.convolved(
            turned(weights, groups: transposed.groups), groups: transposed.groups, bias: constant(node, 2)?.floats,
            window: place.checked())
        if !x.hasNoOffset { result?.offset = .evaluated }
        return result
    }

    /// Weights [channels, features / groups, kernel…] of a transposed convolution as those of a convolution,
    /// [features, channels / groups, kernel…], each kernel backwards.
    private func turned(_ weights: Tensor, groups: Int) -> Tensor {
        let (channels, features) = (weights.shape[0] / groups, weights.shape[1])
        let places = weights.shape.dropFirst(2).reduce(1, *)
        let values = weights.floats
        var result = [Float](repeating: 0, count: values.count)
        for group in 0..<groups {
            for channel in 0..<channels {
                for feature in 0..<features {
                    let from = ((group * channels + channel) * features + feature) * places
                    let to = ((group * features + feature) * channels + channel) * places
                    for place in 0..<places { result[to + places - 1 - place] = values[from + place] }
                }
            }
        }
        return Tensor(result, shape: [groups * features, channels] + weights.shape.dropFirst(2))
    }
}
