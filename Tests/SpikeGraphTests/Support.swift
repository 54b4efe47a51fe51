import SpikeGraph
import Testing

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
