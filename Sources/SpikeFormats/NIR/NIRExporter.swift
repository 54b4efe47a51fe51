public import SpikeGraph

/// Writes a spiking network as NIR for one reader.
///
///     let export = try NIRExporter(.sinabs, approximate: true)(snn)
///     try NIRFile.write(export.graph, to: "network.nir")
///
/// Scales, batch normalisations and the divisors of average pools are folded into the weights around them, so that every
/// spike stands for 1, and every threshold is the same; grouped convolutions become dense ones, which every reader takes; sums
/// of activations become edges into one node. The profile `spikelet` folds nothing: what is read again has the same spikes to
/// the bit.
///
/// What NIR, or the reader, cannot say is an error that lists all of it. With `approximate` each is replaced where there is
/// something to replace it with:
/// * an initial membrane v₀ by a current v₀/T in each of T steps;
/// * max pooling by m + relu(x − m), one integrate-and-fire neuron for each comparison;
/// * signed, burst, radix and quantiser neurons by integrate-and-fire ones with the same largest activation, a signed quantiser
///   by two: one of them for what is below zero.
///
/// What is linear and has no node in NIR (cuts, padding, resizing, transposed convolutions, …) is written as convolutions. Where the
/// output's places or its shape are left to the reader, the metadata `output_phases` and `output_shape` say so, and ``NIRImporter`` follows.
///
/// A max pool of what is no spike, as in relu(maxpool(conv(x))), is written behind the neurons that read it: the maximum of
/// rectified values is the rectified maximum.
public struct NIRExporter: Sendable {
    /// The rules of the reader that the file is for.
    public var profile: NIRProfile
    /// Whether what NIR or the reader cannot say is replaced by what comes near.
    public var approximate: Bool
    /// T, over which an initial membrane is spread; by default the network's own, and at least 32 for a network whose layers
    /// wait for each other.
    public var steps: Int?

    /// An exporter for one reader.
    public init(_ profile: NIRProfile = .generic, approximate: Bool = false, steps: Int? = nil) {
        self.profile = profile
        self.approximate = approximate
        self.steps = steps
    }

    /// T where nobody names one: the network's own; at least 32 where layers wait for each other, since as rate codes that all
    /// advance in every step they need more. The digits of a radix code are no time steps at all.
    public static func usualSteps(_ description: SpikingDescription) -> Int {
        let own = description.code.kind == .rate ? description.steps ?? 32 : 32
        return description.schedule == .streaming ? own : max(32, own)
    }

    /// - Throws: ``SpikeletError``: `unsupported`, with a list of everything that cannot be said.
    public func callAsFunction(_ snn: Graph) throws -> NIRExport {
        guard let description = snn.spiking else {
            throw SpikeletError(.invalidData, "'\(snn.name)' is an ANN, not a spiking network", remedy: "convert it first")
        }
        guard snn.inputs.count == 1, snn.outputs.count == 1 else {
            throw SpikeletError(
                .unsupported, "the network has \(snn.inputs.count) inputs and \(snn.outputs.count) outputs",
                remedy: "export a network with one of each")
        }
        let steps = steps ?? Self.usualSteps(description)
        var folding = NIRFolding(snn, profile: profile, steps: steps)
        try folding.run()
        let (impossible, replaced) = (folding.findings.filter { $0.replacement == nil }, folding.findings.filter { $0.replacement != nil })
        let format = profile.isArrays ? "plain arrays" : "NIR for \(profile.name)"
        guard impossible.isEmpty else {
            var remedies: [String] = []
            for finding in impossible {
                let advice = finding.advice ?? "convert a network without it"
                if !remedies.contains(advice) { remedies.append(advice) }
            }
            throw SpikeletError(
                .unsupported, "\(format) cannot say:", details: impossible.map { "- \($0.text)" },
                remedy: remedies.joined(separator: "; "))
        }
        guard approximate || replaced.isEmpty else {
            throw SpikeletError(
                .unsupported, "\(format) cannot say:", details: replaced.map { "- \($0.text)" },
                remedy: "allow these replacements with `approximate: true`"
                    + (profile.isArrays ? "" : ", and measure their cost with `check: DATA`"))
        }
        var notes: [String] = []
        if profile.dynamics.reset == .subtraction { notes.append("run it with reset by subtraction (v ← v − θ)") }
        notes.append("give the same input in every step, and average the output over the steps")
        notes += folding.notes
        if profile.dynamics.readsMetadata { notes.append("membranes begin at the v_init of each node's metadata") }
        let turned = folding.graph.metadata
        folding.graph.metadata = [
            "producer": .text("spikelet"), "target": .text(profile.name), "recipe": .text(description.recipe),
            "reset": .text(profile.dynamics.reset == .subtraction ? "subtract" : "zero"),
            "encoder": .text("the same real-valued input in every step"), "decoder": .text("mean of the outputs over the steps"),
            "steps": .numbers(Tensor([Int64(steps)], shape: [1])),
            "replaced": .text(replaced.map(\.text).joined(separator: "\n")),
        ]
        folding.graph.metadata.merge(turned) { _, own in own }
        if profile.dynamics.readsMetadata, let delay = description.readoutDelay, delay > 0 {
            folding.graph.metadata["readout_delay"] = .numbers(Tensor([Int64(delay)], shape: [1]))
        }
        return NIRExport(graph: folding.graph, steps: steps, approximations: replaced, notes: notes)
    }
}
