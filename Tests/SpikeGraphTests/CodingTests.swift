import Foundation
import SpikeGraph
import TestSupport
import Testing

/// A neuron that only the tests know: it leaks, and remembers its last spike.
struct LeakyTestNeuron: Neuron {
    static let kind = "LeakyTestNeuron"
    static let schedules: Set<SpikingDescription.Schedule> = [.streaming]
    var leak: Float
    var currentOfSpike: NeuronParameter { 1 }

    func initialState(shape: [Int]) -> NeuronState { NeuronState(membrane: Tensor(repeating: 0, shape: shape)) }

    func integrate(_ current: Tensor, state: inout NeuronState, at time: TimeStep) {
        state.add(current, afterScaling: leak)
    }

    func emit(_ state: inout NeuronState, at time: TimeStep) -> Tensor {
        let spikes = state.membrane.map { $0 >= 1 ? 1 : 0 }
        state.memory["last"] = spikes
        return spikes
    }

    var summary: String { "leak \(leak)" }
}

@Suite struct CodingTests {
    private static let window = Window(
        kernel: [3, 2], strides: [2, 1], dilations: [1, 2], padsBegin: [1, 0], padsEnd: [0, 1], autoPad: .sameLower, ceilMode: true)

    /// Every operator, with attributes that are not the defaults.
    static let operators: [SpikeGraph.Operator] = plain + ((try? quantized()) ?? [])

    private static func quantized() throws -> [SpikeGraph.Operator] {
        [
            .quantizer(try Quantizer(step: 0.1, levels: 255, lowest: -3, rounding: .halfToEven)),
            .quantizer(try Quantizer(step: 0.25, levels: 4, rounding: .down)),
            .neuron(NeuronNode(try QuantizerNeuron(threshold: 9, levels: 7, lowest: -8, rounding: .halfUp))),
            .neuron(NeuronNode(try QuantizerNeuron(threshold: 1, levels: 200, rounding: .halfToEven, digits: 8))),
            .quantizer(try Quantizer(step: 0.1, levels: 0, lowest: -3, rounding: .halfToEven, divisor: 4)),
            .neuron(NeuronNode(try QuantizerNeuron(threshold: 1, levels: 0, lowest: -200, rounding: .halfToEven, divisor: 4, digits: 8))),
        ]
    }

    private static let plain: [SpikeGraph.Operator] = [
        .add(Add()), .averagePool(AveragePool(window: window, countsPadding: true)), .batchNormalization(BatchNormalization(epsilon: 1e-3)),
        .clip(Clip(minimum: 0, maximum: 6)), .clip(Clip(maximum: 0.1)), .clip(Clip()), .concat(Concat(axis: -3)),
        .conv(Conv(window: window, groups: 4)), .dropout(Dropout()), .flatten(Flatten(axis: 2)), .floor(Floor()),
        .gemm(Gemm(alpha: 0.1, beta: -2, transposeA: true, transposeB: true)), .globalAveragePool(GlobalAveragePool()),
        .globalMaxPool(GlobalMaxPool()), .identity(Identity()), .logSoftmax(LogSoftmax(axis: 1, flattensTail: true)), .matMul(MatMul()),
        .maxPool(MaxPool(window: window)), .mul(Mul()), .neuron(NeuronNode(IFNode())),
        .neuron(NeuronNode(SignedIFNeuron(threshold: 0.7, initialMembrane: 0.1, maximumCount: 9))),
        .neuron(NeuronNode(BurstIFNeuron(threshold: 0.7, initialMembrane: 0.1, maximumBurst: 3))),
        .neuron(NeuronNode(IFNode(threshold: 0.3, reset: .to(-0.1), initialMembrane: 0.15))),
        .reduceMean(ReduceMean(axes: [2, 3], keepsDimensions: false)), .relu(Relu()),
        .reshape(Reshape(sizes: [.fixed(constant: 1, batchFactor: 2), .same, .rest])),
        .runningMaximumPool(RunningMaximumPool(window: window)), .sigmoid(Sigmoid()), .softmax(Softmax(axis: 0, flattensTail: true)),
        .round(Round()), .voltageScaler(VoltageScaler(scales: [0.1, 3.4e38, .leastNonzeroMagnitude])),
        .voltageScaler(VoltageScaler(scale: 2)), .voltageScaler(VoltageScaler(scales: [0.1, 2], axis: -1)),
    ]

    @Test func `the axis of channels is written only where it is not 1, and read back`() throws {
        let site = Site(activation: "gelu", spike: [1, 2], axis: -1, bound: 3)
        #expect(try again(site) == site)
        for axis in [1, -1] {
            let scaler = try JSONEncoder().encode(VoltageScaler(scales: [1, 2], axis: axis))
            let site = try JSONEncoder().encode(Site(activation: "gelu", spike: [1, 2], axis: axis))
            for json in [scaler, site] { #expect(String(decoding: json, as: UTF8.self).contains("axis") == (axis != 1)) }
        }
        let one = VoltageScaler(scales: [2], axis: -1)
        #expect(one.axis == 1 && one == VoltageScaler(scale: 2))
        let tokens = Tensor([1, 1, 1, 1, 1, 1] as [Float], shape: [1, 3, 2])
        let scaler = VoltageScaler(scales: [2, 5], axis: -1)
        #expect(try scaler(tokens).floats == [2, 5, 2, 5, 2, 5] && scaler.summary == "scales 2.0…5.0 along axis -1")
        #expect(throws: SpikeletError.self) { _ = try VoltageScaler(scales: [2, 5])(tokens) }
        #expect(throws: SpikeletError.self) { _ = try VoltageScaler(scales: [1, 2, 3], axis: -1)(tokens) }
        #expect(throws: SpikeletError.self) { _ = try VoltageScaler(scales: [1, 2], axis: -3)(Tensor(repeating: 1, shape: [2, 3, 4])) }
    }

    private func again<Value: Codable>(_ value: Value) throws -> Value {
        try JSONDecoder().decode(Value.self, from: JSONEncoder().encode(value))
    }

    @Test(arguments: operators) func `an operator reads back as it was written`(_ original: SpikeGraph.Operator) throws {
        let copy = try again(original)
        #expect(copy == original)
        #expect(copy.hashValue == original.hashValue)
        #expect(copy.payload.summary == original.payload.summary)
        #expect(Self.operators.filter { $0 == copy }.count == 1)
    }

    @Test func `a hook reads back with its scale and its progress`() throws {
        for mode in [VoltageHook.Mode.max, .percentile(99.9), .scaled(0.5)] {
            var hook = try VoltageHook(momentum: 0.3, mode: mode)
            _ = try hook(Tensor([1, 2, 3] as [Float], shape: [3, 1]))
            guard case .voltageHook(var copy) = try again(SpikeGraph.Operator.voltageHook(hook)) else {
                Issue.record("no hook")
                continue
            }
            #expect(copy == hook)
            // It goes on where the first stopped: the next batch does not count as the first.
            let next = Tensor([10] as [Float], shape: [1, 1])
            _ = try hook(next)
            _ = try copy(next)
            #expect(copy.scale == hook.scale && copy.samplesTracked == 4)
        }
    }

    @Test func `a node and a description read back as they were written`() throws {
        let node = Node("a", .conv(Conv(window: Self.window)), inputs: ["x", "w"], outputs: ["y"])
        #expect(try again(node) == node)
        let description = SpikingDescription(
            recipe: "radix", schedule: .layerSynchronous, code: .rate(steps: 4), facts: ["samples": "512"], warnings: ["dead layer"])
        #expect(try again(description) == description)
        #expect(try String(decoding: JSONEncoder().encode(description.schedule), as: UTF8.self) == "\"layer-synchronous\"")
    }

    @Test func `an operator that this version does not know is an error that says so`() {
        expectError(.unsupported, "operator 'Warp'", "update Spikelet") {
            _ = try JSONDecoder().decode(SpikeGraph.Operator.self, from: Data(#"{"type": "Warp", "attributes": {}}"#.utf8))
        }
    }

    @Test func `wrong attributes are an error`() {
        for text in [#"{"type": "Concat", "attributes": {}}"#, #"{"type": "Conv"}"#, #"{"attributes": {}}"#, "[]"] {
            #expect(throws: (any Error).self) { try JSONDecoder().decode(SpikeGraph.Operator.self, from: Data(text.utf8)) }
        }
    }

    @Test(arguments: [
        #"{"scale": 1, "momentum": 7, "mode": {"max": {}}, "samplesTracked": 0}"#,
        #"{"scale": 1, "momentum": 0.1, "mode": {"percentile": {"_0": 150}}, "samplesTracked": 0}"#,
        #"{"scale": 1, "momentum": 0.1, "mode": {"scaled": {"_0": 0}}, "samplesTracked": 0}"#,
        #"{"scale": 1, "momentum": 0.1, "mode": {"max": {}}, "samplesTracked": -5}"#,
    ]) func `a hook from a file keeps to the ranges of one that is made`(_ text: String) {
        expectError {
            let hook = try JSONDecoder().decode(VoltageHook.self, from: Data(text.utf8))
            // No graph holds it.
            _ = try hook.outputTypes([ValueType(.float32, [.batch, 2])], constants: [nil])
        }
        expectError {
            var hook = try JSONDecoder().decode(VoltageHook.self, from: Data(text.utf8))
            _ = try hook(Tensor([1, 2] as [Float], shape: [1, 2]))
        }
    }
}

@Suite struct NeuronRegistryTests {
    @Test func `a neuron of one's own is written, and read once it is registered`() throws {
        let original = SpikeGraph.Operator.neuron(NeuronNode(LeakyTestNeuron(leak: 0.5)))
        let file = try JSONEncoder().encode(original)
        expectError(.unsupported, "neuron 'LeakyTestNeuron' is not known", "NeuronRegistry.register") {
            _ = try JSONDecoder().decode(SpikeGraph.Operator.self, from: file)
        }
        NeuronRegistry.register(LeakyTestNeuron.self)
        #expect(try JSONDecoder().decode(SpikeGraph.Operator.self, from: file) == original)
        #expect(original.name == "LeakyTestNeuron" && original.payload.summary == "leak 0.5")
    }

    @Test func `neurons are equal when kind and parameters are`() {
        let nodes = [
            NeuronNode(IFNode()), NeuronNode(IFNode(threshold: 2)), NeuronNode(IFNode(reset: .to(0))), NeuronNode(LeakyTestNeuron(leak: 1)),
            NeuronNode(LeakyTestNeuron(leak: 0)),
        ]
        for (i, a) in nodes.enumerated() {
            for (j, b) in nodes.enumerated() { #expect((a == b) == (i == j)) }
        }
        #expect(Set(nodes + nodes).count == 5)
    }
}
