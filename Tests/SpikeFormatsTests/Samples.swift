import Foundation
import SpikeFormats
import SpikeGraph

/// Graphs and files for the tests.
enum Samples {
    /// Floats that a careless writer or reader changes.
    static let awkward: [Float] = [
        0.1, -0.0, 1 / 3, 16_777_215, .leastNonzeroMagnitude, .leastNormalMagnitude, .greatestFiniteMagnitude, -3.4e38,
        .leastNormalMagnitude.nextDown,
        0x1.fffffep-1, 1e10, 123_456_792, 9.999999e-5, .pi, 0x1p-148,
    ]

    /// Every operator in at least one shape, each with attributes that are not its defaults.
    static let operators: [Operator] = {
        let window = Window(
            kernel: [3, 2], strides: [2, 1], dilations: [1, 2], padsBegin: [1, 0], padsEnd: [0, 1], autoPad: .notSet, ceilMode: true)
        return [
            .argExtremum(ArgExtremum(isMinimum: true, axis: -2, keepsDimensions: false, selectsLast: true)), .binary(Binary(.modulo)),
            .cast(Cast(to: .bool)),
            .convTranspose(ConvTranspose(window: Window(kernel: [3], strides: [2]), groups: 2, outputPadding: [1])),
            .cumSum(CumSum(axis: -1, isExclusive: true, isReverse: true)),
            .expand(Expand(sizes: [.fixed(constant: 1, batchFactor: 2)])), .gather(Gather(axis: -1)),
            .groupNormalization(GroupNormalization(groups: 4, epsilon: 0.1)), .groupNormalization(GroupNormalization(groups: nil)),
            .layerNormalization(LayerNormalization(axis: 2, epsilon: 0.1, isCentered: false)),
            .localResponseNormalization(LocalResponseNormalization(size: 5, alpha: 0.1, beta: 0.3, bias: 0.7)),
            .pad(Pad(mode: .reflect, begins: [0, -1], ends: [2, 0], value: 0.1)),
            .reduce(Reduce(.logSumExp, axes: [-1], keepsDimensions: false)),
            .resize(
                Resize(
                    axes: [Resize.Axis(axis: 2, size: 7, scale: 0.1)], mode: .cubic, coordinates: .halfPixelSymmetric,
                    rounding: .ceil, cubicCoefficient: -0.3, excludesOutside: true, antialiases: true)),
            .select(Where()), .slice(Slice(cuts: [Slice.Cut(axis: 1, start: -1, end: .min, step: -2)])), .tile(Tile(repeats: [1, 3])),
            .transpose(Transpose(permutation: [0, 2, 1])), .unary(Unary(.selu, parameters: [0.1, 1 / 3])),
            .add(Add()), .averagePool(AveragePool(window: window, countsPadding: true)),
            .batchNormalization(BatchNormalization(epsilon: .leastNonzeroMagnitude)), .clip(Clip(minimum: -0.0, maximum: 6)), .clip(Clip()),
            .clip(Clip(maximum: 0.1)), .concat(Concat(axis: -1)),
            .conv(Conv(window: Window(kernel: [5], autoPad: .sameLower), groups: 4)), .dropout(Dropout()), .flatten(Flatten(axis: 2)),
            .floor(Floor()),
            .gemm(Gemm(alpha: 0.1, beta: .greatestFiniteMagnitude, transposeA: true, transposeB: true)),
            .globalAveragePool(GlobalAveragePool()), .globalMaxPool(GlobalMaxPool()), .identity(Identity()),
            .logSoftmax(LogSoftmax(axis: 1, flattensTail: true)), .matMul(MatMul()), .maxPool(MaxPool(window: window)), .mul(Mul()),
            .neuron(NeuronNode(IFNode(threshold: 1 / 3, reset: .to(-0.7), initialMembrane: 16_777_215))),
            .neuron(NeuronNode(IFNode())), .quantizer(quantizer()), .reduceMean(ReduceMean(axes: [-1, 2], keepsDimensions: false)),
            .relu(Relu()), .round(Round()),
            .reshape(Reshape(sizes: [.fixed(constant: -1, batchFactor: 3), .same, .rest])),
            .runningMaximumPool(RunningMaximumPool(window: window)), .sigmoid(Sigmoid()), .softmax(Softmax(axis: 3, flattensTail: true)),
            .voltageHook(hook(.percentile(99.9))), .voltageHook(hook(.scaled(0.1))), .voltageHook(hook(.max)),
            .voltageScaler(VoltageScaler(scales: awkward)),
        ]
    }()

    private static func quantizer() -> Quantizer {
        do { return try Quantizer(step: 0.1, levels: 127, lowest: -128, rounding: .halfToEven) } catch { preconditionFailure("\(error)") }
    }

    private static func hook(_ mode: VoltageHook.Mode) -> VoltageHook {
        var hook: VoltageHook
        do { hook = try VoltageHook(scale: 0.3, momentum: 0.7, mode: mode) } catch { preconditionFailure("\(error)") }
        _ = try? hook(Tensor([0.1, 2.7, 1e-3], shape: [3, 1]))
        return hook
    }

    /// A spiking network in which every operator has a place, with constants of all types.
    static func network() throws -> Graph {
        let window = Window(kernel: [2, 2], strides: [2, 2])
        let nodes =
            [
                Node("conv", .conv(Conv(window: Window(kernel: [3, 3], padsBegin: [1, 1], padsEnd: [1, 1]))), inputs: ["x", "w", "b"]),
                Node("norm", .batchNormalization(BatchNormalization(epsilon: 0.001)), inputs: ["conv", "b", "b", "b", "b"]),
                Node("pool", .averagePool(AveragePool(window: window)), inputs: ["norm"]),
                Node("hook", .voltageHook(hook(.percentile(99.9))), inputs: ["pool"]),
                Node("in", .voltageScaler(VoltageScaler(scales: [0.1, 1 / 3])), inputs: ["hook"]),
                Node("neuron", .neuron(NeuronNode(IFNode(threshold: 0.1, initialMembrane: 0.05))), inputs: ["in"]),
                Node("most", .runningMaximumPool(RunningMaximumPool(window: window)), inputs: ["neuron"]),
                Node("plus", .add(Add()), inputs: ["most", "most"]), Node("times", .mul(Mul()), inputs: ["plus", "scale"]),
                Node("cat", .concat(Concat(axis: 1)), inputs: ["times", "plus"]), Node("same", .identity(Identity()), inputs: ["cat"]),
                Node("drop", .dropout(Dropout()), inputs: ["same"]),
                Node("mean", .globalAveragePool(GlobalAveragePool()), inputs: ["drop"]),
                Node("peak", .globalMaxPool(GlobalMaxPool()), inputs: ["drop"]), Node("flat", .flatten(Flatten()), inputs: ["mean"]),
                Node("shaped", .reshape(Reshape(sizes: [.same, .rest])), inputs: ["peak"]),
                Node("gemm", .gemm(Gemm(alpha: 0.1, transposeB: true)), inputs: ["flat", "dense"]),
                Node("matmul", .matMul(MatMul()), inputs: ["shaped", "dense"]),
                Node("maximum", .maxPool(MaxPool(window: Window(kernel: [1, 1]))), inputs: ["drop"]),
                Node("average", .reduceMean(ReduceMean(axes: [2, 3], keepsDimensions: false)), inputs: ["maximum"]),
                Node("relu", .relu(Relu()), inputs: ["average"]), Node("clip", .clip(Clip(minimum: 0, maximum: 6)), inputs: ["relu"]),
                Node("sum", .add(Add()), inputs: ["clip", "gemm"]), Node("sum2", .add(Add()), inputs: ["sum", "matmul"]),
                Node("sigmoid", .sigmoid(Sigmoid()), inputs: ["sum2"]), Node("log", .logSoftmax(LogSoftmax()), inputs: ["sum2"]),
                Node("soft", .softmax(Softmax()), inputs: ["graded"]), Node("graded", .quantizer(quantizer()), inputs: ["rounded"]),
                Node("rounded", .round(Round()), inputs: ["floored"]), Node("floored", .floor(Floor()), inputs: ["sum2"]),
            ] + laterNodes
        let ramp = { (count: Int) in (0..<count).map { awkward[$0 % awkward.count] + Float($0 / awkward.count) } }
        return try Graph(
            name: "every \"operator\"\n\u{1F9E0}", inputs: [Graph.Input("x", ValueType(.float32, [.batch, 3, 8, 8]))],
            outputs: [Graph.Output("classes", value: "soft"), Graph.Output("raw", value: "log"), Graph.Output("odds", value: "sigmoid")],
            nodes: nodes,
            constants: [
                "picks": Tensor([Int64(3), -1], shape: [2]), "four": Tensor(ramp(4), shape: [4]),
                "taps": Tensor(ramp(8), shape: [2, 2, 2]),
                "w": Tensor(ramp(54), shape: [2, 3, 3, 3]), "b": Tensor([0.1, -0.0], shape: [2]), "scale": Tensor(scalar: .pi),
                "dense": Tensor(ramp(16), shape: [4, 4]), "axes": Tensor([Int64.min, -1, Int64.max], shape: [3]),
                "mask": Tensor([true, false, true], shape: [3, 1]), "empty": Tensor([Float](), shape: [0, 7]),
                "näme/with \"quotes\" \u{1}": Tensor([Int64(7)], shape: []),
            ],
            origin: ["producer": "pytorch 2.9", "opset": "17", "sha256": String(repeating: "a", count: 64)],
            spiking: SpikingDescription(
                recipe: "calibrated", schedule: .layerSynchronous, code: .rate(steps: 16), facts: ["samples": "512"],
                warnings: ["layer 'a' is dead"]))
    }

    /// The operators that no bundled network has, all behind the value `sum2` `[N, 4]`.
    private static let laterNodes = [
        Node("tanh", .unary(Unary(.tanh)), inputs: ["sum2"]), Node("most4", .binary(Binary(.maximum)), inputs: ["tanh", "sum2"]),
        Node("negative", .binary(Binary(.less)), inputs: ["most4", "scale"]),
        Node("chosen", .select(Where()), inputs: ["negative", "most4", "tanh"]), Node("truth", .cast(Cast(to: .bool)), inputs: ["chosen"]),
        Node("total", .reduce(Reduce(.l2, axes: [1])), inputs: ["chosen"]),
        Node("place", .argExtremum(ArgExtremum(axis: 1)), inputs: ["chosen"]),
        Node("sums", .cumSum(CumSum(axis: 1)), inputs: ["chosen"]),
        Node("turned", .transpose(Transpose(permutation: [1, 0])), inputs: ["sums"]),
        Node("part", .slice(Slice(cuts: [Slice.Cut(axis: 1, start: 0, end: 2)])), inputs: ["sums"]),
        Node("picked", .gather(Gather(axis: 1)), inputs: ["sums", "picks"]),
        Node(
            "wide",
            .expand(
                Expand(sizes: [
                    .fixed(constant: 3, batchFactor: 0), .fixed(constant: 1, batchFactor: 0), .fixed(constant: 4, batchFactor: 0),
                ])), inputs: ["sums"]),
        Node("twice", .tile(Tile(repeats: [1, 2])), inputs: ["sums"]),
        Node("padded", .pad(Pad(begins: [0, 1], ends: [0, 1])), inputs: ["sums"]),
        Node("up", .resize(Resize(axes: [Resize.Axis(axis: 1, size: 8, scale: 2)])), inputs: ["sums"]),
        Node("layer", .layerNormalization(LayerNormalization()), inputs: ["sums", "four"]),
        Node("group", .groupNormalization(GroupNormalization(groups: 2)), inputs: ["sums", "four", "four"]),
        Node("local", .localResponseNormalization(LocalResponseNormalization(size: 3)), inputs: ["sums"]),
        Node("image", .reshape(Reshape(sizes: [.same, .rest, .fixed(constant: 2, batchFactor: 0)])), inputs: ["sums"]),
        Node("back", .convTranspose(ConvTranspose(window: Window(kernel: [2]))), inputs: ["image", "taps"]),
    ]

    /// A graph of a single ReLU: a file of some hundred bytes.
    static func smallGraph() throws -> Graph {
        try Graph(
            name: "small", inputs: [Graph.Input("x", ValueType(.float32, [.batch, 2]))], outputs: [Graph.Output("y", value: "sum")],
            nodes: [
                Node("if", .neuron(NeuronNode(IFNode(threshold: 0.5))), inputs: ["x"]), Node("sum", .add(Add()), inputs: ["if", "bias"]),
            ],
            constants: ["bias": Tensor([0.1, -2], shape: [2]), "flag": Tensor([true], shape: [1])])
    }

    /// A file from its header's text and its data.
    static func file(_ header: String, data: [UInt8] = []) -> [UInt8] {
        withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) } + Array(header.utf8) + data
    }
}
