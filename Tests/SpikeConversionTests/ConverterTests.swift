import SpikeConversion
import SpikeGraph
import SpikeReference
import TestSupport
import Testing

@Suite("Converter")
struct ConverterTests {
    @Test func `each step of the conversion can be done by itself`() throws {
        var random = Random(1)
        let ann = try smallNetwork(&random)
        let data = [Batch(random.tensor([6, 2, 6, 6], in: 0...1)), Batch(random.tensor([3, 2, 6, 6], in: 0...1))]
        let hooked = try Converter.setVoltageHook(Converter.fuse(ann), mode: .scaled(0.5), momentum: 0.2)
        #expect(hooked.nodes.count == ann.nodes.count + 2)
        let outputs = try ReferenceExecutor(hooked).run(data[0].inputs)
        #expect(outputs == (try ReferenceExecutor(ann).run(data[0].inputs)))
        let steps = try Converter.replaceByIFNode(Converter.calibrate(hooked, dataloader: data))
        let whole = try Converter(dataloader: data, mode: .scaled(0.5), momentum: 0.2, pooling: .instantaneous)(ann)
        #expect(steps.nodes == whole.nodes)
        #expect(steps.constants == whole.constants)
        #expect(!steps.nodes.contains { if case .voltageHook = $0.operator { true } else { false } })
    }

    @Test func `the printed network shows every layer and what it reads`() throws {
        var random = Random(2)
        let snn = try Converter(dataloader: [Batch(random.tensor([4, 2, 6, 6], in: 0...1))])(smallNetwork(&random))
        let text = "\(snn)"
        for name in ["conv1", "snn tailor.0.0", "snn tailor.0.1", "snn tailor.0.2", "snn tailor.1.2", "RunningMaximumPool", "linear"] {
            #expect(text.contains(name))
        }
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 100 })
    }

    @Test func `max pooling is by running maximum unless the seed's way is asked for`() throws {
        var random = Random(3)
        let ann = try smallNetwork(&random)
        let data = [Batch(random.tensor([4, 2, 6, 6], in: 0...1))]
        for (pooling, name) in [(Converter.Pooling.runningMaximum, "RunningMaximumPool"), (.instantaneous, "MaxPool")] {
            let snn = try Converter(dataloader: data, pooling: pooling)(ann)
            #expect(snn.node(named: "pool")?.operator.name == name)
        }
    }

    @Test func `with running-maximum pooling the rates approach the ANN's activations`() throws {
        var random = Random(4)
        let ann = try smallNetwork(&random)
        let input = random.tensor([4, 2, 6, 6], in: 0...1)
        let expected = try ReferenceExecutor(ann).run([input])[0].floats
        let snn = try Converter(dataloader: [Batch(input)])(ann)
        let found = try ReferenceSimulation(snn).run([input], steps: 4096)[0].floats
        let largest = expected.map(abs).max() ?? 0
        #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 0.01 * largest })
    }

    @Test func `a dead layer gets the threshold 1 and a warning that names it`() throws {
        var random = Random(5)
        let ann = try smallNetwork(&random)
        var patch = Patch()
        patch.setConstant("b2", Tensor([Float](repeating: -100, count: 5), shape: [5]))
        let snn = try Converter(dataloader: [Batch(random.tensor([4, 2, 6, 6], in: 0...1))])(ann.applying(patch))
        guard case .voltageScaler(let scaler) = snn.node(named: "snn tailor.1.2")?.operator else {
            Issue.record("no scaler")
            return
        }
        #expect(scaler.scales == [1])
        #expect(snn.spiking?.warnings.count == 1)
        #expect(snn.spiking?.warnings.first?.contains("'relu2'") == true)
    }

    @Test func `a network without ReLUs is refused`() throws {
        var random = Random(6)
        let ann = try smallNetwork(&random, activation: .identity(Identity()))
        #expect { try Converter(dataloader: [Batch(random.tensor([1, 2, 6, 6]))])(ann) } throws: { error in
            (error as? SpikeletError)?.code == .notConvertible
        }
    }

    @Test func `activations between neurons that are no ReLUs are all listed, or left analog where that is allowed`() throws {
        var random = Random(7)
        let ann = try smallNetwork(&random)
        var patch = Patch()
        patch.replace(Node("relu2", .sigmoid(Sigmoid()), inputs: ["conv2"]))
        patch.insert(Node("squared", .mul(Mul()), inputs: ["pool", "pool"]))
        patch.replace(Node("conv2", ann.node(named: "conv2")?.operator ?? .identity(Identity()), inputs: ["squared", "w2", "b2"]))
        let broken = try ann.applying(patch)
        let data = [Batch(random.tensor([2, 2, 6, 6], in: 0...1))]
        #expect { try Converter(dataloader: data)(broken) } throws: { error in
            let text = "\(error)"
            return text.contains("'relu2'") && text.contains("'squared'") && text.contains("`allowAnalog: true`")
        }
        let allowed = try Converter(dataloader: data, allowAnalog: true)(broken)
        #expect(allowed.spiking?.warnings.count == 2)
    }

    @Test func `a softmax at the very end acts on the accumulated output`() throws {
        var random = Random(8)
        let ann = try smallNetwork(&random)
        var patch = Patch()
        patch.insert(Node("probabilities", .softmax(Softmax(axis: 1)), inputs: ["linear"]))
        patch.redirect("linear", to: "probabilities")
        let classifier = try ann.applying(patch)
        let input = random.tensor([3, 2, 6, 6], in: 0...1)
        let snn = try Converter(dataloader: [Batch(input)])(classifier)
        let plain = try Converter(dataloader: [Batch(input)])(ann)
        let probabilities = try ReferenceSimulation(snn).run([input], steps: 20)[0]
        let logits = try ReferenceSimulation(plain).run([input], steps: 20)
        #expect(probabilities == (try ReferenceExecutor.evaluate(.softmax(Softmax(axis: 1)), logits)[0]))
    }

    @Test func `bounded ReLUs become neurons with thresholds within their bound`() throws {
        var random = Random(9)
        let ann = try smallNetwork(&random, activation: .clip(Clip(minimum: 0, maximum: 0.25)))
        let snn = try Converter(dataloader: [Batch(random.tensor([8, 2, 6, 6], in: 0...1))])(ann)
        for layer in 0..<2 {
            guard case .voltageScaler(let scaler) = snn.node(named: "snn tailor.\(layer).2")?.operator else {
                Issue.record("no scaler")
                continue
            }
            #expect(scaler.scales[0] <= 0.25)
        }
    }

    @Test func `calibration data that is empty, misshapen or not finite is refused`() throws {
        var random = Random(10)
        let ann = try smallNetwork(&random)
        var poisoned = random.tensor([2, 2, 6, 6]).floats
        poisoned[5] = .nan
        let bad: [[Batch]] = [
            [], [Batch(random.tensor([0, 2, 6, 6]))], [Batch(random.tensor([2, 1, 6, 6]))], [Batch(Tensor(poisoned, shape: [2, 2, 6, 6]))],
            [Batch(Tensor([Int64](repeating: 1, count: 72), shape: [1, 2, 6, 6]))],
        ]
        for data in bad {
            #expect(throws: SpikeletError.self) { try Converter(dataloader: data)(ann) }
            for recipe in Recipe.all {
                #expect(throws: SpikeletError.self) { try RecipeConverter(recipe.options(4), calibration: data)(ann) }
            }
        }
    }

    @Test func `weights that overflow are reported with the layer's name`() throws {
        var random = Random(11)
        var patch = Patch()
        patch.setConstant("b1", Tensor([Float](repeating: .greatestFiniteMagnitude, count: 4), shape: [4]))
        patch.setConstant("w2", Tensor([Float](repeating: 10, count: 180), shape: [5, 4, 3, 3]))
        let ann = try smallNetwork(&random).applying(patch)
        #expect { try Converter(dataloader: [Batch(random.tensor([2, 2, 6, 6]))])(ann) } throws: { "\($0)".contains("'relu2'") }
    }

    @Test(arguments: [-0.1, 1.5, Float.nan]) func `a momentum outside 0…1 is refused`(momentum: Float) {
        #expect(throws: SpikeletError.self) { try Converter(dataloader: [Batch](), momentum: momentum) }
    }

    @Test func `the network that went in stays as it was`() throws {
        var random = Random(12)
        let ann = try smallNetwork(&random)
        let (nodes, constants) = (ann.nodes, ann.constants)
        _ = try Converter(dataloader: [Batch(random.tensor([2, 2, 6, 6], in: 0...1))])(ann)
        #expect(ann.nodes == nodes)
        #expect(ann.constants == constants)
        #expect(ann.spiking == nil)
    }

    @Test func `normalisations between convolutions that follow each other directly are folded, as in linear bottlenecks`() throws {
        let fused = try Converter.fuse(Fixtures.network(Fixtures.model("mobile/mobile_unfused.onnx")), fuseFlag: true)
        let original = try Fixtures.network(Fixtures.model("mobile/mobile_unfused.onnx"))
        #expect(!fused.nodes.contains { if case .batchNormalization = $0.operator { true } else { false } })
        var random = Random(33)
        let images = random.tensor([2, 1, 28, 28], in: 0...1)
        let (found, expected) = (
            try ReferenceExecutor(fused).run([images])[0].floats, try ReferenceExecutor(original).run([images])[0].floats
        )
        for (a, b) in zip(found, expected) { #expect(abs(a - b) < 1e-3 * (1 + abs(b))) }
    }
}
