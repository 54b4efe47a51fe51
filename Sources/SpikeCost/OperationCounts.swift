package import SpikeGraph

/// What one inference takes, counted on spikes: means over the counted samples.
///
/// Operations are NeuroBench's (``SynapseCounter``). A layer that reads spikes, folded to 0 and 1, accumulates; NeuroBench would
/// class as multiply–accumulates what a layer does in a step in which it reads anything else: average-pooled spikes, sums of
/// branches, several spikes at once. On hardware that sends such values spike by spike they are accumulates too.
public struct OperationCounts: Codable, Sendable, Equatable {
    /// A layer with weights.
    public struct Layer: Codable, Sendable, Equatable {
        /// The layer's node.
        public var name: String
        /// Whether it reads spikes. A layer that does not reads the input: it works once, since a constant input gives the same
        /// current in every step; on time-varying input in every step.
        public var readsSpikes: Bool
        /// Multiply–accumulates of one dense pass.
        public var dense: Int
        /// In each step of the longest run: operations on 0 and 1, and on graded values. Of a layer that reads an input that stays the
        /// same, one number.
        public var accumulates: [Double]
        /// In the same steps, operations on graded values.
        public var multiplyAccumulates: [Double]
        /// The ANN's operations in it, zero activations skipped; with the ANN only.
        public var ann: Double?
    }

    /// A layer of neurons.
    public struct Neurons: Codable, Sendable, Equatable {
        /// The neurons' node.
        public var name: String
        /// The neurons of one sample.
        public var neurons: Int
        /// In each step of the longest run: spikes (spikes taken back count too), and membranes that changed, of all neurons.
        public var spikes: [Double]
        /// In the same steps, membranes that changed.
        public var membraneUpdates: [Double]
    }

    /// The layers that read a time-varying input, over all steps of a run. A sample's input in a step is classed as NeuroBench classes it:
    /// events, which are 0 and 1 (or −1), are accumulated; of anything else, such as counts above 1, each number is multiplied.
    public struct Input: Codable, Sendable, Equatable {
        /// Operations on events.
        public var accumulates: Double
        /// Operations on other numbers.
        public var multiplyAccumulates: Double

        /// Both together.
        public var operations: Double { accumulates + multiplyAccumulates }
    }

    /// All layers together, over all steps of a run.
    public struct Step: Codable, Sendable, Equatable {
        /// The number of time steps.
        public var steps: Int
        /// Operations of layers that read spikes, on 0 and 1.
        public var accumulates: Double
        /// Operations of layers that read spikes, on graded values. Those of the layers that read the input are not among them.
        public var multiplyAccumulates: Double
        /// Those of the layers that read the input, where it is time-varying.
        public var input: Input?
        /// Spikes of all neurons (spikes taken back count too).
        public var spikes: Double
        /// Membranes that changed from one step to the next; in the first step, all.
        public var membraneUpdates: Double
        /// The share of outputs of neurons, over all steps, that are zero.
        public var activationSparsity: Double

        /// Synaptic operations by NeuroBench's definition. Those on an input that stays the same are not among them: its current is computed
        /// once.
        public var synapticOperations: Double { accumulates + multiplyAccumulates + (input?.operations ?? 0) }
    }

    /// What the network takes up.
    public struct Footprint: Codable, Sendable, Equatable {
        /// Weights and biases.
        public var parameters: Int
        /// Their bytes in float32, and with weights in one byte.
        public var bytes: Int
        /// Their bytes with weights in one byte each.
        public var bytesOfInt8: Int
        /// Membranes in float32.
        public var membraneBytes: Int
        /// The share of weights that are zero.
        public var connectionSparsity: Double
    }

    /// What acts on the accumulated output, once for a sample (``Graph/readoutNodes``).
    public struct Readout: Codable, Sendable, Equatable {
        /// Of products of two matrices that are both computed, of scales and of normalisations.
        public var multiplyAccumulates: Int
        /// Nonlinear functions, such as the exponentials of a softmax: one for each number that they give, or reduce.
        public var functions: Int
    }

    /// The source network on the same terms.
    public struct ANN: Codable, Sendable, Equatable {
        /// Multiply–accumulates of a dense pass.
        public var multiplyAccumulates: Int
        /// Those that are left when zero activations are skipped: an equally sparse ANN. With the ANN only.
        public var effectiveMultiplyAccumulates: Double?
    }

    /// Multiply–accumulates of the layers that read the input: a dense pass, and without the zeros of the input.
    public var inputMultiplyAccumulates: Int
    /// The same without the zeros of the input; of a time-varying one the mean of all steps.
    public var effectiveInputMultiplyAccumulates: Double
    /// One for each number of steps, in rising order.
    public var steps: [Step]
    /// The layers with weights, in the network's order.
    public var layers: [Layer]
    /// The layers of neurons, in the network's order.
    public var neurons: [Neurons]
    /// The synaptic operations of each counted sample over all steps, in the data's order; with those on a time-varying input.
    public var perSample: [Int]
    /// The source network on the same terms.
    public var ann: ANN
    /// What the network takes up.
    public var footprint: Footprint
    /// What acts on the accumulated output; `nil` where nothing does.
    public var readout: Readout?
    /// Functions of whole potentials that neurons evaluate, once for a sample: one for each number that they give, or reduce. They are no
    /// synaptic operations. `nil` where there are none.
    public var functionOperations: Int?
    /// The steps that each layer takes, where layers wait for each other; where they send different numbers of digits, the most.
    public var stepsPerLayer: Int?
    /// The fewest, where they differ; else `nil`.
    public var fewestStepsPerLayer: Int?
    /// The mean over the layers, where they differ; else `nil`.
    public var meanStepsPerLayer: Double?
    /// The steps in which neurons may send, of all neurons; `nil` where these are all steps.
    public var neuronSteps: Int?
    /// The steps in which spikes may reach a weight or bias, of all of them; `nil` where these are all steps.
    public var parameterSteps: Int?
    /// The sum over the layers of neurons on the longest way from the input to an output, with what spikes wait for at products.
    public var stepsEndToEnd: Int?
}

extension OperationCounts {
    /// How many steps a layer takes, for people: `4`, or `2 to 4 (3.0 in the mean)`; `nil` where layers do not wait for each other.
    package var stepsPerLayerText: String? {
        guard let stepsPerLayer else { return nil }
        guard let fewestStepsPerLayer, let meanStepsPerLayer else { return "\(stepsPerLayer)" }
        return "\(fewestStepsPerLayer) to \(stepsPerLayer) (\((meanStepsPerLayer * 10).rounded() / 10) in the mean)"
    }
}

extension OperationCounts.Readout {
    /// What the tail of a spiking network takes for one sample; `nil` where it has none.
    package init?(of snn: Graph) {
        let readout = snn.readoutNodes
        guard !readout.isEmpty else { return nil }
        self.init(snn.nodes.filter { readout.contains($0.name) }, of: snn)
    }

    /// What neurons compute of whole potentials for one sample, before they send anything.
    package init(insideNeuronsOf snn: Graph) {
        let (readout, traces) = (snn.readoutNodes, snn.traces)
        // Potentials begin behind the first weights, be it before the first spikes.
        var potentials: Set<String> = []
        for node in snn.nodes where snn.hasWeights(node) || node.inputs.contains(where: potentials.contains) {
            potentials.formUnion(node.outputs)
        }
        self.init(
            snn.nodes.filter {
                !readout.contains($0.name) && $0.inputs.contains(where: potentials.contains) && traces[$0.name] == nil
                    && [.nonlinear, .activation].contains(snn.linearity(of: $0))
            }, of: snn)
    }

    private init(_ nodes: [Node], of snn: Graph) {
        (multiplyAccumulates, functions) = (0, 0)
        for node in nodes {
            let sizes = (node.inputs + node.outputs).map { snn.sizePerSample(of: $0) ?? 0 }
            let made = sizes.last ?? 0
            switch node.operator {
            case .matMul, .gemm:
                // Each number is a sum over the axis that both matrices share.
                let transposes = if case .gemm(let gemm) = node.operator { gemm.transposeA } else { false }
                let left = snn.countedShape(of: node.inputs[0])?.suffix(2) ?? []
                multiplyAccumulates += made * ((transposes ? left.first : left.last) ?? 1)
            case .batchNormalization, .voltageScaler, .mul: multiplyAccumulates += made
            default:
                // A sum over an axis looks at all of its numbers.
                if snn.linearity(of: node) == .nonlinear { functions += max(made, sizes.dropLast().max() ?? 0) }
            }
        }
    }
}
