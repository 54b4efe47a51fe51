internal import SpikeGraph

extension OperatorSpec {
    /// Functions of one number.
    static let unary: [OperatorSpec] =
        [
            OperatorSpec("Floor", since: 6, inputs: 1...1) { try $0.emit(.floor(Floor()), [$0.input(0)]) },
            OperatorSpec("Round", since: 11, inputs: 1...1) { try $0.emit(.round(Round()), [$0.input(0)]) },
            OperatorSpec("Gelu", since: 20, inputs: 1...1, attributes: [.string("approximate", "none")]) { node in
                let approximation = node.string("approximate") ?? "none"
                guard approximation == "none" || approximation == "tanh" else {
                    throw SpikeletError(.invalidModel, "approximate is '\(approximation)'; none and tanh exist")
                }
                return try node.emit(.unary(Unary(.gelu, parameters: [approximation == "tanh" ? 1 : 0])), [node.input(0)])
            },
            OperatorSpec(
                "IsInf", since: 10, inputs: 1...1, attributes: [.int("detect_positive", 1), .int("detect_negative", 1)]
            ) { node in
                let parameters: [Float] = [node.flag("detect_positive") ? 1 : 0, node.flag("detect_negative") ? 1 : 0]
                return try node.emit(.unary(Unary(.isInf, parameters: parameters)), [node.input(0)])
            },
            OperatorSpec("LeakyRelu", since: 6, inputs: 1...1, attributes: [.float("alpha", 0.01)]) { node in
                try activation(node, Unary(.leakyRelu, parameters: [node.float("alpha") ?? 0.01]))
            },
            OperatorSpec("ThresholdedRelu", since: 10, inputs: 1...1, attributes: [.float("alpha", 1)]) { node in
                try activation(node, Unary(.thresholdedRelu, parameters: [node.float("alpha") ?? 1]))
            },
            OperatorSpec("PRelu", since: 6, inputs: 2...2) { node in
                // Opset 6 has one slope a channel, without axes behind it.
                let slope = try node.input(1)
                guard let shape = slope.type?.shape, shape.rank == 1, shape[0] != 1, try node.type(0).shape.rank > 2 else {
                    return try parametricRelu(node, slope)
                }
                let sizes = [Reshape.Size(shape[0])] + (2..<(try node.type(0).shape.rank)).map { _ in Reshape.Size(1) }
                return try parametricRelu(node, try node.builder.emit(.reshape(Reshape(sizes: sizes)), [slope], source: node.index))
            },
            OperatorSpec("PRelu", since: 7, inputs: 2...2) { try parametricRelu($0, try $0.input(1)) },
            function("Celu", .celu, since: 12, [("alpha", 1)]), function("Elu", .elu, since: 6, [("alpha", 1)]),
            function("HardSigmoid", .hardSigmoid, since: 6, [("alpha", 0.2), ("beta", 0.5)]),
            function("Selu", .selu, since: 6, [("alpha", 1.673_263_2), ("gamma", 1.050_701)]),
            function("Shrink", .shrink, since: 9, [("lambd", 0.5), ("bias", 0)]),
            function("Swish", .swish, since: 24, [("alpha", 1)]),
        ] + plain.map { function($0.name, $0.function, since: $0.since, []) }

    /// Those without attributes.
    private static let plain: [(name: String, function: Unary.Function, since: Int)] = [
        ("Abs", .abs, 6), ("Acos", .acos, 7), ("Acosh", .acosh, 9), ("Asin", .asin, 7), ("Asinh", .asinh, 9), ("Atan", .atan, 7),
        ("Atanh", .atanh, 9), ("Ceil", .ceil, 6), ("Cos", .cos, 7), ("Cosh", .cosh, 9), ("Erf", .erf, 9), ("Exp", .exp, 6),
        ("HardSwish", .hardSwish, 14), ("IsNaN", .isNaN, 9), ("Log", .log, 6), ("Mish", .mish, 18), ("Not", .not, 1),
        ("Reciprocal", .reciprocal, 6), ("Sign", .sign, 9), ("Sin", .sin, 7), ("Sinh", .sinh, 9), ("Softplus", .softplus, 1),
        ("Softsign", .softsign, 1), ("Sqrt", .sqrt, 6), ("Tan", .tan, 7), ("Tanh", .tanh, 6),
    ]

    /// - Parameter attributes: names and defaults of the function's parameters.
    private static func function(
        _ name: String, _ function: Unary.Function, since: Int, _ attributes: [(name: String, fallback: Float)]
    ) -> OperatorSpec {
        OperatorSpec(name, since: since, inputs: 1...1, attributes: attributes.map { .float($0.name, $0.fallback) }) { node in
            let parameters = attributes.map { node.float($0.name) ?? $0.fallback }
            return try node.emit(.unary(Unary(function, parameters: parameters)), [node.input(0)])
        }
    }

    /// With the parameter 0 these are ReLUs.
    private static func activation(_ node: NodeContext, _ unary: Unary) throws -> [Value] {
        try node.emit(unary.parameters == [0] ? .relu(Relu()) : .unary(unary), [node.input(0)])
    }

    private static func parametricRelu(_ node: NodeContext, _ slope: Value) throws -> [Value] {
        let value = try node.input(0)
        if let tensor = slope.tensor, case .float32(let slopes) = tensor.storage, slopes.allSatisfy({ $0 == 0 }) {
            return try node.emit(.relu(Relu()), [value])
        }
        let result = try node.emit(.binary(Binary(.parametricRelu)), [value, slope])
        guard result[0].type == value.type else {
            throw SpikeletError(.invalidModel, "a slope of \(slope.type.map { "\($0)" } ?? "no") type for \(try node.type(0))")
        }
        return result
    }
}
