public import SpikeCost
public import SpikeAnalysis

/// What an evaluation found. Its JSON is stable: other programs read it. What it did not have from the beginning may be absent.
public struct EvaluationResult: Codable, Sendable, Equatable {
    /// The source network on the same samples.
    public struct ANN: Codable, Sendable, Equatable {
        /// The share of predictions that are the label's.
        public var accuracy: Double?
        /// Of a regression: its distance from the targets.
        public var error: RegressionError?

        package init(accuracy: Double? = nil, error: RegressionError? = nil) {
            self.accuracy = accuracy
            self.error = error
        }
    }

    /// The spiking network after a number of time steps.
    public struct Step: Codable, Sendable, Equatable {
        /// The number of time steps.
        public var steps: Int
        /// The share of predictions that are the label's.
        public var accuracy: Double?
        /// The share of predictions that are the same of the two networks; with the ANN only.
        public var agreement: Double?
        /// Of a regression: its distance from the targets, and the root mean square of its distance from the ANN.
        public var error: RegressionError?
        /// The root mean square of a regression's distance from the ANN.
        public var deviation: Double?
        /// The 95 % interval of the accuracy, or of the agreement where there are no labels (Wilson's; where a sample has many places,
        /// it holds the normal one of the samples' shares too); of a regression that of the root mean square error.
        public var confidence95: ClosedRange<Double>
        /// Total spikes / number of neurons, mean over samples, over all steps so far.
        public var spikesPerNeuron: Double
        /// Synaptic operations of one sample, mean, over all steps so far (see ``SynapseCounter``).
        public var synapticOperations: Double
        /// Joules of one inference's arithmetic, of both networks.
        public var energy: Energy
    }

    /// One layer of neurons, at the largest number of steps.
    public struct Layer: Codable, Sendable, Equatable {
        /// The neurons' node.
        public var name: String
        /// What people call it: by the names of the ANN's modules (``Site``).
        public var label: String?
        /// The neurons of one sample.
        public var neurons: Int
        /// The activation that one spike stands for: least and largest of the channels'.
        public var threshold: ClosedRange<Float>
        /// Spikes of a neuron over the whole inference, mean over neurons and samples.
        public var spikesPerNeuron: Double
        /// Where the layer's difference from the ANN comes from, if that was asked for (``ErrorDecomposition``).
        public var error: LayerError?
    }

    /// The shares after each step from the first on, under the streaming schedule.
    public struct Curve: Codable, Sendable, Equatable {
        /// The shares of correct predictions; with labels only.
        public var accuracy: [Double]?
        /// The shares of predictions that are the ANN's; with the ANN only.
        public var agreement: [Double]?
    }

    /// How long the engine takes, as measured on the way. Not part of what a run repeats.
    public struct Timing: Codable, Sendable, Equatable {
        /// One sample by itself on one thread, the median of `runs` runs.
        public var secondsOfOneSample: Double
        /// The number of time steps.
        public var steps: Int
        /// How many runs were timed.
        public var runs: Int
        /// All samples in their batches, by each thread.
        public var samplesPerSecondAndThread: Double
    }

    /// Samples that stop as soon as the network is sure (``SpikeEvaluation/EarlyExit``).
    public struct EarlyExit: Codable, Sendable, Equatable {
        /// The probability at which a sample stops.
        public var confidence: Float
        /// The steps that were needed, mean over samples.
        public var averageSteps: Double
        /// The share of correct predictions; `nil` without labels.
        public var accuracy: Double?
        /// The share of predictions that are the ANN's; `nil` without an ANN.
        public var agreement: Double?
        /// The steps after which every sample stops.
        public var steps: Int
        /// The same samples after all steps.
        public var accuracyOfAllSteps: Double?
        /// The share of predictions that are those after all steps.
        public var agreementOfAllSteps: Double?
        /// The samples measured.
        public var samples: Int
        /// Where the confidence was chosen: the share of predictions that it may lose, the samples it was chosen on (others than those
        /// measured), and what it loses on them.
        public var allowedLoss: Double?
        /// The samples that the confidence was chosen on; `nil` where it was given.
        public var choosingSamples: Int?
        /// The accuracy that it was allowed to lose there, as a fraction.
        public var choosingLoss: Double?
    }

    /// The network's name.
    public var network: String
    /// The recipe's name.
    public var recipe: String
    /// How many samples were measured.
    public var samples: Int
    /// Of time-varying samples, which have an input of their own in each step: how many of these inputs the ANN was shown the mean of.
    public var frames: Int?
    /// The ANN on the same samples.
    public var ann: ANN?
    /// The first samples, on which spikes and synaptic operations were counted.
    public var countedSamples: Int
    /// What is judged (``OutputTask``); absent for the largest of the class scores.
    public var judgedBy: String?
    /// A row for each number of steps, in rising order.
    public var steps: [Step]
    /// The layers of neurons, in the network's order.
    public var layers: [Layer]
    /// At the largest number of steps: for each class of the labels, how often each class was the prediction. With labels of up to 100
    /// classes.
    public var confusion: [[Int]]?
    /// The ANN's.
    public var annConfusion: [[Int]]?
    /// What one inference takes: operations, membrane updates, memory; and what that costs by published models.
    public var counts: OperationCounts?
    /// What that costs by published models.
    public var energies: [EnergyEstimate]?
    /// Accuracy and agreement after each step.
    public var curve: Curve?
    /// The fewest steps for each of some losses against the ANN; with the ANN and labels.
    public var stepsToANN: [StepsToANN]?
    /// How long the engine takes.
    public var timing: Timing?
    /// What single neurons do on the first samples, if that was asked for (a report draws it).
    public var activity: ActivityTrace?
    /// If it was asked for.
    public var earlyExit: EarlyExit?
    /// The engine's numbers: `float32`, `int8`, or `reference` for the reference executor.
    public var precision: String
    /// Of int8: the layers that ran in float32 all the same.
    public var floatLayers: [FloatLayer]?
    /// Of int8: how many currents and membranes, over all samples and steps, met the bounds of its whole numbers.
    public var saturations: Int?
    /// Of int8: whether it says what float32 says.
    public var precisionCheck: PrecisionCheck?
    /// How long the measurement took, in seconds.
    public var seconds: Double
    /// What the conversion and the measurement have to say to people.
    public var warnings: [String]
    /// What the run was given, by name: digests of the network and of the data, options. Runs that differ in it cannot be joined.
    public var settings: [String: String]?
    /// A run that was broken off: where it can go on. The numbers are those of the samples so far.
    public var partial: EvaluationCheckpoint?
}

/// The 95 % confidence interval of a proportion.
///
/// Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
package func wilsonInterval(successes: Int, trials: Int) -> ClosedRange<Double> {
    guard trials > 0 else { return 0...1 }
    let z = 1.959963984540054
    let n = Double(trials)
    let p = Double(successes) / n
    let centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    let spread = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
    return max(0, centre - spread)...min(1, centre + spread)
}
