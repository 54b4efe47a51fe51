/// How a spiking network was made and is to be run.
public struct SpikingDescription: Sendable, Hashable, Codable {
    /// When a layer passes its spikes on.
    public enum Schedule: String, Sendable, Hashable, Codable {
        /// Every layer advances in every step.
        case streaming
        /// A layer emits after it has received all steps of its input.
        case layerSynchronous = "layer-synchronous"
    }

    /// What a spike stands for.
    public enum Code: String, Sendable, Hashable, Codable {
        /// Every spike stands for θ / T: activations are counts.
        case rate
        /// A spike in step k of K stands for θ · 2^(K−k) / (2^K − 1): activations are binary numbers (``RadixNode``).
        case radix
    }

    /// The recipe's name.
    public var recipe: String
    /// When a layer passes its spikes on.
    public var schedule: Schedule
    /// What a spike stands for.
    public var code: Code
    /// The number of steps the thresholds were chosen for, where the recipe has one; K of a radix code.
    public var steps: Int?
    /// The steps that pass before the output begins to be accumulated: until then it is what input that has not arrived yet
    /// makes of it. `nil`: none. For rate codes under the streaming schedule.
    public var readoutDelay: Int?
    /// The recipe's options and the calibration's facts, for people.
    public var facts: [String: String]
    /// What the user should know: dead layers, approximations.
    public var warnings: [String]

    /// How a network is to be run.
    public init(
        recipe: String, schedule: Schedule = .streaming, code: Code = .rate, steps: Int? = nil, facts: [String: String] = [:],
        warnings: [String] = []
    ) {
        self.recipe = recipe
        self.schedule = schedule
        self.code = code
        self.steps = steps
        self.facts = facts
        self.warnings = warnings
    }

    /// The number of steps that an output is the sum of, after `steps` steps. Before the readout has begun it is all of them: an
    /// early answer is better than none.
    public func accumulatedSteps(after steps: Int) -> Int {
        let delay = readoutDelay ?? 0
        return steps > delay ? steps - delay : steps
    }

    /// Throws where a number is outside its range, or two do not go together.
    public func validate() throws {
        if let steps, !(1...1 << 20).contains(steps) {
            throw SpikeletError(.invalidModel, "\(steps) time steps", remedy: "a simulation has from 1 to \(1 << 20) steps")
        }
        guard let readoutDelay else { return }
        guard (0...1 << 20).contains(readoutDelay) else {
            throw SpikeletError(
                .invalidModel, "a readout delay of \(readoutDelay) steps", remedy: "it is 0 or more, and less than the steps")
        }
        guard schedule == .streaming, code == .rate else {
            throw SpikeletError(
                .invalidModel, "a readout delay under the \(schedule.rawValue) schedule, where no step comes too early",
                remedy: "use it with streaming recipes")
        }
    }
}
