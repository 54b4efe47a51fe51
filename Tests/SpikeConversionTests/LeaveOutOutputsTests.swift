import SpikeConversion
import SpikeGraph
import TestSupport
import Testing

/// Outputs of whole numbers or truth values that only pass through.
@Suite struct LeaveOutOutputsTests {
    /// Tokens → embedding → mean → linear → activation → linear; beside the scores the tokens, whether they are padding, and the best class.
    private func network(_ activation: Operator, showing outputs: [String]) throws -> Graph {
        var random = Random(3)
        return try Graph(
            name: "tokens", inputs: [.init("ids", ValueType(.int64, [.batch, 4]))], outputs: outputs.map { .init($0, value: $0) },
            nodes: [
                Node("passed", .identity(Identity()), inputs: ["ids"]),
                Node("padding", .binary(Binary(.equal)), inputs: ["ids", "zero"]),
                Node("embedded", .gather(Gather(axis: 0)), inputs: ["table", "ids"]),
                Node("mean", .reduceMean(ReduceMean(axes: [1], keepsDimensions: false)), inputs: ["embedded"]),
                Node("hidden", .matMul(MatMul()), inputs: ["mean", "w"]), Node("activation", activation, inputs: ["hidden"]),
                Node("scores", .matMul(MatMul()), inputs: ["activation", "v"]),
                Node("best", .argExtremum(ArgExtremum(axis: 1)), inputs: ["scores"]),
            ],
            constants: [
                "table": random.tensor([9, 6]), "w": random.tensor([6, 8]), "v": random.tensor([8, 3]),
                "zero": Tensor([Int64(0)], shape: []),
            ])
    }

    private let ids = Tensor((0..<64).map { Int64($0 * 5 % 9) }, shape: [16, 4])

    @Test func `they are left out with a warning that names them, whatever the recipe`() throws {
        let quantizer = Operator.quantizer(try Quantizer(step: 0.25, levels: 7, rounding: .halfUp))
        let data = [Batch(ids)]
        let conversions: [(Operator, (Graph) throws -> Graph)] = [
            (.relu(Relu()), { try RecipeConverter(Recipe.calibrated.options(8), calibration: data)($0) }),
            (.relu(Relu()), { try RecipeConverter(Recipe.radix.options(8), calibration: data)($0) }),
            (.unary(Unary(.gelu, parameters: [0])), { try RecipeConverter(Recipe.radix.options(8), calibration: data)($0) }),
            (.relu(Relu()), { try Converter(dataloader: data)($0) }), (quantizer, { try QuantizedConverter()($0) }),
        ]
        for (activation, convert) in conversions {
            let ann = try network(activation, showing: ["passed", "padding", "scores", "best", "ids"])
            let snn = try convert(ann)
            #expect(snn.outputs.map(\.name) == ["scores", "best"])
            let warning = try #require(snn.spiking?.warnings.first { $0.contains("left out") })
            #expect(warning.hasPrefix("outputs 'passed', 'padding', 'ids' are left out"))
            #expect(snn.node(named: "padding") == nil && snn.constants["zero"] == nil)
            // Nothing else has changed.
            let plain = try convert(network(activation, showing: ["scores", "best"]))
            #expect(
                plain.nodes.filter { !["passed", "padding"].contains($0.name) } == snn.nodes
                    && plain.spiking?.warnings == snn.spiking?.warnings.filter { $0 != warning })
        }
        let one = try RecipeConverter(Recipe.calibrated.options(8), calibration: data)(
            network(.relu(Relu()), showing: ["scores", "passed"]))
        #expect(one.spiking?.warnings.contains { $0.hasPrefix("output 'passed' is left out") } == true)
    }

    @Test func `a network that shows nothing else is refused`() throws {
        let ann = try network(.relu(Relu()), showing: ["passed", "padding"])
        let error = try #require(throws: SpikeletError.self) {
            _ = try RecipeConverter(Recipe.calibrated.options(8), calibration: [Batch(ids)])(ann)
        }
        #expect("\(error)".contains("'passed', 'padding' hold whole numbers") && error.remedy?.contains("scores") == true)
    }
}
