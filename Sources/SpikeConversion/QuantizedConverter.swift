public import SpikeGraph

/// Converts a network whose activations are quantisers: each becomes a layer of neurons that emits exactly its levels.
///
///     let snn = try QuantizedConverter()(ann)
///
/// No calibration: Δ and L are the network's own. Layers are synchronous, so that a neuron knows its whole input before it
/// emits, and the order of arrival does not matter. Two codes:
///
/// * unary: T = the largest L of the network. θ = λ and v₀ = θ/2 where L = T (QCFS's own conversion, ``IFNode``); a layer with
///   fewer levels has a bound on its count (``QuantizerNeuron``), as its spikes, too, stand for Δ·T each, divided by T.
/// * radix: K binary digits, K the least with 2^K − 1 ≥ L in every layer; again with a bound where it is smaller.
///
/// Both are the ANN's activations in exact arithmetic, ties included. In float32 sums are rounded in another order, so that a
/// current within rounding (10⁻⁶ or so) of the middle between two levels may go to the other one; where weights, biases and Δ
/// are dyadic, nothing is ever rounded, and all spikes are exact.
///
/// Quantisers of the input itself stay real-valued. Signed ones among spiking values become neurons with negative spikes; at the
/// very output they act on the accumulated output.
public struct QuantizedConverter: Sendable {
    /// The name of this recipe.
    public static let recipe = "quantised"
    /// Above so many levels the code is radix unless asked otherwise.
    static let mostUnarySteps = 32

    /// T, which asks for unary spikes, or K, for radix. `nil`: radix where the largest L is 2^K − 1 with K ≥ 2, or above 32.
    public var steps: Int?
    /// Lets what cannot become neurons stay in the network, with a warning each.
    public var allowAnalog: Bool

    /// A converter of quantised networks.
    public init(steps: Int? = nil, allowAnalog: Bool = false) {
        self.steps = steps
        self.allowAnalog = allowAnalog
    }

    /// - Throws: ``SpikeletError`` that lists every ReLU that is not quantised and everything else that cannot spike; or
    ///   for a number of steps that no code of this network has.
    public func callAsFunction(_ ann: Graph) throws -> Graph {
        let leavingOut = LeaveOutOutputs(of: ann)
        let folded = try FuseConvBatchNorm().run(leavingOut.run(ann))
        let plan = QuantizedPlan(folded)
        guard !plan.neurons.isEmpty else {
            throw SpikeletError(
                .notConvertible, "no activation of the network is a quantiser",
                remedy:
                    "give a network trained with QCFS (clip–floor) activations or quantised in QDQ format; for other ReLUs use 'calibrated', for other activations 'radix'"
            )
        }
        let warnings = try leavingOut.notes + plan.check(allowAnalog: allowAnalog)
        let quantizers = plan.neurons.map(\.quantizer)
        let largest = quantizers.map { max($0.levels, -$0.lowest) }.max() ?? 1
        let digits = try digits(largest)
        let steps = digits ?? largest
        var placements: [String: PlaceNeurons.Placement] = [:]
        for (name, quantizer) in plan.neurons {
            placements[name] = .init(
                neuron: try neuron(quantizer, steps: steps, digits: digits), spike: [quantizer.step * Float(digits == nil ? steps : 1)],
                unit: [quantizer.step])
        }
        let levels = Set(quantizers.map { $0.lowest == 0 ? "\($0.levels)" : "\($0.lowest)…\($0.levels)" })
        let description = SpikingDescription(
            recipe: Self.recipe, schedule: .layerSynchronous, code: digits == nil ? .rate(steps: steps) : .radix(digits: steps),
            facts: ["quantizers": "\(quantizers.count)", "levels": levels.sorted().joined(separator: ", ")], warnings: warnings)
        let placed = try PlaceNeurons(placements, description: description).run(folded)
        return try SeparateConstants().run(UseRunningMaximum().run(placed))
    }

    /// K, or `nil` for unary spikes.
    private func digits(_ largest: Int) throws -> Int? {
        let digits = Int.bitWidth - largest.leadingZeroBitCount
        guard let steps else {
            let isRadix = largest > Self.mostUnarySteps || largest == 1 << digits - 1 && digits >= 2
            guard isRadix else { return nil }
            _ = try RadixNeuron(digits: digits)
            return digits
        }
        if steps == largest { return nil }
        guard steps == digits else {
            throw SpikeletError(
                .invalidOption, "\(steps) time steps for a network quantised to \(largest) levels",
                remedy: "it is exact in \(largest) steps (unary) or \(digits) (radix); leave the number out to have one chosen")
        }
        _ = try RadixNeuron(digits: digits)
        return digits
    }

    private func neuron(_ quantizer: Quantizer, steps: Int, digits: Int?) throws -> any Neuron {
        let fills = quantizer.lowest == 0 && quantizer.levels == (digits.map { 1 << $0 - 1 } ?? steps)
        if let digits {
            if fills, quantizer.rounding == .halfUp { return try RadixNeuron(digits: digits) }
        } else if fills, quantizer.rounding != .halfToEven {
            // θ = λ, in units of Δ.
            return IFNode(threshold: Float(steps), initialMembrane: quantizer.rounding == .halfUp ? Float(steps) / 2 : 0)
        }
        return try QuantizerNeuron(
            threshold: digits == nil ? Float(steps) : 1, levels: quantizer.levels, lowest: quantizer.lowest, rounding: quantizer.rounding,
            divisor: quantizer.divisor, digits: digits)
    }
}

/// What becomes of each node of a quantised network.
struct QuantizedPlan {
    /// The quantisers that become neurons, in order.
    private(set) var neurons: [(name: String, quantizer: Quantizer)] = []
    private var obstacles: [Convertibility.Obstacle] = []
    private var notes: [String] = []

    init(_ graph: Graph) {
        let readout = Convertibility.tail(graph) { graph.linearity(of: $0) == .activation }
        var spiking: Set<String> = []
        // The input, and what is the input still: shifted, scaled, reshaped.
        var raw = Set(graph.inputs.map(\.name))
        for node in graph.nodes {
            let readsSpikes = node.inputs.contains(where: spiking.contains)
            let linearity = graph.linearity(of: node)
            if case .quantizer(let quantizer) = node.operator, !readout.contains(node.name) {
                let isInput = raw.contains(node.inputs[0])
                if readsSpikes || quantizer.lowest == 0 && !isInput {
                    neurons.append((node.name, quantizer))
                    spiking.formUnion(node.outputs)
                    if quantizer.lowest < 0 { notes.append("'\(node.name)' quantises signed values: its spikes may be negative") }
                    continue
                }
            } else if linearity == .activation || linearity == .nonlinear, !readout.contains(node.name) {
                if readsSpikes {
                    obstacles.append(.init(node: node.name, operator: node.operator.name, reason: Self.reason(node, linearity)))
                } else if linearity == .activation {
                    notes.append(
                        "'\(node.name)' (\(node.operator.name)) is not quantised: it stays real-valued, in front of the first neurons")
                }
            }
            if readsSpikes { spiking.formUnion(node.outputs) }
            if Self.keepsInput(node), node.inputs.allSatisfy({ raw.contains($0) || graph.constants[$0] != nil }) {
                raw.formUnion(node.outputs)
            }
        }
    }

    private static func reason(_ node: Node, _ linearity: Linearity) -> String {
        linearity == .activation ? "a ReLU that is not quantised: no count of spikes is its value" : Convertibility.reason(node)
    }

    private static func keepsInput(_ node: Node) -> Bool {
        switch node.operator {
        case .add, .mul, .batchNormalization, .flatten, .reshape, .identity, .dropout, .quantizer, .concat: true
        default: false
        }
    }

    /// As ``Convertibility/check(allowAnalog:)``.
    func check(allowAnalog: Bool) throws -> [String] {
        try notes + Convertibility(activations: neurons.map(\.name), obstacles: obstacles).check(allowAnalog: allowAnalog)
    }
}
