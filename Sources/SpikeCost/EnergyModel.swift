/// A published model of what operations cost, and what one inference costs by it: a range, from what is favourable to what is
/// not, since the devices differ more than any one number says.
public struct EnergyModel: Sendable {
    /// The model's name.
    public var name: String
    /// Where its constants come from.
    public var source: String
    /// What the numbers assume, in words.
    public var assumptions: String
    /// The range of an ANN's and of a spiking network's inference, joules; `nil` where the model has no price for one.
    let ann: (@Sendable (Workload) -> ClosedRange<Double>)?
    let snn: (@Sendable (Workload) -> ClosedRange<Double>)?

    /// One inference in numbers, means over samples.
    struct Workload: Sendable {
        /// The ANN's multiply–accumulates, all and those whose activation is not zero.
        var dense: Double
        var effective: Double
        /// The spiking network's: multiply–accumulates on the input; operations on 0 and 1; operations on graded values.
        var input: Double
        package var accumulates: Double
        /// Those among the accumulates that the events of a time-varying input cause: they do not depend on spikes.
        var events: Double
        var graded: Double
        var neurons: Double
        var weights: Double
        /// The steps in which neurons send, of all neurons, and in which spikes reach weights, of all weights.
        var neuronSteps: Double
        var weightSteps: Double
        /// How often a device that keeps no current does what `input` counts: in every step; of a time-varying input they are counted in
        /// all steps.
        var inputPasses: Double
        /// The values above zero that an activation can have: T, or 2^K − 1 of a radix code.
        var levels: Double

        var operations: Double { accumulates + graded }

        /// The same with another number of spikes.
        func scaled(_ factor: Double) -> Workload {
            var copy = self
            copy.accumulates = events + (accumulates - events) * factor
            copy.graded *= factor
            return copy
        }
    }

    /// What a result takes by this model, at each number of steps.
    ///
    /// - Parameter levels: the values above zero that an activation can have after so many steps.
    package func estimate(_ counts: OperationCounts, levels: (Int) -> Int) -> EnergyEstimate {
        // The dense count is the spiking network's; an ANN of another architecture may do more.
        let dense = max(Double(counts.ann.multiplyAccumulates), counts.ann.effectiveMultiplyAccumulates ?? 0)
        let neurons = counts.neurons.reduce(0) { $0 + $1.neurons }
        let rows = counts.steps.map { step -> EnergyEstimate.Step in
            let workload = Workload(
                dense: dense, effective: counts.ann.effectiveMultiplyAccumulates ?? dense,
                input: step.input?.multiplyAccumulates ?? Double(counts.inputMultiplyAccumulates),
                accumulates: step.accumulates + (step.input?.accumulates ?? 0), events: step.input?.accumulates ?? 0,
                graded: step.multiplyAccumulates, neurons: Double(neurons), weights: Double(counts.footprint.parameters),
                neuronSteps: Double(counts.neuronSteps ?? neurons * step.steps),
                weightSteps: Double(counts.parameterSteps ?? counts.footprint.parameters * step.steps),
                inputPasses: step.input == nil ? Double(step.steps) : 1,
                levels: Double(levels(step.steps)))
            var row = EnergyEstimate.Step(steps: step.steps)
            let (ann, snn) = (ann?(workload), snn?(workload))
            row.ann = ann.map { [$0.lowerBound, $0.upperBound] }
            row.snn = snn.map { [$0.lowerBound, $0.upperBound] }
            if let ann, let snn, ann.lowerBound > 0, let fixed = self.snn?(workload.scaled(0)) {
                row.ratio = [snn.lowerBound / ann.upperBound, snn.upperBound / ann.lowerBound]
                // Costs grow with the spikes from what stays without them.
                func breakEven(_ ann: Double, _ fixed: Double, _ snn: Double) -> Double? {
                    guard snn > fixed, neurons > 0 else { return nil }
                    return max(0, (ann - fixed) / (snn - fixed)) * step.spikes / Double(neurons)
                }
                if let least = breakEven(ann.lowerBound, fixed.upperBound, snn.upperBound),
                    let most = breakEven(ann.upperBound, fixed.lowerBound, snn.lowerBound)
                {
                    row.breakEvenSpikesPerNeuron = [least, most]
                }
            }
            return row
        }
        return EnergyEstimate(model: name, source: source, assumptions: assumptions, steps: rows)
    }
}

/// What one inference costs by one model.
public struct EnergyEstimate: Codable, Sendable, Equatable {
    /// One inference after a number of time steps.
    public struct Step: Codable, Sendable, Equatable {
        /// The number of time steps.
        public var steps: Int
        /// The least and the most of one inference, joules; absent where the model has no price for it.
        public var ann: [Double]?
        /// Of the spiking network, in the same way.
        public var snn: [Double]?
        /// SNN / ANN: the least over the most, and the most over the least.
        public var ratio: [Double]?
        /// The spikes per neuron, over all steps, below which the spiking network takes less than the ANN: surely less, and
        /// possibly less.
        public var breakEvenSpikesPerNeuron: [Double]?

        init(steps: Int) { self.steps = steps }
    }

    /// The model's name.
    public var model: String
    /// Where its constants come from.
    public var source: String
    /// What the numbers assume, in words.
    public var assumptions: String
    /// One for each number of steps, in rising order.
    public var steps: [Step]
}
