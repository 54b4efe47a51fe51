import Foundation
import SpikeAnalysis
import SpikeConversion
import SpikeCost
import SpikeData
import SpikeFormats
import SpikeGraph
import SpikeONNX
import SpikeReference
import SpikeRuntime
import TestSupport
import Testing

/// Networks of other activations than ReLU: everything that weights and products read is sent as sign and digits
/// (`Tools/Fixtures/make_digit_fixtures.py`).
@Suite struct DigitTests {
    static let archive = Result { try NPZ(path: Repository.fixture("digits.npz")) }
    static let names: [String] = ((try? archive.get().names) ?? []).compactMap { $0.hasSuffix("/model") ? String($0.dropLast(6)) : nil }

    private func ann(_ name: String) throws -> Graph {
        let bytes = try Self.archive.get().array("\(name)/model").integers().map { UInt8($0) }
        return try ONNXImporter.importModel(Data(bytes), fileName: "\(name).onnx", folder: FileManager.default.temporaryDirectory).graph
    }

    private func inputs(_ name: String, _ ann: Graph) throws -> [Tensor] {
        try ann.inputs.map { try Self.archive.get().array("\(name)/input/\($0.name)").tensor() }
    }

    private func snn(_ name: String, digits: Int) throws -> (ann: Graph, snn: Graph, inputs: [Tensor]) {
        let ann = try ann(name)
        let inputs = try inputs(name, ann)
        return (ann, try RecipeConverter(Recipe.radix.options(digits), calibration: [Batch(inputs: inputs)])(ann), inputs)
    }

    /// The largest difference, over the deviation of what is expected.
    private func distance(_ found: Tensor, _ expected: Tensor) -> Float {
        let values = expected.floats
        let mean = values.reduce(0, +) / Float(values.count)
        let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(values.count)).squareRoot()
        return (zip(found.floats, values).map { abs($0 - $1) }.max() ?? 0) / deviation
    }

    @Test(arguments: names) func `sixteen digits are the ANN, fewer are near it`(name: String) throws {
        let (ann, _, inputs) = try snn(name, digits: 16)
        let expected = try Self.archive.get().array("\(name)/output/\(ann.outputs[0].name)").tensor()
        #expect(distance(try ReferenceExecutor(ann).run(inputs)[0], expected) < 1e-4)
        var last = Float.infinity
        for digits in [4, 8, 12] {
            let snn = try snn(name, digits: digits).snn
            let distance = distance(try ReferenceSimulation(snn).run(inputs, steps: digits)[0], expected)
            #expect(distance < [4: 2.5, 8: 0.25, 12: 0.1][digits] ?? 0, "\(digits) digits are off by \(distance)")
            #expect(distance < last)
            last = distance
        }
    }

    @Test(arguments: names) func `spikes give what rounded numbers give, on the engine too`(name: String) throws {
        for digits in [3, 6, 8] {
            let (_, snn, inputs) = try snn(name, digits: digits)
            let expected = try ReferenceExecutor(snn.rounded()).run(inputs)[0]
            let found = try ReferenceSimulation(snn).run(inputs, steps: digits)[0]
            // A number within float32's rounding of the middle between two steps may go either way.
            #expect(distance(found, expected) < 2e-3)
            #expect(distance(try Simulation(snn).run(inputs, steps: digits)[0], expected) < 2e-3)
            let one = try (0..<inputs[0].shape[0]).map { sample in
                try Simulation(snn).run(inputs.map { $0.samples(sample..<sample + 1) }, steps: digits)[0]
            }
            #expect(distance(Tensor.joined(one), expected) < 2e-3)
        }
    }

    @Test(arguments: names) func `8-bit weights move outputs by little, and results depend on neither batch nor threads`(name: String)
        throws
    {
        for digits in [6, 8, 10] {
            let (_, snn, inputs) = try snn(name, digits: digits)
            let expected = try Simulation(snn).run(inputs, steps: digits)[0]
            let whole = try Simulation(snn, precision: .int8)
            let found = try whole.run(inputs, steps: digits)[0]
            #expect(distance(found, expected) < 0.35, "\(digits) digits: int8 is off by \(distance(found, expected))")
            #expect(whole.program.genericNodes.count <= 12)
            for precision in Precision.allCases {
                let together = precision == .int8 ? found : expected
                for (threads, chunk) in [(3, 8), (2, 1), (1, 3)] {
                    let simulation = try Simulation(snn, precision: precision, threads: threads)
                    simulation.largestChunk = chunk
                    #expect(try simulation.run(inputs, steps: digits)[0] == together)
                }
                let size = together.count / together.shape[0]
                let last = together.shape[0] - 1
                let alone = try Simulation(snn, precision: precision).run(inputs.map { $0.samples(last..<last + 1) }, steps: digits)[0]
                #expect(alone.floats == Array(together.floats[last * size..<(last + 1) * size]))
            }
        }
    }

    @Test func `what weights and products read is spikes, and nothing else is`() throws {
        let folder = try TemporaryFolder()
        for name in Self.names {
            let snn = try snn(name, digits: 5).snn
            let (trains, spiking) = (snn.spikeTrains, snn.spikingValues)
            for node in snn.nodes where snn.hasWeights(node) {
                let read = node.inputs.prefix(2).filter { snn.constants[$0] == nil }
                #expect(read.allSatisfy { trains.contains($0) || !spiking.contains($0) }, "\(name): \(node.name)")
            }
            for (product, _) in snn.traces {
                #expect(snn.node(named: product)?.inputs.allSatisfy(trains.contains) == true, "\(name): \(product)")
            }
            let path = folder.file("\(name).safetensors")
            try SNNFile.write(snn, to: path)
            let back = try SNNFile.read(path)
            #expect(back.nodes == snn.nodes && back.spiking == snn.spiking)
        }
    }

    @Test func `a transformer's block takes seven phases, and its functions are counted apart`() throws {
        let (ann, snn, inputs) = try snn("attention", digits: 6)
        // LN; Q, K and V, one of which waits; exponentials; the product; LN; GELU; and the last norm.
        #expect(snn.stepsEndToEnd(of: 1) == 8)
        let counter = try OperationCounter(snn, program: nil)
        let run = try counter.count(inputs, steps: 6) { _, _ in }
        let counts = counter.means([6: run], steps: [6], samples: inputs[0].shape[0], ann: [:])
        #expect(counts.stepsPerLayer == 6 && counts.stepsEndToEnd == 48)
        // Three norms of 5 × 8, GELU of 5 × 16, for 2 heads of 5 × 5: largest, distance, exponential; 5 × 4 quotients.
        #expect(counts.functionOperations == 3 * 40 + 80 + 2 * (25 + 25 + 25) + 40)
        let products = counts.layers.filter { snn.traces[$0.name] != nil }
        #expect(products.map(\.dense) == [2 * 5 * 5 * 4, 2 * 5 * 5 * 4])
        #expect(ann.nodes.count { ann.isProduct($0) } == 2)
    }

    @Test func `what is told of a sample is that sample's, where tokens lie in front of the batch too`() throws {
        let flat = Reshape(sizes: [.fixed(constant: 0, batchFactor: 3), .fixed(constant: 4, batchFactor: 0)])
        let apart = Reshape(sizes: [
            .fixed(constant: 3, batchFactor: 0), .fixed(constant: 0, batchFactor: 1), .fixed(constant: 5, batchFactor: 0),
        ])
        func spikes(_ name: String, _ input: String) throws -> Node {
            Node(name, .neuron(NeuronNode(try DigitNeuron(digits: 4))), inputs: [input])
        }
        let snn = try Graph(
            name: "tokens", inputs: [.init("x", ValueType(.float32, [.batch, 3, 4]))], outputs: [.init("y", value: "y")],
            nodes: [
                Node("front", .transpose(Transpose(permutation: [1, 0, 2])), inputs: ["x"]), spikes("p", "front"),
                Node("flat", .reshape(flat), inputs: ["p"]), Node("a", .matMul(MatMul()), inputs: ["flat", "v"]), spikes("q", "a"),
                Node("b", .matMul(MatMul()), inputs: ["q", "w"]), Node("apart", .reshape(apart), inputs: ["b"]),
                Node("y", .transpose(Transpose(permutation: [1, 0, 2])), inputs: ["apart"]),
            ],
            constants: [
                "v": Tensor((0..<16).map { Float($0 % 5) - 2 }, shape: [4, 4]), "w": Tensor((0..<20).map { Float($0 % 3) }, shape: [4, 5]),
            ], spiking: SpikingDescription(recipe: "radix", schedule: .layerSynchronous, code: .radix(digits: 4)))
        let inputs = Tensor((0..<36).map { Float($0 * 7 % 23) - 9 }, shape: [3, 3, 4])
        let alone = (0..<3).map { inputs.samples($0..<$0 + 1) }
        for program in [nil, try Compiler()(snn)] {
            let counter = try OperationCounter(snn, program: program)
            let together = try counter.count([inputs], steps: 4) { _, _ in }
            #expect(together.perSample == (try alone.flatMap { try counter.count([$0], steps: 4) { _, _ in }.perSample }))
            #expect(Set(together.perSample).count > 1)
        }
        let one = try ActivityTrace.record(snn, ann: nil, inputs: [alone[0]], steps: 4)
        let all = try ActivityTrace.record(snn, ann: nil, inputs: [inputs], steps: 4)
        #expect(all.layers.map(\.neurons) == [12, 12] && all.layers.map(\.spikes) == one.layers.map(\.spikes))
    }

    @Test func `plain arrays hold all weights, and the steps of all that is sent`() throws {
        for name in ["attention", "relu_gate"] {
            let snn = try snn(name, digits: 6).snn
            let plain = try PlainArrays.fold(snn)
            let arrays = Dictionary(uniqueKeysWithValues: plain.arrays.map { ($0.name, $0.tensor) })
            for (name, tensor) in snn.constants { #expect(arrays[name] == tensor) }
            for node in snn.nodes {
                guard case .neuron(let neurons) = node.operator, let site = neurons.site else { continue }
                #expect(arrays["\(site.activation).step"]?.floats == site.spike)
                let isSigned = neurons.neuron is DigitNeuron ? 1 : 0
                #expect(arrays["\(site.activation).digits_axis_signed"]?.integers == [6, Int64(site.axis), Int64(isSigned)])
            }
            #expect(plain.notes.last?.contains(name == "attention" ? "LayerNormalization ×" : "Sigmoid ×") == true, "\(plain.notes)")
        }
    }

    @Test func `samples that are joined along the batch stay each its own`() throws {
        func spikes(_ name: String, _ input: String) throws -> Node {
            Node(name, .neuron(NeuronNode(try DigitNeuron(digits: 4))), inputs: [input])
        }
        let snn = try Graph(
            name: "joined", inputs: [.init("x", ValueType(.float32, [.batch, 4]))], outputs: [.init("y", value: "b")],
            nodes: [
                spikes("p", "x"), Node("a", .matMul(MatMul()), inputs: ["p", "v"]), Node("turned", .relu(Relu()), inputs: ["a"]),
                Node("all", .concat(Concat(axis: 0)), inputs: ["a", "turned", "x"]), spikes("q", "all"),
                Node("b", .matMul(MatMul()), inputs: ["q", "w"]),
            ],
            constants: [
                "v": Tensor((0..<16).map { Float($0 * 5 % 7) - 3 }, shape: [4, 4]),
                "w": Tensor((0..<12).map { Float($0 % 5) - 1 }, shape: [4, 3]),
            ], spiking: SpikingDescription(recipe: "radix", schedule: .layerSynchronous, code: .radix(digits: 4)))
        let inputs = Tensor((0..<20).map { Float($0 * 7 % 13) - 6 }, shape: [5, 4])
        let expected = try ReferenceSimulation(snn).run([inputs], steps: 4)[0]
        let whole = try Simulation(snn)
        whole.recording = .spikeCounts
        #expect(try whole.run([inputs], steps: 4)[0] == expected)
        for (threads, chunk) in [(1, 1), (2, 2), (3, 1)] {
            let simulation = try Simulation(snn, threads: threads)
            simulation.recording = .spikeCounts
            simulation.largestChunk = chunk
            let found = try simulation.run([inputs], steps: 4)[0]
            #expect(found == expected)
            #expect(simulation.spikeCounts["q"] == whole.spikeCounts["q"])
        }
    }

    @Test func `operations of a product are its spikes times what they reach, and changes of what is kept`() throws {
        let snn = try Graph(
            name: "product", inputs: [.init("a", ValueType(.float32, [.batch, 2, 3])), .init("b", ValueType(.float32, [.batch, 3, 4]))],
            outputs: [.init("z", value: "z")],
            nodes: [
                Node("p", .neuron(NeuronNode(try DigitNeuron(digits: 3))), inputs: ["a"]),
                Node("q", .neuron(NeuronNode(try DigitNeuron(digits: 3))), inputs: ["b"]),
                Node("y", .matMul(MatMul()), inputs: ["p", "q"]), Node("r", .neuron(NeuronNode(try DigitNeuron(digits: 3))), inputs: ["y"]),
                Node("z", .matMul(MatMul()), inputs: ["r", "w"]),
            ], constants: ["w": Tensor([0, 0, 0, 1] as [Float], shape: [4, 1])],
            spiking: SpikingDescription(recipe: "test", schedule: .layerSynchronous, code: .radix(digits: 3)))
        let a = Tensor([1, -2, 3, 0, 5, -7] as [Float], shape: [1, 2, 3])
        let b = Tensor([0, 0, 1, -1, 2, 0, 0, 0, 0, 3, 0, -2] as [Float], shape: [1, 3, 4])
        #expect(snn.traces == ["y": 0] && snn.stepsEndToEnd(of: 1) == 3)
        let counter = try OperationCounter(snn, program: nil)
        let run = try counter.count([a, b], steps: 3) { _, _ in }
        // Digits that are 1: of a 1 + 1 + 2 + 0 + 2 + 3; of b 1 + 1 + 1 + 2 + 1, each of which reaches both rows; of the product's last column
        // 3 + 3, the only ones that w reads.
        #expect(run.perSample == [9 + 2 * 6 + 6])
        #expect(try ReferenceSimulation(snn).run([a, b], steps: 3)[0].floats == [-7, 7])
    }

    @Test func `errors by layer are of what is sent, with its sign`() throws {
        for name in ["attention", "silu", "prelu"] {
            let (ann, snn, inputs) = try snn(name, digits: 6)
            let layers = try ErrorDecomposition(snn, ann: ann, steps: 6).run([Batch(inputs: inputs)])
            #expect(layers.count == snn.nodes.count { if case .neuron = $0.operator { true } else { false } })
            for layer in layers {
                #expect((layer.quantization ?? 0) < 0.12 && (layer.clipping ?? 0) < 0.12 && layer.unevenness == 0, "\(name) \(layer.name)")
                #expect((layer.inherited ?? 0) < 0.3, "\(name): \(layer.name) inherits \(layer.inherited ?? 0)")
            }
        }
    }

    @Test func `a quotient of two values is a product with a reciprocal; what was allowed to be real-valued acts on whole potentials`()
        throws
    {
        var random = SplitMix64(seed: 5)
        func numbers(_ shape: [Int], _ range: ClosedRange<Float>) -> Tensor {
            Tensor((0..<shape.reduce(1, *)).map { _ in Float.random(in: range, using: &random) }, shape: shape)
        }
        func network(_ meeting: Binary.Function) throws -> Graph {
            try Graph(
                name: "meeting", inputs: [.init("x", ValueType(.float32, [.batch, 6]))], outputs: [.init("y", value: "y")],
                nodes: [
                    Node("a", .matMul(MatMul()), inputs: ["x", "w"]), Node("b", .matMul(MatMul()), inputs: ["x", "v"]),
                    Node("soft", .unary(Unary(.softplus)), inputs: ["b"]), Node("more", .add(Add()), inputs: ["soft", "one"]),
                    Node("meet", .binary(Binary(meeting)), inputs: ["a", "more"]), Node("y", .matMul(MatMul()), inputs: ["meet", "u"]),
                ],
                constants: [
                    "w": numbers([6, 8], -1...1), "v": numbers([6, 8], -1...1), "u": numbers([8, 3], -1...1), "one": Tensor(scalar: 1),
                ])
        }
        let input = numbers([64, 6], -1...1)
        let quotient = try network(.divide)
        #expect(Convertibility(quotient).rolesInDigits["meet"] == .product)
        let expected = try ReferenceExecutor(quotient).run([input])[0]
        let snn = try RecipeConverter(Recipe.radix.options(10), calibration: [Batch(input)])(quotient)
        #expect(snn.traces.keys.sorted() == ["meet"])
        #expect(distance(try ReferenceSimulation(snn).run([input], steps: 10)[0], expected) < 0.1)
        let layers = try ErrorDecomposition(snn, ann: quotient, steps: 10).run([Batch(input)])
        #expect(layers.map(\.activation).contains("meet.reciprocal"))

        let larger = try network(.maximum)
        var options = Recipe.radix.options(10)
        #expect(throws: SpikeletError.self) { _ = try RecipeConverter(options, calibration: [Batch(input)])(larger) }
        options.allowAnalog = true
        let kept = try RecipeConverter(options, calibration: [Batch(input)])(larger)
        #expect(kept.spiking?.warnings.contains { $0.contains("'meet' (Max) is left analog") } == true)
        let wanted = try ReferenceExecutor(larger).run([input])[0]
        #expect(distance(try ReferenceSimulation(kept).run([input], steps: 10)[0], wanted) < 0.1)
    }

    @Test func `a normalisation by what has been reshaped or repeated is one function, and so is a part divided by a part`() throws {
        typealias Payload = SpikeGraph.Operator
        var random = SplitMix64(seed: 11)
        let numbers = { (shape: [Int]) -> Tensor in
            Tensor((0..<shape.reduce(1, *)).map { _ in Float.random(in: -1...1, using: &random) }, shape: shape)
        }
        let (times, divide) = (Payload.mul(Mul()), Payload.binary(Binary(.divide)))
        let norm = Payload.reduce(Reduce(.l2, axes: [-1], keepsDimensions: false))
        let column = Payload.reshape(Reshape(sizes: [.same, .fixed(constant: 1, batchFactor: 0)]))
        let wide = Payload.expand(Expand(sizes: [.fixed(constant: 1, batchFactor: 0), .fixed(constant: 6, batchFactor: 0)]))
        let constants = ["w": numbers([6, 6]), "v": numbers([6, 6]), "u": numbers([6, 2]), "half": Tensor([0.5], shape: [1])]
        let silu = [
            Node("a", .matMul(MatMul()), inputs: ["x", "w"]), Node("gate", .sigmoid(Sigmoid()), inputs: ["a"]),
            Node("h", times, inputs: ["a", "gate"]),
        ]
        // Of the rows' norms: h / ‖h‖, with the norm's axis put back and repeated, and where what it divides is computed after it.
        let divided =
            silu + [
                Node("norm", norm, inputs: ["h"]), Node("column", column, inputs: ["norm"]), Node("wide", wide, inputs: ["column"]),
                Node("twice", .add(Add()), inputs: ["h", "half"]), Node("ratio", divide, inputs: ["twice", "wide"]),
                Node("y", .matMul(MatMul()), inputs: ["ratio", "u"]),
            ]
        // A column of what one product gives divides the others.
        func cut(_ start: Int, _ end: Int) -> Payload { .slice(Slice(cuts: [.init(axis: -1, start: start, end: end)])) }
        let parts =
            silu + [
                Node("product", .matMul(MatMul()), inputs: ["h", "v"]), Node("first", cut(0, 1), inputs: ["product"]),
                Node("positive", .unary(Unary(.exp)), inputs: ["first"]), Node("ratio", divide, inputs: ["product", "positive"]),
                Node("y", .matMul(MatMul()), inputs: ["ratio", "u"]),
            ]
        let input = numbers([64, 6])
        for (nodes, sent) in [(divided, ["ratio"]), (parts, ["h", "ratio"])] {
            let ann = try Graph(
                name: "ratio", inputs: [.init("x", ValueType(.float32, [.batch, 6]))], outputs: [.init("y", value: "y")], nodes: nodes,
                constants: constants)
            let snn = try RecipeConverter(Recipe.radix.options(14), calibration: [Batch(input)])(ann)
            #expect(snn.nodes.compactMap { if case .neuron(let neurons) = $0.operator { neurons.site?.activation } else { nil } } == sent)
            let expected = try ReferenceExecutor(ann).run([input])[0]
            #expect(distance(try ReferenceSimulation(snn).run([input], steps: 14)[0], expected) < 0.01)
            #expect(distance(try Simulation(snn).run([input], steps: 14)[0], expected) < 0.01)
        }
    }

    /// A chain of nodes behind the input `x`, `[N, 6]`; `nil` stands for 6 × 6 weights.
    private func chain(_ operators: [SpikeGraph.Operator?], seed: UInt64 = 7) throws -> Graph {
        var random = SplitMix64(seed: seed)
        var (nodes, constants): ([Node], [String: Tensor]) = ([], ["ones": Tensor(repeating: 1, shape: [6])])
        for (number, payload) in operators.enumerated() {
            var inputs = [nodes.last?.outputs[0] ?? "x"]
            if payload == nil {
                inputs.append("weights\(number)")
                constants["weights\(number)"] = Tensor((0..<36).map { _ in Float.random(in: -1...1, using: &random) }, shape: [6, 6])
            }
            if case .layerNormalization? = payload { inputs.append("ones") }
            nodes.append(Node("node\(number)", payload ?? .matMul(MatMul()), inputs: inputs))
        }
        return try Graph(
            name: "chain", inputs: [.init("x", ValueType(.float32, [.batch, 6]))],
            outputs: [.init("y", value: nodes.last?.outputs[0] ?? "x")], nodes: nodes, constants: constants)
    }

    @Test func `features of tokens have a step each, what products read and what attention gives has one`() throws {
        let snn = try snn("attention", digits: 6).snn
        for node in snn.nodes {
            guard case .neuron(let neurons) = node.operator, let site = neurons.site else { continue }
            let readers = snn.consumers[node.outputs[0]]?.flatMap { snn.consumers[$0.outputs[0]] ?? [] } ?? []
            let isOfFeatures = snn.types[node.outputs[0]]?.shape.rank == 3 && readers.allSatisfy(snn.hasWeights)
            if isOfFeatures, ["LayerNormalization", "Gelu"].contains(snn.node(named: site.activation)?.operator.name ?? "") {
                #expect(
                    site.axis == -1 && site.spike.count == snn.types[node.outputs[0]]?.shape.dimensions.last?.known, "\(site.activation)")
            }
            if readers.contains(where: snn.isProduct) { #expect(site.spike.count == 1, "\(site.activation)") }
        }
        #expect(snn.nodes.contains { if case .neuron(let neurons) = $0.operator { neurons.site?.axis == -1 } else { false } })
    }

    /// Weights, an activation and weights over 4 tokens of 6 features `[N, 4, 6]`; tokens may be in front there, `[4, N, 6]`, and flattened.
    private func tokens(_ activation: SpikeGraph.Operator, inFront: Bool, flat: Bool = false) throws -> Graph {
        var random = SplitMix64(seed: 13)
        func weights() -> Tensor { Tensor((0..<36).map { _ in Float.random(in: -1...1, using: &random) }, shape: [6, 6]) }
        let turn = Transpose(permutation: inFront ? [1, 0, 2] : [0, 1, 2])
        func sizes(_ sizes: [SpikeGraph.Dimension]) -> Reshape { Reshape(sizes: sizes.map { Reshape.Size($0) }) }
        let tokens: [SpikeGraph.Dimension] = inFront ? [4, .batch, 6] : [.batch, 4, 6]
        return try Graph(
            name: "tokens", inputs: [.init("x", ValueType(.float32, [.batch, 4, 6]))], outputs: [.init("y", value: "y")],
            nodes: [
                Node("front", .transpose(turn), inputs: ["x"]),
                Node("rows", .reshape(sizes(flat ? [SpikeGraph.Dimension(0, batchFactor: 4), 6] : tokens)), inputs: ["front"]),
                Node("first", .matMul(MatMul()), inputs: ["rows", "w1"]), Node("act", activation, inputs: ["first"]),
                Node("second", .matMul(MatMul()), inputs: ["act", "w2"]),
                Node("apart", .reshape(sizes(tokens)), inputs: ["second"]), Node("y", .transpose(turn), inputs: ["apart"]),
            ],
            constants: ["w1": weights(), "w2": weights()])
    }

    @Test(arguments: [false, true]) func `steps of features do not depend on where tokens lie`(flat: Bool) throws {
        var random = SplitMix64(seed: 14)
        let x = Tensor((0..<20 * 24).map { _ in Float.random(in: -1...1, using: &random) }, shape: [20, 4, 6])
        func steps(inFront: Bool, flat: Bool) throws -> [Float] {
            let ann = try tokens(.unary(Unary(.gelu, parameters: [0])), inFront: inFront, flat: flat)
            let snn = try RecipeConverter(Recipe.radix.options(8), calibration: [Batch(x)])(ann)
            let expected = try ReferenceExecutor(ann).run([x])[0]
            #expect(distance(try ReferenceSimulation(snn).run([x], steps: 8)[0], expected) < 0.05)
            return snn.nodes.compactMap { if case .neuron(let neurons) = $0.operator { neurons.site?.spike } else { nil } }[0]
        }
        let expected = try steps(inFront: false, flat: false)
        #expect(expected.count == 6)
        let found = try steps(inFront: true, flat: flat)
        for (mine, other) in zip(found, expected) { #expect(abs(mine / other - 1) < 1e-4) }
    }

    @Test(arguments: Recipe.all.map(\.name)) func `ReLUs whose samples lie along the second axis have one threshold`(name: String) throws {
        let recipe = try #require(Recipe.named(name))
        let steps = recipe.options(8).neuron == .radix ? 8 : 64
        var random = SplitMix64(seed: 15)
        let x = Tensor((0..<20 * 24).map { _ in Float.random(in: -1...1, using: &random) }, shape: [20, 4, 6])
        let ann = try tokens(.relu(Relu()), inFront: true)
        let snn = try RecipeConverter(recipe.options(steps), calibration: [Batch(x)])(ann)
        for node in snn.nodes {
            if case .neuron(let neurons) = node.operator { #expect(neurons.site?.spike.count == 1) }
        }
        let expected = try ReferenceExecutor(ann).run([x])[0]
        // Balancing takes small steps: of 20 samples it knows little yet.
        let bound: Float = recipe.options(steps).threshold == Recipe.localThresholdBalancing.options(steps).threshold ? 2 : 0.2
        #expect(distance(try ReferenceSimulation(snn).run([x], steps: steps)[0], expected) < bound)
    }

    /// Attention of 4 tokens of 6 features, in which padding (tokens whose `keep` is 0) and later tokens are masked by −∞.
    private func maskedAttention(causal: Bool) throws -> Graph {
        var random = SplitMix64(seed: 11)
        func weights() -> Tensor { Tensor((0..<36).map { _ in Float.random(in: -0.8...0.8, using: &random) }, shape: [6, 6]) }
        let later = (0..<16).map { $0 % 4 > $0 / 4 ? -Float.infinity : 0 }
        return try Graph(
            name: "masked", inputs: [.init("x", ValueType(.float32, [.batch, 4, 6])), .init("keep", ValueType(.int64, [.batch, 1, 4]))],
            outputs: [.init("y", value: "y")],
            nodes: [
                Node("q", .matMul(MatMul()), inputs: ["x", "wq"]), Node("k", .matMul(MatMul()), inputs: ["x", "wk"]),
                Node("v", .matMul(MatMul()), inputs: ["x", "wv"]),
                Node("turned", .transpose(Transpose(permutation: [0, 2, 1])), inputs: ["k"]),
                Node("products", .matMul(MatMul()), inputs: ["q", "turned"]),
                Node("isPadding", .binary(Binary(.equal)), inputs: ["keep", "none"]),
                Node("padding", .select(Where()), inputs: ["isPadding", "minusInfinity", "zero"]),
                Node("scores", .add(Add()), inputs: ["products", "padding"]), Node("masked", .add(Add()), inputs: ["scores", "later"]),
                Node("attention", .softmax(Softmax()), inputs: ["masked"]), Node("mixed", .matMul(MatMul()), inputs: ["attention", "v"]),
                Node("y", .matMul(MatMul()), inputs: ["mixed", "wo"]),
            ],
            constants: [
                "wq": weights(), "wk": weights(), "wv": weights(), "wo": weights(), "none": Tensor([Int64(0)], shape: []),
                "minusInfinity": Tensor(scalar: -.infinity), "zero": Tensor(scalar: 0),
                "later": Tensor(causal ? later : [Float](repeating: 0, count: 16), shape: [4, 4]),
            ])
    }

    @Test func `what a mask of −∞ hides sends nothing, and a row that is hidden whole is an error`() throws {
        var random = SplitMix64(seed: 12)
        func tokens(_ count: Int) -> Tensor {
            Tensor((0..<count * 24).map { _ in Float.random(in: -1...1, using: &random) }, shape: [count, 4, 6])
        }
        let x = tokens(32)
        let keep = Tensor((0..<32 * 4).map { Int64($0 % 4 < 2 + $0 / 4 % 3 ? 1 : 0) }, shape: [32, 1, 4])
        for causal in [false, true] {
            let ann = try maskedAttention(causal: causal)
            let snn = try RecipeConverter(Recipe.radix.options(10), calibration: [Batch(inputs: [x, keep])])(ann)
            let found = try ReferenceSimulation(snn).run([x, keep], steps: 10)[0]
            #expect(distance(found, try ReferenceExecutor(ann).run([x, keep])[0]) < 0.1)
            // Hidden tokens may be anything: the last two of the first sample, and for the first token of all samples the others.
            var values = x.floats
            let others = tokens(32).floats
            for index in values.indices where index < 24 ? index >= 12 : causal && index % 24 >= 6 { values[index] = others[index] }
            let changed = try ReferenceSimulation(snn).run([Tensor(values, shape: x.shape), keep], steps: 10)[0].floats
            #expect(changed[..<12] == found.floats[..<12])
            if causal { #expect((0..<32).allSatisfy { changed[$0 * 24..<$0 * 24 + 6] == found.floats[$0 * 24..<$0 * 24 + 6] }) }
            // The third sample keeps nothing.
            let nothing = Tensor((0..<32 * 4).map { Int64($0 / 4 == 2 ? 0 : 1) }, shape: [32, 1, 4])
            let ofANN = #expect(throws: SpikeletError.self) { _ = try ReferenceExecutor(ann).run([x, nothing]) }
            #expect(ofANN?.location == "node 'attention'" && ofANN?.message.contains("[2, 0, :]") == true)
            let ofSNN = #expect(throws: SpikeletError.self) { _ = try ReferenceSimulation(snn).run([x, nothing], steps: 10) }
            #expect(ofSNN?.message.contains("at place [2, 0, 0] is no number") == true && ofSNN?.remedy?.contains("masked whole") == true)
            let calibrating = #expect(throws: SpikeletError.self) {
                _ = try RecipeConverter(Recipe.radix.options(10), calibration: [Batch(inputs: [x, nothing])])(ann)
            }
            #expect("\(try #require(calibrating))".contains("node 'attention'") && calibrating?.message.contains("[2, 0, 0]") == true)
        }
    }

    @Test func `layers in front of the first ReLU are sent as digits where functions stand between them`() throws {
        let (gelu, relu) = (SpikeGraph.Operator.unary(Unary(.gelu, parameters: [0])), SpikeGraph.Operator.relu(Relu()))
        let ann = try chain([nil, gelu, nil, .unary(Unary(.softplus)), nil, relu, nil])
        #expect(Convertibility(ann).functionBetweenWeights == "node1")
        var random = SplitMix64(seed: 8)
        let input = Tensor((0..<64 * 6).map { _ in Float.random(in: -1...1, using: &random) }, shape: [64, 6])
        for allowAnalog in [false, true] {
            var options = Recipe.radix.options(10)
            options.allowAnalog = allowAnalog
            let snn = try RecipeConverter(options, calibration: [Batch(input)])(ann)
            #expect(
                snn.nodes.compactMap { if case .neuron(let neurons) = $0.operator { neurons.site?.activation } else { nil } }.sorted()
                    == ["node1", "node3", "node5"])
            let (trains, spiking) = (snn.spikeTrains, snn.spikingValues)
            let weights = snn.nodes.filter(snn.hasWeights)
            #expect(weights.dropFirst().allSatisfy { trains.contains($0.inputs[0]) && spiking.contains($0.inputs[0]) })
            let expected = try ReferenceExecutor(ann).run([input])[0]
            #expect(distance(try ReferenceSimulation(snn).run([input], steps: 10)[0], expected) < 0.1)
        }
        // Streaming recipes take what is in front of the first ReLU for the input.
        let streaming = try RecipeConverter(Recipe.calibrated.options(8), calibration: [Batch(input)])(ann)
        #expect(streaming.nodes.count { if case .neuron = $0.operator { true } else { false } } == 1)
    }

    @Test func `what is computed from the input without weights, or linear behind the first, is no layer`() throws {
        let (relu, norm) = (SpikeGraph.Operator.relu(Relu()), SpikeGraph.Operator.layerNormalization(LayerNormalization()))
        let (log, gelu) = (SpikeGraph.Operator.unary(Unary(.softplus)), SpikeGraph.Operator.unary(Unary(.gelu, parameters: [0])))
        let rounding = SpikeGraph.Operator.quantizer(try Quantizer(step: 0.25, levels: 15, lowest: -16, rounding: .halfToEven))
        for operators in [
            [nil, relu, nil, relu, nil], [log, norm, nil, relu, nil], [nil, nil, relu, nil], [nil, norm, relu, nil],
            [nil, rounding, nil, relu, nil], [nil, relu, nil, gelu],
        ] {
            let found = Convertibility(try chain(operators))
            #expect(found.functionBetweenWeights == nil && !found.isForDigits(allowAnalog: false) && found.rolesInDigits.isEmpty)
        }
        for operators in [[nil, norm, nil, relu, nil], [nil, gelu, relu, nil, gelu, nil], [nil, .softmax(Softmax()), nil, relu]] {
            #expect(Convertibility(try chain(operators)).isForDigits(allowAnalog: false))
        }
    }

    @Test func `a ReLU of which a function is computed next is a part of it`() throws {
        let (gelu, relu) = (SpikeGraph.Operator.unary(Unary(.gelu, parameters: [0])), SpikeGraph.Operator.relu(Relu()))
        let (softplus, norm) = (SpikeGraph.Operator.unary(Unary(.softplus)), SpikeGraph.Operator.layerNormalization(LayerNormalization()))
        func sent(_ ann: Graph) throws -> [String] {
            var random = SplitMix64(seed: 9)
            let input = Tensor((0..<24 * 6).map { _ in Float.random(in: -1...1, using: &random) }, shape: [24, 6])
            let snn = try RecipeConverter(Recipe.radix.options(12), calibration: [Batch(input)])(ann)
            let expected = try ReferenceExecutor(ann).run([input])[0]
            #expect(distance(try ReferenceSimulation(snn).run([input], steps: 12)[0], expected) < 0.02)
            return snn.nodes.compactMap { if case .neuron(let neurons) = $0.operator { neurons.site?.activation } else { nil } }.sorted()
        }
        #expect(try sent(chain([nil, gelu, nil, relu, softplus, nil])) == ["node1", "node4"])
        #expect(try sent(chain([nil, gelu, nil, relu, norm, nil])) == ["node1", "node4"])
        // What weights read is a layer, and so is what functions behind the last weights read.
        #expect(try sent(chain([nil, gelu, nil, relu, nil])) == ["node1", "node3"])
        #expect(try sent(chain([nil, gelu, nil, relu, softplus])) == ["node1", "node3"])
    }

    @Test func `other recipes say who takes such networks, and what cannot be is listed`() throws {
        let ann = try ann("attention")
        let inputs = try inputs("attention", ann)
        let error = try #require(throws: SpikeletError.self) {
            _ = try RecipeConverter(Recipe.calibrated.options(8), calibration: [Batch(inputs: inputs)])(ann)
        }
        #expect(error.remedy?.hasPrefix("use the recipe radix") == true)
        #expect(Convertibility(ann).rolesInDigits.values.contains(.product))
        #expect(throws: SpikeletError.self) { _ = try RecipeConverter(Recipe.radix.options(8), calibration: nil)(ann) }

        let weights = Tensor((0..<9).map { Float($0) - 4 }, shape: [3, 3])
        let odd = try Graph(
            name: "odd", inputs: [.init("x", ValueType(.float32, [.batch, 3]))], outputs: [.init("z", value: "z")],
            nodes: [
                Node("a", .matMul(MatMul()), inputs: ["x", "w"]), Node("b", .matMul(MatMul()), inputs: ["x", "v"]),
                Node("larger", .binary(Binary(.maximum)), inputs: ["a", "b"]), Node("z", .matMul(MatMul()), inputs: ["larger", "w"]),
            ], constants: ["w": weights, "v": weights.map { -$0 }])
        let refusal = try #require(throws: SpikeletError.self) {
            _ = try RecipeConverter(Recipe.radix.options(8), calibration: [Batch(Tensor([1, 2, 3] as [Float], shape: [1, 3]))])(odd)
        }
        #expect("\(refusal)".contains("'larger'") && "\(refusal)".contains("a function of two values"))
    }
}

/// The neuron by itself, and networks in which nothing is ever rounded by float32.
@Suite struct DigitNeuronTests {
    @Test(arguments: 1...16) func `spikes are the nearest number with its sign, halves away from zero`(digits: Int) throws {
        let most = Float(1 << digits) - 1
        var values: [Float] = [most + 0.5, -most - 0.5, 1e30]
        for number in -64...64 {
            let number = Float(number)
            values += [number * most / 48, number / 2, number / 2 + 0.25]
        }
        let neuron = NeuronNode(try DigitNeuron(digits: digits))
        var layer = NeuronLayer(node: neuron)
        let silence = Tensor(repeating: 0, shape: [1, values.count])
        let spikes = layer.advance(
            by: (0..<digits).map { $0 == digits - 1 ? Tensor(values, shape: [1, values.count]) : silence },
            at: TimeStep(0, of: digits), sending: { _ in nil })
        #expect(spikes.allSatisfy { $0.floats.allSatisfy { [-1, 0, 1].contains($0) } })
        let found = SpikeCode.radix(digits: digits).decoded(spikes).floats
        for (value, found) in zip(values, found) {
            let expected = min((abs(value) + 0.5).rounded(.down), most)
            #expect(found == (value < 0 ? -expected : expected), "\(value)")
        }
        var unknown = NeuronLayer(node: neuron)
        let numbers = unknown.advance(
            by: (0..<digits).map { _ in Tensor([.nan, 1] as [Float], shape: [1, 2]) }, at: TimeStep(0, of: digits), sending: { _ in nil })
        #expect(numbers.allSatisfy { $0.floats[0].isNaN && !$0.floats[1].isNaN })
        #expect(throws: SpikeletError.self) { _ = try numbers[0].spikeCount(of: "neuron") }
        #expect(throws: SpikeletError.self) { _ = try DigitNeuron(digits: 0) }
        #expect(throws: SpikeletError.self) { _ = try DigitNeuron(digits: 17) }
    }

    /// Random networks of dyadic weights: gates with skips, Q · Kᵀ · V, pools over signed digits, slopes below zero.
    @Test(arguments: 0..<60) func `nothing differs from the rounded network, to the bit`(seed: Int) throws {
        var random = SplitMix64(seed: UInt64(seed))
        let digits = 3 + seed % 5
        let snn = try DyadicNetwork(digits: digits, seed: seed).graph
        let input = Tensor((0..<3 * 4 * 16).map { _ in Float(Int(random.next() % 33) - 16) / 8 }, shape: [3, 4, 4, 4])
        let expected = try ReferenceExecutor(snn.rounded()).run([input])
        #expect(try ReferenceSimulation(snn).run([input], steps: digits) == expected)
        #expect(try Simulation(snn).run([input], steps: digits) == expected)
    }
}

/// A network of dyadic weights whose values all have few digits.
private struct DyadicNetwork {
    private let neuron: DigitNeuron
    private var random: SplitMix64
    private var nodes: [Node] = []
    private var constants: [String: Tensor] = [:]
    private(set) var graph: Graph

    init(digits: Int, seed: Int) throws {
        neuron = try DigitNeuron(digits: digits)
        random = SplitMix64(seed: 1000 + UInt64(seed))
        graph = try Graph(
            name: "empty", inputs: [.init("x", ValueType(.float32, [.batch, 4, 4, 4]))], outputs: [.init("x", value: "x")], nodes: [],
            constants: [:])
        var value = add("first", .conv(Conv(window: Window(kernel: [1, 1]))), "x", weights: [4, 4, 1, 1])
        for block in 0..<3 {
            let name = "block\(block)"
            switch random.next() % 4 {
            case 0: value = gate(name, value)
            case 1: value = attention(name, value)
            case 2: value = pool(name, value)
            default: value = slope(name, value)
            }
        }
        value = add("last", .conv(Conv(window: Window(kernel: [1, 1]))), encoded(value, "end"), weights: [5, 4, 1, 1])
        graph = try Graph(
            name: "dyadic", inputs: graph.inputs, outputs: [.init("y", value: value)], nodes: nodes, constants: constants,
            spiking: SpikingDescription(recipe: "test", schedule: .layerSynchronous, code: .radix(digits: digits)))
    }

    private mutating func add(_ name: String, _ operator: SpikeGraph.Operator, _ inputs: String..., weights: [Int] = []) -> String {
        var inputs = inputs
        if !weights.isEmpty {
            constants["\(name).weight"] = Tensor(
                (0..<weights.reduce(1, *)).map { _ in Float(Int(random.next() % 9) - 4) / 4 }, shape: weights)
            constants["\(name).bias"] = Tensor((0..<weights[0]).map { _ in Float(Int(random.next() % 9) - 4) / 8 }, shape: [weights[0]])
            inputs += ["\(name).weight", "\(name).bias"]
        }
        nodes.append(Node(name, `operator`, inputs: inputs))
        return name
    }

    /// Its digits, in steps of an eighth or so.
    private mutating func encoded(_ value: String, _ name: String) -> String {
        let step = Float(sign: .plus, exponent: -Int(random.next() % 4), significand: 1)
        let scaled = add("\(name).in", .voltageScaler(VoltageScaler(scale: 1 / step)), value)
        let neurons = add("\(name).spikes", .neuron(NeuronNode(neuron)), scaled)
        return add("\(name).out", .voltageScaler(VoltageScaler(scale: step)), neurons)
    }

    /// x + W(s · g), where g is a function of the mean of s.
    private mutating func gate(_ name: String, _ x: String) -> String {
        let leaky = add("\(name).leaky", .unary(Unary(.leakyRelu, parameters: [0.25])), x)
        let spikes = encoded(leaky, "\(name).s")
        let mean = add("\(name).mean", .globalAveragePool(GlobalAveragePool()), spikes)
        let inner = add("\(name).inner", .conv(Conv(window: Window(kernel: [1, 1]))), encoded(mean, "\(name).m"), weights: [4, 4, 1, 1])
        let share = add("\(name).share", .unary(Unary(.hardSigmoid, parameters: [0.25, 0.5])), inner)
        let product = add("\(name).product", .mul(Mul()), spikes, encoded(share, "\(name).g"))
        let outer = add(
            "\(name).outer", .conv(Conv(window: Window(kernel: [1, 1]))), encoded(product, "\(name).p"), weights: [4, 4, 1, 1])
        return add("\(name).sum", .add(Add()), x, outer)
    }

    /// x + (Q · Kᵀ) · V over rows of places.
    private mutating func attention(_ name: String, _ x: String) -> String {
        let spikes = encoded(x, "\(name).x")
        func part(_ letter: String, _ network: inout DyadicNetwork) -> String {
            let value = network.add(
                "\(name).\(letter)", .conv(Conv(window: Window(kernel: [1, 1]))), spikes, weights: [4, 4, 1, 1])
            return value
        }
        let (q, k, v) = (part("q", &self), part("k", &self), part("v", &self))
        let turned = add("\(name).turned", .transpose(Transpose(permutation: [0, 1, 3, 2])), k)
        let scores = add("\(name).scores", .matMul(MatMul()), encoded(q, "\(name).qs"), encoded(turned, "\(name).ks"))
        let mixed = add("\(name).mixed", .matMul(MatMul()), encoded(scores, "\(name).ss"), encoded(v, "\(name).vs"))
        return add("\(name).sum", .add(Add()), mixed, x)
    }

    /// The largest of neighbours, read by weights.
    private mutating func pool(_ name: String, _ x: String) -> String {
        let spikes = encoded(x, "\(name).x")
        let window = Window(kernel: [3, 3], padsBegin: [1, 1], padsEnd: [1, 1])
        let largest = add("\(name).largest", .runningMaximumPool(RunningMaximumPool(window: window)), spikes)
        let weighted = add("\(name).weighted", .conv(Conv(window: Window(kernel: [1, 1]))), largest, weights: [4, 4, 1, 1])
        return add("\(name).sum", .add(Add()), weighted, spikes)
    }

    private mutating func slope(_ name: String, _ x: String) -> String {
        let leaky = add("\(name).leaky", .unary(Unary(.leakyRelu, parameters: [-0.5])), x)
        let window = Window(kernel: [3, 3], padsBegin: [1, 1], padsEnd: [1, 1])
        return add("\(name).conv", .conv(Conv(window: window)), encoded(leaky, "\(name).l"), weights: [4, 4, 3, 3])
    }
}
