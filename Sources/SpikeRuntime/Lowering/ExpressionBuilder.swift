internal import CSpikeKernels
internal import SpikeGraph

/// Finds out what each value of a spiking network is made of: which spikes, through which synapses.
struct ExpressionBuilder {
    let graph: Graph
    let spiking: Set<String>
    /// The spike trains found so far: neurons' and, in addition, those of pools over them.
    private(set) var signals: [Signal] = []
    private(set) var pools: [PoolStage] = []
    private var expressions: [String: Expression] = [:]
    private var pooled: [PoolKey: Int] = [:]
    /// Why nodes are left to the reference path.
    private(set) var reasons: [String: String] = [:]

    private struct PoolKey: Hashable {
        var source: Int
        var window: [Int32]
        var isInstantaneous: Bool
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
    mutating func addSignal(_ node: Node, encoding: Signal.Encoding, layout: Layout, isFlat: Bool, largestCount: Int) {
        signals.append(Signal(name: node.outputs[0], encoding: encoding, layout: layout, largestCount: largestCount, stage: node.name))
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
        case .voltageScaler(let scaler): return scale(x, by: scaler.scales)
        case .flatten, .reshape: return reshape(x, node)
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

    private func reshape(_ x: Expression, _ node: Node) -> Expression? {
        guard let (target, _) = Self.layout(of: graph, node.outputs[0]),
            let rank = graph.types[node.outputs[0]]?.shape.rank, x.layout.count == target.count
        else { return nil }
        var copy = x
        if !x.isFlat, x.layout == target { return x }
        if rank == 2 {
            copy.isFlat = true
            return copy
        }
        // Back from a vector to the image it was.
        guard x.isFlat, x.layout == target else { return nil }
        copy.isFlat = false
        return copy
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
        guard window.rank <= 2, Self.layout(of: graph, node.outputs[0]) != nil, !x.isFlat, x.hasNoOffset,
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
                signal.isPooled = true
                signal.layout = place.output(channels: signal.layout.channels)
                signals.append(signal)
                pooled[key] = signals.count - 1
                pools.append(
                    PoolStage(name: node.name, source: source, target: signals.count - 1, window: place, isInstantaneous: isInstantaneous))
            }
            var copy = term
            if let target = pooled[key] { copy.source = .spikes(target) }
            result.terms.append(copy)
        }
        return result
    }
}
