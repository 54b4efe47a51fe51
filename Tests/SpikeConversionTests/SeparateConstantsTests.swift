import SpikeConversion
import SpikeGraph
import SpikeReference
import TestSupport
import Testing

@Suite("Separating constants")
struct SeparateConstantsTests {
    /// What stands between the first ReLU (4 channels, 6×6) and a linear layer of 3 outputs.
    struct Middle: CustomTestStringConvertible, Sendable {
        var testDescription: String
        /// Whether biases of channels can say it all.
        var isPerChannel = true
        var build: @Sendable (inout Builder) throws -> Void
    }

    struct Builder {
        var random: Random
        var nodes: [Node] = []
        var constants: [String: Tensor] = [:]
        var value = "x"

        mutating func add(_ name: String, _ operator: SpikeGraph.Operator, _ parameters: [Tensor] = [], from inputs: [String]? = nil) {
            var inputs = inputs ?? [value]
            for (index, tensor) in parameters.enumerated() {
                constants["\(name)/\(index)"] = tensor
                inputs.append("\(name)/\(index)")
            }
            nodes.append(Node(name, `operator`, inputs: inputs))
            value = name
        }

        /// y = γ/2 · (x − μ) + β, with γ of both signs unless positive, and sums that are exact in float32.
        mutating func normalize(_ name: String, _ channels: Int, positive: Bool = false) {
            add(
                name, .batchNormalization(BatchNormalization(epsilon: 0)),
                [
                    random.dyadic([channels], in: positive ? 4...16 : -16...16), random.dyadic([channels]), random.dyadic([channels]),
                    Tensor(repeating: 4, shape: [channels]),
                ])
        }

        mutating func convolve(
            _ name: String, _ inputs: Int, _ features: Int, _ kernel: [Int], pad: Int = 0, groups: Int = 1, bias: Bool = true
        ) {
            let pads = kernel.map { _ in pad }
            let window = Window(kernel: kernel, padsBegin: pads, padsEnd: pads)
            add(
                name, .conv(Conv(window: window, groups: groups)),
                [random.dyadic([features, inputs / groups] + kernel)] + (bias ? [random.dyadic([features])] : []))
        }
    }

    static let middles: [Middle] = [
        Middle(testDescription: "a convolution") { b in
            b.normalize("bn", 4)
            b.convolve("conv", 4, 4, [3, 3])
        },
        Middle(testDescription: "a padded convolution", isPerChannel: false) { b in
            b.normalize("bn", 4)
            b.convolve("conv", 4, 4, [3, 3], pad: 1)
        },
        Middle(testDescription: "groups without a bias") { b in
            b.normalize("bn", 4)
            b.convolve("conv", 4, 4, [3, 3], groups: 2, bias: false)
        },
        Middle(testDescription: "depthwise") { b in
            b.normalize("bn", 4)
            b.convolve("conv", 4, 4, [2, 2], groups: 4)
        },
        Middle(testDescription: "transposed", isPerChannel: false) { b in
            b.normalize("bn", 4)
            b.add(
                "conv", .convTranspose(ConvTranspose(window: Window(kernel: [3, 3]))),
                [b.random.dyadic([4, 4, 3, 3]), b.random.dyadic([4])])
        },
        Middle(testDescription: "an average pool between") { b in
            b.normalize("bn", 4)
            b.add("pool", .averagePool(AveragePool(window: Window(kernel: [2, 2], strides: [2, 2]))))
            b.convolve("conv", 4, 4, [2, 2])
        },
        Middle(testDescription: "a max pool between") { b in
            b.normalize("bn", 4, positive: true)
            b.add("pool", .maxPool(MaxPool(window: Window(kernel: [2, 2], strides: [2, 2]))))
            b.convolve("conv", 4, 4, [2, 2])
        },
        Middle(testDescription: "a max pool of negative scales") { b in
            b.normalize("bn", 4)
            b.add("pool", .maxPool(MaxPool(window: Window(kernel: [2, 2], strides: [2, 2]))))
            b.convolve("conv", 4, 4, [2, 2])
        },
        Middle(testDescription: "flattening and a matrix") { b in
            b.normalize("bn", 4)
            b.add("flat", .flatten(Flatten()))
            b.add("dense", .gemm(Gemm(alpha: 0.5, beta: 2)), [b.random.dyadic([144, 8]), b.random.dyadic([8])])
        },
        Middle(testDescription: "a product and a sum with constants") { b in
            b.add("mul", .mul(Mul()), [b.random.dyadic([4, 1, 1])])
            b.add("add", .add(Add()), [b.random.dyadic([1, 4, 1, 1])])
            b.convolve("conv", 4, 4, [3, 3])
        },
        Middle(testDescription: "a residual connection around two normalisations") { b in
            b.normalize("bn", 4)
            b.convolve("conv", 4, 4, [1, 1])
            b.add("relu3", .relu(Relu()))
            b.normalize("bn3", 4)
            b.add("sum", .add(Add()), from: ["bn", "bn3"])
            b.convolve("conv4", 4, 4, [1, 1])
        },
        Middle(testDescription: "branches that are joined, one of them normalised") { b in
            let source = b.value
            b.normalize("bn", 4)
            b.add("joined", .concat(Concat(axis: 1)), from: ["bn", source])
            b.convolve("conv", 8, 4, [3, 3])
        },
        Middle(testDescription: "two convolutions, no neurons between") { b in
            b.normalize("bn", 4)
            b.convolve("conv", 4, 4, [1, 1])
            b.convolve("conv4", 4, 4, [3, 3])
        },
        Middle(testDescription: "a padded reader and one without padding", isPerChannel: false) { b in
            b.normalize("bn", 4)
            b.convolve("conv", 4, 4, [3, 3], pad: 1)
            b.value = "bn"
            b.convolve("other", 4, 4, [1, 1])
            b.add("sum", .add(Add()), from: ["other", "conv"])
        },
    ]

    /// conv → ReLU → the middle → ReLU → normalisation → flatten → linear.
    static func network(_ middle: Middle) throws -> Graph {
        var b = Builder(random: Random(91))
        b.convolve("conv1", 2, 4, [3, 3], pad: 1)
        b.add("relu1", .relu(Relu()))
        try middle.build(&b)
        b.add("relu2", .relu(Relu()))
        let types = try Graph(
            name: "part", inputs: [input], outputs: [.init("y", value: b.value)], nodes: b.nodes, constants: b.constants
        ).types
        let shape = types[b.value]?.shape.dimensions.dropFirst().compactMap(\.known) ?? []
        b.normalize("bn2", shape[0])
        b.add("flat2", .flatten(Flatten()))
        b.add("linear", .gemm(Gemm(transposeB: true)), [b.random.dyadic([3, shape.reduce(1, *)]), b.random.dyadic([3])])
        return try Graph(
            name: "middle", inputs: [input], outputs: [.init("y", value: "linear")], nodes: b.nodes, constants: b.constants)
    }

    private static let input = Graph.Input("x", ValueType(.float32, [.batch, 2, 6, 6]))

    /// The network with neurons of θ = 2 in place of ReLUs: every sum stays exact.
    static func spiking(_ ann: Graph, radix: Bool) throws -> Graph {
        let activations = ann.nodes.filter { ann.linearity(of: $0) == .activation }
        let description = SpikingDescription(
            recipe: "test", schedule: radix ? .layerSynchronous : .streaming, code: radix ? .radix(digits: 3) : .rate(steps: 8))
        // In radix a spike stands for θ/(2^K − 1): ¼.
        let placed = try PlaceNeurons(
            scales: Dictionary(uniqueKeysWithValues: activations.map { ($0.name, [radix ? 0.25 : 2]) }),
            neuron: radix ? try RadixNeuron(digits: 3) : IFNode(threshold: 1, initialMembrane: 0.5), description: description
        ).run(ann)
        return try UseRunningMaximum().run(placed)
    }

    private func spikes(_ snn: Graph, _ x: Tensor) throws -> (outputs: [Tensor], spikes: [String: [Tensor]]) {
        var spikes: [String: [Tensor]] = [:]
        let outputs = try ReferenceSimulation(snn).run(
            [x], steps: snn.spiking?.steps ?? 1,
            observe: { node, _, results in
                if case .neuron = node.operator { spikes[node.name, default: []].append(results[0]) }
            })
        return (outputs, spikes)
    }

    @Test(arguments: middles) func `the function and all spikes stay`(middle: Middle) throws {
        let ann = try Self.network(middle)
        var random = Random(92)
        let x = random.dyadic([3, 2, 6, 6])
        let expected = try ReferenceExecutor(ann).run([x])
        for differs in [false, true] {
            let pass = SeparateConstants(differsByPlace: differs)
            // Three layers of sums are not exact in float32 any more.
            let found = try ReferenceExecutor(pass.run(ann)).run([x])[0].floats
            let largest = expected[0].floats.map { abs($0) }.max() ?? 0
            #expect(zip(found, expected[0].floats).allSatisfy { abs($0 - $1) <= 1e-5 * largest })
            for radix in [false, true] {
                let snn = try Self.spiking(ann, radix: radix)
                let (separated, whole) = (try spikes(pass.run(snn), x), try spikes(snn, x))
                #expect(separated.spikes == whole.spikes && separated.outputs == whole.outputs)
                #expect(whole.spikes.values.joined().contains { $0.floats.contains { $0 != 0 } })
            }
        }
    }

    /// Whether layers with weights read anything in a network whose ReLUs are all silent.
    private func readsConstants(_ graph: Graph) throws -> Bool {
        var patch = Patch()
        for node in graph.nodes where graph.linearity(of: node) == .activation {
            patch.replace(Node(node.name, .clip(Clip(minimum: 0, maximum: 0)), inputs: node.inputs, outputs: node.outputs))
        }
        var result = false
        _ = try ReferenceExecutor(graph.applying(patch)).run([Tensor(repeating: 0, shape: [1, 2, 6, 6])]) { node, operands, _ in
            switch node.operator {
            case .conv, .convTranspose, .gemm: result = result || operands[0].floats.contains { $0 != 0 }
            default: break
            }
        }
        return result
    }

    @Test(arguments: middles) func `weights read nothing where no spike comes`(middle: Middle) throws {
        let ann = try Self.network(middle)
        #expect(try readsConstants(ann))
        #expect(try !readsConstants(SeparateConstants(differsByPlace: true).run(ann)))
        #expect(try readsConstants(SeparateConstants().run(ann)) != middle.isPerChannel)
    }

    @Test func `biases that only neurons read, and networks without constants between, are left as they are`() throws {
        var random = Random(93)
        let ann = try smallNetwork(&random)
        #expect(try SeparateConstants(differsByPlace: true).run(ann).nodes == ann.nodes)
        let snn = try Self.spiking(ann, radix: false)
        #expect(try SeparateConstants(differsByPlace: true).run(snn).nodes == snn.nodes)
    }

    @Test func `recipes separate, the seed's does not`() throws {
        var random = Random(94)
        let ann = try Self.network(Self.middles[0])
        let data = [Batch(random.tensor([16, 2, 6, 6]))]
        func normalizations(_ graph: Graph) -> Int {
            graph.nodes.count { if case .batchNormalization = $0.operator { true } else { false } }
        }
        for recipe in Recipe.all {
            #expect(normalizations(try RecipeConverter(recipe.options(4), calibration: data)(ann)) == 0)
        }
        #expect(normalizations(try Converter(dataloader: data)(ann)) == 2)
        var patch = Patch()
        for node in ann.nodes where ann.linearity(of: node) == .activation {
            let quantizer = try Quantizer(step: 0.25, levels: 7, rounding: .halfUp)
            patch.replace(Node(node.name, .quantizer(quantizer), inputs: node.inputs, outputs: node.outputs))
        }
        let quantised = try ann.applying(patch)
        let snn = try QuantizedConverter()(quantised)
        #expect(normalizations(snn) == 0)
        let x = random.dyadic([4, 2, 6, 6])
        #expect(try decoded(snn, x).outputs == ReferenceExecutor(quantised).run([x]))
    }
}
