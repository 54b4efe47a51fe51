import SpikeConversion
import SpikeGraph
import SpikeReference
import TestSupport
import Testing

@Suite("Converting quantised networks")
struct QuantizedConverterTests {
    private let window = Window(kernel: [1, 1])

    /// conv → the operators, one after another → conv.
    private func network(_ operators: [SpikeGraph.Operator], input: [SpikeGraph.Operator] = []) throws -> Graph {
        var nodes: [Node] = []
        var value = "x"
        func add(_ name: String, _ operator: SpikeGraph.Operator, _ constants: [String] = []) {
            nodes.append(Node(name, `operator`, inputs: [value] + constants))
            value = name
        }
        for (index, anOperator) in input.enumerated() { add("in\(index)", anOperator) }
        add("conv1", .conv(Conv(window: window)), ["w"])
        for (index, anOperator) in operators.enumerated() { add("op\(index)", anOperator) }
        return try Graph(
            name: "n", inputs: [.init("x", ValueType(.float32, [.batch, 2, 2, 2]))], outputs: [.init("y", value: value)], nodes: nodes,
            constants: ["w": Tensor([1, -0.5, 0.25, 1], shape: [2, 2, 1, 1])])
    }

    private func quantizer(_ levels: Int = 4, lowest: Int = 0) throws -> SpikeGraph.Operator {
        .quantizer(try Quantizer(step: 0.25, levels: levels, lowest: lowest, rounding: .halfUp))
    }

    private func failure(_ graph: Graph, steps: Int? = nil) -> String {
        do {
            _ = try QuantizedConverter(steps: steps)(graph)
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test func `a quantiser of the input stays analog, one at the output acts on the accumulated output`() throws {
        let ann = try network(
            [quantizer(), .globalAveragePool(GlobalAveragePool()), quantizer(9, lowest: -9)],
            input: [
                quantizer(), .flatten(Flatten()),
                .reshape(
                    Reshape(sizes: [
                        .same, .fixed(constant: 2, batchFactor: 0), .fixed(constant: 2, batchFactor: 0),
                        .fixed(constant: 2, batchFactor: 0),
                    ])),
            ])
        let snn = try QuantizedConverter()(ann)
        #expect(snn.nodes.count { if case .neuron = $0.operator { true } else { false } } == 1)
        #expect(snn.node(named: "in0")?.operator == (try quantizer()) && snn.readoutNodes == ["op2"])
        let x = Tensor((0..<16).map { Float($0) / 8 - 0.5 }, shape: [2, 2, 2, 2])
        #expect(try decoded(snn, x).outputs == ReferenceExecutor(ann).run([x]))
    }

    @Test func `ReLUs that are not quantised are obstacles behind spikes, and notes in front of them`() throws {
        let text = failure(try network([quantizer(), .relu(Relu()), .clip(Clip(minimum: 0, maximum: 1))]))
        #expect(text.contains("2 nodes cannot be part") && text.contains("'op1'") && text.contains("'op2'"))
        #expect(text.contains("not quantised"))
        let snn = try QuantizedConverter()(network([.relu(Relu()), .averagePool(AveragePool(window: window)), quantizer()]))
        #expect(snn.spiking?.warnings.contains { $0.contains("'op0' (Relu) is not quantised") } == true)
    }

    @Test func `rounding that no pattern explains is named, by every recipe`() throws {
        let ann = try network([.relu(Relu()), .floor(Floor()), quantizer(), .round(Round()), quantizer()])
        #expect(failure(ann).contains("'op3'") && failure(ann).contains("clip–floor"))
        let error = #expect(throws: SpikeletError.self) { _ = try Convertibility(ann).check(allowAnalog: false) }
        #expect(error?.description.contains("clip–floor") == true && error?.description.contains("'op1'") == true)
        let signed = try network([quantizer(), quantizer(4, lowest: -4), .globalAveragePool(GlobalAveragePool())])
        #expect(throws: SpikeletError.self) { _ = try Convertibility(signed).check(allowAnalog: false) }
        #expect(failure(signed).isEmpty)
    }

    @Test func `a network without quantisers, and steps that no code has, are refused`() throws {
        #expect(failure(try network([.relu(Relu())])).contains("no activation of the network is a quantiser"))
        let ann = try network([quantizer(10)])
        for steps in [10, 4] { #expect(failure(ann, steps: steps).isEmpty) }
        for steps in [-1, 0, 1, 8, 16, 100] {
            #expect(failure(ann, steps: steps).contains("10 steps (unary) or 4 (radix)"))
        }
        #expect(failure(try network([quantizer(1 << 17)])).contains("radix code of 18 steps"))
    }

    @Test func `other recipes take a quantiser for a ReLU with a bound`() throws {
        var random = Random(74)
        let quantizer = try Quantizer(step: 0.125, levels: 8, rounding: .halfUp)
        let ann = try quantizedNetwork(&random, quantizer, quantizer)
        let images = random.tensor([32, 2, 6, 6], in: 0...1)
        for recipe in [Recipe.calibrated, .radix] {
            let snn = try RecipeConverter(recipe.options(8), calibration: [Batch(images)])(ann)
            guard case .voltageScaler(let scaler) = snn.node(named: "snn tailor.0.2")?.operator else {
                Issue.record("no scaler")
                continue
            }
            #expect(scaler.scales.allSatisfy { $0 <= 1 })
        }
    }
}
