extension RecipeSearch {
    /// What a search keeps small, among the networks that keep what is lost under its target.
    public enum Preference: String, Codable, Sendable, CaseIterable {
        /// Steps × spikes per neuron.
        case balance
        /// Steps a layer: T, or digits in the mean over all layers; of as many, the fewest spikes.
        case steps
        /// Spikes of all neurons for one sample; of as many, the fewest steps.
        case spikes
        /// The time that the simulation takes here for one sample. It is measured, so the choice may differ from run to run.
        case time

        /// What is compared, the first number first.
        struct Cost: Comparable {
            var first: Double
            var second = 0.0

            static func < (one: Cost, other: Cost) -> Bool { (one.first, one.second) < (other.first, other.second) }
        }

        /// The cost of a network that was judged.
        func cost(_ trial: RecipeSearchResult.Trial) -> Cost {
            let steps = trial.meanSteps ?? Double(trial.steps)
            return switch self {
            case .balance: Cost(first: steps * trial.spikesPerNeuron, second: steps)
            case .steps: Cost(first: steps, second: trial.spikes)
            case .spikes: Cost(first: trial.spikes, second: steps)
            case .time: Cost(first: trial.simulationSeconds)
            }
        }

        /// A cost as it is expected of a number of steps and of spikes per neuron; of ``time`` in units of steps × spikes per neuron.
        func cost(steps: Double, spikesPerNeuron: Double) -> Cost {
            switch self {
            case .balance, .time: Cost(first: steps * spikesPerNeuron, second: steps)
            case .steps: Cost(first: steps, second: spikesPerNeuron)
            case .spikes: Cost(first: spikesPerNeuron, second: steps)
            }
        }
    }
}
