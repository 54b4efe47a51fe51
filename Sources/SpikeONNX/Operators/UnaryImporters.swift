#if canImport(Darwin)
internal import Darwin
#else
internal import Glibc
#endif
internal import SpikeGraph

extension OperatorSpec {
    /// Functions of one number. Rounding stays in the graph; the others are what exporters leave of arithmetic on parameters,
    /// and are folded.
    static let unary: [OperatorSpec] = [
        OperatorSpec("Floor", since: 6, inputs: 1...1) { try $0.emit(.floor(Floor()), [$0.input(0)]) },
        OperatorSpec("Round", since: 11, inputs: 1...1) { try $0.emit(.round(Round()), [$0.input(0)]) },
        folded("Abs", since: 6) { abs($0) },
        folded("Exp", since: 6) { exp($0) },
        folded("Reciprocal", since: 6) { 1 / $0 },
        folded("Sqrt", since: 6) { $0.squareRoot() },
    ]

    private static func folded(_ name: String, since: Int, _ function: @escaping @Sendable (Float) -> Float) -> OperatorSpec {
        OperatorSpec(name, since: since, inputs: 1...1) { node in
            guard let tensor = try node.input(0).tensor, case .float32 = tensor.storage else {
                throw SpikeletError(
                    .unsupported, "it is applied to an activation; only constants are taken",
                    remedy: "train with ReLU or ReLU6 instead: a spiking neuron is a rectifier")
            }
            try node.builder.reserve(Shape(tensor.shape))
            return [node.builder.constant(tensor.map(function))]
        }
    }
}
