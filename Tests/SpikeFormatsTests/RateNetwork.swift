import SpikeGraph
import SpikeReference

/// What a spiking network says in the limit of many steps of a rate code, and how far from it integrate-and-fire neurons can
/// be after T steps.
///
/// Let a value's sum over the first t steps, for every t up to T, lie within t·r − l … t·r + h, r being its rate. Then:
/// * behind weights W the same holds of W r with h' = W⁺h + W⁻l and l' = W⁺l + W⁻h;
/// * a neuron of soft reset with threshold θ has sent N(t) = min over s ≤ t of A(s) + t − s spikes, A(s) = max(0, max over u ≤ s
///   of ⌊(v₀ + the current's sum up to u)/θ⌋). Both extrema move by no more than what they are taken of does. So N·θ lies
///   within t·clip(r, 0, θ) with h' = h + v₀, l' = l + θ;
/// * m = a + relu(b − a), by a neuron of threshold u, u at least the largest rate: h' = h_a + h_b + l_a, l' = l_a + l_b + h_a + u.
///
/// The output after T steps is thus within l/T and h/T of r, whenever spikes arrive. As many windows of a pool would have to
/// conspire for it, there is a narrower measure beside it: what independent errors come to, of one spike for each neuron (σ² ← W² σ²,
/// plus the threshold's square at each neuron, and the unit's at each comparison).
struct RateNetwork {
    /// Integrate-and-fire neurons that say less, or start elsewhere, than those of the network.
    struct Rules {
        /// Over so many steps v₀ is spread as a current; `nil`: it is in the membranes.
        var spread: Float?
        /// A burst of spikes is worth so many.
        var isBurstOne = false
        /// Convolutions have no biases.
        var dropsBiases = false
    }

    /// r, l and h of the output.
    private(set) var output: [Float] = []
    private(set) var below: [Float] = []
    private(set) var above: [Float] = []
    /// σ² of the output.
    private(set) var variance: [Float] = []

    private struct Value {
        var rate: Tensor
        var below: Tensor
        var above: Tensor
        var variance: Tensor
        /// The largest rate of spikes; `nil` of what is no spike.
        var most: Tensor?
        /// The windows of max pools that are made behind the neurons.
        var postponed: [Int] = []
    }

    private let graph: Graph
    private let rules: Rules

    init(_ graph: Graph, _ input: Tensor, _ rules: Rules) throws {
        self.graph = graph
        self.rules = rules
        let zero = input.map { _ in 0 }
        var values = [graph.inputs[0].name: Value(rate: input, below: zero, above: zero, variance: zero)]
        for node in graph.nodes { values[node.outputs[0]] = try take(node, node.inputs.compactMap { values[$0] }) }
        guard let result = values[graph.outputs[0].value] else { return }
        (output, below, above) = (result.rate.floats, result.below.floats, result.above.floats)
        variance = result.variance.floats
    }

    private func take(_ node: Node, _ inputs: [Value]) throws -> Value {
        switch node.operator {
        case .neuron(let neuronNode): return neurons(neuronNode, inputs[0])
        case .maxPool, .runningMaximumPool, .globalMaxPool:
            let (pool, places) = pooling(node, inputs[0])
            func largest(_ tensor: Tensor) throws -> Tensor { try ReferenceExecutor.evaluate(pool, [tensor])[0] }
            let value = inputs[0]
            var result = Value(
                rate: try largest(value.rate), below: try largest(value.below), above: try largest(value.above),
                variance: try largest(value.variance),
                most: try value.most.map(largest), postponed: value.postponed)
            if result.most == nil { result.postponed.append(places) } else { Self.compare(&result, places: places) }
            return result
        default: return try linear(node, inputs)
        }
    }

    private func pooling(_ node: Node, _ value: Value) -> (Operator, places: Int) {
        switch node.operator {
        case .maxPool(let pool): (.maxPool(pool), pool.window.kernel.reduce(1, *))
        case .runningMaximumPool(let pool): (.maxPool(MaxPool(window: pool.window)), pool.window.kernel.reduce(1, *))
        default: (node.operator, value.rate.shape.dropFirst(2).reduce(1, *))
        }
    }

    /// The tree of comparisons between so many places.
    private static func compare(_ value: inout Value, places: Int) {
        let most = value.most?.floats ?? []
        var (below, above) = (value.below.floats, value.above.floats)
        var variance = value.variance.floats
        for index in below.indices {
            let unit = most[index] > 0 ? most[index] : 1
            var round = [(l: Float, h: Float)](repeating: (below[index], above[index]), count: places)
            while round.count > 1 {
                var next: [(l: Float, h: Float)] = []
                for pair in stride(from: 0, to: round.count - 1, by: 2) {
                    let (a, b) = (round[pair], round[pair + 1])
                    next.append((a.l + b.l + a.h + unit, a.h + b.h + a.l))
                }
                if round.count % 2 == 1 { next.append(round[round.count - 1]) }
                round = next
            }
            (below[index], above[index]) = round[0]
            variance[index] = Float(places) * variance[index] + Float(places - 1) * unit * unit
        }
        value.below = Tensor(below, shape: value.below.shape)
        value.above = Tensor(above, shape: value.above.shape)
        value.variance = Tensor(variance, shape: value.variance.shape)
    }

    private func neurons(_ node: NeuronNode, _ value: Value) -> Value {
        // The least and the largest sum a step, what one spike of the network is worth, and one of an exported neuron, and v₀.
        let (least, most, spike, quantum, membrane): (Float, Float, Float, Float, Float)
        var unit: Float?
        switch node.neuron {
        case let neuron as IFNode:
            (least, most, spike, quantum, membrane) = (0, neuron.threshold, neuron.threshold, neuron.threshold, neuron.initialMembrane)
        case let neuron as SignedIFNeuron:
            (least, most, spike, quantum, membrane) = (0, neuron.threshold, neuron.threshold, neuron.threshold, neuron.initialMembrane)
        case let neuron as BurstIFNeuron:
            let burst = rules.isBurstOne ? 1 : Float(neuron.maximumBurst)
            (least, most, spike) = (0, burst * neuron.threshold, neuron.threshold)
            (quantum, membrane) = (most, burst * neuron.initialMembrane)
            unit = Float(neuron.maximumBurst)
        case let neuron as RadixNeuron:
            let levels = Float(1 << neuron.digits) - 1
            (least, most, spike, quantum, membrane) = (0, levels, 1, levels, levels / 2)
        case let neuron as LatencyNeuron:
            let levels = neuron.weights[0]
            (least, most, spike, quantum, membrane) = (0, levels, 1, levels, levels / 2)
        case let neuron as QuantizerNeuron:
            (least, most, spike) = (Float(neuron.lowest), Float(neuron.levels), neuron.threshold)
            (quantum, membrane) = (max(most, -least), neuron.rounding == .down ? 0 : most / 2)
        default: (least, most, spike, quantum, membrane) = (0, 0, 1, 1, 0)
        }
        let channels = value.rate.shape[1]
        let places = value.rate.shape.dropFirst(2).reduce(1, *)
        var (rate, below, above, variance) = (value.rate.floats, value.below.floats, value.above.floats, value.variance.floats)
        for index in rate.indices {
            let offset = node.initialOffsets.isEmpty ? 0 : node.initialOffsets[index / places % channels]
            let start = rules.dropsBiases ? 0 : membrane + offset
            if let spread = rules.spread { rate[index] += start / spread }
            let inside = rules.spread == nil ? abs(start) : 0
            rate[index] = min(max(rate[index], least), most) / spike
            // With neurons for each sign what one of them says too much the other says too much as well.
            let (l, h) = (below[index], above[index])
            below[index] = (l + inside + quantum + (least < 0 ? l + inside : 0)) / spike
            above[index] = (h + inside + (least < 0 ? h + inside + quantum : 0)) / spike
            variance[index] = (variance[index] + quantum * quantum) / (spike * spike)
        }
        let shape = value.rate.shape
        var result = Value(
            rate: Tensor(rate, shape: shape), below: Tensor(below, shape: shape), above: Tensor(above, shape: shape),
            variance: Tensor(variance, shape: shape),
            most: least < 0 ? nil : Tensor(repeating: unit ?? most / spike, shape: shape))
        for places in value.postponed { Self.compare(&result, places: places) }
        return result
    }

    private func linear(_ node: Node, _ inputs: [Value]) throws -> Value {
        let constants = node.inputs.map { graph.constants[$0] }
        let isConvolution =
            switch node.operator {
            case .conv, .convTranspose, .batchNormalization: true
            default: false
            }
        /// What the node makes of other values, with other weights, and without a bias.
        func evaluate(
            _ operation: Operator, _ values: [Tensor], hasBias: Bool = false, weights: (Float) -> Float = { $0 }
        ) throws -> Tensor {
            var rest = values[...]
            let operands = constants.enumerated().compactMap { position, constant -> Tensor? in
                guard let constant else { return rest.popFirst() }
                let isBias = position == 2 || position == 3 && isConvolution
                if isBias, !hasBias { return constant.map { _ in 0 } }
                return isBias ? constant : constant.map(weights)
            }
            return try ReferenceExecutor.evaluate(operation, operands)[0]
        }
        var (absolute, squared) = (node.operator, node.operator)
        if case .voltageScaler(let scaler) = absolute {
            absolute = .voltageScaler(VoltageScaler(scales: scaler.scales.map(abs)))
            squared = .voltageScaler(VoltageScaler(scales: scaler.scales.map { $0 * $0 }))
        }
        let widths = inputs.map { value in value.below.adding(value.above, 1) }
        let skews = inputs.map { value in value.above.adding(value.below, -1) }
        let (width, skew) = (try evaluate(absolute, widths, weights: abs), try evaluate(node.operator, skews))
        let keepsSpikes =
            switch node.operator {
            case .conv, .convTranspose, .gemm, .batchNormalization: false
            default: true
            }
        let most = inputs.compactMap(\.most)
        return Value(
            rate: try evaluate(node.operator, inputs.map(\.rate), hasBias: !(rules.dropsBiases && isConvolution)),
            below: width.adding(skew, -1).map { $0 / 2 }, above: width.adding(skew, 1).map { $0 / 2 },
            variance: try evaluate(squared, inputs.map(\.variance)) { $0 * $0 },
            most: keepsSpikes && most.count == inputs.count ? try evaluate(absolute, most, weights: abs) : nil,
            postponed: inputs[0].postponed)
    }
}

extension Tensor {
    fileprivate func adding(_ other: Tensor, _ factor: Float) -> Tensor {
        Tensor(zip(floats, other.floats).map { $0 + factor * $1 }, shape: shape)
    }
}
