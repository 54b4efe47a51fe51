import SpikeConversion
import SpikeGraph
import SpikeReference
import SpikeRuntime
import TestSupport
import Testing

/// Weights that make up for what the layers in front round away.
@Suite struct WeightCorrectionTests {
    /// A layer of each form that has columns: its operator, and the shapes of its input and weights.
    static let layers: [(name: String, operator: SpikeGraph.Operator, input: [Int], weights: [Int])] = [
        ("conv", .conv(Conv(window: Window(kernel: [3, 2], padsBegin: [1, 0], padsEnd: [0, 1]))), [3, 4, 5, 6], [6, 4, 3, 2]),
        (
            "strides and dilations",
            .conv(Conv(window: Window(kernel: [2, 3], strides: [2, 1], dilations: [1, 2], padsBegin: [2, 1], padsEnd: [1, 2]))),
            [2, 3, 7, 8], [5, 3, 2, 3]
        ),
        (
            "groups", .conv(Conv(window: Window(kernel: [3, 3], padsBegin: [1, 1], padsEnd: [1, 1]), groups: 2)), [2, 4, 5, 5],
            [6, 2, 3, 3]
        ),
        ("depthwise", .conv(Conv(window: Window(kernel: [3, 3]), groups: 4)), [2, 4, 5, 5], [4, 1, 3, 3]),
        ("one axis", .conv(Conv(window: Window(kernel: [3], padsBegin: [1], padsEnd: [1]))), [3, 4, 9], [2, 4, 3]),
        ("three axes", .conv(Conv(window: Window(kernel: [2, 2, 2]))), [2, 2, 3, 4, 3], [3, 2, 2, 2, 2]),
        (
            "transposed",
            .convTranspose(ConvTranspose(window: Window(kernel: [3, 2], strides: [2, 1], padsBegin: [1, 0], padsEnd: [0, 1]))),
            [2, 3, 4, 5], [3, 4, 3, 2]
        ),
        (
            "transposed in groups", .convTranspose(ConvTranspose(window: Window(kernel: [2, 2], strides: [2, 2]), groups: 2)),
            [2, 4, 3, 3], [4, 3, 2, 2]
        ),
        ("rows", .gemm(Gemm()), [7, 5], [5, 3]),
        ("rows, transposed", .gemm(Gemm(transposeB: true)), [7, 5], [3, 5]),
        ("tokens", .matMul(MatMul()), [2, 6, 5], [5, 4]),
    ]

    @Test(arguments: layers.indices) func `a layer's outputs are its matrix times its columns`(index: Int) throws {
        let (name, payload, input, shape) = Self.layers[index]
        var random = Random(UInt64(300 + index))
        let (x, weights) = (random.tensor(input), random.tensor(shape))
        let graph = try Graph(
            name: name, inputs: [.init("x", ValueType(.float32, Shape([.batch] + input.dropFirst().map { Dimension($0) })))],
            outputs: [.init("y", value: "layer")], nodes: [Node("layer", payload, inputs: ["x", "w"])], constants: ["w": weights])
        let layer = try #require(WeightedLayer(graph.nodes[0], in: graph))
        let output = try ReferenceExecutor(graph).run([x])[0]
        let matrix = layer.matrix
        let isSame = layer.tensor(matrix) == weights
        #expect(isSame)
        let positions = Array(0..<layer.count(output))
        #expect(positions.count * layer.groups * layer.outputs == output.count)
        for group in 0..<layer.groups {
            let columns = try layer.columns(of: x, for: output, at: positions, group: group)
            let found = layer.outputs(of: output, at: positions, group: group)
            var worst: Float = 0
            for position in positions {
                for row in 0..<layer.outputs {
                    let weights = matrix[(group * layer.outputs + row) * layer.inputs..<(group * layer.outputs + row + 1) * layer.inputs]
                    let column = columns[position * layer.inputs..<(position + 1) * layer.inputs]
                    let sum = zip(weights, column).reduce(Float(0)) { $0 + $1.0 * $1.1 }
                    worst = max(worst, abs(sum - found[position * layer.outputs + row]))
                }
            }
            #expect(worst < 1e-4, "\(name), group \(group)")
        }
    }

    @Test func `what is missing and linear is found, from parts as from the whole`() throws {
        var random = Random(311)
        let (inputs, outputs, count) = (5, 3, 400)
        let (w, b) = (random.tensor([outputs, inputs]).floats, random.tensor([outputs]).floats)
        let x = random.tensor([count, inputs], in: -1...3).floats
        var r: [Float] = []
        for k in 0..<count {
            for i in 0..<outputs {
                let products = zip(w[i * inputs..<(i + 1) * inputs], x[k * inputs..<(k + 1) * inputs])
                r.append(products.reduce(b[i]) { $0 + $1.0 * $1.1 })
            }
        }
        var (whole, first, second) = (
            ColumnSums(inputs: inputs, outputs: outputs), ColumnSums(inputs: inputs, outputs: outputs),
            ColumnSums(inputs: inputs, outputs: outputs)
        )
        whole.add(x, missing: r)
        first.add(Array(x.prefix(150 * inputs)), missing: Array(r.prefix(150 * outputs)))
        second.add(Array(x.dropFirst(150 * inputs)), missing: Array(r.dropFirst(150 * outputs)))
        first.add(second)
        for sums in [whole, first] {
            let change = try #require(sums.ridge(1e-9))
            #expect(zip(change.weights, w).allSatisfy { abs($0 - Double($1)) < 1e-4 })
            #expect(zip(change.biases, b).allSatisfy { abs($0 - Double($1)) < 1e-4 })
            #expect(sums.error(nil) > 100 && abs(sums.error(change)) < 1e-2)
        }
        // A large λ leaves the weights, and gives the means to the biases.
        let flat = try #require(whole.ridge(1e9))
        #expect(flat.weights.allSatisfy { abs($0) < 1e-6 })
        // Columns that say nothing: none, one, and the same ones always.
        #expect(ColumnSums(inputs: 2, outputs: 1).ridge(1) == nil)
        var still = ColumnSums(inputs: 2, outputs: 1)
        still.add([1, 2, 1, 2, 1, 2], missing: [1, 1, 1])
        #expect(still.ridge(1e-4) == nil)
    }

    private func options(_ steps: Int, corrects: Bool) -> ConversionOptions {
        var options = Recipe.radix.options(steps)
        options.correctsWeights = corrects
        return options
    }

    /// The root of the mean square of what a spiking network's outputs differ from the ANN's by.
    private func error(_ snn: Graph, _ ann: Graph, _ input: Tensor, steps: Int) throws -> Float {
        let expected = try ReferenceExecutor(ann).run([input])[0].floats
        let found = try Simulation(snn).run([input], steps: steps)[0].floats
        return (zip(expected, found).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / Float(expected.count)).squareRoot()
    }

    @Test(arguments: ["signed", "burst", "calibrated"], [false, true])
    func `streaming outputs come nearer after the steps that weights are corrected for`(name: String, maxPool: Bool) throws {
        var random = Random(325)
        let ann = try smallNetwork(&random, maxPool: maxPool)
        let (seen, unseen) = (random.tensor([256, 2, 6, 6], in: 0...1), random.tensor([64, 2, 6, 6], in: 0...1))
        for steps in name == "burst" ? [1, 2] : [4, 8] {
            var options = try #require(Recipe.named(name)).options(steps)
            func convert(corrects: Bool) throws -> Graph {
                options.correctsWeights = corrects
                if corrects { options.correctsPotential = false }
                return try RecipeConverter(options, calibration: [Batch(seen)])(ann)
            }
            let (plain, corrected) = (try convert(corrects: false), try convert(corrects: true))
            #expect(corrected.spiking?.facts["correctedWeights"] == "2 of 3 layers, on 256 samples")
            #expect(corrected.constants["w1"] == ann.constants["w1"])
            let (before, after) = (try error(plain, ann, unseen, steps: steps), try error(corrected, ann, unseen, steps: steps))
            #expect(after < 0.95 * before, "\(before) → \(after) at \(steps)")
        }
    }

    @Test func `behind a function of each step's current layers stay as they are`() throws {
        var random = Random(327)
        let hidden = 12
        func ann(_ middle: Operator) throws -> Graph {
            let weights = ["w1", "w2", "w3", "w4"].map { ($0, random.tensor([$0 == "w1" ? 6 : hidden, $0 == "w4" ? 3 : hidden])) }
            return try Graph(
                name: "analog", inputs: [.init("x", ValueType(.float32, [.batch, 6]))], outputs: [.init("y", value: "l4")],
                nodes: [
                    Node("l1", .gemm(Gemm()), inputs: ["x", "w1"]), Node("r1", .relu(Relu()), inputs: ["l1"]),
                    Node("l2", .gemm(Gemm()), inputs: ["r1", "w2"]), Node("f", middle, inputs: ["l2"]),
                    Node("l3", .gemm(Gemm()), inputs: ["f", "w3"]), Node("r2", .relu(Relu()), inputs: ["l3"]),
                    Node("l4", .gemm(Gemm()), inputs: ["r2", "w4"]),
                ], constants: Dictionary(uniqueKeysWithValues: weights))
        }
        var options = Recipe.signed.options(2)
        options.allowAnalog = true
        func weights(behind middle: Operator) throws -> String? {
            let network = try ann(middle)
            let snn = try RecipeConverter(options, calibration: [Batch(random.tensor([256, 6]))])(network)
            return snn.node(named: "l3")?.inputs[1]
        }
        #expect(try weights(behind: .unary(Unary(.gelu, parameters: [0]))) == "w3")
        // Neurons in the same place send what layers can be corrected for.
        #expect(try weights(behind: .relu(Relu())) != "w3")
    }

    @Test func `with many steps, which leave little to correct, the network stays all but the ANN`() throws {
        var random = Random(326)
        let ann = try smallNetwork(&random)
        let seen = random.tensor([128, 2, 6, 6], in: 0...1)
        var options = Recipe.signed.options(512)
        options.correctsWeights = true
        let corrected = try RecipeConverter(options, calibration: [Batch(seen)])(ann)
        let exact = try ReferenceExecutor(ann).run([seen])[0].floats
        let found = try Simulation(corrected).run([seen], steps: 512)[0].floats
        let largest = exact.map(abs).max() ?? 1
        #expect((zip(exact, found).map { abs($0 - $1) }.max() ?? 1) < 0.05 * largest)
    }

    @Test(arguments: [false, true]) func `outputs come nearer to the ANN's, on images that were not seen`(maxPool: Bool) throws {
        var random = Random(320)
        let ann = try smallNetwork(&random, maxPool: maxPool)
        let (seen, unseen) = (random.tensor([256, 2, 6, 6], in: 0...1), random.tensor([64, 2, 6, 6], in: 0...1))
        for steps in [2, 3] {
            let plain = try RecipeConverter(options(steps, corrects: false), calibration: [Batch(seen)])(ann)
            let corrected = try RecipeConverter(options(steps, corrects: true), calibration: [Batch(seen)])(ann)
            #expect(corrected.spiking?.facts["correctedWeights"]?.hasPrefix("2 of 3 layers") == true)
            #expect(corrected.spiking?.facts["correctedWeights"]?.hasSuffix("on 256 samples") == true)
            // What reads the input alone stays as it is, and so do the steps.
            #expect(corrected.constants["w1"] == ann.constants["w1"] && corrected.node(named: "conv1")?.inputs == ["input", "w1", "b1"])
            let sites = { (snn: Graph) in
                snn.nodes.compactMap { if case .neuron(let neurons) = $0.operator { neurons.site } else { nil } }
            }
            #expect(sites(corrected) == sites(plain))
            let (before, after) = (try error(plain, ann, unseen, steps: steps), try error(corrected, ann, unseen, steps: steps))
            #expect(after < 0.95 * before, "\(before) → \(after) at \(steps)")
            // The spikes of corrected weights are the reference's too.
            let reference = try ReferenceSimulation(corrected).run([unseen], steps: steps)[0].floats
            let engine = try Simulation(corrected).run([unseen], steps: steps)[0].floats
            #expect((zip(reference, engine).map { abs($0 - $1) }.max() ?? 0) < 1e-3)
        }
    }

    @Test func `how the images come in batches changes nothing`() throws {
        var random = Random(330)
        let ann = try smallNetwork(&random)
        let images = random.tensor([96, 2, 6, 6], in: 0...1)
        let whole = try RecipeConverter(options(3, corrects: true), calibration: [Batch(images)])(ann)
        let parts = [Batch(images.samples(0..<7)), Batch(images.samples(7..<64)), Batch(images.samples(64..<96))]
        let other = try RecipeConverter(options(3, corrects: true), calibration: parts)(ann)
        let isSame = whole.constants == other.constants && whole.nodes == other.nodes
        #expect(isSame)
    }

    @Test func `layers that too few columns say something of stay as they are, and so do networks without data`() throws {
        var random = Random(340)
        let ann = try smallNetwork(&random)
        let images = random.tensor([16, 2, 6, 6], in: 0...1)
        // 16 images: 16 · 9 columns for the 36 weights of a channel of conv2, and 16 for 45 of the linear layer.
        let few = try RecipeConverter(options(3, corrects: true), calibration: [Batch(images)])(ann)
        #expect(few.constants["w2"] == ann.constants["w2"] && few.constants["w3"] == ann.constants["w3"])
        #expect(few.spiking?.facts["correctedWeights"]?.hasPrefix("0 of 3 layers") == true)
        let one = try RecipeConverter(options(3, corrects: true), calibration: [Batch(images.samples(0..<1))])(ann)
        #expect(one.spiking?.facts["correctedWeights"]?.hasPrefix("0 of 3 layers") == true)
    }

    @Test func `dead channels and constant images are no columns to learn from`() throws {
        var random = Random(350)
        let ann = try smallNetwork(&random)
        var patch = Patch()
        // Two of four channels that are never active, and one that always says the same.
        patch.setConstant("b1", Tensor([-100, 0.1, -100, 5], shape: [4]))
        let weights = ann.constants["w1"]?.floats ?? []
        patch.setConstant("w1", Tensor(weights.enumerated().map { $0.offset / 18 == 3 ? 0 : $0.element }, shape: [4, 2, 3, 3]))
        let dead = try ann.applying(patch)
        for images in [random.tensor([80, 2, 6, 6], in: 0...1), Tensor(repeating: 0.5, shape: [80, 2, 6, 6])] {
            let snn = try RecipeConverter(options(3, corrects: true), calibration: [Batch(images)])(dead)
            let isFinite = snn.constants.values.allSatisfy { $0.elementType != .float32 || $0.floats.allSatisfy(\.isFinite) }
            #expect(isFinite)
            #expect(try error(snn, dead, images, steps: 3).isFinite)
        }
    }

    @Test func `products of matrices get their bias in the sum behind them, or one of their own; branches make up for each other`() throws {
        var random = Random(360)
        let gelu = SpikeGraph.Operator.unary(Unary(.gelu, parameters: [0]))
        let ann = try Graph(
            name: "blocks", inputs: [.init("x", ValueType(.float32, [.batch, 5, 6]))], outputs: [.init("y", value: "y")],
            nodes: [
                Node("a", .matMul(MatMul()), inputs: ["x", "wa"]), Node("f", gelu, inputs: ["a"]),
                Node("b", .matMul(MatMul()), inputs: ["f", "wb"]), Node("biased", .add(Add()), inputs: ["b", "bias"]),
                Node("g", gelu, inputs: ["biased"]), Node("c", .matMul(MatMul()), inputs: ["g", "wc"]),
                Node("sum", .add(Add()), inputs: ["c", "biased"]), Node("h", gelu, inputs: ["sum"]),
                Node("y", .matMul(MatMul()), inputs: ["h", "wd"]),
            ],
            constants: [
                "wa": random.tensor([6, 8]), "wb": random.tensor([8, 8]), "wc": random.tensor([8, 8]), "wd": random.tensor([8, 3]),
                "bias": random.tensor([8]),
            ])
        let (seen, unseen) = (random.tensor([128, 5, 6]), random.tensor([64, 5, 6]))
        let plain = try RecipeConverter(options(3, corrects: false), calibration: [Batch(seen)])(ann)
        let snn = try RecipeConverter(options(3, corrects: true), calibration: [Batch(seen)])(ann)
        #expect(snn.spiking?.facts["correctedWeights"]?.hasPrefix("3 of 4 layers") == true)
        #expect(snn.node(named: "biased")?.inputs.contains("b.corrected.bias") == true && snn.constants["bias"] == nil)
        for name in ["c", "y"] {
            #expect(snn.nodes.contains { $0.inputs.contains("\(name).corrected.bias") && $0.outputs == [name] }, "\(name)")
        }
        #expect(try error(snn, ann, unseen, steps: 3) < 0.95 * error(plain, ann, unseen, steps: 3))

        // The same weights serve at other lengths.
        let shorter = try ann.applying(Patch())
        let again = try RecipeConverter.convert(shorter, withStepsOf: snn)
        let isSame = again.nodes == snn.nodes && again.constants == snn.constants
        #expect(isSame)
        var patch = Patch()
        patch.setConstant("wc", random.tensor([8, 8]))
        let other = try ann.applying(patch)
        #expect(throws: SpikeletError.self) { _ = try RecipeConverter.convert(other, withStepsOf: snn) }
    }

    @Test(arguments: [[4], [1, 4], [1], [1, 1], [4, 1], [3, 4], [4, 4]]) func `biases that are not one an output are not taken for such`(
        shape: [Int]
    ) throws {
        let count = shape.reduce(1, *)
        let rows = shape.count > 1 && shape[0] > 1 ? shape[0] : 3
        let graph = try Graph(
            name: "rows", inputs: [.init("x", ValueType(.float32, [Dimension(rows), 5]))], outputs: [.init("y", value: "layer")],
            nodes: [Node("layer", .gemm(Gemm()), inputs: ["x", "w", "c"])],
            constants: ["w": Tensor(repeating: 1, shape: [5, 4]), "c": Tensor((0..<count).map { Float($0) }, shape: shape)])
        let isTaken = WeightedLayer(graph.nodes[0], in: graph) != nil
        #expect(isTaken == (shape.count == 1 || shape[0] == 1))
    }

    @Test func `rate codes layer by layer are not for it, nor are max pools on single spikes`() {
        var options = Recipe.calibrated.options(8)
        options.correctsWeights = true
        expectError(.invalidOption, "which make up for the same") { try options.validate() }
        options.correctsPotential = false
        #expect(throws: Never.self) { try options.validate() }
        options.readoutDelay = .steps(2)
        expectError(.invalidOption, "a readout delay, which leaves some out") { try options.validate() }
        options.readoutDelay = .steps(0)
        options.schedule = .layerSynchronous
        #expect(throws: SpikeletError.self) { try options.validate() }
        options = Recipe.radix.options(4)
        options.correctsWeights = true
        #expect(throws: Never.self) { try options.validate() }
        options.pooling = .instantaneous
        #expect(throws: SpikeletError.self) { try options.validate() }
    }
}
