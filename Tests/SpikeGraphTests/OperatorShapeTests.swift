import SpikeGraph
import TestSupport
import Testing

/// An operator over inputs of these shapes, and the shape that follows; `nil` where it is an error.
struct ShapeCase: Sendable, CustomTestStringConvertible {
    let `operator`: SpikeGraph.Operator
    let inputs: [Shape]
    let output: Shape?

    init(_ operator: SpikeGraph.Operator, _ inputs: [Shape], _ output: Shape?) {
        (self.`operator`, self.inputs, self.output) = (`operator`, inputs, output)
    }

    var testDescription: String { "\(`operator`.name) \(`operator`.payload.summary) \(inputs)" }
}

@Suite struct OperatorShapeTests {
    private static let pool = Window(kernel: [2, 2], strides: [2, 2])

    static let elementwise: [ShapeCase] =
        [
            .relu(Relu()), .clip(Clip(minimum: 0, maximum: 6)), .sigmoid(Sigmoid()), .identity(Identity()), .dropout(Dropout()),
            .softmax(Softmax()), .logSoftmax(LogSoftmax(axis: 0)), .neuron(NeuronNode(IFNode())), .voltageScaler(VoltageScaler(scale: 2)),
        ].map { ShapeCase($0, [[.batch, 3, 5]], [.batch, 3, 5]) } + [
            ShapeCase(.add(Add()), [[.batch, 3, 4], [3, 1]], [.batch, 3, 4]),
            ShapeCase(.mul(Mul()), [[1], [.batch, 3]], [.batch, 3]),
            ShapeCase(.voltageScaler(VoltageScaler(scales: [1, 2, 3])), [[.batch, 3]], [.batch, 3]),
            ShapeCase(.batchNormalization(BatchNormalization()), [[.batch, 3, 4, 4], [3], [3], [3], [3]], [.batch, 3, 4, 4]),
            ShapeCase(.batchNormalization(BatchNormalization()), [[.batch, 3], [3], [3], [3], [3]], [.batch, 3]),
        ]

    static let windows: [ShapeCase] = [
        ShapeCase(.conv(Conv(window: Window(kernel: [3]))), [[.batch, 4, 8], [6, 4, 3]], [.batch, 6, 6]),
        ShapeCase(.conv(Conv(window: Window(kernel: [3, 3]), groups: 2)), [[.batch, 4, 8, 7], [6, 2, 3, 3], [6]], [.batch, 6, 6, 5]),
        ShapeCase(.conv(Conv(window: Window(kernel: [1, 1, 1]))), [[2, 4, 8, 7, 6], [6, 4, 1, 1, 1]], [2, 6, 8, 7, 6]),
        ShapeCase(.maxPool(MaxPool(window: pool)), [[.batch, 4, 9, 6]], [.batch, 4, 4, 3]),
        ShapeCase(.averagePool(AveragePool(window: pool)), [[.batch, 4, 9, 6]], [.batch, 4, 4, 3]),
        ShapeCase(.runningMaximumPool(RunningMaximumPool(window: pool)), [[.batch, 4, 9, 6]], [.batch, 4, 4, 3]),
        // The number of channels does not matter to a pool.
        ShapeCase(.maxPool(MaxPool(window: pool)), [[.batch, .batch, 9, 6]], [.batch, .batch, 4, 3]),
        ShapeCase(.globalAveragePool(GlobalAveragePool()), [[.batch, 4, 9, 6]], [.batch, 4, 1, 1]),
        ShapeCase(.globalMaxPool(GlobalMaxPool()), [[.batch, 4, 9]], [.batch, 4, 1]),
    ]

    static let reductions: [ShapeCase] = [
        ShapeCase(.reduceMean(ReduceMean()), [[.batch, 4, 9]], [1, 1, 1]),
        ShapeCase(.reduceMean(ReduceMean(keepsDimensions: false)), [[.batch, 4, 9]], []),
        ShapeCase(.reduceMean(ReduceMean(axes: [2, -2])), [[.batch, 4, 9]], [.batch, 1, 1]),
        ShapeCase(.reduceMean(ReduceMean(axes: [-1, 2], keepsDimensions: false)), [[.batch, 4, 9]], [.batch, 4]),
        ShapeCase(.reduceMean(ReduceMean()), [[]], []),
    ]

    static let products: [ShapeCase] = [
        ShapeCase(.gemm(Gemm()), [[.batch, 3], [3, 5]], [.batch, 5]),
        ShapeCase(.gemm(Gemm(transposeA: true)), [[3, .batch], [3, 5], [5]], [.batch, 5]),
        ShapeCase(.gemm(Gemm(transposeB: true)), [[.batch, 3], [5, 3], []], [.batch, 5]),
        ShapeCase(.gemm(Gemm(transposeA: true, transposeB: true)), [[3, 2], [5, 3], [2, 1]], [2, 5]),
        ShapeCase(.matMul(MatMul()), [[3], [3]], []),
        ShapeCase(.matMul(MatMul()), [[3], [3, 2]], [2]),
        ShapeCase(.matMul(MatMul()), [[.batch, 3], [3]], [.batch]),
        ShapeCase(.matMul(MatMul()), [[.batch, 3], [3, 2]], [.batch, 2]),
        ShapeCase(.matMul(MatMul()), [[.batch, 7, 3], [3, 2]], [.batch, 7, 2]),
        ShapeCase(.matMul(MatMul()), [[3], [.batch, 3, 2]], [.batch, 2]),
        ShapeCase(.matMul(MatMul()), [[.batch, 1, 7, 3], [5, 3, 2]], [.batch, 5, 7, 2]),
    ]

    static let layouts: [ShapeCase] = [
        ShapeCase(.flatten(Flatten()), [[.batch, 3, 4]], [.batch, 12]),
        ShapeCase(.flatten(Flatten(axis: 0)), [[.batch, 3, 4]], [1, Dimension(0, batchFactor: 12)]),
        ShapeCase(.flatten(Flatten(axis: 3)), [[.batch, 3, 4]], [Dimension(0, batchFactor: 12), 1]),
        ShapeCase(.flatten(Flatten(axis: -1)), [[.batch, 3, 4]], [Dimension(0, batchFactor: 3), 4]),
        ShapeCase(.flatten(Flatten(axis: 0)), [[]], [1, 1]),
        ShapeCase(.reshape(Reshape(sizes: [.same, .rest])), [[.batch, 3, 4]], [.batch, 12]),
        ShapeCase(
            .reshape(Reshape(sizes: [.rest, .fixed(constant: 4, batchFactor: 0)])), [[.batch, 3, 4]], [Dimension(0, batchFactor: 3), 4]),
        ShapeCase(
            .reshape(Reshape(sizes: [.fixed(constant: 0, batchFactor: 1), .rest])), [[Dimension(0, batchFactor: 3), 4]], [.batch, 12]),
        ShapeCase(.reshape(Reshape(sizes: [])), [[1, 1]], []),
        ShapeCase(.reshape(Reshape(sizes: [.fixed(constant: 0, batchFactor: 0), .same])), [[0, 7]], [0, 7]),
        ShapeCase(.concat(Concat(axis: 1)), [[.batch, 3], [.batch, 4], [.batch, 5]], [.batch, 12]),
        ShapeCase(.concat(Concat(axis: -2)), [[.batch, 3], [2, 3]], [Dimension(2, batchFactor: 1), 3]),
        ShapeCase(.concat(Concat(axis: 0)), [[.batch, 3]], [.batch, 3]),
    ]

    @Test(arguments: elementwise + windows + reductions + products + layouts)
    func `every operator infers its output's shape`(_ test: ShapeCase) throws {
        #expect(try outputShape(test.`operator`, test.inputs) == test.output)
    }

    private static let three = Window(kernel: [3, 3])

    static let misfits: [ShapeCase] = [
        ShapeCase(.add(Add()), [[.batch, 3], [4]], nil),
        ShapeCase(.mul(Mul()), [[.batch, 3], [2, 3]], nil),
        ShapeCase(.voltageScaler(VoltageScaler(scales: [1, 2])), [[.batch, 3]], nil),
        ShapeCase(.voltageScaler(VoltageScaler(scales: [1, 2])), [[2]], nil),
        ShapeCase(.voltageScaler(VoltageScaler(scales: [])), [[.batch, 3]], nil),
        ShapeCase(.batchNormalization(BatchNormalization()), [[.batch], [3], [3], [3], [3]], nil),
        ShapeCase(.batchNormalization(BatchNormalization()), [[3, .batch], [3], [3], [3], [3]], nil),
        ShapeCase(.batchNormalization(BatchNormalization()), [[.batch, 3], [3], [3], [3], [2]], nil),
        ShapeCase(.batchNormalization(BatchNormalization()), [[.batch, 3], [3, 1], [3], [3], [3]], nil),
        ShapeCase(.softmax(Softmax(axis: 2)), [[.batch, 3]], nil),
        ShapeCase(.softmax(Softmax(axis: -3)), [[.batch, 3]], nil),
        ShapeCase(.logSoftmax(LogSoftmax(axis: 0)), [[]], nil),
        ShapeCase(.reduceMean(ReduceMean(axes: [1, 3])), [[.batch, 3]], nil),
        ShapeCase(.reduceMean(ReduceMean(axes: [0])), [[]], nil),
        // Convolutions: kernel, channels, groups, bias, ranks.
        ShapeCase(.conv(Conv(window: three)), [[.batch, 4, 8, 8], [6, 4, 3, 2]], nil),
        ShapeCase(.conv(Conv(window: three)), [[.batch, 4, 8, 8], [6, 3, 3, 3]], nil),
        ShapeCase(.conv(Conv(window: three)), [[.batch, 4, 8, 8], [.batch, 4, 3, 3]], nil),
        ShapeCase(.conv(Conv(window: three)), [[.batch, .batch, 8, 8], [6, 4, 3, 3]], nil),
        ShapeCase(.conv(Conv(window: three)), [[.batch, 4, 8, 8], [6, 4, 3, 3], [5]], nil),
        ShapeCase(.conv(Conv(window: three)), [[.batch, 4, 8, 8], [6, 4, 3, 3], [6, 1]], nil),
        ShapeCase(.conv(Conv(window: three)), [[.batch, 4, 8], [6, 4, 3, 3]], nil),
        ShapeCase(.conv(Conv(window: three)), [[4], [6, 4, 3, 3]], nil),
        ShapeCase(.conv(Conv(window: three)), [[], []], nil),
        ShapeCase(.conv(Conv(window: three)), [[.batch, 4, 8, .batch], [6, 4, 3, 3]], nil),
        ShapeCase(.conv(Conv(window: three)), [[.batch, 4, 2, 8], [6, 4, 3, 3]], nil),
        ShapeCase(.conv(Conv(window: three, groups: 3)), [[.batch, 4, 8, 8], [6, 1, 3, 3]], nil),
        ShapeCase(.conv(Conv(window: three, groups: 4)), [[.batch, 4, 8, 8], [6, 1, 3, 3]], nil),
        ShapeCase(.conv(Conv(window: three, groups: 0)), [[.batch, 4, 8, 8], [6, 4, 3, 3]], nil),
        ShapeCase(.conv(Conv(window: three, groups: -1)), [[.batch, 4, 8, 8], [6, 4, 3, 3]], nil),
        ShapeCase(.conv(Conv(window: three, groups: .max)), [[.batch, 4, 8, 8], [6, 4, 3, 3]], nil),
        ShapeCase(.conv(Conv(window: Window(kernel: []))), [[.batch, 4], [6, 4]], nil),
        ShapeCase(.conv(Conv(window: Window(kernel: [1, 1, 1, 1]))), [[1, 4, 1, 1, 1, 1], [6, 4, 1, 1, 1, 1]], nil),
        // Pools.
        ShapeCase(.maxPool(MaxPool(window: three)), [[.batch, 4, 8]], nil),
        ShapeCase(.maxPool(MaxPool(window: three)), [[]], nil),
        ShapeCase(.averagePool(AveragePool(window: three)), [[.batch, 4, .batch, 8]], nil),
        ShapeCase(.averagePool(AveragePool(window: three)), [[.batch, 4, 2, 2]], nil),
        ShapeCase(.runningMaximumPool(RunningMaximumPool(window: three)), [[.batch, 4, 0, 8]], nil),
        ShapeCase(.globalAveragePool(GlobalAveragePool()), [[.batch, 4]], nil),
        ShapeCase(.globalMaxPool(GlobalMaxPool()), [[]], nil),
        // Products.
        ShapeCase(.gemm(Gemm()), [[.batch, 3], [4, 5]], nil),
        ShapeCase(.gemm(Gemm(transposeA: true)), [[.batch, 3], [3, 5]], nil),
        ShapeCase(.gemm(Gemm()), [[.batch, 3, 1], [3, 5]], nil),
        ShapeCase(.gemm(Gemm()), [[], []], nil),
        ShapeCase(.gemm(Gemm()), [[.batch, 3], [3, 5], [4]], nil),
        ShapeCase(.gemm(Gemm()), [[1, 3], [3, 5], [2, 5]], nil),
        ShapeCase(.gemm(Gemm()), [[.batch, 3], [3, 5], [1, .batch, 5]], nil),
        ShapeCase(.matMul(MatMul()), [[], [3]], nil),
        ShapeCase(.matMul(MatMul()), [[3], []], nil),
        ShapeCase(.matMul(MatMul()), [[2, 3], [2, 3]], nil),
        ShapeCase(.matMul(MatMul()), [[2, 4, 3], [3, 3, 2]], nil),
        // Layouts.
        ShapeCase(.flatten(Flatten(axis: 3)), [[.batch, 3]], nil),
        ShapeCase(.flatten(Flatten(axis: -3)), [[.batch, 3]], nil),
        ShapeCase(.flatten(Flatten(axis: .min)), [[.batch, 3]], nil),
        ShapeCase(.flatten(Flatten(axis: 0)), [[.batch, .batch]], nil),
        ShapeCase(.reshape(Reshape(sizes: [.rest, .rest])), [[.batch, 3]], nil),
        ShapeCase(.reshape(Reshape(sizes: [.rest, .fixed(constant: 2, batchFactor: 0)])), [[.batch, 3]], nil),
        ShapeCase(.reshape(Reshape(sizes: [.rest, .fixed(constant: 0, batchFactor: 0)])), [[.batch, 3]], nil),
        ShapeCase(.reshape(Reshape(sizes: [.same, .same, .same])), [[.batch, 3]], nil),
        ShapeCase(.reshape(Reshape(sizes: [.fixed(constant: -2, batchFactor: 0), .fixed(constant: -3, batchFactor: 0)])), [[6]], nil),
        ShapeCase(.reshape(Reshape(sizes: [.fixed(constant: -2, batchFactor: 0), .rest])), [[6]], nil),
        ShapeCase(.reshape(Reshape(sizes: [.fixed(constant: .min, batchFactor: 0), .rest])), [[6]], nil),
        ShapeCase(.reshape(Reshape(sizes: [.fixed(constant: .max, batchFactor: .max), .same])), [[6]], nil),
        ShapeCase(.reshape(Reshape(sizes: [])), [[.batch]], nil),
        ShapeCase(.concat(Concat(axis: 0)), [[], []], nil),
        ShapeCase(.concat(Concat(axis: 0)), [[]], nil),
        ShapeCase(.concat(Concat(axis: 2)), [[.batch, 3], [.batch, 3]], nil),
        ShapeCase(.concat(Concat(axis: 1)), [[.batch, 3], [4, 3]], nil),
        ShapeCase(.concat(Concat(axis: 1)), [[.batch, 3], [.batch, 3, 1]], nil),
        ShapeCase(.concat(Concat(axis: 0)), [[Dimension(.max)], [Dimension(.max)]], nil),
    ]

    @Test(arguments: misfits) func `inputs that do not fit are an error`(_ test: ShapeCase) {
        expectError { _ = try outputShape(test.`operator`, test.inputs) }
    }

    /// Each operator that computes, over inputs that would fit if they were float32.
    static let computing: [ShapeCase] = (elementwise + windows + reductions + products).filter {
        if case .identity = $0.`operator` { return false }
        if case .dropout = $0.`operator` { return false }
        return true
    }

    @Test(arguments: computing) func `operators that compute take float32 alone`(_ test: ShapeCase) {
        for position in test.inputs.indices {
            for elementType in [ElementType.int64, .bool] {
                var types = test.inputs.map(float)
                types[position].elementType = elementType
                expectError(.unsupported, "float32") {
                    _ = try test.`operator`.payload.outputTypes(types, constants: types.map { _ in nil })
                }
            }
        }
    }

    @Test func `operators that move values keep their element type`() throws {
        let integers = ValueType(.int64, [2, 3])
        for mover in [
            SpikeGraph.Operator.identity(Identity()), .dropout(Dropout()), .concat(Concat(axis: 0)), .flatten(Flatten()),
            .reshape(Reshape(sizes: [.same, .same])),
        ] { #expect(try mover.payload.outputTypes([integers], constants: [nil]) == [integers]) }
        expectError(.invalidModel, "int64", "float32") {
            _ = try Concat(axis: 0).outputTypes([integers, float([2, 3])], constants: [nil, nil])
        }
    }

    @Test func `no numbers whatever make an operator crash`() throws {
        var generator = SeededGenerator(17)
        let strange = [Int.min, Int.min + 1, -1, 0, 1, 2, 3, 4, 1 << 30, 1 << 31, 1 << 32, 1 << 62, Int.max - 1, Int.max]
        func number() -> Int { strange.randomElement(using: &generator) ?? 0 }
        func numbers() -> [Int] { (0..<Int.random(in: 0...3, using: &generator)).map { _ in number() } }
        func shape() -> Shape {
            Shape(
                (0..<Int.random(in: 0...5, using: &generator)).map { _ in
                    Dimension(number(), batchFactor: Bool.random(using: &generator) ? 0 : number())
                })
        }
        func window() -> Window {
            Window(
                kernel: numbers(), strides: numbers(), dilations: numbers(), padsBegin: numbers(), padsEnd: numbers(),
                autoPad: [.notSet, .sameUpper, .sameLower, .valid].randomElement(using: &generator) ?? .valid,
                ceilMode: Bool.random(using: &generator))
        }
        for _ in 0..<3000 {
            let sizes: [Reshape.Size] = [
                .fixed(constant: number(), batchFactor: number()), [.same, .rest].randomElement(using: &generator) ?? .same,
                .fixed(constant: number(), batchFactor: 0),
            ]
            let operators: [SpikeGraph.Operator] = [
                .add(Add()), .mul(Mul()), .matMul(MatMul()), .gemm(Gemm(transposeA: Bool.random(using: &generator))),
                .conv(Conv(window: window(), groups: number())), .maxPool(MaxPool(window: window())),
                .averagePool(AveragePool(window: window())), .globalMaxPool(GlobalMaxPool()), .reshape(Reshape(sizes: sizes)),
                .flatten(Flatten(axis: number())), .concat(Concat(axis: number())), .softmax(Softmax(axis: number())),
                .reduceMean(ReduceMean(axes: numbers())), .batchNormalization(BatchNormalization()),
            ]
            for anOperator in operators {
                let arity = anOperator.payload.arity
                let count = Int.random(in: arity.lowerBound...min(arity.upperBound, 5), using: &generator)
                let inputs = (0..<count).map { Graph.Input("x\($0)", float(shape())) }
                // A graph or an error: either will do.
                _ = try? Graph(
                    name: "strange", inputs: inputs, outputs: [], nodes: [Node("n", anOperator, inputs: inputs.map(\.name))], constants: [:]
                )
                _ = try? anOperator.payload.outputTypes(inputs.map(\.type), constants: inputs.map { _ in nil })
            }
        }
    }
}
