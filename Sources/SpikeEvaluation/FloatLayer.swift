import SpikeRuntime

/// A layer of neurons that runs in float32 although int8 was asked for.
public struct FloatLayer: Codable, Sendable, Equatable {
    /// The neurons' node.
    public var name: String
    /// Why 8 bits cannot say it.
    public var reason: String

    package init(name: String, reason: String) {
        self.name = name
        self.reason = reason
    }

    /// Those of a program; `nil` of float32.
    static func all(_ program: Program?) -> [Self]? {
        program.flatMap { $0.precision == .int8 ? $0.floatStages.map { Self(name: $0.node, reason: $0.reason) } : nil }
    }

    static func notes(_ layers: [Self]?, saturations: Int?) -> [String] {
        var notes: [String] = []
        if let saturations, saturations > 0 {
            notes.append("\(saturations) currents or membranes met the bounds of int8's whole numbers; float32 has none")
        }
        return notes + (layers ?? []).map { "float32 in spite of int8: \($0.name) (\($0.reason))" }
    }
}

extension EvaluationResult {
    /// What int8 did not do in whole numbers of its own, in sentences; none of other precisions.
    package var int8Notes: [String] {
        let titles = Dictionary(layers.map { ($0.name, $0.label ?? $0.name) }, uniquingKeysWith: { first, _ in first })
        return [precisionCheck?.warning].compactMap { $0 }
            + FloatLayer.notes(floatLayers?.map { .init(name: titles[$0.name] ?? $0.name, reason: $0.reason) }, saturations: saturations)
    }
}
