import SpikeGraph

/// How somebody who runs a NIR file makes time steps of its continuous neurons. NIR leaves that open, and readers differ.
public struct NIRDynamics: Sendable, Hashable {
    /// What becomes of the membrane at a spike.
    public enum Reset: String, Codable, Sendable, Hashable, CaseIterable {
        /// v ← v − θ.
        case subtraction
        /// v ← v_reset.
        case value
    }

    /// What a spike does to the membrane.
    public var reset: Reset
    /// A spike needs v > θ; else v ≥ θ is enough.
    public var isStrict: Bool
    /// Integrate-and-fire neurons emit ⌊v / θ⌋ spikes a step, and their membranes never fall below −θ.
    public var isMultiSpike: Bool
    /// Membranes begin at the `v_init` of a node's metadata, and the output at the graph's `readout_delay`, where there are any.
    public var readsMetadata: Bool
    /// The length of a step, in the unit of the file's time constants.
    public var timeStep: Double

    /// The dynamics of a reader.
    public init(
        reset: Reset = .subtraction, isStrict: Bool = false, isMultiSpike: Bool = false, readsMetadata: Bool = false,
        timeStep: Double = 1e-4
    ) {
        self.reset = reset
        self.isStrict = isStrict
        self.isMultiSpike = isMultiSpike
        self.readsMetadata = readsMetadata
        self.timeStep = timeStep
    }
}

/// What a reader of NIR files understands, and what it then does: the rules that a file for it is written by.
public struct NIRProfile: Sendable {
    /// The name in the file and on the command line.
    public let name: String
    /// One line for people.
    public let summary: String
    /// How it runs neurons.
    public let dynamics: NIRDynamics
    /// What it does to every neuron that a converted network's is not meant to do; `nil` where there is nothing.
    let otherNeuron: String?
    /// θ of every neuron, where a spike of its own stands for 1. A hard reset loses what a membrane has above θ; a lower θ makes
    /// up for it on average. 2/3 was the best of ten on training images of the four networks in Models/FashionMNIST.
    let threshold: Float
    /// It counts a Flatten's axes with the samples' axis: layers behind a Flatten are written as convolutions over everything.
    let flattensSamples: Bool
    /// It has AvgPool2d, and no SumPool2d.
    let averages: Bool
    /// It runs IF wrongly or not at all, but LIF without a leak is the same.
    let usesLeakyNeurons: Bool
    /// It takes no bias in convolutions.
    let ignoresConvolutionBias: Bool
    /// Nothing is folded, so that nothing is rounded: scales are nodes of their own, groups of convolutions stay, and what NIR has
    /// no word for stands in metadata.
    let isExact: Bool

    /// Whether it writes plain arrays, and no NIR file.
    var isArrays: Bool { name == Self.arrays.name }

    /// All profiles, the most portable first.
    public static let all = [generic, sinabs, norse, snntorch, spinnaker2, lava, spikelet]

    /// - Throws: ``SpikeletError`` for a name that none has.
    public static func named(_ name: String) throws -> NIRProfile {
        guard let profile = all.first(where: { $0.name == name }) else {
            throw SpikeletError(
                .invalidOption, "there is no target '\(name)'", remedy: "the targets are: " + all.map(\.name).joined(separator: ", "))
        }
        return profile
    }

    /// The profile that a file was written by, where Spikelet wrote it.
    public static func of(_ graph: NIRGraph) -> NIRProfile? {
        guard graph.metadata["producer"] == .text("spikelet"), case .text(let name)? = graph.metadata["target"] else { return nil }
        return all.first { $0.name == name }
    }

    /// NIR as its documentation says; reset by subtraction is the reader's choice.
    public static let generic = NIRProfile(
        name: "generic", summary: "any reader that can reset by subtraction", dynamics: NIRDynamics(), otherNeuron: nil)

    /// sinabs 3.1.3: `IAFSqueeze(min_v_mem=-v_threshold)`, multiple spikes, reset by subtraction.
    public static let sinabs = NIRProfile(
        name: "sinabs", summary: "sinabs, and through it Speck and DynapCNN", dynamics: NIRDynamics(isMultiSpike: true),
        otherNeuron: "emits several spikes a step, and keeps membranes above −θ")

    /// Norse 1.1.0: `IAFCell`, reset to zero where v > θ, steps of 1 ms; `Flatten` is taken with the samples' axis.
    public static let norse = NIRProfile(
        name: "norse", summary: "Norse", dynamics: NIRDynamics(reset: .value, isStrict: true, timeStep: 1e-3),
        otherNeuron: hardReset, threshold: 2 / 3, flattensSamples: true)

    /// snnTorch 1.0.0: IF becomes a leaky neuron whose state its own importer does not carry; LIF is reset to zero.
    public static let snntorch = NIRProfile(
        name: "snntorch", summary: "snnTorch", dynamics: NIRDynamics(reset: .value, isStrict: true),
        otherNeuron: hardReset, threshold: 2 / 3, flattensSamples: true, averages: true, usesLeakyNeurons: true)

    /// SpiNNaker2's `py-spinnaker2`, with `ResetMethod.SUBTRACT`, which is its user's choice.
    public static let spinnaker2 = NIRProfile(
        name: "spinnaker2", summary: "py-spinnaker2, with ResetMethod.SUBTRACT", dynamics: NIRDynamics(), otherNeuron: nil)

    /// Lava-dl's script: current-based neurons without leak, hard reset, no bias in convolutions.
    public static let lava = NIRProfile(
        name: "lava", summary: "Lava's script for NIR, and through it Loihi 2", dynamics: NIRDynamics(reset: .value),
        otherNeuron: hardReset, threshold: 2 / 3, ignoresConvolutionBias: true)

    /// Spikelet itself: the same spikes, to the bit.
    public static let spikelet = NIRProfile(
        name: "spikelet", summary: "Spikelet itself: the same spikes to the bit, initial membranes in metadata",
        dynamics: NIRDynamics(readsMetadata: true), otherNeuron: nil, averages: true, isExact: true)

    private static let hardReset = "resets membranes to 0, which loses what is above θ"

    /// No reader: whatever plain arrays can say. A threshold is that of one spike, however many there may be in a step.
    static let arrays = NIRProfile(
        name: "arrays", summary: "plain arrays", dynamics: NIRDynamics(isMultiSpike: true), otherNeuron: nil)

    init(
        name: String, summary: String, dynamics: NIRDynamics, otherNeuron: String?, threshold: Float = 1, flattensSamples: Bool = false,
        averages: Bool = false, usesLeakyNeurons: Bool = false, ignoresConvolutionBias: Bool = false, isExact: Bool = false
    ) {
        self.name = name
        self.summary = summary
        self.dynamics = dynamics
        self.otherNeuron = otherNeuron
        self.threshold = threshold
        self.flattensSamples = flattensSamples
        self.averages = averages
        self.usesLeakyNeurons = usesLeakyNeurons
        self.ignoresConvolutionBias = ignoresConvolutionBias
        self.isExact = isExact
    }
}
