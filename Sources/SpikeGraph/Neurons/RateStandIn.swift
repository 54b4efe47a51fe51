/// Integrate-and-fire neurons with a rate code that stand in for a rule where nothing else is understood, as most readers of NIR do.
public struct RateStandIn: Sendable {
    /// What runs the neurons.
    public struct Reader: Sendable {
        /// Whether a spike sets its membranes to 0; else it takes θ.
        public var resetsToZero: Bool
        /// Whether its neurons send ⌊v/θ⌋ spikes a step; else one.
        public var sendsSeveral: Bool
        /// T.
        public var steps: Int

        /// A reader that is given T steps.
        public init(resetsToZero: Bool, sendsSeveral: Bool, steps: Int) {
            self.resetsToZero = resetsToZero
            self.sendsSeveral = sendsSeveral
            self.steps = steps
        }
    }

    /// Neurons that say one sign of the value.
    public struct Side: Sendable {
        /// −1 for neurons that count what is below zero.
        public var sign: Float
        /// The current that makes one spike a step.
        public var threshold: Float
        /// What a spike stands for, in the unit of the rule's own spikes.
        public var gain: Float
        /// v₀.
        public var membrane: Float
        /// The most spikes a step.
        public var most: Float

        /// Neurons of one threshold.
        public init(sign: Float = 1, threshold: Float, gain: Float = 1, membrane: Float = 0, most: Float = 1) {
            self.sign = sign
            self.threshold = threshold
            self.gain = gain
            self.membrane = membrane
            self.most = most
        }
    }

    /// The neurons, whose sums are the rule's.
    public var sides: [Side]
    /// What is lost, and what comes instead.
    public var changes: [(subject: String, replacement: String)]
    /// The reader's neurons do the same as the rule, if their threshold is.
    public var isReaders: Bool

    /// Neurons that stand in for a rule.
    public init(_ sides: [Side], changes: [(subject: String, replacement: String)] = [], isReaders: Bool = false) {
        self.sides = sides
        self.changes = changes
        self.isReaders = isReaders
    }
}
