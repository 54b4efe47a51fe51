/// How a spiking network was made and is to be run.
public struct SpikingDescription: Sendable, Hashable, Codable {
    /// When a layer passes its spikes on.
    public enum Schedule: String, Sendable, Hashable, Codable, CaseIterable {
        /// Every layer advances in every step.
        case streaming
        /// A layer emits after it has received all steps of its input.
        case layerSynchronous = "layer-synchronous"
    }

    /// The recipe's name.
    public var recipe: String
    /// When a layer passes its spikes on.
    public var schedule: Schedule
    /// What spikes say.
    public var code: SpikeCode
    /// The steps that pass before the output begins to be accumulated: until then it is what input that has not arrived yet
    /// makes of it. `nil`: none. For rate codes under the streaming schedule.
    public var readoutDelay: Int?
    /// The recipe's options and the calibration's facts, for people.
    public var facts: [String: String]
    /// What the user should know: dead layers, approximations.
    public var warnings: [String]

    /// How a network is to be run.
    public init(
        recipe: String, schedule: Schedule = .streaming, code: SpikeCode = .rate(), facts: [String: String] = [:], warnings: [String] = []
    ) {
        self.recipe = recipe
        self.schedule = schedule
        self.code = code
        self.facts = facts
        self.warnings = warnings
    }

    /// The number of steps the thresholds were chosen for, where the recipe has one; K of a radix code.
    public var steps: Int? { code.steps }

    /// What an output is divided by that was accumulated over `steps` steps. Before the readout has begun these are all of them: an
    /// early prediction is better than none.
    public func divisor(after steps: Int) -> Float {
        let delay = readoutDelay ?? 0
        return code.divisor(after: steps > delay ? steps - delay : steps)
    }

    /// Throws where neurons do not work under the schedule, or do not send the code.
    package func check(_ neurons: NeuronNode, of node: String) throws {
        let kind = type(of: neurons.neuron)
        guard kind.schedules.contains(schedule) else {
            throw SpikeletError(.invalidModel, "node '\(node)': \(kind.kind) does not work under the \(schedule.rawValue) schedule")
        }
        if let digits = neurons.digits {
            guard code.kind == .radix, code.base == 2, digits <= code.steps ?? digits else {
                let steps = code.steps.map { " of \($0) steps" } ?? ""
                throw SpikeletError(
                    .invalidModel,
                    "node '\(node)': \(neurons.neuron.summary), in a network of a \(code.kind.rawValue) code of base \(code.base)\(steps)",
                    remedy: "binary digits need a radix code of base 2, and a step each")
            }
        }
        let latency = neurons.neuron as? LatencyNeuron
        guard code.kind == .latency || latency != nil else { return }
        guard code.kind == .latency, let latency, latency.steps == code.steps, latency.base == code.base else {
            throw SpikeletError(
                .invalidModel, "node '\(node)': \(neurons.neuron.summary), in a network of a \(code.kind.rawValue) code",
                remedy: "all neurons of a latency code have its steps and base, and no other network has such neurons")
        }
    }

    /// Throws where a number is outside its range, or two do not go together.
    public func validate() throws {
        try code.validate()
        guard let readoutDelay else { return }
        guard (0...SpikeCode.mostSteps).contains(readoutDelay) else {
            throw SpikeletError(
                .invalidModel, "a readout delay of \(readoutDelay) steps", remedy: "it is 0 or more, and less than the steps")
        }
        guard schedule == .streaming, code.kind == .rate else {
            throw SpikeletError(
                .invalidModel, "a readout delay under the \(schedule.rawValue) schedule, where no step comes too early",
                remedy: "use it with streaming recipes")
        }
    }
}

extension SpikingDescription {
    private enum CodingKeys: String, CodingKey { case recipe, schedule, code, steps, base, readoutDelay, facts, warnings }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let steps = try container.decodeIfPresent(Int.self, forKey: .steps)
        switch try container.decode(SpikeCode.Kind.self, forKey: .code) {
        case .rate: code = .rate(steps: steps)
        case .radix: code = .radix(digits: steps, base: try container.decodeIfPresent(Int.self, forKey: .base) ?? 2)
        case .latency: code = .latency(steps: steps ?? 0, base: try container.decode(Float.self, forKey: .base))
        }
        recipe = try container.decode(String.self, forKey: .recipe)
        schedule = try container.decode(Schedule.self, forKey: .schedule)
        readoutDelay = try container.decodeIfPresent(Int.self, forKey: .readoutDelay)
        facts = try container.decode([String: String].self, forKey: .facts)
        warnings = try container.decode([String].self, forKey: .warnings)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(recipe, forKey: .recipe)
        try container.encode(schedule, forKey: .schedule)
        try container.encode(code.kind, forKey: .code)
        try container.encodeIfPresent(code.steps, forKey: .steps)
        // Binary digits are what every file of radix codes has meant.
        switch code.kind {
        case .rate: break
        case .radix: if code.base != 2 { try container.encode(Int(code.base), forKey: .base) }
        case .latency: try container.encode(code.base, forKey: .base)
        }
        try container.encodeIfPresent(readoutDelay, forKey: .readoutDelay)
        try container.encode(facts, forKey: .facts)
        try container.encode(warnings, forKey: .warnings)
    }
}
