import SpikeGraph

/// A network in the making, node after node, for tests that need certain shapes.
struct NetworkSketch {
    /// A value behind the batch: its name and sizes.
    struct Value {
        var name: String
        var shape: [Int]
    }

    private var nodes: [Node] = []
    private var constants: [String: Tensor] = [:]
    let input: Value

    /// - Parameter shape: of a sample of the input `x`.
    init(input shape: [Int]) { input = Value(name: "x", shape: shape) }

    mutating func add(_ op: Operator, _ inputs: [Value], _ weights: [Tensor] = [], shape: [Int]) -> Value {
        let name = "\(op.name.lowercased())\(nodes.count)"
        let names = weights.indices.map { "\(name).\($0)" }
        for (name, tensor) in zip(names, weights) { constants[name] = tensor }
        nodes.append(Node(name, op, inputs: inputs.map(\.name) + names))
        return Value(name: name, shape: shape)
    }

    /// A convolution: weights [features, channels / groups, kernel…].
    mutating func conv(
        _ x: Value, _ weights: Tensor, bias: Tensor? = nil, strides: [Int]? = nil, pads: [Int]? = nil, dilation: Int = 1
    ) throws -> Value {
        let kernel = Array(weights.shape.dropFirst(2))
        let window = Window(
            kernel: kernel, strides: strides, dilations: kernel.map { _ in dilation }, padsBegin: pads, padsEnd: pads)
        let conv = Conv(window: window, groups: x.shape[0] / weights.shape[1])
        return add(
            .conv(conv), [x], [weights] + (bias.map { [$0] } ?? []), shape: [weights.shape[0]] + (try placed(window, x)))
    }

    mutating func pool(_ x: Value, _ kernel: [Int], strides: [Int]? = nil, _ make: (Window) -> Operator) throws -> Value {
        let window = Window(kernel: kernel, strides: strides ?? kernel)
        return add(make(window), [x], shape: [x.shape[0]] + (try placed(window, x)))
    }

    mutating func fire(_ x: Value, _ neuron: any Neuron) -> Value { add(.neuron(NeuronNode(neuron)), [x], shape: x.shape) }

    /// A vector, and its product with a matrix [features, its size].
    mutating func linear(_ x: Value, _ weights: Tensor) -> Value {
        let flat = x.shape.count == 1 ? x : add(.flatten(Flatten()), [x], shape: [x.shape.reduce(1, *)])
        return add(.gemm(Gemm(transposeB: true)), [flat], [weights], shape: [weights.shape[0]])
    }

    func graph(_ outputs: [Value], _ description: SpikingDescription) throws -> Graph {
        let type = ValueType(.float32, Shape([.batch] + input.shape.map { Dimension($0) }))
        return try Graph(
            name: "sketch", inputs: [.init(input.name, type)], outputs: outputs.map { .init($0.name, value: $0.name) }, nodes: nodes,
            constants: constants, spiking: description)
    }

    private func placed(_ window: Window, _ x: Value) throws -> [Int] { try window.placement(over: Array(x.shape.dropFirst())).output }
}
