public import SpikeGraph

/// Runs a network once, node by node, in float32: slow, obvious, and the law that everything faster is tested against.
///
/// Dense products are done one sample at a time on one thread, so that a sample's result depends neither on the batch it
/// came in nor on other threads.
public struct ReferenceExecutor: Sendable {
    /// The network that is run.
    public let graph: Graph
    /// For each node, the values that nothing reads after it.
    private let lastReads: [[String]]

    /// An executor for a network; it keeps no state.
    public init(_ graph: Graph) {
        self.graph = graph
        var remaining = Set(graph.outputs.map(\.value))
        var lastReads: [[String]] = []
        for node in graph.nodes.reversed() {
            lastReads.append((node.inputs + node.outputs).filter { remaining.insert($0).inserted })
        }
        self.lastReads = lastReads.reversed()
    }

    /// The outputs of the network for a batch, in the graph's order.
    ///
    /// - Parameters:
    ///   - inputs: one tensor for each input of the graph, `[N, …]`.
    ///   - observe: called after each node with what it read and what it made.
    ///   - rewrite: may give another tensor of the same type and shape for what a node made; the nodes behind it read that.
    /// - Throws: ``SpikeletError`` where the inputs do not fit the network, or a tensor of `rewrite` not its node.
    public func run(
        _ inputs: [Tensor], observe: ((Node, [Tensor], [Tensor]) throws -> Void)? = nil, rewrite: ((Node, Tensor) throws -> Tensor)? = nil
    ) throws -> [Tensor] {
        let batch = try graph.check(inputs: inputs)
        var values = graph.constants
        for (input, tensor) in zip(graph.inputs, inputs) { values[input.name] = tensor }
        for (node, lastReads) in zip(graph.nodes, lastReads) {
            try Cancellation.check()
            let operands = node.inputs.compactMap { values[$0] }
            var results = try Self.computed(node, operands, batch: batch)
            if let rewrite { results = try results.map { try Self.rewritten($0, by: rewrite, of: node) } }
            try observe?(node, operands, results)
            for (name, result) in zip(node.outputs, results) { values[name] = result }
            for name in lastReads { values[name] = nil }
        }
        return graph.outputs.compactMap { values[$0.value] }
    }

    /// ``compute(_:_:batch:)``, with the node's name in its errors.
    package static func computed(_ node: Node, _ inputs: [Tensor], batch: Int?) throws -> [Tensor] {
        do {
            return try compute(node.operator, inputs, batch: batch)
        } catch let error as SpikeletError {
            throw error.location == nil ? error.located("node '\(node.name)'") : error
        }
    }

    private static func rewritten(_ made: Tensor, by rewrite: (Node, Tensor) throws -> Tensor, of node: Node) throws -> Tensor {
        let other = try rewrite(node, made)
        guard ValueType(other) == ValueType(made) else {
            throw SpikeletError(.invalidData, "\(ValueType(other)) cannot stand for \(ValueType(made))", at: "node '\(node.name)'")
        }
        return other
    }

    /// What one operator makes of its inputs. Spiking operators act as in the first step of a simulation; hooks do nothing.
    ///
    /// - Parameters:
    ///   - inputs: as many as the operator takes, of types that its shape rule accepts.
    ///   - batch: the number of samples N, for a reshape that names it; where it is not given, the size of the first axis.
    /// - Throws: ``SpikeletError`` where the inputs are others.
    public static func evaluate(_ operator: Operator, _ inputs: [Tensor], batch: Int? = nil) throws -> [Tensor] {
        let payload = `operator`.payload
        guard payload.arity.contains(inputs.count) else {
            throw SpikeletError(.invalidData, "\(inputs.count) inputs do not fit", at: payload.label)
        }
        switch `operator` {
        // Their rules name the batch, which is known below.
        case .expand, .reshape: break
        default: _ = try payload.outputTypes(inputs.map { ValueType($0) }, constants: inputs)
        }
        return try compute(`operator`, inputs, batch: batch)
    }

    /// ``evaluate(_:_:batch:)`` for a node of a graph, whose inputs have been checked: for others memory would be read that is not theirs.
    package static func compute(_ operator: Operator, _ inputs: [Tensor], batch: Int?) throws -> [Tensor] {
        let x = inputs[0]
        let output: Tensor =
            switch `operator` {
            case .add: Kernels.elementwise(x, inputs[1], +)
            case .argExtremum(let arg): try Kernels.argExtremum(arg, x)
            case .averagePool(let pool): try Kernels.averagePool(pool, x)
            case .batchNormalization(let normalization): Kernels.batchNormalization(normalization, inputs)
            case .binary(let binary): try Kernels.binary(binary, x, inputs[1])
            case .cast(let cast): try Kernels.cast(cast, x)
            case .clip(let clip): Kernels.clip(clip, x)
            case .concat(let concat): try Kernels.concat(concat, inputs)
            case .conv(let conv): try Kernels.conv(conv, inputs)
            case .convTranspose(let conv): try Kernels.convTranspose(conv, inputs)
            case .cumSum(let cumSum): try Kernels.cumSum(cumSum, x)
            case .dropout, .identity, .voltageHook: x
            case .expand(let expand):
                Kernels.broadcast(x, to: try concreteShape(expand.closed(batch: batch ?? x.shape.first ?? 1), x))
            case .flatten(let flatten): x.reshaped(to: try concreteShape(flatten, x))
            case .floor: x.map { $0.rounded(.down) }
            case .gather(let gather): try Kernels.gather(gather, x, inputs[1])
            case .gemm(let gemm): Kernels.gemm(gemm, inputs)
            case .globalAveragePool: Kernels.globalPool(x) { $0.reduce(0, +) / Float($0.count) }
            case .globalMaxPool: Kernels.globalPool(x) { $0.max() ?? -.infinity }
            case .groupNormalization(let normalization): Kernels.groupNormalization(normalization, inputs)
            case .layerNormalization(let normalization): try Kernels.layerNormalization(normalization, inputs)
            case .localResponseNormalization(let normalization): Kernels.localResponseNormalization(normalization, x)
            case .logSoftmax(let softmax):
                try Kernels.softmax(x, axis: softmax.axis, flattensTail: softmax.flattensTail, logarithmic: true)
            case .matMul: try Kernels.matMul(inputs)
            case .maxPool(let pool): try Kernels.maxPool(pool.window, x)
            case .mul: Kernels.elementwise(x, inputs[1], *)
            case .neuron(let node):
                {
                    var state = node.initialState(shape: x.shape)
                    return node.neuron.step(x, state: &state, at: TimeStep(0))
                }()
            case .pad(let pad): Kernels.pad(pad, x)
            case .quantizer(let quantizer): x.map { quantizer.step * quantizer.level(of: $0) }
            case .reduce(let reduce): try Kernels.reduce(reduce, x)
            case .reduceMean(let reduce): try Kernels.reduceMean(reduce, x)
            // A NaN stays one: it must not pass for a silent neuron.
            case .relu: x.map { $0 < 0 ? 0 : $0 }
            case .reshape(let reshape): x.reshaped(to: try concreteShape(reshape.closed(batch: batch ?? x.shape.first ?? 1), x))
            case .resize(let resize): try Kernels.resize(resize, x)
            case .round: x.map { $0.rounded(.toNearestOrEven) }
            case .runningMaximumPool(let pool): try Kernels.maxPool(pool.window, x)
            case .select: Kernels.select(inputs)
            case .sigmoid: Kernels.sigmoid(x)
            case .slice(let slice): try Kernels.slice(slice, x)
            case .softmax(let softmax):
                try Kernels.softmax(x, axis: softmax.axis, flattensTail: softmax.flattensTail, logarithmic: false)
            case .tile(let tile): Kernels.tile(tile, x)
            case .transpose(let transpose): Kernels.transpose(x, transpose.permutation)
            case .unary(let unary): try Kernels.unary(unary, x)
            case .voltageScaler(let scaler): try scaler(x)
            }
        return [output]
    }

    /// The shape rule's result for this very tensor.
    private static func concreteShape(_ payload: some OperatorPayload, _ x: Tensor) throws -> [Int] {
        try payload.outputTypes([ValueType(x)], constants: [nil])[0].shape.resolved(batch: 0)
    }
}
