import SpikeGraph
import Testing

@Suite struct LinearityTests {
    private static let window = Window(kernel: [2, 2])

    /// An operator, which of its inputs are constants, and what it is declared to be.
    static let declared: [(SpikeGraph.Operator, [Bool], Linearity)] = [
        (.add(Add()), [false, false], .linear), (.add(Add()), [false, true], .affine), (.add(Add()), [true, false], .affine),
        (.mul(Mul()), [false, true], .linear), (.mul(Mul()), [true, false], .linear), (.mul(Mul()), [false, false], .nonlinear),
        (.conv(Conv(window: window)), [false, true], .linear), (.conv(Conv(window: window)), [false, true, true], .affine),
        (.conv(Conv(window: window)), [false, false], .nonlinear), (.conv(Conv(window: window)), [false, true, false], .nonlinear),
        (.gemm(Gemm()), [false, true], .linear), (.gemm(Gemm()), [false, true, true], .affine),
        (.gemm(Gemm()), [true, false], .linear), (.gemm(Gemm()), [false, false], .nonlinear),
        (.gemm(Gemm()), [false, true, false], .linear), (.gemm(Gemm()), [true, true, false], .affine),
        (.matMul(MatMul()), [false, true], .linear), (.matMul(MatMul()), [true, false], .linear),
        (.matMul(MatMul()), [false, false], .nonlinear),
        (.batchNormalization(BatchNormalization()), [false, true, true, true, true], .affine),
        (.batchNormalization(BatchNormalization()), [false, true, true, false, true], .nonlinear),
        (.concat(Concat(axis: 1)), [false, false], .linear), (.concat(Concat(axis: 1)), [false, true], .affine),
        (.averagePool(AveragePool(window: window)), [false], .linear), (.globalAveragePool(GlobalAveragePool()), [false], .linear),
        (.reduceMean(ReduceMean()), [false], .linear), (.flatten(Flatten()), [false], .linear),
        (.reshape(Reshape(sizes: [.rest])), [false], .linear), (.identity(Identity()), [false], .linear),
        (.dropout(Dropout()), [false], .linear), (.voltageScaler(VoltageScaler(scale: 2)), [false], .linear),
        (.maxPool(MaxPool(window: window)), [false], .maximum), (.globalMaxPool(GlobalMaxPool()), [false], .maximum),
        (.relu(Relu()), [false], .activation), (.clip(Clip(minimum: 0)), [false], .activation),
        (.clip(Clip(minimum: 0, maximum: 6)), [false], .activation), (.clip(Clip()), [false], .linear),
        (.clip(Clip(minimum: 0, maximum: 0)), [false], .nonlinear), (.clip(Clip(minimum: 0, maximum: -1)), [false], .nonlinear),
        (.clip(Clip(minimum: -1, maximum: 1)), [false], .nonlinear), (.clip(Clip(maximum: 6)), [false], .nonlinear),
        (.sigmoid(Sigmoid()), [false], .nonlinear), (.softmax(Softmax()), [false], .nonlinear),
        (.floor(Floor()), [false], .nonlinear), (.round(Round()), [false], .nonlinear), (.logSoftmax(LogSoftmax()), [false], .nonlinear),
        (.convTranspose(ConvTranspose(window: window)), [false, true], .linear),
        (.convTranspose(ConvTranspose(window: window)), [false, true, true], .affine),
        (.convTranspose(ConvTranspose(window: window)), [false, false], .nonlinear),
        (.resize(Resize(axes: [])), [false], .linear), (.transpose(Transpose(permutation: [0])), [false], .linear),
        (.slice(Slice(cuts: [])), [false], .linear), (.gather(Gather()), [false, true], .linear),
        (.gather(Gather()), [true, false], .nonlinear), (.gather(Gather()), [false, false], .nonlinear),
        (.expand(Expand(sizes: [])), [false], .linear), (.tile(Tile(repeats: [])), [false], .linear),
        (.pad(Pad(begins: [1], ends: [1])), [false], .linear), (.pad(Pad(begins: [1], ends: [1], value: 1)), [false], .nonlinear),
        (.pad(Pad(mode: .edge, begins: [1], ends: [1], value: 1)), [false], .linear),
        (.reduce(Reduce(.sum)), [false], .linear), (.reduce(Reduce(.maximum)), [false], .nonlinear),
        (.cumSum(CumSum(axis: 1)), [false], .linear), (.argExtremum(ArgExtremum()), [false], .nonlinear),
        (.select(Where()), [true, false, false], .linear), (.select(Where()), [true, true, false], .affine),
        (.select(Where()), [false, false, false], .nonlinear), (.cast(Cast(to: .bool)), [false], .nonlinear),
        (.binary(Binary(.maximum)), [false, false], .nonlinear), (.unary(Unary(.gelu, parameters: [0])), [false], .nonlinear),
        (.layerNormalization(LayerNormalization()), [false, true, true], .nonlinear),
        (.groupNormalization(GroupNormalization(groups: 1)), [false, true, true], .nonlinear),
        (.localResponseNormalization(LocalResponseNormalization(size: 3)), [false], .nonlinear),
        (.neuron(NeuronNode(IFNode())), [false], .neuron),
        (.runningMaximumPool(RunningMaximumPool(window: window)), [false], .neuron),
    ]

    @Test func `every operator declares how it treats a sum`() throws {
        for (anOperator, isConstant, linearity) in Self.declared {
            #expect(anOperator.payload.linearity(isConstant: isConstant) == linearity, "\(anOperator.name) \(isConstant)")
        }
        #expect(SpikeGraph.Operator.voltageHook(try VoltageHook()).payload.linearity(isConstant: [false]) == .neuron)
    }

    @Test func `a graph answers with its own constants`() throws {
        let graph = try Graph(
            name: "g", inputs: [Graph.Input("x", float([.batch, 2]))], outputs: [Graph.Output("y", value: "b")],
            nodes: [Node("a", .mul(Mul()), inputs: ["x", "x"]), Node("b", .mul(Mul()), inputs: ["a", "two"])],
            constants: ["two": Tensor(scalar: 2)])
        #expect(graph.nodes.map(graph.linearity(of:)) == [.nonlinear, .linear])
    }
}
