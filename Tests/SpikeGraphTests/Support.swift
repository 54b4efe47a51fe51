import SpikeGraph
import Testing

/// A small generator with a fixed seed (SplitMix64), so that a failure can be seen again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Expects a ``SpikeletError`` of this code whose text has all the parts.
func expectError(
    _ code: SpikeletError.Code? = nil, _ parts: String..., at location: SourceLocation = #_sourceLocation, from body: () throws -> Void
) {
    do {
        try body()
        Issue.record("no error was thrown", sourceLocation: location)
    } catch let error as SpikeletError {
        if let code { #expect(error.code == code, "\(error)", sourceLocation: location) }
        for part in parts {
            #expect(error.description.contains(part), "'\(part)' is not in: \(error)", sourceLocation: location)
        }
    } catch {
        Issue.record("another error than SpikeletError: \(error)", sourceLocation: location)
    }
}

/// float32 of this shape.
func float(_ shape: Shape) -> ValueType { ValueType(.float32, shape) }

/// What an operator's shape rule says; constants are given as tensors.
func outputShape(_ operator: SpikeGraph.Operator, _ inputs: [Shape]) throws -> Shape {
    try `operator`.payload.outputTypes(inputs.map(float), constants: inputs.map { _ in nil })[0].shape
}

/// A graph of one input `x` and nodes in a row, each named after its operator's position: `n0`, `n1`, ….
func chain(_ input: Shape, _ operators: [SpikeGraph.Operator], spiking: Bool = false) throws -> Graph {
    let nodes = operators.enumerated().map { Node("n\($0)", $1, inputs: [$0 == 0 ? "x" : "n\($0 - 1)"]) }
    return try Graph(
        name: "chain", inputs: [Graph.Input("x", float(input))],
        outputs: [Graph.Output("y", value: nodes.last?.name ?? "x")], nodes: nodes, constants: [:],
        spiking: spiking ? SpikingDescription(recipe: "test") : nil)
}
