import SpikeEvaluation
import SpikeCost
import SpikeGraph
import Testing

@Suite("Operation counts") struct OperationCountTests {
    @Test func `every count is what a person counts`() throws {
        let (snn, ann) = try EvaluatorTests.pair()
        let result = try Evaluator(snn, ann: ann, steps: [1, 2, 4]).run([Batch(EvaluatorTests.inputs, labels: [0, 1, 1])])
        let counts = try #require(result.counts)
        // Spikes of the three samples in each step, 1 + 4 + 2 + 6 of them; each meets one weight that is not zero. The scalers of 1
        // and ½ are folded, so that all are accumulates.
        let spikes: [Double] = [1.0 / 3, 4.0 / 3, 2.0 / 3, 2]
        let last = try #require(counts.layers.last)
        #expect(last.name == "last" && last.readsSpikes && last.dense == 4)
        #expect(last.accumulates == spikes && last.multiplyAccumulates == [0, 0, 0, 0])
        #expect(counts.neurons.map(\.spikes) == [spikes])
        #expect(counts.perSample == [3, 4, 6])
        let sums: [Double] = [1.0 / 3, 5.0 / 3, 13.0 / 3]
        #expect(counts.steps.map(\.accumulates) == sums)
        // The first layer reads the input, once; of its four weights two are zero.
        let first = try #require(counts.layers.first)
        #expect(first.name == "first" && !first.readsSpikes && first.dense == 4)
        #expect(first.multiplyAccumulates == [2] && first.accumulates == [0])
        #expect(counts.inputMultiplyAccumulates == 4 && counts.effectiveInputMultiplyAccumulates == 2)
        // The ANN's activations are all positive.
        #expect(counts.ann.multiplyAccumulates == 8 && counts.ann.effectiveMultiplyAccumulates == 4)
        // One membrane, of the neuron with a current of 1, stays at 0; all others change in every step.
        let (updates, updatesSoFar): ([Double], [Double]) = ([2, 5.0 / 3, 5.0 / 3, 5.0 / 3], [2, 11.0 / 3, 7])
        #expect(counts.neurons.map(\.membraneUpdates) == [updates])
        #expect(counts.steps.map(\.membraneUpdates) == updatesSoFar)
        // Two neurons, so many steps.
        let sparsities = zip(sums, [2.0, 4, 8]).map { spikes, outputs in 1 - spikes / outputs }
        #expect(counts.steps.map(\.activationSparsity) == sparsities)
        let footprint = counts.footprint
        #expect(footprint.parameters == 4 && footprint.bytes == 16 && footprint.bytesOfInt8 == 4)
        #expect(footprint.membraneBytes == 8 && footprint.connectionSparsity == 0.5)
    }

    @Test func `constants among spikes are no operations: a normalisation costs what its weights cost, in the ANN too`() throws {
        /// x → neurons, or a ReLU → normalisation → convolution of 1×3 with padding → mean.
        func graph(_ source: SpikeGraph.Operator, spiking: SpikingDescription?) throws -> Graph {
            try Graph(
                name: "normalised", inputs: [.init("x", ValueType(.float32, [.batch, 2, 1, 3]))], outputs: [.init("y", value: "flat")],
                nodes: [
                    Node("source", source, inputs: ["x"]),
                    Node("bn", .batchNormalization(BatchNormalization()), inputs: ["source", "gamma", "beta", "mean", "variance"]),
                    Node(
                        "conv", .conv(Conv(window: Window(kernel: [1, 3], padsBegin: [0, 1], padsEnd: [0, 1]))), inputs: ["bn", "w", "b"]),
                    Node("mean_pool", .globalAveragePool(GlobalAveragePool()), inputs: ["conv"]),
                    Node("flat", .flatten(Flatten()), inputs: ["mean_pool"]),
                ],
                constants: [
                    "gamma": tensor([0.7, -0.3], [2]), "beta": tensor([0.5, 0.25], [2]), "mean": tensor([0.1, 0], [2]),
                    "variance": tensor([2, 0.5], [2]), "w": Tensor(repeating: 1, shape: [2, 2, 1, 3]), "b": tensor([1, 2], [2]),
                ], spiking: spiking)
        }
        let snn = try graph(.neuron(NeuronNode(IFNode())), spiking: SpikingDescription(recipe: "test"))
        let ann = try graph(.relu(Relu()), spiking: nil)
        let x = tensor([1, 0, 0, 0, 0, 0] + [0, 0, 0, 0, 0, 0] + [0, 1, 0, 0, 0, 1], [3, 2, 1, 3])
        let counts = try #require(Evaluator(snn, ann: ann, steps: [1, 2]).run([Batch(x, labels: [0, 0, 0])]).counts)
        // At the border a spike reaches two places, else three, of two features each.
        #expect(counts.perSample == [2 * 4, 0, 2 * (6 + 4)])
        #expect(counts.layers[0].accumulates == [14.0 / 3, 14.0 / 3] && counts.layers[0].multiplyAccumulates == [0, 0])
        #expect(counts.ann.effectiveMultiplyAccumulates == 14.0 / 3 && counts.ann.multiplyAccumulates == 2 * 2 * 7)
    }

    /// x → neurons → `between` → linear (ones), two features.
    private func graph(_ neuron: any Neuron, _ between: SpikeGraph.Operator) throws -> Graph {
        try Graph(
            name: "graded", inputs: [.init("x", ValueType(.float32, [.batch, 1, 1, 2]))], outputs: [.init("y", value: "linear")],
            nodes: [
                Node("neurons", .neuron(NeuronNode(neuron)), inputs: ["x"]), Node("between", between, inputs: ["neurons"]),
                Node("flat", .flatten(Flatten()), inputs: ["between"]), Node("linear", .gemm(Gemm()), inputs: ["flat", "w"]),
            ],
            constants: ["w": Tensor(repeating: 1, shape: [between.payload.label == "AveragePool" ? 1 : 2, 3])],
            spiking: SpikingDescription(recipe: "test"))
    }

    @Test func `pooled spikes and several at once are multiply–accumulates to NeuroBench`() throws {
        let data = [Batch(tensor([1, 1, 2, 0, 0, 0], [3, 1, 1, 2]), labels: [0, 0, 0])]
        // Two spikes pooled make 1, one makes ½, and none nothing.
        let pool = SpikeGraph.Operator.averagePool(AveragePool(window: Window(kernel: [1, 2], strides: [1, 2])))
        let pooled = try #require(Evaluator(graph(IFNode(), pool), steps: [1]).run(data).counts)
        #expect(pooled.steps[0].accumulates == 1 && pooled.steps[0].multiplyAccumulates == 1)
        // A burst of two.
        let scaler = SpikeGraph.Operator.voltageScaler(VoltageScaler(scale: 0.25))
        let burst = try #require(Evaluator(graph(BurstIFNeuron(maximumBurst: 4), scaler), steps: [1]).run(data).counts)
        #expect(burst.steps[0].accumulates == 2 && burst.steps[0].multiplyAccumulates == 1)
        #expect(burst.perSample == [6, 3, 0])
    }

    @Test func `a layer-synchronous network counts its integration and its emission`() throws {
        var graph = try self.graph(IFNode(), .voltageScaler(VoltageScaler(scale: 1)))
        graph = try Graph(
            name: graph.name, inputs: graph.inputs, outputs: graph.outputs, nodes: graph.nodes, constants: graph.constants,
            spiking: SpikingDescription(recipe: "test", schedule: .layerSynchronous))
        let result = try Evaluator(graph, steps: [2, 4]).run([Batch(tensor([0.5, 0], [1, 1, 1, 2]), labels: [0])])
        let counts = try #require(result.counts)
        // Half a spike a step: the membrane rises in every step, and falls with every spike. The other one is only set up.
        #expect(counts.steps.map(\.spikes) == [1, 2])
        #expect(counts.steps.map(\.membraneUpdates) == [4, 7])
        #expect(counts.steps.map(\.accumulates) == [3, 6])
    }
}

@Suite("Energy models") struct EnergyModelTests {
    @Test func `every model says where its constants come from, what it assumes, and gives a range`() throws {
        let (snn, ann) = try EvaluatorTests.pair()
        let result = try Evaluator(snn, ann: ann, steps: [1, 4]).run([Batch(EvaluatorTests.inputs, labels: [0, 1, 1])])
        let energies = try #require(result.energies)
        #expect(energies.count == EnergyModel.all.count && Set(energies.map(\.model)).count == energies.count)
        for energy in energies {
            #expect(energy.source.contains("20") && energy.assumptions.count > 40, "\(energy.model)")
            for step in energy.steps {
                #expect(step.ann != nil || step.snn != nil)
                for range in [step.ann, step.snn, step.ratio, step.breakEvenSpikesPerNeuron].compactMap({ $0 }) {
                    #expect(range.count == 2 && range[0] <= range[1] && range.allSatisfy { $0.isFinite && $0 >= 0 }, "\(energy.model)")
                }
            }
        }
    }

    @Test func `arithmetic costs what Horowitz's table says`() throws {
        let (snn, ann) = try EvaluatorTests.pair()
        let result = try Evaluator(snn, ann: ann, steps: [1, 4]).run([Batch(EvaluatorTests.inputs, labels: [0, 1, 1])])
        let energy = try #require(result.energies?.first { $0.model.hasPrefix("45 nm float32") }?.steps.last)
        func expect(_ range: [Double]?, _ low: Double, _ high: Double) throws {
            let range = try #require(range)
            #expect(abs(range[0] - low) < 1e-9 * low && abs(range[1] - high) < 1e-9 * high, "\(range)")
        }
        // 4 operations without zeros to 8; 4 on the input and 13/3 accumulates.
        try expect(energy.ann, 4 * 4.6e-12, 8 * 4.6e-12)
        let snnEnergy = 4 * 4.6e-12 + 13.0 / 3 * 0.9e-12
        try expect(energy.snn, snnEnergy, snnEnergy)
        try expect(energy.ratio, snnEnergy / (8 * 4.6e-12), snnEnergy / (4 * 4.6e-12))
        // With so many spikes the accumulates cost as much as the 4 operations that the ANN has beside those on its input.
        let breakEven = try #require(energy.breakEvenSpikesPerNeuron)
        #expect(breakEven[0] == 0 && abs(breakEven[1] - 4 * 4.6 / 0.9 / 2) < 1e-9)
        // The single number of each step is one of the range.
        let step = try #require(result.steps.last)
        #expect(abs(step.energy.snn - snnEnergy) < 1e-18 && abs(step.energy.ann - 8 * 4.6e-12) < 1e-18)
    }

    @Test func `an ANN of equal precision has the bits of the levels`() throws {
        let (snn, ann) = try EvaluatorTests.pair()
        let result = try Evaluator(snn, ann: ann, steps: [1, 3, 4]).run([Batch(EvaluatorTests.inputs, labels: [0, 1, 1])])
        let energy = try #require(result.energies?.first { $0.model.contains("equal precision") })
        // 1, 3 and 4 levels above zero: 1, 2 and 3 bits.
        for (step, bits) in zip(energy.steps, [1.0, 2, 3]) {
            let dense = try #require(step.ann?[1])
            #expect(abs(dense - 8 * (0.2 * bits / 8 + 0.1) * 1e-12) < 1e-18)
        }
    }
}
